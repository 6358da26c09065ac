// SPDX-License-Identifier: GPL-2.0
//! `-m iprange`

use std::net::IpAddr;

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::{Addresses, IpRange};
use oxtables_engine::uapi::field::Not;

use super::{About, Extension, Given, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::language::address;

fn range(given: &Given, family: Family) -> Result<Not<Addresses>, Problem> {
    let token = given.value();
    let (first, last) = token
        .split_once(b'-')
        .unwrap_or((token.clone(), token.clone()));
    let first = address::address(&first, family)?;
    let last = address::address(&last, family)?;
    if first > last {
        return Err(Problem::new(token.span, "range is reversed")
            .expected("the lower address first")
            .help(format!("write `{}`", text((last, first)))));
    }
    let value = Addresses::new(first, last);
    Ok(Not {
        value: value.ok_or_else(|| Problem::new(token.span, "addresses of two families"))?,
        not: given.not,
    })
}

fn text((first, last): (IpAddr, IpAddr)) -> String {
    format!("{}-{}", address::text(first), address::text(last))
}

impl Extension for IpRange {
    const ABOUT: About = About {
        name: "iprange",
        summary: "ranges of addresses",
        options: &[
            Opt::negatable(
                "src-range",
                &[],
                &["ADDRESS[-ADDRESS]"],
                "where the packet comes from",
            ),
            Opt::negatable(
                "dst-range",
                &[],
                &["ADDRESS[-ADDRESS]"],
                "where the packet goes to",
            ),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let optional = |name| {
            let given = options.get(name);
            given.map(|given| range(given, options.family)).transpose()
        };
        Ok(Self {
            source: optional("src-range")?,
            destination: optional("dst-range")?,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let print = |name, asked: Option<Not<Addresses>>| {
            asked.map(|asked| Printed::new(name, asked.not, text(asked.value.ends())))
        };
        let options = [
            print("src-range", self.source),
            print("dst-range", self.destination),
        ];
        options.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        prints(
            Family::V4,
            &[
                (
                    "-m iprange --src-range 10.0.0.1",
                    "-m iprange --src-range 10.0.0.1-10.0.0.1",
                ),
                (
                    "-m iprange --dst-range 10.0.0.1-10.0.1.0 ! --src-range 10.0.0.1-10.0.0.2",
                    "-m iprange ! --src-range 10.0.0.1-10.0.0.2 --dst-range 10.0.0.1-10.0.1.0",
                ),
            ],
        );
        prints(
            Family::V6,
            &[
                (
                    "-m iprange ! --dst-range fd00::1-fd00:0:0::5",
                    "-m iprange ! --dst-range fd00::1-fd00::5",
                ),
                (
                    "-m iprange --src-range ::1.2.3.4-::ffff:1.2.3.4",
                    "-m iprange --src-range ::1.2.3.4-::ffff:1.2.3.4",
                ),
            ],
        );
        refuses(
            Family::V4,
            &[
                (
                    "-m iprange",
                    "the iprange match needs a range of sources or destinations",
                    "iprange",
                ),
                (
                    "-m iprange --src-range 10.0.0.9-10.0.0.1",
                    "range is reversed",
                    "10.0.0.9-10.0.0.1",
                ),
                (
                    "-m iprange --src-range 10.0.0.9-",
                    "`` is not an address",
                    "",
                ),
                (
                    "-m iprange --src-range 10.0.0.1-10.0.0.2-10.0.0.3",
                    "`10.0.0.2-10.0.0.3` is not an address",
                    "10.0.0.2-10.0.0.3",
                ),
                (
                    "-m iprange --src-range 10.0.0.0/8",
                    "`10.0.0.0/8` is not an address",
                    "10.0.0.0/8",
                ),
                (
                    "-m iprange --src-range 10.0.0.1-fd00::1",
                    "IPv6 address in a rule for IPv4",
                    "fd00::1",
                ),
                (
                    "-m iprange --src-range example.com",
                    "`example.com` is not an address",
                    "example.com",
                ),
            ],
        );
    }
}

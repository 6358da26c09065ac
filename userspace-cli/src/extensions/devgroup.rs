// SPDX-License-Identifier: GPL-2.0
//! `-m devgroup`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Devgroup;
use oxtables_engine::engine::rules::Masked;
use oxtables_engine::uapi::field::Not;

use super::{masked, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::names::Kind;

/// The group asked for by an option, if it was given.
fn group(options: &Options<'_>, name: &str) -> Result<Option<Not<Masked>>, Problem> {
    let Some(given) = options.get(name) else {
        return Ok(None);
    };
    let value = masked::named(
        given.value(),
        options.names,
        Kind::DeviceGroup,
        "a group of interfaces",
    )?;
    Ok(Some(Not {
        value,
        not: given.not,
    }))
}

impl Extension for Devgroup {
    const ABOUT: About = About {
        name: "devgroup",
        summary: "the groups that interfaces are in (ip link set DEVICE group GROUP)",
        options: &[
            Opt::negatable(
                "src-group",
                &[],
                &["GROUP[/MASK]"],
                "the interface it came in by is in the group",
            ),
            Opt::negatable(
                "dst-group",
                &[],
                &["GROUP[/MASK]"],
                "the interface it goes out by is in the group",
            ),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        Ok(Self {
            source: group(options, "src-group")?,
            destination: group(options, "dst-group")?,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        [("src-group", self.source), ("dst-group", self.destination)]
            .into_iter()
            .filter_map(|(name, asked)| {
                let Not { value, not } = asked?;
                Some(Printed::new(name, not, masked::text(value)))
            })
            .collect()
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
                    "-m devgroup --dst-group 7 ! --src-group 0x10/0xff",
                    "-m devgroup ! --src-group 0x10/0xff --dst-group 0x7",
                ),
                (
                    "-m devgroup --src-group inner",
                    "-m devgroup --src-group 0x5",
                ),
                (
                    "-m devgroup --src-group 1/0xffffffff",
                    "-m devgroup --src-group 0x1",
                ),
            ],
        );
        refuses(
            Family::V6,
            &[
                (
                    "-m devgroup",
                    "devgroup needs --src-group or --dst-group",
                    "devgroup",
                ),
                (
                    "-m devgroup --src-group outer",
                    "no group of interfaces is called `outer`",
                    "outer",
                ),
                (
                    "-m devgroup --src-group 1/x",
                    "`x` is not a group of interfaces",
                    "x",
                ),
                (
                    "-m devgroup --src-group 4294967296",
                    "`4294967296` is not a group of interfaces",
                    "4294967296",
                ),
                (
                    "-m devgroup --dst-group 1",
                    "--dst-group needs FORWARD, OUTPUT or POSTROUTING",
                    "-A INPUT -m devgroup --dst-group 1",
                ),
            ],
        );
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m rt`

use std::net::Ipv6Addr;

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::{Hops, Rt};
use oxtables_engine::uapi::field::Not;
use oxtables_engine::uapi::range::Range;

use super::{numbers, ranges, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// A range that asks for nothing; iptables-save does not print it.
const EVERY: Not<Range<u32>> = Not::is(Range {
    first: 0,
    last: u32::MAX,
});

fn address(token: &Token) -> Result<Ipv6Addr, Problem> {
    let text = token.lossy();
    text.parse().map_err(|_| {
        Problem::new(token.span, format!("`{text}` is not an address")).expected("an IPv6 address")
    })
}

fn hops(token: &Token) -> Result<Hops, Problem> {
    let list = token.split(b',');
    let list = list.iter().map(address).collect::<Result<Vec<_>, _>>()?;
    Hops::new(&list).ok_or_else(|| {
        Problem::new(token.span, "too many addresses for one list")
            .expected(format!("at most {}", Hops::MAX))
    })
}

impl Extension for Rt {
    const ABOUT: About = About {
        name: "rt",
        summary: "the IPv6 packet has a routing header, and what that says",
        family: Some(Family::V6),
        options: &[
            Opt::negatable("rt-type", &[], &["TYPE"], "the header's type"),
            Opt::negatable(
                "rt-segsleft",
                &[],
                &["NUMBER[:NUMBER]"],
                "this many nodes are still to be visited, or a number of them in the range",
            ),
            Opt::negatable("rt-len", &[], &["LENGTH"], "the header has this many bytes"),
            Opt::plain(
                "rt-0-res",
                &[],
                "what is reserved is zero; needs --rt-type 0, as all that follows",
            ),
            Opt::plain(
                "rt-0-addrs",
                &["ADDRESS[,...]"],
                "the header has these addresses, in this order",
            ),
            Opt::plain("rt-0-not-strict", &[], "others may be among them"),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let kind = numbers::optional(options, "rt-type", u8::MAX.into(), "a type")?;
        let of_type_0 = options.get("rt-0-res").or(options.get("rt-0-addrs"));
        if let Some(given) = of_type_0.filter(|_| kind != Some(Not::is(0))) {
            let name = given.option.name;
            return Err(Problem::new(
                given.span,
                format!("`--{name}` needs `--rt-type 0`"),
            ));
        }
        let addresses = options.get("rt-0-addrs");
        let not_strict = options.get("rt-0-not-strict");
        if let (Some(given), None) = (not_strict, addresses) {
            let message = "`--rt-0-not-strict` needs `--rt-0-addrs`";
            return Err(Problem::new(given.span, message));
        }
        let segments_left =
            ranges::optional(options, "rt-segsleft", u32::MAX, "a number of segments")?;
        Ok(Self {
            kind,
            segments_left: segments_left.filter(|range| *range != EVERY),
            length: numbers::optional(options, "rt-len", u32::MAX.into(), "a length")?,
            reserved: options.get("rt-0-res").is_some(),
            addresses: addresses.map(|given| hops(given.value())).transpose()?,
            not_strict: not_strict.is_some(),
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let flag = |name, is_set: bool| is_set.then(|| Printed::flag(name));
        let addresses = self.addresses.as_ref().map(|hops| {
            let list: Vec<_> = hops.as_slice().iter().map(Ipv6Addr::to_string).collect();
            Printed::new("rt-0-addrs", false, list.join(","))
        });
        let segments_left = self.segments_left.filter(|range| *range != EVERY);
        [
            numbers::print("rt-type", self.kind),
            ranges::print("rt-segsleft", segments_left),
            numbers::print("rt-len", self.length),
            flag("rt-0-res", self.reserved),
            addresses,
            flag("rt-0-not-strict", self.not_strict),
        ]
        .into_iter()
        .flatten()
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
            Family::V6,
            &[
                ("-m rt", "-m rt"),
                ("-m rt ! --rt-type 0x2", "-m rt ! --rt-type 2"),
                ("-m rt --rt-segsleft :3", "-m rt --rt-segsleft 0:3"),
                ("-m rt --rt-segsleft 3:", "-m rt --rt-segsleft 3:4294967295"),
                ("-m rt --rt-segsleft :", "-m rt"),
                (
                    "-m rt ! --rt-len 24 ! --rt-segsleft 0",
                    "-m rt ! --rt-segsleft 0 ! --rt-len 24",
                ),
                (
                    "-m rt --rt-0-addrs fd00:0:0::1,::2 --rt-0-not-strict --rt-0-res --rt-type 0",
                    "-m rt --rt-type 0 --rt-0-res --rt-0-addrs fd00::1,::2 --rt-0-not-strict",
                ),
            ],
        );
        refuses(
            Family::V6,
            &[
                ("-m rt --rt-type 256", "`256` is not a type", "256"),
                ("-m rt --rt-segsleft 2:1", "range is reversed", "2:1"),
                (
                    "-m rt --rt-0-res",
                    "`--rt-0-res` needs `--rt-type 0`",
                    "--rt-0-res",
                ),
                (
                    "-m rt ! --rt-type 0 --rt-0-addrs ::1",
                    "`--rt-0-addrs` needs `--rt-type 0`",
                    "--rt-0-addrs ::1",
                ),
                (
                    "-m rt --rt-type 0 --rt-0-not-strict",
                    "`--rt-0-not-strict` needs `--rt-0-addrs`",
                    "--rt-0-not-strict",
                ),
                (
                    "-m rt --rt-type 0 --rt-0-addrs ::1,10.0.0.1",
                    "`10.0.0.1` is not an address",
                    "10.0.0.1",
                ),
                (
                    "-m rt --rt-type 0 --rt-0-addrs ::,::,::,::,::,::,::,::,::,::,::,::,::,::,::,::,::",
                    "too many addresses for one list",
                    "::,::,::,::,::,::,::,::,::,::,::,::,::,::,::,::,::",
                ),
            ],
        );
        refuses(
            Family::V4,
            &[("-m rt", "match `rt` is for IPv6 only", "rt")],
        );
    }
}

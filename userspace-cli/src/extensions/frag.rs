// SPDX-License-Identifier: GPL-2.0
//! `-m frag`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Frag;
use oxtables_engine::uapi::field::Not;
use oxtables_engine::uapi::range::Range;

use super::{numbers, ranges, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

/// A range that asks for nothing; iptables-save does not print it.
const EVERY: Not<Range<u32>> = Not::is(Range {
    first: 0,
    last: u32::MAX,
});

impl Extension for Frag {
    const ABOUT: About = About {
        name: "frag",
        summary: "the IPv6 packet has a fragment header, and what that says",
        family: Some(Family::V6),
        options: &[
            Opt::negatable(
                "fragid",
                &[],
                &["ID[:ID]"],
                "the identification, or a range of them",
            ),
            Opt::negatable(
                "fraglen",
                &[],
                &["LENGTH"],
                "asks nothing, since the header has one length only",
            ),
            Opt::plain("fragres", &[], "what is reserved is zero"),
            Opt::plain("fragfirst", &[], "it is the first fragment"),
            Opt::plain("fragmore", &[], "more fragments follow"),
            Opt::plain("fraglast", &[], "it is the last fragment"),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        if let (Some(_), Some(last)) = (options.get("fragmore"), options.get("fraglast")) {
            return Err(Problem::new(
                last.span,
                "`--fragmore` and `--fraglast` exclude each other",
            ));
        }
        let id = ranges::optional(options, "fragid", u32::MAX, "an identification")?;
        Ok(Self {
            id: id.filter(|id| *id != EVERY),
            length: numbers::optional(options, "fraglen", u32::MAX.into(), "a length")?,
            reserved: options.get("fragres").is_some(),
            first: options.get("fragfirst").is_some(),
            more: options.get("fragmore").is_some(),
            last: options.get("fraglast").is_some(),
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let flag = |name, is_set: bool| is_set.then(|| Printed::flag(name));
        [
            ranges::print("fragid", self.id.filter(|id| *id != EVERY)),
            numbers::print("fraglen", self.length),
            flag("fragres", self.reserved),
            flag("fragfirst", self.first),
            flag("fragmore", self.more),
            flag("fraglast", self.last),
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
                ("-m frag", "-m frag"),
                ("-m frag --fragid 0x10", "-m frag --fragid 16"),
                ("-m frag ! --fragid 7:", "-m frag ! --fragid 7:4294967295"),
                ("-m frag --fragid :", "-m frag"),
                ("-m frag ! --fragid :", "-m frag ! --fragid 0:4294967295"),
                (
                    "-m frag --fraglast --fragfirst --fragres ! --fraglen 8",
                    "-m frag ! --fraglen 8 --fragres --fragfirst --fraglast",
                ),
                ("-m frag --fragmore", "-m frag --fragmore"),
            ],
        );
        refuses(
            Family::V6,
            &[
                (
                    "-m frag --fragmore --fraglast",
                    "`--fragmore` and `--fraglast` exclude each other",
                    "--fraglast",
                ),
                (
                    "-m frag --fragid 4294967296",
                    "`4294967296` is not an identification",
                    "4294967296",
                ),
                ("-m frag --fragid 2:1", "range is reversed", "2:1"),
                ("-m frag --fraglen x", "`x` is not a length", "x"),
                (
                    "-m frag ! --fragres",
                    "`!` can't stand before `--fragres`",
                    "! --fragres",
                ),
            ],
        );
        refuses(
            Family::V4,
            &[("-m frag", "match `frag` is for IPv6 only", "frag")],
        );
    }
}

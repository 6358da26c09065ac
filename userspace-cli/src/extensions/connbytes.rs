// SPDX-License-Identifier: GPL-2.0
//! `-m connbytes`

use oxtables_engine::engine::conntrack::Direction;
use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::{Connbytes, Transferred};
use oxtables_engine::uapi::field::Not;
use oxtables_engine::uapi::range::Range;

use super::{named, ranges, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

const MODES: [(&str, Transferred); 3] = [
    ("packets", Transferred::Packets),
    ("bytes", Transferred::Bytes),
    ("avgpkt", Transferred::Average),
];

const DIRECTIONS: [(&str, Option<Direction>); 3] = [
    ("original", Some(Direction::Original)),
    ("reply", Some(Direction::Reply)),
    ("both", None),
];

/// A range of which the end may be left out, with its colon or without.
fn range(token: &Token) -> Result<Range<u64>, Problem> {
    let range = ranges::range(token, u64::MAX, "a number")?;
    Ok(if token.text.contains(&b':') {
        range
    } else {
        Range {
            last: u64::MAX,
            ..range
        }
    })
}

fn range_text(Range { first, last }: Range<u64>) -> String {
    if last == u64::MAX {
        first.to_string()
    } else {
        format!("{first}:{last}")
    }
}

impl Extension for Connbytes {
    const ABOUT: About = About {
        name: "connbytes",
        summary: "how much the packet's connection has transferred so far",
        options: &[
            Opt::negatable(
                "connbytes",
                &[],
                &["FROM[:TO]"],
                "so much, or more if it is one number",
            ),
            Opt::plain(
                "connbytes-mode",
                &["packets|bytes|avgpkt"],
                "packets, their bytes, or bytes a packet",
            ),
            Opt::plain(
                "connbytes-dir",
                &["original|reply|both"],
                "by packets that go the way of the first one, by answers or by both",
            ),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let needed = |name: &str| {
            options.get(name).ok_or_else(|| {
                Problem::new(options.span, format!("`connbytes` needs `--{name}`"))
                    .expected("--connbytes, --connbytes-mode and --connbytes-dir")
            })
        };
        let given = needed("connbytes")?;
        Ok(Self {
            range: Not {
                value: range(given.value())?,
                not: given.not,
            },
            what: named::value(needed("connbytes-mode")?.value(), &MODES)?,
            direction: named::value(needed("connbytes-dir")?.value(), &DIRECTIONS)?,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        vec![
            Printed::new("connbytes", self.range.not, range_text(self.range.value)),
            Printed::new("connbytes-mode", false, named::name(&self.what, &MODES)),
            Printed::new(
                "connbytes-dir",
                false,
                named::name(&self.direction, &DIRECTIONS),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        for family in Family::ALL {
            prints(
                family,
                &[
                    (
                        "-m connbytes --connbytes-dir both --connbytes-mode bytes --connbytes 10000:100000",
                        "-m connbytes --connbytes 10000:100000 --connbytes-mode bytes --connbytes-dir both",
                    ),
                    (
                        "-m connbytes ! --connbytes :20 --connbytes-mode packets --connbytes-dir original",
                        "-m connbytes ! --connbytes 0:20 --connbytes-mode packets --connbytes-dir original",
                    ),
                    (
                        "-m connbytes --connbytes 5: --connbytes-mode avgpkt --connbytes-dir reply",
                        "-m connbytes --connbytes 5 --connbytes-mode avgpkt --connbytes-dir reply",
                    ),
                    (
                        "-m connbytes --connbytes 5:18446744073709551615 --connbytes-mode avgpkt --connbytes-dir reply",
                        "-m connbytes --connbytes 5 --connbytes-mode avgpkt --connbytes-dir reply",
                    ),
                ],
            );
        }
    }

    #[test]
    fn wrong_rules() {
        refuses(
            Family::V4,
            &[
                ("-m connbytes", "`connbytes` needs `--connbytes`", "connbytes"),
                (
                    "-m connbytes --connbytes 5 --connbytes-dir both",
                    "`connbytes` needs `--connbytes-mode`",
                    "connbytes",
                ),
                (
                    "-m connbytes --connbytes 5 --connbytes-mode bytes",
                    "`connbytes` needs `--connbytes-dir`",
                    "connbytes",
                ),
                (
                    "-m connbytes --connbytes 6:5 --connbytes-mode bytes --connbytes-dir both",
                    "range is reversed",
                    "6:5",
                ),
                (
                    "-m connbytes --connbytes 18446744073709551616 --connbytes-mode bytes --connbytes-dir both",
                    "`18446744073709551616` is not a number",
                    "18446744073709551616",
                ),
                (
                    "-m connbytes --connbytes 5 --connbytes-mode byte --connbytes-dir both",
                    "`byte` is not known here",
                    "byte",
                ),
                (
                    "-m connbytes --connbytes 5 --connbytes-mode bytes --connbytes-dir REPLY",
                    "`REPLY` is not known here",
                    "REPLY",
                ),
            ],
        );
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m mh`

use oxtables_engine::engine::packet::{protocol, Family};
use oxtables_engine::engine::rules::matches::Mh;
use oxtables_engine::uapi::field::Not;
use oxtables_engine::uapi::range::Range;

use super::{numbers, ranges, About, Extension, Opt, Options, Printed, Vocabulary};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// The messages by their types, each with its short name (RFC 6275, section 6.1).
const MESSAGES: [(&str, &str); 8] = [
    ("binding-refresh-request", "brr"),
    ("home-test-init", "hoti"),
    ("careof-test-init", "coti"),
    ("home-test", "hot"),
    ("careof-test", "cot"),
    ("binding-update", "bu"),
    ("binding-acknowledgement", "ba"),
    ("binding-error", "be"),
];

/// A range that asks for nothing; iptables-save does not print it.
const EVERY: Not<Range<u8>> = Not::is(Range {
    first: 0,
    last: u8::MAX,
});

fn names() -> Vec<String> {
    let names = MESSAGES.iter().zip(0..);
    names
        .map(|((name, short), kind)| format!("{name}, {short} ({kind})"))
        .collect()
}

/// The type that a word gives: a name or the beginning of one, as for iptables, or a number.
fn kind(token: &Token) -> Result<u8, Problem> {
    let name = token.lossy();
    if token.text.first().is_some_and(u8::is_ascii_digit) {
        return numbers::number(token, u8::MAX.into(), "a type of message");
    }
    let known = || {
        let names = MESSAGES.iter().zip(0..);
        names.flat_map(|((name, short), kind)| [(*name, kind), (*short, kind)])
    };
    let begins = |known: &str| {
        let start = known.as_bytes().get(..name.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
    };
    let whole = known().find(|(known, _)| known.eq_ignore_ascii_case(&name));
    let found = whole.or_else(|| known().find(|(known, _)| begins(known)));
    found.map(|(_, kind)| kind).ok_or_else(|| {
        Problem::new(token.span, format!("no message is called `{name}`"))
            .expected("a name or a type from 0 to 255")
            .suggest(&name, known().map(|(name, _)| name))
    })
}

impl Extension for Mh {
    const ABOUT: About = About {
        name: "mh",
        summary: "the type of a Mobile IPv6 message",
        family: Some(Family::V6),
        implied_by: &[protocol::MOBILITY],
        options: &[Opt::negatable(
            "mh-type",
            &[],
            &["TYPE[:TYPE]"],
            "the message, by name or number, or a range of them",
        )],
        vocabularies: &[Vocabulary {
            title: "messages",
            names,
        }],
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let Some(given) = options.get("mh-type") else {
            return Ok(Self { kind: None });
        };
        let range = Not {
            value: ranges::parse(given.value(), u8::MAX, kind)?,
            not: given.not,
        };
        Ok(Self {
            kind: (range != EVERY).then_some(range),
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let range = self.kind.filter(|range| *range != EVERY);
        ranges::print("mh-type", range).into_iter().collect()
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
                (
                    "-p mh --mh-type binding-update",
                    "-p mobility-header -m mh --mh-type 5",
                ),
                (
                    "-p 135 -m mh ! --mh-type HOT:ba",
                    "-p mobility-header -m mh ! --mh-type 3:6",
                ),
                (
                    "-p mh --mh-type hom",
                    "-p mobility-header -m mh --mh-type 1",
                ),
                ("-p mh --mh-type b", "-p mobility-header -m mh --mh-type 0"),
                (
                    "-p mh --mh-type 200:",
                    "-p mobility-header -m mh --mh-type 200:255",
                ),
                ("-p mh --mh-type :", "-p mobility-header -m mh"),
                (
                    "-p mh ! --mh-type :",
                    "-p mobility-header -m mh ! --mh-type 0:255",
                ),
                ("-p mh -m mh", "-p mobility-header -m mh"),
            ],
        );
        refuses(
            Family::V6,
            &[
                (
                    "-p mh --mh-type 256",
                    "`256` is not a type of message",
                    "256",
                ),
                ("-p mh --mh-type bux", "no message is called `bux`", "bux"),
                ("-p mh --mh-type ba:bu", "range is reversed", "ba:bu"),
                (
                    "-m mh --mh-type 5",
                    "the mh match needs IPv6 and -p mobility-header",
                    "mh",
                ),
            ],
        );
        refuses(
            Family::V4,
            &[("-p mh -m mh", "match `mh` is for IPv6 only", "mh")],
        );
    }
}

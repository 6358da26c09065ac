// SPDX-License-Identifier: GPL-2.0
//! `-m ttl` and `-m hl`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::{Comparison, Hl, Ttl};
use oxtables_engine::uapi::field::Not;

use super::{numbers, About, Extension, Given, Opt, Options, Printed};
use crate::diagnostic::Problem;

/// The options of a match, in the order of [`Comparison::ALL`].
type Comparisons = [&'static str; 3];

const TTL: Comparisons = ["ttl-eq", "ttl-lt", "ttl-gt"];
const HL: Comparisons = ["hl-eq", "hl-lt", "hl-gt"];

fn parse(given: &Given, names: Comparisons, what: &str) -> Result<(Comparison, Not<u8>), Problem> {
    let named = names.into_iter().zip(Comparison::ALL);
    let comparison = named
        .into_iter()
        .find(|(name, _)| *name == given.option.name);
    let value = Not {
        value: numbers::number(given.value(), u8::MAX.into(), what)?,
        not: given.not,
    };
    Ok((
        comparison.map_or(Comparison::Equal, |(_, comparison)| comparison),
        value,
    ))
}

fn print(names: Comparisons, comparison: Comparison, value: Not<u8>) -> Vec<Printed> {
    let name = names[comparison as usize];
    vec![Printed::new(name, value.not, value.value)]
}

impl Extension for Ttl {
    const ABOUT: About = About {
        name: "ttl",
        summary: "the time to live of an IPv4 packet",
        family: Some(Family::V4),
        options: &[
            Opt::negatable(TTL[0], &["ttl"], &["NUMBER"], "it is NUMBER"),
            Opt::plain(TTL[1], &["NUMBER"], "it is less than NUMBER"),
            Opt::plain(TTL[2], &["NUMBER"], "it is greater than NUMBER"),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        let (comparison, value) = parse(given, TTL, "a time to live")?;
        Ok(Self { comparison, value })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        print(TTL, self.comparison, self.value)
    }
}

impl Extension for Hl {
    const ABOUT: About = About {
        name: "hl",
        summary: "the hop limit of an IPv6 packet",
        family: Some(Family::V6),
        options: &[
            Opt::negatable(HL[0], &["hl"], &["NUMBER"], "it is NUMBER"),
            Opt::plain(HL[1], &["NUMBER"], "it is less than NUMBER"),
            Opt::plain(HL[2], &["NUMBER"], "it is greater than NUMBER"),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        let (comparison, value) = parse(given, HL, "a hop limit")?;
        Ok(Self { comparison, value })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        print(HL, self.comparison, self.value)
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
                ("-m ttl --ttl-eq 64", "-m ttl --ttl-eq 64"),
                ("-m ttl ! --ttl-eq 0", "-m ttl ! --ttl-eq 0"),
                ("-m ttl --ttl-lt 0x10", "-m ttl --ttl-lt 16"),
                ("-m ttl --ttl-gt 255", "-m ttl --ttl-gt 255"),
            ],
        );
        prints(
            Family::V6,
            &[
                ("-m hl --hl-eq 64", "-m hl --hl-eq 64"),
                ("-m hl ! --hl-eq 0", "-m hl ! --hl-eq 0"),
                ("-m hl --hl-lt 0x10", "-m hl --hl-lt 16"),
                ("-m hl --hl-gt 255", "-m hl --hl-gt 255"),
            ],
        );
        refuses(
            Family::V4,
            &[
                ("-m ttl", "`ttl` needs an option", "ttl"),
                ("-m ttl --ttl-eq 256", "`256` is not a time to live", "256"),
                (
                    "-m ttl --ttl-eq 1 --ttl-lt 2",
                    "`--ttl-eq` and `--ttl-lt` exclude each other",
                    "--ttl-lt 2",
                ),
                (
                    "-m ttl ! --ttl-lt 2",
                    "`!` can't stand before `--ttl-lt`",
                    "! --ttl-lt",
                ),
                ("-m hl --hl-eq 1", "match `hl` is for IPv6 only", "hl"),
            ],
        );
        refuses(
            Family::V6,
            &[
                ("-m hl", "`hl` needs an option", "hl"),
                ("-m hl --hl-gt 256", "`256` is not a hop limit", "256"),
                (
                    "-m hl ! --hl-gt 2",
                    "`!` can't stand before `--hl-gt`",
                    "! --hl-gt",
                ),
                ("-m ttl --ttl-eq 1", "match `ttl` is for IPv4 only", "ttl"),
            ],
        );
    }
}

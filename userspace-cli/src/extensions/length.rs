// SPDX-License-Identifier: GPL-2.0
//! `-m length`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Length;
use oxtables_engine::uapi::field::Not;

use super::{ranges, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

impl Extension for Length {
    const ABOUT: About = About {
        name: "length",
        summary: "the packet's length, its headers included",
        options: &[Opt::negatable(
            "length",
            &[],
            &["LENGTH[:LENGTH]"],
            "it has this many bytes, or a number of them in the range",
        )],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        let value = ranges::range(given.value(), u16::MAX, "a length")?;
        Ok(Self {
            length: Not {
                value,
                not: given.not,
            },
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let length = ranges::text(self.length.value);
        vec![Printed::new("length", self.length.not, length)]
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
                ("-m length --length 100", "-m length --length 100"),
                (
                    "-m length ! --length 0x10:100",
                    "-m length ! --length 16:100",
                ),
                ("-m length --length :100", "-m length --length 0:100"),
                ("-m length --length 100:", "-m length --length 100:65535"),
            ],
        );
        refuses(
            Family::V4,
            &[
                ("-m length", "`length` needs an option", "length"),
                (
                    "-m length --length 65536",
                    "`65536` is not a length",
                    "65536",
                ),
                ("-m length --length 9:1", "range is reversed", "9:1"),
                ("-m length --length 1:2:3", "`2:3` is not a length", "2:3"),
            ],
        );
    }
}

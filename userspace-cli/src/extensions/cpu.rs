// SPDX-License-Identifier: GPL-2.0
//! `-m cpu`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Cpu;
use oxtables_engine::uapi::field::Not;

use super::{numbers, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

impl Extension for Cpu {
    const ABOUT: About = About {
        name: "cpu",
        summary: "the processor that handles the packet",
        options: &[Opt::negatable(
            "cpu",
            &[],
            &["NUMBER"],
            "it is the one with this number, counted from 0",
        )],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        let value = numbers::number(given.value(), u32::MAX.into(), "the number of a processor")?;
        Ok(Self {
            processor: Not {
                value,
                not: given.not,
            },
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let Not { value, not } = self.processor;
        vec![Printed::new("cpu", not, value)]
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
                ("-m cpu --cpu 0x10", "-m cpu --cpu 16"),
                ("-m cpu ! --cpu 4294967295", "-m cpu ! --cpu 4294967295"),
            ],
        );
        refuses(
            Family::V4,
            &[
                ("-m cpu", "`cpu` needs an option", "cpu"),
                (
                    "-m cpu --cpu 4294967296",
                    "`4294967296` is not the number of a processor",
                    "4294967296",
                ),
            ],
        );
    }
}

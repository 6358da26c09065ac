// SPDX-License-Identifier: GPL-2.0
//! `-m quota`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Quota;
use oxtables_engine::uapi::field::Not;

use super::{numbers, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

impl Extension for Quota {
    const ABOUT: About = About {
        name: "quota",
        summary: "so many bytes, and no more",
        options: &[Opt::negatable(
            "quota",
            &[],
            &["BYTES"],
            "packets of so many bytes together have not come yet",
        )],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        let value = numbers::number(given.value(), u64::MAX, "a number of bytes")?;
        Ok(Self {
            quota: Not {
                value,
                not: given.not,
            },
            used: options.memory()?,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        vec![Printed::new("quota", self.quota.not, self.quota.value)]
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
                ("-m quota --quota 0x10", "-m quota --quota 16"),
                (
                    "-m quota ! --quota 18446744073709551615",
                    "-m quota ! --quota 18446744073709551615",
                ),
            ],
        );
        refuses(
            Family::V6,
            &[
                ("-m quota", "`quota` needs an option", "quota"),
                (
                    "-m quota --quota 18446744073709551616",
                    "`18446744073709551616` is not a number of bytes",
                    "18446744073709551616",
                ),
                ("-m quota --quota 1k", "`1k` is not a number of bytes", "1k"),
            ],
        );
    }
}

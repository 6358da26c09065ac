// SPDX-License-Identifier: GPL-2.0
//! `-m esp`

use oxtables_engine::engine::packet::{protocol, Family};
use oxtables_engine::engine::rules::matches::Esp;

use super::{spi, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

impl Extension for Esp {
    const ABOUT: About = About {
        name: "esp",
        summary: "the security association of an encrypted payload",
        implied_by: &[protocol::ESP],
        options: &[Opt::negatable(
            "espspi",
            &[],
            &["INDEX[:INDEX]"],
            "the security parameters index, or a range of them",
        )],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let spi = spi::optional(options.get("espspi"))?;
        Ok(Self { spi })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        spi::print("espspi", self.spi).into_iter().collect()
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
                    ("-p 50 -m esp", "-p esp -m esp"),
                    ("-p esp --espspi 0x10", "-p esp -m esp --espspi 16"),
                    (
                        "-p esp -m esp ! --espspi 1:5",
                        "-p esp -m esp ! --espspi 1:5",
                    ),
                    ("-p esp --espspi :5", "-p esp -m esp --espspi 0:5"),
                    ("-p esp --espspi 5:", "-p esp -m esp --espspi 5:4294967295"),
                    ("-p esp --espspi 0:0xffffffff", "-p esp -m esp"),
                    (
                        "-p esp ! --espspi :",
                        "-p esp -m esp ! --espspi 0:4294967295",
                    ),
                ],
            );
            refuses(
                family,
                &[
                    ("-m esp --espspi 1", "the esp match needs -p esp", "esp"),
                    ("! -p esp -m esp", "the esp match needs -p esp", "esp"),
                    (
                        "-p esp --espspi 4294967296",
                        "`4294967296` is not a security parameters index",
                        "4294967296",
                    ),
                    ("-p esp --espspi 5:1", "range is reversed", "5:1"),
                    (
                        "-p esp --espspi 1:2:3",
                        "`2:3` is not a security parameters index",
                        "2:3",
                    ),
                ],
            );
        }
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m ecn`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Ecn;
use oxtables_engine::uapi::field::Not;

use super::{numbers, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

impl Extension for Ecn {
    const ABOUT: About = About {
        name: "ecn",
        summary: "congestion notification; its flags of TCP need -p tcp",
        options: &[
            Opt::negatable(
                "ecn-tcp-cwr",
                &[],
                &[],
                "the TCP header has the flag CWR, congestion window reduced",
            ),
            Opt::negatable(
                "ecn-tcp-ece",
                &[],
                &[],
                "the TCP header has the flag ECE, ECN echo",
            ),
            Opt::negatable(
                "ecn-ip-ect",
                &[],
                &["NUMBER"],
                "the codepoint in the IP header: 0 without ECN, 1 and 2 with, 3 congestion met",
            ),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let flag = |name| {
            let given = options.get(name);
            given.map(|given| Not {
                value: true,
                not: given.not,
            })
        };
        let ect = options
            .get("ecn-ip-ect")
            .map(|given| {
                let value = numbers::number(given.value(), Self::MAX.into(), "an ECN codepoint")?;
                Ok(Not {
                    value,
                    not: given.not,
                })
            })
            .transpose()?;
        Ok(Self {
            cwr: flag("ecn-tcp-cwr"),
            ece: flag("ecn-tcp-ece"),
            ect,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let flag = |name, asked: Option<Not<bool>>| {
            asked.map(|asked| Printed {
                not: asked.not,
                ..Printed::flag(name)
            })
        };
        let ect = self
            .ect
            .map(|ect| Printed::new("ecn-ip-ect", ect.not, ect.value));
        let options = [
            flag("ecn-tcp-ece", self.ece),
            flag("ecn-tcp-cwr", self.cwr),
            ect,
        ];
        options.into_iter().flatten().collect()
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
                    ("-m ecn --ecn-ip-ect 0", "-m ecn --ecn-ip-ect 0"),
                    ("-m ecn ! --ecn-ip-ect 0x3", "-m ecn ! --ecn-ip-ect 3"),
                    (
                        "-p tcp -m ecn --ecn-tcp-cwr ! --ecn-tcp-ece ! --ecn-ip-ect 2",
                        "-p tcp -m ecn ! --ecn-tcp-ece --ecn-tcp-cwr ! --ecn-ip-ect 2",
                    ),
                ],
            );
            refuses(
                family,
                &[
                    ("-m ecn", "the ecn match needs one of its options", "ecn"),
                    ("-m ecn --ecn-ip-ect 4", "`4` is not an ECN codepoint", "4"),
                    (
                        "-p udp -m ecn --ecn-tcp-cwr",
                        "the ecn match needs -p tcp for flags of TCP",
                        "ecn",
                    ),
                    (
                        "! -p tcp -m ecn --ecn-tcp-ece",
                        "the ecn match needs -p tcp for flags of TCP",
                        "ecn",
                    ),
                ],
            );
        }
    }
}

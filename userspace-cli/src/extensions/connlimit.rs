// SPDX-License-Identifier: GPL-2.0
//! `-m connlimit`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Connlimit;
use oxtables_engine::engine::rules::memory::Memory;
use oxtables_engine::uapi::field::Not;

use super::{numbers, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

impl Extension for Connlimit {
    const ABOUT: About = About {
        name: "connlimit",
        summary: "how many connections there are of the packet's network",
        options: &[
            Opt::negatable(
                "connlimit-upto",
                &[],
                &["NUMBER"],
                "as many as this, that of the packet among them",
            ),
            Opt::negatable(
                "connlimit-above",
                &[],
                &["NUMBER"],
                "more than this, that of the packet among them",
            ),
            Opt::plain(
                "connlimit-mask",
                &["BITS"],
                "so many bits of an address make a network; all without it",
            ),
            Opt::plain(
                "connlimit-saddr",
                &[],
                "networks are those of sources, as without it",
            ),
            Opt::plain("connlimit-daddr", &[], "networks are those of destinations"),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let (limit, above) = match (
            options.get("connlimit-upto"),
            options.get("connlimit-above"),
        ) {
            (Some(upto), None) => (upto, upto.not),
            (None, Some(above)) => (above, !above.not),
            (None, None) => {
                let message = "`connlimit` needs `--connlimit-upto` or `--connlimit-above`";
                return Err(Problem::new(options.span, message));
            }
            (Some(_), Some(above)) => {
                let message = "`--connlimit-upto` and `--connlimit-above` exclude each other";
                return Err(Problem::new(above.span, message));
            }
        };
        let destination = options.get("connlimit-daddr");
        if let (Some(given), Some(_)) = (destination, options.get("connlimit-saddr")) {
            let message = "`--connlimit-saddr` and `--connlimit-daddr` exclude each other";
            return Err(Problem::new(given.span, message));
        }
        let most = options.family.bits();
        let bits = match options.get("connlimit-mask") {
            Some(given) => numbers::number(given.value(), most.into(), "a number of bits")?,
            None => most,
        };
        let value = numbers::number(limit.value(), u32::MAX.into(), "a number of connections")?;
        Ok(Self {
            limit: Not { value, not: above },
            bits,
            destination: destination.is_some(),
            counted: Memory::new().map_err(|_| options.no_memory())?,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let limit = if self.limit.not {
            "connlimit-above"
        } else {
            "connlimit-upto"
        };
        let side = if self.destination {
            "connlimit-daddr"
        } else {
            "connlimit-saddr"
        };
        vec![
            Printed::new(limit, false, self.limit.value),
            Printed::new("connlimit-mask", false, self.bits),
            Printed::flag(side),
        ]
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
                (
                    "-m connlimit --connlimit-upto 5",
                    "-m connlimit --connlimit-upto 5 --connlimit-mask 32 --connlimit-saddr",
                ),
                (
                    "-m connlimit ! --connlimit-above 0x10 --connlimit-mask 0 --connlimit-daddr",
                    "-m connlimit --connlimit-upto 16 --connlimit-mask 0 --connlimit-daddr",
                ),
                (
                    "-m connlimit --connlimit-saddr ! --connlimit-upto 0 --connlimit-mask 24",
                    "-m connlimit --connlimit-above 0 --connlimit-mask 24 --connlimit-saddr",
                ),
                (
                    "-m connlimit --connlimit-above 4294967295",
                    "-m connlimit --connlimit-above 4294967295 --connlimit-mask 32 --connlimit-saddr",
                ),
            ],
        );
        prints(
            Family::V6,
            &[(
                "-p tcp --syn -m connlimit --connlimit-above 2 --connlimit-mask 64",
                "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m connlimit --connlimit-above 2 --connlimit-mask 64 --connlimit-saddr",
            ), (
                "-m connlimit --connlimit-upto 1",
                "-m connlimit --connlimit-upto 1 --connlimit-mask 128 --connlimit-saddr",
            )],
        );
    }

    #[test]
    fn wrong_rules() {
        refuses(
            Family::V4,
            &[
                (
                    "-m connlimit",
                    "`connlimit` needs `--connlimit-upto` or `--connlimit-above`",
                    "connlimit",
                ),
                (
                    "-m connlimit --connlimit-upto 1 --connlimit-above 2",
                    "`--connlimit-upto` and `--connlimit-above` exclude each other",
                    "--connlimit-above 2",
                ),
                (
                    "-m connlimit --connlimit-upto 4294967296",
                    "`4294967296` is not a number of connections",
                    "4294967296",
                ),
                (
                    "-m connlimit --connlimit-above +1",
                    "`+1` is not a number of connections",
                    "+1",
                ),
                (
                    "-m connlimit --connlimit-upto 1 --connlimit-mask 33",
                    "`33` is not a number of bits",
                    "33",
                ),
                (
                    "-m connlimit --connlimit-upto 1 ! --connlimit-mask 3",
                    "`!` can't stand before `--connlimit-mask`",
                    "! --connlimit-mask",
                ),
                (
                    "-m connlimit --connlimit-upto 1 ! --connlimit-saddr",
                    "`!` can't stand before `--connlimit-saddr`",
                    "! --connlimit-saddr",
                ),
                (
                    "-m connlimit --connlimit-upto 1 --connlimit-saddr --connlimit-daddr",
                    "`--connlimit-saddr` and `--connlimit-daddr` exclude each other",
                    "--connlimit-daddr",
                ),
            ],
        );
        refuses(
            Family::V6,
            &[(
                "-m connlimit --connlimit-upto 1 --connlimit-mask 129",
                "`129` is not a number of bits",
                "129",
            )],
        );
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m ah`

use oxtables_engine::engine::packet::extension::AUTHENTICATION;
use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Ah;
use oxtables_engine::uapi::field::Not;

use super::{numbers, spi, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

impl Extension for Ah {
    const ABOUT: About = About {
        name: "ah",
        summary: "the authentication header; IPv4 needs -p ah",
        implied_by: &[AUTHENTICATION],
        options: &[
            Opt::negatable(
                "ahspi",
                &[],
                &["INDEX[:INDEX]"],
                "the security parameters index, or a range of them",
            ),
            Opt::negatable(
                "ahlen",
                &[],
                &["BYTES"],
                "the length of the whole header (IPv6 only)",
            ),
            Opt::plain("ahres", &[], "the reserved field is zero (IPv6 only)"),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let (length, reserved) = (options.get("ahlen"), options.get("ahres"));
        if let (Family::V4, Some(given)) = (options.family, length.or(reserved)) {
            let what = format!("`--{}` is for IPv6 only", given.option.name);
            return Err(Problem::new(given.span, what));
        }
        let length = length
            .map(|given| {
                let value = numbers::number(given.value(), u16::MAX.into(), "a length")?;
                Ok(Not {
                    value,
                    not: given.not,
                })
            })
            .transpose()?;
        Ok(Self {
            spi: spi::optional(options.get("ahspi"))?,
            length,
            reserved: reserved.is_some(),
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let length = self
            .length
            .map(|length| Printed::new("ahlen", length.not, length.value));
        let reserved = self.reserved.then(|| Printed::flag("ahres"));
        let options = [spi::print("ahspi", self.spi), length, reserved];
        options.into_iter().flatten().collect()
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
                ("-p 51 -m ah", "-p ah -m ah"),
                ("-p ah --ahspi 1:5", "-p ah -m ah --ahspi 1:5"),
                (
                    "-p ah -m ah ! --ahspi 0x10:",
                    "-p ah -m ah ! --ahspi 16:4294967295",
                ),
            ],
        );
        prints(
            Family::V6,
            &[
                ("-m ah", "-m ah"),
                ("-p ah --ahspi 1", "-p ah -m ah --ahspi 1"),
                (
                    "-m ah --ahres ! --ahlen 24 ! --ahspi 5:7",
                    "-m ah ! --ahspi 5:7 ! --ahlen 24 --ahres",
                ),
            ],
        );
        refuses(
            Family::V4,
            &[
                ("-m ah --ahspi 1", "the ah match of IPv4 needs -p ah", "ah"),
                (
                    "-p ah --ahlen 12",
                    "`--ahlen` is for IPv6 only",
                    "--ahlen 12",
                ),
                ("-p ah --ahres", "`--ahres` is for IPv6 only", "--ahres"),
                ("-p ah --ahspi 5:1", "range is reversed", "5:1"),
            ],
        );
        refuses(
            Family::V6,
            &[
                (
                    "-m ah --ahspi x",
                    "`x` is not a security parameters index",
                    "x",
                ),
                (
                    "-m ah --ahlen 13",
                    "an authentication header has 8 to 1028 bytes, a multiple of 4",
                    "ah",
                ),
                ("-m ah --ahlen 65536", "`65536` is not a length", "65536"),
                (
                    "-m ah ! --ahres",
                    "`!` can't stand before `--ahres`",
                    "! --ahres",
                ),
            ],
        );
    }
}

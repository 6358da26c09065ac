// SPDX-License-Identifier: GPL-2.0
//! `-m tcpmss`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::TcpMss;
use oxtables_engine::uapi::field::Not;

use super::{ranges, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

impl Extension for TcpMss {
    const ABOUT: About = About {
        name: "tcpmss",
        summary: "the maximum segment size that a TCP header tells; needs -p tcp",
        options: &[Opt::negatable(
            "mss",
            &[],
            &["SIZE[:SIZE]"],
            "it tells this many bytes, or a number of them in the range",
        )],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        Ok(Self {
            mss: Not {
                value: ranges::range(given.value(), u16::MAX, "a segment size")?,
                not: given.not,
            },
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        ranges::print("mss", Some(self.mss)).into_iter().collect()
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
                ("-p tcp -m tcpmss --mss 1460", "-p tcp -m tcpmss --mss 1460"),
                (
                    "-p tcp --syn -m tcpmss ! --mss :0x218",
                    "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -m tcpmss ! --mss 0:536",
                ),
                (
                    "-p tcp -m tcpmss --mss 1461:",
                    "-p tcp -m tcpmss --mss 1461:65535",
                ),
            ],
        );
        refuses(
            Family::V6,
            &[
                ("-p tcp -m tcpmss", "`tcpmss` needs an option", "tcpmss"),
                (
                    "-p tcp -m tcpmss --mss 65536",
                    "`65536` is not a segment size",
                    "65536",
                ),
                ("-p tcp -m tcpmss --mss 9:5", "range is reversed", "9:5"),
                (
                    "-m tcpmss --mss 5",
                    "the tcpmss match needs -p tcp",
                    "tcpmss",
                ),
            ],
        );
    }
}

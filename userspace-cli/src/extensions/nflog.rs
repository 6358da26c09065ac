// SPDX-License-Identifier: GPL-2.0
//! `-j NFLOG`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::targets::{Nflog, NflogPrefix};

use super::{numbers, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

impl Extension for Nflog {
    const ABOUT: About = About {
        name: "NFLOG",
        summary: "hand the packet to programs that log, and go on with the next rule",
        options: &[
            Opt::plain(
                "nflog-group",
                &["NUMBER"],
                "the group that they listen to; 0 without it",
            ),
            Opt::plain(
                "nflog-prefix",
                &["TEXT"],
                "goes with the packet, up to 63 bytes",
            ),
            Opt::plain("nflog-range", &["BYTES"], "kept, but without effect"),
            Opt::plain(
                "nflog-size",
                &["BYTES"],
                "how much of the packet; what the program asks for without it",
            ),
            Opt::plain(
                "nflog-threshold",
                &["PACKETS"],
                "how many the kernel collects before it sends them",
            ),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let short = |name, what| {
            options.get(name).map_or(Ok(0), |given| {
                numbers::number(given.value(), u16::MAX.into(), what)
            })
        };
        let bytes = |name| {
            let given = options.get(name);
            given
                .map(|given| numbers::number(given.value(), u32::MAX.into(), "a number of bytes"))
                .transpose()
        };
        let prefix = match options.get("nflog-prefix").map(|given| given.value()) {
            None => NflogPrefix::default(),
            Some(token) if token.text.is_empty() => {
                return Err(
                    Problem::new(token.span, "nflog prefix is empty").expected("1 to 63 bytes")
                )
            }
            Some(token) => NflogPrefix::new(&token.text).ok_or_else(|| {
                Problem::new(token.span, "nflog prefix is too long").label(format!(
                    "{} bytes, of which {} fit",
                    token.text.len(),
                    NflogPrefix::MAX
                ))
            })?,
        };
        if let (Some(_), Some(range)) = (options.get("nflog-size"), options.get("nflog-range")) {
            let what = "`--nflog-size` and `--nflog-range` exclude each other";
            return Err(Problem::new(range.span, what));
        }
        Ok(Self {
            group: short("nflog-group", "a group")?,
            threshold: short("nflog-threshold", "a number of packets")?,
            prefix,
            size: bytes("nflog-size")?,
            // A range of 0 is none to iptables-save.
            range: bytes("nflog-range")?.filter(|range| *range != 0),
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let prefix = (!self.prefix.is_empty())
            .then(|| Printed::text("nflog-prefix", self.prefix.as_bytes()));
        let above = |name, number: u16| (number != 0).then(|| Printed::new(name, false, number));
        let bytes = |name, number: Option<u32>| Some(Printed::new(name, false, number?));
        [
            prefix,
            above("nflog-group", self.group),
            bytes("nflog-size", self.size),
            bytes("nflog-range", self.range),
            above("nflog-threshold", self.threshold),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        let long = format!("-j NFLOG --nflog-prefix {}", "x".repeat(63));
        prints(
            Family::V4,
            &[
                ("-j NFLOG", "-j NFLOG"),
                (
                    "-j NFLOG --nflog-threshold 8 --nflog-size 64 --nflog-group 0x1f --nflog-prefix a",
                    "-j NFLOG --nflog-prefix a --nflog-group 31 --nflog-size 64 --nflog-threshold 8",
                ),
                (
                    "-j NFLOG --nflog-range 40 --nflog-prefix \"a b\"",
                    "-j NFLOG --nflog-prefix \"a b\" --nflog-range 40",
                ),
                ("-j NFLOG --nflog-group 0 --nflog-range 0", "-j NFLOG"),
                ("-j NFLOG --nflog-size 0", "-j NFLOG --nflog-size 0"),
                (&long, &long),
            ],
        );
        let longer = format!("{long}y");
        refuses(
            Family::V6,
            &[
                (
                    "-j NFLOG --nflog-group 65536",
                    "`65536` is not a group",
                    "65536",
                ),
                (
                    "-j NFLOG --nflog-threshold x",
                    "`x` is not a number of packets",
                    "x",
                ),
                (&longer, "nflog prefix is too long", &longer[24..]),
                (
                    "-j NFLOG --nflog-prefix \"\"",
                    "nflog prefix is empty",
                    "\"\"",
                ),
                (
                    "-j NFLOG --nflog-size 1 --nflog-range 1",
                    "`--nflog-size` and `--nflog-range` exclude each other",
                    "--nflog-range 1",
                ),
            ],
        );
    }
}

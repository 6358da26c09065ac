// SPDX-License-Identifier: GPL-2.0
//! `-m tcp`

use oxtables_engine::engine::packet::{protocol, Family};
use oxtables_engine::engine::rules::matches::{Tcp, TcpFlags};
use oxtables_engine::uapi::field::Not;

use super::{numbers, ports, About, Extension, Opt, Options, Printed, Vocabulary};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// The flags in the order of their bits, which is the order that they are printed in.
const FLAGS: [(&str, u8); 8] = [
    ("FIN", 0x01),
    ("SYN", 0x02),
    ("RST", 0x04),
    ("PSH", 0x08),
    ("ACK", 0x10),
    ("URG", 0x20),
    ("ECE", 0x40),
    ("CWR", 0x80),
];

/// Names for several flags or none; ALL is what iptables takes it for.
const SETS: [(&str, u8); 2] = [("ALL", 0x3f), ("NONE", 0)];

fn flag_names() -> Vec<String> {
    let names = FLAGS
        .iter()
        .chain(&SETS)
        .map(|(name, _)| (*name).to_owned());
    names.collect()
}

fn flags(token: &Token) -> Result<u8, Problem> {
    token.split(b',').iter().try_fold(0, |flags, part| {
        let name = part.lossy();
        let known = FLAGS.iter().chain(&SETS);
        match known
            .clone()
            .find(|(known, _)| known.eq_ignore_ascii_case(&name))
        {
            Some((_, flag)) => Ok(flags | flag),
            None => Err(
                Problem::new(part.span, format!("no TCP flag is called `{name}`"))
                    .expected(flag_names().join(", "))
                    .suggest(&name, known.map(|(name, _)| *name)),
            ),
        }
    })
}

fn flags_text(flags: u8) -> String {
    let set: Vec<_> = FLAGS
        .iter()
        .filter(|(_, flag)| flags & flag != 0)
        .map(|(name, _)| *name)
        .collect();
    if set.is_empty() {
        "NONE".to_owned()
    } else {
        set.join(",")
    }
}

impl Extension for Tcp {
    const ABOUT: About = About {
        name: "tcp",
        summary: "ports, flags and options of TCP",
        implied_by: &[protocol::TCP],
        options: &[
            ports::SOURCE,
            ports::DESTINATION,
            Opt::negatable(
                "tcp-option",
                &[],
                &["NUMBER"],
                "the header has the option of this number",
            ),
            Opt::negatable(
                "tcp-flags",
                &[],
                &["MASK", "SET"],
                "of the flags in MASK, exactly those in SET are set",
            ),
            Opt::negatable(
                "syn",
                &[],
                &[],
                "opens a connection: short for --tcp-flags FIN,SYN,RST,ACK SYN",
            ),
        ],
        vocabularies: &[Vocabulary {
            title: "TCP flags",
            names: flag_names,
        }],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let flags = match (options.get("tcp-flags"), options.get("syn")) {
            (Some(_), Some(syn)) => {
                return Err(Problem::new(
                    syn.span,
                    "`--syn` and `--tcp-flags` exclude each other",
                ))
            }
            (None, Some(syn)) => Some(Not {
                value: TcpFlags::SYN,
                not: syn.not,
            }),
            (Some(given), None) => {
                let [mask, set] = &*given.values else {
                    return Err(Problem::new(given.span, "`--tcp-flags` takes two lists"));
                };
                let value = TcpFlags {
                    mask: flags(mask)?,
                    set: flags(set)?,
                };
                Some(Not {
                    value,
                    not: given.not,
                })
            }
            (None, None) => None,
        };
        let option = options
            .get("tcp-option")
            .map(|given| {
                let value = numbers::number(given.value(), 255, "the number of a TCP option")?;
                Ok(Not {
                    value,
                    not: given.not,
                })
            })
            .transpose()?;
        Ok(Self {
            source: ports::optional(options, "sport")?,
            destination: ports::optional(options, "dport")?,
            flags,
            option,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let option = self
            .option
            .map(|option| Printed::new("tcp-option", option.not, option.value));
        let flags = self.flags.map(|flags| {
            Printed::new("tcp-flags", flags.not, flags_text(flags.value.mask))
                .and(flags_text(flags.value.set))
        });
        [
            ports::print("sport", self.source),
            ports::print("dport", self.destination),
            option,
            flags,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

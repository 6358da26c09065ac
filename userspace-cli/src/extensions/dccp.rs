// SPDX-License-Identifier: GPL-2.0
//! `-m dccp`

use oxtables_engine::engine::packet::{protocol, Family};
use oxtables_engine::engine::rules::matches::{Dccp, DccpTypes};
use oxtables_engine::uapi::field::Not;

use super::{numbers, ports, ranges, About, Extension, Opt, Options, Printed, Vocabulary};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// The types of packets by their numbers (RFC 4340, section 5.1); iptables has a name for the reserved ones too.
const TYPES: [&str; DccpTypes::COUNT as usize] = [
    "REQUEST", "RESPONSE", "DATA", "ACK", "DATAACK", "CLOSEREQ", "CLOSE", "RESET", "SYNC",
    "SYNCACK", "INVALID",
];

fn names() -> Vec<String> {
    TYPES.map(str::to_owned).to_vec()
}

fn types(token: &Token) -> Result<DccpTypes, Problem> {
    let list = token.split(b',');
    list.iter().try_fold(DccpTypes::default(), |types, part| {
        let name = part.lossy();
        let mut known = TYPES.iter().zip(0..);
        let found = known.find(|(known, _)| known.eq_ignore_ascii_case(&name));
        found.and_then(|(_, kind)| types.with(kind)).ok_or_else(|| {
            let message = format!("no DCCP packet is called `{name}`");
            Problem::new(part.span, message)
                .expected(names().join(", "))
                .suggest(&name, TYPES)
        })
    })
}

fn types_text(types: DccpTypes) -> String {
    let set = TYPES.iter().zip(0..);
    let set = set.filter(|(_, kind)| types.contains(*kind));
    set.map(|(name, _)| *name).collect::<Vec<_>>().join(",")
}

impl Extension for Dccp {
    const ABOUT: About = About {
        name: "dccp",
        summary: "ports, packet types and options of DCCP",
        implied_by: &[protocol::DCCP],
        options: &[
            ports::SOURCE,
            ports::DESTINATION,
            Opt::negatable(
                "dccp-types",
                &[],
                &["TYPE[,...]"],
                "the packet is of one of these types",
            ),
            Opt::negatable(
                "dccp-option",
                &[],
                &["NUMBER"],
                "the header has the option of this number",
            ),
        ],
        vocabularies: &[Vocabulary {
            title: "types of packets",
            names,
        }],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let types = options.get("dccp-types").map(|given| {
            Ok(Not {
                value: types(given.value())?,
                not: given.not,
            })
        });
        let option = options.get("dccp-option").map(|given| {
            let value = numbers::number(given.value(), u8::MAX.into(), "the number of an option")?;
            if value == 0 {
                let message = "option 0 can't be asked for";
                return Err(
                    Problem::new(given.value().span, message).expected("a number from 1 to 255")
                );
            }
            Ok(Not {
                value,
                not: given.not,
            })
        });
        Ok(Self {
            source: ports::given(options, "sport")?,
            destination: ports::given(options, "dport")?,
            types: types.transpose()?,
            option: option.transpose()?,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let types = self
            .types
            .map(|types| Printed::new("dccp-types", types.not, types_text(types.value)));
        [
            ranges::print("sport", self.source),
            ranges::print("dport", self.destination),
            types,
            numbers::print("dccp-option", self.option),
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
        prints(
            Family::V4,
            &[
                ("-p dccp --dport http", "-p dccp -m dccp --dport 80"),
                (
                    "-p dccp --destination-port 5: ! --source-port :",
                    "-p dccp -m dccp ! --sport 0:65535 --dport 5:65535",
                ),
                ("-p 33 -m dccp --sport :", "-p dccp -m dccp --sport 0:65535"),
                (
                    "-p dccp ! --dccp-option 0x20 --dccp-types reset,Request,ACK",
                    "-p dccp -m dccp --dccp-types REQUEST,ACK,RESET ! --dccp-option 32",
                ),
                (
                    "-p dccp ! --dccp-types INVALID,invalid",
                    "-p dccp -m dccp ! --dccp-types INVALID",
                ),
                ("-p dccp -m dccp", "-p dccp -m dccp"),
                (
                    "-p dccp -m multiport --dports 5,6",
                    "-p dccp -m multiport --dports 5,6",
                ),
            ],
        );
        refuses(
            Family::V6,
            &[
                (
                    "-p dccp --dccp-types ACK,FIN",
                    "no DCCP packet is called `FIN`",
                    "FIN",
                ),
                (
                    "-p dccp --dccp-types ACK,",
                    "no DCCP packet is called ``",
                    "",
                ),
                (
                    "-p dccp --dccp-option 256",
                    "`256` is not the number of an option",
                    "256",
                ),
                (
                    "-p dccp --dccp-option 0",
                    "option 0 can't be asked for",
                    "0",
                ),
                ("-p dccp --dport 2:1", "range is reversed", "2:1"),
                ("-m dccp", "the dccp match needs -p dccp", "dccp"),
                ("! -p dccp -m dccp", "the dccp match needs -p dccp", "dccp"),
            ],
        );
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m pkttype`

use oxtables_engine::engine::packet::{Family, PacketType};
use oxtables_engine::engine::rules::matches::Pkttype;
use oxtables_engine::uapi::field::Not;

use super::{About, Extension, Opt, Options, Printed, Vocabulary};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// The types by their names; the first of those for one type is printed.
const TYPES: [(&str, PacketType); 7] = [
    ("unicast", PacketType::Unicast),
    ("broadcast", PacketType::Broadcast),
    ("multicast", PacketType::Multicast),
    ("otherhost", PacketType::OtherHost),
    ("bcast", PacketType::Broadcast),
    ("mcast", PacketType::Multicast),
    ("host", PacketType::Unicast),
];

fn names() -> Vec<String> {
    TYPES.iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// The type that a word names.
fn packet_type(token: &Token) -> Result<PacketType, Problem> {
    let word = token.lossy();
    let found = TYPES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&word));
    found.map(|(_, kind)| *kind).ok_or_else(|| {
        Problem::new(token.span, format!("`{word}` is not a packet type"))
            .expected("unicast, broadcast, multicast or otherhost")
            .suggest(&word, TYPES.iter().map(|(name, _)| *name))
    })
}

impl Extension for Pkttype {
    const ABOUT: About = About {
        name: "pkttype",
        summary: "whom the packet is for, by the link layer",
        options: &[Opt::negatable(
            "pkt-type",
            &[],
            &["TYPE"],
            "it is for this machine, all, a group, or another machine",
        )],
        vocabularies: &[Vocabulary {
            title: "packet types",
            names,
        }],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        Ok(Self {
            packet_type: Not {
                value: packet_type(given.value())?,
                not: given.not,
            },
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let Not { value, not } = self.packet_type;
        let name = TYPES.iter().find(|(_, kind)| *kind == value);
        vec![Printed::new(
            "pkt-type",
            not,
            name.map_or("", |(name, _)| name),
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        let is = |word: &str| format!("-m pkttype --pkt-type {word}");
        for (word, printed) in [
            ("unicast", "unicast"),
            ("BROADCAST", "broadcast"),
            ("otherhost", "otherhost"),
            ("bcast", "broadcast"),
            ("host", "unicast"),
        ] {
            prints(Family::V4, &[(is(word).as_str(), is(printed).as_str())]);
        }
        prints(
            Family::V6,
            &[(
                "-m pkttype ! --pkt-type mcast",
                "-m pkttype ! --pkt-type multicast",
            )],
        );
        refuses(
            Family::V4,
            &[
                ("-m pkttype", "`pkttype` needs an option", "pkttype"),
                (
                    "-m pkttype --pkt-type outgoing",
                    "`outgoing` is not a packet type",
                    "outgoing",
                ),
                (
                    "-m pkttype --pkt-type broad",
                    "`broad` is not a packet type",
                    "broad",
                ),
                (
                    "-m pkttype --pkt-type \"\"",
                    "`` is not a packet type",
                    "\"\"",
                ),
            ],
        );
    }
}

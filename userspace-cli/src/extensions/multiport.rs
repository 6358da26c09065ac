// SPDX-License-Identifier: GPL-2.0
//! `-m multiport`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::{Multiport, Ports, Side};
use oxtables_engine::uapi::field::Not;

use super::{ports, ranges, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

/// The options, and which of a packet's ports each looks at.
const SIDES: [(&str, Side); 3] = [
    ("sports", Side::Source),
    ("dports", Side::Destination),
    ("ports", Side::Either),
];

impl Extension for Multiport {
    const ABOUT: About = About {
        name: "multiport",
        summary: "lists of up to 15 ports, a range counting as two; needs -p tcp, udp, udplite, sctp or dccp",
        options: &[
            Opt::negatable(
                "sports",
                &["source-ports"],
                &["PORT[,PORT:PORT...]"],
                "the source port is in the list",
            ),
            Opt::negatable(
                "dports",
                &["destination-ports"],
                &["PORT[,PORT:PORT...]"],
                "the destination port is in the list",
            ),
            Opt::negatable(
                "ports",
                &[],
                &["PORT[,PORT:PORT...]"],
                "either port is in the list",
            ),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        let list = given.value().split(b',');
        let ranges = list
            .iter()
            .map(|part| ports::range(part, options.names, options.protocol))
            .collect::<Result<Vec<_>, _>>()?;
        let value = Ports::new(ranges.into_iter()).ok_or_else(|| {
            Problem::new(given.value().span, "too many ports for one list")
                .expected(format!("at most {}, a range counting as two", Ports::MAX))
                .help("split the list over several rules")
        })?;
        let side = SIDES.iter().find(|(name, _)| *name == given.option.name);
        Ok(Self {
            side: side.map_or(Side::Either, |(_, side)| *side),
            ports: Not {
                value,
                not: given.not,
            },
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let name = SIDES.iter().find(|(_, side)| *side == self.side);
        let list: Vec<_> = self
            .ports
            .value
            .ranges()
            .iter()
            .copied()
            .map(ranges::text)
            .collect();
        let name = name.map_or("ports", |(name, _)| name);
        vec![Printed::new(name, self.ports.not, list.join(","))]
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m udp`

use oxtables_engine::engine::packet::{protocol, Family};
use oxtables_engine::engine::rules::matches::Udp;

use super::{ports, About, Extension, Options, Printed};
use crate::diagnostic::Problem;

impl Extension for Udp {
    const ABOUT: About = About {
        name: "udp",
        summary: "ports of UDP and UDP-Lite",
        implied_by: &[protocol::UDP, protocol::UDPLITE],
        options: &[ports::SOURCE, ports::DESTINATION],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        Ok(Self {
            source: ports::optional(options, "sport")?,
            destination: ports::optional(options, "dport")?,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let ranges = [
            ports::print("sport", self.source),
            ports::print("dport", self.destination),
        ];
        ranges.into_iter().flatten().collect()
    }
}

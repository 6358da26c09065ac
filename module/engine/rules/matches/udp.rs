// SPDX-License-Identifier: GPL-2.0
//! `-m udp`: ports of a UDP header (RFC 768).

use super::ports::{fits, transport_header};
use super::{Matcher, Outcome, PortRange};
use crate::alloc::AllocError;
use crate::engine::packet::{protocol, Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::wire;

/// Length of the header, in bytes.
const HEADER: usize = 8;

wire! {
    /// The match; it serves UDP-Lite too, whose ports are in the same place.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Udp, "udp-attrs" {
        /// `--source-port`
        2 source: Option<Not<PortRange>>,
        /// `--destination-port`
        3 destination: Option<Not<PortRange>>,
    }
}

impl Matcher for Udp {
    fn check(&self, _: Family, rule: &Rule) -> Result<(), &'static str> {
        match rule.exact_protocol() {
            Some(protocol::UDP | protocol::UDPLITE) => Ok(()),
            _ => Err("the udp match needs -p udp or -p udplite"),
        }
    }

    #[inline]
    fn test(&self, packet: &Body<'_>) -> Outcome {
        let mut buffer = [0; HEADER];
        let &[s0, s1, d0, d1, ..] = match transport_header(packet, &mut buffer) {
            Ok((_, header)) => header,
            Err(outcome) => return outcome,
        };
        let source = u16::from_be_bytes([s0, s1]);
        let destination = u16::from_be_bytes([d0, d1]);
        Outcome::from(fits(&self.source, source) && fits(&self.destination, destination))
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

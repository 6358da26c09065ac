// SPDX-License-Identifier: GPL-2.0
//! What is told of the flows that hashlimits count: in each message of a dump a table, and then some of its flows.

use super::field::Text;
use crate::engine::packet::Family;
use crate::engine::rules::matches::Hashlimit;
use crate::wire;
use core::net::IpAddr;

wire! {
    /// A table of flows, by what rules say of it.
    #[derive(Debug, PartialEq, Eq)]
    pub struct FlowTable, "hashlimit-table-attrs" {
        /// The family of the rules.
        2 family: Family,
        /// The name that they give it.
        3 name: Text<{ Hashlimit::LONGEST }>,
        /// Whether bytes are counted, and not packets.
        4 bytes: bool,
    }
}

wire! {
    /// A flow of the table in the same message. What does not tell it from others is zero.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Flow, "hashlimit-flow-attrs" {
        /// The source address of its packets, or its beginning.
        2 source: IpAddr,
        /// The destination address.
        3 destination: IpAddr,
        /// The source port.
        4 source_port: u16,
        /// The destination port.
        5 destination_port: u16,
        /// How many packets or bytes may still come now.
        6 left: u64,
        /// In how many milliseconds it will be forgotten, if no packet comes.
        7 expires: u64,
    }
}

// SPDX-License-Identifier: GPL-2.0
//! The attributes that stand in a message itself.

use super::conntrack::{Entry, Filter, Stats};
use super::field::{Field, Kind, Set, Spec, Wire};
use super::flow::{Flow, FlowTable};
use super::op::WireOp;
use super::settings::SettingValue;
use super::trace::Trace;
use crate::engine::packet::Family;
use crate::engine::text::Name;
use crate::wire;

/// The generation of the rules: in answers, the one in force; in `begin`, the one that the transaction was
/// made for. It grows with every commit.
pub const GENERATION: u16 = 1;
/// An operation; there may be many.
pub const OP: u16 = 2;
/// Asks a dump for counters.
pub const COUNTERS: u16 = 3;
/// Asks a dump for counters and sets those to zero that `select` names, losing no packet.
pub const ZERO: u16 = 4;
/// What is zeroed; all, where it is not given.
pub const SELECT: u16 = 5;
/// The module's version, as text.
pub const VERSION: u16 = 6;
/// Packets dropped for a reason that has no rule; one attribute a reason.
pub const DROPS: u16 = 7;
/// A match that the module knows, by its name in `match-attrs`; one attribute a match.
pub const MATCH: u16 = 9;
/// A target that the module knows, by its name in `target-attrs`; one attribute a target.
pub const TARGET: u16 = 10;
/// In `commit`: how many operations the transaction has. It is refused if it has not as many, so that a sender
/// who overlooked that a chunk was refused does not carry out the rest. In the answer to `delete-connections`: how many
/// went.
pub const COUNT: u16 = 11;
/// What a traced packet met.
pub const TRACE: u16 = 12;
/// A connection; one attribute a connection.
pub const CONNECTION: u16 = 13;
/// The connections that are meant; all, where it is not given.
pub const FILTER: u16 = 14;
/// How the table of connections is.
pub const STATS: u16 = 15;
/// A table of flows.
pub const FLOW_TABLE: u16 = 16;
/// A flow of that table; there may be many.
pub const FLOW: u16 = 17;
/// A setting of connection tracking; one attribute a setting.
pub const SETTING: u16 = 22;
/// The number of an event; see [`super::event`].
pub const SERIAL: u16 = 24;
/// The netlink port of the socket whose transaction changed the rules.
pub const PORT: u16 = 8;

wire! {
    /// The counters that are meant: of a family, a table, a chain, a rule.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Select, "select-attrs" {
        /// Of this family's tables.
        2 family: Option<Family>,
        /// Of tables with this name.
        3 table: Option<Name>,
        /// Of chains with this name.
        4 chain: Option<Name>,
        /// Of the rule with this number, counted from 1; the policy counts as 0.
        5 number: Option<u32>,
    }
}

wire! {
    /// How many packets were dropped for one reason.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Drops, "drop-attrs" {
        /// The reason's name.
        2 reason: Name,
        /// Packets.
        3 packets: u64,
    }
}

/// The attributes of every message.
pub static MESSAGE: Set = Set {
    name: "message-attrs",
    attributes: &[
        Spec {
            id: GENERATION,
            name: "generation",
            kind: Kind::U64,
        },
        Spec {
            id: OP,
            name: "op",
            kind: Kind::Nest(&WireOp::SET),
        },
        Spec {
            id: COUNTERS,
            name: "counters",
            kind: Kind::Flag,
        },
        Spec {
            id: ZERO,
            name: "zero",
            kind: Kind::Flag,
        },
        Spec {
            id: SELECT,
            name: "select",
            kind: <Select as Field>::KIND,
        },
        Spec {
            id: VERSION,
            name: "version",
            kind: Kind::Text(31),
        },
        Spec {
            id: DROPS,
            name: "drops",
            kind: <Drops as Field>::KIND,
        },
        Spec {
            id: PORT,
            name: "port",
            kind: Kind::U32,
        },
        Spec {
            id: MATCH,
            name: "match",
            kind: <Name as Field>::KIND,
        },
        Spec {
            id: TARGET,
            name: "target",
            kind: <Name as Field>::KIND,
        },
        Spec {
            id: COUNT,
            name: "count",
            kind: Kind::U64,
        },
        Spec {
            id: TRACE,
            name: "trace",
            kind: <Trace as Field>::KIND,
        },
        Spec {
            id: CONNECTION,
            name: "connection",
            kind: <Entry as Field>::KIND,
        },
        Spec {
            id: FILTER,
            name: "filter",
            kind: <Filter as Field>::KIND,
        },
        Spec {
            id: STATS,
            name: "stats",
            kind: <Stats as Field>::KIND,
        },
        Spec {
            id: FLOW_TABLE,
            name: "flow-table",
            kind: <FlowTable as Field>::KIND,
        },
        Spec {
            id: FLOW,
            name: "flow",
            kind: <Flow as Field>::KIND,
        },
        Spec {
            id: SETTING,
            name: "setting",
            kind: <SettingValue as Field>::KIND,
        },
        Spec {
            id: SERIAL,
            name: "serial",
            kind: Kind::U64,
        },
    ],
};

impl Select {
    /// Whether the counters at this place are meant; `number` is 0 for a policy.
    pub fn includes(&self, family: Family, table: &Name, chain: &Name, number: u32) -> bool {
        self.family.is_none_or(|asked| asked == family)
            && self.table.is_none_or(|asked| asked == *table)
            && self.chain.is_none_or(|asked| asked == *chain)
            && self.number.is_none_or(|asked| asked == number)
    }
}

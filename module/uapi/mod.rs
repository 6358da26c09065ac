// SPDX-License-Identifier: GPL-2.0
//! The netlink protocol, written once for both sides.
//!
//! The generic netlink family `oxtables` carries a ruleset as a list of operations ([`op`]): a transaction
//! sends them, and a dump answers with those that would build the ruleset that is in force. So what is read
//! can be sent back as it is, and one codec serves both ways.
//!
//! `oxtables.yaml` beside this file describes the same for programs in other languages; a test holds the
//! two together.

pub mod attr;
pub mod conntrack;
pub mod event;
pub mod field;
pub mod flow;
pub mod message;
pub mod op;
pub mod range;
pub mod settings;
#[cfg(test)]
mod spec_test;
pub mod trace;

pub use attr::{Errno, Error, Writer};

/// The family's name (GENL_NAMSIZ allows 15 bytes).
pub const FAMILY: &str = "oxtables";
/// The family's version. It grows when a change would be misread by an older side.
pub const VERSION: u8 = 1;
/// The multicast group that tells of changed rules.
pub const GROUP_RULES: &str = "rules";
/// The multicast group that tells of traced packets.
pub const GROUP_TRACE: &str = "trace";
/// The multicast group that tells what becomes of connections.
pub const GROUP_CONNECTIONS: &str = "connections";

/// What a message asks for, or tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Command {
    /// Asks for version, generation, drop counters, matches and targets; answered with one message.
    GetInfo = 1,
    /// Opens a transaction that belongs to the socket; an earlier one of this socket is dropped.
    Begin = 2,
    /// Adds operations to the transaction.
    Chunk = 3,
    /// Carries the transaction out, all or nothing; answered with the new generation.
    Commit = 4,
    /// Drops the transaction.
    Abort = 5,
    /// Dumps the rules in force, as operations; with counters or zeroing them, when asked.
    GetRules = 6,
    /// Multicast: the rules changed.
    RulesChanged = 7,
    /// Multicast: what a traced packet met.
    Trace = 8,
    /// Dumps connections: all, or those that are meant.
    GetConnections = 9,
    /// Forgets connections: all, or those that are meant; answered with how many they were.
    DeleteConnections = 10,
    /// Asks how the table of connections is; answered with one message.
    GetConnectionStats = 11,
    /// Dumps the flows that hashlimits count.
    GetFlows = 12,
    /// Asks for the settings of connection tracking; answered with one message.
    GetSettings = 22,
    /// Sets some of them, all or none.
    SetSettings = 23,
    /// Multicast: a connection is new.
    ConnectionNew = 24,
    /// Multicast: something about a connection changed.
    ConnectionUpdate = 25,
    /// Multicast: a connection is gone.
    ConnectionDestroy = 26,
}

impl Command {
    /// The commands in the order of their numbers.
    pub const ALL: [Self; 17] = [
        Self::GetInfo,
        Self::Begin,
        Self::Chunk,
        Self::Commit,
        Self::Abort,
        Self::GetRules,
        Self::RulesChanged,
        Self::Trace,
        Self::GetConnections,
        Self::DeleteConnections,
        Self::GetConnectionStats,
        Self::GetFlows,
        Self::GetSettings,
        Self::SetSettings,
        Self::ConnectionNew,
        Self::ConnectionUpdate,
        Self::ConnectionDestroy,
    ];

    /// The command's name in the YNL specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GetInfo => "get-info",
            Self::Begin => "begin",
            Self::Chunk => "chunk",
            Self::Commit => "commit",
            Self::Abort => "abort",
            Self::GetRules => "get-rules",
            Self::RulesChanged => "rules-changed",
            Self::Trace => "trace",
            Self::GetConnections => "get-connections",
            Self::DeleteConnections => "delete-connections",
            Self::GetConnectionStats => "get-connection-stats",
            Self::GetFlows => "get-flows",
            Self::GetSettings => "get-settings",
            Self::SetSettings => "set-settings",
            Self::ConnectionNew => "connection-new",
            Self::ConnectionUpdate => "connection-update",
            Self::ConnectionDestroy => "connection-destroy",
        }
    }
}

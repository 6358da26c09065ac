// SPDX-License-Identifier: GPL-2.0
//! What becomes of connections, as all are told who listen to the group [`GROUP_CONNECTIONS`](super::GROUP_CONNECTIONS):
//! one message an event, of a command that says which, with the connection as it is then.
//!
//! Messages also have a number, [`SERIAL`](super::message::SERIAL). It counts the events of the network namespace
//! that were to be told of, so that who misses some, because it reads too slowly or memory was short, knows how many.
//! Events that happen on two CPUs at the same time may come in either order.

use super::Command;

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its first packet has come through all rules.
    New,
    /// Its state changed, its mark, or what its status says of it.
    Update,
    /// It is not in the table any more. Counters are those that it ended with, but for packets on their way.
    Destroy,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::New, Self::Update, Self::Destroy];

    /// The command that tells of it.
    pub const fn command(self) -> Command {
        match self {
            Self::New => Command::ConnectionNew,
            Self::Update => Command::ConnectionUpdate,
            Self::Destroy => Command::ConnectionDestroy,
        }
    }

    /// The event's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Update => "update",
            Self::Destroy => "destroy",
        }
    }
}

// SPDX-License-Identifier: GPL-2.0
//! The targets: what a rule does with a packet. One file each; to add one, see docs/extending.md.

mod audit;
mod connmark;
mod ct;
mod log;
mod mark;
mod nflog;
mod nfqueue;
mod reject;
mod tee;

pub use audit::{Audit, AuditType};
pub(super) use connmark::Change;
pub use connmark::{ConnmarkMode, SetConnmark};
pub use ct::Ct;
pub use log::{Log, Prefix};
pub use mark::SetMark;
pub use nflog::{Nflog, NflogPrefix};
pub use nfqueue::Nfqueue;
pub use reject::Reject;
pub use tee::Tee;

use super::model::Rule;
use crate::choice;
use crate::engine::packet::{Family, Hook};
use crate::engine::text::Name;
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Set};

choice! {
    /// What happens to a packet of which all holds that a rule asks.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Target, "target-attrs" {
        /// Nothing: the rule only counts.
        1 Continue "continue",
        /// The packet passes the table.
        2 Accept "accept",
        /// The packet is dropped.
        3 Drop "drop",
        /// The chain is left.
        4 Return "return",
        /// Another chain is walked, and then the rest of this one (`-j`).
        5 Jump "jump" (Name),
        /// Another chain is walked instead of the rest of this one (`-g`).
        6 Goto "goto" (Name),
        /// The packet is dropped, and its sender told.
        7 Reject "reject" (Reject),
        /// The packet is written to the log.
        8 Log "log" (Log),
        /// The packet's mark is changed.
        9 Mark "set-mark" (SetMark),
        /// The packet is handed to programs that listen.
        10 Nflog "nflog" (Nflog),
        /// A program decides about the packet.
        11 Nfqueue "nfqueue" (Nfqueue),
        /// The packet is told to the audit subsystem.
        12 Audit "audit" (Audit),
        /// What the packet meets from now on is told.
        13 Trace "trace",
        /// A copy of the packet is sent to another machine.
        14 Tee "tee" (Tee),
        /// How the packet is tracked.
        15 Ct "ct" (Ct),
        /// The mark of the packet's connection is changed, or the packet's by it.
        16 SetConnmark "set-connmark" (SetConnmark),
    }
}

/// What a target does besides, while the packet goes on unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The packet is written to the log.
    Log(Log),
    /// The packet is handed to programs that listen.
    Nflog(Nflog),
    /// The packet is told to the audit subsystem.
    Audit,
    /// A copy of the packet is sent to another machine.
    Tee(Tee),
}

impl Target {
    /// The chain that the target leads to.
    pub fn chain(&self) -> Option<&Name> {
        match self {
            Self::Jump(chain) | Self::Goto(chain) => Some(chain),
            _ => None,
        }
    }

    /// Checks that the target can stand in `rule`; says what is wrong otherwise.
    pub fn check(&self, family: Family, rule: &Rule) -> Result<(), &'static str> {
        match self {
            Self::Reject(reject) => reject.check(family, rule),
            Self::Log(log) => log.check(),
            Self::Nflog(nflog) => nflog.check(),
            Self::Nfqueue(queue) => queue.check(),
            Self::Tee(tee) => tee.check(family),
            Self::Ct(ct) => ct.check(),
            Self::SetConnmark(set_connmark) => set_connmark.check(),
            _ => Ok(()),
        }
    }

    /// Whether the target asks for connections, so that they have to be tracked.
    pub fn tracks(&self) -> bool {
        match self {
            Self::SetConnmark(_) => true,
            Self::Ct(ct) => ct.zone().is_some(),
            _ => false,
        }
    }

    /// Whether the target can be reached from this hook; says what is wrong otherwise.
    pub fn check_hook(&self, hook: Hook) -> Result<(), &'static str> {
        match (self, hook) {
            (Self::Reject(_), Hook::PreRouting | Hook::PostRouting) => {
                Err("REJECT needs INPUT, FORWARD or OUTPUT")
            }
            (Self::Ct(_), hook) if !hook.tracks() => Err("CT needs PREROUTING or OUTPUT"),
            _ => Ok(()),
        }
    }
}

static TARGETS: Set = Target::SET;

impl Field for Target {
    const KIND: Kind = Kind::Nest(&TARGETS);

    fn absent() -> Option<Self> {
        Some(Self::Continue)
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        to.nest(id, |to| self.encode(to))
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let mut attributes = from.nested();
        match (attributes.next(), attributes.next()) {
            (Some(target), None) => Self::decode(&target?),
            _ => Err(from.invalid("a rule has one target")),
        }
    }
}

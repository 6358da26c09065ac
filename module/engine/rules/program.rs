// SPDX-License-Identifier: GPL-2.0
//! Rules as packets walk them: dense, in order, the fields that most rules ask for first.
//!
//! A family's rules of all chains lie in one array of [`Line`]s, a chain being a run of them; matches lie in
//! a second array, a line's being a run of those. So a packet that walks past a rule touches one or two
//! cache lines, one after the other, and follows no pointer.

use core::ops::Range;

use super::line::{DevicePattern, Line, More};
use super::matches::Match;
use super::model::{Policy, Slot};
use super::targets::{Effect, SetConnmark};
use crate::alloc::{AllocError, KBox, KVVec, KVec, GFP_KERNEL};
use crate::engine::packet::{Family, Hook, V6};
use crate::engine::text::Name;

/// How deep chains may nest below a built-in one: what a packet's walk must remember is bounded.
pub const MAX_DEPTH: usize = 16;

/// A built-in chain of a table, as a hook enters it.
#[derive(Clone, Copy)]
pub(super) struct Entrance {
    pub chain: u32,
    pub policy: Policy,
    /// The counters of the policy.
    pub slot: u32,
}

/// What a hook does with a packet, one after the other.
#[derive(Clone, Copy)]
pub(super) enum Stage {
    /// It walks a table.
    Table(Entrance),
    /// The connection that it belongs to is looked up.
    Track,
}

/// What a chain is called.
pub(super) struct Title {
    pub table: Name,
    pub chain: Name,
}

/// The rules of one family.
pub(super) struct Rules<A> {
    pub lines: KVVec<Line<A>>,
    pub matches: KVVec<Match>,
    pub devices: KVVec<DevicePattern>,
    pub more: KVVec<More<A>>,
    pub effects: KVVec<Effect>,
    pub set_connmarks: KVVec<SetConnmark>,
    /// Each chain's run of lines.
    pub chains: KVVec<Range<u32>>,
    /// What each chain is called.
    pub titles: KVVec<Title>,
    /// Whether some line has packets traced.
    pub trace: bool,
    /// Whether some line or match asks for ports.
    pub ask_ports: bool,
    /// Whether some line asks for connections.
    pub tracks: bool,
    /// Whether some line says in which zone packets are.
    pub zones: bool,
    /// Whether some line asks how much connections have transferred.
    pub counts_connections: bool,
    /// For each hook, the built-in chains in the order of their tables, and connection tracking among them.
    pub hooks: [KVec<Stage>; Hook::ALL.len()],
}

impl<A> Rules<A> {
    pub(super) fn new() -> Self {
        Self {
            lines: KVVec::new(),
            matches: KVVec::new(),
            devices: KVVec::new(),
            more: KVVec::new(),
            effects: KVVec::new(),
            set_connmarks: KVVec::new(),
            chains: KVVec::new(),
            titles: KVVec::new(),
            trace: false,
            ask_ports: false,
            tracks: false,
            zones: false,
            counts_connections: false,
            hooks: [const { KVec::new() }; Hook::ALL.len()],
        }
    }

    /// What a target does besides. Not inlined, as below.
    #[inline(never)]
    pub(super) fn effect(&self, index: u32) -> Option<&Effect> {
        self.effects.get(index as usize)
    }

    /// What a chain is called.
    pub(super) fn title(&self, index: u32) -> Option<&Title> {
        self.titles.get(index as usize)
    }

    /// The lines of a chain; none for an index that is no chain's. Not inlined, so that what it needs is not
    /// kept at hand in the loop over lines, which goes on without it for most packets.
    #[inline(never)]
    pub(super) fn chain(&self, index: u32) -> &[Line<A>] {
        self.chains
            .get(index as usize)
            .and_then(|range| self.lines.get(range.start as usize..range.end as usize))
            .unwrap_or_default()
    }
}

/// A ruleset in the form that packets walk.
///
/// The rules of a family lie on the heap by themselves: a program moves through several functions of a commit, and the
/// kernel's stack is small.
pub struct Program {
    pub(super) v4: KBox<Rules<u32>>,
    pub(super) v6: KBox<Rules<V6>>,
    /// One slot a rule and a policy, in the order of the model: tables, in them chains, in them first the
    /// policy and then the rules.
    pub(super) slots: KVVec<Slot>,
}

impl Program {
    /// A program without rules, which lets everything pass.
    pub fn empty() -> Result<Self, AllocError> {
        Ok(Self {
            v4: KBox::new(Rules::new(), GFP_KERNEL)?,
            v6: KBox::new(Rules::new(), GFP_KERNEL)?,
            slots: KVVec::new(),
        })
    }

    /// Whether packets of this family have to be shown at this hook: some chain there has a rule, or a
    /// policy other than ACCEPT, or their connections are looked up.
    pub fn hooked(&self, family: Family, hook: Hook) -> bool {
        let busy = |stages: &[Stage], has_rules: &dyn Fn(u32) -> bool| {
            stages.iter().any(|stage| match stage {
                Stage::Table(entrance) => {
                    entrance.policy != Policy::Accept || has_rules(entrance.chain)
                }
                Stage::Track => true,
            })
        };
        let hook = hook as usize;
        match family {
            Family::V4 => self
                .v4
                .hooks
                .get(hook)
                .is_some_and(|stages| busy(stages, &|chain| !self.v4.chain(chain).is_empty())),
            Family::V6 => self
                .v6
                .hooks
                .get(hook)
                .is_some_and(|stages| busy(stages, &|chain| !self.v6.chain(chain).is_empty())),
        }
    }

    /// Whether some rule for this family asks for connections, so that they have to be tracked.
    #[inline]
    pub fn tracks(&self, family: Family) -> bool {
        match family {
            Family::V4 => self.v4.tracks,
            Family::V6 => self.v6.tracks,
        }
    }

    /// Whether some rule for this family says in which zone packets are.
    #[inline]
    pub fn has_zones(&self, family: Family) -> bool {
        match family {
            Family::V4 => self.v4.zones,
            Family::V6 => self.v6.zones,
        }
    }

    /// Whether some rule asks how much connections have transferred, so that it has to be counted.
    pub fn counts_connections(&self) -> bool {
        self.v4.counts_connections || self.v6.counts_connections
    }

    /// Whether some rule for this family has packets traced.
    #[inline]
    pub fn traces(&self, family: Family) -> bool {
        match family {
            Family::V4 => self.v4.trace,
            Family::V6 => self.v6.trace,
        }
    }

    /// The slots of counters, by the numbers that [`Env::count`](super::Env::count) is given.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }
}

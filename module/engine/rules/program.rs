// SPDX-License-Identifier: GPL-2.0
//! Rules as packets walk them: dense, in order, the fields that most rules ask for first.
//!
//! A family's rules of all chains lie in one array of [`Line`]s, a chain being a run of them; matches lie in
//! a second array, a line's being a run of those. So a packet that walks past a rule touches one or two
//! cache lines, one after the other, and follows no pointer.

use core::ops::Range;

use super::matches::{Match, PortRange};
use super::model::{Policy, Slot};
use super::targets::{Log, Reject, SetMark};
use crate::alloc::{KVVec, KVec};
use crate::engine::packet::{DeviceName, Family, Hook, V6};

/// How deep chains may nest below a built-in one: what a packet's walk must remember is bounded.
pub const MAX_DEPTH: usize = 16;

/// An address as a family compares it.
pub trait Address: Copy + Default {
    /// Whether the bits under `mask` differ from those of `asked`.
    fn differs(self, asked: Self, mask: Self) -> bool;
}

impl Address for u32 {
    #[inline(always)]
    fn differs(self, asked: Self, mask: Self) -> bool {
        self & mask != asked
    }
}

impl Address for V6 {
    #[inline(always)]
    fn differs(self, asked: Self, mask: Self) -> bool {
        let ([a, b], [c, d], [e, f]) = (self.0, asked.0, mask.0);
        (a & e ^ c) | (b & f ^ d) != 0
    }
}

/// What a line asks for beside addresses; a bit each in [`Line::asks`].
pub(super) mod ask {
    pub(crate) const NOT_SOURCE: u16 = 1 << 0;
    pub(crate) const NOT_DESTINATION: u16 = 1 << 1;
    pub(crate) const PROTOCOL: u16 = 1 << 2;
    pub(crate) const NOT_PROTOCOL: u16 = 1 << 3;
    pub(crate) const FRAGMENT: u16 = 1 << 4;
    pub(crate) const NOT_FRAGMENT: u16 = 1 << 5;
    pub(crate) const DEVICES: u16 = 1 << 6;
    pub(crate) const PORTS: u16 = 1 << 7;
    pub(crate) const NOT_SOURCE_PORT: u16 = 1 << 8;
    pub(crate) const NOT_DESTINATION_PORT: u16 = 1 << 9;
    pub(crate) const MATCHES: u16 = 1 << 10;
    /// What can't be answered from the line alone.
    pub(crate) const MORE: u16 = DEVICES | FRAGMENT | NOT_FRAGMENT | MATCHES;
}

/// A rule as packets meet it.
pub(super) struct Line<A> {
    pub source: A,
    pub source_mask: A,
    pub destination: A,
    pub destination_mask: A,
    /// Bits of [`ask`].
    pub asks: u16,
    pub protocol: u8,
    /// How many matches, from `matches` on.
    pub match_count: u8,
    pub source_port: PortRange,
    pub destination_port: PortRange,
    /// The first match, or pair of devices, by its index.
    pub matches: u32,
    pub devices: u32,
    /// The counters that a hit goes to.
    pub slot: u32,
    pub action: Action,
}

/// What a line does with a packet that it matches.
#[derive(Clone, Copy)]
pub(super) enum Action {
    Continue,
    Accept,
    Drop,
    Return,
    /// The index of a chain.
    Jump(u32),
    /// The index of a chain.
    Goto(u32),
    Reject(Reject),
    /// The index of a log target.
    Log(u32),
    Mark(SetMark),
}

/// The beginning of an interface name, or all of it.
#[derive(Clone, Copy, Default)]
pub(super) struct DevicePattern {
    pub name: DeviceName,
    pub mask: [u64; 2],
    pub not: bool,
}

impl DevicePattern {
    #[inline]
    pub(super) fn fits(&self, device: &DeviceName) -> bool {
        let ([a, b], [c, d], [e, f]) = (device.0, self.name.0, self.mask);
        ((a ^ c) & e | (b ^ d) & f == 0) != self.not
    }
}

/// What a line asks of the interfaces.
#[derive(Clone, Copy, Default)]
pub(super) struct Devices {
    pub input: DevicePattern,
    pub output: DevicePattern,
}

/// A built-in chain of a table, as a hook enters it.
#[derive(Clone, Copy)]
pub(super) struct Entrance {
    pub chain: u32,
    pub policy: Policy,
    /// The counters of the policy.
    pub slot: u32,
}

/// The rules of one family.
pub(super) struct Rules<A> {
    pub lines: KVVec<Line<A>>,
    pub matches: KVVec<Match>,
    pub devices: KVVec<Devices>,
    pub logs: KVVec<Log>,
    /// Each chain's run of lines.
    pub chains: KVVec<Range<u32>>,
    /// Whether some line or match asks for ports.
    pub ask_ports: bool,
    /// For each hook, the built-in chains in the order of their tables.
    pub hooks: [KVec<Entrance>; Hook::ALL.len()],
}

impl<A> Rules<A> {
    pub(super) fn new() -> Self {
        Self {
            lines: KVVec::new(),
            matches: KVVec::new(),
            devices: KVVec::new(),
            logs: KVVec::new(),
            chains: KVVec::new(),
            ask_ports: false,
            hooks: [const { KVec::new() }; Hook::ALL.len()],
        }
    }

    /// A log target. Not inlined, as below.
    #[inline(never)]
    pub(super) fn log(&self, index: u32) -> Option<&Log> {
        self.logs.get(index as usize)
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
pub struct Program {
    pub(super) v4: Rules<u32>,
    pub(super) v6: Rules<V6>,
    /// One slot a rule and a policy, in the order of the model: tables, in them chains, in them first the
    /// policy and then the rules.
    pub(super) slots: KVVec<Slot>,
}

impl Program {
    /// A program without rules, which lets everything pass.
    pub fn empty() -> Self {
        Self {
            v4: Rules::new(),
            v6: Rules::new(),
            slots: KVVec::new(),
        }
    }

    /// Whether packets of this family have to be shown at this hook: some chain there has a rule, or a
    /// policy other than ACCEPT.
    pub fn hooked(&self, family: Family, hook: Hook) -> bool {
        let busy = |entrances: &[Entrance], has_rules: &dyn Fn(u32) -> bool| {
            entrances
                .iter()
                .any(|entrance| entrance.policy != Policy::Accept || has_rules(entrance.chain))
        };
        let hook = hook as usize;
        match family {
            Family::V4 => self.v4.hooks.get(hook).is_some_and(|entrances| {
                busy(entrances, &|chain| !self.v4.chain(chain).is_empty())
            }),
            Family::V6 => self.v6.hooks.get(hook).is_some_and(|entrances| {
                busy(entrances, &|chain| !self.v6.chain(chain).is_empty())
            }),
        }
    }

    /// The slots of counters, by the numbers that [`Env::count`](super::Env::count) is given.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }
}

// SPDX-License-Identifier: GPL-2.0
//! What rules need of the machine that they are for, found out once: when they are compiled.
//!
//! Some of what rules ask of packets a kernel knows only if it was built for it. A rule that asks for what this
//! kernel can't tell is refused; otherwise it would be a rule that silently never holds.

use crate::engine::packet::ControlGroup;

/// What not every kernel can tell of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The realms of a packet's route.
    Realm,
    /// The class that net_cls gave a packet's socket.
    Class,
    /// The control group of a packet's socket.
    ControlGroup,
    /// Who opened a packet's socket.
    Opener,
    /// The bridge that a packet goes through.
    Bridge,
}

/// The machine that a ruleset is compiled for.
pub trait Machine {
    /// Sees to it that packets can be asked for this; says why they can't.
    fn provide(&self, fact: Fact) -> Result<(), &'static str>;

    /// The control group at a path below the root of the unified hierarchy, as whoever loads the rules sees it.
    fn control_group(&self, path: &[u8]) -> Option<ControlGroup>;
}

/// A machine of which nothing is known, and that is taken to have what rules need.
pub struct AnyMachine;

impl Machine for AnyMachine {
    fn provide(&self, _: Fact) -> Result<(), &'static str> {
        Ok(())
    }

    fn control_group(&self, _: &[u8]) -> Option<ControlGroup> {
        Some(ControlGroup { id: 0, level: 0 })
    }
}

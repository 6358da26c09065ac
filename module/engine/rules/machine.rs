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
    /// What IPsec does with a packet.
    Ipsec,
    /// The connection that a packet belongs to.
    Tracking,
    /// The zone of that connection.
    Zones,
    /// Which helper announced that connection.
    Helper,
    /// The mark of that connection.
    ConnectionMark,
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

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_machine))]
mod tests {
    use super::*;
    use crate::alloc::{KVec, GFP_KERNEL};
    use crate::engine::fixtures::ops;
    use crate::engine::packet::Family;
    use crate::engine::rules::matches::{Cgroup, ControlGroupPath, Realm};
    use crate::engine::rules::model::Matches;
    use crate::engine::rules::transaction::apply;
    use crate::engine::rules::{Kind, Masked, Match, Model, Program, Rule};
    use crate::uapi::field::Not;

    /// A machine that has control groups, of which there are none.
    struct Bare;

    impl Machine for Bare {
        fn provide(&self, fact: Fact) -> Result<(), &'static str> {
            match fact {
                Fact::ControlGroup => Ok(()),
                _ => Err("it has not"),
            }
        }

        fn control_group(&self, _: &[u8]) -> Option<ControlGroup> {
            None
        }
    }

    #[test]
    fn what_a_machine_lacks_is_refused_by_its_rule() {
        let realm = || {
            Match::Realm(Realm {
                realm: Not::is(Masked { value: 1, mask: 1 }),
            })
        };
        let cgroup = || {
            Match::Cgroup(Cgroup {
                path: ControlGroupPath::new(b"a").map(Not::is),
                class: None,
            })
        };
        assert!(refused(&Bare, realm()) == Some(("it has not", 2)));
        assert!(refused(&Bare, cgroup()) == Some(("there is no such control group", 2)));
        assert!(refused(&AnyMachine, realm()).is_none());
        assert!(refused(&AnyMachine, cgroup()).is_none());
    }

    /// Why a machine refuses the second rule of a chain, and the number that it blames.
    fn refused(machine: &dyn Machine, item: Match) -> Option<(&'static str, u32)> {
        let mut matches = KVec::new();
        matches.push(item, GFP_KERNEL).unwrap();
        let rule = Rule {
            matches: Matches(matches),
            ..Rule::default()
        };
        let ops = ops(Family::V4, [("INPUT", Rule::default()), ("INPUT", rule)]);
        let model = apply(&Model::default(), ops).ok().unwrap();
        let error = Program::compile_for(&model, machine).err()?;
        match (error.kind, error.place) {
            (Kind::Extension(what), Some(place)) => Some((what, place.rule)),
            _ => Some(("", 0)),
        }
    }
}

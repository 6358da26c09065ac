// SPDX-License-Identifier: GPL-2.0
//! What must hold of any ruleset, any packet and any message.

mod generate;

use generate::message;
use oxtables_engine::alloc::{failing_after, KVVec, GFP_KERNEL};
use oxtables_engine::engine::packet::{
    Body, DeviceName, DropReason, Family, Flat, Hook, Input, Tracking,
};
use oxtables_engine::engine::rules::targets::Effect;
use oxtables_engine::engine::rules::trace::Step;
use oxtables_engine::engine::rules::transaction::{apply, Op};
use oxtables_engine::engine::rules::{Env, Kind, Model, Program, Verdict};
use oxtables_engine::uapi::op::decode_all;
use proptest::prelude::*;

fn decode(bytes: &[u8]) -> KVVec<Op> {
    let mut ops = KVVec::new();
    decode_all(bytes, &mut ops).expect("what was written can be read");
    ops
}

fn flat(bytes: &[u8]) -> Flat<'_> {
    let device = |name: &[u8]| DeviceName::from_text(name).unwrap();
    Flat {
        bytes,
        input: device(b"eth0"),
        output: device(b"eth1"),
        ..Flat::default()
    }
}

/// Writes down all that a walk does.
#[derive(Debug, Default, PartialEq)]
struct Trace(Vec<(&'static str, u32)>);

impl Env for Trace {
    fn count(&mut self, slot: u32, _: u32) {
        self.0.push(("count", slot));
    }

    fn effect(&mut self, effect: &Effect) {
        self.0.push(match effect {
            Effect::Log(log) => ("log", log.level.into()),
            Effect::Nflog(nflog) => ("nflog", nflog.group.into()),
            Effect::Audit => ("audit", 0),
            Effect::Tee(_) => ("tee", 0),
        });
    }

    fn set_mark(&mut self, mark: u32) {
        self.0.push(("mark", mark));
    }

    fn set_traced(&mut self) {
        self.0.push(("traced", 0));
    }

    fn trace(&mut self, step: &Step<'_>) {
        self.0.push(("step", step.number));
    }

    fn track(&mut self, packet: &Body<'_>) -> Result<Tracking, DropReason> {
        self.0.push(("tracked", 0));
        Ok(packet.tracking)
    }

    fn untrack(&mut self) {
        self.0.push(("untracked", 0));
    }

    fn set_connection_mark(&mut self, mark: u32) {
        self.0.push(("connmark", mark));
    }
}

fn judge(model: &Model, family: Family, hook: Hook, bytes: &[u8]) -> (Verdict, Trace) {
    let program = Program::compile(model).expect("the model was compiled before");
    let mut trace = Trace::default();
    let verdict = program.evaluate(family, &flat(bytes).at(hook), &mut trace);
    (verdict, trace)
}

proptest! {
    /// A ruleset survives the way over netlink and back, to the byte and to the verdict.
    #[test]
    fn a_ruleset_survives_netlink(
        model in generate::model(),
        packets in prop::collection::vec(generate::packet(), 8),
    ) {
        let sent = message(&model);
        let received = apply(&Model::default(), decode(&sent)).expect("it was applied before");
        prop_assert_eq!(&message(&received), &sent);
        if Program::compile(&model).is_ok() {
            for (family, hook, bytes) in packets {
                let before = judge(&model, family, hook, &bytes);
                prop_assert_eq!(judge(&received, family, hook, &bytes), before);
            }
        }
    }

    /// A packet in pieces is judged as the same packet in one. Its fixed header always lies in one piece.
    #[test]
    fn where_the_bytes_lie_does_not_matter(
        model in generate::model(),
        (family, hook, bytes) in generate::packet(),
        cut in 40..140_usize,
    ) {
        let Ok(program) = Program::compile(&model) else { return Ok(()) };
        // Rules that remember the packet from its first way through would judge it otherwise.
        let other = apply(&Model::default(), decode(&message(&model))).expect("it was applied before");
        let other = Program::compile(&other).expect("it was compiled before");
        let slice = bytes.as_slice();
        let flat = flat(slice);
        let (mut whole, mut pieces) = (Trace::default(), Trace::default());
        let expected = program.evaluate(family, &flat.at(hook), &mut whole);
        let linear = &slice[..cut.min(slice.len())];
        let split = Input { linear, ..flat.at(hook) };
        prop_assert_eq!(other.evaluate(family, &split, &mut pieces), expected);
        prop_assert_eq!(pieces, whole);
    }

    /// Bytes that no one meant as a message are refused or understood, and never end in a panic.
    #[test]
    fn random_bytes_are_no_danger(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        let mut ops = KVVec::new();
        if decode_all(&bytes, &mut ops).is_ok() {
            if let Ok(model) = apply(&Model::default(), ops) {
                let _ = Program::compile(&model);
            }
        }
    }

    /// A message that is changed here and there is refused or understood.
    #[test]
    fn damaged_messages_are_no_danger(
        model in generate::model(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = message(&model);
        for (index, value) in damage {
            if !bytes.is_empty() {
                let at = index.index(bytes.len());
                bytes[at] = value;
            }
        }
        let mut ops = KVVec::new();
        if decode_all(&bytes, &mut ops).is_ok() {
            if let Ok(model) = apply(&Model::default(), ops) {
                let _ = Program::compile(&model);
            }
        }
    }
}

proptest! {
    // One case runs the commit as often as it allocates.
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whichever allocation of a commit fails, the commit says so.
    #[test]
    fn no_memory_is_an_error(model in generate::model()) {
        let sent = message(&model);
        let compiles = Program::compile(&model).is_ok();
        for successes in 0.. {
            let (result, failed) = failing_after(successes, || {
                let mut ops = KVVec::new();
                decode_all(&sent, &mut ops).map_err(|_| Kind::NoMemory)?;
                let model = apply(&Model::default(), ops).map_err(|(_, error)| error.kind)?;
                Program::compile(&model).map_err(|error| error.kind)
            });
            if !failed {
                prop_assert_eq!(result.is_ok(), compiles);
                break;
            }
            prop_assert_eq!(result.err(), Some(Kind::NoMemory));
        }
    }
}

#[test]
fn the_fault_injection_itself_works() {
    let (result, failed) = failing_after(0, || KVVec::<u8>::with_capacity(1, GFP_KERNEL).is_err());
    assert!(result && failed);
    let (result, failed) = failing_after(1, || KVVec::<u8>::with_capacity(1, GFP_KERNEL).is_err());
    assert!(!result && !failed);
}

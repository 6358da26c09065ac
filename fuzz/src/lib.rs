// SPDX-License-Identifier: GPL-2.0
//! What must hold of any bytes: as a packet, as the text of a ruleset, as a message over netlink. Each function
//! takes the bytes that a fuzzer makes, and panics when something does not hold.

#[allow(dead_code, reason = "the engine's tests use what these do not")]
#[path = "../../module/tests/generate/mod.rs"]
mod generate;

#[path = "../../userspace-cli/tests/walk/mod.rs"]
mod walk;

mod connections;
mod seeds;

pub use connections::tuple;

use std::cell::OnceCell;

use generate::message;
use oxtables_engine::alloc::KVVec;
use oxtables_engine::engine::packet::{Family, Hook};
use oxtables_engine::engine::rules::transaction::apply;
use oxtables_engine::engine::rules::{Model, Program};
use oxtables_engine::uapi::op::decode_all;
use walk::{judge, print, read};

/// Packets that rulesets are compared by: TCP, UDP with IP options, ICMP and a fragment; TCP, UDP behind extension
/// headers and ICMPv6.
const PACKETS: [(Family, &[u8]); 7] = [
    (Family::V4, b"\x45\0\0\x2c\0\0\0\0\x40\x06\0\0\x0a\0\0\x01\x0a\0\0\x02\x04\0\0\x16\0\0\0\0\0\0\0\0\x60\x02\0\0\0\0\0\0\x02\x04\x05\xb4"),
    (Family::V4, b"\x46\x10\0\x24\0\0\0\0\x01\x11\0\0\x0a\0\0\x01\x0a\0\0\x02\x01\x01\x01\0\x04\0\0\x35\0\x0c\0\0\0\0\0\0"),
    (Family::V4, b"\x45\0\0\x1c\0\0\0\0\x40\x01\0\0\x0a\0\0\x02\x0a\0\0\x01\x08\0\0\0\0\x01\0\x01"),
    (Family::V4, b"\x45\0\0\x1c\0\0\0\x02\x40\x11\0\0\x0a\0\0\x01\x0a\0\0\x02\0\x35\0\x35\0\x08\0\0"),
    (Family::V6, b"\x60\0\0\0\0\x14\x06\x40\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\x04\0\0\x16\0\0\0\0\0\0\0\0\x50\x10\0\0\0\0\0\0"),
    (Family::V6, b"\x60\0\0\0\0\x18\0\x40\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\x3c\0\x01\x04\0\0\0\0\x11\0\x01\x04\0\0\0\0\x04\0\0\x35\0\x08\0\0"),
    (Family::V6, b"\x60\0\0\0\0\x08\x3a\xff\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\x87\0\0\0\0\0\0\0"),
];

/// Panics when two rulesets do not decide the same, or only one of them can be in force.
fn decide_the_same(one: &Model, other: &Model) {
    match [one, other].map(Program::compile) {
        [Ok(one), Ok(other)] => {
            for (family, bytes) in PACKETS {
                for hook in Hook::ALL {
                    let [one, other] = [&one, &other]
                        .map(|program| judge(program, family, hook, bytes, usize::MAX));
                    assert_eq!(one, other);
                }
            }
        }
        [Err(one), Err(other)] => assert_eq!(one.kind, other.kind),
        _ => panic!("only one of the two can be in force"),
    }
}

/// Writes texts to begin with.
pub fn seed_ruleset() {
    seeds::write(print);
}

/// The first byte says for which family the text is, if for one; what is read must print, read again and decide as
/// before.
pub fn ruleset(data: &[u8]) {
    let Some((family, text)) = data.split_first() else {
        return;
    };
    let family = match family {
        b'4' => Some(Family::V4),
        b'6' => Some(Family::V6),
        _ => None,
    };
    // A file without the byte is read whole.
    let Ok(model) = read(if family.is_some() { text } else { data }, family) else {
        return;
    };
    let printed = print(&model);
    let again = read(&printed, None).expect("what is printed can be read");
    assert_eq!(
        String::from_utf8_lossy(&print(&again)),
        String::from_utf8_lossy(&printed)
    );
    decide_the_same(&model, &again);
}

fn received(bytes: &[u8]) -> Option<Model> {
    let mut ops = KVVec::new();
    decode_all(bytes, &mut ops).ok()?;
    apply(&Model::default(), ops).ok()
}

/// Writes messages to begin with.
pub fn seed_netlink() {
    seeds::write(message);
}

/// What is understood as operations must survive a dump, and decide as before.
pub fn netlink(data: &[u8]) {
    let Some(model) = received(data) else {
        return;
    };
    let sent = message(&model);
    let again = received(&sent).expect("what is dumped can be committed");
    assert_eq!(message(&again), sent);
    decide_the_same(&model, &again);
}

/// Whether some rule remembers the packets before, so that the same packet can end otherwise when it comes again.
fn remembers(model: &Model) -> bool {
    let chains = model.tables.iter().flat_map(|table| &table.chains);
    let mut entries = chains.flat_map(|chain| &chain.rules);
    entries.any(|entry| entry.rule.remembers())
}

/// The first three bytes choose the ruleset, family and hook, and how much of the packet that follows lies in one piece,
/// behind the fixed header, which always does; where the bytes lie must not matter.
pub fn packet(data: &[u8]) {
    thread_local! {
        static PROGRAMS: OnceCell<Vec<Program>> = const { OnceCell::new() };
    }
    let [which, at, linear, packet @ ..] = data else {
        return;
    };
    let family = Family::ALL[usize::from(at % 2)];
    let hook = Hook::ALL[usize::from(at / 2) % Hook::ALL.len()];
    PROGRAMS.with(|made| {
        let compiled = || {
            let models = seeds::models().filter(|model| !remembers(model));
            let programs = models.filter_map(|model| Program::compile(&model).ok());
            programs.take(64).collect()
        };
        let programs = made.get_or_init(compiled);
        let program = &programs[usize::from(*which) % programs.len()];
        let whole = judge(program, family, hook, packet, usize::MAX);
        let pieces = judge(program, family, hook, packet, 40 + usize::from(*linear));
        assert_eq!(pieces, whole);
    });
}

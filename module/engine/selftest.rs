// SPDX-License-Identifier: GPL-2.0
//! A short test that the module runs before it registers anything: a build that decides wrongly, by a
//! compiler's fault or a damaged file, must not stand between two networks.

use super::packet::{Body, DropReason, Family, Flat, Hook, Tracking};
use super::rules::transaction::{apply, Action, Op};
use super::rules::{Counters, Env, Error, Model, Policy, Program, Rule, Target, Verdict};
use super::text::Name;
use crate::alloc::{Arc, KVVec, GFP_KERNEL};
use crate::uapi::field::Not;

/// A TCP segment from 192.0.2.1 port 1024 to 198.51.100.2 port 22, without payload.
const TCP_V4: [u8; 40] = [
    0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2, // IPv4
    4, 0, 0, 22, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0, // TCP
];

/// Counts hits, and does nothing else.
#[derive(Default)]
struct Tally(u32);

impl Env for Tally {
    fn count(&mut self, _: u32, _: u32) {
        self.0 += 1;
    }

    fn effect(&mut self, _: &super::rules::targets::Effect) {}

    fn set_mark(&mut self, _: u32) {}

    fn set_traced(&mut self) {}

    fn trace(&mut self, _: &super::rules::trace::Step<'_>) {}

    fn track(&mut self, packet: &Body<'_>) -> Result<Tracking, DropReason> {
        Ok(packet.tracking)
    }

    fn untrack(&mut self) {}

    fn set_connection_mark(&mut self, _: u32) {}
}

/// Builds a ruleset and shows it packets.
///
/// # Errors
///
/// Says what went wrong. May sleep.
pub fn run() -> Result<(), &'static str> {
    let program = program().map_err(|_| "the test ruleset was refused")?;
    let expected = [
        (TCP_V4.as_slice(), Verdict::Drop(DropReason::Rule), 1),
        // Cut inside the TCP header: the rule asks for the protocol alone, so it still drops it.
        (
            TCP_V4.get(..24).unwrap_or_default(),
            Verdict::Drop(DropReason::Rule),
            1,
        ),
        // Cut inside the IPv4 header.
        (
            TCP_V4.get(..16).unwrap_or_default(),
            Verdict::Drop(DropReason::MalformedHeader),
            0,
        ),
    ];
    for (bytes, verdict, hits) in expected {
        let mut tally = Tally::default();
        let packet = Flat {
            bytes,
            ..Flat::default()
        };
        let input = packet.at(Hook::LocalIn);
        if program.evaluate(Family::V4, &input, &mut tally) != verdict || tally.0 != hits {
            return Err("a packet was judged wrongly");
        }
    }
    Ok(())
}

/// `-P INPUT ACCEPT` and `-A INPUT -p tcp -j DROP`.
fn program() -> Result<Program, Error> {
    let rule = Rule {
        protocol: Some(Not::is(6)),
        target: Target::Drop,
        ..Rule::default()
    };
    let actions = [
        Action::ReplaceTable(None),
        Action::Policy(Policy::Accept, None),
        Action::Append(Arc::new(rule, GFP_KERNEL)?, Counters::default()),
    ];
    let mut ops = KVVec::new();
    for action in actions {
        let (table, chain) = (Name::literal("filter"), Name::literal("INPUT"));
        ops.push(
            Op {
                family: Family::V4,
                table,
                chain,
                action,
            },
            GFP_KERNEL,
        )?;
    }
    let model = apply(&Model::default(), ops).map_err(|(_, error)| error)?;
    Program::compile(&model)
}

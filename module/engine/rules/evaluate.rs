// SPDX-License-Identifier: GPL-2.0
//! The walk of a packet through the tables of a hook.
//!
//! This is the plain walk, rule by rule: whatever faster form comes beside it must agree with it.

use super::matches::Outcome;
use super::model::Policy;
use super::program::{ask, Action, Address, Entrance, Line, Program, Rules, MAX_DEPTH};
use super::targets::{Log, Reject};
use crate::engine::packet::{self, Body, DropReason, Family, Input, Packet};

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Accept,
    /// It is dropped.
    Drop(DropReason),
    /// It is dropped, and its sender told.
    Reject(Reject),
}

/// What a walk does to the world on its way. Runs with bottom halves off and under RCU in the kernel: it
/// may not sleep.
pub trait Env {
    /// A rule or policy was met by a packet of `bytes` bytes; `slot` is below the number of
    /// [`Program::slots`].
    fn count(&mut self, slot: u32, bytes: u32);

    /// A packet is to be logged.
    fn log(&mut self, log: &Log);

    /// The packet's mark is now this.
    fn set_mark(&mut self, mark: u32);
}

impl Program {
    /// Decides about a packet at a hook.
    #[inline]
    pub fn evaluate(&self, family: Family, input: Input<'_>, env: &mut impl Env) -> Verdict {
        match family {
            Family::V4 => packet::parse_v4(input).map(|packet| tables(&self.v4, packet, env)),
            Family::V6 => packet::parse_v6(input).map(|packet| tables(&self.v6, packet, env)),
        }
        .unwrap_or_else(Verdict::Drop)
    }
}

/// Walks the tables of the packet's hook, until one does not let it pass.
#[inline]
fn tables<A: Address>(rules: &Rules<A>, mut packet: Packet<'_, A>, env: &mut impl Env) -> Verdict {
    let Some(entrances) = rules.hooks.get(packet.body.hook() as usize) else {
        return Verdict::Accept;
    };
    for entrance in entrances {
        let verdict = walk(rules, entrance, &mut packet, env);
        if verdict != Verdict::Accept {
            return verdict;
        }
    }
    Verdict::Accept
}

/// Where walks go on when a chain ends: what is left of each chain on the way to this one.
struct Callers<'a, A> {
    rest: [&'a [Line<A>]; MAX_DEPTH],
    depth: usize,
}

impl<'a, A> Callers<'a, A> {
    fn push(&mut self, rest: &'a [Line<A>]) -> bool {
        match self.rest.get_mut(self.depth) {
            Some(place) => {
                *place = rest;
                self.depth += 1;
                true
            }
            None => false,
        }
    }

    fn pop(&mut self) -> Option<&'a [Line<A>]> {
        self.depth = self.depth.checked_sub(1)?;
        self.rest.get(self.depth).copied()
    }
}

/// Walks one table's chains from a built-in one on.
fn walk<A: Address>(
    rules: &Rules<A>,
    entrance: &Entrance,
    packet: &mut Packet<'_, A>,
    env: &mut impl Env,
) -> Verdict {
    let mut callers = Callers {
        rest: [&[]; MAX_DEPTH],
        depth: 0,
    };
    let mut chain = rules.chain(entrance.chain);
    loop {
        let Some((line, rest)) = chain.split_first() else {
            match callers.pop() {
                Some(rest) => chain = rest,
                None => break,
            }
            continue;
        };
        chain = rest;
        match line.test(rules, packet) {
            Outcome::No => continue,
            Outcome::Yes => (),
            Outcome::Drop(reason) => return Verdict::Drop(reason),
        }
        env.count(line.slot, packet.body.len());
        match line.action {
            Action::Continue => (),
            Action::Accept => return Verdict::Accept,
            Action::Drop => return Verdict::Drop(DropReason::Rule),
            Action::Return => match callers.pop() {
                Some(rest) => chain = rest,
                None => break,
            },
            Action::Jump(index) => {
                // What is left of a chain that ends here need not be remembered.
                if !callers.push(chain) {
                    return Verdict::Drop(DropReason::TooDeep);
                }
                chain = rules.chain(index);
            }
            Action::Goto(index) => chain = rules.chain(index),
            Action::Reject(reject) => return Verdict::Reject(reject),
            Action::Log(index) => {
                if let Some(log) = rules.logs.get(index as usize) {
                    env.log(log);
                }
            }
            Action::Mark(set_mark) => {
                packet.body.mark = set_mark.apply(packet.body.mark);
                env.set_mark(packet.body.mark);
            }
        }
    }
    env.count(entrance.slot, packet.body.len());
    match entrance.policy {
        Policy::Accept => Verdict::Accept,
        Policy::Drop => Verdict::Drop(DropReason::Policy),
    }
}

impl<A: Address> Line<A> {
    /// Whether all holds of the packet that the line asks.
    #[inline(always)]
    fn test(&self, rules: &Rules<A>, packet: &Packet<'_, A>) -> Outcome {
        let asks = self.asks;
        if packet.source.differs(self.source, self.source_mask) != (asks & ask::NOT_SOURCE != 0)
            || packet
                .destination
                .differs(self.destination, self.destination_mask)
                != (asks & ask::NOT_DESTINATION != 0)
        {
            return Outcome::No;
        }
        if asks & !(ask::NOT_SOURCE | ask::NOT_DESTINATION) == 0 {
            return Outcome::Yes;
        }
        self.test_rest(rules, &packet.body)
    }

    #[inline(always)]
    fn test_rest(&self, rules: &Rules<A>, packet: &Body<'_>) -> Outcome {
        let asks = self.asks;
        if asks & ask::DEVICES != 0 {
            let fits = rules
                .devices
                .get(self.devices as usize)
                .is_some_and(|devices| {
                    devices.input.fits(packet.input()) && devices.output.fits(packet.output())
                });
            if !fits {
                return Outcome::No;
            }
        }
        if asks & ask::PROTOCOL != 0 {
            let Some(transport) = packet.transport else {
                return Outcome::Drop(DropReason::MalformedExtensions);
            };
            if (transport.protocol == self.protocol) == (asks & ask::NOT_PROTOCOL != 0) {
                return Outcome::No;
            }
        }
        if asks & (ask::FRAGMENT | ask::NOT_FRAGMENT) != 0 {
            let later = packet
                .transport
                .is_some_and(|transport| transport.fragment != 0);
            if later != (asks & ask::FRAGMENT != 0) {
                return Outcome::No;
            }
        }
        if asks & ask::MATCHES == 0 {
            return Outcome::Yes;
        }
        let first = self.matches as usize;
        let matches = rules
            .matches
            .get(first..first + usize::from(self.match_count));
        for item in matches.unwrap_or_default() {
            match item.test(packet) {
                Outcome::Yes => (),
                outcome => return outcome,
            }
        }
        Outcome::Yes
    }
}

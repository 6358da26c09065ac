// SPDX-License-Identifier: GPL-2.0
//! What tests are made of: packets, rulesets of a few lines, and an environment that remembers.

use super::conntrack::{Address, Direction, Tuple, Zone};
use super::packet::{
    parse_v4, parse_v6, Body, Connection, DeviceName, DropReason, Family, Flat, Hook, Input,
    Metadata, Status, Tracking,
};
use super::rules::matches::hashlimit::Flows;
use super::rules::matches::{Hashlimit, Matcher, Outcome};
use super::rules::model::Matches;
use super::rules::targets::Effect;
use super::rules::trace::{Met, Next, Step};
use super::rules::transaction::{apply, Action, Op, Own};
use super::rules::{Counters, Env, Error, Match, Model, Program, Rule, Target, Verdict};
use super::text::Name;
use crate::alloc::{Arc, KVVec, KVec, GFP_KERNEL};
use crate::uapi::field::{Not, Text};

/// A TCP segment with SYN set, from 192.0.2.1 port 1024 to 198.51.100.2 port 22, with a maximum segment
/// size option.
pub(crate) const TCP_V4: &[u8] = &[
    0x45, 0, 0, 44, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2, // IPv4
    4, 0, 0, 22, 0, 0, 0, 0, 0, 0, 0, 0, 0x60, 2, 0, 0, 0, 0, 0, 0, // TCP
    2, 4, 5, 0xb4, // options
];

/// A UDP datagram from 2001:db8::1 port 1024 to 2001:db8::2 port 53.
pub(crate) const UDP_V6: &[u8] = &[
    0x60, 0, 0, 0, 0, 8, 17, 64, // version to hop limit
    0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, // source
    0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, // destination
    4, 0, 0, 53, 0, 8, 0, 0, // UDP
];

/// Bytes put together, and changed here and there.
pub(crate) struct Bytes(pub KVec<u8>);

impl Bytes {
    /// A copy.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut copy = KVec::new();
        copy.extend_from_slice(bytes, GFP_KERNEL).unwrap();
        Self(copy)
    }

    /// With these bytes at the end.
    pub(crate) fn then(mut self, more: &[u8]) -> Self {
        self.0.extend_from_slice(more, GFP_KERNEL).unwrap();
        self
    }

    /// With this byte changed.
    pub(crate) fn with(mut self, at: usize, value: u8) -> Self {
        if let Some(byte) = self.0.get_mut(at) {
            *byte = value;
        }
        self
    }
}

/// An IPv6 header that tells what follows it, and that.
pub(crate) fn v6(next: u8, rest: &[u8]) -> Bytes {
    Bytes::of(UDP_V6.get(..40).unwrap())
        .with(6, next)
        .then(rest)
}

/// An IPv4 header that tells what follows it, and that.
pub(crate) fn v4(protocol: u8, rest: &[u8]) -> Bytes {
    Bytes::of(TCP_V4.get(..20).unwrap())
        .with(9, protocol)
        .then(rest)
}

/// A header of the family's that tells what follows it, and that.
pub(crate) fn ip(family: Family, protocol: u8, rest: &[u8]) -> Bytes {
    match family {
        Family::V4 => v4(protocol, rest),
        Family::V6 => v6(protocol, rest),
    }
}

/// A packet that came in by eth0.
pub(crate) fn flat(bytes: &[u8]) -> Flat<'_> {
    Flat {
        bytes,
        input: DeviceName::from_text(b"eth0").unwrap_or_default(),
        ..Flat::default()
    }
}

/// The connection that [`TCP_V4`] begins, whose destination is 203.0.113.3 port 2222 in truth.
pub(crate) fn connection_v4() -> Connection {
    let here = (Address::v4([192, 0, 2, 1]), [4, 0]);
    let there = (Address::v4([198, 51, 100, 2]), [0, 22]);
    let truth = (Address::v4([203, 0, 113, 3]), [8, 174]);
    connection(Family::V4, 6, [here, there, truth])
}

/// The same of [`UDP_V6`], whose destination is 2001:db8::3 port 53.
pub(crate) fn connection_v6() -> Connection {
    let address = |last| Address::v6([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    let ends = [
        (address(1), [4, 0]),
        (address(2), [0, 53]),
        (address(3), [0, 53]),
    ];
    connection(Family::V6, 17, ends)
}

fn connection(
    family: Family,
    protocol: u8,
    [from, to, truth]: [(Address, [u8; 2]); 3],
) -> Connection {
    let tuple = |from: (Address, [u8; 2]), to: (Address, [u8; 2]), direction| Tuple {
        source: from.0,
        source_id: from.1,
        family: family as u16,
        destination: to.0,
        destination_id: to.1,
        protocol,
        direction,
    };
    Connection {
        original: tuple(from, to, Direction::Original),
        reply: tuple(truth, from, Direction::Reply),
        status: Status::SEEN_REPLY.or(Status::DST_NAT),
        seconds_left: 100,
        counters: None,
        announced_by: None,
        zone: Zone::NONE,
    }
}

/// The operations that make a filter table with these rules. Not inlined, here as below, because the kernel's stack is
/// small: rules that are made there should be gone from it before they are compiled.
#[inline(never)]
pub(crate) fn ops<const N: usize>(family: Family, rules: [(&str, Rule); N]) -> KVVec<Op> {
    let rules = rules.map(|(chain, rule)| ("filter", chain, rule));
    tables(family, [("filter", None)], rules)
}

/// The operations that make tables, a person's own or built-in ones, with these rules.
#[inline(never)]
pub(crate) fn tables<const T: usize, const N: usize>(
    family: Family,
    tables: [(&str, Option<Own>); T],
    rules: [(&str, &str, Rule); N],
) -> KVVec<Op> {
    let mut ops = KVVec::new();
    let mut push = |table: &str, chain, action| {
        let op = Op {
            family,
            table: Name::new(table.as_bytes()).unwrap_or_default(),
            chain,
            action,
        };
        ops.push(op, GFP_KERNEL).unwrap();
    };
    for (table, own) in tables {
        push(table, Name::default(), Action::ReplaceTable(own));
    }
    let mut made: KVec<(&str, Name)> = KVec::new();
    for (table, chain, rule) in rules {
        let name = Name::new(chain.as_bytes()).unwrap_or_default();
        if Hook::from_chain(chain.as_bytes()).is_none() && !made.contains(&(table, name)) {
            push(table, name, Action::NewChain);
            made.push((table, name), GFP_KERNEL).unwrap();
        }
        let rule = Arc::new(rule, GFP_KERNEL).ok().unwrap();
        push(table, name, Action::Append(rule, Counters::default()));
    }
    ops
}

/// A rule with one match.
pub(crate) fn with_match(item: Match, target: Target) -> Rule {
    let mut matches = KVec::new();
    matches.push(item, GFP_KERNEL).unwrap();
    Rule {
        matches: Matches(matches),
        target,
        ..Rule::default()
    }
}

/// One packet a day, for all packets together.
pub(crate) fn hashlimit(name: &[u8]) -> Hashlimit {
    Hashlimit {
        name: Text::new(name).unwrap(),
        period: Not::is(Hashlimit::MAX_PERIOD),
        bytes: false,
        burst: 1,
        mode: 0,
        source_bits: 32,
        destination_bits: 32,
        size: Some(1),
        max: None,
        gc_interval: 1000,
        expire: 1000,
        interval: None,
        flows: Flows::new().unwrap(),
    }
}

/// A filter table with these rules, compiled.
pub(crate) fn program<const N: usize>(
    family: Family,
    rules: [(&str, Rule); N],
) -> Result<Program, Error> {
    let model = apply(&Model::default(), ops(family, rules)).map_err(|(_, error)| error)?;
    Program::compile(&model)
}

/// What a match in a rule for this protocol, or any, says of a packet.
pub(crate) fn holds(
    family: Family,
    protocol: impl Into<Option<u8>>,
    item: Match,
    bytes: &[u8],
) -> Outcome {
    let rule = Rule {
        protocol: protocol.into().map(Not::is),
        ..with_match(item, Target::Drop)
    };
    let program = program(family, [("INPUT", rule)]).ok().unwrap();
    match judge(&program, family, bytes).0 {
        Verdict::Drop(DropReason::Rule) => Outcome::Yes,
        Verdict::Drop(reason) => Outcome::Drop(reason),
        _ => Outcome::No,
    }
}

/// What a match says of a packet of which more is known, at the first hook where it can be asked.
#[inline(never)]
pub(crate) fn asked(family: Family, item: Match, bytes: &[u8], metadata: Metadata<'_>) -> Outcome {
    let hook = [Hook::LocalIn, Hook::Forward, Hook::LocalOut]
        .into_iter()
        .find(|hook| item.check_hook(*hook).is_ok())
        .unwrap();
    let rule = with_match(item, Target::Drop);
    let program = program(family, [(hook.chain(), rule)]).ok().unwrap();
    let packet = Flat {
        metadata,
        ..flat(bytes)
    };
    match program.evaluate(family, &packet.at(hook), &mut Seen::default()) {
        Verdict::Drop(DropReason::Rule) => Outcome::Yes,
        Verdict::Drop(reason) => Outcome::Drop(reason),
        _ => Outcome::No,
    }
}

/// What a match says of a packet of which more is known than its bytes.
pub(crate) fn holds_of(family: Family, item: &impl Matcher, packet: &Flat<'_>) -> Outcome {
    let input = packet.at(Hook::PreRouting);
    let outcome = match family {
        Family::V4 => parse_v4(&input, false).map(|packet| item.test(&packet.body)),
        Family::V6 => parse_v6(&input, false).map(|packet| item.test(&packet.body)),
    };
    outcome.unwrap_or_else(Outcome::Drop)
}

/// What is seen of a packet at a hook; nothing where it can't be parsed.
pub(crate) fn seen<T>(
    family: Family,
    bytes: &[u8],
    hook: Hook,
    look: impl FnOnce(&Body<'_>) -> T,
) -> Option<T> {
    seen_in_pieces(family, bytes, bytes.len(), hook, look)
}

/// The same of a packet of which this many bytes lie in one piece, the fixed part of the header among them.
pub(crate) fn seen_in_pieces<T>(
    family: Family,
    bytes: &[u8],
    linear: usize,
    hook: Hook,
    look: impl FnOnce(&Body<'_>) -> T,
) -> Option<T> {
    let flat = flat(bytes);
    let input = Input {
        linear: bytes.get(..linear)?,
        ..flat.at(hook)
    };
    match family {
        Family::V4 => Some(look(&parse_v4(&input, false).ok()?.body)),
        Family::V6 => Some(look(&parse_v6(&input, false).ok()?.body)),
    }
}

/// A filter table whose only rule drops what the match holds of.
pub(crate) fn one(item: Match) -> Result<Program, Error> {
    program(Family::V4, [("INPUT", with_match(item, Target::Drop))])
}

/// Whether the match of [`one`] holds of a packet that is there at this time, with this chance.
#[inline(never)]
pub(crate) fn hits_at(program: &Program, monotonic: u64, random: u32) -> bool {
    let packet = Flat {
        monotonic,
        random,
        ..flat(TCP_V4)
    };
    let verdict = program.evaluate(Family::V4, &packet.at(Hook::LocalIn), &mut Seen::default());
    verdict != Verdict::Accept
}

/// Remembers what a walk did.
#[derive(Default)]
pub(crate) struct Seen {
    /// The slots counted, a bit each.
    pub slots: u64,
    /// What was done besides.
    pub effects: KVec<Effect>,
    /// The mark that was set last.
    pub mark: Option<u32>,
    /// Whether the packet was to be traced.
    pub traced: bool,
    /// What the tracker finds a packet to be that it has not seen.
    pub found: Tracking,
    /// Why the tracker refuses the packet, if it does.
    pub refused: Option<DropReason>,
    /// How often it was asked, and what it made of the packet.
    pub tracked: (u32, Tracking),
    /// In which zone it was to look.
    pub zone: Zone,
    /// Whether the packet was not to be tracked.
    pub untracked: bool,
    /// The mark that its connection got last.
    pub connection_mark: Option<u32>,
    /// What was told of it: chain, what it met there and as which number, what became of it.
    pub steps: KVec<(Name, Met, u32, Next)>,
}

impl Env for Seen {
    fn count(&mut self, slot: u32, _: u32) {
        self.slots |= 1 << slot;
    }

    fn effect(&mut self, effect: &Effect) {
        // A test sees too few where there is no memory; the module has no way to a panic in a walk.
        let _ = self.effects.push(*effect, GFP_KERNEL);
    }

    fn set_mark(&mut self, mark: u32) {
        self.mark = Some(mark);
    }

    fn set_traced(&mut self) {
        self.traced = true;
    }

    fn trace(&mut self, step: &Step<'_>) {
        let told = (*step.chain, step.met, step.number, step.next);
        let _ = self.steps.push(told, GFP_KERNEL);
    }

    fn track(&mut self, packet: &Body<'_>) -> Result<Tracking, DropReason> {
        let tracking = match packet.tracking {
            Tracking::Invalid => self.found,
            known => known,
        };
        self.tracked = (self.tracked.0 + 1, tracking);
        self.zone = packet.zone();
        self.refused.map_or(Ok(tracking), Err)
    }

    fn untrack(&mut self) {
        self.untracked = true;
    }

    fn set_connection_mark(&mut self, mark: u32) {
        self.connection_mark = Some(mark);
    }
}

/// What the filter table makes of a packet for this machine.
#[inline(never)]
pub(crate) fn judge(program: &Program, family: Family, bytes: &[u8]) -> (Verdict, Seen) {
    let mut seen = Seen::default();
    let verdict = program.evaluate(family, &flat(bytes).at(Hook::LocalIn), &mut seen);
    (verdict, seen)
}

// SPDX-License-Identifier: GPL-2.0
//! The walk of a packet through the tables of a hook.
//!
//! This is the plain walk, rule by rule: whatever faster form comes beside it must agree with it.

use core::slice;

use super::line::{ask, Action, Address, Line};
use super::matches::Outcome;
use super::model::Policy;
use super::program::{Entrance, Program, Rules, Stage, MAX_DEPTH};
use super::targets::{Change, Effect, Nfqueue, Reject};
use super::trace::{self, Event, Step};
use crate::engine::packet::{
    self, Body, DeviceName, DropReason, Family, Input, Packet, Tracking, V6,
};

/// What becomes of a packet. Which it is has a byte of its own, as with matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    /// It goes on.
    Accept,
    /// It is dropped.
    Drop(DropReason),
    /// It is dropped, and its sender told.
    Reject(Reject),
    /// A program decides about it.
    Queue(Nfqueue),
}

/// What a walk does to the world on its way. In the kernel it runs under RCU: it may not sleep.
pub trait Env {
    /// A rule or policy was met by a packet of `bytes` bytes; `slot` is below the number of
    /// [`Program::slots`].
    fn count(&mut self, slot: u32, bytes: u32);

    /// Something is done besides, while the packet goes on.
    fn effect(&mut self, effect: &Effect);

    /// The packet's mark is now this.
    fn set_mark(&mut self, mark: u32);

    /// The packet is traced from now on, also at other hooks.
    fn set_traced(&mut self);

    /// A traced packet has come here.
    fn trace(&mut self, step: &Step<'_>);

    /// Finds the connection that the packet belongs to, or begins one, and tells what it is to it; or why it may not
    /// pass. Asked for once at each of PREROUTING and OUTPUT where the program [tracks](Program::tracks), behind the tables
    /// that come before connection tracking. A packet has a connection already where this machine sent it to itself, or is
    /// [`Tracking::Untracked`] by a rule of those tables.
    fn track(&mut self, packet: &Body<'_>) -> Result<Tracking, DropReason>;

    /// The packet is not to be tracked.
    fn untrack(&mut self);

    /// The mark of the packet's connection is now this.
    fn set_connection_mark(&mut self, mark: u32);
}

impl Program {
    /// Decides about a packet at a hook. Inlined, walk and all: who calls it from a function for one family, as the
    /// kernel's hooks do, gets that family's walk alone.
    #[inline(always)]
    pub fn evaluate(&self, family: Family, input: &Input<'_>, env: &mut impl Env) -> Verdict {
        match family {
            Family::V4 => evaluate_v4(&self.v4, input, env),
            Family::V6 => evaluate_v6(&self.v6, input, env),
        }
    }
}

#[inline(always)]
fn evaluate_v4(rules: &Rules<u32>, input: &Input<'_>, env: &mut impl Env) -> Verdict {
    match packet::parse_v4(input, rules.ask_ports) {
        Ok(mut packet) => tables(rules, &mut packet, env),
        Err(reason) => Verdict::Drop(reason),
    }
}

#[inline(always)]
fn evaluate_v6(rules: &Rules<V6>, input: &Input<'_>, env: &mut impl Env) -> Verdict {
    match packet::parse_v6(input, rules.ask_ports) {
        Ok(mut packet) => tables(rules, &mut packet, env),
        Err(reason) => Verdict::Drop(reason),
    }
}

/// Walks the tables of the packet's hook, until one does not let it pass.
#[inline(always)]
fn tables<A: Address>(rules: &Rules<A>, packet: &mut Packet<'_, A>, env: &mut impl Env) -> Verdict {
    let Some(stages) = rules.hooks.get(packet.body.hook() as usize) else {
        return Verdict::Accept;
    };
    for stage in stages {
        match stage {
            Stage::Table(entrance) => {
                let verdict = walk(rules, entrance, packet, env);
                if verdict != Verdict::Accept {
                    return verdict;
                }
            }
            Stage::Track => match env.track(&packet.body) {
                Ok(tracking) => packet.body.tracking = tracking,
                Err(reason) => return Verdict::Drop(reason),
            },
        }
    }
    Verdict::Accept
}

/// Where walks go on when a chain ends: what is left of each chain on the way to this one.
struct Callers<'a, A> {
    rest: [slice::Iter<'a, Line<A>>; MAX_DEPTH],
    /// The chains by their indices.
    chains: [u32; MAX_DEPTH],
    depth: usize,
}

impl<'a, A> Callers<'a, A> {
    fn new() -> Self {
        Self {
            rest: [const { [].as_slice() }; MAX_DEPTH].map(<[_]>::iter),
            chains: [0; MAX_DEPTH],
            depth: 0,
        }
    }

    fn push(&mut self, chain: u32, rest: slice::Iter<'a, Line<A>>) -> bool {
        let places = self.rest.get_mut(self.depth);
        match places.zip(self.chains.get_mut(self.depth)) {
            Some(place) => {
                (*place.0, *place.1) = (rest, chain);
                self.depth += 1;
                true
            }
            None => false,
        }
    }

    fn pop(&mut self) -> Option<(u32, slice::Iter<'a, Line<A>>)> {
        self.depth = self.depth.checked_sub(1)?;
        let rest = self.rest.get(self.depth).cloned()?;
        Some((*self.chains.get(self.depth)?, rest))
    }
}

/// Tells of a traced packet in a chain of which the lines of `rest` are left. Not inlined, so that the walk of packets
/// that are not traced does not carry what it needs; nor does that count lines.
#[cold]
#[inline(never)]
fn tell<A>(
    env: &mut impl Env,
    rules: &Rules<A>,
    chain: u32,
    rest: slice::Iter<'_, Line<A>>,
    event: Event,
) {
    if let Some(step) = trace::step(rules, chain, rest.len(), event) {
        env.trace(&step);
    }
}

/// Changes the mark of a packet that has a connection, or the connection's. Not inlined, as above.
#[inline(never)]
fn set_connmark<A>(rules: &Rules<A>, index: u32, packet: &mut Body<'_>, env: &mut impl Env) {
    let target = rules.set_connmarks.get(index as usize);
    let Some((target, mark)) = target.zip(packet.source().connection_mark()) else {
        return;
    };
    match target.apply(packet.mark, mark) {
        Change::Connection(mark) => env.set_connection_mark(mark),
        Change::Packet(mark) => {
            packet.mark = mark;
            env.set_mark(mark);
        }
    }
}

/// Walks one table's chains from a built-in one on.
fn walk<A: Address>(
    rules: &Rules<A>,
    entrance: &Entrance,
    packet: &mut Packet<'_, A>,
    env: &mut impl Env,
) -> Verdict {
    // A packet that is whole and undamaged can be taken at its word, and most are. Where it has no ports the
    // protocol excludes lines that ask for some.
    let plain = packet.body.is_plain();
    let protocol = packet
        .body
        .transport
        .map_or(0, |transport| transport.protocol);
    let (source, destination) = (packet.body.ports.source(), packet.body.ports.destination());
    // Made by the first jump: most packets meet none, and it is not small.
    let mut callers: Option<Callers<'_, A>> = None;
    // The interfaces, the one that the packet came in by and the one that it goes out by: read by the first line that
    // asks for one.
    let mut devices: Option<[DeviceName; 2]> = None;
    let mut index = entrance.chain;
    let mut chain = rules.chain(index).iter();
    loop {
        let Some(line) = chain.next() else {
            let caller = callers.as_mut().and_then(Callers::pop);
            if packet.body.traced && index != entrance.chain {
                tell(env, rules, index, [].iter(), Event::End);
            }
            match caller {
                Some((caller, rest)) => (index, chain) = (caller, rest),
                None => break,
            }
            continue;
        };
        if line.quick.excludes_addresses(packet) {
            continue;
        }
        let asks = |what| line.asks & what != 0;
        if asks(ask::INPUT | ask::OUTPUT) {
            let devices =
                devices.get_or_insert_with(|| [packet.body.input(), packet.body.output()]);
            if line.excludes_devices(rules, devices) {
                continue;
            }
        }
        let outcome = if !plain {
            line.test(rules, packet)
        } else if line.quick.excludes_protocol(protocol)
            || line.quick.excludes_ports(source, destination)
        {
            continue;
        } else if asks(ask::MORE) {
            line.test(rules, packet)
        } else {
            line.test_matches(rules, packet)
        };
        match outcome {
            Outcome::No => continue,
            Outcome::Yes => (),
            Outcome::Drop(reason) => {
                if packet.body.traced {
                    tell(env, rules, index, chain, Event::Damaged(reason));
                }
                return Verdict::Drop(reason);
            }
        }
        env.count(line.slot, packet.body.length());
        if packet.body.traced {
            tell(env, rules, index, chain.clone(), Event::Rule(line.action));
        }
        match line.action {
            Action::Continue => (),
            Action::Accept => return Verdict::Accept,
            Action::Drop => return Verdict::Drop(DropReason::Rule),
            Action::Return => match callers.as_mut().and_then(Callers::pop) {
                Some((caller, rest)) => (index, chain) = (caller, rest),
                None => break,
            },
            Action::Jump(callee) => {
                if !callers.get_or_insert_with(Callers::new).push(index, chain) {
                    return Verdict::Drop(DropReason::TooDeep);
                }
                (index, chain) = (callee, rules.chain(callee).iter());
            }
            Action::Goto(callee) => (index, chain) = (callee, rules.chain(callee).iter()),
            Action::Reject(reject) => return Verdict::Reject(reject),
            Action::Queue(queue) => return Verdict::Queue(queue),
            Action::Effect(index) => {
                if let Some(effect) = rules.effect(index) {
                    env.effect(effect);
                }
            }
            Action::Mark(set_mark) => {
                packet.body.mark = set_mark.apply(packet.body.mark);
                env.set_mark(packet.body.mark);
            }
            Action::Trace => {
                packet.body.traced = true;
                env.set_traced();
            }
            // A packet that this machine sent to itself stays with the connection that it has; and what is said
            // first holds.
            Action::Zone(zone) => {
                if packet.body.tracking == Tracking::Invalid {
                    packet.body.zone.get_or_insert(zone);
                }
            }
            Action::Untrack => {
                if packet.body.tracking == Tracking::Invalid && packet.body.zone.is_none() {
                    packet.body.tracking = Tracking::Untracked;
                    env.untrack();
                }
            }
            Action::SetConnmark(index) => set_connmark(rules, index, &mut packet.body, env),
        }
    }
    env.count(entrance.slot, packet.body.length());
    if packet.body.traced {
        let event = Event::Policy(entrance.policy);
        tell(env, rules, entrance.chain, [].iter(), event);
    }
    match entrance.policy {
        Policy::Accept => Verdict::Accept,
        Policy::Drop => Verdict::Drop(DropReason::Policy),
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_evaluate))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{judge, program, Bytes, Seen, TCP_V4, UDP_V6};
    use crate::engine::packet::{DeviceName, Flat, Hook};
    use crate::engine::rules::matches::Masked;
    use crate::engine::rules::model::{Device, Prefix, Rule};
    use crate::engine::rules::targets::{Log, Prefix as LogPrefix, SetMark, Target};
    use crate::engine::text::Name;
    use crate::uapi::field::Not;
    use core::net::IpAddr;

    fn all(target: Target) -> Rule {
        Rule {
            target,
            ..Rule::default()
        }
    }

    fn jump(chain: &'static str) -> Rule {
        all(Target::Jump(Name::literal(chain)))
    }

    fn goto(chain: &'static str) -> Rule {
        all(Target::Goto(Name::literal(chain)))
    }

    fn mark(bit: u32) -> Rule {
        all(Target::Mark(SetMark {
            mark: Masked {
                value: bit,
                mask: bit,
            },
        }))
    }

    fn address(octets: [u8; 4], bits: u32) -> Prefix {
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        let address = u32::from_be_bytes(octets) & mask;
        Prefix {
            address: IpAddr::V4(address.into()),
            mask: IpAddr::V4(mask.into()),
        }
    }

    /// Whether a rule matches the packet.
    fn hits(family: Family, rule: Rule, bytes: &[u8]) -> Option<bool> {
        let program = program(
            family,
            [(
                "INPUT",
                Rule {
                    target: Target::Drop,
                    ..rule
                },
            )],
        )
        .ok()?;
        Some(judge(&program, family, bytes).0 == Verdict::Drop(DropReason::Rule))
    }

    #[test]
    fn addresses() {
        let cases = [
            ([192, 0, 2, 1], 32, true),
            ([192, 0, 2, 0], 24, true),
            ([0, 0, 0, 0], 0, true),
            ([192, 0, 2, 2], 32, false),
            ([192, 0, 3, 0], 24, false),
        ];
        for (octets, bits, hit) in cases {
            for not in [false, true] {
                let source = Some(Not {
                    value: address(octets, bits),
                    not,
                });
                let rule = Rule {
                    source,
                    ..Rule::default()
                };
                assert!(hits(Family::V4, rule, TCP_V4) == Some(hit != not));
            }
        }
        let destination = Some(Not::is(address([198, 51, 100, 2], 32)));
        assert!(
            hits(
                Family::V4,
                Rule {
                    destination,
                    ..Rule::default()
                },
                TCP_V4
            ) == Some(true)
        );
        // A mask that is no prefix: the last byte alone.
        let (address, mask) = (IpAddr::V4(1.into()), IpAddr::V4(255.into()));
        let source = Some(Not::is(Prefix { address, mask }));
        assert!(
            hits(
                Family::V4,
                Rule {
                    source,
                    ..Rule::default()
                },
                TCP_V4
            ) == Some(true)
        );
    }

    #[test]
    fn addresses_of_ipv6() {
        let prefix = |last: u128, bits: u32| {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            let address = (0x2001_0db8 << 96 | last) & mask;
            Prefix {
                address: IpAddr::V6(address.into()),
                mask: IpAddr::V6(mask.into()),
            }
        };
        for (last, bits, hit) in [
            (1, 128, true),
            (2, 128, false),
            (0, 64, true),
            (1 << 70, 64, false),
        ] {
            for not in [false, true] {
                let source = Some(Not {
                    value: prefix(last, bits),
                    not,
                });
                let rule = Rule {
                    source,
                    ..Rule::default()
                };
                assert!(hits(Family::V6, rule, UDP_V6) == Some(hit != not));
            }
        }
    }

    #[test]
    fn interfaces() {
        let cases = [
            ("eth0", true),
            ("eth1", false),
            ("eth+", true),
            ("+", true),
            ("eth00", false),
            ("et", false),
        ];
        for (text, hit) in cases {
            for not in [false, true] {
                let value = Device::from_text(text.as_bytes()).unwrap();
                let rule = Rule {
                    input: Some(Not { value, not }),
                    ..Rule::default()
                };
                assert!(hits(Family::V4, rule, TCP_V4) == Some(hit != not));
            }
        }
        for text in [&b"eth 0"[..], b"eth\n", b"a/b", b"", b"0123456789abcde+"] {
            assert!(Device::from_text(text).is_none());
        }
        assert!(DeviceName::from_text(b"0123456789abcdef").is_none());
    }

    #[test]
    fn what_is_left_of_a_longer_name_does_not_count() {
        let input = DeviceName::raw(*b"eth0\0an0\0\0\0\0\0\0\0\0");
        for (text, hit) in [
            ("eth0", true),
            ("eth+", true),
            ("eth", false),
            ("eth0an0", false),
        ] {
            let value = Device::from_text(text.as_bytes()).unwrap();
            let rule = Rule {
                input: Some(Not::is(value)),
                target: Target::Drop,
                ..Rule::default()
            };
            let program = program(Family::V4, [("INPUT", rule)]).ok().unwrap();
            let packet = Flat {
                bytes: TCP_V4,
                input,
                ..Default::default()
            };
            let verdict =
                program.evaluate(Family::V4, &packet.at(Hook::LocalIn), &mut Seen::default());
            assert!((verdict == Verdict::Drop(DropReason::Rule)) == hit);
        }
    }

    #[test]
    fn protocols_and_fragments() {
        for (value, hit) in [(6, true), (17, false)] {
            for not in [false, true] {
                let rule = Rule {
                    protocol: Some(Not { value, not }),
                    ..Rule::default()
                };
                assert!(hits(Family::V4, rule, TCP_V4) == Some(hit != not));
            }
        }
        let all = Rule {
            protocol: Some(Not::is(0)),
            ..Rule::default()
        };
        assert!(hits(Family::V4, all, TCP_V4) == Some(true));
        let later = Bytes::of(TCP_V4).with(7, 2);
        for not in [false, true] {
            let rule = || Rule {
                fragment: Some(Not { value: true, not }),
                ..Rule::default()
            };
            assert!(hits(Family::V4, rule(), TCP_V4) == Some(not));
            assert!(hits(Family::V4, rule(), &later.0) == Some(!not));
        }
    }

    #[test]
    fn damaged_extension_headers_matter_only_to_a_rule_that_asks() {
        let damaged = Bytes::of(UDP_V6.get(..40).unwrap()).with(6, 60);
        let open = program(Family::V6, [("INPUT", all(Target::Accept))])
            .ok()
            .unwrap();
        assert!(judge(&open, Family::V6, &damaged.0).0 == Verdict::Accept);
        let rule = Rule {
            protocol: Some(Not::is(17)),
            target: Target::Accept,
            ..Rule::default()
        };
        let asking = program(Family::V6, [("INPUT", rule)]).ok().unwrap();
        let expected = Verdict::Drop(DropReason::MalformedExtensions);
        assert!(judge(&asking, Family::V6, &damaged.0).0 == expected);
    }

    #[test]
    fn a_jump_comes_back_and_a_goto_does_not() {
        let jumping = [("INPUT", jump("a")), ("INPUT", mark(2)), ("a", mark(1))];
        let program_ = program(Family::V4, jumping).ok().unwrap();
        assert!(judge(&program_, Family::V4, TCP_V4).1.mark == Some(3));
        let going = [("INPUT", goto("a")), ("INPUT", mark(2)), ("a", mark(1))];
        let program_ = program(Family::V4, going).ok().unwrap();
        assert!(judge(&program_, Family::V4, TCP_V4).1.mark == Some(1));
        // A chain entered by goto returns to whoever jumped last.
        let both = [
            ("INPUT", jump("a")),
            ("INPUT", mark(4)),
            ("a", goto("b")),
            ("a", mark(2)),
            ("b", mark(1)),
            ("b", all(Target::Return)),
            ("b", mark(8)),
        ];
        let program_ = program(Family::V4, both).ok().unwrap();
        assert!(judge(&program_, Family::V4, TCP_V4).1.mark == Some(5));
    }

    #[test]
    fn return_from_a_built_in_chain_is_its_policy() {
        let rules = [("INPUT", all(Target::Return)), ("INPUT", all(Target::Drop))];
        let program = program(Family::V4, rules).ok().unwrap();
        let (verdict, seen) = judge(&program, Family::V4, TCP_V4);
        assert!(verdict == Verdict::Accept);
        // The policy is slot 0, the rules follow.
        assert_eq!(seen.slots, 0b011);
    }

    #[test]
    fn targets_that_go_on() {
        let log = Target::Log(Log {
            level: 4,
            flags: 0,
            prefix: LogPrefix::default(),
        });
        let rules = [
            ("INPUT", all(log)),
            ("INPUT", all(Target::Continue)),
            ("INPUT", all(Target::Reject(Reject { code: Some(3) }))),
            ("INPUT", all(Target::Accept)),
        ];
        let program = program(Family::V4, rules).ok().unwrap();
        let (verdict, seen) = judge(&program, Family::V4, TCP_V4);
        assert!(verdict == Verdict::Reject(Reject { code: Some(3) }));
        assert_eq!(seen.effects.len(), 1);
        assert_eq!(seen.slots, 0b1110);
    }
}

// SPDX-License-Identifier: GPL-2.0
//! What must hold of packets and the connections that they are of: wherever their bytes lie, whatever they are.

use oxtables_engine::engine::conntrack::{
    Address, Direction, Invalid, Judgement, Machine, Setting, Settings, Subject, Tuple,
};
use oxtables_engine::engine::packet::{
    parse_v4, parse_v6, protocol, Body, Family, Flat, Hook, Input,
};

/// What is seen of a packet of which at most `linear` bytes lie in one piece; `None` where it can't be parsed.
fn seen<T>(
    family: Family,
    bytes: &[u8],
    linear: usize,
    hook: Hook,
    look: impl FnOnce(&Body<'_>) -> T,
) -> Option<T> {
    let flat = Flat {
        bytes,
        ..Flat::default()
    };
    let input = Input {
        linear: &bytes[..linear.min(bytes.len())],
        ..flat.at(hook)
    };
    match family {
        Family::V4 => parse_v4(&input, false).map(|packet| look(&packet.body)),
        Family::V6 => parse_v6(&input, false).map(|packet| look(&packet.body)),
    }
    .ok()
}

/// Where the source address is and how long it is, which the destination follows.
fn addresses(family: Family) -> (usize, usize) {
    match family {
        Family::V4 => (12, 4),
        Family::V6 => (8, 16),
    }
}

/// The packet that answers one whose transport header is at `offset`; `None` where more would have to be known.
fn answer(family: Family, bytes: &[u8], offset: usize, tuple: &Tuple) -> Option<Vec<u8>> {
    let mut answer = bytes.to_vec();
    let (start, length) = addresses(family);
    let (source, destination) = answer[start..start + 2 * length].split_at_mut(length);
    source.swap_with_slice(destination);
    match tuple.protocol {
        protocol::ICMP | protocol::ICMPV6 => {
            let [kind, _] = tuple.inverse()?.destination_id;
            answer[offset] = kind;
        }
        // The key is the receiver's, and the sender's is not in the packet.
        protocol::GRE if tuple.destination_id != [0; 2] => return None,
        protocol::TCP | protocol::UDP | protocol::UDPLITE | protocol::SCTP | protocol::DCCP => {
            let (source, destination) = answer[offset..offset + 4].split_at_mut(2);
            source.swap_with_slice(destination);
        }
        _ => (),
    }
    Some(answer)
}

/// An error about a packet, from nobody to `to`.
fn error(family: Family, bytes: &[u8], to: Address) -> Vec<u8> {
    let to: Vec<u8> = to.0.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let mut packet = match family {
        Family::V4 => vec![
            0x45,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            64,
            protocol::ICMP,
            0,
            0,
            0,
            0,
            0,
            0,
        ],
        Family::V6 => vec![0x60, 0, 0, 0, 0, 0, protocol::ICMPV6, 64],
    };
    if family == Family::V6 {
        packet.extend([0; 16]);
    }
    packet.extend(&to[..addresses(family).1]);
    packet.extend([3, 0, 0, 0, 0, 0, 0, 0]);
    packet.extend(bytes);
    packet
}

/// What must hold of a packet's tuple.
fn check(family: Family, bytes: &[u8], tuple: &Tuple) {
    let again = tuple.inverse().map(|inverse| {
        assert_eq!(inverse.direction, Direction::Reply);
        inverse.inverse()
    });
    assert!(again.is_none_or(|again| again == Some(*tuple)));

    let offset = seen(family, bytes, usize::MAX, Hook::LocalIn, |packet| {
        packet.transport.map(|transport| transport.offset)
    });
    let offset = offset.flatten().expect("the packet has a tuple");
    if let Some(answer) = answer(family, bytes, offset, tuple) {
        let answered = seen(family, &answer, usize::MAX, Hook::LocalIn, Tuple::of).flatten();
        let answered = answered.expect("the answer has a tuple too");
        assert!(tuple.inverse().expect("it was answered").is_flow(&answered));
    }

    // An error about it is one about its connection, unless it can't have one; and no other packet's.
    let settings = Settings::default();
    let look = |packet: &Body<'_>| Subject::of(packet, &settings);
    let about = error(family, bytes, tuple.source);
    let found = seen(family, &about, usize::MAX, Hook::LocalIn, look);
    let expected = match tuple.inverse() {
        Some(inverse) => Subject::Error(inverse),
        None => Subject::Invalid(Invalid::Quotation),
    };
    assert_eq!(found, Some(expected));
}

/// Connections, as few as they are.
#[derive(Default)]
struct Connections(Vec<Connection>);

struct Connection {
    tuples: [Tuple; 2],
    machine: Machine,
    seen_reply: bool,
}

impl Connections {
    /// A packet comes by. What it does to its connection, if it has one now.
    fn meet(&mut self, packet: &Body<'_>, tuple: &Tuple, settings: &Settings, now: u32) {
        let found = self.0.iter().position(|connection| {
            let mut tuples = connection.tuples.iter();
            tuples.any(|own| own.is_flow(tuple))
        });
        let Some(index) = found else {
            let (Some(inverse), Ok((machine, _))) = (
                tuple.inverse(),
                Machine::begin(packet, tuple, settings, now),
            ) else {
                return;
            };
            self.0.push(Connection {
                tuples: [*tuple, inverse],
                machine,
                seen_reply: false,
            });
            return;
        };
        let connection = &mut self.0[index];
        let way = if connection.tuples[0].is_flow(tuple) {
            Direction::Original
        } else {
            Direction::Reply
        };
        let before = connection.machine;
        let seen_reply = connection.seen_reply;
        match connection
            .machine
            .packet(packet, way, seen_reply, settings, now)
        {
            Judgement::Valid { .. } => connection.seen_reply |= way == Direction::Reply,
            Judgement::Invalid(_) => assert_eq!(connection.machine, before),
            Judgement::Again | Judgement::Ended => {
                self.0.remove(index);
            }
        }
    }
}

/// Packets, each after three bytes: its family, how much of it lies in one piece, and its length.
pub fn tuple(mut data: &[u8]) {
    let settings = Settings::default();
    let checked = Settings::default();
    settings
        .set(Setting::Checksum, 0)
        .expect("a switch can be off");
    let mut connections = Connections::default();
    let mut now = 0;
    while let [at, linear, length, rest @ ..] = data {
        let (bytes, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        data = rest;
        now += 1_000;
        let family = Family::ALL[usize::from(at % 2)];
        // The fixed part of the header always does.
        let pieces = 40 + usize::from(*linear);
        let look = |packet: &Body<'_>| Subject::of(packet, &checked);
        let subject = seen(family, bytes, usize::MAX, Hook::PreRouting, look);
        assert_eq!(seen(family, bytes, pieces, Hook::PreRouting, look), subject);

        let look = |packet: &Body<'_>| Subject::of(packet, &settings);
        let Some(Subject::Flow(tuple)) = seen(family, bytes, pieces, Hook::PreRouting, look) else {
            continue;
        };
        check(family, bytes, &tuple);
        seen(family, bytes, pieces, Hook::PreRouting, |packet| {
            connections.meet(packet, &tuple, &settings, now);
        });
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Queries of ICMP (RFC 792, RFC 950) and ICMPv6 (RFC 4443, RFC 4620): told apart by their identifiers, each with a type
//! of answer of its own.

use super::{Invalid, Judgement, Setting, Settings, Tuple};
use crate::engine::packet::{protocol, Body, Family};

/// Length of what all messages begin with: type, code, checksum, and four bytes that depend on the type.
pub(super) const HEADER: usize = 8;

/// Types of ICMP that ask, each with the type that answers: echo, timestamp, information, address mask.
const QUERIES: [(u8, u8); 4] = [(8, 0), (13, 14), (15, 16), (17, 18)];
/// The same of ICMPv6: echo, node information.
const QUERIES_V6: [(u8, u8); 2] = [(128, 129), (139, 140)];

/// The queries of a protocol.
const fn queries(protocol: u8) -> &'static [(u8, u8)] {
    match protocol {
        protocol::ICMP => &QUERIES,
        _ => &QUERIES_V6,
    }
}

/// The identifier, and type with code.
pub(super) fn ids(packet: &Body<'_>, offset: usize) -> Option<[[u8; 2]; 2]> {
    let mut buffer = [0; HEADER];
    let &[kind, code, _, _, i0, i1, _, _] = packet.header(offset, &mut buffer)?;
    Some([[i0, i1], [kind, code]])
}

/// The type of answers to this type of query, and of queries to this type of answer.
pub(super) fn inverse(protocol: u8, kind: u8) -> Option<u8> {
    let mut queries = queries(protocol).iter();
    queries.find_map(|&(query, answer)| match kind {
        _ if kind == query => Some(answer),
        _ if kind == answer => Some(query),
        _ => None,
    })
}

/// See [`Machine::begin`](super::Machine::begin): a query begins a connection, and nothing else does.
pub(super) fn begin(packet: &Body<'_>, tuple: &Tuple, settings: &Settings) -> Result<u32, Invalid> {
    let [kind, _] = tuple.destination_id;
    let mut queries = queries(tuple.protocol).iter();
    let asks = queries.any(|(query, _)| *query == kind);
    match (packet.family(), tuple.protocol) {
        (Family::V4, protocol::ICMP) | (Family::V6, protocol::ICMPV6) if asks => {
            Ok(timeout(packet, settings))
        }
        _ => Err(Invalid::Beginning),
    }
}

/// See [`Machine::packet`](super::Machine::packet). An answer does not end the connection: the next query has the same
/// identifier, and answers may come twice.
pub(super) fn packet(packet: &Body<'_>, settings: &Settings) -> Judgement {
    Judgement::refreshed(timeout(packet, settings), false)
}

fn timeout(packet: &Body<'_>, settings: &Settings) -> u32 {
    settings.get(match packet.family() {
        Family::V4 => Setting::IcmpTimeout,
        Family::V6 => Setting::Icmpv6Timeout,
    })
}

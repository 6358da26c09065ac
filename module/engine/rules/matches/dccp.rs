// SPDX-License-Identifier: GPL-2.0
//! `-m dccp`: ports, packet types and options of a DCCP header (RFC 4340, section 5).

use super::options::TransportOptions;
use super::ports::transport_header;
use super::{Matcher, Outcome, PortPair, PortRange};
use crate::alloc::AllocError;
use crate::engine::packet::{protocol, Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};
use crate::wire;

/// Length of the generic header with short sequence numbers, in bytes.
const GENERIC_HEADER: usize = 12;
/// How much longer it is with long ones.
const LONG_SEQUENCE: usize = 4;

/// Packet types, a bit each by their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DccpTypes(u16);

impl DccpTypes {
    /// How many types can be asked for: those of the RFC from 0 on, and all reserved ones as one.
    pub const COUNT: u8 = 11;

    /// These and the type of this number; `None` when that can't be asked for.
    pub fn with(self, kind: u8) -> Option<Self> {
        (kind < Self::COUNT).then(|| Self(self.0 | 1 << kind))
    }

    /// Whether the type is among them.
    pub fn contains(self, kind: u8) -> bool {
        self.0 & 1 << kind.min(Self::COUNT - 1) != 0
    }
}

/// On netlink: a number with a bit for each type.
impl Field for DccpTypes {
    const KIND: Kind = Kind::U16;

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        self.0.put(id, to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        match u16::get(from)? {
            0 => Err(from.invalid("no packet type is asked for")),
            bits if bits >> Self::COUNT != 0 => Err(from.invalid("not a packet type")),
            bits => Ok(Self(bits)),
        }
    }
}

wire! {
    /// The match.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Dccp, "dccp-attrs" {
        /// `--source-port`
        2 source: Option<Not<PortRange>>,
        /// `--destination-port`
        3 destination: Option<Not<PortRange>>,
        /// `--dccp-types`
        4 types: Option<Not<DccpTypes>>,
        /// `--dccp-option`: an option of this type is there.
        5 option: Option<Not<u8>>,
    }
}

impl Dccp {
    fn port_pair(&self) -> PortPair {
        PortPair {
            source: self.source,
            destination: self.destination,
        }
    }
}

/// Length of what follows the generic header in a packet of this type, in bytes.
fn more_header(kind: u8) -> usize {
    match kind {
        // Request: a service code.
        0 => 4,
        // Data.
        2 => 0,
        // Ack, DataAck, CloseReq, Close, Sync, SyncAck: an acknowledgement number.
        3..=6 | 8 | 9 => 8,
        // Response and Reset: both. What the RFC does not know counts as the latter, as in the kernel.
        _ => 12,
    }
}

impl Matcher for Dccp {
    fn check(&self, _: Family, rule: &Rule) -> Result<(), &'static str> {
        if self.option.is_some_and(|option| option.value == 0) {
            return Err("DCCP option 0 is only padding");
        }
        if rule.exact_protocol() == Some(protocol::DCCP) {
            Ok(())
        } else {
            Err("the dccp match needs -p dccp")
        }
    }

    fn ports(&self) -> Option<PortPair> {
        Some(self.port_pair())
    }

    fn asks(&self) -> bool {
        self.types.is_some() || self.option.is_some()
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        match self.port_pair().test(packet) {
            Outcome::Yes => (),
            outcome => return outcome,
        }
        let mut buffer = [0; GENERIC_HEADER];
        let &[_, _, _, _, data_offset, _, _, _, type_and_x, ..] =
            match transport_header(packet, &mut buffer) {
                Ok(header) => header,
                Err(outcome) => return outcome,
            };
        let kind = type_and_x >> 1 & 0xf;
        if let Some(asked) = self.types {
            if asked.value.contains(kind) == asked.not {
                return Outcome::No;
            }
        }
        let Some(asked) = self.option else {
            return Outcome::Yes;
        };
        let sequence = usize::from(type_and_x & 1) * LONG_SEQUENCE;
        let first = GENERIC_HEADER + sequence + more_header(kind);
        match TransportOptions::between(packet, first, usize::from(data_offset) * 4) {
            Ok(mut list) => {
                Outcome::from(list.any(|option| option.kind == asked.value) != asked.not)
            }
            Err(outcome) => outcome,
        }
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_dccp))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, v6, Bytes};
    use crate::engine::packet::DropReason;
    use crate::engine::rules::Match;

    /// A Request with long sequence numbers from port 1024 to 22, and options 1, 40 and 41.
    const REQUEST: &[u8] = &[
        4, 0, 0, 22, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, // generic header
        0, 0, 0, 42, // service code
        1, 40, 4, 41, 0, 41, 2, 0, // options
    ];

    fn test(dccp: Dccp, header: &[u8]) -> Outcome {
        let packet = v6(protocol::DCCP, header);
        holds(Family::V6, protocol::DCCP, Match::Dccp(dccp), &packet.0)
    }

    fn types(kinds: &[u8], not: bool) -> Dccp {
        let value = kinds.iter().fold(DccpTypes::default(), |types, kind| {
            types.with(*kind).unwrap()
        });
        Dccp {
            types: Some(Not { value, not }),
            ..Dccp::default()
        }
    }

    fn option(value: u8, not: bool) -> Dccp {
        Dccp {
            option: Some(Not { value, not }),
            ..Dccp::default()
        }
    }

    #[test]
    fn ports_at_the_edges() {
        for (first, last, hit) in [(22, 22, true), (0, 21, false), (23, 65535, false)] {
            for not in [false, true] {
                let value = PortRange { first, last };
                let dccp = Dccp {
                    destination: Some(Not { value, not }),
                    ..Dccp::default()
                };
                assert!(test(dccp, REQUEST) == Outcome::from(hit != not));
            }
        }
        let value = PortRange {
            first: 1024,
            last: 1024,
        };
        let dccp = Dccp {
            source: Some(Not::is(value)),
            ..Dccp::default()
        };
        assert!(test(dccp, REQUEST) == Outcome::Yes);
    }

    #[test]
    fn packet_types() {
        for (kinds, hit) in [(&[0][..], true), (&[1, 0, 9], true), (&[1, 10], false)] {
            for not in [false, true] {
                assert!(test(types(kinds, not), REQUEST) == Outcome::from(hit != not));
            }
        }
        // Types 10, 11 and 15, which are reserved.
        for kind in [10, 11, 15] {
            let odd = Bytes::of(REQUEST).with(8, kind << 1);
            for not in [false, true] {
                assert!(test(types(&[0, 10], not), &odd.0) == Outcome::from(!not));
                assert!(test(types(&[0, 7, 9], not), &odd.0) == Outcome::from(not));
            }
        }
        assert!(DccpTypes::default().with(11).is_none());
    }

    #[test]
    fn options() {
        for (value, hit) in [(1, true), (40, true), (41, true), (2, false), (42, false)] {
            for not in [false, true] {
                assert!(test(option(value, not), REQUEST) == Outcome::from(hit != not));
            }
        }
        // Without room for options there are none.
        let none = Bytes::of(REQUEST).with(4, 5);
        assert!(test(option(1, false), &none.0) == Outcome::No);
        assert!(test(option(1, true), &none.0) == Outcome::Yes);
    }

    #[test]
    fn options_begin_where_the_type_says() {
        // A header of 28 bytes, all of whose last 16 look like options: how many of them are?
        let header = |kind: u8, x| {
            let mut bytes = Bytes::of(REQUEST.get(..12).unwrap()).with(4, 7);
            for at in 100..116 {
                bytes = bytes.then(&[at]);
            }
            bytes.with(8, kind << 1 | x)
        };
        for (kind, more) in [
            (0, 4),
            (1, 12),
            (2, 0),
            (3, 8),
            (4, 8),
            (5, 8),
            (6, 8),
            (7, 12),
            (8, 8),
            (9, 8),
            (10, 12),
            (15, 12),
        ] {
            for x in [0, 1] {
                let first = more + 4 * x;
                let asked = option(100 + first, false);
                let outcome = test(asked, &header(kind, x).0);
                assert!(outcome == Outcome::from(first < 16));
                if first > 0 {
                    let asked = option(99 + first, false);
                    assert!(test(asked, &header(kind, x).0) == Outcome::No);
                }
            }
        }
    }

    #[test]
    fn damaged_headers_are_dropped() {
        let truncated = Outcome::Drop(DropReason::TruncatedTransport);
        for length in 0..12 {
            let cut = REQUEST.get(..length).unwrap();
            assert!(test(Dccp::default(), cut) == truncated);
        }
        for not in [false, true] {
            for length in 12..REQUEST.len() {
                let cut = REQUEST.get(..length).unwrap();
                assert!(test(option(1, not), cut) == truncated);
            }
            // A header that is shorter than its type says.
            for data_offset in 0..5 {
                let short = Bytes::of(REQUEST).with(4, data_offset);
                let outcome = test(option(1, not), &short.0);
                assert!(outcome == Outcome::Drop(DropReason::MalformedTransport));
            }
        }
        assert!(test(types(&[0], false), REQUEST.get(..12).unwrap()) == Outcome::Yes);
    }

    #[test]
    fn what_it_can_not_be() {
        let rule = |protocol| Rule {
            protocol: Some(Not::is(protocol)),
            ..Rule::default()
        };
        assert!(Dccp::default().check(Family::V4, &rule(33)).is_ok());
        assert!(Dccp::default().check(Family::V6, &rule(132)).is_err());
        assert!(option(0, false).check(Family::V4, &rule(33)).is_err());
    }
}

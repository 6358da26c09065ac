// SPDX-License-Identifier: GPL-2.0
//! `-m multiport`: lists of ports and ranges.

use super::ports::transport_header;
use super::{Matcher, Outcome, PortRange};
use crate::alloc::AllocError;
use crate::engine::packet::{protocol, Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Errno, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};
use crate::{numbered, wire};

/// Which of a packet's ports is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Side {
    /// `--source-ports`
    Source = 0,
    /// `--destination-ports`
    Destination = 1,
    /// `--ports`: either of the two.
    Either = 2,
}

impl Side {
    /// The sides in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Source, Self::Destination, Self::Either];
}

numbered! { Side, Errno::Invalid, "not a side of multiport"; }

/// How many ports a list holds; a range counts as two, as in iptables.
const MAX_PORTS: usize = 15;

/// A list of ports and ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    ranges: [PortRange; MAX_PORTS],
    len: u8,
}

impl Ports {
    /// How many ports a list holds; a range counts as two.
    pub const MAX: usize = MAX_PORTS;

    /// A list of these; `None` when there is none, or there are too many.
    pub fn new(ranges: impl Iterator<Item = PortRange>) -> Option<Self> {
        let mut list = Self {
            ranges: [PortRange { first: 0, last: 0 }; MAX_PORTS],
            len: 0,
        };
        let mut ports = 0;
        for range in ranges {
            ports += if range.first == range.last { 1 } else { 2 };
            if ports > MAX_PORTS {
                return None;
            }
            *list.ranges.get_mut(usize::from(list.len))? = range;
            list.len += 1;
        }
        (list.len != 0).then_some(list)
    }

    /// The ports and ranges in the order in which they were given.
    #[inline]
    pub fn ranges(&self) -> &[PortRange] {
        self.ranges.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// On netlink: for each range, its lowest and highest port as 16-bit numbers in host order.
impl Field for Ports {
    const KIND: Kind = Kind::Bytes(4 * MAX_PORTS as u16);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        let mut bytes = [0; 4 * MAX_PORTS];
        let numbers = self
            .ranges()
            .iter()
            .flat_map(|range| [range.first, range.last]);
        for (to, from) in bytes.iter_mut().zip(numbers.flat_map(u16::to_ne_bytes)) {
            *to = from;
        }
        to.put(
            id,
            bytes.get(..4 * usize::from(self.len)).unwrap_or_default(),
        )
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let mut reversed = false;
        let ranges = from.data.chunks_exact(4).filter_map(|chunk| match *chunk {
            [f0, f1, l0, l1] => {
                let first = u16::from_ne_bytes([f0, f1]);
                let last = u16::from_ne_bytes([l0, l1]);
                reversed |= first > last;
                Some(PortRange { first, last })
            }
            _ => None,
        });
        let list = Self::new(ranges);
        match list {
            Some(list) if from.data.len() % 4 == 0 && !reversed => Ok(list),
            _ if reversed => Err(from.invalid("port range is reversed")),
            _ => Err(from.invalid("multiport takes 1 to 15 ports, a range counts as two")),
        }
    }
}

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Multiport, "multiport-attrs" {
        /// Which of the ports.
        2 side: Side,
        /// The list; negated where none of it may be the packet's.
        3 ports: Not<Ports>,
    }
}

impl Matcher for Multiport {
    fn check(&self, _: Family, rule: &Rule) -> Result<(), &'static str> {
        match rule.exact_protocol() {
            Some(
                protocol::TCP | protocol::UDP | protocol::UDPLITE | protocol::SCTP | protocol::DCCP,
            ) => Ok(()),
            _ => Err("multiport needs -p tcp, udp, udplite, sctp or dccp"),
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let mut buffer = [0; 4];
        let &[s0, s1, d0, d1] = match transport_header(packet, &mut buffer) {
            Ok(header) => header,
            Err(outcome) => return outcome,
        };
        let source = u16::from_be_bytes([s0, s1]);
        let destination = u16::from_be_bytes([d0, d1]);
        let found = self
            .ports
            .value
            .ranges()
            .iter()
            .any(|range| match self.side {
                Side::Source => range.contains(source),
                Side::Destination => range.contains(destination),
                Side::Either => range.contains(source) || range.contains(destination),
            });
        Outcome::from(found != self.ports.not)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_multiport))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, TCP_V4};
    use crate::engine::packet::DropReason;
    use crate::engine::rules::Match;

    fn list(ranges: &[(u16, u16)]) -> Option<Ports> {
        Ports::new(
            ranges
                .iter()
                .map(|&(first, last)| PortRange { first, last }),
        )
    }

    #[test]
    fn lists_and_sides() {
        // The packet goes from 1024 to 22.
        type Case = (&'static [(u16, u16)], [bool; 3]);
        let cases: [Case; 5] = [
            (&[(22, 22)], [false, true, true]),
            (&[(1024, 1024)], [true, false, true]),
            (&[(80, 80), (20, 30)], [false, true, true]),
            (&[(23, 1023)], [false, false, false]),
            (&[(0, 65535)], [true, true, true]),
        ];
        for (ranges, hits) in cases {
            for (side, hit) in [Side::Source, Side::Destination, Side::Either]
                .into_iter()
                .zip(hits)
            {
                for not in [false, true] {
                    let ports = Not {
                        value: list(ranges).unwrap(),
                        not,
                    };
                    let item = Match::Multiport(Multiport { side, ports });
                    assert!(holds(Family::V4, 6, item, TCP_V4) == Outcome::from(hit != not));
                }
            }
        }
    }

    #[test]
    fn a_range_counts_as_two() {
        assert!(list(&[]).is_none());
        assert!(list(&[(1, 1); MAX_PORTS]).is_some());
        assert!(list(&[(1, 1); MAX_PORTS + 1]).is_none());
        assert!(list(&[(1, 2); MAX_PORTS / 2]).is_some());
        assert!(list(&[(1, 2); MAX_PORTS / 2 + 1]).is_none());
    }

    #[test]
    fn four_bytes_of_header_are_enough() {
        let item = || {
            let ports = Not::is(list(&[(22, 22)]).unwrap());
            Match::Multiport(Multiport {
                side: Side::Destination,
                ports,
            })
        };
        let enough = TCP_V4.get(..24).unwrap();
        assert!(holds(Family::V4, 6, item(), enough) == Outcome::Yes);
        let short = TCP_V4.get(..23).unwrap();
        let dropped = Outcome::Drop(DropReason::TruncatedTransport);
        assert!(holds(Family::V4, 6, item(), short) == dropped);
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m connlimit`: how many connections there are of the packet's network.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::conntrack::{Direction, Tuple};
use crate::engine::packet::{prefix, Body, DropReason, Family, Status};
use crate::engine::rules::counts::{Counts, Moment, Shown};
use crate::engine::rules::memory::Memory;
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::wire;

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Connlimit, "connlimit-attrs" {
        /// `--connlimit-upto`, or negated `--connlimit-above`: so many connections, that of the packet among them.
        2 limit: Not<u32>,
        /// `--connlimit-mask`: how many bits of an address make a network.
        3 bits: u8,
        /// `--connlimit-daddr`: networks are those of destinations, and not of sources.
        4 destination: bool,
    }
    state {
        /// The connections.
        counted: Memory<Counts>
    }
}

impl Matcher for Connlimit {
    fn check(&self, family: Family, _: &Rule) -> Result<(), &'static str> {
        if self.bits > family.bits() {
            return Err("an address has fewer bits than the connlimit's mask");
        }
        Ok(())
    }

    fn tracks(&self) -> bool {
        true
    }

    /// A packet without a connection is counted by its flow, as long as it is there: nobody finds that in the tracker's
    /// table.
    fn test(&self, packet: &Body<'_>) -> Outcome {
        let source = packet.source();
        let (flow, zone, status) = match source.connection() {
            Some(connection) => (
                Some(connection.original),
                connection.zone,
                connection.status,
            ),
            None => (Tuple::of(packet), packet.zone(), Status::default()),
        };
        let Some(flow) = flow else {
            return Outcome::Drop(DropReason::TruncatedTransport);
        };
        let address = if self.destination {
            packet.destination_address()
        } else {
            packet.source_address()
        };
        let shown = Shown {
            network: prefix(address, self.bits),
            flow,
            zone: zone.of(Direction::Original),
            proved: status.has_some(Status::ASSURED),
            limit: self.limit.value,
        };
        let moment = Moment {
            now: source.monotonic(),
            processor: source.processor(),
        };
        match self.counted.count(
            &shown,
            moment,
            || source.random(),
            |flow, zone| source.is_open(flow, zone),
        ) {
            Some(count) => Outcome::from((count <= self.limit.value) != self.limit.not),
            None => Outcome::Drop(DropReason::TooManyFlows),
        }
    }

    fn remembers(&self) -> bool {
        true
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_connlimit))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{connection_v4, connection_v6, flat, holds_of, Bytes};
    use crate::engine::fixtures::{TCP_V4, UDP_V6};
    use crate::engine::packet::{Connection, Flat, Tracked};

    #[test]
    fn connections_of_a_network() {
        // The last bytes of source and destination, and how many of the network are counted then.
        for (bits, destination, counts) in [
            (32, false, [1, 1, 2, 1]),
            (24, false, [1, 2, 3, 4]),
            (32, true, [1, 2, 1, 3]),
            (0, true, [1, 2, 3, 4]),
        ] {
            let item = connlimit(2, bits, destination);
            for ((source, end), count) in [(1, 1), (2, 1), (1, 2), (3, 1)].into_iter().zip(counts) {
                let outcome = asked(&item, source, end);
                assert_eq!(outcome, Outcome::from(count <= 2));
            }
        }
    }

    #[test]
    fn above_is_what_upto_is_not() {
        for not in [false, true] {
            let mut item = connlimit(1, 0, false);
            item.limit.not = not;
            assert_eq!(asked(&item, 1, 1), Outcome::from(!not));
            assert_eq!(asked(&item, 2, 1), Outcome::from(not));
        }
        // Not even the first.
        assert_eq!(asked(&connlimit(0, 0, false), 1, 1), Outcome::No);
    }

    #[test]
    fn packets_without_a_connection() {
        let item = connlimit(1, 0, false);
        assert_eq!(holds_of(Family::V4, &item, &flat(TCP_V4)), Outcome::Yes);
        // Nobody tells of it: the next one is the first again.
        let other = Bytes::of(TCP_V4).with(21, 7);
        assert_eq!(holds_of(Family::V4, &item, &flat(&other.0)), Outcome::Yes);
        let fragment = Bytes::of(TCP_V4).with(7, 2);
        let outcome = holds_of(Family::V4, &item, &flat(&fragment.0));
        assert_eq!(outcome, Outcome::Drop(DropReason::TruncatedTransport));
    }

    #[test]
    fn ipv6() {
        for (bits, second) in [(128, Outcome::Yes), (127, Outcome::Yes), (126, Outcome::No)] {
            let item = connlimit(1, bits, false);
            for (last, outcome) in [(1, Outcome::Yes), (2, second)] {
                let bytes = Bytes::of(UDP_V6).with(23, last);
                let mut connection = connection_v6();
                connection.original.source_id = [last, 0];
                assert_eq!(held(&item, Family::V6, &bytes.0, connection), outcome);
            }
        }
    }

    #[test]
    fn a_mask_is_no_longer_than_an_address() {
        for (family, bits) in [(Family::V4, 32), (Family::V6, 128)] {
            let check = |bits| connlimit(1, bits, false).check(family, &Rule::default());
            assert!(check(bits).is_ok() && check(bits + 1).is_err());
        }
    }

    fn connlimit(value: u32, bits: u8, destination: bool) -> Connlimit {
        Connlimit {
            limit: Not::is(value),
            bits,
            destination,
            counted: Memory::new().unwrap(),
        }
    }

    /// A packet of a connection between two addresses with these last bytes, of which there is one.
    fn asked(item: &Connlimit, source: u8, destination: u8) -> Outcome {
        let bytes = Bytes::of(TCP_V4).with(15, source).with(19, destination);
        let mut connection = connection_v4();
        connection.original.source_id = [source, destination];
        held(item, Family::V4, &bytes.0, connection)
    }

    fn held(item: &Connlimit, family: Family, bytes: &[u8], connection: Connection) -> Outcome {
        let packet = Flat {
            all_open: true,
            tracked: Tracked {
                connection: Some(connection),
                ..Tracked::default()
            },
            ..flat(bytes)
        };
        holds_of(family, item, &packet)
    }
}

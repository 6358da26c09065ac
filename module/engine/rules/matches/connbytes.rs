// SPDX-License-Identifier: GPL-2.0
//! `-m connbytes`: how much the packet's connection has transferred so far.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::conntrack::Direction;
use crate::engine::packet::{Body, Family};
use crate::engine::rules::model::{Counters, Rule};
use crate::uapi::field::Not;
use crate::uapi::range::Range;
use crate::uapi::Errno;
use crate::{numbered, wire};

/// What of a connection is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Transferred {
    /// Packets.
    Packets = 0,
    /// Their bytes, from the network header on.
    Bytes = 1,
    /// Bytes a packet, rounded down; 0 where there was none.
    Average = 2,
}

impl Transferred {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Packets, Self::Bytes, Self::Average];
}

numbered! {
    Transferred, Errno::Range, "what is counted must be 0 (packets), 1 (bytes) or 2 (average)";
}

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Connbytes, "connbytes-attrs" {
        /// `--connbytes`
        2 range: Not<Range<u64>>,
        /// `--connbytes-mode`
        3 what: Transferred,
        /// `--connbytes-dir`: which packets are counted; those of both directions where it is not there.
        4 direction: Option<Direction>,
    }
}

impl Connbytes {
    fn amount(&self, [original, reply]: [Counters; 2]) -> u64 {
        let Counters { packets, bytes } = match self.direction {
            Some(Direction::Original) => original,
            Some(Direction::Reply) => reply,
            None => Counters {
                packets: original.packets.wrapping_add(reply.packets),
                bytes: original.bytes.wrapping_add(reply.bytes),
            },
        };
        match self.what {
            Transferred::Packets => packets,
            Transferred::Bytes => bytes,
            Transferred::Average => bytes.checked_div(packets).unwrap_or(0),
        }
    }
}

impl Matcher for Connbytes {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        Ok(())
    }

    fn tracks(&self) -> bool {
        true
    }

    /// A connection that is not counted has no number to be outside of a range.
    fn test(&self, packet: &Body<'_>) -> Outcome {
        let connection = packet.source().connection();
        let counters = connection.and_then(|connection| connection.counters);
        Outcome::from(counters.is_some_and(|counters| self.range.holds(self.amount(counters))))
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_connbytes))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{connection_v4, flat, holds_of, one, TCP_V4};
    use crate::engine::packet::{Connection, Flat, Tracked};
    use crate::engine::rules::Match;

    const BOTH: [Counters; 2] = [
        Counters {
            packets: 4,
            bytes: 403,
        },
        Counters {
            packets: 0,
            bytes: 1 << 40,
        },
    ];

    #[test]
    fn what_is_counted() {
        let (original, reply) = (Some(Direction::Original), Some(Direction::Reply));
        for (what, direction, amount) in [
            (Transferred::Packets, original, 4),
            (Transferred::Packets, reply, 0),
            (Transferred::Packets, None, 4),
            (Transferred::Bytes, original, 403),
            (Transferred::Bytes, reply, 1 << 40),
            (Transferred::Bytes, None, (1 << 40) + 403),
            (Transferred::Average, original, 100),
            (Transferred::Average, reply, 0),
            (Transferred::Average, None, ((1 << 40) + 403) / 4),
        ] {
            for (first, last, hit) in [
                (amount, amount, true),
                (amount + 1, u64::MAX, false),
                (0, amount, true),
                (0, u64::MAX, true),
            ] {
                for not in [false, true] {
                    let item = Connbytes {
                        range: Not {
                            value: Range { first, last },
                            not,
                        },
                        what,
                        direction,
                    };
                    assert_eq!(asked(&item, Some(BOTH)), Outcome::from(hit != not));
                    assert_eq!(asked(&item, None), Outcome::No);
                }
            }
        }
    }

    #[test]
    fn a_program_tells_that_connections_are_to_be_counted() {
        let value = Range { first: 0, last: 1 };
        let item = Match::Connbytes(Connbytes {
            range: Not::is(value),
            what: Transferred::Packets,
            direction: None,
        });
        assert!(one(item).is_ok_and(|program| program.counts_connections()));
        let item = Match::Length(super::super::Length {
            length: Not::is(Range { first: 0, last: 1 }),
        });
        assert!(one(item).is_ok_and(|program| !program.counts_connections()));
    }

    fn asked(item: &Connbytes, counters: Option<[Counters; 2]>) -> Outcome {
        let packet = Flat {
            tracked: Tracked {
                connection: Some(Connection {
                    counters,
                    ..connection_v4()
                }),
                ..Tracked::default()
            },
            ..flat(TCP_V4)
        };
        holds_of(Family::V4, item, &packet)
    }
}

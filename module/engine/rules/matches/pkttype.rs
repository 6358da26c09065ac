// SPDX-License-Identifier: GPL-2.0
//! `-m pkttype`: whom the packet is for, by the link layer.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family, PacketType};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};
use crate::wire;

/// Where the destination address of an IPv4 header is, in bytes (RFC 791, section 3.1).
const DESTINATION: usize = 16;

/// On netlink: the type's number in 8 bits. The first four are what rules can ask for.
impl Field for PacketType {
    const KIND: Kind = Kind::U8;

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        (*self as u8).put(id, to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        match Self::from_number(u8::get(from)?) {
            Some(kind @ (Self::Unicast | Self::Broadcast | Self::Multicast | Self::OtherHost)) => {
                Ok(kind)
            }
            _ => Err(from.invalid("not a packet type that rules can ask for")),
        }
    }
}

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Pkttype, "pkttype-attrs" {
        /// `--pkt-type`
        2 packet_type: Not<PacketType>,
    }
}

impl Matcher for Pkttype {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let found = match packet.source().packet_type() {
            // A copy of what this machine sent does not say to whom. IPv6 sends none to all.
            PacketType::Loopback if packet.family() == Family::V6 || is_multicast(packet) => {
                PacketType::Multicast
            }
            PacketType::Loopback => PacketType::Broadcast,
            found => found,
        };
        Outcome::from((found == self.packet_type.value) != self.packet_type.not)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

/// Whether the destination of an IPv4 packet is a group (RFC 1112, section 4).
fn is_multicast(packet: &Body<'_>) -> bool {
    let mut buffer = [0; 1];
    packet
        .header(DESTINATION, &mut buffer)
        .is_some_and(|[first]| first >> 4 == 0xe)
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_pkttype))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{asked, Bytes, TCP_V4, UDP_V6};
    use crate::engine::packet::Metadata;
    use crate::engine::rules::Match;
    use PacketType::{Broadcast, Loopback, Multicast, OtherHost, Outgoing, Unicast};

    #[test]
    fn types_and_copies() {
        let group = Bytes::of(TCP_V4).with(16, 239);
        let cases = [
            (Family::V4, TCP_V4, Unicast, Unicast),
            (Family::V4, TCP_V4, Broadcast, Broadcast),
            (Family::V4, TCP_V4, Multicast, Multicast),
            (Family::V4, TCP_V4, OtherHost, OtherHost),
            (Family::V4, TCP_V4, Outgoing, Outgoing),
            (Family::V4, TCP_V4, Loopback, Broadcast),
            (Family::V4, &group.0, Loopback, Multicast),
            (Family::V4, &group.0, Unicast, Unicast),
            (Family::V6, UDP_V6, Loopback, Multicast),
            (Family::V6, UDP_V6, Unicast, Unicast),
        ];
        for (family, bytes, packet_type, seen) in cases {
            for value in [Unicast, Broadcast, Multicast, OtherHost] {
                for not in [false, true] {
                    let item = Match::Pkttype(Pkttype {
                        packet_type: Not { value, not },
                    });
                    let metadata = Metadata {
                        packet_type,
                        ..Metadata::default()
                    };
                    let outcome = asked(family, item, bytes, metadata);
                    assert!(outcome == Outcome::from((seen == value) != not));
                }
            }
        }
    }
}

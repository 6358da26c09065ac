// SPDX-License-Identifier: GPL-2.0
//! What tells one flow from another: addresses, protocol, and what the protocol tells its flows apart by.

use super::{gre, icmp, Direction};
use crate::engine::packet::{protocol, Body, Family, Transport};
use crate::engine::siphash::SipHash;

/// An address: 16 bytes in network order, as the words that they are in memory. One of IPv4 is the first word, and
/// the others are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Address(pub [u32; 4]);

impl Address {
    /// An address of IPv4.
    #[inline]
    pub const fn v4(octets: [u8; 4]) -> Self {
        Self([u32::from_ne_bytes(octets), 0, 0, 0])
    }

    /// An address of IPv6.
    #[inline]
    pub const fn v6(octets: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = octets;
        Self([
            u32::from_ne_bytes([a, b, c, d]),
            u32::from_ne_bytes([e, f, g, h]),
            u32::from_ne_bytes([i, j, k, l]),
            u32::from_ne_bytes([m, n, o, p]),
        ])
    }
}

/// A flow in one direction. Laid out as `struct nf_conntrack_tuple` is, which parts of the kernel read that know of
/// no tracker but the kernel's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Tuple {
    /// Where packets come from.
    pub source: Address,
    /// What they come from there, in network order: a port, or the identifier of an ICMP query.
    pub source_id: [u8; 2],
    /// The number of the family (NFPROTO_*), in host order.
    pub family: u16,
    /// Where they go.
    pub destination: Address,
    /// What they go to there, in network order: a port, the key of GRE, or type and code of an ICMP query.
    pub destination_id: [u8; 2],
    /// The protocol's number.
    pub protocol: u8,
    /// Whether packets that begin the connection are like this, or those that answer.
    pub direction: Direction,
}

impl Tuple {
    /// The flow that a packet is of, as if it began a connection. `None` where the packet does not tell: it is a
    /// fragment, or damaged as far as the headers that would.
    #[inline]
    pub fn of(packet: &Body<'_>) -> Option<Self> {
        let transport = whole(packet.transport?)?;
        let ids = match packet.find_ports().known().ok()? {
            Some((source, destination)) => [source, destination].map(u16::to_be_bytes),
            None => ids(packet, transport)?,
        };
        Self::new(packet, 0, transport.protocol, ids)
    }

    /// The flow that a packet was of which another one quotes, from `offset` on. Of the transport header there must be
    /// as much as the smallest quotation has, 8 bytes (RFC 792).
    pub(super) fn of_quoted(packet: &Body<'_>, offset: usize) -> Option<Self> {
        let transport = whole(packet.inner_transport(offset)?)?;
        let ids = match transport.protocol {
            protocol::TCP | protocol::UDP | protocol::UDPLITE | protocol::SCTP | protocol::DCCP => {
                let mut buffer = [0; 8];
                let &[s0, s1, d0, d1, ..] = packet.header(transport.offset, &mut buffer)?;
                [[s0, s1], [d0, d1]]
            }
            _ => ids(packet, transport)?,
        };
        Self::new(packet, offset, transport.protocol, ids)
    }

    /// Takes the addresses from the network header at `offset`.
    #[inline]
    fn new(
        packet: &Body<'_>,
        offset: usize,
        protocol: u8,
        [source_id, destination_id]: [[u8; 2]; 2],
    ) -> Option<Self> {
        let (source, destination) = addresses(packet, offset)?;
        Some(Self {
            source,
            source_id,
            family: u16::from(packet.family() as u8),
            destination,
            destination_id,
            protocol,
            direction: Direction::Original,
        })
    }

    /// The flow that answers are of; `None` where there are none.
    #[inline]
    pub fn inverse(&self) -> Option<Self> {
        let (source_id, destination_id) = match self.protocol {
            protocol::ICMP | protocol::ICMPV6 => {
                let [kind, code] = self.destination_id;
                let answer = icmp::inverse(self.protocol, kind)?;
                (self.source_id, [answer, code])
            }
            _ => (self.destination_id, self.source_id),
        };
        Some(Self {
            source: self.destination,
            source_id,
            family: self.family,
            destination: self.source,
            destination_id,
            protocol: self.protocol,
            direction: self.direction.other(),
        })
    }

    /// All that tells the flow from others: everything but its direction.
    #[inline]
    pub fn words(&self) -> [u64; 5] {
        let Address([s0, s1, s2, s3]) = self.source;
        let Address([d0, d1, d2, d3]) = self.destination;
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        let [i0, i1] = self.source_id;
        let [i2, i3] = self.destination_id;
        let ids = u32::from_ne_bytes([i0, i1, i2, i3]);
        let kind = u32::from(self.family) << 8 | u32::from(self.protocol);
        [
            pair(s0, d0),
            pair(ids, kind),
            pair(s1, s2),
            pair(s3, d3),
            pair(d1, d2),
        ]
    }

    /// Whether the other is the same flow, be it in its own connection's first direction or not.
    #[inline]
    pub fn is_flow(&self, other: &Self) -> bool {
        self.words() == other.words()
    }

    /// Adds the flow to a hash, as one of this zone.
    #[inline]
    pub fn add_to(&self, hash: &mut SipHash, zone: u16) {
        let [addresses, ids, rest @ ..] = self.words();
        hash.word(addresses);
        hash.word(ids);
        // The first word is all that addresses of IPv4 have. How many words there were is part of the hash.
        if self.family == u16::from(Family::V6 as u8) {
            for word in rest {
                hash.word(word);
            }
        }
        // As above, and so is the word that most flows do without.
        if zone != 0 {
            hash.word(zone.into());
        }
    }
}

/// Source and destination of the packet whose network header is at `offset`.
#[inline]
pub(super) fn addresses(packet: &Body<'_>, offset: usize) -> Option<(Address, Address)> {
    match packet.family() {
        Family::V4 => {
            let mut buffer = [0; 8];
            let &[a, b, c, d, e, f, g, h] = packet.header(offset.checked_add(12)?, &mut buffer)?;
            Some((Address::v4([a, b, c, d]), Address::v4([e, f, g, h])))
        }
        Family::V6 => {
            let mut buffer = [0; 32];
            let both = packet.header(offset.checked_add(8)?, &mut buffer)?;
            let (source, destination) = (both.first_chunk()?, both.last_chunk()?);
            Some((Address::v6(*source), Address::v6(*destination)))
        }
    }
}

/// A transport header that is there, not one in another fragment.
#[inline]
fn whole(transport: Transport) -> Option<Transport> {
    (transport.fragment == 0).then_some(transport)
}

/// What tells flows of a protocol without ports apart, source first.
#[inline]
fn ids(packet: &Body<'_>, transport: Transport) -> Option<[[u8; 2]; 2]> {
    match transport.protocol {
        protocol::ICMP | protocol::ICMPV6 => icmp::ids(packet, transport.offset),
        protocol::GRE => gre::ids(packet, transport.offset),
        _ => Some([[0; 2]; 2]),
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_conntrack_tuple))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{ip, seen, seen_in_pieces, v4, v6, Bytes};
    use crate::engine::packet::{extension, Hook};
    use core::mem::{offset_of, size_of};

    /// A transport header from port 1024 to 53 or the like; how many bytes of it a tuple needs, and how many in a quotation;
    /// and the ids in the tuple.
    type Header = (u8, &'static [u8], usize, usize, [u8; 4]);
    const HEADERS: [Header; 12] = [
        (
            protocol::TCP,
            &[
                4, 0, 0, 53, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0,
            ],
            20,
            8,
            PORTS,
        ),
        (protocol::UDP, &[4, 0, 0, 53, 0, 8, 0, 0], 8, 8, PORTS),
        (protocol::UDPLITE, &[4, 0, 0, 53, 0, 8, 0, 1], 8, 8, PORTS),
        (
            protocol::SCTP,
            &[4, 0, 0, 53, 0, 0, 0, 1, 0, 0, 0, 0],
            12,
            8,
            PORTS,
        ),
        (
            protocol::DCCP,
            &[4, 0, 0, 53, 4, 0, 0, 0, 1, 0, 0, 0],
            12,
            8,
            PORTS,
        ),
        (
            protocol::ICMP,
            &[8, 1, 0, 0, 7, 9, 0, 1],
            8,
            8,
            [7, 9, 8, 1],
        ),
        (
            protocol::ICMPV6,
            &[128, 1, 0, 0, 7, 9, 0, 1],
            8,
            8,
            [7, 9, 128, 1],
        ),
        // GRE: of PPTP with a key; cut off before that; of the usual version.
        (
            protocol::GRE,
            &[0x20, 1, 0x88, 0x0b, 0, 0, 7, 9],
            0,
            0,
            [0, 0, 7, 9],
        ),
        (protocol::GRE, &[0x20, 1, 0x88, 0x0b, 0, 0, 7], 0, 0, [0; 4]),
        (protocol::GRE, &[0x20, 0, 8, 0, 0, 0, 7, 9], 0, 0, [0; 4]),
        (protocol::ESP, &[0, 0, 0, 1, 0, 0, 0, 1], 0, 0, [0; 4]),
        (200, &[], 0, 0, [0; 4]),
    ];
    const PORTS: [u8; 4] = [4, 0, 0, 53];

    fn of(family: Family, bytes: &[u8]) -> Option<Tuple> {
        seen(family, bytes, Hook::PreRouting, Tuple::of).flatten()
    }

    fn expected(family: Family, protocol: u8, [s0, s1, d0, d1]: [u8; 4]) -> Tuple {
        let v6 = |last| {
            let mut octets = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            octets[15] = last;
            Address::v6(octets)
        };
        let (source, destination) = match family {
            Family::V4 => (Address::v4([192, 0, 2, 1]), Address::v4([198, 51, 100, 2])),
            Family::V6 => (v6(1), v6(2)),
        };
        Tuple {
            source,
            source_id: [s0, s1],
            family: u16::from(family as u8),
            destination,
            destination_id: [d0, d1],
            protocol,
            direction: Direction::Original,
        }
    }

    #[test]
    fn the_layout_is_the_kernels() {
        assert_eq!(size_of::<Tuple>(), 40);
        assert_eq!(offset_of!(Tuple, source_id), 16);
        assert_eq!(offset_of!(Tuple, family), 18);
        assert_eq!(offset_of!(Tuple, destination), 20);
        assert_eq!(offset_of!(Tuple, destination_id), 36);
        assert_eq!(offset_of!(Tuple, protocol), 38);
        assert_eq!(offset_of!(Tuple, direction), 39);
    }

    #[test]
    fn each_protocol_cut_off_anywhere() {
        for family in Family::ALL {
            for (protocol, header, needed, _, ids) in HEADERS {
                let packet = ip(family, protocol, header).0;
                let start = packet.len() - header.len();
                assert!(of(family, &packet) == Some(expected(family, protocol, ids)));
                for length in 0..header.len() {
                    let tuple = of(family, packet.get(..start + length).unwrap());
                    // The key of GRE is not told by less than all of the header.
                    let ids = if needed == 0 { [0; 4] } else { ids };
                    let whole = expected(family, protocol, ids);
                    assert!(tuple == (length >= needed).then_some(whole));
                }
                // Nor does it matter where the bytes lie.
                for linear in start..packet.len() {
                    let look = |packet: &Body<'_>| Tuple::of(packet);
                    let tuple = seen_in_pieces(family, &packet, linear, Hook::PreRouting, look);
                    assert!(tuple.flatten() == Some(expected(family, protocol, ids)));
                }
            }
        }
    }

    #[test]
    fn a_quotation_cut_off_anywhere() {
        for family in Family::ALL {
            for (protocol, header, _, needed, ids) in HEADERS {
                let inner = ip(family, protocol, header).0;
                let start = inner.len() - header.len();
                for length in 0..=inner.len() {
                    let packet = ip(family, 200, inner.get(..length).unwrap()).0;
                    let outer = packet.len() - length;
                    let quoted = |body: &Body<'_>| Tuple::of_quoted(body, outer);
                    let tuple = seen(family, &packet, Hook::PreRouting, quoted).flatten();
                    let there = length.checked_sub(start);
                    let ids = if needed == 0 && length < inner.len() {
                        [0; 4]
                    } else {
                        ids
                    };
                    let whole = expected(family, protocol, ids);
                    let is_there = there.is_some_and(|there| there >= needed);
                    assert!(tuple == is_there.then_some(whole));
                }
            }
        }
    }

    #[test]
    fn gre_of_pptp_carries_ppp() {
        assert!(of(
            Family::V4,
            &v4(protocol::GRE, &[0x20, 1, 8, 0, 0, 0, 7, 9]).0
        )
        .is_none());
    }

    #[test]
    fn fragments_have_none() {
        let udp = &[4, 0, 0, 53, 0, 8, 0, 0];
        let later = v4(protocol::UDP, udp).with(7, 1);
        assert!(of(Family::V4, &later.0).is_none());
        // One that is the first has all that tells.
        let first = v4(protocol::UDP, udp).with(6, 0x20);
        assert!(of(Family::V4, &first.0).is_some());
        let later = v6(extension::FRAGMENT, &[protocol::UDP, 0, 0, 8, 0, 0, 0, 1]).then(udp);
        assert!(of(Family::V6, &later.0).is_none());
        let damaged = v6(
            extension::DESTINATION,
            &[protocol::UDP, 9, 0, 0, 0, 0, 0, 0],
        )
        .then(udp);
        assert!(of(Family::V6, &damaged.0).is_none());
        // The same inside of an error.
        let inner = v4(protocol::UDP, udp).with(7, 1);
        let packet = v4(200, &inner.0);
        let quoted = |body: &Body<'_>| Tuple::of_quoted(body, 20);
        let tuple = seen(Family::V4, &packet.0, Hook::PreRouting, quoted);
        assert!(tuple == Some(None));
    }

    #[test]
    fn extension_headers_are_passed() {
        let headers = &[protocol::UDP, 0, 1, 4, 0, 0, 0, 0, 4, 0, 0, 53, 0, 8, 0, 0];
        let packet = v6(extension::DESTINATION, headers);
        let whole = expected(Family::V6, protocol::UDP, PORTS);
        assert!(of(Family::V6, &packet.0) == Some(whole));
        let outer = v6(200, &packet.0);
        let quoted = |body: &Body<'_>| Tuple::of_quoted(body, 40);
        let tuple = seen(Family::V6, &outer.0, Hook::PreRouting, quoted);
        assert!(tuple == Some(Some(whole)));
    }

    #[test]
    fn a_quoted_header_that_lies() {
        let inner = v4(protocol::UDP, &[4, 0, 0, 53, 0, 8, 0, 0]);
        let quoted = |inner: Bytes| {
            let quoted = |body: &Body<'_>| Tuple::of_quoted(body, 20);
            let packet = v4(200, &inner.0);
            seen(Family::V4, &packet.0, Hook::PreRouting, quoted).flatten()
        };
        for (first, fits) in [
            (0x44, false),
            (0x45, true),
            (0x47, false),
            (0x4f, false),
            (0x65, false),
        ] {
            assert_eq!(quoted(Bytes::of(&inner.0).with(0, first)).is_some(), fits);
        }
    }

    #[test]
    fn what_answers_is_like() {
        for family in Family::ALL {
            for (protocol, _, _, _, ids) in HEADERS {
                let tuple = expected(family, protocol, ids);
                let inverse = tuple.inverse().unwrap();
                assert!(inverse.source == tuple.destination);
                assert!(inverse.destination == tuple.source);
                assert!(inverse.direction == Direction::Reply);
                assert!(inverse.inverse() == Some(tuple));
                if !matches!(protocol, protocol::ICMP | protocol::ICMPV6) {
                    assert!(inverse.source_id == tuple.destination_id);
                }
            }
        }
    }

    #[test]
    fn every_type_of_message() {
        let pairs_v4: &[[u8; 2]] = &[[8, 0], [13, 14], [15, 16], [17, 18]];
        let pairs_v6: &[[u8; 2]] = &[[128, 129], [139, 140]];
        for (family, protocol, pairs) in [
            (Family::V4, protocol::ICMP, pairs_v4),
            (Family::V6, protocol::ICMPV6, pairs_v6),
        ] {
            for kind in 0..=u8::MAX {
                let tuple = expected(family, protocol, [7, 9, kind, 1]);
                let other = pairs.iter().find_map(|[one, other]| match kind {
                    _ if kind == *one => Some(*other),
                    _ if kind == *other => Some(*one),
                    _ => None,
                });
                let answer = tuple
                    .inverse()
                    .map(|tuple| (tuple.source_id, tuple.destination_id));
                assert!(answer == other.map(|other| ([7, 9], [other, 1])));
            }
        }
    }

    #[test]
    fn all_but_the_direction_tells_flows_apart() {
        let key = [1, 2];
        let hash_in = |zone, tuple: &Tuple| {
            let mut hash = SipHash::new(key);
            tuple.add_to(&mut hash, zone);
            hash.finish()
        };
        let hash = |tuple: &Tuple| hash_in(0, tuple);
        for family in Family::ALL {
            let tuple = expected(family, protocol::UDP, PORTS);
            let other_way = Tuple {
                direction: Direction::Reply,
                ..tuple
            };
            assert!(hash(&tuple) != hash_in(1, &tuple));
            assert!(hash_in(2, &tuple) != hash_in(1, &tuple));
            assert!(tuple.is_flow(&other_way) && hash(&tuple) == hash(&other_way));
            let words = match family {
                Family::V4 => 1,
                Family::V6 => 4,
            };
            let mut others = [tuple; 14];
            let mut places = others.iter_mut();
            let mut change = |change: &dyn Fn(&mut Tuple)| change(places.next().unwrap());
            for word in 0..words {
                change(&|tuple| tuple.source.0[word] ^= 1);
                change(&|tuple| tuple.destination.0[word] ^= 1);
            }
            for byte in 0..2 {
                change(&|tuple| tuple.source_id[byte] ^= 1);
                change(&|tuple| tuple.destination_id[byte] ^= 1);
            }
            change(&|tuple| tuple.protocol ^= 1);
            change(&|tuple| tuple.family ^= 8);
            let changed = 2 * words + 6;
            for other in others.iter().take(changed) {
                assert!(!tuple.is_flow(other) && hash(&tuple) != hash(other));
            }
        }
    }
}

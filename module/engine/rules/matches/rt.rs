// SPDX-License-Identifier: GPL-2.0
//! `-m rt`: the routing header (RFC 8200, section 4.4), and the addresses in one of type 0 (RFC 2460, section
//! 4.4, which RFC 5095 deprecates).

use core::net::Ipv6Addr;

use super::{Matcher, Outcome};
use crate::alloc::{AllocError, KVec, GFP_KERNEL};
use crate::engine::packet::{extension, Body, DropReason, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};
use crate::uapi::range::Range;
use crate::wire;

/// Length of what comes before the addresses in a header of type 0, in bytes.
const HEADER: usize = 8;
/// Length of an address, in bytes.
const ADDRESS: usize = 16;
/// How many addresses a list holds, as in iptables.
const MAX_ADDRESSES: usize = 16;

/// The addresses of a routing header of type 0.
#[derive(Debug, PartialEq, Eq)]
pub struct Hops(KVec<Ipv6Addr>);

impl Hops {
    /// How many addresses a list holds.
    pub const MAX: usize = MAX_ADDRESSES;

    /// A list of these; `None` when there is none, or there are too many, or there is no memory.
    pub fn new(addresses: &[Ipv6Addr]) -> Option<Self> {
        if addresses.is_empty() || addresses.len() > MAX_ADDRESSES {
            return None;
        }
        let mut list = KVec::new();
        list.extend_from_slice(addresses, GFP_KERNEL).ok()?;
        Some(Self(list))
    }

    /// The addresses in the order in which they were given.
    pub fn as_slice(&self) -> &[Ipv6Addr] {
        &self.0
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        let mut list = KVec::new();
        list.extend_from_slice(&self.0, GFP_KERNEL)?;
        Ok(Self(list))
    }

    /// Whether the header, which lies at `offset` and has `count` addresses, has these, and no others where
    /// it is `strict`. They come in their order.
    fn test(&self, packet: &Body<'_>, offset: usize, count: usize, strict: bool) -> Outcome {
        if strict && count != self.0.len() {
            return Outcome::No;
        }
        let mut asked = self.0.iter().peekable();
        for index in 0..count {
            let Some(next) = asked.peek() else { break };
            let mut buffer = [0; ADDRESS];
            let Some(found) = packet.header(offset + HEADER + index * ADDRESS, &mut buffer) else {
                return Outcome::Drop(DropReason::MalformedExtensions);
            };
            if next.octets() == *found {
                asked.next();
            }
        }
        Outcome::from(asked.next().is_none())
    }
}

/// On netlink: the addresses, 16 bytes each in network order.
impl Field for Hops {
    const KIND: Kind = Kind::Bytes((ADDRESS * MAX_ADDRESSES) as u16);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        let mut bytes = [0; ADDRESS * MAX_ADDRESSES];
        for (to, from) in bytes.chunks_exact_mut(ADDRESS).zip(self.0.iter()) {
            to.copy_from_slice(&from.octets());
        }
        to.put(id, bytes.get(..ADDRESS * self.0.len()).unwrap_or_default())
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let addresses = from.data.chunks_exact(ADDRESS);
        if from.data.is_empty() || !addresses.remainder().is_empty() || addresses.len() > Self::MAX
        {
            return Err(from.invalid("not 1 to 16 addresses of 16 bytes"));
        }
        let mut list = KVec::new();
        for address in addresses.filter_map(|bytes| bytes.first_chunk::<ADDRESS>()) {
            list.push(Ipv6Addr::from(*address), GFP_KERNEL)?;
        }
        Ok(Self(list))
    }
}

wire! {
    /// The match; without a value it asks for the header alone.
    #[derive(Debug, Default, PartialEq, Eq)]
    pub struct Rt, "rt-attrs" {
        /// `--rt-type`
        2 kind: Option<Not<u8>>,
        /// `--rt-segsleft`: how many nodes are still to be visited; a header has 8 bits for it.
        3 segments_left: Option<Not<Range<u32>>>,
        /// `--rt-len`: the header's length in bytes.
        4 length: Option<Not<u32>>,
        /// `--rt-0-res`: what is reserved in a header of type 0 is zero.
        5 reserved: bool,
        /// `--rt-0-addrs`: these are its addresses, in this order.
        6 addresses: Option<Hops>,
        /// `--rt-0-not-strict`: others may be among them.
        7 not_strict: bool,
    }
}

impl Matcher for Rt {
    fn check(&self, family: Family, _: &Rule) -> Result<(), &'static str> {
        if family != Family::V6 {
            return Err("the rt match needs IPv6");
        }
        if (self.reserved || self.addresses.is_some()) && self.kind != Some(Not::is(0)) {
            return Err("only a routing header of type 0 has a reserved field and addresses");
        }
        if self.not_strict && self.addresses.is_none() {
            return Err("there are no addresses to be less strict about");
        }
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let header = match packet.find_extension(extension::ROUTING) {
            Ok(Some(header)) => header,
            Ok(None) => return Outcome::No,
            Err(reason) => return Outcome::Drop(reason),
        };
        let mut buffer = [0; HEADER];
        let Some(&[_, _, kind, segments_left, ref reserved @ ..]) = packet
            .header(header.offset, &mut buffer)
            .filter(|_| packet.has_whole(&header))
        else {
            return Outcome::Drop(DropReason::MalformedExtensions);
        };
        let holds = self
            .segments_left
            .is_none_or(|asked| asked.value.contains(segments_left.into()) != asked.not)
            && self
                .length
                .is_none_or(|asked| (asked.value as usize == header.length) != asked.not)
            && self
                .kind
                .is_none_or(|asked| (asked.value == kind) != asked.not)
            && !(self.reserved && *reserved != [0; 4]);
        match &self.addresses {
            Some(hops) if holds => {
                let count = header.length.saturating_sub(HEADER) / ADDRESS;
                hops.test(packet, header.offset, count, !self.not_strict)
            }
            _ => Outcome::from(holds),
        }
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        let addresses = self.addresses.as_ref().map(Hops::try_clone).transpose()?;
        Ok(Self { addresses, ..*self })
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_rt))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, v6, Bytes, UDP_V6};
    use crate::engine::rules::Match;

    /// A header of type 0 with three addresses and two of them left.
    fn header() -> Bytes {
        let bytes = v6(extension::ROUTING, &[17, 6, 0, 2, 0, 0, 0, 0]);
        let hop = |bytes: Bytes, host| bytes.then(&address(host).octets());
        hop(hop(hop(bytes, 1), 2), 3)
    }

    fn test(rt: Rt, bytes: &[u8]) -> Outcome {
        holds(Family::V6, None, Match::Rt(rt), bytes)
    }

    #[test]
    fn numbers_on_both_sides() {
        for not in [false, true] {
            for (value, hit) in [(0, true), (2, false)] {
                let kind = Some(Not { value, not });
                let rt = Rt {
                    kind,
                    ..Rt::default()
                };
                assert!(test(rt, &header().0) == Outcome::from(hit != not));
            }
            for (first, last, hit) in [
                (2, 2, true),
                (0, 2, true),
                (3, u32::MAX, false),
                (0, 1, false),
            ] {
                let value = Range { first, last };
                let rt = Rt {
                    segments_left: Some(Not { value, not }),
                    ..Rt::default()
                };
                assert!(test(rt, &header().0) == Outcome::from(hit != not));
            }
            for (value, hit) in [(56, true), (6, false), (48, false)] {
                let rt = Rt {
                    length: Some(Not { value, not }),
                    ..Rt::default()
                };
                assert!(test(rt, &header().0) == Outcome::from(hit != not));
            }
        }
    }

    #[test]
    fn the_reserved_field() {
        let rt = || Rt {
            kind: Some(Not::is(0)),
            reserved: true,
            ..Rt::default()
        };
        assert!(test(rt(), &header().0) == Outcome::Yes);
        for at in 44..48 {
            assert!(test(rt(), &header().with(at, 1).0) == Outcome::No);
        }
    }

    #[test]
    fn addresses_come_in_their_order() {
        for (asked, strict, loose) in [
            (&[1, 2, 3][..], true, true),
            (&[1, 2], false, true),
            (&[1, 3], false, true),
            (&[3], false, true),
            (&[2, 1], false, false),
            (&[1, 1], false, false),
            (&[1, 2, 4], false, false),
            (&[1, 2, 3, 3], false, false),
        ] {
            for (not_strict, hit) in [(false, strict), (true, loose)] {
                assert!(test(through(asked, not_strict), &header().0) == Outcome::from(hit));
            }
        }
        // What is asked beside them must hold too.
        let other = header().with(42, 2);
        assert!(test(through(&[1, 2, 3], false), &other.0) == Outcome::No);
        // Half an address is none.
        let half = header().with(41, 5);
        assert!(test(through(&[1, 2], false), &half.0) == Outcome::Yes);
        assert!(test(through(&[1, 2, 3], true), &half.0) == Outcome::No);
    }

    #[test]
    fn a_header_cut_off_is_dropped() {
        let dropped = Outcome::Drop(DropReason::MalformedExtensions);
        let whole = header();
        for length in 40..whole.0.len() {
            assert!(test(Rt::default(), whole.0.get(..length).unwrap()) == dropped);
        }
        assert!(test(Rt::default(), &whole.0) == Outcome::Yes);
        assert!(test(Rt::default(), UDP_V6) == Outcome::No);
    }

    #[test]
    fn what_it_can_not_be() {
        let check = |rt: &Rt| rt.check(Family::V6, &Rule::default()).is_ok();
        let rt = through(&[1], true);
        assert!(check(&rt));
        assert!(rt.check(Family::V4, &Rule::default()).is_err());
        for kind in [
            None,
            Some(Not::is(2)),
            Some(Not {
                value: 0,
                not: true,
            }),
        ] {
            assert!(!check(&Rt {
                kind,
                ..through(&[1], false)
            }));
        }
        assert!(!check(&Rt {
            addresses: None,
            ..rt
        }));
        assert!(Hops::new(&[]).is_none());
        assert!(Hops::new(&[address(1); MAX_ADDRESSES]).is_some());
        assert!(Hops::new(&[address(1); MAX_ADDRESSES + 1]).is_none());
    }

    fn address(host: u16) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host)
    }

    fn through(hosts: &[u16], not_strict: bool) -> Rt {
        let mut hops = KVec::new();
        for host in hosts {
            hops.push(address(*host), GFP_KERNEL).unwrap();
        }
        Rt {
            kind: Some(Not::is(0)),
            addresses: Hops::new(&hops),
            not_strict,
            ..Rt::default()
        }
    }
}

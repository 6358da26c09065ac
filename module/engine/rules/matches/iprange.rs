// SPDX-License-Identifier: GPL-2.0
//! `-m iprange`: addresses from a first to a last, where no mask could tell them from others.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};
use crate::uapi::range::Range;
use crate::wire;

/// Addresses of one family, from a first to a last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// Of IPv4.
    V4(Range<Ipv4Addr>),
    /// Of IPv6.
    V6(Range<Ipv6Addr>),
}

impl Addresses {
    /// The addresses between two of one family; `None` where they are of two.
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => Some(Self::V4(Range { first, last })),
            (IpAddr::V6(first), IpAddr::V6(last)) => Some(Self::V6(Range { first, last })),
            _ => None,
        }
    }

    /// The first and the last.
    pub fn ends(&self) -> (IpAddr, IpAddr) {
        match *self {
            Self::V4(Range { first, last }) => (first.into(), last.into()),
            Self::V6(Range { first, last }) => (first.into(), last.into()),
        }
    }

    fn family(&self) -> Family {
        match self {
            Self::V4(_) => Family::V4,
            Self::V6(_) => Family::V6,
        }
    }

    /// Whether the address is one of these. Addresses are compared as numbers, which takes fewer steps than byte by
    /// byte. One of the other family, of which `check` lets no rule ask, is none.
    fn contain(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4(Range { first, last }), IpAddr::V4(address)) => {
                (u32::from(*first)..=u32::from(*last)).contains(&address.into())
            }
            (Self::V6(Range { first, last }), IpAddr::V6(address)) => {
                (u128::from(*first)..=u128::from(*last)).contains(&address.into())
            }
            _ => false,
        }
    }
}

/// On netlink: the first and then the last address, each of 4 or 16 bytes in network order.
impl Field for Addresses {
    const KIND: Kind = Kind::Bytes(32);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        match self {
            Self::V4(range) => to.put_parts(id, [&range.first.octets(), &range.last.octets()]),
            Self::V6(range) => to.put_parts(id, [&range.first.octets(), &range.last.octets()]),
        }
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let (first, last) = from.data.split_at(from.data.len() / 2);
        let address = |octets: &[u8]| {
            let short = <[u8; 4]>::try_from(octets).map(IpAddr::from);
            short.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from))
        };
        let (Ok(first), Ok(last)) = (address(first), address(last)) else {
            return Err(from.invalid("addresses must have 4 or 16 bytes each"));
        };
        if first > last {
            return Err(from.invalid("range is reversed"));
        }
        Self::new(first, last).ok_or(from.invalid("addresses of two families"))
    }
}

wire! {
    /// The match.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct IpRange, "iprange-attrs" {
        /// `--src-range`
        2 source: Option<Not<Addresses>>,
        /// `--dst-range`
        3 destination: Option<Not<Addresses>>,
    }
}

/// Whether the address is one that is asked for, if any are.
fn holds(asked: &Option<Not<Addresses>>, address: impl Fn() -> IpAddr) -> bool {
    asked
        .as_ref()
        .is_none_or(|asked| asked.value.contain(address()) != asked.not)
}

impl Matcher for IpRange {
    fn check(&self, family: Family, _: &Rule) -> Result<(), &'static str> {
        let mut ranges = [self.source, self.destination].into_iter().flatten();
        if self.source.is_none() && self.destination.is_none() {
            return Err("the iprange match needs a range of sources or destinations");
        }
        if ranges.any(|range| range.value.family() != family) {
            return Err("the addresses of the iprange match are of another family");
        }
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        Outcome::from(
            holds(&self.source, || packet.source_address())
                && holds(&self.destination, || packet.destination_address()),
        )
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_iprange))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, TCP_V4, UDP_V6};
    use crate::engine::packet::protocol;
    use crate::engine::rules::Match;
    use crate::uapi::attr::Reader;

    fn v4(last: [u8; 2]) -> IpAddr {
        IpAddr::from([192, 0, last[0], last[1]])
    }

    fn v6(last: [u16; 2]) -> IpAddr {
        IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, last[0], last[1]])
    }

    fn range(first: IpAddr, last: IpAddr, not: bool) -> Option<Not<Addresses>> {
        let value = Addresses::new(first, last)?;
        Some(Not { value, not })
    }

    #[test]
    fn sources_at_the_edges() {
        // The packets come from 192.0.2.1 and 2001:db8::1.
        for (first, last, hit) in [
            (v4([2, 1]), v4([2, 1]), true),
            (v4([0, 0]), v4([2, 1]), true),
            (v4([2, 1]), v4([255, 255]), true),
            // A byte further on is greater than the packet's, yet the address is not.
            (v4([1, 255]), v4([3, 0]), true),
            (v4([0, 0]), v4([2, 0]), false),
            (v4([2, 2]), v4([255, 255]), false),
            (v6([0, 1]), v6([0, 1]), true),
            (v6([0, 0]), v6([1, 0]), true),
            (v6([0, 2]), v6([0, 9]), false),
            (v6([1, 0]), v6([1, 9]), false),
        ] {
            for not in [false, true] {
                let item = Match::IpRange(IpRange {
                    source: range(first, last, not),
                    destination: None,
                });
                let outcome = match first {
                    IpAddr::V4(_) => holds(Family::V4, protocol::TCP, item, TCP_V4),
                    IpAddr::V6(_) => holds(Family::V6, protocol::UDP, item, UDP_V6),
                };
                assert!(outcome == Outcome::from(hit != not));
            }
        }
    }

    #[test]
    fn both_ranges_must_hold() {
        let destination = IpAddr::from([198, 51, 100, 2]);
        for source in [v4([2, 1]), v4([2, 2])] {
            for not in [false, true] {
                let item = Match::IpRange(IpRange {
                    source: range(source, source, false),
                    destination: range(destination, destination, not),
                });
                let hit = source == v4([2, 1]) && !not;
                let outcome = holds(Family::V4, protocol::TCP, item, TCP_V4);
                assert!(outcome == Outcome::from(hit));
            }
        }
    }

    #[test]
    fn needs_a_range_of_the_family() {
        let rule = Rule::default();
        assert!(IpRange::default().check(Family::V4, &rule).is_err());
        for (address, family) in [(v4([0, 0]), Family::V4), (v6([0, 0]), Family::V6)] {
            let item = IpRange {
                source: None,
                destination: range(address, address, false),
            };
            for asked in Family::ALL {
                assert_eq!(item.check(asked, &rule).is_ok(), asked == family);
            }
        }
    }

    #[test]
    fn ranges_that_can_not_be_are_refused() {
        let reversed = [0, 0, 0, 2, 0, 0, 0, 1];
        assert!(got(&reversed).is_err());
        for length in 0..=33 {
            let bytes = [0; 33];
            let fits = length == 8 || length == 32;
            assert_eq!(got(bytes.get(..length).unwrap()).is_ok(), fits);
        }
    }

    fn got(bytes: &[u8]) -> Result<Addresses, Error> {
        let mut writer = Writer::new(64);
        writer.put(2, bytes).unwrap();
        Addresses::get(&Reader::new(writer.bytes()).next().unwrap()?)
    }
}

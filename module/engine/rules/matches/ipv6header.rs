// SPDX-License-Identifier: GPL-2.0
//! `-m ipv6header`: which extension headers a packet has (RFC 8200, section 4).

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{extension, protocol, Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};
use crate::wire;

/// Length of the fixed header, in bytes.
const FIXED_HEADER: usize = 40;

/// Headers that a packet can have, a bit each, as iptables numbers them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers(pub u8);

impl Headers {
    /// Hop-by-hop options.
    pub const HOP_BY_HOP: Self = Self(0x80);
    /// Destination options.
    pub const DESTINATION: Self = Self(0x40);
    /// Routing.
    pub const ROUTING: Self = Self(0x20);
    /// Fragment.
    pub const FRAGMENT: Self = Self(0x10);
    /// Authentication.
    pub const AUTHENTICATION: Self = Self(0x08);
    /// Encapsulated security payload, which hides what comes behind it.
    pub const ESP: Self = Self(0x04);
    /// "No next header".
    pub const NONE: Self = Self(0x02);
    /// Any other protocol.
    pub const PROTOCOL: Self = Self(0x01);

    /// Whether any of these is among them.
    pub fn any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }

    /// These and others.
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// The headers of a packet; `None` where the packet ends before a header tells what follows it.
    ///
    /// Unlike the walk to the transport header this one goes on behind a fragment header, and a header that
    /// runs out of the packet ends it.
    fn of(packet: &Body<'_>) -> Option<Self> {
        let length = packet.length() as usize;
        let mut number = packet.first_header()?;
        let mut offset = FIXED_HEADER;
        let mut seen = Self::default();
        while offset <= length {
            seen = seen.and(match number {
                extension::HOP_BY_HOP => Self::HOP_BY_HOP,
                extension::DESTINATION => Self::DESTINATION,
                extension::ROUTING => Self::ROUTING,
                extension::FRAGMENT => Self::FRAGMENT,
                extension::AUTHENTICATION => Self::AUTHENTICATION,
                extension::NONE => return Some(seen.and(Self::NONE)),
                protocol::ESP => {
                    // iptables looks for as much of it as of any header.
                    packet.extension_at(number, offset)?;
                    return Some(seen.and(Self::ESP));
                }
                _ => break,
            });
            let header = packet.extension_at(number, offset)?;
            number = header.next;
            offset = offset.checked_add(header.length)?;
        }
        Some(match number {
            extension::NONE | protocol::ESP => seen,
            _ => seen.and(Self::PROTOCOL),
        })
    }
}

/// On netlink: a byte with a bit for each header.
impl Field for Headers {
    const KIND: Kind = Kind::U8;

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        self.0.put(id, to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        match u8::get(from)? {
            0 => Err(from.invalid("no header is asked for")),
            bits => Ok(Self(bits)),
        }
    }
}

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Ipv6Header, "ipv6header-attrs" {
        /// `--header`: the packet has these headers and no others; negated, it has not exactly these.
        2 headers: Not<Headers>,
        /// `--soft`: others may be there too; negated, none of these is there.
        3 soft: bool,
    }
}

impl Matcher for Ipv6Header {
    fn check(&self, family: Family, _: &Rule) -> Result<(), &'static str> {
        match family {
            Family::V6 => Ok(()),
            Family::V4 => Err("the ipv6header match needs IPv6"),
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let Some(found) = Headers::of(packet) else {
            return Outcome::No;
        };
        let Not { value: asked, not } = self.headers;
        Outcome::from(match (self.soft, not) {
            (true, false) => found.0 & asked.0 == asked.0,
            (true, true) => !found.any(asked),
            (false, _) => (found == asked) != not,
        })
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_ipv6header))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, v6, UDP_V6};
    use crate::engine::rules::Match;

    /// Hop-by-hop, destination options, and UDP.
    const CHAIN: &[u8] = &[
        60, 0, 1, 4, 0, 0, 0, 0, // hop-by-hop
        17, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // destination options
        4, 0, 0, 53, 0, 8, 0, 0, // UDP
    ];

    fn test(headers: u8, not: bool, soft: bool, bytes: &[u8]) -> Outcome {
        let value = Headers(headers);
        let item = Match::Ipv6Header(Ipv6Header {
            headers: Not { value, not },
            soft,
        });
        holds(Family::V6, None, item, bytes)
    }

    /// Whether the packet has exactly these headers.
    fn has(headers: u8, bytes: &[u8]) -> bool {
        let (is, is_not) = (
            test(headers, false, false, bytes),
            test(headers, true, false, bytes),
        );
        assert!(is != is_not);
        is == Outcome::Yes
    }

    #[test]
    fn exactly_or_softly() {
        let packet = v6(extension::HOP_BY_HOP, CHAIN);
        for (headers, exactly, all, none) in [
            (0xc1, true, true, false),
            (0xc0, false, true, false),
            (0x01, false, true, false),
            (0xe1, false, false, false),
            (0xff, false, false, false),
            (0x20, false, false, true),
            (0x3e, false, false, true),
        ] {
            assert_eq!(has(headers, &packet.0), exactly);
            assert!(test(headers, false, true, &packet.0) == Outcome::from(all));
            assert!(test(headers, true, true, &packet.0) == Outcome::from(none));
        }
        assert!(has(0x01, UDP_V6));
    }

    #[test]
    fn each_header_has_its_bit() {
        for (number, bit) in [(0, 0x80), (60, 0x40), (43, 0x20), (44, 0x10)] {
            let packet = v6(number, &[17, 0, 0, 0, 0, 0, 0, 0, 4, 0]);
            assert!(has(bit | 0x01, &packet.0));
        }
        let packet = v6(51, &[17, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0]);
        assert!(has(0x09, &packet.0));
        assert!(has(0x02, &v6(59, &[]).0));
        assert!(has(0x04, &v6(50, &[1, 2, 3]).0));
        assert!(has(0x42, &v6(60, &[59, 0, 1, 4, 0, 0, 0, 0]).0));
        // A later fragment is walked as a first one is.
        let later = v6(44, &[60, 0, 0, 8, 0, 0, 0, 7, 17, 0, 1, 4, 0, 0, 0, 0]);
        assert!(has(0x51, &later.0));
    }

    #[test]
    fn where_the_packet_ends() {
        // Before a header tells what follows: the packet is none of those asked for, nor of the others.
        let packet = v6(extension::HOP_BY_HOP, CHAIN);
        for length in [40, 41, 48, 49] {
            let cut = packet.0.get(..length).unwrap();
            for not in [false, true] {
                assert!(test(0xc1, not, false, cut) == Outcome::No);
                assert!(test(0x20, not, true, cut) == Outcome::No);
            }
        }
        assert!(test(0x04, false, false, &v6(50, &[1]).0) == Outcome::No);
        // Within a header, whose next header counts as there.
        for length in [42, 47, 50, 63] {
            let cut = packet.0.get(..length).unwrap();
            assert!(has(if length < 48 { 0x81 } else { 0xc1 }, cut));
        }
        assert!(has(0x40, &v6(60, &[59, 1, 0]).0));
        assert!(has(0xc1, packet.0.get(..64).unwrap()));
    }

    #[test]
    fn needs_ipv6() {
        let asked = Ipv6Header {
            headers: Not::is(Headers::ESP),
            soft: false,
        };
        assert!(asked.check(Family::V6, &Rule::default()).is_ok());
        assert!(asked.check(Family::V4, &Rule::default()).is_err());
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m ah`: the authentication header (RFC 4302, section 2).
//!
//! To IPv4 it is a transport protocol, and the match reads it there. To IPv6 it is an extension header, which the
//! match looks for whatever protocol the rule asks for, and more can be asked of it.

use super::ports::transport_header;
use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::extension::AUTHENTICATION;
use crate::engine::packet::{Body, DropReason, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::uapi::range::Range;
use crate::wire;

/// Length of the fixed part of the header, in bytes.
const MIN_HEADER: usize = 12;
/// The lengths that the header can give itself, in bytes; it counts in units of 4.
const MIN_LENGTH: u16 = 8;
const MAX_LENGTH: u16 = 1028;
const UNIT: u16 = 4;

wire! {
    /// The match.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Ah, "ah-attrs" {
        /// `--ahspi`, the security parameters index.
        2 spi: Option<Not<Range<u32>>>,
        /// `--ahlen`, the length of the whole header in bytes; IPv6 only.
        3 length: Option<Not<u16>>,
        /// `--ahres`: the reserved field is zero; IPv6 only.
        4 reserved: bool,
    }
}

impl Ah {
    fn test_header(&self, header: &[u8; MIN_HEADER]) -> bool {
        let &[_, _, r0, r1, s0, s1, s2, s3, ..] = header;
        let spi = u32::from_be_bytes([s0, s1, s2, s3]);
        self.spi.is_none_or(|asked| asked.holds(spi))
            && self
                .length
                .is_none_or(|asked| (asked.value == length_of(header)) != asked.not)
            && !(self.reserved && [r0, r1] != [0, 0])
    }

    fn test_v4(&self, packet: &Body<'_>) -> Outcome {
        let mut buffer = [0; MIN_HEADER];
        match transport_header(packet, &mut buffer) {
            Ok(header) => Outcome::from(self.test_header(header)),
            Err(outcome) => outcome,
        }
    }

    fn test_v6(&self, packet: &Body<'_>) -> Outcome {
        let extension = match packet.find_extension(AUTHENTICATION) {
            Ok(Some(extension)) => extension,
            Ok(None) => return Outcome::No,
            Err(reason) => return Outcome::Drop(reason),
        };
        let mut buffer = [0; MIN_HEADER];
        match packet.header(extension.offset, &mut buffer) {
            Some(header) if packet.has_whole(&extension) => Outcome::from(self.test_header(header)),
            _ => Outcome::Drop(DropReason::MalformedExtensions),
        }
    }
}

/// The length that the header gives itself, in bytes.
fn length_of(header: &[u8; MIN_HEADER]) -> u16 {
    let &[_, length, ..] = header;
    u16::from(length) * UNIT + MIN_LENGTH
}

impl Matcher for Ah {
    fn check(&self, family: Family, rule: &Rule) -> Result<(), &'static str> {
        if family == Family::V4 {
            if rule.exact_protocol() != Some(AUTHENTICATION) {
                return Err("the ah match of IPv4 needs -p ah");
            }
            if self.length.is_some() || self.reserved {
                return Err("the ah match of IPv4 asks for the index only");
            }
        }
        let possible =
            |length: u16| (MIN_LENGTH..=MAX_LENGTH).contains(&length) && length % UNIT == 0;
        match self.length {
            Some(length) if !possible(length.value) => {
                Err("an authentication header has 8 to 1028 bytes, a multiple of 4")
            }
            _ => Ok(()),
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        match packet.family() {
            Family::V4 => self.test_v4(packet),
            Family::V6 => self.test_v6(packet),
        }
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_ah))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, Bytes, TCP_V4, UDP_V6};
    use crate::engine::packet::protocol;
    use crate::engine::rules::Match;

    /// A header of 16 bytes for the association 0x01020304, before UDP.
    const HEADER: [u8; 16] = [17, 2, 0, 0, 1, 2, 3, 4, 0, 0, 0, 9, 1, 2, 3, 4];
    const INDEX: u32 = 0x0102_0304;
    /// Lengths of the fixed IP headers.
    const V4: usize = 20;
    const V6: usize = 40;

    fn over_v4() -> Bytes {
        let ip = TCP_V4.get(..V4).unwrap();
        Bytes::of(ip).with(9, AUTHENTICATION).then(&HEADER)
    }

    fn over_v6() -> Bytes {
        let (ip, udp) = UDP_V6.split_at(V6);
        Bytes::of(ip)
            .with(6, AUTHENTICATION)
            .then(&HEADER)
            .then(udp)
    }

    fn test_v4(ah: Ah, bytes: &[u8]) -> Outcome {
        holds(Family::V4, AUTHENTICATION, Match::Ah(ah), bytes)
    }

    fn test_v6(ah: Ah, bytes: &[u8]) -> Outcome {
        holds(Family::V6, protocol::UDP, Match::Ah(ah), bytes)
    }

    #[test]
    fn indices_at_the_edges() {
        for (first, last, hit) in [
            (INDEX, INDEX, true),
            (0, INDEX, true),
            (INDEX, u32::MAX, true),
            (0, INDEX - 1, false),
            (INDEX + 1, u32::MAX, false),
        ] {
            for not in [false, true] {
                let ah = || {
                    let value = Range { first, last };
                    Ah {
                        spi: Some(Not { value, not }),
                        ..Ah::default()
                    }
                };
                assert!(test_v4(ah(), &over_v4().0) == Outcome::from(hit != not));
                assert!(test_v6(ah(), &over_v6().0) == Outcome::from(hit != not));
            }
        }
    }

    #[test]
    fn lengths() {
        for (value, hit) in [(8, false), (12, false), (16, true), (20, false)] {
            for not in [false, true] {
                let ah = Ah {
                    length: Some(Not { value, not }),
                    ..Ah::default()
                };
                assert!(test_v6(ah, &over_v6().0) == Outcome::from(hit != not));
            }
        }
    }

    #[test]
    fn the_reserved_field() {
        for (at, value, is_zero) in [(2, 0, true), (2, 1, false), (3, 0x80, false)] {
            let bytes = over_v6().with(V6 + at, value);
            for reserved in [false, true] {
                let ah = Ah {
                    reserved,
                    ..Ah::default()
                };
                assert!(test_v6(ah, &bytes.0) == Outcome::from(is_zero || !reserved));
            }
        }
    }

    #[test]
    fn a_header_that_is_not_whole_is_dropped() {
        let dropped = Outcome::Drop(DropReason::TruncatedTransport);
        for length in V4..V4 + MIN_HEADER {
            let bytes = over_v4();
            assert!(test_v4(Ah::default(), bytes.0.get(..length).unwrap()) == dropped);
        }
        let dropped = Outcome::Drop(DropReason::MalformedExtensions);
        for length in V6..V6 + HEADER.len() {
            let bytes = over_v6();
            let cut = bytes.0.get(..length).unwrap();
            // In a rule for any protocol: one that can't be told would have the packet dropped as well.
            assert!(holds(Family::V6, None, Match::Ah(Ah::default()), cut) == dropped);
        }
    }

    #[test]
    fn packets_without_the_header() {
        assert!(test_v4(Ah::default(), &over_v4().with(7, 1).0) == Outcome::No);
        assert!(test_v6(Ah::default(), UDP_V6) == Outcome::No);
    }

    #[test]
    fn what_each_family_may_ask() {
        let any = Rule::default();
        let ah = Rule {
            protocol: Some(Not::is(AUTHENTICATION)),
            ..Rule::default()
        };
        let length = |value| Ah {
            length: Some(Not::is(value)),
            ..Ah::default()
        };
        let reserved = || Ah {
            reserved: true,
            ..Ah::default()
        };
        for (item, rule, v4, v6) in [
            (Ah::default(), &any, false, true),
            (Ah::default(), &ah, true, true),
            (length(12), &ah, false, true),
            (reserved(), &ah, false, true),
            (length(0), &any, false, false),
            (length(MIN_LENGTH), &any, false, true),
            (length(13), &any, false, false),
            (length(MAX_LENGTH), &any, false, true),
            (length(MAX_LENGTH + UNIT), &any, false, false),
        ] {
            assert_eq!(item.check(Family::V4, rule).is_ok(), v4);
            assert_eq!(item.check(Family::V6, rule).is_ok(), v6);
        }
    }
}

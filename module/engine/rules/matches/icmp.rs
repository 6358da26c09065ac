// SPDX-License-Identifier: GPL-2.0
//! `-m icmp` and `-m icmp6`: type and code of a message (RFC 792, RFC 4443).

use super::ports::transport_header;
use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{protocol, Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};
use crate::wire;

/// Length of the part of the header that all messages have, in bytes.
const HEADER: usize = 8;

/// A type, and a range of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeCode {
    /// The type; `None` for messages of every type.
    pub kind: Option<u8>,
    /// The lowest code.
    pub first: u8,
    /// The highest code.
    pub last: u8,
}

impl TypeCode {
    /// Messages of every type and code.
    pub const ANY: Self = Self {
        kind: None,
        first: 0,
        last: u8::MAX,
    };

    fn contains(&self, kind: u8, code: u8) -> bool {
        self.kind
            .is_none_or(|asked| asked == kind && self.first <= code && code <= self.last)
    }
}

/// On netlink: four bytes, whether a type is asked for, the type, the lowest and the highest code.
impl Field for TypeCode {
    const KIND: Kind = Kind::Bytes(4);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        to.put(
            id,
            &[
                u8::from(self.kind.is_some()),
                self.kind.unwrap_or_default(),
                self.first,
                self.last,
            ],
        )
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        match *from.data {
            [0, 0, 0, u8::MAX] => Ok(Self::ANY),
            [1, kind, first, last] if first <= last => Ok(Self {
                kind: Some(kind),
                first,
                last,
            }),
            _ => Err(from.invalid("not a type and a range of codes")),
        }
    }
}

wire! {
    /// The match for ICMP.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Icmp, "icmp-attrs" {
        /// `--icmp-type`
        2 message: Not<TypeCode>,
    }
}

wire! {
    /// The match for ICMPv6.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Icmpv6, "icmpv6-attrs" {
        /// `--icmpv6-type`
        2 message: Not<TypeCode>,
    }
}

fn test(asked: &Not<TypeCode>, packet: &Body<'_>) -> Outcome {
    let mut buffer = [0; HEADER];
    match transport_header(packet, &mut buffer) {
        Ok(&[kind, code, ..]) => Outcome::from(asked.value.contains(kind, code) != asked.not),
        Err(outcome) => outcome,
    }
}

impl Matcher for Icmp {
    fn check(&self, family: Family, rule: &Rule) -> Result<(), &'static str> {
        match (family, rule.exact_protocol()) {
            (Family::V4, Some(protocol::ICMP)) => Ok(()),
            _ => Err("the icmp match needs IPv4 and -p icmp"),
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        test(&self.message, packet)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

impl Matcher for Icmpv6 {
    fn check(&self, family: Family, rule: &Rule) -> Result<(), &'static str> {
        match (family, rule.exact_protocol()) {
            (Family::V6, Some(protocol::ICMPV6)) => Ok(()),
            _ => Err("the icmp6 match needs IPv6 and -p icmpv6"),
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        test(&self.message, packet)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_icmp))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, Bytes, TCP_V4, UDP_V6};
    use crate::engine::packet::DropReason;
    use crate::engine::rules::Match;

    /// "Destination unreachable", code 3, over IPv4 and IPv6.
    fn messages() -> (Bytes, Bytes) {
        let v4 = Bytes::of(TCP_V4.get(..20).unwrap())
            .with(9, 1)
            .then(&[3, 3, 0, 0, 0, 0, 0, 0]);
        let v6 = Bytes::of(UDP_V6.get(..40).unwrap())
            .with(6, 58)
            .then(&[1, 3, 0, 0, 0, 0, 0, 0]);
        (v4, v6)
    }

    #[test]
    fn types_and_codes() {
        let (v4, v6) = messages();
        let cases = [
            (None, 0, 255, true),
            (Some(3), 0, 255, true),
            (Some(3), 3, 3, true),
            (Some(3), 4, 4, false),
            (Some(8), 0, 255, false),
        ];
        for (kind, first, last, hit) in cases {
            for not in [false, true] {
                let value = TypeCode { kind, first, last };
                let item = Match::Icmp(Icmp {
                    message: Not { value, not },
                });
                assert!(holds(Family::V4, 1, item, &v4.0) == Outcome::from(hit != not));
                // The same of ICMPv6, where "unreachable" is 1.
                let value = TypeCode {
                    kind: kind.map(|kind| kind - 2),
                    first,
                    last,
                };
                let item = Match::Icmpv6(Icmpv6 {
                    message: Not { value, not },
                });
                assert!(holds(Family::V6, 58, item, &v6.0) == Outcome::from(hit != not));
            }
        }
    }

    #[test]
    fn a_header_cut_off_is_dropped() {
        let (v4, _) = messages();
        for length in 20..28 {
            let item = Match::Icmp(Icmp {
                message: Not::is(TypeCode::ANY),
            });
            let outcome = holds(Family::V4, 1, item, v4.0.get(..length).unwrap());
            assert!(outcome == Outcome::Drop(DropReason::TruncatedTransport));
        }
    }

    #[test]
    fn belongs_to_its_family() {
        let rule = |protocol| Rule {
            protocol: Some(Not::is(protocol)),
            ..Rule::default()
        };
        let icmp = Icmp {
            message: Not::is(TypeCode::ANY),
        };
        assert!(icmp.check(Family::V4, &rule(1)).is_ok());
        assert!(icmp.check(Family::V6, &rule(1)).is_err());
        assert!(icmp.check(Family::V4, &rule(58)).is_err());
        let icmpv6 = Icmpv6 {
            message: Not::is(TypeCode::ANY),
        };
        assert!(icmpv6.check(Family::V6, &rule(58)).is_ok());
        assert!(icmpv6.check(Family::V4, &rule(58)).is_err());
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m mh`: the type of a message of Mobile IPv6 (RFC 6275, section 6.1).

use super::ports::transport_header;
use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{extension, protocol, Body, DropReason, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::uapi::range::Range;
use crate::wire;

/// Length of the part of the header that all messages have, in bytes.
const HEADER: usize = 6;

wire! {
    /// The match.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Mh, "mh-attrs" {
        /// `--mh-type`
        2 kind: Option<Not<Range<u8>>>,
    }
}

impl Matcher for Mh {
    fn check(&self, family: Family, rule: &Rule) -> Result<(), &'static str> {
        match (family, rule.exact_protocol()) {
            (Family::V6, Some(protocol::MOBILITY)) => Ok(()),
            _ => Err("the mh match needs IPv6 and -p mobility-header"),
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let mut buffer = [0; HEADER];
        let &[payload, _, kind, ..] = match transport_header(packet, &mut buffer) {
            Ok(header) => header,
            Err(outcome) => return outcome,
        };
        // Nothing may follow the header.
        if payload != extension::NONE {
            return Outcome::Drop(DropReason::MalformedTransport);
        }
        Outcome::from(
            self.kind
                .is_none_or(|asked| asked.value.contains(kind) != asked.not),
        )
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_mh))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, v6};
    use crate::engine::rules::Match;

    /// A binding update.
    const HEADER: &[u8] = &[59, 1, 5, 0, 0, 0, 0, 1];

    fn test(kind: Option<Not<Range<u8>>>, header: &[u8]) -> Outcome {
        let packet = v6(protocol::MOBILITY, header);
        let item = Match::Mh(Mh { kind });
        holds(Family::V6, protocol::MOBILITY, item, &packet.0)
    }

    #[test]
    fn types_at_the_edges() {
        for (first, last, hit) in [
            (5, 5, true),
            (0, 5, true),
            (5, 255, true),
            (6, 255, false),
            (0, 4, false),
        ] {
            for not in [false, true] {
                let value = Range { first, last };
                let outcome = test(Some(Not { value, not }), HEADER);
                assert!(outcome == Outcome::from(hit != not));
            }
        }
        assert!(test(None, HEADER) == Outcome::Yes);
    }

    #[test]
    fn damaged_headers_are_dropped() {
        for length in 0..6 {
            let outcome = test(None, HEADER.get(..length).unwrap());
            assert!(outcome == Outcome::Drop(DropReason::TruncatedTransport));
        }
        assert!(test(None, HEADER.get(..6).unwrap()) == Outcome::Yes);
        let carries = [17, 1, 5, 0, 0, 0, 0, 1];
        assert!(test(None, &carries) == Outcome::Drop(DropReason::MalformedTransport));
    }

    #[test]
    fn belongs_to_its_protocol() {
        let rule = |protocol| Rule {
            protocol: Some(Not::is(protocol)),
            ..Rule::default()
        };
        assert!(Mh::default().check(Family::V6, &rule(135)).is_ok());
        assert!(Mh::default().check(Family::V6, &rule(60)).is_err());
        assert!(Mh::default().check(Family::V4, &rule(135)).is_err());
    }
}

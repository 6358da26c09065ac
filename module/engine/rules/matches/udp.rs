// SPDX-License-Identifier: GPL-2.0
//! `-m udp`: ports of a UDP header (RFC 768).

use super::{Matcher, Outcome, PortPair, PortRange};
use crate::alloc::AllocError;
use crate::engine::packet::{protocol, Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::wire;

wire! {
    /// The match; it serves UDP-Lite too, whose ports are in the same place.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Udp, "udp-attrs" {
        /// `--source-port`
        2 source: Option<Not<PortRange>>,
        /// `--destination-port`
        3 destination: Option<Not<PortRange>>,
    }
}

impl Udp {
    fn port_pair(&self) -> PortPair {
        PortPair {
            source: self.source,
            destination: self.destination,
        }
    }
}

impl Matcher for Udp {
    fn check(&self, _: Family, rule: &Rule) -> Result<(), &'static str> {
        match rule.exact_protocol() {
            Some(protocol::UDP | protocol::UDPLITE) => Ok(()),
            _ => Err("the udp match needs -p udp or -p udplite"),
        }
    }

    fn ports(&self) -> Option<PortPair> {
        Some(self.port_pair())
    }

    fn asks(&self) -> bool {
        false
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        self.port_pair().test(packet)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_udp))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, UDP_V6};
    use crate::engine::packet::DropReason;
    use crate::engine::rules::Match;

    fn test(udp: Udp, bytes: &[u8]) -> Outcome {
        holds(Family::V6, protocol::UDP, Match::Udp(udp), bytes)
    }

    #[test]
    fn ports_at_the_edges() {
        for (first, last, hit) in [
            (53, 53, true),
            (0, 53, true),
            (54, 65535, false),
            (0, 52, false),
        ] {
            for not in [false, true] {
                let range = Not {
                    value: PortRange { first, last },
                    not,
                };
                let udp = Udp {
                    destination: Some(range),
                    ..Udp::default()
                };
                assert!(test(udp, UDP_V6) == Outcome::from(hit != not));
            }
        }
        let range = Not::is(PortRange {
            first: 1025,
            last: 65535,
        });
        assert!(
            test(
                Udp {
                    source: Some(range),
                    ..Udp::default()
                },
                UDP_V6
            ) == Outcome::No
        );
    }

    #[test]
    fn a_header_cut_off_is_dropped() {
        for length in 40..48 {
            let cut = UDP_V6.get(..length).unwrap();
            assert!(test(Udp::default(), cut) == Outcome::Drop(DropReason::TruncatedTransport));
        }
    }

    #[test]
    fn needs_its_protocol() {
        for (protocol, fits) in [
            (Some(17), true),
            (Some(136), true),
            (Some(6), false),
            (None, false),
        ] {
            let rule = Rule {
                protocol: protocol.map(Not::is),
                ..Rule::default()
            };
            assert_eq!(Udp::default().check(Family::V4, &rule).is_ok(), fits);
        }
        let rule = Rule {
            protocol: Some(Not {
                value: 17,
                not: true,
            }),
            ..Rule::default()
        };
        assert!(Udp::default().check(Family::V4, &rule).is_err());
    }
}

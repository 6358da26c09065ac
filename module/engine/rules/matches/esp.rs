// SPDX-License-Identifier: GPL-2.0
//! `-m esp`: the index of the security association that a payload is encrypted for (RFC 4303, section 2).

use super::ports::transport_header;
use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{protocol, Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::uapi::range::Range;
use crate::wire;

/// Length of the part of the header that is not encrypted, in bytes.
const HEADER: usize = 8;

wire! {
    /// The match.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Esp, "esp-attrs" {
        /// `--espspi`, the security parameters index.
        2 spi: Option<Not<Range<u32>>>,
    }
}

impl Matcher for Esp {
    fn check(&self, _: Family, rule: &Rule) -> Result<(), &'static str> {
        if rule.exact_protocol() == Some(protocol::ESP) {
            Ok(())
        } else {
            Err("the esp match needs -p esp")
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let mut buffer = [0; HEADER];
        let &[s0, s1, s2, s3, ..] = match transport_header(packet, &mut buffer) {
            Ok(header) => header,
            Err(outcome) => return outcome,
        };
        let spi = u32::from_be_bytes([s0, s1, s2, s3]);
        Outcome::from(self.spi.is_none_or(|asked| asked.holds(spi)))
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_esp))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, Bytes, TCP_V4, UDP_V6};
    use crate::engine::packet::DropReason;
    use crate::engine::rules::Match;

    /// Packets for the association 0x01020304, over IPv4 and IPv6, and the lengths of their IP headers.
    fn packets() -> [(Family, Bytes, usize); 2] {
        let esp = [1, 2, 3, 4, 0, 0, 0, 9];
        let v4 = Bytes::of(TCP_V4.get(..20).unwrap()).with(9, protocol::ESP);
        let v6 = Bytes::of(UDP_V6.get(..40).unwrap()).with(6, protocol::ESP);
        [
            (Family::V4, v4.then(&esp), 20),
            (Family::V6, v6.then(&esp), 40),
        ]
    }

    fn test(family: Family, spi: Option<Not<Range<u32>>>, bytes: &[u8]) -> Outcome {
        holds(family, protocol::ESP, Match::Esp(Esp { spi }), bytes)
    }

    #[test]
    fn indices_at_the_edges() {
        let index = 0x0102_0304;
        for (family, bytes, _) in packets() {
            assert!(test(family, None, &bytes.0) == Outcome::Yes);
            for (first, last, hit) in [
                (index, index, true),
                (0, index, true),
                (index, u32::MAX, true),
                (0, index - 1, false),
                (index + 1, u32::MAX, false),
            ] {
                for not in [false, true] {
                    let value = Range { first, last };
                    let spi = Some(Not { value, not });
                    assert!(test(family, spi, &bytes.0) == Outcome::from(hit != not));
                }
            }
        }
    }

    #[test]
    fn a_header_cut_off_is_dropped() {
        for (family, bytes, header) in packets() {
            for length in header..header + HEADER {
                let outcome = test(family, None, bytes.0.get(..length).unwrap());
                assert!(outcome == Outcome::Drop(DropReason::TruncatedTransport));
            }
        }
    }

    #[test]
    fn a_later_fragment_does_not_match() {
        let [(family, bytes, _), _] = packets();
        assert!(test(family, None, &bytes.with(7, 1).0) == Outcome::No);
    }

    #[test]
    fn needs_its_protocol() {
        for (protocol, not, fits) in [(50, false, true), (50, true, false), (51, false, false)] {
            let rule = Rule {
                protocol: Some(Not {
                    value: protocol,
                    not,
                }),
                ..Rule::default()
            };
            assert_eq!(Esp::default().check(Family::V4, &rule).is_ok(), fits);
        }
        assert!(Esp::default().check(Family::V6, &Rule::default()).is_err());
    }
}

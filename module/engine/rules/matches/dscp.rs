// SPDX-License-Identifier: GPL-2.0
//! `-m dscp`: the codepoint of differentiated services (RFC 2474, section 3).

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::wire;

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Dscp, "dscp-attrs" {
        /// `--dscp`, of 6 bits.
        2 codepoint: Not<u8>,
    }
}

impl Dscp {
    /// The greatest codepoint.
    pub const MAX: u8 = 63;
}

impl Matcher for Dscp {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        if self.codepoint.value <= Self::MAX {
            Ok(())
        } else {
            Err("the codepoint of the dscp match is greater than 63")
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let Not { value, not } = self.codepoint;
        Outcome::from((packet.traffic_class() >> 2 == value) != not)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_dscp))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, Bytes, TCP_V4, UDP_V6};
    use crate::engine::packet::protocol;
    use crate::engine::rules::Match;

    #[test]
    fn congestion_notification_does_not_count() {
        for congestion in 0..4 {
            // The codepoint 46, "expedited forwarding".
            let v4 = Bytes::of(TCP_V4).with(1, 0xb8 | congestion);
            let v6 = Bytes::of(UDP_V6)
                .with(0, 0x6b)
                .with(1, 0x8f | congestion << 4);
            for value in [0, 45, 46, 47, Dscp::MAX] {
                for not in [false, true] {
                    let item = || {
                        let codepoint = Not { value, not };
                        Match::Dscp(Dscp { codepoint })
                    };
                    let expected = Outcome::from((value == 46) != not);
                    assert!(holds(Family::V4, protocol::TCP, item(), &v4.0) == expected);
                    assert!(holds(Family::V6, protocol::UDP, item(), &v6.0) == expected);
                }
            }
        }
    }

    #[test]
    fn codepoints_have_six_bits() {
        for (value, fits) in [(0, true), (63, true), (64, false), (255, false)] {
            let codepoint = Not::is(value);
            let checked = Dscp { codepoint }.check(Family::V4, &Rule::default());
            assert_eq!(checked.is_ok(), fits);
        }
    }
}

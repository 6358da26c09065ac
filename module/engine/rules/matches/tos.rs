// SPDX-License-Identifier: GPL-2.0
//! `-m tos`: the type of service of IPv4 (RFC 791), the traffic class of IPv6 (RFC 8200), under a mask.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::wire;

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Tos, "tos-attrs" {
        /// The bits that are asked for.
        2 value: Not<u8>,
        /// The bits that are looked at.
        3 mask: u8,
    }
}

impl Matcher for Tos {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let Not { value, not } = self.value;
        Outcome::from((packet.traffic_class() & self.mask == value) != not)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_tos))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, Bytes, TCP_V4, UDP_V6};
    use crate::engine::packet::protocol;
    use crate::engine::rules::Match;

    #[test]
    fn bits_under_the_mask() {
        let v4 = Bytes::of(TCP_V4).with(1, 0x2d);
        let v6 = Bytes::of(UDP_V6).with(0, 0x62).with(1, 0xdf);
        for (value, mask, hit) in [
            (0x2d, 0xff, true),
            (0x2c, 0xff, false),
            (0x2c, 0xfc, true),
            (0x0d, 0x0f, true),
            (0x20, 0xf0, true),
            (0, 0, true),
            // A bit outside of the mask is never found.
            (0x2d, 0x0f, false),
        ] {
            for not in [false, true] {
                let item = || {
                    let value = Not { value, not };
                    Match::Tos(Tos { value, mask })
                };
                let expected = Outcome::from(hit != not);
                assert!(holds(Family::V4, protocol::TCP, item(), &v4.0) == expected);
                assert!(holds(Family::V6, protocol::UDP, item(), &v6.0) == expected);
            }
        }
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m length`: the packet's length, its headers included.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::uapi::range::Range;
use crate::wire;

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Length, "length-attrs" {
        /// `--length`, in bytes from the network header on.
        2 length: Not<Range<u16>>,
    }
}

impl Matcher for Length {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let Range { first, last } = self.length.value;
        // A packet that is still to be cut into segments can be longer than a range can say.
        let range = u32::from(first)..=u32::from(last);
        Outcome::from(range.contains(&packet.length()) != self.length.not)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_length))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, TCP_V4, UDP_V6};
    use crate::engine::packet::protocol;
    use crate::engine::rules::Match;

    #[test]
    fn lengths_at_the_edges() {
        for (family, protocol, bytes) in [
            (Family::V4, protocol::TCP, TCP_V4),
            (Family::V6, protocol::UDP, UDP_V6),
        ] {
            let length = bytes.len() as u16;
            for (first, last, hit) in [
                (length, length, true),
                (0, length, true),
                (length, u16::MAX, true),
                (0, length - 1, false),
                (length + 1, u16::MAX, false),
            ] {
                for not in [false, true] {
                    let value = Range { first, last };
                    let item = Match::Length(Length {
                        length: Not { value, not },
                    });
                    let outcome = holds(family, protocol, item, bytes);
                    assert!(outcome == Outcome::from(hit != not));
                }
            }
        }
    }
}

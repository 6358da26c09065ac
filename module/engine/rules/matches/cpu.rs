// SPDX-License-Identifier: GPL-2.0
//! `-m cpu`: the processor that handles the packet.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::wire;

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Cpu, "cpu-attrs" {
        /// `--cpu`, counted from 0.
        2 processor: Not<u32>,
    }
}

impl Matcher for Cpu {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let Not { value, not } = self.processor;
        Outcome::from((packet.source().processor() == value) != not)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_cpu))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{asked, TCP_V4};
    use crate::engine::packet::Metadata;
    use crate::engine::rules::Match;

    #[test]
    fn one_and_all_others() {
        for (value, hit) in [(3, true), (0, false), (4, false), (u32::MAX, false)] {
            for not in [false, true] {
                let item = Match::Cpu(Cpu {
                    processor: Not { value, not },
                });
                let metadata = Metadata {
                    processor: 3,
                    ..Metadata::default()
                };
                let outcome = asked(Family::V4, item, TCP_V4, metadata);
                assert!(outcome == Outcome::from(hit != not));
            }
        }
    }
}

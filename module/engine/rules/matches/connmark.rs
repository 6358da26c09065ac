// SPDX-License-Identifier: GPL-2.0
//! `-m connmark`: the mark of the packet's connection, under a mask.

use super::{Masked, Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family};
use crate::engine::rules::machine::{Fact, Machine};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::wire;

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Connmark, "connmark-attrs" {
        /// `--mark`
        2 mark: Not<Masked>,
    }
}

impl Matcher for Connmark {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        Ok(())
    }

    fn bind(&mut self, machine: &dyn Machine) -> Result<(), &'static str> {
        machine.provide(Fact::ConnectionMark)
    }

    fn tracks(&self) -> bool {
        true
    }

    /// A packet without a connection has no mark to be another one.
    fn test(&self, packet: &Body<'_>) -> Outcome {
        let Masked { value, mask } = self.mark.value;
        let mark = packet.source().connection_mark();
        Outcome::from(mark.is_some_and(|mark| (mark & mask == value) != self.mark.not))
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_connmark))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{flat, holds_of, TCP_V4};
    use crate::engine::packet::{Flat, Tracked};

    #[test]
    fn marks() {
        for (value, mask, hit) in [
            (0x15, u32::MAX, true),
            (0x14, u32::MAX, false),
            (5, 0xf, true),
            (4, 0xf, false),
            (0, 0, true),
            // A bit outside of the mask is never there.
            (0x15, 0xf, false),
        ] {
            for not in [false, true] {
                let item = Connmark {
                    mark: Not {
                        value: Masked { value, mask },
                        not,
                    },
                };
                assert_eq!(asked(&item, Some(0x15)), Outcome::from(hit != not));
                assert_eq!(asked(&item, None), Outcome::No);
            }
        }
    }

    fn asked(item: &Connmark, mark: Option<u32>) -> Outcome {
        let packet = Flat {
            tracked: Tracked {
                mark,
                ..Tracked::default()
            },
            ..flat(TCP_V4)
        };
        holds_of(Family::V4, item, &packet)
    }
}

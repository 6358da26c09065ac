// SPDX-License-Identifier: GPL-2.0
//! `-m realm`: the realms of the packet's route, under a mask.

use super::{Masked, Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family, Hook};
use crate::engine::rules::machine::{Fact, Machine};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::wire;

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Realm, "realm-attrs" {
        /// `--realm`
        2 realm: Not<Masked>,
    }
}

impl Matcher for Realm {
    fn check(&self, family: Family, _: &Rule) -> Result<(), &'static str> {
        if family == Family::V4 {
            Ok(())
        } else {
            Err("realm is for IPv4 only")
        }
    }

    fn check_hook(&self, hook: Hook) -> Result<(), &'static str> {
        if hook == Hook::PreRouting {
            Err("before PREROUTING there is no route to have a realm")
        } else {
            Ok(())
        }
    }

    fn bind(&mut self, machine: &dyn Machine) -> Result<(), &'static str> {
        machine.provide(Fact::Realm)
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let Masked { value, mask } = self.realm.value;
        Outcome::from((packet.source().realm() & mask == value) != self.realm.not)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_realm))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{asked, TCP_V4};
    use crate::engine::packet::Metadata;
    use crate::engine::rules::Match;

    #[test]
    fn realms_under_masks() {
        let cases = [
            (0x0002_0001, u32::MAX, true),
            (1, u32::MAX, false),
            (1, 0xffff, true),
            (0x0002_0000, 0xffff_0000, true),
            // A bit that the mask hides can't be seen.
            (3, 1, false),
            (0, 0, true),
        ];
        for (value, mask, hit) in cases {
            for not in [false, true] {
                let item = Match::Realm(Realm {
                    realm: Not {
                        value: Masked { value, mask },
                        not,
                    },
                });
                let metadata = Metadata {
                    realm: 0x0002_0001,
                    ..Metadata::default()
                };
                let outcome = asked(Family::V4, item, TCP_V4, metadata);
                assert!(outcome == Outcome::from(hit != not));
            }
        }
    }
}

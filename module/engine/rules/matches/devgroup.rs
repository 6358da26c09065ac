// SPDX-License-Identifier: GPL-2.0
//! `-m devgroup`: the groups of the interfaces that the packet comes in and goes out by, under masks.

use super::{Masked, Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family, Hook};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::wire;

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Devgroup, "devgroup-attrs" {
        /// `--src-group`
        2 source: Option<Not<Masked>>,
        /// `--dst-group`
        3 destination: Option<Not<Masked>>,
    }
}

impl Matcher for Devgroup {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        match (self.source, self.destination) {
            (None, None) => Err("devgroup needs --src-group or --dst-group"),
            _ => Ok(()),
        }
    }

    fn check_hook(&self, hook: Hook) -> Result<(), &'static str> {
        if self.source.is_some() && !hook.has_input() {
            return Err("--src-group needs PREROUTING, INPUT or FORWARD");
        }
        if self.destination.is_some() && !hook.has_output() {
            return Err("--dst-group needs FORWARD, OUTPUT or POSTROUTING");
        }
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let source = packet.source();
        Outcome::from(
            holds(self.source, || source.input_group())
                && holds(self.destination, || source.output_group()),
        )
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

/// Whether a group is as asked. Bits of the value that the mask does not have are not looked at.
fn holds(asked: Option<Not<Masked>>, group: impl FnOnce() -> Option<u32>) -> bool {
    let Some(Not { value, not }) = asked else {
        return true;
    };
    group().is_some_and(|group| ((group ^ value.value) & value.mask == 0) != not)
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_devgroup))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{asked, TCP_V4};
    use crate::engine::packet::Metadata;
    use crate::engine::rules::Match;

    #[test]
    fn groups_under_masks() {
        let cases = [
            (Some(5), 5, u32::MAX, true),
            (Some(5), 4, u32::MAX, false),
            (Some(5), 4, 4, true),
            (Some(5), 7, 5, true),
            (Some(5), 7, 2, false),
            (Some(5), 9, 0, true),
            (Some(0), 0, u32::MAX, true),
        ];
        for (group, value, mask, hit) in cases {
            for not in [false, true] {
                let value = Some(Not {
                    value: Masked { value, mask },
                    not,
                });
                let wanted = Outcome::from(hit != not);
                assert!(by_source(value, group) == wanted);
                assert!(by_destination(value, group) == wanted);
                assert!(by_source(value, None) == Outcome::No);
            }
        }
    }

    #[test]
    fn both_must_hold() {
        let is = |value| {
            let mask = u32::MAX;
            Some(Not::is(Masked { value, mask }))
        };
        for (source, destination, wanted) in [
            (1, 2, Outcome::Yes),
            (1, 1, Outcome::No),
            (2, 2, Outcome::No),
        ] {
            let item = Match::Devgroup(Devgroup {
                source: is(source),
                destination: is(destination),
            });
            let metadata = Metadata {
                input_group: Some(1),
                output_group: Some(2),
                ..Metadata::default()
            };
            assert!(asked(Family::V4, item, TCP_V4, metadata) == wanted);
        }
        let neither = Devgroup {
            source: None,
            destination: None,
        };
        assert!(neither.check(Family::V4, &Rule::default()).is_err());
    }

    fn by_source(source: Option<Not<Masked>>, input_group: Option<u32>) -> Outcome {
        let item = Match::Devgroup(Devgroup {
            source,
            destination: None,
        });
        let metadata = Metadata {
            input_group,
            ..Metadata::default()
        };
        asked(Family::V4, item, TCP_V4, metadata)
    }

    fn by_destination(destination: Option<Not<Masked>>, output_group: Option<u32>) -> Outcome {
        let item = Match::Devgroup(Devgroup {
            source: None,
            destination,
        });
        let metadata = Metadata {
            output_group,
            ..Metadata::default()
        };
        asked(Family::V4, item, TCP_V4, metadata)
    }
}

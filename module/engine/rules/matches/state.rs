// SPDX-License-Identifier: GPL-2.0
//! `-m state`: what the packet is to its connection, in the words of the match that was before conntrack.

use super::conntrack::States;
use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::wire;

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct State, "state-attrs" {
        /// `--state`: one of them holds.
        2 states: Not<States>,
    }
}

impl Matcher for State {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        match self.states.of_packets_alone() {
            Some(_) => Ok(()),
            None => Err("state can't ask for SNAT and DNAT; conntrack can"),
        }
    }

    fn states(&self) -> Option<u8> {
        self.states.of_packets_alone()
    }

    fn tracks(&self) -> bool {
        true
    }

    fn asks(&self) -> bool {
        false
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let holds = self.states.value.of_packets() & packet.tracking.bit() != 0;
        Outcome::from(holds != self.states.not)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_state))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{flat, holds_of, TCP_V4};
    use crate::engine::packet::{Flat, Tracked, Tracking};

    #[test]
    fn states() {
        let new = States::NEW;
        let bits = |states: States| states.bits();
        let both = States::new(bits(States::RELATED) | bits(States::ESTABLISHED)).unwrap();
        for (value, tracking, hit) in [
            (new, Tracking::New, true),
            (new, Tracking::Established, false),
            (both, Tracking::EstablishedReply, true),
            (both, Tracking::RelatedReply, true),
            (both, Tracking::Untracked, false),
            (States::INVALID, Tracking::Invalid, true),
            (States::UNTRACKED, Tracking::Untracked, true),
            (States::UNTRACKED, Tracking::Invalid, false),
        ] {
            for not in [false, true] {
                let states = Not { value, not };
                let item = State { states };
                let packet = Flat {
                    tracked: Tracked {
                        tracking,
                        ..Tracked::default()
                    },
                    ..flat(TCP_V4)
                };
                let outcome = holds_of(Family::V4, &item, &packet);
                assert_eq!(outcome, Outcome::from(hit != not));
                let set = item.states().unwrap();
                assert!((set & tracking.bit() != 0) == (hit != not));
            }
        }
    }

    #[test]
    fn what_a_connection_became_is_not_asked() {
        let item = |value| State {
            states: Not::is(value),
        };
        let check = |value| item(value).check(Family::V6, &Rule::default()).is_ok();
        assert!(check(States::OF_PACKETS));
        assert!(!check(States::SNAT) && !check(States::ALL));
    }
}

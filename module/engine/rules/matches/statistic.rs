// SPDX-License-Identifier: GPL-2.0
//! `-m statistic`: some packets of all, by chance or by turns.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family};
use crate::engine::rules::memory::Memory;
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::wire;

wire! {
    /// The match: either [`probability`](Self::probability) or [`every`](Self::every) is there.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Statistic, "statistic-attrs" {
        /// `--probability`, in parts of [`Statistic::CERTAIN`].
        2 probability: Option<Not<u32>>,
        /// `--every`: one packet of so many.
        3 every: Option<Not<u32>>,
        /// `--packet`, which of them, counted from 0.
        4 packet: Option<u32>,
    }
    state {
        /// How many packets there were.
        count: Memory
    }
}

impl Statistic {
    /// The probability of what always happens.
    pub const CERTAIN: u32 = 1 << 31;
}

impl Matcher for Statistic {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        match (self.probability, self.every, self.packet) {
            (Some(probability), None, None) if probability.value <= Self::CERTAIN => Ok(()),
            (Some(_), None, None) => Err("a probability is at most 1"),
            (None, Some(every), Some(packet)) if packet < every.value => Ok(()),
            (None, Some(_), Some(_)) => Err("packets are counted from 0 to one less than every"),
            _ => Err("statistic needs either a probability, or every and packet"),
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        if let Some(Not { value, not }) = self.probability {
            return Outcome::from((packet.source().random() >> 1 < value) != not);
        }
        let Some(Not { value, not }) = self.every else {
            return Outcome::No;
        };
        // A count of 64 bits does not come to its end.
        let turn = self.count.count().checked_rem(value.into());
        Outcome::from((turn == self.packet.map(u64::from)) != not)
    }

    fn remembers(&self) -> bool {
        self.every.is_some()
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_statistic))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{hits_at, one};
    use crate::engine::rules::{Error, Match, Program};

    #[test]
    fn chance() {
        for (value, random, hit) in [
            (0, 0, false),
            (1, 0, true),
            (1, 1, true),
            (1, 2, false),
            (1 << 30, (1 << 31) - 1, true),
            (1 << 30, 1 << 31, false),
            (Statistic::CERTAIN - 1, u32::MAX, false),
            (Statistic::CERTAIN, u32::MAX, true),
        ] {
            for not in [false, true] {
                let program = by_chance(value, not).ok().unwrap();
                assert_eq!(hits_at(&program, 0, random), hit != not);
            }
        }
    }

    #[test]
    fn turns() {
        for every in 1..5 {
            for packet in 0..every {
                for not in [false, true] {
                    let program = by_turns(every, packet, not).ok().unwrap();
                    for number in 0..20 {
                        let hit = number % every == packet;
                        assert_eq!(hits_at(&program, 0, 0), hit != not);
                    }
                }
            }
        }
    }

    #[test]
    fn what_a_message_can_ask() {
        assert!(by_chance(Statistic::CERTAIN + 1, false).is_err());
        assert!(by_turns(0, 0, false).is_err());
        assert!(by_turns(3, 3, false).is_err());
        let one = Some(Not::is(1));
        for (probability, every, packet) in [
            (None, None, None),
            (one, one, Some(0)),
            (one, None, Some(0)),
            (None, one, None),
            (None, None, Some(0)),
        ] {
            assert!(statistic(probability, every, packet).is_err());
        }
    }

    #[cfg(not(MODULE))]
    #[test]
    fn many_threads_take_turns() {
        let program = by_turns(3, 1, false).ok().unwrap();
        let passed: Memory = Memory::new().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..15_000 {
                        if hits_at(&program, 0, 0) {
                            passed.count();
                        }
                    }
                });
            }
        });
        assert_eq!(passed.count(), 20_000);
    }

    fn statistic(
        probability: Option<Not<u32>>,
        every: Option<Not<u32>>,
        packet: Option<u32>,
    ) -> Result<Program, Error> {
        one(Match::Statistic(Statistic {
            probability,
            every,
            packet,
            count: Memory::new().unwrap(),
        }))
    }

    fn by_chance(value: u32, not: bool) -> Result<Program, Error> {
        statistic(Some(Not { value, not }), None, None)
    }

    fn by_turns(value: u32, packet: u32, not: bool) -> Result<Program, Error> {
        statistic(None, Some(Not { value, not }), Some(packet))
    }
}

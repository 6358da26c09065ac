// SPDX-License-Identifier: GPL-2.0
//! `-m limit`: so many packets in a time, and some at once.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family};
use crate::engine::rules::bucket;
use crate::engine::rules::memory::Memory;
use crate::engine::rules::model::Rule;
use crate::wire;

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Limit, "limit-attrs" {
        /// `--limit`, as the time from one packet to the next, in parts of [`Limit::SCALE`] of a second.
        2 period: u32,
        /// `--limit-burst`, the packets that may come at once.
        3 burst: u32,
    }
    state {
        /// The time at which as many may come again.
        full_at: Memory
    }
}

impl Limit {
    /// How many units of [`period`](Self::period) a second has (XT_LIMIT_SCALE).
    pub const SCALE: u32 = 10_000;
    /// The longest period: a day.
    pub const MAX_PERIOD: u32 = 24 * 60 * 60 * Self::SCALE;
    /// The largest burst.
    pub const MAX_BURST: u32 = 10_000;

    const NANOSECONDS: u64 = 1_000_000_000 / Self::SCALE as u64;
}

impl Matcher for Limit {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        if !(1..=Self::MAX_PERIOD).contains(&self.period) {
            return Err("the period of a limit is a day at most, and not zero");
        }
        if !(1..=Self::MAX_BURST).contains(&self.burst) {
            return Err("the burst of a limit is 1 to 10000 packets");
        }
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let now = packet.source().monotonic();
        // Within 64 bits by the limits above.
        let cost = u64::from(self.period) * Self::NANOSECONDS;
        let depth = cost.saturating_mul(self.burst.into());
        let enough = self
            .full_at
            .update(|full_at| match bucket::take(full_at, now, cost, depth) {
                Some(later) => (later, true),
                None => (full_at, false),
            });
        Outcome::from(enough)
    }

    fn remembers(&self) -> bool {
        true
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_limit))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{hits_at, one};
    use crate::engine::rules::{Match, Program};

    #[test]
    fn as_many_as_the_rate_allows() {
        // Four a second, and six at once.
        let program = program(2500, 6);
        const MS: u64 = 1_000_000;
        assert_eq!(passing(&program, 10, 1000 * MS), 6);
        assert_eq!(passing(&program, 10, 1249 * MS), 0);
        assert_eq!(passing(&program, 10, 1250 * MS), 1);
        assert_eq!(passing(&program, 10, 1999 * MS), 2);
        assert_eq!(passing(&program, 10, 2000 * MS), 1);
        assert_eq!(passing(&program, 10, 9000 * MS), 6);
        // One that is there for the first packet of all.
        assert_eq!(passing(&self::program(2500, 6), 10, 0), 6);
    }

    #[test]
    fn the_longest_period_and_the_largest_burst() {
        let program = program(Limit::MAX_PERIOD, Limit::MAX_BURST);
        const DAY: u64 = 24 * 60 * 60 * 1_000_000_000;
        assert_eq!(passing(&program, 10_001, DAY), 10_000);
        assert_eq!(passing(&program, 2, 2 * DAY - 1), 0);
        assert_eq!(passing(&program, 2, 2 * DAY), 1);
    }

    #[test]
    fn what_a_message_can_ask() {
        let allowed = |period, burst| one(limit(period, burst)).is_ok();
        assert!(allowed(1, 1));
        for (period, burst) in [(0, 5), (Limit::MAX_PERIOD + 1, 5), (1, 0), (1, 10_001)] {
            assert!(!allowed(period, burst));
        }
    }

    #[cfg(not(MODULE))]
    #[test]
    fn many_threads_get_what_one_would() {
        let program = program(10, 1000);
        let passed = Memory::new().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    // Each thread lives through the same second, a packet each 50 microseconds.
                    for step in 0..20_000 {
                        for _ in 0..passing(&program, 1, 1_000_000_000 + step * 50_000) {
                            passed.count();
                        }
                    }
                });
            }
        });
        // The burst, and one a millisecond as far as the last packet of the second.
        assert_eq!(passed.count(), 1000 + 999);
    }

    fn limit(period: u32, burst: u32) -> Match {
        Match::Limit(Limit {
            period,
            burst,
            full_at: Memory::new().unwrap(),
        })
    }

    fn program(period: u32, burst: u32) -> Program {
        one(limit(period, burst)).ok().unwrap()
    }

    fn passing(program: &Program, packets: usize, now: u64) -> usize {
        (0..packets).filter(|_| hits_at(program, now, 0)).count()
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m limit`: so many packets in a time, and some at once.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family};
use crate::engine::rules::bucket;
use crate::engine::rules::memory::Memory;
use crate::engine::rules::model::Rule;
use crate::uapi::field::Within;
use crate::wire;

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Limit, "limit-attrs" {
        /// `--limit`, as the time from one packet to the next, in parts of [`Limit::SCALE`] of a second.
        2 period: Within<1, { Limit::MAX_PERIOD }>,
        /// `--limit-burst`, the packets that may come at once.
        3 burst: Within<1, { Limit::MAX_BURST }>,
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
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let now = packet.source().monotonic();
        // Within 64 bits by the limits above.
        let cost = u64::from(self.period.number()) * Self::NANOSECONDS;
        let depth = cost.saturating_mul(self.burst.number().into());
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
    use crate::uapi::attr::{Reader, Writer};
    use crate::uapi::field::{Field, Wire};

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
        let asks = |period: u32, burst: u32| {
            let mut writer = Writer::new(100);
            let asked = writer.nest(1, |to| period.put(2, to).and_then(|()| burst.put(3, to)));
            assert!(asked.is_ok());
            let message = Reader::new(writer.bytes()).next();
            Limit::decode(&message.unwrap().ok().unwrap()).err()
        };
        assert!(asks(1, 1).is_none());
        // The headers of the match and of the attributes before the wrong one.
        for (period, burst, offset) in [
            (0, 5, 4),
            (Limit::MAX_PERIOD + 1, 5, 4),
            (1, 0, 12),
            (1, 10_001, 12),
        ] {
            assert!(asks(period, burst).unwrap().offset == Some(offset));
        }
    }

    #[cfg(not(MODULE))]
    #[test]
    fn many_threads_get_what_one_would() {
        let program = program(10, 1000);
        let passed: Memory = Memory::new().unwrap();
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
            period: Within::new(period).unwrap(),
            burst: Within::new(burst).unwrap(),
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

// SPDX-License-Identifier: GPL-2.0
//! `-m quota`: so many bytes, and no more.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family};
use crate::engine::rules::memory::Memory;
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::wire;

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Quota, "quota-attrs" {
        /// `--quota`, in bytes from the network header on.
        2 quota: Not<u64>,
    }
    state {
        /// The bytes that are used up.
        used: Memory
    }
}

impl Matcher for Quota {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let Not { value: quota, not } = self.quota;
        let length = u64::from(packet.length());
        let fits = self.used.update(|used| match used.checked_add(length) {
            Some(sum) if sum <= quota => (sum, true),
            // What a large packet leaves is not for smaller ones: a quota that is over stays over.
            _ => (quota, false),
        });
        Outcome::from(fits != not)
    }

    fn remembers(&self) -> bool {
        true
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_quota))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{hits_at, holds, one, Bytes, TCP_V4};
    use crate::engine::packet::protocol;
    use crate::engine::rules::Match;

    const LENGTH: u64 = TCP_V4.len() as u64;

    #[test]
    fn bytes_up_to_the_last() {
        for (value, hits) in [
            (0, 0),
            (LENGTH - 1, 0),
            (LENGTH, 1),
            (2 * LENGTH - 1, 1),
            (2 * LENGTH, 2),
            (u64::MAX, 9),
        ] {
            for not in [false, true] {
                let program = one(Match::Quota(quota(value, not))).ok().unwrap();
                for number in 0..9 {
                    assert_eq!(hits_at(&program, 0, 0), (number < hits) != not);
                }
            }
        }
    }

    #[test]
    fn what_a_large_packet_leaves_is_nobodys() {
        let quota = quota(LENGTH, false);
        let asked = |bytes: &[u8]| {
            let item = Match::Quota(quota.try_clone().unwrap());
            holds(Family::V4, protocol::TCP, item, bytes)
        };
        let large = Bytes::of(TCP_V4).with(3, TCP_V4.len() as u8 + 1).then(&[0]);
        assert!(asked(&large.0) == Outcome::No);
        assert!(asked(TCP_V4) == Outcome::No);
    }

    #[cfg(not(MODULE))]
    #[test]
    fn many_threads_share_one_quota() {
        let program = one(Match::Quota(quota(LENGTH * 30_000 + 7, false)))
            .ok()
            .unwrap();
        let passed: Memory = Memory::new().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        if hits_at(&program, 0, 0) {
                            passed.count();
                        }
                    }
                });
            }
        });
        assert_eq!(passed.count(), 30_000);
    }

    fn quota(value: u64, not: bool) -> Quota {
        Quota {
            quota: Not { value, not },
            used: Memory::new().unwrap(),
        }
    }
}

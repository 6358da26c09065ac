// SPDX-License-Identifier: GPL-2.0
//! Buckets of tokens, which hold packets to a rate and let short bursts pass.
//!
//! A bucket fills with one token each `cost` nanoseconds, as long as there are fewer in it than it is deep, and
//! each packet takes one. What has to be remembered is one number: the time at which the bucket will be full. At
//! that time it holds `depth`, counted in nanoseconds too, and before it lacks as much as is left to wait; so a
//! packet that takes a token puts the time off by its cost, and may do so as long as the bucket does not lack more
//! than it can hold. (ITU-T I.371, annex A, has this as the virtual scheduling algorithm.)
//!
//! One number is one word, and its change one step for all CPUs (see [`Memory`](super::memory::Memory)). The time
//! grows by `cost` with each packet that passes, and never beyond `now + depth`; therefore between two moments no
//! more than `(later - earlier + depth) / cost` packets pass, whatever CPUs they are on. And a packet is refused
//! only when those that passed have put the time off that far, so no token is lost. A clock that is a little behind
//! on one CPU sees the bucket a little emptier and takes nothing that is not there.

/// The time at which a bucket is full after a packet of `cost` took its part at `now`; `None` where there is not
/// enough in it. All in nanoseconds; a bucket that was never used is full at zero.
#[inline]
pub fn take(full_at: u64, now: u64, cost: u64, depth: u64) -> Option<u64> {
    let full_at = full_at.max(now).checked_add(cost)?;
    (full_at <= now.checked_add(depth)?).then_some(full_at)
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_bucket))]
mod tests {
    use super::*;

    #[test]
    fn bursts_and_what_comes_after() {
        // Three tokens, one more each 10 ns.
        let mut full_at = 0;
        let mut takes = |now| match take(full_at, now, 10, 30) {
            Some(later) => {
                full_at = later;
                true
            }
            None => false,
        };
        for (now, enough) in [
            (1000, true),
            (1000, true),
            (1000, true),
            (1000, false),
            (1009, false),
            (1010, true),
            (1010, false),
            // A clock that is behind.
            (1005, false),
            (1030, true),
            (1030, true),
            (1030, false),
            // No more than three are saved up.
            (9000, true),
            (9000, true),
            (9000, true),
            (9000, false),
        ] {
            assert_eq!(takes(now), enough);
        }
    }

    #[test]
    fn times_at_the_end_of_all_numbers() {
        assert!(take(0, u64::MAX, 1, 1).is_none());
        assert!(take(u64::MAX, 0, 1, 1).is_none());
        assert!(take(0, 0, u64::MAX, u64::MAX) == Some(u64::MAX));
        assert!(take(0, 5, 10, 9).is_none());
    }
}

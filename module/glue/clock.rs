// SPDX-License-Identifier: GPL-2.0
//! The time.

use super::bindings;
use crate::engine::packet::Clock;

/// Nanoseconds since the machine started.
pub(super) fn monotonic() -> u64 {
    // SAFETY: The function may be called in any context of a system that is not suspended, which
    // filters no packets and answers no requests.
    let now = unsafe { bindings::ktime_get() };
    now.unsigned_abs()
}

/// The time of day now, and the zone that `settimeofday` told the kernel.
pub(super) fn now() -> Clock {
    // SAFETY: The clock may be read in any context.
    let seconds = unsafe { bindings::ktime_get_real_seconds() };
    let zone = &raw const bindings::sys_tz;
    // SAFETY: The variable is always there. It may change at the same time, and either number is then read as it
    // was or as it is.
    let zone = unsafe { zone.read_volatile() };
    Clock {
        seconds,
        minutes_west: zone.tz_minuteswest,
    }
}

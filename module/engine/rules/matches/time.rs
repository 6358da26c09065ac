// SPDX-License-Identifier: GPL-2.0
//! `-m time`: when the packet is seen.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::calendar::{weekday, Date, SECONDS_PER_DAY};
use crate::engine::packet::{Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Errno, Error, Full, Writer};
use crate::uapi::field::{Field, Kind};
use crate::wire;

/// A time of day, in seconds since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Daytime(u32);

impl Daytime {
    /// The first second of a day.
    pub const FIRST: Self = Self(0);
    /// The last second of a day.
    pub const LAST: Self = Self(SECONDS_PER_DAY - 1);

    /// The time so many seconds after midnight; `None` when that is not the same day.
    pub fn new(seconds: u32) -> Option<Self> {
        (seconds < SECONDS_PER_DAY).then_some(Self(seconds))
    }

    /// How many seconds after midnight it is.
    pub fn seconds(self) -> u32 {
        self.0
    }
}

impl Field for Daytime {
    const KIND: Kind = Kind::U32;

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        self.0.put(id, to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        Self::new(u32::get(from)?).ok_or(from.error(Errno::Range, "a day has 86400 seconds"))
    }
}

/// Some of the days from 1 to `LAST` of a week or a month, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days<const LAST: u8>(u32);

/// Days of the week, from 1 for Monday to 7 for Sunday (ISO 8601).
pub type Weekdays = Days<7>;

/// Days of the month.
pub type Monthdays = Days<31>;

impl<const LAST: u8> Days<LAST> {
    /// All days.
    pub const ALL: Self = Self(u32::MAX >> (31 - LAST) & !1);

    /// The days whose bits are set, bit 1 for the first day; `None` when there is none, or one that there is not.
    pub fn new(bits: u32) -> Option<Self> {
        (bits != 0 && bits & !Self::ALL.0 == 0).then_some(Self(bits))
    }

    /// The days, a bit each.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether the day is one of them.
    pub fn contains(self, day: u8) -> bool {
        self.0.checked_shr(day.into()).unwrap_or(0) & 1 != 0
    }
}

/// On netlink: a mask with bit N set for day N.
impl<const LAST: u8> Field for Days<LAST> {
    const KIND: Kind = Kind::U32;

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        self.0.put(id, to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        Self::new(u32::get(from)?).ok_or(from.invalid("no day, or one that there is not"))
    }
}

wire! {
    /// The match. All times are in UTC, unless they are in the kernel's zone.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Time, "time-attrs" {
        /// `--datestart`: the first second, counted from the beginning of 1970.
        2 date_start: u32,
        /// `--datestop`: the last second.
        3 date_stop: u32,
        /// `--timestart`: when on each day it begins to hold.
        4 time_start: Daytime,
        /// `--timestop`: the last second of each day at which it holds. Before `time_start` where midnight lies
        /// in between.
        5 time_stop: Daytime,
        /// `--monthdays`
        6 monthdays: Monthdays,
        /// `--weekdays`
        7 weekdays: Weekdays,
        /// `--kerneltz`
        8 kernel_zone: bool,
        /// `--contiguous`: what comes after midnight belongs to the day before.
        9 contiguous: bool,
    }
}

impl Time {
    /// Every second until 19 January 2038, the last that iptables can say.
    pub const ALWAYS: Self = Self {
        date_start: 0,
        date_stop: i32::MAX as u32,
        time_start: Daytime::FIRST,
        time_stop: Daytime::LAST,
        monthdays: Monthdays::ALL,
        weekdays: Weekdays::ALL,
        kernel_zone: false,
        contiguous: false,
    };

    /// Whether it holds at a second, counted from the beginning of 1970 in the zone of the match.
    fn holds(&self, second: u32) -> bool {
        if second < self.date_start || second > self.date_stop {
            return false;
        }
        let daytime = Daytime(second % SECONDS_PER_DAY);
        let mut day = (second / SECONDS_PER_DAY) as i32;
        let (begun, ended) = (daytime >= self.time_start, daytime > self.time_stop);
        if self.time_start < self.time_stop {
            if !begun || ended {
                return false;
            }
        } else {
            if !begun && ended {
                return false;
            }
            if self.contiguous && !ended {
                day -= 1;
            }
        }
        self.weekdays.contains(weekday(day)) && self.monthdays.contains(Date::after_epoch(day).day)
    }
}

impl Matcher for Time {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        if self.contiguous && self.time_start < self.time_stop {
            return Err("--contiguous needs a --timestop before --timestart");
        }
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let clock = packet.source().clock();
        let west = if self.kernel_zone {
            60 * i64::from(clock.minutes_west)
        } else {
            0
        };
        // No date that a rule can ask for is before 1970 or after 2106.
        let second = u32::try_from(clock.seconds.saturating_sub(west));
        Outcome::from(second.is_ok_and(|second| self.holds(second)))
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_time))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{flat, holds_of, TCP_V4, UDP_V6};
    use crate::engine::packet::{Clock, Flat};

    #[test]
    fn dates() {
        let time = Time {
            date_start: date(2024, 2, 29),
            date_stop: date(2024, 3, 1) + at(12, 0, 0).0,
            ..Time::ALWAYS
        };
        for (second, hit) in [
            (date(2024, 2, 29) - 1, false),
            (date(2024, 2, 29), true),
            (date(2024, 3, 1), true),
            (date(2024, 3, 1) + at(12, 0, 0).0, true),
            (date(2024, 3, 1) + at(12, 0, 1).0, false),
        ] {
            assert_eq!(seen(&time, second.into(), 0), hit);
        }
    }

    #[test]
    fn the_first_and_the_last_second() {
        for (seconds, always, ever) in [
            (i64::MIN, false, false),
            (-1, false, false),
            (0, true, true),
            (i64::from(i32::MAX), true, true),
            (i64::from(i32::MAX) + 1, false, true),
            (i64::from(u32::MAX), false, true),
            (i64::from(u32::MAX) + 1, false, false),
            (i64::MAX, false, false),
        ] {
            assert_eq!(seen(&Time::ALWAYS, seconds, 0), always);
            let time = Time {
                date_stop: u32::MAX,
                ..Time::ALWAYS
            };
            assert_eq!(seen(&time, seconds, 0), ever);
        }
    }

    #[test]
    fn times_of_day() {
        let day = date(2023, 12, 31);
        for (start, stop, holds, fails) in [
            (at(8, 0, 0), at(17, 30, 0), at(8, 0, 0), at(7, 59, 59)),
            (at(8, 0, 0), at(17, 30, 0), at(17, 30, 0), at(17, 30, 1)),
            (at(22, 0, 0), at(6, 0, 0), at(22, 0, 0), at(21, 59, 59)),
            (at(22, 0, 0), at(6, 0, 0), at(6, 0, 0), at(6, 0, 1)),
            (at(22, 0, 0), at(6, 0, 0), at(23, 59, 59), at(12, 0, 0)),
            (at(22, 0, 0), at(6, 0, 0), at(0, 0, 0), at(12, 0, 0)),
        ] {
            let time = between(start, stop);
            assert!(seen(&time, (day + holds.0).into(), 0));
            assert!(!seen(&time, (day + fails.0).into(), 0));
        }
        // The same second twice is the whole day, as to iptables.
        for second in [at(7, 59, 59), at(8, 0, 0), at(8, 0, 1)] {
            let time = between(at(8, 0, 0), at(8, 0, 0));
            assert!(seen(&time, (day + second.0).into(), 0));
        }
    }

    #[test]
    fn days_of_the_week_and_of_the_month() {
        // A Thursday, and the Friday after it.
        for (year, month, day) in [(1970, 1, 1), (2024, 2, 29), (2038, 1, 14)] {
            let today = date(year, month, day);
            for (weekday, monthday, hit, next) in [
                (1 << 4, Monthdays::ALL.0, true, false),
                (1 << 5, Monthdays::ALL.0, false, true),
                (1 << 4 | 1 << 5, Monthdays::ALL.0, true, true),
                (Weekdays::ALL.0, 1 << day, true, false),
                (Weekdays::ALL.0, Monthdays::ALL.0 ^ 1 << day, false, true),
                (1 << 5, 1 << day, false, false),
            ] {
                let time = Time {
                    weekdays: Days(weekday),
                    monthdays: Days(monthday),
                    ..Time::ALWAYS
                };
                assert_eq!(seen(&time, today.into(), 0), hit);
                assert_eq!(seen(&time, (today + 86_399).into(), 0), hit);
                assert_eq!(seen(&time, (today + 86_400).into(), 0), next);
            }
        }
    }

    #[test]
    fn the_end_of_february() {
        let on = |day: u32| Time {
            monthdays: Days(1 << day),
            ..Time::ALWAYS
        };
        for (year, leap) in [(2023, false), (2024, true), (2000, true), (2100, false)] {
            let stop = Time {
                date_stop: u32::MAX,
                ..on(29)
            };
            let after = date(year, 2, 28) + 86_400;
            assert_eq!(seen(&stop, after.into(), 0), leap);
        }
    }

    #[test]
    fn what_comes_after_midnight() {
        // Monday from 23:00 to 01:00; 31 July 2023 was one.
        let monday = date(2023, 7, 31);
        for (contiguous, second, hit) in [
            (false, at(0, 0, 0).0, true),
            (false, at(1, 0, 0).0, true),
            (false, at(1, 0, 1).0, false),
            (false, at(23, 0, 0).0, true),
            (false, 86_400, false),
            (true, at(0, 0, 0).0, false),
            (true, at(1, 0, 0).0, false),
            (true, at(22, 59, 59).0, false),
            (true, at(23, 0, 0).0, true),
            (true, 86_400, true),
            (true, 86_400 + at(1, 0, 0).0, true),
            (true, 86_400 + at(1, 0, 1).0, false),
            (true, 86_400 + at(23, 0, 0).0, false),
        ] {
            let time = Time {
                weekdays: Days(1 << 1),
                contiguous,
                ..between(at(23, 0, 0), at(1, 0, 0))
            };
            assert_eq!(seen(&time, (monday + second).into(), 0), hit);
            // The same by the day of the month, though the next day begins another.
            let time = Time {
                weekdays: Weekdays::ALL,
                monthdays: Days(1 << 31),
                ..time
            };
            assert_eq!(seen(&time, (monday + second).into(), 0), hit);
        }
        // The first night of 1970 belongs to the last day of 1969, a Wednesday.
        let time = Time {
            weekdays: Days(1 << 3),
            monthdays: Days(1 << 31),
            contiguous: true,
            ..between(at(23, 0, 0), at(1, 0, 0))
        };
        assert!(seen(&time, 0, 0));
        assert!(!seen(&time, 86_400, 0));
    }

    #[test]
    fn the_zone_of_the_kernel() {
        let noon = i64::from(date(2024, 1, 1) + at(12, 0, 0).0);
        for (minutes_west, utc, zone) in [
            (0, true, true),
            (-60, true, false),
            (60, true, false),
            (24 * 60, true, true),
            (i32::MIN, true, false),
            (i32::MAX, true, false),
        ] {
            for (kernel_zone, hit) in [(false, utc), (true, zone)] {
                let time = Time {
                    kernel_zone,
                    ..between(at(11, 30, 0), at(12, 30, 0))
                };
                assert_eq!(seen(&time, noon, minutes_west), hit);
            }
        }
        // East of Greenwich the day of the week begins earlier.
        let monday = i64::from(date(2024, 1, 1));
        let time = Time {
            weekdays: Days(1 << 1),
            kernel_zone: true,
            ..Time::ALWAYS
        };
        assert!(seen(&time, monday - 3_600, -60));
        assert!(!seen(&time, monday - 3_601, -60));
        assert!(seen(&time, monday + 3_600, 60));
        assert!(!seen(&time, monday + 3_599, 60));
        // In 1970 west of Greenwich it is still 1969.
        assert!(!seen(&time, 0, 1));
    }

    #[test]
    fn what_makes_no_sense() {
        assert!(Daytime::new(86_399) == Some(Daytime::LAST));
        assert!(Daytime::new(86_400).is_none());
        for bits in [0, 1, 1 << 8, u32::MAX] {
            assert!(Weekdays::new(bits).is_none());
        }
        assert!(Weekdays::new(0xfe) == Some(Weekdays::ALL));
        assert!(Monthdays::new(u32::MAX).is_none());
        assert!(Monthdays::new(u32::MAX - 1) == Some(Monthdays::ALL));
        assert!(!Monthdays::ALL.contains(0));
        assert!(!Monthdays::ALL.contains(32));
        for (start, stop, fits) in [
            (at(8, 0, 0), at(17, 0, 0), false),
            (at(17, 0, 0), at(8, 0, 0), true),
            (at(8, 0, 0), at(8, 0, 0), true),
        ] {
            let time = Time {
                contiguous: true,
                ..between(start, stop)
            };
            assert_eq!(time.check(Family::V4, &Rule::default()).is_ok(), fits);
        }
    }

    /// The first second of a day.
    fn date(year: i32, month: u8, day: u8) -> u32 {
        Date::new(year, month, day).unwrap().days() as u32 * SECONDS_PER_DAY
    }

    fn at(hour: u32, minute: u32, second: u32) -> Daytime {
        Daytime::new(hour * 3_600 + minute * 60 + second).unwrap()
    }

    fn between(time_start: Daytime, time_stop: Daytime) -> Time {
        Time {
            time_start,
            time_stop,
            ..Time::ALWAYS
        }
    }

    /// Whether it holds of packets of both families at a time.
    fn seen(time: &Time, seconds: i64, minutes_west: i32) -> bool {
        let [v4, v6] = [(Family::V4, TCP_V4), (Family::V6, UDP_V6)].map(|(family, bytes)| {
            let packet = Flat {
                clock: Clock {
                    seconds,
                    minutes_west,
                },
                ..flat(bytes)
            };
            holds_of(family, time, &packet)
        });
        assert!(v4 == v6);
        v4 == Outcome::Yes
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Dates of the Gregorian calendar, and how many days after the epoch they are.
//!
//! Years are taken to begin in March, so that a leap day comes last, and days are counted from the beginning of
//! a cycle of 400 years, after which leap years repeat. The idea is Howard Hinnant's ("chrono-Compatible Low-Level
//! Date Algorithms", 2021).

/// The seconds of a day; the kernel's clock knows no leap seconds.
pub const SECONDS_PER_DAY: u32 = 24 * 60 * 60;

/// The days of 400 years, 97 of which are leap years.
const DAYS_PER_CYCLE: i32 = 400 * 365 + 97;

/// The days from 1 March of year 0 to the epoch, 1 January 1970.
const EPOCH: i32 = 719_468;

/// A day of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// The year.
    pub year: i32,
    /// The month, from 1 to 12.
    pub month: u8,
    /// The day of the month, from 1 to 31.
    pub day: u8,
}

impl Date {
    /// The date with these numbers; `None` where the calendar has no such day.
    pub fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        let date = Self { year, month, day };
        (Self::after_epoch(date.days()) == date).then_some(date)
    }

    /// The date so many days after 1 January 1970.
    pub fn after_epoch(days: i32) -> Self {
        let days = days.saturating_add(EPOCH);
        let cycle = days.div_euclid(DAYS_PER_CYCLE);
        let day = days.rem_euclid(DAYS_PER_CYCLE);
        // Without its leap days a cycle has 365 days a year: one comes at the end of every 4 years, save at that
        // of a century, save at that of the cycle.
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - days_before(year);
        // From March on 31 and 30 days alternate so that five months have 153.
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        Self {
            year: 400 * cycle + year + i32::from(month <= 2),
            month: month as u8,
            day: day as u8,
        }
    }

    /// How many days after 1 January 1970 the date is.
    pub fn days(self) -> i32 {
        let year = self.year.saturating_sub(i32::from(self.month <= 2));
        let month = (i32::from(self.month) + 9) % 12;
        let day = (153 * month + 2) / 5 + i32::from(self.day) - 1;
        let day = days_before(year.rem_euclid(400)) + day - EPOCH;
        year.div_euclid(400)
            .saturating_mul(DAYS_PER_CYCLE)
            .saturating_add(day)
    }
}

/// The days of a cycle before its year of this number, from 0 to 399.
fn days_before(year: i32) -> i32 {
    365 * year + year / 4 - year / 100
}

/// The day of the week so many days after 1 January 1970, from 1 for Monday to 7 for Sunday (ISO 8601).
pub fn weekday(days: i32) -> u8 {
    // That day was a Thursday.
    (days.rem_euclid(7) + 3) as u8 % 7 + 1
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_calendar))]
mod tests {
    use super::*;

    #[test]
    fn days_whose_dates_are_known() {
        for (days, year, month, day, of_week) in [
            (-1, 1969, 12, 31, 3),
            (0, 1970, 1, 1, 4),
            (30, 1970, 1, 31, 6),
            (31, 1970, 2, 1, 7),
            (58, 1970, 2, 28, 6),
            (59, 1970, 3, 1, 7),
            (364, 1970, 12, 31, 4),
            (365, 1971, 1, 1, 5),
            (789, 1972, 2, 29, 2),
            (790, 1972, 3, 1, 3),
            (11_016, 2000, 2, 29, 2),
            (11_017, 2000, 3, 1, 3),
            (19_782, 2024, 2, 29, 4),
            (24_855, 2038, 1, 19, 2),
            (25_202, 2039, 1, 1, 6),
            (47_540, 2100, 2, 28, 7),
            (47_541, 2100, 3, 1, 1),
            (49_710, 2106, 2, 7, 7),
        ] {
            let date = Date { year, month, day };
            assert_eq!(date.days(), days);
            assert!(Date::after_epoch(days) == date);
            assert_eq!(weekday(days), of_week);
        }
    }

    /// Day follows day for four hundred years, told by the rules that children learn.
    #[test]
    fn a_whole_cycle() {
        let (mut year, mut month, mut day) = (1969, 12, 31);
        for days in -1..DAYS_PER_CYCLE {
            let date = Date::after_epoch(days);
            assert!(date == Date { year, month, day });
            assert_eq!(date.days(), days);
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day == last) {
                (12, true) => (year + 1, 1, 1),
                (_, true) => (year, month + 1, 1),
                _ => (year, month, day + 1),
            };
        }
    }

    #[test]
    fn days_that_there_are_not() {
        for (year, month, day) in [
            (1970, 0, 1),
            (1970, 13, 1),
            (1970, 1, 0),
            (1970, 1, 32),
            (1970, 4, 31),
            (1970, 2, 29),
            (2000, 2, 30),
            (2100, 2, 29),
            (1970, 255, 255),
            (i32::MAX, 12, 31),
            (i32::MIN, 1, 1),
        ] {
            assert!(Date::new(year, month, day).is_none());
        }
        assert!(Date::new(2000, 2, 29).is_some());
        // No number of days is too great for an answer.
        Date::after_epoch(i32::MAX);
        Date::after_epoch(i32::MIN);
    }
}

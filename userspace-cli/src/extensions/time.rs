// SPDX-License-Identifier: GPL-2.0
//! `-m time`

use oxtables_engine::engine::calendar::{Date, SECONDS_PER_DAY};
use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::{Days, Daytime, Monthdays, Time, Weekdays};

use super::{numbers, About, Extension, Given, Opt, Options, Printed, Vocabulary};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// The days of the week, of which iptables takes the first two letters or three, and prints three.
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// How iptables-save shortens a day of the week.
fn short(day: &str) -> &str {
    day.get(..3).unwrap_or(day)
}

/// A number of digits alone, up to `max`: in dates and times a zero in front makes no number octal.
fn digits(token: &Token, max: u32) -> Option<u32> {
    let text = std::str::from_utf8(&token.text).ok()?;
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_number);
    number.filter(|number| *number <= max)
}

/// The seconds since midnight that `hh[:mm[:ss]]` is.
fn clock(token: &Token) -> Option<u32> {
    let parts = token.split(b':');
    let mut units = [(23, 3_600), (59, 60), (59, 1)].into_iter();
    let mut seconds = 0;
    for part in &parts {
        let (max, unit) = units.next()?;
        seconds += digits(part, max)? * unit;
    }
    Some(seconds)
}

fn daytime(token: &Token) -> Result<Daytime, Problem> {
    let seconds = clock(token).filter(|_| token.text.contains(&b':'));
    seconds.and_then(Daytime::new).ok_or_else(|| {
        Problem::new(
            token.span,
            format!("`{}` is not a time of day", token.lossy()),
        )
        .expected("hh:mm or hh:mm:ss, from 00:00:00 to 23:59:59")
    })
}

/// The second that `YYYY[-MM[-DD[Thh[:mm[:ss]]]]]` begins with.
fn second(token: &Token) -> Option<u32> {
    let (date, time) = match token.split_once(b'T') {
        Some((date, time)) => (date, clock(&time)?),
        None => (token.clone(), 0),
    };
    let parts = date.split(b'-');
    let number = |part: Option<&Token>| part.map_or(Some(1), |part| digits(part, 9_999));
    if parts.len() > 3 || parts.len() < 3 && date.text.len() < token.text.len() {
        return None;
    }
    let year = number(parts.first())?.try_into().ok()?;
    let month = number(parts.get(1))?.try_into().ok()?;
    let day = number(parts.get(2))?.try_into().ok()?;
    let days = u32::try_from(Date::new(year, month, day)?.days()).ok()?;
    days.checked_mul(SECONDS_PER_DAY)?.checked_add(time)
}

fn date(token: &Token) -> Result<u32, Problem> {
    second(token).ok_or_else(|| {
        Problem::new(token.span, format!("`{}` is not a date", token.lossy()))
            .expected("YYYY[-MM[-DD[Thh[:mm[:ss]]]]], from 1970 to 2106-02-07T06:28:15")
    })
}

/// The days of a list, or all but them.
fn days<const LAST: u8>(
    given: &Given,
    day: impl Fn(&Token) -> Result<u8, Problem>,
) -> Result<Days<LAST>, Problem> {
    let mut bits = 0;
    for token in given.value().split(b',') {
        bits |= 1 << day(&token)?;
    }
    if given.not {
        bits ^= Days::<LAST>::ALL.bits();
    }
    Days::new(bits)
        .ok_or_else(|| Problem::new(given.span, "no day is left").expected("fewer days after `!`"))
}

fn monthday(token: &Token) -> Result<u8, Problem> {
    numbers::parse(&token.text)
        .and_then(|day| u8::try_from(day).ok())
        .filter(|day| (1..=31).contains(day))
        .ok_or_else(|| {
            let message = format!("`{}` is not a day of the month", token.lossy());
            Problem::new(token.span, message).expected("a number from 1 to 31")
        })
}

fn weekday(token: &Token) -> Result<u8, Problem> {
    let text = token.lossy();
    let number = numbers::parse(&token.text).and_then(|day| usize::try_from(day).ok());
    let named = || {
        let mut days = WEEKDAYS.iter();
        days.position(|day| text.len() >= 2 && day.starts_with(&*text))
            .map(|index| index + 1)
    };
    match number.or_else(named) {
        // Lossless: a week has seven days.
        Some(day @ 1..=7) => Ok(day as u8),
        _ => {
            let message = format!("`{text}` is not a day of the week");
            Err(Problem::new(token.span, message)
                .expected("Mon to Sun, or 1 to 7")
                .suggest(&text, WEEKDAYS.iter().map(|day| short(day))))
        }
    }
}

fn clock_text(seconds: u32) -> String {
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

fn date_text(second: u32) -> String {
    // Lossless: 32 bits of seconds are less than 50,000 days.
    let Date { year, month, day } = Date::after_epoch((second / SECONDS_PER_DAY) as i32);
    let time = clock_text(second % SECONDS_PER_DAY);
    format!("{year:04}-{month:02}-{day:02}T{time}")
}

/// The days as a list, each as `text` has it.
fn list<const LAST: u8>(days: Days<LAST>, text: impl Fn(u8) -> String) -> String {
    let days = (1..=LAST).filter(|day| days.contains(*day)).map(text);
    days.collect::<Vec<_>>().join(",")
}

impl Extension for Time {
    const ABOUT: About = About {
        name: "time",
        summary: "when the packet is seen; in UTC, until 19 January 2038 where --datestop does not say otherwise",
        options: &[
            Opt::plain("timestart", &["hh:mm[:ss]"], "from this time of day on"),
            Opt::plain(
                "timestop",
                &["hh:mm[:ss]"],
                "until this time of day; before --timestart, it is that of the next day",
            ),
            Opt::negatable(
                "monthdays",
                &[],
                &["DAY[,DAY...]"],
                "on these days of the month, 1 to 31",
            ),
            Opt::negatable(
                "weekdays",
                &[],
                &["DAY[,DAY...]"],
                "on these days of the week, Mon to Sun or 1 to 7",
            ),
            Opt::plain(
                "datestart",
                &["YYYY[-MM[-DD[Thh[:mm[:ss]]]]]"],
                "from this date on",
            ),
            Opt::plain(
                "datestop",
                &["YYYY[-MM[-DD[Thh[:mm[:ss]]]]]"],
                "until this date, its first second included",
            ),
            Opt {
                aliases: &["localtz"],
                ..Opt::plain("kerneltz", &[], "times are in the kernel's time zone")
            },
            Opt::plain("utc", &[], "times are in UTC, as they are without it"),
            Opt::plain(
                "contiguous",
                &[],
                "what comes after midnight belongs to the day before; needs a --timestop before --timestart",
            ),
        ],
        vocabularies: &[Vocabulary {
            title: "days of the week",
            names: || WEEKDAYS.iter().map(|day| short(day).to_owned()).collect(),
        }],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let (zone, utc) = (options.get("kerneltz"), options.get("utc"));
        if let (Some(zone), Some(utc)) = (zone, utc) {
            let later = if zone.span.start > utc.span.start {
                zone
            } else {
                utc
            };
            return Err(Problem::new(
                later.span,
                "`--kerneltz` and `--utc` exclude each other",
            ));
        }
        let mut time = Self {
            kernel_zone: zone.is_some(),
            contiguous: options.get("contiguous").is_some(),
            ..Self::ALWAYS
        };
        for given in options.given {
            match given.option.name {
                "timestart" => time.time_start = daytime(given.value())?,
                "timestop" => time.time_stop = daytime(given.value())?,
                "monthdays" => time.monthdays = days(given, monthday)?,
                "weekdays" => time.weekdays = days(given, weekday)?,
                "datestart" => time.date_start = date(given.value())?,
                "datestop" => time.date_stop = date(given.value())?,
                _ => (),
            }
        }
        Ok(time)
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let mut printed = Vec::new();
        let mut option = |name, text| printed.push(Printed::new(name, false, text));
        if (self.time_start, self.time_stop) != (Daytime::FIRST, Daytime::LAST) {
            option("timestart", clock_text(self.time_start.seconds()));
            option("timestop", clock_text(self.time_stop.seconds()));
        }
        if self.monthdays != Monthdays::ALL {
            option("monthdays", list(self.monthdays, |day| day.to_string()));
        }
        if self.weekdays != Weekdays::ALL {
            let name = |day| short(WEEKDAYS[usize::from(day) - 1]).to_owned();
            option("weekdays", list(self.weekdays, name));
        }
        if self.date_start != 0 {
            option("datestart", date_text(self.date_start));
        }
        option("datestop", date_text(self.date_stop));
        if self.kernel_zone {
            printed.push(Printed::flag("kerneltz"));
        }
        if self.contiguous {
            printed.push(Printed::flag("contiguous"));
        }
        printed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        let end = "--datestop 2038-01-19T03:14:07";
        for (rule, printed) in [
            ("", end.to_owned()),
            ("--utc", end.to_owned()),
            ("--timestart 00:00 --timestop 23:59:59", end.to_owned()),
            (
                "--timestart 6:5",
                format!("--timestart 06:05:00 --timestop 23:59:59 {end}"),
            ),
            (
                "--contiguous --localtz --timestop 08:09 --timestart 22:00:01",
                format!("--timestart 22:00:01 --timestop 08:09:00 {end} --kerneltz --contiguous"),
            ),
            (
                "--weekdays Su,Mon,3,Thursday",
                format!("--weekdays Mon,Wed,Thu,Sun {end}"),
            ),
            (
                "! --weekdays Sa,Su --monthdays 31,1,2,1",
                format!("--monthdays 1,2,31 --weekdays Mon,Tue,Wed,Thu,Fri {end}"),
            ),
            ("--weekdays 1,2,3,4,5,6,7", end.to_owned()),
            (
                "--datestart 2024 --datestop 2024-2-29",
                "--datestart 2024-01-01T00:00:00 --datestop 2024-02-29T00:00:00".to_owned(),
            ),
            (
                "--datestart 1970-01 --datestop 1970-01-01T1",
                "--datestop 1970-01-01T01:00:00".to_owned(),
            ),
            (
                "--datestart 2000-02-29T23:59 --datestop 2106-02-07T06:28:15",
                "--datestart 2000-02-29T23:59:00 --datestop 2106-02-07T06:28:15".to_owned(),
            ),
        ] {
            let (rule, printed) = (format!("-m time {rule}"), format!("-m time {printed}"));
            prints(Family::V4, &[(&rule, &printed)]);
            prints(Family::V6, &[(&rule, &printed)]);
        }
    }

    #[test]
    fn wrong_rules() {
        let wrong = |option: &str, value: &str, what: &str| {
            let rule = format!("-m time {option} {value}");
            let message = format!("`{value}` is not {what}");
            refuses(Family::V4, &[(&rule, &message, value)]);
        };
        for time in ["24:00", "12:60", "12:00:60", "12", "12:", "12:0:0:0", "a:b"] {
            wrong("--timestart", time, "a time of day");
            wrong("--timestop", time, "a time of day");
        }
        for date in [
            "1969-12-31",
            "2023-02-29",
            "2024-13",
            "2024-00-01",
            "2024-01-01-01",
            "2024-01T12:00",
            "2024-01-01T24",
            "2024-01-01T",
            "2106-02-07T06:28:16",
            "99999",
            "2024-",
            "tomorrow",
        ] {
            wrong("--datestart", date, "a date");
            wrong("--datestop", date, "a date");
        }
        for day in ["0", "32", "256", "08", "Mon"] {
            wrong("--monthdays", day, "a day of the month");
        }
        for day in ["0", "8", "M", "mon", "Mom"] {
            wrong("--weekdays", day, "a day of the week");
        }
        refuses(
            Family::V6,
            &[
                (
                    "-m time --weekdays Mon,,Tue",
                    "`` is not a day of the week",
                    "",
                ),
                (
                    "-m time ! --weekdays 1,2,3,4,5,6,7",
                    "no day is left",
                    "! --weekdays 1,2,3,4,5,6,7",
                ),
                (
                    "-m time ! --timestart 10:00",
                    "`!` can't stand before `--timestart`",
                    "! --timestart",
                ),
                (
                    "-m time --utc --localtz",
                    "`--kerneltz` and `--utc` exclude each other",
                    "--localtz",
                ),
                (
                    "-m time --weekdays Mon --weekdays Tue",
                    "`--weekdays` is given twice",
                    "--weekdays Tue",
                ),
                ("-m time --utc=1", "`--utc` takes no value", "1"),
                (
                    "-m time --timestop",
                    "`--timestop` needs a value",
                    "--timestop",
                ),
            ],
        );
        for rule in [
            "--contiguous",
            "--contiguous --timestart 8:00 --timestop 17:00",
        ] {
            let rule = format!("-m time {rule}");
            let message = "--contiguous needs a --timestop before --timestart";
            refuses(Family::V4, &[(&rule, message, "time")]);
        }
    }
}

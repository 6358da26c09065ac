// SPDX-License-Identifier: GPL-2.0
//! `-m hashlimit`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::hashlimit::{mode, Flows};
use oxtables_engine::engine::rules::matches::Hashlimit;
use oxtables_engine::uapi::field::{Not, Text};

use super::rates::{self, Rate};
use super::{numbers, About, Extension, Opt, Options, Printed, Vocabulary};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// What makes a flow, in the order in which it is printed.
const MODES: [(&str, u8); 4] = [
    ("srcip", mode::SOURCE),
    ("srcport", mode::SOURCE_PORT),
    ("dstip", mode::DESTINATION),
    ("dstport", mode::DESTINATION_PORT),
];

/// Units of bytes, the largest first.
const UNITS: [(&str, u64); 3] = [("m", 1 << 20), ("k", 1 << 10), ("", 1)];

/// The burst of packets without `--hashlimit-burst`.
const BURST: u64 = 5;

/// The time between cleanings without `--hashlimit-htable-gcinterval`, in milliseconds.
const GC_INTERVAL: u32 = 1000;

/// Seconds after which a flow of bytes is forgotten without `--hashlimit-htable-expire`, with a burst and without.
const BYTE_EXPIRE: (u32, u32) = (60, 15);

fn mode_names() -> Vec<String> {
    MODES.iter().map(|(name, _)| (*name).to_owned()).collect()
}

fn parse_mode(token: &Token) -> Result<u8, Problem> {
    token.split(b',').iter().try_fold(0, |modes, part| {
        let name = part.lossy();
        match MODES.iter().find(|(known, _)| *known == name) {
            Some((_, mode)) => Ok(modes | mode),
            None => Err(
                Problem::new(part.span, format!("`{name}` is nothing that makes a flow"))
                    .expected(mode_names().join(", "))
                    .suggest(&name, MODES.iter().map(|(name, _)| *name)),
            ),
        }
    })
}

/// A number of bytes with its unit, without the `b` after it; and whether there is a unit.
fn bytes(text: &str) -> Option<(u64, bool)> {
    let (number, factor) = match text.strip_suffix(['k', 'm']) {
        Some(number) => {
            let unit = UNITS.iter().find(|(name, _)| text.ends_with(name))?;
            (number, Some(unit.1))
        }
        None => (text, None),
    };
    let number = numbers::parse(number.as_bytes())?;
    Some((number.checked_mul(factor.unwrap_or(1))?, factor.is_some()))
}

/// The bytes of a rate like `100kb/s`; `None` where packets are meant.
fn byte_rate(token: &Token) -> Option<u64> {
    let text = token.lossy();
    let (count, unit) = text.split_once("b/")?;
    let (bytes, _) = bytes(count)?;
    (!unit.is_empty() && "second".starts_with(unit)).then_some(bytes)
}

/// The time of 16 bytes where so many come in a second.
fn period_of(bytes: u64) -> u64 {
    u64::from(u32::MAX) / ((bytes >> 4) + 1)
}

/// The burst as it is written, in packets or bytes.
fn parse_burst(token: &Token) -> Result<u64, Problem> {
    let text = token.lossy();
    let (text, is_bytes) = match text.strip_suffix('b') {
        Some(text) => (text, true),
        None => (&*text, false),
    };
    match bytes(text) {
        Some((value, unit))
            if value != 0 && (unit || is_bytes || value <= Hashlimit::MAX_BURST) =>
        {
            Ok(value)
        }
        _ => Err(
            Problem::new(token.span, format!("`{}` is not a burst", token.lossy()))
                .expected("a number from 1 to 1000000; or bytes, with kb or mb for more"),
        ),
    }
}

/// A rate and its burst as the match holds them, and what other options say by default because of them.
struct Limit {
    period: u64,
    bytes: bool,
    burst: u64,
    /// The unit of time in seconds, which is the interval without `--hashlimit-rate-interval`.
    seconds: u32,
    /// After how many seconds a flow is forgotten.
    expire: u32,
}

impl Limit {
    fn parse(rate: &Token, burst: Option<&Token>, rate_match: bool) -> Result<Self, Problem> {
        match byte_rate(rate) {
            Some(bytes) => Self::of_bytes(rate, bytes, burst),
            None => Self::of_packets(rate, burst, rate_match),
        }
    }

    fn of_bytes(token: &Token, bytes: u64, burst: Option<&Token>) -> Result<Self, Problem> {
        let period = period_of(bytes);
        let (shortest, longest) = Hashlimit::BYTE_PERIODS;
        if !(shortest..=longest).contains(&period) {
            let message = format!("`{}` is out of range", token.lossy());
            return Err(Problem::new(token.span, message).expected("16b/s to 32767mb/s"));
        }
        let rate = Hashlimit::bytes_per_second(period);
        let (burst, expire) = match burst {
            None => (0, BYTE_EXPIRE.1),
            Some(token) => match parse_burst(token)? {
                bytes if bytes >= rate => {
                    (bytes.div_ceil(rate).min(u32::MAX.into()), BYTE_EXPIRE.0)
                }
                _ => {
                    let message = format!("`{}` is less than comes in a second", token.lossy());
                    let least = format!("at least {rate}b");
                    return Err(Problem::new(token.span, message).expected(least));
                }
            },
        };
        Ok(Self {
            period,
            bytes: true,
            burst,
            seconds: 1,
            expire,
        })
    }

    fn of_packets(token: &Token, burst: Option<&Token>, rate_match: bool) -> Result<Self, Problem> {
        let rate = Rate::parse(token)?;
        let mut period = rate.period(Hashlimit::SCALE, token)?;
        if rate_match {
            period /= rate.seconds;
        }
        if period == 0 {
            let message = format!("`{}` is too high a rate", token.lossy());
            return Err(Problem::new(token.span, message));
        }
        let burst = match burst {
            None => BURST,
            Some(token) => match parse_burst(token)? {
                burst if burst <= Hashlimit::MAX_BURST => burst,
                _ => {
                    let message = format!("`{}` is too large a burst", token.lossy());
                    return Err(Problem::new(token.span, message).expected("at most 1000000"));
                }
            },
        };
        // A day is the longest, and fits.
        let seconds = rate.seconds as u32;
        Ok(Self {
            period,
            bytes: false,
            burst,
            seconds,
            expire: seconds,
        })
    }
}

fn parse_name(token: &Token) -> Result<Text<{ Hashlimit::LONGEST }>, Problem> {
    Some(&token.text)
        .filter(|name| Hashlimit::is_name(name))
        .and_then(|name| Text::new(name))
        .ok_or_else(|| {
            let message = format!("`{}` is not a name for a hashlimit", token.lossy());
            Problem::new(token.span, message)
                .expected("up to 254 letters and signs, no blanks, quotes or slashes")
        })
}

/// Bytes as a rate is printed: in the largest unit that means the same period.
fn bytes_text(period: u64) -> String {
    let bytes = Hashlimit::bytes_per_second(period);
    let period = period_of(bytes);
    let fits = |unit: u64| bytes >= unit && period_of(bytes / unit * unit) == period;
    let (name, unit) = UNITS
        .into_iter()
        .find(|(_, unit)| fits(*unit))
        .unwrap_or(("", 1));
    format!("{}{name}b/s", bytes / unit)
}

/// A burst of bytes as it is printed: in the largest unit, if that is read as the same burst.
fn burst_text(period: u64, refills: u64) -> String {
    let rate = Hashlimit::bytes_per_second(period);
    let bytes = rate.saturating_mul(refills);
    let fits = |unit: u64| {
        let read = bytes / unit * unit;
        bytes >= unit && read >= rate && read.div_ceil(rate) == refills
    };
    let (name, unit) = UNITS
        .into_iter()
        .find(|(_, unit)| fits(*unit))
        .unwrap_or(("", 1));
    format!("{}{name}b", bytes / unit)
}

impl Extension for Hashlimit {
    const ABOUT: About = About {
        name: "hashlimit",
        summary: "a rate for each flow, which is what its packets have in common",
        options: &[
            Opt::negatable(
                "hashlimit-upto",
                &["hashlimit"],
                &["NUMBER[/UNIT]"],
                "as many as this in a second, minute, hour or day; or bytes, as 100kb/s",
            ),
            Opt::negatable(
                "hashlimit-above",
                &[],
                &["NUMBER[/UNIT]"],
                "what comes beyond that",
            ),
            Opt::plain(
                "hashlimit-burst",
                &["NUMBER"],
                "so many at once, 1 to 1000000, 5 without it; or bytes, as 2mb",
            ),
            Opt::plain(
                "hashlimit-mode",
                &["NAME[,NAME...]"],
                "what makes a flow; without it all packets are one",
            ),
            Opt::plain(
                "hashlimit-name",
                &["NAME"],
                "rules with the same name share their flows",
            ),
            Opt::plain(
                "hashlimit-htable-size",
                &["NUMBER"],
                "chains of the hash, 8192 without it",
            ),
            Opt::plain(
                "hashlimit-htable-max",
                &["NUMBER"],
                "the most flows, 8 times the chains without it",
            ),
            Opt::plain(
                "hashlimit-htable-gcinterval",
                &["MILLISECONDS"],
                "has no effect: flows are forgotten in time",
            ),
            Opt::plain(
                "hashlimit-htable-expire",
                &["MILLISECONDS"],
                "a flow without packets for so long is forgotten",
            ),
            Opt::plain(
                "hashlimit-srcmask",
                &["BITS"],
                "how many bits of the source address count",
            ),
            Opt::plain(
                "hashlimit-dstmask",
                &["BITS"],
                "how many bits of the destination address count",
            ),
            Opt::plain(
                "hashlimit-rate-match",
                &[],
                "tell flows by their rate, and do not hold them to it",
            ),
            Opt::plain(
                "hashlimit-rate-interval",
                &["SECONDS"],
                "in intervals so long (with --hashlimit-rate-match)",
            ),
        ],
        vocabularies: &[Vocabulary {
            title: "modes",
            names: mode_names,
        }],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let missing =
            |name: &str| Problem::new(options.span, format!("`hashlimit` needs `--{name}`"));
        let value = |name: &str| options.get(name).map(|given| given.value());
        let (limit, above) = match (
            options.get("hashlimit-upto"),
            options.get("hashlimit-above"),
        ) {
            (Some(upto), None) => (upto, upto.not),
            (None, Some(above)) => (above, !above.not),
            (None, None) => return Err(missing("hashlimit-upto` or `--hashlimit-above")),
            (Some(_), Some(above)) => {
                let message = "`--hashlimit-upto` and `--hashlimit-above` exclude each other";
                return Err(Problem::new(above.span, message));
            }
        };
        let name = value("hashlimit-name").ok_or_else(|| missing("hashlimit-name"))?;
        let rate_match = options.get("hashlimit-rate-match").is_some();
        let Limit {
            period,
            bytes,
            burst,
            seconds,
            expire,
        } = Limit::parse(limit.value(), value("hashlimit-burst"), rate_match)?;
        let interval = match (rate_match, options.get("hashlimit-rate-interval")) {
            (true, None) => Some(seconds),
            (true, Some(given)) => {
                let most = u32::MAX.into();
                Some(numbers::within(
                    given.value(),
                    1,
                    most,
                    "a number of seconds",
                )?)
            }
            (false, None) => None,
            (false, Some(given)) => {
                let message = "`--hashlimit-rate-interval` needs `--hashlimit-rate-match`";
                return Err(Problem::new(given.span, message));
            }
        };
        let time = |name: &str, default: u32| match value(name) {
            Some(token) => numbers::within(token, 1, u32::MAX.into(), "a number of milliseconds"),
            None => Ok(default),
        };
        let size = |name: &str| {
            let size = |token| numbers::within(token, 1, Self::MAX_SIZE.into(), "a size");
            value(name).map(size).transpose()
        };
        let bits = |name: &str| match value(name) {
            Some(token) => numbers::number(token, options.family.bits().into(), "a number of bits"),
            None => Ok(options.family.bits()),
        };
        Ok(Self {
            name: parse_name(name)?,
            period: Not {
                value: period,
                not: above,
            },
            bytes,
            burst,
            mode: value("hashlimit-mode").map_or(Ok(0), parse_mode)?,
            source_bits: bits("hashlimit-srcmask")?,
            destination_bits: bits("hashlimit-dstmask")?,
            size: size("hashlimit-htable-size")?,
            max: size("hashlimit-htable-max")?,
            gc_interval: time("hashlimit-htable-gcinterval", GC_INTERVAL)?,
            expire: time("hashlimit-htable-expire", expire * 1000)?,
            interval,
            flows: Flows::new().map_err(|_| options.no_memory())?,
        })
    }

    fn print(&self, family: Family) -> Vec<Printed> {
        let plain = |name, value: String| Printed::new(name, false, value);
        let number = |name, value: Option<u32>| value.map(|value| Printed::new(name, false, value));
        let period = self.period.value;
        let limit = if self.period.not {
            "hashlimit-above"
        } else {
            "hashlimit-upto"
        };
        let (rate, burst, expire) = if self.bytes {
            let burst = (self.burst != 0).then(|| burst_text(period, self.burst));
            let expire = if burst.is_some() {
                BYTE_EXPIRE.0
            } else {
                BYTE_EXPIRE.1
            };
            (bytes_text(period), burst, expire)
        } else {
            let (rate, text) = rates::printed(period, Self::SCALE);
            (text, Some(self.burst.to_string()), rate.seconds as u32)
        };
        let modes = MODES.iter().filter(|(_, mode)| self.mode & mode != 0);
        let modes: Vec<_> = modes.map(|(name, _)| *name).collect();
        let name = String::from_utf8_lossy(self.name.as_bytes()).into_owned();
        let other = |value: u32, usual: u32| (value != usual).then_some(value);
        let bits = |bits: u8| other(bits.into(), family.bits().into());
        let interval = self.interval.and_then(|interval| other(interval, 1));
        [
            Some(plain(limit, rate)),
            burst.map(|burst| plain("hashlimit-burst", burst)),
            (!modes.is_empty()).then(|| plain("hashlimit-mode", modes.join(","))),
            Some(plain("hashlimit-name", name)),
            number("hashlimit-htable-size", self.size),
            number("hashlimit-htable-max", self.max),
            number(
                "hashlimit-htable-gcinterval",
                other(self.gc_interval, GC_INTERVAL),
            ),
            number("hashlimit-htable-expire", other(self.expire, expire * 1000)),
            number("hashlimit-srcmask", bits(self.source_bits)),
            number("hashlimit-dstmask", bits(self.destination_bits)),
            self.interval.map(|_| Printed::flag("hashlimit-rate-match")),
            number("hashlimit-rate-interval", interval),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, problem_of};

    /// Rules without the match's name and the prefix of its options, which all have.
    fn long(rule: &str) -> String {
        format!("-m hashlimit {}", rule.replace("--", "--hashlimit-"))
    }

    #[test]
    fn rules() {
        for (rule, printed) in [
            ("--upto 30/min --name b", "--upto 30/min --burst 5 --name b"),
            ("! --above 5/s --name x", "--upto 5/sec --burst 5 --name x"),
            ("! --upto 24/day --name x", "--above 1/hour --burst 5 --name x --htable-expire 86400000"),
            (
                "--upto 30/min --name a --rate-match",
                "--upto 30/sec --burst 5 --name a --htable-expire 60000 --rate-match --rate-interval 60",
            ),
            (
                "--above 100kb/s --name c --mode srcip,dstport",
                "--above 100kb/s --mode srcip,dstport --name c",
            ),
            (
                "--above 100kb/second --burst 2mb --name d --mode dstport,srcip --srcmask 24",
                "--above 100kb/s --burst 2mb --mode srcip,dstport --name d --srcmask 24",
            ),
            (
                "! --above 100mb/s --burst 200mb --name e --rate-match --rate-interval 3",
                "--upto 100mb/s --burst 200mb --name e --rate-match --rate-interval 3",
            ),
            (
                "! --upto 100b/s --htable-size 7 --htable-max 3 --htable-expire 100 --htable-gcinterval 7 --name f",
                "--above 96b/s --name f --htable-size 7 --htable-max 3 --htable-gcinterval 7 --htable-expire 100",
            ),
            (
                "--upto 1000000/s --burst 1000000 --name h --dstmask 0",
                "--upto 1000000/sec --burst 1000000 --name h --dstmask 0",
            ),
            ("--upto 5/s --burst 1k --name k", "--upto 5/sec --burst 1024 --name k"),
            ("--upto 4000mb/s --name p", "--upto 4095mb/s --name p"),
            // iptables prints 1kb, which it does not take.
            ("--upto 1536b/s --burst 1536b --name x", "--upto 1536b/s --burst 1536b --name x"),
            ("--upto 1/s --name x --rate-match", "--upto 1/sec --burst 5 --name x --rate-match"),
        ] {
            prints(Family::V4, &[(&long(rule), &long(printed))]);
        }
        let old = "-m hashlimit --hashlimit 5/s --hashlimit-name n";
        prints(
            Family::V6,
            &[(old, &long("--upto 5/sec --burst 5 --name n"))],
        );
    }

    #[test]
    fn wrong_rules() {
        for (rule, message, blamed) in [
            (
                "--name x",
                "`hashlimit` needs `--hashlimit-upto` or `--hashlimit-above`",
                "hashlimit",
            ),
            (
                "--upto 5/s",
                "`hashlimit` needs `--hashlimit-name`",
                "hashlimit",
            ),
            (
                "--upto 5/s --above 5/s --name x",
                "`--hashlimit-upto` and `--hashlimit-above` exclude each other",
                "--hashlimit-above 5/s",
            ),
            (
                "--upto 5/s --name a/b",
                "`a/b` is not a name for a hashlimit",
                "a/b",
            ),
            (
                "--upto 1000001/s --name x",
                "`1000001/s` is too high a rate",
                "1000001/s",
            ),
            ("--upto 100b --name x", "`100b` is not a rate", "100b"),
            ("--upto 15b/s --name x", "`15b/s` is out of range", "15b/s"),
            (
                "--upto 32768mb/s --name x",
                "`32768mb/s` is out of range",
                "32768mb/s",
            ),
            (
                "--upto 99999999999999999mb/s --name x",
                "`99999999999999999mb/s` is not a rate",
                "99999999999999999mb/s",
            ),
            ("--upto 5/s --burst 0 --name x", "`0` is not a burst", "0"),
            (
                "--upto 5/s --burst 1000001 --name x",
                "`1000001` is not a burst",
                "1000001",
            ),
            (
                "--upto 5/s --burst 1mb --name x",
                "`1mb` is too large a burst",
                "1mb",
            ),
            (
                "--upto 100kb/s --burst 99k --name x",
                "`99k` is less than comes in a second",
                "99k",
            ),
            (
                "--upto 5/s --name x --mode srcip,port",
                "`port` is nothing that makes a flow",
                "port",
            ),
            (
                "--upto 5/s --name x --srcmask 33",
                "`33` is not a number of bits",
                "33",
            ),
            (
                "--upto 5/s --name x --htable-size 0",
                "`0` is not a size",
                "0",
            ),
            (
                "--upto 5/s --name x --htable-max 1048577",
                "`1048577` is not a size",
                "1048577",
            ),
            (
                "--upto 5/s --name x --htable-expire 0",
                "`0` is not a number of milliseconds",
                "0",
            ),
            (
                "--upto 5/s --name x --rate-interval 4",
                "`--hashlimit-rate-interval` needs `--hashlimit-rate-match`",
                "--hashlimit-rate-interval 4",
            ),
            (
                "--upto 60000001/min --name x",
                "`60000001/min` is too high a rate",
                "60000001/min",
            ),
            (
                "--upto 60000000/min --name x --rate-match",
                "`60000000/min` is too high a rate",
                "60000000/min",
            ),
        ] {
            let (problem, piece) = problem_of(&long(rule), Family::V4);
            assert_eq!(problem.message, message, "{rule}");
            assert_eq!(piece, blamed, "{rule}");
        }
    }
}

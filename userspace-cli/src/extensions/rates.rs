// SPDX-License-Identifier: GPL-2.0
//! Rates of packets: a number, and the unit of time after a slash.
//!
//! What a match holds is the time from one packet to the next, as a whole number in parts of a second. So a rate
//! is rounded when it is read, and printed as the rate that it was rounded to.

use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// Units of time, the longest first: the name, the form that is printed, the seconds.
const UNITS: [(&str, &str, u64); 4] = [
    ("day", "day", 24 * 60 * 60),
    ("hour", "hour", 60 * 60),
    ("minute", "min", 60),
    ("second", "sec", 1),
];

/// A rate as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many packets.
    pub count: u64,
    /// In how many seconds.
    pub seconds: u64,
}

impl Rate {
    /// The rate that a word gives. A unit may be shortened to its first letters; without any it is the second.
    ///
    /// # Errors
    ///
    /// When it gives none.
    pub fn parse(token: &Token) -> Result<Self, Problem> {
        let wrong = || {
            Problem::new(token.span, format!("`{}` is not a rate", token.lossy()))
                .expected("a number, and /second, /minute, /hour or /day")
        };
        let text = token.lossy().to_ascii_lowercase();
        let (number, seconds) = match text.split_once('/') {
            None => (text.as_str(), 1),
            Some((_, "")) => return Err(wrong()),
            Some((number, unit)) => {
                let found = UNITS.iter().find(|(name, ..)| name.starts_with(unit));
                let (.., seconds) = found
                    .ok_or_else(|| wrong().suggest(unit, UNITS.iter().map(|(name, ..)| *name)))?;
                (number, *seconds)
            }
        };
        // A sign would be taken too.
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        match number.parse() {
            Ok(count) if digits && count != 0 => Ok(Self { count, seconds }),
            _ => Err(wrong()),
        }
    }

    /// The time from one packet to the next, in parts of `scale` of a second.
    ///
    /// # Errors
    ///
    /// When it is shorter than one part.
    pub fn period(&self, scale: u64, token: &Token) -> Result<u64, Problem> {
        match scale * self.seconds / self.count {
            0 => Err(Problem::new(
                token.span,
                format!("`{}` is too high a rate", token.lossy()),
            )
            .expected(format!("at most {scale}/second"))),
            period => Ok(period),
        }
    }
}

/// The rate at which packets come with a `period`, which is not zero, between them, as it is printed: in the
/// shortest unit of time in which it is a round number, or the nearest to one.
pub fn printed(mut period: u64, scale: u64) -> (Rate, String) {
    let [longest, shorter @ ..] = UNITS;
    loop {
        let fits = |seconds| {
            let unit = scale * seconds;
            period <= unit && unit / period >= unit % period
        };
        let (_, name, seconds) = shorter
            .into_iter()
            .take_while(|(.., seconds)| fits(*seconds))
            .last()
            .unwrap_or(longest);
        let count = scale * seconds / period;
        // No text stands for some periods; what is printed is read as a longer one, and has to be printed alike then.
        match scale * seconds / count {
            read if read == period => return (Rate { count, seconds }, format!("{count}/{name}")),
            read => period = read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        let scale = 10_000;
        for period in (1..100_000).chain((100_000..scale * 86_400).step_by(99_991)) {
            let printed = printed(period, scale);
            let read = scale * printed.0.seconds / printed.0.count;
            assert!(read >= period);
            assert_eq!(super::printed(read, scale), printed, "{period}");
        }
    }
}

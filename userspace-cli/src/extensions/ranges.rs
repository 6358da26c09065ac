// SPDX-License-Identifier: GPL-2.0
//! Ranges of numbers: `A`, `A:B`, `:B` or `A:`.

use std::fmt::Display;

use oxtables_engine::uapi::field::Not;
use oxtables_engine::uapi::range::Range;

use super::{numbers, Options, Printed};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// The range that a word gives: one number, or two with a colon between, either of which may be left out.
///
/// # Errors
///
/// When it gives none, or one beyond `max`; `what` says what the numbers are.
pub fn range<T>(token: &Token, max: T, what: &str) -> Result<Range<T>, Problem>
where
    T: Copy + Default + Display + PartialOrd + Into<u64> + TryFrom<u64>,
{
    parse(token, max, |token| numbers::number(token, max.into(), what))
}

/// The same for numbers that are read by `number`.
pub fn parse<T>(
    token: &Token,
    max: T,
    number: impl Fn(&Token) -> Result<T, Problem>,
) -> Result<Range<T>, Problem>
where
    T: Copy + Default + Display + PartialOrd,
{
    let Some((first, last)) = token.split_once(b':') else {
        let number = number(token)?;
        return Ok(Range {
            first: number,
            last: number,
        });
    };
    let end = |token: &Token, absent| {
        if token.text.is_empty() {
            Ok(absent)
        } else {
            number(token)
        }
    };
    let range = Range {
        first: end(&first, T::default())?,
        last: end(&last, max)?,
    };
    if range.first > range.last {
        return Err(Problem::new(token.span, "range is reversed")
            .expected("the lower number first")
            .help(format!("write `{}:{}`", range.last, range.first)));
    }
    Ok(range)
}

/// A range in numbers.
pub fn text<T: Display + PartialEq>(range: Range<T>) -> String {
    if range.first == range.last {
        range.first.to_string()
    } else {
        format!("{}:{}", range.first, range.last)
    }
}

/// The range given to an option, if it was given.
pub fn optional<T>(
    options: &Options<'_>,
    name: &str,
    max: T,
    what: &str,
) -> Result<Option<Not<Range<T>>>, Problem>
where
    T: Copy + Default + Display + PartialOrd + Into<u64> + TryFrom<u64>,
{
    let Some(given) = options.get(name) else {
        return Ok(None);
    };
    Ok(Some(Not {
        value: range(given.value(), max, what)?,
        not: given.not,
    }))
}

/// The option for a range, if there is one.
pub fn print<T: Display + PartialEq>(
    name: &'static str,
    range: Option<Not<Range<T>>>,
) -> Option<Printed> {
    range.map(|range| Printed::new(name, range.not, text(range.value)))
}

// SPDX-License-Identifier: GPL-2.0
//! Numbers as iptables reads them: decimal, or hexadecimal after `0x`, or octal after `0`.

use oxtables_engine::uapi::field::Not;

use super::{Options, Printed};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// The number that a text is, if it is one.
pub fn parse(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let (digits, radix) = if let Some(hex) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        (hex, 16)
    } else if text.len() > 1 && text.starts_with('0') {
        (&text[1..], 8)
    } else {
        (text, 10)
    };
    // from_str_radix() takes a sign too.
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// The number that a word is, from 0 to `max`.
///
/// # Errors
///
/// When it is none, or too great; `what` says what it should have been.
pub fn number<T: TryFrom<u64>>(token: &Token, max: u64, what: &str) -> Result<T, Problem> {
    within(token, 0, max, what)
}

/// The number that a word is, from `min` to `max`.
///
/// # Errors
///
/// When it is none, or another one; `what` says what it should have been.
pub fn within<T: TryFrom<u64>>(
    token: &Token,
    min: u64,
    max: u64,
    what: &str,
) -> Result<T, Problem> {
    parse(&token.text)
        .filter(|number| (min..=max).contains(number))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| {
            Problem::new(token.span, format!("`{}` is not {what}", token.lossy()))
                .expected(format!("a number from {min} to {max}"))
        })
}

/// The number given to an option, if it was given.
pub fn optional<T: TryFrom<u64>>(
    options: &Options<'_>,
    name: &str,
    max: u64,
    what: &str,
) -> Result<Option<Not<T>>, Problem> {
    let Some(given) = options.get(name) else {
        return Ok(None);
    };
    Ok(Some(Not {
        value: number(given.value(), max, what)?,
        not: given.not,
    }))
}

/// The option for a number, if there is one.
pub fn print<T: ToString>(name: &'static str, number: Option<Not<T>>) -> Option<Printed> {
    number.map(|number| Printed::new(name, number.not, number.value))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn bases_are_those_of_strtoul() {
        assert_eq!(parse(b"22"), Some(22));
        assert_eq!(parse(b"0x16"), Some(22));
        assert_eq!(parse(b"010"), Some(8));
        assert_eq!(parse(b"0"), Some(0));
        for wrong in [
            &b""[..],
            b"+1",
            b"-1",
            b"0x",
            b"08",
            b"1a",
            b"\xff",
            b"99999999999999999999",
        ] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}

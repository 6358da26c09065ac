// SPDX-License-Identifier: GPL-2.0
//! Numbers under a mask: `VALUE` or `VALUE/MASK`.

use oxtables_engine::engine::rules::Masked;

use super::numbers;
use crate::diagnostic::Problem;
use crate::language::lexer::Token;
use crate::names::{Kind, Names};

/// A value and the mask after a slash; all bits without one. `what` says what the numbers are.
pub fn masked(token: &Token, what: &str) -> Result<Masked, Problem> {
    let number = |token: &Token| numbers::number(token, u32::MAX.into(), what);
    Ok(match token.split_once(b'/') {
        Some((value, mask)) => Masked {
            value: number(&value)?,
            mask: number(&mask)?,
        },
        None => Masked {
            value: number(token)?,
            mask: u32::MAX,
        },
    })
}

/// The same, or a name, which has no mask.
pub fn named(token: &Token, names: &Names, kind: Kind, what: &str) -> Result<Masked, Problem> {
    if token.text.first().is_some_and(u8::is_ascii_digit) {
        return masked(token, what);
    }
    Ok(Masked {
        value: names.numbered(token, kind)?,
        mask: u32::MAX,
    })
}

/// A value and its mask as iptables-save prints them.
pub fn text(Masked { value, mask }: Masked) -> String {
    if mask == u32::MAX {
        format!("{value:#x}")
    } else {
        format!("{value:#x}/{mask:#x}")
    }
}

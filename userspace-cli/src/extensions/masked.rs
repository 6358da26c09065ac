// SPDX-License-Identifier: GPL-2.0
//! Numbers under a mask: `VALUE` or `VALUE/MASK`.

use oxtables_engine::engine::rules::Masked;

use super::{numbers, Given, Printed};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;
use crate::names::{Kind, Names};

/// A number without a mask. `what` says what it is.
pub fn number(token: &Token, what: &str) -> Result<u32, Problem> {
    numbers::number(token, u32::MAX.into(), what)
}

/// A value and the mask after a slash; all bits without one. `what` says what the numbers are.
pub fn masked(token: &Token, what: &str) -> Result<Masked, Problem> {
    let number = |token: &Token| number(token, what);
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

/// What a mark is set to by `--set-xmark`, `--set-mark`, `--and-mark`, `--or-mark` or `--xor-mark`: the bits that are cleared, and
/// those that are flipped then.
pub fn set(given: &Given, what: &str) -> Result<Masked, Problem> {
    let token = given.value();
    Ok(match given.option.name {
        "set-mark" => {
            let Masked { value, mask } = masked(token, what)?;
            let mask = value | mask;
            Masked { value, mask }
        }
        "and-mark" => Masked {
            value: 0,
            mask: !number(token, what)?,
        },
        "or-mark" => {
            let bits = number(token, what)?;
            Masked {
                value: bits,
                mask: bits,
            }
        }
        "xor-mark" => Masked {
            value: number(token, what)?,
            mask: 0,
        },
        _ => masked(token, what)?,
    })
}

/// The option that iptables-save prints for any of those.
pub fn printed_set(Masked { value, mask }: Masked) -> Printed {
    Printed::new("set-xmark", false, format!("{value:#x}/{mask:#x}"))
}

/// A value and its mask as iptables-save prints them.
pub fn text(Masked { value, mask }: Masked) -> String {
    if mask == u32::MAX {
        format!("{value:#x}")
    } else {
        format!("{value:#x}/{mask:#x}")
    }
}

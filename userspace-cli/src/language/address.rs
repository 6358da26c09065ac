// SPDX-License-Identifier: GPL-2.0
//! Addresses with their masks, and interfaces.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use oxtables_engine::engine::packet::{DeviceName, Family};
use oxtables_engine::engine::rules::model::{Device, Prefix};

use super::lexer::Token;
use crate::diagnostic::Problem;
use crate::names::family_title;

/// The mask that begins with this many ones.
fn mask(family: Family, length: u8) -> IpAddr {
    match family {
        Family::V4 => {
            Ipv4Addr::from(u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)).into()
        }
        Family::V6 => {
            Ipv6Addr::from(u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0)).into()
        }
    }
}

/// An address with the bits outside of its mask set to zero.
fn masked(address: IpAddr, mask: IpAddr) -> IpAddr {
    match (address, mask) {
        (IpAddr::V4(address), IpAddr::V4(mask)) => (address & mask).into(),
        (IpAddr::V6(address), IpAddr::V6(mask)) => (address & mask).into(),
        _ => address,
    }
}

/// The address that a text is in this family, if it is one.
fn parse(text: &str, family: Family) -> Option<IpAddr> {
    match family {
        Family::V4 => text.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        Family::V6 => text.parse::<Ipv6Addr>().ok().map(IpAddr::from),
    }
}

/// An IPv4 network whose zeros at the end are left out, as in `10/8`.
fn short_network(text: &str) -> Option<IpAddr> {
    let parts = text.split('.').count();
    (parts < 4).then(|| parse(&(text.to_owned() + &".0".repeat(4 - parts)), Family::V4))?
}

/// What the part after the slash says.
fn parse_mask(token: &Token, family: Family) -> Result<IpAddr, Problem> {
    let text = token.lossy();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text.parse() {
            Ok(length) if length <= family.bits() => Ok(mask(family, length)),
            _ => Err(
                Problem::new(token.span, format!("prefix of {text} bits is too long")).expected(
                    format!("0 to {} for {}", family.bits(), family_title(family)),
                ),
            ),
        };
    }
    parse(&text, family).ok_or_else(|| {
        Problem::new(token.span, format!("`{text}` is not a mask"))
            .expected(format!("0 to {} bits, or an address", family.bits()))
    })
}

/// The error for a word that is no address of the family.
fn not_an_address(token: &Token, family: Family) -> Problem {
    let text = token.lossy();
    let other = match family {
        Family::V4 => Family::V6,
        Family::V6 => Family::V4,
    };
    if parse(&text, other).is_some() {
        Problem::new(
            token.span,
            format!(
                "{} address in a rule for {}",
                family_title(other),
                family_title(family)
            ),
        )
        .help(format!(
            "in a file, lines `family {}` begin the tables of the other family; on the command line, {} does",
            other.name(),
            match other {
                Family::V4 => "-4",
                Family::V6 => "-6",
            }
        ))
    } else if text.bytes().any(|byte| byte.is_ascii_alphabetic()) && !text.contains(':') {
        Problem::new(token.span, format!("`{text}` is not an address"))
            .expected(format!("an {} address", family_title(family)))
            .help(
                "names of hosts are not looked up: a ruleset must load without a network, and mean \
                 the same every time; write the address",
            )
    } else {
        Problem::new(token.span, format!("`{text}` is not an address"))
            .expected(format!("an {} address", family_title(family)))
    }
}

/// The address that a word is.
///
/// # Errors
///
/// When it is none of the family.
pub fn address(token: &Token, family: Family) -> Result<IpAddr, Problem> {
    parse(&token.lossy(), family).ok_or_else(|| not_an_address(token, family))
}

/// The address and mask that a word gives.
///
/// # Errors
///
/// Among others for names of hosts: what a rule lets pass must not depend on who answers a question.
pub fn prefix(token: &Token, family: Family) -> Result<Prefix, Problem> {
    let (address, mask) = match token.split_once(b'/') {
        Some((address, mask)) => (address, parse_mask(&mask, family)?),
        None => (token.clone(), mask(family, family.bits())),
    };
    if mask.is_unspecified() {
        // iptables ignores what stands before /0, so that one can write `any/0`.
        return Ok(Prefix {
            address: mask,
            mask,
        });
    }
    let text = address.lossy();
    let short = || {
        (family == Family::V4 && address.text.len() < token.text.len())
            .then(|| short_network(&text))
            .flatten()
    };
    match parse(&text, family).or_else(short) {
        Some(address) => Ok(Prefix {
            address: masked(address, mask),
            mask,
        }),
        None => Err(not_an_address(&address, family)),
    }
}

/// How an address is printed: as inet_ntop() does, to which an IPv6 address with 96 zeros before an IPv4 one
/// is that.
pub fn text(address: IpAddr) -> String {
    match address {
        IpAddr::V6(long) => match long.segments() {
            [0, 0, 0, 0, 0, 0, high, low] if high != 0 => {
                let short = Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
                format!("::{short}")
            }
            _ => address.to_string(),
        },
        IpAddr::V4(_) => address.to_string(),
    }
}

/// The one address that a word gives.
///
/// # Errors
///
/// As above.
pub fn host(token: &Token, family: Family) -> Result<IpAddr, Problem> {
    if token.text.contains(&b'/') {
        let what = format!("`{}` is not one address", token.lossy());
        return Err(Problem::new(token.span, what).expected("an address without a mask"));
    }
    prefix(token, family).map(|prefix| prefix.address)
}

/// How a prefix is printed by most matches, which leave the mask out where all bits count.
pub fn network_text(prefix: &Prefix) -> String {
    let text = prefix_text(prefix);
    let whole = format!("/{}", prefix.family().bits());
    text.strip_suffix(&whole).unwrap_or(&text).to_owned()
}

/// How a prefix is printed.
pub fn prefix_text(prefix: &Prefix) -> String {
    let length = match prefix.mask {
        IpAddr::V4(mask) => u32::from(mask).leading_ones(),
        IpAddr::V6(mask) => u128::from(mask).leading_ones(),
    };
    // Lossless: an address has at most 128 bits.
    if mask(prefix.family(), length as u8) == prefix.mask {
        format!("{}/{length}", text(prefix.address))
    } else {
        format!("{}/{}", text(prefix.address), text(prefix.mask))
    }
}

/// The interface, or interfaces, that a word names.
pub fn device(token: &Token) -> Result<Device, Problem> {
    if token.text.len() > DeviceName::MAX {
        return Err(
            Problem::new(token.span, "interface name is too long").label(format!(
                "{} bytes, of which {} fit",
                token.text.len(),
                DeviceName::MAX
            )),
        );
    }
    let odd = |byte: &u8| *byte <= b' ' || matches!(byte, b'/' | 0x7f);
    Device::from_text(&token.text)
        .filter(|_| !token.text.iter().any(odd))
        .ok_or_else(|| {
            Problem::new(
                token.span,
                format!("`{}` can't be an interface", token.lossy()),
            )
            .expected("the name of an interface, or its beginning and a `+`")
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::lexer::tokens;

    fn printed(word: &str, family: Family) -> String {
        let token = &tokens(word.as_bytes(), 0).unwrap()[0];
        match prefix(token, family) {
            Ok(prefix) => prefix_text(&prefix),
            Err(problem) => problem.message,
        }
    }

    #[test]
    fn addresses_are_read_and_printed_as_iptables_does() {
        for (word, wanted) in [
            ("10.0.0.1", "10.0.0.1/32"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("10/8", "10.0.0.0/8"),
            ("192.168/16", "192.168.0.0/16"),
            ("10.1.2.3/255.0.255.0", "10.0.2.0/255.0.255.0"),
            ("1.2.3.4/255.255.255.0", "1.2.3.0/24"),
            ("any/0", "0.0.0.0/0"),
            ("1.2.3.4/33", "prefix of 33 bits is too long"),
            ("1.2.3.4/", "`` is not a mask"),
            ("1.2.3.4/999", "prefix of 999 bits is too long"),
            ("10", "`10` is not an address"),
            ("fd00::1", "IPv6 address in a rule for IPv4"),
            ("example.com", "`example.com` is not an address"),
        ] {
            assert_eq!(printed(word, Family::V4), wanted);
        }
        for (word, wanted) in [
            ("fd00::1", "fd00::1/128"),
            ("fe80::1/10", "fe80::/10"),
            ("fe80::1/ffff:0:ffff::", "fe80::/ffff:0:ffff::"),
            ("::/0", "::/0"),
            ("::1:2", "::0.1.0.2/128"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4/128"),
            ("::ffff", "::ffff/128"),
            ("fd00::/129", "prefix of 129 bits is too long"),
            ("10.0.0.1", "IPv4 address in a rule for IPv6"),
            ("10/8", "`10` is not an address"),
        ] {
            assert_eq!(printed(word, Family::V6), wanted);
        }
    }
}

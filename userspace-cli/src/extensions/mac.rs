// SPDX-License-Identifier: GPL-2.0
//! `-m mac`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::{Mac, MacAddress};
use oxtables_engine::uapi::field::Not;

use super::{About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// The address that a word is: six bytes of one or two hexadecimal digits, with colons between.
fn address(token: &Token) -> Result<MacAddress, Problem> {
    let byte = |part: &Token| {
        let digits = std::str::from_utf8(&part.text).ok()?;
        let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        (plain && digits.len() <= 2).then(|| u8::from_str_radix(digits, 16).ok())?
    };
    let bytes: Option<Vec<_>> = token.split(b':').iter().map(byte).collect();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .map(MacAddress)
        .ok_or_else(|| {
            Problem::new(
                token.span,
                format!("`{}` is not a MAC address", token.lossy()),
            )
            .expected("six bytes in hexadecimal, as in 02:00:5e:10:00:00")
        })
}

impl Extension for Mac {
    const ABOUT: About = About {
        name: "mac",
        summary:
            "the Ethernet address that the packet came from; for PREROUTING, INPUT and FORWARD",
        options: &[Opt::negatable(
            "mac-source",
            &[],
            &["ADDRESS"],
            "the frame was sent by this address",
        )],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        Ok(Self {
            source: Not {
                value: address(given.value())?,
                not: given.not,
            },
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let bytes = self.source.value.0.map(|byte| format!("{byte:02x}"));
        vec![Printed::new("mac-source", self.source.not, bytes.join(":"))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        prints(
            Family::V4,
            &[
                (
                    "-m mac --mac-source aa:b:CC:0:01:ff",
                    "-m mac --mac-source aa:0b:cc:00:01:ff",
                ),
                (
                    "-m mac ! --mac-source 00:00:00:00:00:00",
                    "-m mac ! --mac-source 00:00:00:00:00:00",
                ),
            ],
        );
        refuses(
            Family::V6,
            &[
                ("-m mac", "`mac` needs an option", "mac"),
                (
                    "-m mac --mac-source 1:2:3:4:5",
                    "`1:2:3:4:5` is not a MAC address",
                    "1:2:3:4:5",
                ),
                (
                    "-m mac --mac-source 1:2:3:4:5:6:7",
                    "`1:2:3:4:5:6:7` is not a MAC address",
                    "1:2:3:4:5:6:7",
                ),
                (
                    "-m mac --mac-source 1:2:3:4:5:",
                    "`1:2:3:4:5:` is not a MAC address",
                    "1:2:3:4:5:",
                ),
                (
                    "-m mac --mac-source 1:2:3:4:5:100",
                    "`1:2:3:4:5:100` is not a MAC address",
                    "1:2:3:4:5:100",
                ),
                (
                    "-m mac --mac-source +1:2:3:4:5:6",
                    "`+1:2:3:4:5:6` is not a MAC address",
                    "+1:2:3:4:5:6",
                ),
            ],
        );
    }
}

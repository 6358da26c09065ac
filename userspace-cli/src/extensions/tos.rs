// SPDX-License-Identifier: GPL-2.0
//! `-m tos`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Tos;
use oxtables_engine::uapi::field::Not;

use super::{numbers, About, Extension, Opt, Options, Printed, Vocabulary};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// Names of values, as RFC 1349 gave them.
const NAMES: [(&str, u8); 5] = [
    ("Minimize-Delay", 0x10),
    ("Maximize-Throughput", 0x08),
    ("Maximize-Reliability", 0x04),
    ("Minimize-Cost", 0x02),
    ("Normal-Service", 0x00),
];

/// The mask that a name implies.
const NAMED: u8 = 0x3f;

fn number(token: &Token) -> Result<u8, Problem> {
    numbers::number(token, u8::MAX.into(), "a type of service")
}

/// The value and the mask that a word gives.
fn value(token: &Token) -> Result<(u8, u8), Problem> {
    if let Some((value, mask)) = token.split_once(b'/') {
        return Ok((number(&value)?, number(&mask)?));
    }
    if token.text.first().is_some_and(u8::is_ascii_digit) {
        return Ok((number(token)?, u8::MAX));
    }
    let name = token.lossy();
    let known = NAMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(&name));
    known.map(|(_, value)| (*value, NAMED)).ok_or_else(|| {
        Problem::new(token.span, format!("no type of service is called `{name}`"))
            .expected("a name, a number from 0 to 255 or number/mask")
            .suggest(&name, NAMES.iter().map(|(name, _)| *name))
    })
}

impl Extension for Tos {
    const ABOUT: About = About {
        name: "tos",
        summary: "the type of service of IPv4, the traffic class of IPv6",
        options: &[Opt::negatable(
            "tos",
            &[],
            &["VALUE[/MASK]"],
            "its bits under MASK are VALUE, which may be a name",
        )],
        vocabularies: &[Vocabulary {
            title: "values, under the mask 0x3f",
            names: || {
                let names = NAMES.iter();
                names
                    .map(|(name, value)| format!("{name} ({value:#04x})"))
                    .collect()
            },
        }],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        let (value, mask) = value(given.value())?;
        Ok(Self {
            value: Not {
                value,
                not: given.not,
            },
            mask,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let text = format!("{:#04x}/{:#04x}", self.value.value, self.mask);
        vec![Printed::new("tos", self.value.not, text)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        for family in Family::ALL {
            prints(
                family,
                &[
                    ("-m tos --tos 16", "-m tos --tos 0x10/0xff"),
                    ("-m tos ! --tos 0x10/63", "-m tos ! --tos 0x10/0x3f"),
                    ("-m tos --tos 1/0", "-m tos --tos 0x01/0x00"),
                    ("-m tos --tos minimize-delay", "-m tos --tos 0x10/0x3f"),
                    ("-m tos --tos Normal-Service", "-m tos --tos 0x00/0x3f"),
                ],
            );
            refuses(
                family,
                &[
                    ("-m tos", "`tos` needs an option", "tos"),
                    ("-m tos --tos 256", "`256` is not a type of service", "256"),
                    ("-m tos --tos 1/", "`` is not a type of service", ""),
                    (
                        "-m tos --tos 1/0x100",
                        "`0x100` is not a type of service",
                        "0x100",
                    ),
                    (
                        "-m tos --tos Minimise-Cost",
                        "no type of service is called `Minimise-Cost`",
                        "Minimise-Cost",
                    ),
                    (
                        "-m tos --tos Minimize-Cost/0xff",
                        "`Minimize-Cost` is not a type of service",
                        "Minimize-Cost",
                    ),
                ],
            );
        }
    }
}

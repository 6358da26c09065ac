// SPDX-License-Identifier: GPL-2.0
//! `-m dscp`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Dscp;
use oxtables_engine::uapi::field::Not;

use super::{numbers, About, Extension, Opt, Options, Printed, Vocabulary};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// Classes and their codepoints: class selectors (RFC 2474), best effort, assured (RFC 2597) and expedited
/// forwarding (RFC 3246).
const CLASSES: [(&str, u8); 22] = [
    ("CS0", 0),
    ("CS1", 8),
    ("CS2", 16),
    ("CS3", 24),
    ("CS4", 32),
    ("CS5", 40),
    ("CS6", 48),
    ("CS7", 56),
    ("BE", 0),
    ("AF11", 10),
    ("AF12", 12),
    ("AF13", 14),
    ("AF21", 18),
    ("AF22", 20),
    ("AF23", 22),
    ("AF31", 26),
    ("AF32", 28),
    ("AF33", 30),
    ("AF41", 34),
    ("AF42", 36),
    ("AF43", 38),
    ("EF", 46),
];

fn class(token: &Token) -> Result<u8, Problem> {
    let name = token.lossy();
    let known = CLASSES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(&name));
    known.map(|(_, codepoint)| *codepoint).ok_or_else(|| {
        Problem::new(token.span, format!("no class is called `{name}`"))
            .expected("BE, EF, CS0 to CS7, or AF11 to AF43")
            .suggest(&name, CLASSES.iter().map(|(name, _)| *name))
    })
}

impl Extension for Dscp {
    const ABOUT: About = About {
        name: "dscp",
        summary: "the codepoint of differentiated services",
        options: &[
            Opt::negatable("dscp", &[], &["NUMBER"], "it is NUMBER, from 0 to 63"),
            Opt::negatable("dscp-class", &[], &["CLASS"], "it is that of the class"),
        ],
        vocabularies: &[Vocabulary {
            title: "classes",
            names: || {
                let names = CLASSES.iter();
                names
                    .map(|(name, codepoint)| format!("{name} ({codepoint:#04x})"))
                    .collect()
            },
        }],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        let value = match given.option.name {
            "dscp-class" => class(given.value())?,
            _ => numbers::number(given.value(), Self::MAX.into(), "a codepoint")?,
        };
        Ok(Self {
            codepoint: Not {
                value,
                not: given.not,
            },
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let Not { value, not } = self.codepoint;
        vec![Printed::new("dscp", not, format!("{value:#04x}"))]
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
                    ("-m dscp --dscp 0", "-m dscp --dscp 0x00"),
                    ("-m dscp ! --dscp 63", "-m dscp ! --dscp 0x3f"),
                    ("-m dscp --dscp-class EF", "-m dscp --dscp 0x2e"),
                    ("-m dscp ! --dscp-class af11", "-m dscp ! --dscp 0x0a"),
                    ("-m dscp --dscp-class BE", "-m dscp --dscp 0x00"),
                ],
            );
            refuses(
                family,
                &[
                    ("-m dscp", "`dscp` needs an option", "dscp"),
                    ("-m dscp --dscp 64", "`64` is not a codepoint", "64"),
                    (
                        "-m dscp --dscp-class EF1",
                        "no class is called `EF1`",
                        "EF1",
                    ),
                    (
                        "-m dscp --dscp 1 --dscp-class EF",
                        "`--dscp` and `--dscp-class` exclude each other",
                        "--dscp-class EF",
                    ),
                ],
            );
        }
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m mark` and `-j MARK`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::{Mark, Masked};
use oxtables_engine::engine::rules::targets::SetMark;
use oxtables_engine::uapi::field::Not;

use super::{masked, numbers, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// What the numbers are.
const WHAT: &str = "a mark";

fn number(token: &Token) -> Result<u32, Problem> {
    numbers::number(token, u32::MAX.into(), WHAT)
}

impl Extension for Mark {
    const ABOUT: About = About {
        name: "mark",
        summary: "the packet's mark",
        options: &[Opt::negatable(
            "mark",
            &[],
            &["VALUE[/MASK]"],
            "the mark's bits under MASK are VALUE",
        )],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        Ok(Self {
            mark: Not {
                value: masked::masked(given.value(), WHAT)?,
                not: given.not,
            },
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let text = masked::text(self.mark.value);
        vec![Printed::new("mark", self.mark.not, text)]
    }
}

impl Extension for SetMark {
    const ABOUT: About = About {
        name: "MARK",
        summary: "change the packet's mark, and go on with the next rule",
        options: &[
            Opt::plain(
                "set-xmark",
                &["VALUE[/MASK]"],
                "clear the bits of MASK, then flip those of VALUE",
            ),
            Opt::plain(
                "set-mark",
                &["VALUE[/MASK]"],
                "clear the bits of MASK, then set those of VALUE",
            ),
            Opt::plain("and-mark", &["BITS"], "keep these bits only"),
            Opt::plain("or-mark", &["BITS"], "set these bits"),
            Opt::plain("xor-mark", &["BITS"], "flip these bits"),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        let token = given.value();
        let mark = match given.option.name {
            "set-mark" => {
                let Masked { value, mask } = masked::masked(token, WHAT)?;
                Masked {
                    value,
                    mask: value | mask,
                }
            }
            "and-mark" => Masked {
                value: 0,
                mask: !number(token)?,
            },
            "or-mark" => {
                let bits = number(token)?;
                Masked {
                    value: bits,
                    mask: bits,
                }
            }
            "xor-mark" => Masked {
                value: number(token)?,
                mask: 0,
            },
            _ => masked::masked(token, WHAT)?,
        };
        Ok(Self { mark })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let Masked { value, mask } = self.mark;
        vec![Printed::new(
            "set-xmark",
            false,
            format!("{value:#x}/{mask:#x}"),
        )]
    }
}

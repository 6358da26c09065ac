// SPDX-License-Identifier: GPL-2.0
//! `-m mark` and `-j MARK`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Mark;
use oxtables_engine::engine::rules::targets::SetMark;
use oxtables_engine::uapi::field::Not;

use super::{masked, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

/// What the numbers are.
const WHAT: &str = "a mark";

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
        let mark = masked::set(given, WHAT)?;
        Ok(Self { mark })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        vec![masked::printed_set(self.mark)]
    }
}

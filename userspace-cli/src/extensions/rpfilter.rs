// SPDX-License-Identifier: GPL-2.0
//! `-m rpfilter`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Rpfilter;

use super::{About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

impl Extension for Rpfilter {
    const ABOUT: About = About {
        name: "rpfilter",
        summary: "an answer would go back the way that the packet came; in PREROUTING only",
        options: &[
            Opt::plain("loose", &[], "an answer may go out by another interface"),
            Opt::plain("validmark", &[], "an answer has the packet's mark"),
            Opt::plain(
                "accept-local",
                &[],
                "it may come from an address of this machine",
            ),
            Opt::plain("invert", &[], "match the packets that fail"),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        Ok(Self {
            loose: options.get("loose").is_some(),
            valid_mark: options.get("validmark").is_some(),
            accept_local: options.get("accept-local").is_some(),
            inverted: options.get("invert").is_some(),
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        [
            ("loose", self.loose),
            ("validmark", self.valid_mark),
            ("accept-local", self.accept_local),
            ("invert", self.inverted),
        ]
        .into_iter()
        .filter(|(_, given)| *given)
        .map(|(name, _)| Printed::flag(name))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{planned, refuses, text};
    use crate::language::plan::How;
    use oxtables_engine::engine::rules::Model;

    #[test]
    fn rules() {
        for family in Family::ALL {
            for (rule, printed) in [
                ("", ""),
                (" --loose", " --loose"),
                (
                    " --invert --accept-local --validmark --loose",
                    " --loose --validmark --accept-local --invert",
                ),
            ] {
                let file = format!(
                    "*early hooks=PREROUTING place=-300\n:PREROUTING ACCEPT [0:0]\n\
                     -A PREROUTING -m rpfilter{rule} -j DROP\nCOMMIT\n"
                );
                let plan = planned(&file, Some(family), &Model::default(), How::default());
                let text = text(&plan.unwrap().result, Some(family), false);
                let line = format!("-A PREROUTING -m rpfilter{printed} -j DROP");
                assert!(text.lines().any(|found| found == line), "{text}");
            }
        }
        refuses(
            Family::V4,
            &[
                (
                    "-m rpfilter ! --loose",
                    "`!` can't stand before `--loose`",
                    "! --loose",
                ),
                (
                    "-m rpfilter --invert --invert",
                    "`--invert` is given twice",
                    "--invert",
                ),
                (
                    "-m rpfilter",
                    "rpfilter works in PREROUTING only",
                    "-A INPUT -m rpfilter",
                ),
            ],
        );
    }
}

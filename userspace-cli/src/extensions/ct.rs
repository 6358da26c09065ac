// SPDX-License-Identifier: GPL-2.0
//! `-j CT`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::targets::Ct;

use super::{About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

const ZONES: &str = "needs zones";
const EVENTS: &str = "needs events of connections";

/// The options of iptables' CT that are not there yet, and why.
const LATER: [(&str, &str); 7] = [
    ("helper", "needs helpers"),
    ("timeout", "needs timeout policies"),
    ("zone", ZONES),
    ("zone-orig", ZONES),
    ("zone-reply", ZONES),
    ("ctevents", EVENTS),
    ("expevents", EVENTS),
];

const fn later(name: &'static str) -> Opt {
    Opt::plain(name, &["..."], "not supported yet")
}

impl Extension for Ct {
    const ABOUT: About = About {
        name: "CT",
        summary: "how the packet is tracked, in the table raw; then the next rule",
        options: &[
            Opt::plain("notrack", &[], "not at all"),
            later("helper"),
            later("timeout"),
            later("zone"),
            later("zone-orig"),
            later("zone-reply"),
            later("ctevents"),
            later("expevents"),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let late = options.given.iter().find_map(|given| {
            let (_, why) = LATER.iter().find(|(name, _)| *name == given.option.name)?;
            Some((given, *why))
        });
        if let Some((given, why)) = late {
            let what = format!("`--{}` is not supported yet", given.option.name);
            return Err(Problem::new(given.span, what).label(why));
        }
        if options.get("notrack").is_none() {
            return Err(Problem::new(options.span, "`CT` needs an option").expected("--notrack"));
        }
        Ok(Self { notrack: true })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let notrack = self.notrack.then(|| Printed::flag("notrack"));
        notrack.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{planned, problem, refuses, text};
    use crate::language::plan::How;
    use oxtables_engine::engine::rules::Model;

    #[test]
    fn rules() {
        let file = "*raw\n-A PREROUTING -p udp -j NOTRACK\n-A OUTPUT -j CT --notrack\nCOMMIT\n";
        for family in Family::ALL {
            let base = Model::default();
            let plan = planned(file, Some(family), &base, How::default()).unwrap();
            let printed = text(&plan.result, Some(family), false);
            let rules: Vec<_> = printed
                .lines()
                .filter(|line| line.starts_with("-A"))
                .collect();
            let wanted = [
                "-A PREROUTING -p udp -j CT --notrack",
                "-A OUTPUT -j CT --notrack",
            ];
            assert_eq!(rules, wanted);
        }
    }

    #[test]
    fn wrong_rules() {
        refuses(
            Family::V4,
            &[
                ("-j CT", "`CT` needs an option", "CT"),
                (
                    "-j CT --helper ftp",
                    "`--helper` is not supported yet",
                    "--helper ftp",
                ),
                (
                    "-j CT --notrack --zone 1",
                    "`--zone` is not supported yet",
                    "--zone 1",
                ),
                ("-j NOTRACK", "CT needs PREROUTING or OUTPUT", "NOTRACK"),
            ],
        );
        let late = "*filter\n-A OUTPUT -j CT --notrack\nCOMMIT\n";
        let (problem, _) = problem(late, Family::V4);
        assert_eq!(
            problem.message,
            "CT needs the table raw, or one placed below -200"
        );
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-j CT`

use oxtables_engine::engine::conntrack::Direction;
use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::targets::Ct;

use super::{numbers, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

/// What tells in which zone the packet is, and for which direction.
const ZONES: [(&str, Option<Direction>); 3] = [
    ("zone", None),
    ("zone-orig", Some(Direction::Original)),
    ("zone-reply", Some(Direction::Reply)),
];
/// What stands for the packet's mark in place of a zone.
const MARK: &str = "mark";
const EVENTS: &str = "needs events of connections";

/// The options of iptables' CT that are not there yet, and why.
const LATER: [(&str, &str); 4] = [
    ("helper", "needs helpers"),
    ("timeout", "needs timeout policies"),
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
            Opt::plain("zone", &["ID|mark"], "in this zone, or that of its mark"),
            Opt::plain(
                "zone-orig",
                &["ID|mark"],
                "in this zone, and answers in zone 0",
            ),
            Opt::plain(
                "zone-reply",
                &["ID|mark"],
                "in zone 0, and answers in this one",
            ),
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
        let mut given = options.given.iter();
        let Some(first) = given.next() else {
            let problem = Problem::new(options.span, "`CT` needs an option");
            return Err(problem.expected("--notrack, --zone, --zone-orig or --zone-reply"));
        };
        if let Some(second) = given.next() {
            let what = format!(
                "`CT` takes one of `--{}` and `--{}`",
                first.option.name, second.option.name
            );
            return Err(Problem::new(second.span, what));
        }
        let zone = ZONES.iter().find(|(name, _)| *name == first.option.name);
        let Some((_, direction)) = zone else {
            return Ok(Self::NOTRACK);
        };
        let value = first.value();
        let zone_mark = value.text == MARK.as_bytes();
        let zone = if zone_mark {
            None
        } else {
            let number = numbers::number(value, u16::MAX.into(), "a zone");
            let or_mark = |problem: Problem| problem.expected("a number from 0 to 65535, or mark");
            Some(number.map_err(or_mark)?)
        };
        Ok(Self {
            zone,
            zone_mark,
            zone_direction: *direction,
            ..Self::default()
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let notrack = self.notrack.then(|| Printed::flag("notrack"));
        let mut names = ZONES.iter();
        let name = names.find(|(_, direction)| *direction == self.zone_direction);
        let zone = self.zone().zip(name).map(|(zone, (name, _))| {
            let value = zone.id.map_or(MARK.to_owned(), |id| id.to_string());
            Printed::new(name, false, value)
        });
        notrack.into_iter().chain(zone).collect()
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
        let file = "*raw\n-A PREROUTING -p udp -j NOTRACK\n-A OUTPUT -j CT --notrack\n\
            -A OUTPUT -j CT --zone 0x10\n-A OUTPUT -j CT --zone-orig mark\n-A OUTPUT -j CT --zone-reply 65535\n\
            -A OUTPUT -j CT --zone mark\nCOMMIT\n";
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
                "-A OUTPUT -j CT --zone 16",
                "-A OUTPUT -j CT --zone-orig mark",
                "-A OUTPUT -j CT --zone-reply 65535",
                "-A OUTPUT -j CT --zone mark",
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
                    "`CT` takes one of `--notrack` and `--zone`",
                    "--zone 1",
                ),
                (
                    "-j CT --zone-orig 1 --zone-reply 2",
                    "`CT` takes one of `--zone-orig` and `--zone-reply`",
                    "--zone-reply 2",
                ),
                ("-j CT --zone 65536", "`65536` is not a zone", "65536"),
                ("-j CT --zone Mark", "`Mark` is not a zone", "Mark"),
                ("-j CT --zone", "`--zone` needs a value", "--zone"),
                (
                    "-j CT --zone 1 --zone 2",
                    "`--zone` is given twice",
                    "--zone 2",
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

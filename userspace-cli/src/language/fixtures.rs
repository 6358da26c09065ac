// SPDX-License-Identifier: GPL-2.0
//! What tests of the language are made of: rules, and what they are printed as or refused with.

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::Model;

use super::plan::{plan, How, Plan};
use super::printer::{self, Which};
use super::ruleset;
use crate::diagnostic::{Problem, Source};
use crate::names::{Kind, Names};

/// The names that tests know.
pub fn names() -> Names {
    let mut names = Names::parse(
        b"hip 139 HIP\n",
        b"ssh 22/tcp\nhttp 80/tcp www\ndomain 53/tcp\ndomain 53/udp\n",
    );
    names.add(
        Kind::User,
        b"root:x:0:0::/root:/bin/sh\nalice:x:1001:1001::/:\n",
    );
    names.add(Kind::Group, b"root:x:0:\nstaff:x:50:alice\n");
    names.add(Kind::DeviceGroup, b"0\tdefault\n0x5\tinner\n");
    names.add(Kind::Realm, b"# realms\n0\tcosmos\n3\tupstream\n");
    names
}

/// What a file would make of `base`.
pub fn planned(
    text: &str,
    family: Option<Family>,
    base: &Model,
    how: How,
) -> Result<Plan, Problem> {
    let source = Source::new("test", text);
    let ruleset =
        ruleset::parse(&source, &names(), family).map_err(|problems| problems[0].clone())?;
    plan(ruleset, base, how)
}

/// The rules as they are printed.
pub fn text(model: &Model, family: Option<Family>, counters: bool) -> String {
    let which = Which {
        family,
        table: None,
    };
    String::from_utf8(printer::ruleset(model, which, counters)).unwrap()
}

/// The rule that a rule of FORWARD is printed as.
pub fn printed(rule: &str, family: Family) -> String {
    printed_in("FORWARD", rule, family)
}

/// The rule that a rule of a chain is printed as.
fn printed_in(chain: &str, rule: &str, family: Family) -> String {
    let file = format!("*filter\n:chain - [0:0]\n-A {chain} {rule}\nCOMMIT\n");
    let plan = planned(&file, Some(family), &Model::default(), How::default());
    let plan = plan.unwrap_or_else(|problem| panic!("{rule}: {problem:?}"));
    let text = text(&plan.result, Some(family), false);
    let lines = text.lines().filter_map(|line| {
        let line = line.strip_prefix("-A ")?;
        line.strip_prefix(chain)
    });
    lines
        .map(|line| line.trim_start())
        .collect::<Vec<_>>()
        .join(" | ")
}

/// What is wrong with a file, and the piece of it that is to blame.
pub fn problem(file: &str, family: Family) -> (Problem, String) {
    let base = Model::default();
    let problem = planned(file, Some(family), &base, How::default())
        .map(|_| ())
        .expect_err(file);
    let line = file.lines().nth(problem.span.line).unwrap_or_default();
    let blamed = line[problem.span.start..problem.span.end].to_owned();
    (problem, blamed)
}

/// What is wrong with a rule of INPUT, and the piece of it that is to blame.
pub fn problem_of(rule: &str, family: Family) -> (Problem, String) {
    let file = format!("*filter\n:chain - [0:0]\n-A INPUT {rule}\nCOMMIT\n");
    problem(&file, family)
}

/// Rules, and how iptables-save prints them.
pub fn prints(family: Family, rules: &[(&str, &str)]) {
    prints_in("FORWARD", family, rules);
}

/// The same for rules that can't be in FORWARD.
pub fn prints_in(chain: &str, family: Family, rules: &[(&str, &str)]) {
    for (rule, wanted) in rules {
        assert_eq!(printed_in(chain, rule, family), *wanted, "{rule}");
        assert_eq!(printed_in(chain, wanted, family), *wanted, "{wanted}");
    }
}

/// Wrong rules: what is said of each, and the piece of it that is to blame.
pub fn refuses(family: Family, rules: &[(&str, &str, &str)]) {
    for (rule, message, blamed) in rules {
        let (problem, piece) = problem_of(rule, family);
        assert_eq!(problem.message, *message, "{rule}");
        assert_eq!(piece, *blamed, "{rule}");
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Rulesets as text, as iptables-save writes them.

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::model::{Chain, Table};
use oxtables_engine::engine::rules::{Counters, Model, Policy, Rule, Target};

use super::address::prefix_text;
use super::lexer::{quote, quote_always, quote_if_needed};
use crate::extensions::{print_match, print_target, Printed, Quotes};
use crate::names::protocol_name;

/// What a rule says, in the words of the language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Source, destination, interfaces, protocol and fragment, as options.
    pub base: Vec<Printed>,
    /// The matches: their names and options.
    pub matches: Vec<(&'static str, Vec<Printed>)>,
    /// The name of the target or chain, if there is one.
    pub target: Option<String>,
    /// Whether a chain is gone to and not come back from.
    pub goto: bool,
    /// The target's options.
    pub target_options: Vec<Printed>,
}

/// The short form of an option of the rule itself.
fn short(name: &str) -> &'static str {
    match name {
        "source" => "-s",
        "destination" => "-d",
        "in-interface" => "-i",
        "out-interface" => "-o",
        "protocol" => "-p",
        _ => "-f",
    }
}

/// How a protocol is written.
pub fn protocol_text(number: u8) -> String {
    protocol_name(number).map_or_else(|| number.to_string(), str::to_owned)
}

/// The words of a rule.
pub fn words(rule: &Rule, family: Family) -> Words {
    let mut base = Vec::new();
    for (name, prefix) in [("source", rule.source), ("destination", rule.destination)] {
        // A prefix of no bits asks for nothing; iptables-save leaves it out.
        if let Some(prefix) = prefix.filter(|it| it.not || !it.value.mask.is_unspecified()) {
            base.push(Printed::new(name, prefix.not, prefix_text(&prefix.value)));
        }
    }
    for (name, device) in [("in-interface", rule.input), ("out-interface", rule.output)] {
        if let Some(device) = device {
            let text = device.value.text();
            if device.not || text.as_bytes() != b"+" {
                base.push(Printed::new(name, device.not, text));
            }
        }
    }
    if let Some(protocol) = rule.protocol.filter(|protocol| protocol.value != 0) {
        base.push(Printed::new(
            "protocol",
            protocol.not,
            protocol_text(protocol.value),
        ));
    }
    if let Some(fragment) = rule.fragment {
        base.push(Printed {
            not: fragment.not,
            ..Printed::flag("fragment")
        });
    }
    let plain = |name: &str| (Some(name.to_owned()), Vec::new());
    let (target, target_options) = match &rule.target {
        Target::Continue => (None, Vec::new()),
        Target::Accept => plain("ACCEPT"),
        Target::Drop => plain("DROP"),
        Target::Return => plain("RETURN"),
        Target::Trace => plain("TRACE"),
        Target::Jump(chain) | Target::Goto(chain) => plain(&chain.to_string()),
        other => match print_target(other, family) {
            Some((name, options)) => (Some(name.to_owned()), options),
            None => (None, Vec::new()),
        },
    };
    Words {
        base,
        matches: rule
            .matches
            .0
            .iter()
            .map(|item| print_match(item, family))
            .collect(),
        target,
        goto: matches!(rule.target, Target::Goto(_)),
        target_options,
    }
}

fn option(printed: &Printed, name: &str, to: &mut Vec<u8>) {
    to.extend_from_slice(if printed.not { b" ! " } else { b" " });
    to.extend_from_slice(name.as_bytes());
    for word in &printed.values {
        to.push(b' ');
        match word.quotes {
            Quotes::IfNeeded => quote_if_needed(&word.text, to),
            Quotes::AroundText => quote(&word.text, to),
            Quotes::Always => quote_always(&word.text, to),
        }
    }
}

/// Writes options in their long form.
pub fn long_options(options: &[Printed], to: &mut Vec<u8>) {
    for printed in options {
        option(printed, &format!("--{}", printed.name), to);
    }
}

/// Writes a rule without its chain; begins with a blank.
pub fn rule(rule: &Rule, family: Family, to: &mut Vec<u8>) {
    let words = words(rule, family);
    for printed in &words.base {
        option(printed, short(printed.name), to);
    }
    for (name, options) in &words.matches {
        to.extend_from_slice(b" -m ");
        to.extend_from_slice(name.as_bytes());
        long_options(options, to);
    }
    if let Some(target) = &words.target {
        to.extend_from_slice(if words.goto { b" -g " } else { b" -j " });
        quote_if_needed(target.as_bytes(), to);
        long_options(&words.target_options, to);
    }
}

/// The name of a policy.
pub fn policy_text(policy: Policy) -> &'static str {
    match policy {
        Policy::Accept => "ACCEPT",
        Policy::Drop => "DROP",
    }
}

fn counters_text(counters: Counters) -> String {
    format!("[{}:{}]", counters.packets, counters.bytes)
}

/// Writes a rule with its chain, as a line.
pub fn rule_line(chain: &Chain, index: usize, family: Family, counters: bool, to: &mut Vec<u8>) {
    let Some(entry) = chain.rules.get(index) else {
        return;
    };
    if counters {
        to.extend_from_slice(counters_text(entry.slot.initial).as_bytes());
        to.push(b' ');
    }
    to.extend_from_slice(b"-A ");
    to.extend_from_slice(chain.name.as_bytes());
    rule(&entry.rule, family, to);
    to.push(b'\n');
}

/// Writes a table, from `*` to `COMMIT`.
pub fn table(table: &Table, counters: bool, to: &mut Vec<u8>) {
    to.push(b'*');
    to.extend_from_slice(table.name.as_bytes());
    if table.own {
        let hooks: Vec<_> = table.hooks().map(|hook| hook.chain()).collect();
        let text = format!(" hooks={} place={}", hooks.join(","), table.place);
        to.extend_from_slice(text.as_bytes());
    }
    to.push(b'\n');
    for chain in &table.chains {
        let shown = chain
            .base
            .map(|base| base.slot.initial)
            .filter(|_| counters);
        to.push(b':');
        to.extend_from_slice(chain.name.as_bytes());
        to.push(b' ');
        to.extend_from_slice(
            chain
                .base
                .map_or("-", |base| policy_text(base.policy))
                .as_bytes(),
        );
        to.push(b' ');
        to.extend_from_slice(counters_text(shown.unwrap_or_default()).as_bytes());
        to.push(b'\n');
    }
    for chain in &table.chains {
        for index in 0..chain.rules.len() {
            rule_line(chain, index, table.family, counters, to);
        }
    }
    to.extend_from_slice(b"COMMIT\n");
}

/// Which tables are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Which<'a> {
    /// Those of this family only; then it is not named, so that iptables-restore can read the text.
    pub family: Option<Family>,
    /// Those of this name only.
    pub table: Option<&'a str>,
}

impl Which<'_> {
    /// Whether a table is one of them.
    pub fn includes(&self, table: &Table) -> bool {
        self.family.is_none_or(|family| family == table.family)
            && self
                .table
                .is_none_or(|name| name.as_bytes() == table.name.as_bytes())
    }
}

/// Writes the tables of a ruleset. It is the same for the same rules, so there is no date in it.
pub fn ruleset(model: &Model, which: Which<'_>, counters: bool) -> Vec<u8> {
    let mut text = format!("# oxtables {}\n", env!("CARGO_PKG_VERSION")).into_bytes();
    let mut family = which.family;
    for item in model.tables.iter().filter(|item| which.includes(item)) {
        if family != Some(item.family) {
            family = Some(item.family);
            text.extend_from_slice(format!("family {}\n", item.family.name()).as_bytes());
        }
        table(item, counters, &mut text);
    }
    text
}

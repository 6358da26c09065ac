// SPDX-License-Identifier: GPL-2.0
//! What the fuzzers begin with: rulesets at random, the same in every run, in which each match and target occurs without
//! being named here.

use std::collections::HashMap;
use std::mem::discriminant;
use std::path::Path;

use oxtables_engine::alloc::{Arc, KVVec, GFP_KERNEL};
use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::transaction::{apply, Action, Op};
use oxtables_engine::engine::rules::{Counters, Model, Rule};
use oxtables_engine::engine::text::Name;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::generate;

/// How many rules there are at most of each combination of matches.
const OF_EACH: u8 = 3;

/// Rulesets without end.
pub fn models() -> impl Iterator<Item = Model> {
    let mut runner = TestRunner::deterministic();
    let model = generate::model();
    std::iter::repeat_with(move || model.new_tree(&mut runner).expect("a ruleset").current())
}

/// A ruleset of one rule.
fn alone(family: Family, rule: Arc<Rule>) -> Option<Model> {
    let mut ops = KVVec::new();
    let actions = [
        ("", Action::ReplaceTable(None)),
        ("FORWARD", Action::Append(rule, Counters::default())),
    ];
    for (chain, action) in actions {
        let [table, chain] = ["filter", chain].map(|name| Name::new(name.as_bytes()));
        let op = Op {
            family,
            table: table?,
            chain: chain?,
            action,
        };
        ops.push(op, GFP_KERNEL).ok()?;
    }
    apply(&Model::default(), ops).ok()
}

/// Writes files for the fuzzer to begin with, a rule each, as text or as messages over netlink; into the directory that
/// OXTABLES_FUZZ_SEEDS names, if it does.
pub fn write(form: fn(&Model) -> Vec<u8>) {
    let Some(directory) = std::env::var_os("OXTABLES_FUZZ_SEEDS") else {
        return;
    };
    let mut seen: HashMap<_, u8> = HashMap::new();
    for (number, rule) in models().take(200).flat_map(rules).enumerate() {
        let (family, rule) = rule;
        let count = seen.entry((
            family.name(),
            rule.matches.0.iter().map(discriminant).collect::<Vec<_>>(),
        ));
        let count = count.or_default();
        if *count < OF_EACH {
            *count += 1;
            let model = alone(family, rule).expect("the rule was in a ruleset before");
            let file = Path::new(&directory).join(format!("seed-{number}"));
            std::fs::write(file, form(&model)).expect("the directory can be written to");
        }
    }
}

/// The rules of a ruleset that lead to no chain.
fn rules(model: Model) -> Vec<(Family, Arc<Rule>)> {
    let mut rules = Vec::new();
    for table in &model.tables {
        let entries = table.chains.iter().flat_map(|chain| &chain.rules);
        let entries = entries.filter(|entry| entry.rule.target.chain().is_none());
        rules.extend(entries.map(|entry| (table.family, entry.rule.clone())));
    }
    rules
}

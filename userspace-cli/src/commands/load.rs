// SPDX-License-Identifier: GPL-2.0
//! `load`, `check` and `diff`: rulesets from files.

use std::path::Path;

use oxtables_engine::engine::rules::Model;

use super::{output, read, refused, Failure, TRIES};
use crate::cli::Global;
use crate::diagnostic::{Problem, Source};
use crate::json::{self, Checked, Document};
use crate::language::plan::{plan, How, Plan};
use crate::language::printer::{self, Which};
use crate::language::ruleset;
use crate::names::Names;
use crate::netlink::{Connection, Count, Error, Snapshot};

/// Reads a text as far as that can be done without knowing the rules in force.
fn plan_text(
    global: Global,
    source: &Source,
    names: &Names,
    base: &Model,
    how: How,
) -> Result<Plan, Vec<Problem>> {
    let ruleset = ruleset::parse(source, names, global.family())?;
    plan(ruleset, base, how).map_err(|problem| vec![problem])
}

/// Loads a file.
pub fn load(global: Global, file: &Path, counters: bool, noflush: bool) -> Result<(), Failure> {
    let source = read(file)?;
    let names = Names::system();
    let how = How {
        keep: noflush,
        counters,
    };
    let wrong = |problems| Failure::Text(source.clone(), problems);
    if !noflush {
        // What is wrong with the text is told even where there is no kernel to load it into.
        let plan = plan_text(global, &source, &names, &Model::default(), how).map_err(wrong)?;
        let mut kernel = Connection::open()?;
        // Whoever changed the rules since then would lose the change without knowing.
        let generation = kernel.info()?.generation;
        kernel
            .commit(plan.ops, Some(generation))
            .map_err(|error| refused(error, &source, &plan.origins))?;
        return Ok(());
    }
    ruleset::parse(&source, &names, global.family()).map_err(wrong)?;
    let mut kernel = Connection::open()?;
    for _ in 0..TRIES {
        let Snapshot { generation, model } = kernel.rules(Count::Without)?;
        let plan = plan_text(global, &source, &names, &model, how).map_err(wrong)?;
        match kernel.commit(plan.ops, Some(generation)) {
            Err(Error::Changed) => (),
            result => {
                return result
                    .map(drop)
                    .map_err(|error| refused(error, &source, &plan.origins))
            }
        }
    }
    Err(Error::Changed.into())
}

/// Checks a file.
pub fn check(global: Global, file: &Path, print: bool, counters: bool) -> Result<(), Failure> {
    let source = read(file)?;
    let how = How {
        keep: false,
        counters,
    };
    let planned = plan_text(global, &source, &Names::system(), &Model::default(), how);
    let which = Which {
        family: global.family(),
        table: None,
    };
    match planned {
        Ok(plan) if print && global.json => {
            output::raw(
                json::rules(&plan.result, which, None, None, counters)
                    .pretty()
                    .as_bytes(),
            )?;
        }
        Ok(plan) if print => output::raw(&printer::ruleset(&plan.result, which, counters))?,
        Ok(_) if global.json => {
            let checked = Checked {
                ok: true,
                errors: Vec::new(),
            };
            output::raw(Document::new(checked).pretty().as_bytes())?;
        }
        Ok(plan) => {
            let tables = &plan.result.tables;
            let chains = || tables.iter().flat_map(|table| &table.chains);
            let rules = chains().map(|chain| chain.rules.len()).sum();
            let text = format!(
                "{}: good: {}, {}, {}\n",
                source.name,
                count(tables.len(), "table"),
                count(chains().count(), "chain"),
                count(rules, "rule")
            );
            output::styled(&text)?;
        }
        Err(problems) if global.json => {
            let checked = Checked {
                ok: false,
                errors: problems
                    .iter()
                    .map(|problem| source.locate(problem))
                    .collect(),
            };
            output::raw(Document::new(checked).pretty().as_bytes())?;
            return Err(Failure::Quiet);
        }
        Err(problems) => return Err(Failure::Text(source, problems)),
    }
    Ok(())
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Shows what loading a file would change.
pub fn diff(global: Global, file: &Path, noflush: bool, exit_code: bool) -> Result<(), Failure> {
    let source = read(file)?;
    let how = How {
        keep: noflush,
        counters: false,
    };
    let Snapshot { model, .. } = Connection::open()?.rules(Count::Without)?;
    let plan = plan_text(global, &source, &Names::system(), &model, how)
        .map_err(|problems| Failure::Text(source.clone(), problems))?;
    let text = |model| printer::ruleset(model, Which::default(), false);
    let found = output::difference(
        &text(&model),
        &text(&plan.result),
        ("in force", &source.name),
    );
    let differs = !found.removed.is_empty() || !found.added.is_empty();
    if global.json {
        let document = Document::new(json::Difference {
            removed: found.removed,
            added: found.added,
        });
        output::raw(document.pretty().as_bytes())?;
    } else {
        output::styled(&found.unified)?;
    }
    if differs && exit_code {
        return Err(Failure::Quiet);
    }
    Ok(())
}

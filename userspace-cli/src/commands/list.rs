// SPDX-License-Identifier: GPL-2.0
//! `save` and `list`: the rules in force.

use anstyle::{AnsiColor, Style};

use oxtables_engine::engine::rules::model::{Chain, Entry, Table};
use oxtables_engine::engine::rules::{Counters, Model, Target};

use super::output::{self, paint, Side};
use super::{not_there, Failure};
use crate::cli::Global;
use crate::json;
use crate::language::printer::{self, Which};
use crate::netlink::{Connection, Count};

/// Prints the rules so that they can be loaded again.
pub fn save(global: Global, counters: bool, table: Option<&str>) -> Result<(), Failure> {
    let count = if counters {
        Count::With
    } else {
        Count::Without
    };
    let snapshot = Connection::open()?.rules(count)?;
    let which = Which {
        family: global.family(),
        table,
    };
    if global.json {
        let generation = Some(snapshot.generation);
        let document = json::rules(&snapshot.model, which, None, generation, counters);
        return Ok(output::raw(document.pretty().as_bytes())?);
    }
    Ok(output::raw(&printer::ruleset(
        &snapshot.model,
        which,
        counters,
    ))?)
}

/// Shows the rules as tables.
pub fn list(
    global: Global,
    chain: Option<&str>,
    table: Option<&str>,
    verbose: bool,
) -> Result<(), Failure> {
    let counted = verbose || global.json;
    let count = if counted { Count::With } else { Count::Without };
    let snapshot = Connection::open()?.rules(count)?;
    let which = Which {
        family: global.family(),
        table,
    };
    show(
        global,
        &snapshot.model,
        which,
        chain,
        Some(snapshot.generation),
        counted,
    )
}

/// Prints tables, or one chain of them, as JSON or for a person.
pub fn show(
    global: Global,
    model: &Model,
    which: Which<'_>,
    only: Option<&str>,
    generation: Option<u64>,
    counted: bool,
) -> Result<(), Failure> {
    let tables = || model.tables.iter().filter(|table| which.includes(table));
    let wanted = |chain: &Chain| only.is_none_or(|name| name.as_bytes() == chain.name.as_bytes());
    if let Some(name) = which.table.filter(|_| tables().next().is_none()) {
        let known = model.tables.iter().map(|table| table.name.to_string());
        return Err(not_there("no rules are loaded into a table", name, known));
    }
    if let Some(name) = only {
        let chains = || tables().flat_map(|table| table.chains.iter());
        if !chains().any(|chain| wanted(chain)) {
            let known = chains().map(|chain| chain.name.to_string());
            return Err(not_there("there is no chain", name, known));
        }
    }
    if global.json {
        let document = json::rules(model, which, only, generation, counted);
        return Ok(output::raw(document.pretty().as_bytes())?);
    }
    let mut text = String::new();
    for table in tables() {
        if !table.chains.iter().any(|chain| wanted(chain)) {
            continue;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        let title = format!("{} {}", table.family.name(), table.name);
        text += &paint(Style::new().bold().underline(), &title);
        if table.own {
            text += &format!("  place {}", table.place);
        }
        text.push('\n');
        for chain in table.chains.iter().filter(|chain| wanted(chain)) {
            text.push('\n');
            text += &chain_text(table, chain, counted);
        }
    }
    if text.is_empty() {
        text += "no rules are loaded\n";
    }
    Ok(output::styled(&text)?)
}

fn chain_text(table: &Table, chain: &Chain, counted: bool) -> String {
    let mut text = paint(Style::new().bold(), &chain.name.to_string());
    match chain.base {
        Some(base) => {
            let policy = printer::policy_text(base.policy);
            text += &format!("  policy {}", paint(target_style(policy), policy));
            if counted {
                let Counters { packets, bytes } = base.slot.initial;
                text += &format!("  {} packets, {} bytes", number(packets), number(bytes));
            }
        }
        None => {
            let leads_here = |entry: &&Entry| entry.rule.target.chain() == Some(&chain.name);
            let rules = table.chains.iter().flat_map(|chain| chain.rules.iter());
            text += match rules.filter(leads_here).count() {
                0 => "  no rule leads here".to_owned(),
                1 => "  1 rule leads here".to_owned(),
                many => format!("  {many} rules lead here"),
            }
            .as_str();
        }
    }
    text.push('\n');
    if chain.rules.is_empty() {
        return text;
    }
    let mut headings = vec![("#", Side::Right)];
    if counted {
        headings.extend([("packets", Side::Right), ("bytes", Side::Right)]);
    }
    let names = ["target", "prot", "in", "out", "source", "destination", ""];
    headings.extend(names.map(|name| (name, Side::Left)));
    let mut rows = output::Table::new(headings);
    for (index, entry) in (1..).zip(&chain.rules) {
        rows.row(cells(index, entry, table, counted));
    }
    text + &rows.render("  ")
}

fn cells(index: u32, entry: &Entry, table: &Table, counted: bool) -> Vec<(String, Style)> {
    let plain = |text: String| (text, Style::new());
    let words = printer::words(&entry.rule, table.family);
    let base = |name: &str| {
        let option = words.base.iter().find(|option| option.name == name);
        plain(match option {
            Some(option) => {
                let value = option.values.first().map_or(&[][..], |word| &word.text);
                let not = if option.not { "! " } else { "" };
                format!("{not}{}", String::from_utf8_lossy(value))
            }
            None => "*".to_owned(),
        })
    };
    let mut cells = vec![(index.to_string(), AnsiColor::BrightBlack.on_default())];
    if counted {
        let Counters { packets, bytes } = entry.slot.initial;
        cells.extend([plain(number(packets)), plain(number(bytes))]);
    }
    let target = words.target.as_deref().unwrap_or("-");
    let shown = if words.goto {
        format!("goto {target}")
    } else {
        target.to_owned()
    };
    let style = match entry.rule.target {
        Target::Jump(_) | Target::Goto(_) => AnsiColor::Cyan.on_default(),
        _ => target_style(target),
    };
    cells.push((shown, style));
    cells.push(base("protocol"));
    cells.push(base("in-interface"));
    cells.push(base("out-interface"));
    cells.push(base("source"));
    cells.push(base("destination"));

    let mut rest = Vec::new();
    if let Some(fragment) = entry.rule.fragment {
        rest.extend_from_slice(if fragment.not { b" ! -f" } else { b" -f" });
    }
    for (name, options) in &words.matches {
        // `--dport 22` says all that `-m tcp --dport 22` does.
        if options.is_empty() {
            rest.extend_from_slice(format!(" -m {name}").as_bytes());
        }
        printer::long_options(options, &mut rest);
    }
    printer::long_options(&words.target_options, &mut rest);
    let rest = String::from_utf8_lossy(rest.trim_ascii_start());
    let is_shown = |character: char| !character.is_control();
    cells.push(plain(
        rest.chars()
            .filter(|character| is_shown(*character))
            .collect(),
    ));
    cells
}

fn target_style(target: &str) -> Style {
    match target {
        "ACCEPT" => AnsiColor::Green.on_default(),
        "DROP" | "REJECT" => AnsiColor::Red.on_default(),
        "RETURN" | "-" => Style::new(),
        _ => AnsiColor::Yellow.on_default(),
    }
}

/// A number of packets or bytes: short for a person, exact for a program.
fn number(number: u64) -> String {
    if !output::is_terminal() {
        return number.to_string();
    }
    short(number)
}

fn short(number: u64) -> String {
    let mut number = number;
    let mut unit = "";
    for next in ["K", "M", "G", "T", "P"] {
        if number < 100_000 {
            break;
        }
        number = number / 1000 + u64::from(number % 1000 >= 500);
        unit = next;
    }
    format!("{number}{unit}")
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_stay_within_five_digits() {
        assert_eq!(short(0), "0");
        assert_eq!(short(99_999), "99999");
        assert_eq!(short(100_000), "100K");
        assert_eq!(short(12_345_678), "12346K");
        assert_eq!(short(u64::MAX), "18447P");
    }
}

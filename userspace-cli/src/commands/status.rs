// SPDX-License-Identifier: GPL-2.0
//! `status`

use anstyle::Style;

use oxtables_engine::engine::packet::{Family, Hook};
use oxtables_engine::engine::rules::Program;

use super::output::{self, paint, Side, Table};
use super::Failure;
use crate::cli::Global;
use crate::json::{Document, Drops, HookStatus, Status, TableStatus};
use crate::netlink::{Connection, Count};

/// Shows how the module is.
pub fn status(global: Global) -> Result<(), Failure> {
    let mut kernel = Connection::open()?;
    let info = kernel.info()?;
    let snapshot = kernel.rules(Count::Without)?;
    let program = Program::compile(&snapshot.model)
        .map_err(|error| Failure::Other(format!("the rules in force can't be: {error}")))?;
    let pairs = || {
        Family::ALL
            .into_iter()
            .flat_map(|family| Hook::ALL.map(|hook| (family, hook)))
    };
    let wanted = |family| global.family().is_none_or(|only| only == family);
    let status = Status {
        command: env!("CARGO_PKG_VERSION"),
        module: info.version,
        generation: snapshot.generation,
        tables: snapshot
            .model
            .tables
            .iter()
            .filter(|table| wanted(table.family))
            .map(|table| TableStatus {
                family: table.family.name(),
                name: table.name.to_string(),
                place: table.place,
                chains: table.chains.len(),
                rules: table.chains.iter().map(|chain| chain.rules.len()).sum(),
            })
            .collect(),
        hooks: pairs()
            .filter(|(family, hook)| wanted(*family) && program.hooked(*family, *hook))
            .map(|(family, hook)| HookStatus {
                family: family.name(),
                hook: hook.chain(),
            })
            .collect(),
        drops: info
            .drops
            .into_iter()
            .map(|(reason, packets)| Drops { reason, packets })
            .collect(),
        matches: info.matches,
        targets: info.targets,
    };
    if global.json {
        return Ok(output::raw(Document::new(status).pretty().as_bytes())?);
    }
    Ok(output::styled(&text(&status))?)
}

fn text(status: &Status) -> String {
    let plain = |text: String| (text, Style::new());
    let title = |title| paint(Style::new().bold(), title) + "\n";
    let mut text = format!(
        "module {}, command {}, rules of generation {}\n",
        status.module, status.command, status.generation
    );
    if !status.tables.is_empty() {
        let mut table = Table::new(vec![
            ("family", Side::Left),
            ("table", Side::Left),
            ("place", Side::Right),
            ("chains", Side::Right),
            ("rules", Side::Right),
        ]);
        for it in &status.tables {
            table.row(vec![
                plain(it.family.to_owned()),
                plain(it.name.clone()),
                plain(it.place.to_string()),
                plain(it.chains.to_string()),
                plain(it.rules.to_string()),
            ]);
        }
        text = text + "\n" + &title("tables") + &table.render("  ");
    }
    text = text + "\n" + &title("hooks in use");
    for family in Family::ALL {
        let hooks = status
            .hooks
            .iter()
            .filter(|hook| hook.family == family.name());
        let names: Vec<_> = hooks.map(|hook| hook.hook).collect();
        let names = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(" ")
        };
        text += &format!("  {}  {names}\n", family.name());
    }
    let mut table = Table::new(vec![("reason", Side::Left), ("packets", Side::Right)]);
    for drops in &status.drops {
        table.row(vec![
            plain(drops.reason.clone()),
            plain(drops.packets.to_string()),
        ]);
    }
    text = text + "\n" + &title("packets dropped") + &table.render("  ");
    text = text + "\n" + &title("what rules may hold");
    text += &format!("  matches  {}\n", status.matches.join(" "));
    text += &format!("  targets  {}\n", status.targets.join(" "));
    text
}

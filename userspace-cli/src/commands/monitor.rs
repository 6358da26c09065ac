// SPDX-License-Identifier: GPL-2.0
//! `monitor`

use anstyle::Style;
use oxtables_engine::uapi::GROUP_RULES;

use super::{output, Failure};
use crate::cli::Global;
use crate::json::{self, Document};
use crate::language::printer::{self, Which};
use crate::netlink::{Change, Connection, Count, Snapshot};

/// Tells of changes until it is ended.
pub fn monitor(global: Global, quiet: bool) -> Result<(), Failure> {
    // Listening begins before the rules are read, so that no change falls between.
    let mut listener = Connection::open()?.listen(GROUP_RULES)?;
    let mut kernel = Connection::open()?;
    let mut text = |generation: &mut u64| -> Result<Vec<u8>, Failure> {
        let Snapshot {
            generation: found,
            model,
        } = kernel.rules(Count::Without)?;
        *generation = found;
        let which = Which {
            family: global.family(),
            table: None,
        };
        Ok(printer::ruleset(&model, which, false))
    };
    let mut generation = 0;
    let mut before = text(&mut generation)?;
    if !global.json {
        output::styled(&format!("listening from generation {generation} on\n"))?;
    }
    loop {
        let changes = listener.changes()?;
        let news: Vec<_> = changes.unwrap_or_default();
        let newest = news.iter().map(|change| change.generation).max();
        if newest.is_some_and(|newest| newest <= generation) {
            continue;
        }
        let old = generation;
        let after = text(&mut generation)?;
        if generation == old {
            continue;
        }
        let port = match &*news {
            // What several changes did together is told together.
            [Change { port, .. }] if newest == Some(generation) => Some(*port),
            _ => None,
        };
        let found = output::difference(&before, &after, ("before", "after"));
        before = after;
        if global.json {
            let change = json::Change {
                generation,
                port,
                removed: found.removed,
                added: found.added,
            };
            output::raw(Document::new(change).line().as_bytes())?;
            continue;
        }
        let by = port.map_or(String::new(), |port| format!(" by port {port}"));
        let title = output::paint(Style::new().bold(), &format!("generation {generation}{by}"));
        let shown = if quiet { String::new() } else { found.unified };
        output::styled(&format!("{title}\n{shown}"))?;
    }
}

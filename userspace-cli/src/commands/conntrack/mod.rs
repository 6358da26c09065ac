// SPDX-License-Identifier: GPL-2.0
//! `conntrack`: the connections that are tracked.

mod filter;
mod print;
mod settings;
mod top;
mod watch;

use oxtables_engine::uapi::conntrack::{Entry, Filter, Stats};

use super::{output, Failure};
use crate::cli::{Connections, Conntrack, Global};
use crate::json::{self, Document};
use crate::names::Names;
use crate::netlink::Connection;

/// Shows or forgets connections.
pub fn conntrack(global: Global, command: Conntrack) -> Result<(), Failure> {
    match command {
        Conntrack::List { which, proc } => list(global, &which, proc, false),
        Conntrack::Get { which, proc } => list(global, &which, proc, true),
        Conntrack::Delete { which } => {
            let filter = filter::filter(&which, global.family(), &Names::system())?;
            if filter == Filter::default() {
                return Err(Failure::Other(
                    "nothing says which connections; `oxtables conntrack flush` forgets all".into(),
                ));
            }
            match forget(global, &filter)? {
                0 => Err(Failure::Other("there is no such connection".into())),
                _ => Ok(()),
            }
        }
        Conntrack::Flush => {
            let family = global.family();
            let filter = Filter {
                family,
                ..Filter::default()
            };
            forget(global, &filter).map(drop)
        }
        Conntrack::Watch {
            which,
            event,
            timestamp,
        } => watch::watch(global, &which, &event, timestamp),
        Conntrack::Top(which) => top::top(global, &which),
        Conntrack::Stats => stats(global),
        Conntrack::Settings { settings } => settings::settings(global, &settings),
    }
}

fn list(global: Global, which: &Connections, proc: bool, needs_one: bool) -> Result<(), Failure> {
    let filter = filter::filter(which, global.family(), &Names::system())?;
    let mut entries: Vec<Entry> = Vec::new();
    Connection::open()?.connections(&filter, |entry| entries.push(entry))?;
    if needs_one && entries.is_empty() {
        return Err(Failure::Other("there is no such connection".into()));
    }
    // The table has them in no order.
    entries.sort_by_key(|entry| {
        let Entry {
            original, protocol, ..
        } = entry;
        let ends = (original.source, original.source_id);
        let others = (original.destination, original.destination_id);
        (entry.family as u8, *protocol, ends, others)
    });
    if global.json {
        let connections = entries.iter().map(print::json).collect();
        let document = Document::new(json::Connections { connections });
        return Ok(output::raw(document.pretty().as_bytes())?);
    }
    if proc {
        let lines: String = entries.iter().map(print::proc_line).collect();
        return Ok(output::raw(lines.as_bytes())?);
    }
    Ok(output::styled(&print::table(&entries))?)
}

/// Has connections forgotten, and tells how many they were, if there were any.
fn forget(global: Global, filter: &Filter) -> Result<u64, Failure> {
    let deleted = Connection::open()?.delete_connections(filter)?;
    if global.json {
        let document = Document::new(json::Forgotten { deleted });
        output::raw(document.pretty().as_bytes())?;
    } else if deleted != 0 {
        output::styled(&format!("{} forgotten\n", print::count(deleted)))?;
    }
    Ok(deleted)
}

fn stats(global: Global) -> Result<(), Failure> {
    let Stats {
        count,
        limit,
        buckets,
    } = Connection::open()?.connection_stats()?;
    if global.json {
        let document = Document::new(json::ConnectionStats {
            count,
            limit,
            buckets,
        });
        return Ok(output::raw(document.pretty().as_bytes())?);
    }
    let text = format!(
        "{} of at most {limit}, in {buckets} buckets\n",
        print::count(count.into())
    );
    Ok(output::styled(&text)?)
}

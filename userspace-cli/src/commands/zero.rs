// SPDX-License-Identifier: GPL-2.0
//! `zero`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::text::Name;
use oxtables_engine::uapi::message::Select;

use super::{list, not_there, Failure};
use crate::cli::Global;
use crate::language::printer::Which;
use crate::netlink::{Connection, Count, Snapshot};

/// Sets counters to zero: reading and zeroing are one, so that no packet is lost between.
pub fn zero(
    global: Global,
    table: &str,
    chain: Option<&str>,
    number: Option<u32>,
    verbose: bool,
) -> Result<(), Failure> {
    let name = |text: &str| {
        Name::new(text.as_bytes())
            .ok_or_else(|| Failure::Other(format!("name `{text}` is too long")))
    };
    let family = global.family().unwrap_or(Family::V4);
    let select = Select {
        family: Some(family),
        table: Some(name(table)?),
        chain: chain.map(name).transpose()?,
        number,
    };
    let mut kernel = Connection::open()?;
    let before = kernel.rules(Count::Without)?.model;
    let there = before.find(family, &name(table)?).ok_or_else(|| {
        let known = before.tables.iter().map(|table| table.name.to_string());
        not_there("no rules are loaded into a table", table, known)
    })?;
    if let Some(chain) = chain {
        let found = there
            .find(&name(chain)?)
            .and_then(|index| there.chains.get(index));
        let found = found.ok_or_else(|| {
            let known = there.chains.iter().map(|chain| chain.name.to_string());
            not_there("there is no chain", chain, known)
        })?;
        if let Some(number) = number.filter(|number| *number as usize > found.rules.len()) {
            return Err(Failure::Other(format!(
                "chain `{chain}` has no rule {number}"
            )));
        }
    }
    let Snapshot { generation, model } = kernel.rules(Count::Zero(select))?;
    if verbose || global.json {
        let which = Which {
            family: Some(family),
            table: Some(table),
        };
        list::show(global, &model, which, chain, Some(generation), true)?;
    }
    Ok(())
}

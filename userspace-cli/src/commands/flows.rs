// SPDX-License-Identifier: GPL-2.0
//! `flows`

use anstyle::Style;

use super::output::{self, paint, Side, Table};
use super::{not_there, Failure};
use crate::cli::Global;
use crate::json::{Document, Flow, FlowTable, Flows};
use crate::netlink::Connection;

/// Shows the flows that hashlimits count.
pub fn flows(global: Global, name: Option<&str>) -> Result<(), Failure> {
    let mut tables: Vec<FlowTable> = Connection::open()?
        .flows()?
        .into_iter()
        .filter(|(table, _)| global.family().is_none_or(|family| family == table.family))
        .map(|(table, flows)| FlowTable {
            family: table.family.name(),
            name: String::from_utf8_lossy(table.name.as_bytes()).into_owned(),
            unit: if table.bytes { "bytes" } else { "packets" },
            flows: flows.into_iter().map(Flow::from).collect(),
        })
        .collect();
    tables.sort_by(|a, b| (a.family, &a.name).cmp(&(b.family, &b.name)));
    if let Some(name) = name {
        let known: Vec<_> = tables.iter().map(|table| table.name.clone()).collect();
        tables.retain(|table| table.name == name);
        if tables.is_empty() {
            return Err(not_there("there is no hashlimit", name, known));
        }
    }
    for table in &mut tables {
        // The hash has an order of its own.
        table.flows.sort_by_key(Flow::order);
    }
    if global.json {
        return Ok(output::raw(
            Document::new(Flows { tables }).pretty().as_bytes(),
        )?);
    }
    Ok(output::styled(&text(&tables))?)
}

fn text(tables: &[FlowTable]) -> String {
    let texts = tables.iter().map(|shown| {
        let title = format!("{} {}", shown.family, shown.name);
        let mut table = Table::new(vec![
            ("source", Side::Left),
            ("port", Side::Right),
            ("destination", Side::Left),
            ("port", Side::Right),
            (shown.unit, Side::Right),
            ("seconds", Side::Right),
        ]);
        for flow in &shown.flows {
            let cells = [
                flow.source.to_string(),
                flow.source_port.to_string(),
                flow.destination.to_string(),
                flow.destination_port.to_string(),
                flow.left.to_string(),
                (flow.expires / 1000).to_string(),
            ];
            table.row(cells.map(|cell| (cell, Style::new())).into());
        }
        paint(Style::new().bold(), &title) + "\n" + &table.render("  ")
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxtables_engine::uapi::flow;
    use std::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn flows_are_shown_by_their_tables() {
        let v4 = flow::Flow {
            source: Ipv4Addr::new(192, 0, 2, 7).into(),
            destination: Ipv4Addr::UNSPECIFIED.into(),
            source_port: 0,
            destination_port: 443,
            left: 12,
            expires: 59_001,
        };
        let v6 = flow::Flow {
            source: Ipv6Addr::LOCALHOST.into(),
            destination: Ipv6Addr::UNSPECIFIED.into(),
            ..v4
        };
        let table = |family, unit, flow: flow::Flow| FlowTable {
            family,
            name: "web".into(),
            unit,
            flows: vec![flow.into()],
        };
        let text = text(&[table("ipv4", "packets", v4), table("ipv6", "bytes", v6)]);
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "ipv4 web\n\
             \x20 source     port  destination  port  packets  seconds\n\
             \x20 192.0.2.7     0  0.0.0.0       443       12       59\n\
             \n\
             ipv6 web\n\
             \x20 source  port  destination  port  bytes  seconds\n\
             \x20 ::1        0  ::            443     12       59\n"
        );
    }
}

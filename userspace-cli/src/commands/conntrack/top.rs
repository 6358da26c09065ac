// SPDX-License-Identifier: GPL-2.0
//! `conntrack top`

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anstyle::Style;
use terminal_size::{terminal_size, Height};

use oxtables_engine::uapi::conntrack::{Entry, Filter};
use oxtables_engine::uapi::op::WireCounters;

use super::super::output::{self, Side, Table};
use super::super::waiting::{Waiting, Woken};
use super::super::Failure;
use super::{filter, print};
use crate::cli::{Global, Sort, Top};
use crate::json::{self, Document};
use crate::names::Names;
use crate::netlink::Connection;

/// How many connections are shown where there is no terminal to fill.
const LINES: usize = 20;

/// How many lines of a terminal hold no connection: headings, the last line, and where the cursor stands.
const OTHER_LINES: usize = 3;

/// What to do where there is nothing to compare.
const NOT_COUNTED: &str =
    "packets of connections are not counted; `oxtables conntrack settings acct=1` has them \
     counted, as does a rule with `-m connbytes`";

/// Clears the terminal, and goes to its upper left corner (ECMA-48: CUP, ED).
const CLEAR: &str = "\x1b[H\x1b[J";

/// Shows which connections transfer most, until it is ended, or once.
pub fn top(global: Global, which: &Top) -> Result<(), Failure> {
    let filter = filter::filter(&which.connections, global.family(), &Names::system())?;
    let once = which.once || global.json || !output::is_terminal();
    let interval = Duration::from_secs(which.interval.into());
    let waiting = Waiting::new()?;
    let mut kernel = Connection::open()?;
    let mut before = Sample::take(&mut kernel, &filter)?;
    if !before.is_counted() {
        return Err(Failure::Other(NOT_COUNTED.into()));
    }
    while waiting.for_time(interval)? == Woken::Late {
        let now = Sample::take(&mut kernel, &filter)?;
        let seconds = now.time.duration_since(before.time).as_secs_f64();
        let mut busiest = busiest(&before, &now, seconds, which.sort);
        let height = terminal_size().filter(|_| !once);
        let room =
            height.map(|(_, Height(height))| usize::from(height).saturating_sub(OTHER_LINES));
        busiest.truncate(which.lines.or(room).unwrap_or(LINES));
        if global.json {
            let connections = busiest.iter().map(Busy::json).collect();
            let document = Document::new(json::Busiest {
                seconds,
                connections,
            });
            return Ok(output::raw(document.pretty().as_bytes())?);
        }
        let text = table(&busiest, now.entries.len());
        if once {
            return Ok(output::styled(&text)?);
        }
        output::raw(CLEAR.as_bytes())?;
        output::styled(&text)?;
        before = now;
    }
    Ok(())
}

/// The connections at one time.
struct Sample {
    time: Instant,
    entries: Vec<Entry>,
}

impl Sample {
    fn take(kernel: &mut Connection, filter: &Filter) -> Result<Self, Failure> {
        let mut entries = Vec::new();
        kernel.connections(filter, |entry| entries.push(entry))?;
        let time = Instant::now();
        Ok(Self { time, entries })
    }

    /// Whether packets are counted, as far as that shows.
    fn is_counted(&self) -> bool {
        let is_counted = |entry: &Entry| entry.original_counters.is_some();
        self.entries.is_empty() || self.entries.iter().any(is_counted)
    }
}

/// A connection, and what it transferred a second.
struct Busy<'a> {
    entry: &'a Entry,
    packets: f64,
    bytes: f64,
}

impl Busy<'_> {
    fn json(&self) -> json::BusyConnection {
        json::BusyConnection {
            packets_per_second: self.packets,
            bytes_per_second: self.bytes,
            connection: print::json(self.entry),
        }
    }
}

/// What a connection has transferred both ways.
fn total(entry: &Entry) -> WireCounters {
    let counters = [entry.original_counters, entry.reply_counters];
    let add = |sum: WireCounters, counters: WireCounters| WireCounters {
        packets: sum.packets.saturating_add(counters.packets),
        bytes: sum.bytes.saturating_add(counters.bytes),
    };
    counters
        .into_iter()
        .flatten()
        .fold(WireCounters::default(), add)
}

/// The connections that transferred anything between two samples, the busiest first.
fn busiest<'a>(before: &Sample, now: &'a Sample, seconds: f64, sort: Sort) -> Vec<Busy<'a>> {
    let known: HashMap<u32, &Entry> = before
        .entries
        .iter()
        .map(|entry| (entry.id, entry))
        .collect();
    let busy = |entry: &'a Entry| {
        // One that was not there before has transferred all of it since.
        let known = known
            .get(&entry.id)
            .map_or(WireCounters::default(), |known| total(known));
        let total = total(entry);
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        Busy {
            entry,
            packets: rate(total.packets, known.packets),
            bytes: rate(total.bytes, known.bytes),
        }
    };
    let mut all: Vec<_> = now
        .entries
        .iter()
        .map(busy)
        .filter(|busy| busy.packets > 0.0)
        .collect();
    let key = |busy: &Busy<'_>| match sort {
        Sort::Bytes => busy.bytes,
        Sort::Packets => busy.packets,
    };
    all.sort_by(|a, b| key(b).total_cmp(&key(a)));
    all
}

/// A number with at most four digits and the prefix of its unit.
fn short(number: f64) -> String {
    let mut number = number;
    for prefix in ["", "k", "M", "G"] {
        if number < 999.5 {
            let digits = usize::from(number < 99.95 && !prefix.is_empty());
            return format!("{number:.digits$}{prefix}");
        }
        number /= 1000.0;
    }
    format!("{number:.1}T")
}

fn table(busiest: &[Busy<'_>], count: usize) -> String {
    let mut table = Table::new(vec![
        ("bytes/s", Side::Right),
        ("packets/s", Side::Right),
        ("bytes", Side::Right),
        ("protocol", Side::Left),
        ("state", Side::Left),
        ("source", Side::Left),
        ("destination", Side::Left),
    ]);
    for busy in busiest {
        let plain = |text: String| (text, Style::new());
        let entry = busy.entry;
        let [source, destination] = print::ends(entry.protocol, &entry.original);
        table.row(vec![
            plain(short(busy.bytes)),
            plain(short(busy.packets)),
            plain(short(total(entry).bytes as f64)),
            plain(print::protocol_text(entry.protocol)),
            plain(entry.state.map_or(String::new(), |state| state.to_string())),
            plain(source),
            plain(destination),
        ]);
    }
    let mut text = String::new();
    if !busiest.is_empty() {
        text += &table.render("");
    }
    let quiet = print::count(count as u64);
    text + &format!("{} busy, of {quiet}\n", busiest.len())
}

#[cfg(test)]
mod tests {
    use super::super::print::fixtures::{ping_v6, tcp};
    use super::*;

    fn counted(id: u32, packets: u64, bytes: u64) -> Entry {
        Entry {
            id,
            original_counters: Some(WireCounters { packets, bytes }),
            reply_counters: Some(WireCounters::default()),
            ..tcp()
        }
    }

    fn sample(entries: Vec<Entry>) -> Sample {
        let time = Instant::now();
        Sample { time, entries }
    }

    #[test]
    fn the_busiest_come_first() {
        let before = sample(vec![
            counted(1, 10, 1000),
            counted(2, 10, 1000),
            counted(3, 9, 9),
        ]);
        let now = sample(vec![
            counted(1, 14, 3000),
            counted(2, 30, 2000),
            counted(3, 9, 9),
            counted(4, 2, 5000),
        ]);
        let ids = |sort| -> Vec<_> {
            let busiest = busiest(&before, &now, 2.0, sort);
            busiest.iter().map(|busy| busy.entry.id).collect()
        };
        assert_eq!(ids(Sort::Bytes), [4, 1, 2]);
        assert_eq!(ids(Sort::Packets), [2, 1, 4]);
        let busiest = busiest(&before, &now, 2.0, Sort::Bytes);
        let text = anstream::adapter::strip_str(&table(&busiest, 4)).to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[1],
            "   2.5k          1   5.0k  tcp       ESTABLISHED  192.0.2.1:1024  198.51.100.2:22"
        );
        assert_eq!(lines[4], "3 busy, of 4 connections");
        let json = serde_json::to_value(busiest[0].json()).unwrap();
        assert_eq!(json["bytes_per_second"], 2500.0);
        assert_eq!(json["original"]["packets"], 2);
    }

    #[test]
    fn whether_packets_are_counted() {
        assert!(sample(vec![]).is_counted());
        assert!(!sample(vec![tcp()]).is_counted());
        assert!(sample(vec![tcp(), ping_v6()]).is_counted());
    }

    #[test]
    fn numbers_are_short() {
        for (number, text) in [
            (0.0, "0"),
            (999.0, "999"),
            (1000.0, "1.0k"),
            (12_345.0, "12.3k"),
            (123_456.0, "123k"),
            (999_600.0, "1.0M"),
            (2.5e12, "2.5T"),
        ] {
            assert_eq!(short(number), text);
        }
    }
}

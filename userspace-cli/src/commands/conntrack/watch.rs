// SPDX-License-Identifier: GPL-2.0
//! `conntrack watch`

use std::time::{SystemTime, UNIX_EPOCH};

use oxtables_engine::uapi::conntrack::Found;
use oxtables_engine::uapi::GROUP_CONNECTIONS;

use super::super::waiting::{Waiting, Woken};
use super::super::{output, Failure};
use super::{filter, print};
use crate::cli::{Connections, Global, Happening};
use crate::json::{self, Document};
use crate::names::Names;
use crate::netlink::{Connection, Told};

/// Tells what becomes of connections until it is ended.
pub fn watch(
    global: Global,
    which: &Connections,
    events: &[Happening],
    timestamp: bool,
) -> Result<(), Failure> {
    let filter = filter::filter(which, global.family(), &Names::system())?;
    let waiting = Waiting::new()?;
    let mut listener = Connection::open()?.listen(GROUP_CONNECTIONS)?;
    let mut numbers = Numbers::default();
    let is_wanted = |told: &Told| {
        let asked = events.is_empty() || events.iter().any(|asked| asked.event() == told.event);
        asked && filter.includes(&Found::from(&told.entry))
    };
    while waiting.for_input(listener.as_fd())? == Woken::Ready {
        let Some(told) = listener.events()? else {
            numbers.lost = true;
            continue;
        };
        let time = timestamp.then(now);
        let mut text = String::new();
        for told in told {
            if let Some(lost) = numbers.missed(told.number) {
                text += &lost_line(global, lost);
            }
            if is_wanted(&told) {
                text += &event_line(global, &told, time);
            }
        }
        if global.json {
            output::raw(text.as_bytes())?;
        } else {
            output::styled(&text)?;
        }
    }
    Ok(())
}

/// Seconds since 1970.
fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}

fn event_line(global: Global, told: &Told, time: Option<f64>) -> String {
    if global.json {
        let event = json::ConnectionEvent {
            event: told.event.name(),
            number: told.number,
            time,
            connection: print::json(&told.entry),
        };
        return Document::new(event).line();
    }
    let time = time.map_or(String::new(), |time| format!("{time:.6}  "));
    time + &print::event_line(told.event, &told.entry)
}

fn lost_line(global: Global, events: u64) -> String {
    if global.json {
        let lost = json::LostEvents { lost: true, events };
        return Document::new(lost).line();
    }
    let events = match events {
        1 => "1 event was".to_owned(),
        _ => format!("{events} events were"),
    };
    format!("{events} lost: they came faster than they were read\n")
}

/// The numbers of events that were told.
#[derive(Default)]
struct Numbers {
    /// The highest so far.
    last: Option<u64>,
    /// Whether the kernel said that some were lost. What it had room for before is still to be read.
    lost: bool,
}

impl Numbers {
    /// Takes the next number. If events were lost just before it, how many. A number may be missing that comes later, of
    /// an event on another CPU.
    fn missed(&mut self, number: u64) -> Option<u64> {
        let last = self.last.max(Some(number));
        let last = std::mem::replace(&mut self.last, last)?;
        let missing = number.checked_sub(last)?.checked_sub(2)? + 1;
        std::mem::take(&mut self.lost).then_some(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_events_are_counted() {
        let mut numbers = Numbers::default();
        let mut missed = |number, lost| {
            numbers.lost |= lost;
            numbers.missed(number)
        };
        // What was before is not missed.
        assert_eq!(missed(5, false), None);
        // Two CPUs told of one each.
        assert_eq!(missed(7, false), None);
        assert_eq!(missed(6, false), None);
        assert_eq!(missed(8, true), None);
        assert_eq!(missed(9, false), None);
        assert_eq!(missed(20, false), Some(10));
        assert_eq!(missed(22, false), None);
        assert_eq!(missed(24, true), Some(1));
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `extensions`

use anstyle::{AnsiColor, Style};

use oxtables_engine::engine::packet::Family;

use super::output::{self, Side, Table};
use super::Failure;
use crate::cli::Global;
use crate::extensions::later::{LATER_MATCHES, LATER_TARGETS};
use crate::extensions::{MATCHES, PLAIN_TARGETS, TARGETS};
use crate::json::{Document, Extension, Extensions};

/// Lists the matches and targets of iptables.
pub fn extensions(global: Global) -> Result<(), Failure> {
    let abouts = MATCHES.iter().map(|entry| entry.about);
    let matches = abouts
        .map(|about| supported(about.name, about.summary, about.family))
        .chain(LATER_MATCHES.iter().map(missing));
    let abouts = TARGETS.iter().map(|entry| entry.about);
    let plain = PLAIN_TARGETS.iter();
    let targets = plain
        .map(|(name, summary, _)| supported(name, summary, None))
        .chain(abouts.map(|about| supported(about.name, about.summary, about.family)))
        .chain(LATER_TARGETS.iter().map(missing));
    let all = Extensions {
        matches: sorted(matches, global.family()),
        targets: sorted(targets, global.family()),
    };
    if global.json {
        return Ok(output::raw(Document::new(all).pretty().as_bytes())?);
    }
    let kinds = [("match", &all.matches), ("target", &all.targets)];
    let text: String = if output::is_terminal() {
        let tables = kinds.map(|(kind, list)| table(kind, list));
        tables.join("\n")
    } else {
        let lines = kinds.map(|(kind, list)| lines(kind, list));
        lines.concat()
    };
    Ok(output::styled(&text)?)
}

fn supported(name: &'static str, summary: &'static str, family: Option<Family>) -> Extension {
    let families = Family::ALL.into_iter();
    Extension {
        name,
        supported: true,
        families: families
            .filter(|one| family.is_none_or(|only| only == *one))
            .map(Family::name)
            .collect(),
        summary: Some(summary),
        reason: None,
    }
}

fn missing((name, reason): &(&'static str, &'static str)) -> Extension {
    Extension {
        name,
        supported: false,
        families: Vec::new(),
        summary: None,
        reason: Some(reason),
    }
}

/// Those that a family can use, by name; of those that are not there the family is not known.
fn sorted(list: impl Iterator<Item = Extension>, family: Option<Family>) -> Vec<Extension> {
    let wanted = |it: &Extension| {
        !it.supported || family.is_none_or(|family| it.families.contains(&family.name()))
    };
    let mut list: Vec<_> = list.filter(wanted).collect();
    list.sort_by_key(|it| it.name);
    list
}

impl Extension {
    fn yes_or_no(&self) -> &'static str {
        if self.supported {
            "yes"
        } else {
            "no"
        }
    }

    fn what(&self) -> &'static str {
        self.summary.or(self.reason).unwrap_or_default()
    }
}

/// A table for a person.
fn table(kind: &'static str, list: &[Extension]) -> String {
    let mut table = Table::new(vec![
        (kind, Side::Left),
        ("supported", Side::Left),
        ("for", Side::Left),
        ("", Side::Left),
    ]);
    for it in list {
        let color = if it.supported {
            AnsiColor::Green
        } else {
            AnsiColor::Yellow
        };
        let families = match it.families[..] {
            [only] => only,
            _ => "",
        };
        table.row(vec![
            (it.name.to_owned(), Style::new().bold()),
            (it.yes_or_no().to_owned(), color.on_default()),
            (families.to_owned(), Style::new()),
            (it.what().to_owned(), Style::new()),
        ]);
    }
    table.render("")
}

/// A line for each, with tabs between what it says, for programs.
fn lines(kind: &str, list: &[Extension]) -> String {
    let line = |it: &Extension| {
        let words = [
            kind,
            it.name,
            it.yes_or_no(),
            &it.families.join(","),
            it.what(),
        ];
        words.join("\t") + "\n"
    };
    list.iter().map(line).collect()
}

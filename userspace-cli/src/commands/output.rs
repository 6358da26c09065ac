// SPDX-License-Identifier: GPL-2.0
//! Printing: text as it is, differences, tables.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use similar::{ChangeTag, TextDiff};

/// Prints bytes as they are: a ruleset may hold any.
pub fn raw(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Prints text whose colours are left out where there is no terminal.
pub fn styled(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Whether a person reads what is printed.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// A text in a style.
pub fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Lines that are in one text and not in the other.
pub struct Difference {
    /// Lines of the old text that the new one does not have.
    pub removed: Vec<String>,
    /// Lines of the new text that the old one does not have.
    pub added: Vec<String>,
    /// Both with their surroundings, coloured.
    pub unified: String,
}

/// Compares two texts.
pub fn difference(old: &[u8], new: &[u8], names: (&str, &str)) -> Difference {
    let (old, new) = (String::from_utf8_lossy(old), String::from_utf8_lossy(new));
    let diff = TextDiff::from_lines(&*old, &*new);
    let lines = |wanted| {
        diff.iter_all_changes()
            .filter(|change| change.tag() == wanted)
            .map(|change| change.value().trim_end_matches('\n').to_owned())
            .collect()
    };
    let mut unified = String::new();
    let text = diff
        .unified_diff()
        .context_radius(3)
        .header(names.0, names.1)
        .to_string();
    for line in text.lines() {
        let style = match line.as_bytes() {
            [b'-', b'-', b'-', ..] | [b'+', b'+', b'+', ..] => Style::new().bold(),
            [b'-', ..] => AnsiColor::Red.on_default(),
            [b'+', ..] => AnsiColor::Green.on_default(),
            [b'@', ..] => AnsiColor::Cyan.on_default(),
            _ => Style::new(),
        };
        unified += &paint(style, line);
        unified.push('\n');
    }
    Difference {
        removed: lines(ChangeTag::Delete),
        added: lines(ChangeTag::Insert),
        unified,
    }
}

/// Rows under headings, in columns as wide as their widest cell.
pub struct Table {
    headings: Vec<(&'static str, Side)>,
    rows: Vec<Vec<(String, Style)>>,
}

/// Where a column's cells begin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// At the left: text.
    Left,
    /// At the right: numbers.
    Right,
}

impl Table {
    /// A table without rows.
    pub fn new(headings: Vec<(&'static str, Side)>) -> Self {
        Self {
            headings,
            rows: Vec::new(),
        }
    }

    /// One more row.
    pub fn row(&mut self, cells: Vec<(String, Style)>) {
        self.rows.push(cells);
    }

    /// The table as text, each line behind `indent`.
    pub fn render(&self, indent: &str) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|(text, _)| text.chars().count())
                .chain(self.headings.get(column).map(|(heading, _)| heading.len()))
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<_> = (0..self.headings.len()).map(width).collect();
        let heading = |(heading, _): &(&str, Side)| {
            ((*heading).to_owned(), AnsiColor::BrightBlack.on_default())
        };
        let headings = self.headings.iter().map(heading).collect();
        let mut text = String::new();
        for row in [&headings].into_iter().chain(&self.rows) {
            let mut line = String::new();
            // Nothing is to follow the last text of a line, not even a blank.
            let filled = row.iter().rposition(|(cell, _)| !cell.is_empty());
            let cells = row.get(..=filled.unwrap_or_default()).unwrap_or_default();
            for (column, (cell, style)) in cells.iter().enumerate() {
                let side = self
                    .headings
                    .get(column)
                    .map_or(Side::Left, |(_, side)| *side);
                let missing = widths
                    .get(column)
                    .map_or(0, |width| width - cell.chars().count());
                let blanks = " ".repeat(missing);
                if column > 0 {
                    line += "  ";
                }
                if side == Side::Right {
                    line += &blanks;
                }
                line += &paint(*style, cell);
                if side == Side::Left && column + 1 < cells.len() {
                    line += &blanks;
                }
            }
            text += indent;
            text += &line;
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_with_text() {
        let mut table = Table::new(vec![
            ("#", Side::Right),
            ("target", Side::Left),
            ("", Side::Left),
        ]);
        let plain = |text: &str| (text.to_owned(), Style::new());
        table.row(vec![plain("1"), plain("DROP"), plain("")]);
        table.row(vec![plain("10"), plain("a-long-chain"), plain("x")]);
        let text = anstream::adapter::strip_str(&table.render("  ")).to_string();
        assert_eq!(text, "   #  target\n   1  DROP\n  10  a-long-chain  x\n");
    }

    #[test]
    fn a_difference_names_the_lines() {
        let found = difference(b"a\nb\n", b"a\nc\n", ("old", "new"));
        assert_eq!(
            (found.removed, found.added),
            (vec!["b".to_owned()], vec!["c".to_owned()])
        );
        assert!(difference(b"a\n", b"a\n", ("old", "new"))
            .unified
            .is_empty());
    }
}

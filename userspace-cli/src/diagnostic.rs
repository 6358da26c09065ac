// SPDX-License-Identifier: GPL-2.0
//! What is wrong with a ruleset's text, shown at the place where it is.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

/// A piece of one line of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The line, counted from 0.
    pub line: usize,
    /// Where the piece begins, in bytes from the start of the line.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

impl Span {
    /// The piece from the start of this one to the end of another on the same line.
    pub fn to(self, last: Self) -> Self {
        Self {
            end: last.end.max(self.end),
            ..self
        }
    }
}

/// What is wrong at one place of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The place.
    pub span: Span,
    /// What is wrong, in one line.
    pub message: String,
    /// What stands beside the underlined piece: what was expected there.
    pub label: String,
    /// What could be done about it.
    pub help: Option<String>,
}

impl Problem {
    /// A problem with nothing but its message.
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            label: String::new(),
            help: None,
        }
    }

    /// Says what was expected at the place.
    pub fn expected(mut self, what: impl fmt::Display) -> Self {
        self.label = format!("expected {what}");
        self
    }

    /// Says something else beside the place.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Says what could be done.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Asks whether the nearest of the known names was meant, if one is near.
    pub fn suggest<'n>(self, word: &str, known: impl IntoIterator<Item = &'n str>) -> Self {
        match nearest(word, known) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

/// The known name that a misspelt one was most likely meant to be.
pub fn nearest<'n>(word: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    // A third of the letters may be wrong, but not all of a short word.
    let limit = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        // A name that is known, and yet not where it was used, is not misspelt.
        .filter(|name| !name.is_empty() && *name != word)
        .map(|name| {
            let distance = strsim::damerau_levenshtein(&word.to_lowercase(), &name.to_lowercase());
            (distance, name)
        })
        .filter(|(distance, name)| *distance <= limit && *distance < name.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// A text that problems are shown in.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file's name, or what stands for it.
    pub name: String,
    /// The text; comments need not be UTF-8.
    pub text: Vec<u8>,
}

/// A problem as JSON shows it: lines and columns count from 1, columns in characters.
#[derive(Serialize)]
pub struct Located<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    message: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
}

impl Source {
    /// A text under a name.
    pub fn new(name: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
        }
    }

    /// The lines of the text, without their ends.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.text
            .split(|byte| *byte == b'\n')
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// The line as it can be shown, and where in it a piece lies.
    fn shown(&self, span: Span) -> (String, Range<usize>) {
        let line = self.lines().nth(span.line).unwrap_or_default();
        let end = span.end.min(line.len());
        let start = span.start.min(end);
        let [before, inside, after] =
            [&line[..start], &line[start..end], &line[end..]].map(printable);
        let range = before.len()..before.len() + inside.len();
        (before + &inside + &after, range)
    }

    /// A problem for a program to read.
    pub fn locate<'a>(&'a self, problem: &'a Problem) -> Located<'a> {
        let (line, range) = self.shown(problem.span);
        Located {
            file: &self.name,
            line: problem.span.line + 1,
            column: line[..range.start].chars().count() + 1,
            message: &problem.message,
            label: &problem.label,
            help: problem.help.as_deref(),
        }
    }

    /// A problem for a person to read, coloured.
    pub fn render(&self, problem: &Problem) -> String {
        let (line, range) = self.shown(problem.span);
        let mut annotation = AnnotationKind::Primary.span(range);
        if !problem.label.is_empty() {
            annotation = annotation.label(problem.label.as_str());
        }
        let snippet = Snippet::source(line)
            .line_start(problem.span.line + 1)
            .path(self.name.as_str())
            .annotation(annotation);
        let mut group = Group::with_title(Level::ERROR.primary_title(problem.message.as_str()))
            .element(snippet);
        if let Some(help) = &problem.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        Renderer::styled().render(&[group])
    }
}

/// Text without control characters, which would make a terminal do what a ruleset says.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|character| match character {
            '\t' => ' ',
            other if other.is_control() => char::REPLACEMENT_CHARACTER,
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["--dport", "--sport", "--tcp-flags"];
        assert_eq!(nearest("--dprot", known), Some("--dport"));
        assert_eq!(nearest("--tcp-flag", known), Some("--tcp-flags"));
        assert_eq!(nearest("--ctstate", known), None);
        assert_eq!(nearest("x", ["y"]), None);
    }

    #[test]
    fn a_place_survives_bytes_that_are_not_text() {
        let source = Source::new("f", *b"a\n\xff\xfe\tx bad\n");
        let span = Span {
            line: 1,
            start: 5,
            end: 8,
        };
        let located = serde_json::to_value(source.locate(&Problem::new(span, "m"))).unwrap();
        assert_eq!(located["line"], 2);
        assert_eq!(located["column"], 6);
    }

    #[test]
    fn a_place_past_the_end_is_shown_at_the_end() {
        let source = Source::new("f", *b"short");
        let span = Span {
            line: 7,
            start: 90,
            end: 100,
        };
        assert!(source.render(&Problem::new(span, "m")).contains('m'));
    }
}

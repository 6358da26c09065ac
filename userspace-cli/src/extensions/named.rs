// SPDX-License-Identifier: GPL-2.0
//! Values that have names.

use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// The value that a word is the name of.
///
/// # Errors
///
/// When it is none of them.
pub fn value<T: Copy>(token: &Token, known: &[(&'static str, T)]) -> Result<T, Problem> {
    let word = token.lossy();
    let found = known.iter().find(|(name, _)| *name == word);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        Problem::new(token.span, format!("`{word}` is not known here"))
            .expected(names.join(" or "))
            .suggest(&word, names)
    })
}

/// The name of a value.
pub fn name<T: PartialEq>(value: &T, known: &[(&'static str, T)]) -> &'static str {
    let found = known.iter().find(|(_, known)| known == value);
    found.map_or("", |(name, _)| name)
}

// SPDX-License-Identifier: GPL-2.0
//! The language of rulesets: iptables-save's, with what docs/ruleset.md adds to it.
//!
//! ```text
//! text -> lexer -> line -> ruleset -> plan -> operations        model -> printer -> text
//! ```

pub mod address;
#[cfg(test)]
pub mod fixtures;
pub mod lexer;
pub mod line;
pub mod options;
pub mod plan;
pub mod printer;
pub mod ruleset;
#[cfg(test)]
mod tests;

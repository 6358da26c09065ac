// SPDX-License-Identifier: GPL-2.0
//! Rules: what they say ([`model`]), how they change ([`transaction`]), what a packet meets ([`program`]).
//!
//! ```text
//! text or netlink -> Op -> transaction::apply -> Model -> program::compile -> Program -> evaluate
//! ```
//!
//! The model is what a person wrote and gets back; the program is the same in the form that a packet walks.
//! Both are immutable once made, so the kernel publishes them with one pointer and readers take no lock.

pub mod bucket;
pub mod chains;
pub mod choice;
pub mod compile;
pub mod counts;
pub mod error;
pub mod evaluate;
pub mod flow_dump;
pub mod flows;
mod inheritance;
mod line;
pub mod machine;
pub mod matches;
pub mod memory;
pub mod model;
pub mod program;
mod queues;
mod tables;
pub mod targets;
pub mod trace;
mod tracking;
pub mod transaction;

pub use error::{Error, Kind, Place};
pub use evaluate::{Env, Verdict};
pub use machine::{AnyMachine, Fact, Machine};
pub use matches::{Masked, Match};
pub use model::{Counters, Model, Policy, Rule};
pub use program::Program;
pub use targets::Target;
pub use transaction::Op;

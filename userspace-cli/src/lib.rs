// SPDX-License-Identifier: GPL-2.0
//! The `oxtables` command as a library: the language of rulesets, the way to the kernel, the commands.

pub mod cli;
pub mod commands;
pub mod diagnostic;
pub mod extensions;
pub mod json;
pub mod language;
pub mod names;
pub mod netlink;

// SPDX-License-Identifier: GPL-2.0
//! What a firewall decides: packets in, verdicts out. No unsafe code, no kernel pointer, no I/O and no
//! clock of its own, so that the same code runs in the kernel, in the command and in a test.

// KUnit's test suites expand to unsafe code; what they are written around is held to this on the host.
#![cfg_attr(not(MODULE), forbid(unsafe_code))]

pub mod bpf;
pub mod calendar;
pub mod conntrack;
#[cfg(any(test, CONFIG_KUNIT))]
pub(crate) mod fixtures;
pub mod packet;
pub mod rules;
pub mod search;
pub mod selftest;
pub mod siphash;
pub mod text;

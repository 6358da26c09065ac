// SPDX-License-Identifier: GPL-2.0
//! A text is read as a ruleset.

#![no_main]

libfuzzer_sys::fuzz_target!(init: oxtables_fuzz::seed_ruleset(), |data: &[u8]| oxtables_fuzz::ruleset(data));

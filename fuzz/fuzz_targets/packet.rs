// SPDX-License-Identifier: GPL-2.0
//! A packet, in one piece or several, meets rules with every match.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxtables_fuzz::packet(data));

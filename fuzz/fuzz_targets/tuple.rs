// SPDX-License-Identifier: GPL-2.0
//! Packets, in one piece or several, are sorted into connections.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| oxtables_fuzz::tuple(data));

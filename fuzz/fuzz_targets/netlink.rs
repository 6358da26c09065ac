// SPDX-License-Identifier: GPL-2.0
//! Bytes are read as the operations of a transaction.

#![no_main]

libfuzzer_sys::fuzz_target!(init: oxtables_fuzz::seed_netlink(), |data: &[u8]| oxtables_fuzz::netlink(data));

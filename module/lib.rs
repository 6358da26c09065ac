// SPDX-License-Identifier: GPL-2.0
//! The host's root over the tree that `main.rs` is the kernel's root of: the engine and the netlink
//! protocol, so that a command decides with the code that decides in the kernel. Never the glue.

#![forbid(unsafe_code)]

#[path = "host/alloc.rs"]
pub mod alloc;
pub mod engine;
#[path = "host/sync.rs"]
pub mod sync;
pub mod uapi;

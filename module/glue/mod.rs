// SPDX-License-Identifier: GPL-2.0
//! Between the kernel and the engine: all unsafe Rust of the module is here.
//!
//! ```text
//! netfilter -> hook -> (skb, metadata, percpu, rcu) -> engine -> hook -> log, audit, tee, reject, queue, or the way on
//! netlink   -> genl -> namespace -> (ruleset, hook) -> publication by rcu
//! ```
//!
//! A namespace has two locks, which netlink takes and packets do not; they are never held together.
//! Under the writer's ([`namespace::Writer`]) memory is allocated, modules are loaded and grace
//! periods waited for. The one of the transactions that are being collected ([`staging::Staging`])
//! is apart from it, because the closing of any netlink socket takes it: also of one that the
//! program has which loads a module for us.

#[cfg(CONFIG_AUDIT)]
mod audit;
mod bindings;
mod clock;
#[cfg(CONFIG_NF_CONNTRACK)]
pub(crate) mod conntrack;
pub(crate) mod genl;
mod hook;
pub(crate) mod lock;
mod log;
mod machine;
mod metadata;
mod namespace;
pub(crate) mod namespaces;
mod percpu;
mod queue;
mod rcu;
mod refusal;
mod reject;
mod routes;
mod ruleset;
mod skb;
mod staging;
mod symbol;
mod tee;
mod transforms;
mod usage;

use kernel::str::{CStr, CStrExt as _};

/// Asks the helper in user space to load a module; whether it did shows when its service is used.
/// May sleep.
///
/// May be called with netlink's locks held, so only for modules that do not register netlink
/// families.
fn request_module(name: &'static CStr) {
    // SAFETY: The format has one argument, a text that ends with a zero byte.
    let _ = unsafe { bindings::__request_module(true, c"%s".as_char_ptr(), name.as_char_ptr()) };
}

// SPDX-License-Identifier: GPL-2.0
//! The kernel's root over the tree that `lib.rs` is the host's root of: a firewall as a loadable
//! module.

pub mod engine;
mod glue;
pub mod uapi;

/// What the engine allocates with; `host/alloc.rs` is the same for programs on the host.
pub mod alloc {
    /// Nobody in particular pays for what packets make us keep; whoever uses this bounds it.
    pub use kernel::alloc::flags::GFP_ATOMIC;
    /// Memory that a ruleset takes is charged to whoever loads it.
    pub use kernel::alloc::flags::GFP_KERNEL_ACCOUNT as GFP_KERNEL;
    pub use kernel::alloc::{AllocError, Flags, KBox, KVVec, KVec};
    pub use kernel::sync::Arc;
}

/// What the engine remembers with; `host/sync.rs` is the same for programs on the host.
pub mod sync {
    pub use crate::glue::lock::PacketLock;
    pub use kernel::sync::atomic::ordering::Relaxed;
    pub use kernel::sync::atomic::Atomic;
    pub use kernel::sync::SetOnce;
}

use core::borrow::Borrow;
#[cfg(CONFIG_NF_CONNTRACK)]
use glue::conntrack::Provider;
use glue::genl::Family;
use glue::namespaces::Namespaces;
use kernel::prelude::*;

module! {
    type: Oxtables,
    name: "oxtables",
    authors: ["The oxtables founders"],
    description: "Firewall in Rust",
    license: "GPL",
    alias: ["net-pf-16-proto-16-family-oxtables"],
    params: {
        userns: u8 {
            default: 0,
            description: "1: root of a user namespace may load rules in its network namespaces",
        },
    },
}

/// The module while it is loaded. What is made first is taken away last: fields are dropped in
/// their order.
struct Oxtables {
    /// Requests over netlink, the only way in for rules.
    _family: Family,
    /// The state of every network namespace, with its hooks.
    _namespaces: Namespaces,
    /// What the connections of namespaces need.
    #[cfg(CONFIG_NF_CONNTRACK)]
    _provider: Provider,
}

impl kernel::Module for Oxtables {
    fn init(module: &'static ThisModule) -> Result<Self> {
        engine::selftest::run().map_err(|what| {
            pr_err!("self-test failed, not loading: {what}\n");
            EINVAL
        })?;
        #[cfg(CONFIG_NF_CONNTRACK)]
        let provider = Provider::register()?;
        let namespaces = Namespaces::register()?;
        let user_namespaces = number(module_parameters::userns.value()) != 0;
        // SAFETY: The states of namespaces go after the family, by the order of the fields.
        let family = unsafe { Family::register(module, user_namespaces) }?;
        Ok(Self {
            _family: family,
            _namespaces: namespaces,
            #[cfg(CONFIG_NF_CONNTRACK)]
            _provider: provider,
        })
    }
}

/// The value of a module parameter, which Linux 7.2 hands out by reference and 7.3 as it is.
fn number(parameter: impl Borrow<u8>) -> u8 {
    *parameter.borrow()
}

// SPDX-License-Identifier: GPL-2.0
//! scratch
use kernel::prelude::*;
mod glue { pub(crate) mod bindings; }
module! {
    type: Oxtables,
    name: "oxtables",
    authors: ["The oxtables founders"],
    description: "Firewall in Rust",
    license: "GPL",
}
struct Oxtables;
impl kernel::Module for Oxtables {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        pr_info!("hello\n");
        Ok(Oxtables)
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-j CT`: how the packet is tracked, decided before it is.

use crate::wire;

wire! {
    /// The target.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Ct, "ct-attrs" {
        /// `--notrack`: it is not tracked at all.
        2 notrack: bool,
    }
}

impl Ct {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.notrack {
            Ok(())
        } else {
            Err("CT needs --notrack")
        }
    }
}

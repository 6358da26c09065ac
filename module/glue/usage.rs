// SPDX-License-Identifier: GPL-2.0
//! The module's own use count: while rules are in force it can't be unloaded, so that `rmmod` does
//! not open the gates by accident.

use super::bindings;
use kernel::error::{code::EBUSY, Result};

/// A use of the module.
pub(super) struct InUse(());

impl InUse {
    /// Counts one use more.
    ///
    /// # Errors
    ///
    /// The module is just being unloaded.
    pub(super) fn get() -> Result<Self> {
        // SAFETY: This code runs, so the module is there.
        if unsafe { bindings::shim_try_module_get() } {
            Ok(Self(()))
        } else {
            Err(EBUSY)
        }
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        // SAFETY: `get` counted the use that ends here. The module's exit function waits for all
        // who might run this (netlink, namespaces that are cleaned up), so the code does not go
        // while it runs.
        unsafe { bindings::shim_module_put() };
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Sockets that are closed take their transactions with them: so a program that dies gives its up.

use crate::alloc::{KBox, GFP_KERNEL};
use crate::glue::{bindings, namespaces};
use kernel::error::{to_result, Result};
use kernel::ffi::{c_int, c_ulong, c_void};
use kernel::types::Opaque;

/// The registration of a function that is told of every netlink socket that is closed.
pub(super) struct Closing(KBox<Opaque<bindings::notifier_block>>);

// SAFETY: The core keeps its accesses apart by its own locks, and this may be dropped on any
// thread.
unsafe impl Send for Closing {}
// SAFETY: There is nothing to do with a shared reference.
unsafe impl Sync for Closing {}

impl Closing {
    /// May sleep.
    ///
    /// # Safety
    ///
    /// The states of namespaces are there as long as this.
    pub(super) unsafe fn watch() -> Result<Self> {
        let block = bindings::notifier_block {
            notifier_call: Some(closed),
            ..Default::default()
        };
        let block = KBox::new(Opaque::new(block), GFP_KERNEL)?;
        // SAFETY: The block is on the heap and stays there until `drop` has undone this.
        to_result(unsafe { bindings::netlink_register_notifier(block.get()) })?;
        Ok(Self(block))
    }
}

impl Drop for Closing {
    /// Waits for calls in progress. May sleep.
    fn drop(&mut self) {
        // SAFETY: `watch` registered it.
        let _ = unsafe { bindings::netlink_unregister_notifier(self.0.get()) };
    }
}

/// Called by the core when a netlink socket of any protocol is closed. May sleep.
///
/// # Safety
///
/// Called by the core only: `notice` fits `event`.
unsafe extern "C" fn closed(
    _block: *mut bindings::notifier_block,
    event: c_ulong,
    notice: *mut c_void,
) -> c_int {
    if event == bindings::NETLINK_URELEASE as c_ulong {
        // SAFETY: With this event comes this structure.
        let notice = unsafe { &*notice.cast::<bindings::netlink_notify>() };
        if notice.protocol == bindings::NETLINK_GENERIC as c_int {
            // SAFETY: The socket still keeps its namespace alive, and `watch`'s caller its state.
            let namespace = unsafe { namespaces::state(notice.net) };
            let _ = namespace.staging().take(notice.portid);
        }
    }
    bindings::NOTIFY_DONE as c_int
}

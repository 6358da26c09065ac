// SPDX-License-Identifier: GPL-2.0
//! A lock for what packets change.
//!
//! Packets are filtered in softirqs and in processes (those that this machine sends). A softirq that
//! wants a lock which the process it interrupted holds would wait for ever, so no softirq runs on
//! this CPU while one is held.

use super::bindings;
use crate::alloc::{AllocError, KBox, GFP_KERNEL};
use core::pin::Pin;
use kernel::init::InPlaceInit;
use kernel::sync::{new_spinlock, SpinLock};
use kernel::types::NotThreadSafe;

/// A value that packets on several CPUs change, one at a time.
pub struct PacketLock<T>(Pin<KBox<SpinLock<T>>>);

impl<T: Unpin> PacketLock<T> {
    /// Puts the value under a lock. May sleep.
    pub fn new(value: T) -> Result<Self, AllocError> {
        let lock = KBox::pin_init(new_spinlock!(value, "oxtables::packet"), GFP_KERNEL);
        // Nothing of it can fail but the allocation.
        Ok(Self(lock.map_err(|_| AllocError)?))
    }

    /// Does something with the value, for which nothing may be waited.
    #[inline]
    pub fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
        // What is declared first is dropped last: the lock is released before a softirq can run that wants it. As a
        // temporary of the last expression the guard would outlive both.
        let _no_softirqs = NoSoftirqs::new();
        let mut guard = self.0.lock();
        body(&mut guard)
    }
}

/// No softirq runs on this CPU as long as this is there.
///
/// # Invariants
///
/// Softirqs were disabled for it, on the CPU that it stays on.
struct NoSoftirqs(NotThreadSafe);

impl NoSoftirqs {
    #[inline]
    fn new() -> Self {
        // SAFETY: The function has no requirement but its counterpart, which `drop` calls.
        unsafe { bindings::shim_local_bh_disable() };
        // INVARIANT: They have just been, and nobody who can't be preempted changes the CPU.
        Self(NotThreadSafe)
    }
}

impl Drop for NoSoftirqs {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the invariants they were disabled on this CPU, and packets are not filtered with
        // interrupts off.
        unsafe { bindings::shim_local_bh_enable() };
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Read-copy-update: a pointer that packets follow while a writer replaces what it points to.

use super::bindings;
use crate::alloc::Arc;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr;
use kernel::sync::atomic::ordering::{Acquire, Full, Relaxed};
use kernel::sync::atomic::Atomic;
use kernel::types::NotThreadSafe;

/// Evidence that this CPU is in an RCU read-side critical section for as long as `'a`.
pub(super) struct Reader<'a>(PhantomData<&'a ()>, NotThreadSafe);

impl Reader<'_> {
    /// # Safety
    ///
    /// The caller is in an RCU read-side critical section, and stays there until `'a` ends.
    #[inline]
    pub(super) unsafe fn assume_held() -> Self {
        Self(PhantomData, NotThreadSafe)
    }
}

/// Does something in a read-side critical section.
pub(super) fn read<R>(body: impl for<'a> FnOnce(&'a Reader<'a>) -> R) -> R {
    // SAFETY: The function has no requirement but its counterpart, which comes below.
    unsafe { bindings::shim_rcu_read_lock() };
    // SAFETY: The section has begun, and does not end before `body` does, which can't keep the evidence.
    let reader = unsafe { Reader::assume_held() };
    let result = body(&reader);
    // SAFETY: The section began above.
    unsafe { bindings::shim_rcu_read_unlock() };
    result
}

/// A reference-counted pointer, or none, that readers follow without touching the count.
///
/// # Invariants
///
/// The pointer is null, or it came from an [`Arc`] whose reference it holds. When it is replaced,
/// that reference is not given up before a grace period has passed.
pub(super) struct RcuArc<T: Send + Sync>(Atomic<*mut T>, PhantomData<Arc<T>>);

impl<T: Send + Sync> RcuArc<T> {
    /// A pointer to nothing.
    pub(super) const fn empty() -> Self {
        // INVARIANT: The pointer is null.
        Self(Atomic::new(ptr::null_mut()), PhantomData)
    }

    /// What is published now, for as long as the reader stays in its critical section.
    #[inline]
    pub(super) fn get<'a>(&'a self, _reader: &'a Reader<'_>) -> Option<&'a T> {
        // Acquire, where C relies on the dependency between address and data: Rust has no such
        // ordering.
        let current = self.0.load(Acquire);
        // SAFETY: By the invariants it is null or points to a `T` that is freed a grace period
        // after its replacement at the earliest; the reader's critical section, which lasts for
        // `'a`, holds that off.
        unsafe { current.as_ref() }
    }

    /// Publishes `new`, and hands back what was published before.
    pub(super) fn replace(&self, new: Option<Arc<T>>) -> Retired<T> {
        let new = new.map_or(ptr::null(), Arc::into_raw).cast_mut();
        // INVARIANT: The pointer holds the reference that `new` was, and the old one's goes to
        // `Retired`.
        Retired(self.0.xchg(new, Full), PhantomData)
    }
}

impl<T: Send + Sync> Drop for RcuArc<T> {
    /// Waits for nobody: what [`get`](Self::get) hands out borrows from this, so no reader is left.
    fn drop(&mut self) {
        release(self.0.load(Relaxed));
    }
}

/// What an [`RcuArc`] pointed to, and readers may still see.
///
/// # Invariants
///
/// The pointer is null, or it holds a reference of an [`Arc`], and no new reader can find it.
#[must_use = "readers are waited for when this is dropped"]
pub(super) struct Retired<T: Send + Sync>(*mut T, PhantomData<Arc<T>>);

impl<T: Send + Sync> Retired<T> {
    /// Waits for a grace period, whether anything was published before or not, and drops what was.
    /// All that was unlinked before this call is unused after it as well. May sleep.
    pub(super) fn wait(self) {
        let old = ManuallyDrop::new(self).0;
        synchronize();
        release(old);
    }
}

impl<T: Send + Sync> Drop for Retired<T> {
    /// May sleep.
    fn drop(&mut self) {
        synchronize();
        release(self.0);
    }
}

/// Gives up the reference that `pointer` holds, if it is not null. Only called by owners of one.
fn release<T>(pointer: *mut T) {
    if !pointer.is_null() {
        // SAFETY: By the invariants of `RcuArc` and `Retired` this came from `Arc::into_raw` and
        // holds a reference, which the caller, being dropped or consumed, does not use again.
        drop(unsafe { Arc::from_raw(pointer) });
    }
}

/// Waits until all readers that were in a critical section have left it. May sleep.
///
/// Somebody waits for every commit, and programs make many small ones one after the other; an ordinary
/// grace period takes some 20 ms, and made that unbearable when x_tables once waited for one. Commits
/// are rare enough to disturb the other CPUs for the short kind.
pub(super) fn synchronize() {
    // SAFETY: The function has no requirement but that the caller may sleep.
    unsafe { bindings::synchronize_rcu_expedited() };
}

// SPDX-License-Identifier: GPL-2.0
//! The hash table of connections: read without lock or write, changed under a lock each bucket, resized while both
//! go on.
//!
//! # How it works
//!
//! A bucket is a singly linked list of [`Link`]s, of which a connection has two, one a direction. Readers walk it
//! under RCU. Writers hold the lock of the bucket; there are [`LOCKS`] of them, and a hash belongs to the lock that its
//! low bits name. A bucket is chosen by low bits too, and there are never fewer buckets than locks: so all links
//! under one lock before a resize are under the same lock after it, and one lock is all it takes to move a bucket.
//!
//! To resize, new buckets are made and `newer` of the old ones points to them. From then on new links go there. Then
//! the links of the old buckets are moved, one bucket after the other and in a bucket from the end: the last link is
//! linked at the head of its new bucket first and taken off its old one afterwards. When all are empty, the new buckets
//! take the place of the old ones, which are freed a grace period later. Readers look into the old bucket first
//! and then, if they find nothing and there are newer buckets, into the new one.
//!
//! For example, while `c` is moved from the old bucket `a → b → c` to the new one `x`:
//!
//! ```text
//!     a → b → c → x        c is in both: c's successor is x, the new head is c
//!     a → b      c → x     b's successor is none
//! ```
//!
//! A reader that stands on `b` in between goes on to `c`, or finds the end and then `c` in the new bucket. Since only the
//! last link is ever moved, whoever follows a moved one into its new bucket has missed nothing of the old bucket. A link
//! that is removed keeps its successor for the readers that stand on it.
//!
//! The idea is that of the kernel's rhashtable, after J. Triplett, P. McKenney and J. Walpole, "Resizable, Scalable,
//! Concurrent Hash Tables via Relativistic Programming" (USENIX ATC 2011).

use super::super::bindings;
use super::super::rcu::{self, Reader};
use crate::alloc::{AllocError, KBox, KVVec, GFP_KERNEL};
use core::ptr;
use core::ptr::NonNull;
use kernel::sync::atomic::ordering::{Acquire, Relaxed, Release};
use kernel::sync::atomic::Atomic;
use kernel::types::{NotThreadSafe, Opaque};

/// How many locks there are, and the smallest number of buckets.
pub(super) const LOCKS: usize = 1024;

/// A place in the table. It has the layout of `struct hlist_nulls_node`, of whose second word nobody but a table makes use.
#[repr(C)]
pub(super) struct Link {
    next: Atomic<*mut Link>,
    hash: Atomic<usize>,
}

impl Link {
    /// What the link is hashed by.
    #[inline]
    pub(super) fn hash(&self) -> usize {
        self.hash.load(Relaxed)
    }

    /// Says what the link is hashed by. It is in no table.
    pub(super) fn set_hash(&self, hash: usize) {
        self.hash.store(hash, Relaxed);
    }
}

/// Buckets, a power of two of them.
struct Buckets {
    heads: KVVec<Atomic<*mut Link>>,
    /// Where the links move to; null while they stay.
    newer: Atomic<*mut Buckets>,
}

impl Buckets {
    fn new(count: usize) -> Result<KBox<Self>, AllocError> {
        let mut heads = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            heads.push(Atomic::new(ptr::null_mut()), GFP_KERNEL)?;
        }
        let newer = Atomic::new(ptr::null_mut());
        KBox::new(Self { heads, newer }, GFP_KERNEL)
    }

    /// The head of the bucket that a hash falls into.
    #[inline]
    fn head(&self, hash: usize) -> Option<&Atomic<*mut Link>> {
        self.heads.get(hash & self.heads.len().wrapping_sub(1))
    }
}

/// Buckets, and those that their links move to.
///
/// # Safety
///
/// None of them is freed during `'a`.
#[inline]
unsafe fn and_newer<'a>(buckets: &'a Buckets) -> impl Iterator<Item = &'a Buckets> {
    core::iter::successors(Some(buckets), |buckets| {
        // SAFETY: By the invariants of the table it is null or points to buckets, which the caller keeps.
        unsafe { buckets.newer.load(Acquire).as_ref() }
    })
}

/// The links of a bucket.
///
/// # Safety
///
/// No link that is, or was, in the bucket ends during `'a`.
#[inline]
unsafe fn chain<'a>(head: &'a Atomic<*mut Link>) -> impl Iterator<Item = &'a Link> {
    let follow = |next: &Atomic<*mut Link>| {
        // SAFETY: By the invariants of the table it is null or points to a link, which the caller keeps.
        unsafe { next.load(Acquire).as_ref::<'a>() }
    };
    core::iter::successors(follow(head), move |link| follow(&link.next))
}

/// The link of this hash that `is` holds of: in the bucket it falls into, or where the links of that move to.
///
/// # Safety
///
/// As for [`and_newer`] and [`chain`].
#[inline]
unsafe fn find<'a>(
    buckets: &'a Buckets,
    hash: usize,
    is: impl Fn(&'a Link) -> bool,
) -> Option<&'a Link> {
    // SAFETY: The caller keeps the buckets.
    unsafe { and_newer(buckets) }.find_map(|buckets| {
        let head = buckets.head(hash)?;
        // SAFETY: The caller keeps the links.
        unsafe { chain(head) }.find(|link| link.hash() == hash && is(link))
    })
}

/// The table.
///
/// # Invariants
///
/// `current` and every `newer` that is not null point to buckets that came from a box and are freed a grace period
/// after they were unlinked. Links in a bucket are valid, and a grace period passes between their removal and their end.
pub(super) struct Table {
    current: Atomic<*mut Buckets>,
    locks: Locks,
}

// SAFETY: What the pointers lead to is shared as the invariants say.
unsafe impl Send for Table {}
// SAFETY: As above.
unsafe impl Sync for Table {}

impl Table {
    /// A table of the smallest size. May sleep.
    pub(super) fn new() -> Result<Self, AllocError> {
        let locks = Locks::new()?;
        let current = KBox::into_raw(Buckets::new(LOCKS)?);
        // INVARIANT: The buckets were just made.
        Ok(Self {
            current: Atomic::new(current),
            locks,
        })
    }

    #[inline]
    fn current<'a>(&'a self, _reader: &'a Reader<'_>) -> &'a Buckets {
        // SAFETY: By the invariants, and the reader is in a critical section.
        unsafe { &*self.current.load(Acquire) }
    }

    /// The link of this hash that `is` holds of.
    #[inline]
    pub(super) fn find<'a>(
        &'a self,
        hash: usize,
        reader: &'a Reader<'_>,
        is: impl Fn(&'a Link) -> bool,
    ) -> Option<&'a Link> {
        // SAFETY: By the invariants, and the reader is in a critical section for all of `'a`.
        unsafe { find(self.current(reader), hash, is) }
    }

    /// How many buckets there are.
    pub(super) fn buckets(&self, reader: &Reader<'_>) -> usize {
        self.current(reader).heads.len()
    }

    /// Calls `each` with every link of a bucket, those that are moved meanwhile perhaps twice or not at all.
    pub(super) fn walk<'a>(
        &'a self,
        index: usize,
        reader: &'a Reader<'_>,
        each: impl FnMut(&'a Link),
    ) {
        let Some(head) = self.current(reader).heads.get(index) else {
            return;
        };
        // SAFETY: As in `find`.
        unsafe { chain(head) }.for_each(each);
    }

    /// Keeps others from changing the buckets of two hashes. Softirqs are off as long as this is there.
    pub(super) fn lock(&self, a: usize, b: usize) -> Locked<'_> {
        let (a, b) = (a % LOCKS, b % LOCKS);
        let held = [a.min(b), a.max(b)];
        self.locks.lock(held);
        // INVARIANT: Both are held now.
        Locked {
            table: self,
            held,
            _here: NotThreadSafe,
        }
    }

    /// Makes it `count` buckets, rounded up to a power of two. May sleep. Only one caller at a time.
    pub(super) fn resize(&self, count: usize) -> Result<(), AllocError> {
        let count = count.max(LOCKS).checked_next_power_of_two();
        let new = KBox::into_raw(Buckets::new(count.ok_or(AllocError)?)?);
        let old = self.current.load(Acquire);
        // SAFETY: Only this function unlinks buckets, and runs once at a time.
        let from = unsafe { &*old };
        from.newer.store(new, Release);
        for index in 0..from.heads.len() {
            let locked = self.lock(index, index);
            locked.move_all(index, from);
            drop(locked);
            if index % 256 == 0 {
                // SAFETY: Nothing is locked.
                unsafe { bindings::shim_cond_resched() };
            }
        }
        // INVARIANT: No link is left in the old buckets, nor will one come: whoever holds a lock now finds `newer`.
        self.current.store(new, Release);
        rcu::synchronize();
        // SAFETY: They came from a box, and a grace period ago readers lost sight of them.
        drop(unsafe { KBox::from_raw(old) });
        Ok(())
    }
}

impl Drop for Table {
    /// The table is empty, and nobody reads it.
    fn drop(&mut self) {
        // SAFETY: By the invariants they came from a box, and this is the last use.
        drop(unsafe { KBox::from_raw(self.current.load(Relaxed)) });
    }
}

/// Two buckets of a table that nobody else changes.
///
/// # Invariants
///
/// The locks of `held` are held, by this CPU.
pub(super) struct Locked<'a> {
    table: &'a Table,
    held: [usize; 2],
    _here: NotThreadSafe,
}

impl Locked<'_> {
    /// The table's buckets.
    fn current(&self) -> &Buckets {
        // SAFETY: Softirqs are off, and the buckets outlive the locks that are held: `resize` takes each of them, and
        // waits for a grace period, before it frees any.
        unsafe { &*self.table.current.load(Acquire) }
    }

    /// All buckets that links may be in, the older first.
    fn all(&self) -> impl Iterator<Item = &Buckets> {
        // SAFETY: As above.
        unsafe { and_newer(self.current()) }
    }

    /// The link of this hash, which is one of the two that were locked for, that `is` holds of.
    pub(super) fn find(&self, hash: usize, is: impl Fn(&Link) -> bool) -> Option<&Link> {
        // SAFETY: As above; by the invariants links in a bucket are valid, and these can't be changed.
        unsafe { find(self.current(), hash, is) }
    }

    /// Puts a link into the table, by its hash, which is one of the two that were locked for.
    ///
    /// # Safety
    ///
    /// The link is in no table, and stays valid until a grace period after its removal.
    pub(super) unsafe fn insert(&self, link: &Link) {
        let Some(head) = self
            .all()
            .last()
            .and_then(|newest| newest.head(link.hash()))
        else {
            return;
        };
        link.next.store(head.load(Relaxed), Relaxed);
        // INVARIANT: The caller vouches for the link. Release: what was written to it before is seen by who finds it.
        head.store(ptr::from_ref(link).cast_mut(), Release);
    }

    /// Takes a link out of the table, if it is there. Readers may see it until a grace period has passed.
    pub(super) fn remove(&self, link: &Link) {
        for buckets in self.all() {
            let mut place = buckets.head(link.hash());
            while let Some(before) = place {
                let next = before.load(Acquire);
                if ptr::eq(next, link) {
                    before.store(link.next.load(Relaxed), Release);
                    return;
                }
                // SAFETY: By the invariants links in a bucket are valid.
                place = unsafe { next.as_ref() }.map(|link| &link.next);
            }
        }
    }

    /// Calls `each` with every link under the first of the locks that are held, once each.
    pub(super) fn each(&self, mut each: impl FnMut(&Link)) {
        let [part, _] = self.held;
        for buckets in self.all() {
            for head in buckets.heads.iter().skip(part).step_by(LOCKS) {
                // SAFETY: By the invariants links in a bucket are valid, and these can't be changed.
                unsafe { chain(head) }.for_each(&mut each);
            }
        }
    }

    /// Moves all links of an old bucket to newer ones, the last one first.
    fn move_all(&self, index: usize, from: &Buckets) {
        let Some(head) = from.heads.get(index) else {
            return;
        };
        // SAFETY: `resize`, the only caller, has put it there.
        let Some(to) = (unsafe { from.newer.load(Relaxed).as_ref() }) else {
            return;
        };
        loop {
            let mut before = head;
            let last = loop {
                let next = before.load(Relaxed);
                // SAFETY: By the invariants links in a bucket are valid.
                let Some(link) = (unsafe { next.as_ref() }) else {
                    return;
                };
                if link.next.load(Relaxed).is_null() {
                    break NonNull::from(link);
                }
                before = &link.next;
            };
            // SAFETY: As above.
            let link = unsafe { last.as_ref() };
            let Some(head) = to.head(link.hash()) else {
                return;
            };
            link.next.store(head.load(Relaxed), Release);
            head.store(last.as_ptr(), Release);
            before.store(ptr::null_mut(), Release);
        }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // By the invariants they are held.
        self.table.locks.unlock(self.held);
    }
}

/// The locks of a table.
struct Locks(KVVec<Opaque<bindings::spinlock>>);

impl Locks {
    fn new() -> Result<Self, AllocError> {
        let mut locks = KVVec::with_capacity(LOCKS, GFP_KERNEL)?;
        for _ in 0..LOCKS {
            locks.push(Opaque::<bindings::spinlock>::uninit(), GFP_KERNEL)?;
        }
        for lock in &locks {
            // SAFETY: There is room for a lock, which is not moved any more: nothing is ever added.
            unsafe { bindings::shim_bucket_lock_init(lock.get()) };
        }
        Ok(Self(locks))
    }

    /// Takes two locks, or one where both are the same; the first comes before the second, for everybody.
    fn lock(&self, [first, second]: [usize; 2]) {
        if let Some(lock) = self.0.get(first) {
            // SAFETY: `new` made it a lock.
            unsafe { bindings::shim_spin_lock_bh(lock.get()) };
        }
        if let Some(lock) = self.0.get(second).filter(|_| second != first) {
            // SAFETY: As above; whoever holds both has taken the first one first.
            unsafe { bindings::shim_spin_lock_second(lock.get()) };
        }
    }

    /// Gives the locks back that `lock` took, on the same CPU.
    fn unlock(&self, [first, second]: [usize; 2]) {
        if let Some(lock) = self.0.get(second).filter(|_| second != first) {
            // SAFETY: The caller holds it.
            unsafe { bindings::shim_spin_unlock(lock.get()) };
        }
        if let Some(lock) = self.0.get(first) {
            // SAFETY: As above.
            unsafe { bindings::shim_spin_unlock_bh(lock.get()) };
        }
    }
}

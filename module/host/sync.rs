// SPDX-License-Identifier: GPL-2.0
//! The kernel's atomics on the host: the same names and signatures over `std`, as far as the engine uses them.

use std::sync::atomic::{self, AtomicU64};

/// How the accesses to other memory may be ordered around one.
pub trait Ordering {
    /// The same as `std` names it.
    const STD: atomic::Ordering;
}

/// In any way: the access is whole, and that is all.
#[derive(Clone, Copy, Debug)]
pub struct Relaxed;

impl Ordering for Relaxed {
    const STD: atomic::Ordering = atomic::Ordering::Relaxed;
}

/// A type that fits into a machine word.
pub trait Word {
    /// Its atomic counterpart in `std`.
    type Cell;
}

impl Word for u64 {
    type Cell = AtomicU64;
}

/// A word that several threads may change at the same time.
#[derive(Debug)]
pub struct Atomic<T: Word>(T::Cell);

impl Atomic<u64> {
    /// A word with this value.
    pub const fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    /// Reads the word.
    pub fn load<O: Ordering>(&self, _: O) -> u64 {
        self.0.load(O::STD)
    }

    /// Adds to the word, wrapping around, and returns what it was before.
    pub fn fetch_add<O: Ordering>(&self, value: u64, _: O) -> u64 {
        self.0.fetch_add(value, O::STD)
    }

    /// Makes the word `new` if it is `old`; returns what it was, as an error if that was something else.
    pub fn cmpxchg<O: Ordering>(&self, old: u64, new: u64, _: O) -> Result<u64, u64> {
        self.0
            .compare_exchange(old, new, O::STD, atomic::Ordering::Relaxed)
    }
}

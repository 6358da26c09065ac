// SPDX-License-Identifier: GPL-2.0
//! The kernel's atomics and locks on the host: the same names and signatures over `std`, as far as the engine uses them.

use std::sync::atomic::{self, AtomicU32, AtomicU64};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::alloc::AllocError;

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

/// A word that several threads may change at the same time.
#[derive(Debug)]
pub struct Atomic<T: Word>(T::Cell);

macro_rules! words {
    ($($word:ty, $cell:ty;)*) => {$(
        impl Word for $word {
            type Cell = $cell;
        }

        impl Atomic<$word> {
            /// A word with this value.
            pub const fn new(value: $word) -> Self {
                Self(<$cell>::new(value))
            }

            /// Reads the word.
            pub fn load<O: Ordering>(&self, _: O) -> $word {
                self.0.load(O::STD)
            }

            /// Writes the word.
            pub fn store<O: Ordering>(&self, value: $word, _: O) {
                self.0.store(value, O::STD);
            }
        }
    )*};
}

words! {
    u32, AtomicU32;
    u64, AtomicU64;
}

impl Atomic<u64> {
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

/// A value that packets on several CPUs change, one at a time.
#[derive(Debug)]
pub struct PacketLock<T>(Mutex<T>);

impl<T> PacketLock<T> {
    /// Puts the value under a lock.
    pub fn new(value: T) -> Result<Self, AllocError> {
        Ok(Self(Mutex::new(value)))
    }

    /// Does something with the value, for which nothing may be waited.
    pub fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
        // What a thread that panicked left is no worse than what it found: a test has failed anyway.
        body(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A value that is set once.
#[derive(Debug)]
pub struct SetOnce<T>(OnceLock<T>);

impl<T> SetOnce<T> {
    /// A place without a value.
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Sets the value; `false` when there is one already.
    pub fn populate(&self, value: T) -> bool {
        self.0.set(value).is_ok()
    }

    /// The value, if it was set.
    #[allow(clippy::should_implement_trait, reason = "the kernel's has this name")]
    pub fn as_ref(&self) -> Option<&T> {
        self.0.get()
    }
}

impl<T> Default for SetOnce<T> {
    fn default() -> Self {
        Self::new()
    }
}

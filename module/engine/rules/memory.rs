// SPDX-License-Identifier: GPL-2.0
//! What a match remembers from one packet to the next, and from one ruleset to the next.

use core::fmt;
use core::ops::Deref;

use crate::alloc::{AllocError, Arc, GFP_KERNEL};
use crate::sync::{Atomic, Relaxed};

/// A word that begins at zero, for what packets on many CPUs have to agree on.
///
/// All of them use it at the same time and none waits. It is read, changed and written back as one step; since
/// nothing else hangs on it, accesses to it need no order among those to other memory. It is alone in its cache line,
/// so that words beside it in memory do not slow it down.
#[repr(align(64))]
pub struct Word(Atomic<u64>);

impl Word {
    /// A word of zero.
    pub const fn new() -> Self {
        Self(Atomic::<u64>::new(0))
    }

    /// Counts one more, and returns how many there were before.
    #[inline]
    pub fn count(&self) -> u64 {
        self.0.fetch_add(1, Relaxed)
    }

    /// Changes the word: `next` says what comes after it, and what to return.
    ///
    /// A word that another CPU changed meanwhile is not overwritten, `next` is asked anew instead. So each change
    /// is made to what the one before left, as if packets had come one after the other. What stays the same is
    /// not written, and other CPUs keep it in their caches.
    #[inline]
    pub fn update<T>(&self, next: impl Fn(u64) -> (u64, T)) -> T {
        let mut word = self.0.load(Relaxed);
        loop {
            let (changed, result) = next(word);
            if changed == word {
                return result;
            }
            match self.0.cmpxchg(word, changed, Relaxed) {
                Ok(_) => return result,
                Err(found) => word = found,
            }
        }
    }

    /// Counts one more, unless there are as many as there may be; whether it did.
    #[inline]
    pub fn reserve(&self, most: u64) -> bool {
        self.update(|count| {
            let more = count < most;
            (count + u64::from(more), more)
        })
    }

    /// Counts so many less.
    #[inline]
    pub fn release(&self, places: u64) {
        self.update(|count| (count.saturating_sub(places), ()));
    }
}

impl Default for Word {
    fn default() -> Self {
        Self::new()
    }
}

/// What a match can remember.
pub trait Blank: Sized {
    /// It before the first packet.
    ///
    /// # Errors
    ///
    /// There is no room for it.
    fn blank() -> Result<Self, AllocError>;
}

impl Blank for Word {
    fn blank() -> Result<Self, AllocError> {
        Ok(Self::new())
    }
}

/// The memory of a match that decides by the packets before.
///
/// It is no part of what a rule says: one memory equals any other, and copies of a match share it. So the
/// program that packets walk remembers in the same place as the model that it was made from, and a rule that
/// takes the place of an equal one can go on with what that one knew.
pub struct Memory<T = Word>(Arc<T>);

impl<T: Blank> Memory<T> {
    /// A memory of nothing.
    ///
    /// # Errors
    ///
    /// There is no room for it.
    pub fn new() -> Result<Self, AllocError> {
        let memory = Arc::new(T::blank()?, GFP_KERNEL).map_err(|_| AllocError)?;
        Ok(Self(memory))
    }
}

impl<T> Clone for Memory<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Memory<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> PartialEq for Memory<T> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<T> Eq for Memory<T> {}

impl<T> fmt::Debug for Memory<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

#[cfg(all(test, not(MODULE)))]
mod tests {
    use super::*;
    use std::thread;

    const THREADS: u64 = 4;
    const TIMES: u64 = 100_000;

    fn at_once(memory: &Memory, each: impl Fn(&Memory) + Sync) {
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| (0..TIMES).for_each(|_| each(memory)));
            }
        });
    }

    #[test]
    fn nothing_is_lost_and_nothing_comes_twice() {
        let memory = Memory::new().unwrap();
        at_once(&memory, |memory| {
            memory.count();
        });
        assert_eq!(memory.count(), THREADS * TIMES);

        // There is enough for half of them.
        let memory = Memory::new().unwrap();
        let taken: Memory = Memory::new().unwrap();
        at_once(&memory, |memory| {
            let took = memory.update(|word| match word {
                word if word < THREADS * TIMES / 2 => (word + 1, true),
                word => (word, false),
            });
            if took {
                taken.count();
            }
        });
        assert_eq!(taken.count(), THREADS * TIMES / 2);
    }
}

// SPDX-License-Identifier: GPL-2.0
//! A hash table that packets on many CPUs change: chains, cut into stripes that have a lock each.
//!
//! Under its lock a chain is searched, and nodes are linked and unlinked. Memory is taken before that and given back after:
//! what is unlinked is handed out as a chain of its own. The hash has a secret key, so that nobody can choose what meets
//! in one chain.

use super::memory::Word;
use crate::alloc::{AllocError, Flags, KBox, KVVec, GFP_KERNEL};
use crate::engine::siphash::SipHash;
use crate::sync::PacketLock;
use core::iter::successors;

/// A value, and the next one of its chain.
pub struct Node<T> {
    /// The value.
    pub value: T,
    next: Chain<T>,
}

impl<T> Node<T> {
    /// A node that is in no chain.
    ///
    /// # Errors
    ///
    /// There is no memory.
    pub fn new(value: T, flags: Flags) -> Result<KBox<Self>, AllocError> {
        let next = Chain(None);
        KBox::new(Self { value, next }, flags)
    }
}

/// A list of nodes.
pub struct Chain<T>(Option<KBox<Node<T>>>);

impl<T> Default for Chain<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Chain<T> {
    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        let first = self.0.as_deref();
        successors(first, |node| node.next.0.as_deref()).map(|node| &node.value)
    }

    /// The first value that `is` holds of.
    pub fn find(&mut self, is: impl Fn(&T) -> bool) -> Option<&mut T> {
        let mut next = self.0.as_deref_mut();
        while let Some(node) = next {
            if is(&node.value) {
                return Some(&mut node.value);
            }
            next = node.next.0.as_deref_mut();
        }
        None
    }

    /// Links a node ahead of all others.
    pub fn push(&mut self, mut node: KBox<Node<T>>) {
        node.next.0 = self.0.take();
        self.0 = Some(node);
    }

    /// Takes out the first node.
    pub fn pop(&mut self) -> Option<KBox<Node<T>>> {
        let mut node = self.0.take()?;
        self.0 = node.next.0.take();
        Some(node)
    }

    /// Gives all nodes back; how many there were.
    pub fn drop_all(mut self) -> u64 {
        let mut count = 0;
        while self.pop().is_some() {
            count += 1;
        }
        count
    }

    /// Takes out what `which` holds of.
    pub fn take(&mut self, mut which: impl FnMut(&mut T) -> bool) -> Self {
        let mut all = Self(self.0.take());
        let mut taken = Self::default();
        while let Some(mut node) = all.pop() {
            if which(&mut node.value) {
                taken.push(node);
            } else {
                self.push(node);
            }
        }
        taken
    }
}

impl<T> Drop for Chain<T> {
    /// One node after the other, for each would drop the next, and the kernel's stack is small.
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

/// The hash table.
pub struct Chains<T> {
    /// The hash's key, zero until the first packet.
    secret: Word,
    stripes: KVVec<PacketLock<KVVec<Chain<T>>>>,
    /// How many chains there are.
    count: u64,
}

impl<T> Chains<T> {
    /// How many locks there are at most.
    const STRIPES: u32 = 64;

    /// An empty table of at least so many chains. May sleep.
    ///
    /// # Errors
    ///
    /// There is no memory.
    pub fn new(chains: u32) -> Result<Self, AllocError> {
        let count = chains.clamp(1, Self::STRIPES);
        let each = chains.div_ceil(Self::STRIPES).max(1);
        let mut stripes = KVVec::with_capacity(count as usize, GFP_KERNEL)?;
        for _ in 0..count {
            let mut chains = KVVec::with_capacity(each as usize, GFP_KERNEL)?;
            for _ in 0..each {
                chains.push(Chain::default(), GFP_KERNEL)?;
            }
            stripes.push(PacketLock::new(chains)?, GFP_KERNEL)?;
        }
        Ok(Self {
            secret: Word::new(),
            stripes,
            count: u64::from(count) * u64::from(each),
        })
    }

    /// How many chains there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The place of these words in the hash, of which [`with`](Self::with) takes a remainder.
    pub fn place(&self, words: impl IntoIterator<Item = u64>, random: impl Fn() -> u32) -> u64 {
        let secret = self.secret.update(|secret| {
            let secret = match secret {
                0 => u64::from(random()) << 32 | u64::from(random()) | 1,
                known => known,
            };
            (secret, secret)
        });
        let mut hash = SipHash::new([secret, !secret]);
        for word in words {
            hash.word(word);
        }
        hash.finish()
    }

    /// Does something with the chain at a place, for which nothing may be waited. There is one at each place.
    pub fn with<R>(&self, place: u64, body: impl FnOnce(&mut Chain<T>) -> R) -> Option<R> {
        let chain = place.checked_rem(self.count)?;
        let count = self.stripes.len() as u64;
        let stripe = self.stripes.get(chain.checked_rem(count)? as usize)?;
        let chain = chain.checked_div(count)? as usize;
        stripe.with(|chains| chains.get_mut(chain).map(body))
    }
}

// SPDX-License-Identifier: GPL-2.0
//! The kernel's fallible allocation on the host: the same names and signatures over `std`, as far as the
//! engine uses them. An allocation can be made to fail, so that a test sees every error path taken.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};

/// An allocation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocError;

/// There is no element of the index to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoveError;

/// How an allocation may behave; on the host there is one way.
#[derive(Clone, Copy, Debug)]
pub struct Flags;

/// The allocation may sleep.
pub const GFP_KERNEL: Flags = Flags;

/// The allocation may not sleep.
pub const GFP_ATOMIC: Flags = Flags;

thread_local! {
    static FAIL_AFTER: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Runs `body` with the allocation after the next `successes` ones failing, on this thread.
///
/// Returns what `body` returned, and whether an allocation was made to fail.
pub fn failing_after<T>(successes: usize, body: impl FnOnce() -> T) -> (T, bool) {
    FAIL_AFTER.set(Some(successes));
    let result = body();
    let failed = FAIL_AFTER.take().is_none();
    (result, failed)
}

/// Counts one allocation, and fails it if it is the one that a test asked for.
fn allocate() -> Result<(), AllocError> {
    match FAIL_AFTER.get() {
        Some(0) => {
            FAIL_AFTER.set(None);
            Err(AllocError)
        }
        Some(left) => {
            FAIL_AFTER.set(Some(left - 1));
            Ok(())
        }
        None => Ok(()),
    }
}

/// A growing array whose growth can fail.
#[derive(Debug, PartialEq, Eq)]
pub struct KVec<T>(Vec<T>);

/// The kernel falls back to virtually contiguous memory for this one; the host makes no difference.
pub type KVVec<T> = KVec<T>;

impl<T> KVec<T> {
    /// An empty array; allocates nothing.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// An empty array with room for `capacity` elements.
    pub fn with_capacity(capacity: usize, _flags: Flags) -> Result<Self, AllocError> {
        allocate()?;
        Ok(Self(Vec::with_capacity(capacity)))
    }

    /// Makes room for `additional` more elements.
    pub fn reserve(&mut self, additional: usize, _flags: Flags) -> Result<(), AllocError> {
        if self.0.capacity() - self.0.len() < additional {
            allocate()?;
            self.0.reserve(additional);
        }
        Ok(())
    }

    /// Appends an element.
    pub fn push(&mut self, value: T, flags: Flags) -> Result<(), AllocError> {
        self.reserve(1, flags)?;
        self.0.push(value);
        Ok(())
    }

    /// Inserts an element before `index`; gives it back when there is no room or no such place.
    pub fn insert_within_capacity(&mut self, index: usize, value: T) -> Result<(), T> {
        if index > self.0.len() || self.0.len() == self.0.capacity() {
            return Err(value);
        }
        self.0.insert(index, value);
        Ok(())
    }

    /// Removes the element at `index`.
    pub fn remove(&mut self, index: usize) -> Result<T, RemoveError> {
        if index >= self.0.len() {
            return Err(RemoveError);
        }
        Ok(self.0.remove(index))
    }

    /// Removes the last element.
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    /// Removes all elements.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Shortens the array to `len` elements.
    pub fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }
}

impl<T: Clone> KVec<T> {
    /// Appends a copy of every element of `other`.
    pub fn extend_from_slice(&mut self, other: &[T], flags: Flags) -> Result<(), AllocError> {
        self.reserve(other.len(), flags)?;
        self.0.extend_from_slice(other);
        Ok(())
    }

    /// An array of `count` copies of `value`.
    pub fn from_elem(value: T, count: usize, _flags: Flags) -> Result<Self, AllocError> {
        allocate()?;
        Ok(Self(vec![value; count]))
    }
}

impl<T> Default for KVec<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for KVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for KVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T> IntoIterator for KVec<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a KVec<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// A value on the heap.
pub struct KBox<T>(Box<T>);

impl<T> KBox<T> {
    /// Moves `value` to the heap.
    pub fn new(value: T, _flags: Flags) -> Result<Self, AllocError> {
        allocate()?;
        Ok(Self(Box::new(value)))
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for KBox<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> Deref for KBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for KBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// A value with many owners.
#[derive(Debug)]
pub struct Arc<T>(std::sync::Arc<T>);

impl<T> Arc<T> {
    /// Moves `value` to the heap, with one owner.
    pub fn new(value: T, _flags: Flags) -> Result<Self, AllocError> {
        allocate()?;
        Ok(Self(std::sync::Arc::new(value)))
    }
}

impl<T> Clone for Arc<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

// SPDX-License-Identifier: GPL-2.0
//! The work on a table besides packets: connections that are over are removed, and the table gets the size it needs.

use super::super::bindings;
use super::super::clock;
use super::super::rcu;
use super::connection::Connection;
use super::Tracker;
use crate::alloc::{AllocError, KBox, GFP_KERNEL};
use crate::engine::conntrack::Direction;
use core::ptr;
use kernel::sync::atomic::ordering::{Acquire, Relaxed, Release};
use kernel::sync::atomic::Atomic;
use kernel::types::Opaque;

/// In how many runs all of the table is looked at, one a second where time suffices.
const RUNS: usize = 8;

/// How many buckets are looked at without letting others have the CPU.
const AT_ONCE: usize = 64;

/// For how long a run looks for connections that are over, in nanoseconds. What it does not come to is left to the
/// next, which follows at once.
const TIME: u64 = 10_000_000;

/// A task that runs every second, and sooner when the table has become too small or the time too short.
pub(super) struct Worker {
    work: KBox<Opaque<bindings::shim_work>>,
    /// The bucket that is looked at next.
    place: Atomic<usize>,
    /// From how many connections on it is asked to come sooner.
    enough: Atomic<i32>,
    /// Whether it was asked to come sooner.
    asked: Atomic<bool>,
    /// Whether it was begun.
    started: Atomic<bool>,
}

impl Worker {
    /// May sleep.
    pub(super) fn new() -> Result<Self, AllocError> {
        Ok(Self {
            work: KBox::new(Opaque::uninit(), GFP_KERNEL)?,
            place: Atomic::new(0),
            enough: Atomic::new(super::table::LOCKS as i32),
            asked: Atomic::new(false),
            started: Atomic::new(false),
        })
    }

    /// Begins to run.
    ///
    /// # Safety
    ///
    /// The tracker, whose worker this is, stays where it is until `stop` has returned.
    pub(super) unsafe fn start(&self, tracker: &Tracker) {
        let tracker = ptr::from_ref(tracker).cast_mut().cast();
        // SAFETY: The place is on the heap, and nobody uses it yet.
        unsafe { bindings::shim_work_init(self.work.get(), Some(run), tracker) };
        self.started.store(true, Relaxed);
        self.again(bindings::CONST_HZ as usize);
    }

    /// Comes again after so many jiffies, or sooner if it was asked to meanwhile.
    fn again(&self, jiffies: usize) {
        // SAFETY: `start` has made it work.
        unsafe { bindings::shim_work_queue(self.work.get(), jiffies) };
    }

    /// Comes soon if there are far more connections than the table is made for. Does not sleep.
    #[inline]
    pub(super) fn check(&self, connections: &Atomic<i32>) {
        if connections.load(Relaxed) > self.enough.load(Relaxed) && !self.asked.xchg(true, Relaxed)
        {
            // SAFETY: `start` has made it work.
            unsafe { bindings::shim_work_hurry(self.work.get()) };
        }
    }

    /// Stops running, for good, whoever asks for it later. May sleep.
    pub(super) fn stop(&self) {
        if self.started.load(Relaxed) {
            // SAFETY: `start` has made it work.
            unsafe { bindings::shim_work_stop(self.work.get()) };
        }
    }
}

/// One run.
///
/// # Safety
///
/// `tracker` is what `start` was told.
unsafe extern "C" fn run(tracker: *mut kernel::ffi::c_void) {
    // SAFETY: The tracker stays until the worker has stopped.
    let tracker = unsafe { &*tracker.cast::<Tracker>() };
    let worker = &tracker.worker;
    worker.asked.store(false, Release);
    fit(tracker);
    worker.again(match collect(tracker) {
        Looked::AtAll => bindings::CONST_HZ as usize,
        Looked::AtSome => 1,
    });
}

/// How much of its part a run has looked at.
enum Looked {
    AtAll,
    /// The time was over before.
    AtSome,
}

/// Gives the table the size it needs: as many buckets as it has links, two for a connection, and fewer when it needs an
/// eighth of what it has. When memory is short it stays as it is.
fn fit(tracker: &Tracker) {
    let connections = tracker.count.load(Acquire);
    let links = usize::try_from(connections).map_or(0, |count| count.saturating_mul(2));
    let buckets = rcu::read(|reader| tracker.table.buckets(reader));
    if links > buckets || (buckets > super::table::LOCKS && links < buckets / 8) {
        let _ = tracker.table.resize(links.saturating_add(links / 2));
    }
    let buckets = rcu::read(|reader| tracker.table.buckets(reader));
    let enough = i32::try_from(buckets).unwrap_or(i32::MAX);
    tracker.worker.enough.store(enough, Relaxed);
}

/// Removes what is over, from one part of the table.
fn collect(tracker: &Tracker) -> Looked {
    let begun = clock::monotonic();
    let buckets = rcu::read(|reader| tracker.table.buckets(reader));
    let begin = tracker.worker.place.load(Relaxed) & (buckets - 1);
    let end = begin.saturating_add(buckets / RUNS).min(buckets);
    let mut index = begin;
    while index < end {
        let stop = index.saturating_add(AT_ONCE).min(end);
        rcu::read(|reader| {
            for index in index..stop {
                tracker.table.walk(index, reader, |link| {
                    // SAFETY: It is in the table, or was: the reader is in a critical section.
                    let (connection, direction) = unsafe { Connection::of_link(link) };
                    if direction == Direction::Original && connection.left() <= 0 {
                        tracker.remove(connection);
                    }
                });
            }
        });
        // SAFETY: Nothing is locked.
        unsafe { bindings::shim_cond_resched() };
        index = stop;
        if clock::monotonic().saturating_sub(begun) > TIME {
            break;
        }
    }
    tracker.worker.place.store(index, Relaxed);
    if index < end {
        Looked::AtSome
    } else {
        Looked::AtAll
    }
}

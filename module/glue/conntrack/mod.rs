// SPDX-License-Identifier: GPL-2.0
//! Connection tracking in the kernel: the table of a network namespace, and what keeps it.
//!
//! ```text
//! hook -> defragment -> (rules of raw) -> packets::track -> (other rules)        PREROUTING, OUTPUT
//!                                           | engine/conntrack decides, table finds, connection remembers
//! hook -> packets::confirm -> table                                          INPUT, POSTROUTING, behind all others
//! worker: removes what is over, resizes the table
//! provider: the kernel's functions for connections are ours
//! ```
//!
//! Locks, in the order in which they are taken: the buckets of the table, at most two of them and the one with the
//! lower number first; a connection's, within which nothing is taken. Nothing allocates, sleeps or logs under
//! either.

mod connection;
mod defragment;
mod events;
mod packets;
mod provider;
#[cfg(CONFIG_SYSCTL)]
mod sysctl;
mod table;
mod worker;

pub(super) use connection::Connection;
pub(super) use defragment::Defragmented;
pub(super) use packets::{confirm, deliver, facts, found, tracking, untrack};
#[cfg(CONFIG_NF_CONNTRACK_MARK)]
pub(super) use packets::{mark, set_mark};
pub(crate) use provider::Provider;
#[cfg(CONFIG_SYSCTL)]
pub(super) use sysctl::Sysctl;

use super::bindings;
use super::log::{Logger, To};
use super::rcu::Reader;
use super::refusal::Refusal;
use super::skb::Packet;
use crate::alloc::{AllocError, Arc, KVVec, GFP_KERNEL};
use crate::engine::conntrack::{Direction, Machine, Setting, Settings, Tuple, Zone};
use crate::engine::packet::{Family, Hook, Status};
use crate::engine::siphash::SipHash;
use crate::uapi::conntrack::Stats;
use crate::uapi::event::Event;
use core::ptr::NonNull;
use defragment::Defragmenter;
use kernel::sync::aref::ARef;
use kernel::sync::atomic::ordering::{Acquire, Relaxed};
use kernel::sync::atomic::Atomic;
use table::{Link, Table};
use worker::Worker;

/// Has the module loaded that writes packets to the log, for it may be needed from now on. May sleep.
pub(super) fn prepare_log() {
    for family in Family::ALL {
        // Without it nothing is written, which is no reason to refuse the setting.
        let _ = Logger::get(family, To::Log);
    }
}

/// How many parts the table has for who lists it.
pub(super) const PARTS: usize = table::LOCKS;

/// How many buckets are searched for a connection that may go when there are too many.
const SEARCHED_BUCKETS: usize = 8;

/// The connections of a network namespace.
///
/// # Invariants
///
/// The connections in the table are held by it: each is a reference that is given up by who takes it out. `count` is
/// the number of connections that point here, in the table or not.
pub(super) struct Tracker {
    net: *mut bindings::net,
    table: Table,
    key: [u64; 2],
    count: Atomic<i32>,
    settings: Arc<Settings>,
    defragmenter: Defragmenter,
    worker: Worker,
    /// How many events there have been that someone listened to.
    events: Atomic<u64>,
}

// SAFETY: The pointer to the namespace is only given to functions that may be called on any thread.
unsafe impl Send for Tracker {}
// SAFETY: As above.
unsafe impl Sync for Tracker {}

impl Tracker {
    /// Begins tracking in a namespace. May sleep.
    ///
    /// # Errors
    ///
    /// Another connection tracker is there; memory is short; IPv6 packets can't be put together.
    ///
    /// # Safety
    ///
    /// The namespace stays until this is dropped.
    pub(super) unsafe fn new(
        net: *mut bindings::net,
        settings: Arc<Settings>,
    ) -> Result<Arc<Self>, Refusal> {
        let mut key = [0; 2];
        for word in &mut key {
            // SAFETY: The function has no requirement.
            *word = unsafe { bindings::get_random_u64() };
        }
        let tracker = Self {
            net,
            table: Table::new()?,
            key,
            count: Atomic::new(0),
            settings,
            defragmenter: Defragmenter::new()?,
            worker: Worker::new()?,
            events: Atomic::new(0),
        };
        let tracker = Arc::new(tracker, GFP_KERNEL)?;
        provider::claim()?;
        // SAFETY: The tracker stays where it is, and stops the worker when it is dropped.
        unsafe { tracker.worker.start(&tracker) };
        Ok(tracker)
    }

    /// The namespace as C wants it.
    fn net(&self) -> *mut bindings::net {
        self.net
    }

    /// How many connections there are, in the table and on their way to it.
    fn count(&self) -> &Atomic<i32> {
        &self.count
    }

    /// Puts a packet together, if it is a fragment. With `by_interface`, of fragments that came in by the same one.
    #[inline]
    pub(super) fn defragment(
        &self,
        packet: &Packet<'_>,
        family: Family,
        hook: Hook,
        state: &bindings::nf_hook_state,
        by_interface: bool,
    ) -> Defragmented {
        self.defragmenter
            .defragment(packet, family, hook, state, by_interface)
    }

    /// What a flow of a zone is hashed by. Nobody can make two collide who does not know the key.
    #[inline]
    fn hash(&self, tuple: &Tuple, zone: u16) -> usize {
        let mut hash = SipHash::new(self.key);
        tuple.add_to(&mut hash, zone);
        hash.finish() as usize
    }

    /// The connection that a flow of packets in a zone is of, and its direction. The hash is that of the zone's first
    /// direction.
    #[inline]
    fn find(
        &self,
        tuple: &Tuple,
        zone: Zone,
        hash: usize,
        reader: &Reader<'_>,
    ) -> Option<(ARef<Connection>, Direction)> {
        let found = self.find_hashed(tuple, zone, hash, reader);
        if found.is_none() && zone.is_divided() {
            let hash = self.hash(tuple, zone.of(Direction::Reply));
            return self.find_hashed(tuple, zone, hash, reader);
        }
        found
    }

    #[inline]
    fn find_hashed(
        &self,
        tuple: &Tuple,
        zone: Zone,
        hash: usize,
        reader: &Reader<'_>,
    ) -> Option<(ARef<Connection>, Direction)> {
        let link = self.table.find(hash, reader, |link| {
            // SAFETY: It is in the table.
            let (connection, direction) = unsafe { Connection::of_link(link) };
            connection.has_flow(direction, tuple, zone) && connection.is_current()
        })?;
        // SAFETY: As above; a grace period has not passed, by the reader.
        let (connection, direction) = unsafe { Connection::of_link(link) };
        Some((connection.hold()?, direction))
    }

    /// See [`Source::is_open`](crate::engine::packet::Source::is_open).
    pub(super) fn is_open(&self, flow: &Tuple, zone: u16, reader: &Reader<'_>) -> bool {
        let link = self.table.find(self.hash(flow, zone), reader, |link| {
            // SAFETY: It is in the table.
            let (connection, direction) = unsafe { Connection::of_link(link) };
            direction == Direction::Original
                && connection.tuple(direction).is_flow(flow)
                && connection.zone().of(direction) == zone
                && connection.is_current()
        });
        link.is_some_and(|link| {
            // SAFETY: As above; a grace period has not passed, by the reader.
            let (connection, _) = unsafe { Connection::of_link(link) };
            !connection.with_machine(|machine| machine.is_over())
        })
    }

    /// Takes a connection out of the table and tells of it; `false` if somebody else did.
    pub(super) fn remove(&self, connection: &Connection) -> bool {
        let Some(connection) = self.take_out(connection) else {
            return false;
        };
        self.tell(Event::Destroy, &connection);
        true
    }

    /// Takes a connection out of the table, with the table's reference, if nobody else did.
    fn take_out(&self, connection: &Connection) -> Option<ARef<Connection>> {
        if !connection.is_confirmed() {
            return None;
        }
        let [there, back] = [Direction::Original, Direction::Reply].map(|way| connection.link(way));
        let locked = self.table.lock(there.hash(), back.hash());
        // Under the lock, so that nobody who has it meets a connection that is about to go.
        if connection.kill() {
            return None;
        }
        locked.remove(there);
        locked.remove(back);
        drop(locked);
        // SAFETY: It was in the table, by the bit that `confirm` sets, and is not any more: only one gets here, by
        // the bit that `kill` sets. So this is the table's reference.
        Some(unsafe { ARef::from_raw(NonNull::from(connection)) })
    }

    /// Makes room for a new connection where there is none: the next one in reach that never proved itself, or is over,
    /// goes. Whether there was one.
    #[cold]
    fn drop_early(&self, hash: usize, reader: &Reader<'_>) -> bool {
        for index in 0..SEARCHED_BUCKETS {
            let mut unproved = None;
            let index = hash.wrapping_add(index) & (self.table.buckets(reader) - 1);
            self.table.walk(index, reader, |link: &Link| {
                // SAFETY: It is in the table, or was: the reader is in a critical section.
                let (connection, _) = unsafe { Connection::of_link(link) };
                let proved = connection.status().has_some(Status::ASSURED)
                    && connection.left() > 0
                    && !connection.with_machine(|machine| machine.is_ending());
                if unproved.is_none() && !proved && !connection.is_dying() {
                    unproved = connection.hold();
                }
            });
            if unproved.is_some_and(|connection| self.remove(&connection)) {
                return true;
            }
        }
        false
    }

    /// Whether one connection more may be.
    fn has_room(&self, hash: usize, reader: &Reader<'_>) -> bool {
        let count = self.count.load(Relaxed).unsigned_abs();
        count < self.settings.get(Setting::Max) || self.drop_early(hash, reader)
    }

    /// Says in the log that there is no room, unless too much is written already. Nothing is locked.
    #[cold]
    fn tell_full(&self) {
        // SAFETY: The namespace is there as long as this; its number does not change, and is where it says.
        let number = unsafe {
            self.net
                .cast_const()
                .wrapping_byte_add(bindings::CONST_NET_INUM)
                .cast::<u32>()
                .read()
        };
        // SAFETY: The function has no requirement.
        if unsafe { bindings::net_ratelimit() } != 0 {
            // The words that those who watch logs look for.
            kernel::pr_warn!("nf_conntrack: table full in netns {number}, dropping packet\n");
        }
    }

    /// How the table is.
    pub(super) fn stats(&self) -> Stats {
        Stats {
            count: self.count.load(Relaxed).unsigned_abs(),
            limit: self.settings.get(Setting::Max),
            buckets: super::rcu::read(|reader| self.table.buckets(reader)) as u32,
        }
    }

    /// The connections of a part of the table, of which there are [`PARTS`]: all that are there for as long as this
    /// takes, each once in all parts. May sleep.
    pub(super) fn part(&self, part: usize) -> Result<KVVec<ARef<Connection>>, AllocError> {
        let mut found = KVVec::new();
        loop {
            let mut more = 0usize;
            self.table.lock(part, part).each(|link| {
                // SAFETY: It is in the table.
                let (connection, direction) = unsafe { Connection::of_link(link) };
                if direction == Direction::Reply || connection.left() <= 0 {
                    return;
                }
                if let Some(connection) = connection.hold() {
                    // Nothing is allocated under the lock.
                    let dropped = found.push_within_capacity(connection).is_err();
                    more = more.saturating_add(dropped.into());
                }
            });
            if more == 0 {
                return Ok(found);
            }
            let room = found.len().saturating_add(more);
            found.clear();
            found.reserve(room.saturating_add(room / 8), GFP_KERNEL)?;
        }
    }

    /// Goes on tracking packets of a family after some may have passed unseen. None of them is tracked yet. May sleep.
    pub(super) fn resume(&self, family: Family) {
        for part in 0..PARTS {
            self.table.lock(part, part).each(|link| {
                // SAFETY: It is in the table.
                let (connection, direction) = unsafe { Connection::of_link(link) };
                let tuple = connection.tuple(direction);
                if direction == Direction::Original && tuple.family == family as u16 {
                    connection.with_machine(Machine::resume);
                }
            });
            // SAFETY: Nothing is locked.
            unsafe { bindings::shim_cond_resched() };
        }
    }

    /// Takes all connections out of the table. Tells nobody: the namespace ends, or the module goes. May sleep.
    fn clear(&self) {
        let mut index = 0;
        loop {
            let Some(()) = super::rcu::read(|reader| {
                (index < self.table.buckets(reader)).then(|| {
                    self.table.walk(index, reader, |link| {
                        // SAFETY: As in `drop_early`.
                        let (connection, _) = unsafe { Connection::of_link(link) };
                        drop(self.take_out(connection));
                    });
                })
            }) else {
                return;
            };
            index += 1;
        }
    }
}

impl Drop for Tracker {
    /// Waits for the packets that still carry a connection: in a queue of a program's, or of an interface's. No hook
    /// finds this any more. May sleep.
    fn drop(&mut self) {
        self.worker.stop();
        self.clear();
        let mut waits = 0u32;
        while self.count.load(Acquire) != 0 {
            if waits % 1000 == 999 {
                let count = self.count.load(Relaxed);
                kernel::pr_warn!("waiting for packets that carry a connection still, of {count}\n");
            }
            waits = waits.wrapping_add(1);
            // SAFETY: Nothing is locked.
            unsafe { bindings::msleep(10) };
            self.clear();
        }
    }
}

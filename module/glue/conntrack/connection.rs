// SPDX-License-Identifier: GPL-2.0
//! One connection: the kernel's `struct nf_conn`, and what the engine remembers of it.
//!
//! A packet carries its connection in `skb->_nfct`, a pointer with what the packet is to it in the low bits. Parts of the
//! kernel that know nothing of us follow that pointer (br_netfilter, nfnetlink_queue, cls_flow), so what it leads to is a
//! real `struct nf_conn` whose fields say what they are meant to say. Its reference count is the connection's: one for
//! the table, one for every packet. A connection ends a grace period after the last of them.

use super::super::bindings;
use super::table::Link;
use super::Tracker;
use crate::engine::conntrack::{Direction, Machine, Tuple, Zone};
use crate::engine::packet::Status;
use crate::engine::rules::Counters;
use crate::uapi::event::Event;
use core::cell::UnsafeCell;
use core::mem::{align_of, offset_of, size_of};
use core::ptr::{self, NonNull};
use kernel::error::{code::ENOMEM, Result};
use kernel::sync::aref::{ARef, AlwaysRefCounted};
use kernel::sync::atomic::ordering::{Acquire, Full, Relaxed, Release};
use kernel::sync::atomic::Atomic;
use kernel::types::Opaque;

/// A direction of a connection in the table: `struct nf_conntrack_tuple_hash`.
#[repr(C)]
struct Way {
    link: Link,
    tuple: Tuple,
}

const _: () = {
    type Kernels = bindings::nf_conntrack_tuple_hash;
    assert!(size_of::<Way>() == size_of::<Kernels>());
    assert!(align_of::<Way>() == align_of::<Kernels>());
    assert!(offset_of!(Way, tuple) == offset_of!(Kernels, tuple));
    type Man = bindings::nf_conntrack_man;
    assert!(offset_of!(Tuple, source_id) == offset_of!(Man, u));
    assert!(offset_of!(Tuple, family) == offset_of!(Man, l3num));
    assert!(offset_of!(Tuple, destination) == size_of::<Man>());
    assert!(offset_of!(Tuple, protocol) == bindings::CONST_TUPLE_PROTOCOL);
    assert!(offset_of!(Tuple, direction) == bindings::CONST_TUPLE_DIRECTION);
    // skb->_nfct has three bits for what a packet is to its connection, and finds the connection at its beginning.
    assert!(align_of::<Connection>() > INFO_MASK);
    assert!(offset_of!(bindings::nf_conn, ct_general) == 0);
};

/// The bits of `skb->_nfct` that are not the pointer (NFCT_INFOMASK).
pub(super) const INFO_MASK: usize = 7;

/// Set once the connection is not to be found any more (IPS_DYING).
const DYING: usize = 1 << 9;
const CONFIRMED: usize = Status::CONFIRMED.0 as usize;

/// The directions that the kernel's zones hold for (NF_CT_ZONE_DIR_ORIG, NF_CT_ZONE_DIR_REPL).
#[cfg(CONFIG_NF_CONNTRACK_ZONES)]
const ORIGINAL_ONLY: u8 = 1 << Direction::Original as u8;
#[cfg(CONFIG_NF_CONNTRACK_ZONES)]
const REPLY_ONLY: u8 = 1 << Direction::Reply as u8;

/// A zone as the kernel has it.
#[cfg(CONFIG_NF_CONNTRACK_ZONES)]
fn kernels(zone: Zone) -> bindings::nf_conntrack_zone {
    bindings::nf_conntrack_zone {
        id: zone.id,
        flags: 0,
        dir: match zone.direction {
            Some(Direction::Original) => ORIGINAL_ONLY,
            Some(Direction::Reply) => REPLY_ONLY,
            None => ORIGINAL_ONLY | REPLY_ONLY,
        },
    }
}

/// A connection.
///
/// # Invariants
///
/// Tuples and zone do not change once a packet carries it. `machine` is only touched under the lock in `conn`, unless
/// it never changes ([`Machine::changes`]). `tracker` is
/// there as long as this, for it counts its connections.
#[repr(C)]
pub(in super::super) struct Connection {
    conn: Opaque<bindings::nf_conn>,
    tracker: *const Tracker,
    reclaim: Opaque<bindings::shim_reclaim>,
    /// Packets and bytes by direction, as far as they were counted.
    counters: [[Atomic<u64>; 2]; 2],
    machine: UnsafeCell<Machine>,
}

// SAFETY: By the invariants everything that changes is atomic or under a lock.
unsafe impl Send for Connection {}
// SAFETY: As above.
unsafe impl Sync for Connection {}

// SAFETY: The count is that of `struct nf_conntrack`, at whose end the connection is given back.
unsafe impl AlwaysRefCounted for Connection {
    fn inc_ref(&self) {
        // SAFETY: There is a connection, so its count is not zero.
        unsafe { bindings::shim_conntrack_get(self.conn.get().cast()) };
    }

    unsafe fn dec_ref(this: NonNull<Self>) {
        // SAFETY: The caller gives up a reference.
        unsafe { bindings::shim_conntrack_put(this.as_ptr().cast()) };
    }
}

impl Connection {
    /// A connection that no packet carries yet, and that is not in the table. `None` when memory is short. Does not
    /// sleep.
    pub(super) fn new(
        tracker: &Tracker,
        zone: Zone,
        tuples: [Tuple; 2],
        hashes: [usize; 2],
        (machine, timeout): (Machine, u32),
    ) -> Option<ARef<Self>> {
        // SAFETY: Trackers live no longer than the cache.
        let place = unsafe { bindings::shim_cache_alloc(CACHE.load(Relaxed)) };
        let place = NonNull::new(place.cast::<Self>())?;
        let this = place.as_ptr();
        // SAFETY: The memory is ours, large enough, and all zeros, which is a value of all that is not set here.
        unsafe { bindings::shim_connection_init(this.cast(), tracker.net()) };
        // SAFETY: As above.
        unsafe { (&raw mut (*this).tracker).write(tracker) };
        // SAFETY: As above.
        unsafe { (&raw mut (*this).machine).write(UnsafeCell::new(machine)) };
        #[cfg(CONFIG_NF_CONNTRACK_ZONES)]
        // SAFETY: As above; it begins with its `struct nf_conn`.
        unsafe {
            (&raw mut (*this.cast::<bindings::nf_conn>()).zone).write(kernels(zone))
        };
        // SAFETY: As above; all fields have a value by now.
        let connection = unsafe { &*this };
        connection.timeout().store(timeout, Relaxed);
        for (direction, (tuple, hash)) in DIRECTIONS.into_iter().zip(tuples.into_iter().zip(hashes))
        {
            let way = connection.way(direction).cast_mut();
            // SAFETY: Nobody else knows of the connection.
            unsafe { (&raw mut (*way).tuple).write(tuple) };
            connection.link(direction).set_hash(hash);
        }
        tracker.count().add(1, Relaxed);
        // SAFETY: `shim_connection_init` made the count one, which is this reference.
        Some(unsafe { ARef::from_raw(place) })
    }

    fn way(&self, direction: Direction) -> *const Way {
        let conn = self.conn.get();
        // SAFETY: The place is inside of the structure.
        let ways = unsafe { &raw const (*conn).tuplehash };
        ways.cast::<Way>().wrapping_add(direction as usize)
    }

    /// The connection's place in the table for a direction.
    #[inline]
    pub(super) fn link(&self, direction: Direction) -> &Link {
        // SAFETY: It is a part of the connection, and all of it is atomic.
        unsafe { &(*self.way(direction)).link }
    }

    /// The connection and the direction that a link of the table is of.
    ///
    /// # Safety
    ///
    /// The link is in a table of connections, or was and a grace period has not passed.
    #[inline]
    pub(super) unsafe fn of_link(link: &Link) -> (&Self, Direction) {
        let way = ptr::from_ref(link).cast::<Way>();
        // SAFETY: The caller says that this is a direction of a connection.
        let direction = unsafe { (*way).tuple.direction };
        let first = way.wrapping_sub(direction as usize);
        let conn = first.wrapping_byte_sub(offset_of!(bindings::nf_conn, tuplehash));
        // SAFETY: As above, and the connection begins with its `struct nf_conn`.
        (unsafe { &*conn.cast::<Self>() }, direction)
    }

    /// What packets of a direction look like.
    #[inline]
    pub(in super::super) fn tuple(&self, direction: Direction) -> &Tuple {
        // SAFETY: It is a part of the connection, and does not change by the invariants.
        unsafe { &(*self.way(direction)).tuple }
    }

    /// Whether packets of a direction are such a flow, in such a zone.
    #[inline]
    pub(super) fn has_flow(&self, direction: Direction, tuple: &Tuple, zone: Zone) -> bool {
        self.tuple(direction).is_flow(tuple) && self.zone().of(direction) == zone.of(direction)
    }

    /// The zone that the connection is in.
    #[cfg(CONFIG_NF_CONNTRACK_ZONES)]
    #[inline]
    pub(super) fn zone(&self) -> Zone {
        let conn = self.conn.get();
        // SAFETY: It is a part of the connection, and does not change after `new`.
        let bindings::nf_conntrack_zone { id, dir, .. } = unsafe { (*conn).zone };
        let direction = match dir {
            ORIGINAL_ONLY => Some(Direction::Original),
            REPLY_ONLY => Some(Direction::Reply),
            _ => None,
        };
        Zone { id, direction }
    }

    /// Where the kernel has no zones no rule speaks of them.
    #[cfg(not(CONFIG_NF_CONNTRACK_ZONES))]
    pub(super) fn zone(&self) -> Zone {
        Zone::NONE
    }

    /// When the connection is over, in jiffies; before it is confirmed, how long after that.
    fn timeout(&self) -> &Atomic<u32> {
        let conn = self.conn.get();
        // SAFETY: The field is a part of the connection, and nobody takes it otherwise.
        unsafe { Atomic::from_ptr(&raw mut (*conn).timeout) }
    }

    fn status_word(&self) -> &Atomic<usize> {
        let conn = self.conn.get();
        // SAFETY: As above.
        unsafe { Atomic::from_ptr(&raw mut (*conn).status) }
    }

    /// The connection's mark, which rules give it.
    #[cfg(CONFIG_NF_CONNTRACK_MARK)]
    pub(in super::super) fn mark(&self) -> &Atomic<u32> {
        let conn = self.conn.get();
        // SAFETY: As above.
        unsafe { Atomic::from_ptr(&raw mut (*conn).mark) }
    }

    /// What has become of the connection.
    #[inline]
    pub(in super::super) fn status(&self) -> Status {
        Status(self.status_word().load(Relaxed) as u32)
    }

    /// Sets bits of the status; whether all were set before. Writes only if they were not.
    #[inline]
    fn set(&self, bits: usize) -> bool {
        let word = self.status_word();
        let mut old = word.load(Acquire);
        loop {
            if old & bits == bits {
                return true;
            }
            match word.cmpxchg(old, old | bits, Full) {
                Ok(_) => return false,
                Err(now) => old = now,
            }
        }
    }

    /// Notes that packets have gone both ways; whether that is news.
    #[inline]
    pub(super) fn set_seen_reply(&self) -> bool {
        !self.set(Status::SEEN_REPLY.0 as usize)
    }

    /// Notes that the connection has proved itself; whether that is news.
    #[inline]
    pub(super) fn set_assured(&self) -> bool {
        !self.set(Status::ASSURED.0 as usize)
    }

    /// Whether the connection is in the table, or was.
    #[inline]
    pub(super) fn is_confirmed(&self) -> bool {
        self.status_word().load(Acquire) & CONFIRMED != 0
    }

    /// Begins the connection's time, before it goes into the table.
    pub(super) fn confirm(&self) {
        let timeout = self.timeout().load(Relaxed);
        self.timeout().store(now().wrapping_add(timeout), Relaxed);
        self.set(CONFIRMED);
    }

    /// Says that nobody is to find the connection any more; whether somebody had said so before.
    pub(super) fn kill(&self) -> bool {
        self.set(DYING)
    }

    /// Whether nobody is to find the connection any more.
    #[inline]
    pub(super) fn is_dying(&self) -> bool {
        self.status_word().load(Relaxed) & DYING != 0
    }

    /// Whether packets find the connection: it is not over, and nobody is about to take it out of the table. It is
    /// confirmed.
    #[inline]
    pub(super) fn is_current(&self) -> bool {
        !self.is_dying() && self.left() > 0
    }

    /// How long the connection has to live, in jiffies, if no packet comes; not above zero when it is over. It is
    /// confirmed.
    #[inline]
    pub(super) fn left(&self) -> i32 {
        self.timeout().load(Relaxed).wrapping_sub(now()) as i32
    }

    /// The same in seconds, and zero when it is over; before it is confirmed, what it begins with.
    pub(super) fn seconds_left(&self) -> u32 {
        let left = if self.is_confirmed() {
            self.left()
        } else {
            self.timeout().load(Relaxed) as i32
        };
        left.max(0) as u32 / bindings::CONST_HZ
    }

    /// Lets the connection live for so many jiffies from now, be it more or less than it had. Packets of one second all write the same, so that the
    /// line is not taken from other CPUs for each.
    #[inline]
    pub(super) fn refresh(&self, jiffies: u32) {
        if !self.is_confirmed() {
            self.timeout().store(jiffies, Relaxed);
            return;
        }
        let end = now().wrapping_add(jiffies);
        let gain = end.wrapping_sub(self.timeout().load(Relaxed));
        if gain >= bindings::CONST_HZ {
            self.timeout().store(end, Relaxed);
        }
    }

    /// Who keeps the connection.
    pub(super) fn tracker(&self) -> &Tracker {
        // SAFETY: By the invariants it is there.
        unsafe { &*self.tracker }
    }

    /// Counts a packet.
    pub(super) fn count(&self, direction: Direction, bytes: u32) {
        let [original, reply] = &self.counters;
        let [packets, all] = match direction {
            Direction::Original => original,
            Direction::Reply => reply,
        };
        packets.add(1, Relaxed);
        all.add(bytes.into(), Relaxed);
    }

    /// What was counted, by direction; `None` if nothing was.
    pub(in super::super) fn counters(&self) -> Option<[Counters; 2]> {
        let counters = self.counters.each_ref().map(|[packets, bytes]| Counters {
            packets: packets.load(Relaxed),
            bytes: bytes.load(Relaxed),
        });
        let counted = counters.iter().any(|counters| counters.packets != 0);
        counted.then_some(counters)
    }

    /// Does something with what the engine remembers of the connection, while nobody else does.
    #[inline]
    pub(super) fn with_machine<R>(&self, body: impl FnOnce(&mut Machine) -> R) -> R {
        if !Machine::changes(self.tuple(Direction::Original).protocol) {
            // SAFETY: By the invariants nobody writes to it.
            let mut machine = unsafe { self.machine.get().read() };
            return body(&mut machine);
        }
        let conn = self.conn.get();
        // SAFETY: The lock was made by `shim_connection_init`.
        unsafe { bindings::shim_spin_lock_bh(&raw mut (*conn).lock) };
        // SAFETY: By the invariants, and the lock is held.
        let result = body(unsafe { &mut *self.machine.get() });
        // SAFETY: The lock is held, on this CPU.
        unsafe { bindings::shim_spin_unlock_bh(&raw mut (*conn).lock) };
        result
    }

    /// Ends the connection, because this machine resets it.
    pub(super) fn close(&self) {
        let settings = &self.tracker().settings;
        if let Some(seconds) = self.with_machine(|machine| machine.close(settings)) {
            self.refresh(jiffies(seconds));
            if self.is_confirmed() {
                self.tracker().tell(Event::Update, self);
            }
        }
    }

    /// A reference to the connection, if it does not end right now.
    #[inline]
    pub(super) fn hold(&self) -> Option<ARef<Self>> {
        // SAFETY: The memory is a connection's, alive or not: whoever has a reference to it is in a critical section.
        let held = unsafe { bindings::shim_conntrack_try_get(self.conn.get().cast()) };
        // SAFETY: The count has just been raised.
        held.then(|| unsafe { ARef::from_raw(NonNull::from(self)) })
    }

    /// How many references to the connection there are.
    pub(super) fn uses(&self) -> u32 {
        let conn = self.conn.get();
        // SAFETY: The count is a part of the connection, and everybody changes it as an atomic.
        let count = unsafe { Atomic::from_ptr(&raw mut (*conn).ct_general.use_.refs.counter) };
        let count: &Atomic<i32> = count;
        count.load(Relaxed).unsigned_abs()
    }

    /// The connection's number in messages, from what does not change in its life and does not tell where it lies.
    pub(in super::super) fn id(&self) -> u32 {
        // SAFETY: The tuple is there, and as long as it says.
        unsafe { bindings::shim_connection_id(self.conn.get()) }
    }

    /// Gives the connection back. A reader may still stand on it.
    ///
    /// # Safety
    ///
    /// Its count is zero.
    pub(super) unsafe fn free(this: NonNull<Self>) {
        // SAFETY: The memory is there until it is freed below.
        let connection = unsafe { this.as_ref() };
        let tracker = connection.tracker;
        if connection.is_confirmed() {
            let reclaim = connection.reclaim.get();
            // SAFETY: No reference is left, and readers are waited for. The place for RCU is the connection's own.
            unsafe { bindings::shim_free_rcu(this.as_ptr().cast(), reclaim) };
        } else {
            // It never was in the table, so no reader stands on it; a flood of packets that rules drop is made of these.
            // SAFETY: No reference is left, and it came from there.
            unsafe { bindings::shim_cache_free(CACHE.load(Relaxed), this.as_ptr().cast()) };
        }
        // SAFETY: The tracker waits until this connection has been counted off, which is our last use of it.
        unsafe { (*tracker).count() }.fetch_add(-1, Release);
    }
}

/// The directions in the order of their numbers.
const DIRECTIONS: [Direction; 2] = [Direction::Original, Direction::Reply];

/// The time in jiffies, as the kernel takes it for connections.
#[inline]
pub(super) fn now() -> u32 {
    // SAFETY: The kernel's counter is always there, and changes under everybody's eyes.
    unsafe { (&raw const bindings::jiffies).read_volatile() as u32 }
}

/// The time in milliseconds since some moment; it wraps around.
#[inline]
pub(super) fn milliseconds() -> u32 {
    let milliseconds = u64::from(now()) * 1000 / u64::from(bindings::CONST_HZ);
    milliseconds as u32
}

/// Seconds in jiffies, as far as a connection can live: comparisons of times wrap around at 2^31.
#[inline]
pub(super) fn jiffies(seconds: u32) -> u32 {
    seconds
        .saturating_mul(bindings::CONST_HZ)
        .min(i32::MAX as u32)
}

/// Where the memory of connections comes from, while the module is loaded.
static CACHE: Atomic<*mut bindings::kmem_cache> = Atomic::new(ptr::null_mut());

/// The memory of connections, which trackers may use as long as this is there.
pub(super) struct Cache(());

impl Cache {
    /// May sleep. There is one only.
    pub(super) fn create() -> Result<Self> {
        let size = size_of::<Connection>() as u32;
        // SAFETY: The function has no requirement.
        let cache = unsafe { bindings::shim_cache_create(size, align_of::<Connection>() as u32) };
        if cache.is_null() {
            return Err(ENOMEM);
        }
        CACHE.store(cache, Relaxed);
        Ok(Self(()))
    }
}

impl Drop for Cache {
    /// No connection is left. Waits for those whose grace period has not passed. May sleep.
    fn drop(&mut self) {
        // SAFETY: `create` has made it, and the trackers, which alone use it, have gone.
        unsafe { bindings::kmem_cache_destroy(CACHE.xchg(ptr::null_mut(), Relaxed)) };
    }
}

// SPDX-License-Identifier: GPL-2.0
//! The kernel's connection tracker is ours: what other parts of it call with a packet that carries a connection.
//!
//! There is one for all namespaces (`nf_ct_hook`), and nothing keeps two of them from taking the place from one another. So
//! ours is taken when the first rules need it and nobody else has it, and from then on nf_conntrack, which would take
//! it without asking, is not let in.

use super::super::bindings;
use super::super::rcu;
use super::super::refusal::Refusal;
use super::super::skb::Packet;
use super::connection::{Cache, Connection};
use super::packets;
use crate::alloc::{KBox, GFP_KERNEL};
use crate::engine::conntrack::Tuple;
use core::ptr::{self, NonNull};
use kernel::error::{to_result, Result};
use kernel::ffi::{c_int, c_ulong, c_void};
use kernel::str::{CStr, CStrExt as _};
use kernel::sync::atomic::ordering::{Acquire, Full, Release};
use kernel::sync::atomic::Atomic;
use kernel::types::Opaque;

/// What the kernel calls.
static FUNCTIONS: bindings::nf_ct_hook = bindings::nf_ct_hook {
    update: Some(update),
    destroy: Some(destroy),
    get_tuple_skb: Some(get_tuple),
    attach: Some(attach),
    set_closing: Some(set_closing),
    confirm: Some(confirm),
    get_id: Some(get_id),
};

/// The kernel's place for a connection tracker.
fn place() -> &'static Atomic<*const bindings::nf_ct_hook> {
    // SAFETY: The kernel's variable is always there, and written as a whole.
    unsafe { Atomic::from_ptr(&raw mut bindings::nf_ct_hook) }
}

/// Becomes the kernel's connection tracker, if it is not already.
///
/// # Errors
///
/// Another one is there.
pub(super) fn claim() -> Result<(), Refusal> {
    let refused = || {
        let what = "nf_conntrack tracks connections already: rmmod it, and what uses it, first";
        Err(Refusal::new(bindings::EBUSY, what))
    };
    match place().cmpxchg(ptr::null(), &raw const FUNCTIONS, Full) {
        // It may have been let in just before, and not have taken the place yet: `on_module` says so before it looks
        // whose place it is, and we take the place before we look whether it said so.
        Ok(_) if OTHER.load(Acquire) => {
            let _ = place().cmpxchg(&raw const FUNCTIONS, ptr::null(), Full);
            refused()
        }
        Err(other) if !ptr::eq(other, &FUNCTIONS) => refused(),
        _ => Ok(()),
    }
}

/// Whether nf_conntrack is there, or on its way.
static OTHER: Atomic<bool> = Atomic::new(false);

/// Whether the kernel's connection tracker is ours.
fn is_ours() -> bool {
    ptr::eq(place().load(Acquire), &FUNCTIONS)
}

/// The right to track connections, while the module is loaded.
pub(crate) struct Provider {
    notifier: KBox<Opaque<bindings::notifier_block>>,
    _cache: Cache,
}

// SAFETY: The notifier is the kernel's from registration on, and it may be undone on any thread.
unsafe impl Send for Provider {}
// SAFETY: There is nothing to do with a shared reference.
unsafe impl Sync for Provider {}

impl Provider {
    /// Prepares for trackers. May sleep.
    pub(crate) fn register() -> Result<Self> {
        let cache = Cache::create()?;
        let block = bindings::notifier_block {
            notifier_call: Some(on_module),
            ..Default::default()
        };
        let notifier = KBox::new(Opaque::new(block), GFP_KERNEL)?;
        // SAFETY: The block is on the heap and stays there until `drop` has undone this.
        to_result(unsafe { bindings::register_module_notifier(notifier.get()) })?;
        Ok(Self {
            notifier,
            _cache: cache,
        })
    }
}

impl Drop for Provider {
    /// No tracker is left, and so no connection. May sleep.
    fn drop(&mut self) {
        if is_ours() {
            place().store(ptr::null(), Release);
        }
        rcu::synchronize();
        // SAFETY: `register` registered it.
        unsafe { bindings::unregister_module_notifier(self.notifier.get()) };
    }
}

/// Keeps nf_conntrack out while we are the tracker.
///
/// # Safety
///
/// Called by the kernel only, with a module as `data`.
unsafe extern "C" fn on_module(
    _: *mut bindings::notifier_block,
    event: c_ulong,
    module: *mut c_void,
) -> c_int {
    let name = module.wrapping_byte_add(bindings::CONST_MODULE_NAME);
    // SAFETY: The module's name is there, and ends with a zero byte.
    let name = unsafe { CStr::from_char_ptr(name.cast()) };
    if name != c"nf_conntrack" {
        return bindings::NOTIFY_DONE as c_int;
    }
    if event == bindings::CONST_MODULE_STATE_COMING as c_ulong {
        OTHER.xchg(true, Full);
        if is_ours() {
            OTHER.store(false, Release);
            kernel::pr_warn!("nf_conntrack not loaded: oxtables tracks connections (oxtables unload ends that)\n");
            return bindings::CONST_NOTIFY_BUSY;
        }
    } else if event == bindings::CONST_MODULE_STATE_GOING as c_ulong {
        OTHER.store(false, Release);
    }
    bindings::NOTIFY_DONE as c_int
}

/// The packet of a function below.
///
/// # Safety
///
/// The caller may use the packet for `'a`.
unsafe fn packet<'a>(skb: *const bindings::sk_buff) -> Option<Packet<'a>> {
    // SAFETY: The caller may use it.
    NonNull::new(skb.cast_mut()).map(|skb| unsafe { Packet::new(skb) })
}

/// A packet comes back that a program let pass.
///
/// # Safety
///
/// Called by the kernel only.
unsafe extern "C" fn update(_: *mut bindings::net, _: *mut bindings::sk_buff) -> c_int {
    bindings::NF_ACCEPT as c_int
}

/// The last reference to a connection is gone.
///
/// # Safety
///
/// Called by the kernel only.
unsafe extern "C" fn destroy(conntrack: *mut bindings::nf_conntrack) {
    if let Some(connection) = NonNull::new(conntrack.cast::<Connection>()) {
        // SAFETY: The kernel calls this when the count has become zero.
        unsafe { Connection::free(connection) };
    }
}

/// Tells what the packets of a packet's connection look like.
///
/// # Safety
///
/// Called by the kernel only.
unsafe extern "C" fn get_tuple(
    to: *mut bindings::nf_conntrack_tuple,
    skb: *const bindings::sk_buff,
) -> bool {
    // SAFETY: The caller lends the packet.
    let packet = unsafe { packet(skb) };
    let Some((connection, way)) = packet.as_ref().and_then(packets::carried) else {
        return false;
    };
    let Some(direction) = way.direction() else {
        return false;
    };
    // SAFETY: The caller has room for a tuple, which ours is laid out as.
    unsafe { to.cast::<Tuple>().write(*connection.tuple(direction)) };
    true
}

/// A packet was made because of another: an error, or a reset.
///
/// # Safety
///
/// Called by the kernel only.
unsafe extern "C" fn attach(new: *mut bindings::sk_buff, skb: *const bindings::sk_buff) {
    // SAFETY: The caller lends the packets.
    let new = unsafe { packet(new) };
    // SAFETY: As above.
    let old = unsafe { packet(skb) };
    if let (Some(new), Some(old)) = (new, old) {
        packets::relate(&new, &old);
    }
}

/// A connection was reset by this machine.
///
/// # Safety
///
/// Called by the kernel only.
unsafe extern "C" fn set_closing(conntrack: *mut bindings::nf_conntrack) {
    // SAFETY: The caller has a reference.
    if let Some(connection) = unsafe { conntrack.cast::<Connection>().as_ref() } {
        connection.close();
    }
}

/// A packet is about to be cloned that begins a connection.
///
/// # Safety
///
/// Called by the kernel only, in a read-side critical section.
unsafe extern "C" fn confirm(skb: *mut bindings::sk_buff) -> c_int {
    // SAFETY: The packet is the caller's.
    let packet = unsafe { packet(skb) };
    let verdict = match packet.as_ref().map(packets::confirm) {
        Some(Err(_)) => bindings::NF_DROP,
        _ => bindings::NF_ACCEPT,
    };
    verdict as c_int
}

/// A connection's number.
///
/// # Safety
///
/// Called by the kernel only.
unsafe extern "C" fn get_id(conntrack: *const bindings::nf_conntrack) -> u32 {
    // SAFETY: The caller has a reference.
    unsafe { conntrack.cast::<Connection>().as_ref() }.map_or(0, Connection::id)
}

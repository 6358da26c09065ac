// SPDX-License-Identifier: GPL-2.0
//! All network namespaces: each gets its state when it begins, and gives it back when it ends.

use super::bindings;
use super::namespace::Namespace;
use crate::alloc::{KBox, GFP_KERNEL};
use core::mem::size_of;
use core::pin::Pin;
use kernel::error::{from_result, to_result, Result};
use kernel::ffi::c_int;
use kernel::init::InPlaceInit as _;
use kernel::sync::atomic::ordering::Relaxed;
use kernel::sync::atomic::Atomic;
use kernel::types::Opaque;

/// Where in every `struct net` the core keeps our pointer; the core writes it at registration.
static ID: Atomic<u32> = Atomic::new(0);

/// The registration with the core of the network stack. While it lives, every namespace has its
/// state.
pub(crate) struct Namespaces(KBox<Opaque<bindings::pernet_operations>>);

// SAFETY: The operations are the core's from registration on, and it may be undone on any thread.
unsafe impl Send for Namespaces {}
// SAFETY: There is nothing to do with a shared reference.
unsafe impl Sync for Namespaces {}

impl Namespaces {
    /// Gives a state to every namespace there is, and to those to come. May sleep.
    pub(crate) fn register() -> Result<Self> {
        let operations = bindings::pernet_operations {
            init: Some(init),
            pre_exit: Some(pre_exit),
            exit: Some(exit),
            id: ID.as_ptr(),
            size: size_of::<*mut Namespace>(),
            ..Default::default()
        };
        let operations = KBox::new(Opaque::new(operations), GFP_KERNEL)?;
        // SAFETY: The operations are on the heap and stay there until `drop` has undone this.
        to_result(unsafe { bindings::register_pernet_subsys(operations.get()) })?;
        Ok(Self(operations))
    }
}

impl Drop for Namespaces {
    /// Takes the state of all namespaces away. Waits for packets. May sleep.
    fn drop(&mut self) {
        // SAFETY: `register` registered these.
        unsafe { bindings::unregister_pernet_subsys(self.0.get()) };
    }
}

/// The state of a namespace.
///
/// # Safety
///
/// `net` is a namespace that is alive during `'a`, and the registration exists as long.
pub(super) unsafe fn state<'a>(net: *mut bindings::net) -> &'a Namespace {
    // SAFETY: The namespace is alive, so `init` has been called for it and `exit` has not.
    let place = unsafe { place(net) };
    // SAFETY: `init` put a pointer there.
    let state = unsafe { *place };
    // SAFETY: What it points to stays until `exit`, and is not moved.
    unsafe { &*state }
}

/// Where the pointer to a namespace's state is kept.
///
/// # Safety
///
/// The core has made the place and not freed it yet, which it does around `init` and after `exit`.
unsafe fn place(net: *mut bindings::net) -> *mut *mut Namespace {
    // SAFETY: The caller vouches for it.
    unsafe { bindings::shim_net_generic(net, ID.load(Relaxed)) }.cast()
}

/// Called for every namespace that begins, before anything else can use it.
///
/// # Safety
///
/// Called by the core only.
unsafe extern "C" fn init(net: *mut bindings::net) -> c_int {
    from_result(|| {
        let state = KBox::pin_init(Namespace::new(net), GFP_KERNEL)?;
        // SAFETY: The state stays pinned: nothing is ever moved out of the place.
        let state = KBox::into_raw(unsafe { Pin::into_inner_unchecked(state) });
        // SAFETY: The core made the place before it called this.
        let place = unsafe { place(net) };
        // SAFETY: Nobody else knows of the place yet.
        unsafe { place.write(state) };
        Ok(0)
    })
}

/// Called for every namespace that ends; after all, the core waits for a grace period.
///
/// # Safety
///
/// Called by the core only.
unsafe extern "C" fn pre_exit(net: *mut bindings::net) {
    // SAFETY: `exit` comes after this.
    unsafe { state(net) }.leave();
}

/// Called after a grace period has passed since `pre_exit`.
///
/// # Safety
///
/// Called by the core only.
unsafe extern "C" fn exit(net: *mut bindings::net) {
    // SAFETY: The core frees the place after this.
    let place = unsafe { place(net) };
    // SAFETY: `init` put a pointer there.
    let state = unsafe { place.read() };
    // SAFETY: `init` made it of a box. Its hooks are gone and a grace period has passed, so no
    // packet is inside; sockets of the namespace, through which netlink could reach it, are gone as
    // well.
    drop(unsafe { KBox::from_raw(state) });
}

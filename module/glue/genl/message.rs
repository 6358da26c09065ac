// SPDX-License-Identifier: GPL-2.0
//! Messages that the kernel sends.

use super::Group;
use crate::alloc::AllocError;
use crate::glue::bindings;
use crate::glue::namespace::Namespace;
use crate::uapi::attr::{Full, Writer};
use crate::uapi::Command;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use kernel::ffi::{c_int, c_uint, c_void};

/// What stands before the attributes of a message.
#[derive(Clone, Copy)]
pub(super) struct Header<'a> {
    pub(super) family: &'a bindings::genl_family,
    /// The port that the message goes to; zero for all who listen.
    pub(super) port: u32,
    /// The number of the request that is answered; zero where none is.
    pub(super) sequence: u32,
    pub(super) flags: c_int,
    pub(super) command: u8,
}

impl<'a> Header<'a> {
    /// That of a message that nobody asked for, to all who listen.
    pub(super) const fn news(family: &'a bindings::genl_family, command: Command) -> Self {
        Self {
            family,
            port: 0,
            sequence: 0,
            flags: 0,
            command: command as u8,
        }
    }

    /// Writes a message to a buffer; `false` when it does not fit.
    ///
    /// # Safety
    ///
    /// `skb` is a valid buffer for netlink messages that nobody else uses.
    pub(super) unsafe fn put(&self, skb: NonNull<bindings::sk_buff>, attributes: &[u8]) -> bool {
        let Self {
            family,
            port,
            sequence,
            flags,
            command,
        } = *self;
        // SAFETY: The caller vouches for the buffer; the function checks the room in it.
        let header =
            unsafe { bindings::genlmsg_put(skb.as_ptr(), port, sequence, family, flags, command) };
        if header.is_null() {
            return false;
        }
        let (Ok(len), data) = (c_int::try_from(attributes.len()), attributes.as_ptr()) else {
            return false;
        };
        // SAFETY: As above; `data` points to `len` bytes.
        if unsafe { bindings::nla_put_nohdr(skb.as_ptr(), len, data.cast::<c_void>()) } != 0 {
            return false;
        }
        // SAFETY: `header` is the one of the message that was begun in this buffer.
        unsafe { bindings::shim_genlmsg_end(skb.as_ptr(), header) };
        true
    }
}

/// A complete message.
///
/// # Invariants
///
/// It owns the buffer.
pub(super) struct Message(NonNull<bindings::sk_buff>);

impl Message {
    /// Makes a message; whether that may sleep, `flags` say.
    pub(super) fn new(
        header: Header<'_>,
        attributes: &[u8],
        flags: bindings::gfp_t,
    ) -> Result<Self, AllocError> {
        // SAFETY: The function takes any numbers.
        let skb = unsafe { bindings::shim_genlmsg_new(attributes.len(), flags) };
        // INVARIANT: The buffer was just made for this.
        let message = Self(NonNull::new(skb).ok_or(AllocError)?);
        // SAFETY: Nobody else knows the buffer.
        let complete = unsafe { header.put(message.0, attributes) };
        complete.then_some(message).ok_or(AllocError)
    }

    /// Sends the message to a port in a namespace. When the socket's buffer is full, the message is
    /// lost and the core tells the socket so (ENOBUFS).
    pub(super) fn unicast(self, namespace: &Namespace, port: u32) {
        let skb = ManuallyDrop::new(self).0.as_ptr();
        // SAFETY: The message is complete and passes to the core; the namespace is alive.
        let _ = unsafe { bindings::shim_genlmsg_unicast(namespace.as_ptr(), skb, port) };
    }

    /// Sends the message to all in a namespace who listen to a group of the family; whether that may sleep,
    /// `flags` say.
    ///
    /// # Safety
    ///
    /// `net` is a namespace that is alive.
    pub(super) unsafe fn multicast(
        self,
        family: &bindings::genl_family,
        net: *mut bindings::net,
        group: Group,
        flags: bindings::gfp_t,
    ) {
        let skb = ManuallyDrop::new(self).0.as_ptr();
        let group = group as c_uint;
        // SAFETY: The message is complete and passes to the core; the family is alive, and the caller
        // vouches for the namespace. An error only tells that nobody listens, or has no room.
        let _ =
            unsafe { bindings::shim_genlmsg_multicast_netns(family, net, skb, 0, group, flags) };
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: By the invariants the buffer is ours.
        unsafe { bindings::shim_nlmsg_free(self.0.as_ptr()) };
    }
}

/// Sends a message with the attributes that `make` writes to all in a namespace who listen to a group; makes none where
/// nobody does. May be called in any context in which packets are filtered. When a listener's buffer is full, the message
/// is lost and the core tells it so (ENOBUFS).
///
/// # Errors
///
/// Memory is short, and the message is lost.
///
/// # Safety
///
/// The family is registered, and `net` is a namespace that is alive.
pub(super) unsafe fn tell(
    family: &bindings::genl_family,
    net: *mut bindings::net,
    group: Group,
    command: Command,
    make: impl FnOnce() -> Result<Writer, Full>,
) -> Result<(), Full> {
    // SAFETY: The caller vouches for the family, which has this group, and for the namespace.
    if !unsafe { bindings::shim_genl_has_listeners(family, net, group as c_uint) } {
        return Ok(());
    }
    let flags = bindings::CONST_GFP_ATOMIC;
    let message = Message::new(Header::news(family, command), make()?.bytes(), flags)?;
    // SAFETY: The caller vouches for the namespace.
    unsafe { message.multicast(family, net, group, flags) };
    Ok(())
}

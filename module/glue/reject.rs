// SPDX-License-Identifier: GPL-2.0
//! REJECT: the sender is told, through the kernel's own nf_reject_ipv4 and nf_reject_ipv6.
//!
//! Those are modules, and a dependency on them would mean that `insmod oxtables.ko` fails on a machine where
//! nothing else has loaded them. So their functions are looked up when a ruleset with a REJECT is loaded.

use super::bindings;
use super::skb::Packet;
use crate::engine::packet::Family;
use crate::engine::rules::targets::Reject;
use core::ptr::NonNull;
use kernel::error::{code::ENOENT, Result};
use kernel::ffi::{c_int, c_uint, c_void};
use kernel::str::{CStr, CStrExt as _};

type Unreach4 = unsafe extern "C" fn(*mut bindings::sk_buff, c_int, c_int);
type Unreach6 = unsafe extern "C" fn(*mut bindings::net, *mut bindings::sk_buff, u8, c_uint);
type Reset = unsafe extern "C" fn(*mut bindings::net, *mut bindings::sock, *mut bindings::sk_buff, c_int);

// What the symbols are called as is what the kernel's headers declare them to be. This takes no reference to
// the symbols themselves, since nothing uses the constants.
const _: Unreach4 = bindings::nf_send_unreach;
const _: Unreach6 = bindings::nf_send_unreach6;
const _: [Reset; 2] = [bindings::nf_send_reset, bindings::nf_send_reset6];

/// A symbol of another module, which is not unloaded as long as this exists.
///
/// # Invariants
///
/// The address is what `__symbol_get` answered for the name.
struct Symbol {
    name: &'static CStr,
    address: NonNull<c_void>,
}

// SAFETY: A reference to a symbol belongs to no thread.
unsafe impl Send for Symbol {}
// SAFETY: The address never changes, and is only read.
unsafe impl Sync for Symbol {}

impl Symbol {
    /// May sleep.
    fn get(name: &'static CStr, module: &'static CStr) -> Result<Self> {
        let find = || {
            // SAFETY: The name ends with a zero byte.
            NonNull::new(unsafe { bindings::__symbol_get(name.as_char_ptr()) })
        };
        let address = find().or_else(|| {
            super::request_module(module);
            find()
        });
        // INVARIANT: The address is the one that was found.
        Ok(Self { name, address: address.ok_or(ENOENT)? })
    }
}

impl Drop for Symbol {
    fn drop(&mut self) {
        // SAFETY: By the invariants a reference was taken under this name, which is given back once.
        unsafe { bindings::__symbol_put(self.name.as_char_ptr()) };
    }
}

/// How to tell senders of one family.
struct Sender {
    unreach: Symbol,
    reset: Symbol,
}

/// What a ruleset needs in order to reject packets: for each family that it rejects packets of.
#[derive(Default)]
pub(super) struct Senders {
    v4: Option<Sender>,
    v6: Option<Sender>,
}

impl Senders {
    /// Makes it possible to reject packets of a family. May sleep.
    ///
    /// # Errors
    ///
    /// The kernel's module for it can't be loaded.
    pub(super) fn require(&mut self, family: Family) -> Result {
        let (sender, unreach, reset, module) = match family {
            Family::V4 => (&mut self.v4, c"nf_send_unreach", c"nf_send_reset", c"nf_reject_ipv4"),
            Family::V6 => (&mut self.v6, c"nf_send_unreach6", c"nf_send_reset6", c"nf_reject_ipv6"),
        };
        if sender.is_none() {
            let unreach = Symbol::get(unreach, module)?;
            *sender = Some(Sender { unreach, reset: Symbol::get(reset, module)? });
        }
        Ok(())
    }

    /// Tells the sender of `packet`; the caller drops it afterwards. Nothing is sent when the family was
    /// not required, nor when the kernel finds that none may be (an ICMP error, a broadcast).
    pub(super) fn send(
        &self,
        family: Family,
        with: Reject,
        packet: &Packet<'_>,
        state: &bindings::nf_hook_state,
    ) {
        let hook = state.hook;
        let sender = match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };
        let Some(sender) = sender else {
            return;
        };
        match (with.code, family) {
            (Some(code), Family::V4) => {
                // SAFETY: The symbol is nf_send_unreach(), of this type.
                let unreach = unsafe { core::mem::transmute::<_, Unreach4>(sender.unreach.address) };
                // SAFETY: The packet is the one of the hook that this runs in.
                unsafe { unreach(packet.as_ptr(), c_int::from(code), c_int::from(hook)) };
            }
            (Some(code), Family::V6) => {
                // SAFETY: The symbol is nf_send_unreach6(), of this type.
                let unreach = unsafe { core::mem::transmute::<_, Unreach6>(sender.unreach.address) };
                // SAFETY: Namespace and packet are those of the hook that this runs in.
                unsafe { unreach(state.net, packet.as_ptr(), code, c_uint::from(hook)) };
            }
            (None, _) => {
                // SAFETY: The symbol is nf_send_reset() or nf_send_reset6(), both of this type.
                let reset = unsafe { core::mem::transmute::<_, Reset>(sender.reset.address) };
                // SAFETY: Namespace, socket and packet are those of the hook that this runs in.
                unsafe { reset(state.net, state.sk, packet.as_ptr(), c_int::from(hook)) };
            }
        }
    }
}

// SPDX-License-Identifier: GPL-2.0
//! REJECT: the sender is told, through the kernel's own nf_reject_ipv4 and nf_reject_ipv6.
//!
//! Those are modules; their functions are looked up when a ruleset with a REJECT is loaded.

use super::bindings;
use super::skb::Packet;
use super::symbol::Symbol;
use crate::engine::packet::Family;
use crate::engine::rules::targets::Reject;
use kernel::error::Result;
use kernel::ffi::{c_int, c_uint};

type Unreach4 = unsafe extern "C" fn(*mut bindings::sk_buff, c_int, c_int);
type Unreach6 = unsafe extern "C" fn(*mut bindings::net, *mut bindings::sk_buff, u8, c_uint);
type Reset =
    unsafe extern "C" fn(*mut bindings::net, *mut bindings::sock, *mut bindings::sk_buff, c_int);

// The types are those that the kernel's headers declare. Nothing uses these constants, so the module
// does not refer to the symbols by them.
const _: Unreach4 = bindings::nf_send_unreach;
const _: Unreach6 = bindings::nf_send_unreach6;
const _: [Reset; 2] = [bindings::nf_send_reset, bindings::nf_send_reset6];

/// How to tell senders of one family.
struct Sender<Unreach> {
    unreach: Symbol<Unreach>,
    reset: Symbol<Reset>,
}

/// What a ruleset needs in order to reject packets, for each family that it rejects packets of.
#[derive(Default)]
pub(super) struct Senders {
    v4: Option<Sender<Unreach4>>,
    v6: Option<Sender<Unreach6>>,
}

impl Senders {
    /// Makes it possible to reject packets of a family. May sleep.
    ///
    /// # Errors
    ///
    /// The kernel's module for it can't be loaded.
    pub(super) fn require(&mut self, family: Family) -> Result {
        match family {
            Family::V4 if self.v4.is_none() => {
                let module = c"nf_reject_ipv4";
                self.v4 = Some(Sender {
                    // SAFETY: The type was checked above.
                    unreach: unsafe { Symbol::get(c"nf_send_unreach", module) }?,
                    // SAFETY: As above.
                    reset: unsafe { Symbol::get(c"nf_send_reset", module) }?,
                });
            }
            Family::V6 if self.v6.is_none() => {
                let module = c"nf_reject_ipv6";
                self.v6 = Some(Sender {
                    // SAFETY: The type was checked above.
                    unreach: unsafe { Symbol::get(c"nf_send_unreach6", module) }?,
                    // SAFETY: As above.
                    reset: unsafe { Symbol::get(c"nf_send_reset6", module) }?,
                });
            }
            _ => (),
        }
        Ok(())
    }

    /// Tells the sender of `packet`, which the caller drops afterwards. Nothing is sent when the
    /// kernel finds that nothing may be (the packet is an ICMP error, or a broadcast).
    #[cold]
    #[inline(never)]
    pub(super) fn send(
        &self,
        family: Family,
        with: Reject,
        packet: &Packet<'_>,
        state: &bindings::nf_hook_state,
    ) {
        let (net, socket, skb) = (state.net, state.sk, packet.as_ptr());
        let hook = c_int::from(state.hook);
        // SAFETY: All that is passed is of the hook that this runs in.
        let unreach4 = |send: Unreach4, code: u8| unsafe { send(skb, code.into(), hook) };
        // SAFETY: As above.
        let unreach6 = |send: Unreach6, code: u8| unsafe { send(net, skb, code, hook as c_uint) };
        // SAFETY: As above.
        let reset = |send: Reset| unsafe { send(net, socket, skb, hook) };
        match (family, &self.v4, &self.v6, with.code) {
            (Family::V4, Some(sender), _, Some(code)) => unreach4(sender.unreach.function, code),
            (Family::V4, Some(sender), _, None) => reset(sender.reset.function),
            (Family::V6, _, Some(sender), Some(code)) => unreach6(sender.unreach.function, code),
            (Family::V6, _, Some(sender), None) => reset(sender.reset.function),
            // A ruleset that rejects packets of a family was not published without a sender.
            _ => (),
        }
    }
}

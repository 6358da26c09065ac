// SPDX-License-Identifier: GPL-2.0
//! TEE: copies of packets are sent, through the kernel's own nf_dup_ipv4 and nf_dup_ipv6.
//!
//! Those are modules; their functions are looked up when a ruleset with a TEE is loaded. A copy leaves as a
//! packet of this machine's own does, so it meets the rules of OUTPUT and POSTROUTING while the walk of the
//! first one waits; a copy is not copied again (`in_nf_duplicate`).

use super::bindings;
use super::skb::{self, Packet};
use super::symbol::Symbol;
use crate::engine::packet::Family;
use crate::engine::rules::model::Device;
use crate::engine::rules::targets::Tee;
use core::net::IpAddr;
use kernel::error::Result;
use kernel::ffi::{c_int, c_uint};

type Duplicate<Address> =
    unsafe extern "C" fn(*mut bindings::net, *mut bindings::sk_buff, c_uint, *const Address, c_int);

// The types are those that the kernel's headers declare. Nothing uses these constants, so the module
// does not refer to the symbols by them.
const _: Duplicate<bindings::in_addr> = bindings::nf_dup_ipv4;
const _: Duplicate<bindings::in6_addr> = bindings::nf_dup_ipv6;

/// The number of an interface that there is not, by which nf_dup routes as if none were asked for.
const NO_DEVICE: c_int = -1;

/// What a ruleset needs in order to send copies, for each family that it sends copies of.
#[derive(Default)]
pub(super) struct Duplicators {
    v4: Option<Symbol<Duplicate<bindings::in_addr>>>,
    v6: Option<Symbol<Duplicate<bindings::in6_addr>>>,
}

impl Duplicators {
    /// Makes it possible to send copies of a family's packets. May sleep.
    ///
    /// # Errors
    ///
    /// The kernel's module for it can't be loaded.
    pub(super) fn require(&mut self, family: Family) -> Result {
        match family {
            Family::V4 if self.v4.is_none() => {
                // SAFETY: The type was checked above.
                let symbol = unsafe { Symbol::get(c"nf_dup_ipv4", c"nf_dup_ipv4") };
                self.v4 = Some(symbol?);
            }
            Family::V6 if self.v6.is_none() => {
                // SAFETY: The type was checked above.
                let symbol = unsafe { Symbol::get(c"nf_dup_ipv6", c"nf_dup_ipv6") };
                self.v6 = Some(symbol?);
            }
            _ => (),
        }
        Ok(())
    }

    /// Sends a copy of a packet. What can't be routed is not sent.
    #[cold]
    #[inline(never)]
    pub(super) fn send(&self, tee: &Tee, packet: &Packet<'_>, state: &bindings::nf_hook_state) {
        let (net, skb, hook) = (state.net, packet.as_ptr(), c_uint::from(state.hook));
        // SAFETY: The namespace is the hook's, and hooks run under RCU.
        let device = tee.output.map_or(0, |name| unsafe { index(net, name) });
        match (tee.gateway, &self.v4, &self.v6) {
            (IpAddr::V4(gateway), Some(duplicate), _) => {
                let gateway = bindings::in_addr {
                    s_addr: u32::from(gateway).to_be(),
                };
                // SAFETY: Namespace and packet are those of the hook that this runs in.
                unsafe { (duplicate.function)(net, skb, hook, &gateway, device) };
            }
            (IpAddr::V6(gateway), _, Some(duplicate)) => {
                let mut address = bindings::in6_addr::default();
                address.in6_u.u6_addr8 = gateway.octets();
                // SAFETY: As above.
                unsafe { (duplicate.function)(net, skb, hook, &address, device) };
            }
            // A ruleset that sends copies of a family's packets was not published without a duplicator.
            _ => (),
        }
    }
}

/// The number of an interface.
///
/// # Safety
///
/// `net` is a namespace that is alive, and the caller is in an RCU read-side critical section.
unsafe fn index(net: *mut bindings::net, device: Device) -> c_int {
    // The name with the zero byte that C wants behind it.
    let mut name = [0u8; 16];
    for (to, from) in name.iter_mut().take(15).zip(device.name.text().as_bytes()) {
        *to = *from;
    }
    // SAFETY: The caller vouches for namespace and RCU; the name ends with a zero byte.
    let device = unsafe { bindings::dev_get_by_name_rcu(net, name.as_ptr()) };
    if device.is_null() {
        NO_DEVICE
    } else {
        // SAFETY: The device stays as long as the caller's critical section.
        unsafe { skb::device_index(device) }
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Fragments are put together before anybody looks for their connection: only the first one has ports.

use super::super::bindings;
use super::super::refusal::Refusal;
use super::super::skb::{self, Packet};
use super::super::symbol::Symbol;
use crate::engine::packet::{extension, Family, Hook};
use kernel::ffi::c_int;

/// What became of a fragment, or of a packet that is none.
pub(in super::super) enum Defragmented {
    /// The packet is whole.
    Whole,
    /// The packet is kept, until the others come. It belongs to who keeps it.
    Kept,
    /// The packet is damaged.
    Damaged,
}

/// `nf_ct_frag6_gather()` of nf_defrag_ipv6.
#[cfg(CONFIG_IPV6)]
type Gather = unsafe extern "C" fn(*mut bindings::net, *mut bindings::sk_buff, u32) -> c_int;

/// What puts the packets of both families together.
pub(super) struct Defragmenter {
    #[cfg(CONFIG_IPV6)]
    gather: Symbol<Gather>,
}

impl Defragmenter {
    /// May sleep.
    pub(super) fn new() -> Result<Self, Refusal> {
        #[cfg(CONFIG_IPV6)]
        let missing = |error| Refusal::failed(error, "tracking connections needs nf_defrag_ipv6");
        Ok(Self {
            #[cfg(CONFIG_IPV6)]
            // SAFETY: This is the type of that function.
            gather: unsafe { Symbol::get(c"nf_ct_frag6_gather", c"nf_defrag_ipv6") }
                .map_err(missing)?,
        })
    }

    /// Puts the packet together, if it is a fragment. With `by_interface`, of fragments that came in by the same one:
    /// where rules know zones the same addresses may be used by two networks, and a fragment's zone is known only
    /// when it has been put together.
    #[inline]
    pub(super) fn defragment(
        &self,
        packet: &Packet<'_>,
        family: Family,
        hook: Hook,
        state: &bindings::nf_hook_state,
        by_interface: bool,
    ) -> Defragmented {
        // What carries a connection was put together on its way out, to this machine itself.
        if packet.connection() != 0 {
            return Defragmented::Whole;
        }
        match family {
            Family::V4 => v4(packet, hook, state, by_interface),
            #[cfg(CONFIG_IPV6)]
            Family::V6 => self.v6(packet, hook, state, by_interface),
            #[cfg(not(CONFIG_IPV6))]
            Family::V6 => Defragmented::Whole,
        }
    }

    #[cfg(CONFIG_IPV6)]
    #[inline]
    fn v6(
        &self,
        packet: &Packet<'_>,
        hook: Hook,
        state: &bindings::nf_hook_state,
        by_interface: bool,
    ) -> Defragmented {
        // A packet without extension headers is no fragment, and most are like that.
        let next = packet.linear().get(6).copied().unwrap_or(extension::NONE);
        if !extension::is_passed(next) {
            return Defragmented::Whole;
        }
        let user = user(packet, Family::V6, hook, state, by_interface);
        // SAFETY: Namespace and packet are those of the hook that we are in, and the function keeps the packet only
        // if it says so, by -EINPROGRESS.
        match unsafe { (self.gather.function)(state.net, packet.as_ptr(), user) } {
            0 => Defragmented::Whole,
            error if error == -(bindings::EINPROGRESS as c_int) => Defragmented::Kept,
            _ => Defragmented::Damaged,
        }
    }
}

#[inline]
fn v4(
    packet: &Packet<'_>,
    hook: Hook,
    state: &bindings::nf_hook_state,
    by_interface: bool,
) -> Defragmented {
    // The offset of the fragment, and whether more follow (RFC 791, section 3.1).
    let fragment = match packet.linear().get(6..8) {
        Some([high, low]) => u16::from_be_bytes([*high, *low]) & 0x3fff != 0,
        _ => false,
    };
    // SAFETY: The packet is one of IPv4 in a hook.
    if !fragment || unsafe { bindings::shim_skb_nodefrag(packet.as_ptr()) } {
        return Defragmented::Whole;
    }
    let user = user(packet, Family::V4, hook, state, by_interface);
    // SAFETY: As in `v6`; a result other than zero says that the packet is not ours any more.
    match unsafe { bindings::shim_ip_defrag(state.net, packet.as_ptr(), user) } {
        0 => Defragmented::Whole,
        _ => Defragmented::Kept,
    }
}

/// Which fragments may be put together: only those that were met at the same point, and came in by the same interface
/// where that matters. The kernel has 65,536 numbers for each point, so that of interfaces is cut off.
fn user(
    packet: &Packet<'_>,
    family: Family,
    hook: Hook,
    state: &bindings::nf_hook_state,
    by_interface: bool,
) -> u32 {
    let interface = if by_interface && !state.in_.is_null() {
        // SAFETY: The devices that a hook is told of stay during the call.
        u32::from(unsafe { skb::device_index(state.in_) } as u16)
    } else {
        0
    };
    // SAFETY: The packet is one in a hook.
    let bridged = unsafe { bindings::shim_nf_bridge_in_prerouting(packet.as_ptr()) };
    let point = match (family, hook) {
        (Family::V4, _) if bridged => bindings::CONST_DEFRAG_V4_BRIDGE,
        (Family::V4, Hook::PreRouting) => bindings::CONST_DEFRAG_V4_IN,
        (Family::V4, _) => bindings::CONST_DEFRAG_V4_OUT,
        (Family::V6, _) if bridged => bindings::CONST_DEFRAG_V6_BRIDGE,
        (Family::V6, Hook::PreRouting) => bindings::CONST_DEFRAG_V6_IN,
        (Family::V6, _) => bindings::CONST_DEFRAG_V6_OUT,
    };
    point.saturating_add(interface)
}

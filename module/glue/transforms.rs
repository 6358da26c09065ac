// SPDX-License-Identifier: GPL-2.0
//! What IPsec has done to a packet, or will do: `struct xfrm_state`, through checked views.

use super::bindings;
use super::skb::Packet;
use crate::engine::packet::{Direction, Family, Transform};
use core::net::IpAddr;
use core::ptr::NonNull;
use kernel::ffi::c_void;

/// A security association.
///
/// # Invariants
///
/// It is valid as long as this exists, and what is read of it does not change once packets have it.
struct State(NonNull<c_void>);

impl State {
    /// # Safety
    ///
    /// At `offset` in `struct xfrm_state` there is a field of type `T`.
    unsafe fn field<T: Copy>(&self, offset: usize) -> T {
        let place = self.0.as_ptr().wrapping_byte_add(offset).cast::<T>();
        // SAFETY: By the invariants the association is valid; the caller vouches for the field.
        unsafe { place.read() }
    }

    fn transform(&self) -> Option<Transform> {
        // SAFETY: `props.family` is 16 bits wide.
        let family = unsafe { self.field::<u16>(bindings::CONST_XFRM_FAMILY) };
        let address = match u8::try_from(family).ok().and_then(Family::from_number) {
            Some(Family::V4) => |bytes: [u8; 16]| {
                let [a, b, c, d, ..] = bytes;
                IpAddr::from([a, b, c, d])
            },
            Some(Family::V6) => IpAddr::from,
            None => return None,
        };
        Some(Transform {
            // SAFETY: `props.saddr` has 16 bytes, of which IPv4 uses the first 4.
            source: address(unsafe { self.field(bindings::CONST_XFRM_SADDR) }),
            // SAFETY: `id.daddr` likewise.
            destination: address(unsafe { self.field(bindings::CONST_XFRM_DADDR) }),
            // SAFETY: `id.proto` is 8 bits wide.
            protocol: unsafe { self.field(bindings::CONST_XFRM_PROTO) },
            // SAFETY: `props.mode` is 8 bits wide.
            mode: unsafe { self.field(bindings::CONST_XFRM_MODE) },
            // SAFETY: `id.spi` has 4 bytes in network order.
            spi: u32::from_be(unsafe { self.field(bindings::CONST_XFRM_SPI) }),
            // SAFETY: `props.reqid` is 32 bits wide.
            reqid: unsafe { self.field(bindings::CONST_XFRM_REQID) },
        })
    }
}

/// See [`Source::transform`](crate::engine::packet::Source::transform).
pub(super) fn transform(
    packet: &Packet<'_>,
    direction: Direction,
    index: usize,
) -> Option<Transform> {
    match direction {
        Direction::In => undone(packet, index),
        Direction::Out => to_do(packet, index),
    }?
    .transform()
}

fn undone(packet: &Packet<'_>, index: usize) -> Option<State> {
    // SAFETY: The packet is valid.
    let path = NonNull::new(unsafe { bindings::shim_skb_sec_path(packet.as_ptr()) })?.as_ptr();
    let length = path.wrapping_byte_add(bindings::CONST_SEC_PATH_LEN);
    // SAFETY: The packet keeps the path; `len` is 8 bits wide.
    let length = usize::from(unsafe { length.cast::<u8>().read() });
    // The kernel notes the last one at the end.
    let index = length.checked_sub(index)?.checked_sub(1)?;
    let states = path.wrapping_byte_add(bindings::CONST_SEC_PATH_XVEC);
    let place = states.cast::<*mut c_void>().wrapping_add(index);
    // SAFETY: Of the array `xvec` as many entries are used as `len` says.
    let state = NonNull::new(unsafe { place.read() })?;
    // INVARIANT: The path has a reference to each association.
    Some(State(state))
}

fn to_do(packet: &Packet<'_>, index: usize) -> Option<State> {
    // SAFETY: The packet is valid.
    let mut route = unsafe { bindings::shim_skb_dst(packet.as_ptr()) };
    for left in (0..=index).rev() {
        if route.is_null() {
            return None;
        }
        // SAFETY: The packet keeps its route, and that the one below it.
        let state = NonNull::new(unsafe { bindings::shim_dst_xfrm(route) }.cast())?;
        if left == 0 {
            // INVARIANT: The route has a reference to its association.
            return Some(State(state));
        }
        // SAFETY: As above.
        route = unsafe { bindings::shim_xfrm_dst_child(route) };
    }
    None
}

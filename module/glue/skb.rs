// SPDX-License-Identifier: GPL-2.0
//! A packet in a hook: `struct sk_buff` and the devices of `struct nf_hook_state`, read through
//! checked views.

use super::bindings;
use crate::engine::packet::DeviceName;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::slice;
use kernel::ffi::{c_int, c_void};

/// The packet that a hook was given.
///
/// # Invariants
///
/// The buffer is valid for `'a`, and nobody but the owner of this changes its lengths, pointers or
/// mark, nor the bytes of its linear area.
pub(super) struct Packet<'a>(
    NonNull<bindings::sk_buff>,
    PhantomData<&'a bindings::sk_buff>,
);

impl<'a> Packet<'a> {
    /// # Safety
    ///
    /// `skb` is a packet that netfilter gave to a hook of IPv4 or IPv6, and the hook keeps it for
    /// `'a`: it does not free, queue or steal it before.
    #[inline]
    pub(super) unsafe fn new(skb: NonNull<bindings::sk_buff>) -> Self {
        // INVARIANT: A hook owns the packet that it is given. Clones may share the bytes, which is
        // why everyone who means to change them makes a copy first (skb_ensure_writable).
        Self(skb, PhantomData)
    }

    /// The packet as C wants it.
    #[inline]
    pub(super) fn as_ptr(&self) -> *mut bindings::sk_buff {
        self.0.as_ptr()
    }

    /// # Safety
    ///
    /// At `offset` in `struct sk_buff` there is a field of type `T`.
    #[inline]
    pub(super) unsafe fn field<T: Copy>(&self, offset: usize) -> T {
        // SAFETY: By the invariants the buffer is valid and nobody writes to the field; the caller
        // vouches for its place and type.
        unsafe { self.0.as_ptr().wrapping_byte_add(offset).cast::<T>().read() }
    }

    /// How many bytes the network header lies after `skb->data`. At netfilter's hooks that is zero;
    /// it is asked for all the same, because a wrong guess would read other memory.
    #[inline]
    pub(super) fn network_offset(&self) -> usize {
        // SAFETY: `data` is a pointer to bytes.
        let data = unsafe { self.field::<*const u8>(bindings::CONST_SKB_DATA) };
        (self.network_header() as usize).saturating_sub(data as usize)
    }

    #[inline]
    fn network_header(&self) -> *const u8 {
        // SAFETY: `head` is a pointer to bytes.
        let head = unsafe { self.field::<*const u8>(bindings::CONST_SKB_HEAD) };
        // SAFETY: `network_header` is 16 bits wide.
        let offset = unsafe { self.field::<u16>(bindings::CONST_SKB_NETWORK_HEADER) };
        head.wrapping_add(usize::from(offset))
    }

    /// The packet's length from the network header on, in bytes.
    #[inline]
    pub(super) fn len(&self) -> u32 {
        // SAFETY: `data_len` is 32 bits wide.
        let data_len = unsafe { self.field::<u32>(bindings::CONST_SKB_DATA_LEN) };
        data_len.wrapping_add(self.linear().len() as u32)
    }

    /// The bytes from the network header on that lie in one piece.
    #[inline]
    pub(super) fn linear(&self) -> &[u8] {
        // SAFETY: `data` is a pointer to bytes.
        let data = unsafe { self.field::<*const u8>(bindings::CONST_SKB_DATA) };
        // SAFETY: `len` is 32 bits wide.
        let len = unsafe { self.field::<u32>(bindings::CONST_SKB_LEN) };
        // SAFETY: `data_len` is 32 bits wide.
        let data_len = unsafe { self.field::<u32>(bindings::CONST_SKB_DATA_LEN) };
        let end = data as usize + len.wrapping_sub(data_len) as usize;
        let start = self.network_header();
        let len = end.saturating_sub(start as usize);
        // SAFETY: The bytes between the network header, which lies behind `head`, and the end of
        // the linear area, which is `data + len - data_len` (skb_headlen), belong to the packet,
        // and nobody changes them by the invariants.
        unsafe { slice::from_raw_parts(start, len) }
    }

    /// The packet's mark.
    #[inline]
    pub(super) fn mark(&self) -> u32 {
        // SAFETY: `mark` is 32 bits wide.
        unsafe { self.field(bindings::CONST_SKB_MARK) }
    }

    /// Whether the packet is traced: a mark that netfilter's other tables know as well.
    #[inline]
    pub(super) fn traced(&self) -> bool {
        // SAFETY: The buffer is valid by the invariants.
        unsafe { bindings::shim_skb_traced(self.as_ptr()) }
    }

    /// Has the packet traced.
    #[cold]
    pub(super) fn set_traced(&self) {
        // SAFETY: The buffer is valid by the invariants, and the mark is the owner's.
        unsafe { bindings::shim_skb_trace(self.as_ptr()) };
    }

    /// A number by which a packet that is traced is known again.
    #[cold]
    pub(super) fn trace_id(&self) -> u32 {
        // SAFETY: The buffer is valid by the invariants.
        unsafe { bindings::shim_skb_trace_id(self.as_ptr()) }
    }

    /// Sets the packet's mark.
    #[inline]
    pub(super) fn set_mark(&self, mark: u32) {
        let place = self.0.as_ptr().wrapping_byte_add(bindings::CONST_SKB_MARK);
        // SAFETY: By the invariants the buffer is valid and nobody else uses the mark, which is 32
        // bits wide; no reference to it is ever made.
        unsafe { place.cast::<u32>().write(mark) };
    }
}

#[cfg(CONFIG_NF_CONNTRACK)]
impl Packet<'_> {
    /// The connection that the packet carries, with what it is to that in the low bits (`skb->_nfct`); zero without one.
    #[inline]
    pub(super) fn connection(&self) -> usize {
        // SAFETY: `_nfct` is as wide as a pointer.
        unsafe { self.field(bindings::CONST_SKB_NFCT) }
    }

    /// Takes the connection from the packet, with the packet's reference to it.
    #[inline]
    pub(super) fn reset_connection(&self) {
        // SAFETY: The buffer is valid by the invariants, and what it carries is the owner's.
        unsafe { bindings::shim_skb_reset_nfct(self.as_ptr()) };
    }

    /// Says which connection the packet carries, which carries none so far.
    #[inline]
    pub(super) fn set_connection(&self, connection: usize) {
        // SAFETY: The buffer is valid by the invariants, and what it carries is the owner's.
        unsafe { bindings::shim_skb_set_nfct(self.as_ptr(), connection) };
    }
}

impl Packet<'_> {
    /// Copies the bytes at `offset` from the network header, wherever they lie; `false` when they are not
    /// all there.
    pub(super) fn copy(&self, offset: usize, to: &mut [u8]) -> bool {
        let offset = offset
            .checked_add(self.network_offset())
            .and_then(|offset| i32::try_from(offset).ok());
        let (Some(offset), Ok(len)) = (offset, i32::try_from(to.len())) else {
            return false;
        };
        let to = to.as_mut_ptr().cast::<c_void>();
        // SAFETY: The buffer is valid by the invariants, `to` has room for `len` bytes, and the
        // function checks that the packet has as many at `offset`.
        unsafe { bindings::skb_copy_bits(self.as_ptr(), offset, to, len) == 0 }
    }
}

/// The name of a device, or of none.
///
/// # Safety
///
/// `device` is null or points to a device that stays, because of a reference or of an RCU read-side
/// critical section.
#[inline]
pub(super) unsafe fn device_name(device: *const bindings::net_device) -> DeviceName {
    static NONE: [u64; 2] = [0; 2];
    let name = if device.is_null() {
        &raw const NONE
    } else {
        device
            .wrapping_byte_add(bindings::CONST_NET_DEVICE_NAME)
            .cast()
    };
    // SAFETY: There are IFNAMSIZ = 16 bytes, in a device that the caller vouches for or in `NONE`.
    // A device may be renamed at the same time; like iptables, a packet then sees a mixture, which
    // matches neither name.
    DeviceName(unsafe { name.read_unaligned() })
}

/// The number of a device.
///
/// # Safety
///
/// As for [`device_name`], and `device` is not null.
pub(super) unsafe fn device_index(device: *const bindings::net_device) -> c_int {
    let index = device.wrapping_byte_add(bindings::CONST_NET_DEVICE_IFINDEX);
    // SAFETY: The caller vouches for the device; a device's number does not change.
    unsafe { index.cast::<c_int>().read() }
}

// SPDX-License-Identifier: GPL-2.0
//! AUDIT: packets told to the audit subsystem, in the record that iptables' AUDIT makes.

use super::bindings;
use super::skb::Packet;
use kernel::str::CStrExt as _;

/// Tells of a packet, if auditing is on. May be called in any context in which packets are filtered.
#[cold]
#[inline(never)]
pub(super) fn record(packet: &Packet<'_>, state: &bindings::nf_hook_state) {
    // SAFETY: The kernel's own readers take no lock for it either: a change counts soon enough.
    if unsafe { (&raw const bindings::audit_enabled).read_volatile() } == bindings::AUDIT_OFF {
        return;
    }
    let (no_task, kind) = (core::ptr::null_mut(), bindings::AUDIT_NETFILTER_PKT);
    // SAFETY: The function may be called in any context with these flags, and without a task's context.
    let buffer =
        unsafe { bindings::audit_log_start(no_task, bindings::CONST_GFP_ATOMIC, kind as i32) };
    if buffer.is_null() {
        return;
    }
    // SAFETY: The buffer was just made; the format has one argument, an unsigned number.
    unsafe {
        bindings::audit_log_format(buffer, c"mark=%#x".as_char_ptr(), packet.mark());
    }
    // SAFETY: The packet is of this family and the hook's.
    let _ = unsafe { bindings::audit_log_nf_skb(buffer, packet.as_ptr(), state.pf) };
    // SAFETY: The buffer passes to the audit subsystem.
    unsafe { bindings::audit_log_end(buffer) };
}

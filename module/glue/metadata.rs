// SPDX-License-Identifier: GPL-2.0
//! What the kernel knows of a packet beside its bytes: the frame it came in, its route, its socket, its bridge.
//!
//! Everything here runs in a hook, under RCU. That is what keeps devices, and what belongs to a socket that a
//! program may be closing at the same time.

use super::bindings;
use super::skb::Packet;
use crate::engine::packet::{
    protocol, Bridge, ControlGroup, Frame, Opener, PacketType, Socket, Transport,
};
use crate::uapi::range::Range;
use core::ptr::NonNull;
use kernel::ffi::{c_uint, c_void};

/// Reads a field that others may write at the same time.
///
/// # Safety
///
/// `structure` is valid, and has at `offset` a field of type `T` that is read and written as a whole.
#[inline]
pub(super) unsafe fn field<T: Copy>(structure: *const c_void, offset: usize) -> T {
    let place = structure.wrapping_byte_add(offset).cast::<T>();
    // SAFETY: By what the caller vouches for.
    unsafe { place.read_volatile() }
}

/// A pointer in a field, if it is not null.
///
/// # Safety
///
/// As for [`field`]; the field is a pointer.
#[inline]
unsafe fn pointer(structure: NonNull<c_void>, offset: usize) -> Option<NonNull<c_void>> {
    // SAFETY: By what the caller vouches for.
    NonNull::new(unsafe { field::<*mut c_void>(structure.as_ptr(), offset) })
}

/// See [`Source::frame`](crate::engine::packet::Source::frame).
pub(super) fn frame(packet: &Packet<'_>) -> Frame {
    /// Two addresses and the type.
    const LENGTH: u16 = 14;
    // SAFETY: `dev` is a pointer, to the device that the packet is at.
    let device = unsafe { packet.field::<*const c_void>(bindings::CONST_SKB_DEV) };
    if device.is_null() {
        return Frame::Other;
    }
    // SAFETY: RCU keeps the device; `type` is 16 bits wide.
    let kind = unsafe { field::<u16>(device, bindings::CONST_NET_DEVICE_TYPE) };
    if u32::from(kind) != bindings::ARPHRD_ETHER {
        return Frame::Other;
    }
    // SAFETY: `head` is a pointer to bytes.
    let head = unsafe { packet.field::<*const u8>(bindings::CONST_SKB_HEAD) };
    // SAFETY: `mac_header` is 16 bits wide.
    let start = unsafe { packet.field::<u16>(bindings::CONST_SKB_MAC_HEADER) };
    // SAFETY: `network_header` is 16 bits wide.
    let end = unsafe { packet.field::<u16>(bindings::CONST_SKB_NETWORK_HEADER) };
    // A header that was never set is at the greatest offset, behind all others.
    if end.checked_sub(start).is_none_or(|length| length < LENGTH) {
        return Frame::Missing;
    }
    let place = head.wrapping_add(usize::from(start)).cast::<[u8; 14]>();
    // SAFETY: The bytes before the network header belong to the packet, and there are as many.
    let [_, _, _, _, _, _, source @ .., k0, k1] = unsafe { place.read() };
    Frame::Ethernet {
        source,
        kind: u16::from_be_bytes([k0, k1]),
    }
}

/// See [`Source::packet_type`](crate::engine::packet::Source::packet_type).
pub(super) fn packet_type(packet: &Packet<'_>) -> PacketType {
    // SAFETY: The packet is valid.
    let number = unsafe { bindings::shim_skb_pkt_type(packet.as_ptr()) };
    // Beyond those that have names are types that the stack uses inside of itself.
    PacketType::from_number(number).unwrap_or(PacketType::OtherHost)
}

/// The group of a device, if there is one.
///
/// # Safety
///
/// `device` is null or points to a device that stays, because of a reference or of an RCU read-side
/// critical section.
pub(super) unsafe fn device_group(device: *const bindings::net_device) -> Option<u32> {
    let device = NonNull::new(device.cast_mut())?.cast();
    // SAFETY: The caller vouches for the device; `group` is 32 bits wide.
    Some(unsafe { field(device.as_ptr(), bindings::CONST_NET_DEVICE_GROUP) })
}

/// See [`Source::realm`](crate::engine::packet::Source::realm).
pub(super) fn realm(packet: &Packet<'_>) -> u32 {
    // SAFETY: The packet is valid, and RCU keeps its route.
    unsafe { bindings::shim_dst_tclassid(packet.as_ptr()) }
}

/// See [`Source::processor`](crate::engine::packet::Source::processor).
pub(super) fn processor() -> u32 {
    // SAFETY: The function may be called anywhere.
    unsafe { bindings::shim_raw_smp_processor_id() }
}

/// See [`Source::checksum_known_good`](crate::engine::packet::Source::checksum_known_good).
pub(super) fn checksum_known_good(
    packet: &Packet<'_>,
    state: &bindings::nf_hook_state,
    transport: Transport,
) -> bool {
    // SAFETY: The packet is valid.
    let summed = u32::from(unsafe { bindings::shim_skb_ip_summed(packet.as_ptr()) });
    match summed {
        bindings::CHECKSUM_UNNECESSARY | bindings::CHECKSUM_PARTIAL => true,
        // The device added up the whole packet, and did not look what that should come to.
        bindings::CHECKSUM_COMPLETE => matches!(
            transport.protocol,
            protocol::TCP | protocol::UDP | protocol::ICMP | protocol::ICMPV6
        )
        .then(|| packet.network_offset().checked_add(transport.offset))
        .flatten()
        .and_then(|offset| c_uint::try_from(offset).ok())
        .is_some_and(|offset| {
            let (hook, protocol, family) = (state.hook, transport.protocol, state.pf);
            // SAFETY: The packet is valid and its checksum's state the hook's to change; the transport header is at the
            // offset, behind the network header of the hook's family.
            let sum = unsafe {
                bindings::nf_checksum(
                    packet.as_ptr(),
                    hook.into(),
                    offset,
                    protocol,
                    family.into(),
                )
            };
            sum == 0
        }),
        _ => false,
    }
}

/// The packet's socket, whatever it is in. It stays as long as the packet has it.
fn sock(packet: &Packet<'_>) -> Option<NonNull<bindings::sock>> {
    // SAFETY: `sk` is a pointer to a socket.
    NonNull::new(unsafe { packet.field::<*mut bindings::sock>(bindings::CONST_SKB_SK) })
}

/// Whether a socket is in the namespace of the hook: a packet keeps its socket on its way from one to another.
///
/// # Safety
///
/// The socket is one that knows its namespace: it is valid, and neither waits for its handshake nor for its end.
unsafe fn is_of_this_namespace(
    sock: NonNull<bindings::sock>,
    state: &bindings::nf_hook_state,
) -> bool {
    // SAFETY: The caller vouches for the socket.
    let net = unsafe { bindings::shim_sock_net(sock.as_ptr()) };
    net == state.net
}

/// The packet's socket, if it is a whole one and of this namespace.
fn full_sock(
    packet: &Packet<'_>,
    state: &bindings::nf_hook_state,
) -> Option<NonNull<bindings::sock>> {
    let sock = sock(packet)?;
    // SAFETY: The socket is the packet's.
    let full = unsafe { bindings::shim_sk_fullsock(sock.as_ptr()) };
    // SAFETY: A whole socket knows its namespace.
    (full && unsafe { is_of_this_namespace(sock, state) }).then_some(sock)
}

/// See [`Source::in_control_group`](crate::engine::packet::Source::in_control_group).
#[cfg(CONFIG_SOCK_CGROUP_DATA)]
pub(super) fn in_control_group(
    packet: &Packet<'_>,
    state: &bindings::nf_hook_state,
    group: ControlGroup,
) -> Option<bool> {
    let sock = full_sock(packet, state)?;
    // SAFETY: A whole socket has control group data, in it a pointer.
    let own = unsafe { pointer(sock.cast(), bindings::CONST_SOCK_CGROUP) }?;
    let level = i32::try_from(group.level).ok()?;
    // SAFETY: The socket has a reference to its group, which has one to each above it.
    let ancestor = unsafe { bindings::shim_cgroup_ancestor(own.cast().as_ptr(), level) };
    // SAFETY: As above.
    Some(!ancestor.is_null() && unsafe { bindings::shim_cgroup_id(ancestor) } == group.id)
}

/// Without control groups in sockets no rule that asks for them is compiled.
#[cfg(not(CONFIG_SOCK_CGROUP_DATA))]
pub(super) fn in_control_group(
    _: &Packet<'_>,
    _: &bindings::nf_hook_state,
    _: ControlGroup,
) -> Option<bool> {
    None
}

/// See [`Source::class`](crate::engine::packet::Source::class).
#[cfg(CONFIG_CGROUP_NET_CLASSID)]
pub(super) fn class(packet: &Packet<'_>, state: &bindings::nf_hook_state) -> Option<u32> {
    let sock = full_sock(packet, state)?;
    // SAFETY: A whole socket has control group data, in it the class with 32 bits.
    Some(unsafe { field(sock.as_ptr().cast(), bindings::CONST_SOCK_CLASS) })
}

/// Without classes no rule that asks for them is compiled.
#[cfg(not(CONFIG_CGROUP_NET_CLASSID))]
pub(super) fn class(_: &Packet<'_>, _: &bindings::nf_hook_state) -> Option<u32> {
    None
}

/// What programs see of the packet's socket (`struct socket`). A connection that is still being made has that of
/// the socket that listens.
fn program_socket(packet: &Packet<'_>, state: &bindings::nf_hook_state) -> Option<NonNull<c_void>> {
    let sock = sock(packet)?;
    // SAFETY: The socket is the packet's; the one that listens is kept by it.
    let sock = NonNull::new(unsafe { bindings::shim_sk_to_full_sk(sock.as_ptr()) })?;
    // SAFETY: A socket that waits for its end was left out, and one for its handshake replaced.
    if !unsafe { is_of_this_namespace(sock, state) } {
        return None;
    }
    // SAFETY: A whole socket has this pointer.
    unsafe { pointer(sock.cast(), bindings::CONST_SOCK_SOCKET) }
}

/// The credentials of who opened a socket (`struct cred`).
///
/// # Safety
///
/// The socket is one of [`program_socket`].
unsafe fn credentials(socket: NonNull<c_void>) -> Option<NonNull<c_void>> {
    // SAFETY: RCU keeps what programs see of a socket, and its file.
    let file = unsafe { pointer(socket, bindings::CONST_SOCKET_FILE) }?;
    // SAFETY: As above; a file has its credentials from the beginning to its end.
    unsafe { pointer(file, bindings::CONST_FILE_CRED) }
}

/// The user namespace that owns the hook's network namespace.
fn user_namespace(state: &bindings::nf_hook_state) -> *mut bindings::user_namespace {
    // SAFETY: The network namespace of a hook is valid; `user_ns` is a pointer in it.
    unsafe { field(state.net.cast(), bindings::CONST_NET_USER_NS) }
}

/// See [`Source::socket`](crate::engine::packet::Source::socket).
pub(super) fn socket(packet: &Packet<'_>, state: &bindings::nf_hook_state) -> Option<Socket> {
    let socket = program_socket(packet, state)?;
    // SAFETY: It comes from `program_socket`.
    let opener = unsafe { credentials(socket) }.map(|credentials| {
        let credentials = credentials.as_ptr();
        // SAFETY: RCU keeps the credentials; a user is a structure of one number with 32 bits.
        let user = unsafe { field(credentials, bindings::CONST_CRED_FSUID) };
        // SAFETY: As above, for a group.
        let group = unsafe { field(credentials, bindings::CONST_CRED_FSGID) };
        let namespace = user_namespace(state);
        Opener {
            // SAFETY: A network namespace keeps the user namespace that owns it.
            user: unsafe { bindings::shim_from_kuid(namespace, user) },
            // SAFETY: As above.
            group: unsafe { bindings::shim_from_kgid(namespace, group) },
        }
    });
    Some(Socket { opener })
}

/// See [`Source::opener_has_group`](crate::engine::packet::Source::opener_has_group).
pub(super) fn opener_has_group(
    packet: &Packet<'_>,
    state: &bindings::nf_hook_state,
    range: Range<u32>,
) -> bool {
    let groups = program_socket(packet, state).and_then(|socket| {
        // SAFETY: It comes from `program_socket`.
        let credentials = unsafe { credentials(socket) }?;
        // SAFETY: RCU keeps the credentials, and they keep their list of groups.
        unsafe { pointer(credentials, bindings::CONST_CRED_GROUP_INFO) }
    });
    let Some(groups) = groups.map(NonNull::as_ptr) else {
        return false;
    };
    // SAFETY: The list is not changed once credentials have it; its length is 32 bits wide.
    let count = unsafe { field::<i32>(groups, bindings::CONST_GROUP_INFO_NGROUPS) };
    (0..usize::try_from(count).unwrap_or_default()).any(|index| {
        let offset = bindings::CONST_GROUP_INFO_GID + index * size_of::<u32>();
        // SAFETY: As above; there are as many groups, of 32 bits each.
        let group = unsafe { field::<u32>(groups, offset) };
        // SAFETY: A network namespace keeps the user namespace that owns it.
        let group = unsafe { bindings::shim_from_kgid(user_namespace(state), group) };
        range.contains(group)
    })
}

/// See [`Source::bridge`](crate::engine::packet::Source::bridge).
#[cfg(CONFIG_BRIDGE_NETFILTER)]
pub(super) fn bridge(packet: &Packet<'_>, state: &bindings::nf_hook_state) -> Option<Bridge> {
    let skb = packet.as_ptr();
    // SAFETY: The packet is valid.
    if !unsafe { bindings::shim_nf_bridge_info_exists(skb) } {
        return None;
    }
    // SAFETY: As above; the namespace is that of the hook.
    let input = unsafe { bindings::shim_nf_bridge_get_physindev(skb, state.net) };
    // SAFETY: As above.
    let output = unsafe { bindings::shim_nf_bridge_get_physoutdev(skb) };
    let name = |device: *mut bindings::net_device| {
        // SAFETY: RCU keeps the ports of a bridge that a packet goes through.
        (!device.is_null()).then(|| unsafe { super::skb::device_name(device) })
    };
    Some(Bridge {
        input: name(input),
        output: name(output),
    })
}

/// Where bridges do not call netfilter no rule that asks for their ports is compiled.
#[cfg(not(CONFIG_BRIDGE_NETFILTER))]
pub(super) fn bridge(_: &Packet<'_>, _: &bindings::nf_hook_state) -> Option<Bridge> {
    None
}

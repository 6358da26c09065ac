// SPDX-License-Identifier: GPL-2.0
//! What the routing tables say of a packet's addresses.
//!
//! Everything here runs in a hook, under RCU: that is what keeps devices and routes.

use super::bindings;
use super::metadata::{field, packet_type};
use super::skb::Packet;
use crate::engine::packet::{AddressTypes, Answer, PacketType, WayBack};
use core::net::{IpAddr, Ipv4Addr};
use core::ptr;

/// What an address is in the namespace of a hook, on a device or on any; see
/// [`Source::address_types`](crate::engine::packet::Source::address_types).
///
/// # Safety
///
/// `device` is null or points to a device that stays.
pub(super) unsafe fn address_types(
    net: *mut bindings::net,
    address: IpAddr,
    device: *const bindings::net_device,
) -> AddressTypes {
    match address {
        IpAddr::V4(address) => {
            // SAFETY: The namespace is that of a hook, and the caller vouches for the device.
            let number = unsafe { bindings::inet_dev_addr_type(net, device, be(address)) };
            AddressTypes::from_number(number)
        }
        #[cfg(CONFIG_IPV6)]
        // SAFETY: As above.
        IpAddr::V6(address) => unsafe { v6::address_types(net, address, device) },
        #[cfg(not(CONFIG_IPV6))]
        IpAddr::V6(_) => AddressTypes::NONE,
    }
}

/// Whether a packet never left this machine.
///
/// # Safety
///
/// `device`, which it came in by, is null or points to a device that stays.
pub(super) unsafe fn looped_back(packet: &Packet<'_>, device: *const bindings::net_device) -> bool {
    if packet_type(packet) == PacketType::Loopback {
        return true;
    }
    // SAFETY: The caller vouches for the device; `flags` is 32 bits wide.
    let flags = || unsafe { field::<u32>(device.cast(), bindings::CONST_NET_DEVICE_FLAGS) };
    !device.is_null() && flags() & bindings::CONST_IFF_LOOPBACK != 0
}

/// Where an answer to a packet would go.
///
/// # Safety
///
/// `device`, which the packet came in by, is null or points to a device that stays.
pub(super) unsafe fn way_back(
    net: *mut bindings::net,
    packet: &Packet<'_>,
    device: *const bindings::net_device,
    answer: &Answer,
) -> WayBack {
    if device.is_null() {
        return WayBack::None;
    }
    match answer.destination {
        // SAFETY: The caller vouches for the device.
        IpAddr::V4(destination) => unsafe { way_back_v4(net, packet, device, answer, destination) },
        #[cfg(CONFIG_IPV6)]
        // SAFETY: As above.
        IpAddr::V6(destination) => unsafe {
            v6::way_back(net, packet, device, answer, destination)
        },
        #[cfg(not(CONFIG_IPV6))]
        IpAddr::V6(_) => WayBack::None,
    }
}

/// An address as the kernel holds it.
fn be(address: Ipv4Addr) -> u32 {
    u32::from_ne_bytes(address.octets())
}

/// What is the same of both families when an answer's way is looked for: it comes from this machine itself.
///
/// # Safety
///
/// `device` points to a device that stays.
unsafe fn flow(
    net: *mut bindings::net,
    device: *const bindings::net_device,
    answer: &Answer,
) -> bindings::flowi_common {
    bindings::flowi_common {
        flowic_iif: bindings::LOOPBACK_IFINDEX as i32,
        // SAFETY: The caller vouches for the device, and RCU keeps its master.
        flowic_l3mdev: unsafe { bindings::shim_l3mdev_master_ifindex_rcu(device) },
        flowic_mark: answer.mark,
        // SAFETY: The namespace is that of a hook.
        flowic_uid: unsafe { bindings::shim_sock_net_uid(net) },
        ..Default::default()
    }
}

/// # Safety
///
/// `device` points to a device that stays.
unsafe fn way_back_v4(
    net: *mut bindings::net,
    packet: &Packet<'_>,
    device: *const bindings::net_device,
    answer: &Answer,
    destination: Ipv4Addr,
) -> WayBack {
    /// The bits of the second byte of a header that routing looks at; the other two are ECN's (RFC 3168).
    const DSCP: u8 = 0xfc;
    // SAFETY: The caller vouches for the device.
    let mut common = unsafe { flow(net, device, answer) };
    common.flowic_dscp = packet.linear().get(1).copied().unwrap_or_default() & DSCP;
    let mut flow = bindings::flowi4 {
        __fl_common: common,
        daddr: be(destination),
        saddr: match answer.source {
            Some(IpAddr::V4(source)) => be(source),
            _ => 0,
        },
        ..Default::default()
    };
    let mut result = bindings::fib_result::default();
    // SAFETY: The namespace is that of a hook; flow and result are ours. The result holds no reference, RCU keeps
    // what it points to.
    let error = unsafe { bindings::shim_fib_lookup(net, &mut flow, &mut result) };
    if error != 0 {
        return WayBack::None;
    }
    // SAFETY: A result without an error has the route's information.
    let by_input = unsafe { bindings::fib_info_nh_uses_dev(result.fi, device) };
    match AddressTypes::from_number(result.type_.into()) {
        AddressTypes::UNICAST => WayBack::Out { by_input },
        AddressTypes::LOCAL => WayBack::Local { by_input },
        _ => WayBack::None,
    }
}

#[cfg(CONFIG_IPV6)]
mod v6 {
    use super::{bindings, field, flow, ptr, AddressTypes, Answer, IpAddr, Packet, WayBack};
    use crate::glue::skb::device_index;
    use core::net::Ipv6Addr;
    use core::ptr::NonNull;
    use kernel::ffi::c_void;

    /// A route, to which a reference is held.
    ///
    /// # Invariants
    ///
    /// The pointer is to a `struct rt6_info`, and the reference is this one's.
    struct Route(NonNull<bindings::dst_entry>);

    impl Route {
        /// # Safety
        ///
        /// `dst` is a route of IPv6, the reference to which the caller hands over.
        unsafe fn new(dst: *mut bindings::dst_entry) -> Option<Self> {
            // INVARIANT: By what the caller vouches for.
            NonNull::new(dst).map(Self)
        }

        /// # Safety
        ///
        /// At `offset` in `struct rt6_info` there is a field of type `T`.
        unsafe fn field<T: Copy>(&self, offset: usize) -> T {
            // SAFETY: By the invariants the route is valid; the caller vouches for the field.
            unsafe { field(self.0.as_ptr().cast(), offset) }
        }

        fn flags(&self) -> u32 {
            // SAFETY: `rt6i_flags` is 32 bits wide.
            unsafe { self.field(bindings::CONST_RT6I_FLAGS) }
        }
    }

    impl Drop for Route {
        fn drop(&mut self) {
            // SAFETY: By the invariants the reference is ours to give back.
            unsafe { bindings::dst_release(self.0.as_ptr()) };
        }
    }

    fn be(address: Ipv6Addr) -> bindings::in6_addr {
        let mut to = bindings::in6_addr::default();
        to.in6_u.u6_addr8 = address.octets();
        to
    }

    /// # Safety
    ///
    /// `device` is null or points to a device that stays.
    pub(super) unsafe fn address_types(
        net: *mut bindings::net,
        address: Ipv6Addr,
        device: *const bindings::net_device,
    ) -> AddressTypes {
        let address = be(address);
        let mut flow = bindings::flowi6 {
            daddr: address,
            ..Default::default()
        };
        let mut types = AddressTypes::NONE;
        if !device.is_null() {
            // SAFETY: The caller vouches for the device.
            flow.__fl_common.flowic_oif = unsafe { device_index(device) };
            // SAFETY: The namespace is that of a hook, the address ours, and the caller vouches for the device.
            if unsafe { bindings::ipv6_chk_addr(net, &address, device, 1) } != 0 {
                types = AddressTypes::LOCAL;
            }
        }
        let mut dst = ptr::null_mut();
        // SAFETY: The namespace is that of a hook; flow and destination are ours.
        let error = unsafe { bindings::shim_nf_ip6_route(net, &mut dst, &mut flow) };
        if error != 0 {
            return AddressTypes::UNREACHABLE;
        }
        // SAFETY: Without an error it is a route, and the reference to it ours.
        let Some(route) = (unsafe { Route::new(dst) }) else {
            return AddressTypes::UNREACHABLE;
        };
        if route.flags() & bindings::RTF_REJECT != 0 {
            types = AddressTypes::UNREACHABLE;
        }
        if device.is_null() && route.flags() & bindings::RTF_LOCAL != 0 {
            types = types.or(AddressTypes::LOCAL);
        }
        // SAFETY: The route is one of IPv6, and the address ours.
        if unsafe { bindings::shim_ipv6_anycast_destination(dst, &address) } {
            types = types.or(AddressTypes::ANYCAST);
        }
        types
    }

    /// # Safety
    ///
    /// `device` points to a device that stays.
    pub(super) unsafe fn way_back(
        net: *mut bindings::net,
        packet: &Packet<'_>,
        device: *const bindings::net_device,
        answer: &Answer,
        destination: Ipv6Addr,
    ) -> WayBack {
        /// The bits of the first word of a header that routing looks at: all but the version.
        const FLOW: u32 = 0x0fff_ffff;
        let Some(&[w0, w1, w2, w3, _, _, next, ..]) = packet.linear().first_chunk::<40>() else {
            return WayBack::None;
        };
        // SAFETY: The caller vouches for the device.
        let ifindex = unsafe { device_index(device) };
        // SAFETY: As above.
        let mut common = unsafe { flow(net, device, answer) };
        common.flowic_proto = next;
        let mut flags = 0;
        if answer.by_input {
            common.flowic_oif = ifindex;
        }
        if destination.is_unicast_link_local() {
            flags |= bindings::RT6_LOOKUP_F_IFACE;
        }
        let mut flow = bindings::flowi6 {
            __fl_common: common,
            daddr: be(destination),
            flowlabel: u32::from_ne_bytes([w0, w1, w2, w3]) & FLOW.to_be(),
            ..Default::default()
        };
        if let Some(IpAddr::V6(source)) = answer.source {
            flow.saddr = be(source);
            flags |= bindings::RT6_LOOKUP_F_HAS_SADDR;
        }
        // SAFETY: The namespace is that of a hook, the flow ours, and the packet valid.
        let dst =
            unsafe { bindings::ip6_route_lookup(net, &mut flow, packet.as_ptr(), flags as i32) };
        // SAFETY: The function answers with a route, which can be one that says that there is none, and hands the
        // reference over.
        let Some(route) = (unsafe { Route::new(dst) }) else {
            return WayBack::None;
        };
        // SAFETY: `dst.error` is 16 bits wide.
        let error = unsafe { route.field::<i16>(bindings::CONST_RT6_ERROR) };
        // SAFETY: `rt6i_idev` is a pointer.
        let idev = unsafe { route.field::<*mut c_void>(bindings::CONST_RT6I_IDEV) };
        let kind = route.flags();
        if error != 0
            || idev.is_null()
            || kind & (bindings::RTF_REJECT | bindings::RTF_ANYCAST) != 0
        {
            return WayBack::None;
        }
        // SAFETY: The route keeps what IPv6 knows of its device; `dev` is a pointer in it.
        let out: *const bindings::net_device =
            unsafe { field(idev, bindings::CONST_INET6_DEV_DEV) };
        // SAFETY: RCU keeps the device of a route, and its master.
        let master = || unsafe { bindings::shim_l3mdev_master_ifindex_rcu(out) };
        let by_input = ptr::eq(out, device) || master() == ifindex;
        if kind & bindings::RTF_LOCAL != 0 {
            WayBack::Local { by_input }
        } else {
            WayBack::Out { by_input }
        }
    }
}

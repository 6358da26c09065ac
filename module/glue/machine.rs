// SPDX-License-Identifier: GPL-2.0
//! What this kernel can tell of packets, asked when rules are compiled.

use super::bindings;
use super::metadata::field;
use crate::engine::packet::ControlGroup;
use crate::engine::rules::matches::ControlGroupPath;
use crate::engine::rules::{Fact, Machine};
use core::ptr::NonNull;
use kernel::error::from_err_ptr;
use kernel::ffi::c_void;
use kernel::str::CStrExt as _;

/// The machine that this runs on, as it is in a network namespace.
pub(super) struct Here {
    net: *mut bindings::net,
}

impl Here {
    /// # Safety
    ///
    /// The namespace stays as long as this is used.
    pub(super) unsafe fn new(net: *mut bindings::net) -> Self {
        Self { net }
    }

    /// Whether who loads rules numbers users as the namespace does in which they will be met.
    fn is_of_this_user_namespace(&self) -> bool {
        // SAFETY: `new` was promised that the namespace stays; `user_ns` is a pointer, and never changes.
        let owner = unsafe { field::<*mut c_void>(self.net.cast(), bindings::CONST_NET_USER_NS) };
        // SAFETY: Rules are loaded in the context of a process.
        owner == unsafe { bindings::shim_current_user_ns() }.cast()
    }
}

impl Machine for Here {
    fn provide(&self, fact: Fact) -> Result<(), &'static str> {
        let (can, otherwise) = match fact {
            Fact::Realm => (
                cfg!(CONFIG_IP_ROUTE_CLASSID),
                "kernel without CONFIG_IP_ROUTE_CLASSID",
            ),
            Fact::Class => (
                cfg!(CONFIG_CGROUP_NET_CLASSID),
                "kernel without CONFIG_CGROUP_NET_CLASSID",
            ),
            Fact::ControlGroup => (
                cfg!(CONFIG_SOCK_CGROUP_DATA),
                "kernel without CONFIG_SOCK_CGROUP_DATA",
            ),
            Fact::Opener => (
                self.is_of_this_user_namespace(),
                "users of another user namespace",
            ),
            Fact::Bridge => (
                cfg!(CONFIG_BRIDGE_NETFILTER) && bridges_call_netfilter(),
                "physdev needs br_netfilter",
            ),
            Fact::Tracking => (
                cfg!(CONFIG_NF_CONNTRACK),
                "kernel without CONFIG_NF_CONNTRACK",
            ),
            Fact::Helper => (false, "no helper reads along in connections yet"),
            Fact::Zones => (
                cfg!(CONFIG_NF_CONNTRACK_ZONES),
                "kernel without CONFIG_NF_CONNTRACK_ZONES",
            ),
            Fact::ConnectionMark => (
                cfg!(CONFIG_NF_CONNTRACK_MARK),
                "kernel without CONFIG_NF_CONNTRACK_MARK",
            ),
            Fact::Ipsec => (cfg!(CONFIG_XFRM), "kernel without CONFIG_XFRM"),
        };
        can.then_some(()).ok_or(otherwise)
    }

    #[cfg(CONFIG_SOCK_CGROUP_DATA)]
    #[inline(never)]
    fn control_group(&self, path: &[u8]) -> Option<ControlGroup> {
        let mut text = [0u8; ControlGroupPath::MAX + 1];
        text.get_mut(..ControlGroupPath::MAX)?
            .get_mut(..path.len())?
            .copy_from_slice(path);
        // SAFETY: The text ends with a zero byte, and the function may sleep.
        let found = from_err_ptr(unsafe { bindings::cgroup_get_from_path(text.as_ptr().cast()) });
        let group = found.ok()?;
        // SAFETY: A reference to the group is held.
        let id = unsafe { bindings::shim_cgroup_id(group) };
        // SAFETY: As above; `level` is 32 bits wide, and never changes.
        let level = unsafe { field::<u32>(group.cast(), bindings::CONST_CGROUP_LEVEL) };
        // SAFETY: This gives the reference back.
        unsafe { bindings::shim_cgroup_put(group) };
        Some(ControlGroup { id, level })
    }

    #[cfg(not(CONFIG_SOCK_CGROUP_DATA))]
    fn control_group(&self, _: &[u8]) -> Option<ControlGroup> {
        None
    }
}

/// Whether bridges show IP packets to netfilter, and note their ports: what br_netfilter does, which is loaded
/// where it is a module that is not there yet.
fn bridges_call_netfilter() -> bool {
    has_br_netfilter() || {
        super::request_module(c"br_netfilter");
        has_br_netfilter()
    }
}

/// Whether br_netfilter is there: it sets a pointer by which bridges know it.
fn has_br_netfilter() -> bool {
    let name = c"nf_br_ops".as_char_ptr();
    // SAFETY: The name ends with a zero byte.
    let Some(place) = NonNull::new(unsafe { bindings::__symbol_get(name) }) else {
        return false;
    };
    // SAFETY: The symbol is a pointer, which stays where it is until the reference is given back below.
    let ops = unsafe { place.cast::<*const c_void>().read_volatile() };
    // SAFETY: The reference was taken above.
    unsafe { bindings::__symbol_put(name) };
    !ops.is_null()
}

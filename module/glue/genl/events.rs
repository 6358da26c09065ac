// SPDX-License-Identifier: GPL-2.0
//! What becomes of connections is told to all who listen, from wherever it happens.

use super::{message, Group, FAMILY};
use crate::glue::bindings;
use crate::glue::rcu;
use crate::uapi::attr::{Full, Writer};
use crate::uapi::conntrack::{Entry, Found};
use crate::uapi::event::Event;
use crate::uapi::field::Field;
use crate::uapi::message as attribute;
use kernel::ffi::{c_int, c_uint};
use kernel::sync::atomic::ordering::Acquire;

/// Tells of an event of a connection, which `make` describes with the event's number, if someone listens. May be
/// called in any context in which packets are filtered. Where there is no memory for a message, or no room in a socket,
/// netlink tells the listeners that they missed something (ENOBUFS).
///
/// # Safety
///
/// `net` is a namespace that is alive.
pub(in crate::glue) unsafe fn tell(
    net: *mut bindings::net,
    event: Event,
    make: impl FnOnce() -> (u64, Found),
) {
    // Connections outlive the rules that hold a use of the module, and may end while the family goes, which waits for
    // this.
    rcu::read(|_| {
        // SAFETY: It is null or the family, which stays registered during the critical section.
        let Some(family) = (unsafe { FAMILY.load(Acquire).as_ref() }) else {
            return;
        };
        let group = Group::Connections;
        let make = || {
            let (number, found) = make();
            attributes(number, &Entry::from(&found))
        };
        // SAFETY: As above; the caller vouches for the namespace.
        if unsafe { message::tell(family, net, group, event.command(), make) }.is_err() {
            let error = -(bindings::ENOBUFS as c_int);
            // SAFETY: As above.
            unsafe { bindings::shim_genl_set_err(family, net, group as c_uint, error) };
        }
    });
}

fn attributes(number: u64, entry: &Entry) -> Result<Writer, Full> {
    let mut writer = Writer::atomic(Entry::ROOM)?;
    number.put(attribute::SERIAL, &mut writer)?;
    entry.put(attribute::CONNECTION, &mut writer)?;
    Ok(writer)
}

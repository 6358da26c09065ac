// SPDX-License-Identifier: GPL-2.0
//! Traced packets: each step of one is told to all who listen, from the context in which it is filtered.

use super::message::{Header, Message};
use super::{Group, FAMILY};
use crate::glue::bindings;
use crate::uapi::attr::{Full, Writer};
use crate::uapi::field::Field;
use crate::uapi::trace::Trace;
use crate::uapi::{message, Command};
use kernel::sync::atomic::ordering::Acquire;

/// Tells of a step that `make` describes, if someone in the namespace listens. May be called in any
/// context; a step that there is no memory for is lost, as are those that a listener has no room for, of
/// which netlink tells it.
///
/// # Safety
///
/// `net` is a namespace that is alive, and the family stays registered during the call.
#[cold]
#[inline(never)]
pub(in crate::glue) unsafe fn tell(
    net: *mut bindings::net,
    generation: u64,
    make: impl FnOnce() -> Trace,
) {
    // SAFETY: It is null or the family, which the caller keeps.
    let Some(family) = (unsafe { FAMILY.load(Acquire).as_ref() }) else {
        return;
    };
    let group = Group::Trace as u32;
    // SAFETY: The family is registered and has this group; the caller vouches for the namespace.
    if !unsafe { bindings::shim_genl_has_listeners(family, net, group) } {
        return;
    }
    let header = Header {
        family,
        port: 0,
        sequence: 0,
        flags: 0,
        command: Command::Trace as u8,
    };
    let step = make();
    let message = attributes(generation, &step).and_then(|to| {
        Ok(Message::new(
            header,
            to.bytes(),
            bindings::CONST_GFP_ATOMIC,
        )?)
    });
    if let Ok(message) = message {
        // SAFETY: The caller vouches for the namespace.
        unsafe { message.multicast(family, net, Group::Trace, bindings::CONST_GFP_ATOMIC) };
    }
}

fn attributes(generation: u64, step: &Trace) -> Result<Writer, Full> {
    let mut writer = Writer::atomic(Trace::ROOM)?;
    generation.put(message::GENERATION, &mut writer)?;
    step.put(message::TRACE, &mut writer)?;
    Ok(writer)
}

// SPDX-License-Identifier: GPL-2.0
//! Traced packets: each step of one is told to all who listen, from the context in which it is filtered.

use super::{message, Group, FAMILY};
use crate::glue::bindings;
use crate::uapi::attr::{Full, Writer};
use crate::uapi::field::Field;
use crate::uapi::trace::Trace;
use crate::uapi::{message as attribute, Command};
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
    let make = || attributes(generation, &make());
    // SAFETY: The caller keeps the family, and vouches for the namespace.
    let _ = unsafe { message::tell(family, net, Group::Trace, Command::Trace, make) };
}

fn attributes(generation: u64, step: &Trace) -> Result<Writer, Full> {
    let mut writer = Writer::atomic(Trace::ROOM)?;
    generation.put(attribute::GENERATION, &mut writer)?;
    step.put(attribute::TRACE, &mut writer)?;
    Ok(writer)
}

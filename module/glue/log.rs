// SPDX-License-Identifier: GPL-2.0
//! LOG: packets written to the kernel's log by nf_log, which also serves iptables and nft.

use super::bindings;
use super::skb::Packet;
use crate::engine::packet::Family;
use crate::engine::rules::targets::Log;
use kernel::error::{to_result, Result};
use kernel::ffi::{c_int, c_uint};
use kernel::str::CStrExt as _;

const TYPE: c_uint = bindings::nf_log_type_NF_LOG_TYPE_LOG;

/// A reference to the logger of a family, which keeps its module from being unloaded.
pub(super) struct Logger(Family);

impl Logger {
    /// Takes a reference, after loading the module that logs if there is no logger. May sleep.
    ///
    /// # Errors
    ///
    /// There is no logger, and nf_log_syslog can't be loaded.
    pub(super) fn get(family: Family) -> Result<Self> {
        let find = || {
            // SAFETY: The function may be asked for any family below NFPROTO_NUMPROTO, and may
            // sleep.
            to_result(unsafe { bindings::nf_logger_find_get(family as c_int, TYPE) })
        };
        if find().is_err() {
            super::request_module(c"nf_log_syslog");
            find()?;
        }
        Ok(Self(family))
    }
}

impl Drop for Logger {
    fn drop(&mut self) {
        // SAFETY: `get` took the reference that is given back here.
        unsafe { bindings::nf_logger_put(self.0 as c_int, TYPE) };
    }
}

/// Writes a packet to the log. May be called in any context in which packets are filtered.
#[cold]
#[inline(never)]
pub(super) fn write(log: &Log, packet: &Packet<'_>, state: &bindings::nf_hook_state) {
    let mut info = bindings::nf_loginfo {
        type_: TYPE as u8,
        ..Default::default()
    };
    info.u.log = bindings::nf_loginfo__bindgen_ty_1__bindgen_ty_2 {
        level: log.level,
        logflags: log.flags,
    };

    // The prefix with the zero byte that C wants behind it.
    let mut prefix = [0u8; crate::engine::rules::targets::Prefix::MAX + 1];
    for (to, from) in prefix.iter_mut().zip(log.prefix.as_bytes()) {
        *to = *from;
    }
    // SAFETY: Namespace, packet and devices are those of the hook that this runs in; `info` and the
    // prefix are on the stack, and the format has one argument, a text that ends with a zero byte.
    unsafe {
        bindings::nf_log_packet(
            state.net,
            state.pf,
            c_uint::from(state.hook),
            packet.as_ptr(),
            state.in_,
            state.out,
            &info,
            c"%s".as_char_ptr(),
            prefix.as_ptr(),
        )
    };
}

// SPDX-License-Identifier: GPL-2.0
//! LOG and NFLOG: packets given to nf_log, which also serves iptables and nft.

use super::bindings;
use super::skb::Packet;
#[cfg(CONFIG_NF_CONNTRACK)]
use crate::engine::conntrack::Invalid;
use crate::engine::packet::Family;
use crate::engine::rules::targets::{Log, Nflog, NflogPrefix};
use kernel::error::{to_result, Result};
use kernel::ffi::{c_int, c_uint};
use kernel::str::{CStr, CStrExt as _};

/// How urgent packets are that can be no connection's (KERN_NOTICE).
#[cfg(CONFIG_NF_CONNTRACK)]
const NOTICE: u8 = 5;

/// Where packets are logged.
#[derive(Clone, Copy)]
pub(super) enum To {
    /// In the kernel's log, by nf_log_syslog.
    Log,
    /// In user space, by nfnetlink_log.
    Listeners,
}

impl To {
    const fn number(self) -> c_uint {
        match self {
            Self::Log => bindings::nf_log_type_NF_LOG_TYPE_LOG,
            Self::Listeners => bindings::nf_log_type_NF_LOG_TYPE_ULOG,
        }
    }

    const fn module(self) -> &'static CStr {
        match self {
            Self::Log => c"nf_log_syslog",
            Self::Listeners => c"nfnetlink_log",
        }
    }
}

/// A reference to the logger of a family, which keeps its module from being unloaded.
pub(super) struct Logger(Family, To);

impl Logger {
    /// Takes a reference, after loading the module that logs if there is no logger. May sleep.
    ///
    /// # Errors
    ///
    /// There is no logger, and its module can't be loaded.
    pub(super) fn get(family: Family, to: To) -> Result<Self> {
        let find = || {
            // SAFETY: The function may be asked for any family below NFPROTO_NUMPROTO, and may
            // sleep.
            to_result(unsafe { bindings::nf_logger_find_get(family as c_int, to.number()) })
        };
        if find().is_err() {
            super::request_module(to.module());
            find()?;
        }
        Ok(Self(family, to))
    }
}

impl Drop for Logger {
    fn drop(&mut self) {
        // SAFETY: `get` took the reference that is given back here.
        unsafe { bindings::nf_logger_put(self.0 as c_int, self.1.number()) };
    }
}

/// How a packet becomes a line of the log.
fn line(level: u8, flags: u8) -> bindings::nf_loginfo {
    let mut info = bindings::nf_loginfo {
        type_: To::Log.number() as u8,
        ..Default::default()
    };
    info.u.log = bindings::nf_loginfo__bindgen_ty_1__bindgen_ty_2 {
        level,
        logflags: flags,
    };
    info
}

/// Writes a packet to the log. May be called in any context in which packets are filtered.
#[cold]
#[inline(never)]
pub(super) fn write(log: &Log, packet: &Packet<'_>, state: &bindings::nf_hook_state) {
    let info = line(log.level, log.flags);
    give(&info, log.prefix.as_bytes(), packet, state);
}

/// Writes a packet that can be no connection's to the log, and why, unless too much is written already. May be called
/// in any context in which packets are filtered.
#[cfg(CONFIG_NF_CONNTRACK)]
#[cold]
#[inline(never)]
pub(super) fn invalid(why: Invalid, packet: &Packet<'_>, state: &bindings::nf_hook_state) {
    // SAFETY: The function has no requirement.
    if unsafe { bindings::net_ratelimit() } == 0 {
        return;
    }
    let info = line(NOTICE, bindings::NF_LOG_DEFAULT_MASK as u8);
    let parts = ["INVALID, ", why.name(), ": "];
    let mut text = [0; NflogPrefix::MAX];
    for (to, from) in text
        .iter_mut()
        .zip(parts.iter().flat_map(|part| part.bytes()))
    {
        *to = from;
    }
    give(&info, &text, packet, state);
}

/// Hands a packet to those who listen in user space. May be called in any context in which packets are filtered.
#[cold]
#[inline(never)]
pub(super) fn hand(nflog: &Nflog, packet: &Packet<'_>, state: &bindings::nf_hook_state) {
    let mut info = bindings::nf_loginfo {
        type_: To::Listeners.number() as u8,
        ..Default::default()
    };
    let flags = nflog.size.map_or(0, |_| bindings::NF_LOG_F_COPY_LEN);
    info.u.ulog = bindings::nf_loginfo__bindgen_ty_1__bindgen_ty_1 {
        copy_len: nflog.size.unwrap_or_default(),
        group: nflog.group,
        qthreshold: nflog.threshold,
        flags: flags as u16,
    };
    give(&info, nflog.prefix.as_bytes(), packet, state);
}

/// Gives a packet to nf_log.
fn give(
    info: &bindings::nf_loginfo,
    text: &[u8],
    packet: &Packet<'_>,
    state: &bindings::nf_hook_state,
) {
    // The prefix with the zero byte that C wants behind it; the longest is NFLOG's.
    let mut prefix = [0u8; NflogPrefix::MAX + 1];
    for (to, from) in prefix.iter_mut().take(NflogPrefix::MAX).zip(text) {
        *to = *from;
    }
    // SAFETY: Namespace, packet and devices are those of the hook that this runs in; `info` and the
    // prefix outlive the call, and the format has one argument, a text that ends with a zero byte.
    unsafe {
        bindings::nf_log_packet(
            state.net,
            state.pf,
            c_uint::from(state.hook),
            packet.as_ptr(),
            state.in_,
            state.out,
            info,
            c"%s".as_char_ptr(),
            prefix.as_ptr(),
        )
    };
}

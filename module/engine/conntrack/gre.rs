// SPDX-License-Identifier: GPL-2.0
//! Generic Routing Encapsulation (RFC 2784), and the version of it that PPTP uses (RFC 2637, section 4.1), whose packets
//! bear the number of a call.

use super::{Judgement, Setting, Settings};
use crate::engine::packet::Body;

/// The version's bits in the second byte.
const VERSION: u8 = 7;
/// The protocol that version 1 carries, PPP.
const PPP: [u8; 2] = [0x88, 0x0b];

/// The key of version 1, which is the call's number at the receiver; the sender's is not in the packet. Other versions
/// are told apart by their addresses alone. `None` where version 1 carries what it can't.
pub(super) fn ids(packet: &Body<'_>, offset: usize) -> Option<[[u8; 2]; 2]> {
    let none = [[0; 2]; 2];
    let mut buffer = [0; 8];
    let Some(&[_, version, p0, p1, _, _, k0, k1]) = packet.header(offset, &mut buffer) else {
        return Some(none);
    };
    match version & VERSION {
        1 if [p0, p1] == PPP => Some([[0; 2], [k0, k1]]),
        1 => None,
        _ => Some(none),
    }
}

/// See [`Machine::packet`](super::Machine::packet).
pub(super) fn packet(seen_reply: bool, settings: &Settings) -> Judgement {
    let timeout = settings.get(if seen_reply {
        Setting::GreTimeoutStream
    } else {
        Setting::GreTimeout
    });
    Judgement::refreshed(timeout, seen_reply)
}

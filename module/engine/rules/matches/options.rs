// SPDX-License-Identifier: GPL-2.0
//! Lists of options at the end of a transport header, as TCP has them (RFC 9293, section 3.1) and DCCP is read
//! by iptables.

use super::Outcome;
use crate::engine::packet::{Body, DropReason};

/// The options of a list. Each is a kind and a length that counts both; kinds 0 and 1 have no length, and a
/// length of 0 is taken for 1 so that the walk always ends.
pub(super) struct TransportOptions<'a> {
    packet: &'a Body<'a>,
    /// Where the next option is, in bytes from the network header.
    next: usize,
    /// Where the list ends.
    end: usize,
}

/// An option.
pub(super) struct TransportOption {
    /// Its kind.
    pub kind: u8,
    /// Where it is, in bytes from the network header.
    pub offset: usize,
    /// How many bytes of the list there are from there on.
    pub left: usize,
}

impl<'a> TransportOptions<'a> {
    /// The options between two offsets from the transport header.
    ///
    /// # Errors
    ///
    /// [`Outcome::Drop`] where the list ends before it begins, or the packet before the list.
    pub(super) fn between(packet: &'a Body<'a>, first: usize, end: usize) -> Result<Self, Outcome> {
        if end < first {
            return Err(Outcome::Drop(DropReason::MalformedTransport));
        }
        let start = packet.transport.map_or(0, |transport| transport.offset);
        let list = Self {
            packet,
            next: start + first,
            end: start + end,
        };
        if end != first && list.byte(list.end - 1).is_none() {
            return Err(Outcome::Drop(DropReason::TruncatedTransport));
        }
        Ok(list)
    }

    fn byte(&self, offset: usize) -> Option<u8> {
        let mut buffer = [0; 1];
        self.packet.header(offset, &mut buffer).map(|[byte]| *byte)
    }
}

impl Iterator for TransportOptions<'_> {
    type Item = TransportOption;

    fn next(&mut self) -> Option<TransportOption> {
        let offset = self.next;
        let left = self.end.checked_sub(offset).filter(|left| *left != 0)?;
        let kind = self.byte(offset)?;
        let length = if kind > 1 && left > 1 {
            self.byte(offset + 1)?.max(1)
        } else {
            1
        };
        self.next = offset + usize::from(length);
        Some(TransportOption { kind, offset, left })
    }
}

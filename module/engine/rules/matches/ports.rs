// SPDX-License-Identifier: GPL-2.0
//! Ports, and where a packet has them.

use super::Outcome;
use crate::engine::packet::{Body, DropReason};
use crate::uapi::field::Not;
use crate::uapi::range::Range;

/// Ports from a first to a last, in host order.
pub type PortRange = Range<u16>;

/// The ports that a rule asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortPair {
    /// The source port.
    pub source: Option<Not<PortRange>>,
    /// The destination port.
    pub destination: Option<Not<PortRange>>,
}

impl PortPair {
    /// Whether a packet's ports are among them.
    #[inline]
    pub fn test(&self, packet: &Body<'_>) -> Outcome {
        match packet.ports.known() {
            Ok(Some((source, destination))) => {
                let fits = |asked: &Option<Not<PortRange>>, port| {
                    asked.is_none_or(|range| range.holds(port))
                };
                Outcome::from(fits(&self.source, source) && fits(&self.destination, destination))
            }
            Ok(None) => Outcome::No,
            Err(reason) => Outcome::Drop(reason),
        }
    }
}

/// The packet's transport header, for a match that can't judge without one.
///
/// # Errors
///
/// [`Outcome::No`] for a fragment that does not have the header, [`Outcome::Drop`] for a packet that should
/// and does not.
#[inline]
pub(super) fn transport_header<'b, const N: usize>(
    packet: &'b Body<'_>,
    buffer: &'b mut [u8; N],
) -> Result<&'b [u8; N], Outcome> {
    let Some(transport) = packet.transport else {
        return Err(Outcome::Drop(DropReason::MalformedExtensions));
    };
    if transport.fragment != 0 {
        return Err(Outcome::No);
    }
    match packet.header(transport.offset, buffer) {
        Some(header) => Ok(header),
        None => Err(Outcome::Drop(DropReason::TruncatedTransport)),
    }
}

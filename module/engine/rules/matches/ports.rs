// SPDX-License-Identifier: GPL-2.0
//! Ports, and where a packet has them.

use super::Outcome;
use crate::engine::packet::{Body, DropReason, Ports};
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};

/// Ports from `first` to `last`, both included, in host order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The lowest port.
    pub first: u16,
    /// The highest port.
    pub last: u16,
}

impl PortRange {
    /// Whether the port is in the range.
    #[inline]
    pub fn contains(&self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

/// On netlink: two 16-bit numbers in host order.
impl Field for PortRange {
    const KIND: Kind = Kind::Bytes(4);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        let ([f0, f1], [l0, l1]) = (self.first.to_ne_bytes(), self.last.to_ne_bytes());
        to.put(id, &[f0, f1, l0, l1])
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let Ok([f0, f1, l0, l1]) = <[u8; 4]>::try_from(from.data) else {
            return Err(from.invalid("port range must have 4 bytes"));
        };
        let range = Self {
            first: u16::from_ne_bytes([f0, f1]),
            last: u16::from_ne_bytes([l0, l1]),
        };
        if range.first > range.last {
            return Err(from.invalid("port range is reversed"));
        }
        Ok(range)
    }
}

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
        match packet.ports {
            Ports::Known {
                source,
                destination,
            } => {
                let fits = |asked: &Option<Not<PortRange>>, port| {
                    asked.is_none_or(|range| range.value.contains(port) != range.not)
                };
                Outcome::from(fits(&self.source, source) && fits(&self.destination, destination))
            }
            Ports::None => Outcome::No,
            Ports::Damaged(reason) => Outcome::Drop(reason),
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

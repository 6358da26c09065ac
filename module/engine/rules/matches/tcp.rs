// SPDX-License-Identifier: GPL-2.0
//! `-m tcp`: ports, flags and options of a TCP header (RFC 9293, section 3.1).

use super::ports::{fits, transport_header};
use super::{Matcher, Outcome, PortRange};
use crate::alloc::AllocError;
use crate::engine::packet::{protocol, Body, DropReason, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};
use crate::wire;

/// Length of the header without options, in bytes.
const MIN_HEADER: usize = 20;
/// The longest option list: the header's length has 4 bits and counts units of 4 bytes.
const MAX_OPTIONS: usize = 40;

/// Which flags are looked at, and which of them must be set; bits as in the header's 14th byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpFlags {
    /// The flags looked at.
    pub mask: u8,
    /// Those of them that must be set; the others must not.
    pub set: u8,
}

impl TcpFlags {
    /// What `--syn` stands for: a segment that opens a connection.
    pub const SYN: Self = Self {
        mask: 0x17,
        set: 0x02,
    };
}

/// On netlink: two bytes, mask and set.
impl Field for TcpFlags {
    const KIND: Kind = Kind::Bytes(2);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        to.put(id, &[self.mask, self.set])
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        match *from.data {
            [mask, set] => Ok(Self { mask, set }),
            _ => Err(from.invalid("TCP flags must have 2 bytes")),
        }
    }
}

wire! {
    /// The match.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Tcp, "tcp-attrs" {
        /// `--source-port`
        2 source: Option<Not<PortRange>>,
        /// `--destination-port`
        3 destination: Option<Not<PortRange>>,
        /// `--tcp-flags`
        4 flags: Option<Not<TcpFlags>>,
        /// `--tcp-option`: an option of this kind is there.
        5 option: Option<Not<u8>>,
    }
}

impl Matcher for Tcp {
    fn check(&self, _: Family, rule: &Rule) -> Result<(), &'static str> {
        match self.option {
            Some(option) if option.value == 0 => return Err("TCP option 0 only ends a list"),
            _ => (),
        }
        if rule.exact_protocol() == Some(protocol::TCP) {
            Ok(())
        } else {
            Err("the tcp match needs -p tcp")
        }
    }

    #[inline]
    fn test(&self, packet: &Body<'_>) -> Outcome {
        let mut buffer = [0; MIN_HEADER];
        let (transport, header) = match transport_header(packet, &mut buffer) {
            Ok(found) => found,
            Err(Outcome::No) => return fragment(packet),
            Err(outcome) => return outcome,
        };
        let &[s0, s1, d0, d1, _, _, _, _, _, _, _, _, data_offset, flags, ..] = header;
        if !fits(&self.source, u16::from_be_bytes([s0, s1]))
            || !fits(&self.destination, u16::from_be_bytes([d0, d1]))
        {
            return Outcome::No;
        }
        if let Some(asked) = self.flags {
            if (flags & asked.value.mask == asked.value.set) == asked.not {
                return Outcome::No;
            }
        }
        match self.option {
            Some(asked) => has_option(
                packet,
                transport.offset,
                data_offset,
                asked.value,
                asked.not,
            ),
            None => Outcome::Yes,
        }
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

/// A fragment has no header to judge. One that begins 8 bytes in would overwrite the flags of the first
/// fragment's header when they are put together; nothing honest sends it (RFC 1858, section 3).
#[cold]
fn fragment(packet: &Body<'_>) -> Outcome {
    match packet.transport {
        Some(transport) if transport.fragment == 8 && packet.family == Family::V4 => {
            Outcome::Drop(DropReason::TinyFragment)
        }
        _ => Outcome::No,
    }
}

/// Whether an option of this kind is in the list, or is not where `not` is set. An option is a kind and a
/// length that counts both; kinds 0 and 1 have no length, and a length of 0 is taken for 1 so that the walk
/// always ends.
fn has_option(packet: &Body<'_>, header: usize, data_offset: u8, kind: u8, not: bool) -> Outcome {
    let Some(length) = (usize::from(data_offset >> 4) * 4).checked_sub(MIN_HEADER) else {
        return Outcome::Drop(DropReason::MalformedTcp);
    };
    let mut buffer = [0; MAX_OPTIONS];
    let Some(options) = buffer.get_mut(..length) else {
        return Outcome::Drop(DropReason::MalformedTcp);
    };
    if length != 0 && !packet.copy(header.saturating_add(MIN_HEADER), options) {
        return Outcome::Drop(DropReason::TruncatedTransport);
    }
    let mut rest = &*options;
    while let Some((&found, tail)) = rest.split_first() {
        if found == kind {
            return Outcome::from(!not);
        }
        let length = match tail.first() {
            Some(&length) if found > 1 => usize::from(length.max(1)),
            _ => 1,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    Outcome::from(not)
}

// SPDX-License-Identifier: GPL-2.0
//! The ports of a packet, of whichever protocol that has any.

use super::{protocol, read, DropReason, Family, Source, Transport};

/// The ports of a packet: read once, since most rules ask for them.
#[derive(Clone, Copy)]
pub struct Ports {
    /// Source and destination, in host order, as they stand in the header; 0 where there are none.
    both: u32,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Known,
    None,
    Damaged(DropReason),
}

impl Ports {
    /// Those of a packet that has none.
    pub(super) const NONE: Self = Self {
        both: 0,
        state: State::None,
    };

    /// Whether there are none to judge by, or nobody has looked.
    #[inline]
    pub(super) fn is_none(self) -> bool {
        matches!(self.state, State::None)
    }

    /// The source port, in host order; 0 where there is none.
    #[inline]
    pub fn source(self) -> u16 {
        (self.both >> 16) as u16
    }

    /// The destination port, in host order; 0 where there is none.
    #[inline]
    pub fn destination(self) -> u16 {
        self.both as u16
    }

    /// Source and destination. The whole fixed part of the transport header is there then; `None` where there are none to
    /// judge by: in a later fragment, or of a protocol without ports.
    ///
    /// # Errors
    ///
    /// The packet should have ports and is damaged, so that a rule that asks for them must drop it.
    #[inline]
    pub fn known(self) -> Result<Option<(u16, u16)>, DropReason> {
        match self.state {
            State::Known => Ok(Some((self.source(), self.destination()))),
            State::None => Ok(None),
            State::Damaged(reason) => Err(reason),
        }
    }

    #[inline(always)]
    const fn damaged(reason: DropReason) -> Self {
        Self {
            state: State::Damaged(reason),
            ..Self::NONE
        }
    }

    /// Those of a packet, where its transport header is known.
    #[inline(always)]
    pub(super) fn find(
        family: Family,
        transport: Option<Transport>,
        linear: &[u8],
        source: &dyn Source,
    ) -> Self {
        let Some(Transport {
            protocol,
            offset,
            fragment,
        }) = transport
        else {
            return Self::NONE;
        };
        if fragment != 0 {
            // A fragment that begins 8 bytes in would overwrite the flags of the first one's header when
            // they are put together; nothing honest sends it (RFC 1858, section 3).
            return match (family, protocol, fragment) {
                (Family::V4, protocol::TCP, 8) => Self::damaged(DropReason::TinyFragment),
                _ => Self::NONE,
            };
        }
        let first = match protocol {
            protocol::TCP => first_word::<20>(linear, source, offset),
            protocol::UDP | protocol::UDPLITE => first_word::<8>(linear, source, offset),
            protocol::SCTP | protocol::DCCP => first_word::<12>(linear, source, offset),
            _ => return Self::NONE,
        };
        match first {
            Some(both) => Self {
                both,
                state: State::Known,
            },
            None => Self::damaged(DropReason::TruncatedTransport),
        }
    }
}

/// The first four bytes of a header of which `N` must be there, as a number.
#[inline(always)]
fn first_word<const N: usize>(linear: &[u8], source: &dyn Source, offset: usize) -> Option<u32> {
    let mut buffer = [0; N];
    let header = read(linear, source, offset, &mut buffer)?;
    Some(u32::from_be_bytes(*header.first_chunk()?))
}

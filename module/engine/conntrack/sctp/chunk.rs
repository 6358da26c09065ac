// SPDX-License-Identifier: GPL-2.0
//! The chunks of a packet (RFC 9260, section 3).

use crate::engine::conntrack::{checksum, Invalid, Settings};
use crate::engine::packet::Body;

/// Length of the common header, in bytes.
const HEADER: usize = 12;
/// Length of what every chunk begins with: its type, its flags, and its length.
const CHUNK_HEADER: usize = 4;
/// Length of an INIT or INIT ACK chunk without parameters.
const INIT_LENGTH: usize = 20;
/// Chunks begin at multiples of this many bytes.
const ALIGNMENT: usize = 4;
/// The flag "T" of ABORT and SHUTDOWN COMPLETE.
const REFLECTED: u8 = 1;

/// What a chunk is, as far as that tells of the association (RFC 9260, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Init,
    InitAck,
    Heartbeat,
    HeartbeatAck,
    Abort,
    Shutdown,
    ShutdownAck,
    Error,
    CookieEcho,
    CookieAck,
    ShutdownComplete,
    Data,
    /// All the rest.
    Other,
}

impl Kind {
    fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Data,
            1 => Self::Init,
            2 => Self::InitAck,
            4 => Self::Heartbeat,
            5 => Self::HeartbeatAck,
            6 => Self::Abort,
            7 => Self::Shutdown,
            8 => Self::ShutdownAck,
            9 => Self::Error,
            10 => Self::CookieEcho,
            11 => Self::CookieAck,
            14 => Self::ShutdownComplete,
            _ => Self::Other,
        }
    }

    /// Whether nothing may come before or after it in a packet (RFC 9260, section 6.10).
    fn is_alone(self) -> bool {
        matches!(self, Self::Init | Self::InitAck | Self::ShutdownComplete)
    }

    /// Whether nothing may come before it.
    fn is_first(self) -> bool {
        self.is_alone() || matches!(self, Self::CookieEcho | Self::CookieAck)
    }

    /// Whether a packet with it is out of the blue where no association is known, and of none that begins (RFC 9260,
    /// section 8.4).
    fn begins_nothing(self) -> bool {
        matches!(self, Self::Abort | Self::ShutdownComplete | Self::CookieAck)
    }

    /// Whether packets with it have a rule of their own for the tag (RFC 9260, section 8.5.1), or none.
    fn has_own_tag_rule(self) -> bool {
        matches!(
            self,
            Self::Init
                | Self::ShutdownComplete
                | Self::CookieEcho
                | Self::Abort
                | Self::ShutdownAck
                | Self::Heartbeat
                | Self::HeartbeatAck
        )
    }
}

/// A chunk of a packet.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    /// What it is.
    pub kind: Kind,
    flags: u8,
    /// Bytes from the network header to it.
    offset: usize,
    /// Its length without padding, in bytes. There are as many.
    length: usize,
}

impl Chunk {
    /// Whether its sender knew no tag of its own and took the one of the packet that it answers.
    pub(super) fn is_reflected(&self) -> bool {
        self.flags & REFLECTED != 0
    }
}

/// The chunks of a packet.
pub(super) struct Chunks<'a> {
    packet: &'a Body<'a>,
    offset: usize,
}

impl Iterator for Chunks<'_> {
    type Item = Result<Chunk, Invalid>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.packet.length() as usize;
        let left = end.checked_sub(self.offset).filter(|left| *left != 0)?;
        let mut buffer = [0; CHUNK_HEADER];
        let Some(&[kind, flags, l0, l1]) = self.packet.header(self.offset, &mut buffer) else {
            self.offset = end;
            return Some(Err(Invalid::Truncated));
        };
        let chunk = Chunk {
            kind: Kind::from_number(kind),
            flags,
            offset: self.offset,
            length: u16::from_be_bytes([l0, l1]).into(),
        };
        if chunk.length < CHUNK_HEADER || chunk.length > left {
            self.offset = end;
            return Some(Err(Invalid::Length));
        }
        // The last one's padding may be missing.
        self.offset += chunk.length.next_multiple_of(ALIGNMENT).min(left);
        Some(Ok(chunk))
    }
}

/// A packet whose chunks go together, and what must be known of all to judge each.
pub(super) struct Chunked<'a> {
    packet: &'a Body<'a>,
    /// The verification tag, as it is in memory.
    pub tag: u32,
    /// Bytes from the network header to the first chunk.
    first: usize,
    /// Whether a chunk has a rule of its own for the tag.
    pub has_own_tag_rule: bool,
    /// Whether a chunk is one that can't begin anything.
    pub begins_nothing: bool,
    /// Whether a chunk carries data.
    pub has_data: bool,
}

impl<'a> Chunked<'a> {
    /// Reads the packet's header and chunks.
    ///
    /// # Errors
    ///
    /// What is wrong with them, or with the checksum over all.
    pub(super) fn read(packet: &'a Body<'a>, settings: &Settings) -> Result<Self, Invalid> {
        let transport = packet.transport.ok_or(Invalid::Network)?;
        let mut buffer = [0; HEADER];
        let header = packet.header(transport.offset, &mut buffer);
        let &[_, _, _, _, t0, t1, t2, t3, ..] = header.ok_or(Invalid::Truncated)?;
        checksum::check(packet, transport, packet.rest(transport), settings)?;
        let mut chunked = Self {
            packet,
            tag: u32::from_ne_bytes([t0, t1, t2, t3]),
            first: transport.offset + HEADER,
            has_own_tag_rule: false,
            begins_nothing: false,
            has_data: false,
        };
        let mut before: Option<Kind> = None;
        for chunk in chunked.chunks() {
            let kind = chunk?.kind;
            if before.is_some_and(|before| before.is_alone() || kind.is_first()) {
                return Err(Invalid::Chunks);
            }
            before = Some(kind);
            chunked.has_own_tag_rule |= kind.has_own_tag_rule();
            chunked.begins_nothing |= kind.begins_nothing();
            chunked.has_data |= kind == Kind::Data;
        }
        match before {
            Some(_) => Ok(chunked),
            None => Err(Invalid::Chunks),
        }
    }

    /// The chunks, one after the other.
    pub(super) fn chunks(&self) -> Chunks<'a> {
        Chunks {
            packet: self.packet,
            offset: self.first,
        }
    }

    /// The tag that who sent an INIT or INIT ACK chunk wants in packets to it.
    pub(super) fn wanted_tag(&self, chunk: &Chunk) -> Result<u32, Invalid> {
        if chunk.length < INIT_LENGTH {
            return Err(Invalid::Length);
        }
        let mut buffer = [0; 4];
        let tag = self.packet.header(chunk.offset + CHUNK_HEADER, &mut buffer);
        Ok(u32::from_ne_bytes(*tag.ok_or(Invalid::Truncated)?))
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_conntrack_sctp_chunk))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{ip, seen};
    use crate::engine::packet::{protocol, Family, Hook};

    /// Numbers of chunk types.
    const DATA: u8 = 0;
    const INIT: u8 = 1;
    const INIT_ACK: u8 = 2;
    const ABORT: u8 = 6;
    const COOKIE_ECHO: u8 = 10;
    const COOKIE_ACK: u8 = 11;
    const SHUTDOWN_COMPLETE: u8 = 14;

    fn refused(packet: &[u8]) -> Option<Invalid> {
        let packet = ip(Family::V4, protocol::SCTP, packet).0;
        let read = |packet: &Body<'_>| Chunked::read(packet, &Settings::default()).err();
        seen(Family::V4, &packet, Hook::LocalIn, read).unwrap()
    }

    #[test]
    fn chunks_that_do_not_go_together() {
        let alone = [INIT, INIT_ACK, SHUTDOWN_COMPLETE];
        for number in 0..=u8::MAX {
            for other in [
                DATA,
                ABORT,
                INIT,
                SHUTDOWN_COMPLETE,
                COOKIE_ACK,
                COOKIE_ECHO,
                200,
            ] {
                let header = [4, 0, 0, 22, 0, 0, 0, 1, 0, 0, 0, 0];
                let mut packet = [0; HEADER + 2 * CHUNK_HEADER];
                let chunks = [number, 0, 0, 4, other, 0, 0, 4];
                for (to, from) in packet.iter_mut().zip(header.into_iter().chain(chunks)) {
                    *to = from;
                }
                let fits = !alone.contains(&number)
                    && !alone.contains(&other)
                    && ![COOKIE_ECHO, COOKIE_ACK].contains(&other);
                assert!(refused(&packet) == (!fits).then_some(Invalid::Chunks));
            }
        }
    }

    #[test]
    fn a_header_cut_off_anywhere() {
        let header = [4, 0, 0, 22, 0, 0, 0, 1, 0, 0, 0, 0];
        for length in 0..HEADER {
            assert!(refused(header.get(..length).unwrap()) == Some(Invalid::Truncated));
        }
        assert!(refused(&header) == Some(Invalid::Chunks));
    }

    #[test]
    fn a_wrong_checksum() {
        // COOKIE ACK with a right one, and with one that is not.
        let packet = [
            4, 0, 0, 22, 0, 0, 0, 1, 0x94, 0x11, 0x4d, 0x82, COOKIE_ACK, 0, 0, 4,
        ];
        for (last, expected) in [(0x82, None), (0x83, Some(Invalid::Checksum))] {
            let packet = ip(Family::V6, protocol::SCTP, &packet)
                .with(40 + 11, last)
                .0;
            let read = |packet: &Body<'_>| Chunked::read(packet, &Settings::default()).err();
            assert!(seen(Family::V6, &packet, Hook::PreRouting, read) == Some(expected));
        }
    }
}

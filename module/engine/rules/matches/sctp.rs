// SPDX-License-Identifier: GPL-2.0
//! `-m sctp`: ports and chunks of an SCTP packet (RFC 9260, section 3).

use super::ports::transport_header;
use super::{Matcher, Outcome, PortPair, PortRange};
use crate::alloc::AllocError;
use crate::engine::packet::{protocol, Body, DropReason, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Errno, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};
use crate::{numbered, wire};

/// Length of the common header, in bytes.
const HEADER: usize = 12;
/// Length of what every chunk begins with: its type, its flags, and its length.
const CHUNK_HEADER: usize = 4;
/// Chunks begin at multiples of this many bytes.
const ALIGNMENT: usize = 4;

/// How a packet's chunks must agree with a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ChunkMatch {
    /// `any`: a chunk of the list is there.
    Any = 1,
    /// `all`: each chunk of the list is there.
    All = 2,
    /// `only`: each chunk that is there is in the list.
    Only = 4,
}

impl ChunkMatch {
    /// The ways in the order of their numbers, which are iptables'.
    pub const ALL: [Self; 3] = [Self::Any, Self::All, Self::Only];
}

numbered! { ChunkMatch, Errno::Invalid, "not a way for chunks to match"; }

/// Types of chunks, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkTypes([u8; 32]);

impl ChunkTypes {
    /// All types.
    pub const ALL: Self = Self([u8::MAX; 32]);

    /// Whether the type is among them.
    pub fn contains(&self, kind: u8) -> bool {
        let byte = self.0.get(usize::from(kind / 8)).copied();
        byte.unwrap_or_default() & 1 << (kind % 8) != 0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 32]
    }

    /// Adds a type.
    pub fn insert(&mut self, kind: u8) {
        if let Some(byte) = self.0.get_mut(usize::from(kind / 8)) {
            *byte |= 1 << (kind % 8);
        }
    }

    fn remove(&mut self, kind: u8) {
        if let Some(byte) = self.0.get_mut(usize::from(kind / 8)) {
            *byte &= !(1 << (kind % 8));
        }
    }
}

/// On netlink: 32 bytes, of which the first has the bits of types 0 to 7, from the lowest on.
impl Field for ChunkTypes {
    const KIND: Kind = Kind::Bytes(32);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        to.put(id, &self.0)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        match from.data.try_into() {
            Ok(bytes) => Ok(Self(bytes)),
            Err(_) => Err(from.invalid("types of chunks must have 32 bytes")),
        }
    }
}

/// What flags a chunk of a type must have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkFlags {
    /// The type.
    pub kind: u8,
    /// The flags looked at.
    pub mask: u8,
    /// Those of them that must be set; the others must not.
    pub set: u8,
}

/// The types whose chunks have flags, and which: DATA and ABORT and SHUTDOWN COMPLETE (RFC 9260, sections
/// 3.3.1, 3.3.7 and 3.3.13), and I-DATA (RFC 8260, section 2.1).
const KINDS_WITH_FLAGS: [(u8, u8); 4] = [(0, 0x0f), (6, 0x01), (14, 0x01), (64, 0x0f)];

/// What flags are asked for, of each type that has flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AllChunkFlags([ChunkFlags; KINDS_WITH_FLAGS.len()]);

impl AllChunkFlags {
    /// Asks for flags of a type, beside those that are asked for already; `None` when these are among them, or
    /// the type's chunks don't have them.
    pub fn insert(&mut self, flags: ChunkFlags) -> Option<()> {
        let known = KINDS_WITH_FLAGS.iter().zip(&mut self.0);
        let ((_, valid), place) = known
            .into_iter()
            .find(|((kind, _), _)| *kind == flags.kind)?;
        if flags.mask & (!valid | place.mask) != 0 || flags.set & !flags.mask != 0 {
            return None;
        }
        *place = ChunkFlags {
            kind: flags.kind,
            mask: place.mask | flags.mask,
            set: place.set | flags.set,
        };
        Some(())
    }

    /// What is asked for.
    pub fn iter(&self) -> impl Iterator<Item = &ChunkFlags> {
        self.0.iter().filter(|flags| flags.mask != 0)
    }

    fn hold(&self, kind: u8, flags: u8) -> bool {
        self.iter()
            .find(|asked| asked.kind == kind)
            .is_none_or(|asked| flags & asked.mask == asked.set)
    }
}

/// On netlink: three bytes a type, the type, the flags looked at and those of them that are set.
impl Field for AllChunkFlags {
    const KIND: Kind = Kind::Bytes(3 * KINDS_WITH_FLAGS.len() as u16);

    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        let mut bytes = [0; 3 * KINDS_WITH_FLAGS.len()];
        let mut length = 0;
        for (place, flags) in bytes.chunks_exact_mut(3).zip(self.iter()) {
            place.copy_from_slice(&[flags.kind, flags.mask, flags.set]);
            length += 3;
        }
        if length == 0 {
            return Ok(());
        }
        to.put(id, bytes.get(..length).unwrap_or_default())
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let mut all = Self::default();
        let triples = from.data.chunks_exact(3);
        let mut valid = triples.remainder().is_empty();
        for triple in triples {
            valid &= match *triple {
                [kind, mask, set] => all.insert(ChunkFlags { kind, mask, set }).is_some(),
                _ => false,
            };
        }
        if valid {
            Ok(all)
        } else {
            Err(from.invalid("not flags that a type of chunk has"))
        }
    }
}

wire! {
    /// What chunks are asked for.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Chunks, "sctp-chunk-attrs" {
        /// How the packet's chunks must agree with the list.
        2 how: ChunkMatch,
        /// The types in the list.
        3 types: ChunkTypes,
        /// The flags that make a chunk one of the list, of the types that have flags.
        4 flags: AllChunkFlags,
    }
}

impl Chunks {
    /// Whether the packet's chunks, the first of which is at `offset` from the network header, are as asked.
    ///
    /// # Errors
    ///
    /// [`Outcome::Drop`] where a chunk is not there, or has no length.
    fn hold(&self, packet: &Body<'_>, mut offset: usize) -> Result<bool, Outcome> {
        let length = packet.length() as usize;
        let mut missing = self.types;
        loop {
            let mut buffer = [0; CHUNK_HEADER];
            let &[kind, flags, l0, l1] = packet
                .header(offset, &mut buffer)
                .ok_or(Outcome::Drop(DropReason::TruncatedTransport))?;
            let listed = self.types.contains(kind) && self.flags.hold(kind, flags);
            let chunk = usize::from(u16::from_be_bytes([l0, l1]));
            if chunk == 0 {
                return Err(Outcome::Drop(DropReason::MalformedTransport));
            }
            match self.how {
                ChunkMatch::Any if listed => return Ok(true),
                ChunkMatch::Only if !listed => return Ok(false),
                ChunkMatch::All if listed => missing.remove(kind),
                _ => (),
            }
            offset += chunk.next_multiple_of(ALIGNMENT);
            if offset >= length {
                return Ok(match self.how {
                    ChunkMatch::Any => false,
                    ChunkMatch::All => missing.is_empty(),
                    ChunkMatch::Only => true,
                });
            }
        }
    }
}

wire! {
    /// The match.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Sctp, "sctp-attrs" {
        /// `--source-port`
        2 source: Option<Not<PortRange>>,
        /// `--destination-port`
        3 destination: Option<Not<PortRange>>,
        /// `--chunk-types`
        4 chunks: Option<Not<Chunks>>,
    }
}

impl Sctp {
    fn port_pair(&self) -> PortPair {
        PortPair {
            source: self.source,
            destination: self.destination,
        }
    }
}

impl Matcher for Sctp {
    fn check(&self, _: Family, rule: &Rule) -> Result<(), &'static str> {
        if let Some(Not { value, .. }) = &self.chunks {
            let mut flags = value.flags.iter();
            if flags.any(|flags| !value.types.contains(flags.kind)) {
                return Err("flags are asked for of chunks that are not");
            }
        }
        if rule.exact_protocol() == Some(protocol::SCTP) {
            Ok(())
        } else {
            Err("the sctp match needs -p sctp")
        }
    }

    fn ports(&self) -> Option<PortPair> {
        Some(self.port_pair())
    }

    fn asks(&self) -> bool {
        self.chunks.is_some()
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        match self.port_pair().test(packet) {
            Outcome::Yes => (),
            outcome => return outcome,
        }
        let Some(Not { value, not }) = &self.chunks else {
            return Outcome::Yes;
        };
        let mut buffer = [0; HEADER];
        if let Err(outcome) = transport_header(packet, &mut buffer) {
            return outcome;
        }
        let start = packet.transport.map_or(0, |transport| transport.offset);
        match value.hold(packet, start + HEADER) {
            Ok(hold) => Outcome::from(hold != *not),
            Err(outcome) => outcome,
        }
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_sctp))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, v6};
    use crate::engine::rules::Match;

    /// The common header: from port 1024 to 22.
    const COMMON: [u8; HEADER] = [4, 0, 0, 22, 0, 0, 0, 1, 0, 0, 0, 0];
    const INIT: u8 = 1;
    const SACK: u8 = 3;
    const COOKIE_ECHO: u8 = 10;

    fn test(sctp: Sctp, chunks: &[u8]) -> Outcome {
        let packet = v6(protocol::SCTP, &COMMON).then(chunks);
        holds(Family::V6, protocol::SCTP, Match::Sctp(sctp), &packet.0)
    }

    fn chunks(how: ChunkMatch, kinds: &[u8], flags: &[(u8, u8, u8)], not: bool) -> Sctp {
        let mut types = ChunkTypes::default();
        for kind in kinds {
            types.insert(*kind);
        }
        let mut all = AllChunkFlags::default();
        for &(kind, mask, set) in flags {
            all.insert(ChunkFlags { kind, mask, set }).unwrap();
        }
        let value = Chunks {
            how,
            types,
            flags: all,
        };
        Sctp {
            chunks: Some(Not { value, not }),
            ..Sctp::default()
        }
    }

    #[test]
    fn ports_at_the_edges() {
        for (first, last, hit) in [(22, 22, true), (0, 21, false), (23, 65535, false)] {
            for not in [false, true] {
                let value = PortRange { first, last };
                let sctp = Sctp {
                    destination: Some(Not { value, not }),
                    ..Sctp::default()
                };
                assert!(test(sctp, &[]) == Outcome::from(hit != not));
            }
        }
        let value = PortRange {
            first: 1024,
            last: 1024,
        };
        let sctp = Sctp {
            source: Some(Not::is(value)),
            ..Sctp::default()
        };
        assert!(test(sctp, &[]) == Outcome::Yes);
    }

    #[test]
    fn lists_and_ways_to_match() {
        // A SACK, a COOKIE ECHO of five bytes with padding, and an INIT.
        let packet = [
            SACK,
            0,
            0,
            4,
            COOKIE_ECHO,
            0,
            0,
            5,
            9,
            0,
            0,
            0,
            INIT,
            0,
            0,
            4,
        ];
        let listed: [(&[u8], [bool; 3]); 7] = [
            (&[SACK], [true, true, false]),
            (&[SACK, INIT], [true, true, false]),
            (&[SACK, INIT, COOKIE_ECHO], [true, true, true]),
            (&[SACK, INIT, COOKIE_ECHO, 200], [true, false, true]),
            (&[200, INIT], [true, false, false]),
            (&[9, 200], [false, false, false]),
            (&[], [false, true, false]),
        ];
        for (kinds, hits) in listed {
            for (how, hit) in ChunkMatch::ALL.into_iter().zip(hits) {
                for not in [false, true] {
                    let asked = chunks(how, kinds, &[], not);
                    assert!(test(asked, &packet) == Outcome::from(hit != not));
                }
            }
        }
        for kind in 0..=u8::MAX {
            let one = [kind, 0, 0, 4];
            assert!(test(chunks(ChunkMatch::Only, &[kind], &[], false), &one) == Outcome::Yes);
            let other = [kind.wrapping_add(1)];
            assert!(test(chunks(ChunkMatch::Any, &other, &[], false), &one) == Outcome::No);
        }
    }

    #[test]
    fn flags_make_a_chunk_one_of_the_list() {
        // DATA that begins a message, DATA that ends one, and an ABORT.
        let packet = [0, 2, 0, 4, 0, 1, 0, 4, 6, 1, 0, 4];
        type Asked = &'static [(u8, u8, u8)];
        let cases: [(Asked, [bool; 3]); 6] = [
            (&[(0, 2, 2)], [true, true, false]),
            (&[(0, 3, 2), (6, 1, 1)], [true, true, false]),
            (&[(0, 3, 3)], [true, false, false]),
            (&[(0, 4, 0)], [true, true, true]),
            (&[(0, 4, 0), (6, 1, 0)], [true, false, false]),
            (&[(0, 4, 4), (6, 1, 0)], [false, false, false]),
        ];
        for (flags, hits) in cases {
            for (how, hit) in ChunkMatch::ALL.into_iter().zip(hits) {
                let asked = chunks(how, &[0, 6], flags, false);
                assert!(test(asked, &packet) == Outcome::from(hit));
            }
        }
    }

    #[test]
    fn only_flags_that_there_are() {
        let mut all = AllChunkFlags::default();
        let mut insert = |kind, mask, set| all.insert(ChunkFlags { kind, mask, set }).is_some();
        assert!(insert(0, 0x03, 0x02));
        assert!(insert(0, 0x08, 0x08));
        assert!(!insert(0, 0x09, 0x00));
        assert!(insert(64, 0x08, 0x08));
        assert!(!insert(0, 0x10, 0));
        assert!(!insert(6, 0x02, 0));
        assert!(!insert(INIT, 0x01, 0x01));
        assert!(!insert(0, 0x01, 0x02));
        let rule = Rule {
            protocol: Some(Not::is(protocol::SCTP)),
            ..Rule::default()
        };
        let check = |kinds| {
            let asked = chunks(ChunkMatch::Any, kinds, &[(0, 1, 1)], false);
            asked.check(Family::V4, &rule).is_ok()
        };
        assert!(check(&[0, 3]));
        assert!(!check(&[3]));
        assert!(Sctp::default().check(Family::V4, &Rule::default()).is_err());
    }

    #[test]
    fn damaged_packets_are_dropped() {
        let truncated = Outcome::Drop(DropReason::TruncatedTransport);
        for length in 0..HEADER {
            let packet = v6(protocol::SCTP, COMMON.get(..length).unwrap());
            let item = Match::Sctp(Sctp::default());
            assert!(holds(Family::V6, protocol::SCTP, item, &packet.0) == truncated);
        }
        for not in [false, true] {
            let asked = || chunks(ChunkMatch::Any, &[INIT], &[], not);
            // A packet has a chunk at least, and each chunk its header.
            for length in 0..4 {
                assert!(test(asked(), [SACK, 0, 0, 4].get(..length).unwrap()) == truncated);
            }
            for length in 5..8 {
                let packet = [SACK, 0, 0, 4, SACK, 0, 0, 4];
                assert!(test(asked(), packet.get(..length).unwrap()) == truncated);
            }
            let endless = [SACK, 0, 0, 0];
            assert!(test(asked(), &endless) == Outcome::Drop(DropReason::MalformedTransport));
            // Less than a header is a header all the same, and a chunk may run out of the packet.
            assert!(test(asked(), &[SACK, 0, 0, 1]) == Outcome::from(not));
            assert!(test(asked(), &[SACK, 0, 255, 255]) == Outcome::from(not));
            // What is asked is known before the damage.
            let init = [INIT, 0, 0, 4, SACK];
            assert!(test(asked(), &init) == Outcome::from(!not));
        }
    }
}

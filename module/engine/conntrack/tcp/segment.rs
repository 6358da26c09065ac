// SPDX-License-Identifier: GPL-2.0
//! A TCP segment, as far as the tracker looks at it (RFC 9293, section 3.1).

use crate::engine::conntrack::{checksum, Invalid, Settings};
use crate::engine::packet::Body;
use core::num::NonZero;

/// A sequence number. The numbers go round in a circle of 2^32, so one is before another only where less than half
/// of the circle lies between (RFC 9293, section 3.4), and they have no order besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Sequence(pub u32);

impl Sequence {
    /// Whether this number comes after the other one.
    #[inline]
    pub const fn is_after(self, other: Self) -> bool {
        (other.0.wrapping_sub(self.0) as i32) < 0
    }

    /// The number this far on.
    #[inline]
    pub const fn plus(self, count: u32) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// How far this number is on from the other one.
    #[inline]
    pub const fn since(self, other: Self) -> u32 {
        self.0.wrapping_sub(other.0)
    }

    /// How far this number is behind the other one; 0 where it is not.
    #[inline]
    pub const fn behind(self, other: Self) -> u32 {
        if other.is_after(self) {
            other.since(self)
        } else {
            0
        }
    }

    /// Whichever of the two comes after the other.
    #[inline]
    pub const fn later(self, other: Self) -> Self {
        if other.is_after(self) {
            other
        } else {
            self
        }
    }
}

/// What a segment is for, by its flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Opens a connection.
    Syn = 0,
    /// Answers what opened it.
    SynAck = 1,
    /// Says that no more data follows.
    Fin = 2,
    /// Acknowledges, with or without data.
    Ack = 3,
    /// Ends a connection at once, or refuses it.
    Rst = 4,
}

impl Kind {
    /// All kinds in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Syn, Self::SynAck, Self::Fin, Self::Ack, Self::Rst];

    /// What the flags say in the 14th byte of the header. PSH, ECE and CWR go with everything, and URG with what may
    /// carry data; of the other flags only these sets make sense.
    #[inline]
    fn from_flags(flags: u8) -> Option<Self> {
        const FIN: u8 = 0x01;
        const SYN: u8 = 0x02;
        const RST: u8 = 0x04;
        const ACK: u8 = 0x10;
        const URG: u8 = 0x20;
        const SYN_URG: u8 = SYN | URG;
        const SYN_ACK: u8 = SYN | ACK;
        const FIN_ACK: u8 = FIN | ACK;
        const FIN_ACK_URG: u8 = FIN | ACK | URG;
        const ACK_URG: u8 = ACK | URG;
        const RST_ACK: u8 = RST | ACK;
        match flags & (FIN | SYN | RST | ACK | URG) {
            ACK | ACK_URG => Some(Self::Ack),
            SYN | SYN_URG => Some(Self::Syn),
            SYN_ACK => Some(Self::SynAck),
            FIN_ACK | FIN_ACK_URG => Some(Self::Fin),
            RST | RST_ACK => Some(Self::Rst),
            _ => None,
        }
    }

    /// Whether SYN is set.
    #[inline]
    pub const fn is_syn(self) -> bool {
        matches!(self, Self::Syn | Self::SynAck)
    }
}

/// What a segment acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The number that its sender expects next.
    pub next: Sequence,
    /// The end of the last block that its sender has got, which lies further on where blocks before it are missing
    /// (RFC 2018).
    pub highest: Sequence,
}

/// By how many bits a side's windows are shifted (RFC 7323), kept as one more than that, so that none takes no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale(NonZero<u8>);

impl Scale {
    /// The largest shift (RFC 7323, section 2.3). A larger one counts as this.
    const MAX: u8 = 14;

    /// This shift.
    #[inline]
    pub const fn new(shift: u8) -> Self {
        let shift = if shift > Self::MAX { Self::MAX } else { shift };
        Self(NonZero::<u8>::MIN.saturating_add(shift))
    }

    /// The shift.
    #[inline]
    pub const fn shift(self) -> u8 {
        self.0.get() - 1
    }
}

/// A segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What it is for.
    pub kind: Kind,
    /// Its first number.
    pub begin: Sequence,
    /// The number after its last one. SYN and FIN count as one byte each.
    pub end: Sequence,
    /// What it acknowledges, if anything. A RST that acknowledges zero acknowledges nothing: there are stacks that set
    /// the flag and leave the number out.
    pub ack: Option<Acknowledgement>,
    /// The window that its sender offers, as it is in the header.
    pub window: u16,
    /// How far the sender's windows are to be shifted (RFC 7323); told with SYN only.
    pub scale: Option<Scale>,
    /// Whether the sender understands selective acknowledgements (RFC 2018); told with SYN only.
    pub sack_permitted: bool,
}

/// Length of the header without options, in bytes.
const HEADER: usize = 20;
/// The most options, in bytes: a header is at most 15 words long.
const MAX_OPTIONS: usize = 40;

impl Segment {
    /// The segment that a packet carries.
    ///
    /// # Errors
    ///
    /// Why it is none.
    #[inline]
    pub fn of(packet: &Body<'_>) -> Result<Self, Invalid> {
        let transport = packet.transport.ok_or(Invalid::Network)?;
        if transport.fragment != 0 {
            return Err(Invalid::Network);
        }
        let mut buffer = [0; HEADER];
        let header = packet.header(transport.offset, &mut buffer);
        let &[_, _, _, _, s0, s1, s2, s3, a0, a1, a2, a3, data_offset, flags, w0, w1, ..] =
            header.ok_or(Invalid::Truncated)?;
        let header_length = usize::from(data_offset >> 4) * 4;
        let options = header_length.checked_sub(HEADER).ok_or(Invalid::Length)?;
        let data = (packet.length() as usize)
            .checked_sub(transport.offset + header_length)
            .ok_or(Invalid::Truncated)?;
        let kind = Kind::from_flags(flags).ok_or(Invalid::Flags)?;

        let begin = Sequence(u32::from_be_bytes([s0, s1, s2, s3]));
        let next = Sequence(u32::from_be_bytes([a0, a1, a2, a3]));
        let acknowledges = match kind {
            Kind::Syn => false,
            Kind::SynAck | Kind::Fin | Kind::Ack => true,
            Kind::Rst => flags & 0x10 != 0 && next.0 != 0,
        };
        let counted = match kind {
            Kind::Syn | Kind::SynAck | Kind::Fin => 1,
            Kind::Ack | Kind::Rst => 0,
        };
        let mut segment = Self {
            kind,
            begin,
            // The length fits: it is part of a number of 32 bits.
            end: begin.plus(data as u32).plus(counted),
            ack: acknowledges.then_some(Acknowledgement {
                next,
                highest: next,
            }),
            window: u16::from_be_bytes([w0, w1]),
            scale: None,
            sack_permitted: false,
        };
        if options != 0 {
            segment.read_options(packet, transport.offset + HEADER, options)?;
        }
        Ok(segment)
    }

    /// The segment that a packet carries, if its checksum is right, too.
    ///
    /// # Errors
    ///
    /// Why it is none.
    #[inline]
    pub(in crate::engine::conntrack) fn checked(
        packet: &Body<'_>,
        settings: &Settings,
    ) -> Result<Self, Invalid> {
        let segment = Self::of(packet)?;
        let transport = packet.transport.ok_or(Invalid::Network)?;
        let covered = (packet.length() as usize).saturating_sub(transport.offset);
        checksum::check(packet, transport, covered, settings)?;
        Ok(segment)
    }

    #[inline]
    fn read_options(
        &mut self,
        packet: &Body<'_>,
        offset: usize,
        length: usize,
    ) -> Result<(), Invalid> {
        let mut buffer = [0; MAX_OPTIONS];
        let list = match packet.linear().get(offset..offset + length) {
            Some(list) => list,
            None => {
                let list = buffer.get_mut(..length).ok_or(Invalid::Length)?;
                if !packet.copy(offset, list) {
                    return Err(Invalid::Truncated);
                }
                list
            }
        };
        // Most segments have a timestamp after two bytes of padding, and nothing else (RFC 7323, appendix A).
        if !matches!(list, [1, 1, 8, 10, _, _, _, _, _, _, _, _]) {
            self.take_options(list);
        }
        Ok(())
    }

    /// Takes over what the options say. One whose length is wrong ends the list, since nobody can tell what follows.
    fn take_options(&mut self, mut list: &[u8]) {
        const END: u8 = 0;
        const PADDING: u8 = 1;
        const WINDOW_SCALE: u8 = 3;
        const SACK_PERMITTED: u8 = 4;
        const SACK: u8 = 5;
        loop {
            list = match list {
                [] | [END, ..] => return,
                [PADDING, rest @ ..] => rest,
                &[kind, length, ..] if length >= 2 => {
                    let Some((option, rest)) = list.split_at_checked(length.into()) else {
                        return;
                    };
                    match (kind, option) {
                        (WINDOW_SCALE, &[_, _, shift]) => self.scale = Some(Scale::new(shift)),
                        (SACK_PERMITTED, [_, _]) => self.sack_permitted = true,
                        (SACK, [_, _, blocks @ ..]) => self.take_blocks(blocks),
                        _ => (),
                    }
                    rest
                }
                _ => return,
            };
        }
    }

    /// Takes over the blocks that a selective acknowledgement lists, each a first number and the one after its last.
    /// One that lies before what is acknowledged anyway tells of a duplicate (RFC 2883).
    fn take_blocks(&mut self, blocks: &[u8]) {
        let Some(ack) = &mut self.ack else { return };
        let blocks = blocks.chunks_exact(8);
        if !blocks.remainder().is_empty() {
            return;
        }
        for block in blocks {
            if let &[_, _, _, _, e0, e1, e2, e3] = block {
                let end = Sequence(u32::from_be_bytes([e0, e1, e2, e3]));
                ack.highest = ack.highest.later(end);
            }
        }
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_conntrack_tcp_segment))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{flat, Bytes, TCP_V4};
    use crate::engine::packet::{parse_v4, Hook, Input};

    /// The segment in a packet of which so many bytes lie in one piece.
    fn read(bytes: &[u8], in_one_piece: usize) -> Result<Segment, Invalid> {
        let flat = flat(bytes);
        let linear = bytes.get(..in_one_piece.min(bytes.len())).unwrap();
        let input = Input {
            linear,
            ..flat.at(Hook::PreRouting)
        };
        match parse_v4(&input, false) {
            Ok(packet) => Segment::of(&packet.body),
            Err(_) => Err(Invalid::Network),
        }
    }

    /// A packet whose segment has these flags, these options and one byte of data.
    fn packet(flags: u8, options: &[u8]) -> Bytes {
        let words = (options.len() / 4) as u8;
        let mut bytes = Bytes::of(TCP_V4.get(..40).unwrap())
            .with(3, 41 + options.len() as u8)
            .with(32, (5 + words) << 4)
            .with(33, flags)
            .then(options)
            .then(&[7]);
        for (at, value) in [1, 2, 3, 4, 5, 6, 7, 8].into_iter().enumerate() {
            bytes = bytes.with(24 + at, value);
        }
        bytes.with(34, 0x12).with(35, 0x34)
    }

    #[test]
    fn numbers_go_round() {
        for (number, other, after, before) in [
            (5, 4, true, false),
            (4, 4, false, false),
            (0, u32::MAX, true, false),
            (0x7fff_ffff, 0, true, false),
            (0x8000_0001, 0, false, true),
            (3, 0x8000_0004, true, false),
            (4, 0x8000_0003, false, true),
        ] {
            let (number, other) = (Sequence(number), Sequence(other));
            assert!(number.is_after(other) == after);
            assert!((number.behind(other) != 0) == before);
            assert!(number.later(other) == if before { other } else { number });
            assert!(other.plus(number.since(other)) == number);
            if before {
                assert!(number.plus(number.behind(other)) == other);
            }
        }
    }

    #[test]
    fn kinds_are_sets_of_flags() {
        for flags in 0..=u8::MAX {
            // Without PSH, ECE and CWR.
            let expected = match flags & 0x37 {
                0x02 | 0x22 => Ok(Kind::Syn),
                0x12 => Ok(Kind::SynAck),
                0x11 | 0x31 => Ok(Kind::Fin),
                0x10 | 0x30 => Ok(Kind::Ack),
                0x04 | 0x14 => Ok(Kind::Rst),
                _ => Err(Invalid::Flags),
            };
            let found = read(&packet(flags, &[]).0, 99);
            assert!(found.map(|segment| segment.kind) == expected);
        }
    }

    #[test]
    fn numbers_and_lengths() {
        let begin = Sequence(0x0102_0304);
        let next = Sequence(0x0506_0708);
        for (flags, length, acknowledges) in [
            (0x02, 2, false),
            (0x12, 2, true),
            (0x11, 2, true),
            (0x10, 1, true),
            (0x04, 1, false),
            (0x14, 1, true),
        ] {
            let segment = read(&packet(flags, &[]).0, 99).ok().unwrap();
            assert!(segment.begin == begin && segment.end == begin.plus(length));
            assert!(segment.window == 0x1234);
            let expected = acknowledges.then_some(Acknowledgement {
                next,
                highest: next,
            });
            assert!(segment.ack == expected);
            assert!(segment.scale.is_none() && !segment.sack_permitted);
        }
        let mut zero = packet(0x14, &[]);
        for at in 28..32 {
            zero = zero.with(at, 0);
        }
        assert!(read(&zero.0, 99).ok().unwrap().ack.is_none());
    }

    #[test]
    fn options_of_a_syn() {
        for (options, scale, permitted) in [
            (
                &[
                    2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7,
                ][..],
                Some(7),
                true,
            ),
            (&[1, 3, 3, 0], Some(0), false),
            (&[1, 3, 3, 14], Some(14), false),
            (&[1, 3, 3, 15], Some(14), false),
            (&[1, 3, 3, 255], Some(14), false),
            (&[1, 1, 4, 2], None, true),
            // Behind the end, cut off, with a wrong length of their own or of what is before them.
            (&[0, 3, 3, 7], None, false),
            (&[1, 1, 3, 3], None, false),
            (&[3, 4, 7, 7, 4, 2, 1, 1], None, true),
            (&[9, 0, 4, 2], None, false),
            (&[9, 1, 4, 2], None, false),
            (&[9, 200, 4, 2], None, false),
            (&[1, 1, 1, 3], None, false),
        ] {
            let bytes = packet(0x02, options);
            for in_one_piece in [20, 40, 43, 99] {
                let segment = read(&bytes.0, in_one_piece).ok().unwrap();
                assert!(segment.scale.map(Scale::shift) == scale);
                assert!(segment.sack_permitted == permitted);
                assert!(segment.end.since(segment.begin) == 2);
            }
        }
    }

    #[test]
    fn selective_acknowledgements() {
        const NEXT: u32 = 0x0506_0708;
        let highest = |options: &[u8]| {
            let segment = read(&packet(0x10, options).0, 99).ok().unwrap();
            segment.ack.map(|ack| {
                assert!(ack.next.0 == NEXT);
                ack.highest.0
            })
        };
        let block = |first: u8, end: u8| [5, 6, 7, first, 5, 6, 7, end];
        let list = |length: u8, blocks: &[[u8; 8]]| {
            let mut bytes = Bytes::of(&[1, 1, 5, length]);
            for block in blocks {
                bytes = bytes.then(block);
            }
            bytes
        };
        for (length, blocks, expected) in [
            (10, &[block(10, 20)][..], NEXT + 12),
            (18, &[block(30, 40), block(10, 20)], NEXT + 32),
            (18, &[block(10, 20), block(30, 40)], NEXT + 32),
            // A duplicate before what is acknowledged.
            (10, &[block(2, 4)], NEXT),
            // No block, and lengths that are none of a list.
            (2, &[], NEXT),
            (9, &[block(10, 20)], NEXT),
            (11, &[block(10, 20), block(30, 40)], NEXT),
            (26, &[block(10, 20), block(30, 40)], NEXT),
        ] {
            assert!(highest(&list(length, blocks).0) == Some(expected));
        }
        // Behind a timestamp.
        let timestamp = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
        let both = Bytes::of(&timestamp).then(&list(10, &[block(10, 20)]).0);
        assert!(highest(&both.0) == Some(NEXT + 12));
        assert!(highest(&timestamp) == Some(NEXT));
    }

    #[test]
    fn damaged_segments() {
        let whole = packet(0x10, &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
        for length in 20..52 {
            for in_one_piece in [20, 99] {
                let cut = whole.0.get(..length).unwrap();
                assert!(read(cut, in_one_piece) == Err(Invalid::Truncated));
            }
        }
        for words in 0..5 {
            let short = packet(0x10, &[]).with(32, words << 4);
            assert!(read(&short.0, 99) == Err(Invalid::Length));
        }
        for fragment in [1, 2] {
            let later = packet(0x10, &[]).with(7, fragment);
            assert!(read(&later.0, 99) == Err(Invalid::Network));
        }
    }
}

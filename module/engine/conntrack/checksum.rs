// SPDX-License-Identifier: GPL-2.0
//! Checksums of transport headers: one's complement sums (RFC 1071), and the CRC32c of SCTP (RFC 9260, appendix A).

use super::tuple::addresses;
use super::{Address, Invalid, Setting, Settings};
use crate::engine::packet::{protocol, Body, Hook, Transport};

/// How many bytes are copied at once of a packet that does not lie in one piece. Even, so that pieces begin where words
/// do.
const PIECE: usize = 128;

/// Checks the checksum over `covered` bytes from the transport header on, where that is asked for: of packets that came
/// in. Those that this machine makes get theirs later.
///
/// # Errors
///
/// [`Invalid::Checksum`].
#[inline]
pub(super) fn check(
    packet: &Body<'_>,
    transport: Transport,
    covered: usize,
    settings: &Settings,
) -> Result<(), Invalid> {
    if packet.hook() != Hook::PreRouting
        || !settings.is_on(Setting::Checksum)
        || packet.source().checksum_known_good(transport)
        || is_right(packet, transport, covered)
    {
        Ok(())
    } else {
        Err(Invalid::Checksum)
    }
}

/// Apart, because somebody has looked at most packets before.
#[cold]
#[inline(never)]
fn is_right(packet: &Body<'_>, transport: Transport, covered: usize) -> bool {
    let right = match transport.protocol {
        protocol::SCTP => crc_is_right(packet, transport, covered),
        _ => sum_is_right(packet, transport, covered),
    };
    right.unwrap_or(false)
}

/// A one's complement sum of 16-bit words, in the order that they have in memory: the sum's bytes come out in the same
/// order, whichever that is.
#[derive(Clone, Copy, Default)]
struct Sum(u64);

impl Sum {
    /// Adds bytes that begin where a word does.
    fn add(&mut self, bytes: &[u8]) {
        let words = bytes.chunks_exact(4);
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(words.remainder()) {
            *to = *from;
        }
        for word in words {
            let word = word
                .first_chunk()
                .map_or(0, |word| u32::from_ne_bytes(*word));
            // A packet has fewer than 2^32 words.
            self.0 = self.0.wrapping_add(word.into());
        }
        self.0 = self.0.wrapping_add(u32::from_ne_bytes(last).into());
    }

    /// Whether the sum of all words, the checksum among them, is what it must be: all bits set.
    fn is_right(self) -> bool {
        let mut sum = self.0;
        while let carry @ 1.. = sum >> 16 {
            sum = (sum & 0xffff) + carry;
        }
        sum == 0xffff
    }
}

/// The sum over the header, what follows it, and the pseudo header where the protocol has one (RFC 9293, section 3.1;
/// RFC 8200, section 8.1); `None` where not all of that is there.
fn sum_is_right(packet: &Body<'_>, transport: Transport, covered: usize) -> Option<bool> {
    let mut sum = Sum::default();
    if transport.protocol != protocol::ICMP {
        let (Address(source), Address(destination)) = addresses(packet, 0)?;
        for word in source.into_iter().chain(destination) {
            sum.add(&word.to_ne_bytes());
        }
        let length = match transport.protocol {
            protocol::UDP => covered,
            // RFC 3828, section 3.1: what there is, however much of it is covered.
            _ => packet.rest(transport),
        };
        sum.add(&u32::try_from(length).ok()?.to_be_bytes());
        sum.add(&u32::from(transport.protocol).to_be_bytes());
    }
    pieces(packet, transport.offset, covered, |piece| sum.add(piece))?;
    Some(sum.is_right())
}

/// The CRC over the packet as it would be with a checksum of zero.
fn crc_is_right(packet: &Body<'_>, transport: Transport, covered: usize) -> Option<bool> {
    let mut buffer = [0; 12];
    let &[ports @ .., c0, c1, c2, c3] = packet.header(transport.offset, &mut buffer)?;
    let ports_and_tag: [u8; 8] = ports;
    let mut crc = Crc::default();
    crc.add(&ports_and_tag);
    crc.add(&[0; 4]);
    let rest = covered.checked_sub(buffer.len())?;
    pieces(packet, transport.offset + buffer.len(), rest, |piece| {
        crc.add(piece)
    })?;
    Some(crc.finish() == u32::from_le_bytes([c0, c1, c2, c3]))
}

/// Hands over the `length` bytes at `offset`, in pieces of which only the last may have an odd length; `None` where they
/// are not all there.
fn pieces(
    packet: &Body<'_>,
    offset: usize,
    length: usize,
    mut take: impl FnMut(&[u8]),
) -> Option<()> {
    let end = offset.checked_add(length)?;
    let linear = packet.linear().get(offset..).unwrap_or_default();
    let whole = linear.get(..length);
    let mut at = offset;
    if let Some(there) = whole.or(linear.get(..linear.len() & !1)) {
        take(there);
        at = offset.checked_add(there.len())?;
    }
    let mut buffer = [0; PIECE];
    while at < end {
        let piece = buffer.get_mut(..PIECE.min(end - at))?;
        if !packet.copy(at, piece) {
            return None;
        }
        take(piece);
        at += piece.len();
    }
    Some(())
}

/// CRC32c: the cyclic redundancy check over the polynomial 0x1EDC6F41, bits in the order in which they are sent.
#[derive(Clone, Copy)]
struct Crc(u32);

/// What each byte does to the check.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut check = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            // The polynomial with its bits reversed.
            check = (check >> 1) ^ (0x82f6_3b78 & 0_u32.wrapping_sub(check & 1));
            bit += 1;
        }
        table[byte] = check;
        byte += 1;
    }
    table
};

impl Default for Crc {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

impl Crc {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let [low, ..] = self.0.to_le_bytes();
            let change = TABLE.get(usize::from(low ^ byte)).copied();
            self.0 = (self.0 >> 8) ^ change.unwrap_or_default();
        }
    }

    fn finish(self) -> u32 {
        !self.0
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_conntrack_checksum))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{ip, seen_in_pieces, Bytes};
    use crate::engine::packet::Family;

    /// Messages with a right checksum over each family, where in them that is, and how much it covers.
    const MESSAGES: [(Family, u8, &[u8], usize, usize); 8] = [
        (
            Family::V4,
            protocol::UDP,
            &[4, 0, 0, 53, 0, 11, 0x4b, 9, b'a', b'b', b'c'],
            6,
            11,
        ),
        (
            Family::V6,
            protocol::UDP,
            &[4, 0, 0, 53, 0, 11, 0xdb, 0xcb, b'a', b'b', b'c'],
            6,
            11,
        ),
        (
            Family::V4,
            protocol::UDPLITE,
            &[4, 0, 0, 53, 0, 8, 0x0e, 0xf8, b'a', b'b', b'c'],
            6,
            8,
        ),
        (
            Family::V6,
            protocol::UDPLITE,
            &[4, 0, 0, 53, 0, 10, 0x3e, 0x56, b'a', b'b', b'c'],
            6,
            10,
        ),
        (
            Family::V4,
            protocol::ICMP,
            &[8, 0, 0x33, 0x95, 0, 7, 0, 1, b'a', b'b', b'c'],
            2,
            11,
        ),
        (
            Family::V6,
            protocol::ICMPV6,
            &[128, 0, 0x5f, 0xda, 0, 7, 0, 1, b'a', b'b', b'c'],
            2,
            11,
        ),
        (
            Family::V4,
            protocol::TCP,
            &[
                4, 0, 0, 22, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 3, 0xe8, 0xf7, 0x46, 0, 0, b'a',
                b'b', b'c',
            ],
            16,
            23,
        ),
        (
            Family::V6,
            protocol::SCTP,
            &[4, 0, 0, 22, 0, 0, 0, 1, 0x94, 0x11, 0x4d, 0x82, 11, 0, 0, 4],
            8,
            16,
        ),
    ];

    fn checked(
        family: Family,
        bytes: &[u8],
        linear: usize,
        covered: usize,
        hook: Hook,
        on: u32,
    ) -> bool {
        let settings = Settings::default();
        assert!(settings.set(Setting::Checksum, on).is_ok());
        let look = |packet: &Body<'_>| check(packet, packet.transport.unwrap(), covered, &settings);
        let result = seen_in_pieces(family, bytes, linear, hook, look).unwrap();
        assert!(matches!(result, Ok(()) | Err(Invalid::Checksum)));
        result.is_ok()
    }

    #[test]
    fn a_right_one_wherever_the_bytes_lie() {
        for (family, protocol, message, _, covered) in MESSAGES {
            let packet = ip(family, protocol, message).0;
            let start = packet.len() - message.len();
            for linear in start..=packet.len() {
                assert!(checked(
                    family,
                    &packet,
                    linear,
                    covered,
                    Hook::PreRouting,
                    1
                ));
            }
        }
    }

    #[test]
    fn any_bit_that_is_wrong() {
        for (family, protocol, message, place, covered) in MESSAGES {
            let packet = ip(family, protocol, message).0;
            let start = packet.len() - message.len();
            for (at, byte) in message.iter().enumerate() {
                for bit in 0..8 {
                    let wrong = Bytes::of(&packet).with(start + at, byte ^ 1 << bit).0;
                    let right = checked(family, &wrong, wrong.len(), covered, Hook::PreRouting, 1);
                    // What is not covered may be anything.
                    assert_eq!(right, at >= covered);
                }
            }
            // And an address, where it counts.
            let wrong = Bytes::of(&packet).with(start - 1, 7).0;
            let right = checked(family, &wrong, wrong.len(), covered, Hook::PreRouting, 1);
            let counts = !matches!(protocol, protocol::ICMP | protocol::SCTP);
            assert_eq!(right, !counts);
            // Where nothing covers so much, nothing is right.
            let cut = packet.get(..start + covered - 1).unwrap();
            assert!(!checked(
                family,
                cut,
                cut.len(),
                covered,
                Hook::PreRouting,
                1
            ));
            // A checksum of the other kind.
            let zero = Bytes::of(&packet)
                .with(start + place, 0)
                .with(start + place + 1, 0)
                .0;
            assert!(!checked(
                family,
                &zero,
                zero.len(),
                covered,
                Hook::PreRouting,
                1
            ));
        }
    }

    #[test]
    fn what_is_not_there_is_not_zero() {
        let packet = ip(Family::V4, protocol::ICMP, &[8, 0, 0xf7, 0xff, 0, 0, 0, 0]).0;
        for (covered, right) in [(8, true), (10, false)] {
            for linear in [20, packet.len()] {
                assert_eq!(
                    checked(Family::V4, &packet, linear, covered, Hook::PreRouting, 1),
                    right
                );
            }
        }
    }

    #[test]
    fn only_of_what_comes_in_and_where_it_is_asked_for() {
        let wrong = ip(Family::V4, protocol::UDP, &[4, 0, 0, 53, 0, 8, 1, 1]).0;
        for hook in Hook::ALL {
            let right = checked(Family::V4, &wrong, wrong.len(), 8, hook, 1);
            assert_eq!(right, hook != Hook::PreRouting);
            assert!(checked(Family::V4, &wrong, wrong.len(), 8, hook, 0));
        }
    }

    #[test]
    fn pieces_longer_than_one() {
        // Ones only add up to all bits set, whatever their number.
        let mut message = Bytes::of(&[8, 0, 0xf7, 0xff, 0xff, 0xff, 0xff, 0xff]);
        for _ in 0..3 * PIECE {
            message = message.then(&[0xff]);
        }
        let packet = ip(Family::V4, protocol::ICMP, &message.0).0;
        for cut in [0, 1, PIECE - 1, PIECE] {
            let covered = message.0.len() - cut;
            let bytes = packet.get(..packet.len() - cut).unwrap();
            let right = covered % 2 == 0;
            for linear in [20, 21, 21 + PIECE, bytes.len() - 1, bytes.len()] {
                assert_eq!(
                    checked(Family::V4, bytes, linear, covered, Hook::PreRouting, 1),
                    right
                );
            }
        }
    }

    #[test]
    fn checks_of_the_standard() {
        // RFC 3720, appendix B.4, and the check value of the catalogues of CRCs.
        let crc = |bytes: &[u8]| {
            let mut crc = Crc::default();
            crc.add(bytes);
            crc.finish()
        };
        assert!(crc(&[0; 32]) == 0x8a91_36aa);
        assert!(crc(&[0xff; 32]) == 0x62a8_ab43);
        assert!(crc(b"123456789") == 0xe306_9283);
    }
}

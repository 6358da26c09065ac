// SPDX-License-Identifier: GPL-2.0
//! UDP (RFC 768) and UDP-Lite (RFC 3828): requests and answers, and streams.

use super::{checksum, Invalid, Judgement, Setting, Settings};
use crate::engine::packet::{protocol, Body};

/// Length of the header, in bytes.
const HEADER: usize = 8;
/// How old a connection is that may be a stream, in milliseconds. A question and its answer, repeated or not, are over by
/// then.
const STREAM_AGE: u32 = 2_000;

/// What is remembered of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// When it began, in milliseconds.
    begun: u32,
}

impl Connection {
    /// See [`Machine::begin`](super::Machine::begin).
    pub(super) fn begin(
        packet: &Body<'_>,
        settings: &Settings,
        now: u32,
    ) -> Result<(Self, u32), Invalid> {
        check(packet, settings)?;
        Ok((Self { begun: now }, settings.get(Setting::UdpTimeout)))
    }

    /// See [`Machine::packet`](super::Machine::packet).
    #[inline]
    pub(super) fn packet(
        &self,
        packet: &Body<'_>,
        seen_reply: bool,
        settings: &Settings,
        now: u32,
    ) -> Judgement {
        if let Err(invalid) = check(packet, settings) {
            return Judgement::Invalid(invalid);
        }
        let stream = seen_reply && now.wrapping_sub(self.begun) > STREAM_AGE;
        let timeout = settings.get(if stream {
            Setting::UdpTimeoutStream
        } else {
            Setting::UdpTimeout
        });
        Judgement::refreshed(timeout, stream)
    }
}

/// Whether the length that the header tells is possible, and the checksum right.
#[inline]
fn check(packet: &Body<'_>, settings: &Settings) -> Result<(), Invalid> {
    let transport = packet.transport.ok_or(Invalid::Truncated)?;
    let mut buffer = [0; HEADER];
    let header = packet.header(transport.offset, &mut buffer);
    let &[_, _, _, _, l0, l1, c0, c1] = header.ok_or(Invalid::Truncated)?;
    let told = usize::from(u16::from_be_bytes([l0, l1]));
    let there = (packet.length() as usize).saturating_sub(transport.offset);
    let covered = match (transport.protocol, told) {
        // The whole packet: of UDP one that is too long to tell (RFC 2675), of UDP-Lite any.
        (protocol::UDPLITE, 0) => there,
        (protocol::UDP, 0) if there > usize::from(u16::MAX) => there,
        _ => told,
    };
    if covered < HEADER || covered > there {
        return Err(Invalid::Length);
    }
    match (transport.protocol, [c0, c1]) {
        // Of UDP that says that there is no checksum.
        (protocol::UDP, [0, 0]) => Ok(()),
        // UDP-Lite always has one.
        (_, [0, 0]) => Err(Invalid::Checksum),
        _ => checksum::check(packet, transport, covered, settings),
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_conntrack_udp))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{ip, seen};
    use crate::engine::packet::{Family, Hook};

    /// A datagram without data.
    const DATAGRAM: [u8; HEADER] = [4, 0, 0, 53, 0, 8, 1, 1];

    /// What is made of packets at these moments, the first of which begins the connection.
    fn judged(settings: &Settings, begun: u32, packets: &[(u32, bool)], expected: &[(u32, bool)]) {
        for family in Family::ALL {
            for protocol in [protocol::UDP, protocol::UDPLITE] {
                let bytes = ip(family, protocol, &DATAGRAM).0;
                let whole = seen(family, &bytes, Hook::LocalIn, |packet| {
                    let begun = Connection::begin(packet, settings, begun);
                    let (connection, timeout) = begun.ok().unwrap();
                    assert!(timeout == settings.get(Setting::UdpTimeout));
                    for (&(now, seen_reply), &(timeout, assured)) in packets.iter().zip(expected) {
                        let judgement = connection.packet(packet, seen_reply, settings, now);
                        assert!(judgement == Judgement::refreshed(timeout, assured));
                    }
                });
                assert!(whole.is_some());
            }
        }
    }

    #[test]
    fn a_stream_is_answered_and_goes_on() {
        // Answers alone are none, nor is age.
        let packets = [
            (0, false),
            (60_000, false),
            (2_000, true),
            (2_001, true),
            (60_000, true),
        ];
        let expected = [
            (30, false),
            (30, false),
            (30, false),
            (120, true),
            (120, true),
        ];
        judged(&Settings::default(), 0, &packets, &expected);
    }

    #[test]
    fn the_clock_wraps_around() {
        let begun = u32::MAX - 999;
        let packets = [(1_000, true), (1_001, true)];
        judged(
            &Settings::default(),
            begun,
            &packets,
            &[(30, false), (120, true)],
        );
    }

    #[test]
    fn timeouts_are_as_set() {
        let settings = Settings::default();
        assert!(settings.set(Setting::UdpTimeout, 5).is_ok());
        assert!(settings.set(Setting::UdpTimeoutStream, 7).is_ok());
        judged(
            &settings,
            0,
            &[(0, true), (3_000, true)],
            &[(5, false), (7, true)],
        );
    }

    #[test]
    fn the_first_packet_must_be_right_and_all_others() {
        let settings = Settings::default();
        let wrong = ip(Family::V4, protocol::UDP, &[4, 0, 0, 53, 0, 9, 1, 1]).0;
        let look = |packet: &Body<'_>| {
            let begun = Connection::begin(packet, &settings, 0);
            assert!(begun == Err(Invalid::Length));
            let judgement = Connection { begun: 0 }.packet(packet, true, &settings, 0);
            assert!(judgement == Judgement::Invalid(Invalid::Length));
        };
        assert!(seen(Family::V4, &wrong, Hook::LocalIn, look).is_some());
    }

    #[test]
    fn a_length_that_has_no_room() {
        // 65,536 bytes tell none; one less could be told.
        let mut packet = ip(Family::V6, protocol::UDP, &[4, 0, 0, 53, 0, 0, 0, 0]);
        while packet.0.len() < 40 + (1 << 16) {
            packet = packet.then(&[0; 8]);
        }
        for (length, right) in [(1 << 16, Ok(())), ((1 << 16) - 1, Err(Invalid::Length))] {
            let bytes = packet.0.get(..40 + length).unwrap();
            let settings = Settings::default();
            let result = seen(Family::V6, bytes, Hook::PreRouting, |packet| {
                check(packet, &settings)
            });
            assert!(result == Some(right));
        }
    }

    fn checked(family: Family, protocol: u8, message: &[u8], hook: Hook) -> Result<(), Invalid> {
        let packet = ip(family, protocol, message).0;
        let settings = Settings::default();
        let result = seen(family, &packet, hook, |packet| check(packet, &settings));
        result.unwrap()
    }

    #[test]
    fn lengths_told_and_there() {
        for family in Family::ALL {
            for (there, told, udp, udplite) in [
                // Cut off.
                (0, 8, Err(Invalid::Truncated), Err(Invalid::Truncated)),
                (7, 8, Err(Invalid::Truncated), Err(Invalid::Truncated)),
                // Of UDP-Lite 0 is all.
                (8, 0, Err(Invalid::Length), Ok(())),
                (8, 1, Err(Invalid::Length), Err(Invalid::Length)),
                (8, 7, Err(Invalid::Length), Err(Invalid::Length)),
                (8, 8, Ok(()), Ok(())),
                (8, 9, Err(Invalid::Length), Err(Invalid::Length)),
                // More than was told is padding, or not covered.
                (11, 8, Ok(()), Ok(())),
                (11, 11, Ok(()), Ok(())),
                (11, 12, Err(Invalid::Length), Err(Invalid::Length)),
                (11, 255, Err(Invalid::Length), Err(Invalid::Length)),
            ] {
                let message = [4, 0, 0, 53, 0, told, 1, 1, 0, 0, 0];
                let message = message.get(..there).unwrap();
                assert!(checked(family, protocol::UDP, message, Hook::LocalIn) == udp);
                assert!(checked(family, protocol::UDPLITE, message, Hook::LocalIn) == udplite);
            }
        }
    }

    #[test]
    fn checksums_that_are_there_or_not() {
        // A right one, none, and a wrong one.
        for (family, protocol, sum, right) in [
            (Family::V4, protocol::UDP, [0x4b, 9], Ok(())),
            (Family::V4, protocol::UDP, [0, 0], Ok(())),
            (Family::V4, protocol::UDP, [0x4b, 8], Err(Invalid::Checksum)),
            (Family::V6, protocol::UDP, [0xdb, 0xcb], Ok(())),
            (Family::V6, protocol::UDP, [0, 0], Ok(())),
            (
                Family::V6,
                protocol::UDP,
                [0xdb, 0xca],
                Err(Invalid::Checksum),
            ),
            (Family::V4, protocol::UDPLITE, [0x4a, 0x92], Ok(())),
            (
                Family::V4,
                protocol::UDPLITE,
                [0, 0],
                Err(Invalid::Checksum),
            ),
            (
                Family::V4,
                protocol::UDPLITE,
                [0x4a, 0x93],
                Err(Invalid::Checksum),
            ),
        ] {
            let [s0, s1] = sum;
            let message = [4, 0, 0, 53, 0, 11, s0, s1, b'a', b'b', b'c'];
            let result = checked(family, protocol, &message, Hook::PreRouting);
            assert!(result == right);
        }
        // What is behind the datagram does not count, not even as its length.
        let padded = [4, 0, 0, 53, 0, 11, 0x4b, 9, b'a', b'b', b'c', 1, 2];
        assert!(checked(Family::V4, protocol::UDP, &padded, Hook::PreRouting) == Ok(()));
        // UDP-Lite has one wherever it is seen.
        let without = [4, 0, 0, 53, 0, 8, 0, 0];
        let result = checked(Family::V4, protocol::UDPLITE, &without, Hook::LocalIn);
        assert!(result == Err(Invalid::Checksum));
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Errors of ICMP (RFC 792) and ICMPv6 (RFC 4443): about a packet whose beginning they quote, and so related to the
//! connection of that one. Redirects are among them.

use super::tuple::addresses;
use super::{checksum, icmp, Address, Invalid, Settings, Subject, Tuple};
use crate::engine::packet::{protocol, Body, Family, Transport};

/// The highest type of ICMP that there is; those above are nobody's (RFC 1122, section 3.2.2).
const HIGHEST: u8 = 18;
/// The lowest type of ICMPv6 that is no error (RFC 4443, section 2.1).
const INFORMATION: u8 = 128;
/// A redirect of ICMPv6 (RFC 4861, section 4.5).
const REDIRECT: u8 = 137;
/// Its length without options, in bytes.
const REDIRECT_HEADER: usize = 40;
/// The option that quotes the packet (RFC 4861, section 4.6.3).
const REDIRECTED: u8 = 4;
/// Length of what it begins with, in bytes.
const REDIRECTED_HEADER: usize = 8;

/// What a message of ICMP or ICMPv6 is; `None` for one that is of a flow by itself, if it is of any.
pub(super) fn look(
    packet: &Body<'_>,
    transport: Transport,
    settings: &Settings,
) -> Option<Subject> {
    match message(packet, transport, settings) {
        Ok(subject) => subject,
        Err(invalid) => Some(Subject::Invalid(invalid)),
    }
}

fn message(
    packet: &Body<'_>,
    transport: Transport,
    settings: &Settings,
) -> Result<Option<Subject>, Invalid> {
    let own = match packet.family() {
        Family::V4 => protocol::ICMP,
        Family::V6 => protocol::ICMPV6,
    };
    // That of the other family means nothing here, and begins no connection.
    if transport.protocol != own || transport.fragment != 0 {
        return Ok(None);
    }
    let mut buffer = [0; icmp::HEADER];
    let header = packet.header(transport.offset, &mut buffer);
    let &[kind, code, ..] = header.ok_or(Invalid::Truncated)?;
    checksum::check(packet, transport, packet.rest(transport), settings)?;
    let behind = transport.offset + icmp::HEADER;
    match (packet.family(), kind) {
        // Destination unreachable, source quench, redirect, time exceeded, parameter problem.
        (Family::V4, 3..=5 | 11 | 12) => error(packet, behind).map(Some),
        (Family::V4, ..=HIGHEST) => Ok(None),
        (Family::V4, _) => Err(Invalid::Type),
        // Who listens to a group (RFC 2710, RFC 3810), neighbours (RFC 4861), and routers for groups (RFC 4286).
        (Family::V6, 130..=136 | 143 | 151 | 152) => Ok(Some(Subject::Untracked)),
        (Family::V6, REDIRECT) => redirect(packet, transport.offset, code).map(Some),
        (Family::V6, INFORMATION..) => Ok(None),
        (Family::V6, _) => error(packet, behind).map(Some),
    }
}

/// An error about the packet that begins at `offset`. It goes to whom that one came from, or it was forged; and that
/// one has answers, or it was an error itself, about which there are none.
fn error(packet: &Body<'_>, offset: usize) -> Result<Subject, Invalid> {
    let subject = || {
        let quoted = Tuple::of_quoted(packet, offset)?;
        let (_, destination) = addresses(packet, 0)?;
        let wanted = quoted.inverse()?;
        (destination == quoted.source).then_some(Subject::Error(wanted))
    };
    subject().ok_or(Invalid::Quotation)
}

/// A redirect: from a neighbour (RFC 4861, section 8.1), the packet in its first option.
fn redirect(packet: &Body<'_>, offset: usize, code: u8) -> Result<Subject, Invalid> {
    let option = offset + REDIRECT_HEADER;
    let mut buffer = [0; 2];
    let &[kind, length] = packet
        .header(option, &mut buffer)
        .ok_or(Invalid::Truncated)?;
    let (source, _) = addresses(packet, 0).ok_or(Invalid::Network)?;
    if code != 0
        || packet.hop_limit() != u8::MAX
        || !is_link_local(source)
        || (kind, length == 0) != (REDIRECTED, false)
    {
        return Err(Invalid::Quotation);
    }
    error(packet, option + REDIRECTED_HEADER)
}

/// Whether the address is one that no router forwards packets from, fe80::/10.
fn is_link_local(Address([first, ..]): Address) -> bool {
    let [first, second, ..] = first.to_ne_bytes();
    first == 0xfe && second & 0xc0 == 0x80
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_conntrack_quoted))]
mod tests {
    use super::*;
    use crate::engine::conntrack::Setting;
    use crate::engine::fixtures::{ip, seen, v4, v6, Bytes};
    use crate::engine::packet::Hook;

    /// Bytes of the network header before addresses, and of an address.
    const fn places(family: Family) -> (usize, usize) {
        match family {
            Family::V4 => (12, 4),
            Family::V6 => (8, 16),
        }
    }

    const fn own(family: Family) -> u8 {
        match family {
            Family::V4 => protocol::ICMP,
            Family::V6 => protocol::ICMPV6,
        }
    }

    /// A datagram as [`ip`] makes it, from the first of its two addresses.
    fn datagram(family: Family) -> Bytes {
        ip(family, protocol::UDP, &[4, 0, 0, 53, 0, 8, 0, 0])
    }

    /// A message to the first of the two addresses, of this type and code, about these bytes.
    fn message(family: Family, kind: u8, code: u8, about: &[u8]) -> Bytes {
        let header = [kind, code, 0, 0, 0, 0, 0, 0];
        to_first(ip(family, own(family), &header).then(about), family)
    }

    fn to_first(packet: Bytes, family: Family) -> Bytes {
        let (start, length) = places(family);
        let addresses = Bytes::of(packet.0.get(start..start + 2 * length).unwrap()).0;
        let swapped = addresses.iter().cycle().skip(length).take(2 * length);
        swapped
            .enumerate()
            .fold(packet, |packet, (at, byte)| packet.with(start + at, *byte))
    }

    fn subject(family: Family, packet: &Bytes, hook: Hook) -> Subject {
        let look = |packet: &Body<'_>| Subject::of(packet, &Settings::default());
        seen(family, &packet.0, hook, look).unwrap()
    }

    /// The tuple that answers to the datagram have.
    fn wanted(family: Family) -> Tuple {
        let tuple = seen(family, &datagram(family).0, Hook::LocalIn, Tuple::of);
        tuple.flatten().unwrap().inverse().unwrap()
    }

    const FORGED: Subject = Subject::Invalid(Invalid::Quotation);

    #[test]
    fn every_type_of_message() {
        for family in Family::ALL {
            for kind in 0..=u8::MAX {
                let packet = message(family, kind, 0, &datagram(family).0);
                let subject = subject(family, &packet, Hook::LocalIn);
                let of_itself = matches!(subject, Subject::Flow(_));
                match (family, kind) {
                    (Family::V4, 3 | 4 | 5 | 11 | 12) | (Family::V6, 0..=127) => {
                        assert!(subject == Subject::Error(wanted(family)));
                    }
                    (Family::V4, 19..) => assert!(subject == Subject::Invalid(Invalid::Type)),
                    (Family::V6, 130..=136 | 143 | 151 | 152) => {
                        assert!(subject == Subject::Untracked);
                    }
                    // A redirect that is none, see below.
                    (Family::V6, REDIRECT) => assert!(!of_itself),
                    _ => assert!(of_itself),
                }
            }
        }
    }

    #[test]
    fn an_error_goes_to_who_sent_the_packet() {
        for family in Family::ALL {
            let packet = message(family, 3, 1, &datagram(family).0);
            let (start, length) = places(family);
            for byte in 0..length {
                // To somebody else, by any bit.
                let at = start + length + byte;
                let old = packet.0.get(at).copied().unwrap();
                let other = Bytes::of(&packet.0).with(at, old ^ 1);
                assert!(subject(family, &other, Hook::LocalIn) == FORGED);
                // About a packet of somebody else.
                let at = packet_header(family) + 8 + start + byte;
                let old = packet.0.get(at).copied().unwrap();
                let other = Bytes::of(&packet.0).with(at, old ^ 1);
                assert!(subject(family, &other, Hook::LocalIn) == FORGED);
                // From anybody on the way.
                let other = Bytes::of(&packet.0).with(start + byte, 9);
                let error = subject(family, &other, Hook::LocalIn);
                assert!(error == Subject::Error(wanted(family)));
            }
        }
    }

    fn packet_header(family: Family) -> usize {
        let (start, length) = places(family);
        start + 2 * length
    }

    #[test]
    fn an_error_cut_off_anywhere() {
        for family in Family::ALL {
            let packet = message(family, 3, 1, &datagram(family).0).0;
            let header = packet_header(family);
            for length in header..=packet.len() {
                let cut = Bytes::of(packet.get(..length).unwrap());
                let expected = if length < header + icmp::HEADER {
                    Subject::Invalid(Invalid::Truncated)
                } else if length < packet.len() {
                    FORGED
                } else {
                    Subject::Error(wanted(family))
                };
                assert!(subject(family, &cut, Hook::LocalIn) == expected);
            }
        }
    }

    #[test]
    fn an_error_about_an_error() {
        for family in Family::ALL {
            let quoted = message(family, 3, 1, &datagram(family).0);
            // It is from the second address, so the error about it goes there.
            let header = [3, 1, 0, 0, 0, 0, 0, 0];
            let nested = ip(family, own(family), &header).then(&quoted.0);
            assert!(subject(family, &nested, Hook::LocalIn) == FORGED);
            // One about a query is an error like others.
            let kind = match family {
                Family::V4 => 8,
                Family::V6 => 128,
            };
            let query = ip(family, own(family), &[kind, 0, 0, 0, 7, 9, 0, 1]);
            let error = subject(family, &message(family, 3, 1, &query.0), Hook::LocalIn);
            let Subject::Error(wanted) = error else {
                unreachable!()
            };
            assert!(
                wanted.source_id == [7, 9] && wanted.destination_id == [kind & 128 | kind >> 7, 0]
            );
        }
    }

    #[test]
    fn a_packet_of_the_other_family() {
        let packet = message(Family::V4, 3, 1, &datagram(Family::V6).0);
        assert!(subject(Family::V4, &packet, Hook::LocalIn) == FORGED);
        let packet = message(Family::V6, 1, 1, &datagram(Family::V4).0);
        assert!(subject(Family::V6, &packet, Hook::LocalIn) == FORGED);
        // An error of the other family's protocol is none, nor of a flow that begins.
        let packet = v4(protocol::ICMPV6, &[1, 0, 0, 0, 0, 0, 0, 0]).then(&datagram(Family::V4).0);
        assert!(matches!(
            subject(Family::V4, &packet, Hook::LocalIn),
            Subject::Flow(_)
        ));
        let packet = v6(protocol::ICMP, &[3, 0, 0, 0, 0, 0, 0, 0]).then(&datagram(Family::V6).0);
        assert!(matches!(
            subject(Family::V6, &packet, Hook::LocalIn),
            Subject::Flow(_)
        ));
    }

    #[test]
    fn a_wrong_checksum() {
        for family in Family::ALL {
            let packet = message(family, 3, 1, &datagram(family).0);
            let wrong = Subject::Invalid(Invalid::Checksum);
            assert!(subject(family, &packet, Hook::PreRouting) == wrong);
            let settings = Settings::default();
            assert!(settings.set(Setting::Checksum, 0).is_ok());
            let look = |packet: &Body<'_>| Subject::of(packet, &settings);
            let subject = seen(family, &packet.0, Hook::PreRouting, look);
            assert!(subject == Some(Subject::Error(wanted(family))));
        }
    }

    /// A redirect of IPv6 from a neighbour, about the datagram.
    fn redirect() -> Bytes {
        let mut packet = message(Family::V6, REDIRECT, 0, &[0; 32]);
        packet = packet.then(&[REDIRECTED, 7, 0, 0, 0, 0, 0, 0]);
        packet
            .then(&datagram(Family::V6).0)
            .with(7, 255)
            .with(8, 0xfe)
            .with(9, 0x80)
    }

    #[test]
    fn redirects_come_from_neighbours() {
        let whole = redirect();
        let judged = |packet: Bytes| subject(Family::V6, &packet, Hook::LocalIn);
        assert!(judged(Bytes::of(&whole.0)) == Subject::Error(wanted(Family::V6)));
        let option = 40 + REDIRECT_HEADER;
        for (at, value, related) in [
            // The last hop limit, link-local addresses, the code.
            (7, 254, false),
            (9, 0xbf, true),
            (9, 0xc0, false),
            (8, 0xff, false),
            (41, 1, false),
            // The kind of option, and its length.
            (option, 2, false),
            (option + 1, 0, false),
            (option + 1, 1, true),
            // The address that it goes to.
            (39, 9, false),
        ] {
            let expected = if related {
                Subject::Error(wanted(Family::V6))
            } else {
                FORGED
            };
            assert!(judged(Bytes::of(&whole.0).with(at, value)) == expected);
        }
        for length in 40..whole.0.len() {
            let expected = match length {
                ..48 => Subject::Invalid(Invalid::Truncated),
                _ if length < option + 2 => Subject::Invalid(Invalid::Truncated),
                _ => FORGED,
            };
            assert!(judged(Bytes::of(whole.0.get(..length).unwrap())) == expected);
        }
    }

    #[test]
    fn what_tells_nothing() {
        let look = |packet: Bytes, family| subject(family, &packet, Hook::LocalIn);
        let udp = v4(protocol::UDP, &[4, 0, 0, 53, 0, 8, 0]);
        assert!(look(udp, Family::V4) == Subject::Invalid(Invalid::Truncated));
        let later = datagram(Family::V4).with(7, 1);
        assert!(look(later, Family::V4) == Subject::Invalid(Invalid::Network));
        let later = message(Family::V4, 3, 1, &[]).with(7, 1);
        assert!(look(later, Family::V4) == Subject::Invalid(Invalid::Network));
        let damaged = v6(60, &[protocol::UDP, 9, 0, 0, 0, 0, 0, 0]);
        assert!(look(damaged, Family::V6) == Subject::Invalid(Invalid::Network));
    }
}

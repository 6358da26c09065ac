// SPDX-License-Identifier: GPL-2.0
//! IPv6 (RFC 8200): addresses, and the walk over extension headers to the transport header.

use super::{read, Body, DropReason, Family, Input, Packet, Source, Transport};

/// Length of the fixed header, in bytes.
const HEADER: usize = 40;
/// How many extension headers are walked before a packet counts as malformed; the kernel's own limit
/// (IP6_MAX_EXT_HDRS_CNT), so that both judge a packet alike.
const MAX_EXTENSIONS: usize = 12;

/// Numbers of the extension headers that the walk passes.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

/// An IPv6 address as two words in memory order: all that is asked of it is equality under a mask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct V6(pub [u64; 2]);

impl From<core::net::Ipv6Addr> for V6 {
    fn from(address: core::net::Ipv6Addr) -> Self {
        Self::new(address.octets())
    }
}

impl V6 {
    #[inline]
    fn new(octets: [u8; 16]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = octets;
        Self([
            u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            u64::from_ne_bytes([i, j, k, l, m, n, o, p]),
        ])
    }
}

/// Parses an IPv6 packet, and its ports where they are asked for.
///
/// A damaged chain of extension headers is no error here: iptables lets such a packet pass until a rule
/// asks for its protocol, so `transport` is `None` and the rule decides.
///
/// # Errors
///
/// [`DropReason::MalformedHeader`] where the fixed header is cut off or of another version.
#[inline(always)]
pub fn parse<'a>(input: &'a Input<'a>, with_ports: bool) -> Result<Packet<'a, V6>, DropReason> {
    let mut buffer = [0; HEADER];
    let header =
        read(input.linear, input.source, 0, &mut buffer).ok_or(DropReason::MalformedHeader)?;
    let &[version, _, _, _, _, _, next, _, ref addresses @ ..] = header;
    if version >> 4 != 6 {
        return Err(DropReason::MalformedHeader);
    }
    let (source, destination) = match (addresses.first_chunk(), addresses.last_chunk()) {
        (Some(source), Some(destination)) => (V6::new(*source), V6::new(*destination)),
        _ => return Err(DropReason::MalformedHeader),
    };
    let transport = find_transport(next, input.linear, input.source, input.len as usize);
    Ok(Packet {
        source,
        destination,
        body: Body::new(Family::V6, input, transport, with_ports),
    })
}

/// Walks the extension headers from the fixed header's end. `None` when the chain is damaged: cut off,
/// longer than the packet or than [`MAX_EXTENSIONS`], or a later fragment of it.
fn find_transport(first: u8, linear: &[u8], source: &dyn Source, len: usize) -> Option<Transport> {
    let mut protocol = first;
    let mut offset = HEADER;
    for passed in 0..=MAX_EXTENSIONS {
        if !is_extension(protocol) {
            return Some(Transport {
                protocol,
                offset,
                fragment: 0,
            });
        }
        if passed == MAX_EXTENSIONS {
            break;
        }
        let mut buffer = [0; 2];
        let &[next, length] = read(linear, source, offset, &mut buffer)?;
        let length = match protocol {
            FRAGMENT => {
                let mut buffer = [0; 2];
                // The offset counts units of 8 bytes and lies above three bits of flags, so that masking
                // these gives bytes.
                let fragment =
                    u16::from_be_bytes(*read(linear, source, offset + 2, &mut buffer)?) & !7;
                if fragment != 0 {
                    // What follows is the middle of something; what it is a fragment of is only known
                    // when no further extension header comes first.
                    return (!is_extension(next)).then_some(Transport {
                        protocol: next,
                        offset,
                        fragment,
                    });
                }
                8
            }
            // RFC 4302, section 2.2: in units of 4 bytes, less 2.
            AUTHENTICATION => (usize::from(length) + 2) * 4,
            // RFC 8200, section 4: in units of 8 bytes, not counting the first.
            _ => (usize::from(length) + 1) * 8,
        };
        if len.checked_sub(offset)? < length {
            return None;
        }
        protocol = next;
        offset += length;
    }
    None
}

/// Whether the walk goes on behind a header of this number. "No next header" ends it, as a protocol does.
fn is_extension(protocol: u8) -> bool {
    matches!(
        protocol,
        HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION
    )
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_packet_ipv6))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{flat, Bytes, UDP_V6};
    use crate::engine::packet::Hook;

    /// The position of the first header's number in the fixed header.
    const NEXT: usize = 6;

    fn transport(bytes: &[u8]) -> Result<Option<Transport>, DropReason> {
        parse(&flat(bytes).at(Hook::LocalIn), true).map(|packet| packet.body.transport)
    }

    /// The fixed header, followed by these.
    fn packet(first: u8, headers: &[u8]) -> Bytes {
        Bytes::of(UDP_V6.get(..HEADER).unwrap())
            .with(NEXT, first)
            .then(headers)
    }

    #[test]
    fn fields_are_read() {
        let flat = flat(UDP_V6);
        let input = flat.at(Hook::LocalIn);
        let packet = parse(&input, true).ok().unwrap();
        assert!(packet.source == core::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into());
        assert!(
            packet.destination == core::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2).into()
        );
        let expected = Transport {
            protocol: 17,
            offset: 40,
            fragment: 0,
        };
        assert!(packet.body.transport == Some(expected));
    }

    #[test]
    fn every_cut_of_the_fixed_header_is_malformed() {
        for length in 0..HEADER {
            let cut = UDP_V6.get(..length).unwrap();
            assert!(transport(cut) == Err(DropReason::MalformedHeader));
        }
        assert!(transport(&Bytes::of(UDP_V6).with(0, 0x45).0).is_err());
    }

    #[test]
    fn extension_headers_are_passed() {
        // Hop-by-hop of 16 bytes, destination options of 8, authentication of 12 (length field 1).
        let headers = [
            60, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // hop-by-hop
            51, 0, 1, 4, 0, 0, 0, 0, // destination options
            17, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // authentication
            4, 0, 0, 53, 0, 8, 0, 0, // UDP
        ];
        let bytes = packet(HOP_BY_HOP, &headers);
        let expected = Transport {
            protocol: 17,
            offset: HEADER + 36,
            fragment: 0,
        };
        assert!(transport(&bytes.0) == Ok(Some(expected)));
        // Every cut inside the chain damages it.
        for length in HEADER..HEADER + 36 {
            assert!(transport(bytes.0.get(..length).unwrap()) == Ok(None));
        }
    }

    #[test]
    fn an_extension_header_longer_than_the_packet_is_damage() {
        let bytes = packet(
            DESTINATION,
            &[17, 1, 1, 4, 0, 0, 0, 0, 4, 0, 0, 53, 0, 8, 0],
        );
        assert!(transport(&bytes.0) == Ok(None));
    }

    #[test]
    fn the_chain_is_bounded() {
        for (count, fits) in [(MAX_EXTENSIONS, true), (MAX_EXTENSIONS + 1, false)] {
            let mut bytes = packet(DESTINATION, &[]);
            for index in 0..count {
                let next = if index + 1 == count { 17 } else { DESTINATION };
                bytes = bytes.then(&[next, 0, 1, 4, 0, 0, 0, 0]);
            }
            assert_eq!(transport(&bytes.0).ok().flatten().is_some(), fits);
        }
        // A later fragment ends the chain, and is one of it all the same.
        for (before, fits) in [(MAX_EXTENSIONS - 1, true), (MAX_EXTENSIONS, false)] {
            let mut bytes = packet(DESTINATION, &[]);
            for index in 0..before {
                let next = if index + 1 == before {
                    FRAGMENT
                } else {
                    DESTINATION
                };
                bytes = bytes.then(&[next, 0, 1, 4, 0, 0, 0, 0]);
            }
            bytes = bytes.then(&[17, 0, 0, 0x08, 0, 0, 0, 7]);
            assert_eq!(transport(&bytes.0).ok().flatten().is_some(), fits);
        }
    }

    #[test]
    fn no_next_header_ends_the_chain() {
        let bytes = packet(59, &[]);
        let expected = Transport {
            protocol: 59,
            offset: HEADER,
            fragment: 0,
        };
        assert!(transport(&bytes.0) == Ok(Some(expected)));
    }

    #[test]
    fn fragments() {
        // First: offset 0, more to come.
        let first = packet(
            FRAGMENT,
            &[17, 0, 0, 1, 0, 0, 0, 7, 4, 0, 0, 53, 0, 8, 0, 0],
        );
        let expected = Transport {
            protocol: 17,
            offset: HEADER + 8,
            fragment: 0,
        };
        assert!(transport(&first.0) == Ok(Some(expected)));
        // Later: what it is a fragment of is known, where its header would be is not.
        let later = packet(FRAGMENT, &[17, 0, 0, 0x08, 0, 0, 0, 7]);
        let found = transport(&later.0).ok().flatten().unwrap();
        assert_eq!((found.protocol, found.fragment), (17, 8));
        // Later, and extension headers were in the first: unknown.
        let hidden = packet(FRAGMENT, &[DESTINATION, 0, 0, 0x08, 0, 0, 0, 7]);
        assert!(transport(&hidden.0) == Ok(None));
    }
}

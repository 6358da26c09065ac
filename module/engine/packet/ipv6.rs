// SPDX-License-Identifier: GPL-2.0
//! IPv6 (RFC 8200): addresses, and the walk over extension headers.

use super::network::Header;
use super::{extension, read, Body, DropReason, Input, Packet, Source, Transport};

/// Length of the fixed header, in bytes.
pub(super) const HEADER: usize = 40;
/// How many extension headers are walked before a packet counts as malformed; the kernel's own limit
/// (IP6_MAX_EXT_HDRS_CNT), so that both judge a packet alike.
pub const MAX_EXTENSIONS: usize = 12;

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
/// [`DropReason::MalformedHeader`] where the fixed header is cut off, not in one piece or of another version.
#[inline(always)]
pub fn parse<'a>(input: &'a Input<'a>, with_ports: bool) -> Result<Packet<'a, V6>, DropReason> {
    let header = input
        .linear
        .first_chunk::<HEADER>()
        .ok_or(DropReason::MalformedHeader)?;
    let &[version, _, _, _, _, _, next, _, ref addresses @ ..] = header;
    if version >> 4 != 6 {
        return Err(DropReason::MalformedHeader);
    }
    let (source, destination) = match (addresses.first_chunk(), addresses.last_chunk()) {
        (Some(source), Some(destination)) => (V6::new(*source), V6::new(*destination)),
        _ => return Err(DropReason::MalformedHeader),
    };
    let transport = find_transport(next, HEADER, input.linear, input.source, input.len as usize);
    Ok(Packet {
        source,
        destination,
        body: Body::new(Header::V6(header), input, transport, with_ports),
    })
}

/// An extension header, as far as a walk needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Bytes from the network header to it.
    pub offset: usize,
    /// How long it says it is, in bytes; the packet may be shorter.
    pub length: usize,
    /// The number of what follows.
    pub next: u8,
}

impl Extension {
    /// Reads the header of this number; `None` when it is cut off before it tells its length.
    #[inline]
    fn read(number: u8, offset: usize, linear: &[u8], source: &dyn Source) -> Option<Self> {
        let mut buffer = [0; 2];
        let &[next, length] = read(linear, source, offset, &mut buffer)?;
        let length = match number {
            extension::FRAGMENT => 8,
            // RFC 4302, section 2.2: in units of 4 bytes, less 2.
            extension::AUTHENTICATION => (usize::from(length) + 2) * 4,
            // RFC 8200, section 4: in units of 8 bytes, not counting the first.
            _ => (usize::from(length) + 1) * 8,
        };
        Some(Self {
            offset,
            length,
            next,
        })
    }
}

/// Where a walk over extension headers ends.
enum End {
    /// At the header that it looked for.
    Found(Extension),
    /// Behind the last of them, or in a later fragment of what comes there.
    Transport(Transport),
    /// In a later fragment, of which the first has further extension headers.
    Hidden,
}

/// Walks the extension headers from the fixed header's end at `offset`, as far as one that is `wanted`. `None` when
/// the chain is damaged before that: cut off, longer than the packet or than [`MAX_EXTENSIONS`].
#[inline(always)]
fn walk(
    wanted: Option<u8>,
    first: u8,
    mut offset: usize,
    linear: &[u8],
    source: &dyn Source,
    len: usize,
) -> Option<End> {
    let mut protocol = first;
    for passed in 0..=MAX_EXTENSIONS {
        if !extension::is_passed(protocol) {
            return Some(End::Transport(Transport {
                protocol,
                offset,
                fragment: 0,
            }));
        }
        if passed == MAX_EXTENSIONS {
            break;
        }
        let header = Extension::read(protocol, offset, linear, source)?;
        let found = wanted == Some(protocol);
        if protocol == extension::FRAGMENT {
            let mut buffer = [0; 2];
            // The offset counts units of 8 bytes and lies above three bits of flags, so that masking
            // these gives bytes.
            let fragment = u16::from_be_bytes(*read(linear, source, offset + 2, &mut buffer)?) & !7;
            if fragment != 0 && !found {
                // What follows is the middle of something; what it is a fragment of is only known
                // when no further extension header comes first.
                return Some(if extension::is_passed(header.next) {
                    End::Hidden
                } else {
                    End::Transport(Transport {
                        protocol: header.next,
                        offset,
                        fragment,
                    })
                });
            }
        }
        if found {
            return Some(End::Found(header));
        }
        if len.checked_sub(offset)? < header.length {
            return None;
        }
        protocol = header.next;
        offset += header.length;
    }
    None
}

/// Where the transport header is; `None` when the chain of extension headers does not tell.
fn find_transport(
    first: u8,
    offset: usize,
    linear: &[u8],
    source: &dyn Source,
    len: usize,
) -> Option<Transport> {
    match walk(None, first, offset, linear, source, len)? {
        End::Transport(transport) => Some(transport),
        End::Found(_) | End::Hidden => None,
    }
}

/// Where the transport header is of a packet that begins at `start`, inside one that has `len` bytes.
pub(super) fn inner_transport(
    start: usize,
    linear: &[u8],
    source: &dyn Source,
    len: usize,
) -> Option<Transport> {
    let mut buffer = [0; HEADER];
    let &[version, _, _, _, _, _, next, ..] = read(linear, source, start, &mut buffer)?;
    if version >> 4 != 6 {
        return None;
    }
    find_transport(next, start.checked_add(HEADER)?, linear, source, len)
}

impl Body<'_> {
    /// The number of the first header behind the fixed one of an IPv6 packet.
    pub fn first_header(&self) -> Option<u8> {
        match self.fixed {
            Header::V4(_) => None,
            Header::V6(&[_, _, _, _, _, _, next, ..]) => Some(next),
        }
    }

    /// The extension header of this number at `offset` from the network header; `None` when it is cut off
    /// before it tells its length.
    pub fn extension_at(&self, number: u8, offset: usize) -> Option<Extension> {
        Extension::read(number, offset, self.input.linear, self.input.source)
    }

    /// Whether the packet has as much of the header as that says.
    pub fn has_whole(&self, header: &Extension) -> bool {
        let left = (self.length() as usize).checked_sub(header.offset);
        left.is_some_and(|left| left >= header.length)
    }

    /// The first extension header of this number, one of those that a walk passes; `None` where there is
    /// none, and in a later fragment where only the first can have it. The header itself need not be whole.
    ///
    /// # Errors
    ///
    /// [`DropReason::MalformedExtensions`] where the chain is damaged before it.
    pub fn find_extension(&self, number: u8) -> Result<Option<Extension>, DropReason> {
        let Some(first) = self.first_header() else {
            return Ok(None);
        };
        let Input {
            linear,
            source,
            len,
            ..
        } = *self.input;
        match walk(Some(number), first, HEADER, linear, source, len as usize) {
            Some(End::Found(header)) => Ok(Some(header)),
            Some(End::Transport(_) | End::Hidden) => Ok(None),
            None => Err(DropReason::MalformedExtensions),
        }
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_packet_ipv6))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{flat, v6, Bytes, UDP_V6};
    use crate::engine::packet::extension::{
        AUTHENTICATION, DESTINATION, FRAGMENT, HOP_BY_HOP, ROUTING,
    };
    use crate::engine::packet::Hook;

    fn transport(bytes: &[u8]) -> Result<Option<Transport>, DropReason> {
        parse(&flat(bytes).at(Hook::LocalIn), true).map(|packet| packet.body.transport)
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
        let bytes = v6(HOP_BY_HOP, &headers);
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
        let bytes = v6(
            DESTINATION,
            &[17, 1, 1, 4, 0, 0, 0, 0, 4, 0, 0, 53, 0, 8, 0],
        );
        assert!(transport(&bytes.0) == Ok(None));
    }

    #[test]
    fn the_chain_is_bounded() {
        for (count, fits) in [(MAX_EXTENSIONS, true), (MAX_EXTENSIONS + 1, false)] {
            let mut bytes = v6(DESTINATION, &[]);
            for index in 0..count {
                let next = if index + 1 == count { 17 } else { DESTINATION };
                bytes = bytes.then(&[next, 0, 1, 4, 0, 0, 0, 0]);
            }
            assert_eq!(transport(&bytes.0).ok().flatten().is_some(), fits);
        }
        // A later fragment ends the chain, and is one of it all the same.
        for (before, fits) in [(MAX_EXTENSIONS - 1, true), (MAX_EXTENSIONS, false)] {
            let mut bytes = v6(DESTINATION, &[]);
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
        let bytes = v6(59, &[]);
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
        let first = v6(
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
        let later = v6(FRAGMENT, &[17, 0, 0, 0x08, 0, 0, 0, 7]);
        let found = transport(&later.0).ok().flatten().unwrap();
        assert_eq!((found.protocol, found.fragment), (17, 8));
        // Later, and extension headers were in the first: unknown.
        let hidden = v6(FRAGMENT, &[DESTINATION, 0, 0, 0x08, 0, 0, 0, 7]);
        assert!(transport(&hidden.0) == Ok(None));
    }

    #[test]
    fn the_first_header_of_a_kind_is_found() {
        let headers = [
            60, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // hop-by-hop
            44, 0, 1, 4, 0, 0, 0, 0, // destination options
            60, 0, 0, 1, 0, 0, 0, 7, // fragment, the first
            17, 9, 1, 4, 0, 0, // destination options, cut off
        ];
        let bytes = v6(HOP_BY_HOP, &headers);
        let at = |offset, length, next| {
            Ok(Some(Extension {
                offset,
                length,
                next,
            }))
        };
        assert!(found(&bytes.0, HOP_BY_HOP) == at(HEADER, 16, DESTINATION));
        assert!(found(&bytes.0, DESTINATION) == at(HEADER + 16, 8, FRAGMENT));
        assert!(found(&bytes.0, FRAGMENT) == at(HEADER + 24, 8, DESTINATION));
        // What is damaged counts only where the walk has to pass it.
        assert!(found(&bytes.0, ROUTING) == Err(DropReason::MalformedExtensions));
        let whole = v6(DESTINATION, &[17, 0, 1, 4, 0, 0, 0, 0, 4, 0, 0, 53]);
        assert!(found(&whole.0, ROUTING) == Ok(None));
        assert!(found(UDP_V6, AUTHENTICATION) == Ok(None));
        let long = v6(DESTINATION, &[17, 9]);
        assert!(found(&long.0, DESTINATION) == at(HEADER, 80, 17));
        // A header that is wanted needs its first two bytes, and a fragment's its offset.
        let cut = v6(DESTINATION, &[17]);
        assert!(found(&cut.0, DESTINATION) == Err(DropReason::MalformedExtensions));
        let cut = v6(FRAGMENT, &[17, 0, 0]);
        assert!(found(&cut.0, FRAGMENT) == Err(DropReason::MalformedExtensions));
    }

    #[test]
    fn a_later_fragment_has_nothing_behind_its_header() {
        let later = v6(
            FRAGMENT,
            &[60, 0, 0, 8, 0, 0, 0, 7, 17, 0, 1, 4, 0, 0, 0, 0],
        );
        assert!(found(&later.0, FRAGMENT).is_ok_and(|found| found.is_some()));
        assert!(found(&later.0, DESTINATION) == Ok(None));
        let later = v6(FRAGMENT, &[17, 0, 0, 8, 0, 0, 0, 7]);
        assert!(found(&later.0, DESTINATION) == Ok(None));
    }

    #[test]
    fn the_walk_to_a_header_is_bounded() {
        let mut bytes = v6(DESTINATION, &[]);
        for _ in 1..MAX_EXTENSIONS {
            bytes = bytes.then(&[DESTINATION, 0, 1, 4, 0, 0, 0, 0]);
        }
        let routing = |bytes: Bytes| found(&bytes.then(&[17, 0, 4, 0, 0, 0, 0, 0]).0, ROUTING);
        let last = Bytes::of(&bytes.0).with(HEADER + 8 * (MAX_EXTENSIONS - 2), ROUTING);
        assert!(routing(last).is_ok_and(|found| found.is_some()));
        let beyond = bytes.then(&[ROUTING, 0, 1, 4, 0, 0, 0, 0]);
        assert!(routing(beyond) == Err(DropReason::MalformedExtensions));
    }

    fn found(bytes: &[u8], number: u8) -> Result<Option<Extension>, DropReason> {
        let flat = flat(bytes);
        let input = flat.at(Hook::LocalIn);
        let packet = parse(&input, false).ok().unwrap();
        packet.body.find_extension(number)
    }
}

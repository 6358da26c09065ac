// SPDX-License-Identifier: GPL-2.0
//! IPv4 (RFC 791): addresses, protocol, and where the transport header is.

use super::network::Header;
use super::{read, Body, DropReason, Input, Packet, Source, Transport};

/// Length of the header without options, in bytes.
pub(super) const MIN_HEADER: usize = 20;
/// The fragment offset's bits in the field that it shares with the flags; it counts in units of 8 bytes.
const OFFSET_MASK: u16 = 0x1fff;

/// Parses an IPv4 packet, and its ports where they are asked for. Addresses come as numbers in host order.
///
/// # Errors
///
/// [`DropReason::MalformedHeader`] where the header is cut off, shorter than it may be or not in one piece. The
/// stack itself refuses such packets on receive; a raw socket can still send one.
#[inline(always)]
pub fn parse<'a>(input: &'a Input<'a>, with_ports: bool) -> Result<Packet<'a, u32>, DropReason> {
    let header = input
        .linear
        .first_chunk::<MIN_HEADER>()
        .ok_or(DropReason::MalformedHeader)?;
    let transport = transport(header, input.len as usize).ok_or(DropReason::MalformedHeader)?;
    let &[.., s0, s1, s2, s3, d0, d1, d2, d3] = header;
    Ok(Packet {
        source: u32::from_be_bytes([s0, s1, s2, s3]),
        destination: u32::from_be_bytes([d0, d1, d2, d3]),
        body: Body::new(Header::V4(header), input, Some(transport), with_ports),
    })
}

/// Where the transport header is behind this header of a packet that has `len` bytes; `None` where the header
/// contradicts itself.
#[inline(always)]
fn transport(header: &[u8; MIN_HEADER], len: usize) -> Option<Transport> {
    let &[version_ihl, _, _, _, _, _, f0, f1, _, protocol, ..] = header;
    let offset = usize::from(version_ihl & 0xf) * 4;
    if version_ihl >> 4 != 4 || offset < MIN_HEADER || len < offset {
        return None;
    }
    Some(Transport {
        protocol,
        offset,
        // At most 8191 * 8, so the product fits.
        fragment: (u16::from_be_bytes([f0, f1]) & OFFSET_MASK) << 3,
    })
}

/// Where the transport header is of a packet that begins at `start`, inside one that has `len` bytes.
pub(super) fn inner_transport(
    start: usize,
    linear: &[u8],
    source: &dyn Source,
    len: usize,
) -> Option<Transport> {
    let mut buffer = [0; MIN_HEADER];
    let header = read(linear, source, start, &mut buffer)?;
    let transport = transport(header, len.checked_sub(start)?)?;
    Some(Transport {
        offset: start.checked_add(transport.offset)?,
        ..transport
    })
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_packet_ipv4))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{flat, Bytes, TCP_V4};
    use crate::engine::packet::Hook;

    fn transport(bytes: &[u8]) -> Result<Option<Transport>, DropReason> {
        parse(&flat(bytes).at(Hook::LocalIn), true).map(|packet| packet.body.transport)
    }

    #[test]
    fn fields_are_read() {
        let flat = flat(TCP_V4);
        let input = flat.at(Hook::LocalIn);
        let packet = parse(&input, true).ok().unwrap();
        assert_eq!(packet.source, 0xc000_0201);
        assert_eq!(packet.destination, 0xc633_6402);
        assert_eq!(packet.body.length(), 44);
        let expected = Transport {
            protocol: 6,
            offset: 20,
            fragment: 0,
        };
        assert!(packet.body.transport == Some(expected));
    }

    #[test]
    fn every_cut_of_the_header_is_malformed() {
        for length in 0..MIN_HEADER {
            let cut = TCP_V4.get(..length).unwrap();
            assert!(transport(cut) == Err(DropReason::MalformedHeader));
        }
        assert!(transport(TCP_V4.get(..MIN_HEADER).unwrap()).is_ok());
    }

    #[test]
    fn a_header_length_that_lies_is_malformed() {
        for nibble in 0..16_u8 {
            let bytes = Bytes::of(TCP_V4).with(0, 0x40 | nibble);
            let fits = nibble >= 5 && usize::from(nibble) * 4 <= TCP_V4.len();
            assert_eq!(transport(&bytes.0).is_ok(), fits);
        }
        assert!(transport(&Bytes::of(TCP_V4).with(0, 0x65).0).is_err());
    }

    #[test]
    fn the_fragment_offset_is_in_bytes() {
        // More fragments, offset 0: a first fragment, which has the transport header.
        let first = Bytes::of(TCP_V4).with(6, 0x20);
        assert_eq!(transport(&first.0).ok().flatten().unwrap().fragment, 0);
        let second = Bytes::of(TCP_V4).with(7, 1);
        assert_eq!(transport(&second.0).ok().flatten().unwrap().fragment, 8);
        let last = Bytes::of(TCP_V4).with(6, 0x1f).with(7, 0xff);
        assert_eq!(transport(&last.0).ok().flatten().unwrap().fragment, 65528);
    }
}

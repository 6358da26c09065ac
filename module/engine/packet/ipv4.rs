// SPDX-License-Identifier: GPL-2.0
//! IPv4 (RFC 791): addresses, protocol, and where the transport header is.

use super::{read, Body, DropReason, Family, Input, Packet, Transport};

/// Length of the header without options, in bytes.
const MIN_HEADER: usize = 20;
/// The fragment offset's bits in the field that it shares with the flags; it counts in units of 8 bytes.
const OFFSET_MASK: u16 = 0x1fff;

/// Parses an IPv4 packet. Addresses come as numbers in host order.
///
/// # Errors
///
/// [`DropReason::MalformedHeader`] where the header is cut off or shorter than it may be. The stack itself
/// refuses such packets on receive; a raw socket can still send one.
#[inline]
pub fn parse(input: Input<'_>) -> Result<Packet<'_, u32>, DropReason> {
    let mut buffer = [0; MIN_HEADER];
    let header =
        read(input.linear, input.payload, 0, &mut buffer).ok_or(DropReason::MalformedHeader)?;
    let &[version_ihl, _, _, _, _, _, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] =
        header;
    let offset = usize::from(version_ihl & 0xf) * 4;
    if version_ihl >> 4 != 4 || offset < MIN_HEADER || (input.len as usize) < offset {
        return Err(DropReason::MalformedHeader);
    }
    // At most 8191 * 8, so the product fits.
    let fragment = (u16::from_be_bytes([f0, f1]) & OFFSET_MASK) << 3;
    Ok(Packet {
        source: u32::from_be_bytes([s0, s1, s2, s3]),
        destination: u32::from_be_bytes([d0, d1, d2, d3]),
        body: Body {
            mark: input.mark,
            input,
            family: Family::V4,
            transport: Some(Transport {
                protocol,
                offset,
                fragment,
            }),
        },
    })
}

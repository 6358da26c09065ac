// SPDX-License-Identifier: GPL-2.0
//! The fields of an IP header (RFC 791, section 3.1; RFC 8200, section 3) that only some rules ask for.
//!
//! They are read when a rule asks, so that packets which meet no such rule do not pay for them. The packet was
//! parsed before, which took its header to be there; where it can't be read all the same, the answer is
//! [`DropReason::MalformedHeader`].

use core::net::IpAddr;

use super::{Body, DropReason, Family};

impl Body<'_> {
    /// The type of service of IPv4, which IPv6 calls the traffic class: the codepoint of differentiated services
    /// in the upper six bits (RFC 2474, section 3), congestion notification in the lower two (RFC 3168,
    /// section 5).
    pub fn traffic_class(&self) -> Result<u8, DropReason> {
        let [first, second] = self.fixed(0)?;
        Ok(match self.family {
            Family::V4 => second,
            // It begins in the middle of a byte, after the version.
            Family::V6 => first << 4 | second >> 4,
        })
    }

    /// The time to live of IPv4, which IPv6 calls the hop limit.
    pub fn hop_limit(&self) -> Result<u8, DropReason> {
        let [hops] = match self.family {
            Family::V4 => self.fixed(8),
            Family::V6 => self.fixed(7),
        }?;
        Ok(hops)
    }

    /// The address that the packet comes from.
    pub fn source_address(&self) -> Result<IpAddr, DropReason> {
        Ok(match self.family {
            Family::V4 => self.fixed::<4>(12)?.into(),
            Family::V6 => self.fixed::<16>(8)?.into(),
        })
    }

    /// The address that the packet goes to.
    pub fn destination_address(&self) -> Result<IpAddr, DropReason> {
        Ok(match self.family {
            Family::V4 => self.fixed::<4>(16)?.into(),
            Family::V6 => self.fixed::<16>(24)?.into(),
        })
    }

    #[inline]
    fn fixed<const N: usize>(&self, offset: usize) -> Result<[u8; N], DropReason> {
        let rest = self.input.linear.get(offset..);
        match rest.and_then(|rest| rest.first_chunk()) {
            Some(bytes) => Ok(*bytes),
            None => self.fixed_elsewhere(offset),
        }
    }

    /// The same where the header does not lie in one piece, which is rare: apart, so that the usual way is short.
    #[cold]
    #[inline(never)]
    fn fixed_elsewhere<const N: usize>(&self, offset: usize) -> Result<[u8; N], DropReason> {
        let mut buffer = [0; N];
        let bytes = self.header(offset, &mut buffer);
        bytes.copied().ok_or(DropReason::MalformedHeader)
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_packet_network))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{flat, Bytes, TCP_V4, UDP_V6};
    use crate::engine::packet::{parse_v4, parse_v6, Hook};

    #[test]
    fn fields_of_ipv4() {
        let bytes = Bytes::of(TCP_V4).with(1, 0xb9).with(8, 7);
        let flat = flat(&bytes.0);
        let input = flat.at(Hook::LocalIn);
        let body = parse_v4(&input, false).ok().unwrap().body;
        assert!(body.traffic_class() == Ok(0xb9));
        assert!(body.hop_limit() == Ok(7));
        assert!(body.source_address() == Ok([192, 0, 2, 1].into()));
        assert!(body.destination_address() == Ok([198, 51, 100, 2].into()));
    }

    #[test]
    fn fields_of_ipv6() {
        // The flow label after the traffic class is full.
        let bytes = Bytes::of(UDP_V6).with(0, 0x6b).with(1, 0x9f).with(7, 7);
        let flat = flat(&bytes.0);
        let input = flat.at(Hook::LocalIn);
        let body = parse_v6(&input, false).ok().unwrap().body;
        assert!(body.traffic_class() == Ok(0xb9));
        assert!(body.hop_limit() == Ok(7));
        let address = |last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        assert!(body.source_address() == Ok(address(1)));
        assert!(body.destination_address() == Ok(address(2)));
    }
}

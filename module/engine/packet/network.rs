// SPDX-License-Identifier: GPL-2.0
//! The fields of an IP header (RFC 791, section 3.1; RFC 8200, section 3) that only some rules ask for.
//!
//! They are read when a rule asks, so that packets which meet no such rule do not pay for them.

use core::net::IpAddr;

use super::{ipv4, ipv6, Body, Family};

/// The fixed part of an IP header, which has been found to be there.
#[derive(Clone, Copy)]
pub(super) enum Header<'a> {
    V4(&'a [u8; ipv4::MIN_HEADER]),
    V6(&'a [u8; ipv6::HEADER]),
}

impl Header<'_> {
    #[inline(always)]
    pub(super) fn family(&self) -> Family {
        match self {
            Self::V4(_) => Family::V4,
            Self::V6(_) => Family::V6,
        }
    }
}

impl Body<'_> {
    /// The type of service of IPv4, which IPv6 calls the traffic class: the codepoint of differentiated services
    /// in the upper six bits (RFC 2474, section 3), congestion notification in the lower two (RFC 3168,
    /// section 5).
    #[inline]
    pub fn traffic_class(&self) -> u8 {
        match self.fixed {
            Header::V4(&[_, class, ..]) => class,
            // It begins in the middle of a byte, after the version.
            Header::V6(&[first, second, ..]) => first << 4 | second >> 4,
        }
    }

    /// The time to live of IPv4, which IPv6 calls the hop limit.
    #[inline]
    pub fn hop_limit(&self) -> u8 {
        match self.fixed {
            Header::V4(&[_, _, _, _, _, _, _, _, hops, ..])
            | Header::V6(&[_, _, _, _, _, _, _, hops, ..]) => hops,
        }
    }

    /// The address that the packet comes from.
    #[inline]
    pub fn source_address(&self) -> IpAddr {
        match self.fixed {
            Header::V4(header) => part::<12, 4, 20>(header).into(),
            Header::V6(header) => part::<8, 16, 40>(header).into(),
        }
    }

    /// The address that the packet goes to.
    #[inline]
    pub fn destination_address(&self) -> IpAddr {
        match self.fixed {
            Header::V4(header) => part::<16, 4, 20>(header).into(),
            Header::V6(header) => part::<24, 16, 40>(header).into(),
        }
    }
}

/// The upper bits of an address, so many of them.
pub fn prefix(address: IpAddr, bits: u8) -> u128 {
    let (number, length) = match address {
        IpAddr::V4(address) => (u32::from(address).into(), Family::V4.bits()),
        IpAddr::V6(address) => (address.into(), Family::V6.bits()),
    };
    u128::checked_shr(number, length.saturating_sub(bits).into()).unwrap_or_default()
}

/// `N` bytes of a header, from a place on.
#[inline(always)]
fn part<const FROM: usize, const N: usize, const LENGTH: usize>(header: &[u8; LENGTH]) -> [u8; N] {
    const { assert!(FROM + N <= LENGTH) };
    let rest = header.get(FROM..).unwrap_or_default();
    // They are there, as has just been asserted.
    rest.first_chunk().copied().unwrap_or([0; N])
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
        assert!(body.traffic_class() == 0xb9);
        assert!(body.hop_limit() == 7);
        assert!(body.source_address() == IpAddr::from([192, 0, 2, 1]));
        assert!(body.destination_address() == IpAddr::from([198, 51, 100, 2]));
    }

    #[test]
    fn fields_of_ipv6() {
        // The flow label after the traffic class is full.
        let bytes = Bytes::of(UDP_V6).with(0, 0x6b).with(1, 0x9f).with(7, 7);
        let flat = flat(&bytes.0);
        let input = flat.at(Hook::LocalIn);
        let body = parse_v6(&input, false).ok().unwrap().body;
        assert!(body.traffic_class() == 0xb9);
        assert!(body.hop_limit() == 7);
        let address = |last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        assert!(body.source_address() == address(1));
        assert!(body.destination_address() == address(2));
    }
}

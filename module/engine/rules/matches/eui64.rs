// SPDX-License-Identifier: GPL-2.0
//! `-m eui64`: the lower half of the IPv6 source address is made of the Ethernet address that the packet came from.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, DropReason, Family, Frame, Hook};
use crate::engine::rules::model::Rule;
use crate::wire;

/// The EtherType of IPv6.
const IPV6: u16 = 0x86dd;
/// Where in an IPv6 header the interface identifier of the source address is, in bytes.
const IDENTIFIER: usize = 16;

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Eui64, "eui64-attrs" {
    }
}

impl Matcher for Eui64 {
    fn check(&self, family: Family, _: &Rule) -> Result<(), &'static str> {
        if family == Family::V6 {
            Ok(())
        } else {
            Err("eui64 is for IPv6 only")
        }
    }

    fn check_hook(&self, hook: Hook) -> Result<(), &'static str> {
        if hook.has_input() {
            Ok(())
        } else {
            Err("eui64 needs PREROUTING, INPUT or FORWARD")
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let (source, kind) = match packet.source().frame() {
            Frame::Ethernet { source, kind } => (source, kind),
            Frame::Missing => return Outcome::Drop(DropReason::MissingFrame),
            Frame::Other => return Outcome::No,
        };
        let mut buffer = [0; 8];
        let found = packet.header(IDENTIFIER, &mut buffer).copied();
        Outcome::from(kind == IPV6 && found == Some(identifier(source)))
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

/// The interface identifier that an address makes (RFC 4291, appendix A).
fn identifier([a, b, c, d, e, f]: [u8; 6]) -> [u8; 8] {
    [a ^ 2, b, c, 0xff, 0xfe, d, e, f]
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_eui64))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{asked, Bytes, UDP_V6};
    use crate::engine::packet::Metadata;
    use crate::engine::rules::Match;

    #[test]
    fn the_lower_half_of_the_source() {
        let source = [0, 0x11, 0x22, 0x33, 0x44, 0x55];
        let mut packet = Bytes::of(UDP_V6);
        for (at, byte) in (16..).zip([2, 0x11, 0x22, 0xff, 0xfe, 0x33, 0x44, 0x55]) {
            packet = packet.with(at, byte);
        }
        let ask = |frame, bytes: &[u8]| {
            let metadata = Metadata {
                frame,
                ..Metadata::default()
            };
            asked(Family::V6, Match::Eui64(Eui64 {}), bytes, metadata)
        };
        let frame = |kind| Frame::Ethernet { source, kind };
        assert!(ask(frame(IPV6), &packet.0) == Outcome::Yes);
        assert!(ask(frame(0x8100), &packet.0) == Outcome::No);
        assert!(ask(frame(IPV6), UDP_V6) == Outcome::No);
        for at in 16..24 {
            let byte = packet.0.get(at).copied().unwrap_or_default();
            let other = Bytes::of(&packet.0).with(at, byte ^ 2);
            assert!(ask(frame(IPV6), &other.0) == Outcome::No);
        }
        assert!(ask(Frame::Other, &packet.0) == Outcome::No);
        assert!(ask(Frame::Missing, &packet.0) == Outcome::Drop(DropReason::MissingFrame));
    }

    #[test]
    fn it_is_for_ipv6() {
        let rule = Rule::default();
        assert!(Eui64 {}.check(Family::V6, &rule).is_ok());
        assert!(Eui64 {}.check(Family::V4, &rule).is_err());
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m mac`: who sent the Ethernet frame that the packet came in.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family, Frame, Hook};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};
use crate::wire;

/// A hardware address of Ethernet (IEEE 802, EUI-48).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MacAddress(pub [u8; 6]);

/// On netlink: its bytes in the order of transmission.
impl Field for MacAddress {
    const KIND: Kind = Kind::Bytes(6);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        to.put(id, &self.0)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        match from.data.try_into() {
            Ok(bytes) => Ok(Self(bytes)),
            Err(_) => Err(from.invalid("a MAC address has 6 bytes")),
        }
    }
}

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Mac, "mac-attrs" {
        /// `--mac-source`
        2 source: Not<MacAddress>,
    }
}

impl Matcher for Mac {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        Ok(())
    }

    fn check_hook(&self, hook: Hook) -> Result<(), &'static str> {
        if hook.has_input() {
            Ok(())
        } else {
            Err("mac needs PREROUTING, INPUT or FORWARD")
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        match packet.source().frame() {
            Frame::Ethernet { source, .. } => {
                Outcome::from((source == self.source.value.0) != self.source.not)
            }
            // What came in no frame has no other sender either.
            Frame::Missing | Frame::Other => Outcome::No,
        }
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_mac))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{asked, TCP_V4};
    use crate::engine::packet::Metadata;
    use crate::engine::rules::Match;

    #[test]
    fn the_sender_of_the_frame() {
        let sender = [2, 0, 0, 0, 0, 1];
        let frame = Frame::Ethernet {
            source: sender,
            kind: 0x800,
        };
        for not in [false, true] {
            let item = |address| {
                Match::Mac(Mac {
                    source: Not {
                        value: MacAddress(address),
                        not,
                    },
                })
            };
            let other = [2, 0, 0, 0, 0, 2];
            for (frame, address, wanted) in [
                (frame, sender, Outcome::from(!not)),
                (frame, other, Outcome::from(not)),
                (Frame::Missing, sender, Outcome::No),
                (Frame::Other, sender, Outcome::No),
            ] {
                let metadata = Metadata {
                    frame,
                    ..Metadata::default()
                };
                assert!(asked(Family::V4, item(address), TCP_V4, metadata) == wanted);
            }
        }
    }
}

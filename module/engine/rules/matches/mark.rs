// SPDX-License-Identifier: GPL-2.0
//! `-m mark`: the packet's mark, under a mask.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};
use crate::wire;

/// A number under a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Masked {
    /// The bits that are asked for.
    pub value: u32,
    /// The bits that are looked at.
    pub mask: u32,
}

/// On netlink: two 32-bit numbers in host order, value and mask.
impl Field for Masked {
    const KIND: Kind = Kind::Bytes(8);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        let ([v0, v1, v2, v3], [m0, m1, m2, m3]) =
            (self.value.to_ne_bytes(), self.mask.to_ne_bytes());
        to.put(id, &[v0, v1, v2, v3, m0, m1, m2, m3])
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        match *from.data {
            [v0, v1, v2, v3, m0, m1, m2, m3] => Ok(Self {
                value: u32::from_ne_bytes([v0, v1, v2, v3]),
                mask: u32::from_ne_bytes([m0, m1, m2, m3]),
            }),
            _ => Err(from.invalid("value and mask must have 4 bytes each")),
        }
    }
}

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Mark, "mark-attrs" {
        /// `--mark`
        2 mark: Not<Masked>,
    }
}

impl Matcher for Mark {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        Ok(())
    }

    #[inline]
    fn test(&self, packet: &Body<'_>) -> Outcome {
        let Masked { value, mask } = self.mark.value;
        Outcome::from((packet.mark & mask == value) != self.mark.not)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

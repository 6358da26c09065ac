// SPDX-License-Identifier: GPL-2.0
//! `-m frag`: the fragment header (RFC 8200, section 4.5).

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{extension, Body, DropReason, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::uapi::range::Range;
use crate::wire;

/// Length of the header, in bytes.
const HEADER: usize = 8;
/// The bits of the offset in the field that it shares with the flags.
const OFFSET: u16 = 0xfff8;
/// The bits between offset and flag that have no meaning.
const RESERVED: u16 = 0x0006;
/// Set where more fragments follow.
const MORE: u16 = 0x0001;

wire! {
    /// The match; without a value it asks for the header alone.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Frag, "frag-attrs" {
        /// `--fragid`: the identification.
        2 id: Option<Not<Range<u32>>>,
        /// `--fraglen`: asks nothing, since the header has no field for a length. It stays with the rule.
        3 length: Option<Not<u32>>,
        /// `--fragres`: what is reserved is zero.
        4 reserved: bool,
        /// `--fragfirst`
        5 first: bool,
        /// `--fragmore`: more fragments follow.
        6 more: bool,
        /// `--fraglast`: no fragment follows.
        7 last: bool,
    }
}

impl Matcher for Frag {
    fn check(&self, family: Family, _: &Rule) -> Result<(), &'static str> {
        if family != Family::V6 {
            return Err("the frag match needs IPv6");
        }
        if self.more && self.last {
            return Err("a last fragment has none that follows");
        }
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let offset = match packet.find_extension(extension::FRAGMENT) {
            Ok(Some(header)) => header.offset,
            Ok(None) => return Outcome::No,
            Err(reason) => return Outcome::Drop(reason),
        };
        let mut buffer = [0; HEADER];
        let Some(&[_, reserved, o0, o1, i0, i1, i2, i3]) = packet.header(offset, &mut buffer)
        else {
            return Outcome::Drop(DropReason::MalformedExtensions);
        };
        let offset = u16::from_be_bytes([o0, o1]);
        let id = u32::from_be_bytes([i0, i1, i2, i3]);
        Outcome::from(
            self.id
                .is_none_or(|asked| asked.value.contains(id) != asked.not)
                && !(self.reserved && (reserved != 0 || offset & RESERVED != 0))
                && !(self.first && offset & OFFSET != 0)
                && !(self.more && offset & MORE == 0)
                && !(self.last && offset & MORE != 0),
        )
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_frag))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, v6, UDP_V6};
    use crate::engine::rules::Match;

    fn test(frag: Frag, bytes: &[u8]) -> Outcome {
        holds(Family::V6, None, Match::Frag(frag), bytes)
    }

    #[test]
    fn values_on_both_sides() {
        let id = |first, last, not| Frag {
            id: Some(Not {
                value: Range { first, last },
                not,
            }),
            ..Frag::default()
        };
        let reserved = Frag {
            reserved: true,
            ..Frag::default()
        };
        let first = Frag {
            first: true,
            ..Frag::default()
        };
        let more = Frag {
            more: true,
            ..Frag::default()
        };
        let last = Frag {
            last: true,
            ..Frag::default()
        };
        let length = Frag {
            length: Some(Not::is(9)),
            ..Frag::default()
        };
        // Of the headers below: the first fragment, one in the middle, the last, and two with reserved bits.
        type Case = (Frag, [bool; 5]);
        let cases: [Case; 10] = [
            (Frag::default(), [true; 5]),
            (id(0x102, 0x102, false), [true, true, false, true, true]),
            (
                id(0x103, u32::MAX, false),
                [false, false, true, false, false],
            ),
            (id(0x103, 0x103, true), [true, true, false, true, true]),
            (id(0, u32::MAX, true), [false; 5]),
            (reserved, [true, true, true, false, false]),
            (first, [true, false, false, true, true]),
            (more, [true, true, false, false, false]),
            (last, [false, false, true, true, true]),
            (length, [true; 5]),
        ];
        let headers = [
            [17, 0, 0, 1, 0, 0, 1, 2],
            [17, 0, 0, 9, 0, 0, 1, 2],
            [17, 0, 0, 16, 0, 0, 1, 3],
            [17, 0, 0, 2, 0, 0, 1, 2],
            [17, 1, 0, 0, 0, 0, 1, 2],
        ];
        for (frag, hits) in cases {
            for (header, hit) in headers.iter().zip(hits) {
                let packet = v6(extension::FRAGMENT, header);
                assert!(test(frag.clone(), &packet.0) == Outcome::from(hit));
            }
        }
    }

    #[test]
    fn a_header_cut_off_is_dropped() {
        let packet = v6(extension::FRAGMENT, &[17, 0, 0, 1, 0, 0, 1, 2]);
        let dropped = Outcome::Drop(DropReason::MalformedExtensions);
        for length in 40..48 {
            assert!(test(Frag::default(), packet.0.get(..length).unwrap()) == dropped);
        }
        assert!(test(Frag::default(), &packet.0) == Outcome::Yes);
        assert!(test(Frag::default(), UDP_V6) == Outcome::No);
    }

    #[test]
    fn what_it_can_not_be() {
        let both = Frag {
            more: true,
            last: true,
            ..Frag::default()
        };
        assert!(both.check(Family::V6, &Rule::default()).is_err());
        assert!(Frag::default().check(Family::V6, &Rule::default()).is_ok());
        assert!(Frag::default().check(Family::V4, &Rule::default()).is_err());
    }
}

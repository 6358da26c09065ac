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

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_mark))]
mod tests {
    use super::*;
    use crate::alloc::{KVec, GFP_KERNEL};
    use crate::engine::fixtures::{judge, program, TCP_V4};
    use crate::engine::packet::DropReason;
    use crate::engine::rules::model::Matches;
    use crate::engine::rules::targets::SetMark;
    use crate::engine::rules::{Match, Target, Verdict};

    /// Sets a mark with one rule and asks for it with the next.
    fn set_and_ask(set: Masked, asked: Masked, not: bool) -> bool {
        let mut matches = KVec::new();
        let item = Match::Mark(Mark {
            mark: Not { value: asked, not },
        });
        matches.push(item, GFP_KERNEL).unwrap();
        let rules = [
            (
                "INPUT",
                Rule {
                    target: Target::Mark(SetMark { mark: set }),
                    ..Rule::default()
                },
            ),
            (
                "INPUT",
                Rule {
                    matches: Matches(matches),
                    target: Target::Drop,
                    ..Rule::default()
                },
            ),
        ];
        let program = program(Family::V4, rules).ok().unwrap();
        judge(&program, Family::V4, TCP_V4).0 == Verdict::Drop(DropReason::Rule)
    }

    #[test]
    fn a_mark_that_a_rule_set_is_seen_by_the_next() {
        let whole = |value| Masked {
            value,
            mask: u32::MAX,
        };
        for (asked, hit) in [
            (whole(0x15), true),
            (whole(0x14), false),
            (
                Masked {
                    value: 5,
                    mask: 0xf,
                },
                true,
            ),
            (
                Masked {
                    value: 4,
                    mask: 0xf,
                },
                false,
            ),
            (Masked { value: 0, mask: 0 }, true),
        ] {
            for not in [false, true] {
                assert_eq!(set_and_ask(whole(0x15), asked, not), hit != not);
            }
        }
    }

    #[test]
    fn set_xmark_clears_then_flips() {
        let set = |value, mask| SetMark {
            mark: Masked { value, mask },
        };
        assert_eq!(set(1, u32::MAX).apply(0xff), 1);
        assert_eq!(set(1, 1).apply(0xf0), 0xf1);
        assert_eq!(set(0x0f, 0).apply(0xff), 0xf0);
        assert_eq!(set(0, 0x0f).apply(0xff), 0xf0);
    }
}

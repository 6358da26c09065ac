// SPDX-License-Identifier: GPL-2.0
//! `-m ttl` and `-m hl`: how many more routers a packet may pass (RFC 791, RFC 8200).

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::Errno;
use crate::uapi::field::Not;
use crate::{numbered, wire};

/// How a packet's value is compared with the rule's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Comparison {
    /// It is the same.
    Equal = 0,
    /// It is less.
    Less = 1,
    /// It is greater.
    Greater = 2,
}

impl Comparison {
    /// The comparisons in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Equal, Self::Less, Self::Greater];
}

numbered! { Comparison, Errno::Invalid, "not a comparison"; }

wire! {
    /// The match for IPv4.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Ttl, "ttl-attrs" {
        /// Which of `--ttl-eq`, `--ttl-lt` and `--ttl-gt` it is.
        2 comparison: Comparison,
        /// What the time to live is compared with; negated for `! --ttl-eq` alone.
        3 value: Not<u8>,
    }
}

wire! {
    /// The match for IPv6.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Hl, "hl-attrs" {
        /// Which of `--hl-eq`, `--hl-lt` and `--hl-gt` it is.
        2 comparison: Comparison,
        /// What the hop limit is compared with; negated for `! --hl-eq` alone.
        3 value: Not<u8>,
    }
}

fn check(comparison: Comparison, value: Not<u8>) -> Result<(), &'static str> {
    if value.not && comparison != Comparison::Equal {
        return Err("only the comparison for being equal can be negated");
    }
    Ok(())
}

fn test(comparison: Comparison, value: Not<u8>, packet: &Body<'_>) -> Outcome {
    let Not { value, not } = value;
    let hops = packet.hop_limit();
    let holds = match comparison {
        Comparison::Equal => hops == value,
        Comparison::Less => hops < value,
        Comparison::Greater => hops > value,
    };
    Outcome::from(holds != not)
}

impl Matcher for Ttl {
    fn check(&self, family: Family, _: &Rule) -> Result<(), &'static str> {
        match family {
            Family::V4 => check(self.comparison, self.value),
            Family::V6 => Err("the ttl match is for IPv4; for IPv6 there is hl"),
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        test(self.comparison, self.value, packet)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

impl Matcher for Hl {
    fn check(&self, family: Family, _: &Rule) -> Result<(), &'static str> {
        match family {
            Family::V4 => Err("the hl match is for IPv6; for IPv4 there is ttl"),
            Family::V6 => check(self.comparison, self.value),
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        test(self.comparison, self.value, packet)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_ttl))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, TCP_V4, UDP_V6};
    use crate::engine::packet::protocol;
    use crate::engine::rules::Match;

    /// What both matches say of packets with 64 hops to go.
    fn outcomes(comparison: Comparison, value: Not<u8>) -> [Outcome; 2] {
        let ttl = Match::Ttl(Ttl { comparison, value });
        let hl = Match::Hl(Hl { comparison, value });
        [
            holds(Family::V4, protocol::TCP, ttl, TCP_V4),
            holds(Family::V6, protocol::UDP, hl, UDP_V6),
        ]
    }

    #[test]
    fn comparisons_at_the_edges() {
        for (value, hits) in [
            (0, [false, false, true]),
            (63, [false, false, true]),
            (64, [true, false, false]),
            (65, [false, true, false]),
            (255, [false, true, false]),
        ] {
            for (comparison, hit) in Comparison::ALL.into_iter().zip(hits) {
                assert!(outcomes(comparison, Not::is(value)) == [Outcome::from(hit); 2]);
            }
            let not_equal = outcomes(Comparison::Equal, Not { value, not: true });
            assert!(not_equal == [Outcome::from(value != 64); 2]);
        }
    }

    #[test]
    fn each_is_for_its_family_and_negates_one_comparison() {
        let rule = Rule::default();
        for comparison in Comparison::ALL {
            for not in [false, true] {
                let value = Not { value: 1, not };
                let fits = !not || comparison == Comparison::Equal;
                let ttl = Ttl { comparison, value };
                assert_eq!(ttl.check(Family::V4, &rule).is_ok(), fits);
                assert!(ttl.check(Family::V6, &rule).is_err());
                let hl = Hl { comparison, value };
                assert_eq!(hl.check(Family::V6, &rule).is_ok(), fits);
                assert!(hl.check(Family::V4, &rule).is_err());
            }
        }
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m tcpmss`: the maximum segment size that a TCP header tells (RFC 9293, section 3.7.1).

use super::ports::transport_header;
use super::tcp::{self, MIN_HEADER};
use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{protocol, Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::uapi::range::Range;
use crate::wire;

/// Kind and length of the option, which ends with the size, 16 bits in network order.
const OPTION: [u8; 2] = [2, 4];

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct TcpMss, "tcpmss-attrs" {
        /// `--mss`, in bytes; negated, it also holds of a header without the option.
        2 mss: Not<Range<u16>>,
    }
}

impl Matcher for TcpMss {
    fn check(&self, _: Family, rule: &Rule) -> Result<(), &'static str> {
        if rule.exact_protocol() == Some(protocol::TCP) {
            Ok(())
        } else {
            Err("the tcpmss match needs -p tcp")
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let mut buffer = [0; MIN_HEADER];
        let &[_, _, _, _, _, _, _, _, _, _, _, _, data_offset, ..] =
            match transport_header(packet, &mut buffer) {
                Ok(header) => header,
                Err(outcome) => return outcome,
            };
        let mut options = match tcp::options(packet, data_offset) {
            Ok(options) => options,
            Err(outcome) => return outcome,
        };
        let found = options.find_map(|option| {
            let mut buffer = [0; 4];
            let &[kind, length, m0, m1] = packet
                .header(option.offset, &mut buffer)
                .filter(|found| option.left >= found.len())?;
            ([kind, length] == OPTION).then_some(u16::from_be_bytes([m0, m1]))
        });
        let Not { value, not } = self.mss;
        Outcome::from(found.is_some_and(|mss| value.contains(mss)) != not)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_tcpmss))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, Bytes, TCP_V4};
    use crate::engine::packet::DropReason;
    use crate::engine::rules::Match;

    fn test(first: u16, last: u16, not: bool, bytes: &[u8]) -> Outcome {
        let value = Range { first, last };
        let item = Match::TcpMss(TcpMss {
            mss: Not { value, not },
        });
        holds(Family::V4, protocol::TCP, item, bytes)
    }

    #[test]
    fn sizes_at_the_edges() {
        for (first, last, hit) in [
            (1460, 1460, true),
            (0, 1460, true),
            (1460, u16::MAX, true),
            (0, 1459, false),
            (1461, u16::MAX, false),
        ] {
            for not in [false, true] {
                assert!(test(first, last, not, TCP_V4) == Outcome::from(hit != not));
            }
        }
    }

    #[test]
    fn the_first_option_that_is_one_counts() {
        let has = |options: &[u8], mss| {
            let words = (options.len() / 4) as u8;
            let bytes = Bytes::of(TCP_V4.get(..40).unwrap())
                .with(32, (5 + words) << 4)
                .then(options);
            let (is, is_not) = (
                test(mss, mss, false, &bytes.0),
                test(mss, mss, true, &bytes.0),
            );
            assert!(is != is_not);
            is == Outcome::Yes
        };
        assert!(has(&[1, 1, 1, 2, 4, 0, 9, 0], 9));
        assert!(has(&[2, 4, 0, 9, 2, 4, 0, 8], 9));
        assert!(!has(&[2, 4, 0, 9, 2, 4, 0, 8], 8));
        // One of another length is passed over, as is one that the list is too short for.
        assert!(has(&[2, 3, 0, 2, 4, 0, 9, 0], 9));
        assert!(!has(&[2, 8, 1, 2, 4, 0, 9, 0], 9));
        assert!(!has(&[1, 2, 4, 0], 0));
        assert!(!has(&[], 9));
    }

    #[test]
    fn the_list_ends_before_the_data() {
        let bytes = Bytes::of(TCP_V4.get(..40).unwrap())
            .with(32, 0x60)
            .then(&[1, 2, 4, 0, 9, 9]);
        assert!(test(0, u16::MAX, false, &bytes.0) == Outcome::No);
    }

    #[test]
    fn damaged_headers_are_dropped() {
        for not in [false, true] {
            for length in 20..TCP_V4.len() {
                let outcome = test(0, 9, not, TCP_V4.get(..length).unwrap());
                assert!(outcome == Outcome::Drop(DropReason::TruncatedTransport));
            }
            let short = Bytes::of(TCP_V4).with(32, 0x40);
            let outcome = test(0, 9, not, &short.0);
            assert!(outcome == Outcome::Drop(DropReason::MalformedTransport));
            let later = Bytes::of(TCP_V4).with(7, 2);
            assert!(test(0, 9, not, &later.0) == Outcome::No);
        }
    }

    #[test]
    fn needs_its_protocol() {
        let asked = TcpMss {
            mss: Not::is(Range { first: 0, last: 1 }),
        };
        let rule = |value, not| Rule {
            protocol: Some(Not { value, not }),
            ..Rule::default()
        };
        assert!(asked.check(Family::V4, &rule(6, false)).is_ok());
        assert!(asked.check(Family::V6, &rule(6, true)).is_err());
        assert!(asked.check(Family::V4, &rule(17, false)).is_err());
        assert!(asked.check(Family::V4, &Rule::default()).is_err());
    }
}

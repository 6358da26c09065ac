// SPDX-License-Identifier: GPL-2.0
//! `-m ecn`: congestion notification in the headers of IP and TCP (RFC 3168, sections 5 and 6.1).

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{protocol, Body, Family, Transport};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::wire;

/// Length of a TCP header without options, in bytes.
const MIN_TCP_HEADER: usize = 20;
/// The flags, bits of the TCP header's 14th byte: "congestion window reduced" and "ECN echo".
const CWR: u8 = 0x80;
const ECE: u8 = 0x40;
/// The codepoint's bits in the traffic class.
const CODEPOINT: u8 = 0x03;

wire! {
    /// The match.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Ecn, "ecn-attrs" {
        /// `--ecn-tcp-cwr`: the TCP header has the flag CWR.
        2 cwr: Option<Not<bool>>,
        /// `--ecn-tcp-ece`: the TCP header has the flag ECE.
        3 ece: Option<Not<bool>>,
        /// `--ecn-ip-ect`: the codepoint in the IP header, of 2 bits.
        4 ect: Option<Not<u8>>,
    }
}

impl Ecn {
    /// The greatest codepoint.
    pub const MAX: u8 = CODEPOINT;

    fn asks_tcp(&self) -> bool {
        self.cwr.is_some() || self.ece.is_some()
    }
}

impl Matcher for Ecn {
    fn check(&self, _: Family, rule: &Rule) -> Result<(), &'static str> {
        if !self.asks_tcp() && self.ect.is_none() {
            return Err("the ecn match needs one of its options");
        }
        if self.ect.is_some_and(|ect| ect.value > Self::MAX) {
            return Err("the codepoint of the ecn match is greater than 3");
        }
        if self.asks_tcp() && rule.exact_protocol() != Some(protocol::TCP) {
            return Err("the ecn match needs -p tcp for flags of TCP");
        }
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        if let Some(Not { value, not }) = self.ect {
            if (packet.traffic_class() & CODEPOINT == value) == not {
                return Outcome::No;
            }
        }
        if !self.asks_tcp() {
            return Outcome::Yes;
        }
        let Some(Transport {
            offset,
            fragment: 0,
            ..
        }) = packet.transport
        else {
            return Outcome::No;
        };
        let mut buffer = [0; MIN_TCP_HEADER];
        // Unlike others, iptables' match does not drop a packet whose TCP header is cut off.
        let Some(&[_, _, _, _, _, _, _, _, _, _, _, _, _, flags, ..]) =
            packet.header(offset, &mut buffer)
        else {
            return Outcome::No;
        };
        let fits = |asked: Option<Not<bool>>, flag| {
            asked.is_none_or(|asked| (flags & flag != 0) != asked.not)
        };
        Outcome::from(fits(self.cwr, CWR) && fits(self.ece, ECE))
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_ecn))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, Bytes, TCP_V4, UDP_V6};
    use crate::engine::rules::Match;

    const SET: Option<Not<bool>> = Some(Not::is(true));
    const CLEAR: Option<Not<bool>> = Some(Not {
        value: true,
        not: true,
    });

    fn test(ecn: Ecn, bytes: &[u8]) -> Outcome {
        holds(Family::V4, protocol::TCP, Match::Ecn(ecn), bytes)
    }

    #[test]
    fn flags_of_tcp() {
        // RFC 3168, section 6.1: the first two bits of the header's 14th byte.
        let [cwr_bit, ece_bit] = [0x80, 0x40];
        for flags in [0, cwr_bit, ece_bit, cwr_bit | ece_bit] {
            let bytes = Bytes::of(TCP_V4).with(33, 0x3f | flags);
            for cwr in [None, SET, CLEAR] {
                for ece in [None, SET, CLEAR] {
                    if cwr.is_none() && ece.is_none() {
                        continue;
                    }
                    let fits = |asked, flag| match asked {
                        None => true,
                        SET => flags & flag != 0,
                        _ => flags & flag == 0,
                    };
                    let expected = Outcome::from(fits(cwr, cwr_bit) && fits(ece, ece_bit));
                    let ect = None;
                    assert!(test(Ecn { cwr, ece, ect }, &bytes.0) == expected);
                }
            }
        }
    }

    #[test]
    fn codepoints_of_both_families() {
        for codepoint in 0..=Ecn::MAX {
            let v4 = Bytes::of(TCP_V4).with(1, 0xfc | codepoint);
            let v6 = Bytes::of(UDP_V6)
                .with(0, 0x6f)
                .with(1, 0xcf | codepoint << 4);
            for value in 0..=Ecn::MAX {
                for not in [false, true] {
                    let item = || {
                        Match::Ecn(Ecn {
                            ect: Some(Not { value, not }),
                            ..Ecn::default()
                        })
                    };
                    let expected = Outcome::from((value == codepoint) != not);
                    assert!(holds(Family::V4, protocol::TCP, item(), &v4.0) == expected);
                    assert!(holds(Family::V6, protocol::UDP, item(), &v6.0) == expected);
                }
            }
        }
    }

    #[test]
    fn a_packet_without_the_tcp_header_does_not_match() {
        let bytes = Bytes::of(TCP_V4).with(33, 0);
        let clear = || Ecn {
            cwr: CLEAR,
            ..Ecn::default()
        };
        assert!(test(clear(), &bytes.0) == Outcome::Yes);
        for length in 20..40 {
            assert!(test(clear(), bytes.0.get(..length).unwrap()) == Outcome::No);
        }
        for fragment in [1, 2] {
            let later = Bytes::of(&bytes.0).with(7, fragment);
            assert!(test(clear(), &later.0) == Outcome::No);
        }
    }

    #[test]
    fn needs_an_option_and_for_flags_tcp() {
        let tcp = Rule {
            protocol: Some(Not::is(protocol::TCP)),
            ..Rule::default()
        };
        let any = Rule::default();
        let ect = |value| Ecn {
            ect: Some(Not::is(value)),
            ..Ecn::default()
        };
        let flag = || Ecn {
            ece: SET,
            ..Ecn::default()
        };
        for (ecn, rule, fits) in [
            (Ecn::default(), &tcp, false),
            (ect(0), &any, true),
            (ect(3), &any, true),
            (ect(4), &any, false),
            (flag(), &any, false),
            (flag(), &tcp, true),
        ] {
            assert_eq!(ecn.check(Family::V6, rule).is_ok(), fits);
        }
    }
}

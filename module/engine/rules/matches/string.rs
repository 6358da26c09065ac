// SPDX-License-Identifier: GPL-2.0
//! `-m string`: a pattern anywhere in the packet, or in a part of it.

use super::{Matcher, Outcome};
use crate::alloc::{AllocError, KBox, GFP_KERNEL};
use crate::engine::packet::{Body, Family};
use crate::engine::rules::model::Rule;
use crate::engine::search::{Algorithm, Pattern, Searcher};
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Not, Set, Wire};
use crate::wire;

wire! {
    /// What is looked for, and where.
    #[derive(Debug, PartialEq, Eq)]
    pub struct Search, "string-attrs" {
        /// `--algo`
        2 algorithm: Algorithm,
        /// `--string` or `--hex-string`
        3 pattern: Not<Pattern>,
        /// `--icase`
        4 icase: bool,
        /// `--from`: where the pattern may begin, in bytes from the network header.
        5 from: u16,
        /// `--to`: where it must have ended; the byte there is not part of it any more.
        6 to: u16,
    }
}

/// The match: what is looked for, and what was worked out to find it.
#[derive(Debug)]
pub struct StringMatch {
    search: Search,
    // On the heap, so that other matches don't grow with it.
    searcher: KBox<Searcher>,
}

impl StringMatch {
    /// Gets ready to search.
    pub fn new(search: Search) -> Result<Self, AllocError> {
        let pattern = &search.pattern.value;
        let searcher = Searcher::new(search.algorithm, pattern, search.icase)?;
        Ok(Self {
            search,
            searcher: KBox::new(searcher, GFP_KERNEL)?,
        })
    }

    /// What is looked for, and where.
    pub fn search(&self) -> &Search {
        &self.search
    }

    fn found(&self, packet: &Body<'_>) -> bool {
        let from = usize::from(self.search.from);
        let to = usize::from(self.search.to).min(packet.length() as usize);
        let linear = packet.linear();
        let first = linear.get(from..to.min(linear.len())).unwrap_or_default();
        self.searcher.find(first).is_some()
            || to > linear.len() && self.found_in_pieces(packet, from, to)
    }

    /// Whether the pattern begins in the last bytes of the piece at hand, or behind it. Those bytes are copied, a
    /// window after the other; each begins with the last ones of what came before, so that a pattern that begins
    /// there is found whole.
    #[inline(never)]
    fn found_in_pieces(&self, packet: &Body<'_>, from: usize, to: usize) -> bool {
        let length = self.search.pattern.value.as_bytes().len();
        let mut window = [0; 512];
        let mut start = from.max((packet.linear().len() + 1).saturating_sub(length));
        while start + length <= to {
            let end = to.min(start + window.len());
            let Some(window) = window.get_mut(..end - start) else {
                return false;
            };
            if !packet.copy(start, window) {
                return false;
            }
            if self.searcher.find(window).is_some() {
                return true;
            }
            start = end + 1 - length;
        }
        false
    }
}

/// What was worked out follows from the rest.
impl PartialEq for StringMatch {
    fn eq(&self, other: &Self) -> bool {
        self.search == other.search
    }
}

impl Eq for StringMatch {}

impl Wire for StringMatch {
    const SET: Set = Search::SET;

    fn encode(&self, to: &mut Writer) -> Result<(), Full> {
        self.search.encode(to)
    }

    fn decode(owner: &Attr<'_>) -> Result<Self, Error> {
        Ok(Self::new(Search::decode(owner)?)?)
    }
}

impl Matcher for StringMatch {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        if self.search.from > self.search.to {
            return Err("--from lies behind --to");
        }
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        Outcome::from(self.found(packet) != self.search.pattern.not)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        let Search {
            algorithm,
            ref pattern,
            icase,
            from,
            to,
        } = self.search;
        Self::new(Search {
            algorithm,
            pattern: Not {
                value: pattern.value.try_clone()?,
                not: pattern.not,
            },
            icase,
            from,
            to,
        })
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_string))]
mod tests {
    use super::*;
    use crate::alloc::KVec;
    use crate::engine::fixtures::{flat, holds, Bytes, TCP_V4};
    use crate::engine::packet::{parse_v4, protocol, Hook, Input};
    use crate::engine::rules::Match;

    #[test]
    fn a_pattern_lies_between_from_and_to() {
        // `hallo` at 44 to 49.
        let packet = Bytes::of(TCP_V4).then(b"hallo");
        for (pattern, from, to, hit) in [
            (&b"hallo"[..], 0, u16::MAX, true),
            (b"HALLO", 0, u16::MAX, false),
            (b"hallo", 44, 49, true),
            (b"hallo", 45, 49, false),
            (b"hallo", 44, 48, false),
            (b"hallo", 44, 44, false),
            (b"hallo", 49, u16::MAX, false),
            (b"hallo", u16::MAX, u16::MAX, false),
            (b"hallo\0", 0, u16::MAX, false),
            // The network header is part of it.
            (b"\x45\0", 0, 2, true),
            (b"\x45\0", 1, 2, false),
        ] {
            for algorithm in Algorithm::ALL {
                for not in [false, true] {
                    let search = search(algorithm, pattern, not, from, to);
                    let item = Match::StringMatch(StringMatch::new(search).ok().unwrap());
                    let outcome = holds(Family::V4, protocol::TCP, item, &packet.0);
                    assert!(outcome == Outcome::from(hit != not));
                }
            }
        }
    }

    #[test]
    fn case_is_ignored_where_asked() {
        let packet = Bytes::of(TCP_V4).then(b"hAlLo");
        for (icase, hit) in [(false, false), (true, true)] {
            let search = Search {
                icase,
                ..search(Algorithm::BoyerMoore, b"HalLO", false, 0, u16::MAX)
            };
            let item = Match::StringMatch(StringMatch::new(search).ok().unwrap());
            let outcome = holds(Family::V4, protocol::TCP, item, &packet.0);
            assert!(outcome == Outcome::from(hit));
        }
    }

    /// Wherever the piece at hand ends, and wherever one window ends and the next begins.
    #[test]
    fn pieces_do_not_hide_a_pattern() {
        let long = [b'x'; 1200];
        for at in [24, 400, 466, 467, 468, 500, 974, 1195] {
            let mut packet = Bytes::of(TCP_V4).then(&long);
            for (place, byte) in (at..).zip(b"hallo") {
                packet = packet.with(44 + place, *byte);
            }
            let whole = flat(&packet.0);
            for algorithm in Algorithm::ALL {
                for (from, to, hit) in [
                    (0, u16::MAX, true),
                    (44 + at as u16, 49 + at as u16, true),
                    (45 + at as u16, u16::MAX, false),
                    (0, 48 + at as u16, false),
                ] {
                    let search = search(algorithm, b"hallo", false, from, to);
                    let item = StringMatch::new(search).ok().unwrap();
                    for cut in [20, 30, 44 + at - 1, 44 + at, 44 + at + 3, 44 + at + 5, 1244] {
                        let linear = packet.0.get(..cut).unwrap();
                        let input = Input {
                            linear,
                            ..whole.at(Hook::LocalIn)
                        };
                        let packet = parse_v4(&input, false).ok().unwrap();
                        assert!(item.test(&packet.body) == Outcome::from(hit));
                    }
                }
            }
        }
    }

    #[test]
    fn from_may_not_lie_behind_to() {
        let check = |from, to| {
            let search = search(Algorithm::BoyerMoore, b"x", false, from, to);
            let item = StringMatch::new(search).ok().unwrap();
            item.check(Family::V4, &Rule::default()).is_ok()
        };
        assert!(check(0, 0) && check(7, 7) && check(0, u16::MAX));
        assert!(!check(1, 0) && !check(u16::MAX, 0));
    }

    fn search(algorithm: Algorithm, pattern: &[u8], not: bool, from: u16, to: u16) -> Search {
        let mut bytes = KVec::new();
        bytes.extend_from_slice(pattern, GFP_KERNEL).unwrap();
        let value = Pattern::new(bytes).unwrap();
        Search {
            algorithm,
            pattern: Not { value, not },
            icase: false,
            from,
            to,
        }
    }
}

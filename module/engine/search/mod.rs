// SPDX-License-Identifier: GPL-2.0
//! Searching a text for a pattern: what is known of the pattern is worked out once, when a rule is made, so that a
//! packet is searched without an allocation and in a time that grows with its length.

mod boyer_moore;
mod knuth_morris_pratt;

use boyer_moore::BoyerMoore;
use knuth_morris_pratt::KnuthMorrisPratt;

use crate::alloc::{AllocError, KVec, GFP_KERNEL};
use crate::numbered;
use crate::uapi::attr::{Attr, Errno, Error, Full, Writer};
use crate::uapi::field::{Field, Kind};

/// How a text is searched. Both ways find the same; which is faster depends on the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Algorithm {
    /// Boyer and Moore's: looks at fewer bytes, the fewer the longer the pattern is.
    BoyerMoore = 0,
    /// Knuth, Morris and Pratt's: looks at each byte once, in order.
    KnuthMorrisPratt = 1,
}

impl Algorithm {
    /// The algorithms in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::BoyerMoore, Self::KnuthMorrisPratt];
}

numbered! { Algorithm, Errno::NotSupported, "algorithm is not known"; }

/// Which bytes are the same.
#[derive(Clone, Copy, Debug)]
enum Case {
    /// Those that are equal.
    Kept,
    /// Those that are the same letter, in upper case and in lower.
    Ignored,
}

impl Case {
    /// The byte that stands for all that are the same.
    ///
    /// Letters are those of ISO 8859-1, and two more are shifted for which it has no capital, as the kernel's
    /// toupper() does (lib/ctype.c): a rule finds what the same one in iptables finds.
    #[inline]
    fn fold(self, byte: u8) -> u8 {
        match (self, byte) {
            (Self::Ignored, b'a'..=b'z' | 0xdf..=0xf6 | 0xf8..=0xff) => byte - 0x20,
            _ => byte,
        }
    }
}

/// What a text is searched for: 1 to 128 bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Pattern(KVec<u8>);

impl Pattern {
    /// The longest pattern, in bytes; iptables' limit (XT_STRING_MAX_PATTERN_SIZE).
    pub const MAX: usize = 128;

    /// Takes a pattern over; `None` when it is empty or too long.
    pub fn new(bytes: KVec<u8>) -> Option<Self> {
        (1..=Self::MAX)
            .contains(&bytes.len())
            .then_some(Self(bytes))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A copy of the pattern.
    pub fn try_clone(&self) -> Result<Self, AllocError> {
        let mut bytes = KVec::new();
        bytes.extend_from_slice(&self.0, GFP_KERNEL)?;
        Ok(Self(bytes))
    }
}

impl Field for Pattern {
    const KIND: Kind = Kind::Bytes(Self::MAX as u16);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        to.put(id, &self.0)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let mut bytes = KVec::new();
        bytes.extend_from_slice(from.data, GFP_KERNEL)?;
        Self::new(bytes).ok_or(from.invalid("pattern must have 1 to 128 bytes"))
    }
}

/// A pattern that is ready to be searched for.
#[derive(Debug)]
pub enum Searcher {
    /// By Boyer and Moore's algorithm.
    BoyerMoore(BoyerMoore),
    /// By Knuth, Morris and Pratt's.
    KnuthMorrisPratt(KnuthMorrisPratt),
}

impl Searcher {
    /// Gets ready to search.
    pub fn new(
        algorithm: Algorithm,
        pattern: &Pattern,
        ignore_case: bool,
    ) -> Result<Self, AllocError> {
        let case = if ignore_case {
            Case::Ignored
        } else {
            Case::Kept
        };
        let mut folded = KVec::with_capacity(pattern.0.len(), GFP_KERNEL)?;
        for byte in &pattern.0 {
            folded.push(case.fold(*byte), GFP_KERNEL)?;
        }
        Ok(match algorithm {
            Algorithm::BoyerMoore => Self::BoyerMoore(BoyerMoore::new(folded, case)?),
            Algorithm::KnuthMorrisPratt => {
                Self::KnuthMorrisPratt(KnuthMorrisPratt::new(folded, case)?)
            }
        })
    }

    /// Where in a text the pattern comes first.
    pub fn find(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::BoyerMoore(search) => search.find(text),
            Self::KnuthMorrisPratt(search) => search.find(text),
        }
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_search))]
mod tests {
    use super::*;

    /// All texts of two letters up to a length are searched for all shorter patterns.
    #[test]
    fn short_patterns_are_found_where_they_are() {
        let mut text = [0; 9];
        let mut pattern = [0; 5];
        for pattern_length in 1..=5 {
            for pattern_bits in 0..1_u32 << pattern_length {
                let pattern = letters(&mut pattern, pattern_length, pattern_bits);
                for searcher in searchers(pattern, false) {
                    for length in 0..=9 {
                        for bits in 0..1_u32 << length {
                            let text = letters(&mut text, length, bits);
                            assert!(searcher.find(text) == naive(text, pattern));
                        }
                    }
                }
            }
        }
    }

    /// Patterns cut out of a text that repeats itself, changed a little now and then.
    #[test]
    fn long_patterns_are_found_where_they_are() {
        let mut text = [0; 400];
        let mut state = 1;
        for length in 1..=Pattern::MAX {
            let period = 1 + random(&mut state) % 40;
            for (at, byte) in text.iter_mut().enumerate() {
                *byte = (at % period) as u8;
                if random(&mut state) % 50 == 0 {
                    *byte ^= 1;
                }
            }
            let start = random(&mut state) % (text.len() - length);
            let mut pattern = [0; Pattern::MAX];
            let pattern = pattern.get_mut(..length).unwrap();
            pattern.copy_from_slice(text.get(start..start + length).unwrap());
            for changed in [false, true] {
                if changed {
                    *pattern.get_mut(random(&mut state) % length).unwrap() ^= 1;
                }
                for searcher in searchers(pattern, false) {
                    assert!(searcher.find(&text) == naive(&text, pattern));
                }
            }
        }
    }

    #[test]
    fn case_is_kept_or_ignored() {
        for (pattern, text, kept, ignored) in [
            (&b"aB1"[..], &b"xaB1"[..], Some(1), Some(1)),
            (b"aB1", b"xAb1", None, Some(1)),
            (b"[`{", b"x{@[", None, None),
            // e and E with an acute; the signs for division and multiplication are no letters.
            (b"\xe9", b"xx\xc9", None, Some(2)),
            (b"\xf7", b"\xd7", None, None),
            (b"\xdf", b"\xbf", None, Some(0)),
            (b"\x00\xff", b"\x00\xff", Some(0), Some(0)),
        ] {
            for searcher in searchers(pattern, false) {
                assert!(searcher.find(text) == kept);
            }
            for searcher in searchers(pattern, true) {
                assert!(searcher.find(text) == ignored);
            }
        }
        // Every byte is found by itself, whatever it is folded to.
        for byte in 0..=u8::MAX {
            for searcher in searchers(&[byte, 0], true) {
                assert!(searcher.find(&[1, byte, 0]) == Some(1));
            }
        }
    }

    fn searchers(pattern: &[u8], ignore_case: bool) -> [Searcher; 2] {
        let mut bytes = KVec::new();
        bytes.extend_from_slice(pattern, GFP_KERNEL).unwrap();
        let pattern = Pattern::new(bytes).unwrap();
        Algorithm::ALL.map(|algorithm| {
            Searcher::new(algorithm, &pattern, ignore_case)
                .ok()
                .unwrap()
        })
    }

    fn naive(text: &[u8], pattern: &[u8]) -> Option<usize> {
        text.windows(pattern.len())
            .position(|window| window == pattern)
    }

    /// The first bits of a number as a text of two letters.
    fn letters(buffer: &mut [u8], length: usize, bits: u32) -> &[u8] {
        let text = buffer.get_mut(..length).unwrap();
        for (at, letter) in text.iter_mut().enumerate() {
            *letter = b'a' + (bits >> at & 1) as u8;
        }
        text
    }

    fn random(state: &mut u32) -> usize {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*state >> 16) as usize
    }
}

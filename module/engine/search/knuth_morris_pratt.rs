// SPDX-License-Identifier: GPL-2.0
//! Knuth, Morris and Pratt's search (D. E. Knuth, J. H. Morris and V. R. Pratt, Fast Pattern Matching in Strings, SIAM
//! Journal on Computing 6(2), 1977).
//!
//! The text is read once, byte by byte, and all that is remembered is how many bytes of the pattern the last ones
//! were. When the next byte is not the pattern's next, those before it may still end with a shorter beginning of the
//! pattern. Which one follows from the pattern alone: they *were* a beginning of the pattern, so it is the longest
//! beginning of that which is also its end, its *border*. The borders are a table with a number for each beginning:
//!
//! ```text
//! pattern               a b c a b d
//! bytes equal so far    1 2 3 4 5 6
//! border                0 0 0 1 2 0
//!
//! text    a b c a b c a b d
//! equal   1 2 3 4 5 !               5 are equal, and `c` is not `d`: of `abcab` the border `ab` is left,
//!                   3 4 5 6         `c` follows it in the pattern: 3 are equal, and the text goes on
//! ```
//!
//! Each step back along borders undoes a step forward, and the text never goes back, so a text takes at most two
//! comparisons a byte, whatever the pattern.

use super::Case;
use crate::alloc::{AllocError, KVec, GFP_KERNEL};

/// A pattern and its borders.
#[derive(Debug)]
pub struct KnuthMorrisPratt {
    pattern: KVec<u8>,
    case: Case,
    /// For each beginning of the pattern, by its length less one, how long its border is. Lengths fit a byte, since
    /// no pattern is longer than 128 bytes.
    borders: KVec<u8>,
}

impl KnuthMorrisPratt {
    /// Makes the table, by searching the pattern for itself: what of it is equal behind its first byte is a border.
    pub(super) fn new(pattern: KVec<u8>, case: Case) -> Result<Self, AllocError> {
        let borders = KVec::with_capacity(pattern.len(), GFP_KERNEL)?;
        let mut search = Self {
            pattern,
            case,
            borders,
        };
        let mut equal = 0;
        for at in 0..search.pattern.len() {
            if let Some(&byte) = search.pattern.get(at).filter(|_| at != 0) {
                equal = search.next(equal, byte);
            }
            search.borders.push(equal as u8, GFP_KERNEL)?;
        }
        Ok(search)
    }

    /// How many bytes are equal after another one, if `equal` were before it, but not all.
    #[inline]
    fn next(&self, mut equal: usize, byte: u8) -> usize {
        while self.pattern.get(equal) != Some(&byte) {
            let Some(shorter) = equal.checked_sub(1) else {
                return 0;
            };
            equal = self.borders.get(shorter).copied().map_or(0, usize::from);
        }
        equal + 1
    }

    /// Where in a text the pattern comes first.
    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        let mut equal = 0;
        let end = text.iter().position(|byte| {
            equal = self.next(equal, self.case.fold(*byte));
            equal == self.pattern.len()
        })?;
        (end + 1).checked_sub(self.pattern.len())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(
    MODULE,
    kernel::macros::kunit_tests(oxtables_search_knuth_morris_pratt)
)]
mod tests {
    use super::*;

    #[test]
    fn borders_are_those_of_the_definition() {
        for pattern in [&b"a"[..], b"aaaa", b"abab", b"abcabd", b"aabaaaab"] {
            let mut bytes = KVec::new();
            bytes.extend_from_slice(pattern, GFP_KERNEL).unwrap();
            let search = KnuthMorrisPratt::new(bytes, Case::Kept).ok().unwrap();
            for (length, border) in (1..).zip(&search.borders) {
                let beginning = pattern.get(..length).unwrap();
                let is_border =
                    |&border: &usize| beginning.ends_with(beginning.get(..border).unwrap());
                let longest = (0..length).rev().find(is_border).unwrap();
                assert!(usize::from(*border) == longest);
            }
        }
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Boyer and Moore's search (R. S. Boyer and J S. Moore, A Fast String Searching Algorithm, Communications of the ACM
//! 20(10), 1977; the tables as in C. Charras and T. Lecroq, Handbook of Exact String Matching Algorithms, 2004).
//!
//! The pattern is laid under the text and compared from its end. Where a byte differs, two rules say how far the
//! pattern can move on without missing an occurrence, and the greater distance is taken:
//!
//! - *The byte*: the text's byte that differs must come to lie over the same byte of the pattern. Moving to its last
//!   place in the pattern misses none; is it nowhere in the pattern, all of that moves past it.
//! - *The suffix*: what was compared before was equal, a suffix of the pattern. It must come to lie over the same
//!   bytes again, with another byte before them than the one that just differed; or, if the pattern has them only
//!   once, over a beginning of the pattern that is an end of the suffix.
//!
//! The pattern `abcab` in a text; the byte that differs is marked:
//!
//! ```text
//! text   a b c a c a b c a b
//!                ^
//!        a b c a b                `c` is not `b`: the last `c` of the pattern is 2 places before, so it moves by 2
//!              ^                  (no suffix was equal: by that rule alone it would move by 1)
//!            a b c a b            `a` is not `b`, and the last `a` lies behind: by the byte it would not move;
//!                                 `cab` was equal: it comes only once, but the pattern begins with its end `ab`:
//!                  a b c a b      by 3, and it is found
//! ```
//!
//! In a text of which few bytes are in the pattern it moves by the whole pattern each time, so that most bytes are
//! never looked at. With both rules no text takes more than three comparisons a byte before the first occurrence
//! (R. Cole, Tight Bounds on the Complexity of the Boyer-Moore String Matching Algorithm, 1994).

use super::Case;
use crate::alloc::{AllocError, KVec, GFP_KERNEL};

/// A pattern and how far it moves. Distances and places fit a byte, since no pattern is longer than 128 bytes.
#[derive(Debug)]
pub struct BoyerMoore {
    pattern: KVec<u8>,
    case: Case,
    /// For each byte, one more than its last place in the pattern; 0 where it has none.
    places: KVec<u8>,
    /// For each place of the pattern, how far it moves by the rule of the suffix when the byte there differs.
    shifts: KVec<u8>,
}

impl BoyerMoore {
    /// Makes the tables. Takes a time that grows with the square of the pattern's length at most.
    pub(super) fn new(pattern: KVec<u8>, case: Case) -> Result<Self, AllocError> {
        let length = pattern.len();
        let mut places = KVec::from_elem(0, 256, GFP_KERNEL)?;
        for (place, byte) in (1..).zip(&pattern) {
            if let Some(last) = places.get_mut(usize::from(*byte)) {
                *last = place;
            }
        }

        // How many bytes up to `end` are the same as the pattern's last ones.
        let suffix = |end| {
            let before = pattern.iter().take(end).rev();
            let equal = before.zip(pattern.iter().rev());
            equal.take_while(|(one, other)| one == other).count()
        };
        let mut shifts = KVec::from_elem(length as u8, length, GFP_KERNEL)?;
        // Beginnings of the pattern that are ends of it too, longer ones later: where the suffix that was equal
        // holds such an end, the beginning moves there, and less far for the longer.
        for end in (1..length).filter(|&end| suffix(end) == end) {
            let shift = length - end;
            shifts
                .iter_mut()
                .take(shift)
                .for_each(|to| *to = shift as u8);
        }
        // The suffix inside the pattern, with another byte before it: the last such place is the nearest.
        for end in 1..length {
            if let Some(shift) = shifts.get_mut(length - 1 - suffix(end)) {
                *shift = (length - end) as u8;
            }
        }
        Ok(Self {
            pattern,
            case,
            places,
            shifts,
        })
    }

    /// Where in a text the pattern comes first.
    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        let mut start = 0_usize;
        loop {
            let window = text.get(start..)?.get(..self.pattern.len())?;
            let mut pairs = window.iter().zip(&self.pattern);
            let differs = pairs.rposition(|(byte, wanted)| self.case.fold(*byte) != *wanted);
            let Some(at) = differs else {
                return Some(start);
            };
            let byte = self.case.fold(*window.get(at)?);
            let place = usize::from(*self.places.get(usize::from(byte))?);
            let shift = usize::from(*self.shifts.get(at)?);
            // A byte whose last place lies behind would move the pattern back; every suffix moves it on.
            start = start.checked_add(shift.max((at + 1).saturating_sub(place)))?;
        }
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_search_boyer_moore))]
mod tests {
    use super::*;

    #[test]
    fn shifts_are_those_of_the_definition() {
        for pattern in [
            &b"a"[..],
            b"aaaa",
            b"abab",
            b"abcab",
            b"gcagagag",
            b"abbabab",
        ] {
            let search = made(pattern);
            for (at, shift) in search.shifts.iter().enumerate() {
                assert!(usize::from(*shift) == least(pattern, at));
            }
        }
    }

    #[test]
    fn each_byte_has_its_last_place() {
        let search = made(b"abcab");
        let place = |byte: u8| *search.places.get(usize::from(byte)).unwrap();
        assert_eq!([place(b'a'), place(b'b'), place(b'c')], [4, 5, 3]);
        assert_eq!([place(b'd'), place(0), place(255)], [0, 0, 0]);
    }

    fn made(pattern: &[u8]) -> BoyerMoore {
        let mut bytes = KVec::new();
        bytes.extend_from_slice(pattern, GFP_KERNEL).unwrap();
        BoyerMoore::new(bytes, Case::Kept).ok().unwrap()
    }

    /// The least distance at which what was equal behind `at` is equal again and what differed there is another.
    fn least(pattern: &[u8], at: usize) -> usize {
        let fits = |shift: usize| {
            let moved = |place: usize| {
                place
                    .checked_sub(shift)
                    .and_then(|place| pattern.get(place))
            };
            let equal = (at + 1..pattern.len())
                .all(|place| moved(place).is_none_or(|byte| Some(byte) == pattern.get(place)));
            equal && moved(at).is_none_or(|byte| Some(byte) != pattern.get(at))
        };
        (1..=pattern.len()).find(|&shift| fits(shift)).unwrap()
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m u32`: numbers of 32 bits from anywhere in the packet, taken apart and compared.
//!
//! A test reads the number at an offset, in network order, works on it, and asks whether what is left lies in one of
//! its ranges. Offsets count from the network header, until `@` moves their origin by the number at hand: that is
//! how a test goes from one header to the next, whose place the first one tells.

use super::{Matcher, Outcome};
use crate::alloc::{AllocError, KVec, GFP_KERNEL};
use crate::engine::packet::{Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};
use crate::uapi::range::Range;
use crate::wire;

/// How many tests there may be, numbers in the location of one, and ranges in it; as many as iptables takes.
const MAX: usize = 10;

/// What is done with the number at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `&`: keeps these bits.
    And(u32),
    /// `<<`: moves its bits up by so many places.
    Left(u32),
    /// `>>`: moves its bits down by so many places.
    Right(u32),
    /// `@`: moves the origin of offsets by the number, and reads the next number at this offset.
    At(u32),
}

/// One test: a location and its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test {
    offset: u32,
    operations: [Operation; MAX - 1],
    operation_count: u8,
    ranges: [Range<u32>; MAX],
    range_count: u8,
}

impl Test {
    /// A test of the number at `offset`, without operations and ranges yet.
    pub const fn new(offset: u32) -> Self {
        Self {
            offset,
            operations: [Operation::And(0); MAX - 1],
            operation_count: 0,
            ranges: [Range { first: 0, last: 0 }; MAX],
            range_count: 0,
        }
    }

    /// Adds an operation; `None` when there are too many, or a shift leaves nothing of the number.
    pub fn operate(&mut self, operation: Operation) -> Option<()> {
        if matches!(operation, Operation::Left(by) | Operation::Right(by) if by >= u32::BITS) {
            return None;
        }
        *self.operations.get_mut(usize::from(self.operation_count))? = operation;
        self.operation_count += 1;
        Some(())
    }

    /// Adds a range of values; `None` when there are too many.
    pub fn allow(&mut self, range: Range<u32>) -> Option<()> {
        *self.ranges.get_mut(usize::from(self.range_count))? = range;
        self.range_count += 1;
        Some(())
    }

    /// Where the number is read.
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// What is done with it, in this order.
    pub fn operations(&self) -> &[Operation] {
        let count = usize::from(self.operation_count);
        self.operations.get(..count).unwrap_or_default()
    }

    /// The values that are asked for.
    pub fn ranges(&self) -> &[Range<u32>] {
        let count = usize::from(self.range_count);
        self.ranges.get(..count).unwrap_or_default()
    }

    /// Whether the test holds of a packet; it does not where it looks past the packet's end.
    fn holds(&self, packet: &Body<'_>) -> bool {
        self.number(packet)
            .is_some_and(|number| self.ranges().iter().any(|range| range.contains(number)))
    }

    /// The number that is left when all operations are done; `None` past the packet's end.
    fn number(&self, packet: &Body<'_>) -> Option<u32> {
        let mut origin = 0_u32;
        let mut number = read(packet, self.offset)?;
        for operation in self.operations() {
            number = match *operation {
                Operation::And(bits) => number & bits,
                Operation::Left(by) => number.checked_shl(by)?,
                Operation::Right(by) => number.checked_shr(by)?,
                Operation::At(offset) => {
                    origin = origin.checked_add(number)?;
                    read(packet, origin.checked_add(offset)?)?
                }
            };
        }
        Some(number)
    }

    /// Reads a test from the words of its attribute.
    fn decode(words: &mut impl Iterator<Item = u32>) -> Result<Self, &'static str> {
        const CUT_OFF: &str = "test of u32 is cut off";
        const TOO_MANY: &str =
            "a test of u32 takes 9 operations, shifts below 32, and 1 to 10 ranges";
        let mut next = || words.next().ok_or(CUT_OFF);
        let [operations, ranges, offset] = [next()?, next()?, next()?];
        let mut test = Self::new(offset);
        for _ in 0..operations {
            let operation = match [next()?, next()?] {
                [0, bits] => Operation::And(bits),
                [1, by] => Operation::Left(by),
                [2, by] => Operation::Right(by),
                [3, offset] => Operation::At(offset),
                _ => return Err("operation of u32 is not known"),
            };
            test.operate(operation).ok_or(TOO_MANY)?;
        }
        for _ in 0..ranges {
            let range = Range {
                first: next()?,
                last: next()?,
            };
            if range.first > range.last {
                return Err("range is reversed");
            }
            test.allow(range).ok_or(TOO_MANY)?;
        }
        if test.ranges().is_empty() {
            return Err(TOO_MANY);
        }
        Ok(test)
    }

    /// The words that [`decode`](Self::decode) reads.
    fn words(&self) -> impl Iterator<Item = u32> + '_ {
        let counts = [self.operation_count, self.range_count].map(u32::from);
        let operations = self.operations().iter().map(|operation| match *operation {
            Operation::And(bits) => [0, bits],
            Operation::Left(by) => [1, by],
            Operation::Right(by) => [2, by],
            Operation::At(offset) => [3, offset],
        });
        let ranges = self.ranges().iter().map(|range| [range.first, range.last]);
        counts
            .into_iter()
            .chain([self.offset])
            .chain(operations.chain(ranges).flatten())
    }
}

/// The number at an offset from the network header.
fn read(packet: &Body<'_>, offset: u32) -> Option<u32> {
    let mut buffer = [0; 4];
    let bytes = packet.header(usize::try_from(offset).ok()?, &mut buffer)?;
    Some(u32::from_be_bytes(*bytes))
}

/// Tests, all of which must hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Tests(KVec<Test>);

impl Tests {
    /// How many tests there may be, numbers in the location of one, and ranges in it.
    pub const MAX: usize = MAX;

    /// The most bytes of the attribute: three words a test, two for each operation and range.
    const BYTES: usize = MAX * 4 * (3 + 2 * (MAX - 1) + 2 * MAX);

    /// Takes tests over; `None` when there are none, or too many.
    pub fn new(tests: KVec<Test>) -> Option<Self> {
        (1..=MAX).contains(&tests.len()).then_some(Self(tests))
    }

    /// The tests, in their order.
    pub fn tests(&self) -> &[Test] {
        &self.0
    }
}

/// On netlink: words of 32 bits in host order. A test is the number of its operations, that of its ranges, its
/// offset, then for each operation what it is (0 for `&`, 1 for `<<`, 2 for `>>`, 3 for `@`) and its number, and for
/// each range its lowest and highest number.
impl Field for Tests {
    const KIND: Kind = Kind::Bytes(Self::BYTES as u16);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        let mut bytes = KVec::with_capacity(Self::BYTES, GFP_KERNEL)?;
        for word in self.0.iter().flat_map(Test::words) {
            bytes.extend_from_slice(&word.to_ne_bytes(), GFP_KERNEL)?;
        }
        to.put(id, &bytes)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let chunks = from.data.chunks_exact(4);
        if !chunks.remainder().is_empty() {
            return Err(from.invalid("tests of u32 are words of 4 bytes"));
        }
        let words = chunks.filter_map(|chunk| chunk.try_into().ok());
        let mut words = words.map(u32::from_ne_bytes).peekable();
        let mut tests = KVec::new();
        while words.peek().is_some() && tests.len() <= MAX {
            let test = Test::decode(&mut words).map_err(|what| from.invalid(what))?;
            tests.push(test, GFP_KERNEL)?;
        }
        Self::new(tests).ok_or(from.invalid("u32 takes 1 to 10 tests"))
    }
}

wire! {
    /// The match.
    #[derive(Debug, PartialEq, Eq)]
    pub struct U32, "u32-attrs" {
        /// `--u32`
        2 tests: Not<Tests>,
    }
}

impl Matcher for U32 {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let tests = self.tests.value.tests();
        let holds = tests.iter().all(|test| test.holds(packet));
        Outcome::from(holds != self.tests.not)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        let mut tests = KVec::new();
        tests.extend_from_slice(self.tests.value.tests(), GFP_KERNEL)?;
        Ok(Self {
            tests: Not {
                value: Tests(tests),
                not: self.tests.not,
            },
        })
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_u32))]
mod tests {
    use super::Operation::{And, At, Left, Right};
    use super::*;
    use crate::engine::fixtures::{holds, TCP_V4};
    use crate::engine::packet::protocol;
    use crate::engine::rules::Match;

    #[test]
    fn numbers_are_taken_apart() {
        // The length, the protocol, the port behind a header whose length its first byte tells.
        assert!(number(0, &[]) == Some(0x4500_002c));
        assert!(number(0, &[And(0xffff)]) == Some(44));
        assert!(number(6, &[And(0xff)]) == Some(6));
        assert!(number(0, &[Left(28), Right(28)]) == Some(12));
        let ports = [Right(22), And(0x3c), At(0)];
        assert!(number(0, &ports) == Some(0x0400_0016));
        // From there on offsets count from the TCP header, and the next `@` moves on by its six words.
        let options = [Right(22), And(0x3c), At(12), Right(28), At(14)];
        assert!(number(0, &options) == Some(0x0204_05b4));
    }

    #[test]
    fn nothing_is_read_past_the_end() {
        let end = TCP_V4.len() as u32;
        assert!(number(end - 4, &[]).is_some());
        for offset in [end - 3, end, u32::MAX - 3, u32::MAX] {
            assert!(number(offset, &[]).is_none());
            assert!(number(8, &[And(0), At(offset)]).is_none());
        }
        // The origin may not wrap round either, neither alone nor with the offset.
        let far = [Left(0), At(0)];
        assert!(number(12, &far).is_none());
        let wrapped = [And(0x8000_0000), At(0x8000_0000)];
        assert!(number(12, &wrapped).is_none());
        let twice = [Right(22), And(0x3c), At(0), And(0), At(u32::MAX - 19)];
        assert!(number(0, &twice).is_none());
    }

    #[test]
    fn all_tests_must_hold_and_one_range_of_each() {
        let number = |offset, bits, values: &[(u32, u32)]| test(offset, &[And(bits)], values);
        let tcp = number(6, 0xff, &[(17, 17), (6, 6)]);
        let long = number(0, 0xffff, &[(45, 65535)]);
        let short = number(0, 0xffff, &[(40, 44)]);
        let beyond = test(1000, &[], &[(0, u32::MAX)]);
        for (tests, hit) in [
            (&[tcp][..], true),
            (&[tcp, short], true),
            (&[tcp, long], false),
            (&[long, tcp], false),
            (&[beyond], false),
            (&[short; MAX], true),
        ] {
            for not in [false, true] {
                let value = list(tests).unwrap();
                let item = Match::U32(U32 {
                    tests: Not { value, not },
                });
                let outcome = holds(Family::V4, protocol::TCP, item, TCP_V4);
                assert!(outcome == Outcome::from(hit != not));
            }
        }
    }

    #[test]
    fn limits_are_those_of_iptables() {
        let one = test(0, &[], &[(0, 0)]);
        assert!(list(&[]).is_none());
        assert!(list(&[one; MAX]).is_some());
        assert!(list(&[one; MAX + 1]).is_none());
        let mut full = Test::new(0);
        for _ in 1..MAX {
            assert!(full.operate(Right(31)).is_some());
        }
        assert!(full.operate(And(0)).is_none());
        for _ in 0..MAX {
            assert!(full.allow(Range { first: 0, last: 0 }).is_some());
        }
        assert!(full.allow(Range { first: 0, last: 0 }).is_none());
        assert!(Test::new(0).operate(Left(32)).is_none());
        assert!(Test::new(0).operate(Right(32)).is_none());
    }

    #[test]
    fn netlink_is_held_to_the_limits_too() {
        assert!(decoded(&[0, 1, 12, 5, 5]));
        assert!(decoded(&[2, 1, 12, 3, 0, 0, 255, 5, 6]));
        for wrong in [
            // No test, one without a range, a reversed one.
            &[][..],
            &[0, 0, 12],
            &[0, 1, 12, 6, 5],
            // Cut off, in each part, and more than there should be.
            &[0, 1],
            &[1, 1, 12, 0],
            &[0, 1, 12, 5],
            &[0, 1, 12, 5, 5, 0],
            &[u32::MAX, 1, 12, 0, 0],
            // What is no operation, or shifts too far.
            &[1, 1, 12, 4, 0, 5, 5],
            &[1, 1, 12, 1, 32, 5, 5],
        ] {
            assert!(!decoded(wrong));
        }
        // One test too many, and bytes that are no word.
        let mut many = KVec::new();
        for _ in 0..MAX {
            many.extend_from_slice(&[0, 1, 0, 0, 0], GFP_KERNEL)
                .unwrap();
        }
        assert!(decoded(&many));
        many.extend_from_slice(&[0, 1, 0, 0, 0], GFP_KERNEL)
            .unwrap();
        assert!(!decoded(&many));
        let odd = Attr {
            id: 2,
            data: &[0; 21],
            offset: 0,
        };
        assert!(Tests::get(&odd).is_err());
    }

    fn test(offset: u32, operations: &[Operation], values: &[(u32, u32)]) -> Test {
        let mut test = Test::new(offset);
        for operation in operations {
            test.operate(*operation).unwrap();
        }
        for &(first, last) in values {
            test.allow(Range { first, last }).unwrap();
        }
        test
    }

    fn list(tests: &[Test]) -> Option<Tests> {
        let mut list = KVec::new();
        list.extend_from_slice(tests, GFP_KERNEL).unwrap();
        Tests::new(list)
    }

    /// What a location finds in the TCP segment; whichever number it is, the ranges around it say so.
    fn number(offset: u32, operations: &[Operation]) -> Option<u32> {
        let holds = |first, last| {
            let tests = list(&[test(offset, operations, &[(first, last)])]).unwrap();
            let item = Match::U32(U32 {
                tests: Not::is(tests),
            });
            holds(Family::V4, protocol::TCP, item, TCP_V4) == Outcome::Yes
        };
        if !holds(0, u32::MAX) {
            return None;
        }
        // Bit by bit: whether the number is at least this great.
        let number = (0..u32::BITS).rev().fold(0, |number, bit| {
            let greater = number | 1 << bit;
            if holds(greater, u32::MAX) {
                greater
            } else {
                number
            }
        });
        Some(number)
    }

    fn decoded(words: &[u32]) -> bool {
        let mut data = KVec::new();
        for word in words {
            data.extend_from_slice(&word.to_ne_bytes(), GFP_KERNEL)
                .unwrap();
        }
        let attribute = Attr {
            id: 2,
            data: &data,
            offset: 0,
        };
        Tests::get(&attribute).is_ok()
    }
}

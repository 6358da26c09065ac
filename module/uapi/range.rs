// SPDX-License-Identifier: GPL-2.0
//! Ranges of numbers, which many matches ask for, as one attribute.

use super::attr::{Attr, Error, Full, Writer};
use super::field::{Field, Kind, Not};

/// Numbers from `first` to `last`, both included, in host order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range<T> {
    /// The lowest number.
    pub first: T,
    /// The highest number.
    pub last: T,
}

impl<T: PartialOrd> Range<T> {
    /// Whether the number is in the range.
    #[inline]
    pub fn contains(&self, number: T) -> bool {
        self.first <= number && number <= self.last
    }
}

impl<T: PartialOrd> Not<Range<T>> {
    /// Whether the number is one that is asked for.
    #[inline]
    pub fn holds(&self, number: T) -> bool {
        self.value.contains(number) != self.not
    }
}

macro_rules! ranges {
    ($($type:ty)*) => {$(
        /// On netlink: two numbers in host order.
        impl Field for Range<$type> {
            const KIND: Kind = Kind::Bytes(2 * size_of::<$type>() as u16);

            fn absent() -> Option<Self> {
                None
            }

            fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
                to.put_parts(id, [&self.first.to_ne_bytes(), &self.last.to_ne_bytes()])
            }

            fn get(from: &Attr<'_>) -> Result<Self, Error> {
                let (first, last) = from.data.split_at(from.data.len() / 2);
                let (Ok(first), Ok(last)) = (first.try_into(), last.try_into()) else {
                    return Err(from.invalid("range of the wrong length"));
                };
                let range = Self {
                    first: <$type>::from_ne_bytes(first),
                    last: <$type>::from_ne_bytes(last),
                };
                if range.first > range.last {
                    return Err(from.invalid("range is reversed"));
                }
                Ok(range)
            }
        }
    )*};
}

ranges! { u8 u16 u32 u64 }

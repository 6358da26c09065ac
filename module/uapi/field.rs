// SPDX-License-Identifier: GPL-2.0
//! How a value becomes an attribute, and how a structure of values becomes a set of attributes.
//!
//! [`wire!`](crate::wire) declares a structure and its attributes in one place; from that follow the codec,
//! the kernel's netlink policy and the test that holds `oxtables.yaml` to it. Attribute 1 of every such set
//! is `invert`: a mask with bit N set where the value of attribute N is negated (`!` in a rule).

use super::attr::{Attr, Errno, Error, Full, Writer};
use crate::alloc::{AllocError, Arc, KVec, GFP_KERNEL};
use crate::engine::packet::DeviceName;
use crate::engine::text::Str;
use core::net::IpAddr;

/// The attribute that tells which values of its set are negated.
pub const INVERT: u16 = 1;

/// What an attribute's data is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Present or not, without data.
    Flag,
    /// A number of 8 bits.
    U8,
    /// A number of 16 bits in host order.
    U16,
    /// A number of 32 bits in host order.
    U32,
    /// A signed number of 32 bits in host order.
    S32,
    /// A number of 64 bits in host order.
    U64,
    /// A text with a zero byte at its end; its longest length in bytes, without that.
    Text(u16),
    /// Bytes with no meaning to netlink; their greatest number.
    Bytes(u16),
    /// Further attributes.
    Nest(&'static Set),
}

/// One attribute of a set.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The attribute's number.
    pub id: u16,
    /// The name of the field that it carries.
    pub name: &'static str,
    /// What its data is.
    pub kind: Kind,
}

/// The attributes that may stand together.
#[derive(Clone, Copy, Debug)]
pub struct Set {
    /// The set's name in the YNL specification.
    pub name: &'static str,
    /// Its attributes, by rising number.
    pub attributes: &'static [Spec],
}

/// A structure that is a set of attributes.
pub trait Wire: Sized {
    /// The attributes.
    const SET: Set;
    /// Writes the attributes.
    fn encode(&self, to: &mut Writer) -> Result<(), Full>;
    /// Reads the attributes that `owner` holds.
    fn decode(owner: &Attr<'_>) -> Result<Self, Error>;
}

/// A value that is one attribute, or none.
pub trait Field: Sized {
    /// What the attribute's data is.
    const KIND: Kind;
    /// The value when the attribute is not there; `None` where it must be.
    fn absent() -> Option<Self>;
    /// Writes the attribute, if there is one.
    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full>;
    /// Reads the attribute.
    fn get(from: &Attr<'_>) -> Result<Self, Error>;
    /// Whether the value is negated.
    fn inverted(&self) -> bool {
        false
    }
    /// Negates the value; `false` where it can't be.
    fn invert(&mut self) -> bool {
        false
    }
}

macro_rules! number {
    ($($type:ty, $kind:ident;)*) => {$(
        impl Field for $type {
            const KIND: Kind = Kind::$kind;

            fn absent() -> Option<Self> {
                None
            }

            fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
                to.put(id, &self.to_ne_bytes())
            }

            fn get(from: &Attr<'_>) -> Result<Self, Error> {
                match from.data.try_into() {
                    Ok(bytes) => Ok(Self::from_ne_bytes(bytes)),
                    Err(_) => Err(from.invalid("number of the wrong length")),
                }
            }
        }
    )*};
}

number! {
    u8, U8;
    u16, U16;
    u32, U32;
    i32, S32;
    u64, U64;
}

/// A number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within<const MIN: u32, const MAX: u32>(u32);

impl<const MIN: u32, const MAX: u32> Within<MIN, MAX> {
    /// The number, if it is not outside.
    pub fn new(number: u32) -> Option<Self> {
        (MIN..=MAX).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32> Field for Within<MIN, MAX> {
    const KIND: Kind = Kind::U32;

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        self.0.put(id, to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        Self::new(u32::get(from)?).ok_or(from.error(Errno::Range, "number is out of range"))
    }
}

/// Makes an enumeration, whose values are all in its `ALL`, an attribute with the value's number in 8 bits.
/// What it says of another number comes with the error's kind.
#[macro_export]
macro_rules! numbered {
    ($($type:ty, $errno:expr, $wrong:literal;)*) => {$(
        impl $crate::uapi::field::Field for $type {
            const KIND: $crate::uapi::field::Kind = $crate::uapi::field::Kind::U8;

            fn absent() -> Option<Self> {
                None
            }

            fn put(
                &self,
                id: u16,
                to: &mut $crate::uapi::attr::Writer,
            ) -> Result<(), $crate::uapi::attr::Full> {
                $crate::uapi::field::Field::put(&(*self as u8), id, to)
            }

            fn get(
                from: &$crate::uapi::attr::Attr<'_>,
            ) -> Result<Self, $crate::uapi::attr::Error> {
                let number = <u8 as $crate::uapi::field::Field>::get(from)?;
                let value = Self::ALL.into_iter().find(|value| *value as u8 == number);
                value.ok_or(from.error($errno, $wrong))
            }
        }
    )*};
}

impl Field for bool {
    const KIND: Kind = Kind::Flag;

    fn absent() -> Option<Self> {
        Some(false)
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        if *self {
            to.put(id, &[])?;
        }
        Ok(())
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        if from.data.is_empty() {
            Ok(true)
        } else {
            Err(from.invalid("flag with data"))
        }
    }
}

impl<T: Field> Field for Option<T> {
    const KIND: Kind = T::KIND;

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        self.as_ref().map_or(Ok(()), |value| value.put(id, to))
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        T::get(from).map(Some)
    }

    fn inverted(&self) -> bool {
        self.as_ref().is_some_and(T::inverted)
    }

    fn invert(&mut self) -> bool {
        self.as_mut().is_some_and(T::invert)
    }
}

/// A value that is shared once it was read.
impl<T: Field> Field for Arc<T> {
    const KIND: Kind = T::KIND;

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        T::put(self, id, to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        Ok(Arc::new(T::get(from)?, GFP_KERNEL)?)
    }
}

/// Reads a text that ends with a zero byte and has no other.
fn text<'a>(from: &Attr<'a>) -> Result<&'a [u8], Error> {
    match from.data.split_last() {
        Some((0, text)) if !text.contains(&0) => Ok(text),
        _ => Err(from.invalid("text must end with its only zero byte")),
    }
}

/// Writes a text with its zero byte.
fn put_text(id: u16, text: &[u8], to: &mut Writer) -> Result<(), Full> {
    to.put_parts(id, [text, &[0]])
}

impl<const N: usize> Field for Str<N> {
    const KIND: Kind = Kind::Text(N as u16);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        put_text(id, self.as_bytes(), to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        Self::new(text(from)?).ok_or(from.error(Errno::Range, "text is too long"))
    }
}

/// A text on the heap, of at most `N` bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Text<const N: usize>(KVec<u8>);

impl<const N: usize> Text<N> {
    /// Takes a text over; `None` when it is too long or holds a zero byte, or there is no memory.
    pub fn new(text: &[u8]) -> Option<Self> {
        if text.len() > N || text.contains(&0) {
            return None;
        }
        let mut bytes = KVec::new();
        bytes.extend_from_slice(text, GFP_KERNEL).ok()?;
        Some(Self(bytes))
    }

    /// The bytes of the text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A copy of the text.
    pub fn try_clone(&self) -> Result<Self, AllocError> {
        let mut bytes = KVec::new();
        bytes.extend_from_slice(&self.0, GFP_KERNEL)?;
        Ok(Self(bytes))
    }
}

impl<const N: usize> Field for Text<N> {
    const KIND: Kind = Kind::Text(N as u16);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        put_text(id, &self.0, to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let text = text(from)?;
        if text.len() > N {
            return Err(from.error(Errno::Range, "text is too long"));
        }
        let mut bytes = KVec::new();
        bytes.extend_from_slice(text, GFP_KERNEL)?;
        Ok(Self(bytes))
    }
}

impl Field for DeviceName {
    const KIND: Kind = Kind::Text(Self::MAX as u16);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        put_text(id, self.text().as_bytes(), to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        Self::from_text(text(from)?).ok_or(from.error(Errno::Range, "interface name is too long"))
    }
}

/// On netlink: 4 or 16 bytes in network order.
impl Field for IpAddr {
    const KIND: Kind = Kind::Bytes(16);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        match self {
            Self::V4(address) => to.put(id, &address.octets()),
            Self::V6(address) => to.put(id, &address.octets()),
        }
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let v4 = <[u8; 4]>::try_from(from.data).map(Self::from);
        let v6 = || <[u8; 16]>::try_from(from.data).map(Self::from);
        v4.or_else(|_| v6())
            .map_err(|_| from.invalid("address must have 4 or 16 bytes"))
    }
}

/// A structure in an attribute of its own.
impl<T: Wire> Field for T {
    const KIND: Kind = Kind::Nest(&T::SET);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        to.nest(id, |to| self.encode(to))
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        T::decode(from)
    }
}

/// Reads an attribute into its place, for `wire!`. Not inlined, so that the stack frames of values that are
/// read one after the other do not add up to one.
///
/// # Errors
///
/// The attribute is not valid, or its place is taken.
#[inline(never)]
pub fn read<T: Field>(place: &mut Option<T>, attribute: &Attr<'_>) -> Result<(), Error> {
    if place.is_some() {
        return Err(attribute.invalid("attribute comes twice"));
    }
    *place = Some(T::get(attribute)?);
    Ok(())
}

/// The mask of negated values, from which each value takes its bit; for `wire!`.
pub struct Inverted<'a> {
    left: u32,
    /// Who is to blame for a bit that nobody takes.
    culprit: Attr<'a>,
}

impl<'a> Inverted<'a> {
    /// No value is negated.
    pub fn none(owner: Attr<'a>) -> Self {
        Self {
            left: 0,
            culprit: owner,
        }
    }

    /// The values that an `invert` attribute tells.
    pub fn read(attribute: Attr<'a>) -> Result<Self, Error> {
        Ok(Self {
            left: u32::get(&attribute)?,
            culprit: attribute,
        })
    }

    /// Completes the value of attribute `id`: the one that was read, or the one for an absent attribute.
    ///
    /// # Errors
    ///
    /// The attribute has to be there and is not, or its value can't be negated and should be.
    pub fn complete<T: Field>(
        &mut self,
        value: Option<T>,
        id: u16,
        owner: &Attr<'_>,
    ) -> Result<T, Error> {
        let bit = 1 << id;
        let mut value = value
            .or_else(T::absent)
            .ok_or(owner.invalid("attribute is missing"))?;
        if self.left & bit != 0 {
            if !value.invert() {
                return Err(self
                    .culprit
                    .invalid("value is not there or can't be negated"));
            }
            self.left &= !bit;
        }
        Ok(value)
    }

    /// Checks that every negation had its value.
    pub fn finish(self) -> Result<(), Error> {
        if self.left == 0 {
            Ok(())
        } else {
            Err(self
                .culprit
                .invalid("negation of a value that there is not"))
        }
    }
}

/// A value that a rule can ask for, or for all but it (`!`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Not<T> {
    /// The value.
    pub value: T,
    /// Whether all other values are asked for.
    pub not: bool,
}

impl<T> Not<T> {
    /// The value itself.
    pub const fn is(value: T) -> Self {
        Self { value, not: false }
    }
}

impl<T: Field> Field for Not<T> {
    const KIND: Kind = T::KIND;

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        self.value.put(id, to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        T::get(from).map(Self::is)
    }

    fn inverted(&self) -> bool {
        self.not
    }

    fn invert(&mut self) -> bool {
        self.not = true;
        true
    }
}

/// Declares a structure whose fields are attributes of one set.
///
/// Numbers begin at 2: 1 is `invert`, there in every set. After a `state` stands a field that is no attribute:
/// what the structure gathers in use, which `new()` of its type makes when the structure is read.
#[macro_export]
macro_rules! wire {
    (
        $(#[$meta:meta])*
        pub struct $name:ident, $set:literal {
            $( $(#[$doc:meta])* $id:literal $field:ident: $type:ty, )*
        }
        $( state { $(#[$state_doc:meta])* $state:ident: $state_type:ty } )?
    ) => {
        $(#[$meta])*
        pub struct $name {
            $( $(#[$doc])* pub $field: $type, )*
            $( $(#[$state_doc])* pub $state: $state_type, )?
        }

        impl $crate::uapi::field::Wire for $name {
            const SET: $crate::uapi::field::Set = $crate::uapi::field::Set {
                name: $set,
                attributes: &[
                    $crate::uapi::field::Spec {
                        id: $crate::uapi::field::INVERT,
                        name: "invert",
                        kind: $crate::uapi::field::Kind::U32,
                    },
                    $( $crate::uapi::field::Spec {
                        id: $id,
                        name: stringify!($field),
                        kind: <$type as $crate::uapi::field::Field>::KIND,
                    }, )*
                ],
            };

            fn encode(
                &self,
                to: &mut $crate::uapi::attr::Writer,
            ) -> Result<(), $crate::uapi::attr::Full> {
                use $crate::uapi::field::Field;
                let inverted = 0u32 $( | u32::from(Field::inverted(&self.$field)) << $id )*;
                if inverted != 0 {
                    Field::put(&inverted, $crate::uapi::field::INVERT, to)?;
                }
                $( Field::put(&self.$field, $id, to)?; )*
                Ok(())
            }

            fn decode(
                owner: &$crate::uapi::attr::Attr<'_>,
            ) -> Result<Self, $crate::uapi::attr::Error> {
                use $crate::uapi::field::{Inverted, INVERT};
                let mut inverted = Inverted::none(*owner);
                $( let mut $field: Option<$type> = None; )*
                for attribute in owner.nested() {
                    let attribute = attribute?;
                    match attribute.id {
                        INVERT => inverted = Inverted::read(attribute)?,
                        $( $id => $crate::uapi::field::read(&mut $field, &attribute)?, )*
                        _ => {
                            let errno = $crate::uapi::Errno::NotSupported;
                            return Err(attribute.error(errno, "attribute is not known"));
                        }
                    }
                }
                let decoded = Self {
                    $( $field: inverted.complete($field, $id, owner)?, )*
                    $( $state: <$state_type>::new()?, )?
                };
                inverted.finish()?;
                Ok(decoded)
            }
        }
    };
}

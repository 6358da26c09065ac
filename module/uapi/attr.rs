// SPDX-License-Identifier: GPL-2.0
//! Netlink attributes as bytes: reading them with every length checked, and writing them.
//!
//! An attribute is a header of two 16-bit words in host order (length with the header, type), its data,
//! and padding to a multiple of four bytes (include/uapi/linux/netlink.h).

use crate::alloc::{AllocError, KVec, GFP_ATOMIC, GFP_KERNEL};

/// Length of an attribute's header, in bytes.
const HEADER: usize = 4;
/// Bits of the type that are flags: the attribute holds others (NLA_F_NESTED), or network order.
const NESTED: u16 = 1 << 15;
const NET_BYTEORDER: u16 = 1 << 14;

/// Kinds of failure, as the numbers that netlink answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errno {
    /// The message or what it asks for is not valid.
    Invalid,
    /// What the message names does not exist.
    NotFound,
    /// What the message makes exists already.
    Exists,
    /// There is not enough memory.
    NoMemory,
    /// A limit would be exceeded.
    TooBig,
    /// A number is out of its range.
    Range,
    /// The attribute, match or target is not known.
    NotSupported,
    /// Chains form a loop, or nest too deeply.
    Loop,
}

/// A message that can't be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Where the offending attribute begins, in bytes from the start of the attributes; `None` where no
    /// attribute is to blame.
    pub offset: Option<usize>,
    /// What is wrong, in words for the person who sent it.
    pub what: &'static str,
    /// The kind of failure.
    pub errno: Errno,
}

impl From<AllocError> for Error {
    fn from(_: AllocError) -> Self {
        Self {
            offset: None,
            what: "out of memory",
            errno: Errno::NoMemory,
        }
    }
}

/// One attribute of a message.
#[derive(Clone, Copy, Debug)]
pub struct Attr<'a> {
    /// The type, without flags.
    pub id: u16,
    /// The data, without header and padding.
    pub data: &'a [u8],
    /// Where the attribute's header is, in bytes from the start of the outermost attributes.
    pub offset: usize,
}

impl<'a> Attr<'a> {
    /// An error that blames this attribute.
    pub fn error(&self, errno: Errno, what: &'static str) -> Error {
        Error {
            offset: Some(self.offset),
            what,
            errno,
        }
    }

    /// An error that blames this attribute for a value that can't be.
    pub fn invalid(&self, what: &'static str) -> Error {
        self.error(Errno::Invalid, what)
    }

    /// The attributes that this one holds.
    pub fn nested(&self) -> Reader<'a> {
        Reader {
            rest: self.data,
            offset: self.offset.saturating_add(HEADER),
        }
    }
}

/// Reads attributes one after the other.
#[derive(Clone)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Reads the attributes that follow a message's headers.
    pub fn new(attributes: &'a [u8]) -> Self {
        Self {
            rest: attributes,
            offset: 0,
        }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Attr<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let offset = self.offset;
        let found = (|| {
            let &[l0, l1, t0, t1] = self.rest.first_chunk()?;
            let length = usize::from(u16::from_ne_bytes([l0, l1]));
            let data = self.rest.get(HEADER..length)?;
            let padded = length.checked_next_multiple_of(4)?.min(self.rest.len());
            self.rest = self.rest.get(padded..)?;
            self.offset = self.offset.checked_add(padded)?;
            let id = u16::from_ne_bytes([t0, t1]) & !(NESTED | NET_BYTEORDER);
            Some(Attr { id, data, offset })
        })();
        if found.is_none() {
            self.rest = &[];
        }
        Some(found.ok_or(Error {
            offset: Some(offset),
            what: "attribute is cut off",
            errno: Errno::Invalid,
        }))
    }
}

/// Why a writer did not take an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// The buffer's limit is reached.
    Limit,
    /// There is no memory.
    NoMemory,
}

impl From<AllocError> for Full {
    fn from(_: AllocError) -> Self {
        Self::NoMemory
    }
}

/// Writes attributes into a buffer that grows up to a limit.
pub struct Writer {
    buffer: KVec<u8>,
    limit: usize,
}

impl Writer {
    /// A writer of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            buffer: KVec::new(),
            limit,
        }
    }

    /// A writer of at most `limit` bytes that takes memory for all of them now and without sleeping, and none
    /// later.
    pub fn atomic(limit: usize) -> Result<Self, AllocError> {
        let buffer = KVec::with_capacity(limit, GFP_ATOMIC)?;
        Ok(Self { buffer, limit })
    }

    /// What has been written.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Forgets what has been written, and keeps the memory.
    pub fn clear(&mut self) {
        self.buffer.clear();
    }

    /// Writes one attribute.
    pub fn put(&mut self, id: u16, data: &[u8]) -> Result<(), Full> {
        self.put_parts(id, [data, &[]])
    }

    /// Writes one attribute whose data comes in two parts.
    pub fn put_parts(&mut self, id: u16, [first, second]: [&[u8]; 2]) -> Result<(), Full> {
        let length = HEADER + first.len() + second.len();
        let header = u16::try_from(length).map_err(|_| Full::Limit)?;
        let padding = length.next_multiple_of(4) - length;
        if self.buffer.len() + length + padding > self.limit {
            return Err(Full::Limit);
        }
        self.buffer.reserve(length + padding, GFP_KERNEL)?;
        for part in [&header.to_ne_bytes(), &id.to_ne_bytes(), first, second] {
            self.buffer.extend_from_slice(part, GFP_KERNEL)?;
        }
        self.buffer
            .extend_from_slice([0; 3].get(..padding).unwrap_or_default(), GFP_KERNEL)?;
        Ok(())
    }

    /// Writes an attribute that holds those that `fill` writes. When it fails, nothing of it is left.
    pub fn nest(
        &mut self,
        id: u16,
        fill: impl FnOnce(&mut Self) -> Result<(), Full>,
    ) -> Result<(), Full> {
        let start = self.buffer.len();
        let result = self
            .put(id | NESTED, &[])
            .and_then(|()| fill(self))
            .and_then(|()| {
                let length = u16::try_from(self.buffer.len() - start).map_err(|_| Full::Limit)?;
                let [l0, l1] = length.to_ne_bytes();
                if let Some([b0, b1, ..]) = self.buffer.get_mut(start..) {
                    (*b0, *b1) = (l0, l1);
                }
                Ok(())
            });
        if result.is_err() {
            self.buffer.truncate(start);
        }
        result
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_uapi_attr))]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::new(64);
        writer.put(3, &[1, 2, 3]).unwrap();
        writer.nest(4, |inner| inner.put(5, &[6])).unwrap();
        assert_eq!(writer.bytes().len(), 8 + 4 + 8);
        let mut reader = Reader::new(writer.bytes());
        let first = reader.next().unwrap().unwrap();
        assert!(first.id == 3 && first.data == [1, 2, 3].as_slice() && first.offset == 0);
        let second = reader.next().unwrap().unwrap();
        assert!(second.id == 4 && second.offset == 8);
        let inner = second.nested().next().unwrap().unwrap();
        assert!(inner.id == 5 && inner.data == [6].as_slice() && inner.offset == 12);
        assert!(reader.next().is_none());
    }

    #[test]
    fn a_nest_that_does_not_fit_leaves_nothing() {
        let mut writer = Writer::new(19);
        writer.put(3, &[1, 2, 3]).unwrap();
        assert!(writer.nest(4, |inner| inner.put(5, &[6])) == Err(Full::Limit));
        assert_eq!(writer.bytes().len(), 8);
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        // Shorter than a header, longer than the message, a header cut off.
        for bytes in [&[3, 0, 1, 0][..], &[9, 0, 1, 0, 0, 0, 0, 0], &[8, 0, 1]] {
            let mut reader = Reader::new(bytes);
            assert!(matches!(
                reader.next(),
                Some(Err(Error {
                    offset: Some(0),
                    ..
                }))
            ));
            assert!(reader.next().is_none());
        }
        // Padding may be missing at the end, as nla_parse() allows.
        assert!(Reader::new(&[5, 0, 1, 0, 7]).all(|attribute| attribute.is_ok()));
    }
}

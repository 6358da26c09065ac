// SPDX-License-Identifier: GPL-2.0
//! Short texts held in place: names and prefixes that a rule carries, without an allocation.

use core::fmt;

/// A text of at most `N` bytes, none of them NUL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Str<const N: usize> {
    // Bytes past `len` are zero, so that comparing the array first and the length second orders texts
    // as strcmp() does.
    bytes: [u8; N],
    len: u8,
}

/// The name of a table or chain; iptables allows 28 bytes for a chain (XT_EXTENSION_MAXNAMELEN).
pub type Name = Str<28>;

impl<const N: usize> Str<N> {
    /// The longest text that fits, in bytes.
    pub const MAX: usize = N;

    /// A text that may be used in a constant; longer ones and NUL bytes do not compile there.
    pub const fn literal(text: &str) -> Self {
        let from = text.as_bytes();
        let mut bytes = [0; N];
        let mut len = 0;
        while len < from.len() {
            bytes[len] = from[len];
            len += 1;
        }
        Self {
            bytes,
            len: len as u8,
        }
    }

    /// Takes a text over; `None` when it is too long or holds a NUL byte.
    pub fn new(text: &[u8]) -> Option<Self> {
        if text.contains(&0) {
            return None;
        }
        let mut bytes = [0; N];
        bytes.get_mut(..text.len())?.copy_from_slice(text);
        Some(Self {
            bytes,
            len: u8::try_from(text.len()).ok()?,
        })
    }

    /// The bytes of the text.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<const N: usize> Default for Str<N> {
    fn default() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }
}

impl<const N: usize> fmt::Display for Str<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name that came over netlink need not be UTF-8; it is shown as far as it is.
        match core::str::from_utf8(self.as_bytes()) {
            Ok(text) => f.write_str(text),
            Err(_) => f.write_str("?"),
        }
    }
}

impl<const N: usize> fmt::Debug for Str<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

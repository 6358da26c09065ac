// SPDX-License-Identifier: GPL-2.0
//! Why a request is refused: an error number for programs and a sentence for people.

use crate::alloc::AllocError;
use crate::engine::rules;
use crate::uapi::attr::Full;
use crate::uapi::{self, Errno};
use core::fmt::{self, Write};
use kernel::error::{code, Error};

/// The room for a sentence that netlink has beside static texts (NETLINK_MAX_FMTMSG_LEN), and for the zero
/// byte at its end.
const ROOM: usize = 80;

/// A request that is refused.
pub(super) struct Refusal {
    /// The error number.
    pub(super) error: Error,
    /// Where the attribute to blame begins, in bytes from the first attribute of the message.
    pub(super) offset: Option<usize>,
    text: Text,
}

impl Refusal {
    /// A refusal for a reason that is always the same.
    pub(super) fn new(error: Error, text: &str) -> Self {
        Self::written(error, None, format_args!("{text}"))
    }

    fn written(error: Error, offset: Option<usize>, text: fmt::Arguments<'_>) -> Self {
        let mut buffer = Text { bytes: [0; ROOM], len: 0 };
        // A text that does not fit is cut off, which is better than none.
        let _ = buffer.write_fmt(text);
        Self { error, offset, text: buffer }
    }

    /// The sentence, with the zero byte at its end.
    pub(super) fn text(&self) -> &[u8; ROOM] {
        &self.text.bytes
    }
}

impl From<rules::Error> for Refusal {
    fn from(error: rules::Error) -> Self {
        Self::written(number(error.kind.errno()), None, format_args!("{error}"))
    }
}

impl From<uapi::Error> for Refusal {
    fn from(error: uapi::Error) -> Self {
        Self::written(number(error.errno), error.offset, format_args!("{}", error.what))
    }
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Self {
        match full {
            Full::Limit => Self::new(code::EMSGSIZE, "answer does not fit in a message"),
            Full::NoMemory => AllocError.into(),
        }
    }
}

impl From<AllocError> for Refusal {
    fn from(_: AllocError) -> Self {
        Self::new(code::ENOMEM, "out of memory")
    }
}

/// The kernel's number for an error of the engine.
fn number(errno: Errno) -> Error {
    match errno {
        Errno::Invalid => code::EINVAL,
        Errno::NotFound => code::ENOENT,
        Errno::Exists => code::EEXIST,
        Errno::NoMemory => code::ENOMEM,
        Errno::TooBig => code::E2BIG,
        Errno::Range => code::ERANGE,
        Errno::NotSupported => code::EOPNOTSUPP,
        Errno::Loop => code::ELOOP,
    }
}

/// A text that ends with a zero byte, always.
struct Text {
    bytes: [u8; ROOM],
    len: usize,
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.len..ROOM - 1).unwrap_or_default();
        let len = room.len().min(text.len());
        for (to, from) in room.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        self.len += len;
        if len < text.len() {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

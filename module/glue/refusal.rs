// SPDX-License-Identifier: GPL-2.0
//! Why a request is refused: an error number for programs and a sentence for people.

use super::bindings;
use crate::alloc::AllocError;
use crate::engine::rules;
use crate::uapi::attr::Full;
use crate::uapi::{self, Errno};
use core::fmt::{self, Write};
use kernel::error::Error;
use kernel::ffi::{c_int, c_uint};

/// The room for a sentence that netlink has beside static texts (NETLINK_MAX_FMTMSG_LEN), and for
/// the zero byte at its end.
const ROOM: usize = 80;

/// A request that is refused.
pub(super) struct Refusal {
    /// The error number, negative as the core wants it.
    pub(super) errno: c_int,
    /// Where the attribute to blame begins, in bytes from the first attribute of the message.
    pub(super) offset: Option<usize>,
    text: Text,
}

impl Refusal {
    /// A refusal by us; `errno` is one of the positive constants.
    pub(super) fn new(errno: c_uint, text: &str) -> Self {
        Self::written(errno, None, format_args!("{text}"))
    }

    /// A refusal because the kernel could not do something.
    pub(super) fn failed(error: Error, text: &str) -> Self {
        Self {
            errno: error.to_errno(),
            ..Self::new(bindings::EINVAL, text)
        }
    }

    fn written(errno: c_uint, offset: Option<usize>, text: fmt::Arguments<'_>) -> Self {
        let mut buffer = Text {
            bytes: [0; ROOM],
            len: 0,
        };
        // A text that does not fit is cut off, which is better than none.
        let _ = buffer.write_fmt(text);
        Self {
            errno: -(errno as c_int),
            offset,
            text: buffer,
        }
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
        Self::written(
            number(error.errno),
            error.offset,
            format_args!("{}", error.what),
        )
    }
}

impl From<Full> for Refusal {
    fn from(full: Full) -> Self {
        match full {
            Full::Limit => Self::new(bindings::EMSGSIZE, "answer does not fit in a message"),
            Full::NoMemory => AllocError.into(),
        }
    }
}

impl From<AllocError> for Refusal {
    fn from(_: AllocError) -> Self {
        Self::new(bindings::ENOMEM, "out of memory")
    }
}

/// The kernel's number for an error of the engine.
fn number(errno: Errno) -> c_uint {
    match errno {
        Errno::Invalid => bindings::EINVAL,
        Errno::NotFound => bindings::ENOENT,
        Errno::Exists => bindings::EEXIST,
        Errno::NoMemory => bindings::ENOMEM,
        Errno::TooBig => bindings::E2BIG,
        Errno::Range => bindings::ERANGE,
        Errno::NotSupported => bindings::EOPNOTSUPP,
        Errno::Loop => bindings::ELOOP,
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

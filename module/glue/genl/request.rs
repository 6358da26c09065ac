// SPDX-License-Identifier: GPL-2.0
//! A request over netlink, as the core hands it over.

use super::message::{Header, Message};
use crate::alloc::AllocError;
use crate::glue::bindings;
use crate::glue::namespace::Namespace;
use crate::glue::namespaces;
use crate::glue::refusal::Refusal;
use crate::uapi::attr::{Attr, Reader};
use core::slice;
use kernel::ffi::c_int;

/// A request.
///
/// # Invariants
///
/// All that the information points to stays during `'a`, but for `attrs`, which is not used.
pub(super) struct Request<'a>(&'a bindings::genl_info);

impl<'a> Request<'a> {
    /// # Safety
    ///
    /// `info` is what the core tells of a request, and this is dropped before the core's call
    /// returns.
    pub(super) unsafe fn new(info: &'a bindings::genl_info) -> Self {
        // INVARIANT: The core keeps request, family and namespace during its call.
        Self(info)
    }

    /// The family that the request came to.
    pub(super) fn family(&self) -> &'a bindings::genl_family {
        // SAFETY: By the invariants the family is there; it does not change after its registration.
        unsafe { &*self.0.family }
    }

    /// The network namespace that the request is about: its sender's.
    pub(super) fn namespace(&self) -> &'a Namespace {
        // SAFETY: By the invariants the information is valid.
        let net = unsafe { bindings::shim_genl_info_net(self.0) };
        // SAFETY: The sender's socket keeps its namespace alive, and the core keeps the socket. The
        // state of namespaces is there before the family is registered and goes after that is
        // undone.
        unsafe { namespaces::state(net) }
    }

    /// The port of the socket that sent the request.
    pub(super) fn port(&self) -> u32 {
        self.0.snd_portid
    }

    /// The attributes of the message, as bytes.
    pub(super) fn attributes(&self) -> &'a [u8] {
        let message = self.0.nlhdr;
        // SAFETY: By the invariants the message is there.
        let len = unsafe { (*message).nlmsg_len } as usize;
        let headers = bindings::CONST_NLMSG_HDRLEN + bindings::CONST_GENL_HDRLEN;
        let Some(len) = len.checked_sub(headers) else {
            return &[];
        };
        let attributes = message.cast::<u8>().wrapping_add(headers);
        // SAFETY: The core checked that the message has the length that it says, headers included.
        unsafe { slice::from_raw_parts(attributes, len) }
    }

    /// The attribute of this number; the first, if there are several.
    pub(super) fn attribute(&self, id: u16) -> Result<Option<Attr<'a>>, Refusal> {
        let mut attributes = Reader::new(self.attributes());
        let is_it = |found: &Result<Attr<'a>, _>| !matches!(found, Ok(other) if other.id != id);
        Ok(attributes.find(is_it).transpose()?)
    }

    /// The number of the command.
    pub(super) fn command(&self) -> u8 {
        // SAFETY: By the invariants the message is there, with its second header.
        unsafe { (*self.0.genlhdr).cmd }
    }

    /// What stands before the attributes of an answer.
    pub(super) fn answer_header(&self, flags: c_int) -> Header<'a> {
        let (port, sequence) = (self.0.snd_portid, self.0.snd_seq);
        Header {
            family: self.family(),
            port,
            sequence,
            flags,
            command: self.command(),
        }
    }

    /// Makes an answer.
    pub(super) fn answer(&self, attributes: &[u8]) -> Result<Message, AllocError> {
        Message::new(
            self.answer_header(0),
            attributes,
            bindings::CONST_GFP_KERNEL,
        )
    }

    /// Puts the reason of a refusal where the core sends it from, and returns the number of the
    /// error.
    pub(super) fn refuse(&self, refusal: &Refusal) -> c_int {
        // SAFETY: By the invariants this is the place for it, or null; it is ours during the core's
        // call.
        if let Some(place) = unsafe { self.0.extack.as_mut() } {
            place._msg_buf = *refusal.text();
            place._msg = place._msg_buf.as_ptr();
            let blamed = refusal
                .offset
                .and_then(|offset| self.attributes().get(offset..));
            if let Some(attribute) = blamed {
                place.bad_attr = attribute.as_ptr().cast();
            }
        }
        refusal.errno
    }
}

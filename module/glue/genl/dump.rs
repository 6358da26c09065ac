// SPDX-License-Identifier: GPL-2.0
//! Reading the rules: a dump takes as many messages as it takes, and tells of one moment all the
//! same.

use super::request::Request;
use crate::alloc::{Arc, KBox, KVVec, GFP_KERNEL};
use crate::engine::rules::{Counters, Model};
use crate::glue::bindings;
use crate::glue::refusal::Refusal;
use crate::uapi::attr::{Full, Writer};
use crate::uapi::field::Field;
use crate::uapi::message::{self, Select};
use crate::uapi::op::{self, Position};
use core::ptr::NonNull;
use kernel::ffi::c_int;

/// The longest attribute that there can be, with the headers of its message: a buffer of this size
/// takes every operation.
const LARGEST: u32 = 68 << 10;

/// A dump in progress: the rules and counters as they were when it began.
pub(super) struct Dump {
    generation: u64,
    model: Arc<Model>,
    counters: KVVec<Counters>,
    position: Position,
    finished: bool,
}

impl Dump {
    /// Takes the rules and their counters, and sets counters to zero if that is asked.
    #[inline(never)]
    pub(super) fn start(request: &Request<'_>) -> Result<KBox<Self>, Refusal> {
        let select = request.attribute(message::SELECT)?;
        let select = select
            .as_ref()
            .map(Select::get)
            .transpose()?
            .unwrap_or_default();
        let zero = request.attribute(message::ZERO)?.is_some();
        let counters = zero || request.attribute(message::COUNTERS)?.is_some();

        let mut writer = request.namespace().writer();
        let dump = Self {
            generation: writer.generation(),
            model: writer.model(),
            counters: KVVec::new(),
            position: Position::default(),
            finished: false,
        };
        // Memory is taken before the counters are zeroed, so that none is lost to a failure.
        let mut dump = KBox::new(dump, GFP_KERNEL)?;
        if counters {
            dump.counters = writer.counters(zero.then_some(&select))?;
        }
        Ok(dump)
    }

    /// Fills a buffer; returns what the core wants to hear: the bytes in it, or zero at the end.
    ///
    /// # Safety
    ///
    /// `skb` is the buffer that the core wants filled for the dump `callback`.
    pub(super) unsafe fn fill(
        &mut self,
        request: &Request<'_>,
        skb: NonNull<bindings::sk_buff>,
        least_buffer: &mut u32,
    ) -> Result<c_int, Refusal> {
        if self.finished {
            return Ok(0);
        }
        // SAFETY: The caller vouches for the buffer.
        let room = unsafe { bindings::shim_skb_tailroom(skb.as_ptr()) };
        let headers = bindings::CONST_NLMSG_HDRLEN + bindings::CONST_GENL_HDRLEN;
        let room = usize::try_from(room)
            .unwrap_or_default()
            .saturating_sub(headers);
        let mut attributes = Writer::new(room);
        self.generation.put(message::GENERATION, &mut attributes)?;
        let empty = attributes.bytes().len();
        match op::dump(
            &self.model,
            &self.counters,
            &mut self.position,
            &mut attributes,
        ) {
            Ok(()) => self.finished = true,
            Err(Full::Limit) if attributes.bytes().len() > empty => (),
            // Not one operation fits: the next buffer shall be large enough for any.
            Err(Full::Limit) if *least_buffer < LARGEST => *least_buffer = LARGEST,
            Err(full) => return Err(full.into()),
        }
        let header = request.answer_header(bindings::NLM_F_MULTI as c_int);
        // SAFETY: The caller vouches for the buffer.
        if !unsafe { header.put(skb, attributes.bytes()) } {
            return Err(Refusal::new(bindings::EMSGSIZE, "no room in the buffer"));
        }
        // Any number above zero tells the core to come again.
        Ok(1)
    }
}

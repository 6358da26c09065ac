// SPDX-License-Identifier: GPL-2.0
//! Dumps: what is read in as many messages as it takes. One of the rules tells of one moment all the same.

#[cfg(CONFIG_NF_CONNTRACK)]
use super::connections::Connections;
use super::request::Request;
use crate::alloc::{Arc, KBox, KVVec, GFP_KERNEL};
use crate::engine::rules::flow_dump::FlowDump;
use crate::engine::rules::{Counters, Model};
use crate::glue::bindings;
use crate::glue::clock;
use crate::glue::refusal::Refusal;
use crate::uapi::attr::{Full, Writer};
use crate::uapi::field::Field;
use crate::uapi::message::{self, Select};
use crate::uapi::op::{self, Position};
use crate::uapi::Command;
use core::ptr::NonNull;
use kernel::ffi::c_int;

/// The longest attribute that there can be, with the headers of its message: a buffer of this size
/// takes every operation.
const LARGEST: u32 = 68 << 10;

/// A dump in progress.
#[allow(
    clippy::large_enum_variant,
    reason = "each has a box of its own, for as long as it is read"
)]
pub(super) enum Dump {
    Rules(Rules),
    #[cfg(CONFIG_NF_CONNTRACK)]
    Connections(Connections),
    /// The flows of the rules in force when it began.
    Flows(FlowDump),
}

impl Dump {
    /// Begins what a request asks for.
    pub(super) fn start(request: &Request<'_>) -> Result<KBox<Self>, Refusal> {
        if request.command() == Command::GetRules as u8 {
            return Rules::start(request);
        }
        if request.command() == Command::GetFlows as u8 {
            let model = request.namespace().writer().model();
            return Ok(KBox::new(Self::Flows(FlowDump::new(&model)?), GFP_KERNEL)?);
        }
        #[cfg(CONFIG_NF_CONNTRACK)]
        let started = Ok(KBox::new(
            Self::Connections(Connections::start(request)?),
            GFP_KERNEL,
        )?);
        #[cfg(not(CONFIG_NF_CONNTRACK))]
        let started = Err(Refusal::new(
            bindings::EOPNOTSUPP,
            "kernel without CONFIG_NF_CONNTRACK",
        ));
        started
    }

    /// Fills a buffer; returns what the core wants to hear: a number above zero to come again, or zero at the end.
    ///
    /// # Safety
    ///
    /// `skb` is the buffer that the core wants filled for this dump.
    pub(super) unsafe fn fill(
        &mut self,
        request: &Request<'_>,
        skb: NonNull<bindings::sk_buff>,
        least_buffer: &mut u32,
    ) -> Result<c_int, Refusal> {
        // SAFETY: The caller vouches for the buffer.
        let room = unsafe { bindings::shim_skb_tailroom(skb.as_ptr()) };
        let headers = bindings::CONST_NLMSG_HDRLEN + bindings::CONST_GENL_HDRLEN;
        let room = usize::try_from(room)
            .unwrap_or_default()
            .saturating_sub(headers);
        let mut attributes = Writer::new(room);
        match self {
            Self::Rules(rules) => rules.write(&mut attributes, least_buffer)?,
            #[cfg(CONFIG_NF_CONNTRACK)]
            Self::Connections(connections) => connections.write(&mut attributes)?,
            Self::Flows(flows) => flows.write(clock::monotonic(), &mut attributes)?,
        }
        if attributes.bytes().is_empty() {
            return Ok(0);
        }
        let header = request.answer_header(bindings::NLM_F_MULTI as c_int);
        // SAFETY: The caller vouches for the buffer.
        if !unsafe { header.put(skb, attributes.bytes()) } {
            return Err(Refusal::new(bindings::EMSGSIZE, "no room in the buffer"));
        }
        Ok(1)
    }
}

/// The rules and counters as they were when the dump began.
pub(super) struct Rules {
    generation: u64,
    model: Arc<Model>,
    counters: KVVec<Counters>,
    position: Position,
    finished: bool,
}

impl Rules {
    /// Takes the rules and their counters, and sets counters to zero if that is asked.
    #[inline(never)]
    fn start(request: &Request<'_>) -> Result<KBox<Dump>, Refusal> {
        let select = request.attribute(message::SELECT)?;
        let select = select
            .as_ref()
            .map(Select::get)
            .transpose()?
            .unwrap_or_default();
        let zero = request.attribute(message::ZERO)?.is_some();
        let counters = zero || request.attribute(message::COUNTERS)?.is_some();

        let mut writer = request.namespace().writer();
        let rules = Self {
            generation: writer.generation(),
            model: writer.model(),
            counters: KVVec::new(),
            position: Position::default(),
            finished: false,
        };
        // Memory is taken before the counters are zeroed, so that none is lost to a failure.
        let mut dump = KBox::new(Dump::Rules(rules), GFP_KERNEL)?;
        if let (true, Dump::Rules(rules)) = (counters, &mut *dump) {
            rules.counters = writer.counters(zero.then_some(&select))?;
        }
        Ok(dump)
    }

    /// Writes as many operations as there is room for; nothing at the end.
    #[inline(never)]
    fn write(&mut self, to: &mut Writer, least_buffer: &mut u32) -> Result<(), Refusal> {
        if self.finished {
            return Ok(());
        }
        self.generation.put(message::GENERATION, to)?;
        let empty = to.bytes().len();
        match op::dump(&self.model, &self.counters, &mut self.position, to) {
            Ok(()) => self.finished = true,
            Err(Full::Limit) if to.bytes().len() > empty => (),
            // Not one operation fits: the next buffer shall be large enough for any.
            Err(Full::Limit) if *least_buffer < LARGEST => *least_buffer = LARGEST,
            Err(full) => return Err(full.into()),
        }
        Ok(())
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Connections: listing, forgetting and counting them.
//!
//! Connections come and go while this happens. One that is there all the time is listed once; others may be listed
//! or not.

use super::request::Request;
use crate::alloc::{Arc, KVVec};
use crate::glue::bindings;
use crate::glue::conntrack::{self, Connection, Tracker};
use crate::glue::refusal::Refusal;
use crate::uapi::attr::{Full, Writer};
use crate::uapi::conntrack::{Entry, Filter};
use crate::uapi::field::Field;
use crate::uapi::message;
use kernel::sync::aref::ARef;

/// The connections that a request means; all, if it does not say.
fn filter(request: &Request<'_>) -> Result<Filter, Refusal> {
    let filter = request.attribute(message::FILTER)?;
    let filter = filter.as_ref().map(Filter::get).transpose()?;
    let filter = filter.unwrap_or_default();
    filter
        .check()
        .map_err(|what| Refusal::new(bindings::EINVAL, what))?;
    Ok(filter)
}

/// A dump in progress. The connections of one part of the table are held at a time.
pub(super) struct Connections {
    filter: Filter,
    /// The next part of the table.
    part: usize,
    /// What is left of the part before.
    pending: KVVec<ARef<Connection>>,
    /// After what it keeps: the last one that keeps a tracker waits until none of its connections is held.
    tracker: Option<Arc<Tracker>>,
}

impl Connections {
    #[inline(never)]
    pub(super) fn start(request: &Request<'_>) -> Result<Self, Refusal> {
        Ok(Self {
            filter: filter(request)?,
            part: 0,
            pending: KVVec::new(),
            tracker: request.namespace().writer().connections(),
        })
    }

    /// Writes as many connections as there is room for, at least one; none at the end.
    #[inline(never)]
    pub(super) fn write(&mut self, to: &mut Writer) -> Result<(), Refusal> {
        let Some(tracker) = &self.tracker else {
            return Ok(());
        };
        let empty = to.bytes().len();
        loop {
            while let Some(connection) = self.pending.last() {
                let found = conntrack::found(connection);
                if self.filter.includes(&found) {
                    match Entry::from(&found).put(message::CONNECTION, to) {
                        Err(Full::Limit) if to.bytes().len() > empty => return Ok(()),
                        written => written?,
                    }
                }
                self.pending.pop();
            }
            if self.part == conntrack::PARTS {
                return Ok(());
            }
            self.pending = tracker.part(self.part)?;
            self.part += 1;
        }
    }
}

/// Takes connections out of the table, and answers with how many they were.
#[inline(never)]
pub(super) fn delete(request: &Request<'_>) -> Result<(), Refusal> {
    let namespace = request.namespace();
    let filter = filter(request)?;
    let tracker = namespace.writer().connections();
    let mut count = 0u64;
    if let Some(tracker) = &tracker {
        for part in 0..conntrack::PARTS {
            for connection in tracker.part(part)? {
                if filter.includes(&conntrack::found(&connection)) && tracker.remove(&connection) {
                    count += 1;
                }
            }
        }
    }
    let mut attributes = Writer::new(64);
    count.put(message::COUNT, &mut attributes)?;
    request
        .answer(attributes.bytes())?
        .unicast(namespace, request.port());
    Ok(())
}

/// Answers with how the table is. There is none where no rule ever asked for connections.
#[inline(never)]
pub(super) fn stats(request: &Request<'_>) -> Result<(), Refusal> {
    let namespace = request.namespace();
    let tracker = namespace.writer().connections();
    let stats = tracker.map(|tracker| tracker.stats()).unwrap_or_default();
    let mut attributes = Writer::new(64);
    stats.put(message::STATS, &mut attributes)?;
    request
        .answer(attributes.bytes())?
        .unicast(namespace, request.port());
    Ok(())
}

// SPDX-License-Identifier: GPL-2.0
//! Transactions that are being collected, each belonging to a socket.

use super::bindings;
use super::refusal::Refusal;
use crate::alloc::{KVVec, KVec, GFP_KERNEL};
use crate::engine::rules::Op;
use crate::uapi::op;
use kernel::error::code::EBUSY;

/// How many bytes of operations the open transactions of a namespace may have together: enough for
/// some hundred thousand rules. What sockets can make the kernel keep is bounded by this, however many there
/// are and even where memory is not charged.
const MOST: usize = 128 << 20;

/// How many transactions may be open in a namespace.
const MOST_OPEN: usize = 1024;

/// The operations that a socket has sent so far.
#[derive(Default)]
pub(super) struct Transaction {
    /// The generation that they were made for; any, where none was given.
    expected: Option<u64>,
    ops: KVVec<Op>,
    /// The length of the messages that they came in.
    bytes: usize,
}

impl Transaction {
    /// No operations yet, for this generation or for any.
    pub(super) fn new(expected: Option<u64>) -> Self {
        Self {
            expected,
            ..Self::default()
        }
    }

    /// Whether the operations were made for this generation.
    pub(super) fn fits(&self, generation: u64) -> bool {
        self.expected.is_none_or(|expected| expected == generation)
    }

    /// How many operations there are.
    pub(super) fn len(&self) -> usize {
        self.ops.len()
    }

    /// The operations, in order.
    pub(super) fn into_ops(self) -> KVVec<Op> {
        self.ops
    }

    fn add(&mut self, attributes: &[u8]) -> Result<(), Refusal> {
        self.bytes = self.bytes.saturating_add(attributes.len());
        Ok(op::decode_all(attributes, &mut self.ops)?)
    }
}

/// The open transactions of a namespace, by the port of their sockets.
#[derive(Default)]
pub(super) struct Staging(KVec<(u32, Transaction)>);

impl Staging {
    /// Opens a transaction; one that was open on the port before is dropped.
    pub(super) fn begin(&mut self, port: u32, transaction: Transaction) -> Result<(), Refusal> {
        let _ = self.take(port);
        if self.0.len() >= MOST_OPEN {
            return Err(Refusal::failed(EBUSY, "too many transactions are open"));
        }
        Ok(self.0.push((port, transaction), GFP_KERNEL)?)
    }

    /// Adds the operations of a message. When it has some that can't be added, the transaction is
    /// dropped, so that it can't be carried out without them.
    pub(super) fn add(&mut self, port: u32, attributes: &[u8]) -> Result<(), Refusal> {
        let kept = |(_, transaction): &(u32, Transaction)| transaction.bytes;
        let kept = self.0.iter().map(kept).fold(0, usize::saturating_add);
        let open = self.0.iter_mut().find(|(owner, _)| *owner == port);
        let (_, transaction) = open.ok_or_else(none_open)?;
        let added = if kept.saturating_add(attributes.len()) > MOST {
            Err(Refusal::new(
                bindings::E2BIG,
                "open transactions are too long",
            ))
        } else {
            transaction.add(attributes)
        };
        added.inspect_err(|_| drop(self.take(port)))
    }

    /// Takes a transaction out.
    pub(super) fn take(&mut self, port: u32) -> Result<Transaction, Refusal> {
        let open = self
            .0
            .iter()
            .position(|(owner, _)| *owner == port)
            .ok_or_else(none_open)?;
        self.0
            .remove(open)
            .map(|(_, transaction)| transaction)
            .map_err(|_| none_open())
    }
}

fn none_open() -> Refusal {
    Refusal::new(bindings::EINVAL, "no transaction is open on this socket")
}

// SPDX-License-Identifier: GPL-2.0
//! Operations as the messages of a transaction.

use oxtables_engine::engine::rules::Op;
use oxtables_engine::uapi::attr::Full;
use oxtables_engine::uapi::{message, op, Writer};

/// How many bytes of operations a message carries: few enough that the kernel finds memory for it at once.
const CHUNK: usize = 32 << 10;

/// The attributes of one message, and where in them each operation begins.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The attributes.
    pub attributes: Vec<u8>,
    /// For each operation in the message, its offset and its number among all.
    starts: Vec<(usize, usize)>,
}

impl Chunk {
    /// The operation that has the byte at this offset.
    pub fn op_at(&self, offset: usize) -> Option<usize> {
        let at = self.starts.partition_point(|(start, _)| *start <= offset);
        self.starts.get(at.checked_sub(1)?).map(|(_, op)| *op)
    }
}

/// Splits operations over messages.
///
/// # Errors
///
/// When an operation is larger than an attribute can be: its number.
pub fn chunks(ops: Vec<Op>) -> Result<Vec<Chunk>, usize> {
    let mut chunks = Vec::new();
    let mut chunk = Chunk::default();
    let mut writer = Writer::new(usize::from(u16::MAX));
    for (number, item) in ops.into_iter().enumerate() {
        writer.clear();
        op::encode(&item, message::OP, &mut writer).map_err(|_: Full| number)?;
        if !chunk.attributes.is_empty() && chunk.attributes.len() + writer.bytes().len() > CHUNK {
            chunks.push(std::mem::take(&mut chunk));
        }
        chunk.starts.push((chunk.attributes.len(), number));
        chunk.attributes.extend_from_slice(writer.bytes());
    }
    if !chunk.attributes.is_empty() {
        chunks.push(chunk);
    }
    Ok(chunks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxtables_engine::alloc::{Arc, KVVec, GFP_KERNEL};
    use oxtables_engine::engine::packet::Family;
    use oxtables_engine::engine::rules::transaction::Action;
    use oxtables_engine::engine::rules::{Counters, Rule};
    use oxtables_engine::engine::text::Name;

    fn ops(count: u64) -> Vec<Op> {
        let append = |packets| Op {
            family: Family::V6,
            table: Name::literal("filter"),
            chain: Name::literal("INPUT"),
            action: Action::Append(
                Arc::new(Rule::default(), GFP_KERNEL).unwrap(),
                Counters { packets, bytes: 1 },
            ),
        };
        (0..count).map(append).collect()
    }

    #[test]
    fn the_kernel_reads_what_was_sent_in_order() {
        let chunks = chunks(ops(2000)).unwrap();
        assert!(chunks.len() > 1);
        let mut read = KVVec::new();
        for chunk in &chunks {
            assert!(chunk.attributes.len() <= CHUNK);
            op::decode_all(&chunk.attributes, &mut read).unwrap();
        }
        assert_eq!(read.len(), 2000);
        for (number, op) in (0..).zip(&read) {
            match op.action {
                Action::Append(_, counters) => assert_eq!(counters.packets, number),
                _ => panic!("{op:?}"),
            }
        }
    }

    #[test]
    fn an_offset_leads_to_its_operation() {
        let chunks = chunks(ops(2000)).unwrap();
        let second = &chunks[1];
        let (start, first) = second.starts[0];
        assert_eq!(start, 0);
        assert_eq!(second.op_at(0), Some(first));
        assert_eq!(second.op_at(3), Some(first));
        assert_eq!(second.op_at(second.starts[5].0), Some(first + 5));
        assert_eq!(
            second.op_at(usize::MAX),
            Some(1999.min(second.starts.last().unwrap().1))
        );
    }
}

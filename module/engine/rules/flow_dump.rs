// SPDX-License-Identifier: GPL-2.0
//! The flows of all hashlimits of a ruleset, told in messages.

use super::flows::{Position, Table, Told};
use super::inheritance::sorted;
use super::matches::hashlimit;
use super::model::Model;
use super::tables::{entries, hashlimits};
use crate::alloc::{AllocError, Arc, KVVec, GFP_KERNEL};
use crate::uapi::attr::{Full, Writer};
use crate::uapi::field::Field;
use crate::uapi::flow::FlowTable;
use crate::uapi::message;

/// How many flows there are in a message: no more than fit into any buffer for a dump.
const FLOWS: usize = 32;

/// Flows that are being told.
pub struct FlowDump {
    tables: KVVec<(FlowTable, Arc<Table>)>,
    table: usize,
    position: Position,
    told: KVVec<Told>,
}

impl FlowDump {
    /// The tables of a ruleset, each once.
    pub fn new(model: &Model) -> Result<Self, AllocError> {
        let (mut all, mut keys) = (KVVec::new(), KVVec::new());
        for (place, entry) in entries(model) {
            for hashlimit in hashlimits(entry) {
                if let Some(table) = hashlimit.flows.table() {
                    // Rules that share a table have the same one, wherever it is.
                    keys.push(((&raw const **table).addr() as u64, all.len()), GFP_KERNEL)?;
                    all.push((place.family, &hashlimit.name, table), GFP_KERNEL)?;
                }
            }
        }
        let (mut tables, mut last) = (KVVec::new(), None);
        for (key, index) in &sorted(keys)? {
            if let Some((family, name, table)) = all.get(*index).filter(|_| last != Some(*key)) {
                let head = FlowTable {
                    family: *family,
                    name: name.try_clone()?,
                    bytes: table.config().rate.counts_bytes(),
                };
                tables.push((head, Arc::clone(table)), GFP_KERNEL)?;
            }
            last = Some(*key);
        }
        Ok(Self {
            tables,
            table: 0,
            position: Position::default(),
            told: KVVec::with_capacity(FLOWS, GFP_KERNEL)?,
        })
    }

    /// Writes a table and the next of its flows; nothing when there are no more tables.
    pub fn write(&mut self, now: u64, to: &mut Writer) -> Result<(), Full> {
        let Some((head, table)) = self.tables.get(self.table) else {
            return Ok(());
        };
        head.put(message::FLOW_TABLE, to)?;
        self.told.clear();
        if !table.tell(&mut self.position, now, &mut self.told) {
            self.table += 1;
            self.position = Position::default();
        }
        for told in &self.told {
            hashlimit::flow(table.config(), head.family, told).put(message::FLOW, to)?;
        }
        Ok(())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_flow_dump))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{hashlimit, ops, with_match};
    use crate::engine::packet::Family;
    use crate::engine::rules::flows::Key;
    use crate::engine::rules::matches::hashlimit::mode;
    use crate::engine::rules::matches::Hashlimit;
    use crate::engine::rules::transaction::apply;
    use crate::engine::rules::{Match, Rule, Target};
    use crate::uapi::attr::Reader;
    use crate::uapi::flow::Flow;
    use core::net::Ipv4Addr;

    #[test]
    fn each_table_is_told_once_and_each_flow() {
        let rules = [
            ("INPUT", rule(b"a")),
            ("FORWARD", rule(b"a")),
            ("FORWARD", rule(b"b")),
        ];
        let model = apply(&Model::default(), ops(Family::V4, rules))
            .ok()
            .unwrap();
        for number in 0..100 {
            // All addresses of 10.0.0.0/24.
            let key = Key {
                source: 0x0a_0000,
                ports: number << 16 | 80,
                ..Key::default()
            };
            let (_, entry) = entries(&model).next().unwrap();
            let table = hashlimits(entry).next().unwrap().flows.table().unwrap();
            assert!(table.within(&key, 5_000_000, 100, || 4) == Some(true));
        }
        let mut dump = FlowDump::new(&model).unwrap();
        let (mut seen, mut tables, mut last) = (0_u32, 0, None);
        loop {
            let mut writer = Writer::new(3500);
            dump.write(6_000_000, &mut writer).ok().unwrap();
            if writer.bytes().is_empty() {
                break;
            }
            let mut attributes =
                Reader::new(writer.bytes()).map(|attribute| attribute.ok().unwrap());
            let head = FlowTable::get(&attributes.next().unwrap()).ok().unwrap();
            let is_a = head.name.as_bytes() == b"a";
            tables += u32::from(last != Some(is_a));
            last = Some(is_a);
            for attribute in attributes {
                let flow = Flow::get(&attribute).ok().unwrap();
                assert!(is_a && head.family == Family::V4 && !head.bytes);
                assert!(flow.source == Ipv4Addr::new(10, 0, 0, 0) && flow.destination_port == 80);
                assert!(flow.left == 4 && flow.expires == 999);
                seen += u32::from(flow.source_port);
            }
        }
        assert_eq!((tables, seen), (2, (0..100).sum()));
    }

    /// Five packets a day for each flow.
    fn rule(name: &[u8]) -> Rule {
        let hashlimit = Hashlimit {
            burst: 5,
            mode: mode::SOURCE | mode::SOURCE_PORT | mode::DESTINATION_PORT,
            source_bits: 24,
            size: Some(8),
            max: Some(200),
            ..hashlimit(name)
        };
        with_match(Match::Hashlimit(hashlimit), Target::Continue)
    }
}

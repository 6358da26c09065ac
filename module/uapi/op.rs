// SPDX-License-Identifier: GPL-2.0
//! Operations on netlink, and a ruleset as the operations that build it.

use super::attr::{Attr, Errno, Error, Full, Reader, Writer};
use super::field::Field;
use super::message;
use crate::alloc::{Arc, KVVec, GFP_KERNEL};
use crate::engine::packet::Family;
use crate::engine::rules::model::{Counters, Model, Policy, Rule, Table};
use crate::engine::rules::transaction::{Action, Op, Own};
use crate::engine::text::Name;
use crate::{numbered, wire};

numbered! {
    Family, Errno::Invalid, "family must be 2 (IPv4) or 10 (IPv6)";
    Policy, Errno::Invalid, "policy must be 0 (ACCEPT) or 1 (DROP)";
    Verb, Errno::NotSupported, "operation is not known";
}

wire! {
    /// Counters of a rule or policy.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct WireCounters, "counter-attrs" {
        /// Packets.
        2 packets: u64,
        /// Bytes.
        3 bytes: u64,
    }
}

impl From<Counters> for WireCounters {
    fn from(counters: Counters) -> Self {
        let Counters { packets, bytes } = counters;
        Self { packets, bytes }
    }
}

impl From<WireCounters> for Counters {
    fn from(counters: WireCounters) -> Self {
        let WireCounters { packets, bytes } = counters;
        Self { packets, bytes }
    }
}

/// What an operation does, by its number on netlink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verb {
    /// [`Action::ReplaceTable`]
    ReplaceTable = 1,
    /// [`Action::DeleteTable`]
    DeleteTable = 2,
    /// [`Action::NewChain`]
    NewChain = 3,
    /// [`Action::DeleteChain`]
    DeleteChain = 4,
    /// [`Action::RenameChain`]
    RenameChain = 5,
    /// [`Action::Flush`]
    Flush = 6,
    /// [`Action::Policy`]
    Policy = 7,
    /// [`Action::Append`]
    Append = 8,
    /// [`Action::Insert`]
    Insert = 9,
    /// [`Action::Replace`]
    Replace = 10,
    /// [`Action::Delete`]
    Delete = 11,
}

impl Verb {
    /// The operations in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::ReplaceTable,
        Self::DeleteTable,
        Self::NewChain,
        Self::DeleteChain,
        Self::RenameChain,
        Self::Flush,
        Self::Policy,
        Self::Append,
        Self::Insert,
        Self::Replace,
        Self::Delete,
    ];
}

wire! {
    /// An operation as its attributes; which of them there are depends on the verb.
    #[derive(Debug)]
    pub struct WireOp, "op-attrs" {
        /// What is done.
        2 verb: Verb,
        /// The family of the table.
        3 family: Family,
        /// The table.
        4 table: Name,
        /// The chain, unless the whole table is meant.
        5 chain: Option<Name>,
        /// The chain's new name.
        6 new_name: Option<Name>,
        /// The number of a rule in its chain, counted from 1.
        7 number: Option<u32>,
        /// A rule.
        8 rule: Option<Arc<Rule>>,
        /// The policy of a built-in chain.
        9 policy: Option<Policy>,
        /// Counters of the rule or policy.
        10 counters: Option<WireCounters>,
        /// The hooks of a table that a person defines, a bit each.
        11 hooks: Option<u32>,
        /// The place of a table that a person defines.
        12 place: Option<i32>,
    }
}

impl WireOp {
    /// Numbers of attributes, for those that a verb must not have.
    const CHAIN: u16 = 5;
    const NEW_NAME: u16 = 6;
    const NUMBER: u16 = 7;
    const RULE: u16 = 8;
    const POLICY: u16 = 9;
    const COUNTERS: u16 = 10;
    const HOOKS: u16 = 11;
    const PLACE: u16 = 12;

    /// The attributes that an operation may have beside verb, family and table.
    fn allowed(verb: Verb) -> &'static [u16] {
        match verb {
            Verb::ReplaceTable => &[Self::HOOKS, Self::PLACE],
            Verb::DeleteTable => &[],
            Verb::NewChain | Verb::DeleteChain | Verb::Flush => &[Self::CHAIN],
            Verb::RenameChain => &[Self::CHAIN, Self::NEW_NAME],
            Verb::Policy => &[Self::CHAIN, Self::POLICY, Self::COUNTERS],
            Verb::Append => &[Self::CHAIN, Self::RULE, Self::COUNTERS],
            Verb::Insert | Verb::Replace => {
                &[Self::CHAIN, Self::NUMBER, Self::RULE, Self::COUNTERS]
            }
            Verb::Delete => &[Self::CHAIN, Self::NUMBER],
        }
    }

    /// What all operations have.
    fn new(op: &Op) -> Self {
        let verb = match op.action {
            Action::ReplaceTable(_) => Verb::ReplaceTable,
            Action::DeleteTable => Verb::DeleteTable,
            Action::NewChain => Verb::NewChain,
            Action::DeleteChain => Verb::DeleteChain,
            Action::RenameChain(_) => Verb::RenameChain,
            Action::Flush => Verb::Flush,
            Action::Policy(..) => Verb::Policy,
            Action::Append(..) => Verb::Append,
            Action::Insert(..) => Verb::Insert,
            Action::Replace(..) => Verb::Replace,
            Action::Delete(_) => Verb::Delete,
        };
        Self {
            verb,
            family: op.family,
            table: op.table,
            chain: (!op.chain.is_empty()).then_some(op.chain),
            new_name: None,
            number: None,
            rule: None,
            policy: None,
            counters: None,
            hooks: None,
            place: None,
        }
    }

    fn set_rule(&mut self, rule: &Arc<Rule>, counters: &Counters) {
        self.rule = Some(rule.clone());
        self.counters = (*counters != Counters::default()).then(|| (*counters).into());
    }
}

/// Writes an operation as an attribute.
pub fn encode(op: &Op, id: u16, to: &mut Writer) -> Result<(), Full> {
    let mut wire = WireOp::new(op);
    match &op.action {
        Action::ReplaceTable(own) => {
            wire.hooks = own.map(|own| own.hooks);
            wire.place = own.map(|own| own.place);
        }
        Action::RenameChain(name) => wire.new_name = Some(*name),
        Action::Policy(policy, counters) => {
            wire.policy = Some(*policy);
            wire.counters = counters.map(WireCounters::from);
        }
        Action::Append(rule, counters) => wire.set_rule(rule, counters),
        Action::Insert(number, rule, counters) | Action::Replace(number, rule, counters) => {
            wire.number = Some(*number);
            wire.set_rule(rule, counters);
        }
        Action::Delete(number) => wire.number = Some(*number),
        Action::DeleteTable | Action::NewChain | Action::DeleteChain | Action::Flush => (),
    }
    wire.put(id, to)
}

/// Reads an operation.
pub fn decode(attribute: &Attr<'_>) -> Result<Op, Error> {
    let wire = WireOp::get(attribute)?;
    let allowed = WireOp::allowed(wire.verb);
    for inner in attribute.nested() {
        let inner = inner?;
        if inner.id >= WireOp::CHAIN && !allowed.contains(&inner.id) {
            return Err(inner.invalid("attribute does not belong to this operation"));
        }
    }
    let missing = |what| attribute.invalid(what);
    let number = || {
        wire.number
            .ok_or(missing("operation needs the number of a rule"))
    };
    let counters = wire.counters.map(Counters::from);
    let initial = counters.unwrap_or_default();
    let rule = wire.rule.ok_or(missing("operation needs a rule"));
    let chain = match (wire.verb, wire.chain) {
        (Verb::ReplaceTable | Verb::DeleteTable | Verb::Flush, None) => Name::default(),
        (_, chain) => chain.ok_or(missing("operation needs a chain"))?,
    };
    let action = match wire.verb {
        Verb::ReplaceTable => Action::ReplaceTable(match (wire.hooks, wire.place) {
            (Some(hooks), Some(place)) => Some(Own { hooks, place }),
            (None, None) => None,
            _ => return Err(missing("hooks and place go together")),
        }),
        Verb::DeleteTable => Action::DeleteTable,
        Verb::NewChain => Action::NewChain,
        Verb::DeleteChain => Action::DeleteChain,
        Verb::RenameChain => {
            Action::RenameChain(wire.new_name.ok_or(missing("operation needs a new name"))?)
        }
        Verb::Flush => Action::Flush,
        Verb::Policy => {
            let policy = wire.policy.ok_or(missing("operation needs a policy"))?;
            Action::Policy(policy, counters)
        }
        Verb::Append => Action::Append(rule?, initial),
        Verb::Insert => Action::Insert(number()?, rule?, initial),
        Verb::Replace => Action::Replace(number()?, rule?, initial),
        Verb::Delete => Action::Delete(number()?),
    };
    Ok(Op {
        family: wire.family,
        table: wire.table,
        chain,
        action,
    })
}

/// Reads all operations among a message's attributes, and adds them to `ops`.
pub fn decode_all(attributes: &[u8], ops: &mut KVVec<Op>) -> Result<(), Error> {
    for attribute in Reader::new(attributes) {
        let attribute = attribute?;
        if attribute.id == message::OP {
            ops.push(decode(&attribute)?, GFP_KERNEL)?;
        }
    }
    Ok(())
}

/// How far a dump has come: the next operation to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Position {
    table: usize,
    /// Counts the table itself and then its chains.
    step: usize,
    /// Counts the chain itself and then its rules.
    rule: usize,
    /// The slot of the next counters.
    slot: usize,
}

/// Writes the operations that build the ruleset, from `position` on, until the writer is full or all are
/// written; moves `position`. `counters` are those of [`Program::slots`](crate::engine::rules::Program::slots),
/// or none to leave them out.
///
/// # Errors
///
/// [`Full::Limit`] when the writer is full: the rest follows from `position` with another writer.
pub fn dump(
    model: &Model,
    counters: &[Counters],
    position: &mut Position,
    to: &mut Writer,
) -> Result<(), Full> {
    while let Some(table) = model.tables.get(position.table) {
        match position.step.checked_sub(1) {
            None => {
                put_table(table, to)?;
                position.step = 1;
            }
            Some(index) if index < table.chains.len() => {
                dump_chain(table, index, counters, position, to)?;
                position.step += 1;
                position.rule = 0;
            }
            Some(_) => {
                position.table += 1;
                position.step = 0;
            }
        }
    }
    Ok(())
}

fn put_table(table: &Table, to: &mut Writer) -> Result<(), Full> {
    let own = table.own.then(|| Own {
        hooks: table
            .hooks()
            .fold(0, |hooks, hook| hooks | 1 << hook as u32),
        place: table.place,
    });
    let op = Op {
        family: table.family,
        table: table.name,
        chain: Name::default(),
        action: Action::ReplaceTable(own),
    };
    encode(&op, message::OP, to)
}

fn dump_chain(
    table: &Table,
    index: usize,
    counters: &[Counters],
    position: &mut Position,
    to: &mut Writer,
) -> Result<(), Full> {
    let Some(chain) = table.chains.get(index) else {
        return Ok(());
    };
    let put = |action, to: &mut Writer| {
        let op = Op {
            family: table.family,
            table: table.name,
            chain: chain.name,
            action,
        };
        encode(&op, message::OP, to)
    };
    if position.rule == 0 {
        match chain.base {
            Some(base) => {
                put(
                    Action::Policy(base.policy, counters.get(position.slot).copied()),
                    to,
                )?;
                position.slot += 1;
            }
            None => put(Action::NewChain, to)?,
        }
        position.rule = 1;
    }
    while let Some(entry) = chain.rules.get(position.rule - 1) {
        let counters = counters.get(position.slot).copied().unwrap_or_default();
        put(Action::Append(entry.rule.clone(), counters), to)?;
        position.slot += 1;
        position.rule += 1;
    }
    Ok(())
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_uapi_op))]
mod tests {
    use super::*;
    use crate::engine::fixtures::ops;
    use crate::engine::rules::model::Device;
    use crate::engine::rules::transaction::apply;
    use crate::engine::rules::Target;
    use crate::uapi::field::Not;

    /// A table with a rule of several attributes.
    fn model() -> Model {
        let rule = Rule {
            input: Some(Not {
                value: Device::from_text(b"eth+").unwrap(),
                not: true,
            }),
            protocol: Some(Not::is(6)),
            target: Target::Goto(Name::literal("own")),
            ..Rule::default()
        };
        let rules = [("INPUT", rule), ("own", Rule::default())];
        apply(&Model::default(), ops(Family::V4, rules))
            .ok()
            .unwrap()
    }

    fn written(model: &Model, limit: usize) -> (Writer, Position, Result<(), Full>) {
        let (mut writer, mut position) = (Writer::new(limit), Position::default());
        let result = dump(model, &[], &mut position, &mut writer);
        (writer, position, result)
    }

    #[test]
    fn a_dump_builds_what_was_dumped() {
        let model = model();
        let (writer, _, result) = written(&model, 4096);
        assert!(result.is_ok());
        let mut list = KVVec::new();
        decode_all(writer.bytes(), &mut list).ok().unwrap();
        let again = apply(&Model::default(), list).ok().unwrap();
        let (copy, ..) = written(&again, 4096);
        assert!(copy.bytes() == writer.bytes());
        assert!(!writer.bytes().is_empty());
    }

    #[test]
    fn a_dump_in_pieces_is_the_same() {
        let model = model();
        let (whole, ..) = written(&model, 4096);
        let (mut writer, mut position, _) = written(&model, 120);
        let mut pieces = KVVec::new();
        pieces
            .extend_from_slice(writer.bytes(), GFP_KERNEL)
            .unwrap();
        for _ in 0..20 {
            writer.clear();
            let result = dump(&model, &[], &mut position, &mut writer);
            pieces
                .extend_from_slice(writer.bytes(), GFP_KERNEL)
                .unwrap();
            if result.is_ok() {
                break;
            }
        }
        assert!(whole.bytes() == &pieces[..]);
    }

    #[test]
    fn the_attribute_to_blame_is_named() {
        let (writer, ..) = written(&model(), 4096);
        // The rule's operation is the sixth; its verb is the first attribute in it.
        let op = Reader::new(writer.bytes()).nth(2).unwrap().unwrap();
        let verb = op.nested().next().unwrap().unwrap();
        let mut bytes: KVVec<u8> = KVVec::new();
        bytes.extend_from_slice(writer.bytes(), GFP_KERNEL).unwrap();
        if let Some(byte) = bytes.get_mut(verb.offset + 4) {
            *byte = 99;
        }
        let mut list = KVVec::new();
        let error = decode_all(&bytes, &mut list).err().unwrap();
        assert!(error.offset == Some(verb.offset));
        assert!(error.errno == Errno::NotSupported);
    }

    #[test]
    fn every_cut_is_refused() {
        let (writer, ..) = written(&model(), 4096);
        let end = |index| match Reader::new(writer.bytes()).nth(index) {
            Some(Ok(attribute)) => attribute.offset,
            _ => writer.bytes().len(),
        };
        let mut whole = 0;
        for length in 0..writer.bytes().len() {
            if length == end(whole) {
                whole += 1;
                continue;
            }
            let mut list = KVVec::new();
            let cut = writer.bytes().get(..length).unwrap();
            // Only what cuts nothing but the last attribute's padding may pass.
            let padding = length + 3 >= end(whole);
            assert!(decode_all(cut, &mut list).is_err() || padding);
        }
        assert!(whole > 3);
    }
}

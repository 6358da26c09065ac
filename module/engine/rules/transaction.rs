// SPDX-License-Identifier: GPL-2.0
//! Changes to a ruleset: operations, applied in order to a copy of the model.
//!
//! One list of operations is what the command sends and what a dump answers, so the code here serves both
//! sides: the kernel applies them to what is in force, the command to an empty model to learn what is.
//!
//! Functions that handle rules or chains are not inlined into one another: the kernel's stack is small, and
//! their frames would add up to one.

use super::error::{Error, Kind, Place};
use super::inheritance;
use super::model::{Base, Chain, Counters, Entry, Model, Policy, Rule, Slot, Table};
use super::tables;
use crate::alloc::{Arc, KBox, KVVec, GFP_KERNEL};
use crate::engine::packet::{Family, Hook};
use crate::engine::text::Name;

/// One change.
#[derive(Clone, Debug)]
pub struct Op {
    /// The family of the table.
    pub family: Family,
    /// The table that is changed.
    pub table: Name,
    /// The chain that is changed; empty where the whole table is.
    pub chain: Name,
    /// What is done.
    pub action: Action,
}

/// What an operation does.
#[derive(Clone, Debug)]
pub enum Action {
    /// The table is there afterwards, with nothing but built-in chains that are empty and let pass.
    /// Hooks (a bit each, by their numbers) and place are given for a table that a person defines.
    ReplaceTable(Option<Own>),
    /// The table goes, with all its chains.
    DeleteTable,
    /// A chain is made.
    NewChain,
    /// A chain without rules, to which no rule jumps, goes.
    DeleteChain,
    /// A chain gets another name, and jumps to it follow.
    RenameChain(Name),
    /// All rules of the chain go; of every chain of the table, if no chain is named.
    Flush,
    /// A built-in chain gets a policy; and its counters, where given.
    Policy(Policy, Option<Counters>),
    /// A rule comes at the end of the chain; its counters begin as given.
    Append(Arc<Rule>, Counters),
    /// A rule comes before the one of this number, counted from 1.
    Insert(u32, Arc<Rule>, Counters),
    /// A rule takes the place of the one of this number.
    Replace(u32, Arc<Rule>, Counters),
    /// The rule of this number goes.
    Delete(u32),
}

/// What a person says of a table of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Own {
    /// The hooks that it takes part in, a bit each by their numbers.
    pub hooks: u32,
    /// Its place among the tables of a hook: lower comes first; filter is 0.
    pub place: i32,
}

/// A table that every ruleset can have: its name, hooks and place.
struct BuiltIn {
    name: Name,
    hooks: &'static [Hook],
    place: i32,
}

/// The tables that iptables has, as far as they are supported; places are netfilter's (NF_IP_PRI_*).
static BUILT_IN: [BuiltIn; 2] = [
    BuiltIn {
        name: Name::literal("raw"),
        hooks: &[Hook::PreRouting, Hook::LocalOut],
        place: -300,
    },
    BuiltIn {
        name: Name::literal("filter"),
        hooks: &[Hook::LocalIn, Hook::Forward, Hook::LocalOut],
        place: 0,
    },
];

/// Names of iptables' tables that are not there yet: a table of one's own under one of them would be taken
/// for something else.
static RESERVED: [Name; 3] = [
    Name::literal("mangle"),
    Name::literal("nat"),
    Name::literal("security"),
];

/// Names that a chain can't have, because `-j` takes them for targets.
static TARGETS: [Name; 7] = [
    Name::literal("ACCEPT"),
    Name::literal("DROP"),
    Name::literal("RETURN"),
    Name::literal("QUEUE"),
    Name::literal("REJECT"),
    Name::literal("LOG"),
    Name::literal("MARK"),
];

/// How many tables there may be, of both families together: each is looked for by its name, and all at one hook
/// see every packet.
const MAX_TABLES: usize = 128;

/// How many rules the operations of one transaction may move or search, all together: what a transaction may
/// take of the kernel's time is bounded, or else a million rules that each come first would take an hour of
/// it. This many take some seconds, and are what 65,000 rules move that each come before all others.
const MAX_WORK: usize = 1 << 31;

/// How many rules can be moved in the time in which one is searched: that one is somewhere else in memory.
const SEARCH: usize = 16;

/// What an operation costs beyond a constant, in rules that are moved.
fn cost(model: &Model, op: &Op) -> usize {
    let table = || model.find(op.family, &op.table);
    let behind = |number: u32| {
        let table = table()?;
        let chain = table.chains.get(table.find(&op.chain)?)?;
        Some(chain.rules.len().saturating_sub(number as usize))
    };
    let cost = match op.action {
        Action::Insert(number, ..) | Action::Delete(number) => behind(number),
        // Chains are pointers, a quarter of a rule's entry.
        Action::NewChain => table().map(|table| table.chains.len() / 4),
        Action::DeleteChain | Action::RenameChain(_) => table().map(|table| {
            let rules = table.chains.iter().map(|chain| chain.rules.len() + 1);
            rules.fold(0, usize::saturating_add).saturating_mul(SEARCH)
        }),
        _ => None,
    };
    cost.unwrap_or_default()
}

/// Applies operations to a copy of `model`.
///
/// # Errors
///
/// The index of the operation to blame, and what is wrong with it.
pub fn apply(model: &Model, ops: KVVec<Op>) -> Result<Model, (usize, Error)> {
    apply_within(MAX_WORK, model, ops)
}

fn apply_within(max_work: usize, before: &Model, ops: KVVec<Op>) -> Result<Model, (usize, Error)> {
    let mut model = before.successor().map_err(|error| (0, error.into()))?;
    let count = ops.len();
    let mut work = 0usize;
    for (index, op) in ops.into_iter().enumerate() {
        work = work.saturating_add(cost(&model, &op));
        if work > max_work {
            let kind = Kind::TooMuchWork;
            return Err((index, Error { kind, place: None }));
        }
        apply_one(&mut model, op).map_err(|error| (index, error))?;
    }
    inheritance::settle(before, &mut model).map_err(|error| (count, error.into()))?;
    tables::settle(before, &model).map_err(|error| (count, error))?;
    Ok(model)
}

/// Whether a person may give this name to a chain or table.
fn allowed(name: &Name) -> bool {
    let text = name.as_bytes();
    !matches!(text, [] | [b'-' | b'!', ..])
        && !TARGETS.contains(name)
        && text
            .iter()
            .all(|byte| byte.is_ascii_graphic() && *byte != b'"')
}

fn apply_one(model: &mut Model, op: Op) -> Result<(), Error> {
    let Op {
        family,
        table: name,
        chain: chain_name,
        action,
    } = op;
    let place = Place {
        family,
        table: name,
        chain: chain_name,
        rule: 0,
    };
    let blame = |kind| Error {
        kind,
        place: Some(place),
    };
    let index = model
        .tables
        .iter()
        .position(|table| table.family == family && table.name == name);

    match action {
        Action::ReplaceTable(own) => {
            return replace_table(model, index, family, name, own).map_err(|error| Error {
                place: Some(place),
                ..error
            });
        }
        Action::DeleteTable => {
            let index = index.ok_or(blame(Kind::NoTable))?;
            let _ = model.tables.remove(index);
            return Ok(());
        }
        _ => (),
    }

    let table = match index.and_then(|index| model.tables.get_mut(index)) {
        Some(table) => table,
        None => return Err(blame(Kind::NoTable)),
    };
    let found = table.position(&chain_name);

    match (action, found) {
        (Action::NewChain, Ok(_)) => Err(blame(Kind::ChainExists)),
        (Action::NewChain, Err(at)) => {
            if !allowed(&chain_name) {
                return Err(blame(Kind::BadName));
            }
            insert_chain(
                table,
                at,
                Chain {
                    name: chain_name,
                    base: None,
                    rules: KVVec::new(),
                },
            )
        }
        (Action::Flush, _) if chain_name.is_empty() => {
            table
                .chains
                .iter_mut()
                .for_each(|chain| chain.rules.clear());
            Ok(())
        }
        (_, Err(_)) => Err(blame(Kind::NoChain)),
        (Action::DeleteChain, Ok(at)) => delete_chain(table, at).map_err(blame),
        (Action::RenameChain(to), Ok(at)) => rename_chain(table, at, to, blame),
        (action, Ok(at)) => match table.chains.get_mut(at) {
            Some(chain) => edit_chain(family, chain, action, place),
            None => Err(blame(Kind::NoChain)),
        },
    }
}

#[inline(never)]
fn replace_table(
    model: &mut Model,
    index: Option<usize>,
    family: Family,
    name: Name,
    own: Option<Own>,
) -> Result<(), Error> {
    let error = |kind| Error { kind, place: None };
    let known = BUILT_IN.iter().find(|table| table.name == name);
    let (hooks, place) = match (known, own) {
        (Some(known), None) => (
            known
                .hooks
                .iter()
                .fold(0, |hooks, hook| hooks | 1 << *hook as u32),
            known.place,
        ),
        (None, Some(own)) => {
            let all = (1 << Hook::ALL.len()) - 1;
            if own.hooks == 0 || own.hooks & !all != 0 {
                return Err(error(Kind::NoHooks));
            }
            if !allowed(&name) || RESERVED.contains(&name) {
                return Err(error(Kind::BadName));
            }
            (own.hooks, own.place)
        }
        _ => return Err(error(Kind::NoHooks)),
    };

    let mut chains = KVVec::new();
    for hook in Hook::ALL
        .into_iter()
        .filter(|hook| hooks & 1 << *hook as u32 != 0)
    {
        let base = Base {
            hook,
            policy: Policy::Accept,
            slot: Slot::default(),
        };
        let chain = Chain {
            name: Name::literal(hook.chain()),
            base: Some(base),
            rules: KVVec::new(),
        };
        chains.push(KBox::new(chain, GFP_KERNEL)?, GFP_KERNEL)?;
    }

    if let Some(index) = index {
        let _ = model.tables.remove(index);
    } else if model.tables.len() >= MAX_TABLES {
        return Err(error(Kind::TooManyTables));
    }
    let table = Table {
        family,
        name,
        own: own.is_some(),
        place,
        chains,
    };
    let order = |table: &Table| (table.family, table.place, table.name);
    let at = model
        .tables
        .iter()
        .take_while(|other| order(other) < order(&table))
        .count();
    model.tables.reserve(1, GFP_KERNEL)?;
    model
        .tables
        .insert_within_capacity(at, table)
        .map_err(|_| error(Kind::TooMany))
}

#[inline(never)]
fn insert_chain(table: &mut Table, at: usize, chain: Chain) -> Result<(), Error> {
    let chain = KBox::new(chain, GFP_KERNEL)?;
    table.chains.reserve(1, GFP_KERNEL)?;
    table
        .chains
        .insert_within_capacity(at, chain)
        .map_err(|_| Error {
            kind: Kind::TooMany,
            place: None,
        })
}

/// Whether a rule of the table jumps to the chain.
fn in_use(table: &Table, name: &Name) -> bool {
    let mut rules = table.chains.iter().flat_map(|chain| chain.rules.iter());
    rules.any(|entry| entry.rule.target.chain() == Some(name))
}

#[inline(never)]
fn delete_chain(table: &mut Table, at: usize) -> Result<(), Kind> {
    let chain = table.chains.get(at).ok_or(Kind::NoChain)?;
    if chain.base.is_some() {
        return Err(Kind::BuiltIn);
    }
    if !chain.rules.is_empty() {
        return Err(Kind::ChainNotEmpty);
    }
    if in_use(table, &chain.name) {
        return Err(Kind::ChainInUse);
    }
    table.chains.remove(at).map(drop).map_err(|_| Kind::NoChain)
}

#[inline(never)]
fn rename_chain(
    table: &mut Table,
    at: usize,
    to: Name,
    blame: impl Fn(Kind) -> Error,
) -> Result<(), Error> {
    if !allowed(&to) {
        return Err(blame(Kind::BadName));
    }
    if table.find(&to).is_some() {
        return Err(blame(Kind::ChainExists));
    }
    let mut chain = match table.chains.get(at) {
        Some(chain) if chain.base.is_some() => return Err(blame(Kind::BuiltIn)),
        _ => table.chains.remove(at).map_err(|_| blame(Kind::NoChain))?,
    };
    let from = core::mem::replace(&mut chain.name, to);
    let at = table.position(&to).unwrap_or_else(|at| at);
    // The chain was there a moment ago, so there is room for it.
    table
        .chains
        .insert_within_capacity(at, chain)
        .map_err(|_| blame(Kind::TooMany))?;

    for entry in table
        .chains
        .iter_mut()
        .flat_map(|chain| chain.rules.iter_mut())
    {
        let target = match &entry.rule.target {
            super::Target::Jump(name) if *name == from => super::Target::Jump(to),
            super::Target::Goto(name) if *name == from => super::Target::Goto(to),
            _ => continue,
        };
        let rule = entry.rule.try_clone_with(target)?;
        entry.rule = Arc::new(rule, GFP_KERNEL)?;
    }
    Ok(())
}

/// Changes the rules or the policy of one chain.
fn edit_chain(
    family: Family,
    chain: &mut Chain,
    action: Action,
    place: Place,
) -> Result<(), Error> {
    let blame = |kind| Error {
        kind,
        place: Some(place),
    };
    let index = |number: u32| {
        number
            .checked_sub(1)
            .map(|index| index as usize)
            .ok_or(blame(Kind::NoRule))
    };
    match action {
        Action::Append(rule, counters) => {
            let end = chain.rules.len();
            insert_rule(family, chain, end, rule, counters, place)
        }
        Action::Insert(number, rule, counters) => {
            insert_rule(family, chain, index(number)?, rule, counters, place)
        }
        Action::Replace(number, rule, counters) => {
            let entry = new_entry(
                family,
                rule,
                counters,
                Place {
                    rule: number,
                    ..place
                },
            )?;
            *chain
                .rules
                .get_mut(index(number)?)
                .ok_or(blame(Kind::NoRule))? = entry;
            Ok(())
        }
        Action::Delete(number) => chain
            .rules
            .remove(index(number)?)
            .map(drop)
            .map_err(|_| blame(Kind::NoRule)),
        Action::Flush => {
            chain.rules.clear();
            Ok(())
        }
        Action::Policy(policy, counters) => {
            let base = chain.base.as_mut().ok_or(blame(Kind::NoPolicy))?;
            base.policy = policy;
            if let Some(initial) = counters {
                base.slot = Slot {
                    previous: None,
                    initial,
                };
            }
            Ok(())
        }
        // The rest is about tables and chains as a whole, and done before.
        _ => Err(blame(Kind::NoChain)),
    }
}

/// Puts a rule before the one of this index, or at the end.
#[inline(never)]
fn insert_rule(
    family: Family,
    chain: &mut Chain,
    index: usize,
    rule: Arc<Rule>,
    counters: Counters,
    place: Place,
) -> Result<(), Error> {
    let blame = |kind| Error {
        kind,
        place: Some(place),
    };
    if index > chain.rules.len() {
        return Err(blame(Kind::NoRule));
    }
    let number = u32::try_from(index + 1).map_err(|_| blame(Kind::TooMany))?;
    let entry = new_entry(
        family,
        rule,
        counters,
        Place {
            rule: number,
            ..place
        },
    )?;
    chain.rules.reserve(1, GFP_KERNEL)?;
    chain
        .rules
        .insert_within_capacity(index, entry)
        .map_err(|_| blame(Kind::TooMany))
}

fn new_entry(
    family: Family,
    rule: Arc<Rule>,
    initial: Counters,
    place: Place,
) -> Result<Entry, Error> {
    rule.check(family).map_err(|kind| Error {
        kind,
        place: Some(place),
    })?;
    Ok(Entry {
        rule,
        slot: Slot {
            previous: None,
            initial,
        },
    })
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_transaction))]
mod tests {
    use super::super::{Program, Target};
    use super::*;
    use crate::engine::fixtures::ops;
    use crate::engine::rules::model::{Matches, Prefix};
    use crate::uapi::field::Not;
    use core::net::{IpAddr, Ipv6Addr};

    fn name(text: &str) -> Name {
        Name::new(text.as_bytes()).unwrap()
    }

    fn change<const N: usize>(
        model: &Model,
        actions: [(&str, Action); N],
    ) -> Result<Model, (usize, Kind)> {
        let mut list = KVVec::new();
        for (chain, action) in actions {
            let chain = name(chain);
            let op = Op {
                family: Family::V4,
                table: name("filter"),
                chain,
                action,
            };
            list.push(op, GFP_KERNEL).unwrap();
        }
        apply(model, list).map_err(|(index, error)| (index, error.kind))
    }

    fn drop_protocol(number: u8) -> Rule {
        Rule {
            protocol: Some(Not::is(number)),
            target: Target::Drop,
            ..Rule::default()
        }
    }

    fn shared(rule: Rule) -> Arc<Rule> {
        Arc::new(rule, GFP_KERNEL).ok().unwrap()
    }

    /// INPUT: -p 1 -j DROP, -p 2 -j DROP, -p 3 -j DROP; chain "own": -p 4 -j DROP.
    fn start() -> Model {
        let rules = [
            ("INPUT", drop_protocol(1)),
            ("INPUT", drop_protocol(2)),
            ("INPUT", drop_protocol(3)),
            ("own", drop_protocol(4)),
        ];
        apply(&Model::default(), ops(Family::V4, rules))
            .ok()
            .unwrap()
    }

    /// The protocols that the rules of a chain ask for, as digits of one number.
    fn protocols(model: &Model, chain: &str) -> Option<u32> {
        let table = model.find(Family::V4, &name("filter"))?;
        let chain = table.chains.get(table.find(&name(chain))?)?;
        let numbers = chain.rules.iter().filter_map(|entry| entry.rule.protocol);
        Some(numbers.fold(0, |sum, protocol| sum * 10 + u32::from(protocol.value)))
    }

    const NONE: Counters = Counters {
        packets: 0,
        bytes: 0,
    };

    #[test]
    fn rules_come_and_go_where_they_are_told() {
        let model = start();
        let after = |action| {
            let model = change(&model, [("INPUT", action)]).ok();
            model.and_then(|model| protocols(&model, "INPUT"))
        };
        assert!(after(Action::Append(shared(drop_protocol(9)), NONE)) == Some(1239));
        assert!(after(Action::Insert(1, shared(drop_protocol(9)), NONE)) == Some(9123));
        assert!(after(Action::Insert(4, shared(drop_protocol(9)), NONE)) == Some(1239));
        assert!(after(Action::Replace(2, shared(drop_protocol(9)), NONE)) == Some(193));
        assert!(after(Action::Delete(3)) == Some(12));
        assert!(after(Action::Flush) == Some(0));
        for number in [0, 4, u32::MAX] {
            assert!(after(Action::Delete(number)).is_none());
            assert!(after(Action::Replace(number, shared(drop_protocol(9)), NONE)).is_none());
        }
        for number in [0, 5, u32::MAX] {
            assert!(after(Action::Insert(number, shared(drop_protocol(9)), NONE)).is_none());
        }
    }

    #[test]
    fn the_model_before_is_untouched_and_the_error_tells_which() {
        let model = start();
        let actions = [("INPUT", Action::Flush), ("nowhere", Action::Flush)];
        assert!(change(&model, actions).err() == Some((1, Kind::NoChain)));
        assert!(protocols(&model, "INPUT") == Some(123));
    }

    #[test]
    fn chains() {
        let model = start();
        let refused = |chain, action| {
            change(&model, [(chain, action)])
                .err()
                .map(|(_, kind)| kind)
        };
        assert!(refused("own", Action::NewChain) == Some(Kind::ChainExists));
        assert!(refused("INPUT", Action::NewChain) == Some(Kind::ChainExists));
        assert!(refused("ACCEPT", Action::NewChain) == Some(Kind::BadName));
        assert!(refused("-x", Action::NewChain) == Some(Kind::BadName));
        assert!(refused("a b", Action::NewChain) == Some(Kind::BadName));
        assert!(refused("a\"b", Action::NewChain) == Some(Kind::BadName));
        assert!(refused("INPUT", Action::DeleteChain) == Some(Kind::BuiltIn));
        assert!(refused("own", Action::DeleteChain) == Some(Kind::ChainNotEmpty));
        assert!(refused("own", Action::Policy(Policy::Drop, None)) == Some(Kind::NoPolicy));
        assert!(refused("INPUT", Action::RenameChain(name("x"))) == Some(Kind::BuiltIn));
        assert!(refused("own", Action::RenameChain(name("FORWARD"))) == Some(Kind::ChainExists));

        let jump = Rule {
            target: Target::Jump(name("own")),
            ..Rule::default()
        };
        let used = [
            ("own", Action::Flush),
            ("INPUT", Action::Append(shared(jump), NONE)),
        ];
        let model = change(&model, used).ok().unwrap();
        let gone = change(&model, [("own", Action::DeleteChain)]);
        assert!(gone.err() == Some((0, Kind::ChainInUse)));
        // A jump follows the name.
        let renamed = change(&model, [("own", Action::RenameChain(name("zone")))])
            .ok()
            .unwrap();
        assert!(protocols(&renamed, "own").is_none());
        assert!(Program::compile(&renamed).is_ok());
        let free = change(
            &renamed,
            [("INPUT", Action::Flush), ("zone", Action::DeleteChain)],
        );
        assert!(free.is_ok());
    }

    #[test]
    fn work_is_bounded() {
        let within = |work, action: &dyn Fn() -> Action| {
            let mut list = KVVec::new();
            for _ in 0..10 {
                let op = Op {
                    family: Family::V4,
                    table: name("filter"),
                    chain: name("INPUT"),
                    action: action(),
                };
                list.push(op, GFP_KERNEL).unwrap();
            }
            let result = apply_within(work, &start(), list);
            result.map_err(|(index, error)| (index, error.kind)).err()
        };
        let insert = |number| Action::Insert(number, shared(drop_protocol(9)), NONE);
        // Three rules are there, so 2 + 3 + ... + 11 are moved.
        assert!(within(65, &|| insert(1)).is_none());
        assert!(within(64, &|| insert(1)) == Some((9, Kind::TooMuchWork)));
        // What comes at the end moves nothing.
        assert!(within(0, &|| Action::Append(shared(drop_protocol(9)), NONE)).is_none());
        assert!(within(0, &|| Action::Delete(3)) == Some((1, Kind::NoRule)));
        assert!(within(1, &|| Action::Delete(1)) == Some((0, Kind::TooMuchWork)));
    }

    #[test]
    fn tables_are_bounded() {
        let with = |count: usize| {
            let mut list = KVVec::new();
            for number in 0..count {
                let digits = [b'a' + (number / 26) as u8, b'a' + (number % 26) as u8];
                let op = Op {
                    family: Family::V4,
                    table: Name::new(&digits).unwrap(),
                    chain: Name::default(),
                    action: Action::ReplaceTable(Some(Own { hooks: 1, place: 0 })),
                };
                list.push(op, GFP_KERNEL).unwrap();
            }
            apply(&Model::default(), list).map_err(|(index, error)| (index, error.kind))
        };
        assert!(with(MAX_TABLES).is_ok());
        assert!(with(MAX_TABLES + 1).err() == Some((MAX_TABLES, Kind::TooManyTables)));
    }

    #[test]
    fn matches_are_bounded() {
        let with = |count: usize| {
            let mut rule = Rule::default();
            for _ in 0..count {
                let mark = super::super::matches::Mark {
                    mark: Not::is(super::super::matches::Masked { value: 0, mask: 0 }),
                };
                let item = super::super::Match::Mark(mark);
                rule.matches.0.push(item, GFP_KERNEL).unwrap();
            }
            let action = Action::Append(shared(rule), NONE);
            change(&start(), [("INPUT", action)])
        };
        let most = with(Matches::MAX).ok().unwrap();
        assert!(Program::compile(&most).is_ok());
        assert!(with(Matches::MAX + 1).err() == Some((0, Kind::TooManyMatches)));
    }

    #[test]
    fn tables() {
        let with = |table: &str, own| {
            let mut list = KVVec::new();
            let action = Action::ReplaceTable(own);
            let op = Op {
                family: Family::V4,
                table: name(table),
                chain: Name::default(),
                action,
            };
            list.push(op, GFP_KERNEL).unwrap();
            apply(&start(), list).map_err(|(_, error)| error.kind)
        };
        let own = |hooks, place| Some(Own { hooks, place });
        // Before filter, and after it.
        for (place, position) in [(-1, 0), (1, 1)] {
            let model = with("edge", own(0b11, place)).ok().unwrap();
            let edge = model.tables.get(position).unwrap();
            assert!(edge.name == name("edge"));
            assert_eq!(edge.hooks().count(), 2);
        }
        assert!(
            with("filter", None)
                .ok()
                .and_then(|model| protocols(&model, "INPUT"))
                == Some(0)
        );
        assert!(with("edge", None).err() == Some(Kind::NoHooks));
        assert!(with("edge", own(0, 0)).err() == Some(Kind::NoHooks));
        assert!(with("edge", own(1 << 5, 0)).err() == Some(Kind::NoHooks));
        assert!(with("filter", own(1, 0)).err() == Some(Kind::NoHooks));
        assert!(with("nat", own(1, 0)).err() == Some(Kind::BadName));
    }

    #[test]
    fn counters_belong_to_a_rule_for_as_long_as_it_stays() {
        let model = start();
        let moved = change(
            &model,
            [("INPUT", Action::Insert(1, shared(drop_protocol(9)), NONE))],
        )
        .ok()
        .unwrap();
        let previous = |model: &Model, expected: &[Option<u32>]| {
            let program = Program::compile(model).ok().unwrap();
            program
                .slots()
                .iter()
                .map(|slot| slot.previous)
                .eq(expected.iter().copied())
        };
        // Slots: INPUT's policy, its rules, two more policies, the rule of "own".
        let expected = [
            Some(0),
            None,
            Some(1),
            Some(2),
            Some(3),
            Some(4),
            Some(5),
            Some(6),
        ];
        assert!(previous(&moved, &expected));
        // Replaced by itself it is another rule, and counts from the start.
        let same = change(
            &model,
            [("INPUT", Action::Replace(1, shared(drop_protocol(1)), NONE))],
        )
        .ok()
        .unwrap();
        let expected = [Some(0), None, Some(2), Some(3), Some(4), Some(5), Some(6)];
        assert!(previous(&same, &expected));
        // The next change counts from there.
        let next = change(&moved, [("INPUT", Action::Delete(1))]).ok().unwrap();
        let expected = [
            Some(0),
            Some(2),
            Some(3),
            Some(4),
            Some(5),
            Some(6),
            Some(7),
        ];
        assert!(previous(&next, &expected));
    }

    #[test]
    fn a_rule_of_the_other_family_is_refused() {
        let (address, mask) = (
            IpAddr::V6(Ipv6Addr::LOCALHOST),
            IpAddr::V6(u128::MAX.into()),
        );
        let rule = Rule {
            source: Some(Not::is(Prefix { address, mask })),
            ..Rule::default()
        };
        let refused = change(&start(), [("INPUT", Action::Append(shared(rule), NONE))]);
        assert!(refused.err() == Some((0, Kind::MixedFamilies)));
    }
}

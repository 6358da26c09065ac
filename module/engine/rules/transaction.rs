// SPDX-License-Identifier: GPL-2.0
//! Changes to a ruleset: operations, applied in order to a copy of the model.
//!
//! One list of operations is what the command sends and what a dump answers, so the code here serves both
//! sides: the kernel applies them to what is in force, the command to an empty model to learn what is.

use super::error::{Error, Kind, Place};
use super::model::{Base, Chain, Counters, Entry, Model, Policy, Rule, Table};
use crate::alloc::{Arc, KBox, KVVec, GFP_KERNEL};
use crate::engine::packet::{Family, Hook};
use crate::engine::text::Name;

/// One change.
#[derive(Debug)]
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
#[derive(Debug)]
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
    Append(Rule, Counters),
    /// A rule comes before the one of this number, counted from 1.
    Insert(u32, Rule, Counters),
    /// A rule takes the place of the one of this number.
    Replace(u32, Rule, Counters),
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
static BUILT_IN: [BuiltIn; 1] = [BuiltIn {
    name: Name::literal("filter"),
    hooks: &[Hook::LocalIn, Hook::Forward, Hook::LocalOut],
    place: 0,
}];

/// Names of iptables' tables that are not there yet: a table of one's own under one of them would be taken
/// for something else.
static RESERVED: [Name; 4] = [
    Name::literal("raw"),
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

/// Applies operations to a copy of `model`.
///
/// # Errors
///
/// The index of the operation to blame, and what is wrong with it.
pub fn apply(model: &Model, ops: KVVec<Op>) -> Result<Model, (usize, Error)> {
    let mut model = model.try_clone().map_err(|error| (0, error.into()))?;
    for (index, op) in ops.into_iter().enumerate() {
        apply_one(&mut model, op).map_err(|error| (index, error))?;
    }
    Ok(model)
}

/// Whether a person may give this name to a chain or table.
fn allowed(name: &Name) -> bool {
    let text = name.as_bytes();
    !matches!(text, [] | [b'-' | b'!', ..])
        && !TARGETS.contains(name)
        && text.iter().all(|byte| byte.is_ascii_graphic())
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

    let next_handle = &mut model.next_handle;
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
            Some(chain) => edit_chain(family, chain, action, next_handle, place),
            None => Err(blame(Kind::NoChain)),
        },
    }
}

/// A number that no rule or policy had before.
fn take_handle(next: &mut u64) -> u64 {
    *next = next.wrapping_add(1);
    *next
}

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
            handle: take_handle(&mut model.next_handle),
            initial: Counters::default(),
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
    next_handle: &mut u64,
    place: Place,
) -> Result<(), Error> {
    let blame = |kind| Error {
        kind,
        place: Some(place),
    };
    let (at, rule, counters) = match action {
        Action::Append(rule, counters) => (None, Some(rule), counters),
        Action::Insert(number, rule, counters) => (Some(number), Some(rule), counters),
        Action::Replace(number, rule, counters) => {
            let entry = new_entry(
                family,
                rule,
                counters,
                next_handle,
                Place {
                    rule: number,
                    ..place
                },
            )?;
            let index = number.checked_sub(1).ok_or(blame(Kind::NoRule))?;
            *chain
                .rules
                .get_mut(index as usize)
                .ok_or(blame(Kind::NoRule))? = entry;
            return Ok(());
        }
        Action::Delete(number) => (Some(number), None, Counters::default()),
        Action::Flush => {
            chain.rules.clear();
            return Ok(());
        }
        Action::Policy(policy, counters) => {
            let base = chain.base.as_mut().ok_or(blame(Kind::NoPolicy))?;
            base.policy = policy;
            if let Some(counters) = counters {
                base.handle = take_handle(next_handle);
                base.initial = counters;
            }
            return Ok(());
        }
        _ => return Err(blame(Kind::NoChain)),
    };

    let index = match at {
        Some(number) => number.checked_sub(1).ok_or(blame(Kind::NoRule))? as usize,
        None => chain.rules.len(),
    };
    let Some(rule) = rule else {
        return chain
            .rules
            .remove(index)
            .map(drop)
            .map_err(|_| blame(Kind::NoRule));
    };
    if index > chain.rules.len() {
        return Err(blame(Kind::NoRule));
    }
    let number = u32::try_from(index + 1).map_err(|_| blame(Kind::TooMany))?;
    let entry = new_entry(
        family,
        rule,
        counters,
        next_handle,
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
    rule: Rule,
    initial: Counters,
    next_handle: &mut u64,
    place: Place,
) -> Result<Entry, Error> {
    rule.check(family).map_err(|kind| Error {
        kind,
        place: Some(place),
    })?;
    let handle = take_handle(next_handle);
    Ok(Entry {
        handle,
        rule: Arc::new(rule, GFP_KERNEL)?,
        initial,
    })
}

// SPDX-License-Identifier: GPL-2.0
//! Which rules share a table of flows: those of a family that give it the same name.
//!
//! A rule keeps its table as long as it is there. A new one takes the table of another rule that has its name; where
//! there is none but one of the ruleset before was as the rule wants it, that one; or else a new one, made as the
//! first rule of the name says. So a table goes on when its rules are loaded again, also with other targets.

use core::mem;

use super::error::{Error, Kind, Place};
use super::flows::{Rate, Table};
use super::inheritance::{sorted, split};
use super::matches::Hashlimit;
use super::model::{Entry, Model};
use super::Match;
use crate::alloc::{Arc, KVVec, GFP_KERNEL};
use crate::engine::siphash::SipHash;

/// A rule's claim to a table.
struct Claim<'a> {
    hashlimit: &'a Hashlimit,
    /// Where the rule is.
    place: Place,
    /// Whether it is of the ruleset before.
    before: bool,
}

/// Gives a table to each rule of `after` that wants one and has none.
///
/// # Errors
///
/// A rule that can't share a table with others of its name; there is no memory.
#[inline(never)]
pub(super) fn settle(before: &Model, after: &Model) -> Result<(), Error> {
    let wants = |hashlimit: &Hashlimit| hashlimit.flows.table().is_none();
    let mut entries = entries(after).filter(|(_, entry)| entry.slot.previous.is_none());
    if !entries.any(|(_, entry)| hashlimits(entry).any(wants)) {
        return Ok(());
    }

    let mut claims = KVVec::new();
    let mut keys = KVVec::new();
    for (model, before) in [(after, false), (before, true)] {
        for (place, entry) in self::entries(model) {
            for hashlimit in hashlimits(entry) {
                let mut hash = SipHash::new([0; 2]);
                hash.word(place.family as u64);
                hash.bytes(hashlimit.name.as_bytes());
                keys.push((hash.finish(), claims.len()), GFP_KERNEL)?;
                let claim = Claim {
                    hashlimit,
                    place,
                    before,
                };
                claims.push(claim, GFP_KERNEL)?;
            }
        }
    }
    let keys = sorted(keys)?;
    let mut rest = &*keys;
    while let Some((hash, _)) = rest.first() {
        let count = rest.iter().take_while(|(other, _)| other == hash).count();
        let (same, others) = split(rest, count);
        share(same.iter().filter_map(|(_, index)| claims.get(*index)))?;
        rest = others;
    }
    Ok(())
}

/// The rules of a model, and where they are.
pub(super) fn entries(model: &Model) -> impl Iterator<Item = (Place, &Entry)> {
    model.tables.iter().flat_map(|table| {
        table.chains.iter().flat_map(|chain| {
            let place = |rule| Place {
                family: table.family,
                table: table.name,
                chain: chain.name,
                rule,
            };
            (1..)
                .zip(&chain.rules)
                .map(move |(number, entry)| (place(number), entry))
        })
    })
}

pub(super) fn hashlimits(entry: &Entry) -> impl Iterator<Item = &Hashlimit> {
    entry.rule.matches.0.iter().filter_map(|item| match item {
        Match::Hashlimit(hashlimit) => Some(hashlimit),
        _ => None,
    })
}

/// Gives rules with one name their table.
fn share<'a>(claims: impl Iterator<Item = &'a Claim<'a>> + Clone) -> Result<(), Error> {
    let ours = claims.clone().filter(|claim| !claim.before);
    let Some(first) = ours.clone().next() else {
        return Ok(());
    };
    let config = first.hashlimit.config();
    let table = |claim: &Claim<'a>| claim.hashlimit.flows.table().cloned();
    let left = claims
        .clone()
        .filter(|claim| claim.before)
        .filter_map(table);
    let known = ours.clone().find_map(table);
    let known = known.or_else(|| left.clone().find(|table| *table.config() == config));
    let table = match known {
        Some(table) => table,
        None => Arc::new(Table::new(config)?, GFP_KERNEL)?,
    };
    for claim in ours {
        let blame = |what| Error {
            kind: Kind::Extension(what),
            place: Some(claim.place),
        };
        if claim.hashlimit.name != first.hashlimit.name {
            return Err(blame("the hashlimit needs another name"));
        }
        if !alike(&claim.hashlimit.config().rate, &table.config().rate) {
            return Err(blame("hashlimits with one name count alike"));
        }
        claim.hashlimit.flows.set(table.clone());
    }
    Ok(())
}

/// Whether one table can serve rules with either rate: what a flow has used means the same.
fn alike(a: &Rate, b: &Rate) -> bool {
    let bytes = |rate: &Rate| match rate {
        Rate::Intervals { bytes, .. } => Some(*bytes),
        _ => None,
    };
    mem::discriminant(a) == mem::discriminant(b) && bytes(a) == bytes(b)
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_tables))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{hashlimit, ops, with_match};
    use crate::engine::packet::Family;
    use crate::engine::rules::transaction::apply;
    use crate::engine::rules::{Rule, Target};
    use crate::uapi::field::Not;

    #[test]
    fn rules_of_one_name_share() {
        let rules = [
            ("INPUT", rule(b"a", 10, false)),
            ("FORWARD", rule(b"b", 10, false)),
            ("FORWARD", rule(b"a", 10, false)),
            // The first rule says what the table is like.
            ("own", rule(b"a", 20, false)),
        ];
        let model = apply(&Model::default(), ops(Family::V4, rules))
            .ok()
            .unwrap();
        assert!(same(&model, 0, &model, 2));
        assert!(same(&model, 0, &model, 3));
        assert!(!same(&model, 0, &model, 1));
        let period = |number| match table(&model, number).unwrap().config().rate {
            Rate::Packets { period, .. } => period,
            _ => 0,
        };
        assert_eq!(period(3), 10);
    }

    #[test]
    fn a_table_goes_on_with_rules_that_are_loaded_again() {
        let load = |before: &Model, period, target| {
            let rule = Rule {
                target,
                ..rule(b"a", period, false)
            };
            apply(before, ops(Family::V4, [("INPUT", rule)]))
                .ok()
                .unwrap()
        };
        let first = load(&Model::default(), 10, Target::Drop);
        assert!(same(&first, 0, &load(&first, 10, Target::Drop), 0));
        assert!(same(&first, 0, &load(&first, 10, Target::Accept), 0));
        assert!(!same(&first, 0, &load(&first, 20, Target::Drop), 0));
    }

    #[test]
    fn rules_that_count_otherwise_do_not_share() {
        let rules = |bytes| {
            [
                ("INPUT", rule(b"a", 10, false)),
                ("INPUT", rule(b"a", 10, bytes)),
            ]
        };
        assert!(apply(&Model::default(), ops(Family::V4, rules(false))).is_ok());
        let refused = apply(&Model::default(), ops(Family::V4, rules(true))).err();
        let (_, error) = refused.unwrap();
        assert!(matches!(error.kind, Kind::Extension(_)));
        assert_eq!(error.place.unwrap().rule, 2);
    }

    fn rule(name: &[u8], period: u64, bytes: bool) -> Rule {
        let hashlimit = Hashlimit {
            period: Not::is(period),
            bytes,
            ..hashlimit(name)
        };
        with_match(Match::Hashlimit(hashlimit), Target::Continue)
    }

    fn table(model: &Model, number: usize) -> Option<&Arc<Table>> {
        let (_, entry) = entries(model).nth(number)?;
        hashlimits(entry).next()?.flows.table()
    }

    fn same(a: &Model, first: usize, b: &Model, second: usize) -> bool {
        let table = |model, number| table(model, number).map(|table| &raw const **table);
        table(a, first).is_some() && table(a, first) == table(b, second)
    }
}

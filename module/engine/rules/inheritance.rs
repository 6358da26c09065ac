// SPDX-License-Identifier: GPL-2.0
//! What rules remember goes on when they are loaded once more.
//!
//! A transaction that replaces a table brings new rules, though most are what was there before. Where a new rule
//! equals one that goes, table and chain included, and their matches remember something, the old one stays in its
//! place: a limit is not full again, and a quota not unused, because somebody changed another rule.
//!
//! Old and new rules are ordered by a hash of what they say, and paired in one walk over both lists; of several
//! equal ones the first goes with the first. So the time is bounded by the number of rules times its logarithm,
//! whatever they are. Two that are not equal and have the same hash can keep a third from its pair, which then
//! begins anew. Chance does not make such rules; to compare each with each would serve only who made them.

use core::mem;

use super::model::{Entry, Model};
use crate::alloc::{AllocError, KVVec, GFP_KERNEL};
use crate::engine::packet::Family;
use crate::engine::siphash::SipHash;
use crate::engine::text::Name;
use crate::uapi::attr::{Full, Writer};
use crate::uapi::field::Wire;

/// A rule that remembers something, and the chain that it stands in. `E` is a reference to its entry.
struct Candidate<'a, E> {
    family: Family,
    table: &'a Name,
    chain: &'a Name,
    entry: E,
}

impl<E> Candidate<'_, E> {
    fn place(&self) -> (Family, &Name, &Name) {
        (self.family, self.table, self.chain)
    }
}

/// A candidate by the hash of what it says, and its index in its list.
pub(super) type Key = (u64, usize);

/// Gives rules of `after` that are new what equal ones of `before` remember, if those are no longer there. `after`
/// comes from a [successor](Model::successor) of `before`.
#[inline(never)]
pub(super) fn settle(before: &Model, after: &mut Model) -> Result<(), AllocError> {
    let (mut heirs, kept) = heirs(before, after)?;
    if heirs.is_empty() {
        return Ok(());
    }
    let left = left(before, &kept)?;
    let heir_keys = keys(heirs.iter().map(|heir| (heir.place(), &*heir.entry)))?;
    let left_keys = keys(left.iter().map(|left| (left.place(), left.entry)))?;

    let mut rest = left_keys.iter().peekable();
    for (hash, heir) in &heir_keys {
        while rest.next_if(|(left, _)| left < hash).is_some() {}
        let known = rest.peek().filter(|(left, _)| left == hash);
        let known = known.and_then(|(_, index)| left.get(*index));
        let (Some(heir), Some(known)) = (heirs.get_mut(*heir), known) else {
            continue;
        };
        if heir.place() == known.place() && *heir.entry.rule == *known.entry.rule {
            heir.entry.rule = known.entry.rule.clone();
            rest.next();
        }
    }
    Ok(())
}

/// The new rules of `after` that remember something; and for each slot of `before`, whether its rule is still there.
fn heirs<'a>(
    before: &Model,
    after: &'a mut Model,
) -> Result<(KVVec<Candidate<'a, &'a mut Entry>>, KVVec<bool>), AllocError> {
    let chains = before.tables.iter().flat_map(|table| table.chains.iter());
    let slots = chains.map(|chain| usize::from(chain.base.is_some()) + chain.rules.len());
    let mut kept = KVVec::from_elem(false, slots.sum(), GFP_KERNEL)?;
    let mut heirs = KVVec::new();
    for table in after.tables.iter_mut() {
        for chain in table.chains.iter_mut() {
            let chain = &mut **chain;
            for entry in chain.rules.iter_mut() {
                match entry.slot.previous {
                    Some(slot) => {
                        if let Some(kept) = kept.get_mut(slot as usize) {
                            *kept = true;
                        }
                    }
                    None if entry.rule.remembers() => {
                        let heir = Candidate {
                            family: table.family,
                            table: &table.name,
                            chain: &chain.name,
                            entry,
                        };
                        heirs.push(heir, GFP_KERNEL)?;
                    }
                    None => (),
                }
            }
        }
    }
    Ok((heirs, kept))
}

/// The rules of `before` that remember something and are not kept.
fn left<'a>(
    before: &'a Model,
    kept: &[bool],
) -> Result<KVVec<Candidate<'a, &'a Entry>>, AllocError> {
    let mut kept = kept.iter();
    let mut left = KVVec::new();
    for table in &before.tables {
        for chain in &table.chains {
            // The slot of the policy comes first.
            chain.base.and_then(|_| kept.next());
            for entry in &chain.rules {
                if kept.next() == Some(&false) && entry.rule.remembers() {
                    let candidate = Candidate {
                        family: table.family,
                        table: &table.name,
                        chain: &chain.name,
                        entry,
                    };
                    left.push(candidate, GFP_KERNEL)?;
                }
            }
        }
    }
    Ok(left)
}

/// The keys of candidates, in order.
fn keys<'a>(
    candidates: impl Iterator<Item = ((Family, &'a Name, &'a Name), &'a Entry)>,
) -> Result<KVVec<Key>, AllocError> {
    let mut writer = Writer::new(1 << 16);
    let mut keys = KVVec::new();
    for (index, ((family, table, chain), entry)) in candidates.enumerate() {
        writer.clear();
        match entry.rule.encode(&mut writer) {
            // Nobody sends a rule that is longer than a message, and rules with one hash are compared.
            Ok(()) | Err(Full::Limit) => (),
            Err(Full::NoMemory) => return Err(AllocError),
        }
        let mut hash = SipHash::new([0; 2]);
        hash.word(family as u64);
        for bytes in [table.as_bytes(), chain.as_bytes(), writer.bytes()] {
            hash.bytes(bytes);
        }
        keys.push((hash.finish(), index), GFP_KERNEL)?;
    }
    sorted(keys)
}

/// Sorts keys by merging runs that are twice as long each time: without recursion, for the kernel's stack is small.
pub(super) fn sorted(mut keys: KVVec<Key>) -> Result<KVVec<Key>, AllocError> {
    let mut merged = KVVec::with_capacity(keys.len(), GFP_KERNEL)?;
    let mut run = 1;
    while run < keys.len() {
        merged.clear();
        let mut rest = &*keys;
        while !rest.is_empty() {
            let (mut a, mut b);
            (a, rest) = split(rest, run);
            (b, rest) = split(rest, run);
            loop {
                let (from, key) = match (a.first(), b.first()) {
                    (Some(first), Some(second)) if second < first => (&mut b, second),
                    (Some(first), _) => (&mut a, first),
                    (None, Some(second)) => (&mut b, second),
                    (None, None) => break,
                };
                merged.push(*key, GFP_KERNEL)?;
                *from = from.get(1..).unwrap_or_default();
            }
        }
        mem::swap(&mut keys, &mut merged);
        run *= 2;
    }
    Ok(keys)
}

/// The first `at` keys, and those after them.
pub(super) fn split(keys: &[Key], at: usize) -> (&[Key], &[Key]) {
    keys.split_at_checked(at).unwrap_or((keys, &[]))
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_inheritance))]
mod tests {
    use super::*;
    use crate::alloc::{Arc, KVec};
    use crate::engine::fixtures::ops;
    use crate::engine::rules::matches::Quota;
    use crate::engine::rules::memory::Memory;
    use crate::engine::rules::model::Matches;
    use crate::engine::rules::transaction::{apply, Action, Op};
    use crate::engine::rules::{Counters, Match, Rule};
    use crate::uapi::field::Not;

    #[test]
    fn a_table_that_is_loaded_again_goes_on() {
        let load = || ops(Family::V4, [("INPUT", quota(100)), ("INPUT", quota(200))]);
        let model = after(&Model::default(), load());
        use_up(&model);
        let model = after(&model, load());
        assert!(used(&model, "INPUT", &[100, 200]));
        // Whatever else changes around them, and in which order they come.
        let rules = [
            ("INPUT", Rule::default()),
            ("INPUT", quota(200)),
            ("own", quota(100)),
            ("INPUT", quota(300)),
            ("INPUT", quota(100)),
        ];
        let model = after(&model, ops(Family::V4, rules));
        assert!(used(&model, "INPUT", &[200, 0, 100]));
        assert!(used(&model, "own", &[0]));
        // What was not there for one generation is forgotten.
        let empty = after(&model, ops(Family::V4, []));
        let model = after(&empty, load());
        assert!(used(&model, "INPUT", &[0, 0]));
    }

    #[test]
    fn equal_rules_pair_up_in_order() {
        let load = |count: usize| {
            let mut list = ops(Family::V4, []);
            for _ in 0..count {
                list.push(append(quota(100)), GFP_KERNEL).unwrap();
            }
            list
        };
        let model = after(&Model::default(), load(3));
        for (number, quota) in (1..).zip(quotas(&model, "INPUT")) {
            quota.used.update(|_| (number, ()));
        }
        assert!(used(&after(&model, load(2)), "INPUT", &[1, 2]));
        assert!(used(&after(&model, load(5)), "INPUT", &[1, 2, 3, 0, 0]));
    }

    #[test]
    fn a_rule_that_stays_is_not_shared() {
        let model = after(&Model::default(), ops(Family::V4, [("INPUT", quota(100))]));
        use_up(&model);
        let mut list = KVVec::new();
        list.push(append(quota(100)), GFP_KERNEL).unwrap();
        let model = after(&model, list);
        assert!(used(&model, "INPUT", &[100, 0]));
    }

    #[test]
    fn keys_are_sorted() {
        for count in 0..40_usize {
            let mut keys = KVVec::new();
            for index in 0..count {
                keys.push(((index * 7 % 10) as u64, index), GFP_KERNEL)
                    .unwrap();
            }
            let keys = sorted(keys).unwrap();
            assert_eq!(keys.len(), count);
            assert!(keys.iter().is_sorted());
        }
    }

    fn quota(bytes: u64) -> Rule {
        let quota = Quota {
            quota: Not::is(bytes),
            used: Memory::new().unwrap(),
        };
        let mut matches = KVec::new();
        matches.push(Match::Quota(quota), GFP_KERNEL).unwrap();
        Rule {
            matches: Matches(matches),
            ..Rule::default()
        }
    }

    fn append(rule: Rule) -> Op {
        let rule = Arc::new(rule, GFP_KERNEL).ok().unwrap();
        Op {
            family: Family::V4,
            table: Name::literal("filter"),
            chain: Name::literal("INPUT"),
            action: Action::Append(rule, Counters::default()),
        }
    }

    fn after(model: &Model, ops: KVVec<Op>) -> Model {
        apply(model, ops).ok().unwrap()
    }

    fn quotas<'a>(model: &'a Model, chain: &'a str) -> impl Iterator<Item = &'a Quota> {
        let chains = model.tables.iter().flat_map(|table| table.chains.iter());
        let chains = chains.filter(move |found| found.name.as_bytes() == chain.as_bytes());
        let rules = chains.flat_map(|chain| chain.rules.iter());
        rules.flat_map(|entry| {
            let matches = entry.rule.matches.0.iter();
            matches.filter_map(|item| match item {
                Match::Quota(quota) => Some(quota),
                _ => None,
            })
        })
    }

    fn use_up(model: &Model) {
        for quota in quotas(model, "INPUT") {
            quota.used.update(|_| (quota.quota.value, ()));
        }
    }

    fn used(model: &Model, chain: &str, expected: &[u64]) -> bool {
        let used = quotas(model, chain).map(|quota| quota.used.update(|used| (used, used)));
        used.eq(expected.iter().copied())
    }
}

// SPDX-License-Identifier: GPL-2.0
//! What a packet would pass unseen after a program let it go on.

use super::compile::blame;
use super::error::{Error, Kind};
use super::model::{Policy, Table};
use super::program::Program;
use super::tracking;
use crate::engine::packet::{Family, Hook};

/// For each hook, a rule that hands packets to a program, if there is one: by its chain and place in the chain.
pub(super) type Queueing = [Option<(usize, usize)>; Hook::ALL.len()];

/// What lets a packet go on that was handed to a program goes on behind the hook's function, not in the next
/// table. So behind a table with such a rule no other may have anything to say at the same hook, nor may connections
/// be looked up.
#[derive(Default)]
pub(super) struct Queues([Queued; Family::ALL.len()]);

/// What is refused in a family, if something follows.
#[derive(Default)]
struct Queued {
    /// At each hook, behind the tables so far.
    hooks: [Option<Error>; Hook::ALL.len()],
    /// Where connections are looked up, behind the tables that come before that.
    untracked: Option<Error>,
}

impl Queues {
    /// Takes the next table in the order of a hook's tables.
    pub(super) fn pass(&mut self, table: &Table, found: Queueing) -> Result<(), Error> {
        let [v4, v6] = &mut self.0;
        let queued = match table.family {
            Family::V4 => v4,
            Family::V6 => v6,
        };
        for chain in &table.chains {
            let Some(base) = chain.base else {
                continue;
            };
            let Some(before) = queued.hooks.get_mut(base.hook as usize) else {
                continue;
            };
            let decides = base.policy != Policy::Accept || !chain.rules.is_empty();
            if let Some(error) = before.filter(|_| decides) {
                return Err(error);
            }
            let rule = found.get(base.hook as usize).copied().flatten();
            if let Some((chain, rule)) =
                rule.and_then(|(chain, rule)| Some((table.chains.get(chain)?, rule)))
            {
                *before = Some(blame(table, chain, rule, Kind::QueuedPast));
                if tracking::is_ahead(table) && base.hook.tracks() {
                    queued.untracked = *before;
                }
            }
        }
        Ok(())
    }

    /// Refuses what leads past connection tracking in a program that is complete.
    pub(super) fn check(&self, program: &Program) -> Result<(), Error> {
        let mut families = Family::ALL.into_iter().zip(&self.0);
        let found = families
            .find_map(|(family, queued)| queued.untracked.filter(|_| program.tracks(family)));
        found.map_or(Ok(()), Err)
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_queues))]
mod tests {
    use super::*;
    use crate::alloc::{KVVec, GFP_KERNEL};
    use crate::engine::fixtures::{tables, with_match};
    use crate::engine::rules::matches::{Match, State, States};
    use crate::engine::rules::targets::Nfqueue;
    use crate::engine::rules::transaction::{apply, Action, Op, Own};
    use crate::engine::rules::{Model, Rule, Target};
    use crate::engine::text::Name;
    use crate::uapi::field::Not;

    fn to(target: Target) -> Rule {
        Rule {
            target,
            ..Rule::default()
        }
    }

    fn queue() -> Rule {
        to(Target::Nfqueue(Nfqueue {
            queue: 0,
            total: 1,
            bypass: true,
            cpu_fanout: false,
        }))
    }

    /// Why the tables are refused, and the chain and number of the rule to blame.
    fn refused(ops: KVVec<Op>) -> Option<(Kind, Option<(Name, u32)>)> {
        let model = apply(&Model::default(), ops).ok().unwrap();
        let error = Program::compile(&model).err()?;
        let place = error.place.map(|place| (place.chain, place.rule));
        Some((error.kind, place))
    }

    #[test]
    fn no_table_follows_a_queue() {
        let own = Own {
            hooks: 1 << Hook::Forward as u32,
            place: -1,
        };
        // A table before filter, in which FORWARD leads to a queue, and filter with a rule or a policy.
        let with = |action| {
            let mut ops = tables(
                Family::V4,
                [("own", Some(own)), ("filter", None)],
                [
                    ("own", "c", to(Target::Continue)),
                    ("own", "c", queue()),
                    ("own", "FORWARD", to(Target::Jump(Name::literal("c")))),
                    ("filter", "INPUT", to(Target::Drop)),
                ],
            );
            let op = Op {
                family: Family::V4,
                table: Name::literal("filter"),
                chain: Name::literal("FORWARD"),
                action,
            };
            ops.push(op, GFP_KERNEL).unwrap();
            refused(ops)
        };
        let queued_past = Some((Kind::QueuedPast, Some((Name::literal("c"), 2))));
        assert!(with(Action::Policy(Policy::Drop, None)) == queued_past);
        // A chain that lets everything pass has no say.
        assert!(with(Action::Policy(Policy::Accept, None)).is_none());
        let rule = crate::alloc::Arc::new(Rule::default(), GFP_KERNEL)
            .ok()
            .unwrap();
        let append = Action::Append(rule, super::super::Counters::default());
        assert!(with(append) == queued_past);
    }

    #[test]
    fn no_connection_is_looked_up_behind_a_queue() {
        let queued = |chain, rule| {
            let rules = [("raw", chain, queue()), ("filter", "INPUT", rule)];
            let tables = tables(Family::V6, [("raw", None), ("filter", None)], rules);
            refused(tables)
        };
        let state = || {
            let states = Not::is(States::NEW);
            with_match(Match::State(State { states }), Target::Drop)
        };
        for chain in ["PREROUTING", "OUTPUT"] {
            let place = Some((Name::new(chain.as_bytes()).unwrap_or_default(), 1));
            assert!(queued(chain, state()) == Some((Kind::QueuedPast, place)));
            assert!(queued(chain, to(Target::Drop)).is_none());
        }
    }
}

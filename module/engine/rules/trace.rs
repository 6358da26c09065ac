// SPDX-License-Identifier: GPL-2.0
//! What is told of a traced packet: each rule that it matches, each end of a chain and each policy that it comes
//! to, and what becomes of it there.

use super::line::Action;
use super::model::Policy;
use super::program::Rules;
use crate::engine::packet::DropReason;
use crate::engine::text::Name;

/// What a traced packet met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Met {
    /// A rule that it matches, or that can't tell and so drops it.
    Rule = 0,
    /// The end of a chain that a person made.
    End = 1,
    /// The policy of a built-in chain.
    Policy = 2,
}

impl Met {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Rule, Self::End, Self::Policy];
}

/// What becomes of a traced packet there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Next {
    /// It goes on with the next rule.
    Continue = 0,
    /// It passes the table.
    Accept = 1,
    /// It is dropped.
    Drop = 2,
    /// It is dropped, and its sender told.
    Reject = 3,
    /// A program decides about it.
    Queue = 4,
    /// It leaves the chain.
    Return = 5,
    /// It walks another chain, and then the rest of this one.
    Jump = 6,
    /// It walks another chain instead of the rest of this one.
    Goto = 7,
}

impl Next {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::Continue,
        Self::Accept,
        Self::Drop,
        Self::Reject,
        Self::Queue,
        Self::Return,
        Self::Jump,
        Self::Goto,
    ];
}

/// One step of a traced packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// The table.
    pub table: &'a Name,
    /// The chain.
    pub chain: &'a Name,
    /// What the packet met there.
    pub met: Met,
    /// The number of the rule in its chain, counted from 1; for what comes behind all rules, the number that a
    /// rule there would have.
    pub number: u32,
    /// What becomes of the packet.
    pub next: Next,
    /// The chain that it goes to.
    pub to: Option<&'a Name>,
    /// Why it is dropped.
    pub reason: Option<DropReason>,
}

/// What a walk tells of a traced packet.
#[derive(Clone, Copy)]
pub(super) enum Event {
    /// It matches a rule, which does this.
    Rule(Action),
    /// A rule can't tell whether it matches, and drops it.
    Damaged(DropReason),
    /// It comes to the end of a chain that a person made.
    End,
    /// It comes to a policy.
    Policy(Policy),
}

/// Makes the step of an event in a chain of which `left` lines are left.
pub(super) fn step<A>(rules: &Rules<A>, chain: u32, left: usize, event: Event) -> Option<Step<'_>> {
    let passed = rules.chain(chain).len().checked_sub(left)?;
    let mut callee = None;
    let (met, next, reason) = match event {
        Event::Rule(action) => match action {
            Action::Continue
            | Action::Effect(_)
            | Action::Mark(_)
            | Action::Trace
            | Action::Untrack
            | Action::Zone(_)
            | Action::SetConnmark(_) => (Met::Rule, Next::Continue, None),
            Action::Accept => (Met::Rule, Next::Accept, None),
            Action::Drop => (Met::Rule, Next::Drop, Some(DropReason::Rule)),
            Action::Return => (Met::Rule, Next::Return, None),
            Action::Jump(chain) => {
                callee = Some(chain);
                (Met::Rule, Next::Jump, None)
            }
            Action::Goto(chain) => {
                callee = Some(chain);
                (Met::Rule, Next::Goto, None)
            }
            Action::Reject(_) => (Met::Rule, Next::Reject, None),
            Action::Queue(_) => (Met::Rule, Next::Queue, None),
        },
        Event::Damaged(reason) => (Met::Rule, Next::Drop, Some(reason)),
        Event::End => (Met::End, Next::Return, None),
        Event::Policy(Policy::Accept) => (Met::Policy, Next::Accept, None),
        Event::Policy(Policy::Drop) => (Met::Policy, Next::Drop, Some(DropReason::Policy)),
    };
    let title = rules.title(chain)?;
    Some(Step {
        table: &title.table,
        chain: &title.chain,
        met,
        number: u32::try_from(passed + usize::from(met != Met::Rule)).unwrap_or(u32::MAX),
        next,
        to: callee
            .and_then(|chain| rules.title(chain))
            .map(|title| &title.chain),
        reason,
    })
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_trace))]
mod tests {
    use super::*;
    use crate::alloc::{KVec, GFP_KERNEL};
    use crate::engine::fixtures::{flat, judge, program, Seen, TCP_V4};
    use crate::engine::packet::{Family, Hook, Input};
    use crate::engine::rules::matches::{Match, PortRange, Udp};
    use crate::engine::rules::model::{Matches, Rule};
    use crate::engine::rules::targets::{Nfqueue, Reject, Target};
    use crate::uapi::field::Not;

    fn all(target: Target) -> Rule {
        Rule {
            target,
            ..Rule::default()
        }
    }

    /// A rule that TCP does not match.
    fn other(target: Target) -> Rule {
        Rule {
            protocol: Some(Not::is(17)),
            ..all(target)
        }
    }

    fn to(chain: &'static str) -> Target {
        Target::Jump(Name::literal(chain))
    }

    fn told<const N: usize>(rules: [(&str, Rule); N]) -> KVec<(Name, Met, u32, Next)> {
        let program = program(Family::V4, rules).ok().unwrap();
        judge(&program, Family::V4, TCP_V4).1.steps
    }

    fn same(steps: &[(Name, Met, u32, Next)], wanted: &[(&str, Met, u32, Next)]) -> bool {
        let pairs = || steps.iter().zip(wanted);
        steps.len() == wanted.len()
            && pairs().all(|(step, wanted)| step.0.as_bytes() == wanted.0.as_bytes())
            && pairs()
                .all(|(step, wanted)| (step.1, step.2, step.3) == (wanted.1, wanted.2, wanted.3))
    }

    #[test]
    fn nothing_is_told_without_trace() {
        assert!(told(
            [("INPUT", to("a")), ("a", Target::Drop)].map(|(chain, target)| (chain, all(target)))
        )
        .is_empty());
    }

    #[test]
    fn what_a_packet_meets_from_trace_on_is_told() {
        let steps = told([
            ("INPUT", all(Target::Continue)),
            ("INPUT", all(Target::Trace)),
            ("INPUT", other(Target::Drop)),
            ("INPUT", all(Target::Continue)),
            ("INPUT", all(to("a"))),
            ("INPUT", all(to("empty"))),
            ("a", other(Target::Drop)),
            ("a", all(to("b"))),
            ("b", all(Target::Return)),
            ("b", all(Target::Drop)),
            ("empty", other(Target::Drop)),
        ]);
        let wanted = [
            ("INPUT", Met::Rule, 4, Next::Continue),
            ("INPUT", Met::Rule, 5, Next::Jump),
            ("a", Met::Rule, 2, Next::Jump),
            ("b", Met::Rule, 1, Next::Return),
            ("a", Met::End, 3, Next::Return),
            ("INPUT", Met::Rule, 6, Next::Jump),
            ("empty", Met::End, 2, Next::Return),
            ("INPUT", Met::Policy, 7, Next::Accept),
        ];
        assert!(same(&steps, &wanted));
    }

    #[test]
    fn a_trace_begun_below_knows_the_chains_above() {
        let steps = told([
            ("INPUT", all(to("a"))),
            ("INPUT", all(Target::Goto(Name::literal("c")))),
            ("INPUT", all(Target::Drop)),
            ("a", all(to("b"))),
            ("a", all(Target::Continue)),
            ("b", all(Target::Trace)),
            ("c", all(Target::Continue)),
        ]);
        let wanted = [
            ("b", Met::End, 2, Next::Return),
            ("a", Met::Rule, 2, Next::Continue),
            ("a", Met::End, 3, Next::Return),
            ("INPUT", Met::Rule, 2, Next::Goto),
            ("c", Met::Rule, 1, Next::Continue),
            ("c", Met::End, 2, Next::Return),
            ("INPUT", Met::Policy, 4, Next::Accept),
        ];
        assert!(same(&steps, &wanted));
    }

    #[test]
    fn every_end_is_told() {
        let queue = Nfqueue {
            queue: 0,
            total: 1,
            bypass: false,
            cpu_fanout: false,
        };
        let ends = [
            (Target::Accept, Next::Accept),
            (Target::Drop, Next::Drop),
            (Target::Reject(Reject { code: Some(3) }), Next::Reject),
            (Target::Nfqueue(queue), Next::Queue),
        ];
        for (target, next) in ends {
            let steps = told([("INPUT", all(Target::Trace)), ("INPUT", all(target))]);
            assert!(same(&steps, &[("INPUT", Met::Rule, 2, next)]));
        }
    }

    #[test]
    fn a_rule_that_cannot_tell_is_told() {
        let ports = Udp {
            source: None,
            destination: Some(Not::is(PortRange { first: 1, last: 9 })),
        };
        let mut matches = KVec::new();
        matches.push(Match::Udp(ports), GFP_KERNEL).unwrap();
        let asking = Rule {
            matches: Matches(matches),
            ..other(Target::Accept)
        };
        let rules = [("INPUT", all(Target::Trace)), ("INPUT", asking)];
        let program = program(Family::V4, rules).ok().unwrap();
        let mut packet = crate::engine::fixtures::Bytes::of(TCP_V4).with(9, 17);
        packet.0.truncate(24);
        let (_, seen) = judge(&program, Family::V4, &packet.0);
        assert!(same(&seen.steps, &[("INPUT", Met::Rule, 2, Next::Drop)]));
    }

    #[test]
    fn a_trace_goes_on_at_the_next_hook() {
        let rules = [("INPUT", all(Target::Accept))];
        let program = program(Family::V4, rules).ok().unwrap();
        let flat = flat(TCP_V4);
        let input = Input {
            traced: true,
            ..flat.at(Hook::LocalIn)
        };
        let mut seen = Seen::default();
        program.evaluate(Family::V4, &input, &mut seen);
        assert!(same(&seen.steps, &[("INPUT", Met::Rule, 1, Next::Accept)]) && !seen.traced);
        assert!(!program.traces(Family::V4));
    }
}

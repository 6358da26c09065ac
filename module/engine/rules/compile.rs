// SPDX-License-Identifier: GPL-2.0
//! From the model to the program, and what only shows when all chains are there: jumps to nowhere, circles,
//! nesting too deep, matches and targets at hooks where they can't work, and what the machine does not have.
//!
//! The chains of a table are a graph whose edges are jumps. One depth-first walk visits each chain and each
//! edge once: a chain met again while its own walk is not finished closes a circle, and a chain that is
//! finished has a known height (how many jumps deep packets get below it), so that a graph in which 2^n ways
//! lead from top to bottom still costs one visit a rule. The walk keeps its own stack: the kernel's is small.
//! A second pass, in the order that the first one found (callers before callees), spreads from each built-in
//! chain to the chains below it the hook that packets come from.

use super::error::{Error, Kind, Place};
use super::line::{ask, Action, Address, DevicePattern, Line, Masked, More, Quick, Span};
use super::machine::{AnyMachine, Fact, Machine};
use super::matches::{PortPair, PortRange};
use super::model::{Chain, Model, Prefix, Rule, Slot, Table};
use super::program::{Entrance, Program, Rules, Stage, Title, MAX_DEPTH};
use super::queues::{Queueing, Queues};
use super::targets::{Effect, Target};
use super::tracking;
use crate::alloc::{KVVec, GFP_KERNEL};
use crate::engine::packet::{Family, Hook, V6};
use crate::uapi::field::Not;
use core::net::IpAddr;

impl Program {
    /// Makes the program of a model, for a machine of which nothing is known.
    ///
    /// # Errors
    ///
    /// Names the first rule that can't be; nothing is kept of the attempt.
    pub fn compile(model: &Model) -> Result<Self, Error> {
        Self::compile_for(model, &AnyMachine)
    }

    /// Makes the program of a model, for a machine that has to have what rules need.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn compile_for(model: &Model, machine: &dyn Machine) -> Result<Self, Error> {
        let mut program = Self::empty()?;
        let mut queues = Queues::default();
        for table in &model.tables {
            queues.pass(table, Graph::new(table)?.check()?)?;
            match table.family {
                Family::V4 => add_table(&mut program.v4, &mut program.slots, table, machine)?,
                Family::V6 => add_table(&mut program.v6, &mut program.slots, table, machine)?,
            }
        }
        tracking::add_stages(&mut program.v4, model, Family::V4)?;
        tracking::add_stages(&mut program.v6, model, Family::V6)?;
        queues.check(&program)?;
        Ok(program)
    }
}

/// An error in a rule of a table; `rule` counts from 0.
pub(super) fn blame(table: &Table, chain: &Chain, rule: usize, kind: Kind) -> Error {
    let rule = u32::try_from(rule)
        .ok()
        .and_then(|rule| rule.checked_add(1))
        .unwrap_or_default();
    Error {
        kind,
        place: Some(Place {
            family: table.family,
            table: table.name,
            chain: chain.name,
            rule,
        }),
    }
}

/// A number that counts `what` in the program.
fn number(index: usize) -> Result<u32, Error> {
    u32::try_from(index).map_err(|_| Error {
        kind: Kind::TooMany,
        place: None,
    })
}

/// How far the walk has come with a chain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    Unseen,
    Open,
    Done { height: usize },
}

/// The chains of a table as the walk sees them.
struct Graph<'a> {
    table: &'a Table,
    visits: KVVec<Visit>,
    /// Finished chains, callees before callers.
    order: KVVec<usize>,
}

/// A chain that the walk is in.
struct Step {
    chain: usize,
    /// The next rule to look at.
    rule: usize,
    /// The height found so far.
    height: usize,
}

impl<'a> Graph<'a> {
    fn new(table: &'a Table) -> Result<Self, Error> {
        let visits = KVVec::from_elem(Visit::Unseen, table.chains.len(), GFP_KERNEL)?;
        Ok(Self {
            table,
            visits,
            order: KVVec::new(),
        })
    }

    #[inline(never)]
    fn check(mut self) -> Result<Queueing, Error> {
        for chain in 0..self.table.chains.len() {
            self.visit(chain)?;
        }
        self.check_hooks()
    }

    /// The chain that a rule leads to, and how much deeper a packet is there.
    fn edge(&self, chain: &Chain, rule: usize) -> Result<Option<(usize, usize)>, Error> {
        let Some(entry) = chain.rules.get(rule) else {
            return Ok(None);
        };
        let (name, deeper) = match &entry.rule.target {
            Target::Jump(name) => (name, 1),
            Target::Goto(name) => (name, 0),
            _ => return Ok(None),
        };
        let callee = self
            .table
            .find(name)
            .ok_or_else(|| blame(self.table, chain, rule, Kind::NoTarget))?;
        match self.table.chains.get(callee) {
            Some(callee) if callee.base.is_some() => {
                Err(blame(self.table, chain, rule, Kind::JumpToBuiltIn))
            }
            _ => Ok(Some((callee, deeper))),
        }
    }

    /// Walks all that is below a chain, and the chain.
    fn visit(&mut self, start: usize) -> Result<(), Error> {
        if self.visits.get(start) != Some(&Visit::Unseen) {
            return Ok(());
        }
        let mut stack: KVVec<Step> = KVVec::new();
        self.open(&mut stack, start)?;
        while let Some(step) = stack.last_mut() {
            let Some(chain) = self.table.chains.get(step.chain) else {
                break;
            };
            if step.rule == chain.rules.len() {
                let (index, height) = (step.chain, step.height);
                if let Some(visit) = self.visits.get_mut(index) {
                    *visit = Visit::Done { height };
                }
                self.order.push(index, GFP_KERNEL)?;
                stack.pop();
                continue;
            }
            let Some((callee, deeper)) = self.edge(chain, step.rule)? else {
                step.rule += 1;
                continue;
            };
            match self.visits.get(callee) {
                Some(Visit::Done { height }) => {
                    step.height = step.height.max(height + deeper);
                    if step.height > MAX_DEPTH {
                        return Err(blame(self.table, chain, step.rule, Kind::TooDeep));
                    }
                    step.rule += 1;
                }
                // The rule is looked at again when the callee is finished.
                Some(Visit::Unseen) => self.open(&mut stack, callee)?,
                _ => return Err(blame(self.table, chain, step.rule, Kind::Loop)),
            }
        }
        Ok(())
    }

    fn open(&mut self, stack: &mut KVVec<Step>, chain: usize) -> Result<(), Error> {
        if let Some(visit) = self.visits.get_mut(chain) {
            *visit = Visit::Open;
        }
        Ok(stack.push(
            Step {
                chain,
                rule: 0,
                height: 0,
            },
            GFP_KERNEL,
        )?)
    }

    /// Refuses matches and targets that packets reach from hooks where they can't work; finds those that hand packets to
    /// a program.
    fn check_hooks(&self) -> Result<Queueing, Error> {
        let mut queueing = Queueing::default();
        let mut hooks: KVVec<u8> = KVVec::from_elem(0, self.table.chains.len(), GFP_KERNEL)?;
        for &index in self.order.iter().rev() {
            let Some(chain) = self.table.chains.get(index) else {
                continue;
            };
            let own = chain.base.map_or(0, |base| 1 << base.hook as u8);
            let reached = hooks.get(index).copied().unwrap_or_default() | own;
            for (number, entry) in chain.rules.iter().enumerate() {
                for hook in Hook::ALL
                    .into_iter()
                    .filter(|hook| reached & 1 << *hook as u8 != 0)
                {
                    check_hook(&entry.rule, hook, chain.base.is_some())
                        .and_then(|()| tracking::check_table(&entry.rule, self.table))
                        .map_err(|kind| blame(self.table, chain, number, kind))?;
                    if let (Target::Nfqueue(_), Some(found)) =
                        (&entry.rule.target, queueing.get_mut(hook as usize))
                    {
                        *found = Some((index, number));
                    }
                }
                if let Some((callee, _)) = self.edge(chain, number)? {
                    if let Some(callee) = hooks.get_mut(callee) {
                        *callee |= reached;
                    }
                }
            }
        }
        Ok(queueing)
    }
}

/// Refuses what can't be in a rule that packets reach from `hook`. Interfaces are held against the hook in
/// built-in chains only, as iptables does: a chain that several hooks share may ask for either.
fn check_hook(rule: &Rule, hook: Hook, built_in: bool) -> Result<(), Kind> {
    if built_in && rule.input.is_some() && !hook.has_input() {
        return Err(Kind::NoInput);
    }
    if built_in && rule.output.is_some() && !hook.has_output() {
        return Err(Kind::NoOutput);
    }
    for item in &rule.matches.0 {
        item.check_hook(hook).map_err(Kind::Extension)?;
    }
    rule.target.check_hook(hook).map_err(Kind::Extension)
}

/// An address that a prefix of the right family has.
trait FromIp: Address {
    fn from_ip(address: IpAddr) -> Self;
}

impl FromIp for u32 {
    fn from_ip(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(_) => 0,
        }
    }
}

impl FromIp for V6 {
    fn from_ip(address: IpAddr) -> Self {
        match address {
            IpAddr::V6(address) => address.into(),
            IpAddr::V4(_) => Self::default(),
        }
    }
}

/// Adds the chains of a table to the rules of its family.
#[inline(never)]
fn add_table<A: FromIp>(
    rules: &mut Rules<A>,
    slots: &mut KVVec<Slot>,
    table: &Table,
    machine: &dyn Machine,
) -> Result<(), Error> {
    let first_chain = rules.chains.len();
    for chain in &table.chains {
        let index = number(rules.chains.len())?;
        if let Some(base) = chain.base {
            let slot = number(slots.len())?;
            slots.push(base.slot, GFP_KERNEL)?;
            if let Some(stages) = rules.hooks.get_mut(base.hook as usize) {
                let entrance = Entrance {
                    chain: index,
                    policy: base.policy,
                    slot,
                };
                stages.push(Stage::Table(entrance), GFP_KERNEL)?;
            }
        }
        let start = number(rules.lines.len())?;
        for (index, entry) in chain.rules.iter().enumerate() {
            let slot = number(slots.len())?;
            slots.push(entry.slot, GFP_KERNEL)?;
            let callee = match entry.rule.target.chain() {
                // Found by the graph before; a chain that is not there could only be an empty one.
                Some(name) => number(table.find(name).unwrap_or_default() + first_chain)?,
                None => 0,
            };
            let line =
                line(rules, &entry.rule, slot, callee, machine).map_err(|error| {
                    match error.kind {
                        Kind::Extension(_) => blame(table, chain, index, error.kind),
                        _ => error,
                    }
                })?;
            rules.lines.push(line, GFP_KERNEL)?;
        }
        let end = number(rules.lines.len())?;
        rules.chains.push(start..end, GFP_KERNEL)?;
        let title = Title {
            table: table.name,
            chain: chain.name,
        };
        rules.titles.push(title, GFP_KERNEL)?;
    }
    Ok(())
}

/// Makes the line of a rule, and adds its matches and interfaces.
#[inline(never)]
fn line<A: FromIp>(
    rules: &mut Rules<A>,
    rule: &Rule,
    slot: u32,
    callee: u32,
    machine: &dyn Machine,
) -> Result<Line<A>, Error> {
    let mut asks = 0;
    let mut more = More::default();
    let mut address = |prefix: Option<Not<Prefix>>, excluded: &mut Option<Masked<A>>| {
        let Some(Not { value, not }) = prefix else {
            return Masked::default();
        };
        let masked = Masked {
            address: A::from_ip(value.address),
            mask: A::from_ip(value.mask),
        };
        if not {
            asks |= ask::MORE;
            *excluded = Some(masked);
            return Masked::default();
        }
        masked
    };
    let source = address(rule.source, &mut more.not_source);
    let destination = address(rule.destination, &mut more.not_destination);

    let (protocol, protocol_mask) = match rule.protocol {
        Some(Not { value: 0, .. }) | None => (0, 0),
        Some(Not { value, not: false }) => {
            asks |= ask::PROTOCOL;
            (value, u8::MAX)
        }
        Some(Not { value, not: true }) => {
            asks |= ask::PROTOCOL | ask::MORE;
            more.not_protocol = Some(value);
            (0, 0)
        }
    };

    more.fragment = rule.fragment.map(|fragment| !fragment.not);
    if more.fragment.is_some() {
        asks |= ask::MORE;
    }
    let devices = number(rules.devices.len())?;
    for (device, bit) in [(rule.input, ask::INPUT), (rule.output, ask::OUTPUT)] {
        if let Some(device) = device {
            asks |= bit;
            let pattern = DevicePattern::new(device);
            rules.devices.push(pattern, GFP_KERNEL)?;
        }
    }

    let refuse = |what| Error {
        kind: Kind::Extension(what),
        place: None,
    };
    let mut ports = PortPair::default();
    let mut states = 0;
    let matches = rules.matches.len();
    for item in &rule.matches.0 {
        // Only the first question may be asked ahead: another one before it could have let the packet go
        // where a damaged header makes this one drop it.
        rules.ask_ports |= item.ports().is_some();
        let hoisted = item
            .ports()
            .filter(|_| asks & (ask::PORTS | ask::MATCHES) == 0);
        let hoisted_states = item
            .states()
            .filter(|_| asks & (ask::STATES | ask::MATCHES) == 0);
        if let Some(pair) = hoisted {
            asks |= ask::PORTS;
            ports = pair;
        }
        if let Some(set) = hoisted_states {
            asks |= ask::STATES;
            if asks & ask::PORTS == 0 {
                asks |= ask::STATES_FIRST;
            }
            states = set;
        }
        if item.asks()
            || hoisted.is_none() && item.ports().is_some()
            || hoisted_states.is_none() && item.states().is_some()
        {
            asks |= ask::MATCHES;
            let mut item = item.try_clone()?;
            item.bind(machine).map_err(refuse)?;
            rules.matches.push(item, GFP_KERNEL)?;
        }
    }
    if tracking::is_asked(rule) {
        machine.provide(Fact::Tracking).map_err(refuse)?;
        rules.tracks = true;
        rules.counts_connections |= tracking::is_count_asked(rule);
    }
    let mut span = |asked: Option<Not<PortRange>>| match asked {
        Some(Not { value, not: false }) => value.into(),
        Some(Not { not: true, .. }) => {
            asks |= ask::MORE;
            more.ports = ports;
            Span::ALL
        }
        None => Span::ALL,
    };
    let source_port = span(ports.source);
    let destination_port = span(ports.destination);
    let more_index = number(rules.more.len())?;
    if asks & ask::MORE != 0 {
        rules.more.push(more, GFP_KERNEL)?;
    }
    let match_count = u8::try_from(rules.matches.len() - matches).map_err(|_| Error {
        kind: Kind::TooMany,
        place: None,
    })?;

    let action = match &rule.target {
        Target::Continue => Action::Continue,
        Target::Accept => Action::Accept,
        Target::Drop => Action::Drop,
        Target::Return => Action::Return,
        Target::Jump(_) => Action::Jump(callee),
        Target::Goto(_) => Action::Goto(callee),
        Target::Reject(reject) => Action::Reject(*reject),
        Target::Log(log) => effect(rules, Effect::Log(*log))?,
        Target::Mark(set_mark) => Action::Mark(*set_mark),
        Target::Nflog(nflog) => effect(rules, Effect::Nflog(*nflog))?,
        Target::Nfqueue(queue) => Action::Queue(*queue),
        Target::Audit(_) => effect(rules, Effect::Audit)?,
        Target::Trace => {
            rules.trace = true;
            Action::Trace
        }
        Target::Tee(tee) => effect(rules, Effect::Tee(*tee))?,
        Target::Ct(ct) => match ct.zone() {
            Some(zone) => {
                machine.provide(Fact::Zones).map_err(refuse)?;
                rules.zones = true;
                Action::Zone(zone)
            }
            None => Action::Untrack,
        },
        Target::SetConnmark(set_connmark) => {
            machine.provide(Fact::ConnectionMark).map_err(refuse)?;
            let index = number(rules.set_connmarks.len())?;
            rules.set_connmarks.push(*set_connmark, GFP_KERNEL)?;
            Action::SetConnmark(index)
        }
    };
    Ok(Line {
        quick: Quick {
            source,
            destination,
            protocol,
            protocol_mask,
            source_port,
            destination_port,
        },
        asks,
        match_count,
        states,
        matches: number(matches)?,
        devices,
        more: more_index,
        slot,
        action,
    })
}

/// Adds what a target does besides.
fn effect<A>(rules: &mut Rules<A>, effect: Effect) -> Result<Action, Error> {
    let index = number(rules.effects.len())?;
    rules.effects.push(effect, GFP_KERNEL)?;
    Ok(Action::Effect(index))
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_compile))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{judge, ops, program, TCP_V4};
    use crate::engine::rules::matches::{Match, Owner};
    use crate::engine::rules::model::Matches;
    use crate::engine::rules::targets::Reject;
    use crate::engine::rules::transaction::apply;
    use crate::engine::rules::Verdict;
    use crate::engine::text::Name;

    /// Names of chains for graphs that tests build.
    static NAMES: [&str; 40] = [
        "c00", "c01", "c02", "c03", "c04", "c05", "c06", "c07", "c08", "c09", "c10", "c11", "c12",
        "c13", "c14", "c15", "c16", "c17", "c18", "c19", "c20", "c21", "c22", "c23", "c24", "c25",
        "c26", "c27", "c28", "c29", "c30", "c31", "c32", "c33", "c34", "c35", "c36", "c37", "c38",
        "c39",
    ];

    fn to(chain: &str) -> Rule {
        Rule {
            target: Target::Jump(Name::new(chain.as_bytes()).unwrap()),
            ..Rule::default()
        }
    }

    fn refused<const N: usize>(rules: [(&str, Rule); N]) -> Option<(Kind, u32)> {
        match program(Family::V4, rules) {
            Ok(_) => None,
            Err(error) => Some((error.kind, error.place.map_or(0, |place| place.rule))),
        }
    }

    #[test]
    fn jumps_that_lead_nowhere() {
        let drop = Rule {
            target: Target::Drop,
            ..Rule::default()
        };
        assert!(refused([("INPUT", drop), ("INPUT", to("a"))]) == Some((Kind::NoTarget, 2)));
        assert!(refused([("a", to("FORWARD"))]) == Some((Kind::JumpToBuiltIn, 1)));
    }

    #[test]
    fn circles() {
        assert!(refused([("a", to("a"))]) == Some((Kind::Loop, 1)));
        let circle = [("a", to("b")), ("b", to("c")), ("c", to("a"))];
        assert!(refused(circle) == Some((Kind::Loop, 1)));
        // Two ways to one chain are no circle.
        let diamond = [
            ("INPUT", to("a")),
            ("INPUT", to("b")),
            ("a", to("c")),
            ("b", to("c")),
            ("c", to("d")),
        ];
        let diamond_with_end = diamond.map(|(chain, rule)| (chain, rule));
        assert!(refused(diamond_with_end) == Some((Kind::NoTarget, 1)));
    }

    /// A filter table in which INPUT jumps to c00, and each chain `ways` times to the next, `depth` deep.
    fn ladder(depth: usize, ways: usize) -> Result<Program, Error> {
        let mut list = ops(Family::V4, []);
        let mut push = |chain: &str, action| {
            let chain = Name::new(chain.as_bytes()).unwrap();
            let table = Name::literal("filter");
            let op = super::super::Op {
                family: Family::V4,
                table,
                chain,
                action,
            };
            list.push(op, GFP_KERNEL).unwrap();
        };
        use super::super::transaction::Action;
        let append = |rule| {
            let rule = crate::alloc::Arc::new(rule, GFP_KERNEL).ok().unwrap();
            Action::Append(rule, super::super::Counters::default())
        };
        let names = NAMES.get(..depth).unwrap();
        for name in names {
            push(name, Action::NewChain);
        }
        push("INPUT", append(to("c00")));
        for (name, next) in names.iter().zip(names.iter().skip(1)) {
            for _ in 0..ways {
                push(name, append(to(next)));
            }
        }
        let drop = Rule {
            target: Target::Drop,
            ..Rule::default()
        };
        push(names.last().unwrap(), append(drop));
        let model = apply(&Model::default(), list).map_err(|(_, error)| error)?;
        Program::compile(&model)
    }

    #[test]
    fn depth_is_bounded() {
        let deepest = ladder(MAX_DEPTH, 1).ok().unwrap();
        assert!(matches!(
            judge(&deepest, Family::V4, TCP_V4).0,
            Verdict::Drop(_)
        ));
        assert!(ladder(MAX_DEPTH + 1, 1).err().unwrap().kind == Kind::TooDeep);
    }

    #[test]
    fn many_ways_through_a_graph_are_walked_once() {
        // 8^16 ways lead from top to bottom; visiting each would not end.
        assert!(ladder(MAX_DEPTH, 8).is_ok());
        assert!(ladder(40, 8).err().unwrap().kind == Kind::TooDeep);
    }

    #[test]
    fn hooks_are_told_to_chains_below() {
        let input = Some(Not::is(
            crate::engine::rules::model::Device::from_text(b"eth0").unwrap(),
        ));
        let rule = || Rule {
            input,
            ..Rule::default()
        };
        assert!(refused([("OUTPUT", rule())]) == Some((Kind::NoInput, 1)));
        assert!(refused([("INPUT", rule())]).is_none());
        assert!(refused([("OUTPUT", to("a")), ("a", rule())]).is_none());
        let reject = Rule {
            target: Target::Reject(Reject { code: Some(3) }),
            ..Rule::default()
        };
        assert!(refused([("FORWARD", to("a")), ("a", reject)]).is_none());
    }

    #[test]
    fn matches_are_held_to_hooks_in_chains_below_too() {
        let sent = || {
            let mut matches = crate::alloc::KVec::new();
            let owner = Owner {
                user: None,
                group: None,
                socket: Some(Not::is(true)),
                any_group: false,
            };
            matches.push(Match::Owner(owner), GFP_KERNEL).unwrap();
            Rule {
                matches: Matches(matches),
                ..Rule::default()
            }
        };
        assert!(refused([("OUTPUT", sent())]).is_none());
        assert!(refused([("OUTPUT", to("a")), ("a", sent())]).is_none());
        // Where no packet comes there is nothing to refuse.
        assert!(refused([("a", sent())]).is_none());
        let wrong = |refusal| matches!(refusal, Some((Kind::Extension(_), 1)));
        assert!(wrong(refused([("INPUT", sent())])));
        assert!(wrong(refused([("FORWARD", to("a")), ("a", sent())])));
    }
}

// SPDX-License-Identifier: GPL-2.0
//! From what a text says to the operations that do it, held against the rules that are there.
//!
//! The operations are tried here with the code that the kernel uses, so nearly all that can be wrong shows
//! before anything is sent, and at its place in the text.

use std::collections::BTreeMap;

use oxtables_engine::alloc::{AllocError, Arc, KVVec, GFP_KERNEL};
use oxtables_engine::engine::packet::{Family, Hook};
use oxtables_engine::engine::rules::transaction::{self, Action, Op, Own};
use oxtables_engine::engine::rules::{Counters, Error, Kind, Model, Program};
use oxtables_engine::engine::text::Name;

use super::line::Spans;
use super::ruleset::{Edit, Ruleset, Start, Statement, Table};
use crate::diagnostic::{nearest, Problem, Span};
use crate::extensions::{self, later};

/// The tables that are there without being defined.
pub const BUILT_IN: [&str; 2] = ["raw", "filter"];
/// Tables of iptables that are not there yet.
const NOT_YET: [&str; 3] = ["mangle", "nat", "security"];

/// How a file is carried out.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// The tables keep what they have, but for chains that the file declares.
    pub keep: bool,
    /// Counters in the file are taken over.
    pub counters: bool,
}

/// Operations, and the ruleset that they make.
#[derive(Debug)]
pub struct Plan {
    /// The operations, in order.
    pub ops: Vec<Op>,
    /// What will be in force.
    pub result: Model,
    /// Where each operation is said.
    pub origins: Vec<Span>,
}

/// Which statement each rule of a chain comes from; rules that were there before come from none.
type Layout = BTreeMap<(Family, Name, Name), Vec<Option<usize>>>;

/// Plans a file.
///
/// # Errors
///
/// The place in the text that can't be carried out, and why.
pub fn plan(ruleset: Ruleset, base: &Model, how: How) -> Result<Plan, Problem> {
    let mut planner = Planner::new(base)?;
    let mut seen: Vec<(Family, Name)> = Vec::new();
    for table in ruleset.tables {
        let key = (table.family, table.name);
        if !how.keep && seen.contains(&key) {
            return Err(
                Problem::new(table.span, format!("table `{}` comes twice", table.name))
                    .label("would replace what came before"),
            );
        }
        seen.push(key);
        planner.table(table, how)?;
    }
    planner.finish()
}

/// Plans statements about one table, as the command line gives them. A built-in table that is not there yet
/// is made for the first rule.
///
/// # Errors
///
/// The place in the text that can't be carried out, and why.
pub fn plan_edit(
    family: Family,
    table: Name,
    statements: Vec<Statement>,
    base: &Model,
) -> Result<Plan, Problem> {
    let span = statements
        .first()
        .map_or(Span::default(), |first| first.spans.line);
    let table = Table {
        family,
        name: table,
        own: None,
        span,
        statements,
    };
    let mut planner = Planner::new(base)?;
    planner.table(
        table,
        How {
            keep: true,
            counters: false,
        },
    )?;
    planner.finish()
}

/// Tries operations that come from no text.
///
/// # Errors
///
/// What the engine says against them.
pub fn try_ops(ops: &[Op], base: &Model) -> Result<Model, Error> {
    let model = transaction::apply(base, copy(ops)?).map_err(|(_, error)| error)?;
    Program::compile(&model)?;
    Ok(model)
}

struct Planner<'a> {
    base: &'a Model,
    /// What the first `applied` operations make of the base.
    model: Model,
    applied: usize,
    ops: Vec<Op>,
    /// For each operation, its statement.
    from: Vec<usize>,
    spans: Vec<Spans>,
    layout: Layout,
}

fn out_of_memory(_: AllocError) -> Problem {
    Problem::new(Span::default(), "out of memory")
}

/// A copy of operations, since the engine uses them up.
fn copy(ops: &[Op]) -> Result<KVVec<Op>, AllocError> {
    let mut copies = KVVec::new();
    copies.extend_from_slice(ops, GFP_KERNEL)?;
    Ok(copies)
}

impl<'a> Planner<'a> {
    fn new(base: &'a Model) -> Result<Self, Problem> {
        let mut layout = Layout::new();
        for table in &base.tables {
            for chain in &table.chains {
                let key = (table.family, table.name, chain.name);
                layout.insert(key, vec![None; chain.rules.len()]);
            }
        }
        Ok(Self {
            base,
            model: base.successor().map_err(out_of_memory)?,
            applied: 0,
            ops: Vec::new(),
            from: Vec::new(),
            spans: Vec::new(),
            layout,
        })
    }

    fn table(&mut self, table: Table, how: How) -> Result<(), Problem> {
        let Table {
            family,
            name,
            own,
            span,
            statements,
        } = table;
        let existing = self.base.find(family, &name);
        let hooks = match (existing.filter(|_| how.keep), own) {
            (Some(existing), Some(own)) if own_of(existing) != Some(own) => {
                return Err(Problem::new(
                    span,
                    format!("table `{name}` is there with other hooks or another place"),
                ))
            }
            (Some(existing), _) => existing
                .hooks()
                .fold(0, |hooks, hook| hooks | 1 << hook as u32),
            (None, own) => {
                let hooks = match own {
                    Some(own) => own.hooks,
                    None => built_in_hooks(&name, span)?,
                };
                self.spans.push(Spans {
                    line: span,
                    chain: span,
                    ..Spans::default()
                });
                let statement = self.spans.len() - 1;
                self.push(
                    statement,
                    family,
                    name,
                    Name::default(),
                    Action::ReplaceTable(own),
                );
                self.layout
                    .retain(|(f, t, _), _| (*f, *t) != (family, name));
                for hook in Hook::ALL
                    .into_iter()
                    .filter(|hook| hooks & 1 << *hook as u32 != 0)
                {
                    let key = (family, name, Name::literal(hook.chain()));
                    self.layout.insert(key, Vec::new());
                }
                hooks
            }
        };
        for statement in statements {
            let Statement { chain, edit, spans } = statement;
            self.spans.push(spans);
            let statement = self.spans.len() - 1;
            let built_in = Hook::from_chain(chain.as_bytes())
                .is_some_and(|hook| hooks & 1 << hook as u32 != 0);
            let key = (family, name, chain);
            self.statement(statement, key, built_in, edit, how)?;
        }
        Ok(())
    }

    fn push(&mut self, statement: usize, family: Family, table: Name, chain: Name, action: Action) {
        self.ops.push(Op {
            family,
            table,
            chain,
            action,
        });
        self.from.push(statement);
    }

    fn statement(
        &mut self,
        statement: usize,
        key: (Family, Name, Name),
        built_in: bool,
        edit: Edit,
        how: How,
    ) -> Result<(), Problem> {
        let (family, table, chain) = key;
        let initial = |start| match start {
            Start::Given(counters) => counters,
            Start::Saved(counters) if how.counters => counters,
            Start::Saved(_) | Start::Zero => Counters::default(),
        };
        let shared = |rule| Arc::new(rule, GFP_KERNEL).map_err(out_of_memory);
        // A number that the chain does not have is left to the engine to refuse.
        let rules = self.layout.get_mut(&key);
        let action = match edit {
            Edit::Declare(policy, counters) => {
                let there = rules.is_some();
                if there && how.keep && !built_in {
                    self.layout.insert(key, Vec::new());
                    Action::Flush
                } else if let Some(policy) = policy {
                    Action::Policy(policy, how.counters.then_some(counters))
                } else if built_in {
                    return Ok(());
                } else {
                    self.layout.entry(key).or_default();
                    Action::NewChain
                }
            }
            Edit::Append(rule, start) => {
                rules
                    .into_iter()
                    .for_each(|rules| rules.push(Some(statement)));
                Action::Append(shared(rule)?, initial(start))
            }
            Edit::Insert(number, rule, start) => {
                let index = (number as usize).wrapping_sub(1);
                if let Some(rules) = rules.filter(|rules| index <= rules.len()) {
                    rules.insert(index, Some(statement));
                }
                Action::Insert(number, shared(rule)?, initial(start))
            }
            Edit::Replace(number, rule, start) => {
                let index = (number as usize).wrapping_sub(1);
                if let Some(origin) = rules.and_then(|rules| rules.get_mut(index)) {
                    *origin = Some(statement);
                }
                Action::Replace(number, shared(rule)?, initial(start))
            }
            Edit::Delete(number) => {
                let index = (number as usize).wrapping_sub(1);
                if let Some(rules) = rules.filter(|rules| index < rules.len()) {
                    rules.remove(index);
                }
                Action::Delete(number)
            }
            Edit::DeleteRule(rule) => {
                self.advance()?;
                let found = self
                    .model
                    .find(family, &table)
                    .and_then(|table| table.chains.get(table.find(&chain)?))
                    .map(|chain| chain.rules.iter().position(|entry| *entry.rule == rule));
                let index = match found {
                    Some(Some(index)) => index,
                    Some(None) => {
                        let spans = self.spans[statement];
                        return Err(Problem::new(
                            spans.line,
                            format!("chain `{chain}` has no such rule"),
                        )
                        .help(format!(
                            "`oxtables save` shows the rules of `{chain}` as they are written"
                        )));
                    }
                    None => return Err(self.problem(statement, Kind::NoChain, key)),
                };
                if let Some(rules) = self.layout.get_mut(&key) {
                    rules.remove(index);
                }
                // An index counts from 0, a rule from 1.
                Action::Delete(index as u32 + 1)
            }
            Edit::Flush => {
                for ((f, t, c), rules) in &mut self.layout {
                    if (*f, *t) == (family, table) && (chain.is_empty() || *c == chain) {
                        rules.clear();
                    }
                }
                Action::Flush
            }
            Edit::NewChain => {
                self.layout.entry(key).or_default();
                Action::NewChain
            }
            Edit::DeleteChain if chain.is_empty() => {
                return self.delete_chains(statement, family, table);
            }
            Edit::DeleteChain => {
                self.layout.remove(&key);
                Action::DeleteChain
            }
            Edit::RenameChain(to) => {
                if let Some(rules) = self.layout.remove(&key) {
                    self.layout.insert((family, table, to), rules);
                }
                Action::RenameChain(to)
            }
            Edit::Policy(policy) => Action::Policy(policy, None),
        };
        self.push(statement, family, table, chain, action);
        Ok(())
    }

    /// Deletes all chains of a table that are not built in. They may call each other, so all are emptied
    /// first, which is refused where rules would be lost.
    fn delete_chains(
        &mut self,
        statement: usize,
        family: Family,
        table: Name,
    ) -> Result<(), Problem> {
        self.advance()?;
        let own: Vec<Name> = self
            .model
            .find(family, &table)
            .into_iter()
            .flat_map(|table| table.chains.iter())
            .filter(|chain| chain.base.is_none())
            .map(|chain| chain.name)
            .collect();
        for chain in own {
            self.layout.remove(&(family, table, chain));
            self.push(statement, family, table, chain, Action::DeleteChain);
        }
        Ok(())
    }

    /// Brings the model up to the operations so far.
    fn advance(&mut self) -> Result<(), Problem> {
        let ops = copy(self.ops.get(self.applied..).unwrap_or_default()).map_err(out_of_memory)?;
        self.model = transaction::apply(&self.model, ops)
            .map_err(|(index, error)| self.refused(self.applied + index, error))?;
        self.applied = self.ops.len();
        Ok(())
    }

    fn finish(mut self) -> Result<Plan, Problem> {
        self.advance()?;
        Program::compile(&self.model).map_err(|error| self.not_compiled(error))?;
        let spans = self
            .from
            .iter()
            .map(|statement| self.spans[*statement].line);
        Ok(Plan {
            origins: spans.collect(),
            ops: self.ops,
            result: self.model,
        })
    }

    /// The problem when the engine refuses an operation.
    fn refused(&self, op: usize, error: Error) -> Problem {
        let statement = self.from.get(op).copied().unwrap_or_default();
        let key = match self.ops.get(op) {
            Some(op) => (op.family, op.table, op.chain),
            None => (Family::V4, Name::default(), Name::default()),
        };
        self.problem(statement, error.kind, key)
    }

    /// The problem when the engine refuses the whole.
    fn not_compiled(&self, error: Error) -> Problem {
        let Some(place) = error.place else {
            return Problem::new(Span::default(), error.kind.what());
        };
        let key = (place.family, place.table, place.chain);
        let index = (place.rule as usize).wrapping_sub(1);
        let statement = self.layout.get(&key).and_then(|rules| *rules.get(index)?);
        match statement {
            Some(statement) => self.problem(statement, error.kind, key),
            None => {
                let last = self
                    .spans
                    .last()
                    .map_or(Span::default(), |spans| spans.line);
                Problem::new(last, error.kind.what()).label(format!("concerns {place}"))
            }
        }
    }

    /// Says what is wrong with a statement in a person's words, at the part of it that is to blame.
    fn problem(&self, statement: usize, kind: Kind, key: (Family, Name, Name)) -> Problem {
        let spans = self.spans.get(statement).copied().unwrap_or_default();
        let (family, table, chain) = key;
        let chains = || {
            let chains = self.layout.keys();
            chains
                .filter(|(f, t, _)| (*f, *t) == (family, table))
                .map(|(_, _, chain)| chain.to_string())
        };
        let target = spans.target.unwrap_or(spans.line);
        match kind {
            Kind::NoTarget => {
                let name = self.target_name(statement);
                if let Some(problem) = later::later_target(&name, target) {
                    return problem;
                }
                let problem =
                    Problem::new(target, format!("no chain and no target is called `{name}`"));
                let known: Vec<_> = chains()
                    .chain(extensions::target_names().map(str::to_owned))
                    .collect();
                match nearest(&name, known.iter().map(String::as_str)) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help(format!(
                        "a line `:{name} - [0:0]` or `oxtables new-chain {name}` makes a chain"
                    )),
                }
            }
            Kind::JumpToBuiltIn => Problem::new(target, "a rule can't lead to a built-in chain")
                .expected("a chain of one's own, or a target"),
            Kind::Loop => Problem::new(target, "chains lead in a circle")
                .label(format!("leads back to `{chain}`")),
            Kind::TooDeep => Problem::new(target, kind.what()),
            Kind::NoInput => Problem::new(
                spans.input.unwrap_or(spans.line),
                "packets have no input interface here",
            )
            .label(format!("can't be asked for in {chain}")),
            Kind::NoOutput => Problem::new(
                spans.output.unwrap_or(spans.line),
                "packets have no output interface here",
            )
            .label(format!("can't be asked for in {chain}")),
            Kind::NoChain => {
                let known: Vec<_> = chains().collect();
                let name = chain.to_string();
                Problem::new(
                    spans.chain,
                    format!("table `{table}` has no chain `{name}`"),
                )
                .help(match nearest(&name, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        format!("a line `:{name} - [0:0]` or `oxtables new-chain {name}` makes it")
                    }
                })
            }
            Kind::NoPolicy => Problem::new(
                spans.argument.unwrap_or(spans.line),
                "only built-in chains have a policy",
            )
            .expected(format!("`-`: `{chain}` is not built into `{table}`")),
            Kind::NoRule => Problem::new(
                spans.argument.unwrap_or(spans.line),
                format!("chain `{chain}` has no rule of that number"),
            ),
            Kind::BadName => Problem::new(
                spans.argument.unwrap_or(spans.chain),
                "this can't be the name of a chain or table",
            )
            .help("it may not begin with `-` or `!`, hold blanks, or be the name of a target"),
            Kind::ChainExists => Problem::new(
                spans.argument.unwrap_or(spans.chain),
                "a chain of that name is there already",
            ),
            Kind::ChainNotEmpty | Kind::ChainInUse | Kind::BuiltIn => {
                Problem::new(spans.line, kind.what()).label(format!("chain `{chain}`"))
            }
            Kind::Extension(_) => Problem::new(spans.target.unwrap_or(spans.line), kind.what()),
            _ => Problem::new(spans.line, kind.what()),
        }
    }

    /// The chain that a statement's rule leads to.
    fn target_name(&self, statement: usize) -> String {
        let rule = self
            .from
            .iter()
            .zip(&self.ops)
            .find_map(|(from, op)| match &op.action {
                Action::Append(rule, _)
                | Action::Insert(_, rule, _)
                | Action::Replace(_, rule, _)
                    if *from == statement =>
                {
                    rule.target.chain()
                }
                _ => None,
            });
        rule.map(Name::to_string).unwrap_or_default()
    }
}

/// Hooks and place of a table that a person defined.
fn own_of(table: &oxtables_engine::engine::rules::model::Table) -> Option<Own> {
    table.own.then(|| Own {
        hooks: table
            .hooks()
            .fold(0, |hooks, hook| hooks | 1 << hook as u32),
        place: table.place,
    })
}

/// The hooks of a table that is there without being defined.
fn built_in_hooks(name: &Name, span: Span) -> Result<u32, Problem> {
    let text = name.to_string();
    if BUILT_IN.contains(&&*text) {
        return Ok([Hook::LocalIn, Hook::Forward, Hook::LocalOut]
            .into_iter()
            .fold(0, |hooks, hook| hooks | 1 << hook as u32));
    }
    if NOT_YET.contains(&&*text) {
        return Err(
            Problem::new(span, format!("table `{text}` is not supported yet"))
                .expected(BUILT_IN.join(", ")),
        );
    }
    let problem = Problem::new(span, format!("unknown table `{text}`"));
    Err(match nearest(&text, BUILT_IN) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!(
            "a table of one's own is defined by `*{text} hooks=INPUT,... place=NUMBER`"
        )),
    })
}

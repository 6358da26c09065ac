// SPDX-License-Identifier: GPL-2.0
//! A file of tables: what it says, before it is held against the rules that are there.

use oxtables_engine::engine::packet::{Family, Hook};
use oxtables_engine::engine::rules::transaction::Own;
use oxtables_engine::engine::rules::{Counters, Policy, Rule};
use oxtables_engine::engine::text::Name;

use super::lexer::{self, Token};
use super::line::{self, chain_name, Spans};
use super::options::Command;
use crate::diagnostic::{Problem, Source, Span};
use crate::extensions::numbers;
use crate::names::{family_title, Names};

/// How many errors of one file are shown: the first few, of which later ones often follow.
const MAX_PROBLEMS: usize = 20;

/// A file of tables.
#[derive(Debug, Default)]
pub struct Ruleset {
    /// The tables, in the order of the file.
    pub tables: Vec<Table>,
}

/// What a file says of one table.
#[derive(Debug)]
pub struct Table {
    /// The family.
    pub family: Family,
    /// The name.
    pub name: Name,
    /// Hooks and place, given for a table that a person defines.
    pub own: Option<Own>,
    /// The line that names it.
    pub span: Span,
    /// What is to be done, in order.
    pub statements: Vec<Statement>,
}

/// One change to a table.
#[derive(Debug)]
pub struct Statement {
    /// The chain; empty where the whole table is meant.
    pub chain: Name,
    /// What is to be done.
    pub edit: Edit,
    /// Where it is said.
    pub spans: Spans,
}

/// What a statement does.
#[derive(Debug)]
pub enum Edit {
    /// `:CHAIN POLICY [PACKETS:BYTES]`: the chain is there and empty.
    Declare(Option<Policy>, Counters),
    /// `-A`
    Append(Rule, Start),
    /// `-I`
    Insert(u32, Rule, Start),
    /// `-R`
    Replace(u32, Rule, Start),
    /// `-D` with a number
    Delete(u32),
    /// `-D` with a rule
    DeleteRule(Rule),
    /// `-F`
    Flush,
    /// `-N`
    NewChain,
    /// `-X`
    DeleteChain,
    /// `-E`
    RenameChain(Name),
    /// `-P`
    Policy(Policy),
}

/// What the counters of a rule begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At zero.
    Zero,
    /// As they were saved before the rule: taken over only where that is asked for.
    Saved(Counters),
    /// As the rule says itself (`-c`).
    Given(Counters),
}

/// Reads a file. With `family` it is what iptables-restore or ip6tables-restore takes; without, lines
/// `family NAME` tell whose the tables are that follow.
///
/// # Errors
///
/// All that is wrong with the text, in its order, as far as one error does not hide the next.
pub fn parse(
    source: &Source,
    names: &Names,
    family: Option<Family>,
) -> Result<Ruleset, Vec<Problem>> {
    let mut reader = Reader {
        names,
        forced: family,
        family,
        open: None,
        // After an error in a line that names a table, lines of that table would only make more.
        skipping: false,
        ruleset: Ruleset::default(),
    };
    let mut problems = Vec::new();
    let mut end = Span::default();
    for (number, text) in source.lines().enumerate() {
        let result = lexer::tokens(text, number).and_then(|tokens| {
            if let Some(last) = tokens.last() {
                end = last.span;
            }
            reader.line(&tokens)
        });
        problems.extend(result.err());
        if problems.len() == MAX_PROBLEMS {
            return Err(problems);
        }
    }
    if let Some(table) = reader.open.filter(|_| problems.is_empty()) {
        problems.push(
            Problem::new(end, format!("table `{}` has no end", table.name))
                .expected("a line `COMMIT`")
                .help("is the file complete?"),
        );
    }
    if problems.is_empty() {
        Ok(reader.ruleset)
    } else {
        Err(problems)
    }
}

/// Reads one command, as the command line gives it.
///
/// # Errors
///
/// What is wrong with it.
pub fn parse_command(
    source: &Source,
    names: &Names,
    family: Family,
) -> Result<Vec<Statement>, Problem> {
    let text = source.lines().next().unwrap_or_default();
    let tokens = lexer::tokens(text, 0)?;
    let mut statements = Vec::new();
    command(&tokens, None, family, names, &mut statements)?;
    match (tokens.first(), tokens.last()) {
        // In a file, a line for the other family is skipped; here nothing else would be left.
        (Some(first), Some(last)) if statements.is_empty() => Err(Problem::new(
            first.span.to(last.span),
            "the rule is for the other family",
        )
        .help("-4 or -6 comes before the chain here")),
        _ => Ok(statements),
    }
}

struct Reader<'a> {
    names: &'a Names,
    forced: Option<Family>,
    family: Option<Family>,
    open: Option<Table>,
    skipping: bool,
    ruleset: Ruleset,
}

impl Reader<'_> {
    fn line(&mut self, tokens: &[Token]) -> Result<(), Problem> {
        let Some(first) = tokens.first() else {
            return Ok(());
        };
        let span = tokens
            .last()
            .map_or(first.span, |last| first.span.to(last.span));
        match &*first.text {
            [b'#', ..] => Ok(()),
            b"family" => self.family_line(tokens, span),
            [b'*', ..] => {
                self.skipping = true;
                self.table_line(tokens, span)?;
                self.skipping = false;
                Ok(())
            }
            b"COMMIT" => {
                if let Some(extra) = tokens.get(1) {
                    return Err(Problem::new(extra.span, "nothing more can stand here"));
                }
                match self.open.take() {
                    Some(table) => self.ruleset.tables.push(table),
                    None if self.skipping => self.skipping = false,
                    None => {
                        return Err(Problem::new(span, "no table is open")
                            .expected("a line `*TABLE`, such as `*filter`, before it"))
                    }
                }
                Ok(())
            }
            _ if self.skipping => Ok(()),
            [b':', ..] => self.chain_line(tokens),
            [b'[', ..] => {
                let counters = counters(first)?;
                self.command(tokens.get(1..).unwrap_or_default(), Some(counters), span)
            }
            [b'-', ..] => self.command(tokens, None, span),
            _ => Err(
                Problem::new(first.span, format!("`{}` begins no line", first.lossy()))
                    .expected("a comment, `family`, `*TABLE`, `:CHAIN`, `-A CHAIN ...` or `COMMIT`")
                    .suggest(&first.lossy(), ["family", "COMMIT", "-A"]),
            ),
        }
    }

    fn family_line(&mut self, tokens: &[Token], span: Span) -> Result<(), Problem> {
        let [_, name] = tokens else {
            return Err(Problem::new(span, "line `family` is not complete")
                .expected("`family ipv4` or `family ipv6`"));
        };
        let text = name.lossy();
        let Some(family) = Family::ALL.into_iter().find(|family| family.name() == text) else {
            return Err(Problem::new(name.span, format!("unknown family `{text}`"))
                .expected("ipv4 or ipv6")
                .suggest(&text, Family::ALL.map(Family::name)));
        };
        if let Some(table) = &self.open {
            return Err(
                Problem::new(span, format!("table `{}` is still open", table.name))
                    .expected("`COMMIT` first"),
            );
        }
        if let Some(forced) = self.forced.filter(|forced| *forced != family) {
            return Err(Problem::new(
                name.span,
                format!("the file is to be read as {}", family_title(forced)),
            )
            .help("leave the -4 or -6 out to load both families of a file"));
        }
        self.family = Some(family);
        Ok(())
    }

    fn table_line(&mut self, tokens: &[Token], span: Span) -> Result<(), Problem> {
        let (first, mut rest) = match tokens {
            // iptables-restore allows a blank after the star.
            [star, name, rest @ ..] if star.text == b"*" => (name.clone(), rest),
            [first, rest @ ..] => (first.part(1, first.text.len()), rest),
            [] => return Ok(()),
        };
        if let Some(open) = self.open.take() {
            return Err(
                Problem::new(span, format!("table `{}` is still open", open.name))
                    .expected("`COMMIT` first"),
            );
        }
        let Some(family) = self.family else {
            return Err(Problem::new(span, "it is not said which family the table is for")
                .expected("a line `family ipv4` or `family ipv6` before the first table")
                .help("or load the file with -4 or -6, as iptables-restore or ip6tables-restore would"));
        };
        let name = Name::new(&first.text).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| {
            Problem::new(first.span, "this can't be the name of a table")
                .expected(format!("1 to {} bytes", Name::MAX))
        })?;
        let (mut hooks, mut place) = (None, None);
        while let Some((token, more)) = rest.split_first() {
            rest = more;
            match token.split_once(b'=') {
                Some((key, value)) if key.text == b"hooks" => hooks = Some(hooks_of(&value)?),
                Some((key, value)) if key.text == b"place" => {
                    place = Some(value.lossy().parse().map_err(|_| {
                        Problem::new(value.span, format!("`{}` is not a place", value.lossy()))
                            .expected("a whole number; filter is at 0, lower comes first")
                    })?);
                }
                _ => {
                    return Err(Problem::new(token.span, "unknown property of a table")
                        .expected("hooks=CHAIN,... or place=NUMBER"))
                }
            }
        }
        let own = match (hooks, place) {
            (None, None) => None,
            (Some(hooks), Some(place)) => Some(Own { hooks, place }),
            (Some(_), None) => {
                return Err(Problem::new(span, "a table of one's own needs a place")
                    .expected("place=NUMBER; filter is at 0, lower comes first"))
            }
            (None, Some(_)) => {
                return Err(Problem::new(span, "a table of one's own needs hooks")
                    .expected("hooks=CHAIN,..., such as hooks=PREROUTING,INPUT"))
            }
        };
        self.open = Some(Table {
            family,
            name,
            own,
            span,
            statements: Vec::new(),
        });
        Ok(())
    }

    /// The table that a line belongs to.
    fn open(&mut self, span: Span) -> Result<&mut Table, Problem> {
        self.open.as_mut().ok_or_else(|| {
            Problem::new(span, "the line belongs to no table")
                .expected("a line `*TABLE`, such as `*filter`, before it")
        })
    }

    fn chain_line(&mut self, tokens: &[Token]) -> Result<(), Problem> {
        let (first, rest) = match tokens {
            [colon, name, rest @ ..] if colon.text == b":" => (name.clone(), rest),
            [first, rest @ ..] => (first.part(1, first.text.len()), rest),
            [] => return Ok(()),
        };
        let chain = chain_name(&first)?;
        let span = tokens
            .last()
            .map_or(first.span, |last| first.span.to(last.span));
        let table = self.open(span)?;
        let Some((policy, rest)) = rest.split_first() else {
            return Err(Problem::new(span, "the chain has no policy")
                .expected("ACCEPT, DROP, or `-` for a chain that is not built in"));
        };
        let counters = match rest {
            [] => Counters::default(),
            [token] => counters(token)?,
            [_, extra, ..] => return Err(Problem::new(extra.span, "nothing more can stand here")),
        };
        let edit = Edit::Declare(
            match &*policy.text {
                b"-" => None,
                _ => Some(read_policy(policy)?),
            },
            counters,
        );
        table.statements.push(Statement {
            chain,
            edit,
            spans: Spans {
                line: span,
                chain: first.span,
                argument: Some(policy.span),
                ..Spans::default()
            },
        });
        Ok(())
    }

    fn command(
        &mut self,
        tokens: &[Token],
        saved: Option<Counters>,
        span: Span,
    ) -> Result<(), Problem> {
        let names = self.names;
        let table = self.open(span)?;
        command(tokens, saved, table.family, names, &mut table.statements)
    }
}

/// Reads a command into the statements that it stands for.
fn command(
    tokens: &[Token],
    saved: Option<Counters>,
    family: Family,
    names: &Names,
    statements: &mut Vec<Statement>,
) -> Result<(), Problem> {
    let Some(line) = line::parse(tokens, family, names)? else {
        return Ok(());
    };
    let spans = line.spans;
    let start = match (line.counters, saved) {
        (Some(counters), _) => Start::Given(counters),
        (None, Some(counters)) => Start::Saved(counters),
        (None, None) => Start::Zero,
    };
    let chain = line
        .chain
        .as_ref()
        .map_or(Ok(Name::default()), chain_name)?;
    let number = || {
        let argument = line.argument.as_ref();
        argument
            .map(|token| numbers::number(token, u32::MAX.into(), "the number of a rule"))
            .transpose()
    };
    let mut push = |edit| {
        statements.push(Statement { chain, edit, spans });
    };
    match line.command {
        Command::Append => line
            .rules
            .into_iter()
            .for_each(|rule| push(Edit::Append(rule, start))),
        Command::Insert => {
            let number = number()?.unwrap_or(1);
            // All at the same number, so that the last comes first, as with iptables.
            for rule in line.rules {
                push(Edit::Insert(number, rule, start));
            }
        }
        Command::Replace => {
            let number = number()?.unwrap_or_default();
            let mut rules = line.rules.into_iter();
            let (Some(rule), None) = (rules.next(), rules.next()) else {
                return Err(
                    Problem::new(spans.line, "one rule can't be replaced by several")
                        .expected("one address, not a list"),
                );
            };
            push(Edit::Replace(number, rule, start));
        }
        Command::Delete => match number()? {
            Some(_) if line.has_rule => {
                return Err(
                    Problem::new(spans.line, "both a number and a rule are given")
                        .expected("one of them"),
                )
            }
            Some(number) => push(Edit::Delete(number)),
            None => line
                .rules
                .into_iter()
                .for_each(|rule| push(Edit::DeleteRule(rule))),
        },
        Command::Flush => push(Edit::Flush),
        Command::NewChain => push(Edit::NewChain),
        Command::DeleteChain => push(Edit::DeleteChain),
        Command::RenameChain => match &line.argument {
            Some(token) => push(Edit::RenameChain(chain_name(token)?)),
            None => return Err(Problem::new(spans.line, "the new name is missing")),
        },
        Command::Policy => match &line.argument {
            Some(token) => push(Edit::Policy(read_policy(token)?)),
            None => return Err(Problem::new(spans.line, "the policy is missing")),
        },
        Command::Zero => {
            return Err(
                Problem::new(spans.line, "counters are not zeroed by a ruleset").help(
                    "rules that are loaded begin at zero; `oxtables zero` zeroes those in force",
                ),
            )
        }
    }
    Ok(())
}

fn read_policy(token: &Token) -> Result<Policy, Problem> {
    match &*token.text {
        b"ACCEPT" => Ok(Policy::Accept),
        b"DROP" => Ok(Policy::Drop),
        _ => {
            let name = token.lossy();
            Err(
                Problem::new(token.span, format!("`{name}` can't be a policy"))
                    .expected("ACCEPT, DROP, or `-` for a chain that is not built in")
                    .suggest(&name, ["ACCEPT", "DROP"]),
            )
        }
    }
}

/// Reads `[PACKETS:BYTES]`.
fn counters(token: &Token) -> Result<Counters, Problem> {
    let wrong = || {
        Problem::new(token.span, format!("`{}` are not counters", token.lossy()))
            .expected("[PACKETS:BYTES]")
    };
    let inner = token
        .text
        .strip_prefix(b"[")
        .and_then(|text| text.strip_suffix(b"]"))
        .and_then(|text| std::str::from_utf8(text).ok())
        .and_then(|text| text.split_once(':'))
        .ok_or_else(wrong)?;
    match (inner.0.parse(), inner.1.parse()) {
        (Ok(packets), Ok(bytes)) => Ok(Counters { packets, bytes }),
        _ => Err(wrong()),
    }
}

/// The hooks named by their chains, a bit each.
fn hooks_of(token: &Token) -> Result<u32, Problem> {
    token.split(b',').iter().try_fold(0, |hooks, part| {
        let Some(hook) = Hook::from_chain(&part.text) else {
            return Err(
                Problem::new(part.span, format!("unknown hook `{}`", part.lossy()))
                    .expected(Hook::ALL.map(Hook::chain).join(", "))
                    .suggest(&part.lossy(), Hook::ALL.map(Hook::chain)),
            );
        };
        Ok(hooks | 1 << hook as u32)
    })
}

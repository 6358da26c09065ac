// SPDX-License-Identifier: GPL-2.0
//! One line of a table: a command, and the rule that it is about.
//!
//! Options may come in any order, but for those of a match or target, which is named first: `-p tcp` or
//! `-m tcp` before `--dport`, `-j LOG` before `--log-prefix`.

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::error::Kind;
use oxtables_engine::engine::rules::model::{Device, Matches, Prefix};
use oxtables_engine::engine::rules::{Counters, Match, Rule, Target};
use oxtables_engine::engine::text::Name;
use oxtables_engine::uapi::field::Not;

use super::address;
use super::lexer::Token;
use super::options::{Command, BASE, COMMANDS};
use crate::diagnostic::{nearest, Problem, Span};
use crate::extensions::{self, later, numbers, Entry, Given, Opt, Options, MATCHES, TARGETS};
use crate::names::{family_title, Names};

/// How many rules one line may stand for, by its lists of addresses: a list of sources times one of
/// destinations soon takes more memory than there is.
const MOST_RULES: usize = 1 << 16;

/// Where the parts of a line are, for errors that show later.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spans {
    /// All of it.
    pub line: Span,
    /// The chain.
    pub chain: Span,
    /// The number, or the new name, that follows the chain.
    pub argument: Option<Span>,
    /// The target's name.
    pub target: Option<Span>,
    /// `-i` and its value.
    pub input: Option<Span>,
    /// `-o` and its value.
    pub output: Option<Span>,
}

/// A line of a table.
#[derive(Debug)]
pub struct Line {
    /// What is to be done.
    pub command: Command,
    /// The chain; none where the command is for the whole table.
    pub chain: Option<Token>,
    /// The word after the chain: a rule's number, a new name or a policy.
    pub argument: Option<Token>,
    /// The rules: several where a list of addresses was given.
    pub rules: Vec<Rule>,
    /// Whether anything was said of a rule.
    pub has_rule: bool,
    /// The counters given with `-c`.
    pub counters: Option<Counters>,
    /// Where things are.
    pub spans: Spans,
}

/// A match or target whose options are being read.
struct Open<T: 'static> {
    entry: &'static Entry<T>,
    span: Span,
    given: Vec<Given>,
}

impl<T> Open<T> {
    fn new(entry: &'static Entry<T>, span: Span) -> Self {
        Self {
            entry,
            span,
            given: Vec::new(),
        }
    }

    fn close(&self, family: Family, protocol: Option<u8>, names: &Names) -> Result<T, Problem> {
        (self.entry.parse)(&Options {
            family,
            protocol,
            names,
            span: self.span,
            given: &self.given,
        })
    }
}

/// Where a rule leads.
enum Lead {
    Plain(Target),
    Extension(Open<Target>),
}

/// An option that is known, and whose it is.
#[derive(Clone, Copy)]
struct Found {
    option: &'static Opt,
    owner: Owner,
}

/// Whose an option is.
#[derive(Clone, Copy)]
enum Owner {
    Command(Command),
    Rule,
    Target,
    /// The match with this index.
    Match(usize),
}

/// A line while it is read.
struct Reader<'a> {
    family: Family,
    names: &'a Names,
    tokens: std::slice::Iter<'a, Token>,
    command: Option<(Command, Span)>,
    chain: Option<Token>,
    argument: Option<Token>,
    sources: Option<Vec<Not<Prefix>>>,
    destinations: Option<Vec<Not<Prefix>>>,
    input: Option<Not<Device>>,
    output: Option<Not<Device>>,
    protocol: Option<Not<u8>>,
    fragment: Option<Not<bool>>,
    matches: Vec<Open<Match>>,
    lead: Option<Lead>,
    counters: Option<Counters>,
    skipped: bool,
    spans: Spans,
    /// What was given of the rule itself, to refuse it twice.
    seen: Vec<&'static str>,
}

/// Reads the words of a line; `None` where it says itself that it is for the other family (`-4`, `-6`), and the
/// words after that are not looked at.
///
/// # Errors
///
/// The first word that can't stand where it does.
pub fn parse(tokens: &[Token], family: Family, names: &Names) -> Result<Option<Line>, Problem> {
    let span = match tokens {
        [first, .., last] => first.span.to(last.span),
        [only] => only.span,
        [] => Span::default(),
    };
    let mut reader = Reader {
        family,
        names,
        tokens: tokens.iter(),
        command: None,
        chain: None,
        argument: None,
        sources: None,
        destinations: None,
        input: None,
        output: None,
        protocol: None,
        fragment: None,
        matches: Vec::new(),
        lead: None,
        counters: None,
        skipped: false,
        spans: Spans {
            line: span,
            ..Spans::default()
        },
        seen: Vec::new(),
    };
    reader.read()?;
    if reader.skipped {
        return Ok(None);
    }
    reader.finish().map(Some)
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), Problem> {
        let mut not: Option<Span> = None;
        while let Some(token) = self.tokens.next() {
            match &*token.text {
                b"!" => {
                    if let Some(first) = not.replace(token.span) {
                        return Err(Problem::new(first.to(token.span), "`!` stands here twice"));
                    }
                    continue;
                }
                [b'-', b'-', name @ ..] if !name.is_empty() => {
                    self.long(token, not.take())?;
                }
                [b'-', letter, ..] if *letter != b'-' => self.short(token, *letter, not.take())?,
                _ => {
                    let problem =
                        Problem::new(token.span, format!("`{}` is not an option", token.lossy()))
                            .expected("an option, such as -p or --dport");
                    return Err(problem);
                }
            }
            if self.skipped {
                return Ok(());
            }
        }
        match not {
            Some(span) => Err(Problem::new(span, "nothing follows `!`").expected("an option")),
            None => Ok(()),
        }
    }

    /// Reads `-X`, with a value that may be attached to it.
    fn short(&mut self, token: &Token, letter: u8, not: Option<Span>) -> Result<(), Problem> {
        let is_it = |option: &&Opt| option.short == Some(char::from(letter));
        let attached = (token.text.len() > 2).then(|| token.part(2, token.text.len()));
        if let Some((command, option)) = COMMANDS.iter().find(|(_, option)| is_it(&option)) {
            return self.command(*command, option, token, attached, not);
        }
        match BASE.iter().find(is_it) {
            Some(option) => self.base(option, token, attached, not),
            None => {
                let letter = token.lossy().chars().take(2).collect::<String>();
                let problem = Problem::new(token.span, format!("unknown option `{letter}`"));
                Err(match letter.as_str() {
                    "-t" => problem.help("the table is named by a line `*TABLE`, or before the chain on the command line"),
                    _ => problem.expected("an option of a rule; see `oxtables help rule`"),
                })
            }
        }
    }

    /// Reads `--NAME`, with a value that may follow an equals sign.
    fn long(&mut self, token: &Token, not: Option<Span>) -> Result<(), Problem> {
        let (word, attached) = match token.split_once(b'=') {
            Some((word, value)) => (word, Some(value)),
            None => (token.clone(), None),
        };
        let text = word.lossy();
        let name = text.strip_prefix("--").unwrap_or_default();
        let Some(found) = self.find(name, word.span) else {
            return Err(self.unknown(name, word.span));
        };
        let (option, owner) = (found.option, found.owner);
        match owner {
            Owner::Command(command) => return self.command(command, option, &word, attached, not),
            Owner::Rule => return self.base(option, &word, attached, not),
            Owner::Target | Owner::Match(_) => (),
        }
        let given = self.given(option, &word, attached, not)?;
        let place = match (owner, &mut self.lead) {
            (Owner::Match(index), _) => self.matches.get_mut(index).map(|open| &mut open.given),
            (_, Some(Lead::Extension(target))) => Some(&mut target.given),
            _ => None,
        };
        let Some(place) = place else {
            return Err(self.unknown(name, word.span));
        };
        let part = place.rsplit(|given| given.option.separates).next();
        let mut part = part.unwrap_or_default().iter();
        if let Some(first) = part.find(|first| first.option.name == option.name) {
            return Err(twice(&format!("--{}", first.option.name), given.span));
        }
        place.push(given);
        Ok(())
    }

    /// The option of this name, as getopt_long() finds it for iptables: among those that are known so far, by
    /// its whole name or by a beginning that no other has. Only then is the match that `-p` implies taken up.
    fn find(&mut self, name: &str, span: Span) -> Option<Found> {
        let whole = |option: &Opt| option.names().any(|known| known == name);
        let begins = |option: &Opt| option.names().any(|known| known.starts_with(name));
        if let Some(found) = self.known().find(|found| whole(found.option)) {
            return Some(found);
        }
        let mut candidates = self.known().filter(|found| begins(found.option));
        if let Some(first) = candidates.next() {
            // The same match may be there twice; the newest comes first.
            let same = |other: Found| std::ptr::eq(other.option, first.option);
            return candidates.all(same).then_some(first);
        }
        drop(candidates);
        let entry = self.implied()?;
        let options = entry.about.options;
        let mut candidates = options.iter().filter(|option| begins(option));
        let option = match options.iter().find(|option| whole(option)) {
            Some(option) => option,
            None => candidates.next().filter(|_| candidates.next().is_none())?,
        };
        self.matches.push(Open::new(entry, span));
        Some(Found {
            option,
            owner: Owner::Match(self.matches.len() - 1),
        })
    }

    /// The options that are known so far; those of later matches come first.
    fn known(&self) -> impl Iterator<Item = Found> + '_ {
        let commands = COMMANDS.iter().map(|(command, option)| Found {
            option,
            owner: Owner::Command(*command),
        });
        let base = BASE.iter().map(|option| Found {
            option,
            owner: Owner::Rule,
        });
        let target = match &self.lead {
            Some(Lead::Extension(target)) => target.entry.about.options,
            _ => &[],
        };
        let target = target.iter().map(|option| Found {
            option,
            owner: Owner::Target,
        });
        let matches = self
            .matches
            .iter()
            .enumerate()
            .rev()
            .flat_map(|(index, open)| {
                open.entry.about.options.iter().map(move |option| Found {
                    option,
                    owner: Owner::Match(index),
                })
            });
        commands.chain(base).chain(target).chain(matches)
    }

    /// The match that the protocol implies.
    fn implied(&self) -> Option<&'static Entry<Match>> {
        let protocol = self.protocol.filter(|protocol| !protocol.not)?.value;
        MATCHES.iter().find(|entry| {
            entry.about.implied_by.contains(&protocol) && entry.about.is_for(self.family)
        })
    }

    /// The words of an option: the one attached to it, and as many that follow as it takes.
    fn given(
        &mut self,
        option: &'static Opt,
        token: &Token,
        attached: Option<Token>,
        not: Option<Span>,
    ) -> Result<Given, Problem> {
        let shown = token.lossy();
        if let Some(not) = not.filter(|_| !option.negatable) {
            return Err(Problem::new(
                not.to(token.span),
                format!("`!` can't stand before `{shown}`"),
            ));
        }
        if let Some(extra) = attached.as_ref().filter(|_| option.values.is_empty()) {
            return Err(Problem::new(
                extra.span,
                format!("`{shown}` takes no value"),
            ));
        }
        let mut values: Vec<Token> = attached.into_iter().collect();
        while let Some(wanted) = option.values.get(values.len()) {
            let value = self.tokens.as_slice().first();
            // Any text can be a remark or a prefix; elsewhere a dash begins the next option.
            let fits = |value: &&Token| *wanted == "TEXT" || !value.text.starts_with(b"-");
            let Some(value) = value.filter(fits) else {
                let span = value.map_or(token.span, |value| token.span.to(value.span));
                return Err(
                    Problem::new(span, format!("`{shown}` needs a value")).expected(*wanted)
                );
            };
            if value.text == b"!" && *wanted != "TEXT" {
                return Err(
                    Problem::new(value.span, "`!` stands before the option, not after it")
                        .help(format!("write `! {shown} {wanted}`")),
                );
            }
            values.push(value.clone());
            self.tokens.next();
        }
        let last = values.last().map_or(token.span, |value| value.span);
        Ok(Given {
            option,
            not: not.is_some(),
            span: not.unwrap_or(token.span).to(token.span).to(last),
            values,
        })
    }

    /// Reads a command and what follows it.
    fn command(
        &mut self,
        command: Command,
        option: &'static Opt,
        token: &Token,
        attached: Option<Token>,
        not: Option<Span>,
    ) -> Result<(), Problem> {
        if let Some((_, first)) = self.command {
            return Err(Problem::new(first.to(token.span), "a line has one command"));
        }
        let needs_chain = !matches!(
            command,
            Command::Flush | Command::DeleteChain | Command::Zero
        );
        let next_is_word = self
            .tokens
            .as_slice()
            .first()
            .is_some_and(|next| !matches!(&*next.text, [b'-' | b'!', ..]));
        if needs_chain || attached.is_some() || next_is_word {
            let given = self.given(option, token, attached, not)?;
            self.spans.chain = given.value().span;
            self.chain = given.values.into_iter().next();
        } else if not.is_some() {
            self.given(option, token, None, not)?;
        }
        self.command = Some((command, token.span));
        if command.takes_argument() {
            let next = self.tokens.as_slice().first();
            if let Some(next) = next.filter(|next| !matches!(&*next.text, [b'-' | b'!', ..])) {
                self.spans.argument = Some(next.span);
                self.argument = Some(next.clone());
                self.tokens.next();
            }
        }
        Ok(())
    }

    /// Reads an option of the rule itself.
    fn base(
        &mut self,
        option: &'static Opt,
        token: &Token,
        attached: Option<Token>,
        not: Option<Span>,
    ) -> Result<(), Problem> {
        let given = self.given(option, token, attached, not)?;
        let name = option.name;
        if name != "match" {
            if self.seen.contains(&name) {
                return Err(twice(&token.lossy(), given.span));
            }
            self.seen.push(name);
        }
        let not = given.not;
        match name {
            "source" => self.sources = Some(self.prefixes(&given)?),
            "destination" => self.destinations = Some(self.prefixes(&given)?),
            "in-interface" => {
                self.spans.input = Some(given.span);
                self.input = device(&given)?;
            }
            "out-interface" => {
                self.spans.output = Some(given.span);
                self.output = device(&given)?;
            }
            "protocol" => self.protocol = self.read_protocol(&given)?,
            "fragment" => {
                if self.family == Family::V6 {
                    return Err(Problem::new(given.span, "`-f` is for IPv4 only"));
                }
                self.fragment = Some(Not { value: true, not });
            }
            "match" => {
                let open = self.open_match(given.value())?;
                self.matches.push(open);
            }
            "jump" => self.lead(&given, false)?,
            "goto" => self.lead(&given, true)?,
            "set-counters" => {
                let count = |token: &Token| {
                    numbers::number(token, u64::MAX, "a number of packets or bytes")
                };
                if let [packets, bytes] = &*given.values {
                    let (packets, bytes) = (count(packets)?, count(bytes)?);
                    self.counters = Some(Counters { packets, bytes });
                }
            }
            "ipv4" => self.skipped = self.family != Family::V4,
            _ => self.skipped = self.family != Family::V6,
        }
        Ok(())
    }

    fn prefixes(&self, given: &Given) -> Result<Vec<Not<Prefix>>, Problem> {
        let parts = given.value().split(b',');
        if given.not && parts.len() > 1 {
            return Err(Problem::new(given.span, "`!` can't stand before a list of addresses")
                .help("a list makes a rule for each address, so that no packet could match none of them"));
        }
        let mut prefixes = Vec::new();
        for part in parts {
            let value = address::prefix(&part, self.family)?;
            let not = given.not;
            prefixes.push(Not { value, not });
        }
        Ok(prefixes)
    }

    fn read_protocol(&self, given: &Given) -> Result<Option<Not<u8>>, Problem> {
        let value = self.names.protocol_of(given.value())?;
        let not = given.not;
        match (value, not) {
            (0, true) => Err(Problem::new(
                given.span,
                "no packet has none of all protocols",
            )),
            (0, false) => Ok(None),
            _ => Ok(Some(Not { value, not })),
        }
    }

    fn open_match(&self, token: &Token) -> Result<Open<Match>, Problem> {
        let name = token.lossy();
        // ip6tables has other names for what is the same on this side.
        let wanted = match &*name {
            "icmpv6" | "ipv6-icmp" => "icmp6",
            other => other,
        };
        let Some(entry) = MATCHES.iter().find(|entry| entry.about.name == wanted) else {
            if let Some(problem) = later::later_match(&name, token.span) {
                return Err(problem);
            }
            let problem = Problem::new(token.span, format!("unknown match `{name}`"));
            return Err(match nearest(&name, extensions::match_names()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => {
                    let known: Vec<_> = extensions::match_names().collect();
                    problem.expected(known.join(", "))
                }
            });
        };
        if let Some(family) = entry.about.family.filter(|family| *family != self.family) {
            return Err(Problem::new(
                token.span,
                format!("match `{name}` is for {} only", family_title(family)),
            ));
        }
        Ok(Open::new(entry, token.span))
    }

    fn lead(&mut self, given: &Given, goto: bool) -> Result<(), Problem> {
        if self.lead.is_some() {
            return Err(Problem::new(given.span, "a rule has one target"));
        }
        let token = given.value();
        self.spans.target = Some(token.span);
        let name = token.lossy();
        let entry = TARGETS.iter().find(|entry| entry.about.name == name);
        let plain = extensions::PLAIN_TARGETS
            .iter()
            .find(|(known, ..)| *known == name);
        self.lead = Some(match (plain, entry) {
            (None, None) => {
                let chain = chain_name(token)?;
                Lead::Plain(if goto {
                    Target::Goto(chain)
                } else {
                    Target::Jump(chain)
                })
            }
            _ if goto => {
                return Err(Problem::new(token.span, format!("`{name}` is a target"))
                    .expected("a chain")
                    .help(format!("write `-j {name}`")))
            }
            (Some((_, _, target)), _) => Lead::Plain(target.clone()),
            (_, Some(entry)) => Lead::Extension(Open::new(entry, token.span)),
        });
        Ok(())
    }

    /// The error for an option that nothing in the line so far knows.
    fn unknown(&self, name: &str, span: Span) -> Problem {
        let problem = Problem::new(span, format!("unknown option `--{name}`"));
        let owns = |options: &[Opt]| {
            options
                .iter()
                .flat_map(Opt::names)
                .any(|known| known == name)
        };
        if let Some(target) = self.later_target() {
            return target;
        }
        let owner = MATCHES
            .iter()
            .find(|entry| owns(entry.about.options) && entry.about.is_for(self.family));
        if let Some(entry) = owner {
            let about = entry.about;
            let how = match about.implied_by {
                [] => format!("`-m {}`", about.name),
                [..] => format!("`-p {0}` or `-m {0}`", about.name),
            };
            return problem
                .label(format!("an option of the match {}", about.name))
                .help(format!("{how} comes before it"));
        }
        if let Some(entry) = TARGETS.iter().find(|entry| owns(entry.about.options)) {
            let target = entry.about.name;
            return problem
                .label(format!("an option of the target {target}"))
                .help(format!("`-j {target}` comes before it"));
        }
        let open = self.matches.iter().map(|open| open.entry.about);
        let implied = self.implied().map(|entry| entry.about);
        let target = match &self.lead {
            Some(Lead::Extension(target)) => Some(target.entry.about),
            _ => None,
        };
        let options = open
            .chain(implied)
            .chain(target)
            .flat_map(|about| about.options)
            .chain(BASE)
            .flat_map(Opt::names);
        match nearest(name, options) {
            Some(near) => problem.help(format!("did you mean `--{near}`?")),
            None => problem.expected("an option of the rule, its matches or its target"),
        }
    }

    /// The error for the target where it is one of iptables' that is not there yet: without options its name
    /// could be a chain's, but chains have none.
    fn later_target(&self) -> Option<Problem> {
        let Some(Lead::Plain(target)) = &self.lead else {
            return None;
        };
        let span = self.spans.target.unwrap_or(self.spans.line);
        later::later_target(&target.chain()?.to_string(), span)
    }

    /// Makes the rules of what has been read.
    fn finish(self) -> Result<Line, Problem> {
        let protocol = self
            .protocol
            .filter(|protocol| !protocol.not)
            .map(|protocol| protocol.value);
        let mut matches = Vec::new();
        for open in &self.matches {
            matches.push(open.close(self.family, protocol, self.names)?);
        }
        let has_rule = !self.seen.is_empty() || !self.matches.is_empty();
        let target = match &self.lead {
            None => Target::Continue,
            Some(Lead::Plain(target)) => target.clone(),
            Some(Lead::Extension(open)) => open.close(self.family, protocol, self.names)?,
        };
        let rule = Rule {
            input: self.input,
            output: self.output,
            protocol: self.protocol,
            fragment: self.fragment,
            target,
            ..Rule::default()
        };
        for (item, open) in matches.iter().zip(&self.matches) {
            item.check(self.family, &rule)
                .map_err(|what| Problem::new(open.span, what))?;
        }
        rule.check(self.family).map_err(|kind| {
            let span = match kind {
                Kind::Extension(_) => self.spans.target,
                _ => None,
            };
            Problem::new(span.unwrap_or(self.spans.line), kind.what())
        })?;

        let Some((command, span)) = self.command else {
            return Err(Problem::new(self.spans.line, "the line has no command")
                .expected("-A CHAIN and a rule"));
        };
        if has_rule && !command.takes_rule() {
            return Err(Problem::new(self.spans.line, "this command takes no rule"));
        }
        if command.needs_argument() && self.argument.is_none() {
            return Err(
                Problem::new(span.to(self.spans.chain), "the command is not complete")
                    .expected(command.argument()),
            );
        }
        let count = |prefixes: &Option<Vec<_>>| prefixes.as_ref().map_or(1, Vec::len);
        let several = count(&self.sources).saturating_mul(count(&self.destinations));
        if several > MOST_RULES {
            return Err(Problem::new(
                self.spans.line,
                format!("the line stands for {several} rules"),
            )
            .label(format!("{MOST_RULES} at most"))
            .help(
                "a chain that asks for the source may jump to one that asks for the destination",
            ));
        }
        let rules = expand(rule, &self.sources, &self.destinations, &matches)
            .ok_or_else(|| Problem::new(self.spans.line, "out of memory"))?;
        Ok(Line {
            command,
            chain: self.chain,
            argument: self.argument,
            rules,
            has_rule,
            counters: self.counters,
            spans: self.spans,
        })
    }
}

/// A rule for each pair of addresses, in iptables' order.
fn expand(
    mut rule: Rule,
    sources: &Option<Vec<Not<Prefix>>>,
    destinations: &Option<Vec<Not<Prefix>>>,
    matches: &[Match],
) -> Option<Vec<Rule>> {
    // A prefix of no bits asks for nothing, and iptables-save does not print it.
    let each = |prefixes: &Option<Vec<Not<Prefix>>>| match prefixes {
        Some(prefixes) => prefixes
            .iter()
            .map(|prefix| (prefix.not || !prefix.value.mask.is_unspecified()).then_some(*prefix))
            .collect(),
        None => vec![None],
    };
    let mut rules = Vec::new();
    for source in each(sources) {
        for destination in each(destinations) {
            (rule.source, rule.destination) = (source, destination);
            let mut copy = rule.try_clone_with(rule.target.clone()).ok()?;
            copy.matches = clone_matches(matches)?;
            rules.push(copy);
        }
    }
    Some(rules)
}

fn clone_matches(matches: &[Match]) -> Option<Matches> {
    let mut copy = Matches::default();
    for item in matches {
        let item = item.try_clone().ok()?;
        copy.0.push(item, oxtables_engine::alloc::GFP_KERNEL).ok()?;
    }
    Some(copy)
}

/// An interface; `+` alone asks for nothing.
fn device(given: &Given) -> Result<Option<Not<Device>>, Problem> {
    let value = address::device(given.value())?;
    let not = given.not;
    Ok((not || given.value().text != b"+").then_some(Not { value, not }))
}

fn twice(option: &str, span: Span) -> Problem {
    Problem::new(span, format!("`{option}` is given twice"))
}

/// The name of a chain.
pub fn chain_name(token: &Token) -> Result<Name, Problem> {
    Name::new(&token.text).ok_or_else(|| {
        Problem::new(token.span, "name of a chain is too long").label(format!(
            "{} bytes, of which {} fit",
            token.text.len(),
            Name::MAX
        ))
    })
}

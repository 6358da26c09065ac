// SPDX-License-Identifier: GPL-2.0
//! How matches and targets are written: one file each, as the engine has one file each for what they mean.
//!
//! An extension says once which options it has ([`About`]); from that follow the parser's rules (how many
//! values, whether `!` may stand before), the help and the suggestions in errors. It turns the options
//! that were given into the engine's type, and that type back into options; what text, JSON and lists look
//! like is not its business. To add one, write the file and name it in the registry below.

mod addrtype;
mod ah;
mod audit;
mod bpf;
mod cgroup;
mod comment;
mod connbytes;
mod connlimit;
mod connmark;
pub mod conntrack;
mod cpu;
mod ct;
mod dccp;
mod devgroup;
mod dscp;
mod ecn;
mod esp;
mod eui64;
mod frag;
mod hashlimit;
mod helper;
mod icmp;
mod iprange;
mod ipv6_options;
mod ipv6header;
pub mod later;
mod length;
mod limit;
mod log;
mod mac;
mod mark;
pub mod masked;
mod mh;
mod multiport;
mod named;
mod nflog;
mod nfqueue;
pub mod numbers;
mod owner;
mod physdev;
mod pkttype;
mod policy;
mod ports;
mod quota;
mod ranges;
mod rates;
mod realm;
mod reject;
mod rpfilter;
mod rt;
mod sctp;
mod spi;
mod state;
mod statistic;
mod string;
mod tcp;
mod tcpmss;
mod tee;
mod time;
mod tos;
mod ttl;
mod u32;
mod udp;

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::memory::Memory;
use oxtables_engine::engine::rules::{matches, targets, Match, Target};

use crate::diagnostic::{Problem, Span};
use crate::language::lexer::Token;
use crate::names::Names;

/// An option that can be given in a rule.
#[derive(Debug)]
pub struct Opt {
    /// The long name, without dashes; the first of the names that iptables-save prints.
    pub name: &'static str,
    /// Other long names.
    pub aliases: &'static [&'static str],
    /// The letter of the short form; none for extensions.
    pub short: Option<char>,
    /// What follows it, one word each.
    pub values: &'static [&'static str],
    /// Whether `!` may stand before it.
    pub negatable: bool,
    /// Whether it begins a new part, for which all options can be given again.
    pub separates: bool,
    /// What it asks or does, in one line.
    pub help: &'static str,
}

impl Opt {
    /// An option of an extension that may be negated.
    pub const fn negatable(
        name: &'static str,
        aliases: &'static [&'static str],
        values: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self {
            name,
            aliases,
            short: None,
            values,
            negatable: true,
            separates: false,
            help,
        }
    }

    /// An option of an extension that may not be negated.
    pub const fn plain(
        name: &'static str,
        values: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            short: None,
            values,
            negatable: false,
            separates: false,
            help,
        }
    }

    /// All long names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [self.name].into_iter().chain(self.aliases.iter().copied())
    }
}

/// Names that an option takes as its value.
#[derive(Debug)]
pub struct Vocabulary {
    /// What they are names of.
    pub title: &'static str,
    /// The names, with what they stand for.
    pub names: fn() -> Vec<String>,
}

/// What there is to know of a match or target.
#[derive(Debug)]
pub struct About {
    /// The name for `-m` or `-j`.
    pub name: &'static str,
    /// What it is for, in one line.
    pub summary: &'static str,
    /// The only family that it is for, if it is for one.
    pub family: Option<Family>,
    /// The protocols for which `-p` alone makes the match's options known.
    pub implied_by: &'static [u8],
    /// The options.
    pub options: &'static [Opt],
    /// The names that options take as their values.
    pub vocabularies: &'static [Vocabulary],
}

impl About {
    /// Whether it is for this family.
    pub fn is_for(&self, family: Family) -> bool {
        self.family.is_none_or(|only| only == family)
    }

    /// One without anything special, to build others from.
    const NONE: Self = Self {
        name: "",
        summary: "",
        family: None,
        implied_by: &[],
        options: &[],
        vocabularies: &[],
    };
}

/// An option as it was given.
#[derive(Debug)]
pub struct Given {
    /// Which one.
    pub option: &'static Opt,
    /// Whether `!` stands before it.
    pub not: bool,
    /// The option with its values.
    pub span: Span,
    /// The words that follow it, as many as the option asks for.
    pub values: Vec<Token>,
}

impl Given {
    /// The value of an option that has one.
    pub fn value(&self) -> &Token {
        &self.values[0]
    }
}

/// The options given to a match or target, each at most once, or once in each part where one of them separates parts.
#[derive(Debug)]
pub struct Options<'a> {
    /// The family of the rule.
    pub family: Family,
    /// The protocol of the rule's packets, if it is one.
    pub protocol: Option<u8>,
    /// The names that values may use.
    pub names: &'a Names,
    /// Where the match or target is named, or its first option.
    pub span: Span,
    /// The options.
    pub given: &'a [Given],
}

impl<'a> Options<'a> {
    /// The option of this name, if it was given.
    pub fn get(&self, name: &str) -> Option<&'a Given> {
        self.given.iter().find(|given| given.option.name == name)
    }

    /// What a match remembers in the kernel; nothing yet.
    ///
    /// # Errors
    ///
    /// When there is no room for it.
    pub fn memory(&self) -> Result<Memory, Problem> {
        Memory::new().map_err(|_| self.no_memory())
    }

    /// There is no room for what a match holds.
    pub fn no_memory(&self) -> Problem {
        Problem::new(self.span, "there is not enough memory")
    }

    /// The one option of several that exclude each other.
    ///
    /// # Errors
    ///
    /// When there is none, or more than one.
    pub fn only(&self, about: &About) -> Result<&'a Given, Problem> {
        let names: Vec<_> = about
            .options
            .iter()
            .map(|option| format!("--{}", option.name))
            .collect();
        match self.given {
            [] => Err(
                Problem::new(self.span, format!("`{}` needs an option", about.name))
                    .expected(names.join(" or ")),
            ),
            [one] => Ok(one),
            [first, second, ..] => Err(Problem::new(
                second.span,
                format!(
                    "`--{}` and `--{}` exclude each other",
                    first.option.name, second.option.name
                ),
            )),
        }
    }
}

/// An option as it is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The long name.
    pub name: &'static str,
    /// Whether `!` stands before it.
    pub not: bool,
    /// The words that follow it.
    pub values: Vec<Word>,
}

/// A word that is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The word, without quotes.
    pub text: Vec<u8>,
    /// When iptables-save quotes it.
    pub quotes: Quotes,
}

/// When a word is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quotes {
    /// When it could not be read back without.
    IfNeeded,
    /// When it is more than letters and digits: it is free text.
    AroundText,
    /// Whatever it is.
    Always,
}

impl Printed {
    /// An option without values.
    pub fn flag(name: &'static str) -> Self {
        Self {
            name,
            not: false,
            values: Vec::new(),
        }
    }

    /// An option with one value.
    pub fn new(name: &'static str, not: bool, value: impl ToString) -> Self {
        let value = value.to_string();
        Self::word(name, not, value.as_bytes(), Quotes::IfNeeded)
    }

    /// One more value.
    pub fn and(mut self, value: impl ToString) -> Self {
        self.values.push(Word {
            text: value.to_string().into_bytes(),
            quotes: Quotes::IfNeeded,
        });
        self
    }

    /// An option whose value is any text.
    pub fn text(name: &'static str, text: &[u8]) -> Self {
        Self::word(name, false, text, Quotes::AroundText)
    }

    /// An option whose value is always in quotes.
    pub fn quoted(name: &'static str, not: bool, text: &[u8]) -> Self {
        Self::word(name, not, text, Quotes::Always)
    }

    fn word(name: &'static str, not: bool, text: &[u8], quotes: Quotes) -> Self {
        let word = Word {
            text: text.to_vec(),
            quotes,
        };
        Self {
            name,
            not,
            values: vec![word],
        }
    }
}

/// How a type of the engine is written.
pub trait Extension: Sized {
    /// What there is to know of it.
    const ABOUT: About;

    /// Makes the value that the options describe.
    ///
    /// # Errors
    ///
    /// The option to blame, and why.
    fn parse(options: &Options<'_>) -> Result<Self, Problem>;

    /// The options that describe the value, in iptables-save's order.
    fn print(&self, family: Family) -> Vec<Printed>;
}

/// An extension in the registry.
#[derive(Debug)]
pub struct Entry<T: 'static> {
    /// What there is to know of it.
    pub about: &'static About,
    /// See [`Extension::parse`].
    pub parse: fn(&Options<'_>) -> Result<T, Problem>,
}

/// Makes the registry of a kind of extension: a list for the parser, and the way back from a value.
macro_rules! registry {
    (
        $list:ident: $enum:ident { $( $variant:ident $type:ty, )* }
        fn $print:ident -> $result:ty { $wrap:path $(, $( $other:ident )|+ => $none:expr )? }
    ) => {
        /// All of them.
        pub static $list: &[Entry<$enum>] = &[
            $( Entry {
                about: &<$type as Extension>::ABOUT,
                parse: |options| <$type as Extension>::parse(options).map($enum::$variant),
            }, )*
        ];

        /// The name of a value, and the options that describe it.
        pub fn $print(value: &$enum, family: Family) -> $result {
            match value {
                $( $enum::$variant(inner) => {
                    $wrap((<$type as Extension>::ABOUT.name, inner.print(family)))
                } )*
                $( $( $enum::$other { .. } )|+ => $none, )?
            }
        }
    };
}

registry! {
    MATCHES: Match {
        Tcp matches::Tcp,
        Udp matches::Udp,
        Icmp matches::Icmp,
        Icmpv6 matches::Icmpv6,
        Multiport matches::Multiport,
        Mark matches::Mark,
        Comment matches::Comment,
        Length matches::Length,
        IpRange matches::IpRange,
        Ttl matches::Ttl,
        Hl matches::Hl,
        Tos matches::Tos,
        Dscp matches::Dscp,
        Ecn matches::Ecn,
        Ah matches::Ah,
        Esp matches::Esp,
        Sctp matches::Sctp,
        Dccp matches::Dccp,
        TcpMss matches::TcpMss,
        Ipv6Header matches::Ipv6Header,
        Frag matches::Frag,
        Rt matches::Rt,
        Hbh matches::Hbh,
        Dst matches::Dst,
        Mh matches::Mh,
        Eui64 matches::Eui64,
        U32 matches::U32,
        Bpf matches::Bpf,
        StringMatch matches::StringMatch,
        Mac matches::Mac,
        Pkttype matches::Pkttype,
        Devgroup matches::Devgroup,
        Realm matches::Realm,
        Cpu matches::Cpu,
        Cgroup matches::Cgroup,
        Owner matches::Owner,
        Physdev matches::Physdev,
        Policy matches::Policy,
        Addrtype matches::Addrtype,
        Rpfilter matches::Rpfilter,
        Time matches::Time,
        Limit matches::Limit,
        Quota matches::Quota,
        Statistic matches::Statistic,
        Hashlimit matches::Hashlimit,
        Conntrack matches::Conntrack,
        State matches::State,
        Connmark matches::Connmark,
        Connbytes matches::Connbytes,
        Connlimit matches::Connlimit,
        Helper matches::Helper,
    }
    fn print_match -> (&'static str, Vec<Printed>) { std::convert::identity }
}

registry! {
    TARGETS: Target {
        Reject targets::Reject,
        Log targets::Log,
        Mark targets::SetMark,
        Nflog targets::Nflog,
        Nfqueue targets::Nfqueue,
        Audit targets::Audit,
        Tee targets::Tee,
        Ct targets::Ct,
        SetConnmark targets::SetConnmark,
    }
    fn print_target -> Option<(&'static str, Vec<Printed>)> {
        Some, Continue | Accept | Drop | Return | Jump | Goto | Trace => None
    }
}

/// Targets without options: the name for `-j`, what it does, and the target.
pub static PLAIN_TARGETS: &[(&str, &str, Target)] = &[
    ("ACCEPT", "let the packet pass the table", Target::Accept),
    ("DROP", "drop the packet", Target::Drop),
    (
        "RETURN",
        "leave the chain; at the end of a built-in chain its policy decides",
        Target::Return,
    ),
    (
        "TRACE",
        "tell `oxtables trace` of all that the packet meets from here on, and go on with the next rule",
        Target::Trace,
    ),
    (
        "NOTRACK",
        "do not track the packet, as CT --notrack, and go on with the next rule",
        Target::Ct(targets::Ct::NOTRACK),
    ),
];

/// The names that `-j` knows, chains apart.
pub fn target_names() -> impl Iterator<Item = &'static str> {
    PLAIN_TARGETS
        .iter()
        .map(|(name, ..)| *name)
        .chain(TARGETS.iter().map(|entry| entry.about.name))
}

/// The names that `-m` knows.
pub fn match_names() -> impl Iterator<Item = &'static str> {
    MATCHES.iter().map(|entry| entry.about.name)
}

#[cfg(test)]
mod tests {
    use super::later::{LATER_MATCHES, LATER_TARGETS};
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_not_taken_twice() {
        let abouts = || {
            let matches = MATCHES.iter().map(|entry| entry.about);
            matches.chain(TARGETS.iter().map(|entry| entry.about))
        };
        let names: HashSet<_> = match_names().chain(target_names()).collect();
        assert_eq!(names.len(), match_names().count() + target_names().count());
        for (later, why) in LATER_MATCHES.iter().chain(LATER_TARGETS) {
            assert!(!names.contains(later) && !why.is_empty(), "{later}");
        }
        for about in abouts() {
            let options = || about.options.iter().flat_map(Opt::names);
            let unique: HashSet<_> = options().collect();
            assert_eq!(unique.len(), options().count(), "{}", about.name);
            assert!(!about.summary.is_empty());
        }
    }
}

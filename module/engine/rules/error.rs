// SPDX-License-Identifier: GPL-2.0
//! Why a ruleset is refused, and which of its rules is to blame.

use core::fmt;

use crate::alloc::AllocError;
use crate::engine::packet::Family;
use crate::engine::text::Name;
use crate::uapi::Errno;

/// Where in a ruleset something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The table's family.
    pub family: Family,
    /// The table.
    pub table: Name,
    /// The chain; empty where the whole table is meant.
    pub chain: Name,
    /// The rule's number in its chain, counted from 1; zero where the whole chain is meant.
    pub rule: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.family.name(), self.table)?;
        if !self.chain.is_empty() {
            write!(f, " {}", self.chain)?;
        }
        if self.rule != 0 {
            write!(f, " rule {}", self.rule)?;
        }
        Ok(())
    }
}

/// What is wrong with a ruleset or a change of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An allocation failed.
    NoMemory,
    /// The table does not exist.
    NoTable,
    /// The chain does not exist.
    NoChain,
    /// The chain has no rule of that number.
    NoRule,
    /// The chain exists already.
    ChainExists,
    /// The chain can't be deleted while it has rules.
    ChainNotEmpty,
    /// A rule jumps to the chain, so it can't go.
    ChainInUse,
    /// Built-in chains stay, under their names.
    BuiltIn,
    /// Only a built-in chain has a policy.
    NoPolicy,
    /// The name of a chain or table must not be empty or begin with a dash or an exclamation mark, or be
    /// that of a target.
    BadName,
    /// Only the tables that a person defined have hooks and a place of their own, and these need them.
    NoHooks,
    /// A rule jumps to a chain that does not exist.
    NoTarget,
    /// A rule jumps to a built-in chain.
    JumpToBuiltIn,
    /// Chains jump in a circle.
    Loop,
    /// Chains nest more deeply than [`MAX_DEPTH`](super::program::MAX_DEPTH).
    TooDeep,
    /// A rule speaks of the other family's addresses.
    MixedFamilies,
    /// `-i` where packets have no input interface.
    NoInput,
    /// `-o` where packets have no output interface.
    NoOutput,
    /// A match or target says why it can't stand in this rule.
    Extension(&'static str),
    /// There are more rules, chains or matches than numbers for them.
    TooMany,
    /// A rule has more matches than a line of the program can hold ([`Matches::MAX`](super::model::Matches::MAX)).
    TooManyMatches,
    /// There are as many tables as there may be.
    TooManyTables,
    /// A program that lets a packet go on would lead it past a table that follows at the same hook.
    QueuedPast,
    /// The operations of one transaction move or search too many rules.
    TooMuchWork,
}

impl Kind {
    /// The failure in words.
    pub const fn what(self) -> &'static str {
        match self {
            Self::NoMemory => "out of memory",
            Self::NoTable => "no such table",
            Self::NoChain => "no such chain",
            Self::NoRule => "no rule of that number",
            Self::ChainExists => "chain exists already",
            Self::ChainNotEmpty => "chain still has rules",
            Self::ChainInUse => "a rule jumps to the chain",
            Self::BuiltIn => "built-in chains stay as they are",
            Self::NoPolicy => "only built-in chains have a policy",
            Self::BadName => "name not allowed",
            Self::NoHooks => "own tables need hooks, others have theirs",
            Self::NoTarget => "jump to a chain that does not exist",
            Self::JumpToBuiltIn => "jump to a built-in chain",
            Self::Loop => "chains jump in a circle",
            Self::TooDeep => "chains nest more than 16 deep",
            Self::MixedFamilies => "address of the other family",
            Self::NoInput => "-i where there is no input interface",
            Self::NoOutput => "-o where there is no output interface",
            Self::Extension(what) => what,
            Self::TooMany => "too many rules",
            Self::TooManyMatches => "a rule has 255 matches at most",
            Self::TooManyTables => "too many tables",
            Self::QueuedPast => "NFQUEUE would lead packets past the tables behind",
            Self::TooMuchWork => "too many changes at once; append instead",
        }
    }

    /// The number that netlink answers with.
    pub const fn errno(self) -> Errno {
        match self {
            Self::NoMemory => Errno::NoMemory,
            Self::NoTable | Self::NoChain | Self::NoRule | Self::NoTarget => Errno::NotFound,
            Self::ChainExists => Errno::Exists,
            Self::Loop | Self::TooDeep => Errno::Loop,
            Self::TooMany | Self::TooManyMatches | Self::TooManyTables | Self::TooMuchWork => {
                Errno::TooBig
            }
            _ => Errno::Invalid,
        }
    }
}

/// A ruleset or a change that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub kind: Kind,
    /// Where; `None` where no place is to blame.
    pub place: Option<Place>,
}

impl From<AllocError> for Error {
    fn from(_: AllocError) -> Self {
        Self {
            kind: Kind::NoMemory,
            place: None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(self.kind.what())
    }
}

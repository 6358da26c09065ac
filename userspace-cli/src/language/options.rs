// SPDX-License-Identifier: GPL-2.0
//! The options that every rule can have, and the commands that a line can begin with.

use crate::extensions::Opt;

/// What a line of a table does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// `-A`
    Append,
    /// `-I`
    Insert,
    /// `-R`
    Replace,
    /// `-D`
    Delete,
    /// `-F`
    Flush,
    /// `-N`
    NewChain,
    /// `-X`
    DeleteChain,
    /// `-E`
    RenameChain,
    /// `-P`
    Policy,
    /// `-Z`
    Zero,
}

impl Command {
    /// Whether a word may follow the chain.
    pub fn takes_argument(self) -> bool {
        matches!(self, Self::Insert | Self::Delete) || self.needs_argument()
    }

    /// Whether a word must follow the chain.
    pub fn needs_argument(self) -> bool {
        matches!(self, Self::Replace | Self::RenameChain | Self::Policy)
    }

    /// What that word is.
    pub fn argument(self) -> &'static str {
        match self {
            Self::RenameChain => "the new name",
            Self::Policy => "ACCEPT or DROP",
            _ => "the number of a rule",
        }
    }

    /// Whether a rule may follow.
    pub fn takes_rule(self) -> bool {
        matches!(
            self,
            Self::Append | Self::Insert | Self::Replace | Self::Delete
        )
    }
}

const fn base(
    name: &'static str,
    aliases: &'static [&'static str],
    short: char,
    values: &'static [&'static str],
    negatable: bool,
    help: &'static str,
) -> Opt {
    Opt {
        name,
        aliases,
        short: Some(short),
        values,
        negatable,
        separates: false,
        help,
    }
}

/// The options of a rule itself.
pub static BASE: &[Opt] = &[
    base(
        "source",
        &["src"],
        's',
        &["ADDRESS[/MASK][,...]"],
        true,
        "where the packet comes from; a list makes several rules",
    ),
    base(
        "destination",
        &["dst"],
        'd',
        &["ADDRESS[/MASK][,...]"],
        true,
        "where the packet goes to; a list makes several rules",
    ),
    base(
        "in-interface",
        &[],
        'i',
        &["NAME[+]"],
        true,
        "the interface it came in by; `+` stands for any ending",
    ),
    base(
        "out-interface",
        &[],
        'o',
        &["NAME[+]"],
        true,
        "the interface it goes out by; `+` stands for any ending",
    ),
    base(
        "protocol",
        &[],
        'p',
        &["PROTOCOL"],
        true,
        "the protocol, by name or number; makes the options of its match known",
    ),
    base(
        "fragment",
        &[],
        'f',
        &[],
        true,
        "a fragment other than the first (IPv4 only)",
    ),
    base(
        "match",
        &[],
        'm',
        &["MATCH"],
        false,
        "ask a match; its options follow",
    ),
    base(
        "jump",
        &[],
        'j',
        &["TARGET"],
        false,
        "what happens to the packet: a target, or a chain to walk",
    ),
    base(
        "goto",
        &[],
        'g',
        &["CHAIN"],
        false,
        "a chain to walk instead of the rest of this one",
    ),
    base(
        "set-counters",
        &[],
        'c',
        &["PACKETS", "BYTES"],
        false,
        "what the rule's counters begin with",
    ),
    base(
        "ipv4",
        &[],
        '4',
        &[],
        false,
        "skip the line where the table is for IPv6",
    ),
    base(
        "ipv6",
        &[],
        '6',
        &[],
        false,
        "skip the line where the table is for IPv4",
    ),
];

/// The commands and how they are written.
pub static COMMANDS: &[(Command, Opt)] = &[
    (
        Command::Append,
        base(
            "append",
            &[],
            'A',
            &["CHAIN"],
            false,
            "add a rule at the end of a chain",
        ),
    ),
    (
        Command::Insert,
        base(
            "insert",
            &[],
            'I',
            &["CHAIN"],
            false,
            "insert a rule, at its head or by number",
        ),
    ),
    (
        Command::Replace,
        base(
            "replace",
            &[],
            'R',
            &["CHAIN"],
            false,
            "replace the rule of a number",
        ),
    ),
    (
        Command::Delete,
        base(
            "delete",
            &[],
            'D',
            &["CHAIN"],
            false,
            "delete a rule, by number or as it is written",
        ),
    ),
    (
        Command::Flush,
        base(
            "flush",
            &[],
            'F',
            &["CHAIN"],
            false,
            "delete all rules of a chain, or of all",
        ),
    ),
    (
        Command::NewChain,
        base(
            "new-chain",
            &["new"],
            'N',
            &["CHAIN"],
            false,
            "make a chain",
        ),
    ),
    (
        Command::DeleteChain,
        base(
            "delete-chain",
            &[],
            'X',
            &["CHAIN"],
            false,
            "delete a chain, or all that are not built in",
        ),
    ),
    (
        Command::RenameChain,
        base(
            "rename-chain",
            &[],
            'E',
            &["CHAIN"],
            false,
            "give a chain another name",
        ),
    ),
    (
        Command::Policy,
        base(
            "policy",
            &[],
            'P',
            &["CHAIN"],
            false,
            "set what happens at the end of a built-in chain",
        ),
    ),
    (
        Command::Zero,
        base("zero", &[], 'Z', &["CHAIN"], false, "set counters to zero"),
    ),
];

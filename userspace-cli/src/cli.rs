// SPDX-License-Identifier: GPL-2.0
//! The command line. Help, completions and manual pages are all made from this.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use oxtables_engine::engine::packet::Family;
use oxtables_engine::uapi::event::Event;

/// A firewall in the kernel: reads, checks and changes its rules.
///
/// Rules are written as iptables-save writes them. `oxtables help rule` lists what a rule can ask,
/// `oxtables help NAME` explains a match or target.
#[derive(Debug, Parser)]
#[command(
    name = "oxtables",
    version,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What is to be done.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Copy, Debug, Args)]
pub struct Global {
    /// IPv4 only
    #[arg(short = '4', long = "ipv4", global = true, conflicts_with = "ipv6")]
    ipv4: bool,
    /// IPv6 only
    #[arg(short = '6', long = "ipv6", global = true)]
    ipv6: bool,
    /// Print JSON, with the number of its schema
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto, hide_possible_values = true)]
    pub color: Color,
}

impl Global {
    /// The family that was asked for.
    pub fn family(&self) -> Option<Family> {
        match (self.ipv4, self.ipv6) {
            (true, _) => Some(Family::V4),
            (_, true) => Some(Family::V6),
            _ => None,
        }
    }
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The table that a command is about.
#[derive(Clone, Debug, Args)]
pub struct InTable {
    /// The table
    #[arg(short, long, value_name = "TABLE", default_value = "filter")]
    pub table: String,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Load a ruleset: the tables that it names are replaced, all at once or not at all
    Load {
        /// The file; `-` stands for standard input
        file: PathBuf,
        /// Take the counters in the file over
        #[arg(short, long)]
        counters: bool,
        /// Keep what the tables have, but for chains that the file declares
        #[arg(short, long)]
        noflush: bool,
    },
    /// Print the rules in force, so that they can be loaded again
    Save {
        /// With counters
        #[arg(short, long)]
        counters: bool,
        /// This table only
        #[arg(short, long)]
        table: Option<String>,
    },
    /// Show the rules in force as a table
    #[command(visible_alias = "ls")]
    List {
        /// This chain only
        chain: Option<String>,
        /// This table only
        #[arg(short, long)]
        table: Option<String>,
        /// With counters
        #[arg(short, long)]
        verbose: bool,
    },
    /// Check a ruleset without loading it; needs neither root nor the kernel module
    Check {
        /// The file; `-` stands for standard input
        file: PathBuf,
        /// Print the ruleset as `save` would print it once loaded
        #[arg(short, long)]
        print: bool,
        /// With the counters in the file
        #[arg(short, long, requires = "print")]
        counters: bool,
    },
    /// Show what loading a ruleset would change
    Diff {
        /// The file; `-` stands for standard input
        file: PathBuf,
        /// Keep what the tables have, as `load --noflush` would
        #[arg(short, long)]
        noflush: bool,
        /// Exit with 1 where something would change
        #[arg(long)]
        exit_code: bool,
    },
    /// A change of single rules and chains.
    #[command(flatten)]
    Edit(Edit),
    /// Set counters to zero, without losing a packet
    Zero {
        /// The table.
        #[command(flatten)]
        table: InTable,
        /// The chain
        chain: Option<String>,
        /// The number of the rule; 0 stands for the policy
        number: Option<u32>,
        /// Show the rules with what the counters were
        #[arg(short, long)]
        verbose: bool,
    },
    /// Tell of changes to the rules as they happen
    Monitor {
        /// Only that there was one, not which
        #[arg(short, long)]
        quiet: bool,
    },
    /// Tell what packets meet from a rule with `-j TRACE` on, each rule, end of a chain and policy
    Trace,
    /// Show, and forget, the connections that are tracked
    #[command(subcommand)]
    Conntrack(Conntrack),
    /// Show the flows that hashlimits count: what each may still send now, and when it is forgotten
    Flows {
        /// The name that rules give them (`--hashlimit-name`); all without it
        name: Option<String>,
    },
    /// Show the module's version, tables, hooks in use and packets dropped by reason
    Status,
    /// Empty all tables of this network namespace and remove the module from the kernel
    Unload {
        /// Leave the module loaded
        #[arg(short, long)]
        keep_module: bool,
    },
    /// List iptables' matches and targets: what rules may use, and why not the others
    Extensions,
    /// Explain a command, a match, a target, or what every rule can ask (`rule`)
    Help {
        /// The name
        topic: Option<String>,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write all pages to a directory
    Man {
        /// The directory
        directory: Option<PathBuf>,
    },
}

/// What is done with connections.
#[derive(Debug, Subcommand)]
pub enum Conntrack {
    /// Show connections: all, or those of which all holds that is asked
    #[command(visible_alias = "ls")]
    List {
        /// Which.
        #[command(flatten)]
        which: Box<Connections>,
        /// Print lines as in /proc/net/nf_conntrack
        #[arg(long, conflicts_with = "json")]
        proc: bool,
    },
    /// Show connections, and fail where there is none
    Get {
        /// Which.
        #[command(flatten)]
        which: Box<Connections>,
        /// Print lines as in /proc/net/nf_conntrack
        #[arg(long, conflicts_with = "json")]
        proc: bool,
    },
    /// Forget connections of which all holds that is asked; packets of theirs begin new ones
    Delete {
        /// Which.
        #[command(flatten)]
        which: Box<Connections>,
    },
    /// Forget all connections
    Flush,
    /// Tell what becomes of connections as it happens: which are new, change, and end
    Watch {
        /// Which.
        #[command(flatten)]
        which: Box<Connections>,
        /// Only this of them
        #[arg(
            short,
            long,
            value_name = "EVENT[,EVENT...]",
            value_enum,
            value_delimiter = ','
        )]
        event: Vec<Happening>,
        /// Begin lines with the time, in seconds since 1970
        #[arg(short, long)]
        timestamp: bool,
    },
    /// Show which connections transfer most, again and again on a terminal
    Top(Box<Top>),
    /// Show how many connections there are, and how many there may be
    Stats,
    /// Show how connections are tracked, timeouts in seconds, and change it: all that is said or nothing
    Settings {
        /// Settings by the names they have in /proc/sys/net/netfilter, of which `nf_conntrack_` may be left out; with
        /// `=VALUE` to be set. All, where none is named
        #[arg(value_name = "NAME[=VALUE]")]
        settings: Vec<String>,
    },
}

/// What can become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Happening {
    /// Its first packet came through all rules
    New,
    /// Its state, its status or its mark changed
    Update,
    /// It ended, or was forgotten
    Destroy,
}

impl Happening {
    /// The same as the kernel has it.
    pub const fn event(self) -> Event {
        match self {
            Self::New => Event::New,
            Self::Update => Event::Update,
            Self::Destroy => Event::Destroy,
        }
    }
}

/// Options of `conntrack top`.
#[derive(Clone, Debug, Args)]
pub struct Top {
    /// Which.
    #[command(flatten)]
    pub connections: Connections,
    /// By what of a second
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Sort::Bytes)]
    pub sort: Sort,
    /// How many seconds are compared
    #[arg(short, long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub interval: u16,
    /// How many connections are shown at most; as many as fit, otherwise
    #[arg(short = 'n', long, value_name = "NUMBER")]
    pub lines: Option<usize>,
    /// Show them once, as where there is no terminal, and with --json
    #[arg(short, long)]
    pub once: bool,
}

/// What the busiest connections have most of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    /// Bytes
    Bytes,
    /// Packets
    Packets,
}

/// Connections of which all holds that is asked. What is asked is negated by `!` as its first letter.
#[derive(Clone, Debug, Default, Args)]
pub struct Connections {
    /// Their protocol, by name or number
    #[arg(short, long)]
    pub protocol: Option<String>,
    /// Where the first packet came from
    #[arg(short, long, value_name = "ADDRESS[/MASK]")]
    pub source: Option<String>,
    /// Where it went to
    #[arg(short, long, value_name = "ADDRESS[/MASK]")]
    pub destination: Option<String>,
    /// Its source port, or the identifier of an ICMP query
    #[arg(long, value_name = "PORT[:PORT]")]
    pub sport: Option<String>,
    /// Its destination port
    #[arg(long, value_name = "PORT[:PORT]")]
    pub dport: Option<String>,
    /// Where answers come from
    #[arg(long, value_name = "ADDRESS[/MASK]")]
    pub reply_source: Option<String>,
    /// Where answers go to
    #[arg(long, value_name = "ADDRESS[/MASK]")]
    pub reply_destination: Option<String>,
    /// The source port of answers
    #[arg(long, value_name = "PORT[:PORT]")]
    pub reply_sport: Option<String>,
    /// Their destination port
    #[arg(long, value_name = "PORT[:PORT]")]
    pub reply_dport: Option<String>,
    /// The state of TCP or SCTP: SYN_SENT, ESTABLISHED, TIME_WAIT ...
    #[arg(long)]
    pub state: Option<String>,
    /// One of these has become of it: EXPECTED, SEEN_REPLY, ASSURED, CONFIRMED
    #[arg(long, value_name = "STATUS[,STATUS...]")]
    pub status: Option<String>,
    /// In how many seconds it is forgotten if no packet comes
    #[arg(long, value_name = "SECONDS[:SECONDS]")]
    pub expire: Option<String>,
    /// Its mark
    #[arg(short, long, value_name = "VALUE[/MASK]")]
    pub mark: Option<String>,
    /// The zone that it is in, in either direction
    #[arg(short = 'w', long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// The zone of packets that go the first one's way
    #[arg(long, value_name = "ZONE")]
    pub zone_orig: Option<String>,
    /// The zone of answers
    #[arg(long, value_name = "ZONE")]
    pub zone_reply: Option<String>,
    /// Its number, as --json tells it
    #[arg(long)]
    pub id: Option<u32>,
}

/// Changes of single rules and chains.
#[derive(Debug, Subcommand)]
pub enum Edit {
    /// Add a rule at the end of a chain
    #[command(visible_alias = "append")]
    Add {
        /// The table.
        #[command(flatten)]
        table: InTable,
        /// The chain
        chain: OsString,
        /// The rule, such as `-p tcp --dport ssh -j ACCEPT`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rule: Vec<OsString>,
    },
    /// Insert a rule at the head of a chain, or before the rule of a number
    Insert {
        /// The table.
        #[command(flatten)]
        table: InTable,
        /// The chain
        chain: OsString,
        /// The number, if any, and the rule
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "[NUMBER] RULE"
        )]
        rule: Vec<OsString>,
    },
    /// Delete a rule, by its number or as it is written
    Delete {
        /// The table.
        #[command(flatten)]
        table: InTable,
        /// The chain
        chain: OsString,
        /// The number or the rule
        #[arg(
            trailing_var_arg = true,
            allow_hyphen_values = true,
            value_name = "NUMBER|RULE",
            required = true
        )]
        rule: Vec<OsString>,
    },
    /// Replace the rule of a number
    Replace {
        /// The table.
        #[command(flatten)]
        table: InTable,
        /// The chain
        chain: OsString,
        /// The number
        number: OsString,
        /// The rule
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rule: Vec<OsString>,
    },
    /// Delete all rules of a chain, or of all chains of a table
    Flush {
        /// The table.
        #[command(flatten)]
        table: InTable,
        /// The chain
        chain: Option<OsString>,
    },
    /// Make a chain
    NewChain {
        /// The table.
        #[command(flatten)]
        table: InTable,
        /// Its name
        chain: OsString,
    },
    /// Delete a chain, or all that are not built in; they must be empty
    DeleteChain {
        /// The table.
        #[command(flatten)]
        table: InTable,
        /// The chain
        chain: Option<OsString>,
    },
    /// Give a chain another name; rules that lead to it follow
    RenameChain {
        /// The table.
        #[command(flatten)]
        table: InTable,
        /// The chain
        chain: OsString,
        /// The new name
        name: OsString,
    },
    /// Set what happens to packets that no rule of a built-in chain decided
    Policy {
        /// The table.
        #[command(flatten)]
        table: InTable,
        /// The chain
        chain: OsString,
        /// ACCEPT or DROP
        policy: OsString,
    },
}

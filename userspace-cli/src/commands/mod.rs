// SPDX-License-Identifier: GPL-2.0
//! What each command does.

mod conntrack;
mod edit;
mod extensions;
mod flows;
mod help;
mod list;
mod load;
mod monitor;
mod output;
mod status;
mod trace;
mod unload;
mod waiting;
mod zero;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::cli::{Cli, Command, Global};
use crate::diagnostic::{nearest, Problem, Source};
use crate::netlink;

/// Why a command did not do what it should.
#[derive(Debug)]
pub enum Failure {
    /// Something is wrong with a text.
    Text(Source, Vec<Problem>),
    /// The kernel could not be asked, or refused.
    Kernel(netlink::Error),
    /// Something else.
    Other(String),
    /// What was to be printed could not be.
    Output(io::Error),
    /// What was found is told by the exit status alone.
    Quiet,
}

impl From<netlink::Error> for Failure {
    fn from(error: netlink::Error) -> Self {
        Self::Kernel(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Failure {
    /// Tells what went wrong, on standard error.
    pub fn report(&self) {
        match self {
            Self::Text(source, problems) => {
                for problem in problems {
                    anstream::eprintln!("{}\n", source.render(problem));
                }
                let count = problems.len();
                if count > 1 {
                    anstream::eprintln!("{count} errors in {}; nothing was done", source.name);
                }
            }
            Self::Kernel(error) => error_line(error),
            Self::Other(what) => error_line(what),
            // Whoever closed the pipe does not want to read more.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => (),
            Self::Output(error) => error_line(format!("standard output: {error}")),
            Self::Quiet => (),
        }
    }
}

fn error_line(what: impl std::fmt::Display) {
    let style = anstyle::AnsiColor::Red.on_default().bold();
    anstream::eprintln!("{style}error{style:#}: {what}");
}

/// Carries a command out.
///
/// # Errors
///
/// What the person is to be told.
pub fn run(cli: Cli) -> Result<(), Failure> {
    let Cli { global, command } = cli;
    match command {
        Command::Load {
            file,
            counters,
            noflush,
        } => load::load(global, &file, counters, noflush),
        Command::Check {
            file,
            print,
            counters,
        } => load::check(global, &file, print, counters),
        Command::Diff {
            file,
            noflush,
            exit_code,
        } => load::diff(global, &file, noflush, exit_code),
        Command::Save { counters, table } => list::save(global, counters, table.as_deref()),
        Command::List {
            chain,
            table,
            verbose,
        } => list::list(global, chain.as_deref(), table.as_deref(), verbose),
        Command::Zero {
            table,
            chain,
            number,
            verbose,
        } => zero::zero(global, &table.table, chain.as_deref(), number, verbose),
        Command::Monitor { quiet } => monitor::monitor(global, quiet),
        Command::Trace => trace::trace(global),
        Command::Conntrack(command) => conntrack::conntrack(global, command),
        Command::Flows { name } => flows::flows(global, name.as_deref()),
        Command::Status => status::status(global),
        Command::Unload { keep_module } => unload::unload(keep_module),
        Command::Extensions => extensions::extensions(global),
        Command::Help { topic } => help::help(topic.as_deref()),
        Command::Completions { shell } => help::completions(shell),
        Command::Man { directory } => help::manual(directory.as_deref()),
        Command::Edit(command) => edit::edit(global, command),
    }
}

/// The failure when something of a name is not there, with the name that was perhaps meant.
fn not_there(what: &str, name: &str, known: impl IntoIterator<Item = String>) -> Failure {
    let known: Vec<_> = known.into_iter().collect();
    let near = nearest(name, known.iter().map(String::as_str));
    let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    Failure::Other(format!("{what} `{name}`{hint}"))
}

/// Reads a file of rules.
fn read(path: &Path) -> Result<Source, Failure> {
    let mut text = Vec::new();
    let (name, result) = if path == Path::new("-") {
        ("standard input".into(), io::stdin().read_to_end(&mut text))
    } else {
        let result = File::open(path).and_then(|mut file| file.read_to_end(&mut text));
        (path.to_string_lossy(), result)
    };
    match result {
        Ok(_) => Ok(Source::new(name, text)),
        Err(error) => Err(Failure::Other(format!("{name}: {error}"))),
    }
}

/// How often a change is tried again when someone else changes the rules meanwhile.
const TRIES: usize = 16;

/// The failure when the kernel refuses operations that come from a text.
fn refused(error: netlink::Error, source: &Source, origins: &[crate::diagnostic::Span]) -> Failure {
    let span = match &error {
        netlink::Error::Refused { op: Some(op), .. } => origins.get(*op).copied(),
        _ => None,
    };
    match span {
        Some(span) => {
            let problem = Problem::new(span, error.to_string());
            Failure::Text(source.clone(), vec![problem])
        }
        None => Failure::Kernel(error),
    }
}

/// What `--color` says, for all that is printed.
pub fn set_color(global: Global) {
    use crate::cli::Color;
    let choice = match global.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

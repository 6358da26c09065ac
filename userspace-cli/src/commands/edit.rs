// SPDX-License-Identifier: GPL-2.0
//! Single changes, in the words of iptables: each is a line as a ruleset could have it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::text::Name;

use super::{refused, Failure, TRIES};
use crate::cli::{Edit, Global, InTable};
use crate::diagnostic::Source;
use crate::language::lexer::quote_if_needed;
use crate::language::plan::plan_edit;
use crate::language::ruleset::parse_command;
use crate::names::Names;
use crate::netlink::{Connection, Count, Error};

/// The table, and the words of the line.
fn words(command: Edit) -> (InTable, Vec<OsString>) {
    let line = |flag: &str, words: Vec<OsString>| {
        let mut line = vec![OsString::from(flag)];
        line.extend(words);
        line
    };
    let with = |mut words: Vec<OsString>, rest: Vec<OsString>| {
        words.extend(rest);
        words
    };
    match command {
        Edit::Add { table, chain, rule } => (table, line("-A", with(vec![chain], rule))),
        Edit::Insert { table, chain, rule } => (table, line("-I", with(vec![chain], rule))),
        Edit::Delete { table, chain, rule } => (table, line("-D", with(vec![chain], rule))),
        Edit::Replace {
            table,
            chain,
            number,
            rule,
        } => (table, line("-R", with(vec![chain, number], rule))),
        Edit::Flush { table, chain } => (table, line("-F", chain.into_iter().collect())),
        Edit::NewChain { table, chain } => (table, line("-N", vec![chain])),
        Edit::DeleteChain { table, chain } => (table, line("-X", chain.into_iter().collect())),
        Edit::RenameChain { table, chain, name } => (table, line("-E", vec![chain, name])),
        Edit::Policy {
            table,
            chain,
            policy,
        } => (table, line("-P", vec![chain, policy])),
    }
}

/// Makes a change.
pub fn edit(global: Global, command: Edit) -> Result<(), Failure> {
    let (table, words) = words(command);
    let name = Name::new(table.table.as_bytes());
    let name =
        name.ok_or_else(|| Failure::Other(format!("table `{}`: name is too long", table.table)))?;
    let mut text = Vec::new();
    for word in words.iter().map(OsString::as_os_str).map(OsStr::as_bytes) {
        if !text.is_empty() {
            text.push(b' ');
        }
        quote_if_needed(word, &mut text);
    }
    if text.contains(&b'\n') {
        return Err(Failure::Other("a rule is one line".to_owned()));
    }
    let source = Source::new("command line", text);
    let wrong = |problem| Failure::Text(source.clone(), vec![problem]);
    let family = global.family().unwrap_or(Family::V4);
    let names = Names::system();
    parse_command(&source, &names, family).map_err(wrong)?;

    let mut kernel = Connection::open()?;
    for _ in 0..TRIES {
        let snapshot = kernel.rules(Count::Without)?;
        let statements = parse_command(&source, &names, family).map_err(wrong)?;
        let plan = plan_edit(family, name, statements, &snapshot.model).map_err(wrong)?;
        match kernel.commit(plan.ops, Some(snapshot.generation)) {
            // A number or a rule is looked for anew among the rules that are there now.
            Err(Error::Changed) => (),
            result => {
                return result
                    .map(drop)
                    .map_err(|error| refused(error, &source, &plan.origins))
            }
        }
    }
    Err(Error::Changed.into())
}

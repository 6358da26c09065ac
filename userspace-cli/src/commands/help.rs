// SPDX-License-Identifier: GPL-2.0
//! `help`, `completions` and `man`: all made from the descriptions of commands and extensions.

use std::fs;
use std::io;
use std::path::Path;

use anstyle::Style;
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use super::output::{self, paint};
use super::Failure;
use crate::cli::Cli;
use crate::diagnostic::nearest;
use crate::extensions::{self, later, About, Opt, Vocabulary, MATCHES, PLAIN_TARGETS, TARGETS};
use crate::language::options::{BASE, COMMANDS};
use crate::names::family_title;

/// Explains something.
pub fn help(topic: Option<&str>) -> Result<(), Failure> {
    let Some(topic) = topic else {
        let mut text = Cli::command().render_long_help().ansi().to_string();
        text += &overview();
        return Ok(output::styled(&text)?);
    };
    if topic == "rule" {
        return Ok(output::styled(&rule_help())?);
    }
    let matches = MATCHES.iter().map(|entry| (entry.about, "match", "-m"));
    let targets = TARGETS.iter().map(|entry| (entry.about, "target", "-j"));
    let found: Vec<_> = matches
        .chain(targets)
        .filter(|(about, ..)| about.name == topic)
        .collect();
    let plain = PLAIN_TARGETS.iter().find(|(name, ..)| *name == topic);
    let mut text = String::new();
    for (about, kind, flag) in found {
        text += &extension_help(about, kind, flag);
    }
    if let Some((name, summary, _)) = plain {
        text += &format!("{} (target): {summary}\n\n  -j {name}\n", bold(name));
    }
    if !text.is_empty() {
        return Ok(output::styled(&text)?);
    }
    let mut command = Cli::command();
    command.build();
    if let Some(subcommand) = command.find_subcommand_mut(topic) {
        return Ok(output::styled(
            &subcommand.render_long_help().ansi().to_string(),
        )?);
    }
    if let Some(why) = later::why(topic) {
        let what = format!("`{topic}` of iptables is not supported yet: it {why}");
        return Err(Failure::Other(what));
    }
    let commands: Vec<_> = command
        .get_subcommands()
        .map(|it| it.get_name().to_owned())
        .collect();
    let mut known = vec!["rule"];
    known.extend(commands.iter().map(String::as_str));
    known.extend(extensions::match_names().map(|name| -> &str { name }));
    known.extend(extensions::target_names().map(|name| -> &str { name }));
    let mut what = format!("nothing is called `{topic}`");
    if let Some(near) = nearest(topic, known) {
        what += &format!("; did you mean `{near}`?");
    }
    Err(Failure::Other(what))
}

fn bold(text: &str) -> String {
    paint(Style::new().bold(), text)
}

/// The matches and targets, a line each.
fn overview() -> String {
    let line = |name: &str, summary: &str| format!("  {name:<10} {summary}\n");
    let about = |about: &About| line(about.name, about.summary);
    let mut text = format!("\n{}\n", bold("Matches:"));
    text.extend(MATCHES.iter().map(|entry| about(entry.about)));
    text += &format!("\n{}\n", bold("Targets:"));
    text.extend(
        PLAIN_TARGETS
            .iter()
            .map(|(name, summary, _)| line(name, summary)),
    );
    text.extend(TARGETS.iter().map(|entry| about(entry.about)));
    text + "\n`oxtables help NAME` says more of one.\n"
}

/// An option with its values, and what it is for.
fn option_help(option: &Opt) -> String {
    let mut form = String::new();
    if option.negatable {
        form += "[!] ";
    }
    if let Some(short) = option.short {
        form += &format!("-{short}, ");
    }
    let names: Vec<_> = option.names().map(|name| format!("--{name}")).collect();
    form += &names.join(", ");
    for value in option.values {
        form += &format!(" {value}");
    }
    format!("  {}\n      {}\n", bold(&form), option.help)
}

fn extension_help(about: &About, kind: &str, flag: &str) -> String {
    let mut text = format!("{} ({kind}): {}\n", bold(about.name), about.summary);
    if let Some(family) = about.family {
        text += &format!("for {} only\n", family_title(family));
    }
    text += &format!("\n  {flag} {}\n\n", about.name);
    text.extend(about.options.iter().map(option_help));
    for Vocabulary { title, names } in about.vocabularies {
        text += &format!("\n{title}:\n");
        text.extend(names().iter().map(|word| format!("  {word}\n")));
    }
    text
}

fn rule_help() -> String {
    let mut text = format!("{} what every rule can have\n\n", bold("rule:"));
    text.extend(BASE.iter().map(option_help));
    text += &format!("\n{} how a line of a ruleset begins\n\n", bold("commands:"));
    text.extend(COMMANDS.iter().map(|(_, option)| option_help(option)));
    text + &overview()
}

/// Prints completions.
pub fn completions(shell: Shell) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "oxtables", &mut text);
    Ok(output::raw(&text)?)
}

/// Prints the manual page, or writes all of them.
pub fn manual(directory: Option<&Path>) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    let Some(directory) = directory else {
        return Ok(output::raw(&page(command)?)?);
    };
    let write = |name: String, text: Vec<u8>| {
        let path = directory.join(name);
        fs::write(&path, text)
            .map_err(|error| Failure::Other(format!("{}: {error}", path.display())))
    };
    for subcommand in command.get_subcommands() {
        let name = format!("oxtables-{}", subcommand.get_name());
        let page = page(subcommand.clone())?;
        write(format!("{name}.8"), page)?;
    }
    write("oxtables.8".to_owned(), page(command)?)
}

fn page(command: clap::Command) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    Man::new(command).section("8").render(&mut text)?;
    Ok(text)
}

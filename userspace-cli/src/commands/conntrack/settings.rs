// SPDX-License-Identifier: GPL-2.0
//! The settings of connection tracking: showing them, and setting some.

use anstyle::{AnsiColor, Style};

use oxtables_engine::engine::conntrack::Setting;
use oxtables_engine::uapi::settings::SettingValue;

use super::super::output::{self, Side, Table};
use super::super::Failure;
use crate::cli::Global;
use crate::diagnostic::{Problem, Source};
use crate::extensions::numbers;
use crate::json::{self, Document};
use crate::language::lexer::{quote_if_needed, tokens, Token};
use crate::netlink::Connection;

/// What may be left out of a name: sysctl's directories, and the beginning of all names.
const DIRECTORIES: [&str; 2] = ["net.netfilter.", "net/netfilter/"];
const PREFIX: &str = "nf_conntrack_";

/// Shows the settings that are named, or all, after those have their new values that come with one.
///
/// # Errors
///
/// What is wrong with a name or a value; nothing is set then.
pub fn settings(global: Global, words: &[String]) -> Result<(), Failure> {
    let mut connection = Connection::open()?;
    let known = connection.settings()?;
    let asked = read(words, &known)?;
    let changes: Vec<_> = asked
        .iter()
        .filter_map(|(known, value)| Some((known.name, (*value)?)))
        .collect();
    let known = if changes.is_empty() {
        known
    } else {
        connection.set_settings(&changes)?;
        connection.settings()?
    };
    let is_shown = |setting: &&SettingValue| {
        let mut named = asked.iter().map(|(named, _)| named.name);
        asked.is_empty() || named.any(|name| name == setting.name)
    };
    let shown: Vec<_> = known.iter().filter(is_shown).collect();
    if global.json {
        let settings = shown.iter().map(|setting| json(setting)).collect();
        let document = Document::new(json::Settings { settings });
        return Ok(output::raw(document.pretty().as_bytes())?);
    }
    Ok(output::styled(&table(&shown))?)
}

/// The settings that words name, and their new values.
fn read(
    words: &[String],
    known: &[SettingValue],
) -> Result<Vec<(SettingValue, Option<u32>)>, Failure> {
    let mut line = Vec::new();
    for word in words {
        line.push(b' ');
        quote_if_needed(word.as_bytes(), &mut line);
    }
    let failed = |problems| Failure::Text(Source::new("command line", line.clone()), problems);
    let words = tokens(&line, 0).map_err(|problem| failed(vec![problem]))?;
    let (mut asked, mut problems) = (Vec::new(), Vec::new());
    for word in &words {
        match setting(word, known, &asked) {
            Ok(found) => asked.push(found),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(asked)
    } else {
        Err(failed(problems))
    }
}

/// What one word says.
fn setting(
    word: &Token,
    known: &[SettingValue],
    before: &[(SettingValue, Option<u32>)],
) -> Result<(SettingValue, Option<u32>), Problem> {
    let (given, value) = match word.split_once(b'=') {
        Some((name, value)) => (name, Some(value)),
        None => (word.clone(), None),
    };
    let text = given.lossy();
    let text = text.trim();
    let short = DIRECTORIES
        .iter()
        .find_map(|directory| text.strip_prefix(directory))
        .unwrap_or(text);
    let short = short.strip_prefix(PREFIX).unwrap_or(short);
    let names: Vec<_> = known.iter().map(|known| known.name.to_string()).collect();
    let shorts = || names.iter().filter_map(|name| name.strip_prefix(PREFIX));
    let found = known
        .iter()
        .zip(&names)
        .find(|(_, name)| name.strip_prefix(PREFIX) == Some(short));
    let Some((found, _)) = found else {
        let problem = Problem::new(given.span, format!("there is no setting `{text}`"));
        return Err(problem.suggest(short, shorts()));
    };
    if before.iter().any(|(other, _)| other.name == found.name) {
        let what = format!("`{}` is named twice", found.name);
        return Err(Problem::new(given.span, what));
    }
    let value = value.map(|value| {
        let least = found.least.unwrap_or_default();
        let most = found.most.unwrap_or(u32::MAX);
        let what = format!("a value of `{}`", found.name);
        numbers::within(&value.trimmed(), least.into(), most.into(), &what)
    });
    Ok((*found, value.transpose()?))
}

/// What a setting is, as far as this command knows it.
fn about(setting: &SettingValue) -> String {
    let about = Setting::from_name(setting.name.as_bytes()).map_or("", Setting::about);
    about.trim().trim_end_matches('.').to_owned()
}

fn json(setting: &SettingValue) -> json::Setting {
    json::Setting {
        name: setting.name.to_string(),
        value: setting.value,
        default: setting.default,
        least: setting.least,
        most: setting.most,
    }
}

fn table(settings: &[&SettingValue]) -> String {
    let mut table = Table::new(vec![
        ("setting", Side::Left),
        ("value", Side::Right),
        ("default", Side::Right),
        ("allowed", Side::Left),
        ("", Side::Left),
    ]);
    for setting in settings {
        let number = |number: Option<u32>| number.map(|number| number.to_string());
        let is_default = setting.default == Some(setting.value);
        let style = if is_default {
            Style::new()
        } else {
            Style::new().bold()
        };
        let allowed = number(setting.least).zip(number(setting.most));
        let allowed = allowed.map(|(least, most)| format!("{least}-{most}"));
        let quiet = AnsiColor::BrightBlack.on_default();
        table.row(vec![
            (setting.name.to_string(), style),
            (setting.value.to_string(), style),
            (number(setting.default).unwrap_or_default(), quiet),
            (allowed.unwrap_or_default(), quiet),
            (about(setting), quiet),
        ]);
    }
    table.render("")
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxtables_engine::engine::conntrack::Settings;

    fn known() -> Vec<SettingValue> {
        let settings = Settings::default();
        let told = |setting| SettingValue::of(setting, &settings);
        Setting::ALL.map(told).to_vec()
    }

    fn asked(words: &[&str]) -> Result<Vec<(String, Option<u32>)>, Vec<Problem>> {
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        match read(&words, &known()) {
            Ok(asked) => Ok(asked
                .into_iter()
                .map(|(setting, value)| (setting.name.to_string(), value))
                .collect()),
            Err(Failure::Text(_, problems)) => Err(problems),
            Err(_) => panic!("another failure"),
        }
    }

    #[test]
    fn names_as_they_are_known() {
        for name in [
            "udp_timeout",
            "nf_conntrack_udp_timeout",
            "net.netfilter.nf_conntrack_udp_timeout",
            "net/netfilter/nf_conntrack_udp_timeout",
        ] {
            let found = |value| Ok(vec![("nf_conntrack_udp_timeout".to_owned(), value)]);
            assert_eq!(asked(&[name]), found(None));
            assert_eq!(asked(&[&format!("{name}=5")]), found(Some(5)));
            assert_eq!(asked(&[&format!("{name} = 5")]), found(Some(5)));
        }
        assert_eq!(asked(&[]), Ok(Vec::new()));
    }

    #[test]
    fn what_is_wrong_is_said_of_each() {
        let problems = asked(&[
            "udp_timeot=1",
            "tcp_loose=2",
            "max=0",
            "max",
            "max=5",
            "checksum=",
        ]);
        let problems = problems.unwrap_err();
        let help = problems[0].help.as_deref();
        assert_eq!(help, Some("did you mean `udp_timeout`?"));
        assert_eq!(problems[1].label, "expected a number from 0 to 1");
        assert_eq!(problems[2].label, "expected a number from 1 to 1073741824");
        assert!(problems[3].message.contains("named twice"));
        assert_eq!(problems[4].label, "expected a number from 0 to 1");
        assert_eq!(problems.len(), 5);
    }

    #[test]
    fn a_table_says_what_they_are() {
        let known = known();
        let all: Vec<_> = known.iter().collect();
        let text = anstream::adapter::strip_str(&table(&all)).to_string();
        let line = text.lines().find(|line| line.contains("udp_timeout "));
        let line = line.unwrap().split_whitespace().collect::<Vec<_>>();
        assert_eq!(
            line.join(" "),
            "nf_conntrack_udp_timeout 30 30 0-2147483 Of UDP and UDP-Lite"
        );
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-j LOG`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::targets::{Log, Prefix};

use super::{numbers, About, Extension, Opt, Options, Printed, Vocabulary};
use crate::diagnostic::Problem;

/// Names of levels; of several names of one level the first is the usual one.
const LEVELS: [(&str, u8); 11] = [
    ("emerg", 0),
    ("panic", 0),
    ("alert", 1),
    ("crit", 2),
    ("error", 3),
    ("err", 3),
    ("warning", 4),
    ("warn", 4),
    ("notice", 5),
    ("info", 6),
    ("debug", 7),
];

/// The level of a rule that does not give one.
const WARNING: u8 = 4;

/// Options that are flags, in the order in which they are printed.
const FLAGS: [(&str, u8); 5] = [
    ("log-tcp-sequence", Log::TCP_SEQUENCE),
    ("log-tcp-options", Log::TCP_OPTIONS),
    ("log-ip-options", Log::IP_OPTIONS),
    ("log-uid", Log::UID),
    ("log-macdecode", Log::MAC_DECODE),
];

fn level_names() -> Vec<String> {
    let levels = LEVELS
        .iter()
        .map(|(name, level)| format!("{name} ({level})"));
    levels.collect()
}

impl Extension for Log {
    const ABOUT: About = About {
        name: "LOG",
        summary: "write the packet to the kernel's log, and go on with the next rule",
        options: &[
            Opt::plain(
                "log-prefix",
                &["TEXT"],
                "stands before the packet, up to 29 bytes",
            ),
            Opt::plain(
                "log-level",
                &["LEVEL"],
                "0 to 7 or a name; warning without it",
            ),
            Opt::plain("log-tcp-sequence", &[], "with TCP sequence numbers"),
            Opt::plain("log-tcp-options", &[], "with TCP options"),
            Opt::plain("log-ip-options", &[], "with IP options"),
            Opt::plain("log-uid", &[], "with the user whose socket sent it"),
            Opt::plain("log-macdecode", &[], "with the link layer's header decoded"),
        ],
        vocabularies: &[Vocabulary {
            title: "levels",
            names: level_names,
        }],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let level = match options.get("log-level").map(|given| given.value()) {
            None => WARNING,
            Some(token) if token.text.first().is_some_and(u8::is_ascii_digit) => {
                numbers::number(token, 7, "a log level")?
            }
            Some(token) => {
                let name = token.lossy();
                let known = LEVELS.iter().find(|(known, _)| *known == name);
                known.map(|(_, level)| *level).ok_or_else(|| {
                    Problem::new(token.span, format!("no log level is called `{name}`"))
                        .expected(
                            "0 to 7, or emerg, alert, crit, error, warning, notice, info, debug",
                        )
                        .suggest(&name, LEVELS.iter().map(|(name, _)| *name))
                })?
            }
        };
        let prefix = match options.get("log-prefix").map(|given| given.value()) {
            None => Prefix::default(),
            Some(token) => Prefix::new(&token.text).ok_or_else(|| {
                Problem::new(token.span, "log prefix is too long").label(format!(
                    "{} bytes, of which {} fit",
                    token.text.len(),
                    Prefix::MAX
                ))
            })?,
        };
        let flags = FLAGS.iter().filter(|(name, _)| options.get(name).is_some());
        Ok(Self {
            level,
            flags: flags.fold(0, |flags, (_, flag)| flags | flag),
            prefix,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let prefix =
            (!self.prefix.is_empty()).then(|| Printed::text("log-prefix", self.prefix.as_bytes()));
        let level = (self.level != WARNING).then(|| Printed::new("log-level", false, self.level));
        let flags = FLAGS
            .iter()
            .filter(|(_, flag)| self.flags & flag != 0)
            .map(|(name, _)| Printed::flag(name));
        prefix.into_iter().chain(level).chain(flags).collect()
    }
}

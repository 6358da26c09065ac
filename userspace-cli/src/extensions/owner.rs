// SPDX-License-Identifier: GPL-2.0
//! `-m owner`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Owner;
use oxtables_engine::uapi::field::Not;
use oxtables_engine::uapi::range::Range;

use super::{numbers, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;
use crate::names::{Kind, Names};

/// The users or groups that a word gives: a name, a number, or two with a dash or colon between.
fn range(token: &Token, names: &Names, kind: Kind, what: &str) -> Result<Range<u32>, Problem> {
    if let Some(number) = names.number(kind, &token.lossy()) {
        return Ok(Range {
            first: number,
            last: number,
        });
    }
    if !token.text.first().is_some_and(u8::is_ascii_digit) {
        names.numbered(token, kind)?;
    }
    // The greatest number of 32 bits stands for nobody.
    let number = |token: &Token| numbers::number(token, u64::from(u32::MAX) - 1, what);
    let halves = token.split_once(b'-').or_else(|| token.split_once(b':'));
    let (first, last) = halves.unwrap_or_else(|| (token.clone(), token.clone()));
    let range = Range {
        first: number(&first)?,
        last: number(&last)?,
    };
    if range.first > range.last {
        return Err(Problem::new(token.span, "range is reversed")
            .expected("the lower number first")
            .help(format!("write `{}-{}`", range.last, range.first)));
    }
    Ok(range)
}

/// What an option for users or groups asks, if it was given.
fn asked(
    options: &Options<'_>,
    name: &str,
    kind: Kind,
    what: &str,
) -> Result<Option<Not<Range<u32>>>, Problem> {
    let Some(given) = options.get(name) else {
        return Ok(None);
    };
    Ok(Some(Not {
        value: range(given.value(), options.names, kind, what)?,
        not: given.not,
    }))
}

impl Extension for Owner {
    const ABOUT: About = About {
        name: "owner",
        summary: "who opened the socket that sends the packet; for OUTPUT and POSTROUTING",
        options: &[
            Opt::negatable(
                "uid-owner",
                &[],
                &["USER[-USER]"],
                "it was opened by this user: a name, a number or a range of numbers",
            ),
            Opt::negatable(
                "gid-owner",
                &[],
                &["GROUP[-GROUP]"],
                "it was opened with this group: a name, a number or a range of numbers",
            ),
            Opt::negatable(
                "socket-exists",
                &[],
                &[],
                "there is a socket that sends the packet",
            ),
            Opt::plain(
                "suppl-groups",
                &[],
                "--gid-owner asks for all groups of who opened it",
            ),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let socket = options.get("socket-exists");
        Ok(Self {
            user: asked(options, "uid-owner", Kind::User, "a user's number")?,
            group: asked(options, "gid-owner", Kind::Group, "a group's number")?,
            socket: socket.map(|given| Not {
                value: true,
                not: given.not,
            }),
            any_group: options.get("suppl-groups").is_some(),
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let range = |name, asked: Option<Not<Range<u32>>>| {
            let Not { value, not } = asked?;
            let Range { first, last } = value;
            Some(if first == last {
                Printed::new(name, not, first)
            } else {
                Printed::new(name, not, format!("{first}-{last}"))
            })
        };
        let flag = |name, not| Printed {
            not,
            ..Printed::flag(name)
        };
        let socket = self.socket.map(|asked| flag("socket-exists", asked.not));
        let any_group = self.any_group.then(|| flag("suppl-groups", false));
        [
            socket,
            range("uid-owner", self.user),
            range("gid-owner", self.group),
            any_group,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints_in, refuses};

    #[test]
    fn rules() {
        prints_in(
            "OUTPUT",
            Family::V4,
            &[
                (
                    "-m owner --gid-owner 5 ! --uid-owner 0x10-20 --socket-exists",
                    "-m owner --socket-exists ! --uid-owner 16-20 --gid-owner 5",
                ),
                ("-m owner --uid-owner alice", "-m owner --uid-owner 1001"),
                (
                    "-m owner --suppl-groups --gid-owner staff",
                    "-m owner --gid-owner 50 --suppl-groups",
                ),
                ("-m owner --uid-owner 3:9", "-m owner --uid-owner 3-9"),
                ("-m owner ! --socket-exists", "-m owner ! --socket-exists"),
            ],
        );
        refuses(
            Family::V6,
            &[
                (
                    "-m owner --uid-owner alicia",
                    "no user is called `alicia`",
                    "alicia",
                ),
                (
                    "-m owner --gid-owner alice",
                    "no group is called `alice`",
                    "alice",
                ),
                (
                    "-m owner --uid-owner 4294967295",
                    "`4294967295` is not a user's number",
                    "4294967295",
                ),
                ("-m owner --uid-owner 9-", "`` is not a user's number", ""),
                ("-m owner --uid-owner 9-5", "range is reversed", "9-5"),
                (
                    "-m owner --suppl-groups",
                    "owner needs --uid-owner, --gid-owner or --socket-exists",
                    "owner",
                ),
                (
                    "-m owner --suppl-groups --uid-owner 5",
                    "--suppl-groups needs --gid-owner",
                    "owner",
                ),
                (
                    "-m owner --uid-owner 5",
                    "owner needs OUTPUT or POSTROUTING",
                    "-A INPUT -m owner --uid-owner 5",
                ),
            ],
        );
    }
}

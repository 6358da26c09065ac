// SPDX-License-Identifier: GPL-2.0
//! `-m conntrack`

use oxtables_engine::engine::conntrack::Direction;
use oxtables_engine::engine::packet::{Family, Status};
use oxtables_engine::engine::rules::matches::{Conntrack, PortRange, States};
use oxtables_engine::engine::rules::model::Prefix;
use oxtables_engine::uapi::field::Not;

use super::{ports, ranges, About, Extension, Given, Opt, Options, Printed, Vocabulary};
use crate::diagnostic::Problem;
use crate::language::address;
use crate::language::lexer::Token;

/// The states and their names, in the order in which iptables prints them.
pub const STATES: [(&str, States); 7] = [
    ("INVALID", States::INVALID),
    ("NEW", States::NEW),
    ("RELATED", States::RELATED),
    ("ESTABLISHED", States::ESTABLISHED),
    ("UNTRACKED", States::UNTRACKED),
    ("SNAT", States::SNAT),
    ("DNAT", States::DNAT),
];

/// What can have become of a connection.
pub const STATUS: [(&str, Status); 5] = [
    ("EXPECTED", Status::EXPECTED),
    ("SEEN_REPLY", Status::SEEN_REPLY),
    ("ASSURED", Status::ASSURED),
    ("CONFIRMED", Status::CONFIRMED),
    ("NONE", Status(0)),
];

const DIRECTIONS: [(&str, Direction); 2] = [
    ("ORIGINAL", Direction::Original),
    ("REPLY", Direction::Reply),
];

/// The values that a list of names stands for. Of a name iptables takes the beginning too, in letters of any case.
fn listed<T: Copy>(token: &Token, known: &[(&str, T)], what: &str) -> Result<Vec<T>, Problem> {
    let value = |token: Token| {
        let text = token.lossy().to_uppercase();
        let found = known
            .iter()
            .find(|(name, _)| !text.is_empty() && name.starts_with(&text));
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
            Problem::new(token.span, format!("`{}` is not {what}", token.lossy()))
                .expected(names.join(", "))
                .suggest(&text, names)
        })
    };
    token.split(b',').into_iter().map(value).collect()
}

/// The states that a list names, of those that are `known`.
pub fn states(given: &Given, known: &[(&str, States)]) -> Result<Not<States>, Problem> {
    let listed = listed(given.value(), known, "a state")?;
    let bits = listed
        .into_iter()
        .fold(0, |bits, state| bits | state.bits());
    let value = States::new(bits).expect("every name has a bit");
    let not = given.not;
    Ok(Not { value, not })
}

/// The names of states.
pub fn states_text(states: States) -> String {
    let names = STATES.iter().filter(|(_, state)| state.has_some(states));
    names.map(|(name, _)| *name).collect::<Vec<_>>().join(",")
}

fn status(given: &Given) -> Result<Not<Status>, Problem> {
    let listed = listed(given.value(), &STATUS, "a status")?;
    let value = listed.into_iter().fold(Status(0), Status::or);
    let not = given.not;
    Ok(Not { value, not })
}

fn status_text(status: Status) -> String {
    let names = STATUS
        .iter()
        .filter(|(_, known)| known.has_some(status) || (*known, status) == (Status(0), Status(0)));
    names.map(|(name, _)| *name).collect::<Vec<_>>().join(",")
}

fn direction(token: &Token) -> Result<Direction, Problem> {
    let text = token.lossy();
    let found = DIRECTIONS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&text));
    found.map(|(_, direction)| *direction).ok_or_else(|| {
        Problem::new(token.span, format!("`{text}` is not a direction"))
            .expected("ORIGINAL or REPLY")
            .suggest(&text, DIRECTIONS.iter().map(|(name, _)| *name))
    })
}

fn prefix(options: &Options<'_>, name: &str) -> Result<Option<Not<Prefix>>, Problem> {
    let Some(given) = options.get(name) else {
        return Ok(None);
    };
    let value = address::prefix(given.value(), options.family)?;
    let not = given.not;
    Ok(Some(Not { value, not }))
}

fn protocol(options: &Options<'_>) -> Result<Option<Not<u8>>, Problem> {
    let Some(given) = options.get("ctproto") else {
        return Ok(None);
    };
    let value = options.names.protocol_of(given.value())?;
    if value == 0 {
        let span = given.value().span;
        return Err(Problem::new(span, "no connection is of protocol 0")
            .expected("a protocol, or no --ctproto"));
    }
    let not = given.not;
    Ok(Some(Not { value, not }))
}

const fn network(name: &'static str, help: &'static str) -> Opt {
    Opt::negatable(name, &[], &["ADDRESS[/MASK]"], help)
}

const fn port(name: &'static str, help: &'static str) -> Opt {
    Opt::negatable(name, &[], &["PORT[:PORT]"], help)
}

impl Extension for Conntrack {
    const ABOUT: About = About {
        name: "conntrack",
        summary: "what the packet is to its connection, and what that connection is",
        options: &[
            Opt::negatable(
                "ctstate",
                &[],
                &["STATE[,STATE...]"],
                "it is one of these to its connection",
            ),
            Opt::negatable(
                "ctproto",
                &[],
                &["PROTOCOL"],
                "the connection's protocol, by name or number",
            ),
            network("ctorigsrc", "where the connection's first packet came from"),
            network("ctorigdst", "where it went to"),
            network("ctreplsrc", "where answers come from"),
            network("ctrepldst", "where answers go to"),
            port("ctorigsrcport", "the source port of the first packet"),
            port("ctorigdstport", "its destination port"),
            port("ctreplsrcport", "the source port of answers"),
            port("ctrepldstport", "their destination port"),
            Opt::negatable(
                "ctstatus",
                &[],
                &["STATUS[,STATUS...]"],
                "one of these has become of the connection",
            ),
            Opt::negatable(
                "ctexpire",
                &[],
                &["SECONDS[:SECONDS]"],
                "when the connection is forgotten if no packet comes",
            ),
            Opt::plain(
                "ctdir",
                &["ORIGINAL|REPLY"],
                "the packet goes the way of the first one, or of answers",
            ),
        ],
        vocabularies: &[
            Vocabulary {
                title: "states",
                names: || STATES.iter().map(|(name, _)| (*name).to_owned()).collect(),
            },
            Vocabulary {
                title: "status",
                names: || STATUS.iter().map(|(name, _)| (*name).to_owned()).collect(),
            },
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        if options.given.is_empty() {
            return Err(Problem::new(options.span, "`conntrack` needs an option")
                .expected("--ctstate, say"));
        }
        let states = options.get("ctstate").map(|given| states(given, &STATES));
        let direction = options.get("ctdir").map(|given| direction(given.value()));
        Ok(Self {
            states: states.transpose()?,
            protocol: protocol(options)?,
            original_source: prefix(options, "ctorigsrc")?,
            original_destination: prefix(options, "ctorigdst")?,
            reply_source: prefix(options, "ctreplsrc")?,
            reply_destination: prefix(options, "ctrepldst")?,
            original_source_port: ports::given(options, "ctorigsrcport")?,
            original_destination_port: ports::given(options, "ctorigdstport")?,
            reply_source_port: ports::given(options, "ctreplsrcport")?,
            reply_destination_port: ports::given(options, "ctrepldstport")?,
            status: options.get("ctstatus").map(status).transpose()?,
            expires: ranges::optional(options, "ctexpire", u32::MAX, "a number of seconds")?,
            direction: direction.transpose()?,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let prefix = |name, asked: Option<Not<Prefix>>| {
            asked.map(|Not { value, not }| Printed::new(name, not, address::network_text(&value)))
        };
        let ports = |name, asked: Option<Not<PortRange>>| ranges::print(name, asked);
        let printed = [
            self.states
                .map(|asked| Printed::new("ctstate", asked.not, states_text(asked.value))),
            super::numbers::print("ctproto", self.protocol),
            prefix("ctorigsrc", self.original_source),
            prefix("ctorigdst", self.original_destination),
            prefix("ctreplsrc", self.reply_source),
            prefix("ctrepldst", self.reply_destination),
            ports("ctorigsrcport", self.original_source_port),
            ports("ctorigdstport", self.original_destination_port),
            ports("ctreplsrcport", self.reply_source_port),
            ports("ctrepldstport", self.reply_destination_port),
            self.status
                .map(|asked| Printed::new("ctstatus", asked.not, status_text(asked.value))),
            ranges::print("ctexpire", self.expires),
            self.direction.map(|asked| {
                let name = DIRECTIONS.iter().find(|(_, known)| *known == asked);
                Printed::new("ctdir", false, name.map_or("", |(name, _)| *name))
            }),
        ];
        printed.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        let rules = [
            (
                "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
                "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            ),
            (
                "-m conntrack --ctstate dnat,snat,untracked,established,related,new,invalid",
                "-m conntrack --ctstate INVALID,NEW,RELATED,ESTABLISHED,UNTRACKED,SNAT,DNAT",
            ),
            ("-m conntrack ! --ctstate n,inv", "-m conntrack ! --ctstate INVALID,NEW"),
            ("-m conntrack --ctproto tcp", "-m conntrack --ctproto 6"),
            (
                "-m conntrack --ctdir reply ! --ctexpire 3:3 --ctstatus CONF,assured,SEEN_REPLY,EXPECTED,NONE ! --ctproto 255",
                "-m conntrack ! --ctproto 255 --ctstatus EXPECTED,SEEN_REPLY,ASSURED,CONFIRMED ! --ctexpire 3 --ctdir REPLY",
            ),
            (
                "-m conntrack --ctstatus none --ctexpire 10: --ctdir Original",
                "-m conntrack --ctstatus NONE --ctexpire 10:4294967295 --ctdir ORIGINAL",
            ),
            (
                "-m conntrack --ctrepldstport :1 --ctreplsrcport 0:65535 ! --ctorigdstport ssh:80 --ctorigsrcport 0 -m tcp -p tcp",
                "-p tcp -m conntrack --ctorigsrcport 0 ! --ctorigdstport 22:80 --ctreplsrcport 0:65535 --ctrepldstport 0:1 -m tcp",
            ),
        ];
        prints(Family::V4, &rules);
        prints(Family::V6, &rules);
    }

    #[test]
    fn addresses() {
        prints(
            Family::V4,
            &[(
                "-m conntrack --ctrepldst 0/0 ! --ctreplsrc 10.1.2.3/255.0.255.0 --ctorigdst 192.0.2.1 ! --ctorigsrc 10.1.2.3/8",
                "-m conntrack ! --ctorigsrc 10.0.0.0/8 --ctorigdst 192.0.2.1 ! --ctreplsrc 10.0.2.0/255.0.255.0 --ctrepldst 0.0.0.0/0",
            )],
        );
        prints(
            Family::V6,
            &[(
                "-m conntrack --ctorigsrc 2001:db8::/32 --ctorigdst 2001:db8::1 --ctreplsrc ::/0",
                "-m conntrack --ctorigsrc 2001:db8::/32 --ctorigdst 2001:db8::1 --ctreplsrc ::/0",
            )],
        );
        refuses(
            Family::V6,
            &[(
                "-m conntrack --ctorigsrc 192.0.2.1",
                "IPv4 address in a rule for IPv6",
                "192.0.2.1",
            )],
        );
    }

    #[test]
    fn wrong_rules() {
        refuses(
            Family::V4,
            &[
                ("-m conntrack", "`conntrack` needs an option", "conntrack"),
                ("-m conntrack --ctstate NEU", "`NEU` is not a state", "NEU"),
                ("-m conntrack --ctstate NEW,", "`` is not a state", ""),
                (
                    "-m conntrack --ctstate NEW --ctstate NEW",
                    "`--ctstate` is given twice",
                    "--ctstate NEW",
                ),
                (
                    "-m conntrack --ctstatus NEW",
                    "`NEW` is not a status",
                    "NEW",
                ),
                (
                    "-m conntrack --ctproto all",
                    "no connection is of protocol 0",
                    "all",
                ),
                (
                    "-m conntrack --ctproto tpc",
                    "unknown protocol `tpc`",
                    "tpc",
                ),
                (
                    "-m conntrack --ctdir REP",
                    "`REP` is not a direction",
                    "REP",
                ),
                (
                    "-m conntrack ! --ctdir REPLY",
                    "`!` can't stand before `--ctdir`",
                    "! --ctdir",
                ),
                (
                    "-m conntrack --ctexpire 4294967296",
                    "`4294967296` is not a number of seconds",
                    "4294967296",
                ),
                ("-m conntrack --ctexpire 4:3", "range is reversed", "4:3"),
                (
                    "-m conntrack --ctorigsrcport 65536",
                    "there is no port 65536",
                    "65536",
                ),
                (
                    "-m conntrack --ctorigdst example.org",
                    "`example.org` is not an address",
                    "example.org",
                ),
            ],
        );
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m icmp` and `-m icmp6`

use oxtables_engine::engine::packet::{protocol, Family};
use oxtables_engine::engine::rules::matches::{Icmp, Icmpv6, TypeCode};
use oxtables_engine::uapi::field::Not;

use super::{numbers, About, Extension, Given, Opt, Options, Printed, Vocabulary};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// Names of messages: the name, its other name or nothing, the type and the code, if it means one code only.
type Messages = [(&'static str, &'static str, u8, Option<u8>)];

const V4: &Messages = &[
    ("echo-reply", "pong", 0, None),
    ("destination-unreachable", "", 3, None),
    ("network-unreachable", "", 3, Some(0)),
    ("host-unreachable", "", 3, Some(1)),
    ("protocol-unreachable", "", 3, Some(2)),
    ("port-unreachable", "", 3, Some(3)),
    ("fragmentation-needed", "", 3, Some(4)),
    ("source-route-failed", "", 3, Some(5)),
    ("network-unknown", "", 3, Some(6)),
    ("host-unknown", "", 3, Some(7)),
    ("network-prohibited", "", 3, Some(9)),
    ("host-prohibited", "", 3, Some(10)),
    ("TOS-network-unreachable", "", 3, Some(11)),
    ("TOS-host-unreachable", "", 3, Some(12)),
    ("communication-prohibited", "", 3, Some(13)),
    ("host-precedence-violation", "", 3, Some(14)),
    ("precedence-cutoff", "", 3, Some(15)),
    ("source-quench", "", 4, None),
    ("redirect", "", 5, None),
    ("network-redirect", "", 5, Some(0)),
    ("host-redirect", "", 5, Some(1)),
    ("TOS-network-redirect", "", 5, Some(2)),
    ("TOS-host-redirect", "", 5, Some(3)),
    ("echo-request", "ping", 8, None),
    ("router-advertisement", "", 9, None),
    ("router-solicitation", "", 10, None),
    ("time-exceeded", "ttl-exceeded", 11, None),
    ("ttl-zero-during-transit", "", 11, Some(0)),
    ("ttl-zero-during-reassembly", "", 11, Some(1)),
    ("parameter-problem", "", 12, None),
    ("ip-header-bad", "", 12, Some(0)),
    ("required-option-missing", "", 12, Some(1)),
    ("timestamp-request", "", 13, None),
    ("timestamp-reply", "", 14, None),
    ("address-mask-request", "", 17, None),
    ("address-mask-reply", "", 18, None),
];

const V6: &Messages = &[
    ("destination-unreachable", "", 1, None),
    ("no-route", "", 1, Some(0)),
    ("communication-prohibited", "", 1, Some(1)),
    ("beyond-scope", "", 1, Some(2)),
    ("address-unreachable", "", 1, Some(3)),
    ("port-unreachable", "", 1, Some(4)),
    ("failed-policy", "", 1, Some(5)),
    ("reject-route", "", 1, Some(6)),
    ("packet-too-big", "", 2, None),
    ("time-exceeded", "ttl-exceeded", 3, None),
    ("ttl-zero-during-transit", "", 3, Some(0)),
    ("ttl-zero-during-reassembly", "", 3, Some(1)),
    ("parameter-problem", "", 4, None),
    ("bad-header", "", 4, Some(0)),
    ("unknown-header-type", "", 4, Some(1)),
    ("unknown-option", "", 4, Some(2)),
    ("echo-request", "ping", 128, None),
    ("echo-reply", "pong", 129, None),
    ("router-solicitation", "", 133, None),
    ("router-advertisement", "", 134, None),
    ("neighbour-solicitation", "neighbor-solicitation", 135, None),
    (
        "neighbour-advertisement",
        "neighbor-advertisement",
        136,
        None,
    ),
    ("redirect", "", 137, None),
];

/// The name for messages of every type.
const ANY: &str = "any";

fn names(messages: &Messages) -> Vec<String> {
    let names = messages.iter().map(|(name, alias, kind, code)| {
        let alias = if alias.is_empty() {
            String::new()
        } else {
            format!(", {alias}")
        };
        match code {
            Some(code) => format!("{name}{alias} ({kind}/{code})"),
            None => format!("{name}{alias} ({kind})"),
        }
    });
    [ANY.to_owned()].into_iter().chain(names).collect()
}

fn byte(token: &Token, what: &str) -> Result<u8, Problem> {
    numbers::number(token, u8::MAX.into(), what)
}

/// What a word asks for: a name, a type, or a type and its code or codes.
fn message(token: &Token, messages: &Messages) -> Result<TypeCode, Problem> {
    let name = token.lossy();
    if name.eq_ignore_ascii_case(ANY) {
        return Ok(TypeCode::ANY);
    }
    let known = messages.iter().find(|(known, alias, ..)| {
        known.eq_ignore_ascii_case(&name) || alias.eq_ignore_ascii_case(&name)
    });
    if let Some((_, _, kind, code)) = known {
        return Ok(TypeCode {
            kind: Some(*kind),
            first: code.unwrap_or(0),
            last: code.unwrap_or(u8::MAX),
        });
    }
    if !token.text.first().is_some_and(u8::is_ascii_digit) {
        let near = messages
            .iter()
            .flat_map(|(name, alias, ..)| [*name, *alias]);
        return Err(
            Problem::new(token.span, format!("no ICMP message is called `{name}`"))
                .expected("a name, a type or type/code")
                .suggest(&name, near.chain([ANY])),
        );
    }
    let (kind, first, last) = match token.split_once(b'/') {
        None => (byte(token, "an ICMP type")?, 0, u8::MAX),
        Some((kind, codes)) => {
            let (first, last) = codes
                .split_once(b'-')
                .unwrap_or((codes.clone(), codes.clone()));
            let [first, last] = [byte(&first, "an ICMP code")?, byte(&last, "an ICMP code")?];
            if first > last {
                return Err(Problem::new(codes.span, "range of codes is reversed")
                    .expected("the lower code first"));
            }
            (byte(&kind, "an ICMP type")?, first, last)
        }
    };
    Ok(TypeCode {
        kind: Some(kind),
        first,
        last,
    })
}

fn parse(given: &Given, messages: &Messages) -> Result<Not<TypeCode>, Problem> {
    Ok(Not {
        value: message(given.value(), messages)?,
        not: given.not,
    })
}

fn print(name: &'static str, message: Not<TypeCode>) -> Vec<Printed> {
    let TypeCode { kind, first, last } = message.value;
    let text = match kind {
        None => ANY.to_owned(),
        Some(kind) if (first, last) == (0, u8::MAX) => kind.to_string(),
        Some(kind) if first == last => format!("{kind}/{first}"),
        Some(kind) => format!("{kind}/{first}-{last}"),
    };
    vec![Printed::new(name, message.not, text)]
}

impl Extension for Icmp {
    const ABOUT: About = About {
        name: "icmp",
        summary: "type and code of ICMP",
        family: Some(Family::V4),
        implied_by: &[protocol::ICMP],
        options: &[Opt::negatable(
            "icmp-type",
            &[],
            &["TYPE[/CODE]"],
            "the message, by name or number",
        )],
        vocabularies: &[Vocabulary {
            title: "messages",
            names: || names(V4),
        }],
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let mut message = parse(options.only(&Self::ABOUT)?, V4)?;
        // To iptables 255 is not a type but stands for all of them, for IPv4 only.
        if message.value.kind == Some(u8::MAX) {
            message.value = TypeCode::ANY;
        }
        Ok(Self { message })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        print("icmp-type", self.message)
    }
}

impl Extension for Icmpv6 {
    const ABOUT: About = About {
        name: "icmp6",
        summary: "type and code of ICMPv6",
        family: Some(Family::V6),
        implied_by: &[protocol::ICMPV6],
        options: &[Opt::negatable(
            "icmpv6-type",
            &[],
            &["TYPE[/CODE]"],
            "the message, by name or number",
        )],
        vocabularies: &[Vocabulary {
            title: "messages",
            names: || names(V6),
        }],
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let message = parse(options.only(&Self::ABOUT)?, V6)?;
        Ok(Self { message })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        print("icmpv6-type", self.message)
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Ports, as tcp, udp, sctp, dccp and multiport write them: numbers, names of services, ranges with a colon.

use oxtables_engine::engine::rules::matches::PortRange;
use oxtables_engine::uapi::field::Not;

use super::{numbers, ranges, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;
use crate::names::Names;

/// The option for the source port, the same for all protocols that have ports.
pub const SOURCE: Opt = Opt::negatable(
    "sport",
    &["source-port"],
    &["PORT[:PORT]"],
    "the source port, or a range of them",
);

/// The option for the destination port.
pub const DESTINATION: Opt = Opt::negatable(
    "dport",
    &["destination-port"],
    &["PORT[:PORT]"],
    "the destination port, or a range of them",
);

/// The port that a word names.
fn port(token: &Token, names: &Names, protocol: Option<u8>) -> Result<u16, Problem> {
    let name = token.lossy();
    if token.text.first().is_some_and(u8::is_ascii_digit) {
        // A zero in front does not make a port octal, as it does iptables' other numbers.
        let port = if token.text.iter().all(u8::is_ascii_digit) {
            Some(name.parse().unwrap_or(u64::MAX))
        } else {
            numbers::parse(&token.text)
        };
        if let Some(port) = port {
            return u16::try_from(port).map_err(|_| {
                Problem::new(token.span, format!("there is no port {name}"))
                    .expected("a port from 0 to 65535")
            });
        }
    }
    names.service(&name, protocol).ok_or_else(|| {
        let problem = Problem::new(token.span, format!("no service is called `{name}`"))
            .expected("a port number or a name from /etc/services");
        problem.suggest(&name, names.services())
    })
}

/// The range that a word gives: one port, or two with a colon between, either of which may be left out.
pub fn range(token: &Token, names: &Names, protocol: Option<u8>) -> Result<PortRange, Problem> {
    ranges::parse(token, u16::MAX, |token| port(token, names, protocol))
}

/// The range given to an option, if it was given.
pub fn given(options: &Options<'_>, name: &str) -> Result<Option<Not<PortRange>>, Problem> {
    let Some(given) = options.get(name) else {
        return Ok(None);
    };
    Ok(Some(Not {
        value: range(given.value(), options.names, options.protocol)?,
        not: given.not,
    }))
}

/// The same where one that asks for nothing is as good as none, as to iptables' tcp and udp.
pub fn optional(options: &Options<'_>, name: &str) -> Result<Option<Not<PortRange>>, Problem> {
    Ok(given(options, name)?.filter(|range| *range != EVERY))
}

/// A range that asks for nothing; iptables-save does not print it for tcp and udp.
const EVERY: Not<PortRange> = Not::is(PortRange {
    first: 0,
    last: u16::MAX,
});

/// The option for a range, if there is one that asks for something.
pub fn print(name: &'static str, range: Option<Not<PortRange>>) -> Option<Printed> {
    ranges::print(name, range.filter(|range| *range != EVERY))
}

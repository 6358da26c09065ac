// SPDX-License-Identifier: GPL-2.0
//! Names of protocols and services, of users, groups, groups of interfaces and realms.
//!
//! A ruleset may use the names that the machine knows, and is printed with those that are the same on every
//! machine: protocols from the table here, all others as numbers.

use std::collections::HashMap;
use std::fs;

use oxtables_engine::engine::packet::{protocol, Family};

use crate::diagnostic::Problem;
use crate::extensions::numbers;
use crate::language::lexer::Token;

/// Protocols that have a name everywhere; of several names of one protocol the first is printed. The names
/// are those that iptables prints.
const PROTOCOLS: &[(&str, u8)] = &[
    ("tcp", protocol::TCP),
    ("udp", protocol::UDP),
    ("icmp", protocol::ICMP),
    ("ipv6-icmp", protocol::ICMPV6),
    ("icmpv6", protocol::ICMPV6),
    ("sctp", protocol::SCTP),
    ("udplite", protocol::UDPLITE),
    ("dccp", protocol::DCCP),
    ("esp", 50),
    ("ah", 51),
    ("mobility-header", 135),
    ("ipv6-mh", 135),
    ("mh", 135),
    ("igmp", 2),
    ("ipencap", 4),
    ("ipv6", 41),
    ("rsvp", 46),
    ("gre", 47),
    ("ospf", 89),
    ("ipip", 94),
    ("pim", 103),
    ("vrrp", 112),
    ("l2tp", 115),
];

/// The name that a protocol is printed with.
pub fn protocol_name(number: u8) -> Option<&'static str> {
    PROTOCOLS
        .iter()
        .find(|(_, known)| *known == number)
        .map(|(name, _)| *name)
}

/// Services that have a name even where there is no /etc/services, as on small systems.
const SERVICES: &[(&str, u16)] = &[
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("domain", 53),
    ("bootps", 67),
    ("bootpc", 68),
    ("http", 80),
    ("pop3", 110),
    ("ntp", 123),
    ("imap", 143),
    ("snmp", 161),
    ("https", 443),
    ("submission", 587),
    ("mdns", 5353),
];

/// What a family is called in a sentence.
pub const fn family_title(family: Family) -> &'static str {
    match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    }
}

/// What has names for numbers of 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Users.
    User,
    /// Groups of users.
    Group,
    /// Groups of interfaces.
    DeviceGroup,
    /// Realms of routes.
    Realm,
}

impl Kind {
    const ALL: [Self; 4] = [Self::User, Self::Group, Self::DeviceGroup, Self::Realm];

    /// The file that lists the names.
    const fn file(self) -> &'static str {
        match self {
            Self::User => "/etc/passwd",
            Self::Group => "/etc/group",
            Self::DeviceGroup => "/etc/iproute2/group",
            Self::Realm => "/etc/iproute2/rt_realms",
        }
    }

    /// What is named, in words.
    const fn title(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
            Self::DeviceGroup => "group of interfaces",
            Self::Realm => "realm",
        }
    }
}

/// The names that a machine knows.
#[derive(Debug, Default)]
pub struct Names {
    protocols: HashMap<String, u8>,
    /// By name and protocol.
    services: HashMap<(String, String), u16>,
    numbers: HashMap<(Kind, String), u32>,
}

impl Names {
    /// Those of this machine.
    pub fn system() -> Self {
        // A machine without these files knows no names, and says so where one is used.
        let read = |path| fs::read(path).unwrap_or_default();
        let mut names = Self::parse(&read("/etc/protocols"), &read("/etc/services"));
        for kind in Kind::ALL {
            names.add(kind, &read(kind.file()));
        }
        names
    }

    /// Adds the names of a file in the form of passwd(5), group(5) or iproute2's.
    pub fn add(&mut self, kind: Kind, file: &[u8]) {
        for line in String::from_utf8_lossy(file).lines() {
            let entry = match kind {
                Kind::User | Kind::Group => {
                    let mut fields = line.split(':');
                    fields.next().zip(fields.nth(1))
                }
                Kind::DeviceGroup | Kind::Realm => {
                    let mut words = line
                        .split('#')
                        .next()
                        .unwrap_or_default()
                        .split_whitespace();
                    words
                        .next()
                        .zip(words.next())
                        .map(|(number, name)| (name, number))
                }
            };
            let number = entry.and_then(|(_, number)| numbers::parse(number.as_bytes()));
            if let (Some((name, _)), Some(Ok(number))) = (entry, number.map(u32::try_from)) {
                // The first line with a name counts, as below.
                self.numbers
                    .entry((kind, name.to_owned()))
                    .or_insert(number);
            }
        }
    }

    /// The number that a name stands for.
    pub fn number(&self, kind: Kind, name: &str) -> Option<u32> {
        self.numbers.get(&(kind, name.to_owned())).copied()
    }

    /// The number that a word stands for.
    ///
    /// # Errors
    ///
    /// There is no such name.
    pub fn numbered(&self, token: &Token, kind: Kind) -> Result<u32, Problem> {
        let name = token.lossy();
        self.number(kind, &name).ok_or_else(|| {
            let known = self.numbers.keys().filter(|(found, _)| *found == kind);
            Problem::new(
                token.span,
                format!("no {} is called `{name}`", kind.title()),
            )
            .expected(format!("a number, or a name from {}", kind.file()))
            .suggest(&name, known.map(|(_, name)| name.as_str()))
        })
    }

    /// Those of files in the form of protocols(5) and services(5).
    pub fn parse(protocols: &[u8], services: &[u8]) -> Self {
        let mut names = Self::default();
        for (name, number, aliases) in entries(&String::from_utf8_lossy(protocols)) {
            let Ok(number) = number.parse::<u8>() else {
                continue;
            };
            for name in aliases.into_iter().chain([name]) {
                names.protocols.insert(name.to_lowercase(), number);
            }
        }
        for (name, port, aliases) in entries(&String::from_utf8_lossy(services)) {
            let Some((port, protocol)) = port.split_once('/') else {
                continue;
            };
            let Ok(port) = port.parse() else { continue };
            for name in aliases.into_iter().chain([name]) {
                // The first line with a name counts, as for getservbyname(3).
                names
                    .services
                    .entry((name.to_owned(), protocol.to_owned()))
                    .or_insert(port);
            }
        }
        names
    }

    /// The number of a protocol; `all` is 0.
    pub fn protocol(&self, name: &str) -> Option<u8> {
        let name = name.to_lowercase();
        if name == "all" {
            return Some(0);
        }
        PROTOCOLS
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, number)| *number)
            .or_else(|| self.protocols.get(&name).copied())
    }

    /// The protocol that a word gives, by name or number.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn protocol_of(&self, token: &Token) -> Result<u8, Problem> {
        if token.text.first().is_some_and(u8::is_ascii_digit) {
            return numbers::number(token, u8::MAX.into(), "a protocol");
        }
        let name = token.lossy();
        self.protocol(&name).ok_or_else(|| {
            Problem::new(token.span, format!("unknown protocol `{name}`"))
                .expected("a number from 0 to 255 or a name from /etc/protocols")
                .suggest(&name, self.protocols())
        })
    }

    /// The names that stand for a protocol.
    pub fn protocols(&self) -> impl Iterator<Item = &str> {
        PROTOCOLS
            .iter()
            .map(|(name, _)| *name)
            .chain(["all"])
            .chain(self.protocols.keys().map(String::as_str))
    }

    /// The port of a service: the protocol's own, or else that of any. Most services are listed for one
    /// protocol only, and iptables does not mind either.
    pub fn service(&self, name: &str, protocol: Option<u8>) -> Option<u16> {
        let known = |protocol: &str| {
            let key = (name.to_owned(), protocol.to_owned());
            self.services.get(&key).copied()
        };
        let usual = || SERVICES.iter().find(|(known, _)| *known == name);
        protocol
            .and_then(protocol_name)
            .and_then(known)
            .or_else(|| ["tcp", "udp", "sctp", "dccp"].into_iter().find_map(known))
            .or_else(|| usual().map(|(_, port)| *port))
    }

    /// The names of all services.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        let usual = SERVICES.iter().map(|(name, _)| *name);
        usual.chain(self.services.keys().map(|(name, _)| name.as_str()))
    }
}

/// The entries of a file with a name, a value and aliases on a line.
fn entries(text: &str) -> impl Iterator<Item = (&str, &str, Vec<&str>)> {
    text.lines().filter_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?, words.collect()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_files_and_the_table() {
        let names = Names::parse(
            b"hip 139 HIP # host identity\nbad 300\n",
            b"ssh 22/tcp\nhttp 80/tcp www # web\nsnmp 161/udp\nssh 2222/tcp\n",
        );
        assert_eq!(names.protocol("HIP"), Some(139));
        assert_eq!(names.protocol("icmpv6"), Some(58));
        assert_eq!(names.protocol("all"), Some(0));
        assert_eq!(names.protocol("bad"), None);
        assert_eq!(names.service("www", Some(6)), Some(80));
        assert_eq!(names.service("ssh", Some(6)), Some(22));
        assert_eq!(names.service("ssh", Some(17)), Some(22));
        assert_eq!(names.service("snmp", None), Some(161));
        assert_eq!(names.service("snmp", Some(136)), Some(161));
        assert_eq!(names.service("nosuch", Some(6)), None);
        assert_eq!(Names::default().service("https", Some(17)), Some(443));
    }

    #[test]
    fn files_of_users_and_of_iproute2() {
        let mut names = Names::default();
        names.add(
            Kind::User,
            b"root:x:0:7::/:\n\nbad:x:y:1\nroot:x:5:5::/:\nshort:x\n",
        );
        assert_eq!(names.number(Kind::User, "root"), Some(0));
        assert_eq!(names.number(Kind::Group, "root"), None);
        assert_eq!(names.number(Kind::User, "bad"), None);
        assert_eq!(names.number(Kind::User, "short"), None);
        names.add(Kind::Realm, b"# 1 none\n0x10 ten # ten\n7\n");
        assert_eq!(names.number(Kind::Realm, "ten"), Some(16));
        assert_eq!(names.number(Kind::Realm, "none"), None);
    }

    #[test]
    fn a_printed_name_is_understood_again() {
        for number in 0..=u8::MAX {
            if let Some(name) = protocol_name(number) {
                assert_eq!(Names::default().protocol(name), Some(number));
            }
        }
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m addrtype`

use oxtables_engine::engine::packet::{AddressTypes, Family, Interface};
use oxtables_engine::engine::rules::matches::Addrtype;
use oxtables_engine::uapi::field::Not;

use super::{About, Extension, Given, Opt, Options, Printed, Vocabulary};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// The types and their names, in the order of their numbers.
const TYPES: [(&str, AddressTypes); 12] = [
    ("UNSPEC", AddressTypes::UNSPEC),
    ("UNICAST", AddressTypes::UNICAST),
    ("LOCAL", AddressTypes::LOCAL),
    ("BROADCAST", AddressTypes::BROADCAST),
    ("ANYCAST", AddressTypes::ANYCAST),
    ("MULTICAST", AddressTypes::MULTICAST),
    ("BLACKHOLE", AddressTypes::BLACKHOLE),
    ("UNREACHABLE", AddressTypes::UNREACHABLE),
    ("PROHIBIT", AddressTypes::PROHIBIT),
    ("THROW", AddressTypes::THROW),
    ("NAT", AddressTypes::NAT),
    ("XRESOLVE", AddressTypes::XRESOLVE),
];

/// The type of a name, of which iptables takes the beginning too, and the first type that begins so.
fn type_(token: &Token, family: Family) -> Result<AddressTypes, Problem> {
    let text = token.lossy().to_uppercase();
    let found = TYPES
        .iter()
        .find(|(name, _)| !text.is_empty() && name.starts_with(&text));
    let Some((name, found)) = found else {
        let message = format!("`{}` is not a type of addresses", token.lossy());
        return Err(Problem::new(token.span, message)
            .label("see `oxtables help addrtype`")
            .suggest(&text, TYPES.iter().map(|(name, _)| *name)));
    };
    if family == Family::V6 && found.and(Addrtype::V6) == AddressTypes::NONE {
        let message = format!("IPv6 has no addresses of the type {name}");
        return Err(Problem::new(token.span, message).expected(text_of(Addrtype::V6)));
    }
    Ok(*found)
}

fn types(given: Option<&Given>, family: Family) -> Result<Option<Not<AddressTypes>>, Problem> {
    let Some(given) = given else {
        return Ok(None);
    };
    let mut value = AddressTypes::NONE;
    for token in given.value().split(b',') {
        value = value.or(type_(&token, family)?);
    }
    let not = given.not;
    Ok(Some(Not { value, not }))
}

fn text_of(types: AddressTypes) -> String {
    let names = TYPES
        .iter()
        .filter(|(_, type_)| types.and(*type_) != AddressTypes::NONE);
    names.map(|(name, _)| *name).collect::<Vec<_>>().join(",")
}

impl Extension for Addrtype {
    const ABOUT: About = About {
        name: "addrtype",
        summary: "what the packet's addresses are to this machine, by its routes",
        options: &[
            Opt::negatable(
                "src-type",
                &[],
                &["TYPE[,TYPE...]"],
                "where it comes from is such an address",
            ),
            Opt::negatable(
                "dst-type",
                &[],
                &["TYPE[,TYPE...]"],
                "where it goes to is such an address",
            ),
            Opt::plain(
                "limit-iface-in",
                &[],
                "as if there were only the interface that it came in by",
            ),
            Opt::plain(
                "limit-iface-out",
                &[],
                "as if there were only the interface that it goes out by",
            ),
        ],
        vocabularies: &[
            Vocabulary {
                title: "types",
                names: || TYPES.iter().map(|(name, _)| (*name).to_owned()).collect(),
            },
            Vocabulary {
                title:
                    "types of IPv6; of UNSPEC, UNICAST and MULTICAST all must hold that are given",
                names: || text_of(Self::V6).split(',').map(str::to_owned).collect(),
            },
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let (source, destination) = (options.get("src-type"), options.get("dst-type"));
        if source.or(destination).is_none() {
            return Err(
                Problem::new(options.span, "`addrtype` needs a type of addresses")
                    .expected("--src-type or --dst-type"),
            );
        }
        let limits = (
            options.get("limit-iface-in"),
            options.get("limit-iface-out"),
        );
        let interface = match limits {
            (Some(input), Some(output)) => {
                let later = input.span.start.max(output.span.start);
                let later = if later == input.span.start {
                    input
                } else {
                    output
                };
                return Err(Problem::new(
                    later.span,
                    "`--limit-iface-in` and `--limit-iface-out` exclude each other",
                ));
            }
            (Some(_), None) => Some(Interface::Input),
            (None, Some(_)) => Some(Interface::Output),
            (None, None) => None,
        };
        Ok(Self {
            source: types(source, options.family)?,
            destination: types(destination, options.family)?,
            interface,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let types = [("src-type", self.source), ("dst-type", self.destination)];
        let types = types.into_iter().filter_map(|(name, asked)| {
            asked.map(|asked| Printed::new(name, asked.not, text_of(asked.value)))
        });
        let limit = self.interface.map(|interface| match interface {
            Interface::Input => Printed::flag("limit-iface-in"),
            Interface::Output => Printed::flag("limit-iface-out"),
        });
        types.chain(limit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        let v4 = [
            (
                "-m addrtype --dst-type broadcast,LOCAL --limit-iface-in",
                "-m addrtype --dst-type LOCAL,BROADCAST --limit-iface-in",
            ),
            (
                "-m addrtype --limit-iface-out ! --dst-type mul ! --src-type U,Unr,x,NAT",
                "-m addrtype ! --src-type UNSPEC,UNREACHABLE,NAT,XRESOLVE ! --dst-type MULTICAST --limit-iface-out",
            ),
            (
                "-m addrtype --src-type ANYCAST,BLACKHOLE,PROHIBIT,THROW",
                "-m addrtype --src-type ANYCAST,BLACKHOLE,PROHIBIT,THROW",
            ),
        ];
        prints(Family::V4, &v4);
        let all = "-m addrtype --src-type UNSPEC,UNICAST,LOCAL,ANYCAST,MULTICAST,UNREACHABLE";
        prints(Family::V6, &[(all, all)]);
    }

    #[test]
    fn wrong_rules() {
        refuses(
            Family::V4,
            &[
                (
                    "-m addrtype",
                    "`addrtype` needs a type of addresses",
                    "addrtype",
                ),
                (
                    "-m addrtype --limit-iface-in",
                    "`addrtype` needs a type of addresses",
                    "addrtype",
                ),
                (
                    "-m addrtype --src-type LOCAL,lokal",
                    "`lokal` is not a type of addresses",
                    "lokal",
                ),
                (
                    "-m addrtype --src-type LOCAL,,NAT",
                    "`` is not a type of addresses",
                    "",
                ),
                (
                    "-m addrtype --src-type LOCAL --src-type NAT",
                    "`--src-type` is given twice",
                    "--src-type NAT",
                ),
                (
                    "-m addrtype --limit-iface-out --src-type LOCAL --limit-iface-in",
                    "`--limit-iface-in` and `--limit-iface-out` exclude each other",
                    "--limit-iface-in",
                ),
                (
                    "-m addrtype --src-type LOCAL ! --limit-iface-in",
                    "`!` can't stand before `--limit-iface-in`",
                    "! --limit-iface-in",
                ),
                (
                    "-m addrtype --src-type LOCAL --limit-iface-out",
                    "--limit-iface-out where there is no output interface",
                    "-A INPUT -m addrtype --src-type LOCAL --limit-iface-out",
                ),
            ],
        );
        for type_ in [
            "BROADCAST",
            "BLACKHOLE",
            "PROHIBIT",
            "THROW",
            "NAT",
            "XRESOLVE",
        ] {
            let rule = format!("-m addrtype --src-type LOCAL ! --dst-type {type_}");
            let message = format!("IPv6 has no addresses of the type {type_}");
            refuses(Family::V6, &[(&rule, &message, type_)]);
        }
    }
}

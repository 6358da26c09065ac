// SPDX-License-Identifier: GPL-2.0
//! `-m ipv6header`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::{Headers, Ipv6Header};
use oxtables_engine::uapi::field::Not;

use super::{About, Extension, Opt, Options, Printed, Vocabulary};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// The headers in the order in which they are printed. Of the names the first is printed: that of
/// /etc/protocols where it has one, as by iptables-save.
const HEADERS: [(&[&str], Headers); 8] = [
    (&["hop-by-hop", "hop", "hopopt", "0"], Headers::HOP_BY_HOP),
    (&["ipv6-opts", "dst", "60"], Headers::DESTINATION),
    (&["ipv6-route", "route", "43"], Headers::ROUTING),
    (&["ipv6-frag", "frag", "44"], Headers::FRAGMENT),
    (&["ah", "auth", "51"], Headers::AUTHENTICATION),
    (&["esp", "50"], Headers::ESP),
    (&["ipv6-nonxt", "none", "59"], Headers::NONE),
    (&["protocol", "prot", "255"], Headers::PROTOCOL),
];

fn names() -> Vec<String> {
    HEADERS.iter().map(|(names, _)| names.join(", ")).collect()
}

fn header(token: &Token) -> Result<Headers, Problem> {
    let name = token.lossy();
    let named = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(&name));
    match HEADERS.iter().find(|(names, _)| named(names)) {
        Some((_, header)) => Ok(*header),
        None => Err(
            Problem::new(token.span, format!("no header is called `{name}`"))
                .expected("hop, dst, route, frag, auth, esp, none or prot")
                .suggest(&name, HEADERS.iter().flat_map(|(names, _)| *names).copied()),
        ),
    }
}

impl Extension for Ipv6Header {
    const ABOUT: About = About {
        name: "ipv6header",
        summary: "the extension headers of an IPv6 packet",
        family: Some(Family::V6),
        options: &[
            Opt::negatable(
                "header",
                &[],
                &["HEADER[,...]"],
                "the packet has these headers and no others",
            ),
            Opt::plain(
                "soft",
                &[],
                "other headers may be there too; with a negated list, none of the list may",
            ),
        ],
        vocabularies: &[Vocabulary {
            title: "headers",
            names,
        }],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let Some(given) = options.get("header") else {
            return Err(
                Problem::new(options.span, "`ipv6header` needs `--header`").expected("--header")
            );
        };
        let list = given.value().split(b',');
        let value = list.iter().try_fold(Headers::default(), |headers, part| {
            header(part).map(|one| headers.and(one))
        })?;
        Ok(Self {
            headers: Not {
                value,
                not: given.not,
            },
            soft: options.get("soft").is_some(),
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let Not { value, not } = self.headers;
        let names = HEADERS
            .iter()
            .filter(|(_, header)| value.any(*header))
            .map(|(names, _)| names[0]);
        let list = names.collect::<Vec<_>>().join(",");
        let soft = self.soft.then(|| Printed::flag("soft"));
        let header = Printed::new("header", not, list);
        [header].into_iter().chain(soft).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        prints(
            Family::V6,
            &[
                (
                    "-m ipv6header --soft --header dst,hop",
                    "-m ipv6header --header hop-by-hop,ipv6-opts --soft",
                ),
                (
                    "-m ipv6header ! --header 44,IPV6-ROUTE,43",
                    "-m ipv6header ! --header ipv6-route,ipv6-frag",
                ),
                (
                    "-m ipv6header --header prot,none,esp,auth",
                    "-m ipv6header --header ah,esp,ipv6-nonxt,protocol",
                ),
            ],
        );
        refuses(
            Family::V6,
            &[
                (
                    "-m ipv6header --soft",
                    "`ipv6header` needs `--header`",
                    "ipv6header",
                ),
                (
                    "-m ipv6header --header hop,tcp",
                    "no header is called `tcp`",
                    "tcp",
                ),
                ("-m ipv6header --header hop,", "no header is called ``", ""),
                (
                    "-m ipv6header --header hop ! --soft",
                    "`!` can't stand before `--soft`",
                    "! --soft",
                ),
            ],
        );
        refuses(
            Family::V4,
            &[(
                "-m ipv6header --header hop",
                "match `ipv6header` is for IPv6 only",
                "ipv6header",
            )],
        );
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-j REJECT`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::targets::Reject;

use super::{About, Extension, Opt, Options, Printed, Vocabulary};
use crate::diagnostic::Problem;
use crate::names::family_title;

/// Names of answers, and the codes that they stand for; of several names of one code the first is printed.
/// A TCP reset has no code.
type Answers = [(&'static str, Option<u8>)];

const V4: &Answers = &[
    ("icmp-net-unreachable", Some(0)),
    ("net-unreach", Some(0)),
    ("icmp-host-unreachable", Some(1)),
    ("host-unreach", Some(1)),
    ("icmp-proto-unreachable", Some(2)),
    ("proto-unreach", Some(2)),
    ("icmp-port-unreachable", Some(3)),
    ("port-unreach", Some(3)),
    ("icmp-net-prohibited", Some(9)),
    ("net-prohib", Some(9)),
    ("icmp-host-prohibited", Some(10)),
    ("host-prohib", Some(10)),
    ("icmp-admin-prohibited", Some(13)),
    ("admin-prohib", Some(13)),
    ("tcp-reset", None),
    ("tcp-rst", None),
];

const V6: &Answers = &[
    ("icmp6-no-route", Some(0)),
    ("no-route", Some(0)),
    ("icmp6-adm-prohibited", Some(1)),
    ("adm-prohibited", Some(1)),
    // The kernel knows it, ip6tables has no name for it.
    ("icmp6-not-neighbour", Some(2)),
    ("icmp6-addr-unreachable", Some(3)),
    ("addr-unreach", Some(3)),
    ("icmp6-port-unreachable", Some(4)),
    ("port-unreach", Some(4)),
    ("icmp6-policy-fail", Some(5)),
    ("policy-fail", Some(5)),
    ("icmp6-reject-route", Some(6)),
    ("reject-route", Some(6)),
    ("tcp-reset", None),
    ("tcp-rst", None),
];

/// The answers of a family, and the code of the one that is sent when none is asked for.
const fn answers(family: Family) -> (&'static Answers, u8) {
    match family {
        Family::V4 => (V4, 3),
        Family::V6 => (V6, 4),
    }
}

fn names(answers: &Answers) -> Vec<String> {
    answers.iter().map(|(name, _)| (*name).to_owned()).collect()
}

impl Extension for Reject {
    const ABOUT: About = About {
        name: "REJECT",
        summary: "drop the packet and tell its sender",
        options: &[Opt::plain(
            "reject-with",
            &["ANSWER"],
            "what the sender is told; port unreachable without it",
        )],
        vocabularies: &[
            Vocabulary {
                title: "IPv4 answers",
                names: || names(V4),
            },
            Vocabulary {
                title: "IPv6 answers",
                names: || names(V6),
            },
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let (answers, default) = answers(options.family);
        let Some(given) = options.get("reject-with") else {
            return Ok(Self {
                code: Some(default),
            });
        };
        let name = given.value().lossy();
        match answers.iter().find(|(known, _)| *known == name) {
            Some((_, code)) => Ok(Self { code: *code }),
            None => {
                let family = family_title(options.family);
                let problem = Problem::new(
                    given.value().span,
                    format!("REJECT has no answer `{name}` for {family}"),
                );
                let other = if options.family == Family::V4 { V6 } else { V4 };
                Err(if other.iter().any(|(known, _)| *known == name) {
                    problem.label("of the other family").help(
                        "without --reject-with each family answers that the port is unreachable",
                    )
                } else {
                    problem
                        .label("see `oxtables help REJECT`")
                        .suggest(&name, answers.iter().map(|(name, _)| *name))
                })
            }
        }
    }

    fn print(&self, family: Family) -> Vec<Printed> {
        let (answers, _) = answers(family);
        let name = answers.iter().find(|(_, code)| *code == self.code);
        name.map(|(name, _)| Printed::new("reject-with", false, name))
            .into_iter()
            .collect()
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-j AUDIT`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::targets::{Audit, AuditType};

use super::{About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

/// Names of the types.
const TYPES: [(&str, AuditType); 3] = [
    ("accept", AuditType::Accept),
    ("drop", AuditType::Drop),
    ("reject", AuditType::Reject),
];

impl Extension for Audit {
    const ABOUT: About = About {
        name: "AUDIT",
        summary: "tell the audit subsystem of the packet, and go on with the next rule",
        options: &[Opt::plain(
            "type",
            &["TYPE"],
            "accept, drop or reject: what the rules do; the record does not tell",
        )],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let token = options.only(&Self::ABOUT)?.value();
        let name = token.lossy();
        let known = TYPES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(&name));
        match known {
            Some((_, kind)) => Ok(Self { kind: *kind }),
            None => Err(
                Problem::new(token.span, format!("AUDIT has no type `{name}`"))
                    .expected("accept, drop or reject")
                    .suggest(&name, TYPES.iter().map(|(name, _)| *name)),
            ),
        }
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let name = TYPES.iter().find(|(_, kind)| *kind == self.kind);
        name.map(|(name, _)| Printed::new("type", false, name))
            .into_iter()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        prints(
            Family::V4,
            &[
                ("-j AUDIT --type accept", "-j AUDIT --type accept"),
                ("-j AUDIT --type DROP", "-j AUDIT --type drop"),
                ("-j AUDIT --type Reject", "-j AUDIT --type reject"),
            ],
        );
        refuses(
            Family::V6,
            &[
                ("-j AUDIT", "`AUDIT` needs an option", "AUDIT"),
                ("-j AUDIT --type dorp", "AUDIT has no type `dorp`", "dorp"),
            ],
        );
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m realm`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Realm;
use oxtables_engine::uapi::field::Not;

use super::{masked, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::names::Kind;

impl Extension for Realm {
    const ABOUT: About = About {
        name: "realm",
        summary: "the realms of the packet's route; not for PREROUTING",
        family: Some(Family::V4),
        options: &[Opt::negatable(
            "realm",
            &[],
            &["REALM[/MASK]"],
            "its bits under MASK are REALM",
        )],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        let value = masked::named(given.value(), options.names, Kind::Realm, "a realm")?;
        Ok(Self {
            realm: Not {
                value,
                not: given.not,
            },
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let Not { value, not } = self.realm;
        vec![Printed::new("realm", not, masked::text(value))]
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
                ("-m realm --realm 10", "-m realm --realm 0xa"),
                (
                    "-m realm ! --realm 0x10005/0xffff",
                    "-m realm ! --realm 0x10005/0xffff",
                ),
                ("-m realm --realm upstream", "-m realm --realm 0x3"),
            ],
        );
        refuses(
            Family::V4,
            &[
                ("-m realm", "`realm` needs an option", "realm"),
                (
                    "-m realm --realm upstream/1",
                    "no realm is called `upstream/1`",
                    "upstream/1",
                ),
                ("-m realm --realm 1/2/3", "`2/3` is not a realm", "2/3"),
            ],
        );
        refuses(
            Family::V6,
            &[(
                "-m realm --realm 1",
                "match `realm` is for IPv4 only",
                "realm",
            )],
        );
    }
}

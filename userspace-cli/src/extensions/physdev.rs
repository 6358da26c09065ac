// SPDX-License-Identifier: GPL-2.0
//! `-m physdev`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Physdev;
use oxtables_engine::engine::rules::model::Device;
use oxtables_engine::uapi::field::Not;

use super::{About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::language::address;

/// The port that an option asks for, if it was given.
fn port(options: &Options<'_>, name: &str) -> Result<Option<Not<Device>>, Problem> {
    let Some(given) = options.get(name) else {
        return Ok(None);
    };
    Ok(Some(Not {
        value: address::device(given.value())?,
        not: given.not,
    }))
}

/// Whether an option without value was given, and negated.
fn flag(options: &Options<'_>, name: &str) -> Option<Not<bool>> {
    options.get(name).map(|given| Not {
        value: true,
        not: given.not,
    })
}

impl Extension for Physdev {
    const ABOUT: About = About {
        name: "physdev",
        summary: "the ports of the bridge that the packet goes through or came in by",
        options: &[
            Opt::negatable(
                "physdev-in",
                &[],
                &["NAME[+]"],
                "the port it came in by; `+` stands for any ending",
            ),
            Opt::negatable(
                "physdev-out",
                &[],
                &["NAME[+]"],
                "the port it goes out by; `+` stands for any ending",
            ),
            Opt::negatable("physdev-is-in", &[], &[], "it came in by a port"),
            Opt::negatable("physdev-is-out", &[], &[], "it goes out by a port"),
            Opt::negatable("physdev-is-bridged", &[], &[], "it is bridged, not routed"),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        Ok(Self {
            input: port(options, "physdev-in")?,
            output: port(options, "physdev-out")?,
            is_in: flag(options, "physdev-is-in"),
            is_out: flag(options, "physdev-is-out"),
            is_bridged: flag(options, "physdev-is-bridged"),
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let port = |name, asked: Option<Not<Device>>| {
            let Not { value, not } = asked?;
            let text = value.text();
            Some(Printed::new(
                name,
                not,
                String::from_utf8_lossy(text.as_bytes()),
            ))
        };
        let flag = |name, asked: Option<Not<bool>>| {
            Some(Printed {
                not: asked?.not,
                ..Printed::flag(name)
            })
        };
        [
            flag("physdev-is-in", self.is_in),
            port("physdev-in", self.input),
            flag("physdev-is-out", self.is_out),
            port("physdev-out", self.output),
            flag("physdev-is-bridged", self.is_bridged),
        ]
        .into_iter()
        .flatten()
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
                (
                    "-m physdev --physdev-is-bridged --physdev-out p+ ! --physdev-is-out --physdev-in p0 --physdev-is-in",
                    "-m physdev --physdev-is-in --physdev-in p0 ! --physdev-is-out --physdev-out p+ --physdev-is-bridged",
                ),
                (
                    "-m physdev ! --physdev-in +",
                    "-m physdev ! --physdev-in +",
                ),
            ],
        );
        refuses(
            Family::V6,
            &[
                ("-m physdev", "physdev needs an option", "physdev"),
                (
                    "-m physdev --physdev-in 0123456789abcdef",
                    "interface name is too long",
                    "0123456789abcdef",
                ),
            ],
        );
    }
}

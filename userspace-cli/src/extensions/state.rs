// SPDX-License-Identifier: GPL-2.0
//! `-m state`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::{State, States};

use super::conntrack::{self, STATES};
use super::{About, Extension, Opt, Options, Printed, Vocabulary};
use crate::diagnostic::Problem;

/// The states that a packet can have; those of a connection only conntrack asks for.
fn of_packets() -> Vec<(&'static str, States)> {
    let mut states = STATES.to_vec();
    states.retain(|(_, state)| state.has_some(States::OF_PACKETS));
    states
}

impl Extension for State {
    const ABOUT: About = About {
        name: "state",
        summary: "what the packet is to its connection, as conntrack --ctstate",
        options: &[Opt::negatable(
            "state",
            &[],
            &["STATE[,STATE...]"],
            "it is one of these",
        )],
        vocabularies: &[Vocabulary {
            title: "states",
            names: || {
                let names = of_packets().into_iter().map(|(name, _)| name.to_owned());
                names.collect()
            },
        }],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        let states = conntrack::states(given, &of_packets())?;
        Ok(Self { states })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let text = conntrack::states_text(self.states.value);
        vec![Printed::new("state", self.states.not, text)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        for family in Family::ALL {
            prints(
                family,
                &[
                    ("-m state --state NEW", "-m state --state NEW"),
                    (
                        "-m state ! --state est,rel,UNTRACKED,i",
                        "-m state ! --state INVALID,RELATED,ESTABLISHED,UNTRACKED",
                    ),
                ],
            );
        }
        refuses(
            Family::V4,
            &[
                ("-m state", "`state` needs an option", "state"),
                ("-m state --state DNAT", "`DNAT` is not a state", "DNAT"),
            ],
        );
    }
}

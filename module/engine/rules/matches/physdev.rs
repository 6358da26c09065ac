// SPDX-License-Identifier: GPL-2.0
//! `-m physdev`: the ports of the bridge that the packet goes through or came in by.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Bridge, Family, Hook};
use crate::engine::rules::line::DevicePattern;
use crate::engine::rules::machine::{Fact, Machine};
use crate::engine::rules::model::{Device, Rule};
use crate::uapi::field::Not;
use crate::wire;

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Physdev, "physdev-attrs" {
        /// `--physdev-in`
        2 input: Option<Not<Device>>,
        /// `--physdev-out`
        3 output: Option<Not<Device>>,
        /// `--physdev-is-in`
        4 is_in: Option<Not<bool>>,
        /// `--physdev-is-out`
        5 is_out: Option<Not<bool>>,
        /// `--physdev-is-bridged`
        6 is_bridged: Option<Not<bool>>,
    }
}

impl Matcher for Physdev {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        let names = self.input.is_some() || self.output.is_some();
        let states = [self.is_in, self.is_out, self.is_bridged];
        if names || states.iter().any(Option::is_some) {
            Ok(())
        } else {
            Err("physdev needs an option")
        }
    }

    fn check_hook(&self, hook: Hook) -> Result<(), &'static str> {
        let out = self.output.is_some() || self.is_out.is_some();
        let bridged = self.is_bridged.is_some_and(|asked| !asked.not);
        if hook == Hook::LocalOut && out && !bridged {
            // Whether it will go out by a bridge is not known of a packet that is not bridged.
            return Err("--physdev-out in OUTPUT needs --physdev-is-bridged");
        }
        Ok(())
    }

    fn bind(&mut self, machine: &dyn Machine) -> Result<(), &'static str> {
        machine.provide(Fact::Bridge)
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let Some(Bridge { input, output }) = packet.source().bridge() else {
            let ports = [self.input, self.output].into_iter().flatten();
            let states = [self.is_in, self.is_out, self.is_bridged].into_iter();
            let negated = ports.map(|asked| asked.not);
            let all = negated.chain(states.flatten().map(|asked| asked.not));
            return Outcome::from(all.into_iter().all(|not| not));
        };
        let is = |asked: Option<Not<bool>>, there: bool| {
            asked.is_none_or(|Not { not, .. }| there != not)
        };
        let has = |asked: Option<Not<Device>>, port| {
            asked.is_none_or(|asked| !DevicePattern::new(asked).excludes(port))
        };
        // As in iptables a port that is not known rules out nothing as the one in, and everything as the one out.
        Outcome::from(
            is(self.is_bridged, output.is_some())
                && is(self.is_in, input.is_some())
                && is(self.is_out, output.is_some())
                && input.is_none_or(|port| has(self.input, port))
                && output.map_or(self.output.is_none(), |port| has(self.output, port)),
        )
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_physdev))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{asked, TCP_V4};
    use crate::engine::packet::{DeviceName, Metadata};
    use crate::engine::rules::Match;

    /// Asks nothing.
    const NOTHING: Physdev = Physdev {
        input: None,
        output: None,
        is_in: None,
        is_out: None,
        is_bridged: None,
    };

    #[test]
    fn ports_by_name() {
        for (name, hit) in [
            ("p1", true),
            ("p+", true),
            ("p2", false),
            ("p11", false),
            ("+", true),
        ] {
            for not in [false, true] {
                let port = || device(name, not);
                let input = || Physdev {
                    input: port(),
                    ..NOTHING
                };
                let output = || Physdev {
                    output: port(),
                    ..NOTHING
                };
                assert!(says(input(), bridge("p1", "q")) == (hit != not));
                assert!(says(output(), bridge("q", "p1")) == (hit != not));
                // Not known, and not bridged at all.
                assert!(says(input(), bridge("", "q")));
                assert!(!says(output(), bridge("q", "")));
                assert!(says(input(), None) == not);
                assert!(says(output(), None) == not);
            }
        }
    }

    #[test]
    fn whether_there_are_ports() {
        for not in [false, true] {
            let asked = Some(Not { value: true, not });
            let is_in = || Physdev {
                is_in: asked,
                ..NOTHING
            };
            let is_out = || Physdev {
                is_out: asked,
                ..NOTHING
            };
            let is_bridged = || Physdev {
                is_bridged: asked,
                ..NOTHING
            };
            for (input, output) in [("p", "q"), ("p", ""), ("", "q"), ("", "")] {
                let there = || bridge(input, output);
                assert!(says(is_in(), there()) == (input.is_empty() == not));
                assert!(says(is_out(), there()) == (output.is_empty() == not));
                assert!(says(is_bridged(), there()) == (output.is_empty() == not));
            }
            for item in [is_in(), is_out(), is_bridged()] {
                assert!(says(item, None) == not);
            }
        }
    }

    #[test]
    fn all_must_hold() {
        let item = || Physdev {
            input: device("p", false),
            output: device("q", true),
            ..NOTHING
        };
        assert!(says(item(), bridge("p", "r")));
        assert!(!says(item(), bridge("p", "q")));
        assert!(!says(item(), bridge("r", "r")));
        assert!(!says(item(), None));
        assert!(NOTHING.check(Family::V4, &Rule::default()).is_err());
    }

    #[test]
    fn the_way_out_is_not_known_in_output() {
        let bridged = Some(Not::is(true));
        let fits = |item: Physdev| item.check_hook(Hook::LocalOut).is_ok();
        let out = || Physdev {
            output: device("p", false),
            ..NOTHING
        };
        assert!(!fits(out()));
        assert!(out().check_hook(Hook::Forward).is_ok());
        assert!(fits(Physdev {
            is_bridged: bridged,
            ..out()
        }));
        assert!(!fits(Physdev {
            is_out: bridged,
            ..NOTHING
        }));
        assert!(fits(Physdev {
            input: device("p", false),
            ..NOTHING
        }));
    }

    fn device(name: &str, not: bool) -> Option<Not<Device>> {
        let value = Device::from_text(name.as_bytes())?;
        Some(Not { value, not })
    }

    fn bridge(input: &str, output: &str) -> Option<Bridge> {
        let port = |name: &str| DeviceName::from_text(name.as_bytes()).filter(|_| !name.is_empty());
        Some(Bridge {
            input: port(input),
            output: port(output),
        })
    }

    fn says(item: Physdev, bridge: Option<Bridge>) -> bool {
        let metadata = Metadata {
            bridge,
            ..Metadata::default()
        };
        asked(Family::V4, Match::Physdev(item), TCP_V4, metadata) == Outcome::Yes
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m cgroup`: the control group of the packet's socket, which is that of the program that made it.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, ControlGroup, Family, Hook};
use crate::engine::rules::machine::{Fact, Machine};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not, Text};
use crate::wire;

/// The path of a control group below the root of the unified hierarchy.
#[derive(Debug, PartialEq, Eq)]
pub struct ControlGroupPath {
    /// The path.
    pub text: Text<{ Self::MAX }>,
    /// The group that has it: found when the rule is compiled.
    group: Option<ControlGroup>,
}

impl ControlGroupPath {
    /// The longest path, in bytes.
    pub const MAX: usize = 511;

    /// A path; `None` when it is too long or there is no memory.
    pub fn new(path: &[u8]) -> Option<Self> {
        Some(Self {
            text: Text::new(path)?,
            group: None,
        })
    }
}

impl Field for ControlGroupPath {
    const KIND: Kind = Text::<{ Self::MAX }>::KIND;

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        self.text.put(id, to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        Ok(Self {
            text: Text::get(from)?,
            group: None,
        })
    }
}

wire! {
    /// The match.
    #[derive(Debug, PartialEq, Eq)]
    pub struct Cgroup, "cgroup-attrs" {
        /// `--path`
        2 path: Option<Not<ControlGroupPath>>,
        /// `--cgroup`: the class that the controller net_cls gives.
        3 class: Option<Not<u32>>,
    }
}

impl Matcher for Cgroup {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        if self.path.is_some() == self.class.is_some() {
            Err("cgroup needs either --path or --cgroup")
        } else {
            Ok(())
        }
    }

    fn check_hook(&self, hook: Hook) -> Result<(), &'static str> {
        match hook {
            Hook::LocalIn | Hook::LocalOut | Hook::PostRouting => Ok(()),
            _ => Err("cgroup needs INPUT, OUTPUT or POSTROUTING"),
        }
    }

    fn bind(&mut self, machine: &dyn Machine) -> Result<(), &'static str> {
        if self.class.is_some() {
            machine.provide(Fact::Class)?;
        }
        if let Some(Not { value, .. }) = &mut self.path {
            machine.provide(Fact::ControlGroup)?;
            let group = machine.control_group(value.text.as_bytes());
            value.group = Some(group.ok_or("there is no such control group")?);
        }
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let path = self.path.as_ref().map(|asked| {
            let inside = asked
                .value
                .group
                .and_then(|group| packet.source().in_control_group(group));
            // A packet without a socket is neither inside nor outside.
            inside.is_some_and(|inside| inside != asked.not)
        });
        let class = self.class.map(|asked| {
            let class = packet.source().class();
            class.is_some_and(|class| (class == asked.value) != asked.not)
        });
        Outcome::from(path.unwrap_or(true) && class.unwrap_or(true))
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        let path = match &self.path {
            Some(Not { value, not }) => Some(Not {
                value: ControlGroupPath {
                    text: value.text.try_clone()?,
                    group: value.group,
                },
                not: *not,
            }),
            None => None,
        };
        Ok(Self {
            path,
            class: self.class,
        })
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_cgroup))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{asked, TCP_V4};
    use crate::engine::packet::Metadata;
    use crate::engine::rules::Match;

    /// What AnyMachine finds at any path.
    const FOUND: ControlGroup = ControlGroup { id: 0, level: 0 };
    const OTHER: ControlGroup = ControlGroup { id: 1, level: 0 };
    const BELOW: ControlGroup = ControlGroup { id: 2, level: 1 };

    #[test]
    fn inside_outside_and_neither() {
        for not in [false, true] {
            let ask = |control_groups| {
                let value = ControlGroupPath::new(b"a/b").unwrap();
                let item = Match::Cgroup(Cgroup {
                    path: Some(Not { value, not }),
                    class: None,
                });
                let metadata = Metadata {
                    control_groups,
                    ..Metadata::default()
                };
                asked(Family::V4, item, TCP_V4, metadata)
            };
            assert!(ask(Some(&[FOUND])) == Outcome::from(!not));
            assert!(ask(Some(&[FOUND, BELOW])) == Outcome::from(!not));
            assert!(ask(Some(&[OTHER, BELOW])) == Outcome::from(not));
            assert!(ask(None) == Outcome::No);
        }
    }

    #[test]
    fn classes() {
        for not in [false, true] {
            for (class, wanted) in [
                (Some(7), Outcome::from(!not)),
                (Some(8), Outcome::from(not)),
                (None, Outcome::No),
            ] {
                let item = Match::Cgroup(Cgroup {
                    path: None,
                    class: Some(Not { value: 7, not }),
                });
                let metadata = Metadata {
                    class,
                    ..Metadata::default()
                };
                assert!(asked(Family::V4, item, TCP_V4, metadata) == wanted);
            }
        }
    }

    #[test]
    fn one_of_two() {
        let rule = Rule::default();
        let path = || ControlGroupPath::new(b"a").map(Not::is);
        for (path, class, fits) in [
            (None, None, false),
            (path(), None, true),
            (None, Some(Not::is(1)), true),
            (path(), Some(Not::is(1)), false),
        ] {
            assert!(Cgroup { path, class }.check(Family::V4, &rule).is_ok() == fits);
        }
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m owner`: who opened the socket that a packet of this machine's own was sent by.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family, Hook};
use crate::engine::rules::machine::{Fact, Machine};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Not;
use crate::uapi::range::Range;
use crate::wire;

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Owner, "owner-attrs" {
        /// `--uid-owner`
        2 user: Option<Not<Range<u32>>>,
        /// `--gid-owner`
        3 group: Option<Not<Range<u32>>>,
        /// `--socket-exists`
        4 socket: Option<Not<bool>>,
        /// `--suppl-groups`: any of the opener's groups may be the one that is asked for.
        5 any_group: bool,
    }
}

impl Matcher for Owner {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        if self.user.is_none() && self.group.is_none() && self.socket.is_none() {
            return Err("owner needs --uid-owner, --gid-owner or --socket-exists");
        }
        if self.any_group && self.group.is_none() {
            return Err("--suppl-groups needs --gid-owner");
        }
        // The kernel's number for nobody at all (INVALID_UID), and for whom a user namespace does not know.
        let is_nobody = |asked: Not<Range<u32>>| asked.value.last == u32::MAX;
        if self.user.is_some_and(is_nobody) || self.group.is_some_and(is_nobody) {
            return Err("4294967295 is no user or group");
        }
        Ok(())
    }

    fn check_hook(&self, hook: Hook) -> Result<(), &'static str> {
        match hook {
            Hook::LocalOut | Hook::PostRouting => Ok(()),
            _ => Err("owner needs OUTPUT or POSTROUTING"),
        }
    }

    fn bind(&mut self, machine: &dyn Machine) -> Result<(), &'static str> {
        if self.user.is_some() || self.group.is_some() {
            machine.provide(Fact::Opener)?;
        }
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let source = packet.source();
        let is_negated = |asked: Option<Not<Range<u32>>>| asked.is_none_or(|asked| asked.not);
        let by_nobody = is_negated(self.user) && is_negated(self.group);
        let Some(socket) = source.socket() else {
            // As in iptables, which takes --suppl-groups for a question that this packet has no answer to.
            let without = self.socket.is_none_or(|asked| asked.not) && !self.any_group;
            return Outcome::from(by_nobody && without);
        };
        if self.socket.is_some_and(|asked| asked.not) {
            return Outcome::No;
        }
        let Some(opener) = socket.opener else {
            return Outcome::from(by_nobody);
        };
        let user = self
            .user
            .is_none_or(|Not { value, not }| value.contains(opener.user) != not);
        let group = || {
            self.group.is_none_or(|Not { value, not }| {
                let found = value.contains(opener.group)
                    || self.any_group && source.opener_has_group(value);
                found != not
            })
        };
        Outcome::from(user && group())
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_owner))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{asked, TCP_V4};
    use crate::engine::packet::{Metadata, Opener, Socket};
    use crate::engine::rules::Match;

    /// Asks nothing.
    const NOTHING: Owner = Owner {
        user: None,
        group: None,
        socket: None,
        any_group: false,
    };

    /// A socket of user 10 in group 20, who is in groups 30 and 31 as well.
    fn of_a_program() -> Metadata<'static> {
        Metadata {
            socket: Some(Socket {
                opener: Some(Opener {
                    user: 10,
                    group: 20,
                }),
            }),
            groups: &[30, 31],
            ..Metadata::default()
        }
    }

    /// A socket of the kernel's.
    fn of_the_kernel() -> Metadata<'static> {
        Metadata {
            socket: Some(Socket { opener: None }),
            ..Metadata::default()
        }
    }

    fn range(first: u32, last: u32, not: bool) -> Option<Not<Range<u32>>> {
        let value = Range { first, last };
        Some(Not { value, not })
    }

    fn says(owner: Owner, metadata: Metadata<'_>) -> bool {
        asked(Family::V4, Match::Owner(owner), TCP_V4, metadata) == Outcome::Yes
    }

    #[test]
    fn users_and_groups() {
        for (first, last, hit) in [
            (10, 10, true),
            (5, 10, true),
            (10, 12, true),
            (11, 99, false),
            (0, 9, false),
        ] {
            for not in [false, true] {
                let user = || Owner {
                    user: range(first, last, not),
                    ..NOTHING
                };
                let group = || Owner {
                    group: range(first + 10, last + 10, not),
                    ..NOTHING
                };
                assert!(says(user(), of_a_program()) == (hit != not));
                assert!(says(group(), of_a_program()) == (hit != not));
                // Nobody is nobody's user.
                for metadata in [of_the_kernel(), Metadata::default()] {
                    assert!(says(user(), metadata) == not);
                    assert!(says(group(), metadata) == not);
                }
            }
        }
        let both = |user, group| Owner {
            user: range(user, user, false),
            group: range(group, group, false),
            ..NOTHING
        };
        assert!(says(both(10, 20), of_a_program()));
        assert!(!says(both(10, 21), of_a_program()));
        assert!(!says(both(11, 20), of_a_program()));
    }

    #[test]
    fn further_groups() {
        for (group, any_group, hit) in [
            (30, false, false),
            (30, true, true),
            (31, true, true),
            (20, true, true),
            (32, true, false),
        ] {
            for not in [false, true] {
                let owner = Owner {
                    group: range(group, group, not),
                    any_group,
                    ..NOTHING
                };
                assert!(says(owner.clone(), of_a_program()) == (hit != not));
                assert!(says(owner.clone(), of_the_kernel()) == not);
                assert!(says(owner, Metadata::default()) == (not && !any_group));
            }
        }
    }

    #[test]
    fn sockets() {
        for not in [false, true] {
            let owner = || Owner {
                socket: Some(Not { value: true, not }),
                ..NOTHING
            };
            assert!(says(owner(), of_a_program()) != not);
            assert!(says(owner(), of_the_kernel()) != not);
            assert!(says(owner(), Metadata::default()) == not);
            let user = Owner {
                user: range(10, 10, not),
                ..owner()
            };
            assert!(says(user.clone(), of_a_program()) != not);
            assert!(says(user, Metadata::default()) == not);
        }
    }

    #[test]
    fn something_must_be_asked() {
        let rule = Rule::default();
        let fits = |owner: Owner| owner.check(Family::V4, &rule).is_ok();
        assert!(!fits(NOTHING));
        assert!(!fits(Owner {
            any_group: true,
            user: range(1, 1, false),
            ..NOTHING
        }));
        assert!(fits(Owner {
            user: range(0, u32::MAX - 1, false),
            ..NOTHING
        }));
        assert!(!fits(Owner {
            group: range(0, u32::MAX, false),
            ..NOTHING
        }));
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m helper`: which helper announced the packet's connection.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family};
use crate::engine::rules::machine::{Fact, Machine};
use crate::engine::rules::model::Rule;
use crate::engine::text::Str;
use crate::uapi::field::Not;
use crate::wire;

/// The name of a helper in a rule, behind which a port may stand. Rules of iptables have room for 29 bytes.
pub type AskedHelper = Str<29>;

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Helper, "helper-attrs" {
        /// `--helper`: it begins with the helper's name. The empty one stands for any helper.
        2 name: Not<AskedHelper>,
    }
}

impl Matcher for Helper {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        Ok(())
    }

    fn bind(&mut self, machine: &dyn Machine) -> Result<(), &'static str> {
        machine.provide(Fact::Helper)
    }

    fn tracks(&self) -> bool {
        true
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let Not { value: asked, not } = &self.name;
        let connection = packet.source().connection();
        let helper = connection.and_then(|connection| connection.announced_by);
        let holds = helper.is_some_and(|helper| {
            asked.is_empty() || asked.as_bytes().starts_with(helper.as_bytes())
        });
        Outcome::from(holds != *not)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_helper))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{connection_v6, flat, holds_of, UDP_V6};
    use crate::engine::packet::{Connection, Flat, HelperName, Tracked};

    #[test]
    fn names() {
        let ftp = Some(HelperName::literal("ftp"));
        for (asked, helper, hit) in [
            (AskedHelper::literal("ftp"), ftp, true),
            (AskedHelper::literal("ftp-2121"), ftp, true),
            (AskedHelper::literal("ft"), ftp, false),
            (AskedHelper::literal("tftp"), ftp, false),
            (AskedHelper::default(), ftp, true),
            (AskedHelper::literal("ftp"), None, false),
            (AskedHelper::default(), None, false),
        ] {
            for not in [false, true] {
                let value = asked;
                let item = Helper {
                    name: Not { value, not },
                };
                let outcome = Outcome::from(hit != not);
                assert_eq!(holds_of(Family::V6, &item, &with(helper)), outcome);
            }
        }
        // Nor has a packet one that has no connection.
        let item = Helper {
            name: Not {
                value: AskedHelper::default(),
                not: true,
            },
        };
        assert!(holds_of(Family::V6, &item, &flat(UDP_V6)) == Outcome::Yes);
    }

    fn with(announced_by: Option<HelperName>) -> Flat<'static> {
        Flat {
            tracked: Tracked {
                connection: Some(Connection {
                    announced_by,
                    ..connection_v6()
                }),
                ..Tracked::default()
            },
            ..flat(UDP_V6)
        }
    }
}

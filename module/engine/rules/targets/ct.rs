// SPDX-License-Identifier: GPL-2.0
//! `-j CT`: how the packet is tracked, decided before it is.

use crate::engine::conntrack::{Assignment, Direction};
use crate::wire;

wire! {
    /// The target.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Ct, "ct-attrs" {
        /// `--notrack`: it is not tracked at all.
        2 notrack: bool,
        /// `--zone`: it is in the zone of this number.
        4 zone: Option<u16>,
        /// `--zone mark`: in the zone whose number is the lower half of its mark.
        5 zone_mark: bool,
        /// `--zone-orig`, `--zone-reply`: for this direction of its connection alone.
        6 zone_direction: Option<Direction>,
    }
}

impl Ct {
    /// It is not tracked at all.
    pub const NOTRACK: Self = Self {
        notrack: true,
        zone: None,
        zone_mark: false,
        zone_direction: None,
    };

    pub(super) fn check(&self) -> Result<(), &'static str> {
        match (self.notrack, self.zone.is_some(), self.zone_mark) {
            (false, false, false) => Err("CT needs --notrack or a zone"),
            (true, ..) if self.zone_direction.is_some() => Err("a direction needs a zone"),
            (true, false, false) | (false, true, false) | (false, false, true) => Ok(()),
            (true, ..) => Err("what is not tracked is in no zone"),
            (false, true, true) => Err("a zone is a number or the mark, not both"),
        }
    }

    /// How it says in which zone the packet is, if it does.
    pub fn zone(&self) -> Option<Assignment> {
        (self.zone.is_some() || self.zone_mark).then_some(Assignment {
            id: self.zone,
            direction: self.zone_direction,
        })
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_ct))]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_said_of_a_packet() {
        let ct = |notrack, zone, zone_mark, zone_direction| Ct {
            notrack,
            zone,
            zone_mark,
            zone_direction,
        };
        let reply = Some(Direction::Reply);
        for (good, zone) in [
            (ct(true, None, false, None), None),
            (ct(false, Some(0), false, None), Some((Some(0), None))),
            (ct(false, Some(7), false, reply), Some((Some(7), reply))),
            (ct(false, None, true, None), Some((None, None))),
        ] {
            assert!(good.check().is_ok());
            assert!(good.zone().map(|zone| (zone.id, zone.direction)) == zone);
        }
        for wrong in [
            ct(false, None, false, None),
            ct(false, None, false, reply),
            ct(true, None, false, reply),
            ct(true, Some(1), false, None),
            ct(true, None, true, None),
            ct(false, Some(1), true, None),
        ] {
            assert!(wrong.check().is_err());
        }
    }
}

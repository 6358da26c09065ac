// SPDX-License-Identifier: GPL-2.0
//! Zones: networks that use the same addresses are told apart by a number beside them.
//!
//! A rule says in which zone a packet is before its connection is looked up. Flows of different zones are different flows,
//! be they alike in everything else. A zone may hold for one direction alone: the other one is in zone 0 then, as all is of
//! which no rule says anything.

use super::Direction;

/// The zone of a connection, or of a packet before its connection is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its number.
    pub id: u16,
    /// The direction that it holds for; `None` for both.
    pub direction: Option<Direction>,
}

impl Default for Zone {
    fn default() -> Self {
        Self::NONE
    }
}

impl Zone {
    /// Where everything is of which no rule says anything.
    pub const NONE: Self = Self {
        id: 0,
        direction: None,
    };

    /// The number that tells flows of a direction apart.
    #[inline]
    pub const fn of(self, direction: Direction) -> u16 {
        match (self.direction, direction) {
            (None, _)
            | (Some(Direction::Original), Direction::Original)
            | (Some(Direction::Reply), Direction::Reply) => self.id,
            _ => 0,
        }
    }

    /// Whether the two directions differ.
    #[inline]
    pub const fn is_divided(self) -> bool {
        self.direction.is_some() && self.id != 0
    }
}

/// How a rule says in which zone a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Its number; `None` for the lower half of the packet's mark.
    pub id: Option<u16>,
    /// The direction that it holds for; `None` for both.
    pub direction: Option<Direction>,
}

impl Assignment {
    /// The zone of a packet that has this mark.
    #[inline]
    pub const fn zone(self, mark: u32) -> Zone {
        let id = match self.id {
            Some(id) => id,
            None => mark as u16,
        };
        let direction = self.direction;
        Zone { id, direction }
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_conntrack_zone))]
mod tests {
    use super::*;

    #[test]
    fn a_zone_holds_for_its_directions() {
        use Direction::{Original, Reply};
        for (direction, there, back, divided) in [
            (None, 7, 7, false),
            (Some(Original), 7, 0, true),
            (Some(Reply), 0, 7, true),
        ] {
            let zone = Zone { id: 7, direction };
            assert_eq!([zone.of(Original), zone.of(Reply)], [there, back]);
            assert_eq!(zone.is_divided(), divided);
            assert!(!Zone { id: 0, direction }.is_divided());
        }
        let by_mark = Assignment {
            id: None,
            direction: Some(Reply),
        };
        assert!(by_mark.zone(0x1_0007).of(Reply) == 7 && by_mark.zone(7).of(Original) == 0);
        assert!(Zone::default().of(Original) == 0 && Zone::default().of(Reply) == 0);
    }
}

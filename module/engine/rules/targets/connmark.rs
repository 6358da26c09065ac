// SPDX-License-Identifier: GPL-2.0
//! `-j CONNMARK`: the mark of the packet's connection is changed, or the packet's by it.

use crate::engine::rules::matches::Masked;
use crate::uapi::Errno;
use crate::{numbered, wire};

/// What becomes of which mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ConnmarkMode {
    /// The connection's becomes a value.
    Set = 0,
    /// The connection's becomes the packet's.
    Save = 1,
    /// The packet's becomes the connection's.
    Restore = 2,
}

impl ConnmarkMode {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Set, Self::Save, Self::Restore];
}

numbered! {
    ConnmarkMode, Errno::Range, "mode must be 0 (set), 1 (save) or 2 (restore)";
}

wire! {
    /// The target. All ways come down to one: bits of the mark that is changed are cleared, then those of another
    /// number flipped.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct SetConnmark, "set-connmark-attrs" {
        /// `--set-xmark`, `--save-mark` or `--restore-mark`
        2 mode: ConnmarkMode,
        /// The value that the connection's mark is set to, and `--ctmask`: its bits that are cleared, or restored.
        3 connection: Masked,
        /// `--nfmask`: the bits of the packet's mark that are saved, or cleared.
        4 packet_mask: u32,
        /// `--left-shift-mark` or `--right-shift-mark`: by how many bits the result is shifted where a value is set,
        /// else what is saved or restored.
        5 shift: u8,
        /// Whether that is to the right.
        6 shift_right: bool,
    }
}

/// A mark that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::rules) enum Change {
    /// The connection's, to this.
    Connection(u32),
    /// The packet's, to this.
    Packet(u32),
}

impl SetConnmark {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.shift >= 32 {
            return Err("marks are shifted by 31 bits at most");
        }
        if self.mode != ConnmarkMode::Set && self.connection.value != 0 {
            return Err("only --set-xmark has a value");
        }
        if self.mode == ConnmarkMode::Set && self.packet_mask != 0 {
            return Err("--set-xmark has no --nfmask");
        }
        Ok(())
    }

    /// What becomes of a packet's mark, or of its connection's.
    pub(in crate::engine::rules) fn apply(&self, packet: u32, connection: u32) -> Change {
        let Masked { value, mask } = self.connection;
        match self.mode {
            ConnmarkMode::Set => Change::Connection(self.shifted(connection & !mask ^ value)),
            ConnmarkMode::Save => {
                Change::Connection(connection & !mask ^ self.shifted(packet & self.packet_mask))
            }
            ConnmarkMode::Restore => {
                Change::Packet(packet & !self.packet_mask ^ self.shifted(connection & mask))
            }
        }
    }

    fn shifted(&self, mark: u32) -> u32 {
        let shift = u32::from(self.shift);
        let shifted = if self.shift_right {
            mark.checked_shr(shift)
        } else {
            mark.checked_shl(shift)
        };
        shifted.unwrap_or(0)
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_target_connmark))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{flat, program, Seen, TCP_V4};
    use crate::engine::packet::{Family, Flat, Hook, Tracked};
    use crate::engine::rules::{Rule, Target};

    const ALL: u32 = u32::MAX;
    const PACKET: u32 = 0x1234_5678;
    const CONNECTION: u32 = 0xfedc_ba98;

    fn target(mode: ConnmarkMode, value: u32, mask: u32, packet_mask: u32) -> SetConnmark {
        SetConnmark {
            mode,
            connection: Masked { value, mask },
            packet_mask,
            shift: 0,
            shift_right: false,
        }
    }

    #[test]
    fn modes_and_masks() {
        use Change::{Connection, Packet};
        use ConnmarkMode::{Restore, Save, Set};
        for (target, change) in [
            (target(Set, 1, ALL, 0), Connection(1)),
            (target(Set, 1, 0xf, 0), Connection(0xfedc_ba91)),
            (target(Set, 0xf, 0, 0), Connection(0xfedc_ba97)),
            (target(Save, 0, ALL, ALL), Connection(PACKET)),
            (target(Save, 0, 0xff, 0xff), Connection(0xfedc_ba78)),
            (target(Save, 0, 0, 0xf), Connection(0xfedc_ba90)),
            (target(Restore, 0, ALL, ALL), Packet(CONNECTION)),
            (target(Restore, 0, 0xff, 0xff), Packet(0x1234_5698)),
            (target(Restore, 0, 0xf0, 0), Packet(0x1234_56e8)),
        ] {
            assert!(target.check().is_ok());
            assert_eq!(target.apply(PACKET, CONNECTION), change);
        }
    }

    #[test]
    fn shifts() {
        use Change::{Connection, Packet};
        use ConnmarkMode::{Restore, Save, Set};
        let left = |target, shift| SetConnmark { shift, ..target };
        let right = |target, shift| SetConnmark {
            shift,
            shift_right: true,
            ..target
        };
        for (target, change) in [
            (left(target(Set, 3, ALL, 0), 4), Connection(0x30)),
            (right(target(Set, 0x30, ALL, 0), 4), Connection(3)),
            (left(target(Set, 0, 0, 0), 31), Connection(0)),
            (
                left(target(Save, 0, 0xff00, 0xff), 8),
                Connection(0xfedc_7898),
            ),
            (
                right(target(Restore, 0, 0xff00, 0xff), 8),
                Packet(0x1234_56ba),
            ),
            (right(target(Restore, 0, ALL, ALL), 31), Packet(1)),
        ] {
            assert!(target.check().is_ok());
            assert_eq!(target.apply(PACKET, CONNECTION), change);
        }
        assert!(left(target(Set, 1, 1, 0), 32).check().is_err());
        assert!(target(Save, 1, 1, 1).check().is_err());
        assert!(target(Set, 1, 1, 1).check().is_err());
    }

    #[test]
    fn a_walk_changes_marks() {
        use ConnmarkMode::{Restore, Save, Set};
        let rule = |target| Rule {
            target: Target::SetConnmark(target),
            ..Rule::default()
        };
        let rules = [
            ("INPUT", rule(target(Set, 7, ALL, 0))),
            ("INPUT", rule(target(Restore, 0, ALL, ALL))),
            ("INPUT", rule(target(Save, 0, ALL, ALL))),
        ];
        let program = program(Family::V4, rules).ok().unwrap();
        assert!(program.tracks(Family::V4));
        for (mark, connection, packet) in [(Some(5), Some(5), Some(5)), (None, None, None)] {
            let tracked = Tracked {
                mark,
                ..Tracked::default()
            };
            let packet_ = Flat {
                tracked,
                ..flat(TCP_V4)
            };
            let mut seen = Seen::default();
            let _ = program.evaluate(Family::V4, &packet_.at(Hook::LocalIn), &mut seen);
            // The connection's mark stays 5 here, whatever it is set to.
            assert!(seen.connection_mark == connection && seen.mark == packet);
            assert_eq!(seen.slots, 0b1111);
        }
    }
}

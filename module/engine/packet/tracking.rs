// SPDX-License-Identifier: GPL-2.0
//! What connection tracking knows of a packet, and of the connection that it belongs to.

use crate::engine::conntrack::{Direction, Tuple, Zone};
use crate::engine::rules::Counters;
use crate::engine::text::Str;

/// What a packet is to its connection, and which way it goes; numbered as the kernel does in the low bits of
/// `skb->_nfct` (enum ip_conntrack_info). That a packet is invalid has no number there: it has no connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Tracking {
    /// It goes the way of the first packet, and packets have gone both ways.
    Established = 0,
    /// It begins a connection that another one announced, or is an ICMP error about one.
    Related = 1,
    /// It begins a connection, or there was no answer yet.
    New = 2,
    /// It goes the other way.
    EstablishedReply = 3,
    /// It is about a connection, or of a related one, and goes the other way.
    RelatedReply = 4,
    /// It belongs to no connection and can't begin one, or it was not shown to the tracker.
    #[default]
    Invalid = 5,
    /// A rule took it from the tracker's sight, or it is of a kind that is not tracked.
    Untracked = 7,
}

impl Tracking {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Established,
        Self::Related,
        Self::New,
        Self::EstablishedReply,
        Self::RelatedReply,
        Self::Invalid,
        Self::Untracked,
    ];

    /// What the kernel's number means of a packet that has a connection; `Invalid` for one that means nothing.
    #[inline]
    pub const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Established,
            1 => Self::Related,
            2 => Self::New,
            3 => Self::EstablishedReply,
            4 => Self::RelatedReply,
            7 => Self::Untracked,
            _ => Self::Invalid,
        }
    }

    /// The way that the packet goes through its connection; `None` where it has none.
    pub const fn direction(self) -> Option<Direction> {
        match self {
            Self::Established | Self::Related | Self::New => Some(Direction::Original),
            Self::EstablishedReply | Self::RelatedReply => Some(Direction::Reply),
            Self::Invalid | Self::Untracked => None,
        }
    }

    /// The bit that stands for it in a set of these.
    #[inline]
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What has become of a connection, a bit each as the kernel numbers them (enum ip_conntrack_status).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status(pub u32);

impl Status {
    /// Another connection announced it.
    pub const EXPECTED: Self = Self(1 << 0);
    /// Packets have gone both ways.
    pub const SEEN_REPLY: Self = Self(1 << 1);
    /// It is not forgotten early for want of room.
    pub const ASSURED: Self = Self(1 << 2);
    /// Its first packet has left the machine, or arrived.
    pub const CONFIRMED: Self = Self(1 << 3);
    /// Its packets get another source.
    pub const SRC_NAT: Self = Self(1 << 4);
    /// Its packets get another destination.
    pub const DST_NAT: Self = Self(1 << 5);

    /// Whether some bit of `others` is set.
    pub const fn has_some(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// These, and the others.
    pub const fn or(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }
}

/// The name of a helper, which reads along in connections of one protocol; the kernel's have 15 bytes at most
/// (NF_CT_HELPER_NAME_LEN).
pub type HelperName = Str<15>;

/// A connection, as it is while the question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Packets that go the way of the first one.
    pub original: Tuple,
    /// Packets that go the other way.
    pub reply: Tuple,
    /// What has become of it.
    pub status: Status,
    /// In how many seconds it is forgotten if no packet comes.
    pub seconds_left: u32,
    /// Its packets and their bytes, by direction; `None` where they are not counted.
    pub counters: Option<[Counters; 2]>,
    /// The helper of the connection that announced this one.
    pub announced_by: Option<HelperName>,
    /// The zone that it is in.
    pub zone: Zone,
}

/// What is stated of a packet's connection where nothing is tracked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tracked {
    /// What the packet is to it.
    pub tracking: Tracking,
    /// See [`Source::connection`](super::Source::connection).
    pub connection: Option<Connection>,
    /// See [`Source::connection_mark`](super::Source::connection_mark).
    pub mark: Option<u32>,
}

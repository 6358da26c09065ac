// SPDX-License-Identifier: GPL-2.0
//! What a network stack knows of a packet and its bytes do not tell: the frame it came in, the socket it is of,
//! the ports of a bridge it goes through.

use super::DeviceName;
use crate::uapi::range::Range;

/// The link layer's header of a packet that came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Frame {
    /// The device is not an Ethernet one, or there is no device.
    #[default]
    Other,
    /// The device is an Ethernet one, and yet there is no header of Ethernet.
    Missing,
    /// The header of an Ethernet frame (IEEE 802.3, clause 3).
    Ethernet {
        /// The address of who sent the frame.
        source: [u8; 6],
        /// What the frame carries (EtherType), in host order.
        kind: u16,
    },
}

/// Whom the link layer took a packet to be for, numbered as the kernel does (PACKET_*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum PacketType {
    /// This machine. Packets that it made itself have this type too.
    #[default]
    Unicast = 0,
    /// All machines of the network.
    Broadcast = 1,
    /// A group of machines.
    Multicast = 2,
    /// Another machine: the device takes in whatever passes.
    OtherHost = 3,
    /// Somewhere else: a copy of a packet that was sent.
    Outgoing = 4,
    /// A group or all machines, this one among them: a copy of what it sent to them.
    Loopback = 5,
}

impl PacketType {
    /// The type that the kernel gives this number.
    pub fn from_number(number: u8) -> Option<Self> {
        [
            Self::Unicast,
            Self::Broadcast,
            Self::Multicast,
            Self::OtherHost,
            Self::Outgoing,
            Self::Loopback,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == number)
    }
}

/// A control group of the unified hierarchy (cgroup2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlGroup {
    /// Its number, which no other gets as long as the machine runs.
    pub id: u64,
    /// How far below the root it is; the root's own level is 0.
    pub level: u32,
}

/// Who opened the socket that a packet is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opener {
    /// The user, as the network namespace's user namespace numbers users; [`u32::MAX`] for one that it has no
    /// number for.
    pub user: u32,
    /// The group, likewise.
    pub group: u32,
}

/// The socket that a packet is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Who opened it; nobody where the kernel did, or where it is being closed.
    pub opener: Option<Opener>,
}

/// The bridge that a packet goes through, or came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// The port that the packet came in by.
    pub input: Option<DeviceName>,
    /// The port that it goes out by, if it is bridged and not routed.
    pub output: Option<DeviceName>,
}

/// What is stated of a packet that no network stack knows of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metadata<'a> {
    /// See [`Source::frame`](super::Source::frame).
    pub frame: Frame,
    /// See [`Source::packet_type`](super::Source::packet_type).
    pub packet_type: PacketType,
    /// See [`Source::input_group`](super::Source::input_group).
    pub input_group: Option<u32>,
    /// See [`Source::output_group`](super::Source::output_group).
    pub output_group: Option<u32>,
    /// See [`Source::realm`](super::Source::realm).
    pub realm: u32,
    /// See [`Source::processor`](super::Source::processor).
    pub processor: u32,
    /// The control groups that its socket is in, from the root down to the one that the socket was made in.
    pub control_groups: Option<&'a [ControlGroup]>,
    /// See [`Source::class`](super::Source::class).
    pub class: Option<u32>,
    /// See [`Source::socket`](super::Source::socket).
    pub socket: Option<Socket>,
    /// The further groups of who opened the socket.
    pub groups: &'a [u32],
    /// See [`Source::bridge`](super::Source::bridge).
    pub bridge: Option<Bridge>,
}

impl Metadata<'_> {
    /// See [`Source::in_control_group`](super::Source::in_control_group).
    pub(super) fn in_control_group(&self, group: ControlGroup) -> Option<bool> {
        self.control_groups.map(|groups| groups.contains(&group))
    }

    /// See [`Source::opener_has_group`](super::Source::opener_has_group).
    pub(super) fn opener_has_group(&self, range: Range<u32>) -> bool {
        self.groups.iter().any(|group| range.contains(*group))
    }
}

// SPDX-License-Identifier: GPL-2.0
//! What IPsec has done to a packet, or will do (RFC 4301).

use core::net::IpAddr;

/// Whether a packet was taken out of IPsec or will be put into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Direction {
    /// It was taken out.
    In = 0,
    /// It will be put in.
    Out = 1,
}

impl Direction {
    /// Both, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::In, Self::Out];
}

/// One step of IPsec: the security association by which it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transform {
    /// Where packets of the association come from. Of a tunnel, where it begins.
    pub source: IpAddr,
    /// Where they go to. Of a tunnel, where it ends.
    pub destination: IpAddr,
    /// The protocol: ESP, AH or IPComp.
    pub protocol: u8,
    /// The mode, as the kernel numbers it (XFRM_MODE_*).
    pub mode: u8,
    /// The security parameter index, in host order.
    pub spi: u32,
    /// The number by which policies ask for the association.
    pub reqid: u32,
}

/// The transforms that are stated of a packet where there is no IPsec.
#[derive(Clone, Copy, Debug, Default)]
pub struct Transforms<'a> {
    /// Those that were undone, the last one first.
    pub undone: &'a [Transform],
    /// Those that will be done, the first one first.
    pub to_do: &'a [Transform],
}

impl Transforms<'_> {
    pub(super) fn get(&self, direction: Direction, index: usize) -> Option<Transform> {
        let transforms = match direction {
            Direction::In => self.undone,
            Direction::Out => self.to_do,
        };
        transforms.get(index).copied()
    }
}

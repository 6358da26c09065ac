// SPDX-License-Identifier: GPL-2.0
//! What the routing tables say of a packet's addresses.

use core::net::{IpAddr, Ipv6Addr};

/// Types of addresses, a bit each: bit N for the type that the kernel gives the number N (RTN_*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressTypes(u16);

impl AddressTypes {
    /// No type.
    pub const NONE: Self = Self(0);
    /// No address at all: of IPv6 `::`.
    pub const UNSPEC: Self = Self(1 << 0);
    /// The address of one machine, which is not this one.
    pub const UNICAST: Self = Self(1 << 1);
    /// An address of this machine.
    pub const LOCAL: Self = Self(1 << 2);
    /// That of all machines of a network.
    pub const BROADCAST: Self = Self(1 << 3);
    /// That of any one of several machines.
    pub const ANYCAST: Self = Self(1 << 4);
    /// That of a group of machines.
    pub const MULTICAST: Self = Self(1 << 5);
    /// One to which packets vanish.
    pub const BLACKHOLE: Self = Self(1 << 6);
    /// One that there is no way to.
    pub const UNREACHABLE: Self = Self(1 << 7);
    /// One to which packets may not go.
    pub const PROHIBIT: Self = Self(1 << 8);
    /// One that another routing table has to know.
    pub const THROW: Self = Self(1 << 9);
    /// One that is to be translated; the kernel has no such routes any more.
    pub const NAT: Self = Self(1 << 10);
    /// One that a program has to know; the kernel never had such routes.
    pub const XRESOLVE: Self = Self(1 << 11);
    /// Every type.
    pub const ALL: Self = Self((1 << 12) - 1);

    /// The types whose bits are set; `None` where there is none, or one that is not known.
    pub fn new(bits: u16) -> Option<Self> {
        (bits != 0 && bits & !Self::ALL.0 == 0).then_some(Self(bits))
    }

    /// The type that the kernel gives this number; none where it is not known.
    pub fn from_number(number: u32) -> Self {
        Self(1_u16.checked_shl(number).unwrap_or(0) & Self::ALL.0)
    }

    /// The types, a bit each.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Those that are among the others too.
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    /// Those, and the others.
    pub const fn or(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// What an address of IPv6 is by its bits alone (RFC 4291, section 2.4). An address of IPv4 that is written as
    /// one of IPv6 is nothing.
    pub fn of_v6(address: Ipv6Addr) -> Self {
        if address.is_unspecified() {
            Self::UNSPEC
        } else if address.is_multicast() {
            Self::MULTICAST
        } else if address.to_ipv4_mapped().is_some() {
            Self::NONE
        } else {
            Self::UNICAST
        }
    }
}

/// One of the two interfaces of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Interface {
    /// The one that it came in by.
    Input = 0,
    /// The one that it goes out by.
    Output = 1,
}

impl Interface {
    /// Both, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Input, Self::Output];
}

/// An answer to a packet, as far as its way depends on the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Where it goes to: where the packet came from.
    pub destination: IpAddr,
    /// Where it would come from; `None` where the packet went to an address that nothing comes from.
    pub source: Option<IpAddr>,
    /// Its mark.
    pub mark: u32,
    /// Whether it has to go out by the interface that the packet came in by. Of IPv6 the way depends on it, of IPv4
    /// the way is only compared with the interface.
    pub by_input: bool,
}

/// Where an answer would go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WayBack {
    /// Nowhere, or not to one machine.
    #[default]
    None,
    /// To this machine itself.
    Local {
        /// Whether by the interface that the packet came in by.
        by_input: bool,
    },
    /// Out.
    Out {
        /// Whether by the interface that the packet came in by.
        by_input: bool,
    },
}

/// What is stated of a packet's routes, where there are no routing tables.
#[derive(Clone, Copy, Debug, Default)]
pub struct Routes<'a> {
    /// What addresses are, on an interface or on any; those that are not here have no type.
    pub types: &'a [(IpAddr, Option<Interface>, AddressTypes)],
    /// Whether the packet never left this machine.
    pub looped_back: bool,
    /// The ways of answers that go out by any interface.
    pub ways: &'a [(Answer, WayBack)],
}

impl Routes<'_> {
    pub(super) fn types(&self, address: IpAddr, on: Option<Interface>) -> AddressTypes {
        let mut known = self.types.iter();
        let found = known.find(|(known, interface, _)| *known == address && *interface == on);
        found.map_or(AddressTypes::NONE, |(.., types)| *types)
    }

    pub(super) fn way_back(&self, answer: &Answer) -> WayBack {
        let found = self.ways.iter().find(|(known, _)| known == answer);
        found.map_or(WayBack::None, |(_, way)| *way)
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m conntrack`: what the packet is to its connection, and what that connection is.

use super::{Matcher, Outcome, PortRange};
use crate::alloc::AllocError;
use crate::engine::conntrack::{Address, Direction};
use crate::engine::packet::{Body, Connection, Family, Status, Tracking};
use crate::engine::rules::model::{Prefix, Rule};
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};
use crate::uapi::range::Range;
use crate::wire;
use core::net::IpAddr;

/// States that rules ask for, a bit each as the kernel has them in rules (XT_CONNTRACK_STATE_*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct States(u16);

impl States {
    /// The packet belongs to no connection and can't begin one.
    pub const INVALID: Self = Self(1 << 0);
    /// Packets of the connection have gone both ways.
    pub const ESTABLISHED: Self = Self(1 << 1);
    /// The packet begins a connection that another one announced, or is an ICMP error about one.
    pub const RELATED: Self = Self(1 << 2);
    /// The packet begins a connection, or there was no answer yet.
    pub const NEW: Self = Self(1 << 3);
    /// Packets of the connection get another source.
    pub const SNAT: Self = Self(1 << 6);
    /// Packets of the connection get another destination.
    pub const DNAT: Self = Self(1 << 7);
    /// The packet is not tracked.
    pub const UNTRACKED: Self = Self(1 << 8);
    /// All that a packet can be to its connection.
    pub const OF_PACKETS: Self = Self(
        Self::INVALID.0 | Self::ESTABLISHED.0 | Self::RELATED.0 | Self::NEW.0 | Self::UNTRACKED.0,
    );
    /// Every state.
    pub const ALL: Self = Self(Self::OF_PACKETS.0 | Self::SNAT.0 | Self::DNAT.0);

    /// The states whose bits are set; `None` where there is none, or one that is not known.
    pub const fn new(bits: u16) -> Option<Self> {
        if bits != 0 && bits & !Self::ALL.0 == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// The states, a bit each.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether one of them is among the others too.
    pub const fn has_some(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// What of it a packet can be to its connection, a bit each by the numbers of [`Tracking`].
    pub fn of_packets(self) -> u8 {
        [
            (Self::ESTABLISHED, Tracking::Established),
            (Self::ESTABLISHED, Tracking::EstablishedReply),
            (Self::RELATED, Tracking::Related),
            (Self::RELATED, Tracking::RelatedReply),
            (Self::NEW, Tracking::New),
            (Self::INVALID, Tracking::Invalid),
            (Self::UNTRACKED, Tracking::Untracked),
        ]
        .into_iter()
        .filter(|(state, _)| self.has_some(*state))
        .fold(0, |set, (_, tracking)| set | tracking.bit())
    }

    /// What of it a connection can have become.
    fn of_connections(self) -> Status {
        let bit = |state, status: Status| {
            if self.has_some(state) {
                status
            } else {
                Status(0)
            }
        };
        bit(Self::SNAT, Status::SRC_NAT).or(bit(Self::DNAT, Status::DST_NAT))
    }
}

impl Not<States> {
    /// What packets may be to their connection, a bit each, where nothing more is asked.
    pub(super) fn of_packets_alone(&self) -> Option<u8> {
        if self.value.has_some(States::SNAT) || self.value.has_some(States::DNAT) {
            return None;
        }
        let set = self.value.of_packets();
        Some(if self.not { !set } else { set })
    }
}

/// On netlink: a mask with the bits XT_CONNTRACK_STATE_* of the kernel.
impl Field for States {
    const KIND: Kind = Kind::U16;

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        self.bits().put(id, to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        Self::new(u16::get(from)?).ok_or(from.invalid("no state, or one not known"))
    }
}

/// On netlink: a mask with the bits IPS_* of the kernel; none of them is a status that no connection has.
impl Field for Status {
    const KIND: Kind = Kind::U32;

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        self.0.put(id, to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let status = Self(u32::get(from)?);
        if status.0 & !Conntrack::STATUS.0 == 0 {
            Ok(status)
        } else {
            Err(from.invalid("not a status that rules can ask for"))
        }
    }
}

/// On netlink: the direction's number in 8 bits.
impl Field for Direction {
    const KIND: Kind = Kind::U8;

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        (*self as u8).put(id, to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        match u8::get(from)? {
            0 => Ok(Self::Original),
            1 => Ok(Self::Reply),
            _ => Err(from.invalid("direction must be 0 (original) or 1 (reply)")),
        }
    }
}

wire! {
    /// The match.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Conntrack, "conntrack-attrs" {
        /// `--ctstate`: one of them holds.
        2 states: Option<Not<States>>,
        /// `--ctproto`
        3 protocol: Option<Not<u8>>,
        /// `--ctorigsrc`: where the first packet came from.
        4 original_source: Option<Not<Prefix>>,
        /// `--ctorigdst`: where it went to.
        5 original_destination: Option<Not<Prefix>>,
        /// `--ctreplsrc`: where answers come from.
        6 reply_source: Option<Not<Prefix>>,
        /// `--ctrepldst`: where they go to.
        7 reply_destination: Option<Not<Prefix>>,
        /// `--ctorigsrcport`
        8 original_source_port: Option<Not<PortRange>>,
        /// `--ctorigdstport`
        9 original_destination_port: Option<Not<PortRange>>,
        /// `--ctreplsrcport`
        10 reply_source_port: Option<Not<PortRange>>,
        /// `--ctrepldstport`
        11 reply_destination_port: Option<Not<PortRange>>,
        /// `--ctstatus`: one of them holds.
        12 status: Option<Not<Status>>,
        /// `--ctexpire`: in how many seconds the connection is forgotten if no packet comes.
        13 expires: Option<Not<Range<u32>>>,
        /// `--ctdir`: which way the packet goes.
        14 direction: Option<Direction>,
    }
}

impl Conntrack {
    /// What of a connection's status rules can ask for.
    pub const STATUS: Status = Status::EXPECTED
        .or(Status::SEEN_REPLY)
        .or(Status::ASSURED)
        .or(Status::CONFIRMED);

    /// Whether nothing but states is asked for.
    fn asks_states_alone(&self) -> bool {
        *self
            == Self {
                states: self.states,
                ..Self::default()
            }
    }

    fn prefixes(&self) -> impl Iterator<Item = &Prefix> {
        [
            &self.original_source,
            &self.original_destination,
            &self.reply_source,
            &self.reply_destination,
        ]
        .into_iter()
        .flatten()
        .map(|prefix| &prefix.value)
    }

    /// Whether something is asked that packets have and connections do not.
    pub fn asks_of_packets(&self) -> bool {
        self.states.is_some() || self.direction.is_some()
    }

    /// Checks that addresses are of this family; says what is wrong otherwise.
    pub fn check_addresses(&self, family: Option<Family>) -> Result<(), &'static str> {
        if self
            .prefixes()
            .any(|prefix| Some(prefix.family()) != family)
        {
            return Err("address of the other family");
        }
        Ok(())
    }

    /// Whether all holds of a connection that is not asked of packets.
    pub fn holds(&self, connection: &Connection) -> bool {
        let Connection {
            original, reply, ..
        } = connection;
        let protocol = |asked: &Not<u8>| (asked.value == original.protocol) != asked.not;
        let address = |asked: &Option<Not<Prefix>>, address: Address| {
            asked.is_none_or(|asked| covers(&asked.value, address) != asked.not)
        };
        let port = |asked: &Option<Not<PortRange>>, port: [u8; 2]| {
            asked.is_none_or(|asked| asked.holds(u16::from_be_bytes(port)))
        };
        self.protocol.as_ref().is_none_or(protocol)
            && address(&self.original_source, original.source)
            && address(&self.original_destination, original.destination)
            && address(&self.reply_source, reply.source)
            && address(&self.reply_destination, reply.destination)
            && port(&self.original_source_port, original.source_id)
            && port(&self.original_destination_port, original.destination_id)
            && port(&self.reply_source_port, reply.source_id)
            && port(&self.reply_destination_port, reply.destination_id)
            && self
                .status
                .is_none_or(|asked| connection.status.has_some(asked.value) != asked.not)
            && self
                .expires
                .is_none_or(|asked| asked.holds(connection.seconds_left))
    }
}

/// Whether an address is in a network.
fn covers(prefix: &Prefix, Address(address): Address) -> bool {
    let (Address(asked), Address(mask)) = match (prefix.address, prefix.mask) {
        (IpAddr::V4(asked), IpAddr::V4(mask)) => {
            (Address::v4(asked.octets()), Address::v4(mask.octets()))
        }
        (IpAddr::V6(asked), IpAddr::V6(mask)) => {
            (Address::v6(asked.octets()), Address::v6(mask.octets()))
        }
        _ => return false,
    };
    let mut words = address.into_iter().zip(asked).zip(mask);
    words.all(|((address, asked), mask)| address & mask == asked)
}

impl Matcher for Conntrack {
    fn check(&self, family: Family, _: &Rule) -> Result<(), &'static str> {
        if *self == Self::default() {
            return Err("conntrack needs an option");
        }
        self.check_addresses(Some(family))?;
        if self.protocol.is_some_and(|protocol| protocol.value == 0) {
            return Err("no connection is of protocol 0");
        }
        Ok(())
    }

    fn states(&self) -> Option<u8> {
        let states = self.states.filter(|_| self.asks_states_alone());
        states.and_then(|states| states.of_packets_alone())
    }

    fn tracks(&self) -> bool {
        true
    }

    fn asks(&self) -> bool {
        self.states().is_none()
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        if let Some(Not { value: states, not }) = self.states {
            let holds = states.of_packets() & packet.tracking.bit() != 0 || {
                let asked = states.of_connections();
                asked != Status(0)
                    && packet
                        .source()
                        .connection()
                        .is_some_and(|connection| connection.status.has_some(asked))
            };
            if holds == not {
                return Outcome::No;
            }
        }
        let direction = packet.tracking.direction();
        let connection = direction.and_then(|_| packet.source().connection());
        let Some(connection) = connection else {
            // Where there is no connection the state decides alone.
            return Outcome::from(self.states.is_some());
        };
        Outcome::from(
            self.direction.is_none_or(|asked| direction == Some(asked)) && self.holds(&connection),
        )
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_conntrack))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{connection_v4, connection_v6, flat, holds_of, TCP_V4, UDP_V6};
    use crate::engine::packet::{Flat, Tracked};
    use crate::engine::rules::model::Rule;
    use core::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn states() {
        for tracking in Tracking::ALL {
            let is = match tracking {
                Tracking::Established | Tracking::EstablishedReply => States::ESTABLISHED,
                Tracking::Related | Tracking::RelatedReply => States::RELATED,
                Tracking::New => States::NEW,
                Tracking::Invalid => States::INVALID,
                Tracking::Untracked => States::UNTRACKED,
            };
            for bits in 1..=States::ALL.bits() {
                let Some(value) = States::new(bits) else {
                    continue;
                };
                let dnat = tracking.direction().is_some() && value.has_some(States::DNAT);
                let hit = value.has_some(is) || dnat;
                for not in [false, true] {
                    let states = Some(Not { value, not });
                    let item = Conntrack {
                        states,
                        ..Conntrack::default()
                    };
                    let wanted = Outcome::from(hit != not);
                    assert_eq!(asked(&item, tracking, connection_v4()), wanted);
                    // Where it is asked as packets walk past.
                    if let Some(set) = item.states() {
                        assert!((set & tracking.bit() != 0) == (hit != not));
                    }
                }
            }
        }
    }

    #[test]
    fn a_packet_without_a_connection_is_judged_by_its_state_alone() {
        let direction = Some(Direction::Reply);
        let with = |states| Conntrack {
            states,
            direction,
            ..Conntrack::default()
        };
        for tracking in [Tracking::Invalid, Tracking::Untracked] {
            let state = |value| Some(Not::is(value));
            let asked = |item| asked(&item, tracking, connection_v4());
            assert!(asked(with(None)) == Outcome::No);
            assert!(asked(with(state(States::OF_PACKETS))) == Outcome::Yes);
            assert!(asked(with(state(States::NEW))) == Outcome::No);
            let not = Some(Not {
                value: States::NEW,
                not: true,
            });
            assert!(asked(with(not)) == Outcome::Yes);
        }
        // Nor is there one that the stack should have and has not.
        let lost = Tracked {
            tracking: Tracking::EstablishedReply,
            ..Tracked::default()
        };
        let packet = Flat {
            tracked: lost,
            ..flat(TCP_V4)
        };
        assert!(holds_of(Family::V4, &with(None), &packet) == Outcome::No);
    }

    #[test]
    fn directions() {
        for tracking in Tracking::ALL {
            for direction in [Direction::Original, Direction::Reply] {
                let item = Conntrack {
                    direction: Some(direction),
                    ..Conntrack::default()
                };
                let hit = tracking.direction() == Some(direction);
                let outcome = asked(&item, tracking, connection_v4());
                assert_eq!(outcome, Outcome::from(hit));
            }
        }
    }

    #[test]
    fn protocols() {
        for (value, hit) in [(6, true), (17, false), (255, false)] {
            holds(hit, |not| Conntrack {
                protocol: Some(Not { value, not }),
                ..Conntrack::default()
            });
        }
    }

    #[test]
    fn addresses() {
        let item = |which: u32, prefix| {
            let mut item = Conntrack::default();
            let place = match which {
                0 => &mut item.original_source,
                1 => &mut item.original_destination,
                2 => &mut item.reply_source,
                _ => &mut item.reply_destination,
            };
            *place = Some(prefix);
            item
        };
        let own = [
            [192, 0, 2, 1],
            [198, 51, 100, 2],
            [203, 0, 113, 3],
            [192, 0, 2, 1],
        ];
        for (which, octets) in (0..).zip(own) {
            let address = u32::from_be_bytes(octets);
            for (address, mask, hit) in [
                (address, u32::MAX, true),
                (address ^ 1, u32::MAX, false),
                (address & 0xffff_ff00, 0xffff_ff00, true),
                (address & 0xff, 0xff, true),
                (address & 0xff ^ 4, 0xff, false),
                (0, 0, true),
            ] {
                let value = Prefix {
                    address: IpAddr::V4(Ipv4Addr::from(address)),
                    mask: IpAddr::V4(Ipv4Addr::from(mask)),
                };
                holds(hit, |not| item(which, Not { value, not }));
            }
        }
        for (which, last) in (0..).zip([1, 2, 3, 1]) {
            let address = 0x2001_0db8 << 96 | last;
            for (address, mask, hit) in [
                (address, u128::MAX, true),
                (address ^ 1 << 127, u128::MAX, false),
                (address ^ 1 << 64, u128::MAX, false),
                (address ^ 1 << 32, u128::MAX, false),
                (address ^ 1, u128::MAX, false),
                (address & u128::MAX << 1, u128::MAX << 1, true),
                (address & u128::MAX << 2, u128::MAX << 2, true),
                (0, 0, true),
            ] {
                let value = Prefix {
                    address: IpAddr::V6(Ipv6Addr::from(address & mask)),
                    mask: IpAddr::V6(Ipv6Addr::from(mask)),
                };
                for not in [false, true] {
                    let item = item(which, Not { value, not });
                    assert_eq!(asked_v6(&item), Outcome::from(hit != not));
                }
            }
        }
    }

    #[test]
    fn ports() {
        let item = |which: u32, range| {
            let mut item = Conntrack::default();
            let place = match which {
                0 => &mut item.original_source_port,
                1 => &mut item.original_destination_port,
                2 => &mut item.reply_source_port,
                _ => &mut item.reply_destination_port,
            };
            *place = Some(range);
            item
        };
        for (which, port) in (0..).zip([1024, 22, 2222, 1024]) {
            for (first, last, hit) in [
                (port, port, true),
                (0, port, true),
                (0, port - 1, false),
                (port, u16::MAX, true),
                (port + 1, u16::MAX, false),
            ] {
                let value = PortRange { first, last };
                holds(hit, |not| item(which, Not { value, not }));
            }
        }
    }

    #[test]
    fn what_became_of_the_connection() {
        for (value, hit) in [
            (Status::SEEN_REPLY, true),
            (Status::ASSURED, false),
            (Conntrack::STATUS, true),
            (Status::EXPECTED.or(Status::CONFIRMED), false),
            (Status(0), false),
        ] {
            holds(hit, |not| Conntrack {
                status: Some(Not { value, not }),
                ..Conntrack::default()
            });
        }
        for (first, last, hit) in [
            (100, 100, true),
            (0, 99, false),
            (101, u32::MAX, false),
            (0, u32::MAX, true),
        ] {
            let value = Range { first, last };
            holds(hit, |not| Conntrack {
                expires: Some(Not { value, not }),
                ..Conntrack::default()
            });
        }
    }

    #[test]
    fn all_must_hold_that_is_asked() {
        let item = Conntrack {
            states: Some(Not::is(States::ESTABLISHED)),
            protocol: Some(Not::is(6)),
            ..Conntrack::default()
        };
        let other = Conntrack {
            protocol: Some(Not::is(17)),
            ..item.clone()
        };
        let asked = |item, tracking| asked(item, tracking, connection_v4());
        assert!(item.states().is_none());
        assert!(asked(&item, Tracking::EstablishedReply) == Outcome::Yes);
        assert!(asked(&item, Tracking::New) == Outcome::No);
        assert!(asked(&other, Tracking::EstablishedReply) == Outcome::No);
    }

    #[test]
    fn what_can_not_be() {
        let check = |item: Conntrack, family| item.check(family, &Rule::default()).is_ok();
        let any = |address: IpAddr| {
            Some(Not::is(Prefix {
                address,
                mask: address,
            }))
        };
        let v4 = || Conntrack {
            reply_destination: any(IpAddr::V4(0.into())),
            ..Conntrack::default()
        };
        assert!(!check(Conntrack::default(), Family::V4));
        assert!(check(v4(), Family::V4) && !check(v4(), Family::V6));
        let protocol = |value| Conntrack {
            protocol: Some(Not::is(value)),
            ..Conntrack::default()
        };
        assert!(check(protocol(1), Family::V6) && !check(protocol(0), Family::V6));
        for bits in [0, 1 << 4, 1 << 9, u16::MAX] {
            assert!(States::new(bits).is_none());
        }
    }

    fn asked(item: &Conntrack, tracking: Tracking, connection: Connection) -> Outcome {
        let connection = tracking.direction().map(|_| connection);
        let packet = Flat {
            tracked: Tracked {
                tracking,
                connection,
                mark: None,
            },
            ..flat(TCP_V4)
        };
        holds_of(Family::V4, item, &packet)
    }

    fn asked_v6(item: &Conntrack) -> Outcome {
        let packet = Flat {
            tracked: Tracked {
                tracking: Tracking::New,
                connection: Some(connection_v6()),
                mark: None,
            },
            ..flat(UDP_V6)
        };
        holds_of(Family::V6, item, &packet)
    }

    /// Whether the match, and the same negated, holds of a packet of an established connection.
    fn holds(hit: bool, item: impl Fn(bool) -> Conntrack) {
        for not in [false, true] {
            let outcome = asked(&item(not), Tracking::Established, connection_v4());
            assert_eq!(outcome, Outcome::from(hit != not));
        }
    }
}

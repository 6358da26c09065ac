// SPDX-License-Identifier: GPL-2.0
//! Connections on netlink: what is told of one, and which are meant.

use super::op::WireCounters;
use crate::engine::conntrack::{Address, Direction, Tuple, Zone};
use crate::engine::packet::{Connection, Family, HelperName, Status};
use crate::engine::rules::matches::{Conntrack, Masked};
use crate::engine::text::Str;
use crate::uapi::field::Not;
use crate::wire;
use core::net::IpAddr;

/// The name of the state that a connection is in, of a protocol that has states.
pub type StateName = Str<20>;

/// A connection as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// A number that it has as long as it lives. Two that live at the same time differ, but for rare chance.
    pub id: u32,
    /// What rules can know of it.
    pub connection: Connection,
    /// The state that it is in, of a protocol that has states.
    pub state: Option<StateName>,
    /// Its mark, where the kernel has marks of connections.
    pub mark: Option<u32>,
    /// How often it is referred to, by the table and by packets.
    pub uses: u32,
}

wire! {
    /// A flow in one direction.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Flow, "flow-attrs" {
        /// Where packets come from.
        2 source: IpAddr,
        /// Where they go.
        3 destination: IpAddr,
        /// What they come from there: a port, or the identifier of an ICMP query.
        4 source_id: u16,
        /// What they go to there: a port, the key of GRE, or type (in the upper 8 bits) and code of an ICMP query.
        5 destination_id: u16,
    }
}

impl Flow {
    fn new(family: Family, tuple: &Tuple) -> Self {
        Self {
            source: address(family, tuple.source),
            destination: address(family, tuple.destination),
            source_id: u16::from_be_bytes(tuple.source_id),
            destination_id: u16::from_be_bytes(tuple.destination_id),
        }
    }
}

fn address(family: Family, Address([a, b, c, d]): Address) -> IpAddr {
    let word = |word: u32| u128::from(u32::from_be(word));
    match family {
        Family::V4 => IpAddr::V4(u32::from_be(a).into()),
        Family::V6 => IpAddr::V6((word(a) << 96 | word(b) << 64 | word(c) << 32 | word(d)).into()),
    }
}

fn words(address: IpAddr) -> Address {
    match address {
        IpAddr::V4(address) => Address::v4(address.octets()),
        IpAddr::V6(address) => Address::v6(address.octets()),
    }
}

wire! {
    /// What is told of a connection.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Entry, "connection-attrs" {
        /// See [`Found::id`].
        2 id: u32,
        /// The family of its packets.
        3 family: Family,
        /// Their protocol.
        4 protocol: u8,
        /// Packets that go the way of the first one.
        5 original: Flow,
        /// Packets that go the other way.
        6 reply: Flow,
        /// What has become of it; bits IPS_* of the kernel.
        7 status: u32,
        /// In how many seconds it is forgotten if no packet comes.
        8 seconds_left: u32,
        /// See [`Found::state`].
        9 state: Option<StateName>,
        /// See [`Found::mark`].
        10 mark: Option<u32>,
        /// Packets of the first direction, where they are counted.
        11 original_counters: Option<WireCounters>,
        /// Packets of the other one.
        12 reply_counters: Option<WireCounters>,
        /// The helper of the connection that announced this one.
        13 announced_by: Option<HelperName>,
        /// See [`Found::uses`].
        14 uses: u32,
        /// The zone that it is in; absent where that is 0.
        20 zone: Option<u16>,
        /// The direction that the zone holds for, where that is but one.
        21 zone_direction: Option<Direction>,
    }
}

impl Entry {
    /// How many bytes the attribute of a connection takes at most, with an event's number before it.
    pub const ROOM: usize = 512;
}

impl From<&Found> for Entry {
    fn from(found: &Found) -> Self {
        let connection = &found.connection;
        let original = &connection.original;
        // All tuples are of one of the two.
        let family = match u8::try_from(original.family).map(Family::from_number) {
            Ok(Some(family)) => family,
            _ => Family::V4,
        };
        let counters = |direction: Direction| {
            let counters = connection.counters?;
            counters.get(direction as usize).copied().map(Into::into)
        };
        Self {
            id: found.id,
            family,
            protocol: original.protocol,
            original: Flow::new(family, original),
            reply: Flow::new(family, &connection.reply),
            status: connection.status.0,
            seconds_left: connection.seconds_left,
            state: found.state,
            mark: found.mark,
            original_counters: counters(Direction::Original),
            reply_counters: counters(Direction::Reply),
            announced_by: connection.announced_by,
            uses: found.uses,
            zone: Some(connection.zone.id).filter(|id| *id != 0),
            zone_direction: connection
                .zone
                .direction
                .filter(|_| connection.zone.id != 0),
        }
    }
}

impl From<&Entry> for Found {
    fn from(entry: &Entry) -> Self {
        let tuple = |flow: &Flow, direction| Tuple {
            source: words(flow.source),
            source_id: flow.source_id.to_be_bytes(),
            family: u16::from(entry.family as u8),
            destination: words(flow.destination),
            destination_id: flow.destination_id.to_be_bytes(),
            protocol: entry.protocol,
            direction,
        };
        let counters = entry.original_counters.zip(entry.reply_counters);
        Self {
            id: entry.id,
            connection: Connection {
                original: tuple(&entry.original, Direction::Original),
                reply: tuple(&entry.reply, Direction::Reply),
                status: Status(entry.status),
                seconds_left: entry.seconds_left,
                counters: counters.map(|(original, reply)| [original.into(), reply.into()]),
                announced_by: entry.announced_by,
                zone: entry.zone.map_or(Zone::NONE, |id| Zone {
                    id,
                    direction: entry.zone_direction,
                }),
            },
            state: entry.state,
            mark: entry.mark,
            uses: entry.uses,
        }
    }
}

wire! {
    /// The connections that are meant: those of which all holds. Without anything it means all.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Filter, "connection-filter-attrs" {
        /// Of this family.
        2 family: Option<Family>,
        /// Of which this match holds, but for what it asks of packets; addresses need a family beside it.
        3 connection: Option<Conntrack>,
        /// In the state of this name.
        4 state: Option<Not<StateName>>,
        /// With such a mark.
        5 mark: Option<Not<Masked>>,
        /// With this number.
        6 id: Option<u32>,
        /// In this zone, in either direction.
        20 zone: Option<Not<u16>>,
        /// Of which packets that go the first one's way are in this zone.
        21 zone_original: Option<Not<u16>>,
        /// Of which packets that go the other way are.
        22 zone_reply: Option<Not<u16>>,
    }
}

impl Filter {
    /// Checks that connections can be asked for this; says what is wrong otherwise.
    pub fn check(&self) -> Result<(), &'static str> {
        let Some(connection) = &self.connection else {
            return Ok(());
        };
        if connection.asks_of_packets() {
            return Err("connections have no state and no direction of packets");
        }
        connection.check_addresses(self.family)
    }

    /// Whether a connection is meant.
    pub fn includes(&self, found: &Found) -> bool {
        let connection = &found.connection;
        let family = u16::from(self.family.map_or(0, |family| family as u8));
        let state = |asked: &Not<StateName>| (found.state == Some(asked.value)) != asked.not;
        let mark = |asked: &Not<Masked>| {
            let Masked { value, mask } = asked.value;
            found
                .mark
                .is_some_and(|mark_| (mark_ & mask == value) != asked.not)
        };
        let zone = |asked: &Option<Not<u16>>, id: u16| {
            asked.is_none_or(|asked| (asked.value == id) != asked.not)
        };
        (self.family.is_none() || connection.original.family == family)
            && self
                .connection
                .as_ref()
                .is_none_or(|asked| asked.holds(connection))
            && self.state.as_ref().is_none_or(state)
            && self.mark.as_ref().is_none_or(mark)
            && self.id.is_none_or(|id| id == found.id)
            && zone(&self.zone, connection.zone.id)
            && zone(&self.zone_original, connection.zone.of(Direction::Original))
            && zone(&self.zone_reply, connection.zone.of(Direction::Reply))
    }
}

wire! {
    /// How the table of connections is.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Stats, "connection-stats-attrs" {
        /// How many connections there are, in the table and on their way to it.
        2 count: u32,
        /// How many there may be.
        3 limit: u32,
        /// How many buckets the table has.
        4 buckets: u32,
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_uapi_conntrack))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{connection_v4, connection_v6};
    use crate::engine::rules::matches::{PortRange, States};
    use crate::engine::rules::model::{Counters, Prefix};
    use crate::uapi::attr::{Reader, Writer};
    use crate::uapi::field::Field;

    fn found(connection: Connection) -> Found {
        let zone = Zone {
            id: 9,
            direction: Some(Direction::Reply),
        };
        Found {
            id: 7,
            connection: Connection { zone, ..connection },
            state: StateName::new(b"ESTABLISHED"),
            mark: Some(0x15),
            uses: 1,
        }
    }

    #[test]
    fn an_entry_tells_of_the_connection_and_is_read_back() {
        let counters = |packets| Counters { packets, bytes: 9 };
        let connection = Connection {
            counters: Some([counters(1), counters(2)]),
            announced_by: HelperName::new(b"ftp"),
            ..connection_v4()
        };
        let entry = Entry::from(&found(connection));
        assert!(entry.original.source == IpAddr::V4([192, 0, 2, 1].into()));
        assert!(entry.reply.source == IpAddr::V4([203, 0, 113, 3].into()));
        assert!(entry.original.source_id == 1024 && entry.original.destination_id == 22);
        assert!(entry.family == Family::V4 && entry.protocol == 6);
        assert!(entry
            .reply_counters
            .is_some_and(|counters| counters.packets == 2));
        assert!(entry.zone == Some(9) && entry.zone_direction == Some(Direction::Reply));
        let v6 = Entry::from(&found(connection_v6()));
        assert!(v6.original.destination == IpAddr::V6((0x2001_0db8 << 96 | 2).into()));
        for entry in [entry, v6] {
            let mut writer = Writer::new(512);
            entry.put(1, &mut writer).unwrap();
            let attribute = Reader::new(writer.bytes()).next().unwrap().unwrap();
            assert!(Entry::get(&attribute).ok() == Some(entry));
        }
    }

    #[test]
    fn the_longest_entry_has_room() {
        let counters = Counters {
            packets: u64::MAX,
            bytes: u64::MAX,
        };
        let connection = Connection {
            counters: Some([counters; 2]),
            announced_by: HelperName::new(&[b'h'; HelperName::MAX]),
            ..connection_v6()
        };
        let entry = Entry::from(&Found {
            state: StateName::new(&[b'S'; StateName::MAX]),
            ..found(connection)
        });
        assert!(entry.announced_by.is_some() && entry.state.is_some());
        let mut writer = Writer::atomic(Entry::ROOM).unwrap();
        assert!(u64::MAX.put(1, &mut writer).is_ok() && entry.put(2, &mut writer).is_ok());
    }

    #[test]
    fn what_was_told_is_what_was_found() {
        for connection in [connection_v4(), connection_v6()] {
            let found = found(connection);
            assert!(Found::from(&Entry::from(&found)) == found);
        }
    }

    #[test]
    fn filters() {
        let all = Filter::default;
        let state = |name: &[u8], not| Filter {
            state: StateName::new(name).map(|value| Not { value, not }),
            ..all()
        };
        let mark = |value, mask, not| Filter {
            mark: Some(Not {
                value: Masked { value, mask },
                not,
            }),
            ..all()
        };
        let connection = |connection| Filter {
            connection: Some(connection),
            ..all()
        };
        let port = |first, last| Conntrack {
            original_destination_port: Some(Not::is(PortRange { first, last })),
            ..Conntrack::default()
        };
        let id = |id| Filter {
            id: Some(id),
            ..all()
        };
        let zone = |value, not| Some(Not { value, not });
        let zones = |zone, zone_original, zone_reply| Filter {
            zone,
            zone_original,
            zone_reply,
            ..all()
        };
        let family = |family| Filter {
            family: Some(family),
            ..all()
        };
        for (filter, hit) in [
            (all(), true),
            (state(b"ESTABLISHED", false), true),
            (state(b"ESTABLISHED", true), false),
            (state(b"CLOSE", false), false),
            (state(b"CLOSE", true), true),
            (mark(5, 0xf, false), true),
            (mark(5, 0xf, true), false),
            (mark(5, u32::MAX, false), false),
            (connection(port(22, 22)), true),
            (connection(port(23, 24)), false),
            (id(7), true),
            (id(8), false),
            (zones(zone(9, false), None, None), true),
            (zones(zone(9, true), None, None), false),
            (zones(zone(0, false), None, None), false),
            (zones(None, zone(9, false), None), false),
            (zones(None, zone(0, false), zone(9, false)), true),
            (zones(None, None, zone(0, false)), false),
            (family(Family::V4), true),
            (family(Family::V6), false),
        ] {
            assert!(filter.check().is_ok());
            assert_eq!(filter.includes(&found(connection_v4())), hit);
        }
        let unmarked = Found {
            mark: None,
            state: None,
            ..found(connection_v6())
        };
        assert!(!mark(0, 0, false).includes(&unmarked) && !mark(1, 1, true).includes(&unmarked));
        assert!(state(b"CLOSE", true).includes(&unmarked));
    }

    #[test]
    fn filters_that_can_not_be() {
        let with = |family, connection| Filter {
            family,
            connection: Some(connection),
            ..Filter::default()
        };
        let any = IpAddr::V4(0.into());
        let source = Conntrack {
            original_source: Some(Not::is(Prefix {
                address: any,
                mask: any,
            })),
            ..Conntrack::default()
        };
        assert!(with(Some(Family::V4), source.clone()).check().is_ok());
        assert!(with(Some(Family::V6), source.clone()).check().is_err());
        assert!(with(None, source).check().is_err());
        let states = Conntrack {
            states: Some(Not::is(States::NEW)),
            ..Conntrack::default()
        };
        let direction = Conntrack {
            direction: Some(Direction::Reply),
            ..Conntrack::default()
        };
        let status = Conntrack {
            status: Some(Not::is(Status::ASSURED)),
            ..Conntrack::default()
        };
        assert!(with(None, states).check().is_err() && with(None, direction).check().is_err());
        assert!(with(None, status).check().is_ok());
    }
}

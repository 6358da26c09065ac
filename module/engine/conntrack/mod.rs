// SPDX-License-Identifier: GPL-2.0
//! Connection tracking: which connection a packet is of, and whether it can be.
//!
//! A packet is first asked what it is to the table of connections ([`Subject::of`]). A flow is looked up by its
//! [`Tuple`]; where it is not found, [`Machine::begin`] says whether the packet begins a connection, and where it is,
//! [`Machine::packet`] whether the packet is the connection's, and how long that lives.

mod checksum;
mod generic;
mod gre;
mod icmp;
mod quoted;
pub mod sctp;
mod settings;
pub mod tcp;
mod tuple;
pub mod udp;
mod zone;

pub use settings::{OutOfRange, Setting, Settings};
pub use tuple::{Address, Tuple};
pub use zone::{Assignment, Zone};

use super::packet::{protocol, Body};

/// Which way a packet goes, numbered as the kernel does (IP_CT_DIR_*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Direction {
    /// As the packet that began the connection.
    Original = 0,
    /// As those that answer it.
    Reply = 1,
}

impl Direction {
    /// The other way.
    #[inline]
    pub const fn other(self) -> Self {
        match self {
            Self::Original => Self::Reply,
            Self::Reply => Self::Original,
        }
    }
}

/// Something that there is once each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ways<T> {
    /// For packets that go as the first one did.
    original: T,
    /// For those that answer.
    reply: T,
}

impl<T: Copy> Ways<T> {
    #[inline]
    fn of(&self, direction: Direction) -> T {
        match direction {
            Direction::Original => self.original,
            Direction::Reply => self.reply,
        }
    }

    #[inline]
    fn set(&mut self, direction: Direction, value: T) {
        match direction {
            Direction::Original => self.original = value,
            Direction::Reply => self.reply = value,
        }
    }
}

/// Why a packet is INVALID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Invalid {
    /// The headers before the transport header are damaged, or it is a fragment.
    Network = 0,
    /// The transport header is cut off, or a part of it that must be there.
    Truncated = 1,
    /// A length in the transport header is not possible.
    Length = 2,
    /// A checksum is wrong.
    Checksum = 3,
    /// The message's type is not known.
    Type = 4,
    /// The error quotes no packet that whom it is for can have sent.
    Quotation = 5,
    /// A packet like this begins no connection.
    Beginning = 6,
    /// A packet like this can't come where the connection is now.
    State = 7,
    /// The chunks of SCTP do not go together.
    Chunks = 8,
    /// The verification tag of SCTP is wrong.
    Tag = 9,
    /// The flags of a TCP segment contradict each other.
    Flags = 10,
    /// A TCP segment begins where its sender may not send yet.
    SequenceOver = 11,
    /// A TCP segment ends far before what was acknowledged.
    SequenceUnder = 12,
    /// A TCP segment acknowledges what was not sent yet.
    AcknowledgementOver = 13,
    /// A TCP segment acknowledges far less than was acknowledged.
    AcknowledgementUnder = 14,
    /// A TCP segment resets a connection without the sequence number that would prove that it may.
    Reset = 15,
    /// A TCP segment answers a SYN that was not sent.
    Answer = 16,
}

impl Invalid {
    /// The reason in a few words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "damaged network headers",
            Self::Truncated => "truncated transport header",
            Self::Length => "impossible length",
            Self::Checksum => "wrong checksum",
            Self::Type => "unknown type of message",
            Self::Quotation => "error about a packet that was not sent",
            Self::Beginning => "no beginning of a connection",
            Self::State => "impossible in this state",
            Self::Chunks => "chunks that do not go together",
            Self::Tag => "wrong verification tag",
            Self::Flags => "contradictory flags",
            Self::SequenceOver => "sequence number beyond the window",
            Self::SequenceUnder => "sequence number far before the window",
            Self::AcknowledgementOver => "acknowledgement of what was not sent",
            Self::AcknowledgementUnder => "acknowledgement far behind",
            Self::Reset => "reset with a wrong sequence number",
            Self::Answer => "answer to a SYN that was not sent",
        }
    }
}

/// What a packet is to the table of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A packet of this flow.
    Flow(Tuple),
    /// An error about a packet of a connection that has this tuple. Where there is one, the error is RELATED and goes the
    /// tuple's way; otherwise it is INVALID.
    Error(Tuple),
    /// What keeps the link going. It is UNTRACKED.
    Untracked,
    /// Nothing. It is INVALID.
    Invalid(Invalid),
}

impl Subject {
    /// Looks at a packet.
    #[inline]
    pub fn of(packet: &Body<'_>, settings: &Settings) -> Self {
        if let Some(transport) = packet.transport {
            if matches!(transport.protocol, protocol::ICMP | protocol::ICMPV6) {
                if let Some(subject) = quoted::look(packet, transport, settings) {
                    return subject;
                }
            }
        }
        match Tuple::of(packet) {
            Some(tuple) => Self::Flow(tuple),
            None => Self::Invalid(reason(packet)),
        }
    }
}

/// Why a packet tells no flow.
#[cold]
fn reason(packet: &Body<'_>) -> Invalid {
    match packet.transport {
        Some(transport) if transport.fragment == 0 => Invalid::Truncated,
        _ => Invalid::Network,
    }
}

/// What a packet is to the connection whose flow it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is the connection's.
    Valid {
        /// For how many seconds from now the connection lives; `None` where this packet adds nothing.
        timeout: Option<u32>,
        /// Whether the connection has proved itself by now, and should not be dropped to make room.
        assured: bool,
        /// Whether its state changed, which listeners are told.
        changed: bool,
    },
    /// It is not the connection's and changes nothing of it.
    Invalid(Invalid),
    /// It begins a new connection where the old one is over: the old one goes, and the packet is looked up again.
    Again,
    /// It is the connection's and ends it at once.
    Ended,
}

impl Judgement {
    /// The connection goes on as it was.
    #[inline]
    const fn refreshed(timeout: u32, assured: bool) -> Self {
        Self::Valid {
            timeout: Some(timeout),
            assured,
            changed: false,
        }
    }
}

/// What is remembered of a connection beside its tuples, to know which packets can be its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// TCP.
    Tcp(tcp::Connection),
    /// UDP or UDP-Lite.
    Udp(udp::Connection),
    /// A query of ICMP or ICMPv6.
    Icmp,
    /// SCTP.
    Sctp(sctp::Connection),
    /// GRE.
    Gre,
    /// A protocol that nothing more is known of.
    Generic,
}

impl Machine {
    /// A connection that this packet begins, and how many seconds it lives. Now is in milliseconds since any moment, and
    /// may wrap around.
    ///
    /// # Errors
    ///
    /// Why it begins none.
    pub fn begin(
        packet: &Body<'_>,
        tuple: &Tuple,
        settings: &Settings,
        now: u32,
    ) -> Result<(Self, u32), Invalid> {
        match tuple.protocol {
            protocol::TCP => {
                let segment = tcp::Segment::checked(packet, settings)?;
                let (connection, timeout) = tcp::Connection::begin(&segment, settings)?;
                Ok((Self::Tcp(connection), timeout))
            }
            protocol::UDP | protocol::UDPLITE => {
                let (connection, timeout) = udp::Connection::begin(packet, settings, now)?;
                Ok((Self::Udp(connection), timeout))
            }
            protocol::ICMP | protocol::ICMPV6 => {
                Ok((Self::Icmp, icmp::begin(packet, tuple, settings)?))
            }
            protocol::SCTP => {
                let (connection, timeout) = sctp::Connection::begin(packet, settings)?;
                Ok((Self::Sctp(connection), timeout))
            }
            protocol::GRE => Ok((Self::Gre, settings.get(Setting::GreTimeout))),
            _ => Ok((Self::Generic, settings.get(Setting::GenericTimeout))),
        }
    }

    /// A packet of the connection's flow that is not its first. `seen_reply` says whether there was one in the direction
    /// of replies before this one.
    #[inline]
    pub fn packet(
        &mut self,
        packet: &Body<'_>,
        direction: Direction,
        seen_reply: bool,
        settings: &Settings,
        now: u32,
    ) -> Judgement {
        match self {
            Self::Tcp(connection) => match tcp::Segment::checked(packet, settings) {
                Ok(segment) => connection.packet(direction, &segment, settings),
                Err(invalid) => Judgement::Invalid(invalid),
            },
            Self::Sctp(connection) => connection.packet(packet, direction, settings),
            Self::Udp(connection) => connection.packet(packet, seen_reply, settings, now),
            Self::Icmp => icmp::packet(packet, settings),
            Self::Gre => gre::packet(seen_reply, settings),
            Self::Generic => generic::packet(settings),
        }
    }

    /// Whether packets after the first may change what is remembered of a connection of this protocol. Where they do
    /// not, nobody needs to be kept from looking at it.
    #[inline]
    pub const fn changes(protocol: u8) -> bool {
        matches!(protocol, protocol::TCP | protocol::SCTP)
    }

    /// Ends the connection, as a reset does that this machine sends in its name. Returns how many seconds it lives;
    /// `None` where that changes nothing.
    pub fn close(&mut self, settings: &Settings) -> Option<u32> {
        match self {
            Self::Tcp(connection) => connection.close(settings),
            Self::Udp(_) | Self::Icmp | Self::Sctp(_) | Self::Gre | Self::Generic => None,
        }
    }

    /// Says that packets of the connection may have passed unseen.
    pub fn resume(&mut self) {
        match self {
            Self::Tcp(connection) => connection.resume(),
            // Nothing is remembered that goes on with each packet.
            Self::Udp(_) | Self::Icmp | Self::Sctp(_) | Self::Gre | Self::Generic => (),
        }
    }

    /// The name of the state that the connection is in, of a protocol that has states.
    pub const fn state(&self) -> Option<&'static str> {
        match self {
            Self::Tcp(connection) => Some(connection.state().name()),
            Self::Sctp(connection) => Some(connection.state.name()),
            Self::Udp(_) | Self::Icmp | Self::Gre | Self::Generic => None,
        }
    }

    /// Whether the connection has ended and is only remembered, in case that something of it is still on its way.
    pub const fn is_over(&self) -> bool {
        match self {
            Self::Tcp(connection) => connection.state().is_over(),
            Self::Udp(_) | Self::Icmp | Self::Sctp(_) | Self::Gre | Self::Generic => false,
        }
    }

    /// Whether the connection is about to end, so that it may be dropped to make room even though it is assured.
    pub const fn is_ending(&self) -> bool {
        match self {
            Self::Tcp(connection) => connection.state().is_ending(),
            Self::Sctp(connection) => connection.state.is_ending(),
            Self::Udp(_) | Self::Icmp | Self::Gre | Self::Generic => false,
        }
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_conntrack))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{ip, seen};
    use crate::engine::packet::{Family, Hook};

    const fn lives(timeout: u32, assured: bool) -> Judgement {
        Judgement::refreshed(timeout, assured)
    }

    /// What a packet's own connection begins as.
    fn begin(packet: &Body<'_>, settings: &Settings) -> Result<(Machine, u32), Invalid> {
        let tuple = Tuple::of(packet).ok_or(Invalid::Truncated)?;
        Machine::begin(packet, &tuple, settings, 0)
    }

    #[test]
    fn a_machine_is_small() {
        assert!(size_of::<Machine>() <= 64);
        assert!(size_of::<sctp::Connection>() <= 16);
    }

    #[test]
    fn a_life_of_each_protocol() {
        let echo = [8, 0, 0, 0, 7, 9, 0, 1];
        let echo_v6 = [128, 0, 0, 0, 7, 9, 0, 1];
        let datagram = [4, 0, 0, 53, 0, 8, 0, 1];
        let dccp = [4, 0, 0, 53, 4, 0, 0, 0, 1, 0, 0, 0];
        let cases: [(Family, u8, &[u8], [Judgement; 3]); 8] = [
            (
                Family::V4,
                protocol::UDP,
                &datagram,
                [lives(30, false), lives(30, false), lives(120, true)],
            ),
            (
                Family::V6,
                protocol::UDPLITE,
                &datagram,
                [lives(30, false), lives(30, false), lives(120, true)],
            ),
            (Family::V4, protocol::ICMP, &echo, [lives(31, false); 3]),
            (
                Family::V6,
                protocol::ICMPV6,
                &echo_v6,
                [lives(32, false); 3],
            ),
            (
                Family::V4,
                protocol::GRE,
                &[0; 4],
                [lives(30, false), lives(30, false), lives(180, true)],
            ),
            (Family::V6, protocol::DCCP, &dccp, [lives(600, false); 3]),
            (Family::V4, protocol::ESP, &[], [lives(600, false); 3]),
            (Family::V6, 200, &[], [lives(600, false); 3]),
        ];
        let settings = Settings::default();
        assert!(settings.set(Setting::IcmpTimeout, 31).is_ok());
        assert!(settings.set(Setting::Icmpv6Timeout, 32).is_ok());
        for (family, protocol, header, [first, unreplied, replied]) in cases {
            let packet = ip(family, protocol, header).0;
            let look = |packet: &Body<'_>| {
                let (begun, timeout) = begin(packet, &settings).ok().unwrap();
                assert!(lives(timeout, false) == first);
                let mut machine = begun;
                for (seen_reply, expected) in [(false, unreplied), (true, replied)] {
                    for way in [Direction::Original, Direction::Reply] {
                        let judgement = machine.packet(packet, way, seen_reply, &settings, 3_000);
                        assert!(judgement == expected);
                    }
                }
                assert!(machine == begun && !Machine::changes(protocol));
                assert!(machine.state().is_none() && !machine.is_ending());
            };
            assert!(seen(family, &packet, Hook::LocalIn, look).is_some());
        }
    }

    #[test]
    fn sctp_has_states() {
        let heartbeat = [4, 0, 0, 22, 0, 0, 0, 1, 0, 0, 0, 0, 4, 0, 0, 4];
        let packet = ip(Family::V4, protocol::SCTP, &heartbeat).0;
        let look = |packet: &Body<'_>| {
            let settings = Settings::default();
            let (mut machine, timeout) = begin(packet, &settings).ok().unwrap();
            assert!(timeout == 30);
            assert!(machine.state() == Some("HEARTBEAT_SENT") && !machine.is_ending());
            let judgement = machine.packet(packet, Direction::Original, false, &settings, 0);
            assert!(judgement == lives(30, false));
            assert!(Machine::changes(protocol::SCTP));
        };
        assert!(seen(Family::V4, &packet, Hook::LocalIn, look).is_some());
    }

    #[test]
    fn queries_begin_and_nothing_else_of_icmp() {
        for (family, protocol, queries) in [
            (Family::V4, protocol::ICMP, [8, 13, 15, 17].as_slice()),
            (Family::V4, protocol::ICMPV6, &[]),
            (Family::V6, protocol::ICMPV6, &[128, 139]),
            (Family::V6, protocol::ICMP, &[]),
        ] {
            for kind in 0..=u8::MAX {
                let packet = ip(family, protocol, &[kind, 0, 0, 0, 7, 9, 0, 1]).0;
                let settings = Settings::default();
                let look = |packet: &Body<'_>| begin(packet, &settings);
                let begun = seen(family, &packet, Hook::LocalIn, look).unwrap();
                let expected = if queries.contains(&kind) {
                    Ok((Machine::Icmp, 30))
                } else {
                    Err(Invalid::Beginning)
                };
                assert!(begun == expected);
            }
        }
    }

    #[test]
    fn directions_and_what_there_is_each_way() {
        let mut ways = Ways::default();
        for (way, other, number) in [
            (Direction::Original, Direction::Reply, 1),
            (Direction::Reply, Direction::Original, 2),
        ] {
            assert!(way.other() == other && other.other() == way);
            ways.set(way, number);
            assert!(ways.of(way) == number);
        }
        assert!(ways.of(Direction::Original) == 1);
    }
}

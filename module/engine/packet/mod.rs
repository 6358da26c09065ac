// SPDX-License-Identifier: GPL-2.0
//! A packet as rules see it: parsed once a hook, every header reached through checked views.
//!
//! Headers are never trusted to be there. A view is asked for with [`Body::header`], which answers `None`
//! past the end of the packet; what a rule makes of that is the rule's business (most drop the packet, as
//! iptables does, since a packet that can't be judged must not pass).

mod ipv4;
mod ipv6;
mod metadata;
mod network;
mod ports;
mod routes;
mod tracking;
mod transforms;

pub use ipv4::parse as parse_v4;
pub use ipv6::parse as parse_v6;
pub use ipv6::MAX_EXTENSIONS;
pub use ipv6::{Extension, V6};
pub use metadata::{Bridge, ControlGroup, Frame, Metadata, Opener, PacketType, Socket};
pub use ports::Ports;
pub use routes::{AddressTypes, Answer, Interface, Routes, WayBack};
pub use tracking::{Connection, HelperName, Status, Tracked, Tracking};
pub use transforms::{Direction, Transform, Transforms};

pub use self::network::prefix;
use self::network::Header;
use super::conntrack::{Assignment, Tuple, Zone};
use super::text::Str;
use crate::uapi::range::Range;
use core::net::IpAddr;

/// An address family, with the number that netfilter gives it (NFPROTO_*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Family {
    /// IPv4.
    V4 = 2,
    /// IPv6.
    V6 = 10,
}

impl Family {
    /// Both families.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family that netfilter gives this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|family| *family as u8 == number)
    }

    /// The family's name in rulesets and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        }
    }

    /// The length of an address in bits.
    pub const fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

/// A point in the network stack where packets are judged, numbered as netfilter does (NF_INET_*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Hook {
    /// Every packet that came in, before routing.
    PreRouting = 0,
    /// A packet for this machine.
    LocalIn = 1,
    /// A packet that is routed through.
    Forward = 2,
    /// A packet that this machine made.
    LocalOut = 3,
    /// Every packet that goes out, after routing.
    PostRouting = 4,
}

impl Hook {
    /// The hooks in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::PreRouting,
        Self::LocalIn,
        Self::Forward,
        Self::LocalOut,
        Self::PostRouting,
    ];

    /// The hook with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The name of the built-in chain that packets enter at this hook.
    pub const fn chain(self) -> &'static str {
        match self {
            Self::PreRouting => "PREROUTING",
            Self::LocalIn => "INPUT",
            Self::Forward => "FORWARD",
            Self::LocalOut => "OUTPUT",
            Self::PostRouting => "POSTROUTING",
        }
    }

    /// The hook whose built-in chain has this name.
    pub fn from_chain(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|hook| hook.chain().as_bytes() == name)
    }

    /// Whether a packet has an input interface here.
    pub const fn has_input(self) -> bool {
        matches!(self, Self::PreRouting | Self::LocalIn | Self::Forward)
    }

    /// Whether packets come here first, so that the connections are looked up that they belong to.
    pub const fn tracks(self) -> bool {
        matches!(self, Self::PreRouting | Self::LocalOut)
    }

    /// Whether a packet has an output interface here.
    pub const fn has_output(self) -> bool {
        matches!(self, Self::Forward | Self::LocalOut | Self::PostRouting)
    }
}

/// Transport protocols by their IANA numbers, as far as code names them.
pub mod protocol {
    /// Internet Control Message Protocol (RFC 792).
    pub const ICMP: u8 = 1;
    /// Transmission Control Protocol (RFC 9293).
    pub const TCP: u8 = 6;
    /// User Datagram Protocol (RFC 768).
    pub const UDP: u8 = 17;
    /// Datagram Congestion Control Protocol (RFC 4340).
    pub const DCCP: u8 = 33;
    /// Generic Routing Encapsulation (RFC 2784).
    pub const GRE: u8 = 47;
    /// Encapsulating Security Payload (RFC 4303).
    pub const ESP: u8 = 50;
    /// Authentication Header (RFC 4302).
    pub const AH: u8 = 51;
    /// ICMP for IPv6 (RFC 4443).
    pub const ICMPV6: u8 = 58;
    /// IP Payload Compression (RFC 3173).
    pub const COMP: u8 = 108;
    /// Stream Control Transmission Protocol (RFC 9260).
    pub const SCTP: u8 = 132;
    /// The mobility header of Mobile IPv6 (RFC 6275).
    pub const MOBILITY: u8 = 135;
    /// UDP-Lite (RFC 3828).
    pub const UDPLITE: u8 = 136;
}

/// Headers that may stand between the fixed IPv6 header and the transport header, by their IANA numbers.
pub mod extension {
    /// Hop-by-hop options (RFC 8200, section 4.3).
    pub const HOP_BY_HOP: u8 = 0;
    /// Routing (RFC 8200, section 4.4).
    pub const ROUTING: u8 = 43;
    /// Fragment (RFC 8200, section 4.5).
    pub const FRAGMENT: u8 = 44;
    /// Authentication (RFC 4302).
    pub const AUTHENTICATION: u8 = 51;
    /// No next header (RFC 8200, section 4.7).
    pub const NONE: u8 = 59;
    /// Destination options (RFC 8200, section 4.6).
    pub const DESTINATION: u8 = 60;

    /// Whether a walk goes on behind a header of this number. "No next header" ends it, as a protocol does.
    pub fn is_passed(number: u8) -> bool {
        matches!(
            number,
            HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION
        )
    }
}

/// Why the engine drops a packet. Each has a counter of its own, so that no drop goes unexplained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DropReason {
    /// A rule's target is DROP.
    Rule = 0,
    /// No rule decided, and the chain's policy is DROP.
    Policy = 1,
    /// The IP header is shorter than it must be, or contradicts itself.
    MalformedHeader = 2,
    /// The chain of IPv6 extension headers is cut off or too long, and a rule asks for the protocol.
    MalformedExtensions = 3,
    /// The transport header that a rule asks for is cut off.
    TruncatedTransport = 4,
    /// A fragment would overwrite the flags of a TCP header (RFC 1858).
    TinyFragment = 5,
    /// The transport header contradicts itself where a rule looks: a length below its minimum, say.
    MalformedTransport = 6,
    /// Chains nested deeper than a commit allows: a ruleset that should not exist.
    TooDeep = 7,
    /// A packet from an Ethernet device came without the frame's header that a rule asks for.
    MissingFrame = 8,
    /// A rule has to remember a flow or a connection, and there is no place for one more.
    TooManyFlows = 9,
    /// The packet would begin a connection, and there are as many as there may be.
    TooManyConnections = 10,
    /// There is no memory for the connection that the packet begins.
    NoMemory = 11,
    /// The connection that the packet begins has the addresses of another one in one direction.
    ConnectionClash = 12,
}

impl DropReason {
    /// How many reasons there are.
    pub const COUNT: usize = 13;

    /// The reasons in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Rule,
        Self::Policy,
        Self::MalformedHeader,
        Self::MalformedExtensions,
        Self::TruncatedTransport,
        Self::TinyFragment,
        Self::MalformedTransport,
        Self::TooDeep,
        Self::MissingFrame,
        Self::TooManyFlows,
        Self::TooManyConnections,
        Self::NoMemory,
        Self::ConnectionClash,
    ];

    /// The reason's name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Policy => "policy",
            Self::MalformedHeader => "malformed-header",
            Self::MalformedExtensions => "malformed-extension-headers",
            Self::TruncatedTransport => "truncated-transport-header",
            Self::TinyFragment => "tiny-fragment",
            Self::MalformedTransport => "malformed-transport-header",
            Self::TooDeep => "chains-too-deep",
            Self::MissingFrame => "missing-frame-header",
            Self::TooManyFlows => "too-many-flows",
            Self::TooManyConnections => "too-many-connections",
            Self::NoMemory => "no-memory",
            Self::ConnectionClash => "connection-clash",
        }
    }
}

/// What is known of a packet beside the bytes at hand: the slow way in, taken where a rule asks.
pub trait Source {
    /// Copies the bytes at `offset` from the network header; `false` when they are not all there.
    fn copy(&self, offset: usize, to: &mut [u8]) -> bool;

    /// The interface that the packet came in by; empty where there is none.
    fn input(&self) -> DeviceName;

    /// The interface that the packet goes out by; empty where there is none.
    fn output(&self) -> DeviceName;

    /// The header of the frame that the packet came in.
    fn frame(&self) -> Frame;

    /// Whom the packet is for, by the link layer.
    fn packet_type(&self) -> PacketType;

    /// The group that the interface is in by which the packet came in.
    fn input_group(&self) -> Option<u32>;

    /// The group that the interface is in by which the packet goes out.
    fn output_group(&self) -> Option<u32>;

    /// The realms of the packet's route, source in the upper 16 bits and destination in the lower; 0 where it has none.
    fn realm(&self) -> u32;

    /// The number of the processor that the packet is handled on.
    fn processor(&self) -> u32;

    /// Whether the packet's socket is in a control group or below it; `None` where the packet has no socket in
    /// this network namespace.
    fn in_control_group(&self, group: ControlGroup) -> Option<bool>;

    /// The class that the controller net_cls gave the packet's socket; `None` as above.
    fn class(&self) -> Option<u32>;

    /// The socket that the packet is of, if a program or the kernel holds one in this network namespace.
    fn socket(&self) -> Option<Socket>;

    /// Whether one of the supplementary groups of who opened the packet's socket is in the range.
    fn opener_has_group(&self, range: Range<u32>) -> bool;

    /// The bridge that the packet goes through or came in by.
    fn bridge(&self) -> Option<Bridge>;

    /// The time, as it is while the question is asked.
    fn clock(&self) -> Clock;

    /// What an address is to this machine: seen by one interface of the packet only, or by all. Of IPv4 that is one
    /// type; of IPv6 it is those that depend on the route (local, anycast, unreachable), as many as there are.
    fn address_types(&self, address: IpAddr, interface: Option<Interface>) -> AddressTypes;

    /// Whether the packet never left this machine: it came in by a loopback interface, or is a copy of what this
    /// machine sent to a group.
    fn looped_back(&self) -> bool;

    /// Where an answer would go.
    fn way_back(&self, answer: &Answer) -> WayBack;

    /// A transform of IPsec that was undone, counted from the last one, or that will be done, counted from the next.
    fn transform(&self, direction: Direction, index: usize) -> Option<Transform>;

    /// The connection that the packet belongs to.
    fn connection(&self) -> Option<Connection>;

    /// Whether there is a connection that began with packets of this flow in this zone, and that is not over. One is over that is
    /// forgotten, and one of TCP that was reset or that both sides have closed.
    fn is_open(&self, flow: &Tuple, zone: u16) -> bool;

    /// The mark of the connection that the packet belongs to.
    fn connection_mark(&self) -> Option<u32>;

    /// The time in nanoseconds since some moment before the first packet. It never goes back on one CPU; what
    /// another one read last may be a little later.
    fn monotonic(&self) -> u64;

    /// A number at random, all equally likely, which nobody can foresee.
    fn random(&self) -> u32;

    /// Whether the checksum of this transport header of the packet's need not be added up: the device did that, or the
    /// packet never was on a wire.
    fn checksum_known_good(&self, transport: Transport) -> bool;
}

/// A time, and what makes it the time of day of a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Seconds since the beginning of 1970 in UTC, leap seconds not counted.
    pub seconds: i64,
    /// How many minutes the kernel's time zone is west of Greenwich.
    pub minutes_west: i32,
}

/// A packet that lies in one piece, and that no network stack knows of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flat<'a> {
    /// Its bytes, from the network header on.
    pub bytes: &'a [u8],
    /// The interface that it came in by.
    pub input: DeviceName,
    /// The interface that it goes out by.
    pub output: DeviceName,
    /// What a network stack would know of it.
    pub metadata: Metadata<'a>,
    /// When it is seen.
    pub clock: Clock,
    /// What the routes say of its addresses.
    pub routes: Routes<'a>,
    /// What IPsec does with it.
    pub transforms: Transforms<'a>,
    /// What a connection tracker would know of it.
    pub tracked: Tracked,
    /// Whether there is an open connection of every flow, or of none.
    pub all_open: bool,
    /// When it is there, in nanoseconds.
    pub monotonic: u64,
    /// What chance has in store for it.
    pub random: u32,
}

impl Flat<'_> {
    /// The packet at a hook.
    pub fn at(&self, hook: Hook) -> Input<'_> {
        Input {
            hook,
            linear: self.bytes,
            source: self,
            len: u32::try_from(self.bytes.len()).unwrap_or(u32::MAX),
            mark: 0,
            traced: false,
            tracking: self.tracked.tracking,
        }
    }
}

impl Source for Flat<'_> {
    fn copy(&self, offset: usize, to: &mut [u8]) -> bool {
        let from = offset
            .checked_add(to.len())
            .and_then(|end| self.bytes.get(offset..end));
        match from {
            Some(from) => {
                to.copy_from_slice(from);
                true
            }
            None => false,
        }
    }

    fn input(&self) -> DeviceName {
        self.input
    }

    fn output(&self) -> DeviceName {
        self.output
    }

    fn frame(&self) -> Frame {
        self.metadata.frame
    }

    fn packet_type(&self) -> PacketType {
        self.metadata.packet_type
    }

    fn input_group(&self) -> Option<u32> {
        self.metadata.input_group
    }

    fn output_group(&self) -> Option<u32> {
        self.metadata.output_group
    }

    fn realm(&self) -> u32 {
        self.metadata.realm
    }

    fn processor(&self) -> u32 {
        self.metadata.processor
    }

    fn in_control_group(&self, group: ControlGroup) -> Option<bool> {
        self.metadata.in_control_group(group)
    }

    fn class(&self) -> Option<u32> {
        self.metadata.class
    }

    fn socket(&self) -> Option<Socket> {
        self.metadata.socket
    }

    fn opener_has_group(&self, range: Range<u32>) -> bool {
        self.metadata.opener_has_group(range)
    }

    fn bridge(&self) -> Option<Bridge> {
        self.metadata.bridge
    }

    fn clock(&self) -> Clock {
        self.clock
    }

    fn address_types(&self, address: IpAddr, interface: Option<Interface>) -> AddressTypes {
        self.routes.types(address, interface)
    }

    fn looped_back(&self) -> bool {
        self.routes.looped_back
    }

    fn way_back(&self, answer: &Answer) -> WayBack {
        self.routes.way_back(answer)
    }

    fn transform(&self, direction: Direction, index: usize) -> Option<Transform> {
        self.transforms.get(direction, index)
    }

    fn connection(&self) -> Option<Connection> {
        self.tracked.connection
    }

    fn is_open(&self, _: &Tuple, _: u16) -> bool {
        self.all_open
    }

    fn connection_mark(&self) -> Option<u32> {
        self.tracked.mark
    }

    fn monotonic(&self) -> u64 {
        self.monotonic
    }

    fn random(&self) -> u32 {
        self.random
    }

    fn checksum_known_good(&self, _: Transport) -> bool {
        false
    }
}

/// The name of a network interface, padded with zeros as `struct net_device` holds it, as two words in
/// memory order: names are compared under a mask, a word at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceName(pub [u64; 2]);

impl DeviceName {
    /// The longest name, in bytes (IFNAMSIZ - 1).
    pub const MAX: usize = 15;

    /// The name of an interface, or its beginning, from text; `None` when it is too long.
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let text: Str<{ Self::MAX }> = Str::new(text)?;
        let mut name = [0; 16];
        name.get_mut(..text.as_bytes().len())?
            .copy_from_slice(text.as_bytes());
        Some(Self::raw(name))
    }

    /// The name's bytes, without the padding.
    pub fn text(&self) -> Str<16> {
        let [a, b] = self.0.map(u64::to_ne_bytes);
        let mut name = [0; 16];
        for (to, from) in name.iter_mut().zip(a.into_iter().chain(b)) {
            *to = from;
        }
        Str::new(name.split(|byte| *byte == 0).next().unwrap_or_default()).unwrap_or_default()
    }

    /// Takes over 16 bytes as they are. What follows the first zero byte has no meaning, yet need not be zero:
    /// the kernel leaves the end of a longer name behind when it renames a device.
    pub fn raw(name: [u8; 16]) -> Self {
        let word = |from: usize| {
            let mut bytes = [0; 8];
            for (to, from) in bytes.iter_mut().zip(name.iter().skip(from)) {
                *to = *from;
            }
            u64::from_ne_bytes(bytes)
        };
        Self([word(0), word(8)])
    }
}

/// What a hook hands over: where the packet is, and its bytes from the network header on.
pub struct Input<'a> {
    /// The hook that the packet is at.
    pub hook: Hook,
    /// The bytes of the packet that lie in one piece, from the network header on. The stack sees to it that the fixed
    /// part of that header is among them, before it shows a packet to anyone.
    pub linear: &'a [u8],
    /// The way to all its bytes, and to what else is known of it.
    pub source: &'a dyn Source,
    /// The packet's length in bytes, from the network header on.
    pub len: u32,
    /// The packet's mark.
    pub mark: u32,
    /// Whether it is told what the packet meets.
    pub traced: bool,
    /// What the packet is to its connection, if it was looked up already.
    pub tracking: Tracking,
}

/// Where a packet's transport header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// The protocol's number.
    pub protocol: u8,
    /// Bytes from the network header to the transport header; meaningless in a later fragment.
    pub offset: usize,
    /// How far into the original packet this fragment begins, in bytes. Zero in a packet that is whole
    /// and in a first fragment: those have the transport header.
    pub fragment: u16,
}

/// A parsed packet; `A` is an address as its family compares it.
pub struct Packet<'a, A> {
    /// The source address.
    pub source: A,
    /// The destination address.
    pub destination: A,
    /// All that is the same for both families.
    pub body: Body<'a>,
}

/// The part of a parsed packet that does not depend on the family.
pub struct Body<'a> {
    input: &'a Input<'a>,
    fixed: Header<'a>,
    /// The packet's mark, as rules have left it.
    pub mark: u32,
    /// Whether it is told what the packet meets, as rules have left it.
    pub traced: bool,
    /// What the packet is to its connection, as rules and the tracker have left it.
    pub tracking: Tracking,
    /// How a rule said in which zone it is, before its connection is looked up.
    pub zone: Option<Assignment>,
    /// Where the transport header is; `None` when the headers before it are damaged.
    pub transport: Option<Transport>,
    /// The packet's ports, where they were asked for.
    pub ports: Ports,
}

impl<'a> Body<'a> {
    #[inline(always)]
    fn new(
        fixed: Header<'a>,
        input: &'a Input<'a>,
        transport: Option<Transport>,
        with_ports: bool,
    ) -> Self {
        let ports = if with_ports {
            Ports::find(fixed.family(), transport, input.linear, input.source)
        } else {
            Ports::NONE
        };
        Self {
            mark: input.mark,
            traced: input.traced,
            tracking: input.tracking,
            zone: None,
            input,
            fixed,
            transport,
            ports,
        }
    }

    /// The zone in which the packet's connection is looked up.
    #[inline]
    pub fn zone(&self) -> Zone {
        self.zone.map_or(Zone::NONE, |zone| zone.zone(self.mark))
    }

    /// Whether the packet is whole and undamaged as far as its ports, so that protocol and ports can be
    /// taken at their word.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.transport
            .is_some_and(|transport| transport.fragment == 0)
            && self.ports.known().is_ok()
    }

    /// The packet's ports, whether they were asked for or not.
    #[inline]
    pub fn find_ports(&self) -> Ports {
        if self.ports.is_none() {
            let Input { linear, source, .. } = *self.input;
            Ports::find(self.family(), self.transport, linear, source)
        } else {
            self.ports
        }
    }

    /// Where the transport header is of a packet of the same family that begins at `offset`: one that an error quotes.
    /// Offsets are from this packet's network header.
    pub fn inner_transport(&self, offset: usize) -> Option<Transport> {
        let Input {
            linear,
            source,
            len,
            ..
        } = *self.input;
        let find = match self.family() {
            Family::V4 => ipv4::inner_transport,
            Family::V6 => ipv6::inner_transport,
        };
        find(offset, linear, source, len as usize)
    }

    /// The family of the packet.
    #[inline]
    pub fn family(&self) -> Family {
        self.fixed.family()
    }

    /// The hook that the packet is at.
    #[inline]
    pub fn hook(&self) -> Hook {
        self.input.hook
    }

    /// The packet's length in bytes, from the network header on.
    #[inline]
    pub fn length(&self) -> u32 {
        self.input.len
    }

    /// How many bytes there are from a header on.
    #[inline]
    pub fn rest(&self, transport: Transport) -> usize {
        (self.length() as usize).saturating_sub(transport.offset)
    }

    /// The interface that the packet came in by.
    pub fn input(&self) -> DeviceName {
        self.input.source.input()
    }

    /// The interface that the packet goes out by.
    pub fn output(&self) -> DeviceName {
        self.input.source.output()
    }

    /// What is known of the packet beside its bytes.
    pub fn source(&self) -> &dyn Source {
        self.input.source
    }

    /// The `N` bytes at `offset` from the network header: in place where they lie in one piece, else
    /// copied to `buffer`. `None` when the packet ends before.
    #[inline]
    pub fn header<'b, const N: usize>(
        &'b self,
        offset: usize,
        buffer: &'b mut [u8; N],
    ) -> Option<&'b [u8; N]> {
        read(self.input.linear, self.input.source, offset, buffer)
    }

    /// The bytes that lie in one piece, from the network header on.
    #[inline]
    pub fn linear(&self) -> &[u8] {
        self.input.linear
    }

    /// Fills `buffer` with the bytes at `offset` from the network header; `false` when the packet does not have
    /// them.
    pub fn copy(&self, offset: usize, buffer: &mut [u8]) -> bool {
        self.input.source.copy(offset, buffer)
    }
}

/// See [`Body::header`].
#[inline]
fn read<'b, const N: usize>(
    linear: &'b [u8],
    source: &dyn Source,
    offset: usize,
    buffer: &'b mut [u8; N],
) -> Option<&'b [u8; N]> {
    if let Some(found) = linear
        .get(offset..)
        .and_then(|rest| rest.first_chunk::<N>())
    {
        return Some(found);
    }
    source.copy(offset, buffer).then_some(&*buffer)
}

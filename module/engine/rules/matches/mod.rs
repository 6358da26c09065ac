// SPDX-License-Identifier: GPL-2.0
//! The matches: what a rule can ask of a packet. One file each; to add one, see docs/extending.md.

mod addrtype;
mod ah;
mod bpf;
mod cgroup;
mod comment;
mod connbytes;
mod connlimit;
mod connmark;
mod conntrack;
mod cpu;
mod dccp;
mod devgroup;
mod dscp;
mod ecn;
mod esp;
mod eui64;
mod frag;
pub mod hashlimit;
mod helper;
mod icmp;
mod iprange;
mod ipv6_options;
mod ipv6header;
mod length;
mod limit;
mod mac;
mod mark;
mod mh;
mod multiport;
mod options;
mod owner;
mod physdev;
mod pkttype;
mod policy;
mod ports;
mod quota;
mod realm;
mod rpfilter;
mod rt;
mod sctp;
mod state;
mod statistic;
mod string;
mod tcp;
mod tcpmss;
mod time;
mod tos;
mod ttl;
mod u32;
mod udp;

pub use addrtype::Addrtype;
pub use ah::Ah;
pub use bpf::Bpf;
pub use cgroup::{Cgroup, ControlGroupPath};
pub use comment::Comment;
pub use connbytes::{Connbytes, Transferred};
pub use connlimit::Connlimit;
pub use connmark::Connmark;
pub use conntrack::{Conntrack, States};
pub use cpu::Cpu;
pub use dccp::{Dccp, DccpTypes};
pub use devgroup::Devgroup;
pub use dscp::Dscp;
pub use ecn::Ecn;
pub use esp::Esp;
pub use eui64::Eui64;
pub use frag::Frag;
pub use hashlimit::Hashlimit;
pub use helper::{AskedHelper, Helper};
pub use icmp::{Icmp, Icmpv6, TypeCode};
pub use iprange::{Addresses, IpRange};
pub use ipv6_options::{Dst, Hbh, HeaderOption, HeaderOptions};
pub use ipv6header::{Headers, Ipv6Header};
pub use length::Length;
pub use limit::Limit;
pub use mac::{Mac, MacAddress};
pub use mark::{Mark, Masked};
pub use mh::Mh;
pub use multiport::{Multiport, Ports, Side};
pub use owner::Owner;
pub use physdev::Physdev;
pub use pkttype::Pkttype;
pub use policy::{Element, Elements, Mode, Policy};
pub use ports::{PortPair, PortRange};
pub use quota::Quota;
pub use realm::Realm;
pub use rpfilter::Rpfilter;
pub use rt::{Hops, Rt};
pub use sctp::{AllChunkFlags, ChunkFlags, ChunkMatch, ChunkTypes, Chunks, Sctp};
pub use state::State;
pub use statistic::Statistic;
pub use string::{Search, StringMatch};
pub use tcp::{Tcp, TcpFlags};
pub use tcpmss::TcpMss;
pub use time::{Days, Daytime, Monthdays, Time, Weekdays};
pub use tos::Tos;
pub use ttl::{Comparison, Hl, Ttl};
pub use u32::{Operation, Test, Tests, U32};
pub use udp::Udp;

use super::machine::Machine;
use super::model::Rule;
use crate::alloc::AllocError;
use crate::choice;
use crate::engine::packet::{Body, DropReason, Family, Hook};

/// What a match says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It does not hold.
    No,
    /// It holds.
    Yes,
    /// It can't be told, and such a packet must not pass.
    Drop(DropReason),
}

impl From<bool> for Outcome {
    #[inline]
    fn from(holds: bool) -> Self {
        if holds {
            Self::Yes
        } else {
            Self::No
        }
    }
}

/// What a match makes of a field of the packet, or of its not being there.
impl From<Result<bool, DropReason>> for Outcome {
    #[inline]
    fn from(holds: Result<bool, DropReason>) -> Self {
        holds.map_or_else(Self::Drop, Self::from)
    }
}

/// What every match can do beside travelling over netlink.
pub trait Matcher: Sized {
    /// Checks that the match can stand in `rule`; says what is wrong otherwise.
    fn check(&self, family: Family, rule: &Rule) -> Result<(), &'static str>;

    /// Whether packets can be asked at this hook; says what is wrong otherwise.
    fn check_hook(&self, _: Hook) -> Result<(), &'static str> {
        Ok(())
    }

    /// Finds what the match needs of the machine that it is for, once it stands in a program; says what is
    /// missing.
    fn bind(&mut self, _: &dyn Machine) -> Result<(), &'static str> {
        Ok(())
    }

    /// The ports that the match asks for. A rule that asks for them first of all keeps them where packets
    /// walk past, so that most rules are decided without a call of [`test`](Self::test).
    fn ports(&self) -> Option<PortPair> {
        None
    }

    /// What a packet may be to its connection, a bit each, where the match asks for that and nothing else. It is kept
    /// where packets walk past, as ports are.
    fn states(&self) -> Option<u8> {
        None
    }

    /// Whether the match asks for connections, so that they have to be tracked.
    fn tracks(&self) -> bool {
        false
    }

    /// Whether the match asks for anything beside [`ports`](Self::ports) and [`states`](Self::states).
    fn asks(&self) -> bool {
        true
    }

    /// Whether the match, its ports included, holds of a packet.
    fn test(&self, packet: &Body<'_>) -> Outcome;

    /// Whether what it says depends on the packets before. A rule that is loaded once more then goes on where
    /// the one before it was.
    fn remembers(&self) -> bool {
        false
    }

    /// A copy of the match, which shares what it remembers.
    fn try_clone(&self) -> Result<Self, AllocError>;
}

/// See [`Matcher::test`]. Not inlined, so that a simple match does not save the registers that only another needs.
#[inline(never)]
fn test<T: Matcher>(item: &T, packet: &Body<'_>) -> Outcome {
    item.test(packet)
}

/// Declares the enumeration of matches, and what it hands on to the one inside.
macro_rules! matches {
    ($( $(#[$doc:meta])* $id:literal $variant:ident $attr:literal, )*) => {
        choice! {
            /// A match. Which one it is has a byte of its own: in a hole of the largest one it would take every packet
            /// more steps to read.
            #[derive(Debug, PartialEq, Eq)]
            #[repr(u8)]
            pub enum Match, "match-attrs" {
                $( $(#[$doc])* $id $variant $attr ($variant), )*
            }
        }

        impl Match {
            /// See [`Matcher::check`].
            pub fn check(&self, family: Family, rule: &Rule) -> Result<(), &'static str> {
                match self {
                    $( Self::$variant(inner) => inner.check(family, rule), )*
                }
            }

            /// See [`Matcher::check_hook`].
            pub fn check_hook(&self, hook: Hook) -> Result<(), &'static str> {
                match self {
                    $( Self::$variant(inner) => inner.check_hook(hook), )*
                }
            }

            /// See [`Matcher::bind`].
            pub fn bind(&mut self, machine: &dyn Machine) -> Result<(), &'static str> {
                match self {
                    $( Self::$variant(inner) => inner.bind(machine), )*
                }
            }

            /// See [`Matcher::test`]. A call of the one function or another and nothing else, so that it is short.
            #[inline(never)]
            pub fn test(&self, packet: &Body<'_>) -> Outcome {
                match self {
                    $( Self::$variant(inner) => test(inner, packet), )*
                }
            }

            /// See [`Matcher::ports`].
            pub fn ports(&self) -> Option<PortPair> {
                match self {
                    $( Self::$variant(inner) => inner.ports(), )*
                }
            }

            /// See [`Matcher::states`].
            pub fn states(&self) -> Option<u8> {
                match self {
                    $( Self::$variant(inner) => inner.states(), )*
                }
            }

            /// See [`Matcher::tracks`].
            pub fn tracks(&self) -> bool {
                match self {
                    $( Self::$variant(inner) => inner.tracks(), )*
                }
            }

            /// See [`Matcher::asks`].
            pub fn asks(&self) -> bool {
                match self {
                    $( Self::$variant(inner) => inner.asks(), )*
                }
            }

            /// See [`Matcher::remembers`].
            pub fn remembers(&self) -> bool {
                match self {
                    $( Self::$variant(inner) => inner.remembers(), )*
                }
            }

            /// See [`Matcher::try_clone`].
            pub fn try_clone(&self) -> Result<Self, AllocError> {
                match self {
                    $( Self::$variant(inner) => inner.try_clone().map(Self::$variant), )*
                }
            }
        }
    };
}

matches! {
    /// Ports, flags and options of TCP.
    1 Tcp "tcp",
    /// Ports of UDP.
    2 Udp "udp",
    /// Type and code of ICMP.
    3 Icmp "icmp",
    /// Type and code of ICMPv6.
    4 Icmpv6 "icmpv6",
    /// Lists of ports.
    5 Multiport "multiport",
    /// The packet's mark.
    6 Mark "mark",
    /// A remark of the person who wrote the rule.
    7 Comment "comment",
    /// The packet's length.
    8 Length "length",
    /// Ranges of addresses.
    9 IpRange "iprange",
    /// The time to live of an IPv4 packet.
    10 Ttl "ttl",
    /// The hop limit of an IPv6 packet.
    11 Hl "hl",
    /// The type of service, or traffic class.
    12 Tos "tos",
    /// The codepoint of differentiated services.
    13 Dscp "dscp",
    /// Congestion notification.
    14 Ecn "ecn",
    /// The authentication header.
    15 Ah "ah",
    /// The security association of an encrypted payload.
    16 Esp "esp",
    /// Ports and chunks of SCTP.
    17 Sctp "sctp",
    /// Ports, packet types and options of DCCP.
    18 Dccp "dccp",
    /// The maximum segment size that TCP tells.
    19 TcpMss "tcpmss",
    /// Which extension headers an IPv6 packet has.
    20 Ipv6Header "ipv6header",
    /// The fragment header.
    21 Frag "frag",
    /// The routing header.
    22 Rt "rt",
    /// The header with hop-by-hop options.
    23 Hbh "hbh",
    /// The header with destination options.
    24 Dst "dst",
    /// The type of a Mobile IPv6 message.
    25 Mh "mh",
    /// Whether an IPv6 address is made of the Ethernet address.
    26 Eui64 "eui64",
    /// Numbers from anywhere in the packet.
    27 U32 "u32",
    /// A pattern in the packet's bytes.
    28 StringMatch "string",
    /// A program that decides.
    29 Bpf "bpf",
    /// The sender of the Ethernet frame.
    30 Mac "mac",
    /// Whom the packet is for, by the link layer.
    31 Pkttype "pkttype",
    /// Groups of interfaces.
    32 Devgroup "devgroup",
    /// Realms of the route.
    33 Realm "realm",
    /// The processor.
    34 Cpu "cpu",
    /// The control group of the socket.
    35 Cgroup "cgroup",
    /// Who opened the socket.
    36 Owner "owner",
    /// Ports of a bridge.
    37 Physdev "physdev",
    /// Whether and how IPsec handles the packet.
    38 Policy "policy",
    /// What the packet's addresses are to this machine.
    39 Addrtype "addrtype",
    /// Whether an answer would go back the way that the packet came.
    40 Rpfilter "rpfilter",
    /// When the packet is seen.
    41 Time "time",
    /// A rate of packets.
    42 Limit "limit",
    /// A number of bytes.
    43 Quota "quota",
    /// Some packets of all.
    44 Statistic "statistic",
    /// A rate for each flow.
    45 Hashlimit "hashlimit",
    /// The connection that the packet belongs to.
    46 Conntrack "conntrack",
    /// What the packet is to its connection.
    47 State "state",
    /// The mark of the connection.
    48 Connmark "connmark",
    /// How much the connection has transferred.
    49 Connbytes "connbytes",
    /// Which helper announced the connection.
    50 Helper "helper",
    /// How many connections there are of the packet's network.
    51 Connlimit "connlimit",
}

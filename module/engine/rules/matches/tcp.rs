// SPDX-License-Identifier: GPL-2.0
//! `-m tcp`: ports, flags and options of a TCP header (RFC 9293, section 3.1).

use super::options::TransportOptions;
use super::ports::transport_header;
use super::{Matcher, Outcome, PortPair, PortRange};
use crate::alloc::AllocError;
use crate::engine::packet::{protocol, Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};
use crate::wire;

/// Length of the header without options, in bytes.
pub(super) const MIN_HEADER: usize = 20;

/// Which flags are looked at, and which of them must be set; bits as in the header's 14th byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpFlags {
    /// The flags looked at.
    pub mask: u8,
    /// Those of them that must be set; the others must not.
    pub set: u8,
}

impl TcpFlags {
    /// What `--syn` stands for: a segment that opens a connection.
    pub const SYN: Self = Self {
        mask: 0x17,
        set: 0x02,
    };
}

/// On netlink: two bytes, mask and set.
impl Field for TcpFlags {
    const KIND: Kind = Kind::Bytes(2);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        to.put(id, &[self.mask, self.set])
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        match *from.data {
            [mask, set] => Ok(Self { mask, set }),
            _ => Err(from.invalid("TCP flags must have 2 bytes")),
        }
    }
}

wire! {
    /// The match.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Tcp, "tcp-attrs" {
        /// `--source-port`
        2 source: Option<Not<PortRange>>,
        /// `--destination-port`
        3 destination: Option<Not<PortRange>>,
        /// `--tcp-flags`
        4 flags: Option<Not<TcpFlags>>,
        /// `--tcp-option`: an option of this kind is there.
        5 option: Option<Not<u8>>,
    }
}

impl Tcp {
    fn port_pair(&self) -> PortPair {
        PortPair {
            source: self.source,
            destination: self.destination,
        }
    }
}

impl Matcher for Tcp {
    fn check(&self, _: Family, rule: &Rule) -> Result<(), &'static str> {
        match self.option {
            Some(option) if option.value == 0 => return Err("TCP option 0 only ends a list"),
            _ => (),
        }
        if rule.exact_protocol() == Some(protocol::TCP) {
            Ok(())
        } else {
            Err("the tcp match needs -p tcp")
        }
    }

    fn ports(&self) -> Option<PortPair> {
        Some(self.port_pair())
    }

    fn asks(&self) -> bool {
        self.flags.is_some() || self.option.is_some()
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        match self.port_pair().test(packet) {
            Outcome::Yes => (),
            outcome => return outcome,
        }
        let mut buffer = [0; MIN_HEADER];
        let &[_, _, _, _, _, _, _, _, _, _, _, _, data_offset, flags, ..] =
            match transport_header(packet, &mut buffer) {
                Ok(header) => header,
                Err(outcome) => return outcome,
            };
        if let Some(asked) = self.flags {
            if (flags & asked.value.mask == asked.value.set) == asked.not {
                return Outcome::No;
            }
        }
        match self.option {
            Some(asked) => match options(packet, data_offset) {
                Ok(mut list) => {
                    Outcome::from(list.any(|option| option.kind == asked.value) != asked.not)
                }
                Err(outcome) => outcome,
            },
            None => Outcome::Yes,
        }
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

/// The options of a header that gives itself this length, in its 13th byte.
///
/// # Errors
///
/// [`Outcome::Drop`] where the header is shorter than it must be, or the packet than the header.
pub(super) fn options<'a>(
    packet: &'a Body<'a>,
    data_offset: u8,
) -> Result<TransportOptions<'a>, Outcome> {
    let end = usize::from(data_offset >> 4) * 4;
    TransportOptions::between(packet, MIN_HEADER, end)
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_tcp))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, Bytes, TCP_V4};
    use crate::engine::packet::DropReason;
    use crate::engine::rules::Match;

    fn test(tcp: Tcp, bytes: &[u8]) -> Outcome {
        holds(Family::V4, protocol::TCP, Match::Tcp(tcp), bytes)
    }

    fn ports(first: u16, last: u16, not: bool) -> Option<Not<PortRange>> {
        Some(Not {
            value: PortRange { first, last },
            not,
        })
    }

    #[test]
    fn ports_at_the_edges() {
        for (first, last, hit) in [
            (22, 22, true),
            (0, 22, true),
            (22, 65535, true),
            (0, 21, false),
            (23, 65535, false),
        ] {
            for not in [false, true] {
                let tcp = Tcp {
                    destination: ports(first, last, not),
                    ..Tcp::default()
                };
                assert!(test(tcp, TCP_V4) == Outcome::from(hit != not));
            }
        }
        let tcp = Tcp {
            source: ports(1024, 1024, false),
            ..Tcp::default()
        };
        assert!(test(tcp, TCP_V4) == Outcome::Yes);
    }

    #[test]
    fn flags() {
        let syn = Some(Not::is(TcpFlags::SYN));
        let tcp = || Tcp {
            flags: syn,
            ..Tcp::default()
        };
        assert!(test(tcp(), TCP_V4) == Outcome::Yes);
        let syn_ack = Bytes::of(TCP_V4).with(33, 0x12);
        assert!(test(tcp(), &syn_ack.0) == Outcome::No);
        let not_syn = Some(Not {
            value: TcpFlags::SYN,
            not: true,
        });
        let not_syn = Tcp {
            flags: not_syn,
            ..Tcp::default()
        };
        assert!(test(not_syn, &syn_ack.0) == Outcome::Yes);
    }

    #[test]
    fn options() {
        let tcp = |kind, not| Tcp {
            option: Some(Not { value: kind, not }),
            ..Tcp::default()
        };
        assert!(test(tcp(2, false), TCP_V4) == Outcome::Yes);
        assert!(test(tcp(3, false), TCP_V4) == Outcome::No);
        assert!(test(tcp(3, true), TCP_V4) == Outcome::Yes);
        // A length of zero must not hold the walk up: what follows is looked at.
        let endless = Bytes::of(TCP_V4)
            .with(40, 9)
            .with(41, 0)
            .with(42, 3)
            .with(43, 0);
        assert!(test(tcp(3, false), &endless.0) == Outcome::Yes);
        assert!(test(tcp(7, false), &endless.0) == Outcome::No);
        // A length beyond the list ends it.
        let far = Bytes::of(TCP_V4).with(40, 9).with(41, 255);
        assert!(test(tcp(5, false), &far.0) == Outcome::No);
    }

    #[test]
    fn damaged_headers_are_dropped() {
        let any = Tcp::default;
        for length in 20..40 {
            let cut = TCP_V4.get(..length).unwrap();
            assert!(test(any(), cut) == Outcome::Drop(DropReason::TruncatedTransport));
        }
        let option = || Tcp {
            option: Some(Not::is(2)),
            ..Tcp::default()
        };
        // The options are cut off; the header gives itself less than its minimum.
        assert!(
            test(option(), TCP_V4.get(..42).unwrap())
                == Outcome::Drop(DropReason::TruncatedTransport)
        );
        let short = Bytes::of(TCP_V4).with(32, 0x40);
        assert!(test(option(), &short.0) == Outcome::Drop(DropReason::MalformedTransport));
        // Without a question about options neither matters.
        assert!(test(any(), &short.0) == Outcome::Yes);
    }

    #[test]
    fn fragments() {
        let tiny = Bytes::of(TCP_V4).with(7, 1);
        assert!(test(Tcp::default(), &tiny.0) == Outcome::Drop(DropReason::TinyFragment));
        let later = Bytes::of(TCP_V4).with(7, 2);
        assert!(test(Tcp::default(), &later.0) == Outcome::No);
    }
}

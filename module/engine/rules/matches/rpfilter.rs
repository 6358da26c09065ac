// SPDX-License-Identifier: GPL-2.0
//! `-m rpfilter`: whether an answer would go back the way that the packet came (RFC 3704, section 2).

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{AddressTypes, Answer, Body, Family, Hook, WayBack};
use crate::engine::rules::model::Rule;
use crate::wire;
use core::net::{IpAddr, Ipv4Addr};

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Rpfilter, "rpfilter-attrs" {
        /// `--loose`: an answer may go out by another interface.
        2 loose: bool,
        /// `--validmark`: an answer has the packet's mark.
        3 valid_mark: bool,
        /// `--accept-local`: a packet may come from an address of this machine.
        4 accept_local: bool,
        /// `--invert`: packets match that the others do not.
        5 inverted: bool,
    }
}

/// An address of network 0, "this network" (RFC 1122, section 3.2.1.3).
fn is_zeronet(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [0, ..])
}

/// An address of the block that routers don't forward (RFC 5771, section 4).
fn is_local_multicast(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [224, 0, 0, _])
}

impl Rpfilter {
    fn passes(&self, packet: &Body<'_>, source: IpAddr, destination: IpAddr) -> bool {
        let answer = match (source, destination) {
            _ if packet.source().looped_back() => None,
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                // Who has no address yet asks all for one, or joins a group.
                let asks = destination.is_broadcast() || is_local_multicast(destination);
                let nobodys = destination.is_multicast()
                    || destination.is_broadcast()
                    || is_zeronet(destination);
                (!is_zeronet(source) || !asks).then_some((!nobodys, !self.loose))
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let unicast = AddressTypes::of_v6(destination) == AddressTypes::UNICAST;
                // An address of a link says nothing without the link.
                let link_local = source.is_unicast_link_local();
                (!source.is_unspecified()).then_some((unicast, !self.loose || link_local))
            }
            _ => None,
        };
        let Some((answers, by_input)) = answer else {
            return true;
        };
        let way = packet.source().way_back(&Answer {
            destination: source,
            source: answers.then_some(destination),
            mark: if self.valid_mark { packet.mark } else { 0 },
            by_input,
        });
        match way {
            WayBack::None => false,
            // Of IPv6 all addresses of this machine are alike.
            WayBack::Local { .. } if packet.family() == Family::V6 => self.accept_local,
            WayBack::Local { by_input } => self.accept_local && (by_input || self.loose),
            WayBack::Out { by_input } => by_input || self.loose,
        }
    }
}

impl Matcher for Rpfilter {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        Ok(())
    }

    fn check_hook(&self, hook: Hook) -> Result<(), &'static str> {
        match hook {
            Hook::PreRouting => Ok(()),
            _ => Err("rpfilter works in PREROUTING only"),
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let (source, destination) = (packet.source_address(), packet.destination_address());
        Outcome::from(self.passes(packet, source, destination) != self.inverted)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_rpfilter))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{flat, holds_of, Bytes, TCP_V4, UDP_V6};
    use crate::engine::packet::{Flat, Routes};

    const STRICT: Rpfilter = Rpfilter {
        loose: false,
        valid_mark: false,
        accept_local: false,
        inverted: false,
    };
    const LOOSE: Rpfilter = Rpfilter {
        loose: true,
        ..STRICT
    };

    #[test]
    fn by_the_way_back() {
        let (here, elsewhere) = (true, false);
        let local = |by_input| WayBack::Local { by_input };
        let out = |by_input| WayBack::Out { by_input };
        // What is so of both families, and then what is so of IPv4 and of IPv6.
        for (way, strict, loose, accepting, accepting_loose) in [
            (
                WayBack::None,
                [false; 2],
                [false; 2],
                [false; 2],
                [false; 2],
            ),
            (out(here), [true; 2], [true; 2], [true; 2], [true; 2]),
            (out(elsewhere), [false; 2], [true; 2], [false; 2], [true; 2]),
            (local(here), [false; 2], [false; 2], [true; 2], [true; 2]),
            (
                local(elsewhere),
                [false; 2],
                [false; 2],
                [false, true],
                [true; 2],
            ),
        ] {
            for (match_, wanted) in [
                (STRICT, strict),
                (LOOSE, loose),
                (accept_local(STRICT), accepting),
                (accept_local(LOOSE), accepting_loose),
            ] {
                for inverted in [false, true] {
                    let match_ = Rpfilter {
                        inverted,
                        ..match_.clone()
                    };
                    for (family, wanted) in Family::ALL.into_iter().zip(wanted) {
                        assert_eq!(passes(family, &match_, way), wanted != inverted);
                    }
                }
            }
        }
    }

    #[test]
    fn the_mark_counts_where_it_is_asked_to() {
        let ways = [(answer(Family::V4, 7, true), WayBack::Out { by_input: true })];
        for (mark, valid_mark, hit) in [(7, true, true), (7, false, false), (6, true, false)] {
            let match_ = Rpfilter {
                valid_mark,
                ..STRICT
            };
            let packet = routed(TCP_V4, &ways);
            let input = crate::engine::packet::Input {
                mark,
                ..packet.at(Hook::PreRouting)
            };
            let packet = crate::engine::packet::parse_v4(&input, false).ok().unwrap();
            assert!(match_.test(&packet.body) == Outcome::from(hit));
        }
    }

    #[test]
    fn what_never_left_passes() {
        for (family, bytes) in [(Family::V4, TCP_V4), (Family::V6, UDP_V6)] {
            for looped_back in [false, true] {
                for inverted in [false, true] {
                    let packet = Flat {
                        routes: Routes {
                            looped_back,
                            ..Routes::default()
                        },
                        ..flat(bytes)
                    };
                    let match_ = Rpfilter { inverted, ..STRICT };
                    let outcome = holds_of(family, &match_, &packet);
                    assert!(outcome == Outcome::from(looped_back != inverted));
                }
            }
        }
    }

    #[test]
    fn who_has_no_address_yet() {
        for (source, destination, hit) in [
            ([0, 0, 0, 0], [255, 255, 255, 255], true),
            ([0, 0, 0, 0], [224, 0, 0, 22], true),
            ([0, 1, 2, 3], [224, 0, 0, 1], true),
            ([0, 0, 0, 0], [224, 0, 1, 1], false),
            ([0, 0, 0, 0], [10, 0, 0, 1], false),
            ([10, 0, 0, 2], [255, 255, 255, 255], false),
        ] {
            let bytes = v4(source, destination);
            let outcome = holds_of(Family::V4, &LOOSE, &flat(&bytes.0));
            assert!(outcome == Outcome::from(hit));
        }
        let unspecified = v6([0; 16], [0xfd; 16]);
        let outcome = holds_of(Family::V6, &STRICT, &flat(&unspecified.0));
        assert!(outcome == Outcome::Yes);
    }

    #[test]
    fn no_answer_comes_from_an_address_of_many() {
        let source = [10, 0, 0, 2];
        for (destination, comes) in [
            ([10, 0, 0, 1], true),
            ([224, 0, 1, 1], false),
            ([239, 255, 255, 255], false),
            ([240, 0, 0, 1], true),
            ([255, 255, 255, 255], false),
            ([0, 0, 0, 1], false),
        ] {
            let answer = Answer {
                destination: source.into(),
                source: comes.then_some(destination.into()),
                mark: 0,
                by_input: true,
            };
            let bytes = v4(source, destination);
            let ways = [(answer, WayBack::Out { by_input: true })];
            let packet = routed(&bytes.0, &ways);
            assert!(holds_of(Family::V4, &STRICT, &packet) == Outcome::Yes);
        }
        for (first, comes) in [(0xfd, true), (0xff, false)] {
            let mut destination = [0; 16];
            destination[0] = first;
            let answer = Answer {
                destination: [0xfd; 16].into(),
                source: comes.then_some(destination.into()),
                mark: 0,
                by_input: true,
            };
            let bytes = v6([0xfd; 16], destination);
            let ways = [(answer, WayBack::Out { by_input: true })];
            let packet = routed(&bytes.0, &ways);
            assert!(holds_of(Family::V6, &STRICT, &packet) == Outcome::Yes);
        }
    }

    /// Even an answer that may go out anywhere keeps to the link that the address is of.
    #[test]
    fn addresses_of_a_link() {
        for (second, by_input) in [(0x80, true), (0xbf, true), (0xc0, false), (0x7f, false)] {
            let mut source = [0; 16];
            (source[0], source[1]) = (0xfe, second);
            let destination = [0xfd; 16];
            let answer = Answer {
                destination: source.into(),
                source: Some(destination.into()),
                mark: 0,
                by_input,
            };
            let bytes = v6(source, destination);
            let ways = [(answer, WayBack::Out { by_input: true })];
            let packet = routed(&bytes.0, &ways);
            assert!(holds_of(Family::V6, &LOOSE, &packet) == Outcome::Yes);
        }
    }

    #[test]
    fn before_routing_only() {
        for hook in Hook::ALL {
            assert_eq!(STRICT.check_hook(hook).is_ok(), hook == Hook::PreRouting);
        }
    }

    fn accept_local(match_: Rpfilter) -> Rpfilter {
        Rpfilter {
            accept_local: true,
            ..match_
        }
    }

    fn routed<'a>(bytes: &'a [u8], ways: &'a [(Answer, WayBack)]) -> Flat<'a> {
        Flat {
            routes: Routes {
                ways,
                ..Routes::default()
            },
            ..flat(bytes)
        }
    }

    /// The answer to the packet of the family in the fixtures.
    fn answer(family: Family, mark: u32, by_input: bool) -> Answer {
        let (destination, source) = match family {
            Family::V4 => ([192, 0, 2, 1].into(), [198, 51, 100, 2].into()),
            Family::V6 => {
                let address =
                    |last: u128| IpAddr::from((0x2001_0db8_u128 << 96 | last).to_be_bytes());
                (address(1), address(2))
            }
        };
        Answer {
            destination,
            source: Some(source),
            mark,
            by_input,
        }
    }

    /// Whether a packet passes whose answer goes this way.
    fn passes(family: Family, match_: &Rpfilter, way: WayBack) -> bool {
        let bytes = match family {
            Family::V4 => TCP_V4,
            Family::V6 => UDP_V6,
        };
        let ways = [(answer(family, 0, !match_.loose), way)];
        holds_of(family, match_, &routed(bytes, &ways)) == Outcome::Yes
    }

    fn v4(source: [u8; 4], destination: [u8; 4]) -> Bytes {
        let mut bytes = Bytes::of(TCP_V4);
        let addresses = source.into_iter().chain(destination);
        for (at, octet) in (12..).zip(addresses) {
            bytes = bytes.with(at, octet);
        }
        bytes
    }

    fn v6(source: [u8; 16], destination: [u8; 16]) -> Bytes {
        let mut bytes = Bytes::of(UDP_V6);
        let addresses = source.into_iter().chain(destination);
        for (at, octet) in (8..).zip(addresses) {
            bytes = bytes.with(at, octet);
        }
        bytes
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m policy`: whether and how IPsec handles the packet.

use super::{Matcher, Outcome};
use crate::alloc::{AllocError, KVec, GFP_KERNEL};
use crate::engine::packet::{protocol, Body, Direction, Family, Hook, Transform};
use crate::engine::rules::model::{Prefix, Rule};
use crate::engine::rules::{Fact, Machine};
use crate::uapi::attr::{Attr, Errno, Error, Full, Writer};
use crate::uapi::field::{self, Field, Not, Set, Spec, Wire};
use crate::{numbered, wire};
use core::net::IpAddr;

numbered! { Direction, Errno::Invalid, "neither in nor out"; }

/// What becomes of a packet's IP header, numbered as the kernel does (XFRM_MODE_*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mode {
    /// It stays.
    Transport = 0,
    /// It is put behind another one.
    Tunnel = 1,
}

impl Mode {
    /// The modes that can be asked for.
    pub const ALL: [Self; 2] = [Self::Transport, Self::Tunnel];
}

numbered! { Mode, Errno::Invalid, "neither transport nor tunnel"; }

wire! {
    /// What is asked of one transform.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Element, "policy-element-attrs" {
        /// `--tunnel-src`
        2 source: Option<Not<Prefix>>,
        /// `--tunnel-dst`
        3 destination: Option<Not<Prefix>>,
        /// `--proto`
        4 protocol: Option<Not<u8>>,
        /// `--mode`
        5 mode: Option<Not<Mode>>,
        /// `--spi`, in host order.
        6 spi: Option<Not<u32>>,
        /// `--reqid`
        7 reqid: Option<Not<u32>>,
    }
}

fn fits<T: Copy>(asked: Option<Not<T>>, is: impl FnOnce(T) -> bool) -> bool {
    asked.is_none_or(|asked| is(asked.value) != asked.not)
}

/// Whether an address is among those of a prefix; one of the other family is not.
fn within(prefix: Prefix, address: IpAddr) -> bool {
    match (prefix.address, prefix.mask, address) {
        (IpAddr::V4(first), IpAddr::V4(mask), IpAddr::V4(address)) => address & mask == first,
        (IpAddr::V6(first), IpAddr::V6(mask), IpAddr::V6(address)) => address & mask == first,
        _ => false,
    }
}

impl Element {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn check(&self, family: Family) -> Result<(), &'static str> {
        let ends = [self.source, self.destination];
        let mut ends = ends.into_iter().flatten();
        if ends.clone().any(|end| end.value.family() != family) {
            return Err("address of the other family");
        }
        let tunnel = self
            .mode
            .is_some_and(|mode| (mode.value == Mode::Tunnel) != mode.not);
        if !tunnel && ends.next().is_some() {
            return Err("--tunnel-src and --tunnel-dst need --mode tunnel");
        }
        match self.protocol.map(|asked| asked.value) {
            None | Some(protocol::ESP | protocol::AH | protocol::COMP) => Ok(()),
            Some(_) => Err("--proto of a policy is esp, ah or ipcomp"),
        }
    }

    fn holds(&self, transform: &Transform) -> bool {
        fits(self.source, |asked| within(asked, transform.source))
            && fits(self.destination, |asked| {
                within(asked, transform.destination)
            })
            && fits(self.protocol, |asked| asked == transform.protocol)
            && fits(self.mode, |asked| asked as u8 == transform.mode)
            && fits(self.spi, |asked| asked == transform.spi)
            && fits(self.reqid, |asked| asked == transform.reqid)
    }
}

/// What is asked of the transforms of a packet, one element each.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Elements(pub KVec<Element>);

impl Elements {
    /// How many elements there may be.
    pub const MAX: usize = 4;

    const ELEMENT: u16 = 2;
}

static ELEMENTS: Set = Set {
    name: "policy-elements-attrs",
    attributes: &[Spec {
        id: Elements::ELEMENT,
        name: "element",
        kind: field::Kind::Nest(&Element::SET),
    }],
};

/// On netlink: an attribute for each element, in their order.
impl Field for Elements {
    const KIND: field::Kind = field::Kind::Nest(&ELEMENTS);

    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        if self.0.is_empty() {
            return Ok(());
        }
        to.nest(id, |to| {
            let mut elements = self.0.iter();
            elements.try_for_each(|element| element.put(Self::ELEMENT, to))
        })
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let mut elements = KVec::new();
        for attribute in from.nested() {
            let attribute = attribute?;
            if attribute.id != Self::ELEMENT {
                return Err(attribute.error(Errno::NotSupported, "attribute is not known"));
            }
            if elements.len() == Self::MAX {
                return Err(attribute.error(Errno::TooBig, "a policy has 4 elements at most"));
            }
            elements.push(Element::decode(&attribute)?, GFP_KERNEL)?;
        }
        Ok(Self(elements))
    }
}

wire! {
    /// The match.
    #[derive(Debug, PartialEq, Eq)]
    pub struct Policy, "policy-attrs" {
        /// `--dir`
        2 direction: Direction,
        /// `--pol none`: IPsec does not handle the packet.
        3 none: bool,
        /// `--strict`: the elements are those of all transforms, in their order. Otherwise there is one, of any.
        4 strict: bool,
        /// The elements.
        5 elements: Elements,
    }
}

impl Policy {
    /// Whether one transform is what is asked for.
    fn holds_of_any(&self, packet: &Body<'_>) -> bool {
        let Some(element) = self.elements.0.first() else {
            return false;
        };
        let mut transforms =
            (0..).map_while(|index| packet.source().transform(self.direction, index));
        transforms.any(|transform| element.holds(&transform))
    }

    /// Whether each transform is what is asked for, and none is missing.
    fn holds_of_all(&self, packet: &Body<'_>) -> bool {
        let transform = |index| packet.source().transform(self.direction, index);
        let mut elements = self.elements.0.iter().enumerate();
        elements.all(|(index, element)| {
            transform(index).is_some_and(|transform| element.holds(&transform))
        }) && transform(self.elements.0.len()).is_none()
    }
}

impl Matcher for Policy {
    fn check(&self, family: Family, _: &Rule) -> Result<(), &'static str> {
        let elements = &self.elements.0;
        if self.none {
            if self.strict || !elements.is_empty() {
                return Err(
                    "--pol none can't be combined with --strict or what is asked of a policy",
                );
            }
            return Ok(());
        }
        match (elements.len(), self.strict) {
            (0, _) => return Err("a policy has no element"),
            (2.., false) => return Err("--next needs --strict"),
            _ => (),
        }
        if self.strict && elements.iter().any(Element::is_empty) {
            return Err("with --strict something must be asked of each element");
        }
        elements
            .iter()
            .try_for_each(|element| element.check(family))
    }

    fn check_hook(&self, hook: Hook) -> Result<(), &'static str> {
        match self.direction {
            Direction::In if !hook.has_input() => Err("--dir in where packets do not come in"),
            Direction::Out if !hook.has_output() => Err("--dir out where packets do not go out"),
            _ => Ok(()),
        }
    }

    fn bind(&mut self, machine: &dyn Machine) -> Result<(), &'static str> {
        machine.provide(Fact::Ipsec)
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let handled = packet.source().transform(self.direction, 0).is_some();
        Outcome::from(match (handled, self.none) {
            (false, none) => none,
            (true, true) => false,
            (true, false) if self.strict => self.holds_of_all(packet),
            (true, false) => self.holds_of_any(packet),
        })
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        let mut elements = KVec::with_capacity(self.elements.0.len(), GFP_KERNEL)?;
        elements.extend_from_slice(&self.elements.0, GFP_KERNEL)?;
        Ok(Self {
            elements: Elements(elements),
            ..*self
        })
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_policy))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{flat, holds_of, TCP_V4, UDP_V6};
    use crate::engine::packet::{Flat, Transforms};

    #[test]
    fn whether_there_is_any() {
        for direction in Direction::ALL {
            for none in [false, true] {
                let mut match_ = asked(direction, false, [Element::default()]);
                if none {
                    match_ = Policy {
                        none,
                        elements: Elements::default(),
                        ..match_
                    };
                }
                assert_eq!(seen(&match_, direction, &[]), none);
                assert_eq!(seen(&match_, direction, &[ESP]), !none);
                // What is done on the other way does not count.
                let other = match direction {
                    Direction::In => Direction::Out,
                    Direction::Out => Direction::In,
                };
                assert_eq!(seen(&match_, other, &[ESP]), none);
            }
        }
    }

    #[test]
    fn each_thing_that_can_be_asked() {
        for not in [false, true] {
            for (hit, element) in [
                (true, protocol(protocol::ESP, not)),
                (false, protocol(protocol::AH, not)),
                (true, mode(Mode::Tunnel, not)),
                (false, mode(Mode::Transport, not)),
                (true, spi(0x1234_5678, not)),
                (false, spi(0x7856_3412, not)),
                (true, reqid(7, not)),
                (false, reqid(8, not)),
                (true, source(prefix([10, 0, 1, 1], 32), not)),
                (true, source(prefix([10, 0, 1, 0], 24), not)),
                (true, source(prefix([0, 0, 0, 0], 0), not)),
                (false, source(prefix([10, 0, 2, 2], 32), not)),
                (true, destination(prefix([10, 0, 2, 2], 32), not)),
                (false, destination(prefix([10, 0, 1, 1], 32), not)),
            ] {
                for strict in [false, true] {
                    let match_ = asked(Direction::Out, strict, [element.clone()]);
                    assert_eq!(seen(&match_, Direction::Out, &[ESP]), hit != not);
                }
            }
        }
        // All must hold of one transform.
        let both = |reqid| Element {
            protocol: Some(Not::is(protocol::ESP)),
            ..self::reqid(reqid, false)
        };
        for (number, hit) in [(7, true), (9, false)] {
            let match_ = asked(Direction::In, false, [both(number)]);
            assert_eq!(seen(&match_, Direction::In, &[ESP, AH]), hit);
        }
    }

    #[test]
    fn an_address_of_the_other_family_is_none_of_them() {
        let v6 = Transform {
            source: IpAddr::from([0; 16]),
            ..ESP
        };
        for not in [false, true] {
            let match_ = asked(Direction::In, false, [source(prefix([0; 4], 0), not)]);
            assert_eq!(seen(&match_, Direction::In, &[v6]), not);
        }
    }

    #[test]
    fn one_of_several() {
        for (number, hit) in [(7, true), (9, true), (8, false)] {
            let match_ = asked(Direction::In, false, [reqid(number, false)]);
            assert_eq!(seen(&match_, Direction::In, &[ESP, AH]), hit);
        }
    }

    #[test]
    fn all_in_their_order() {
        let (seven, nine) = (|| reqid(7, false), || reqid(9, false));
        for (transforms, one, two, turned) in [
            (&[ESP, AH][..], false, true, false),
            (&[AH, ESP], false, false, true),
            (&[ESP], true, false, false),
            (&[AH], false, false, false),
            (&[ESP, AH, ESP], false, false, false),
        ] {
            let way = Direction::Out;
            assert_eq!(seen(&asked(way, true, [seven()]), way, transforms), one);
            assert_eq!(
                seen(&asked(way, true, [seven(), nine()]), way, transforms),
                two
            );
            assert_eq!(
                seen(&asked(way, true, [nine(), seven()]), way, transforms),
                turned
            );
        }
    }

    #[test]
    fn what_can_be_asked() {
        let rule = Rule::default();
        let fits = |match_: Policy| match_.check(Family::V4, &rule).is_ok();
        let way = Direction::In;
        assert!(fits(asked(way, false, [Element::default()])));
        assert!(!fits(asked(way, true, [Element::default()])));
        assert!(!fits(asked(way, false, [])));
        assert!(!fits(asked(way, false, [reqid(1, false), reqid(2, false)])));
        assert!(fits(asked(way, true, [reqid(1, false), reqid(2, false)])));
        assert!(!fits(asked(
            way,
            true,
            [reqid(1, false), Element::default()]
        )));
        assert!(!fits(asked(way, false, [protocol(protocol::TCP, false)])));
        assert!(fits(asked(way, false, [protocol(protocol::COMP, true)])));
        for (asked_mode, not, tunnel) in [
            (None, false, false),
            (Some(Mode::Tunnel), false, true),
            (Some(Mode::Tunnel), true, false),
            (Some(Mode::Transport), false, false),
            (Some(Mode::Transport), true, true),
        ] {
            let element = Element {
                mode: asked_mode.map(|value| Not { value, not }),
                ..destination(prefix([10, 0, 0, 1], 32), false)
            };
            assert_eq!(fits(asked(way, false, [element.clone()])), tunnel);
            // In a rule of the other family never.
            assert!(asked(way, false, [element])
                .check(Family::V6, &rule)
                .is_err());
        }
        let none = |strict, elements: usize| {
            let mut match_ = asked(way, strict, []);
            match_.none = true;
            for _ in 0..elements {
                match_.elements.0.push(reqid(1, false), GFP_KERNEL).unwrap();
            }
            match_
        };
        assert!(fits(none(false, 0)));
        assert!(!fits(none(true, 0)));
        assert!(!fits(none(false, 1)));
    }

    #[test]
    fn where_it_can_be_asked() {
        for hook in Hook::ALL {
            let fits = |way| asked(way, false, []).check_hook(hook).is_ok();
            assert_eq!(fits(Direction::In), hook.has_input());
            assert_eq!(fits(Direction::Out), hook.has_output());
        }
    }

    const ESP: Transform = Transform {
        source: IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 1, 1)),
        destination: IpAddr::V4(core::net::Ipv4Addr::new(10, 0, 2, 2)),
        protocol: protocol::ESP,
        mode: Mode::Tunnel as u8,
        spi: 0x1234_5678,
        reqid: 7,
    };
    const AH: Transform = Transform {
        protocol: protocol::AH,
        mode: Mode::Transport as u8,
        reqid: 9,
        ..ESP
    };

    fn asked<const N: usize>(direction: Direction, strict: bool, list: [Element; N]) -> Policy {
        let mut elements = KVec::new();
        for element in list {
            elements.push(element, GFP_KERNEL).unwrap();
        }
        Policy {
            direction,
            none: false,
            strict,
            elements: Elements(elements),
        }
    }

    /// Whether it holds of packets of both families with these transforms on a way.
    fn seen(match_: &Policy, way: Direction, transforms: &[Transform]) -> bool {
        let transforms = match way {
            Direction::In => Transforms {
                undone: transforms,
                to_do: &[],
            },
            Direction::Out => Transforms {
                undone: &[],
                to_do: transforms,
            },
        };
        let [v4, v6] = [(Family::V4, TCP_V4), (Family::V6, UDP_V6)].map(|(family, bytes)| {
            let packet = Flat {
                transforms,
                ..flat(bytes)
            };
            holds_of(family, match_, &packet)
        });
        assert!(v4 == v6);
        v4 == Outcome::Yes
    }

    fn prefix(octets: [u8; 4], bits: u32) -> Prefix {
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        Prefix {
            address: IpAddr::from(octets),
            mask: IpAddr::from(mask.to_be_bytes()),
        }
    }

    fn source(value: Prefix, not: bool) -> Element {
        Element {
            source: Some(Not { value, not }),
            ..Element::default()
        }
    }

    fn destination(value: Prefix, not: bool) -> Element {
        Element {
            destination: Some(Not { value, not }),
            ..Element::default()
        }
    }

    fn protocol(value: u8, not: bool) -> Element {
        Element {
            protocol: Some(Not { value, not }),
            ..Element::default()
        }
    }

    fn mode(value: Mode, not: bool) -> Element {
        Element {
            mode: Some(Not { value, not }),
            ..Element::default()
        }
    }

    fn spi(value: u32, not: bool) -> Element {
        Element {
            spi: Some(Not { value, not }),
            ..Element::default()
        }
    }

    fn reqid(value: u32, not: bool) -> Element {
        Element {
            reqid: Some(Not { value, not }),
            ..Element::default()
        }
    }
}

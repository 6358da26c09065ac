// SPDX-License-Identifier: GPL-2.0
//! `-m addrtype`: what the packet's addresses are to this machine.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{AddressTypes, Body, Family, Hook, Interface};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Errno, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};
use crate::{numbered, wire};
use core::net::IpAddr;

/// On netlink: a mask with bit N set for the type RTN_* of the number N.
impl Field for AddressTypes {
    const KIND: Kind = Kind::U16;

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        self.bits().put(id, to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        Self::new(u16::get(from)?).ok_or(from.invalid("no type of addresses, or one not known"))
    }
}

numbered! { Interface, Errno::Invalid, "neither the input nor the output interface"; }

wire! {
    /// The match.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Addrtype, "addrtype-attrs" {
        /// `--src-type`
        2 source: Option<Not<AddressTypes>>,
        /// `--dst-type`
        3 destination: Option<Not<AddressTypes>>,
        /// `--limit-iface-in` or `--limit-iface-out`: addresses are looked at as if this interface were the only one.
        4 interface: Option<Interface>,
    }
}

impl Addrtype {
    /// The types that addresses of IPv6 can be asked for.
    pub const V6: AddressTypes = Self::BY_BITS.or(Self::BY_ROUTE);

    /// Those that an address of IPv6 is by its bits: all that are asked for must hold.
    const BY_BITS: AddressTypes = AddressTypes::UNSPEC
        .or(AddressTypes::UNICAST)
        .or(AddressTypes::MULTICAST);

    /// Those that it is by its route: one of them must hold.
    const BY_ROUTE: AddressTypes = AddressTypes::LOCAL
        .or(AddressTypes::ANYCAST)
        .or(AddressTypes::UNREACHABLE);

    fn holds(&self, packet: &Body<'_>, asked: Option<Not<AddressTypes>>, address: IpAddr) -> bool {
        let Some(Not { value: asked, not }) = asked else {
            return true;
        };
        let routed = |asked: AddressTypes| {
            let types = packet.source().address_types(address, self.interface);
            asked.and(types) != AddressTypes::NONE
        };
        let holds = match address {
            // By its route an address of IPv4 has one type.
            IpAddr::V4(_) => routed(asked),
            IpAddr::V6(address) => {
                let by_bits = asked.and(Self::BY_BITS);
                let by_route = asked.and(Self::BY_ROUTE);
                by_bits.and(AddressTypes::of_v6(address)) == by_bits
                    && (by_route == AddressTypes::NONE || routed(by_route))
            }
        };
        holds != not
    }
}

impl Matcher for Addrtype {
    fn check(&self, family: Family, _: &Rule) -> Result<(), &'static str> {
        let asked = [self.source, self.destination].into_iter().flatten();
        let asked = asked.fold(AddressTypes::NONE, |all, asked| all.or(asked.value));
        if asked == AddressTypes::NONE {
            return Err("addrtype needs --src-type or --dst-type");
        }
        if family == Family::V6 && asked.and(Self::V6) != asked {
            return Err("IPv6 has no such type of addresses");
        }
        Ok(())
    }

    fn check_hook(&self, hook: Hook) -> Result<(), &'static str> {
        match self.interface {
            Some(Interface::Input) if !hook.has_input() => {
                Err("--limit-iface-in where there is no input interface")
            }
            Some(Interface::Output) if !hook.has_output() => {
                Err("--limit-iface-out where there is no output interface")
            }
            _ => Ok(()),
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let (source, destination) = (packet.source_address(), packet.destination_address());
        Outcome::from(
            self.holds(packet, self.source, source)
                && self.holds(packet, self.destination, destination),
        )
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_addrtype))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{flat, holds_of, Bytes, TCP_V4, UDP_V6};
    use crate::engine::packet::{Flat, Routes};

    #[test]
    fn an_address_of_ipv4_has_one_type() {
        for number in 0..12 {
            let type_ = AddressTypes::from_number(number);
            let other = AddressTypes::from_number((number + 1) % 12);
            for (asked, hit) in [
                (type_, true),
                (type_.or(other), true),
                (other, false),
                (AddressTypes::ALL, true),
            ] {
                for not in [false, true] {
                    let asked = Some(Not { value: asked, not });
                    let match_ = source(asked);
                    assert_eq!(asked_v4(match_, None, type_, other), hit != not);
                    let match_ = destination(asked);
                    assert_eq!(asked_v4(match_, None, other, type_), hit != not);
                }
            }
        }
    }

    #[test]
    fn both_addresses_must_be_what_is_asked() {
        let (local, unicast) = (AddressTypes::LOCAL, AddressTypes::UNICAST);
        for (from, to, hit) in [
            (unicast, local, true),
            (unicast, unicast, false),
            (local, local, false),
            (local, unicast, false),
        ] {
            let match_ = Addrtype {
                source: Some(Not::is(unicast)),
                destination: Some(Not::is(local)),
                interface: None,
            };
            assert_eq!(asked_v4(match_, None, from, to), hit);
        }
    }

    #[test]
    fn an_interface_alone() {
        let local = AddressTypes::LOCAL;
        for (interface, stated, hit) in [
            (None, None, true),
            (Some(Interface::Input), None, false),
            (Some(Interface::Input), Some(Interface::Input), true),
            (Some(Interface::Input), Some(Interface::Output), false),
            (Some(Interface::Output), Some(Interface::Output), true),
        ] {
            let match_ = Addrtype {
                interface,
                ..source(Some(Not::is(local)))
            };
            assert_eq!(asked_v4(match_, stated, local, local), hit);
        }
    }

    #[test]
    fn what_an_address_of_ipv6_is_by_its_bits() {
        let (unspec, unicast, multicast) = (
            AddressTypes::UNSPEC,
            AddressTypes::UNICAST,
            AddressTypes::MULTICAST,
        );
        for (first, last, type_) in [
            (0, 0, unspec),
            (0, 1, unicast),
            (0, 0x0a00_0001, unicast),
            (0, 0xffff_0a00_0001, AddressTypes::NONE),
            (1, 0xffff_0a00_0001, unicast),
            (0x2001_0db8 << 32, 1, unicast),
            (0xfc00 << 48, 1, unicast),
            (0xfe80 << 48, 1, unicast),
            (0xfec0 << 48, 1, unicast),
            (0xfeff << 48, u64::MAX, unicast),
            (0xff00 << 48, 0, multicast),
            (0xff02 << 48, 1, multicast),
        ] {
            for asked in [unspec, unicast, multicast] {
                for not in [false, true] {
                    let match_ = source(Some(Not { value: asked, not }));
                    let hit = (type_ == asked) != not;
                    assert_eq!(asked_v6(match_, first, last, AddressTypes::NONE), hit);
                }
            }
            // No address is two of them.
            let match_ = source(Some(Not::is(unicast.or(multicast))));
            assert!(!asked_v6(match_, first, last, AddressTypes::NONE));
        }
    }

    #[test]
    fn what_an_address_of_ipv6_is_by_its_route() {
        let (local, anycast, unreachable) = (
            AddressTypes::LOCAL,
            AddressTypes::ANYCAST,
            AddressTypes::UNREACHABLE,
        );
        let global = 0x2001_0db8 << 32;
        for (stated, asked, hit) in [
            (local, local, true),
            (local, anycast, false),
            (local, anycast.or(local), true),
            (local.or(anycast), anycast, true),
            (anycast, local.or(unreachable), false),
            (unreachable, unreachable, true),
            (AddressTypes::NONE, local.or(anycast).or(unreachable), false),
            // With one by its bits, both must hold.
            (local, local.or(AddressTypes::UNICAST), true),
            (local, local.or(AddressTypes::MULTICAST), false),
            (anycast, local.or(AddressTypes::UNICAST), false),
        ] {
            for not in [false, true] {
                let match_ = source(Some(Not { value: asked, not }));
                assert_eq!(asked_v6(match_, global, 1, stated), hit != not);
            }
        }
    }

    #[test]
    fn what_can_be_asked() {
        let rule = Rule::default();
        let nothing = source(None);
        assert!(nothing.check(Family::V4, &rule).is_err());
        for number in 0..12 {
            let type_ = AddressTypes::from_number(number);
            for match_ in [
                source(Some(Not::is(type_))),
                destination(Some(Not::is(type_))),
            ] {
                assert!(match_.check(Family::V4, &rule).is_ok());
                let v6 = matches!(number, 0 | 1 | 2 | 4 | 5 | 7);
                assert_eq!(match_.check(Family::V6, &rule).is_ok(), v6);
            }
        }
        for bits in [0, 1 << 12, u16::MAX] {
            assert!(AddressTypes::new(bits).is_none());
        }
        assert!(AddressTypes::from_number(12) == AddressTypes::NONE);
        assert!(AddressTypes::from_number(u32::MAX) == AddressTypes::NONE);
    }

    #[test]
    fn where_it_can_be_asked() {
        for hook in Hook::ALL {
            for (interface, fits) in [
                (None, true),
                (Some(Interface::Input), hook.has_input()),
                (Some(Interface::Output), hook.has_output()),
            ] {
                let match_ = Addrtype {
                    interface,
                    ..source(Some(Not::is(AddressTypes::LOCAL)))
                };
                assert_eq!(match_.check_hook(hook).is_ok(), fits);
            }
        }
    }

    fn source(source: Option<Not<AddressTypes>>) -> Addrtype {
        Addrtype {
            source,
            destination: None,
            interface: None,
        }
    }

    fn destination(destination: Option<Not<AddressTypes>>) -> Addrtype {
        Addrtype {
            source: None,
            destination,
            interface: None,
        }
    }

    /// Whether it holds of a packet whose addresses have these types on an interface.
    fn asked_v4(
        match_: Addrtype,
        on: Option<Interface>,
        from: AddressTypes,
        to: AddressTypes,
    ) -> bool {
        let types = [
            (IpAddr::from([192, 0, 2, 1]), on, from),
            (IpAddr::from([198, 51, 100, 2]), on, to),
        ];
        seen(Family::V4, match_, TCP_V4, &types)
    }

    /// Whether it holds of a packet that comes from this address, which has these types by its route.
    fn asked_v6(match_: Addrtype, first: u64, last: u64, types: AddressTypes) -> bool {
        let address = u128::from(first) << 64 | u128::from(last);
        let octets = address.to_be_bytes();
        let mut bytes = Bytes::of(UDP_V6);
        for (at, octet) in octets.into_iter().enumerate() {
            bytes = bytes.with(8 + at, octet);
        }
        let types = [(IpAddr::from(octets), None, types)];
        seen(Family::V6, match_, &bytes.0, &types)
    }

    fn seen(
        family: Family,
        match_: Addrtype,
        bytes: &[u8],
        types: &[(IpAddr, Option<Interface>, AddressTypes)],
    ) -> bool {
        let packet = Flat {
            routes: Routes {
                types,
                ..Routes::default()
            },
            ..flat(bytes)
        };
        holds_of(family, &match_, &packet) == Outcome::Yes
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-j TEE`: a copy of the packet is sent to another machine of the network.

use core::net::IpAddr;

use crate::engine::packet::Family;
use crate::engine::rules::model::Device;
use crate::wire;

wire! {
    /// The target.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Tee, "tee-attrs" {
        /// `--gateway`: the machine that the copy is sent to, or routed by.
        2 gateway: IpAddr,
        /// `--oif`: the interface that the copy is to go out by.
        3 output: Option<Device>,
    }
}

impl Tee {
    pub(super) fn check(&self, family: Family) -> Result<(), &'static str> {
        let fits = self.gateway.is_ipv4() == (family == Family::V4);
        if !fits {
            Err("TEE needs a gateway of the rule's family")
        } else if self.gateway.is_unspecified() {
            Err("TEE needs the address of a gateway")
        } else if self.output.is_some_and(|device| device.any_ending) {
            Err("TEE sends by one interface")
        } else {
            Ok(())
        }
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_target_tee))]
mod tests {
    use super::*;
    use crate::uapi::attr::{Attr, Writer};
    use crate::uapi::field::Field;
    use core::net::{Ipv4Addr, Ipv6Addr};

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn checks(gateway: IpAddr, output: Option<&str>, family: Family) -> bool {
        let tee = Tee {
            gateway,
            output: output.and_then(|name| Device::from_text(name.as_bytes())),
        };
        tee.check(family).is_ok()
    }

    #[test]
    fn a_gateway_is_one_machine() {
        let v6 = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
        assert!(checks(V4, None, Family::V4) && checks(v6, None, Family::V6));
        assert!(!checks(V4, None, Family::V6) && !checks(v6, None, Family::V4));
        assert!(!checks(Ipv4Addr::UNSPECIFIED.into(), None, Family::V4));
        assert!(!checks(Ipv6Addr::UNSPECIFIED.into(), None, Family::V6));
    }

    #[test]
    fn an_interface_is_one_as_well() {
        assert!(checks(V4, Some("eth0"), Family::V4));
        assert!(!checks(V4, Some("eth+"), Family::V4));
    }

    #[test]
    fn a_gateway_travels() {
        for address in [V4, Ipv6Addr::LOCALHOST.into()] {
            let mut writer = Writer::new(64);
            address.put(2, &mut writer).unwrap();
            let attribute = crate::uapi::attr::Reader::new(writer.bytes()).next();
            let attribute = attribute.unwrap().unwrap();
            assert!(IpAddr::get(&attribute).ok() == Some(address));
            let cut = Attr {
                data: attribute.data.split_last().unwrap().1,
                ..attribute
            };
            assert!(IpAddr::get(&cut).is_err());
        }
    }
}

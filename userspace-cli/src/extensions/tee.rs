// SPDX-License-Identifier: GPL-2.0
//! `-j TEE`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::targets::Tee;

use super::{About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::language::address;

impl Extension for Tee {
    const ABOUT: About = About {
        name: "TEE",
        summary: "send a copy of the packet to another machine, and go on with the next rule",
        options: &[
            Opt::plain("gateway", &["ADDRESS"], "the machine"),
            Opt::plain(
                "oif",
                &["NAME"],
                "the interface that the copy goes out by; what routing says without it",
            ),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let gateway = options.get("gateway").ok_or_else(|| {
            Problem::new(options.span, "`TEE` needs a gateway").expected("--gateway")
        })?;
        let output = options
            .get("oif")
            .map(|given| address::device(given.value()))
            .transpose()?;
        Ok(Self {
            gateway: address::host(gateway.value(), options.family)?,
            output,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let output = self
            .output
            .map(|device| Printed::new("oif", false, device.text()));
        let gateway = Printed::new("gateway", false, self.gateway);
        [Some(gateway), output].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        prints(
            Family::V4,
            &[
                ("-j TEE --gateway 192.0.2.1", "-j TEE --gateway 192.0.2.1"),
                (
                    "-j TEE --oif eth0 --gateway 192.0.2.1",
                    "-j TEE --gateway 192.0.2.1 --oif eth0",
                ),
            ],
        );
        prints(
            Family::V6,
            &[(
                "-j TEE --gateway 2001:DB8:0::1",
                "-j TEE --gateway 2001:db8::1",
            )],
        );
        refuses(
            Family::V4,
            &[
                ("-j TEE", "`TEE` needs a gateway", "TEE"),
                ("-j TEE --oif eth0", "`TEE` needs a gateway", "TEE"),
                (
                    "-j TEE --gateway 2001:db8::1",
                    "IPv6 address in a rule for IPv4",
                    "2001:db8::1",
                ),
                (
                    "-j TEE --gateway 192.0.2.0/24",
                    "`192.0.2.0/24` is not one address",
                    "192.0.2.0/24",
                ),
                (
                    "-j TEE --gateway 192.0.2.1 --oif a/b",
                    "`a/b` can't be an interface",
                    "a/b",
                ),
            ],
        );
    }

    #[test]
    fn what_the_engine_refuses() {
        for rule in [
            "-j TEE --gateway 0.0.0.0",
            "-j TEE --gateway 192.0.2.1 --oif eth+",
        ] {
            crate::language::fixtures::problem_of(rule, Family::V4);
        }
    }
}

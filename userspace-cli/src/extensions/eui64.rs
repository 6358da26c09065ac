// SPDX-License-Identifier: GPL-2.0
//! `-m eui64`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Eui64;

use super::{About, Extension, Options, Printed};
use crate::diagnostic::Problem;

impl Extension for Eui64 {
    const ABOUT: About = About {
        name: "eui64",
        summary:
            "the source address is made of the Ethernet address; for PREROUTING, INPUT and FORWARD",
        family: Some(Family::V6),
        ..About::NONE
    };

    fn parse(_: &Options<'_>) -> Result<Self, Problem> {
        Ok(Self {})
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        prints(
            Family::V6,
            &[
                ("-m eui64 -p udp", "-p udp -m eui64"),
                ("-m eui64", "-m eui64"),
            ],
        );
        refuses(
            Family::V4,
            &[("-m eui64", "match `eui64` is for IPv6 only", "eui64")],
        );
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-j REJECT`: the packet is dropped and its sender told, by an ICMP error or a TCP reset.

use crate::engine::packet::{protocol, Family};
use crate::engine::rules::model::Rule;
use crate::wire;

wire! {
    /// The target.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Reject, "reject-attrs" {
        /// The code of the "destination unreachable" message (RFC 792, RFC 4443); none for a TCP reset.
        2 code: Option<u8>,
    }
}

impl Reject {
    pub(super) fn check(&self, family: Family, rule: &Rule) -> Result<(), &'static str> {
        match (self.code, family) {
            (None, _) if rule.exact_protocol() == Some(protocol::TCP) => Ok(()),
            (None, _) => Err("REJECT with tcp-reset needs -p tcp"),
            (Some(0..=3 | 9 | 10 | 13), Family::V4) | (Some(0..=6), Family::V6) => Ok(()),
            _ => Err("REJECT does not have this code"),
        }
    }
}

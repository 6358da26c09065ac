// SPDX-License-Identifier: GPL-2.0
//! `-j AUDIT`: the packet is told to the kernel's audit subsystem.

use crate::numbered;
use crate::uapi::Errno;
use crate::wire;

/// What happens to the packet, by what the person says who wrote the rule. The record has not told it since
/// Linux 4.12.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum AuditType {
    /// It passes.
    Accept = 0,
    /// It is dropped.
    Drop = 1,
    /// It is rejected.
    Reject = 2,
}

impl AuditType {
    /// The types in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Accept, Self::Drop, Self::Reject];
}

numbered! {
    AuditType, Errno::Range, "audit type must be 0 (accept), 1 (drop) or 2 (reject)";
}

wire! {
    /// The target.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Audit, "audit-attrs" {
        /// `--type`
        2 kind: AuditType,
    }
}

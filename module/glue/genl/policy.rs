// SPDX-License-Identifier: GPL-2.0
//! Netlink policies, made from the one description of the protocol (`uapi`): the core of netlink
//! checks messages by them before we see these, and shows them to whoever asks
//! (CTRL_CMD_GETPOLICY).

use crate::alloc::{AllocError, KVec, GFP_KERNEL};
use crate::glue::bindings;
use crate::uapi::field::{Kind, Set, Spec};
use kernel::ffi::c_uint;

/// A policy as C wants it.
#[derive(Clone, Copy)]
pub(super) struct Policy {
    /// The policies of the attributes, by their numbers.
    pub(super) attributes: *const bindings::nla_policy,
    /// The highest number.
    pub(super) highest: c_uint,
}

/// The tables of all policies; they stay where they are as long as this exists.
#[derive(Default)]
pub(super) struct Policies {
    /// Sets that have a table already, by name: several attributes hold the same set.
    known: KVec<(&'static str, Policy)>,
    tables: KVec<KVec<bindings::nla_policy>>,
}

impl Policies {
    /// Makes a policy that takes those attributes of `set` that `takes` lists, and no other.
    pub(super) fn taking(
        &mut self,
        set: &'static Set,
        takes: &[u16],
    ) -> Result<Policy, AllocError> {
        self.table(set, |spec| takes.contains(&spec.id))
    }

    fn table(
        &mut self,
        set: &'static Set,
        takes: impl Fn(&Spec) -> bool,
    ) -> Result<Policy, AllocError> {
        let highest = set
            .attributes
            .iter()
            .filter(|spec| takes(spec))
            .map(|spec| spec.id)
            .max();
        let highest = highest.unwrap_or_default();
        // What no attribute is there for stays NLA_UNSPEC, which strict validation refuses.
        let none = bindings::nla_policy::default();
        let mut table = KVec::from_elem(none, usize::from(highest) + 1, GFP_KERNEL)?;
        for spec in set.attributes.iter().filter(|spec| takes(spec)) {
            let policy = self.attribute(spec.kind)?;
            if let Some(place) = table.get_mut(usize::from(spec.id)) {
                *place = policy;
            }
        }
        let policy = Policy {
            attributes: table.as_ptr(),
            highest: highest.into(),
        };
        self.tables.push(table, GFP_KERNEL)?;
        Ok(policy)
    }

    fn attribute(&mut self, kind: Kind) -> Result<bindings::nla_policy, AllocError> {
        let (number, len) = match kind {
            Kind::Flag => (bindings::NLA_FLAG, 0),
            Kind::U8 => (bindings::NLA_U8, 0),
            Kind::U16 => (bindings::NLA_U16, 0),
            Kind::U32 => (bindings::NLA_U32, 0),
            Kind::S32 => (bindings::NLA_S32, 0),
            Kind::U64 => (bindings::NLA_U64, 0),
            Kind::Text(longest) => (bindings::NLA_NUL_STRING, longest),
            Kind::Bytes(most) => (bindings::NLA_BINARY, most),
            Kind::Nest(_) => (bindings::NLA_NESTED, 0),
        };
        let mut policy = bindings::nla_policy {
            type_: number as u8,
            len,
            ..Default::default()
        };
        if let Kind::Nest(set) = kind {
            let nested = self.nested(set)?;
            policy.__bindgen_anon_1.nested_policy = nested.attributes;
            policy.len = nested.highest as u16;
        }
        Ok(policy)
    }

    /// Sets nest a few levels deep, by their types: no set holds itself.
    fn nested(&mut self, set: &'static Set) -> Result<Policy, AllocError> {
        if let Some((_, policy)) = self.known.iter().find(|(name, _)| *name == set.name) {
            return Ok(*policy);
        }
        let policy = self.table(set, |_| true)?;
        self.known.push((set.name, policy), GFP_KERNEL)?;
        Ok(policy)
    }
}

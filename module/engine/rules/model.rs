// SPDX-License-Identifier: GPL-2.0
//! Tables, chains and rules as a person wrote them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::Kind;
use super::matches::Match;
use super::targets::Target;
use crate::alloc::{AllocError, Arc, KBox, KVVec, KVec, GFP_KERNEL};
use crate::engine::packet::{DeviceName, Family, Hook};
use crate::engine::text::{Name, Str};
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{self, Field, Not, Set};
use crate::wire;

/// An address and the bits of it that count. The mask need not be a prefix, as in iptables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The address, its bits outside the mask zero.
    pub address: IpAddr,
    /// The mask, of the same family.
    pub mask: IpAddr,
}

impl Prefix {
    /// The family of the address.
    pub fn family(&self) -> Family {
        match self.address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }
}

/// On netlink: the address and then the mask, each of 4 or 16 bytes in network order.
impl Field for Prefix {
    const KIND: field::Kind = field::Kind::Bytes(32);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        match (self.address, self.mask) {
            (IpAddr::V4(address), IpAddr::V4(mask)) => {
                let both = u64::from(u32::from(address)) << 32 | u64::from(u32::from(mask));
                to.put(id, &both.to_be_bytes())
            }
            (address, mask) => {
                let octets = |address: IpAddr| match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                    IpAddr::V6(address) => address.octets(),
                };
                let mut both = [0; 32];
                for (to, from) in both
                    .iter_mut()
                    .zip(octets(address).into_iter().chain(octets(mask)))
                {
                    *to = from;
                }
                to.put(id, &both)
            }
        }
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let prefix = if let Ok(both) = <[u8; 8]>::try_from(from.data) {
            let both = u64::from_be_bytes(both);
            let half = |word: u64| IpAddr::V4(Ipv4Addr::from((word & 0xffff_ffff) as u32));
            Self {
                address: half(both >> 32),
                mask: half(both),
            }
        } else {
            let half = |octets: Option<&[u8; 16]>| {
                octets.map(|octets| IpAddr::V6(Ipv6Addr::from(*octets)))
            };
            match (
                from.data.len(),
                half(from.data.first_chunk()),
                half(from.data.last_chunk()),
            ) {
                (32, Some(address), Some(mask)) => Self { address, mask },
                _ => return Err(from.invalid("address and mask must have 4 or 16 bytes each")),
            }
        };
        let outside = match (prefix.address, prefix.mask) {
            (IpAddr::V4(address), IpAddr::V4(mask)) => u32::from(address) & !u32::from(mask) != 0,
            (IpAddr::V6(address), IpAddr::V6(mask)) => u128::from(address) & !u128::from(mask) != 0,
            _ => true,
        };
        if outside {
            return Err(from.invalid("address has bits outside its mask"));
        }
        Ok(prefix)
    }
}

/// An interface, or all whose names begin alike (`eth+`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// The name, or its beginning.
    pub name: DeviceName,
    /// Whether any ending may follow.
    pub any_ending: bool,
}

impl Device {
    /// Reads the form that rules use: a name, with a plus at its end where any ending may follow.
    pub fn from_text(text: &[u8]) -> Option<Self> {
        let (name, any_ending) = match text {
            // A saved ruleset could not be read back: there a dash begins an option, `!` alone negates one.
            [] | [b'-', ..] | [b'!'] => return None,
            [name @ .., b'+'] => (name, true),
            name => (name, false),
        };
        // The kernel gives no interface such a name (dev_valid_name()), and in a saved ruleset it could end
        // the rule.
        let odd =
            |byte: &u8| byte.is_ascii_whitespace() || byte.is_ascii_control() || *byte == b'/';
        if text.len() > DeviceName::MAX || text.iter().any(odd) {
            return None;
        }
        Some(Self {
            name: DeviceName::from_text(name)?,
            any_ending,
        })
    }

    /// Writes the form that rules use.
    pub fn text(&self) -> Str<16> {
        let name = self.name.text();
        let mut bytes = [0; 16];
        let mut len = 0;
        let plus = self.any_ending.then_some(b'+');
        for (to, from) in bytes
            .iter_mut()
            .zip(name.as_bytes().iter().copied().chain(plus))
        {
            *to = from;
            len += 1;
        }
        Str::new(bytes.get(..len).unwrap_or_default()).unwrap_or_default()
    }
}

impl Field for Device {
    const KIND: field::Kind = field::Kind::Text(DeviceName::MAX as u16);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        self.text().put(id, to)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let text = Str::<16>::get(from)?;
        Self::from_text(text.as_bytes()).ok_or(from.invalid("not the name of an interface"))
    }
}

/// The matches of a rule, in the order in which they are asked.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Matches(pub KVec<Match>);

impl Matches {
    /// How many matches a rule may have.
    pub const MAX: usize = u8::MAX as usize;
}

impl Field for Matches {
    const KIND: field::Kind = field::Kind::Nest(&MATCHES);

    fn absent() -> Option<Self> {
        Some(Self::default())
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        if self.0.is_empty() {
            return Ok(());
        }
        to.nest(id, |to| self.0.iter().try_for_each(|item| item.encode(to)))
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let mut matches = KVec::new();
        for attribute in from.nested() {
            matches.push(Match::decode(&attribute?)?, GFP_KERNEL)?;
        }
        Ok(Self(matches))
    }
}

static MATCHES: Set = Match::SET;

wire! {
    /// One rule.
    #[derive(Debug, PartialEq, Eq)]
    pub struct Rule, "rule-attrs" {
        /// Where the packet comes from (`-s`).
        2 source: Option<Not<Prefix>>,
        /// Where the packet goes to (`-d`).
        3 destination: Option<Not<Prefix>>,
        /// The interface that the packet came in by (`-i`).
        4 input: Option<Not<Device>>,
        /// The interface that the packet goes out by (`-o`).
        5 output: Option<Not<Device>>,
        /// The transport protocol (`-p`); zero stands for all.
        6 protocol: Option<Not<u8>>,
        /// The packet is a fragment other than the first (`-f`); IPv4 only.
        7 fragment: Option<Not<bool>>,
        /// What else must hold of the packet.
        8 matches: Matches,
        /// What happens to a packet of which all holds.
        9 target: Target,
    }
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            source: None,
            destination: None,
            input: None,
            output: None,
            protocol: None,
            fragment: None,
            matches: Matches::default(),
            target: Target::Continue,
        }
    }
}

impl Rule {
    /// The protocol that every packet of the rule has; `None` where packets of several can match.
    pub fn exact_protocol(&self) -> Option<u8> {
        self.protocol
            .filter(|protocol| !protocol.not && protocol.value != 0)
            .map(|protocol| protocol.value)
    }

    /// Whether some match decides by the packets before.
    pub fn remembers(&self) -> bool {
        self.matches.0.iter().any(Match::remembers)
    }

    /// A copy of the rule with another target.
    pub fn try_clone_with(&self, target: Target) -> Result<Self, AllocError> {
        let mut matches = KVec::with_capacity(self.matches.0.len(), GFP_KERNEL)?;
        for item in &self.matches.0 {
            matches.push(item.try_clone()?, GFP_KERNEL)?;
        }
        let Self {
            source,
            destination,
            input,
            output,
            protocol,
            fragment,
            ..
        } = *self;
        let matches = Matches(matches);
        Ok(Self {
            source,
            destination,
            input,
            output,
            protocol,
            fragment,
            matches,
            target,
        })
    }

    /// Checks all of the rule that does not depend on the chain it stands in.
    ///
    /// # Errors
    ///
    /// Says what can't be, in words that fit the rule's text as well as its netlink form.
    pub fn check(&self, family: Family) -> Result<(), Kind> {
        for prefix in [self.source, self.destination].into_iter().flatten() {
            if prefix.value.family() != family {
                return Err(Kind::MixedFamilies);
            }
        }
        if self
            .protocol
            .is_some_and(|protocol| protocol.not && protocol.value == 0)
        {
            return Err(Kind::Extension("no packet matches ! -p all"));
        }
        if self.fragment.is_some() && family == Family::V6 {
            return Err(Kind::Extension("-f is for IPv4 only"));
        }
        if self.matches.0.len() > Matches::MAX {
            return Err(Kind::TooManyMatches);
        }
        for item in &self.matches.0 {
            item.check(family, self).map_err(Kind::Extension)?;
        }
        self.target.check(family, self).map_err(Kind::Extension)
    }
}

/// How many packets met a rule or a policy, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes from the network header on.
    pub bytes: u64,
}

/// What happens to packets that no rule of a built-in chain decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Policy {
    /// They pass.
    #[default]
    Accept = 0,
    /// They are dropped.
    Drop = 1,
}

impl Policy {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Accept, Self::Drop];
}

/// The counters of a rule or policy, from one ruleset to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// The slot that the same rule or policy has in the ruleset that this one was made from: its counts go
    /// on. `None` where it is new.
    pub previous: Option<u32>,
    /// What the counters of a new one begin with.
    pub initial: Counters,
}

/// A rule in its chain.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The rule, shared with the rulesets before and after that have it too.
    pub rule: Arc<Rule>,
    /// Its counters.
    pub slot: Slot,
}

/// What a built-in chain has beside its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Where packets enter the chain.
    pub hook: Hook,
    /// What happens at its end.
    pub policy: Policy,
    /// The policy's counters.
    pub slot: Slot,
}

/// A chain of rules.
#[derive(Debug)]
pub struct Chain {
    /// The chain's name.
    pub name: Name,
    /// What makes it a built-in chain; `None` for one that a person made.
    pub base: Option<Base>,
    /// The rules, in order.
    pub rules: KVVec<Entry>,
}

/// A table of chains.
#[derive(Debug)]
pub struct Table {
    /// The family whose packets it sees.
    pub family: Family,
    /// The table's name.
    pub name: Name,
    /// Whether a person defined the table, and so its hooks and place.
    pub own: bool,
    /// Where it stands among the tables of a hook: lower comes first. The numbers are netfilter's
    /// (NF_IP_PRI_*): filter is 0.
    pub place: i32,
    /// Built-in chains in the order of their hooks, then the others by name.
    pub chains: KVVec<KBox<Chain>>,
}

impl Table {
    /// The chain of this name, by its index in `chains`.
    pub fn find(&self, name: &Name) -> Option<usize> {
        self.position(name).ok()
    }

    /// Where the chain of this name is, or else where it would be.
    pub(super) fn position(&self, name: &Name) -> Result<usize, usize> {
        let built_in = self
            .chains
            .iter()
            .take_while(|chain| chain.base.is_some())
            .count();
        if let Some(index) = self
            .chains
            .iter()
            .take(built_in)
            .position(|chain| chain.name == *name)
        {
            return Ok(index);
        }
        let others = self.chains.get(built_in..).unwrap_or_default();
        others
            .binary_search_by(|chain| chain.name.cmp(name))
            .map(|index| index + built_in)
            .map_err(|index| index + built_in)
    }

    /// The hooks that the table takes part in, in order.
    pub fn hooks(&self) -> impl Iterator<Item = Hook> + '_ {
        self.chains
            .iter()
            .filter_map(|chain| chain.base.map(|base| base.hook))
    }
}

/// All tables of a network namespace.
#[derive(Debug, Default)]
pub struct Model {
    /// The tables: by family, then by place, then by name.
    pub tables: KVec<Table>,
}

impl Model {
    /// The table of this name.
    pub fn find(&self, family: Family, name: &Name) -> Option<&Table> {
        self.tables
            .iter()
            .find(|table| table.family == family && table.name == *name)
    }

    /// A copy that shares the rules themselves, for the ruleset that comes after this one: every rule and
    /// policy knows which of the counters of [`Program::slots`](super::Program::slots) were its own.
    pub fn successor(&self) -> Result<Self, AllocError> {
        let mut slots = 0..;
        let mut next = || Slot {
            previous: slots.next(),
            initial: Counters::default(),
        };
        let mut tables = KVec::with_capacity(self.tables.len(), GFP_KERNEL)?;
        for table in &self.tables {
            let mut chains = KVVec::with_capacity(table.chains.len(), GFP_KERNEL)?;
            for chain in &table.chains {
                let base = chain.base.map(|base| Base {
                    slot: next(),
                    ..base
                });
                let mut rules = KVVec::with_capacity(chain.rules.len(), GFP_KERNEL)?;
                for entry in &chain.rules {
                    let entry = Entry {
                        rule: entry.rule.clone(),
                        slot: next(),
                    };
                    rules.push(entry, GFP_KERNEL)?;
                }
                let chain = Chain {
                    name: chain.name,
                    base,
                    rules,
                };
                chains.push(KBox::new(chain, GFP_KERNEL)?, GFP_KERNEL)?;
            }
            let Table {
                family,
                name,
                own,
                place,
                ..
            } = *table;
            tables.push(
                Table {
                    family,
                    name,
                    own,
                    place,
                    chains,
                },
                GFP_KERNEL,
            )?;
        }
        Ok(Self { tables })
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_model))]
mod tests {
    use super::*;

    #[test]
    fn names_of_interfaces_can_be_read_back() {
        for name in [&b"eth0"[..], b"eth+", b"+", b"a-b", b"!x", b"#"] {
            let device = Device::from_text(name).unwrap();
            assert!(device.text().as_bytes() == name);
        }
        for name in [&b""[..], b"-j", b"-", b"!", b"a b", b"a/b", b"a\rb"] {
            assert!(Device::from_text(name).is_none());
        }
    }
}

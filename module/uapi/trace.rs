// SPDX-License-Identifier: GPL-2.0
//! What is told of a traced packet: one step of it a message.

use super::attr::{Attr, Errno, Error, Full, Writer};
use super::field::{Field, Kind};
use crate::engine::packet::{DeviceName, Family, Hook};
use crate::engine::rules::trace::{Met, Next};
use crate::engine::text::Name;
use crate::{numbered, wire};

numbered! {
    Hook, Errno::Invalid, "hook must be one of netfilter's (NF_INET_*)";
    Met, Errno::NotSupported, "step of a trace is not known";
    Next, Errno::NotSupported, "outcome of a trace's step is not known";
}

/// The first bytes of a packet, from the network header on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    bytes: [u8; Self::MAX],
    len: usize,
}

impl Head {
    /// How many bytes are told at most: the headers of nearly every packet.
    pub const MAX: usize = 128;

    /// Takes the first bytes of a packet of `len` bytes over, as `copy` puts them down; none when that fails.
    pub fn new(len: usize, copy: impl FnOnce(&mut [u8]) -> bool) -> Self {
        let mut head = Self {
            bytes: [0; Self::MAX],
            len: len.min(Self::MAX),
        };
        if !head.bytes.get_mut(..head.len).is_some_and(copy) {
            head.len = 0;
        }
        head
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Field for Head {
    const KIND: Kind = Kind::Bytes(Self::MAX as u16);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        to.put(id, self.as_bytes())
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        if from.data.len() > Self::MAX {
            return Err(from.error(Errno::Range, "too many bytes of a packet"));
        }
        Ok(Self::new(from.data.len(), |to| {
            to.iter_mut()
                .zip(from.data)
                .for_each(|(to, from)| *to = *from);
            true
        }))
    }
}

wire! {
    /// One step of a traced packet.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Trace, "trace-attrs" {
        /// A number that the steps of a packet have in common. Those of two packets that are on their way at the
        /// same time differ, but for rare chance.
        2 id: u32,
        /// The packet's family.
        3 family: Family,
        /// Where in the network stack it is.
        4 hook: Hook,
        /// The table.
        5 table: Name,
        /// The chain.
        6 chain: Name,
        /// What the packet met there.
        7 met: Met,
        /// The number of the rule in its chain, counted from 1; what comes behind all rules counts as one more.
        8 number: u32,
        /// What becomes of the packet.
        9 next: Next,
        /// The chain that it goes to.
        10 to: Option<Name>,
        /// Why it is dropped.
        11 reason: Option<Name>,
        /// The interface that it came in by.
        12 input: Option<DeviceName>,
        /// The interface that it goes out by.
        13 output: Option<DeviceName>,
        /// Its mark.
        14 mark: u32,
        /// Its length in bytes, from the network header on.
        15 length: u32,
        /// Its first bytes, from the network header on.
        16 packet: Head,
    }
}

impl Trace {
    /// How many bytes the attribute of a step takes at most.
    pub const ROOM: usize = 512;
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_uapi_trace))]
mod tests {
    use super::*;
    use crate::uapi::attr::Reader;

    /// A step of which everything is as long as can be.
    fn longest() -> Trace {
        let name = Name::new(&[b'n'; Name::MAX]).unwrap();
        let device = DeviceName::from_text(&[b'd'; DeviceName::MAX]).unwrap();
        Trace {
            id: 1,
            family: Family::V6,
            hook: Hook::PostRouting,
            table: name,
            chain: name,
            met: Met::Rule,
            number: u32::MAX,
            next: Next::Goto,
            to: Some(name),
            reason: Some(name),
            input: Some(device),
            output: Some(device),
            mark: 7,
            length: 1500,
            packet: Head::new(1500, |to| {
                to.fill(0xa5);
                true
            }),
        }
    }

    #[test]
    fn a_step_fits_and_is_read_back() {
        let mut writer = Writer::atomic(Trace::ROOM).unwrap();
        longest().put(1, &mut writer).unwrap();
        let attribute = Reader::new(writer.bytes()).next().unwrap().unwrap();
        assert!(Trace::get(&attribute).ok() == Some(longest()));
    }

    #[test]
    fn a_packet_that_can_not_be_read_has_no_bytes() {
        assert!(Head::new(20, |_| false).as_bytes().is_empty());
        assert_eq!(Head::new(20, |_| true).as_bytes().len(), 20);
        assert_eq!(Head::new(2000, |_| true).as_bytes().len(), Head::MAX);
    }
}

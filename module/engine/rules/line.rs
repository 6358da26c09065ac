// SPDX-License-Identifier: GPL-2.0
//! One rule as packets meet it.
//!
//! Most packets walk past most rules, so a line is made to be passed quickly. What nearly all rules ask for
//! is kept as a [`Quick`] test: address, protocol and ports, each a comparison that needs no flag to tell
//! whether it is asked at all, since a mask of zero and the range of all ports let everything through. What
//! is rarer ([`More`], matches) is looked at only where the quick test did not exclude the packet. A negated
//! value can't be asked quickly; its place in the quick test lets everything through.

use super::matches::{Outcome, PortPair, PortRange};
use super::model::Device;
use super::program::Rules;
use super::targets::{Nfqueue, Reject, SetMark};
use crate::engine::conntrack::Assignment;
use crate::engine::packet::{DeviceName, DropReason, Packet, V6};
use crate::uapi::field::Not;

/// An address as a family compares it.
pub(super) trait Address: Copy + Default {
    /// Whether the bits under `mask` differ from those of `asked`.
    fn differs(self, asked: Self, mask: Self) -> bool;
}

impl Address for u32 {
    #[inline(always)]
    fn differs(self, asked: Self, mask: Self) -> bool {
        self & mask != asked
    }
}

impl Address for V6 {
    #[inline(always)]
    fn differs(self, asked: Self, mask: Self) -> bool {
        let ([a, b], [c, d], [e, f]) = (self.0, asked.0, mask.0);
        (a & e ^ c) | (b & f ^ d) != 0
    }
}

/// An address and the bits of it that count.
#[derive(Clone, Copy, Default)]
pub(super) struct Masked<A> {
    pub address: A,
    pub mask: A,
}

impl<A: Address> Masked<A> {
    #[inline(always)]
    fn excludes(&self, address: A) -> bool {
        address.differs(self.address, self.mask)
    }
}

/// Ports, held so that one comparison tells.
#[derive(Clone, Copy)]
pub(super) struct Span {
    first: u16,
    /// How many ports follow the first.
    more: u16,
}

impl Span {
    pub(super) const ALL: Self = Self {
        first: 0,
        more: u16::MAX,
    };

    #[inline(always)]
    fn excludes(&self, port: u16) -> bool {
        // A port below the first wraps around to a large number.
        port.wrapping_sub(self.first) > self.more
    }
}

impl From<PortRange> for Span {
    fn from(range: PortRange) -> Self {
        Self {
            first: range.first,
            more: range.last.wrapping_sub(range.first),
        }
    }
}

/// What must hold of a packet for the line to match it; it need not be enough.
pub(super) struct Quick<A> {
    pub source: Masked<A>,
    pub destination: Masked<A>,
    pub protocol: u8,
    /// All bits, or none where any protocol will do.
    pub protocol_mask: u8,
    pub source_port: Span,
    pub destination_port: Span,
}

impl<A: Address> Quick<A> {
    #[inline(always)]
    pub(super) fn excludes_addresses(&self, packet: &Packet<'_, A>) -> bool {
        self.source.excludes(packet.source) || self.destination.excludes(packet.destination)
    }

    #[inline(always)]
    pub(super) fn excludes_protocol(&self, protocol: u8) -> bool {
        protocol & self.protocol_mask != self.protocol
    }

    #[inline(always)]
    pub(super) fn excludes_ports(&self, source: u16, destination: u16) -> bool {
        self.source_port.excludes(source) || self.destination_port.excludes(destination)
    }
}

/// What a line asks for; a bit each in [`Line::asks`].
pub(super) mod ask {
    /// The packet must have a protocol to judge by.
    pub(crate) const PROTOCOL: u8 = 1 << 0;
    /// The packet must have ports to judge by.
    pub(crate) const PORTS: u8 = 1 << 1;
    /// There is a [`More`](super::More).
    pub(crate) const MORE: u8 = 1 << 2;
    /// There are matches.
    pub(crate) const MATCHES: u8 = 1 << 3;
    /// The packet must have come in by an interface.
    pub(crate) const INPUT: u8 = 1 << 4;
    /// The packet must go out by an interface.
    pub(crate) const OUTPUT: u8 = 1 << 5;
    /// The packet must be something to its connection.
    pub(crate) const STATES: u8 = 1 << 6;
    /// That is asked before the ports: what comes first decides about a packet that has damaged ports.
    pub(crate) const STATES_FIRST: u8 = 1 << 7;
}

/// A rule as packets meet it.
pub(super) struct Line<A> {
    pub quick: Quick<A>,
    /// Bits of [`ask`].
    pub asks: u8,
    /// How many matches, from `matches` on.
    pub match_count: u8,
    /// What the packet may be to its connection, where that is asked first of all: a bit each, by their numbers.
    pub states: u8,
    /// The first match, by its index.
    pub matches: u32,
    /// The index of the interfaces: of the input's, where it is asked for, and after it the output's.
    pub devices: u32,
    /// The index of what is asked more.
    pub more: u32,
    /// The counters that a hit goes to.
    pub slot: u32,
    pub action: Action,
}

/// What a line does with a packet that it matches.
#[derive(Clone, Copy)]
pub(super) enum Action {
    Continue,
    Accept,
    Drop,
    Return,
    /// The index of a chain.
    Jump(u32),
    /// The index of a chain.
    Goto(u32),
    Reject(Reject),
    Queue(Nfqueue),
    /// The index of what else is done.
    Effect(u32),
    Mark(SetMark),
    Trace,
    Untrack,
    /// The packet is in a zone, if it is tracked.
    Zone(Assignment),
    /// The index of how marks are changed.
    SetConnmark(u32),
}

/// The beginning of an interface name, or all of it.
#[derive(Clone, Copy, Default)]
pub(super) struct DevicePattern {
    pub name: DeviceName,
    pub mask: [u64; 2],
    pub not: bool,
}

impl DevicePattern {
    pub(super) fn new(Not { value, not }: Not<Device>) -> Self {
        Self {
            name: value.name,
            mask: device_mask(value.name, value.any_ending),
            not,
        }
    }

    pub(super) fn excludes(&self, device: DeviceName) -> bool {
        let ([a, b], [c, d], [e, f]) = (device.0, self.name.0, self.mask);
        ((a ^ c) & e | (b ^ d) & f != 0) != self.not
    }
}

/// The bytes of a name that count: its own, and the zero byte behind them where nothing may follow. What a
/// device has behind that byte can be left over from a longer name.
fn device_mask(name: DeviceName, any_ending: bool) -> [u64; 2] {
    let count = name.text().as_bytes().len() + usize::from(!any_ending);
    let ones = [u8::MAX; 16];
    let mut mask = [0; 16];
    for (to, from) in mask.iter_mut().zip(ones.iter().take(count)) {
        *to = *from;
    }
    DeviceName::raw(mask).0
}

/// What few lines ask for: values to be excluded, fragments.
#[derive(Default)]
pub(super) struct More<A> {
    pub not_source: Option<Masked<A>>,
    pub not_destination: Option<Masked<A>>,
    pub not_protocol: Option<u8>,
    /// Ports of which one at least is negated.
    pub ports: PortPair,
    /// Whether the packet must be a fragment other than the first, or must not.
    pub fragment: Option<bool>,
}

impl<A: Address> More<A> {
    /// Whether addresses rule the packet out.
    fn excludes(&self, packet: &Packet<'_, A>) -> bool {
        self.not_source
            .is_some_and(|source| !source.excludes(packet.source))
            || self
                .not_destination
                .is_some_and(|destination| !destination.excludes(packet.destination))
    }
}

impl<A: Address> Line<A> {
    /// Whether the interfaces of a packet, the one that it came in by and the one that it goes out by, are not those
    /// that the line asks for.
    #[inline(always)]
    pub(super) fn excludes_devices(
        &self,
        rules: &Rules<A>,
        [input, output]: &[DeviceName; 2],
    ) -> bool {
        let mut index = self.devices as usize;
        let mut excludes = |device: &DeviceName| {
            let pattern = rules.devices.get(index);
            index += 1;
            pattern.is_none_or(|pattern| pattern.excludes(*device))
        };
        self.asks & ask::INPUT != 0 && excludes(input)
            || self.asks & ask::OUTPUT != 0 && excludes(output)
    }

    /// Whether all holds of the packet that the line asks, when its addresses and interfaces are not excluded. Not
    /// inlined: the loop over lines is to be short, and what this needs kept out of it.
    #[inline(never)]
    pub(super) fn test(&self, rules: &Rules<A>, packet: &Packet<'_, A>) -> Outcome {
        let asks = |what| self.asks & what != 0;
        let more = rules
            .more
            .get(self.more as usize)
            .filter(|_| asks(ask::MORE));
        if more.is_some_and(|more| more.excludes(packet)) {
            return Outcome::No;
        }
        if asks(ask::PROTOCOL) {
            let Some(transport) = packet.body.transport else {
                return Outcome::Drop(DropReason::MalformedExtensions);
            };
            if self.quick.excludes_protocol(transport.protocol)
                || more.is_some_and(|more| more.not_protocol == Some(transport.protocol))
            {
                return Outcome::No;
            }
        }
        if let Some(asked) = more.and_then(|more| more.fragment) {
            let later = packet
                .body
                .transport
                .is_some_and(|transport| transport.fragment != 0);
            if later != asked {
                return Outcome::No;
            }
        }
        if asks(ask::STATES_FIRST) && self.excludes_state(packet) {
            return Outcome::No;
        }
        if asks(ask::PORTS) {
            match packet.body.ports.known() {
                Ok(Some((source, destination))) => {
                    if self.quick.excludes_ports(source, destination) {
                        return Outcome::No;
                    }
                }
                Ok(None) => return Outcome::No,
                Err(reason) => return Outcome::Drop(reason),
            }
            if more.is_some_and(|more| more.ports.test(&packet.body) != Outcome::Yes) {
                return Outcome::No;
            }
        }
        self.test_matches(rules, packet)
    }

    /// Whether what the packet is to its connection is not what the line asks for.
    #[inline(always)]
    fn excludes_state(&self, packet: &Packet<'_, A>) -> bool {
        self.states & packet.body.tracking.bit() == 0
    }

    /// Whether the line's state and matches hold: all that is left to ask of a plain packet, where there is nothing more
    /// than quick tests and interfaces. Most lines have one match at most, and most packets fail it.
    #[inline(always)]
    pub(super) fn test_matches(&self, rules: &Rules<A>, packet: &Packet<'_, A>) -> Outcome {
        if self.asks & (ask::MATCHES | ask::STATES) == 0 {
            return Outcome::Yes;
        }
        if self.asks & ask::STATES != 0 && self.excludes_state(packet) {
            return Outcome::No;
        }
        if self.asks & ask::MATCHES == 0 {
            return Outcome::Yes;
        }
        let first = rules.matches.get(self.matches as usize);
        match first.map_or(Outcome::No, |item| item.test(&packet.body)) {
            Outcome::Yes if self.match_count > 1 => self.test_further_matches(rules, packet),
            outcome => outcome,
        }
    }

    /// Whether the line's matches behind the first hold. Not inlined, as above.
    #[inline(never)]
    fn test_further_matches(&self, rules: &Rules<A>, packet: &Packet<'_, A>) -> Outcome {
        let first = self.matches as usize;
        let matches = rules
            .matches
            .get(first + 1..first + usize::from(self.match_count));
        for item in matches.unwrap_or_default() {
            match item.test(&packet.body) {
                Outcome::Yes => (),
                outcome => return outcome,
            }
        }
        Outcome::Yes
    }
}

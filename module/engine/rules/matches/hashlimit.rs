// SPDX-License-Identifier: GPL-2.0
//! `-m hashlimit`: a rate for each flow, which is what its packets have in common.

use super::{Matcher, Outcome};
use crate::alloc::{AllocError, Arc, GFP_KERNEL};
use crate::engine::packet::{
    extension, prefix, protocol, Body, DropReason, Family, MAX_EXTENSIONS,
};
use crate::engine::rules::flows::{Config, Key, Rate, Table, Told};
use crate::engine::rules::model::Rule;
use crate::sync::SetOnce;
use crate::uapi::field::{Not, Text};
use crate::uapi::flow::Flow;
use crate::wire;
use core::fmt;
use core::net::IpAddr;

wire! {
    /// The match.
    #[derive(Debug, PartialEq, Eq)]
    pub struct Hashlimit, "hashlimit-attrs" {
        /// `--hashlimit-name`: rules of a family with the same name share their flows.
        2 name: Text<{ Hashlimit::LONGEST }>,
        /// `--hashlimit-upto`, or negated `--hashlimit-above`: the time from one packet to the next in microseconds;
        /// or, where bytes are counted, that of a piece of 16 bytes in parts of 2^-32 of a second.
        3 period: Not<u64>,
        /// Whether bytes are counted, and not packets.
        4 bytes: bool,
        /// `--hashlimit-burst`: how many packets may come at once; or how often the bytes of a second may come once
        /// more.
        5 burst: u64,
        /// `--hashlimit-mode`: what makes a flow, bits of [`mode`].
        6 mode: u8,
        /// `--hashlimit-srcmask`: how many bits of the source address count.
        7 source_bits: u8,
        /// `--hashlimit-dstmask`: how many bits of the destination address count.
        8 destination_bits: u8,
        /// `--hashlimit-htable-size`: how many chains the hash has.
        9 size: Option<u32>,
        /// `--hashlimit-htable-max`: how many flows there may be; no fewer than chains.
        10 max: Option<u32>,
        /// `--hashlimit-htable-gcinterval` in milliseconds: has no effect, because flows are forgotten in time.
        11 gc_interval: u32,
        /// `--hashlimit-htable-expire` in milliseconds: how long a flow is remembered.
        12 expire: u32,
        /// `--hashlimit-rate-interval` of `--hashlimit-rate-match`, in seconds: flows are told by their rate, and not
        /// held to it.
        13 interval: Option<u32>,
    }
    state {
        /// The flows.
        flows: Flows
    }
}

/// What makes a flow: bits of [`Hashlimit::mode`] (XT_HASHLIMIT_HASH_*).
pub mod mode {
    /// `dstip`
    pub const DESTINATION: u8 = 1 << 0;
    /// `dstport`
    pub const DESTINATION_PORT: u8 = 1 << 1;
    /// `srcip`
    pub const SOURCE: u8 = 1 << 2;
    /// `srcport`
    pub const SOURCE_PORT: u8 = 1 << 3;
    /// All of them.
    pub const ALL: u8 = 15;
}

impl Hashlimit {
    /// The longest name, in bytes (NAME_MAX - 1).
    pub const LONGEST: usize = 254;
    /// How many units of the period a second has where packets are counted (XT_HASHLIMIT_SCALE_v2).
    pub const SCALE: u64 = 1_000_000;
    /// The longest period of packets: a day.
    pub const MAX_PERIOD: u64 = 24 * 60 * 60 * Self::SCALE;
    /// The shortest and the longest period of 16 bytes: what is between them can be said in bytes.
    pub const BYTE_PERIODS: (u64, u64) = (2, u32::MAX as u64 / 2);
    /// The largest burst of packets.
    pub const MAX_BURST: u64 = 1_000_000;
    /// The most chains and flows that can be asked for (HASHLIMIT_MAX_SIZE).
    pub const MAX_SIZE: u32 = 1 << 20;

    /// How many chains a table has for which nothing is said: as many as xt_hashlimit gives it on a machine of 1 GiB
    /// or of more than 4.
    const SIZE: u32 = 8192;

    /// Whether a table can have this name: it is written without quotes, and is that of a file to iptables.
    pub fn is_name(name: &[u8]) -> bool {
        let fits =
            |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'"' | b'\'' | b'\\');
        !matches!(name, [] | b"." | b".." | [b'-' | b'!', ..])
            && name.len() <= Self::LONGEST
            && name.iter().all(fits)
    }

    /// The bytes in a second that a period stands for, as xt_hashlimit has it.
    pub fn bytes_per_second(period: u64) -> u64 {
        let pieces = u64::from(u32::MAX).checked_div(period);
        pieces.unwrap_or_default().saturating_sub(1) << 4
    }

    /// What the table of the flows is like, if this is the first rule that has it.
    pub fn config(&self) -> Config {
        let (period, burst) = (self.period.value, self.burst);
        let rate = match (self.interval, self.bytes) {
            (Some(interval), bytes) => {
                let (rate, most) = if bytes {
                    let rate = Self::bytes_per_second(period);
                    (rate, rate.saturating_mul(burst.max(1)))
                } else {
                    let rate = Self::SCALE.checked_div(period).unwrap_or_default();
                    (rate, rate.saturating_add(burst))
                };
                let interval = u64::from(interval) * 1_000_000_000;
                Rate::Intervals {
                    rate,
                    most,
                    interval,
                    bytes,
                }
            }
            (None, true) => Rate::Bytes {
                period,
                refills: burst,
            },
            (None, false) => Rate::Packets { period, burst },
        };
        let chains = self.size.unwrap_or(Self::SIZE);
        let most = self.max.unwrap_or(chains.saturating_mul(8)).max(chains);
        Config {
            rate,
            key: [self.mode, self.source_bits, self.destination_bits],
            chains,
            most,
            expire: u64::from(self.expire) * 1_000_000,
        }
    }
}

impl Matcher for Hashlimit {
    fn check(&self, family: Family, _: &Rule) -> Result<(), &'static str> {
        if !Self::is_name(self.name.as_bytes()) {
            return Err("not a name for a hashlimit");
        }
        let (period, burst) = (self.period.value, self.burst);
        let (periods, bursts) = match (self.bytes, self.interval) {
            (true, _) => (Self::BYTE_PERIODS, 0..=u64::from(u32::MAX)),
            (false, None) => ((1, Self::MAX_PERIOD), 1..=Self::MAX_BURST),
            (false, Some(_)) => ((1, Self::SCALE), 1..=Self::MAX_BURST),
        };
        if !(periods.0..=periods.1).contains(&period) {
            return Err("the period of a hashlimit is out of range");
        }
        if !bursts.contains(&burst) {
            return Err("the burst of a hashlimit is out of range");
        }
        if self.mode > mode::ALL {
            return Err("the mode of a hashlimit is out of range");
        }
        if self.source_bits.max(self.destination_bits) > family.bits() {
            return Err("an address has fewer bits than the hashlimit's mask");
        }
        let sizes = [self.size, self.max].into_iter().flatten();
        if sizes
            .into_iter()
            .any(|size| !(1..=Self::MAX_SIZE).contains(&size))
        {
            return Err("the table of a hashlimit has size and max of 1 to 1048576");
        }
        if self.gc_interval == 0 || self.expire == 0 || self.interval == Some(0) {
            return Err("the times of a hashlimit can't be zero");
        }
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let Some(table) = self.flows.table() else {
            return Outcome::No;
        };
        let key = match key(table.config().key, packet) {
            Ok(key) => key,
            Err(reason) => return Outcome::Drop(reason),
        };
        match table.within(&key, packet.source().monotonic(), packet.length(), || {
            packet.source().random()
        }) {
            Some(within) => Outcome::from(within != self.period.not),
            None => Outcome::Drop(DropReason::TooManyFlows),
        }
    }

    fn remembers(&self) -> bool {
        true
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(Self {
            name: self.name.try_clone()?,
            flows: self.flows.clone(),
            ..*self
        })
    }
}

/// What tells a packet's flow from others.
fn key(
    [mode, source_bits, destination_bits]: [u8; 3],
    packet: &Body<'_>,
) -> Result<Key, DropReason> {
    let asks = |bit: u8| mode & bit != 0;
    let mut key = Key::default();
    if asks(mode::SOURCE) {
        key.source = prefix(packet.source_address(), source_bits);
    }
    if asks(mode::DESTINATION) {
        key.destination = prefix(packet.destination_address(), destination_bits);
    }
    if asks(mode::SOURCE_PORT | mode::DESTINATION_PORT) {
        let (source, destination) = ports(packet)?;
        if asks(mode::SOURCE_PORT) {
            key.ports |= u32::from(source) << 16;
        }
        if asks(mode::DESTINATION_PORT) {
            key.ports |= u32::from(destination);
        }
    }
    Ok(key)
}

/// What is told of a flow of a table for packets of the family.
pub fn flow(config: &Config, family: Family, told: &Told) -> Flow {
    let [_, source_bits, destination_bits] = config.key;
    let address = |prefix: u128, bits: u8| {
        let rest = u32::from(family.bits().saturating_sub(bits));
        let address = prefix.checked_shl(rest).unwrap_or_default();
        match family {
            Family::V4 => IpAddr::from((address as u32).to_be_bytes()),
            Family::V6 => IpAddr::from(address.to_be_bytes()),
        }
    };
    Flow {
        source: address(told.key.source, source_bits),
        destination: address(told.key.destination, destination_bits),
        source_port: (told.key.ports >> 16) as u16,
        destination_port: told.key.ports as u16,
        left: told.left,
        expires: told.expires.div_ceil(1_000_000),
    }
}

/// What stands where the packet's protocol has its ports: the index of ESP and AH too; zeros where it has neither.
fn ports(packet: &Body<'_>) -> Result<(u16, u16), DropReason> {
    let (protocol, offset) = match packet.transport {
        Some(transport) if transport.fragment != 0 => return Err(DropReason::TruncatedTransport),
        Some(transport) => (transport.protocol, transport.offset),
        None => believed(packet).ok_or(DropReason::MalformedExtensions)?,
    };
    let at = match protocol {
        protocol::TCP
        | protocol::UDP
        | protocol::DCCP
        | protocol::SCTP
        | protocol::UDPLITE
        | protocol::ESP => 0,
        protocol::AH => 4,
        extension::NONE if packet.family() == Family::V6 => {
            return Err(DropReason::TruncatedTransport)
        }
        _ => return Ok((0, 0)),
    };
    let mut buffer = [0; 4];
    let header = offset.checked_add(at);
    let header = header.and_then(|at| packet.header(at, &mut buffer));
    let &[s0, s1, d0, d1] = header.ok_or(DropReason::TruncatedTransport)?;
    Ok((u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1])))
}

/// The protocol of a packet whose extension headers are damaged, and its place, if these are believed
/// whatever lengths they say, as ipv6_skip_exthdr() does for xt_hashlimit. What that leads to can be a protocol
/// without ports, and the packet is of a flow then.
fn believed(packet: &Body<'_>) -> Option<(u8, usize)> {
    let mut number = packet.first_header()?;
    let mut offset = 40_usize;
    for _ in 0..MAX_EXTENSIONS {
        if !extension::is_passed(number) {
            break;
        }
        let header = packet.extension_at(number, offset)?;
        let mut buffer = [0; 2];
        if number == extension::FRAGMENT {
            let fragment = packet.header(offset.checked_add(2)?, &mut buffer)?;
            if u16::from_be_bytes(*fragment) & !7 != 0 {
                return None;
            }
        }
        number = header.next;
        offset = offset.checked_add(header.length)?;
    }
    (!extension::is_passed(number)).then_some((number, offset))
}

/// The table of a rule's flows. It is no part of what the rule says: when all rules are there it is found for those
/// that have none, by `rules/tables.rs`.
#[derive(Clone)]
pub struct Flows(Arc<SetOnce<Arc<Table>>>);

impl Flows {
    /// No table yet.
    ///
    /// # Errors
    ///
    /// There is no room for it.
    pub fn new() -> Result<Self, AllocError> {
        let place = Arc::new(SetOnce::new(), GFP_KERNEL).map_err(|_| AllocError)?;
        Ok(Self(place))
    }

    /// The table.
    pub fn table(&self) -> Option<&Arc<Table>> {
        (*self.0).as_ref()
    }

    /// Gives the rule its table, if it has none.
    pub fn set(&self, table: Arc<Table>) {
        self.0.populate(table);
    }
}

impl PartialEq for Flows {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Flows {}

impl fmt::Debug for Flows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flows")
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_hashlimit))]
mod tests {
    use super::*;
    use crate::alloc::KVec;
    use crate::engine::fixtures::{flat, one, program, Bytes, Seen, TCP_V4, UDP_V6};
    use crate::engine::packet::Hook;
    use crate::engine::rules::model::Matches;
    use crate::engine::rules::{Match, Program, Target, Verdict};

    /// Places in an IPv4 header and in the TCP header behind it.
    const FRAGMENT: usize = 7;
    const PROTOCOL: usize = 9;
    const SOURCE_END: usize = 15;
    const DESTINATION_END: usize = 19;
    const SOURCE_PORT: usize = 21;
    const DESTINATION_PORT: usize = 23;

    #[test]
    fn what_makes_a_flow() {
        for (mode, differs) in [
            (0, None),
            (mode::SOURCE, Some(SOURCE_END)),
            (mode::DESTINATION, Some(DESTINATION_END)),
            (mode::SOURCE_PORT, Some(SOURCE_PORT)),
            (mode::DESTINATION_PORT, Some(DESTINATION_PORT)),
        ] {
            for not in [false, true] {
                let item = hashlimit(|limit| {
                    limit.mode = mode;
                    limit.period.not = not;
                });
                let program = one(item).ok().unwrap();
                assert!(judge(&program, Family::V4, TCP_V4) == hit(!not));
                for at in [SOURCE_END, DESTINATION_END, SOURCE_PORT, DESTINATION_PORT] {
                    let other = Bytes::of(TCP_V4).with(at, 77);
                    let within = differs == Some(at);
                    assert!(judge(&program, Family::V4, &other.0) == hit(within != not));
                }
                assert!(judge(&program, Family::V4, TCP_V4) == hit(not));
            }
        }
    }

    #[test]
    fn masks() {
        for (bits, within) in [(32, true), (31, true), (30, false), (24, false), (0, false)] {
            let item = hashlimit(|limit| {
                limit.mode = mode::SOURCE;
                limit.source_bits = bits;
            });
            let program = one(item).ok().unwrap();
            assert!(judge(&program, Family::V4, TCP_V4) == hit(true));
            let other = Bytes::of(TCP_V4).with(SOURCE_END, 3);
            assert!(judge(&program, Family::V4, &other.0) == hit(within));
        }
        for (bits, within) in [(128, true), (127, true), (126, false), (0, false)] {
            let item = hashlimit(|limit| {
                limit.mode = mode::DESTINATION;
                limit.destination_bits = bits;
            });
            let program = all_of(Family::V6, item);
            assert!(judge(&program, Family::V6, UDP_V6) == hit(true));
            let other = Bytes::of(UDP_V6).with(39, 0);
            assert!(judge(&program, Family::V6, &other.0) == hit(within));
        }
    }

    #[test]
    fn packets_that_should_have_ports() {
        let ports = hashlimit(|limit| limit.mode = mode::SOURCE_PORT);
        let program = one(ports).ok().unwrap();
        let later = Bytes::of(TCP_V4).with(FRAGMENT, 2);
        let expected = Verdict::Drop(DropReason::TruncatedTransport);
        assert!(judge(&program, Family::V4, &later.0) == expected);
        for length in 20..24 {
            let cut = TCP_V4.get(..length).unwrap();
            assert!(judge(&program, Family::V4, cut) == expected);
        }
        assert!(judge(&program, Family::V4, TCP_V4.get(..24).unwrap()) == hit(true));
        // The index of an authentication header comes after four bytes; other protocols have no ports.
        let header = Bytes::of(TCP_V4).with(PROTOCOL, 51).with(25, 5);
        assert!(judge(&program, Family::V4, &header.0) == hit(true));
        assert!(judge(&program, Family::V4, header.0.get(..27).unwrap()) == expected);
        let other = Bytes::of(TCP_V4).with(PROTOCOL, 47);
        assert!(judge(&program, Family::V4, &other.0) == hit(true));
        assert!(judge(&program, Family::V4, &other.with(SOURCE_PORT, 9).0) == hit(false));

        let ports = hashlimit(|limit| limit.mode = mode::SOURCE_PORT);
        let program = all_of(Family::V6, ports);
        let nothing = Bytes::of(UDP_V6).with(6, 59);
        assert!(judge(&program, Family::V6, &nothing.0) == expected);
        let damaged = Bytes::of(UDP_V6.get(..40).unwrap()).with(6, 60);
        let expected = Verdict::Drop(DropReason::MalformedExtensions);
        assert!(judge(&program, Family::V6, &damaged.0) == expected);
        // Longer than the packet; a protocol without ports comes next, or one with some.
        let long = Bytes::of(UDP_V6).with(6, 60).with(40, 1).with(41, 9);
        assert!(judge(&program, Family::V6, &long.0) == hit(true));
        let expected = Verdict::Drop(DropReason::TruncatedTransport);
        assert!(judge(&program, Family::V6, &long.with(40, 17).0) == expected);
    }

    #[test]
    fn a_flow_for_which_there_is_no_place() {
        let item = hashlimit(|limit| {
            limit.mode = mode::SOURCE;
            limit.size = Some(1);
            limit.max = Some(1);
        });
        let program = one(item).ok().unwrap();
        assert!(judge(&program, Family::V4, TCP_V4) == hit(true));
        let other = Bytes::of(TCP_V4).with(SOURCE_END, 77);
        let expected = Verdict::Drop(DropReason::TooManyFlows);
        assert!(judge(&program, Family::V4, &other.0) == expected);
    }

    #[test]
    fn what_a_message_can_ask() {
        let refused = |change: &dyn Fn(&mut Hashlimit)| one(hashlimit(change)).is_err();
        assert!(!refused(&|_| ()));
        assert!(refused(&|limit| limit.period.value = 0));
        assert!(refused(
            &|limit| limit.period.value = Hashlimit::MAX_PERIOD + 1
        ));
        assert!(refused(&|limit| limit.burst = 0));
        assert!(refused(&|limit| limit.burst = Hashlimit::MAX_BURST + 1));
        assert!(refused(&|limit| limit.mode = 16));
        assert!(refused(&|limit| limit.source_bits = 33));
        assert!(refused(&|limit| limit.size = Some(0)));
        assert!(refused(&|limit| limit.max = Some(Hashlimit::MAX_SIZE + 1)));
        assert!(refused(&|limit| limit.expire = 0));
        assert!(refused(&|limit| limit.gc_interval = 0));
        assert!(refused(&|limit| limit.interval = Some(0)));
        for period in [1, u64::from(u32::MAX)] {
            assert!(refused(&|limit| {
                limit.bytes = true;
                limit.period.value = period;
            }));
        }
        for name in [&b""[..], b".", b"..", b"-x", b"a/b", b"a b", b"a\"b"] {
            assert!(refused(&|limit| limit.name = Text::new(name).unwrap()));
        }
    }

    /// One packet a day for each flow.
    fn hashlimit(change: impl Fn(&mut Hashlimit)) -> Match {
        let mut hashlimit = Hashlimit {
            name: Text::new(b"name").unwrap(),
            period: Not::is(Hashlimit::MAX_PERIOD),
            bytes: false,
            burst: 1,
            mode: 0,
            source_bits: 32,
            destination_bits: 32,
            size: None,
            max: None,
            gc_interval: 1000,
            expire: 1000,
            interval: None,
            flows: Flows::new().unwrap(),
        };
        change(&mut hashlimit);
        Match::Hashlimit(hashlimit)
    }

    fn all_of(family: Family, item: Match) -> Program {
        let mut matches = KVec::new();
        matches.push(item, GFP_KERNEL).unwrap();
        let rule = Rule {
            matches: Matches(matches),
            target: Target::Drop,
            ..Rule::default()
        };
        program(family, [("INPUT", rule)]).ok().unwrap()
    }

    fn judge(program: &Program, family: Family, bytes: &[u8]) -> Verdict {
        let packet = flat(bytes);
        program.evaluate(family, &packet.at(Hook::LocalIn), &mut Seen::default())
    }

    fn hit(hit: bool) -> Verdict {
        if hit {
            Verdict::Drop(DropReason::Rule)
        } else {
            Verdict::Accept
        }
    }
}

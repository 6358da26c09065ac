// SPDX-License-Identifier: GPL-2.0
//! Tables of flows, each of which has a rate of its own.
//!
//! A flow is what packets have in common ([`Key`]). A table is a hash of them ([`Chains`]).
//!
//! A flow of which no packet came for the table's time is forgotten: where it is met again it begins anew, and each
//! packet that brings a new flow takes those that are forgotten out of two chains. So a table is cleaned as fast as it
//! grows, without a timer. When it is full more chains are cleaned, a bounded number for a packet.

use super::bucket;
use super::chains::{Chain, Chains, Node};
use super::memory::Word;
use crate::alloc::{AllocError, KBox, KVVec, GFP_ATOMIC};

/// Units of the time in which bytes are counted, in a second.
const SECOND: u64 = 1 << 32;

const NANOSECONDS: u64 = 1_000_000_000;

/// How fast the packets of a flow may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// So many packets.
    Packets {
        /// The time from one to the next, in microseconds.
        period: u64,
        /// How many may come at once.
        burst: u64,
    },
    /// So many bytes, counted in pieces of 16 as xt_hashlimit does (XT_HASHLIMIT_BYTE_SHIFT); those of a second may
    /// come at once.
    Bytes {
        /// The time of a piece, in parts of 2^-32 of a second.
        period: u64,
        /// How often a flow may have those of a second once more.
        refills: u64,
    },
    /// So many in one interval after the other; a flow that had more in one is over its rate in the whole next.
    Intervals {
        /// How many make the rate in an interval.
        rate: u64,
        /// How many there may be in one whatever was before.
        most: u64,
        /// The interval in nanoseconds.
        interval: u64,
        /// Whether bytes are counted, and not packets.
        bytes: bool,
    },
}

/// What a flow has used of its rate.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    /// When its bucket will be full, in the units of the rate; or when the interval began, in nanoseconds.
    time: u64,
    /// The refills that are left; or what came in the interval.
    amount: u64,
    /// Whether the interval before had too many.
    over: bool,
}

impl Usage {
    /// Begins a new interval, where the one that it counts in is over.
    fn turn(&mut self, now: u64, rate: u64, interval: u64) {
        let passed = now.saturating_sub(self.time);
        if passed >= interval {
            let came = u128::from(self.amount) * u128::from(interval);
            self.over = came > u128::from(passed) * u128::from(rate);
            self.time = now;
            self.amount = 0;
        }
    }
}

/// A time in nanoseconds in the units in which bytes are counted.
fn units(now: u64) -> u64 {
    now / NANOSECONDS * SECOND + now % NANOSECONDS * SECOND / NANOSECONDS
}

impl Rate {
    /// What a new flow has used.
    fn fresh(&self, now: u64) -> Usage {
        match *self {
            Self::Packets { .. } => Usage::default(),
            Self::Bytes { refills, .. } => Usage {
                amount: refills,
                ..Usage::default()
            },
            Self::Intervals { .. } => Usage {
                time: now,
                ..Usage::default()
            },
        }
    }

    /// How many packets or bytes may still come `now`.
    fn left(&self, mut usage: Usage, now: u64) -> u64 {
        match *self {
            Self::Packets { period, burst } => {
                let used = usage.time.saturating_sub(now / 1000);
                let free = period.saturating_mul(burst).saturating_sub(used);
                free.checked_div(period).unwrap_or_default()
            }
            Self::Bytes { period, .. } => {
                let used = usage.time.saturating_sub(units(now));
                let pieces = |time: u64| time.checked_div(period).unwrap_or_default();
                pieces(SECOND.saturating_sub(used))
                    .saturating_add(pieces(SECOND).saturating_mul(usage.amount))
                    .saturating_mul(16)
            }
            Self::Intervals {
                rate,
                most,
                interval,
                ..
            } => {
                usage.turn(now, rate, interval);
                match usage.over {
                    true => 0,
                    false => most.saturating_sub(usage.amount),
                }
            }
        }
    }

    /// Whether bytes are counted, and not packets.
    pub fn counts_bytes(&self) -> bool {
        match *self {
            Self::Packets { .. } => false,
            Self::Bytes { .. } => true,
            Self::Intervals { bytes, .. } => bytes,
        }
    }

    /// Whether a packet of `length` bytes that comes `now` is within the rate; counts it.
    fn within(&self, usage: &mut Usage, now: u64, length: u32) -> bool {
        match *self {
            Self::Packets { period, burst } => {
                let depth = period.saturating_mul(burst);
                let taken = bucket::take(usage.time, now / 1000, period, depth);
                usage.time = taken.unwrap_or(usage.time);
                taken.is_some()
            }
            Self::Bytes { period, .. } => {
                let now = units(now);
                let pieces = u64::from(length / 16 + 1);
                let cost = pieces.saturating_mul(period).min(SECOND);
                let taken = bucket::take(usage.time, now, cost, SECOND);
                let refill = taken.is_none() && usage.amount != 0;
                if refill {
                    usage.amount -= 1;
                    usage.time = now.saturating_add(cost);
                }
                usage.time = taken.unwrap_or(usage.time);
                taken.is_some() || refill
            }
            Self::Intervals {
                rate,
                most,
                interval,
                bytes,
            } => {
                usage.turn(now, rate, interval);
                let count = if bytes { u64::from(length) } else { 1 };
                usage.amount = usage.amount.saturating_add(count);
                !usage.over && usage.amount <= most
            }
        }
    }
}

/// What the packets of a flow have in common; zero where it is not asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// The source address, or its beginning.
    pub source: u128,
    /// The destination address, or its beginning.
    pub destination: u128,
    /// The source port above the destination port.
    pub ports: u32,
}

/// What is known of a flow.
struct Flow {
    key: Key,
    /// When the last packet came, in nanoseconds.
    seen: u64,
    usage: Usage,
}

/// What a table is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The rate of each flow.
    pub rate: Rate,
    /// What makes a flow, for whoever makes the keys.
    pub key: [u8; 3],
    /// How many chains there are, at least.
    pub chains: u32,
    /// How many flows there may be.
    pub most: u32,
    /// How long a flow is remembered of which no packet comes, in nanoseconds.
    pub expire: u64,
}

/// What there is to tell of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// What its packets have in common.
    pub key: Key,
    /// How many packets or bytes may still come.
    pub left: u64,
    /// In how many nanoseconds it will be forgotten.
    pub expires: u64,
}

/// How far the flows of a table were told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Position {
    chain: u64,
    /// How many of the chain's flows; others may have come or gone meanwhile.
    flows: usize,
}

/// A table of flows.
pub struct Table {
    config: Config,
    /// How many flows there are.
    count: Word,
    /// How many chains were cleaned.
    cleaned: Word,
    flows: Chains<Flow>,
}

impl Table {
    /// How many chains a packet cleans that brings a new flow.
    const CLEAN: usize = 2;
    /// How many it cleans when there is no place for the flow: so many that one is found where most are forgotten, and so
    /// few that a flood of new flows does not keep the CPU busy with them.
    const CLEAN_FULL: usize = 16;
    /// How many chains are looked at before telling of flows pauses.
    const TELL: u64 = 4096;

    /// A table without flows. May sleep.
    pub fn new(config: Config) -> Result<Self, AllocError> {
        Ok(Self {
            config,
            count: Word::new(),
            cleaned: Word::new(),
            flows: Chains::new(config.chains)?,
        })
    }

    /// Tells of flows, as many as `to` has room for, from the position on; `false` when no more are left. It returns
    /// now and then without having told of any.
    pub fn tell(&self, position: &mut Position, now: u64, to: &mut KVVec<Told>) -> bool {
        let end = position.chain.saturating_add(Self::TELL);
        while position.chain < end {
            let room = self.flows.with(position.chain, |chain| {
                for flow in chain.values().skip(position.flows) {
                    let told = Told {
                        key: flow.key,
                        left: self.config.rate.left(flow.usage, now),
                        expires: flow
                            .seen
                            .saturating_add(self.config.expire)
                            .saturating_sub(now),
                    };
                    let place = to.len();
                    if !self.forgets(flow, now) && to.insert_within_capacity(place, told).is_err() {
                        return false;
                    }
                    position.flows += 1;
                }
                true
            });
            if room == Some(false) {
                return true;
            }
            position.chain += 1;
            position.flows = 0;
            if position.chain >= self.flows.count() {
                return false;
            }
        }
        true
    }

    /// What the table is like.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether a packet of a flow, of `length` bytes, that comes `now` (in nanoseconds) is within the rate; counts it.
    /// `None` where it is a new flow and there is no place for it.
    pub fn within(
        &self,
        key: &Key,
        now: u64,
        length: u32,
        random: impl Fn() -> u32,
    ) -> Option<bool> {
        let words = [key.source, key.destination]
            .into_iter()
            .flat_map(|address| [(address >> 64) as u64, address as u64]);
        let place = self.flows.place(words.chain([key.ports.into()]), random);
        let known = self.flows.with(place, |chain| {
            let known = chain.find(|flow| flow.key == *key);
            known.map(|flow| self.meet(flow, now, length))
        })?;
        if known.is_some() {
            return known;
        }

        let flow = Flow {
            key: *key,
            seen: now,
            usage: self.config.rate.fresh(now),
        };
        let mut node = Node::new(flow, GFP_ATOMIC).ok()?;
        for chains in [Self::CLEAN, Self::CLEAN_FULL] {
            self.clean(chains, now);
            let join = |chain: &mut Chain<Flow>| self.join(chain, node, now, length);
            match self.flows.with(place, join)? {
                Ok(within) => return Some(within),
                Err(unused) => node = unused,
            }
        }
        None
    }

    /// Counts the packet in the node of a new flow and links it; gives it back where there is no place. Where another
    /// packet of the flow came first, the node is not needed.
    fn join(
        &self,
        chain: &mut Chain<Flow>,
        mut node: KBox<Node<Flow>>,
        now: u64,
        length: u32,
    ) -> Result<bool, KBox<Node<Flow>>> {
        let key = node.value.key;
        if let Some(known) = chain.find(|flow| flow.key == key) {
            return Ok(self.meet(known, now, length));
        }
        if !self.count.reserve(self.config.most.into()) {
            return Err(node);
        }
        let within = self.meet(&mut node.value, now, length);
        chain.push(node);
        Ok(within)
    }

    fn meet(&self, flow: &mut Flow, now: u64, length: u32) -> bool {
        if self.forgets(flow, now) {
            flow.usage = self.config.rate.fresh(now);
        }
        flow.seen = flow.seen.max(now);
        self.config.rate.within(&mut flow.usage, now, length)
    }

    fn forgets(&self, flow: &Flow, now: u64) -> bool {
        now.saturating_sub(flow.seen) >= self.config.expire
    }

    /// Takes the flows that are forgotten out of the next chains.
    fn clean(&self, chains: usize, now: u64) {
        for _ in 0..chains {
            let place = self.cleaned.count();
            let forgets = |flow: &mut Flow| self.forgets(flow, now);
            let taken = self.flows.with(place, |chain| chain.take(forgets));
            self.count.release(taken.map_or(0, Chain::drop_all));
        }
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_flows))]
mod tests {
    use super::*;
    use crate::alloc::GFP_KERNEL;

    const MS: u64 = 1_000_000;

    #[test]
    fn each_flow_has_a_rate_of_its_own() {
        let table = table(
            Rate::Packets {
                period: 100_000,
                burst: 2,
            },
            10,
            100,
        );
        for now in [0, 1000] {
            for flow in 0..10 {
                let times: [_; 3] = core::array::from_fn(|_| meet(&table, flow, now, 100));
                assert!(times == [Some(true), Some(true), Some(false)]);
            }
        }
        assert!(meet(&table, 0, 1099, 100) == Some(false));
        assert!(meet(&table, 0, 1100, 100) == Some(true));
        assert!(meet(&table, 0, 1100, 100) == Some(false));
    }

    #[test]
    fn a_full_table_takes_no_new_flow_until_one_is_forgotten() {
        let table = table(
            Rate::Packets {
                period: 1,
                burst: 1,
            },
            4,
            4,
        );
        for flow in 0..4 {
            assert!(meet(&table, flow, 0, 100) == Some(true));
        }
        assert!(meet(&table, 4, 999, 100).is_none());
        assert!(meet(&table, 0, 999, 100) == Some(true));
        assert!(meet(&table, 4, 1000, 100) == Some(true));
        assert!(meet(&table, 5, 1000, 100) == Some(true));
        assert!(meet(&table, 6, 1000, 100) == Some(true));
        assert!(meet(&table, 7, 1000, 100).is_none());
        // That packets are refused does not keep a flow from being remembered.
        for now in (1000..4000).step_by(500) {
            assert!(meet(&table, 0, now, 100).is_some());
            assert!(meet(&table, 5, now, 100).is_some());
        }
    }

    #[test]
    fn a_flow_that_is_forgotten_begins_anew() {
        let table = table(
            Rate::Packets {
                period: 1 << 40,
                burst: 1,
            },
            4,
            4,
        );
        assert!(meet(&table, 0, 0, 100) == Some(true));
        assert!(meet(&table, 0, 999, 100) == Some(false));
        assert!(meet(&table, 0, 1998, 100) == Some(false));
        assert!(meet(&table, 0, 2998, 100) == Some(true));
    }

    #[test]
    fn bytes() {
        // 1600 bytes a second, in pieces of 16.
        let rate = |refills| Rate::Bytes {
            period: SECOND / 100,
            refills,
        };
        let table = table(rate(0), 1, 1);
        assert!(meet(&table, 0, 500, 800) == Some(true));
        assert!(meet(&table, 0, 500, 783) == Some(true));
        assert!(meet(&table, 0, 500, 16) == Some(false));
        assert!(meet(&table, 0, 520, 16) == Some(true));
        assert!(meet(&table, 0, 520, 1) == Some(false));
        // A packet that is longer than a second takes a second.
        assert!(meet(&table, 0, 1480, 9000) == Some(false));
        let table = self::table(rate(2), 1, 1);
        for within in [true, true, true, false] {
            assert!(meet(&table, 0, 500, 9000) == Some(within));
        }
        assert!(meet(&table, 0, 1499, 1584) == Some(false));
    }

    #[test]
    fn intervals() {
        let rate = Rate::Intervals {
            rate: 4,
            most: 6,
            interval: 1000 * MS,
            bytes: false,
        };
        let mut config = *table(rate, 1, 1).config();
        config.expire = u64::MAX;
        let table = Table::new(config).unwrap();
        let times = |now, count: usize| {
            (0..count)
                .filter(|_| meet(&table, 0, now, 9) == Some(true))
                .count()
        };
        assert_eq!(times(500, 8), 6);
        // Eight were more than four.
        assert_eq!(times(1500, 4), 0);
        // Four were not.
        assert_eq!(times(2500, 4), 4);
        assert_eq!(times(3499, 4), 2);
    }

    #[test]
    fn flows_are_told_in_parts() {
        let table = table(
            Rate::Packets {
                period: 100_000,
                burst: 4,
            },
            3,
            100,
        );
        for flow in 0..10 {
            for _ in 0..flow {
                meet(&table, flow, 500, 100);
            }
        }
        // One that will be forgotten.
        meet(&table, 10, 0, 100);
        let (mut position, mut page) = (Position::default(), KVVec::new());
        let (mut seen, mut more) = (0_u32, true);
        while more {
            page.clear();
            page.reserve(4, GFP_KERNEL).unwrap();
            more = table.tell(&mut position, 1100 * MS, &mut page);
            for told in &page {
                let flow = told.key.source as u64;
                // Half a second's packets came since, and the burst is the most.
                assert!(told.left == 4 && told.expires == 400 * MS);
                seen |= 1 << flow;
            }
        }
        assert_eq!(seen, 0b11_1111_1110);
    }

    #[test]
    fn what_is_left() {
        let left = |rate, packets: u32, length| {
            let table = self::table(rate, 1, 1);
            for _ in 0..packets {
                meet(&table, 0, 500, length);
            }
            let mut page = KVVec::with_capacity(1, GFP_KERNEL).unwrap();
            assert!(!table.tell(&mut Position::default(), 500 * MS, &mut page));
            page.first().unwrap().left
        };
        let packets = Rate::Packets {
            period: 100_000,
            burst: 4,
        };
        assert_eq!(left(packets, 1, 100), 3);
        assert_eq!(left(packets, 5, 100), 0);
        let bytes = Rate::Bytes {
            period: SECOND / 100,
            refills: 2,
        };
        assert_eq!(left(bytes, 1, 799), 100 * 16 * 3 - 800);
        let intervals = Rate::Intervals {
            rate: 4,
            most: 6,
            interval: 1000 * MS,
            bytes: false,
        };
        assert_eq!(left(intervals, 2, 100), 4);
        assert_eq!(left(intervals, 9, 100), 0);
    }

    #[cfg(not(MODULE))]
    #[test]
    fn many_threads_make_no_flow_twice() {
        let rate = Rate::Packets {
            period: 1 << 40,
            burst: 3,
        };
        for round in 0..50 {
            let table = table(rate, 16, 1000);
            let passed = Word::new();
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    let (table, passed) = (&table, &passed);
                    scope.spawn(move || {
                        for flow in 0..1000 {
                            // Some threads come the other way.
                            let flow = if thread % 2 == 0 { flow } else { 999 - flow };
                            if meet(table, flow, round, 100) == Some(true) {
                                passed.count();
                            }
                        }
                    });
                }
            });
            assert_eq!(passed.count(), 3000);
            assert_eq!(table.count.count(), 1000);
        }
    }

    #[cfg(not(MODULE))]
    #[test]
    fn many_threads_and_flows_that_are_forgotten() {
        let table = table(
            Rate::Packets {
                period: 1,
                burst: 1,
            },
            8,
            64,
        );
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let table = &table;
                scope.spawn(move || {
                    for step in 0..20_000 {
                        meet(table, (step * 7 + thread) % 500, u64::from(step), 100);
                    }
                });
            }
        });
        // What was counted is what there is.
        let mut there = 0;
        for place in 0..table.flows.count() {
            let all = table.flows.with(place, |chain| chain.take(|_| true));
            let mut all = all.unwrap();
            while all.pop().is_some() {
                there += 1;
            }
        }
        assert_eq!(table.count.count(), there);
        assert!(there <= 64);
    }

    /// A table that forgets flows after a second.
    fn table(rate: Rate, chains: u32, most: u32) -> Table {
        Table::new(Config {
            rate,
            key: [0; 3],
            chains,
            most,
            expire: 1000 * MS,
        })
        .ok()
        .unwrap()
    }

    /// A packet of a flow, after so many milliseconds.
    fn meet(table: &Table, flow: u32, now: u64, length: u32) -> Option<bool> {
        let key = Key {
            source: flow.into(),
            ..Key::default()
        };
        table.within(&key, now * MS, length, || 4)
    }
}

// SPDX-License-Identifier: GPL-2.0
//! How many connections each network has, as a rule counts them.
//!
//! A rule remembers the flow of every connection that it was shown, by network. Which of them are still open only the
//! tracker knows, and it is asked about a few of them with each packet, in turn; those that are over go. Only where the
//! number is about to be too high are many asked about, so that a connection that has just ended does not keep another
//! one out. A packet that brings a connection also looks after two chains of networks, so that nothing is left of those
//! that send no more.
//!
//! A new connection is found in the tracker's table once its first packet has come through all rules. Until then it is
//! taken to be open, unless this CPU, which has sent its first packet on its way, is at another packet already: then the
//! first one has been dropped. The same is supposed of packets on other CPUs after a while. (So does nf_conncount.)

use super::chains::{Chain, Chains, Node};
use super::memory::{Blank, Word};
use crate::alloc::{AllocError, KBox, GFP_ATOMIC};
use crate::engine::conntrack::Tuple;

/// What is known around a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When it is there, in nanoseconds.
    pub now: u64,
    /// The number of the CPU.
    pub processor: u32,
}

/// A connection that a rule is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// The address of its network.
    pub network: u128,
    /// Packets of its first direction.
    pub flow: Tuple,
    /// Their zone: the same addresses in another one are another network.
    pub zone: u16,
    /// Whether it is assured: it was counted when it began.
    pub proved: bool,
    /// How many there may be of the network.
    pub limit: u32,
}

/// The flow of a connection in its first direction, and when it was seen.
struct Flow {
    tuple: Tuple,
    zone: u16,
    since: Moment,
}

/// A network, and its connections.
#[derive(Default)]
struct Network {
    address: u128,
    zone: u16,
    /// How many flows are in the two chains.
    count: u32,
    /// Those that the tracker was asked about last.
    asked: Chain<Flow>,
    /// Those that it is asked about next.
    unasked: Chain<Flow>,
    /// When it was asked about many, in nanoseconds.
    searched: u64,
}

impl Network {
    /// How many flows the tracker is asked about with each packet.
    const ASKED: u32 = 8;
    /// How many where the number is about to be too high.
    const SEARCHED: u32 = 512;
    /// How long after that not so many again, in nanoseconds.
    const PAUSE: u64 = 1_000_000;

    /// Asks about the next flows; hands out those that are over.
    fn ask(&mut self, most: u32, over: &mut Chain<Flow>, is_over: &impl Fn(&Flow) -> bool) {
        for _ in 0..most.min(self.count) {
            let next = self.unasked.pop().or_else(|| {
                core::mem::swap(&mut self.asked, &mut self.unasked);
                self.unasked.pop()
            });
            let Some(flow) = next else { return };
            if is_over(&flow.value) {
                self.count = self.count.saturating_sub(1);
                over.push(flow);
            } else {
                self.asked.push(flow);
            }
        }
    }

    /// Asks about some flows, and about more where there are as many as there may be.
    fn look(
        &mut self,
        limit: u32,
        now: u64,
        over: &mut Chain<Flow>,
        is_over: &impl Fn(&Flow) -> bool,
    ) {
        self.ask(Self::ASKED, over, is_over);
        if self.count >= limit && now.saturating_sub(self.searched) >= Self::PAUSE {
            self.searched = now;
            self.ask(Self::SEARCHED, over, is_over);
        }
    }

    fn is(&self, address: u128, zone: u16) -> bool {
        self.address == address && self.zone == zone
    }

    fn has(&mut self, flow: &Tuple) -> bool {
        let mut chains = [&mut self.asked, &mut self.unasked].into_iter();
        chains.any(|chain| chain.find(|known| known.tuple.is_flow(flow)).is_some())
    }
}

/// The connections of networks.
pub struct Counts {
    networks: Chains<Network>,
    /// How many flows there are.
    count: Word,
    /// How many chains were cleaned.
    cleaned: Word,
}

impl Counts {
    /// How many chains of networks there are.
    const CHAINS: u32 = 256;
    /// How many flows a rule remembers at most: as many as the tracker has connections where nothing else is said.
    const MOST: u64 = 262_144;
    /// How many chains of networks a packet cleans that brings a connection.
    const CLEANED: usize = 2;
    /// After what time a connection must be in the tracker's table, in nanoseconds.
    const CONFIRMED_AFTER: u64 = 20_000_000;

    /// How many connections a network has, the one that is shown among them; `None` where there is no memory for that.
    /// Some that are over may be among them where they do not matter: the number is above the limit if the true one is.
    ///
    /// One that is proved is only counted where no others of its network are. `is_open` is the tracker, which is asked about
    /// connections under a lock.
    pub fn count(
        &self,
        shown: &Shown,
        moment: Moment,
        random: impl Fn() -> u32,
        is_open: impl Fn(&Tuple, u16) -> bool,
    ) -> Option<u32> {
        let (address, zone) = (shown.network, shown.zone);
        let is_over = |known: &Flow| {
            let at_once = known.since.processor == moment.processor;
            let age = moment.now.saturating_sub(known.since.now);
            (at_once || age >= Self::CONFIRMED_AFTER) && !is_open(&known.tuple, known.zone)
        };
        let words = [(address >> 64) as u64, address as u64];
        let place = self.networks.place(words, random);
        let (known, over) = self.networks.with(place, |chain| {
            let mut over = Chain::default();
            let network = chain.find(|network| network.is(address, zone));
            let known = network.and_then(|network| {
                network.look(shown.limit, moment.now, &mut over, &is_over);
                let counted = network.count != 0 && (shown.proved || network.has(&shown.flow));
                counted.then_some(network.count)
            });
            (known, over)
        })?;
        self.count.release(over.drop_all());
        if known.is_some() {
            return known;
        }
        let flow = Flow {
            tuple: shown.flow,
            zone,
            since: moment,
        };
        let flow = Node::new(flow, GFP_ATOMIC).ok()?;
        let network = Network {
            address,
            zone,
            ..Network::default()
        };
        let network = Node::new(network, GFP_ATOMIC).ok()?;
        self.clean(&is_over);
        if !self.count.reserve(Self::MOST) {
            return None;
        }
        let (count, unused) = self
            .networks
            .with(place, |chain| join(chain, network, flow))?;
        self.count.release(unused.1.drop_all());
        Some(count)
    }

    /// Asks about flows of the next networks, and takes out those that have none left.
    fn clean(&self, is_over: &impl Fn(&Flow) -> bool) {
        for _ in 0..Self::CLEANED {
            let place = self.cleaned.count();
            let mut over = Chain::default();
            let left = self.networks.with(place, |chain| {
                chain.take(|network| {
                    network.ask(Network::ASKED, &mut over, is_over);
                    network.count == 0
                })
            });
            drop(left);
            self.count.release(over.drop_all());
        }
    }
}

/// Nodes that were not needed.
type Unused = (Option<KBox<Node<Network>>>, Chain<Flow>);

/// Adds a flow to its network, unless another packet of it was quicker; how many there are.
fn join(
    chain: &mut Chain<Network>,
    network: KBox<Node<Network>>,
    flow: KBox<Node<Flow>>,
) -> (u32, Unused) {
    let mut unused = Chain::default();
    let (address, zone) = (network.value.address, network.value.zone);
    let spare = if chain.find(|known| known.is(address, zone)).is_some() {
        Some(network)
    } else {
        chain.push(network);
        None
    };
    let found = chain.find(|known| known.is(address, zone));
    let count = found.map_or(0, |network| {
        if network.has(&flow.value.tuple) {
            unused.push(flow);
        } else {
            network.asked.push(flow);
            network.count += 1;
        }
        network.count
    });
    (count, (spare, unused))
}

impl Blank for Counts {
    /// No connections. May sleep.
    fn blank() -> Result<Self, AllocError> {
        Ok(Self {
            networks: Chains::new(Self::CHAINS)?,
            count: Word::new(),
            cleaned: Word::new(),
        })
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_counts))]
mod tests {
    use super::*;
    use crate::engine::fixtures::connection_v4;
    use core::ops::Range;

    const NOW: u64 = 1 << 40;
    const MS: u64 = 1_000_000;

    #[test]
    fn networks_have_numbers_of_their_own() {
        let counts = Counts::blank().unwrap();
        for id in 0..30 {
            assert!(shown(&counts, id % 3, id, &(0..30)) == Some(u32::from(id / 3) + 1));
        }
        // Shown again, and proved.
        for id in 0..30 {
            assert!(shown(&counts, id % 3, id, &(0..30)) == Some(10));
            assert!(proved(&counts, id % 3, id, &(0..30)) == Some(10));
        }
        assert_eq!(counts.count.count(), 30);
    }

    #[test]
    fn what_is_over_is_counted_no_more() {
        let counts = Counts::blank().unwrap();
        for id in 0..100 {
            assert!(shown(&counts, 0, id, &(0..100)) == Some(u32::from(id) + 1));
        }
        // One that is over makes room for one, wherever in turn it is; also when the others are there for long.
        for over in [0, 50, 99] {
            let counts = Counts::blank().unwrap();
            for id in 0..100 {
                shown(&counts, 0, id, &(0..100));
            }
            let is_open = |tuple: &Tuple, _| tuple.source_id != u16::to_be_bytes(over);
            let number = |id| counts.count(&connection(0, id, false), at(20), || 4, is_open);
            assert!(number(100) == Some(100));
            assert!(number(101) == Some(101));
        }
        // Where most are over it is asked about a few.
        assert!(shown(&counts, 0, 100, &(99..101)) == Some(93));
        for _ in 0..20 {
            shown(&counts, 0, 100, &(99..101));
        }
        assert!(shown(&counts, 0, 100, &(99..101)) == Some(2));
        assert!(shown(&counts, 0, 101, &(0..0)) == Some(1));
        // The first of a network that was forgotten is counted though it is proved.
        assert!(proved(&counts, 7, 7, &(0..200)) == Some(1));
        assert!(proved(&counts, 7, 8, &(0..200)) == Some(1));
    }

    #[test]
    fn zones_have_networks_of_their_own() {
        let counts = Counts::blank().unwrap();
        let number = |id, zone| {
            let shown = Shown {
                zone,
                ..connection(0, id, false)
            };
            counts.count(&shown, at(20), || 4, |_, asked| asked != 8)
        };
        assert!(number(0, 0) == Some(1) && number(1, 7) == Some(1) && number(2, 7) == Some(2));
        // None of this one is open.
        assert!(number(0, 8) == Some(1) && number(1, 8) == Some(1));
        assert!(number(3, 0) == Some(2));
    }

    #[test]
    fn few_are_asked_about_where_nothing_hangs_on_it() {
        let counts = Counts::blank().unwrap();
        for id in 0..100 {
            shown(&counts, 0, id, &(0..100));
        }
        let calls = Word::new();
        let asked = |limit| {
            let is_open = |_: &Tuple, _| {
                calls.count();
                true
            };
            let shown = Shown {
                limit,
                ..connection(0, 0, true)
            };
            counts.count(&shown, at(9), || 4, is_open);
            calls.update(|calls| (0, calls))
        };
        assert_eq!(asked(1000), 8);
        assert_eq!(asked(50), 8 + 100);
        // Not so many again at once.
        assert_eq!(asked(50), 8);
    }

    #[test]
    fn a_connection_that_is_not_in_the_table_yet() {
        let count = |counts: &Counts, id: u16, moment| {
            counts.count(&connection(0, id, false), moment, || 4, |_, _| false)
        };
        let other = Moment {
            processor: 1,
            ..at(0)
        };
        let counts = Counts::blank().unwrap();
        assert!(count(&counts, 1, at(0)) == Some(1));
        // Another CPU can't know what has become of it.
        assert!(count(&counts, 2, other) == Some(2));
        // This one does.
        assert!(count(&counts, 3, at(1)) == Some(2));
        // After a while all do.
        assert!(count(&counts, 4, at(20)) == Some(1));
    }

    #[test]
    fn networks_that_send_no_more_are_forgotten() {
        let counts = Counts::blank().unwrap();
        for network in 0..2000 {
            assert!(shown(&counts, network, network, &(network..2000)) == Some(1));
        }
        // Each one that comes cleans two chains, and there are 256.
        assert!(counts.count.count() < 400);
        let mut networks = 0;
        for place in 0..counts.networks.count() {
            let mut all = counts.networks.with(place, |chain| chain.take(|_| true));
            while all.as_mut().and_then(Chain::pop).is_some() {
                networks += 1;
            }
        }
        assert!(networks < 400);
    }

    #[cfg(not(MODULE))]
    #[test]
    fn many_threads_count_each_connection_once() {
        for _ in 0..20 {
            let counts = Counts::blank().unwrap();
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    let counts = &counts;
                    scope.spawn(move || {
                        for id in 0..500 {
                            let id = if thread % 2 == 0 { id } else { 499 - id };
                            assert!(shown(counts, id % 2, id, &(0..500)).is_some());
                        }
                    });
                }
            });
            assert_eq!(shown(&counts, 0, 0, &(0..500)), Some(250));
            assert_eq!(counts.count.count(), 500);
        }
    }

    fn at(milliseconds: u64) -> Moment {
        Moment {
            now: NOW + milliseconds * MS,
            processor: 0,
        }
    }

    fn connection(network: u16, id: u16, proved: bool) -> Shown {
        let flow = Tuple {
            source_id: id.to_be_bytes(),
            ..connection_v4().original
        };
        Shown {
            network: network.into(),
            flow,
            zone: 0,
            proved,
            limit: 100,
        }
    }

    /// The number after a packet of a connection was shown, where the tracker knows some to be open.
    fn shown(counts: &Counts, network: u16, id: u16, open: &Range<u16>) -> Option<u32> {
        seen(counts, &connection(network, id, false), open)
    }

    /// The same of a connection that is proved.
    fn proved(counts: &Counts, network: u16, id: u16, open: &Range<u16>) -> Option<u32> {
        seen(counts, &connection(network, id, true), open)
    }

    fn seen(counts: &Counts, shown: &Shown, open: &Range<u16>) -> Option<u32> {
        let is_open = |tuple: &Tuple, _| open.contains(&u16::from_be_bytes(tuple.source_id));
        counts.count(shown, at(0), || 4, is_open)
    }
}

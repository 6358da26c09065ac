// SPDX-License-Identifier: GPL-2.0
//! The tracker of TCP between two simple stacks that talk over a bad network: whatever they say is the connection's,
//! and what others say who do not see them is not.

mod stack;

use oxtables_engine::engine::conntrack::tcp::{
    Acknowledgement, Connection, Kind, Segment, Sequence, State,
};
use oxtables_engine::engine::conntrack::{Direction, Judgement, Settings};
use proptest::prelude::*;
use stack::{Peer, Shape};

/// The most that the network keeps of each way and on each side of the tracker.
const QUEUE: usize = 24;

/// How far the sides may get while the network keeps a segment. What is older than this and a window, they can't have
/// said.
const MSL: u64 = 60_000;

/// A segment on its way, and how much both sides had sent when it was.
#[derive(Clone)]
struct Wire {
    segment: Segment,
    sent: [u64; 2],
}

/// The network: two stacks with the tracker between them.
struct Net {
    peers: [Peer; 2],
    /// What is before the tracker, by its sender.
    before: [Vec<Wire>; 2],
    /// What is behind it.
    behind: [Vec<Wire>; 2],
    settings: Settings,
    tracked: Option<Connection>,
    /// Who began the connection, as far as the tracker knows.
    original: usize,
    /// Whether segments may overtake each other.
    shuffles: bool,
    ended: bool,
    /// For how many seconds the connection lives.
    lives: u32,
}

impl Net {
    fn new(shapes: [Shape; 2], shuffles: bool) -> Self {
        Self {
            peers: shapes.map(Peer::new),
            before: Default::default(),
            behind: Default::default(),
            settings: Settings::default(),
            tracked: None,
            original: 0,
            shuffles,
            ended: false,
            lives: 0,
        }
    }

    fn sent(&self) -> [u64; 2] {
        [0, 1].map(|peer: usize| self.peers[peer].sent())
    }

    fn send(&mut self, from: usize, segments: Vec<Segment>) {
        let sent = self.sent();
        for segment in segments {
            let queue = &mut self.before[from];
            if queue.len() < QUEUE {
                queue.push(Wire { segment, sent });
            }
        }
    }

    fn direction(&self, from: usize) -> Direction {
        if from == self.original {
            Direction::Original
        } else {
            Direction::Reply
        }
    }

    fn state(&self) -> State {
        self.tracked.map_or(State::None, |tracked| tracked.state())
    }

    fn take(&self, queue: &[Wire], at: u16) -> Option<usize> {
        if queue.is_empty() {
            None
        } else if self.shuffles {
            Some(usize::from(at) % queue.len())
        } else {
            Some(0)
        }
    }

    /// A segment comes to the tracker.
    fn pass(&mut self, from: usize, at: u16) {
        let Some(at) = self.take(&self.before[from], at) else {
            return;
        };
        let wire = self.before[from].remove(at);
        let old = |(now, then): (u64, u64)| now - then > MSL;
        if self.sent().into_iter().zip(wire.sent).any(old) {
            return;
        }
        if self.judge(from, &wire.segment) {
            self.behind[from].push(wire);
        }
    }

    /// Whether a segment passes.
    fn judge(&mut self, from: usize, segment: &Segment) -> bool {
        let direction = self.direction(from);
        let Some(tracked) = &mut self.tracked else {
            let begun = Connection::begin(segment, &self.settings);
            self.tracked = Some(begun.expect("the first is a SYN").0);
            self.original = from;
            return true;
        };
        let before = *tracked;
        let judgement = tracked.packet(direction, segment, &self.settings);
        let aborted = self.peers.iter().any(|peer| peer.is_aborted());
        match judgement {
            // Nobody took it back since it was sent, so there is something to learn from it.
            Judgement::Valid { timeout, .. } => {
                self.lives = timeout.unwrap_or(self.lives);
                let moves = matches!(segment.kind, Kind::Ack | Kind::Fin);
                let opening = matches!(before.state(), State::SynSent | State::SynSent2);
                assert!(
                    timeout.is_some() || !moves || opening || self.shuffles || aborted,
                    "passed only: {segment:?} from {direction:?} at {before:?}"
                );
            }
            Judgement::Ended if aborted => self.ended = true,
            Judgement::Invalid(_) if aborted => (),
            // It has been overtaken by the same stack's answer to the other side's SYN, which says all that it says.
            Judgement::Invalid(_) if segment.kind == Kind::Syn && self.shuffles => (),
            _ => panic!("{judgement:?}: {segment:?} from {direction:?} at {before:?}"),
        }
        !matches!(judgement, Judgement::Invalid(_))
    }

    fn deliver(&mut self, from: usize, at: u16) {
        if let Some(at) = self.take(&self.behind[from], at) {
            let wire = self.behind[from].remove(at);
            let answers = self.peers[1 - from].receive(&wire.segment);
            self.send(1 - from, answers);
        }
    }

    fn lose(&mut self, from: usize, at: u16) {
        let queue = if at & 1 == 0 {
            &mut self.before[from]
        } else {
            &mut self.behind[from]
        };
        if !queue.is_empty() {
            queue.remove(usize::from(at >> 1) % queue.len());
        }
    }

    fn duplicate(&mut self, from: usize, at: u16) {
        if !self.shuffles {
            return;
        }
        let queue = if at & 1 == 0 {
            &mut self.before[from]
        } else {
            &mut self.behind[from]
        };
        if !queue.is_empty() && queue.len() < QUEUE {
            queue.push(queue[usize::from(at >> 1) % queue.len()].clone());
        }
    }

    /// Somebody guesses, who does not hit what either side has sent or may send.
    fn guess(&mut self, as_if_from: usize, number: u32, other: u32) {
        let direction = self.direction(as_if_from);
        let far = |number: u32, peer: &Peer| {
            // A quarter of the circle to the one side or the other.
            Sequence(peer.next_number()).plus((1 << 30) + number % (1 << 31))
        };
        let begin = far(number, &self.peers[as_if_from]);
        let next = far(other, &self.peers[1 - as_if_from]);
        let kind = Kind::ALL[number as usize % 5];
        let segment = Segment {
            kind,
            begin,
            end: begin.plus(1 + other % 1400),
            ack: (kind != Kind::Syn).then_some(Acknowledgement {
                next,
                highest: next,
            }),
            window: other as u16,
            scale: None,
            sack_permitted: false,
        };
        let Some(tracked) = &mut self.tracked else {
            return;
        };
        let before = *tracked;
        let opening = matches!(before.state(), State::SynSent | State::SynSent2);
        if kind == Kind::Syn && direction == Direction::Reply && opening {
            // Nothing tells it from the other side's own.
            return;
        }
        let judgement = tracked.packet(direction, &segment, &self.settings);
        if judgement == Judgement::Again {
            assert!(kind == Kind::Syn && matches!(before.state(), State::TimeWait | State::Close));
        }
        assert_eq!(tracked.state(), before.state());
        if kind != Kind::Syn {
            assert_eq!(*tracked, before);
            if matches!(before.state(), State::SynRecv | State::Established) {
                let invalid = matches!(judgement, Judgement::Invalid(_));
                assert!(invalid, "{judgement:?}: {segment:?} at {before:?}");
            }
        }
    }

    fn step(&mut self, what: u8, peer: usize, at: u16) {
        match what {
            0..=4 => self.pass(peer, at),
            5..=9 => self.deliver(peer, at),
            10 => self.lose(peer, at),
            11 => self.duplicate(peer, at),
            12 => self.peers[peer].resize(at),
            13 => self.guess(
                peer,
                u32::from(at) << 15 ^ 0x55,
                u32::from(at).rotate_left(20),
            ),
            14..=17 => {
                let segments = self.peers[peer].send(at);
                self.send(peer, segments);
            }
            18 => {
                let segments = self.peers[peer].repeat(at);
                self.send(peer, segments);
            }
            19 => {
                let segments = self.peers[peer].ask(at);
                self.send(peer, segments);
            }
            _ => {
                let segments = self.peers[peer].acknowledge();
                self.send(peer, segments);
            }
        }
    }

    /// The network gets better, both sides send all that they have to, and close.
    fn finish(&mut self) {
        for _ in 0..1000 {
            if self.peers.iter().all(|peer| peer.is_done()) {
                break;
            }
            for peer in 0..2 {
                self.peers[peer].make_room();
                let segments = self.peers[peer].acknowledge();
                self.send(peer, segments);
                let segments = self.peers[peer].send(u16::MAX);
                self.send(peer, segments);
                let segments = self.peers[peer].repeat(u16::MAX);
                self.send(peer, segments);
            }
            for peer in 0..2 {
                while !self.before[peer].is_empty() {
                    self.pass(peer, 0);
                }
                while !self.behind[peer].is_empty() {
                    self.deliver(peer, 0);
                }
            }
        }
        let done = self.peers.iter().all(|peer| peer.is_done());
        assert!(
            done,
            "the stacks do not get on with each other: {:?}",
            self.peers
        );
    }
}

fn steps() -> impl Strategy<Value = Vec<(u8, usize, u16)>> {
    prop::collection::vec((0..22_u8, 0..2_usize, any::<u16>()), 0..600)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever two stacks say is the connection's, and what others guess is not. When both sides have closed, the
    /// tracker knows.
    #[test]
    fn what_stacks_say_is_valid(
        client in stack::shape(false),
        server in stack::shape(true),
        shuffles in any::<bool>(),
        steps in steps(),
    ) {
        let mut net = Net::new([client, server], shuffles);
        for (what, peer, at) in steps {
            net.step(what, peer, at);
        }
        net.finish();
        prop_assert_eq!(net.state(), State::TimeWait, "{:?} {:?}", net.tracked, net.peers);
    }

    /// The same where both sides open.
    #[test]
    fn what_stacks_say_who_open_at_once_is_valid(
        one in stack::shape(false),
        other in stack::shape(false),
        shuffles in any::<bool>(),
        steps in steps(),
    ) {
        let mut net = Net::new([one, other], shuffles);
        for (what, peer, at) in steps {
            net.step(what, peer, at);
        }
        net.finish();
        prop_assert_eq!(net.state(), State::TimeWait, "{:?} {:?}", net.tracked, net.peers);
    }

    /// When one side resets the connection and the other gets to know, the tracker keeps it no longer.
    #[test]
    fn what_a_stack_resets_is_closed(
        client in stack::shape(false),
        server in stack::shape(true),
        shuffles in any::<bool>(),
        before in steps(),
        aborts in 0..2_usize,
        after in steps(),
    ) {
        let mut net = Net::new([client, server], shuffles);
        for (what, peer, at) in before {
            net.step(what, peer, at);
        }
        if net.peers.iter().all(|peer| peer.is_open()) {
            let segments = net.peers[aborts].abort();
            net.send(aborts, segments);
            for (what, peer, at) in after {
                net.step(what, peer, at);
            }
            net.finish();
            // A RST that comes before what was sent before it proves nothing, and may be believed all the same when
            // it arrives behind that.
            prop_assert!(net.ended || net.state().is_ending() || shuffles && net.lives <= 300);
        }
    }
}

// SPDX-License-Identifier: GPL-2.0
//! A simple stack of TCP: it opens, sends what it has to, sends again what was not acknowledged, answers, and closes, as
//! RFC 9293 says. When it sends is up to who drives it.

use std::collections::BTreeMap;

use oxtables_engine::engine::conntrack::tcp::{Acknowledgement, Kind, Scale, Segment, Sequence};
use proptest::option::of;
use proptest::prelude::*;

/// What a stack is like.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Whether it waits for the other side to open.
    listens: bool,
    /// The number that it begins with.
    first: u32,
    /// How many bytes it has to send.
    total: u64,
    /// The most that it sends at once, in bytes.
    most: u64,
    /// The most that it takes, in bytes.
    buffer: u64,
    scale: Option<u8>,
    sack: bool,
    /// Whether it sends data with its SYN.
    eager: bool,
}

/// A stack of some shape.
pub(crate) fn shape(listens: bool) -> impl Strategy<Value = Shape> {
    let first = prop_oneof![any::<u32>(), Just(u32::MAX), Just(u32::MAX - 5000)];
    (
        first,
        0..400_000_u64,
        prop_oneof![Just(536), Just(1460), Just(14_600), Just(64_000)],
        1..2_000_000_u64,
        of(0..=14_u8),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            move |(first, total, most, buffer, scale, sack, eager)| Shape {
                listens,
                first,
                total,
                most,
                buffer,
                scale,
                sack,
                eager,
            },
        )
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Listens,
    SynSent,
    SynReceived,
    Open,
    /// It has reset the connection, or was reset.
    Closed,
}

/// What a stack knows of the other side.
#[derive(Clone, Copy, Debug)]
struct Other {
    first: u32,
    scale: Option<u8>,
    sack: bool,
}

/// A stack. It counts from its SYN, which is 0, in numbers that do not go round.
#[derive(Debug)]
pub(crate) struct Peer {
    shape: Shape,
    state: State,
    other: Option<Other>,
    /// What is not acknowledged.
    unacknowledged: u64,
    /// What it sends next.
    next: u64,
    /// Up to where it may send.
    limit: u64,
    /// What it expects.
    expected: u64,
    /// What it has got beyond that.
    got: BTreeMap<u64, u64>,
    /// The number of the other side's FIN, once that was seen.
    fin: Option<u64>,
    /// How much it takes at present.
    room: u64,
    aborted: bool,
}

impl Peer {
    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            state: if shape.listens {
                State::Listens
            } else {
                State::SynSent
            },
            room: shape.buffer,
            shape,
            other: None,
            unacknowledged: 0,
            next: 0,
            limit: 0,
            expected: 0,
            got: BTreeMap::new(),
            fin: None,
            aborted: false,
        }
    }

    /// How much it has sent.
    pub(crate) fn sent(&self) -> u64 {
        self.next
    }

    /// The number on the wire of what it sends next.
    pub(crate) fn next_number(&self) -> u32 {
        self.number(self.next).0
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    pub(crate) fn is_aborted(&self) -> bool {
        self.aborted
    }

    /// Whether it has nothing left to say, nor to hear.
    pub(crate) fn is_done(&self) -> bool {
        match self.state {
            State::Closed => true,
            State::Open => {
                let sent = self.unacknowledged == self.end();
                sent && self.fin.is_some_and(|fin| self.expected > fin)
            }
            _ => false,
        }
    }

    /// The number after its FIN.
    fn end(&self) -> u64 {
        self.shape.total + 2
    }

    /// What it sends next, or what it may where the other side has taken back a part of its window. Otherwise its
    /// acknowledgements would not be looked at.
    fn allowed(&self) -> u64 {
        self.next.min(self.limit.max(self.unacknowledged))
    }

    fn number(&self, count: u64) -> Sequence {
        Sequence(self.shape.first).plus(count as u32)
    }

    /// How much it takes, as its windows can say it.
    fn window(&self, syn: bool) -> (u16, u64) {
        let shift = match self.other {
            Some(other) if !syn && other.scale.is_some() => self.shape.scale.unwrap_or(0),
            _ => 0,
        };
        let window = u16::try_from(self.room >> shift).unwrap_or(u16::MAX);
        (window, u64::from(window) << shift)
    }

    fn make(&self, kind: Kind, begin: u64, length: u64) -> Segment {
        let syn = matches!(kind, Kind::Syn | Kind::SynAck);
        let counted = u64::from(syn || kind == Kind::Fin);
        let answered = self.other.filter(|_| kind != Kind::Syn);
        let ack = answered.map(|other| {
            let number = |count: u64| Sequence(other.first).plus(count as u32);
            let last = self
                .got
                .values()
                .max()
                .filter(|_| other.sack && self.shape.sack);
            Acknowledgement {
                next: number(self.expected),
                highest: number(last.copied().unwrap_or(self.expected)),
            }
        });
        // Options of an answer are those that the SYN had.
        let scales = kind == Kind::Syn || self.other.is_some_and(|other| other.scale.is_some());
        let sacks = kind == Kind::Syn || self.other.is_some_and(|other| other.sack);
        let (window, _) = self.window(syn);
        Segment {
            kind,
            begin: self.number(begin),
            end: self.number(begin + length + counted),
            ack,
            window: if kind == Kind::Rst { 0 } else { window },
            scale: self.shape.scale.filter(|_| syn && scales).map(Scale::new),
            sack_permitted: syn && sacks && self.shape.sack,
        }
    }

    /// Changes how much it takes.
    pub(crate) fn resize(&mut self, part: u16) {
        self.room = self.shape.buffer * u64::from(part) / u64::from(u16::MAX);
    }

    /// Takes a good deal.
    pub(crate) fn make_room(&mut self) {
        self.room = self.room.max(60_000);
    }

    /// Sends something new, or opens.
    pub(crate) fn send(&mut self, part: u16) -> Vec<Segment> {
        match self.state {
            State::SynSent if self.next == 0 => {
                let data = if self.shape.eager {
                    self.shape.total.min(500)
                } else {
                    0
                };
                self.next = 1 + data;
                vec![self.make(Kind::Syn, 0, data)]
            }
            State::Open => {
                let begin = self.next;
                let left = (self.shape.total + 1).saturating_sub(begin);
                let allowed = self.limit.saturating_sub(begin);
                let most = 1 + self.shape.most * u64::from(part) / u64::from(u16::MAX);
                let length = left.min(allowed).min(most);
                let last = length == left && begin <= self.shape.total + 1 && allowed > length;
                if last && part & 1 == 1 {
                    self.next = self.end();
                    vec![self.make(Kind::Fin, begin, length)]
                } else if length != 0 {
                    self.next = begin + length;
                    vec![self.make(Kind::Ack, begin, length)]
                } else {
                    Vec::new()
                }
            }
            _ => Vec::new(),
        }
    }

    /// Sends again what was not acknowledged.
    pub(crate) fn repeat(&mut self, part: u16) -> Vec<Segment> {
        match self.state {
            State::SynSent if self.next != 0 => vec![self.make(Kind::Syn, 0, self.next - 1)],
            State::SynReceived => vec![self.make(Kind::SynAck, 0, 0)],
            State::Open if self.unacknowledged < self.next => {
                let begin = self.unacknowledged;
                let most = 1 + self.shape.most * u64::from(part) / u64::from(u16::MAX);
                let data = self.next.min(self.shape.total + 1) - begin.min(self.shape.total + 1);
                let length = data.min(most);
                let with_fin = begin + length == self.shape.total + 1 && self.next == self.end();
                let kind = if with_fin { Kind::Fin } else { Kind::Ack };
                vec![self.make(kind, begin, length)]
            }
            _ => Vec::new(),
        }
    }

    /// Asks whether the other side is there, or has room again.
    pub(crate) fn ask(&mut self, part: u16) -> Vec<Segment> {
        if self.state != State::Open || self.unacknowledged != self.next {
            return Vec::new();
        }
        if self.limit <= self.next && self.next <= self.shape.total {
            let begin = self.next;
            self.next += 1;
            return vec![self.make(Kind::Ack, begin, 1)];
        }
        vec![self.make(Kind::Ack, self.next - 1, u64::from(part & 1))]
    }

    /// Says what it expects and how much it takes.
    pub(crate) fn acknowledge(&mut self) -> Vec<Segment> {
        match self.state {
            State::Open => vec![self.make(Kind::Ack, self.allowed(), 0)],
            _ => Vec::new(),
        }
    }

    /// Gives up.
    pub(crate) fn abort(&mut self) -> Vec<Segment> {
        self.state = State::Closed;
        self.aborted = true;
        vec![self.make(Kind::Rst, self.next, 0)]
    }

    /// Takes a segment, and answers.
    pub(crate) fn receive(&mut self, segment: &Segment) -> Vec<Segment> {
        match self.state {
            State::Closed if !self.aborted || segment.kind == Kind::Rst => Vec::new(),
            State::Closed => {
                // RFC 9293, section 3.10.7.1.
                let mut reset = self.make(Kind::Rst, 0, 0);
                match segment.ack {
                    Some(ack) => {
                        reset.begin = ack.next;
                        reset.ack = None;
                    }
                    None => {
                        reset.begin = Sequence(0);
                        reset.ack = Some(Acknowledgement {
                            next: segment.end,
                            highest: segment.end,
                        });
                    }
                }
                reset.end = reset.begin;
                vec![reset]
            }
            State::Listens if segment.kind == Kind::Syn => {
                self.meet(segment);
                self.state = State::SynReceived;
                self.next = 1;
                vec![self.make(Kind::SynAck, 0, 0)]
            }
            State::Listens => Vec::new(),
            State::SynSent => self.receive_in_syn_sent(segment),
            State::SynReceived | State::Open => self.receive_in_window(segment),
        }
    }

    /// Takes over what a SYN says.
    fn meet(&mut self, segment: &Segment) {
        self.other = Some(Other {
            first: segment.begin.0,
            scale: segment.scale.map(Scale::shift),
            sack: segment.sack_permitted,
        });
        self.expected = 1;
    }

    fn receive_in_syn_sent(&mut self, segment: &Segment) -> Vec<Segment> {
        if self.next == 0 {
            return Vec::new();
        }
        match (segment.kind, segment.ack) {
            (Kind::SynAck, Some(ack)) if self.acknowledged(ack).is_some() => {
                self.meet(segment);
                self.state = State::Open;
                self.take_ack(segment);
                vec![self.make(Kind::Ack, self.allowed(), 0)]
            }
            (Kind::Syn, _) => {
                self.meet(segment);
                self.state = State::SynReceived;
                vec![self.make(Kind::SynAck, 0, 0)]
            }
            _ => Vec::new(),
        }
    }

    /// What is acknowledged, in its own count, where it has sent so much.
    fn acknowledged(&self, ack: Acknowledgement) -> Option<u64> {
        let behind = self.number(self.next).since(ack.next);
        let count = self.next.checked_sub(behind.into())?;
        (count > 0 && count >= self.unacknowledged).then_some(count)
    }

    fn take_ack(&mut self, segment: &Segment) {
        let Some(count) = segment.ack.and_then(|ack| self.acknowledged(ack)) else {
            return;
        };
        self.unacknowledged = count;
        let syn = matches!(segment.kind, Kind::Syn | Kind::SynAck);
        let shift = match (self.other, self.shape.scale) {
            (Some(other), Some(_)) if !syn => other.scale.unwrap_or(0),
            _ => 0,
        };
        self.limit = count + (u64::from(segment.window) << shift);
    }

    fn receive_in_window(&mut self, segment: &Segment) -> Vec<Segment> {
        let Some(other) = self.other else {
            return Vec::new();
        };
        let challenge = |peer: &Self| match peer.state {
            State::Open => vec![peer.make(Kind::Ack, peer.allowed(), 0)],
            _ => vec![peer.make(Kind::SynAck, 0, 0)],
        };
        let expected = Sequence(other.first).plus(self.expected as u32);
        // Where it begins and ends, counted from what is expected.
        let begin = segment.begin.since(expected) as i32;
        let end = segment.end.since(expected) as i32;
        let (_, window) = self.window(false);
        let window = window as i32;
        match segment.kind {
            Kind::Rst if begin == 0 => {
                self.state = State::Closed;
                return Vec::new();
            }
            Kind::Rst if begin > 0 && begin <= window => return challenge(self),
            Kind::Rst => return Vec::new(),
            // SYNs have crossed, and this acknowledges ours.
            Kind::SynAck if self.state == State::SynReceived => (),
            Kind::Syn | Kind::SynAck => return challenge(self),
            Kind::Fin | Kind::Ack => (),
        }
        let opened = segment
            .ack
            .is_some_and(|ack| self.acknowledged(ack).is_some());
        if self.state == State::SynReceived && opened {
            self.state = State::Open;
        }
        if segment.kind == Kind::SynAck {
            self.take_ack(segment);
            return challenge(self);
        }
        if begin > window {
            return challenge(self);
        }
        // Of what has come before the acknowledgement counts still, as two sides that have both taken back a part of
        // their windows would wait for each other for ever.
        self.take_ack(segment);
        if end < 0 {
            return challenge(self);
        }
        if begin == end {
            return Vec::new();
        }
        // What fits is taken, but a byte of a keepalive, which was there before.
        let counted = i32::from(segment.kind == Kind::Fin);
        let (first, last) = (begin.max(0), (end - counted).min(window));
        if last > first {
            let at = |distance: i32| self.expected + distance.unsigned_abs() as u64;
            let (first, last) = (at(first), at(last));
            let known = self.got.entry(first).or_insert(last);
            *known = last.max(*known);
        }
        if segment.kind == Kind::Fin && end - 1 <= window {
            self.fin = Some((self.expected as i64 + i64::from(end) - 1) as u64);
        }
        while let Some((first, last)) = self.got.pop_first() {
            if first > self.expected {
                self.got.insert(first, last);
                break;
            }
            self.expected = self.expected.max(last);
        }
        if self.fin == Some(self.expected) {
            self.expected += 1;
        }
        challenge(self)
    }
}

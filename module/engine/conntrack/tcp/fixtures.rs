// SPDX-License-Identifier: GPL-2.0
//! Conversations to test with.

use super::{Acknowledgement, Connection, Kind, Segment, Sequence, State};
use crate::engine::conntrack::{Direction, Judgement, Settings};

/// The window that segments offer where a test does not say otherwise.
pub(super) const WINDOW: u16 = 10_000;

/// A segment that begins with this number, and acknowledges everything before that one.
pub(super) fn segment(kind: Kind, begin: u32, length: u32, ack: impl Into<Option<u32>>) -> Segment {
    let begin = Sequence(begin);
    let counted = u32::from(!matches!(kind, Kind::Ack | Kind::Rst));
    let ack = ack.into().map(Sequence);
    Segment {
        kind,
        begin,
        end: begin.plus(length).plus(counted),
        ack: ack.map(|next| Acknowledgement {
            next,
            highest: next,
        }),
        window: WINDOW,
        scale: None,
        sack_permitted: false,
    }
}

/// Two sides that talk, and get all that the other says.
pub(super) struct Talk {
    pub connection: Connection,
    pub settings: Settings,
    /// The first and the next number of each side.
    numbers: [(u32, u32); 2],
}

impl Talk {
    /// The number that the original side begins with.
    pub(super) const ORIGINAL: u32 = 1_000_000;
    /// The number that the reply side begins with.
    pub(super) const REPLY: u32 = 5_000_000;

    /// One that has begun with a SYN.
    pub(super) fn opened() -> Self {
        Self::opened_with(segment(Kind::Syn, Self::ORIGINAL, 0, None), Self::REPLY)
    }

    /// One that has begun with this SYN, and that the other side answers with this number.
    pub(super) fn opened_with(syn: Segment, reply: u32) -> Self {
        let settings = Settings::default();
        let (connection, _) = Connection::begin(&syn, &settings).unwrap();
        Self {
            connection,
            settings,
            numbers: [(syn.begin.0, syn.end.0), (reply, reply)],
        }
    }

    /// One that has come to this state; this side is the first to end it.
    pub(super) fn reached(state: State, first: Direction) -> Self {
        use Direction::{Original, Reply};
        let other = first.other();
        let steps = [
            (Reply, Kind::SynAck),
            (Original, Kind::Ack),
            (first, Kind::Fin),
            (other, Kind::Ack),
            (other, Kind::Fin),
            (first, Kind::Ack),
        ];
        let (count, last) = match state {
            State::None | State::SynSent => (0, None),
            State::SynSent2 => (0, Some((Reply, Kind::Syn))),
            State::SynRecv => (1, None),
            State::Established => (2, None),
            State::FinWait => (3, None),
            State::CloseWait => (4, None),
            State::LastAck => (5, None),
            State::TimeWait => (6, None),
            State::Close => (2, Some((first, Kind::Rst))),
        };
        let mut talk = Self::opened();
        for (direction, kind) in steps.into_iter().take(count).chain(last) {
            talk.say(direction, kind, 0);
        }
        talk
    }

    /// What a side would say next; with SYN, what it began with.
    pub(super) fn next(&self, direction: Direction, kind: Kind, length: u32) -> Segment {
        let [original, reply] = self.numbers;
        let ((first, next), (_, ack)) = match direction {
            Direction::Original => (original, reply),
            Direction::Reply => (reply, original),
        };
        match kind {
            Kind::Syn => segment(kind, first, length, None),
            Kind::SynAck => segment(kind, first, length, ack),
            Kind::Fin | Kind::Ack | Kind::Rst => segment(kind, next, length, ack),
        }
    }

    /// Shows the tracker a segment.
    pub(super) fn show(&mut self, direction: Direction, segment: Segment) -> Judgement {
        self.connection.packet(direction, &segment, &self.settings)
    }

    /// A side says what comes next.
    pub(super) fn say(&mut self, direction: Direction, kind: Kind, length: u32) -> Judgement {
        let segment = self.next(direction, kind, length);
        let [original, reply] = &mut self.numbers;
        let (_, next) = match direction {
            Direction::Original => original,
            Direction::Reply => reply,
        };
        *next = Sequence(*next).later(segment.end).0;
        self.show(direction, segment)
    }
}

// SPDX-License-Identifier: GPL-2.0
//! TCP (RFC 9293): in which state a connection is, as one sees it who only passes its segments on.
//!
//! A segment is judged in two steps. By a table of what can come in which state from which side, and by the windows of
//! both sides (see [`window`]). Only what passes both moves the state, so that a connection can't be
//! killed by whoever merely knows its addresses and ports: it takes sequence numbers that nobody guesses.
//!
//! Segments can be honest that are past the state in which the connection seems to be: one side may have lost its
//! memory, or the tracker may. Then the two sides sort it out among themselves (RFC 9293, section 3.5.1; RFC 5961,
//! sections 3 and 4), and the tracker lets pass what that takes, learning nothing from it until the other side confirms:
//!
//! - A SYN in a connection is noted. The peer that has no connection answers it with SYN and ACK of that very number,
//!   whereupon the tracker begins anew with both, or with a RST of that number. The peer that has one answers with a
//!   challenge, an ACK of the connection; who sent the SYN in earnest resets the connection by the number in the
//!   challenge, and who did not, goes on.
//! - A RST with another number than the one that the receiver expects makes it send a challenge, too. The connection
//!   stays as it is, for a shorter time until it is heard of again.

#[cfg(any(test, CONFIG_KUNIT))]
mod attacks;
#[cfg(any(test, CONFIG_KUNIT))]
mod fixtures;
#[cfg(any(test, CONFIG_KUNIT))]
mod scenarios;
mod segment;
mod state;
mod window;

pub use segment::{Acknowledgement, Kind, Scale, Segment, Sequence};
pub use state::State;

use super::{Direction, Invalid, Judgement, Setting, Settings};
use state::Cell;
use window::{Fit, Opening, Reset, Sides};

/// What is the connection's, or may be, and adds nothing to it.
const PASSED: Judgement = Judgement::Valid {
    timeout: None,
    assured: false,
    changed: false,
};

/// What is remembered of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    sides: Sides,
    /// A SYN of the original direction that came where none should.
    noted: Option<Opening>,
    /// The window in the last segment of kind ACK, as it was in the header.
    last_window: u16,
    /// Which way that segment went.
    last_direction: Direction,
    /// How many segments in a row, all one way, brought nothing that had not been said before.
    retransmissions: u8,
    state: State,
    /// Whether it was open before it was seen, so that its windows are not known for sure.
    picked_up: bool,
    /// Whether segments have passed unseen since the last one, so that the next one tells where both sides are.
    stale: bool,
    /// Whether SYNs have crossed, so that both sides answer.
    crossed: bool,
}

impl Connection {
    /// A connection that this segment begins, and how many seconds it lives.
    ///
    /// # Errors
    ///
    /// [`Invalid::Beginning`] where it begins none.
    pub fn begin(segment: &Segment, settings: &Settings) -> Result<(Self, u32), Invalid> {
        let Cell::To(state) = State::None.on(segment.kind, Direction::Original) else {
            return Err(Invalid::Beginning);
        };
        let sides = match segment.ack {
            None => Sides::opened(Opening::of(segment), segment.begin.plus(1)),
            Some(ack) if settings.is_on(Setting::TcpLoose) => Sides::picked_up(segment, ack),
            Some(_) => return Err(Invalid::Beginning),
        };
        let connection = Self {
            sides,
            noted: None,
            last_window: segment.window,
            last_direction: Direction::Original,
            retransmissions: 0,
            state,
            picked_up: segment.ack.is_some(),
            stale: false,
            crossed: false,
        };
        Ok((connection, connection.timeout(settings)))
    }

    /// The state that it is in.
    pub const fn state(&self) -> State {
        self.state
    }

    /// Ends the connection, as a reset does that this machine sends in its name. Returns how many seconds it lives;
    /// `None` where it was closed before.
    pub fn close(&mut self, settings: &Settings) -> Option<u32> {
        if self.state == State::Close {
            return None;
        }
        self.state = State::Close;
        Some(settings.get(Setting::TcpTimeoutClose))
    }

    /// Says that segments may have passed unseen. What was agreed on with the SYNs still holds, and where there was no
    /// answer yet, nothing else is known.
    pub fn resume(&mut self) {
        if !matches!(self.state, State::SynSent | State::SynSent2) {
            self.picked_up = true;
            self.stale = true;
        }
    }

    /// Judges a segment that is not the first.
    #[inline]
    pub fn packet(
        &mut self,
        direction: Direction,
        segment: &Segment,
        settings: &Settings,
    ) -> Judgement {
        let cell = self.state.on(segment.kind, direction);
        match (cell, segment.kind) {
            (Cell::To(next), Kind::Ack | Kind::Fin) => {
                self.go_on(direction, segment, next, settings)
            }
            _ => self.step(cell, direction, segment, settings),
        }
    }

    /// A segment that opens a connection or breaks it off, or can't come.
    #[cold]
    fn step(
        &mut self,
        cell: Cell,
        direction: Direction,
        segment: &Segment,
        settings: &Settings,
    ) -> Judgement {
        match (cell, segment.kind) {
            (Cell::To(_), Kind::Rst) => self.reset(direction, segment, settings),
            (Cell::To(_), Kind::Syn) => self.cross(segment, settings),
            (Cell::To(_), Kind::SynAck) if direction == Direction::Reply => {
                self.answer(segment, settings)
            }
            (Cell::To(next), _) => self.go_on(direction, segment, next, settings),
            (Cell::Doubtful, Kind::Syn) => match direction {
                Direction::Original => self.note(segment),
                Direction::Reply if self.crossed => PASSED,
                Direction::Reply => Judgement::Invalid(Invalid::State),
            },
            (Cell::Doubtful, Kind::SynAck) => match direction {
                Direction::Original if self.crossed => {
                    self.answer_again(direction, segment, settings)
                }
                Direction::Original => Judgement::Invalid(Invalid::State),
                Direction::Reply => self.answer(segment, settings),
            },
            (Cell::Doubtful, _) => PASSED,
            (Cell::Again, _) => self.reopen(direction, segment),
            (Cell::Invalid, _) => Judgement::Invalid(Invalid::State),
        }
    }

    /// A segment of an open connection.
    #[inline]
    fn go_on(
        &mut self,
        direction: Direction,
        segment: &Segment,
        next: State,
        settings: &Settings,
    ) -> Judgement {
        let Some(ack) = self.sides.acknowledgement(direction, segment) else {
            return Judgement::Invalid(Invalid::Flags);
        };
        if self.stale {
            self.stale = false;
            self.sides.pick_up_again(direction, segment, ack);
        }
        match self.sides.fit(direction, segment, ack) {
            Fit::In => {
                let was_heard = self.sides.reply.is_heard();
                if segment.kind == Kind::Ack {
                    self.count(direction, segment, ack);
                }
                self.sides.learn(direction, segment, ack);
                let next = self.reached(direction, segment.kind, next);
                self.valid(next, was_heard, settings)
            }
            Fit::Beside(bound) if !self.is_liberal(settings) => {
                self.pass_by(direction, segment, bound)
            }
            Fit::Out(bound) if !self.is_liberal(settings) => Judgement::Invalid(bound),
            Fit::Beside(bound) | Fit::Out(bound) => {
                self.follow(direction, segment, ack, bound, next, settings)
            }
        }
    }

    /// A segment past a bound that may be honest.
    #[cold]
    fn pass_by(&mut self, direction: Direction, segment: &Segment, bound: Invalid) -> Judgement {
        if bound == Invalid::SequenceOver {
            self.sides.note(direction, segment);
        }
        PASSED
    }

    /// A segment past a bound that is not known for sure, or that the administrator does not mind.
    #[cold]
    fn follow(
        &mut self,
        direction: Direction,
        segment: &Segment,
        ack: Acknowledgement,
        bound: Invalid,
        next: State,
        settings: &Settings,
    ) -> Judgement {
        let was_heard = self.sides.reply.is_heard();
        self.sides.follow(direction, segment, ack, bound);
        // What can't be told from a guess moves no state, unless it is meant to.
        let next = if settings.is_on(Setting::TcpBeLiberal) {
            self.reached(direction, segment.kind, next)
        } else {
            self.state
        };
        self.valid(next, was_heard, settings)
    }

    /// A segment that is the connection's, which comes to this state.
    #[inline]
    fn valid(&mut self, next: State, was_heard: bool, settings: &Settings) -> Judgement {
        let before = core::mem::replace(&mut self.state, next);
        self.noted = None;
        Judgement::Valid {
            timeout: Some(self.timeout(settings)),
            assured: was_heard
                && next == State::Established
                && matches!(before, State::SynRecv | State::Established),
            changed: before != next,
        }
    }

    /// The state that a segment in the windows leads to.
    #[inline]
    fn reached(&mut self, direction: Direction, kind: Kind, next: State) -> State {
        match (kind, next) {
            (Kind::Fin, _) => {
                let (sender, _) = self.sides.of_mut(direction);
                let again = core::mem::replace(&mut sender.finished, true);
                if again {
                    self.state
                } else {
                    next
                }
            }
            (Kind::Ack, State::CloseWait | State::TimeWait) if !self.fins_are_acknowledged() => {
                self.state
            }
            // SYNs have crossed, and this acknowledges the second one.
            (Kind::Ack, State::SynRecv) if self.sides.original.has_acknowledged() => {
                State::Established
            }
            _ => next,
        }
    }

    /// Whether every FIN that was sent has been acknowledged. Other acknowledgements end nothing: they may be of data,
    /// or challenge a SYN.
    fn fins_are_acknowledged(&self) -> bool {
        let Sides { original, reply } = &self.sides;
        (!original.finished || original.is_acknowledged_by(reply))
            && (!reply.finished || reply.is_acknowledged_by(original))
    }

    /// Counts how often one side repeats itself without an answer.
    #[inline]
    fn count(&mut self, direction: Direction, segment: &Segment, ack: Acknowledgement) {
        let (sender, _) = self.sides.of(direction);
        let again = self.last_direction == direction
            && self.last_window == segment.window
            && !sender.is_news(segment, ack);
        if again {
            self.retransmissions = self.retransmissions.saturating_add(1);
        } else {
            self.last_direction = direction;
            self.last_window = segment.window;
            self.retransmissions = 0;
        }
    }

    /// For how many seconds the connection lives from now on.
    #[inline]
    fn timeout(&self, settings: &Settings) -> u32 {
        let Sides { original, reply } = &self.sides;
        let mut timeout = settings.get(self.state.timeout());
        let mut at_most = |setting| timeout = timeout.min(settings.get(setting));
        let repeated = u32::from(self.retransmissions) >= settings.get(Setting::TcpMaxRetrans);
        if repeated || self.last_window == 0 {
            at_most(Setting::TcpTimeoutMaxRetrans);
        }
        let unanswered = self.state == State::Established && !reply.is_heard();
        if original.unacknowledged || reply.unacknowledged || unanswered {
            at_most(Setting::TcpTimeoutUnacknowledged);
        }
        timeout
    }

    fn is_liberal(&self, settings: &Settings) -> bool {
        self.picked_up || settings.is_on(Setting::TcpBeLiberal)
    }

    /// A SYN that moves nothing, unless it is answered.
    #[cold]
    fn note(&mut self, segment: &Segment) -> Judgement {
        self.noted = Some(Opening::of(segment));
        PASSED
    }

    /// A SYN where the connection seems to be over. It is not for sure where the other side has reset it, and a SYN with
    /// numbers of the old connection is most likely its own, come late (RFC 9293, section 3.6.1).
    #[cold]
    fn reopen(&mut self, direction: Direction, segment: &Segment) -> Judgement {
        let (sender, receiver) = self.sides.of(direction);
        let over = sender.finished || receiver.finished || sender.aborted;
        if over && !self.sides.came(direction, segment) {
            return Judgement::Again;
        }
        match direction {
            Direction::Original => self.note(segment),
            Direction::Reply => PASSED,
        }
    }

    /// A SYN that crosses the first one.
    #[cold]
    fn cross(&mut self, segment: &Segment, settings: &Settings) -> Judgement {
        self.sides.answer(segment);
        self.crossed = true;
        self.valid(State::SynSent2, false, settings)
    }

    /// A SYN and ACK in the direction of replies.
    #[cold]
    fn answer(&mut self, segment: &Segment, settings: &Settings) -> Judgement {
        let Some(ack) = self.sides.acknowledgement(Direction::Reply, segment) else {
            return Judgement::Invalid(Invalid::Flags);
        };
        let waiting = matches!(self.state, State::SynSent | State::SynSent2);
        if !(waiting && self.sides.is_answer(ack)) {
            // It may answer a SYN that moved nothing, unless it has come before.
            let came = !waiting && self.sides.came(Direction::Reply, segment);
            match self.noted {
                Some(noted) if noted.end == ack.next && !came => {
                    self.sides = Sides::opened(noted, noted.end);
                    self.picked_up = false;
                    self.crossed = false;
                }
                _ if waiting => return Judgement::Invalid(Invalid::Answer),
                _ => return self.answer_again(Direction::Reply, segment, settings),
            }
        }
        self.sides.answer(segment);
        self.valid(State::SynRecv, false, settings)
    }

    /// A SYN and ACK that moves nothing. Its window may be another one than before.
    #[cold]
    fn answer_again(
        &mut self,
        direction: Direction,
        segment: &Segment,
        settings: &Settings,
    ) -> Judgement {
        let Some(ack) = self.sides.acknowledgement(direction, segment) else {
            return Judgement::Invalid(Invalid::Flags);
        };
        match self.sides.fit(direction, segment, ack) {
            Fit::In => self.sides.learn(direction, segment, ack),
            Fit::Out(bound) if !self.is_liberal(settings) => return Judgement::Invalid(bound),
            Fit::Beside(_) | Fit::Out(_) => (),
        }
        PASSED
    }

    /// A RST.
    #[cold]
    fn reset(&mut self, direction: Direction, segment: &Segment, settings: &Settings) -> Judgement {
        let was_heard = self.sides.reply.is_heard();
        let reset = match (self.state, direction, segment.ack) {
            // It refuses a SYN: by the number of that, since there is no other.
            (State::SynSent | State::SynSent2, Direction::Reply, Some(ack))
                if self.sides.is_answer(ack) =>
            {
                Reset::Exact
            }
            (_, Direction::Reply, Some(ack))
                if self.noted.is_some_and(|noted| noted.end == ack.next) =>
            {
                Reset::Exact
            }
            (State::SynSent, Direction::Reply, _) => Reset::Outside,
            // Nobody can say where its number is.
            _ if self.stale => Reset::Inside,
            _ => self.sides.reset(direction, segment),
        };
        match reset {
            Reset::Exact => {
                let (sender, _) = self.sides.of_mut(direction);
                sender.aborted = true;
                match self.valid(State::Close, false, settings) {
                    _ if !was_heard => Judgement::Ended,
                    valid => valid,
                }
            }
            // In the end both sides may send many of them, and it makes no difference any more.
            _ if self.state.is_ending() => PASSED,
            // It may answer the challenge of a side that holds an older connection.
            _ if self.state == State::SynSent && direction == Direction::Original => PASSED,
            Reset::Inside => {
                let most = settings.get(Setting::TcpTimeoutUnacknowledged);
                Judgement::Valid {
                    timeout: Some(self.timeout(settings).min(most)),
                    assured: false,
                    changed: false,
                }
            }
            Reset::Outside if settings.is_on(Setting::TcpIgnoreInvalidRst) => PASSED,
            Reset::Outside => Judgement::Invalid(Invalid::Reset),
        }
    }
}

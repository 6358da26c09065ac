// SPDX-License-Identifier: GPL-2.0
//! The windows of a TCP connection, as one sees them who only passes its segments on.
//!
//! # Theory
//!
//! After Guido van Rooij, "Real Stateful TCP Packet Filtering in IP Filter" (2001). Who stands in the middle does not
//! know what either side has got, since segments may be lost behind them; but they see all that the sides say, and
//! from that follow bounds for what an honest side can say next. Let a segment of side A have the numbers from `begin`
//! to `end`, and acknowledge all numbers before `ack`. Of each side is remembered
//!
//! - `end`, the highest end of what it sent,
//! - `limit`, the highest number up to which the other side allowed it to send: the maximum of `ack` + window,
//! - `window`, the largest window that it offered itself.
//!
//! I. *A sends nothing new that B did not allow*: `begin <= A.limit` where `end > A.end`. A segment may begin at the limit
//! itself, as one does that asks whether a window of zero is still closed, and may end beyond it.
//!
//! II. *A repeats nothing that B has acknowledged*, if A has seen the acknowledgement. It can have sent up to `A.end`
//! only if B's acknowledgements had come within a window of there: `end >= A.end - B.window`.
//!
//! III. *A acknowledges nothing that B did not send*: `ack <= B.end`. With selective acknowledgements (RFC 2018), `ack`
//! stands for the end of the last block here and in IV, so that A's window is counted from what A has.
//!
//! IV. *A does not fall behind with its acknowledgements*, by the argument of II: `ack >= B.end - A.window`. Here at
//! least 66,000 bytes are allowed for, that is a window that is not scaled: windows that the other side was offered
//! before tracking began are not known.
//!
//! Both lower bounds are not as hard as the upper ones. A segment that the network kept for a while may be below them and
//! honest. It passes as far as a second window below, and nothing is learned from it but what was not sent before: that
//! will be acknowledged. A segment passes, too, that begins beyond the limit and ends at most a window beyond, since
//! there are senders that take the window for granted; of that, too, the end is noted.
//!
//! Windows are shifted if both sides have said with their SYN by how much (RFC 7323); the window of a segment with SYN
//! itself never is.
//!
//! # Example
//!
//! Side A opens with SYN 100 and window 1,000, B answers with SYN 500, ack 101 and window 2,000, and A acknowledges 501.
//!
//! | side | end | limit                 | window |
//! |------|-----|-----------------------|--------|
//! | A    | 101 | 2,101 = 101 + 2,000   | 1,000  |
//! | B    | 501 | 1,501 = 501 + 1,000   | 2,000  |
//!
//! A sends 1,460 bytes from 101: I holds, and A.end is now 1,561. They get lost behind us, and A repeats them: `end` is
//! A.end, II holds. A guess at B's next segment that begins at 40,000 breaks I; one that acknowledges 2,000 breaks III,
//! whatever it begins with. B acknowledges 1,561 and still offers 2,000: A.limit is 3,561.

use super::{Acknowledgement, Kind, Scale, Segment, Sequence};
use crate::engine::conntrack::{Direction, Invalid};

/// How far a side may be behind at least: a window that is not scaled, and a little that was on the way.
const UNSCALED: u32 = 66_000;

/// What no window exceeds (RFC 7323, section 2.3), so that two of them are less than half of all numbers.
const MAX_WINDOW: u32 = (1 << 30) - 1;

/// What a SYN says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    /// The number after its last one.
    pub end: Sequence,
    window: u16,
    scale: Option<Scale>,
    sack_permitted: bool,
}

impl Opening {
    /// What this one says.
    pub(super) const fn of(segment: &Segment) -> Self {
        Self {
            end: segment.end,
            window: segment.window,
            scale: segment.scale,
            sack_permitted: segment.sack_permitted,
        }
    }
}

/// One side of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Side {
    /// The highest end of what it sent.
    end: Sequence,
    /// Up to where it may send.
    limit: Sequence,
    /// The largest window that it offered, in bytes; 0 where nothing was heard of it.
    window: u32,
    /// The highest number that it said it expects next, once it said one.
    expected: Sequence,
    /// Whether it did.
    expects: bool,
    /// How its windows are scaled, if they are.
    scale: Option<Scale>,
    /// Whether it understands selective acknowledgements.
    sack_permitted: bool,
    /// Whether it has sent what was not acknowledged since.
    pub unacknowledged: bool,
    /// Whether it has sent its FIN.
    pub finished: bool,
    /// Whether it has reset the connection.
    pub aborted: bool,
}

impl Side {
    /// A side that has sent a SYN, and may send up to this limit before it is answered.
    fn opened(opening: Opening, limit: Sequence) -> Self {
        Self {
            end: opening.end,
            limit,
            window: u32::from(opening.window).max(1),
            scale: opening.scale,
            sack_permitted: opening.sack_permitted,
            ..Self::default()
        }
    }

    /// Whether anything was heard of it.
    #[inline]
    pub(super) const fn is_heard(&self) -> bool {
        self.window != 0
    }

    /// Whether it has acknowledged anything.
    #[inline]
    pub(super) const fn has_acknowledged(&self) -> bool {
        self.expects
    }

    /// Whether the other side has acknowledged all that this one sent.
    #[inline]
    pub(super) fn is_acknowledged_by(&self, other: &Self) -> bool {
        other.expects && other.expected == self.end
    }

    /// Whether a segment brings anything that was not said before.
    #[inline]
    pub(super) fn is_news(&self, segment: &Segment, ack: Acknowledgement) -> bool {
        segment.end.is_after(self.end) || !self.expects || ack.next.is_after(self.expected)
    }

    /// Whether a segment brings data or a FIN that was not seen before. The end of a FIN may have been, in a segment that
    /// was sent after it and came first.
    fn is_new(&self, segment: &Segment) -> bool {
        segment.end.is_after(self.end) || segment.kind == Kind::Fin && !self.finished
    }

    /// Bounds I and II.
    #[inline]
    fn fit_sequence(&self, receiver: &Self, segment: &Segment) -> Fit {
        if segment.begin.is_after(self.limit) && segment.end.is_after(self.end) {
            let distance = segment.end.since(self.limit);
            return Fit::past(Invalid::SequenceOver, distance, receiver.window);
        }
        let behind = segment.end.behind(self.end);
        match behind.checked_sub(receiver.window) {
            Some(distance @ 1..) if receiver.is_heard() => {
                let tolerance = receiver.window.max(UNSCALED);
                Fit::past(Invalid::SequenceUnder, distance, tolerance)
            }
            _ => Fit::In,
        }
    }

    /// Bounds III and IV.
    #[inline]
    fn fit_acknowledgement(&self, receiver: &Self, ack: Acknowledgement) -> Fit {
        if ack.highest.is_after(receiver.end) {
            return Fit::Out(Invalid::AcknowledgementOver);
        }
        let tolerance = self.window.max(UNSCALED);
        match receiver.end.since(ack.highest).checked_sub(tolerance) {
            Some(distance @ 1..) => Fit::past(Invalid::AcknowledgementUnder, distance, tolerance),
            _ => Fit::In,
        }
    }
}

/// How a segment fits into the windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is within all bounds.
    In,
    /// It is past a bound, yet so little that it may be honest.
    Beside(Invalid),
    /// It is past a bound.
    Out(Invalid),
}

impl Fit {
    /// Past a bound by this much, where so much is tolerated.
    #[cold]
    const fn past(bound: Invalid, distance: u32, tolerance: u32) -> Self {
        if distance <= tolerance {
            Self::Beside(bound)
        } else {
            Self::Out(bound)
        }
    }
}

/// What the sequence number of a RST proves (RFC 5961, section 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reset {
    /// It is the one that the receiver expects, which nobody guesses: the connection is over.
    Exact,
    /// It is in the receiver's window. The receiver does not believe it, and challenges the sender to prove it.
    Inside,
    /// The receiver does not look at it.
    Outside,
}

/// Both sides of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sides {
    /// The side that began it.
    pub original: Side,
    /// The other.
    pub reply: Side,
}

impl Sides {
    /// The sides of a connection that begins with this. Of what was sent, no less than up to `first` can be acknowledged.
    pub(super) fn opened(opening: Opening, first: Sequence) -> Self {
        Self {
            original: Side::opened(opening, first),
            reply: Side::default(),
        }
    }

    /// The sides of a connection of which nothing is known but a segment in the midst of it.
    pub(super) fn picked_up(segment: &Segment, ack: Acknowledgement) -> Self {
        // Whether windows are scaled was said long ago. Selective acknowledgements are believed: there are none where
        // they were not agreed on.
        let window = u32::from(segment.window).max(1);
        let original = Side {
            end: segment.end,
            limit: segment.end.plus(window),
            window,
            expected: ack.next,
            expects: true,
            sack_permitted: true,
            ..Side::default()
        };
        let reply = Side {
            end: ack.highest,
            limit: ack.highest.plus(window),
            sack_permitted: true,
            ..Side::default()
        };
        Self { original, reply }
    }

    /// Takes a segment for the beginning, since others have passed unseen. What was said for good stays: with SYNs, and
    /// with a FIN.
    #[cold]
    pub(super) fn pick_up_again(
        &mut self,
        direction: Direction,
        segment: &Segment,
        ack: Acknowledgement,
    ) {
        let (sender, receiver) = self.of_mut(direction);
        let anew = |before: &Side, side: Side| Side {
            scale: before.scale,
            sack_permitted: before.sack_permitted,
            finished: before.finished,
            ..side
        };
        let Self { original, reply } = Self::picked_up(segment, ack);
        *sender = anew(sender, original);
        sender.unacknowledged = segment.end != segment.begin;
        *receiver = anew(receiver, reply);
    }

    /// The sender and the receiver of what goes this way.
    #[inline]
    pub(super) const fn of(&self, direction: Direction) -> (&Side, &Side) {
        match direction {
            Direction::Original => (&self.original, &self.reply),
            Direction::Reply => (&self.reply, &self.original),
        }
    }

    /// The same, to change them.
    #[inline]
    pub(super) const fn of_mut(&mut self, direction: Direction) -> (&mut Side, &mut Side) {
        match direction {
            Direction::Original => (&mut self.original, &mut self.reply),
            Direction::Reply => (&mut self.reply, &mut self.original),
        }
    }

    /// Whether this answers the SYN that the connection began with. Data may have come with it, and be acknowledged or
    /// not (RFC 7413).
    pub(super) fn is_answer(&self, ack: Acknowledgement) -> bool {
        !self.original.limit.is_after(ack.next) && !ack.next.is_after(self.original.end)
    }

    /// Takes over what the answer to the first SYN says, or a SYN that crosses it.
    pub(super) fn answer(&mut self, segment: &Segment) {
        // The window that came with the first SYN counts from wherever the answer begins. A SYN alone can't use it
        // before it is answered in its turn.
        let begin = segment.begin.plus(1);
        let limit = match segment.ack {
            Some(_) => begin.plus(self.original.window),
            None => begin,
        };
        self.reply = Side::opened(Opening::of(segment), limit);
        // Data that came with a SYN may have to be sent again, however small the other side's window is.
        let data = self.original.limit.behind(self.original.end);
        self.reply.window = self.reply.window.max(data);
        let data = begin.behind(segment.end);
        self.original.window = self.original.window.max(data);
        if self.original.scale.is_none() || self.reply.scale.is_none() {
            self.original.scale = None;
            self.reply.scale = None;
        }
        if let Some(ack) = segment.ack {
            self.learn(Direction::Reply, segment, ack);
        }
    }

    /// What a segment acknowledges, selectively only where its receiver would look at that.
    #[inline]
    pub(super) fn acknowledgement(
        &self,
        direction: Direction,
        segment: &Segment,
    ) -> Option<Acknowledgement> {
        let (_, receiver) = self.of(direction);
        segment.ack.map(|ack| Acknowledgement {
            highest: if receiver.sack_permitted {
                ack.highest
            } else {
                ack.next
            },
            ..ack
        })
    }

    /// How a segment fits into the windows.
    #[inline]
    pub(super) fn fit(&self, direction: Direction, segment: &Segment, ack: Acknowledgement) -> Fit {
        let (sender, receiver) = self.of(direction);
        let sequence = sender.fit_sequence(receiver, segment);
        match (sequence, sender.fit_acknowledgement(receiver, ack)) {
            // What it brings will be acknowledged, however old its own acknowledgement is.
            (Fit::In, Fit::Beside(_)) if sender.is_new(segment) => Fit::In,
            (Fit::In, fit) => fit,
            (_, out @ Fit::Out(_)) => out,
            (fit, _) => fit,
        }
    }

    /// Whether the numbers of a segment have come before.
    pub(super) fn came(&self, direction: Direction, segment: &Segment) -> bool {
        let (sender, receiver) = self.of(direction);
        let fits = !matches!(sender.fit_sequence(receiver, segment), Fit::Out(_));
        fits && !segment.end.is_after(sender.end)
    }

    /// Takes over what a segment says that is within the bounds.
    #[inline]
    pub(super) fn learn(&mut self, direction: Direction, segment: &Segment, ack: Acknowledgement) {
        let (sender, receiver) = self.of_mut(direction);
        let shift = match sender.scale {
            Some(scale) if !segment.kind.is_syn() => scale.shift(),
            _ => 0,
        };
        let window = u32::from(segment.window) << shift;
        // The window counts from what is acknowledged, not from the blocks that lie further on.
        let offered = window.saturating_add(ack.highest.since(ack.next));
        if offered.max(1) > sender.window {
            sender.window = offered.clamp(1, MAX_WINDOW);
        }
        if segment.end.is_after(sender.end) {
            // It may send again what it sent beyond the limit, so bound II has to reach as far back as before.
            let allowed = sender.end.later(sender.limit);
            if segment.end.is_after(allowed) && receiver.is_heard() {
                let more = segment.end.since(allowed);
                receiver.window = receiver.window.saturating_add(more).min(MAX_WINDOW);
            }
            sender.end = segment.end;
            sender.unacknowledged = true;
        }
        if !sender.expects || ack.next.is_after(sender.expected) {
            sender.expected = ack.next;
            sender.expects = true;
        }
        receiver.limit = receiver.limit.later(ack.highest.plus(window));
        if ack.next == receiver.end {
            receiver.unacknowledged = false;
        }
    }

    /// Notes the end of a segment that begins beyond the limit, since it may be acknowledged.
    #[cold]
    pub(super) fn note(&mut self, direction: Direction, segment: &Segment) {
        let (sender, _) = self.of_mut(direction);
        sender.end = segment.end;
        sender.unacknowledged = true;
    }

    /// Goes on from a segment past a bound, where that is taken for the connection's all the same.
    #[cold]
    pub(super) fn follow(
        &mut self,
        direction: Direction,
        segment: &Segment,
        ack: Acknowledgement,
        bound: Invalid,
    ) {
        let (sender, receiver) = self.of_mut(direction);
        match bound {
            Invalid::SequenceOver | Invalid::SequenceUnder => {
                sender.end = segment.end;
                sender.limit = segment.end.plus(receiver.window.max(1));
            }
            Invalid::AcknowledgementOver => receiver.end = ack.highest,
            _ => (),
        }
        sender.expects = false;
        self.learn(direction, segment, ack);
    }

    /// What a RST proves.
    #[cold]
    pub(super) fn reset(&self, direction: Direction, segment: &Segment) -> Reset {
        let (sender, receiver) = self.of(direction);
        let fits = match self.acknowledgement(direction, segment) {
            Some(ack) if receiver.is_heard() => {
                sender.fit_acknowledgement(receiver, ack) == Fit::In
            }
            _ => true,
        };
        // What the receiver said last that it expects, or else what follows the last that was sent to it.
        let exact =
            segment.begin == sender.end || receiver.expects && segment.begin == receiver.expected;
        let in_window = if receiver.expects {
            !receiver.expected.is_after(segment.begin)
        } else {
            segment.begin.behind(sender.end) <= receiver.window
        };
        let inside = in_window && !segment.begin.is_after(sender.limit);
        match (fits, exact, inside) {
            (true, true, _) => Reset::Exact,
            (true, false, true) => Reset::Inside,
            _ => Reset::Outside,
        }
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_conntrack_tcp_window))]
mod tests {
    use super::*;
    use crate::engine::conntrack::tcp::fixtures::segment;
    use Direction::{Original, Reply};

    fn with_window(segment: Segment, window: u16) -> Segment {
        Segment { window, ..segment }
    }

    fn learn(sides: &mut Sides, direction: Direction, segment: &Segment) {
        let ack = sides.acknowledgement(direction, segment).unwrap();
        assert!(sides.fit(direction, segment, ack) == Fit::In);
        sides.learn(direction, segment, ack);
    }

    fn fit(sides: &Sides, direction: Direction, segment: &Segment) -> Fit {
        let ack = sides.acknowledgement(direction, segment).unwrap();
        sides.fit(direction, segment, ack)
    }

    /// The example above.
    fn example() -> Sides {
        let syn = with_window(segment(Kind::Syn, 100, 0, None), 1000);
        let mut sides = Sides::opened(Opening::of(&syn), Sequence(101));
        sides.answer(&with_window(segment(Kind::SynAck, 500, 0, 101), 2000));
        let ack = with_window(segment(Kind::Ack, 101, 0, 501), 1000);
        learn(&mut sides, Original, &ack);
        sides
    }

    #[test]
    fn the_example() {
        let mut sides = example();
        let state = |side: &Side| (side.end.0, side.limit.0, side.window);
        assert!(state(&sides.original) == (101, 2101, 1000));
        assert!(state(&sides.reply) == (501, 1501, 2000));
        let data = with_window(segment(Kind::Ack, 101, 1460, 501), 1000);
        for _ in 0..2 {
            learn(&mut sides, Original, &data);
            assert!(sides.original.end == Sequence(1561));
        }
        let guess = segment(Kind::Ack, 40_000, 100, 1561);
        assert!(fit(&sides, Reply, &guess) == Fit::Out(Invalid::SequenceOver));
        let guess = segment(Kind::Ack, 501, 100, 2000);
        assert!(fit(&sides, Reply, &guess) == Fit::Out(Invalid::AcknowledgementOver));
        let ack = with_window(segment(Kind::Ack, 501, 0, 1561), 2000);
        learn(&mut sides, Reply, &ack);
        assert!(sides.original.limit == Sequence(3561));
    }

    /// Each bound, one past it, the end of what is tolerated, and one past that; all numbers may go round.
    #[test]
    fn bounds() {
        const TOLERANCE: u32 = UNSCALED;
        for turn in [0, 1 << 31, u32::MAX - 1000, 0_u32.wrapping_sub(501)] {
            let mut sides = example();
            for side in [&mut sides.original, &mut sides.reply] {
                for number in [&mut side.end, &mut side.limit, &mut side.expected] {
                    *number = number.plus(turn);
                }
            }
            for (begin, length, ack, expected) in [
                // I
                (2101, 0, 501, Fit::In),
                (2101, 5000, 501, Fit::In),
                (2102, 0, 501, Fit::Beside(Invalid::SequenceOver)),
                (2102, 1999, 501, Fit::Beside(Invalid::SequenceOver)),
                (2102, 2000, 501, Fit::Out(Invalid::SequenceOver)),
                // II
                (101 - 2000, 0, 501, Fit::In),
                (100 - 2000, 1, 501, Fit::In),
                (100 - 2000, 0, 501, Fit::Beside(Invalid::SequenceUnder)),
                (
                    101 - 2000 - TOLERANCE as i32,
                    0,
                    501,
                    Fit::Beside(Invalid::SequenceUnder),
                ),
                (
                    100 - 2000 - TOLERANCE as i32,
                    0,
                    501,
                    Fit::Out(Invalid::SequenceUnder),
                ),
                // III
                (101, 0, 502, Fit::Out(Invalid::AcknowledgementOver)),
                // IV
                (101, 0, 501 - TOLERANCE as i32, Fit::In),
                (
                    101,
                    0,
                    500 - TOLERANCE as i32,
                    Fit::Beside(Invalid::AcknowledgementUnder),
                ),
                (
                    101,
                    0,
                    501 - 2 * TOLERANCE as i32,
                    Fit::Beside(Invalid::AcknowledgementUnder),
                ),
                (
                    101,
                    0,
                    500 - 2 * TOLERANCE as i32,
                    Fit::Out(Invalid::AcknowledgementUnder),
                ),
                // Two at once: the worse counts.
                (2102, 0, 502, Fit::Out(Invalid::AcknowledgementOver)),
                (
                    100 - 2000,
                    0,
                    500 - 2 * TOLERANCE as i32,
                    Fit::Out(Invalid::AcknowledgementUnder),
                ),
                (
                    90_000,
                    0,
                    500 - TOLERANCE as i32,
                    Fit::Out(Invalid::SequenceOver),
                ),
            ] {
                let begin = turn.wrapping_add_signed(begin);
                let ack = turn.wrapping_add_signed(ack);
                let shown = segment(Kind::Ack, begin, length, ack);
                assert!(fit(&sides, Original, &shown) == expected);
            }
        }
    }

    /// What was sent before may be sent again, beyond the limit as well.
    #[test]
    fn nothing_new_beyond_the_limit() {
        let mut sides = example();
        learn(&mut sides, Original, &segment(Kind::Ack, 2101, 1000, 501));
        for (begin, length, expected) in [
            (3101, 0, Fit::In),
            (2102, 999, Fit::In),
            (3101, 1, Fit::Beside(Invalid::SequenceOver)),
        ] {
            let shown = segment(Kind::Ack, begin, length, 501);
            assert!(fit(&sides, Original, &shown) == expected);
        }
    }

    /// As long as nothing was heard of the other side, nothing can be too old for it.
    #[test]
    fn before_there_is_an_answer() {
        let first = segment(Kind::Ack, 5000, 100, 501);
        let sides = Sides::picked_up(&first, first.ack.unwrap());
        let shown = segment(Kind::Ack, 1, 0, 501);
        assert!(fit(&sides, Original, &shown) == Fit::In);
    }

    #[test]
    fn windows_count_from_what_is_acknowledged() {
        let mut sides = example();
        sides.original.sack_permitted = true;
        learn(&mut sides, Original, &segment(Kind::Ack, 101, 2000, 501));
        let mut ack = with_window(segment(Kind::Ack, 501, 0, 101), 1000);
        ack.ack = Some(Acknowledgement {
            next: Sequence(101),
            highest: Sequence(2101),
        });
        learn(&mut sides, Reply, &ack);
        assert!(sides.original.limit == Sequence(3101));
        assert!(sides.reply.window == 3000);
        // The end has arrived, and something before it has not.
        assert!(sides.original.unacknowledged);
        learn(&mut sides, Reply, &segment(Kind::Ack, 501, 0, 2101));
        assert!(!sides.original.unacknowledged);
    }

    /// The tracker goes on from where a segment is that it can't know better than.
    #[test]
    fn following() {
        let window = u32::from(crate::engine::conntrack::tcp::fixtures::WINDOW);
        for (begin, ack, bound) in [
            (500_000, 501, Invalid::SequenceOver),
            (0_u32.wrapping_sub(500_000), 501, Invalid::SequenceUnder),
            (101, 500_000, Invalid::AcknowledgementOver),
            (
                101,
                0_u32.wrapping_sub(500_000),
                Invalid::AcknowledgementUnder,
            ),
        ] {
            let mut sides = example();
            let shown = segment(Kind::Ack, begin, 100, ack);
            assert!(fit(&sides, Original, &shown) == Fit::Out(bound));
            sides.follow(Original, &shown, shown.ack.unwrap(), bound);
            assert!(sides.original.expected == Sequence(ack));
            assert!(sides.original.end == Sequence(begin).plus(100));
            let limit = match bound {
                Invalid::SequenceOver | Invalid::SequenceUnder => sides.original.end.plus(2000),
                _ => Sequence(2101),
            };
            assert!(sides.original.limit == limit);
            assert!(sides.original.window == window);
            // It does not fall back to where an old acknowledgement is: what it has sent has been sent.
            let end = if bound == Invalid::AcknowledgementOver {
                ack
            } else {
                501
            };
            assert!(sides.reply.end == Sequence(end));
        }
    }

    /// Even the largest windows leave no number that is both before and after them.
    #[test]
    fn the_largest_windows() {
        let mut sides = example();
        sides.original.scale = Some(Scale::new(14));
        sides.reply.scale = Some(Scale::new(14));
        for _ in 0..3 {
            learn(
                &mut sides,
                Reply,
                &with_window(segment(Kind::Ack, 501, 0, 101), u16::MAX),
            );
        }
        let window = u32::from(u16::MAX) << 14;
        assert!(sides.reply.window == window && sides.original.limit == Sequence(101 + window));
        // As far beyond the limit as may be.
        let all = segment(Kind::Ack, 101 + window, 1 << 19, 501);
        learn(&mut sides, Original, &all);
        assert!(sides.reply.window == MAX_WINDOW);
        // And as far behind with what is acknowledged.
        sides.original.sack_permitted = true;
        let mut ack = with_window(segment(Kind::Ack, 501, 0, 101), u16::MAX);
        ack.ack = Some(Acknowledgement {
            next: Sequence(101),
            highest: Sequence(101 + window),
        });
        learn(&mut sides, Reply, &ack);
        assert!(sides.reply.window == MAX_WINDOW);
        for begin in [101 + window, 102, 101] {
            let shown = segment(Kind::Ack, begin, 0, 501);
            assert!(!matches!(fit(&sides, Original, &shown), Fit::Out(_)));
        }
    }

    #[test]
    fn numbers_that_prove_a_reset() {
        let mut sides = example();
        learn(&mut sides, Original, &segment(Kind::Ack, 101, 1000, 501));
        let reset = |sides: &Sides, begin, ack: Option<u32>| {
            sides.reset(Original, &segment(Kind::Rst, begin, 0, ack))
        };
        // What was acknowledged, what was sent, and what lies around.
        for (begin, expected) in [
            (100, Reset::Outside),
            (101, Reset::Exact),
            (102, Reset::Inside),
            (1100, Reset::Inside),
            (1101, Reset::Exact),
            (1102, Reset::Inside),
            (2101, Reset::Inside),
            (2102, Reset::Outside),
        ] {
            assert!(reset(&sides, begin, None) == expected);
            assert!(reset(&sides, begin, Some(501)) == expected);
            assert!(reset(&sides, begin, Some(502)) == Reset::Outside);
        }
        // An acknowledgement that comes late proves no less.
        learn(&mut sides, Reply, &segment(Kind::Ack, 501, 0, 1101));
        learn(&mut sides, Reply, &segment(Kind::Ack, 501, 0, 101));
        assert!(reset(&sides, 101, None) == Reset::Outside);
        assert!(reset(&sides, 1101, None) == Reset::Exact);
    }
}

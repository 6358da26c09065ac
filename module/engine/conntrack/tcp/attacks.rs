// SPDX-License-Identifier: GPL-2.0
//! What somebody does to a connection who is not one of its sides, and what looks like that.

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_conntrack_tcp_attacks))]
mod tests {
    use crate::engine::conntrack::tcp::fixtures::{segment, Talk, WINDOW};
    use crate::engine::conntrack::tcp::{Kind, Segment, State, PASSED};
    use crate::engine::conntrack::Direction::{Original, Reply};
    use crate::engine::conntrack::{Direction, Invalid, Judgement, Setting};
    use Kind::{Ack, Fin, Rst, Syn, SynAck};

    /// The first numbers after the SYNs of [`Talk`].
    const A: u32 = Talk::ORIGINAL + 1;
    const B: u32 = Talk::REPLY + 1;
    const DAYS: u32 = 24 * 60 * 60;

    #[test]
    fn resets_with_a_wrong_number() {
        let mut talk = Talk::reached(State::Established, Original);
        talk.say(Reply, Ack, 3000);
        talk.say(Original, Ack, 0);
        let end = B + 3000;
        for (begin, judgement) in [
            (0, Judgement::Invalid(Invalid::Reset)),
            // Before what was acknowledged, and beyond the window.
            (end - 1, Judgement::Invalid(Invalid::Reset)),
            (
                end + u32::from(WINDOW) + 1,
                Judgement::Invalid(Invalid::Reset),
            ),
            // In the window: who gets it asks back, and until then the connection may be dead or not.
            (end + 1, valid_for(300)),
            (end + u32::from(WINDOW), valid_for(300)),
        ] {
            assert!(talk.show(Reply, segment(Rst, begin, 0, None)) == judgement);
            assert!(talk.connection.state() == State::Established);
        }
        // The challenge, which proves that it is alive.
        assert!(timeout(talk.say(Original, Ack, 0)) == Some(5 * DAYS));
        // Where the number is right, the acknowledgement has to be possible, too.
        let ack = A + u32::from(WINDOW);
        assert!(talk.show(Reply, segment(Rst, end, 0, ack)) == Judgement::Invalid(Invalid::Reset));
        assert!(timeout(talk.show(Reply, segment(Rst, end, 0, A))) == Some(10));
        assert!(talk.connection.state() == State::Close);
    }

    #[test]
    fn a_reset_right_after_data() {
        let mut talk = Talk::reached(State::Established, Original);
        talk.say(Reply, Ack, 3000);
        // Acknowledged is nothing yet, and the number is the next one.
        talk.say(Reply, Rst, 0);
        assert!(talk.connection.state() == State::Close);
    }

    #[test]
    fn resets_out_of_window_where_they_are_ignored() {
        let mut talk = Talk::reached(State::Established, Original);
        talk.settings
            .set(Setting::TcpIgnoreInvalidRst, 1)
            .ok()
            .unwrap();
        assert!(talk.show(Reply, segment(Rst, 0, 0, None)) == PASSED);
        assert!(talk.connection.state() == State::Established);
    }

    /// The side that closes no longer knows the connection and resets it with whatever number the other one expected.
    #[test]
    fn many_resets_in_the_end() {
        for state in [
            State::FinWait,
            State::CloseWait,
            State::TimeWait,
            State::Close,
        ] {
            let mut talk = Talk::reached(state, Original);
            for begin in [0, B - 1, B + 5] {
                assert!(talk.show(Reply, segment(Rst, begin, 0, None)) == PASSED);
                assert!(talk.connection.state() == state);
            }
        }
    }

    /// RFC 5961, section 4: a SYN in a connection that is alive on both sides.
    #[test]
    fn a_syn_in_a_connection() {
        let mut talk = Talk::reached(State::Established, Original);
        let syn = segment(Syn, 77_777, 0, None);
        assert!(talk.show(Original, syn) == PASSED);
        assert!(talk.show(Reply, syn) == Judgement::Invalid(Invalid::State));
        // The challenge.
        assert!(timeout(talk.say(Reply, Ack, 0)) == Some(5 * DAYS));
        // After it, nobody believes that the SYN was refused or accepted.
        let refused = segment(Rst, 0, 0, 77_778);
        assert!(talk.show(Reply, refused) == Judgement::Invalid(Invalid::Reset));
        let accepted = segment(SynAck, 99_999, 0, 77_778);
        assert!(matches!(talk.show(Reply, accepted), Judgement::Invalid(_)));
        assert!(talk.connection.state() == State::Established);
        // If it was sent in earnest, the connection is reset, and the SYN comes again.
        talk.say(Original, Rst, 0);
        assert!(talk.connection.state() == State::Close);
        assert!(talk.show(Original, syn) == Judgement::Again);
    }

    #[test]
    fn a_syn_that_is_challenged_in_the_end() {
        let mut talk = Talk::reached(State::LastAck, Original);
        assert!(talk.show(Original, segment(Syn, 77_777, 0, None)) == PASSED);
        // This acknowledges one FIN, and not the last one.
        talk.say(Reply, Ack, 0);
        assert!(talk.connection.state() == State::LastAck);
        talk.say(Original, Ack, 0);
        assert!(talk.connection.state() == State::TimeWait);
    }

    #[test]
    fn who_begins_does_not_answer() {
        for state in [State::SynSent, State::Established, State::CloseWait] {
            let mut talk = Talk::reached(state, Original);
            assert!(talk.say(Original, SynAck, 0) == Judgement::Invalid(Invalid::State));
        }
        // An acknowledgement of the answer alone does not open the connection from the other side.
        let mut talk = Talk::reached(State::SynRecv, Original);
        talk.say(Reply, Ack, 0);
        assert!(talk.connection.state() == State::SynRecv);
    }

    /// 100,000 segments in each state from somebody who knows addresses and ports, and no numbers.
    #[test]
    fn blind_guesses_kill_nothing() {
        let mut chance = 0x9e37_79b9_7f4a_7c15_u64;
        let mut number = || {
            // Knuth's linear congruential generator, of which the upper half is good enough.
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (chance >> 32) as u32
        };
        for state in [
            State::SynSent,
            State::SynRecv,
            State::Established,
            State::FinWait,
            State::CloseWait,
            State::LastAck,
        ] {
            let mut talk = Talk::reached(state, Original);
            let before = talk.connection;
            let mut passed = 0;
            for _ in 0..100_000 {
                let (kind, direction) = guess(number());
                if (state, kind, direction) == (State::SynSent, Syn, Reply) {
                    // Nothing tells it from the other side's own.
                    continue;
                }
                let without = kind == Syn || kind == Rst && number() & 1 == 0;
                let ack = (!without).then(&mut number);
                let blind = segment(kind, number(), number() % 1400, ack);
                let judgement = talk.show(direction, blind);
                passed += u32::from(judgement == PASSED && may_be_invalid(state, &blind));
                assert!(matches!(judgement, Judgement::Invalid(_)) || judgement == PASSED);
            }
            // One in a billion gets past both windows and what is tolerated beside them.
            assert!(passed <= 1);
            talk.connection.noted = None;
            assert!(talk.connection == before);
            ends(talk);
        }
    }

    /// Whether a segment with a wrong number is INVALID in this state, rather than passed without a consequence.
    fn may_be_invalid(state: State, segment: &Segment) -> bool {
        match segment.kind {
            Syn => false,
            Rst => state != State::SynSent && !state.is_ending(),
            Ack => state != State::SynSent,
            SynAck | Fin => true,
        }
    }

    fn guess(number: u32) -> (Kind, Direction) {
        let kind = match number >> 28 {
            0..=3 => Syn,
            4..=6 => SynAck,
            7..=9 => Fin,
            10..=12 => Ack,
            _ => Rst,
        };
        let direction = if number & 1 == 0 { Original } else { Reply };
        (kind, direction)
    }

    /// The connection goes on and comes to its end as if nothing had been.
    fn ends(mut talk: Talk) {
        let steps = [
            (State::SynSent, Reply, SynAck),
            (State::SynRecv, Original, Ack),
            (State::Established, Original, Fin),
            (State::FinWait, Reply, Ack),
            (State::CloseWait, Reply, Fin),
            (State::LastAck, Original, Ack),
        ];
        for (state, direction, kind) in steps {
            if talk.connection.state() == state {
                assert!(timeout(talk.say(direction, kind, 0)).is_some());
            }
        }
        assert!(talk.connection.state() == State::TimeWait);
    }

    /// For how long the connection lives, if the segment says.
    fn timeout(judgement: Judgement) -> Option<u32> {
        match judgement {
            Judgement::Valid { timeout, .. } => timeout,
            _ => None,
        }
    }

    fn valid_for(seconds: u32) -> Judgement {
        Judgement::Valid {
            timeout: Some(seconds),
            assured: false,
            changed: false,
        }
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Stories of connections, and what the tracker makes of them.

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_conntrack_tcp_scenarios))]
mod tests {
    use crate::engine::conntrack::tcp::fixtures::{segment, Talk, WINDOW};
    use crate::engine::conntrack::tcp::{
        Acknowledgement, Connection, Kind, Scale, Segment, Sequence, State, PASSED,
    };
    use crate::engine::conntrack::Direction::{Original, Reply};
    use crate::engine::conntrack::{Invalid, Judgement, Setting, Settings};
    use Kind::{Ack, Fin, Rst, Syn, SynAck};

    /// The first numbers after the SYNs of [`Talk`].
    const A: u32 = Talk::ORIGINAL + 1;
    const B: u32 = Talk::REPLY + 1;
    const DAYS: u32 = 24 * 60 * 60;

    #[test]
    fn a_connection_from_beginning_to_end() {
        let settings = Settings::default();
        let syn = segment(Syn, Talk::ORIGINAL, 0, None);
        assert!(Connection::begin(&syn, &settings).map(|(_, timeout)| timeout) == Ok(120));
        let mut talk = Talk::opened();
        for (direction, kind, length, state, timeout, is_assured) in [
            (Reply, SynAck, 0, State::SynRecv, 60, false),
            (Original, Ack, 0, State::Established, 5 * DAYS, true),
            // Data is not acknowledged, and then it is.
            (Original, Ack, 500, State::Established, 300, true),
            (Reply, Ack, 0, State::Established, 5 * DAYS, true),
            (Reply, Ack, 1460, State::Established, 300, true),
            (Original, Ack, 0, State::Established, 5 * DAYS, true),
            (Original, Fin, 0, State::FinWait, 120, false),
            (Reply, Ack, 0, State::CloseWait, 60, false),
            (Reply, Ack, 1460, State::CloseWait, 60, false),
            (Original, Ack, 0, State::CloseWait, 60, false),
            (Reply, Fin, 100, State::LastAck, 30, false),
            (Original, Ack, 0, State::TimeWait, 120, false),
        ] {
            let before = talk.connection.state();
            let expected = Judgement::Valid {
                timeout: Some(timeout),
                assured: is_assured,
                changed: before != state,
            };
            assert!(talk.say(direction, kind, length) == expected);
            assert!(talk.connection.state() == state);
        }
    }

    #[test]
    fn a_port_that_nobody_listens_on() {
        let mut talk = Talk::opened();
        // Of another connection, or a guess.
        for guess in [segment(Rst, 0, 0, A + 1), segment(Rst, 0, 0, None)] {
            assert!(talk.show(Reply, guess) == Judgement::Invalid(Invalid::Reset));
        }
        assert!(talk.show(Reply, segment(Rst, 0, 0, A)) == Judgement::Ended);
    }

    #[test]
    fn a_side_that_gives_up() {
        let mut talk = Talk::opened();
        assert!(talk.show(Original, segment(Rst, A, 0, None)) == Judgement::Ended);
        // Once there was an answer, the end is remembered.
        for direction in [Original, Reply] {
            let mut talk = Talk::reached(State::SynRecv, Original);
            assert!(timeout(talk.say(direction, Rst, 0)) == Some(10));
            assert!(talk.connection.state() == State::Close);
        }
    }

    #[test]
    fn a_connection_that_was_open_before() {
        let settings = Settings::default();
        let data = segment(Ack, A, 100, B);
        assert!(Connection::begin(&data, &settings).map(|(_, timeout)| timeout) == Ok(300));
        let mut talk = Talk::opened_with(data, B);
        assert!(talk.connection.state() == State::Established);
        for (direction, timeout, assured) in [
            (Original, 300, false),
            (Reply, 5 * DAYS, false),
            (Original, 5 * DAYS, true),
        ] {
            let expected = Judgement::Valid {
                timeout: Some(timeout),
                assured,
                changed: false,
            };
            assert!(talk.say(direction, Ack, 0) == expected);
        }
        for (direction, kind, state) in [
            (Reply, Fin, State::FinWait),
            (Original, Ack, State::CloseWait),
            (Original, Fin, State::LastAck),
            (Reply, Ack, State::TimeWait),
        ] {
            talk.say(direction, kind, 0);
            assert!(talk.connection.state() == state);
        }
        // Who does not want that can have it otherwise.
        settings.set(Setting::TcpLoose, 0).ok().unwrap();
        assert!(Connection::begin(&data, &settings) == Err(Invalid::Beginning));
    }

    /// Its first answer offers no window, and counts all the same.
    #[test]
    fn a_connection_that_was_open_before_and_stands_still() {
        let mut talk = Talk::opened_with(segment(Ack, A, 100, B), B);
        let closed = Segment {
            window: 0,
            ..talk.next(Reply, Ack, 0)
        };
        assert!(timeout(talk.show(Reply, closed)) == Some(300));
        assert!(timeout(talk.say(Reply, Rst, 0)) == Some(10));
    }

    #[test]
    fn a_connection_that_was_open_before_and_is_gone() {
        let mut talk = Talk::opened_with(segment(Ack, A, 100, B), B);
        let wrong = segment(Rst, B + 70_000, 0, None);
        assert!(talk.show(Reply, wrong) == Judgement::Invalid(Invalid::Reset));
        assert!(talk.show(Reply, segment(Rst, B, 0, None)) == Judgement::Ended);
    }

    /// How windows are scaled is not known, and the sides send more than an unscaled one holds.
    #[test]
    fn a_download_that_was_open_before() {
        let mut talk = Talk::opened_with(segment(Ack, A, 0, B), B);
        let (mut sent, mut got) = (B, B);
        for step in 0..400 {
            let data = segment(Ack, sent, 50_000, A);
            assert!(timeout(talk.show(Reply, data)).is_some());
            sent = data.end.0;
            // Acknowledged is what was sent four megabytes ago.
            if step >= 80 {
                got += 50_000;
                assert!(timeout(talk.show(Original, segment(Ack, A, 0, got))).is_some());
            }
        }
        assert!(talk.connection.state() == State::Established);
        // A guess at its end is no end.
        assert!(talk.show(Reply, segment(Fin, sent ^ 1 << 31, 0, A)) != PASSED);
        assert!(talk.connection.state() == State::Established);
        // It goes on from where it was, and ends.
        assert!(timeout(talk.show(Reply, segment(Ack, sent, 1000, A))).is_some());
        talk.show(Original, segment(Ack, A, 0, sent + 1000));
        talk.show(Reply, segment(Fin, sent + 1000, 0, A));
        assert!(talk.connection.state() == State::FinWait);
        talk.show(Original, segment(Fin, A, 0, sent + 1001));
        assert!(talk.connection.state() == State::LastAck);
        talk.show(Reply, segment(Ack, sent + 1001, 0, A + 1));
        assert!(talk.connection.state() == State::TimeWait);
    }

    #[test]
    fn segments_that_passed_unseen() {
        const FAR: u32 = 100 << 20;
        for (first, other) in [(Original, Reply), (Reply, Original)] {
            let begun = || Talk::reached(State::Established, Original);
            let (mut unaware, mut talk) = (begun(), begun());
            talk.connection.resume();
            let numbers = |direction| match direction {
                Original => (A + FAR, B + 2 * FAR),
                Reply => (B + 2 * FAR, A + FAR),
            };
            let ((begin, ack), (answer, _)) = (numbers(first), numbers(other));
            let data = segment(Ack, begin, 1000, ack);
            assert!(matches!(unaware.show(first, data), Judgement::Invalid(_)));
            // A reset proves nothing now, and ends nothing.
            let reset = segment(Rst, begin, 0, None);
            assert!(timeout(talk.show(first, reset)) == Some(300));
            assert!(timeout(talk.show(first, data)) == Some(300));
            let (end, acknowledged) = (answer + 500, begin + 1000);
            assert!(timeout(talk.show(other, segment(Ack, answer, 500, acknowledged))).is_some());
            let acknowledgement = segment(Ack, acknowledged, 0, end);
            assert!(timeout(talk.show(first, acknowledgement)) == Some(5 * DAYS));
            // And it comes to its end as any other.
            for (direction, kind, begin, ack, state) in [
                (other, Fin, end, acknowledged, State::FinWait),
                (first, Ack, acknowledged, end + 1, State::CloseWait),
                (first, Fin, acknowledged, end + 1, State::LastAck),
                (other, Ack, end + 1, acknowledged + 1, State::TimeWait),
            ] {
                let judgement = talk.show(direction, segment(kind, begin, 0, ack));
                assert!(timeout(judgement).is_some() && talk.connection.state() == state);
            }
        }
        // One that began just before, and is answered.
        let mut talk = Talk::opened();
        talk.connection.resume();
        assert!(timeout(talk.say(Reply, SynAck, 0)) == Some(60));
        talk.connection.resume();
        assert!(timeout(talk.say(Original, Ack, 0)) == Some(300));
        assert!(timeout(talk.say(Reply, Ack, 0)) == Some(5 * DAYS));
        // One whose end is all that is seen of it.
        talk.connection.resume();
        let fin = segment(Fin, A + FAR, 0, B + FAR);
        assert!(timeout(talk.show(Original, fin)) == Some(120));
        assert!(talk.connection.state() == State::FinWait);
    }

    #[test]
    fn both_sides_open_at_once() {
        let mut talk = Talk::opened();
        for (direction, kind, state) in [
            (Reply, Syn, State::SynSent2),
            (Reply, SynAck, State::SynRecv),
            (Original, SynAck, State::SynRecv),
            (Reply, Ack, State::Established),
            (Original, Ack, State::Established),
        ] {
            assert!(timeout(talk.say(direction, kind, 0)).is_some());
            assert!(talk.connection.state() == state);
        }
        // The other way round, which is also how a server may answer a SYN that splits its answer in two.
        let mut talk = Talk::opened();
        for (direction, kind, state) in [
            (Reply, Syn, State::SynSent2),
            (Original, SynAck, State::SynRecv),
            (Original, SynAck, State::SynRecv),
            (Reply, Ack, State::Established),
            (Original, Ack, State::Established),
        ] {
            assert!(timeout(talk.say(direction, kind, 0)).is_some());
            assert!(talk.connection.state() == state);
        }
    }

    #[test]
    fn both_sides_open_at_once_and_repeat_themselves() {
        let mut talk = Talk::opened();
        talk.say(Reply, Syn, 0);
        talk.say(Original, SynAck, 0);
        for (direction, kind) in [
            (Original, Syn),
            (Reply, Syn),
            (Reply, SynAck),
            (Original, SynAck),
        ] {
            assert!(
                timeout(talk.say(direction, kind, 0)).is_some()
                    == (kind == SynAck && direction == Original)
            );
            assert!(talk.connection.state() == State::SynRecv);
        }
        talk.say(Reply, Ack, 0);
        talk.say(Original, Ack, 0);
        assert!(talk.connection.state() == State::Established);
        for (direction, kind) in [(Reply, Syn), (Reply, SynAck), (Original, SynAck)] {
            assert!(talk.say(direction, kind, 0) == PASSED);
        }
        // Where they have not crossed, the original side does not answer.
        let wrong = segment(SynAck, A + 70_000, 0, B);
        assert!(talk.show(Original, wrong) == Judgement::Invalid(Invalid::SequenceOver));
    }

    /// The second one brings more than the first one has room for, and has to send it again.
    #[test]
    fn both_sides_open_at_once_with_data() {
        let mut talk = Talk::opened_with(
            Segment {
                window: 1,
                ..segment(Syn, Talk::ORIGINAL, 0, None)
            },
            Talk::REPLY,
        );
        talk.show(Reply, segment(Syn, Talk::REPLY, 500, None));
        let answer = Segment {
            window: 1,
            ..segment(SynAck, Talk::ORIGINAL, 0, B)
        };
        assert!(timeout(talk.show(Original, answer)) == Some(60));
        assert!(timeout(talk.show(Reply, segment(Ack, B, 1, A))).is_some());
        assert!(talk.connection.state() == State::Established);
    }

    /// The first answer got lost behind the tracker, and the second one offers more.
    #[test]
    fn an_answer_that_comes_again_with_another_window() {
        let mut talk = Talk::opened();
        talk.say(Reply, SynAck, 0);
        let again = Segment {
            window: 2 * WINDOW,
            ..talk.next(Reply, SynAck, 0)
        };
        assert!(talk.show(Reply, again) == PASSED);
        talk.say(Original, Ack, 0);
        let limit = A + 2 * u32::from(WINDOW);
        assert!(timeout(talk.show(Original, segment(Ack, limit, 1, B))).is_some());
    }

    /// The side that answers has lost its memory of the connection, or the tracker never saw its end.
    #[test]
    fn a_syn_that_begins_anew() {
        for state in [
            State::SynRecv,
            State::Established,
            State::FinWait,
            State::CloseWait,
            State::LastAck,
        ] {
            let mut talk = Talk::reached(state, Original);
            let syn = Segment {
                window: 500,
                scale: Some(Scale::new(7)),
                ..segment(Syn, 77_777, 0, None)
            };
            let answer = Segment {
                scale: Some(Scale::new(2)),
                ..segment(SynAck, 99_999, 0, 77_778)
            };
            assert!(talk.show(Original, syn) == PASSED);
            assert!(talk.connection.state() == state);
            // It answers that SYN and no other.
            let other = segment(SynAck, 99_999, 0, 77_779);
            assert!(matches!(talk.show(Reply, other), Judgement::Invalid(_)));
            assert!(timeout(talk.show(Reply, answer)) == Some(60));
            assert!(talk.connection.state() == State::SynRecv);
            assert!(timeout(talk.show(Original, segment(Ack, 77_778, 0, 100_000))).is_some());
            assert!(talk.connection.state() == State::Established);
            // The windows are those of the new connection: 500 << 7 is not exceeded, what comes after is.
            let far = |begin| segment(Ack, begin, 1, 77_778);
            assert!(timeout(talk.show(Original, segment(Ack, 77_778, 0, 100_000))).is_some());
            assert!(timeout(talk.show(Reply, far(100_000 + 64_000))).is_some());
            // Or it refuses it.
            let mut talk = Talk::reached(state, Original);
            talk.show(Original, syn);
            assert!(timeout(talk.show(Reply, segment(Rst, 0, 0, 77_778))) == Some(10));
            assert!(talk.connection.state() == State::Close);
        }
    }

    /// Then all is known of it, whatever was known before.
    #[test]
    fn a_syn_that_begins_anew_what_was_not_known_well() {
        let mut crossed = Talk::reached(State::SynSent2, Original);
        crossed.say(Original, SynAck, 0);
        for mut talk in [crossed, Talk::opened_with(segment(Ack, A, 0, B), B)] {
            talk.show(Original, segment(Syn, 77_777, 0, None));
            talk.show(Reply, segment(SynAck, 99_999_999, 0, 77_778));
            talk.show(Original, segment(Ack, 77_778, 0, 100_000_000));
            assert!(talk.connection.state() == State::Established);
            let far = segment(Ack, 1 << 31, 0, 100_000_000);
            assert!(matches!(talk.show(Original, far), Judgement::Invalid(_)));
            let answer = segment(SynAck, 77_777, 0, 100_000_000);
            assert!(talk.show(Original, answer) == Judgement::Invalid(Invalid::State));
        }
    }

    #[test]
    fn a_port_that_is_used_again() {
        for direction in [Original, Reply] {
            let mut talk = Talk::reached(State::TimeWait, Original);
            // The one that began it comes late.
            assert!(talk.say(direction, Syn, 0) == PASSED);
            assert!(talk.connection.state() == State::TimeWait);
            assert!(talk.connection.noted.is_some() == (direction == Original));
            let before = talk.connection;
            for new in [talk.next(direction, Ack, 0).begin.0, 77_777] {
                talk.connection = before;
                assert!(talk.show(direction, segment(Syn, new, 0, None)) == Judgement::Again);
            }
        }
        // The other side has reset the connection, or somebody in its name: it has to confirm.
        let mut talk = Talk::reached(State::Close, Reply);
        assert!(talk.show(Original, segment(Syn, 77_777, 0, None)) == PASSED);
        assert!(timeout(talk.show(Reply, segment(SynAck, 99_999, 0, 77_778))) == Some(60));
        assert!(talk.connection.state() == State::SynRecv);
    }

    /// RFC 9293, section 3.5.1: one side holds a connection of which the other knows nothing any more.
    #[test]
    fn a_half_open_connection() {
        let mut talk = Talk::opened();
        assert!(talk.show(Reply, segment(Ack, 145_824_453, 0, 643_160_523)) == PASSED);
        assert!(talk.show(Original, segment(Rst, 643_160_523, 0, None)) == PASSED);
        assert!(talk.say(Original, Syn, 0) == PASSED);
        talk.say(Reply, SynAck, 0);
        talk.say(Original, Ack, 0);
        assert!(talk.connection.state() == State::Established);
    }

    #[test]
    fn an_answer_to_another_syn() {
        let mut talk = Talk::opened();
        for ack in [643_160_523, A - 1, A + 1] {
            let old = segment(SynAck, 145_824_453, 0, ack);
            assert!(talk.show(Reply, old) == Judgement::Invalid(Invalid::Answer));
        }
        assert!(talk.say(Original, Syn, 0) == PASSED);
        talk.say(Reply, SynAck, 0);
        assert!(talk.connection.state() == State::SynRecv);
        // A side that begins with another number, since it has begun anew: either answer will do.
        for (ack, number) in [(A, A), (77_778, 77_778)] {
            let mut talk = Talk::opened();
            assert!(talk.show(Original, segment(Syn, 77_777, 0, None)) == PASSED);
            assert!(timeout(talk.show(Reply, segment(SynAck, 9, 0, ack))) == Some(60));
            talk.show(Original, segment(Ack, number, 0, 10));
            assert!(talk.connection.state() == State::Established);
        }
    }

    #[test]
    fn the_opening_delivered_twice() {
        let mut talk = Talk::reached(State::Established, Original);
        talk.say(Original, Ack, 5000);
        let before = talk.connection.state();
        assert!(talk.show(Original, talk.next(Original, Syn, 0)) == PASSED);
        assert!(talk.show(Reply, segment(SynAck, Talk::REPLY, 0, A)) == PASSED);
        assert!(talk.connection.state() == before);
        assert!(timeout(talk.say(Original, Ack, 5000)).is_some());
    }

    /// RFC 7413: data that comes with the SYN may be acknowledged or not.
    #[test]
    fn data_with_the_syn() {
        for ack in [A, A + 500] {
            let syn = segment(Syn, Talk::ORIGINAL, 500, None);
            let mut talk = Talk::opened_with(syn, Talk::REPLY);
            assert!(talk.show(Original, segment(Syn, Talk::ORIGINAL, 0, None)) == PASSED);
            assert!(timeout(talk.show(Reply, segment(SynAck, Talk::REPLY, 0, ack))) == Some(60));
            // It may have to be sent again, even where the other side has less room.
            let small = Segment {
                window: 1,
                ..segment(SynAck, Talk::REPLY, 0, ack)
            };
            let mut other = Talk::opened_with(syn, Talk::REPLY);
            other.show(Reply, small);
            assert!(timeout(other.show(Original, segment(Ack, A, 1, B))).is_some());
            // The answer's sender may go on at once.
            assert!(timeout(talk.show(Reply, segment(Ack, B, 1400, ack))).is_some());
            assert!(timeout(talk.show(Reply, segment(Ack, B + 1400, 1400, ack))).is_some());
            assert!(timeout(talk.show(Original, segment(Ack, ack, 500, B))).is_some());
            assert!(talk.connection.state() == State::Established);
        }
    }

    #[test]
    fn keepalives_of_a_side_that_is_left_alone() {
        for length in [0, 1] {
            let mut talk = Talk::reached(State::Established, Original);
            let keepalive = segment(Ack, A - 1, length, B);
            // With an answer to each, for ever.
            for _ in 0..10 {
                assert!(timeout(talk.show(Original, keepalive)) == Some(5 * DAYS));
                assert!(timeout(talk.say(Reply, Ack, 0)) == Some(5 * DAYS));
            }
            // Without.
            for seconds in [5 * DAYS, 5 * DAYS, 5 * DAYS, 300, 300] {
                assert!(timeout(talk.show(Original, keepalive)) == Some(seconds));
            }
            assert!(timeout(talk.say(Reply, Ack, 0)) == Some(5 * DAYS));
        }
    }

    #[test]
    fn data_that_is_repeated_without_an_answer() {
        let mut talk = Talk::reached(State::Established, Original);
        talk.settings
            .set(Setting::TcpTimeoutUnacknowledged, 1000)
            .ok()
            .unwrap();
        for seconds in [1000, 1000, 1000, 300] {
            let data = segment(Ack, A, 100, B);
            assert!(timeout(talk.show(Original, data)) == Some(seconds));
        }
        talk.settings.set(Setting::TcpMaxRetrans, 9).ok().unwrap();
        assert!(timeout(talk.show(Original, segment(Ack, A, 100, B))) == Some(1000));
    }

    #[test]
    fn a_window_of_zero() {
        let mut talk = Talk::reached(State::Established, Original);
        // The window is used up, and closed.
        talk.say(Original, Ack, WINDOW.into());
        let closed = Segment {
            window: 0,
            ..talk.next(Reply, Ack, 0)
        };
        assert!(timeout(talk.show(Reply, closed)) == Some(300));
        // Somebody asks now and then whether it is open again, with the byte that comes next.
        for _ in 0..100 {
            let probe = talk.next(Original, Ack, 1);
            assert!(timeout(talk.show(Original, probe)).is_some());
            assert!(timeout(talk.show(Reply, closed)).is_some());
        }
        // It opens, and what the sender has asked with counts as not acknowledged, like what it sends now.
        assert!(timeout(talk.say(Reply, Ack, 0)) == Some(300));
        assert!(timeout(talk.say(Original, Ack, WINDOW.into())) == Some(300));
        assert!(timeout(talk.say(Reply, Ack, 0)) == Some(5 * DAYS));
    }

    /// What a side sent beyond the limit it may have to send again, with all that it sent before.
    #[test]
    fn data_that_ends_beyond_the_window() {
        let mut talk = Talk::reached(State::Established, Original);
        for _ in 0..3 {
            let all = segment(Ack, A, 2 * u32::from(WINDOW), B);
            assert!(timeout(talk.show(Original, all)).is_some());
        }
        let before = talk.connection;
        let first = |end| segment(Ack, end - 1, 1, B);
        assert!(timeout(talk.show(Original, first(A))).is_some());
        talk.connection = before;
        assert!(talk.show(Original, first(A - 1)) == PASSED);
    }

    #[test]
    fn a_sender_that_disregards_the_window() {
        let mut talk = Talk::reached(State::Established, Original);
        let limit = A + u32::from(WINDOW);
        // It begins and ends beyond, by less than a window: who gets it may take it.
        let over = segment(Ack, limit + 1, u32::from(WINDOW) - 1, B);
        assert!(talk.show(Original, over) == PASSED);
        let ack = segment(Ack, B, 0, over.end.0);
        assert!(timeout(talk.show(Reply, ack)) == Some(5 * DAYS));
        let end = over.end.0 + u32::from(WINDOW);
        for over in [
            segment(Ack, end + 1, u32::from(WINDOW), B),
            segment(Ack, end + 100_000, 1, B),
        ] {
            let judgement = talk.show(Original, over);
            assert!(judgement == Judgement::Invalid(Invalid::SequenceOver));
        }
    }

    /// The acknowledgement did not get through, so the oldest data comes again when newer was acknowledged long ago.
    #[test]
    fn data_that_comes_again_and_late() {
        let mut talk = Talk::reached(State::Established, Original);
        for _ in 0..20 {
            talk.say(Original, Ack, 5000);
            talk.say(Reply, Ack, 0);
        }
        let before = talk.connection;
        let lowest = A + 100_000 - u32::from(WINDOW);
        let at = |end: u32| segment(Ack, end - 100, 100, B);
        assert!(timeout(talk.show(Original, at(lowest))).is_some());
        for (end, judgement) in [
            (lowest - 1, PASSED),
            (lowest - 66_000, PASSED),
            (lowest - 66_001, Judgement::Invalid(Invalid::SequenceUnder)),
        ] {
            talk.connection = before;
            assert!(talk.show(Original, at(end)) == judgement);
            assert!(talk.connection == before);
        }
    }

    #[test]
    fn a_fin_that_comes_again() {
        let mut talk = Talk::reached(State::Established, Original);
        let fin = talk.next(Original, Fin, 0);
        for _ in 0..3 {
            talk.show(Original, fin);
            assert!(talk.connection.state() == State::FinWait);
        }
        // What the other side sends before it got the FIN does not acknowledge it.
        let (begin, ack) = (B, fin.begin.0);
        talk.show(Reply, segment(Ack, begin, 100, ack));
        assert!(talk.connection.state() == State::FinWait);
        talk.show(Reply, segment(Ack, begin + 100, 100, ack + 1));
        assert!(talk.connection.state() == State::CloseWait);
        talk.show(Original, fin);
        assert!(talk.connection.state() == State::CloseWait);
        // The other half of the connection is open as long as the other side likes.
        for step in 2..100 {
            let data = segment(Ack, begin + step * 100, 100, ack + 1);
            assert!(timeout(talk.show(Reply, data)) == Some(60));
            let got = segment(Ack, fin.end.0, 0, data.end.0);
            assert!(timeout(talk.show(Original, got)) == Some(60));
        }
        assert!(talk.connection.state() == State::CloseWait);
    }

    /// What was sent after it came first, and its acknowledgement is older than any that counts.
    #[test]
    fn a_fin_that_comes_late() {
        let mut talk = Talk::reached(State::Established, Original);
        for _ in 0..15 {
            talk.say(Reply, Ack, 5000);
            talk.say(Original, Ack, 0);
        }
        talk.show(Original, segment(Ack, A + 101, 0, B + 75_000));
        assert!(talk.show(Original, segment(Ack, A, 100, B)) == PASSED);
        assert!(talk.show(Original, segment(Fin, A + 100, 0, B)) != PASSED);
        assert!(talk.connection.state() == State::FinWait);
        assert!(talk.show(Original, segment(Fin, A + 100, 0, B)) == PASSED);
    }

    /// Data that is new is learned of even then, so that it can be acknowledged.
    #[test]
    fn data_with_an_old_acknowledgement() {
        let mut talk = Talk::reached(State::Established, Original);
        for _ in 0..15 {
            talk.say(Reply, Ack, 5000);
            talk.say(Original, Ack, 0);
        }
        assert!(timeout(talk.show(Original, segment(Ack, A, 100, B))) == Some(300));
        let ack = segment(Ack, B + 75_000, 0, A + 100);
        assert!(timeout(talk.show(Reply, ack)) == Some(5 * DAYS));
    }

    #[test]
    fn both_sides_close_at_once() {
        let mut talk = Talk::reached(State::Established, Original);
        let fins = [(Original, A, B), (Reply, B, A)];
        for (direction, begin, ack) in fins {
            talk.show(direction, segment(Fin, begin, 0, ack));
        }
        assert!(talk.connection.state() == State::LastAck);
        for ((direction, begin, ack), state) in
            fins.into_iter().zip([State::LastAck, State::TimeWait])
        {
            talk.show(direction, segment(Ack, begin + 1, 0, ack + 1));
            assert!(talk.connection.state() == state);
        }
    }

    #[test]
    fn selective_acknowledgements() {
        for permitted in [false, true] {
            let syn = Segment {
                sack_permitted: permitted,
                ..segment(Syn, Talk::ORIGINAL, 0, None)
            };
            let mut talk = Talk::opened_with(syn, Talk::REPLY);
            talk.say(Reply, SynAck, 0);
            talk.say(Original, Ack, 0);
            talk.say(Original, Ack, 5000);
            // The last 1000 have arrived.
            let sack = |highest| {
                let mut segment = segment(Ack, B, 0, A);
                segment.ack = Some(Acknowledgement {
                    next: Sequence(A),
                    highest: Sequence(highest),
                });
                segment
            };
            // The side that sends it is believed if the other one has said that it would look at it.
            let over = talk.show(Reply, sack(A + 5001));
            assert!((over == Judgement::Invalid(Invalid::AcknowledgementOver)) == permitted);
            assert!(timeout(talk.show(Reply, sack(A + 5000))).is_some());
            let limit = A + u32::from(WINDOW) + if permitted { 5000 } else { 0 };
            let data = |begin| segment(Ack, begin, 1, B);
            assert!(timeout(talk.show(Original, data(limit))).is_some());
            assert!(timeout(talk.show(Original, data(limit + 1))).is_none());
        }
    }

    #[test]
    fn windows_are_scaled_if_both_sides_say_so() {
        for (first, second, shift) in [
            (Some(7), Some(3), 3),
            (Some(7), None, 0),
            (None, Some(3), 0),
            (Some(7), Some(0), 0),
            (Some(0), Some(200), 14),
        ] {
            let syn = Segment {
                scale: first.map(Scale::new),
                ..segment(Syn, Talk::ORIGINAL, 0, None)
            };
            let mut talk = Talk::opened_with(syn, Talk::REPLY);
            let answer = Segment {
                scale: second.map(Scale::new),
                ..talk.next(Reply, SynAck, 0)
            };
            talk.show(Reply, answer);
            talk.show(Original, segment(Ack, A, 0, B));
            // The window that came with the SYN is not, the next one is.
            let data = |begin| segment(Ack, begin, 1, B);
            let before = talk.connection;
            assert!(timeout(talk.show(Original, data(A + u32::from(WINDOW)))).is_some());
            talk.connection = before;
            assert!(timeout(talk.show(Original, data(A + u32::from(WINDOW) + 1))).is_none());
            talk.connection = before;
            talk.show(Reply, segment(Ack, B, 0, A));
            let limit = A + (u32::from(WINDOW) << shift);
            let before = talk.connection;
            assert!(timeout(talk.show(Original, data(limit))).is_some());
            talk.connection = before;
            assert!(timeout(talk.show(Original, data(limit + 1))).is_none());
        }
    }

    #[test]
    fn numbers_that_go_round() {
        for begin in [u32::MAX - 20_000, u32::MAX, (1 << 31) - 20_000] {
            let syn = segment(Syn, begin, 0, None);
            let mut talk = Talk::opened_with(syn, begin.wrapping_sub(50_000));
            talk.say(Reply, SynAck, 0);
            for _ in 0..100 {
                for direction in [Original, Reply] {
                    assert!(timeout(talk.say(direction, Ack, 1460)).is_some());
                }
            }
            for (direction, kind) in [(Original, Fin), (Reply, Fin), (Original, Ack)] {
                talk.say(direction, kind, 0);
            }
            assert!(talk.connection.state() == State::TimeWait);
        }
    }

    #[test]
    fn windows_that_nobody_minds() {
        let mut talk = Talk::reached(State::Established, Original);
        talk.settings.set(Setting::TcpBeLiberal, 1).ok().unwrap();
        let far = 1 << 30;
        assert!(timeout(talk.show(Original, segment(Ack, A + far, 10, B))).is_some());
        assert!(timeout(talk.show(Original, segment(Ack, A, 10, B + far))).is_some());
        // Except where they reset the connection.
        let reset = segment(Rst, A + 2 * far, 0, None);
        assert!(talk.show(Original, reset) == Judgement::Invalid(Invalid::Reset));
        talk.show(Original, segment(Fin, A + far, 0, B));
        assert!(talk.connection.state() == State::FinWait);
    }

    #[test]
    fn a_reset_that_this_machine_sends() {
        let mut talk = Talk::reached(State::Established, Original);
        assert!(talk.connection.close(&talk.settings) == Some(10));
        assert!(talk.connection.state() == State::Close);
        assert!(talk.connection.close(&talk.settings).is_none());
    }

    #[test]
    fn a_connection_is_small() {
        assert!(size_of::<Connection>() <= 64);
    }

    /// For how long the connection lives, if the segment says.
    fn timeout(judgement: Judgement) -> Option<u32> {
        match judgement {
            Judgement::Valid { timeout, .. } => timeout,
            _ => None,
        }
    }
}

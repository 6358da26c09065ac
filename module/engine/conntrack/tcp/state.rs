// SPDX-License-Identifier: GPL-2.0
//! The states of a TCP connection, and the table of what can come in each.

use super::Kind;
use crate::engine::conntrack::{Direction, Setting};

/// What a connection has come to, numbered and named as the kernel does (TCP_CONNTRACK_*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// No segment was seen.
    None = 0,
    /// One side has sent a SYN.
    SynSent = 1,
    /// It was answered with SYN and ACK.
    SynRecv = 2,
    /// Data may go both ways.
    Established = 3,
    /// One side has sent its FIN.
    FinWait = 4,
    /// That was acknowledged.
    CloseWait = 5,
    /// Both sides have sent their FIN.
    LastAck = 6,
    /// Both were acknowledged.
    TimeWait = 7,
    /// One side has reset the connection.
    Close = 8,
    /// Both sides have sent a SYN, neither answering the other.
    SynSent2 = 9,
}

impl State {
    /// The states in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::None,
        Self::SynSent,
        Self::SynRecv,
        Self::Established,
        Self::FinWait,
        Self::CloseWait,
        Self::LastAck,
        Self::TimeWait,
        Self::Close,
        Self::SynSent2,
    ];

    /// The state's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::SynSent => "SYN_SENT",
            Self::SynRecv => "SYN_RECV",
            Self::Established => "ESTABLISHED",
            Self::FinWait => "FIN_WAIT",
            Self::CloseWait => "CLOSE_WAIT",
            Self::LastAck => "LAST_ACK",
            Self::TimeWait => "TIME_WAIT",
            Self::Close => "CLOSE",
            Self::SynSent2 => "SYN_SENT2",
        }
    }

    /// Whether the connection is about to end, so that it may be dropped to make room even though it is assured.
    pub const fn is_ending(self) -> bool {
        matches!(
            self,
            Self::FinWait | Self::CloseWait | Self::LastAck | Self::TimeWait | Self::Close
        )
    }

    /// Whether the connection was closed by both sides, or reset.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::TimeWait | Self::Close)
    }

    /// What says how long a connection in this state lives.
    #[inline]
    pub(super) const fn timeout(self) -> Setting {
        match self {
            Self::None | Self::SynSent | Self::SynSent2 => Setting::TcpTimeoutSynSent,
            Self::SynRecv => Setting::TcpTimeoutSynRecv,
            Self::Established => Setting::TcpTimeoutEstablished,
            Self::FinWait => Setting::TcpTimeoutFinWait,
            Self::CloseWait => Setting::TcpTimeoutCloseWait,
            Self::LastAck => Setting::TcpTimeoutLastAck,
            Self::TimeWait => Setting::TcpTimeoutTimeWait,
            Self::Close => Setting::TcpTimeoutClose,
        }
    }

    /// What a segment can mean that comes in this state.
    #[inline]
    pub(super) fn on(self, kind: Kind, direction: Direction) -> Cell {
        TABLE
            .get(direction as usize)
            .and_then(|kinds| kinds.get(kind as usize))
            .and_then(|states| states.get(self as usize))
            .copied()
            .unwrap_or(Cell::Invalid)
    }
}

/// What a segment means in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// The connection comes to this state, unless the windows or other circumstances speak against it.
    To(State),
    /// It can be honest if the state is not what it seems; it passes, and moves nothing.
    Doubtful,
    /// The connection is over, and this begins another.
    Again,
    /// It can't come.
    Invalid,
}

/// The table of states: what a segment means, by its direction, its kind and the state.
#[rustfmt::skip]
const TABLE: [[[Cell; State::ALL.len()]; Kind::ALL.len()]; 2] = {
    use Cell::{Again as AG, Doubtful as DO, Invalid as IV};
    const SS: Cell = Cell::To(State::SynSent);
    const SR: Cell = Cell::To(State::SynRecv);
    const ES: Cell = Cell::To(State::Established);
    const FW: Cell = Cell::To(State::FinWait);
    const CW: Cell = Cell::To(State::CloseWait);
    const LA: Cell = Cell::To(State::LastAck);
    const TW: Cell = Cell::To(State::TimeWait);
    const CL: Cell = Cell::To(State::Close);
    const S2: Cell = Cell::To(State::SynSent2);
    [
        [ // Original
            // NO  SS  SR  ES  FW  CW  LA  TW  CL  S2
            // A SYN is sent again, or comes from a side that knows nothing of the connection.
            [  SS, DO, DO, DO, DO, DO, DO, AG, AG, DO ], // SYN
            // Who began sends this only where SYNs have crossed.
            [  IV, IV, SR, DO, DO, DO, DO, DO, DO, SR ], // SYN, ACK
            [  IV, IV, FW, FW, LA, LA, LA, TW, CL, IV ], // FIN
            [  ES, IV, ES, ES, CW, CW, TW, TW, CL, IV ], // ACK
            [  IV, CL, CL, CL, CL, CL, CL, CL, CL, CL ], // RST
        ],
        [ // Reply
            // NO  SS  SR  ES  FW  CW  LA  TW  CL  S2
            // In the end the roles may change; before, it is sent again where SYNs have crossed.
            [  IV, S2, DO, DO, DO, DO, DO, AG, IV, S2 ], // SYN
            // It is sent again, or answers a SYN that moved nothing.
            [  IV, SR, DO, DO, DO, DO, DO, DO, DO, SR ], // SYN, ACK
            [  IV, IV, FW, FW, LA, LA, LA, TW, CL, IV ], // FIN
            // A side that holds an older connection challenges the SYN.
            [  IV, DO, SR, ES, CW, CW, TW, TW, CL, DO ], // ACK
            [  IV, CL, CL, CL, CL, CL, CL, CL, CL, CL ], // RST
        ],
    ]
};

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_conntrack_tcp_state))]
mod tests {
    use super::*;
    use crate::engine::conntrack::tcp::fixtures::{segment, Talk};
    use crate::engine::conntrack::tcp::{Connection, Segment, Sequence};
    use crate::engine::conntrack::{Invalid, Judgement, Settings};

    /// What becomes of the connection in each state, for each kind of segment from either side, in the order of
    /// [`Kind::ALL`]: the state that it comes to (`=` where it stays), `--` where the segment passes and nothing more,
    /// `IV` where it is INVALID, `AG` where it begins anew, `EN` where it ends the connection at once.
    type Table = [[&'static str; 5]; 2];

    /// The original side is the first to end the connection.
    const ORIGINAL_ENDS: Table = [
        [
            // SS SR ES FW CW LA TW CL S2
            "-- -- -- -- -- -- AG AG --",
            "IV =  IV IV IV IV IV IV SR",
            "IV FW FW =  =  =  =  =  IV",
            "IV ES =  =  =  TW =  =  IV",
            "EN CL CL CL CL CL CL =  CL",
        ],
        [
            "S2 IV IV IV IV IV AG IV = ",
            "SR -- -- -- -- -- -- -- SR",
            "IV FW FW LA LA =  =  =  IV",
            "-- =  =  CW =  =  =  =  --",
            "EN CL CL CL CL CL CL =  CL",
        ],
    ];

    /// The reply side is.
    const REPLY_ENDS: Table = [
        [
            // SS SR ES FW CW LA TW CL S2
            "-- -- -- -- -- -- AG -- --",
            "IV =  IV IV IV IV IV IV SR",
            "IV FW FW LA LA =  =  =  IV",
            "IV ES =  CW =  =  =  =  IV",
            "EN CL CL CL CL CL CL =  CL",
        ],
        [
            "S2 IV IV IV IV IV AG IV = ",
            "SR -- -- -- -- -- -- -- SR",
            "IV FW FW =  =  =  =  =  IV",
            "-- =  =  =  =  TW =  =  --",
            "EN CL CL CL CL CL CL =  CL",
        ],
    ];

    const STATES: [(&str, State); 9] = [
        ("SS", State::SynSent),
        ("SR", State::SynRecv),
        ("ES", State::Established),
        ("FW", State::FinWait),
        ("CW", State::CloseWait),
        ("LA", State::LastAck),
        ("TW", State::TimeWait),
        ("CL", State::Close),
        ("S2", State::SynSent2),
    ];

    #[test]
    fn every_kind_in_every_state() {
        for (first, table) in [
            (Direction::Original, ORIGINAL_ENDS),
            (Direction::Reply, REPLY_ENDS),
        ] {
            for (direction, kinds) in [Direction::Original, Direction::Reply]
                .into_iter()
                .zip(table)
            {
                for (kind, cells) in Kind::ALL.into_iter().zip(kinds) {
                    assert!(cells.split_whitespace().count() == STATES.len());
                    for ((_, state), cell) in STATES.into_iter().zip(cells.split_whitespace()) {
                        let talk = Talk::reached(state, first);
                        assert!(talk.connection.state() == state);
                        holds(talk, direction, kind, cell);
                    }
                }
            }
        }
    }

    fn holds(mut talk: Talk, direction: Direction, kind: Kind, cell: &str) {
        let before = talk.connection.state();
        let judgement = if kind == Kind::Syn && before.is_ending() {
            // Of a new connection.
            talk.show(direction, segment(kind, 1 << 30, 0, None))
        } else {
            talk.say(direction, kind, 0)
        };
        let after = talk.connection.state();
        let passed = Judgement::Valid {
            timeout: None,
            assured: false,
            changed: false,
        };
        match cell {
            "--" => assert!(judgement == passed && after == before),
            "IV" => assert!(judgement == Judgement::Invalid(Invalid::State) && after == before),
            "AG" => assert!(judgement == Judgement::Again && after == before),
            "EN" => assert!(judgement == Judgement::Ended),
            name => {
                let found = STATES.into_iter().find(|(other, _)| *other == name);
                let expected = found.map_or(before, |(_, state)| state);
                assert!(after == expected && (name == "=" || found.is_some()));
                let expected = Judgement::Valid {
                    timeout: Some(talk.settings.get(after.timeout())),
                    assured: matches!(judgement, Judgement::Valid { assured: true, .. }),
                    changed: after != before,
                };
                assert!(judgement == expected);
            }
        }
    }

    /// The same segments with numbers that are half the circle off, or acknowledge what is.
    #[test]
    fn nothing_moves_out_of_window() {
        const FAR: u32 = 1 << 31;
        for first in [Direction::Original, Direction::Reply] {
            for (_, state) in STATES {
                for direction in [Direction::Original, Direction::Reply] {
                    for kind in [Kind::SynAck, Kind::Fin, Kind::Ack, Kind::Rst] {
                        for (sequence, ack) in [(FAR, 0), (0, FAR), (FAR, FAR)] {
                            let mut talk = Talk::reached(state, first);
                            let next = talk.next(direction, kind, 0);
                            let begin = next.begin.plus(sequence).0;
                            let next = next.ack.map(|ack| ack.next).unwrap_or_default();
                            let far = segment(kind, begin, 0, next.plus(ack).0);
                            let before = talk.connection;
                            let judgement = talk.show(direction, far);
                            // A number that answers the SYN is proof enough.
                            if before != talk.connection {
                                assert!(answers(before, direction, &far));
                            } else if !matches!(judgement, Judgement::Invalid(_)) {
                                assert!(passes(before.state(), direction, kind));
                            }
                        }
                    }
                }
            }
        }
    }

    fn answers(connection: Connection, direction: Direction, segment: &Segment) -> bool {
        let number = Sequence(Talk::ORIGINAL + 1);
        match (connection.state(), direction) {
            (State::SynSent | State::SynSent2, Direction::Reply) => {
                segment.ack.is_some_and(|ack| ack.next == number)
            }
            (State::SynSent, Direction::Original) => segment.begin == number,
            _ => false,
        }
    }

    fn passes(state: State, direction: Direction, kind: Kind) -> bool {
        match kind {
            Kind::Ack => matches!(state, State::SynSent | State::SynSent2),
            Kind::Rst => {
                state.is_ending() || state == State::SynSent && direction == Direction::Original
            }
            _ => false,
        }
    }

    #[test]
    fn what_begins_a_connection() {
        let settings = Settings::default();
        for (kind, state) in Kind::ALL.into_iter().zip([
            Some(State::SynSent),
            None,
            None,
            Some(State::Established),
            None,
        ]) {
            let ack = (kind != Kind::Syn).then_some(1);
            let begun = Connection::begin(&segment(kind, 1, 0, ack), &settings);
            match state {
                Some(state) => assert!(begun.ok().unwrap().0.state() == state),
                None => assert!(begun.err() == Some(Invalid::Beginning)),
            }
            assert!(State::None.on(kind, Direction::Reply) == Cell::Invalid);
        }
    }

    #[test]
    fn numbers_and_names_are_the_kernels() {
        for (number, (state, name)) in State::ALL
            .into_iter()
            .zip([
                "NONE",
                "SYN_SENT",
                "SYN_RECV",
                "ESTABLISHED",
                "FIN_WAIT",
                "CLOSE_WAIT",
                "LAST_ACK",
                "TIME_WAIT",
                "CLOSE",
                "SYN_SENT2",
            ])
            .enumerate()
        {
            assert!(state as usize == number && state.name() == name);
        }
    }
}

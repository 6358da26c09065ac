// SPDX-License-Identifier: GPL-2.0
//! Where an association is, as chunks on one path of it show.

use super::chunk::Kind;
use crate::engine::conntrack::{Direction, Setting};

/// Where an association is, by the chunks seen on one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Nothing was seen.
    #[default]
    None,
    /// It is over, or did not come about.
    Closed,
    /// INIT, or INIT ACK.
    CookieWait,
    /// COOKIE ECHO.
    CookieEchoed,
    /// COOKIE ACK, or HEARTBEAT ACK of an association that was set up on another path.
    Established,
    /// SHUTDOWN, by who began.
    ShutdownSent,
    /// SHUTDOWN, by the other side.
    ShutdownRecd,
    /// SHUTDOWN ACK.
    ShutdownAckSent,
    /// HEARTBEAT, of an association that was set up on another path.
    HeartbeatSent,
}

impl State {
    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Closed => "CLOSED",
            Self::CookieWait => "COOKIE_WAIT",
            Self::CookieEchoed => "COOKIE_ECHOED",
            Self::Established => "ESTABLISHED",
            Self::ShutdownSent => "SHUTDOWN_SENT",
            Self::ShutdownRecd => "SHUTDOWN_RECD",
            Self::ShutdownAckSent => "SHUTDOWN_ACK_SENT",
            Self::HeartbeatSent => "HEARTBEAT_SENT",
        }
    }

    /// Whether the association is being shut down.
    pub const fn is_ending(self) -> bool {
        matches!(
            self,
            Self::ShutdownSent | Self::ShutdownRecd | Self::ShutdownAckSent
        )
    }

    /// For how long it may be there.
    pub(super) const fn timeout(self) -> Setting {
        match self {
            Self::None | Self::Closed => Setting::SctpTimeoutClosed,
            Self::CookieWait => Setting::SctpTimeoutCookieWait,
            Self::CookieEchoed => Setting::SctpTimeoutCookieEchoed,
            Self::Established => Setting::SctpTimeoutEstablished,
            Self::ShutdownSent => Setting::SctpTimeoutShutdownSent,
            Self::ShutdownRecd => Setting::SctpTimeoutShutdownRecd,
            Self::ShutdownAckSent => Setting::SctpTimeoutShutdownAckSent,
            Self::HeartbeatSent => Setting::SctpTimeoutHeartbeatSent,
        }
    }

    /// The state after a chunk; `None` where it can't come.
    pub(super) fn next(self, direction: Direction, kind: Kind) -> Option<Self> {
        use Direction::{Original, Reply};
        Some(match (self, direction, kind) {
            (_, _, Kind::Data | Kind::Other) => self,
            // Before anything, and where only heartbeats were seen, an answer can't be known to be one.
            (Self::None, Reply, _) => return None,
            (Self::HeartbeatSent, Reply, Kind::HeartbeatAck) => Self::Established,
            (Self::HeartbeatSent, Reply, Kind::Heartbeat) => self,
            (Self::HeartbeatSent, Reply, _) => return None,
            (Self::None | Self::HeartbeatSent, Original, Kind::ShutdownAck) => {
                Self::ShutdownAckSent
            }
            (Self::None, Original, Kind::Heartbeat) => Self::HeartbeatSent,
            (Self::HeartbeatSent, Original, Kind::Heartbeat | Kind::HeartbeatAck) => self,
            (Self::HeartbeatSent, Original, Kind::Init) => Self::CookieWait,
            (Self::None | Self::HeartbeatSent, Original, _) => Self::Closed,
            // The association is set up,
            (Self::Closed, Reply, Kind::InitAck) => Self::CookieWait,
            (Self::CookieWait, _, Kind::CookieEcho) => Self::CookieEchoed,
            (Self::CookieEchoed, _, Kind::CookieAck) => Self::Established,
            (Self::CookieEchoed, Reply, Kind::Error) => Self::Closed,
            // shut down,
            (Self::Established, Original, Kind::Shutdown) => Self::ShutdownSent,
            (Self::Established, Reply, Kind::Shutdown) => Self::ShutdownRecd,
            (Self::ShutdownSent | Self::ShutdownRecd, _, Kind::ShutdownAck) => {
                Self::ShutdownAckSent
            }
            (Self::ShutdownAckSent, _, Kind::ShutdownComplete) => Self::Closed,
            // or over before that.
            (Self::ShutdownSent | Self::ShutdownRecd, Original, Kind::Init) => Self::Closed,
            (_, _, Kind::Abort) => Self::Closed,
            _ => self,
        })
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_conntrack_sctp_state))]
mod tests {
    use super::*;
    use crate::engine::conntrack::Settings;
    use Direction::{Original, Reply};

    const NO: Option<State> = Some(State::None);
    const CL: Option<State> = Some(State::Closed);
    const CW: Option<State> = Some(State::CookieWait);
    const CE: Option<State> = Some(State::CookieEchoed);
    const ES: Option<State> = Some(State::Established);
    const SS: Option<State> = Some(State::ShutdownSent);
    const SR: Option<State> = Some(State::ShutdownRecd);
    const SA: Option<State> = Some(State::ShutdownAckSent);
    const HS: Option<State> = Some(State::HeartbeatSent);

    const STATES: [Option<State>; 9] = [NO, CL, CW, CE, ES, SS, SR, SA, HS];

    /// What follows each of the states.
    #[rustfmt::skip]
    const ORIGINAL: [(Kind, [Option<State>; 9]); 13] = [
        (Kind::Data,             [NO, CL, CW, CE, ES, SS, SR, SA, HS]),
        (Kind::Init,             [CL, CL, CW, CE, ES, CL, CL, SA, CW]),
        (Kind::InitAck,          [CL, CL, CW, CE, ES, SS, SR, SA, CL]),
        (Kind::Heartbeat,        [HS, CL, CW, CE, ES, SS, SR, SA, HS]),
        (Kind::HeartbeatAck,     [CL, CL, CW, CE, ES, SS, SR, SA, HS]),
        (Kind::Abort,            [CL, CL, CL, CL, CL, CL, CL, CL, CL]),
        (Kind::Shutdown,         [CL, CL, CW, CE, SS, SS, SR, SA, CL]),
        (Kind::ShutdownAck,      [SA, CL, CW, CE, ES, SA, SA, SA, SA]),
        (Kind::Error,            [CL, CL, CW, CE, ES, SS, SR, SA, CL]),
        (Kind::CookieEcho,       [CL, CL, CE, CE, ES, SS, SR, SA, CL]),
        (Kind::CookieAck,        [CL, CL, CW, ES, ES, SS, SR, SA, CL]),
        (Kind::ShutdownComplete, [CL, CL, CW, CE, ES, SS, SR, CL, CL]),
        (Kind::Other,            [NO, CL, CW, CE, ES, SS, SR, SA, HS]),
    ];
    const IV: Option<State> = None;
    #[rustfmt::skip]
    const REPLY: [(Kind, [Option<State>; 9]); 13] = [
        (Kind::Data,             [NO, CL, CW, CE, ES, SS, SR, SA, HS]),
        (Kind::Init,             [IV, CL, CW, CE, ES, SS, SR, SA, IV]),
        (Kind::InitAck,          [IV, CW, CW, CE, ES, SS, SR, SA, IV]),
        (Kind::Heartbeat,        [IV, CL, CW, CE, ES, SS, SR, SA, HS]),
        (Kind::HeartbeatAck,     [IV, CL, CW, CE, ES, SS, SR, SA, ES]),
        (Kind::Abort,            [IV, CL, CL, CL, CL, CL, CL, CL, IV]),
        (Kind::Shutdown,         [IV, CL, CW, CE, SR, SS, SR, SA, IV]),
        (Kind::ShutdownAck,      [IV, CL, CW, CE, ES, SA, SA, SA, IV]),
        (Kind::Error,            [IV, CL, CW, CL, ES, SS, SR, SA, IV]),
        (Kind::CookieEcho,       [IV, CL, CE, CE, ES, SS, SR, SA, IV]),
        (Kind::CookieAck,        [IV, CL, CW, ES, ES, SS, SR, SA, IV]),
        (Kind::ShutdownComplete, [IV, CL, CW, CE, ES, SS, SR, CL, IV]),
        (Kind::Other,            [NO, CL, CW, CE, ES, SS, SR, SA, HS]),
    ];

    #[test]
    fn each_state_and_each_chunk() {
        for (direction, table) in [(Original, &ORIGINAL), (Reply, &REPLY)] {
            for (kind, after) in table {
                for (state, expected) in STATES.into_iter().zip(after) {
                    assert!(state.unwrap().next(direction, *kind) == *expected);
                }
            }
        }
    }

    #[test]
    fn states_have_their_timeouts() {
        let settings = Settings::default();
        let timeouts = [10, 10, 3, 3, 210, 3, 3, 3, 30];
        for (state, timeout) in STATES.into_iter().zip(timeouts) {
            assert!(settings.get(state.unwrap().timeout()) == timeout);
        }
        let ending = [false, false, false, false, false, true, true, true, false];
        for (state, ending) in STATES.into_iter().zip(ending) {
            assert_eq!(state.unwrap().is_ending(), ending);
        }
    }
}

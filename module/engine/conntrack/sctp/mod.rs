// SPDX-License-Identifier: GPL-2.0
//! SCTP (RFC 9260): an association as one path of it shows it, by the chunks and verification tags that go by.
//!
//! The states, what leads from one to another and which tags are asked for are those of nf_conntrack.

mod chunk;
mod state;

pub use state::State;

use self::chunk::{Chunked, Kind};
use super::{Direction, Invalid, Judgement, Settings, Ways};
use crate::engine::packet::Body;

/// What is remembered of an association.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Where it is.
    pub state: State,
    /// The tags of packets each way, as they are in memory; 0 where none is known.
    tags: Ways<u32>,
    /// Whether an INIT went each way that another tag came with than was known.
    initiated: Ways<bool>,
    /// The way of a heartbeat that had another tag than was known: an answer shows whether the association was set up
    /// anew.
    unsure: Option<Direction>,
}

/// What a packet does.
struct Step {
    after: Connection,
    /// Whether the association was open at some time.
    established: bool,
    /// Whether its time begins anew.
    refreshes: bool,
}

impl Connection {
    /// See [`Machine::begin`](super::Machine::begin).
    pub(super) fn begin(packet: &Body<'_>, settings: &Settings) -> Result<(Self, u32), Invalid> {
        let chunked = Chunked::read(packet, settings)?;
        if chunked.begins_nothing {
            return Err(Invalid::Beginning);
        }
        let mut connection = Self::default();
        for chunk in chunked.chunks() {
            let chunk = chunk?;
            match chunk.kind {
                Kind::Data | Kind::Other => return Err(Invalid::Beginning),
                // Of an association on another path, or of one that was forgotten: the answer reflects the tag.
                Kind::Heartbeat | Kind::ShutdownAck => connection.tags.original = chunked.tag,
                _ => (),
            }
        }
        let Step { after, .. } = connection.step(&chunked, Direction::Original)?;
        Ok((after, settings.get(after.state.timeout())))
    }

    /// See [`Machine::packet`](super::Machine::packet).
    pub(super) fn packet(
        &mut self,
        packet: &Body<'_>,
        direction: Direction,
        settings: &Settings,
    ) -> Judgement {
        let chunked = Chunked::read(packet, settings);
        match chunked.and_then(|chunked| self.step(&chunked, direction)) {
            Ok(step) => {
                let changed = step.after.state != self.state;
                *self = step.after;
                Judgement::Valid {
                    timeout: step.refreshes.then(|| settings.get(self.state.timeout())),
                    assured: step.established,
                    changed,
                }
            }
            Err(invalid) => Judgement::Invalid(invalid),
        }
    }

    fn step(mut self, chunked: &Chunked<'_>, direction: Direction) -> Result<Step, Invalid> {
        let tag = chunked.tag;
        if !chunked.has_own_tag_rule && tag != self.tags.of(direction) {
            return Err(Invalid::Tag);
        }
        let mut established = false;
        let mut refreshes = true;
        for chunk in chunked.chunks() {
            let chunk = chunk?;
            let known = self.tags.of(direction);
            let right = match chunk.kind {
                Kind::Init => tag == 0,
                Kind::Abort | Kind::ShutdownComplete if chunk.is_reflected() => {
                    tag == self.tags.of(direction.other())
                }
                Kind::Abort | Kind::ShutdownComplete | Kind::CookieEcho => tag == known,
                Kind::Heartbeat | Kind::HeartbeatAck if known == 0 => {
                    self.tags.set(direction, tag);
                    true
                }
                Kind::Heartbeat | Kind::HeartbeatAck if tag == known => {
                    self.unsure = None;
                    true
                }
                // Nothing but a question passes with another tag, and what answers it.
                Kind::Heartbeat | Kind::HeartbeatAck if chunked.has_data || !refreshes => false,
                Kind::Heartbeat => {
                    self.unsure = Some(direction);
                    refreshes = false;
                    continue;
                }
                Kind::HeartbeatAck if self.unsure == Some(direction.other()) => {
                    self.unsure = None;
                    self.tags.set(direction, tag);
                    self.tags.set(direction.other(), 0);
                    true
                }
                Kind::HeartbeatAck => false,
                _ => true,
            };
            if !right {
                return Err(Invalid::Tag);
            }
            let before = self.state;
            self.state = before.next(direction, chunk.kind).ok_or(Invalid::State)?;
            established |= self.state == State::Established && before != State::Established;
            match chunk.kind {
                Kind::Init => {
                    self.init(direction, chunked.wanted_tag(&chunk)?);
                    // One that comes again and again keeps nothing alive that did not come about.
                    refreshes &= (before, self.state) != (State::Closed, State::Closed);
                }
                Kind::InitAck => self.init_ack(direction, chunked.wanted_tag(&chunk)?)?,
                Kind::CookieAck => self.initiated = Ways::default(),
                _ => (),
            }
        }
        Ok(Step {
            after: self,
            established,
            refreshes,
        })
    }

    /// An INIT, by which its sender wants this tag.
    fn init(&mut self, direction: Direction, wanted: u32) {
        let back = direction.other();
        // One that is repeated is no second one.
        if self.tags.of(back) != wanted {
            if self.initiated.of(direction) && self.initiated.of(back) {
                self.initiated.set(back, false);
            }
            self.initiated.set(direction, true);
        }
        self.tags.set(back, wanted);
    }

    /// An INIT ACK, by which its sender wants this tag: another one than was known only where an INIT came from the other
    /// side, and not from both (RFC 9260, section 5.2.1).
    fn init_ack(&mut self, direction: Direction, wanted: u32) -> Result<(), Invalid> {
        let back = direction.other();
        let known = self.tags.of(back);
        let (sent, received) = (self.initiated.of(direction), self.initiated.of(back));
        if known != wanted && (sent && received || !received && known != 0) {
            return Err(Invalid::Tag);
        }
        self.tags.set(back, wanted);
        Ok(())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_conntrack_sctp))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{ip, seen};
    use crate::engine::packet::{protocol, Family, Hook};
    use Direction::{Original, Reply};

    /// Numbers of chunk types.
    const DATA: u8 = 0;
    const INIT: u8 = 1;
    const INIT_ACK: u8 = 2;
    const HEARTBEAT: u8 = 4;
    const HEARTBEAT_ACK: u8 = 5;
    const ABORT: u8 = 6;
    const SHUTDOWN: u8 = 7;
    const SHUTDOWN_ACK: u8 = 8;
    const ERROR: u8 = 9;
    const COOKIE_ECHO: u8 = 10;
    const COOKIE_ACK: u8 = 11;
    const SHUTDOWN_COMPLETE: u8 = 14;

    /// The tags that the client and the server want.
    const CLIENT: u8 = 0xc1;
    const SERVER: u8 = 0x5e;

    const fn init(number: u8, wanted: u8) -> [u8; 20] {
        [
            number, 0, 0, 20, 0, 0, 0, wanted, 0, 0, 8, 0, 0, 1, 0, 1, 0, 0, 0, 1,
        ]
    }

    const fn chunk(number: u8) -> [u8; 4] {
        [number, 0, 0, 4]
    }

    const fn reflected(number: u8) -> [u8; 4] {
        [number, 1, 0, 4]
    }

    fn with<T>(tag: u8, chunks: &[u8], look: impl FnOnce(&Body<'_>, &Settings) -> T) -> T {
        let header = [4, 0, 0, 22, 0, 0, 0, tag, 0, 0, 0, 0];
        let packet = ip(Family::V6, protocol::SCTP, &header).then(chunks).0;
        let settings = Settings::default();
        seen(Family::V6, &packet, Hook::LocalIn, |packet| {
            look(packet, &settings)
        })
        .unwrap()
    }

    fn begin(tag: u8, chunks: &[u8]) -> Result<(Connection, u32), Invalid> {
        with(tag, chunks, Connection::begin)
    }

    fn next(connection: &mut Connection, way: Direction, tag: u8, chunks: &[u8]) -> Judgement {
        with(tag, chunks, |packet, settings| {
            connection.packet(packet, way, settings)
        })
    }

    fn valid(timeout: u32, assured: bool, changed: bool) -> Judgement {
        Judgement::Valid {
            timeout: Some(timeout),
            assured,
            changed,
        }
    }

    /// What follows INIT, INIT ACK, COOKIE ECHO and COOKIE ACK.
    fn established() -> Connection {
        let (mut connection, timeout) = begin(0, &init(INIT, CLIENT)).ok().unwrap();
        assert!(timeout == 10);
        let mut step = |way, tag, chunks: &[u8]| next(&mut connection, way, tag, chunks);
        assert!(step(Reply, CLIENT, &init(INIT_ACK, SERVER)) == valid(3, false, true));
        assert!(step(Original, SERVER, &chunk(COOKIE_ECHO)) == valid(3, false, true));
        assert!(step(Reply, CLIENT, &chunk(COOKIE_ACK)) == valid(210, true, true));
        connection
    }

    #[test]
    fn an_association_from_its_beginning_to_its_end() {
        for (first, tag, other_tag) in [(Original, SERVER, CLIENT), (Reply, CLIENT, SERVER)] {
            let mut connection = established();
            let mut step = |way, tag, chunks: &[u8]| next(&mut connection, way, tag, chunks);
            assert!(step(first, tag, &chunk(DATA)) == valid(210, false, false));
            assert!(step(first.other(), other_tag, &chunk(DATA)) == valid(210, false, false));
            assert!(step(first, tag, &chunk(SHUTDOWN)) == valid(3, false, true));
            assert!(step(first.other(), other_tag, &chunk(SHUTDOWN_ACK)) == valid(3, false, true));
            assert!(step(first, tag, &chunk(SHUTDOWN_COMPLETE)) == valid(10, false, true));
        }
    }

    #[test]
    fn wrong_tags_change_nothing() {
        let chunks = [
            DATA,
            ABORT,
            SHUTDOWN,
            ERROR,
            COOKIE_ECHO,
            COOKIE_ACK,
            SHUTDOWN_COMPLETE,
        ];
        for number in chunks {
            let mut connection = established();
            for (way, right, reflected_right) in
                [(Original, SERVER, CLIENT), (Reply, CLIENT, SERVER)]
            {
                for tag in [0, 1, reflected_right] {
                    let judgement = next(&mut connection, way, tag, &chunk(number));
                    assert!(judgement == Judgement::Invalid(Invalid::Tag));
                    assert!(connection == established());
                }
                let mut other = connection;
                let judgement = next(&mut other, way, right, &chunk(number));
                assert!(matches!(judgement, Judgement::Valid { .. }));
            }
        }
        // Who knows no tag of its own takes that of the packet it answers, and nothing else.
        for number in [ABORT, SHUTDOWN_COMPLETE] {
            for (way, right, wrong) in [(Original, CLIENT, SERVER), (Reply, SERVER, CLIENT)] {
                let mut connection = established();
                let judgement = next(&mut connection, way, wrong, &reflected(number));
                assert!(judgement == Judgement::Invalid(Invalid::Tag));
                assert!(connection == established());
                let judgement = next(&mut connection, way, right, &reflected(number));
                assert!(matches!(judgement, Judgement::Valid { .. }));
            }
        }
        // INIT has none.
        let judgement = next(&mut established(), Original, SERVER, &init(INIT, 9));
        assert!(judgement == Judgement::Invalid(Invalid::Tag));
    }

    #[test]
    fn what_begins_an_association() {
        let begins =
            |tag, number| begin(tag, &chunk(number)).map(|(connection, _)| connection.state);
        for (number, tag, expected) in [
            (DATA, 0, Err(Invalid::Beginning)),
            (200, 0, Err(Invalid::Beginning)),
            (ABORT, 0, Err(Invalid::Beginning)),
            (SHUTDOWN_COMPLETE, 0, Err(Invalid::Beginning)),
            (COOKIE_ACK, 0, Err(Invalid::Beginning)),
            // An association that was forgotten, or is on another path.
            (HEARTBEAT, 7, Ok(State::HeartbeatSent)),
            (SHUTDOWN_ACK, 7, Ok(State::ShutdownAckSent)),
            (HEARTBEAT_ACK, 7, Ok(State::Closed)),
            (COOKIE_ECHO, 7, Err(Invalid::Tag)),
            (SHUTDOWN, 7, Err(Invalid::Tag)),
            (ERROR, 7, Err(Invalid::Tag)),
        ] {
            assert!(begins(tag, number) == expected);
        }
        assert!(begin(1, &init(INIT, CLIENT)) == Err(Invalid::Tag));
        assert!(begin(1, &init(INIT_ACK, CLIENT)) == Err(Invalid::Tag));
    }

    #[test]
    fn an_init_that_is_repeated_keeps_nothing_alive() {
        let (mut connection, _) = begin(0, &init(INIT, CLIENT)).ok().unwrap();
        let judgement = next(&mut connection, Original, 0, &init(INIT, CLIENT));
        let expected = Judgement::Valid {
            timeout: None,
            assured: false,
            changed: false,
        };
        assert!(judgement == expected);
        // The association comes about all the same.
        let judgement = next(&mut connection, Reply, CLIENT, &init(INIT_ACK, SERVER));
        assert!(judgement == valid(3, false, true));
    }

    #[test]
    fn both_sides_begin_at_once() {
        let (mut connection, _) = begin(0, &init(INIT, CLIENT)).ok().unwrap();
        let mut step = |way, tag, chunks: &[u8]| next(&mut connection, way, tag, chunks);
        assert!(
            step(Reply, 0, &init(INIT, SERVER))
                == Judgement::Valid {
                    timeout: None,
                    assured: false,
                    changed: false,
                }
        );
        // Each answers with the tag that its own INIT had (RFC 9260, section 5.2.1); another is forged.
        let forged = step(Reply, CLIENT, &init(INIT_ACK, 9));
        assert!(forged == Judgement::Invalid(Invalid::Tag));
        assert!(step(Original, SERVER, &init(INIT_ACK, CLIENT)) == valid(10, false, false));
        assert!(step(Reply, CLIENT, &init(INIT_ACK, SERVER)) == valid(3, false, true));
        assert!(step(Original, SERVER, &chunk(COOKIE_ECHO)) == valid(3, false, true));
        assert!(step(Reply, CLIENT, &chunk(COOKIE_ACK)) == valid(210, true, true));
    }

    #[test]
    fn one_side_begins_anew_while_both_do() {
        let (mut connection, _) = begin(0, &init(INIT, CLIENT)).ok().unwrap();
        let mut step = |way, tag, chunks: &[u8]| next(&mut connection, way, tag, chunks);
        for (way, tag) in [(Reply, SERVER), (Original, 7)] {
            assert!(matches!(
                step(way, 0, &init(INIT, tag)),
                Judgement::Valid { .. }
            ));
        }
        // Only the last one counts, and may be answered with any tag.
        assert!(step(Reply, 7, &init(INIT_ACK, 9)) == valid(3, false, true));
        assert!(step(Original, 9, &chunk(COOKIE_ECHO)) == valid(3, false, true));
    }

    #[test]
    fn an_association_that_was_forgotten_ends() {
        for answer in [ABORT, SHUTDOWN_COMPLETE] {
            let (mut connection, timeout) = begin(SERVER, &chunk(SHUTDOWN_ACK)).ok().unwrap();
            assert!(timeout == 3);
            let mut step = |tag, chunks: &[u8]| next(&mut connection, Reply, tag, chunks);
            assert!(step(CLIENT, &reflected(answer)) == Judgement::Invalid(Invalid::Tag));
            assert!(step(SERVER, &chunk(answer)) == Judgement::Invalid(Invalid::Tag));
            assert!(step(SERVER, &reflected(answer)) == valid(10, false, true));
        }
    }

    #[test]
    fn an_init_ack_that_nobody_asked_for() {
        let mut connection = established();
        let judgement = next(&mut connection, Reply, CLIENT, &init(INIT_ACK, 9));
        assert!(judgement == Judgement::Invalid(Invalid::Tag));
        assert!(connection == established());
        // Nor does a repeated INIT ask for it.
        assert!(
            next(&mut connection, Original, 0, &init(INIT, CLIENT)) == valid(210, false, false)
        );
        let judgement = next(&mut connection, Reply, CLIENT, &init(INIT_ACK, 9));
        assert!(judgement == Judgement::Invalid(Invalid::Tag));
        // A repeated one is none.
        let judgement = next(&mut connection, Reply, CLIENT, &init(INIT_ACK, SERVER));
        assert!(judgement == valid(210, false, false));
    }

    #[test]
    fn a_restart_brings_new_tags() {
        let mut connection = established();
        let mut step = |way, tag, chunks: &[u8]| next(&mut connection, way, tag, chunks);
        assert!(step(Original, 0, &init(INIT, 7)) == valid(210, false, false));
        assert!(step(Reply, 7, &init(INIT_ACK, 9)) == valid(210, false, false));
        assert!(step(Original, 9, &chunk(COOKIE_ECHO)) == valid(210, false, false));
        assert!(step(Reply, 7, &chunk(COOKIE_ACK)) == valid(210, false, false));
        assert!(step(Original, SERVER, &chunk(DATA)) == Judgement::Invalid(Invalid::Tag));
        assert!(step(Original, 9, &chunk(DATA)) == valid(210, false, false));
    }

    #[test]
    fn heartbeats_show_an_association_on_another_path() {
        let (mut connection, timeout) = begin(SERVER, &chunk(HEARTBEAT)).ok().unwrap();
        assert!(timeout == 30);
        let mut step = |way, tag, chunks: &[u8]| next(&mut connection, way, tag, chunks);
        // Nothing is known of the other way yet, and nothing but an answer goes there.
        assert!(step(Reply, 0, &chunk(SHUTDOWN)) == Judgement::Invalid(Invalid::State));
        assert!(step(Reply, CLIENT, &chunk(DATA)) == Judgement::Invalid(Invalid::Tag));
        assert!(step(Reply, CLIENT, &chunk(HEARTBEAT_ACK)) == valid(210, true, true));
        assert!(step(Reply, CLIENT, &chunk(DATA)) == valid(210, false, false));
        assert!(step(Original, SERVER, &chunk(DATA)) == valid(210, false, false));
    }

    #[test]
    fn heartbeats_with_new_tags_show_a_new_association() {
        let unsure = Judgement::Valid {
            timeout: None,
            assured: false,
            changed: false,
        };
        let wrong = Judgement::Invalid(Invalid::Tag);
        let mut connection = established();
        let mut step = |way, tag, chunks: &[u8]| next(&mut connection, way, tag, chunks);
        // An answer without a question, a question with data, and two of them.
        assert!(step(Reply, 9, &chunk(HEARTBEAT_ACK)) == wrong);
        let [a, b, c, d] = chunk(HEARTBEAT);
        assert!(step(Original, 7, &[a, b, c, d, DATA, 0, 0, 4]) == wrong);
        assert!(step(Original, 7, &[a, b, c, d, a, b, c, d]) == wrong);
        assert!(step(Original, 7, &chunk(HEARTBEAT)) == unsure);
        // Its own side does not answer it.
        assert!(step(Original, 7, &chunk(HEARTBEAT_ACK)) == wrong);
        // A question with the right tag takes it back.
        assert!(step(Original, SERVER, &chunk(HEARTBEAT)) == valid(210, false, false));
        assert!(step(Reply, 9, &chunk(HEARTBEAT_ACK)) == wrong);
        assert!(step(Original, 7, &chunk(HEARTBEAT)) == unsure);
        assert!(step(Reply, 9, &chunk(HEARTBEAT_ACK)) == valid(210, false, false));
        assert!(step(Reply, 11, &chunk(HEARTBEAT_ACK)) == wrong);
        // Now the tag is known that answers have, and the other one with the next question.
        assert!(step(Reply, 9, &chunk(DATA)) == valid(210, false, false));
        assert!(step(Reply, CLIENT, &chunk(DATA)) == wrong);
        assert!(step(Original, 7, &chunk(HEARTBEAT)) == valid(210, false, false));
        assert!(step(Original, 7, &chunk(DATA)) == valid(210, false, false));
    }

    #[test]
    fn a_packet_cut_off_anywhere() {
        let whole = init(INIT, CLIENT);
        for length in 0..whole.len() {
            let expected = match length {
                0 => Invalid::Chunks,
                1..4 => Invalid::Truncated,
                _ => Invalid::Length,
            };
            assert!(begin(0, whole.get(..length).unwrap()) == Err(expected));
        }
        // An INIT that says that it is shorter than it can be.
        for length in 0..20 {
            let mut short = whole;
            short[3] = length;
            let expected = match length {
                0..4 => Invalid::Length,
                // What follows the end of the chunk is none.
                _ => continue,
            };
            assert!(begin(0, &short) == Err(expected));
        }
        assert!(begin(0, &chunk(INIT)) == Err(Invalid::Length));
    }

    #[test]
    fn the_last_chunk_needs_no_padding() {
        let mut connection = established();
        for padding in 0..=3 {
            let chunks = [ERROR, 0, 0, 5, 9, 0, 0, 0];
            let chunks = chunks.get(..5 + padding).unwrap();
            let judgement = next(&mut connection, Original, SERVER, chunks);
            assert!(judgement == valid(210, false, false));
        }
        let judgement = next(&mut connection, Original, SERVER, &[ERROR, 0, 0, 6, 9]);
        assert!(judgement == Judgement::Invalid(Invalid::Length));
    }

    #[test]
    fn a_packet_with_a_part_that_is_wrong_changes_nothing() {
        let mut connection = established();
        let [a, b, c, d] = chunk(SHUTDOWN);
        let judgement = next(
            &mut connection,
            Original,
            SERVER,
            &[a, b, c, d, ABORT, 0, 0, 3],
        );
        assert!(judgement == Judgement::Invalid(Invalid::Length));
        let judgement = next(
            &mut connection,
            Original,
            SERVER,
            &[a, b, c, d, ABORT, 1, 0, 4],
        );
        assert!(judgement == Judgement::Invalid(Invalid::Tag));
        assert!(connection == established());
    }
}

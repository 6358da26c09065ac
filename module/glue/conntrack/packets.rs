// SPDX-License-Identifier: GPL-2.0
//! What happens to a packet: it gets its connection where it comes in, and takes a new one into the table where it goes.

use super::super::bindings;
use super::super::log;
use super::super::rcu::Reader;
use super::super::skb::Packet;
use super::connection::{self, Connection, INFO_MASK};
use super::Tracker;
use crate::engine::conntrack::{
    Direction, Invalid, Judgement, Machine, Setting, Subject, Tuple, Zone,
};
use crate::engine::packet::{
    extension, protocol, Body, Connection as Facts, DropReason, Family, Status, Tracking,
};
use crate::uapi::conntrack::{Found, StateName};
use crate::uapi::event::Event;
use kernel::sync::aref::ARef;
#[cfg(CONFIG_NF_CONNTRACK_MARK)]
use kernel::sync::atomic::ordering::Relaxed;

/// Why a packet is of no connection.
enum Refused {
    /// It is INVALID, which rules may ask for.
    Invalid(Invalid),
    /// It may not pass, whatever rules say.
    Drop(DropReason),
}

impl From<Invalid> for Refused {
    fn from(why: Invalid) -> Self {
        Self::Invalid(why)
    }
}

impl From<DropReason> for Refused {
    fn from(reason: DropReason) -> Self {
        Self::Drop(reason)
    }
}

/// What stands for all protocols where INVALID packets are to be logged.
const ALL_PROTOCOLS: u32 = 255;

/// How often the end of an old connection of the same flow is waited for.
const ATTEMPTS: usize = 3;

/// The connection that a packet carries, and what the packet is to it.
#[inline]
pub(super) fn carried<'a>(packet: &'a Packet<'_>) -> Option<(&'a Connection, Tracking)> {
    let word = packet.connection();
    let connection = (word & !INFO_MASK) as *const Connection;
    // SAFETY: The packet holds a reference to its connection, and while we are the kernel's tracker that is one of ours.
    let connection = unsafe { connection.as_ref() }?;
    Some((connection, Tracking::from_number((word & INFO_MASK) as u8)))
}

/// What a packet is to its connection.
#[inline]
pub(in super::super) fn tracking(packet: &Packet<'_>) -> Tracking {
    match packet.connection() {
        0 => Tracking::Invalid,
        word => Tracking::from_number((word & INFO_MASK) as u8),
    }
}

/// Has a packet that carries no connection carry one.
#[inline]
fn carry(packet: &Packet<'_>, connection: ARef<Connection>, tracking: Tracking) {
    let connection = ARef::into_raw(connection).as_ptr();
    packet.set_connection(connection as usize | tracking as usize);
}

/// What is known of the connection of a packet.
#[cold]
pub(in super::super) fn facts(packet: &Packet<'_>) -> Option<Facts> {
    carried(packet).map(|(connection, _)| facts_of(connection))
}

fn facts_of(connection: &Connection) -> Facts {
    Facts {
        original: *connection.tuple(Direction::Original),
        reply: *connection.tuple(Direction::Reply),
        status: connection.status(),
        seconds_left: connection.seconds_left(),
        counters: connection.counters(),
        announced_by: None,
        zone: connection.zone(),
    }
}

/// What is told of a connection in the table to who lists it.
pub(in super::super) fn found(connection: &Connection) -> Found {
    let state = connection.with_machine(|machine| machine.state());
    #[cfg(CONFIG_NF_CONNTRACK_MARK)]
    let mark = Some(connection.mark().load(Relaxed));
    #[cfg(not(CONFIG_NF_CONNTRACK_MARK))]
    let mark = None;
    Found {
        id: connection.id(),
        connection: facts_of(connection),
        state: state.and_then(|name| StateName::new(name.as_bytes())),
        mark,
        // But for the reference by which it is listed.
        uses: connection.uses().saturating_sub(1),
    }
}

/// The mark of the connection of a packet.
#[cfg(CONFIG_NF_CONNTRACK_MARK)]
pub(in super::super) fn mark(packet: &Packet<'_>) -> Option<u32> {
    carried(packet).map(|(connection, _)| connection.mark().load(Relaxed))
}

/// Changes the mark of the connection of a packet. Where it stays, so does the cache line that others read.
#[cfg(CONFIG_NF_CONNTRACK_MARK)]
pub(in super::super) fn set_mark(packet: &Packet<'_>, mark: u32) {
    if let Some((connection, _)) = carried(packet) {
        if connection.mark().load(Relaxed) != mark {
            connection.mark().store(mark, Relaxed);
            // A connection that is new has its mark when it is told of.
            if connection.is_confirmed() {
                connection.tracker().tell(Event::Update, connection);
            }
        }
    }
}

/// Counts a packet of a connection.
fn count_packet(packet: &Packet<'_>) {
    if let Some((connection, tracking)) = carried(packet) {
        if let Some(direction) = tracking.direction() {
            connection.count(direction, packet.len());
        }
    }
}

/// Takes a packet from the tracker's sight, unless it carries a connection already: one of ours, that it got on its way out
/// to this machine itself, or one of nf_conntrack's, where rules ask for none.
pub(in super::super) fn untrack(packet: &Packet<'_>) {
    if packet.connection() == 0 {
        packet.set_connection(Tracking::Untracked as usize);
    }
}

impl Tracker {
    /// Finds the connection of a packet, or begins one. The packet was shown to no tracker before, or it is one that this
    /// machine sent to itself, or that a rule said not to track. It is counted if `count` says so,
    /// or the setting.
    ///
    /// # Errors
    ///
    /// Why the packet may not pass.
    pub(in super::super) fn track(
        &self,
        body: &Body<'_>,
        packet: &Packet<'_>,
        state: &bindings::nf_hook_state,
        reader: &Reader<'_>,
        count: bool,
    ) -> Result<Tracking, DropReason> {
        if packet.connection() != 0 {
            return Ok(tracking(packet));
        }
        let tracked = match Subject::of(body, &self.settings) {
            Subject::Flow(tuple) => {
                let tracked = self.track_flow(&tuple, body, packet, reader);
                if tracked.is_ok() && (count || self.settings.is_on(Setting::Acct)) {
                    count_packet(packet);
                }
                tracked
            }
            Subject::Error(tuple) => self.track_error(&tuple, body.zone(), packet, reader),
            Subject::Untracked => {
                untrack(packet);
                Ok(Tracking::Untracked)
            }
            Subject::Invalid(why) => Err(why.into()),
        };
        match tracked {
            Ok(tracking) => Ok(tracking),
            Err(Refused::Invalid(why)) => {
                self.tell_invalid(why, body, packet, state);
                Ok(Tracking::Invalid)
            }
            Err(Refused::Drop(reason)) => Err(reason),
        }
    }

    /// Writes an INVALID packet to the log, if that is asked for. Nothing is locked.
    #[cold]
    fn tell_invalid(
        &self,
        why: Invalid,
        body: &Body<'_>,
        packet: &Packet<'_>,
        state: &bindings::nf_hook_state,
    ) {
        let asked = self.settings.get(Setting::LogInvalid);
        let protocol = body.transport.map(|transport| transport.protocol);
        if asked == ALL_PROTOCOLS || (asked != 0 && protocol.map(u32::from) == Some(asked)) {
            log::invalid(why, packet, state);
        }
    }

    #[inline]
    fn track_flow(
        &self,
        tuple: &Tuple,
        body: &Body<'_>,
        packet: &Packet<'_>,
        reader: &Reader<'_>,
    ) -> Result<Tracking, Refused> {
        let zone = body.zone();
        let hash = self.hash(tuple, zone.of(Direction::Original));
        let now = connection::milliseconds();
        for _ in 0..ATTEMPTS {
            let Some((connection, direction)) = self.find(tuple, zone, hash, reader) else {
                return self.begin(tuple, hash, body, packet, reader);
            };
            let seen_reply = connection.status().has_some(Status::SEEN_REPLY);
            let judgement = connection.with_machine(|machine| {
                machine.packet(body, direction, seen_reply, &self.settings, now)
            });
            match judgement {
                Judgement::Valid {
                    timeout,
                    assured,
                    changed,
                } => {
                    let mut is_news = changed;
                    // What adds nothing, as a challenge to a SYN, is no answer either.
                    if let Some(seconds) = timeout {
                        connection.refresh(connection::jiffies(seconds));
                        if direction == Direction::Reply {
                            is_news |= connection.set_seen_reply();
                        }
                    }
                    if assured {
                        is_news |= connection.set_assured();
                    }
                    if is_news {
                        self.tell(Event::Update, &connection);
                    }
                }
                Judgement::Invalid(why) => return Err(why.into()),
                Judgement::Again => {
                    self.remove(&connection);
                    continue;
                }
                Judgement::Ended => {
                    self.remove(&connection);
                }
            }
            let tracking = match direction {
                Direction::Reply => Tracking::EstablishedReply,
                Direction::Original if seen_reply => Tracking::Established,
                Direction::Original if connection.status().has_some(Status::EXPECTED) => {
                    Tracking::Related
                }
                Direction::Original => Tracking::New,
            };
            carry(packet, connection, tracking);
            return Ok(tracking);
        }
        Err(Invalid::State.into())
    }

    #[cold]
    fn track_error(
        &self,
        tuple: &Tuple,
        zone: Zone,
        packet: &Packet<'_>,
        reader: &Reader<'_>,
    ) -> Result<Tracking, Refused> {
        let hash = self.hash(tuple, zone.of(Direction::Original));
        let found = self.find(tuple, zone, hash, reader);
        let (connection, direction) = found.ok_or(Invalid::Quotation)?;
        let tracking = match direction {
            Direction::Original => Tracking::Related,
            Direction::Reply => Tracking::RelatedReply,
        };
        carry(packet, connection, tracking);
        Ok(tracking)
    }

    /// Begins a connection, which only this packet knows of until it is confirmed.
    #[inline(never)]
    fn begin(
        &self,
        tuple: &Tuple,
        hash: usize,
        body: &Body<'_>,
        packet: &Packet<'_>,
        reader: &Reader<'_>,
    ) -> Result<Tracking, Refused> {
        let now = connection::milliseconds();
        let reply = tuple.inverse().ok_or(Invalid::Beginning)?;
        let (machine, timeout) = Machine::begin(body, tuple, &self.settings, now)?;
        if !self.has_room(hash, reader) {
            self.tell_full();
            return Err(DropReason::TooManyConnections.into());
        }
        let zone = body.zone();
        let hashes = [hash, self.hash(&reply, zone.of(Direction::Reply))];
        let connection = Connection::new(
            self,
            zone,
            [*tuple, reply],
            hashes,
            (machine, connection::jiffies(timeout)),
        );
        carry(
            packet,
            connection.ok_or(DropReason::NoMemory)?,
            Tracking::New,
        );
        Ok(Tracking::New)
    }

    /// Puts a connection into the table, if no other one is there of its flow: which one, otherwise. Whether it was not
    /// there itself.
    fn insert(&self, connection: &ARef<Connection>) -> Result<bool, Option<ARef<Connection>>> {
        let ways = [Direction::Original, Direction::Reply];
        let [there, back] = ways.map(|way| connection.link(way));
        let locked = self.table.lock(there.hash(), back.hash());
        // A copy of the packet was quicker, one that a bridge made for another port.
        if connection.is_confirmed() {
            return Ok(false);
        }
        for way in ways {
            let tuple = connection.tuple(way);
            let other = locked.find(connection.link(way).hash(), |link| {
                // SAFETY: It is in the table.
                let (other, way) = unsafe { Connection::of_link(link) };
                other.has_flow(way, tuple, connection.zone())
            });
            if let Some(link) = other {
                // SAFETY: As above.
                return Err(unsafe { Connection::of_link(link) }.0.hold());
            }
        }
        connection.confirm();
        // This reference is the table's.
        let connection = ARef::into_raw(connection.clone());
        // SAFETY: The table has a reference to it, and connections end a grace period after the last one.
        let connection = unsafe { connection.as_ref() };
        for way in ways {
            // SAFETY: As above; it was in no table, since only one packet carries a connection that is not confirmed.
            unsafe { locked.insert(connection.link(way)) };
        }
        Ok(true)
    }
}

/// A packet has come through all rules. A connection that it begins is taken into the table, where packets of both
/// directions find it; if another packet of the flow was quicker, its connection is this packet's as well.
///
/// # Errors
///
/// Why the packet may not pass.
#[inline]
pub(in super::super) fn confirm(packet: &Packet<'_>) -> Result<(), DropReason> {
    match carried(packet) {
        Some((connection, Tracking::New | Tracking::Related)) if !connection.is_confirmed() => {
            confirm_new(packet, connection)
        }
        _ => Ok(()),
    }
}

#[inline(never)]
fn confirm_new(packet: &Packet<'_>, connection: &Connection) -> Result<(), DropReason> {
    let tracker = connection.tracker();
    // The packet's own reference stays where it is.
    let connection = connection.hold().ok_or(DropReason::ConnectionClash)?;
    for _ in 0..ATTEMPTS {
        let other = match tracker.insert(&connection) {
            Ok(is_news) => {
                if is_news {
                    tracker.tell(Event::New, &connection);
                    tracker.worker.check(tracker.count());
                }
                return Ok(());
            }
            Err(other) => other.ok_or(DropReason::ConnectionClash)?,
        };
        if !other.is_current() {
            tracker.remove(&other);
            continue;
        }
        let tuple = connection.tuple(Direction::Original);
        // The other's machine would have to be shown the packet; its sender says it again.
        if Machine::changes(tuple.protocol) {
            return Err(DropReason::ConnectionClash);
        }
        let tracking = if other.tuple(Direction::Original).is_flow(tuple) {
            Tracking::New
        } else if other.tuple(Direction::Reply).is_flow(tuple) {
            if other.set_seen_reply() {
                tracker.tell(Event::Update, &other);
            }
            Tracking::EstablishedReply
        } else {
            return Err(DropReason::ConnectionClash);
        };
        let counted = connection.counters().is_some();
        packet.reset_connection();
        carry(packet, other, tracking);
        if counted {
            count_packet(packet);
        }
        return Ok(());
    }
    Err(DropReason::ConnectionClash)
}

/// A packet goes to this machine itself, where nobody asks for its connection any more. The kernel takes it from what
/// lies in the queue of a socket for as long as nobody reads it, but not from what ping sockets and the error queues of
/// others get: ICMP. It would keep its connection, and the module, from ending.
#[inline]
pub(in super::super) fn deliver(packet: &Packet<'_>, family: u8) {
    let linear = packet.linear();
    let is_icmp = if family == Family::V4 as u8 {
        linear.get(9) == Some(&protocol::ICMP)
    } else {
        // Extension headers may hide one.
        let next = linear.get(6).copied().unwrap_or(extension::NONE);
        next == protocol::ICMPV6 || extension::is_passed(next)
    };
    if is_icmp {
        packet.reset_connection();
    }
}

/// A packet was made because of another one: it is related to the connection of that, and goes the other way.
pub(super) fn relate(new: &Packet<'_>, old: &Packet<'_>) {
    let Some((connection, tracking)) = carried(old) else {
        return;
    };
    let tracking = match tracking.direction() {
        Some(Direction::Original) => Tracking::RelatedReply,
        Some(Direction::Reply) => Tracking::Related,
        None => return,
    };
    if let Some(connection) = connection.hold() {
        carry(new, connection, tracking);
    }
}

// SPDX-License-Identifier: GPL-2.0
//! What the module tells without being asked: that rules changed, what traced packets meet, what becomes of connections.

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;

use oxtables_engine::uapi::attr::Reader;
use oxtables_engine::uapi::conntrack::Entry;
use oxtables_engine::uapi::event::Event;
use oxtables_engine::uapi::field::Field;
use oxtables_engine::uapi::message as attributes;
use oxtables_engine::uapi::trace::Trace;
use oxtables_engine::uapi::Command;

use super::message::{self, Received};
use super::{Connection, Error};

/// A change of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The generation that it made.
    pub generation: u64,
    /// The netlink port that it came from.
    pub port: u32,
}

/// A step of a traced packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The generation of the rules that the packet met.
    pub generation: u64,
    /// What it met.
    pub trace: Trace,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// What.
    pub event: Event,
    /// The event's number.
    pub number: u64,
    /// The connection as it was then.
    pub entry: Entry,
}

/// Hears what a group of listeners is told.
pub struct Listener {
    connection: Connection,
}

impl Listener {
    /// Hears what the connection's socket is told.
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// What is ready to be read when there is something to hear.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.socket.as_fd()
    }

    /// Waits for changes. `None` where some were missed.
    ///
    /// # Errors
    ///
    /// When nothing can be heard.
    pub fn changes(&mut self) -> Result<Option<Vec<Change>>, Error> {
        self.wait(|command, bytes| {
            if command != Command::RulesChanged as u8 {
                return Ok(None);
            }
            let (mut generation, mut port) = (None, 0);
            for attribute in Reader::new(bytes) {
                let attribute = attribute?;
                match attribute.id {
                    attributes::GENERATION => generation = Some(u64::get(&attribute)?),
                    attributes::PORT => port = u32::get(&attribute)?,
                    _ => (),
                }
            }
            Ok(generation.map(|generation| Change { generation, port }))
        })
    }

    /// Waits for steps of traced packets. `None` where some were missed.
    ///
    /// # Errors
    ///
    /// When nothing can be heard.
    pub fn steps(&mut self) -> Result<Option<Vec<Step>>, Error> {
        self.wait(|command, bytes| {
            if command != Command::Trace as u8 {
                return Ok(None);
            }
            let (mut generation, mut trace) = (None, None);
            for attribute in Reader::new(bytes) {
                let attribute = attribute?;
                match attribute.id {
                    attributes::GENERATION => generation = Some(u64::get(&attribute)?),
                    attributes::TRACE => trace = Some(Trace::get(&attribute)?),
                    _ => (),
                }
            }
            let step = generation.zip(trace);
            Ok(step.map(|(generation, trace)| Step { generation, trace }))
        })
    }

    /// Waits for events of connections. `None` where some were missed.
    ///
    /// # Errors
    ///
    /// When nothing can be heard.
    pub fn events(&mut self) -> Result<Option<Vec<Told>>, Error> {
        self.wait(|command, bytes| {
            let mut events = Event::ALL.into_iter();
            let Some(event) = events.find(|event| event.command() as u8 == command) else {
                return Ok(None);
            };
            let (mut number, mut entry) = (None, None);
            for attribute in Reader::new(bytes) {
                let attribute = attribute?;
                match attribute.id {
                    attributes::SERIAL => number = Some(u64::get(&attribute)?),
                    attributes::CONNECTION => entry = Some(Entry::get(&attribute)?),
                    _ => (),
                }
            }
            Ok(number.zip(entry).map(|(number, entry)| Told {
                event,
                number,
                entry,
            }))
        })
    }

    /// Waits for messages, and reads each by its command and attributes; what `read` finds nothing in is left out.
    fn wait<T>(
        &mut self,
        read: impl Fn(u8, &[u8]) -> Result<Option<T>, Error>,
    ) -> Result<Option<Vec<T>>, Error> {
        let Connection { socket, buffer, .. } = &mut self.connection;
        buffer.clear();
        match socket.recv(buffer, 0) {
            Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => return Ok(None),
            result => result?,
        };
        let mut heard = Vec::new();
        let mut rest = &**buffer;
        while let Some((_, received, after)) = message::split(rest) {
            rest = after;
            if let Received::Message {
                command,
                attributes,
                ..
            } = received
            {
                heard.extend(read(command, attributes)?);
            }
        }
        Ok(Some(heard))
    }
}

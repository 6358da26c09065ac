// SPDX-License-Identifier: GPL-2.0
//! What the module tells without being asked: that rules changed, what traced packets meet.

use nix::errno::Errno;

use oxtables_engine::uapi::attr::Reader;
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

/// Hears what a group of listeners is told.
pub struct Listener {
    connection: Connection,
}

impl Listener {
    /// Hears what the connection's socket is told.
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection }
    }

    /// Waits for changes. `None` where some were missed.
    ///
    /// # Errors
    ///
    /// When nothing can be heard.
    pub fn changes(&mut self) -> Result<Option<Vec<Change>>, Error> {
        self.wait(Command::RulesChanged, |bytes| {
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
        self.wait(Command::Trace, |bytes| {
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

    /// Waits for messages of a command, and reads each; what `read` finds nothing in is left out.
    fn wait<T>(
        &mut self,
        wanted: Command,
        read: impl Fn(&[u8]) -> Result<Option<T>, Error>,
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
            match received {
                Received::Message {
                    command,
                    attributes,
                    ..
                } if command == wanted as u8 => heard.extend(read(attributes)?),
                _ => (),
            }
        }
        Ok(Some(heard))
    }
}

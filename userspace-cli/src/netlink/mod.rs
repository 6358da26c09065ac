// SPDX-License-Identifier: GPL-2.0
//! The way to the kernel module: generic netlink, with every answer checked.

mod chunks;
mod connections;
mod listener;
mod message;

use std::{fmt, io};

use netlink_sys::protocols::NETLINK_GENERIC;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;

use oxtables_engine::alloc::KVVec;
use oxtables_engine::engine::rules::{transaction, Model, Op};
use oxtables_engine::engine::text::Name;
use oxtables_engine::uapi::attr::Reader;
use oxtables_engine::uapi::field::Field;
use oxtables_engine::uapi::flow::{Flow, FlowTable};
use oxtables_engine::uapi::message::{self as attributes, Drops, Select};
use oxtables_engine::uapi::{self, op, Command, Writer};

pub use listener::{Change, Listener, Step, Told};
use message::{Answer, Received, Refusal};

/// The controller of generic netlink (GENL_ID_CTRL), and what it is asked and answers.
const CONTROLLER: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
const FAMILY_VERSION: u16 = 3;
const FAMILY_GROUPS: u16 = 7;
const GROUP_NAME: u16 = 1;
const GROUP_ID: u16 = 2;

/// A buffer that takes every message: an operation has at most 64 KiB.
const BUFFER: usize = 128 << 10;

/// How often a dump is begun again when the rules change meanwhile.
const TRIES: usize = 10;

/// Why the kernel could not be asked, or refused.
#[derive(Debug)]
pub enum Error {
    /// The module is not loaded.
    NotLoaded,
    /// The module speaks another version of the protocol.
    Version(u32),
    /// The caller may not.
    NotPermitted,
    /// The rules are not those any more that the transaction was made for.
    Changed,
    /// The kernel says no: the number of the error, what it says, and the operation to blame.
    Refused {
        /// The number of the error.
        errno: i32,
        /// What the kernel says in words.
        what: Option<String>,
        /// The operation to blame.
        op: Option<usize>,
    },
    /// Something in between failed.
    Io(io::Error),
    /// An answer that can't be understood.
    Garbled(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoaded => {
                f.write_str("the kernel module is not loaded; `modprobe oxtables` or `insmod oxtables.ko` loads it")
            }
            Self::Version(version) => write!(
                f,
                "the kernel module speaks version {version} of the protocol, this command version {}",
                uapi::VERSION
            ),
            Self::NotPermitted => {
                f.write_str("not permitted: reading and changing rules needs root (CAP_NET_ADMIN)")
            }
            Self::Changed => f.write_str("the rules were changed by someone else meanwhile; nothing was done"),
            Self::Refused { errno, what, .. } => match what {
                Some(what) => write!(f, "the kernel refuses: {what}"),
                None => write!(f, "the kernel refuses: {}", Errno::from_raw(*errno).desc()),
            },
            Self::Io(error) => write!(f, "netlink: {error}"),
            Self::Garbled(what) => write!(f, "an answer of the kernel can't be understood: {what}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match Errno::from_raw(refusal.errno) {
            Errno::EPERM => Self::NotPermitted,
            Errno::ESTALE => Self::Changed,
            _ => Self::Refused {
                errno: refusal.errno,
                what: refusal.what,
                op: None,
            },
        }
    }
}

impl From<uapi::Error> for Error {
    fn from(error: uapi::Error) -> Self {
        Self::Garbled(error.what)
    }
}

/// What the module says of itself.
#[derive(Debug, Default)]
pub struct Info {
    /// Its version.
    pub version: String,
    /// The generation of the rules in force.
    pub generation: u64,
    /// Packets dropped, by reason.
    pub drops: Vec<(String, u64)>,
    /// The matches that it knows.
    pub matches: Vec<String>,
    /// The targets that it knows.
    pub targets: Vec<String>,
}

/// The rules in force.
#[derive(Debug)]
pub struct Snapshot {
    /// Their generation.
    pub generation: u64,
    /// The rules; with counters where they were asked for.
    pub model: Model,
}

/// What a dump is asked for beside the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Nothing.
    Without,
    /// The counters.
    With,
    /// The counters, and those selected are set to zero.
    Zero(Select),
}

/// A connection to the module.
pub struct Connection {
    socket: Socket,
    family: u16,
    /// The numbers of the groups of listeners, by their names.
    groups: Vec<(String, u32)>,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Connection {
    /// Finds the module.
    ///
    /// # Errors
    ///
    /// Among others when it is not loaded.
    pub fn open() -> Result<Self, Error> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        socket.set_netlink_get_strict_chk(true)?;
        let mut connection = Self {
            socket,
            family: 0,
            groups: Vec::new(),
            sequence: 0,
            buffer: Vec::with_capacity(BUFFER),
        };
        connection.find_family()?;
        Ok(connection)
    }

    fn find_family(&mut self) -> Result<(), Error> {
        let mut request = Writer::new(64);
        let name = format!("{}\0", uapi::FAMILY);
        let full = |_| Error::Garbled("request is too large");
        request.put(FAMILY_NAME, name.as_bytes()).map_err(full)?;
        let (mut family, mut groups, mut version) = (None, Vec::new(), None);
        let result = self.ask(
            CONTROLLER,
            Answer::Once,
            GET_FAMILY,
            request.bytes(),
            |bytes| {
                for attribute in Reader::new(bytes) {
                    let attribute = attribute?;
                    match attribute.id {
                        FAMILY_ID => family = Some(u16::get(&attribute)?),
                        FAMILY_VERSION => version = Some(u32::get(&attribute)?),
                        FAMILY_GROUPS => {
                            for entry in attribute.nested() {
                                let (mut name, mut id) = (None, None);
                                for inner in entry?.nested() {
                                    let inner = inner?;
                                    match inner.id {
                                        GROUP_NAME => name = Some(inner.data),
                                        GROUP_ID => id = Some(u32::get(&inner)?),
                                        _ => (),
                                    }
                                }
                                let name = name.and_then(|name| name.strip_suffix(&[0]));
                                let name = name.map(String::from_utf8_lossy).map(Into::into);
                                groups.extend(name.zip(id));
                            }
                        }
                        _ => (),
                    }
                }
                Ok(())
            },
        );
        match result {
            Err(Error::Refused { errno, .. }) if errno == Errno::ENOENT as i32 => {
                return Err(Error::NotLoaded)
            }
            other => other?,
        }
        if let Some(version) = version.filter(|version| *version != u32::from(uapi::VERSION)) {
            return Err(Error::Version(version));
        }
        self.family = family.ok_or(Error::Garbled("the family has no number"))?;
        self.groups = groups;
        Ok(())
    }

    /// Sends a request and hands the attributes of each answer to `each`.
    fn ask(
        &mut self,
        kind: u16,
        answer: Answer,
        command: u8,
        attributes: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.sequence = self.sequence.wrapping_add(1);
        let version = if kind == CONTROLLER { 1 } else { uapi::VERSION };
        let bytes = message::request(kind, answer, self.sequence, command, version, attributes);
        self.socket.send(&bytes, 0)?;
        loop {
            self.buffer.clear();
            self.socket.recv(&mut self.buffer, 0)?;
            let mut rest = &*self.buffer;
            while !rest.is_empty() {
                let (sequence, received, after) =
                    message::split(rest).ok_or(Error::Garbled("message is cut off"))?;
                rest = after;
                // Answers to a request that was given up may still be on their way.
                if sequence != self.sequence {
                    continue;
                }
                match received {
                    Received::Message { attributes, .. } => each(attributes)?,
                    Received::Done => return Ok(()),
                    Received::Refused(refusal) => {
                        let offset = refusal.offset;
                        let error = Error::from(refusal);
                        return Err(match (error, offset) {
                            (Error::Refused { errno, what, .. }, Some(offset)) => Error::Refused {
                                errno,
                                what,
                                op: offset.checked_sub(message::HEADERS),
                            },
                            (error, _) => error,
                        });
                    }
                    Received::Interrupted => return Err(Error::Changed),
                    Received::Overrun => return Err(Error::Garbled("messages were lost")),
                }
            }
        }
    }

    /// Asks the module about itself.
    ///
    /// # Errors
    ///
    /// When it can't be asked.
    pub fn info(&mut self) -> Result<Info, Error> {
        let mut info = Info::default();
        self.ask(
            self.family,
            Answer::Once,
            Command::GetInfo as u8,
            &[],
            |bytes| {
                for attribute in Reader::new(bytes) {
                    let attribute = attribute?;
                    match attribute.id {
                        attributes::VERSION => {
                            let text = attribute.data.strip_suffix(&[0]).unwrap_or(attribute.data);
                            info.version = String::from_utf8_lossy(text).into_owned();
                        }
                        attributes::GENERATION => info.generation = u64::get(&attribute)?,
                        attributes::DROPS => {
                            let drops = Drops::get(&attribute)?;
                            info.drops.push((drops.reason.to_string(), drops.packets));
                        }
                        attributes::MATCH => info.matches.push(Name::get(&attribute)?.to_string()),
                        attributes::TARGET => info.targets.push(Name::get(&attribute)?.to_string()),
                        _ => (),
                    }
                }
                Ok(())
            },
        )?;
        Ok(info)
    }

    /// Reads the rules in force.
    ///
    /// # Errors
    ///
    /// When they can't be read, or change faster than that.
    pub fn rules(&mut self, count: Count) -> Result<Snapshot, Error> {
        let mut request = Writer::new(256);
        match count {
            Count::Without => Ok(()),
            Count::With => true.put(attributes::COUNTERS, &mut request),
            Count::Zero(select) => true
                .put(attributes::ZERO, &mut request)
                .and_then(|()| select.put(attributes::SELECT, &mut request)),
        }
        .map_err(|_| Error::Garbled("request is too large"))?;
        for _ in 0..TRIES {
            let (mut generation, mut consistent) = (None, true);
            let mut ops = KVVec::new();
            let command = Command::GetRules as u8;
            let asked = self.ask(
                self.family,
                Answer::Dump,
                command,
                request.bytes(),
                |bytes| {
                    for attribute in Reader::new(bytes) {
                        let attribute = attribute?;
                        if attribute.id == attributes::GENERATION {
                            let found = u64::get(&attribute)?;
                            consistent &= *generation.get_or_insert(found) == found;
                        }
                    }
                    Ok(op::decode_all(bytes, &mut ops)?)
                },
            );
            match asked {
                Ok(()) if consistent => {
                    let generation =
                        generation.ok_or(Error::Garbled("rules without generation"))?;
                    let model = transaction::apply(&Model::default(), ops)
                        .map_err(|(_, error)| Error::Garbled(error.kind.what()))?;
                    return Ok(Snapshot { generation, model });
                }
                Ok(()) | Err(Error::Changed) => (),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Changed)
    }

    /// Reads the flows that hashlimits count.
    ///
    /// # Errors
    ///
    /// When they can't be read.
    pub fn flows(&mut self) -> Result<Vec<(FlowTable, Vec<Flow>)>, Error> {
        let mut tables: Vec<(FlowTable, Vec<Flow>)> = Vec::new();
        let command = Command::GetFlows as u8;
        self.ask(self.family, Answer::Dump, command, &[], |bytes| {
            for attribute in Reader::new(bytes) {
                let attribute = attribute?;
                match attribute.id {
                    attributes::FLOW_TABLE => {
                        let table = FlowTable::get(&attribute)?;
                        // A large one comes in several messages.
                        if tables.last().is_none_or(|(last, _)| *last != table) {
                            tables.push((table, Vec::new()));
                        }
                    }
                    attributes::FLOW => {
                        let (_, flows) = tables
                            .last_mut()
                            .ok_or(Error::Garbled("a flow without a table"))?;
                        flows.push(Flow::get(&attribute)?);
                    }
                    _ => (),
                }
            }
            Ok(())
        })?;
        Ok(tables)
    }

    /// Carries operations out, all or none. With `generation` only if the rules are still those of it.
    ///
    /// # Errors
    ///
    /// What the kernel says against it; the old rules are in force then.
    pub fn commit(&mut self, ops: Vec<Op>, generation: Option<u64>) -> Result<u64, Error> {
        let count = ops.len() as u64;
        let chunks = chunks::chunks(ops).map_err(|op| Error::Refused {
            errno: Errno::EMSGSIZE as i32,
            what: Some("the rule is too large".to_owned()),
            op: Some(op),
        })?;
        let mut begin = Writer::new(64);
        generation
            .put(attributes::GENERATION, &mut begin)
            .map_err(|_| Error::Garbled("request is too large"))?;
        self.tell(Command::Begin, begin.bytes())?;
        for chunk in &chunks {
            self.tell(Command::Chunk, &chunk.attributes)
                .map_err(|error| match error {
                    Error::Refused { errno, what, op } => Error::Refused {
                        errno,
                        what,
                        op: op.and_then(|offset| chunk.op_at(offset)),
                    },
                    other => other,
                })?;
        }
        let mut commit = Writer::new(64);
        count
            .put(attributes::COUNT, &mut commit)
            .map_err(|_| Error::Garbled("request is too large"))?;
        let committed = self.ask_for(Command::Commit, commit.bytes(), attributes::GENERATION);
        let committed = committed.map_err(|error| match error {
            // An offset into an empty message says nothing.
            Error::Refused { errno, what, .. } => Error::Refused {
                errno,
                what,
                op: None,
            },
            other => other,
        })?;
        committed.ok_or(Error::Garbled("commit without generation"))
    }

    fn tell(&mut self, command: Command, attributes: &[u8]) -> Result<(), Error> {
        self.ask(self.family, Answer::Once, command as u8, attributes, |_| {
            Ok(())
        })
    }

    /// Asks for something that is answered once, and returns one attribute of the answer.
    fn ask_for<T: Field>(
        &mut self,
        command: Command,
        request: &[u8],
        id: u16,
    ) -> Result<Option<T>, Error> {
        let mut found = None;
        let command = command as u8;
        self.ask(self.family, Answer::Once, command, request, |bytes| {
            for attribute in Reader::new(bytes) {
                let attribute = attribute?;
                if attribute.id == id {
                    found = Some(T::get(&attribute)?);
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Listens from now on to what a group is told; this connection can't ask any more then.
    ///
    /// # Errors
    ///
    /// When that can't be listened to.
    pub fn listen(self, group: &str) -> Result<Listener, Error> {
        let found = self.groups.iter().find(|(name, _)| name == group);
        let (_, number) = found.ok_or(Error::Garbled("the family lacks a group"))?;
        self.socket.add_membership(*number)?;
        Ok(Listener::new(self))
    }
}

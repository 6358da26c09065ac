// SPDX-License-Identifier: GPL-2.0
//! Messages of generic netlink as bytes: a header of netlink's (include/uapi/linux/netlink.h), one of generic
//! netlink's, attributes.

use oxtables_engine::uapi::attr::Reader;

/// Length of netlink's header, in bytes.
const HEADER: usize = 16;
/// Length of both headers.
pub const HEADERS: usize = HEADER + 4;

/// Kinds of messages below those of families.
const ERROR: u16 = 2;
const DONE: u16 = 3;
const OVERRUN: u16 = 4;

/// The message asks for something.
const REQUEST: u16 = 0x01;
/// It is to be acknowledged.
const ACKNOWLEDGE: u16 = 0x04;
/// All there is is asked for.
const DUMP: u16 = 0x300;
/// In an answer: the dump is not of one moment.
const INTERRUPTED: u16 = 0x10;
/// In an error: attributes follow.
const HAS_ATTRIBUTES: u16 = 0x200;
/// In an error: of the message that it answers there is only the header.
const CAPPED: u16 = 0x100;

/// Attributes of an error (NLMSGERR_ATTR_*).
const ERROR_MESSAGE: u16 = 1;
const ERROR_OFFSET: u16 = 2;

/// How a request is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// By one message or none, and an acknowledgement.
    Once,
    /// By as many messages as it takes.
    Dump,
}

/// Writes a request.
pub fn request(
    kind: u16,
    answer: Answer,
    sequence: u32,
    command: u8,
    version: u8,
    attributes: &[u8],
) -> Vec<u8> {
    let flags = REQUEST
        | match answer {
            Answer::Once => ACKNOWLEDGE,
            Answer::Dump => DUMP,
        };
    let length = HEADERS + attributes.len();
    let mut message = Vec::with_capacity(length);
    // What is sent is made of chunks far below 4 GiB.
    message.extend_from_slice(&(length as u32).to_ne_bytes());
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(&flags.to_ne_bytes());
    message.extend_from_slice(&sequence.to_ne_bytes());
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&[command, version, 0, 0]);
    message.extend_from_slice(attributes);
    message
}

/// What the kernel says against a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// The number of the error.
    pub errno: i32,
    /// What it says in words.
    pub what: Option<String>,
    /// The attribute to blame, in bytes from the start of the request.
    pub offset: Option<usize>,
}

/// A message that came back.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// A message of a family: its command, and its attributes.
    Message {
        /// The family's number.
        kind: u16,
        /// The command.
        command: u8,
        /// The attributes.
        attributes: &'a [u8],
    },
    /// The request was carried out, or the dump is complete.
    Done,
    /// It was not.
    Refused(Refusal),
    /// The rest of a dump would belong to another moment.
    Interrupted,
    /// Messages were lost.
    Overrun,
}

/// The first message in a buffer, its sequence number, and the rest; `None` when there is no whole message.
pub fn split(buffer: &[u8]) -> Option<(u32, Received<'_>, &[u8])> {
    let length = number(buffer, 0)? as usize;
    let kind = short(buffer, 4)?;
    let flags = short(buffer, 6)?;
    let sequence = number(buffer, 8)?;
    let payload = buffer.get(HEADER..length)?;
    let rest = buffer
        .get(length.checked_next_multiple_of(4)?..)
        .unwrap_or_default();
    let received = match kind {
        ERROR | DONE => match number(payload, 0)? as i32 {
            0.. => Received::Done,
            errno => Received::Refused(refusal(errno.checked_neg()?, kind, flags, payload)),
        },
        OVERRUN => Received::Overrun,
        _ if flags & INTERRUPTED != 0 => Received::Interrupted,
        _ => Received::Message {
            kind,
            command: *payload.first()?,
            attributes: payload.get(4..)?,
        },
    };
    Some((sequence, received, rest))
}

/// Reads what an error carries beside its number.
fn refusal(errno: i32, kind: u16, flags: u16, payload: &[u8]) -> Refusal {
    let mut refusal = Refusal {
        errno,
        ..Refusal::default()
    };
    if flags & HAS_ATTRIBUTES == 0 {
        return refusal;
    }
    // An error repeats the request or its header; the end of a dump does not.
    let start = match kind {
        DONE => 4,
        _ if flags & CAPPED != 0 => 4 + HEADER,
        _ => 4 + number(payload, 4).map_or(HEADER, |length| (length as usize).next_multiple_of(4)),
    };
    for attribute in Reader::new(payload.get(start..).unwrap_or_default()).flatten() {
        match attribute.id {
            ERROR_MESSAGE => {
                let text = attribute.data.strip_suffix(&[0]).unwrap_or(attribute.data);
                refusal.what = Some(String::from_utf8_lossy(text).into_owned());
            }
            ERROR_OFFSET => {
                refusal.offset = number(attribute.data, 0).map(|offset| offset as usize)
            }
            _ => (),
        }
    }
    refusal
}

/// The number of 32 bits at a place.
pub fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

/// The number of 16 bits at a place.
pub fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxtables_engine::uapi::Writer;
    use proptest::prelude::*;

    /// A message as the kernel sends it.
    fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = ((HEADER + payload.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(&7u32.to_ne_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn a_request_is_read_back() {
        let bytes = request(33, Answer::Dump, 7, 6, 1, &[8, 0, 1, 0, 1, 2, 3, 4]);
        let (sequence, received, rest) = split(&bytes).unwrap();
        assert_eq!((sequence, rest), (7, &[][..]));
        let attributes = &[8, 0, 1, 0, 1, 2, 3, 4][..];
        let message = Received::Message {
            kind: 33,
            command: 6,
            attributes,
        };
        assert_eq!(received, message);
    }

    #[test]
    fn an_error_says_what_and_where() {
        let mut attributes = Writer::new(256);
        attributes.put(ERROR_MESSAGE, b"no such chain\0").unwrap();
        attributes.put(ERROR_OFFSET, &44u32.to_ne_bytes()).unwrap();
        let mut payload = (-2i32).to_ne_bytes().to_vec();
        payload.extend_from_slice(&[0; HEADER]);
        payload.extend_from_slice(attributes.bytes());
        let wanted = Refusal {
            errno: 2,
            what: Some("no such chain".to_owned()),
            offset: Some(44),
        };
        let capped = message(ERROR, HAS_ATTRIBUTES | CAPPED, &payload);
        assert_eq!(split(&capped).unwrap().1, Received::Refused(wanted.clone()));

        // The whole request is repeated before the attributes.
        let sent = request(33, Answer::Once, 7, 3, 1, &[0; 8]);
        let mut payload = (-2i32).to_ne_bytes().to_vec();
        payload.extend_from_slice(&sent);
        payload.extend_from_slice(attributes.bytes());
        let whole = message(ERROR, HAS_ATTRIBUTES, &payload);
        assert_eq!(split(&whole).unwrap().1, Received::Refused(wanted));
    }

    #[test]
    fn an_acknowledgement_is_no_error() {
        let bytes = message(ERROR, 0, &[0; 4 + HEADER]);
        assert_eq!(split(&bytes).unwrap().1, Received::Done);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop::num::u8::ANY, 0..80), kind in 0u16..6) {
            split(&bytes);
            split(&message(kind, u16::MAX, &bytes));
        }
    }
}

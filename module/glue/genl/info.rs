// SPDX-License-Identifier: GPL-2.0
//! What the module says of itself: version, generation, packets dropped by reason, and what rules may
//! hold.

use super::request::Request;
use crate::engine::packet::DropReason;
use crate::engine::rules::{Match, Target};
use crate::engine::text::Name;
use crate::glue::refusal::Refusal;
use crate::uapi::attr::Writer;
use crate::uapi::field::Field;
use crate::uapi::message::{self, Drops};

/// The module's version.
const VERSION: &[u8] = b"0.1.0\0";

/// Answers with one message.
#[inline(never)]
pub(super) fn get(request: &Request<'_>) -> Result<(), Refusal> {
    let namespace = request.namespace();
    let mut attributes = Writer::new(4096);
    attributes.put(message::VERSION, VERSION)?;
    for (id, set) in [(message::MATCH, Match::SET), (message::TARGET, Target::SET)] {
        for known in set.attributes {
            // Names are short; `Name::literal` would panic otherwise, when not in a constant.
            let name = Name::new(known.name.as_bytes()).unwrap_or_default();
            name.put(id, &mut attributes)?;
        }
    }
    {
        let writer = namespace.writer();
        writer
            .generation()
            .put(message::GENERATION, &mut attributes)?;
        for reason in DropReason::ALL {
            let drops = Drops {
                reason: Name::literal(reason.name()),
                packets: writer.drops(reason),
            };
            drops.put(message::DROPS, &mut attributes)?;
        }
    }
    request
        .answer(attributes.bytes())?
        .unicast(namespace, request.port());
    Ok(())
}

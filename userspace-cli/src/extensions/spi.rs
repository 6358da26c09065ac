// SPDX-License-Identifier: GPL-2.0
//! Security parameters indices, as ah and esp write them.

use oxtables_engine::uapi::field::Not;
use oxtables_engine::uapi::range::Range;

use super::{ranges, Given, Printed};
use crate::diagnostic::Problem;

/// A range that asks for nothing; iptables-save does not print it.
const EVERY: Not<Range<u32>> = Not::is(Range {
    first: 0,
    last: u32::MAX,
});

/// The range given to an option, if it was given.
pub fn optional(given: Option<&Given>) -> Result<Option<Not<Range<u32>>>, Problem> {
    let Some(given) = given else {
        return Ok(None);
    };
    let range = Not {
        value: ranges::range(given.value(), u32::MAX, "a security parameters index")?,
        not: given.not,
    };
    Ok((range != EVERY).then_some(range))
}

/// The option for a range, if there is one.
pub fn print(name: &'static str, range: Option<Not<Range<u32>>>) -> Option<Printed> {
    let range = range.filter(|range| *range != EVERY)?;
    Some(Printed::new(name, range.not, ranges::text(range.value)))
}

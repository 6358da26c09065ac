// SPDX-License-Identifier: GPL-2.0
//! `-m hbh` and `-m dst`: the headers with options, which are alike (RFC 8200, section 4.2).

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{extension, Body, DropReason, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind, Not};
use crate::wire;

/// Length of what comes before the options, in bytes.
const FIXED: usize = 2;
/// How many options a list holds, as in iptables.
const MAX_OPTIONS: usize = 16;
/// Stands for any length on netlink, as it does in iptables.
const ANY_LENGTH: u8 = u8::MAX;
/// The option that is one byte of padding: it has no length and no data.
const PAD1: u8 = 0;

/// An option of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderOption {
    /// Its type.
    pub kind: u8,
    /// The length of its data in bytes; `None` where any will do.
    pub length: Option<u8>,
}

impl HeaderOption {
    /// The option; `None` for one that can't be asked for: of type 0, which has no length, with one, or with
    /// the length that stands for any.
    pub fn new(kind: u8, length: Option<u8>) -> Option<Self> {
        match (kind, length) {
            (PAD1, Some(_)) | (_, Some(ANY_LENGTH)) => None,
            _ => Some(Self { kind, length }),
        }
    }
}

/// The options with which a header begins, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderOptions {
    options: [HeaderOption; MAX_OPTIONS],
    len: u8,
}

impl HeaderOptions {
    /// How many options a list holds.
    pub const MAX: usize = MAX_OPTIONS;

    /// A list of these; `None` when there is none, or there are too many.
    pub fn new(options: impl Iterator<Item = HeaderOption>) -> Option<Self> {
        let nothing = HeaderOption {
            kind: PAD1,
            length: None,
        };
        let mut list = Self {
            options: [nothing; MAX_OPTIONS],
            len: 0,
        };
        for option in options {
            *list.options.get_mut(usize::from(list.len))? = option;
            list.len += 1;
        }
        (list.len != 0).then_some(list)
    }

    /// The options in the order in which they were given.
    pub fn as_slice(&self) -> &[HeaderOption] {
        self.options
            .get(..usize::from(self.len))
            .unwrap_or_default()
    }

    /// Whether the `left` bytes at `offset` from the network header begin with these options. The data of
    /// the last need not be there.
    fn begin(&self, packet: &Body<'_>, mut offset: usize, mut left: usize) -> bool {
        let mut options = self.as_slice().iter().peekable();
        while let Some(asked) = options.next() {
            let mut buffer = [0; 1];
            let kind = packet.header(offset, &mut buffer).filter(|_| left >= 1);
            if kind != Some(&[asked.kind]) {
                return false;
            }
            let length = if asked.kind == PAD1 {
                1
            } else {
                let mut buffer = [0; 1];
                let found = packet.header(offset + 1, &mut buffer);
                match found.filter(|_| left >= 2) {
                    Some(&[found]) if asked.length.is_none_or(|length| length == found) => {
                        usize::from(found) + 2
                    }
                    _ => return false,
                }
            };
            if options.peek().is_some() {
                match left.checked_sub(length) {
                    Some(rest) => left = rest,
                    None => return false,
                }
                offset += length;
            }
        }
        true
    }
}

/// On netlink: two bytes an option, its type and the length of its data, 255 for any.
impl Field for HeaderOptions {
    const KIND: Kind = Kind::Bytes(2 * MAX_OPTIONS as u16);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        let mut bytes = [0; 2 * MAX_OPTIONS];
        let options = self.as_slice().iter();
        let pairs = options.flat_map(|option| [option.kind, option.length.unwrap_or(ANY_LENGTH)]);
        for (to, from) in bytes.iter_mut().zip(pairs) {
            *to = from;
        }
        to.put(
            id,
            bytes.get(..2 * usize::from(self.len)).unwrap_or_default(),
        )
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let mut wrong = from.data.len() % 2 != 0;
        let options = from.data.chunks_exact(2).filter_map(|pair| {
            let option = match *pair {
                [kind, ANY_LENGTH] => HeaderOption::new(kind, None),
                [kind, length] => HeaderOption::new(kind, Some(length)),
                _ => None,
            };
            wrong |= option.is_none();
            option
        });
        match Self::new(options) {
            Some(list) if !wrong => Ok(list),
            _ if wrong => Err(from.invalid("not a type and a length each; type 0 has none")),
            _ => Err(from.invalid("a header is asked for 1 to 16 options")),
        }
    }
}

wire! {
    /// The match for hop-by-hop options; without a value it asks for the header alone.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Hbh, "hbh-attrs" {
        /// `--hbh-len`: the header's length in bytes.
        2 length: Option<Not<u32>>,
        /// `--hbh-opts`
        3 options: Option<HeaderOptions>,
    }
}

wire! {
    /// The match for destination options; without a value it asks for the header alone.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub struct Dst, "dst-attrs" {
        /// `--dst-len`: the header's length in bytes.
        2 length: Option<Not<u32>>,
        /// `--dst-opts`
        3 options: Option<HeaderOptions>,
    }
}

fn test(
    packet: &Body<'_>,
    number: u8,
    length: Option<Not<u32>>,
    options: Option<&HeaderOptions>,
) -> Outcome {
    let header = match packet.find_extension(number) {
        Ok(Some(header)) => header,
        Ok(None) => return Outcome::No,
        Err(reason) => return Outcome::Drop(reason),
    };
    if !packet.has_whole(&header) {
        return Outcome::Drop(DropReason::MalformedExtensions);
    }
    Outcome::from(
        length.is_none_or(|asked| (asked.value as usize == header.length) != asked.not)
            && options.is_none_or(|options| {
                options.begin(
                    packet,
                    header.offset + FIXED,
                    header.length.saturating_sub(FIXED),
                )
            }),
    )
}

impl Matcher for Hbh {
    fn check(&self, family: Family, _: &Rule) -> Result<(), &'static str> {
        match family {
            Family::V6 => Ok(()),
            Family::V4 => Err("the hbh match needs IPv6"),
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let options = self.options.as_ref();
        test(packet, extension::HOP_BY_HOP, self.length, options)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

impl Matcher for Dst {
    fn check(&self, family: Family, _: &Rule) -> Result<(), &'static str> {
        match family {
            Family::V6 => Ok(()),
            Family::V4 => Err("the dst match needs IPv6"),
        }
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        let options = self.options.as_ref();
        test(packet, extension::DESTINATION, self.length, options)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(self.clone())
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_ipv6_options))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, v6, UDP_V6};
    use crate::engine::rules::Match;

    /// One byte of padding, a router alert, seven bytes of padding, and twice one.
    const HEADER: &[u8] = &[17, 1, 0, 5, 2, 0, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0];

    fn list(options: &[(u8, Option<u8>)]) -> Option<HeaderOptions> {
        HeaderOptions::new(
            options
                .iter()
                .filter_map(|&(kind, length)| HeaderOption::new(kind, length)),
        )
    }

    fn hbh(hbh: Hbh, header: &[u8]) -> Outcome {
        let packet = v6(extension::HOP_BY_HOP, header);
        holds(Family::V6, None, Match::Hbh(hbh), &packet.0)
    }

    fn begins(options: &[(u8, Option<u8>)], header: &[u8]) -> bool {
        let asked = Hbh {
            options: list(options),
            ..Hbh::default()
        };
        hbh(asked, header) == Outcome::Yes
    }

    #[test]
    fn lengths_count_the_whole_header() {
        for (length, not, hit) in [
            (16, false, true),
            (15, false, false),
            (1, false, false),
            (16, true, false),
            (8, true, true),
        ] {
            let asked = Hbh {
                length: Some(Not { value: length, not }),
                ..Hbh::default()
            };
            assert!(hbh(asked, HEADER) == Outcome::from(hit));
        }
    }

    #[test]
    fn options_come_in_their_order_from_the_first() {
        assert!(begins(&[(0, None)], HEADER));
        assert!(begins(&[(0, None), (5, None)], HEADER));
        assert!(begins(&[(0, None), (5, Some(2)), (1, Some(5))], HEADER));
        let all = [(0, None), (5, Some(2)), (1, None), (0, None), (0, None)];
        assert!(begins(&all, HEADER));
        assert!(!begins(&[(5, None)], HEADER));
        assert!(!begins(&[(0, None), (1, None)], HEADER));
        assert!(!begins(&[(0, None), (5, Some(3))], HEADER));
        assert!(!begins(&[(0, None), (0, None)], HEADER));
    }

    #[test]
    fn options_end_with_the_header() {
        // The data of the last option asked for may run out of the header, and of the packet.
        let beyond = [17, 0, 1, 9, 0, 0, 0, 0, 5, 0];
        assert!(begins(&[(1, Some(9))], &beyond));
        assert!(!begins(&[(1, Some(9)), (5, None)], &beyond));
        // What follows the header is none of its options.
        let full = [17, 0, 1, 4, 0, 0, 0, 0, 5, 0];
        assert!(begins(&[(1, Some(4))], &full));
        assert!(!begins(&[(1, Some(4)), (5, None)], &full));
        let zeros = [17, 0, 1, 4, 0, 0, 0, 0, 0, 0];
        assert!(!begins(&[(1, Some(4)), (0, None)], &zeros));
        // A type without its length.
        let short = [17, 0, 1, 3, 0, 0, 0, 5, 0, 0];
        assert!(!begins(&[(1, Some(3)), (5, None)], &short));
        let padded = [17, 0, 1, 3, 0, 0, 0, 0, 0, 0];
        assert!(begins(&[(1, Some(3)), (0, None)], &padded));
    }

    #[test]
    fn each_asks_for_its_header() {
        let both = v6(
            extension::HOP_BY_HOP,
            &[
                60, 0, 1, 4, 0, 0, 0, 0, 17, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            ],
        );
        let length = |value| Some(Not::is(value));
        for (of_hbh, of_dst, hit) in [(8, 16, true), (16, 8, false)] {
            let item = Match::Hbh(Hbh {
                length: length(of_hbh),
                options: None,
            });
            assert!(holds(Family::V6, None, item, &both.0) == Outcome::from(hit));
            let item = Match::Dst(Dst {
                length: length(of_dst),
                options: None,
            });
            assert!(holds(Family::V6, None, item, &both.0) == Outcome::from(hit));
        }
        for item in [Match::Hbh(Hbh::default()), Match::Dst(Dst::default())] {
            assert!(holds(Family::V6, None, item, UDP_V6) == Outcome::No);
        }
    }

    #[test]
    fn a_header_cut_off_is_dropped() {
        let dropped = Outcome::Drop(DropReason::MalformedExtensions);
        for length in 0..HEADER.len() {
            assert!(hbh(Hbh::default(), HEADER.get(..length).unwrap()) == dropped);
        }
        assert!(hbh(Hbh::default(), HEADER) == Outcome::Yes);
    }

    #[test]
    fn what_can_not_be_asked_for() {
        assert!(HeaderOption::new(0, Some(0)).is_none());
        assert!(HeaderOption::new(5, Some(255)).is_none());
        assert!(list(&[]).is_none());
        assert!(list(&[(1, None); MAX_OPTIONS]).is_some());
        assert!(list(&[(1, None); MAX_OPTIONS + 1]).is_none());
        let rule = Rule::default();
        assert!(Hbh::default().check(Family::V6, &rule).is_ok());
        assert!(Hbh::default().check(Family::V4, &rule).is_err());
        assert!(Dst::default().check(Family::V6, &rule).is_ok());
        assert!(Dst::default().check(Family::V4, &rule).is_err());
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Any match: made from the description of its attributes, so that none has to be named here.
//!
//! Random attributes of the right kinds are a message, which the match's own codec refuses or understands; of
//! those that it understands, what can't stand in a rule is left out.

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::{Match, Rule};
use oxtables_engine::uapi::attr::{Full, Reader, Writer};
use oxtables_engine::uapi::field::{Kind, Not, Set, INVERT};
use proptest::prelude::*;

/// Protocols that matches ask for, the most usual first.
const PROTOCOLS: [u8; 10] = [6, 17, 1, 58, 33, 50, 51, 132, 135, 136];

/// Numbers made of bytes that proptest can shrink.
struct Entropy<'a>(std::slice::Iter<'a, u8>);

impl Entropy<'_> {
    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or_default()
    }

    /// Small numbers first, since those meet packets.
    fn number<const N: usize>(&mut self) -> [u8; N] {
        match self.byte() % 4 {
            0 => std::array::from_fn(|_| self.byte()),
            1 => [u8::MAX; N],
            _ => {
                let mut bytes = u128::from(self.byte() % 8).to_ne_bytes();
                if cfg!(target_endian = "big") {
                    bytes.rotate_right(N);
                }
                std::array::from_fn(|at| bytes[at])
            }
        }
    }
}

/// Bytes that the set's attribute of bytes can hold, where they have an order of their own: chance alone would
/// hardly ever meet it.
fn sample(set: &Set) -> Option<Vec<u8>> {
    let program: [(u16, u8, u8, u32); 8] = [
        (0x30, 0, 0, 0),
        (0x54, 0, 0, 0xf0),
        (0x15, 0, 3, 0x40),
        (0xb1, 0, 0, 0),
        (0x48, 0, 0, 2),
        (0x35, 1, 0, 80),
        (0x06, 0, 0, 0),
        (0x16, 0, 0, 0),
    ];
    let words: &[u32] = match set.name {
        "bpf-attrs" => {
            let bytes = program.into_iter().flat_map(|(code, jt, jf, k)| {
                let ([c0, c1], [k0, k1, k2, k3]) = (code.to_ne_bytes(), k.to_ne_bytes());
                [c0, c1, jt, jf, k0, k1, k2, k3]
            });
            return Some(bytes.collect());
        }
        // `4 & 0x3fff = 0 && 0 >> 22 & 0x3c @ 0 >> 16 = 22, 80:1024`
        "u32-attrs" => &[
            1, 1, 4, 0, 0x3fff, 0, 0, //
            4, 2, 0, 2, 22, 0, 0x3c, 3, 0, 2, 16, 22, 22, 80, 1024,
        ],
        _ => return None,
    };
    Some(words.iter().copied().flat_map(u32::to_ne_bytes).collect())
}

fn fill(set: &Set, entropy: &mut Entropy<'_>, to: &mut Writer) -> Result<(), Full> {
    // Where there are many attributes, half of them are left out: one that is not valid spoils all.
    let rare = if set.attributes.len() > 12 { 2 } else { 8 };
    for spec in set.attributes {
        let chance = entropy.byte();
        if chance % rare == 0 || spec.id == INVERT && chance % 2 == 0 {
            continue;
        }
        match spec.kind {
            _ if spec.id == INVERT => {
                let values = set.attributes.iter().filter(|value| value.id != INVERT);
                let bits = values.fold(0, |bits, value| {
                    bits | u32::from(entropy.byte() % 2) << value.id
                });
                to.put(INVERT, &bits.to_ne_bytes())?;
            }
            Kind::Flag => to.put(spec.id, &[])?,
            Kind::U8 => to.put(spec.id, &entropy.number::<1>())?,
            Kind::U16 => to.put(spec.id, &entropy.number::<2>())?,
            Kind::U32 | Kind::S32 => to.put(spec.id, &entropy.number::<4>())?,
            Kind::U64 => to.put(spec.id, &entropy.number::<8>())?,
            Kind::Text(longest) => {
                let length = u16::from(entropy.byte() % 12).min(longest);
                let letters = (0..length).map(|_| b'a' + entropy.byte() % 8);
                to.put(spec.id, &letters.chain([0]).collect::<Vec<_>>())?;
            }
            Kind::Bytes(_) if sample(set).is_some() => {
                let mut bytes = sample(set).unwrap_or_default();
                for _ in 0..entropy.byte() % 4 {
                    let at = usize::from(entropy.byte()) % bytes.len();
                    bytes[at] = entropy.byte();
                }
                to.put(spec.id, &bytes)?;
            }
            Kind::Bytes(most) => {
                let short = usize::from(entropy.byte()) % (usize::from(most) + 1);
                let length = if chance % 4 == 0 { short } else { most.into() };
                let mut bytes: Vec<_> = (0..length)
                    .map(|at| if at % 2 == 0 { entropy.byte() % 8 } else { 0 })
                    .collect();
                // Many are a number and a mask, or where a range begins and where it ends.
                if entropy.byte() % 2 == 0 {
                    bytes[length / 2..].fill(u8::MAX);
                }
                to.put(spec.id, &bytes)?;
            }
            Kind::Nest(inner) => to.nest(spec.id, |to| fill(inner, entropy, to))?,
        }
    }
    Ok(())
}

/// The match that the bytes make, and a protocol that it can stand beside.
fn made(family: Family, index: usize, bytes: &[u8]) -> Option<(Option<Not<u8>>, Match)> {
    let spec = &Match::SET.attributes[index];
    let Kind::Nest(set) = spec.kind else {
        return None;
    };
    let mut writer = Writer::new(1 << 16);
    let mut entropy = Entropy(bytes.iter());
    writer
        .nest(spec.id, |to| fill(set, &mut entropy, to))
        .ok()?;
    let item = Match::decode(&Reader::new(writer.bytes()).next()?.ok()?).ok()?;
    let protocols = PROTOCOLS
        .into_iter()
        .map(|protocol| Some(Not::is(protocol)));
    let fits = [None].into_iter().chain(protocols).find(|&protocol| {
        let rule = Rule {
            protocol,
            ..Rule::default()
        };
        item.check(family, &rule).is_ok()
    });
    fits.map(|protocol| (protocol, item))
}

/// A match of any kind, and the protocol of its rule.
pub(super) fn any_match(family: Family) -> impl Strategy<Value = (Option<Not<u8>>, Vec<Match>)> {
    let matches = Match::SET.attributes.len();
    let bytes = prop::collection::vec(any::<u8>(), 160);
    (0..matches, bytes).prop_filter_map("not a match that can be", move |(first, mut bytes)| {
        // Most bytes at random make no match, and some matches are not for this family. Others are tried before a
        // whole ruleset is given up: the same bytes from another place on, then the next match.
        (0..matches).find_map(|step| {
            (0..16).find_map(|_| {
                bytes.rotate_left(10);
                let (protocol, item) = made(family, (first + step) % matches, &bytes)?;
                Some((protocol, vec![item]))
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Every kind of match comes out of this, or the properties would hold for nothing.
    #[test]
    fn every_match_is_made() {
        let mut missing: BTreeSet<_> = (0..Match::SET.attributes.len()).collect();
        let mut state = 1_u64;
        for _ in 0..100_000 {
            let bytes: Vec<u8> = (0..160)
                .map(|_| {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
                    (state >> 56) as u8
                })
                .collect();
            missing.retain(|&index| {
                Family::ALL
                    .iter()
                    .all(|&family| made(family, index, &bytes).is_none())
            });
            if missing.is_empty() {
                return;
            }
        }
        let names: Vec<_> = missing
            .iter()
            .map(|&index| Match::SET.attributes[index].name)
            .collect();
        panic!("never made: {names:?}");
    }
}

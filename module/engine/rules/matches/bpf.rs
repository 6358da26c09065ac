// SPDX-License-Identifier: GPL-2.0
//! `-m bpf`: a program of classic BPF decides.

use super::{Matcher, Outcome};
use crate::alloc::{AllocError, KVec, GFP_KERNEL};
use crate::engine::bpf::{Fault, Instruction, Program};
use crate::engine::packet::{Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::attr::{Attr, Error, Full, Writer};
use crate::uapi::field::{Field, Kind};
use crate::wire;

/// On netlink: instructions as in `struct sock_filter`: the code in 16 bits, the two distances of a branch in 8 bits
/// each, and the constant in 32 bits, in host order.
impl Field for Program {
    const KIND: Kind = Kind::Bytes(8 * Self::MAX as u16);

    fn absent() -> Option<Self> {
        None
    }

    fn put(&self, id: u16, to: &mut Writer) -> Result<(), Full> {
        let mut bytes = KVec::with_capacity(8 * self.instructions().len(), GFP_KERNEL)?;
        for Instruction { code, jt, jf, k } in self.instructions() {
            bytes.extend_from_slice(&code.to_ne_bytes(), GFP_KERNEL)?;
            bytes.extend_from_slice(&[*jt, *jf], GFP_KERNEL)?;
            bytes.extend_from_slice(&k.to_ne_bytes(), GFP_KERNEL)?;
        }
        to.put(id, &bytes)
    }

    fn get(from: &Attr<'_>) -> Result<Self, Error> {
        let chunks = from.data.chunks_exact(8);
        if !chunks.remainder().is_empty() {
            return Err(from.invalid("instructions of BPF have 8 bytes"));
        }
        let mut instructions = KVec::with_capacity(chunks.len().min(Self::MAX + 1), GFP_KERNEL)?;
        for chunk in chunks.take(Self::MAX + 1) {
            if let &[c0, c1, jt, jf, k0, k1, k2, k3] = chunk {
                let instruction = Instruction {
                    code: u16::from_ne_bytes([c0, c1]),
                    jt,
                    jf,
                    k: u32::from_ne_bytes([k0, k1, k2, k3]),
                };
                instructions.push(instruction, GFP_KERNEL)?;
            }
        }
        Self::new(instructions).map_err(|fault| match fault {
            Fault::NoMemory => AllocError.into(),
            Fault::Length | Fault::Instruction(..) => from.invalid(fault.what()),
        })
    }
}

wire! {
    /// The match.
    #[derive(Debug, PartialEq, Eq)]
    pub struct Bpf, "bpf-attrs" {
        /// `--bytecode`
        2 program: Program,
    }
}

impl Matcher for Bpf {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        Ok(())
    }

    fn test(&self, packet: &Body<'_>) -> Outcome {
        Outcome::from(self.program.run(packet) != 0)
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(Self {
            program: self.program.try_clone()?,
        })
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_bpf))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{holds, TCP_V4};
    use crate::engine::packet::protocol;
    use crate::engine::rules::Match;

    /// The manual's example: a byte of the header is the protocol's number.
    const TCP: [(u16, u8, u8, u32); 4] = [(48, 0, 0, 9), (21, 0, 1, 6), (6, 0, 0, 1), (6, 0, 0, 0)];

    #[test]
    fn whatever_is_not_zero_holds() {
        for (k, hit) in [(1, true), (u32::MAX, true), (0, false)] {
            let mut bytes = bytes(&TCP);
            for (to, from) in bytes.iter_mut().skip(20).zip(k.to_ne_bytes()) {
                *to = from;
            }
            let program = decoded(&bytes).ok().unwrap();
            let item = Match::Bpf(Bpf { program });
            let outcome = holds(Family::V4, protocol::TCP, item, TCP_V4);
            assert!(outcome == Outcome::from(hit));
        }
    }

    #[test]
    fn netlink_takes_what_may_run_and_names_what_may_not() {
        let whole = bytes(&TCP);
        for length in 0..whole.len() {
            // The branch of any beginning leads out of it.
            let cut = whole.get(..length).unwrap();
            assert!(decoded(cut).is_err());
        }
        assert!(decoded(&whole).is_ok());
        let loops = bytes(&[(5, 0, 0, u32::MAX), (6, 0, 0, 0)]);
        assert!(decoded(&loops).err().unwrap().what == "jumps out of the program");
        let long = bytes(&[(6, 0, 0, 0); Program::MAX + 1]);
        assert!(decoded(&long).is_err());
    }

    fn bytes(program: &[(u16, u8, u8, u32)]) -> KVec<u8> {
        let mut bytes = KVec::new();
        for (code, jt, jf, k) in program {
            let [c0, c1] = code.to_ne_bytes();
            bytes
                .extend_from_slice(&[c0, c1, *jt, *jf], GFP_KERNEL)
                .unwrap();
            bytes
                .extend_from_slice(&k.to_ne_bytes(), GFP_KERNEL)
                .unwrap();
        }
        bytes
    }

    fn decoded(data: &[u8]) -> Result<Program, Error> {
        Program::get(&Attr {
            id: 2,
            data,
            offset: 0,
        })
    }
}

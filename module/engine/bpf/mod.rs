// SPDX-License-Identifier: GPL-2.0
//! Classic BPF: small programs that look at a packet and return a number.
//!
//! A program is checked before it ever runs, as the kernel checks a socket filter (net/core/filter.c): every
//! instruction is known and can be carried out, jumps lead forward to another instruction, memory is written before
//! it is read, and the last instruction returns. So a program comes to its end, in at most as many steps as it has
//! instructions. Running it is this engine's own, and neither the kernel's interpreter nor its compiler has a part
//! in it.

mod operation;
mod run;

use crate::alloc::{AllocError, KVec, GFP_KERNEL};
use operation::Operation;

/// How many slots the memory has (BPF_MEMWORDS).
const SLOTS: usize = 16;

/// An instruction as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What is done.
    pub code: u16,
    /// How many instructions a branch passes over where its test holds.
    pub jt: u8,
    /// How many where it does not.
    pub jf: u8,
    /// A constant, an offset or a slot, whatever the code asks for.
    pub k: u32,
}

/// Why a program is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It has no instructions, or too many.
    Length,
    /// What is wrong with an instruction, and its place, counted from 0.
    Instruction(usize, &'static str),
    /// There is no memory.
    NoMemory,
}

impl Fault {
    /// What is wrong, in words.
    pub fn what(self) -> &'static str {
        match self {
            Self::Length => "a program has 1 to 64 instructions",
            Self::Instruction(_, what) => what,
            Self::NoMemory => "out of memory",
        }
    }
}

impl From<AllocError> for Fault {
    fn from(_: AllocError) -> Self {
        Self::NoMemory
    }
}

/// A program that may run.
#[derive(Debug, PartialEq, Eq)]
pub struct Program {
    instructions: KVec<Instruction>,
    operations: KVec<Operation>,
}

impl Program {
    /// The most instructions of a program; iptables' limit (XT_BPF_MAX_NUM_INSTR).
    pub const MAX: usize = 64;

    /// Takes over a program that may run.
    ///
    /// # Errors
    ///
    /// Why it may not.
    pub fn new(instructions: KVec<Instruction>) -> Result<Self, Fault> {
        if !(1..=Self::MAX).contains(&instructions.len()) {
            return Err(Fault::Length);
        }
        let mut operations = KVec::with_capacity(instructions.len(), GFP_KERNEL)?;
        for (at, instruction) in instructions.iter().enumerate() {
            let operation = Operation::decode(*instruction);
            let operation = operation.map_err(|what| Fault::Instruction(at, what))?;
            operations.push(operation, GFP_KERNEL)?;
        }
        check_ways(&operations)?;
        Ok(Self {
            instructions,
            operations,
        })
    }

    /// The instructions as they were written.
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// A copy of the program.
    pub fn try_clone(&self) -> Result<Self, AllocError> {
        let mut instructions = KVec::new();
        instructions.extend_from_slice(&self.instructions, GFP_KERNEL)?;
        let mut operations = KVec::new();
        operations.extend_from_slice(&self.operations, GFP_KERNEL)?;
        Ok(Self {
            instructions,
            operations,
        })
    }
}

/// Checks that all ways through a program stay in it, and find written what they read from memory.
fn check_ways(operations: &[Operation]) -> Result<(), Fault> {
    // For each instruction, the slots that every jump to it has written, a bit each. Jumps lead forward, so when
    // an instruction is looked at, all jumps to it have been.
    let mut written_at = [u16::MAX; Program::MAX];
    let mut written = 0;
    let leads = |at: usize, by: u32| {
        let target = usize::try_from(by).ok()?.checked_add(at)?.checked_add(1)?;
        (target < operations.len()).then_some(target)
    };
    for (at, operation) in operations.iter().enumerate() {
        let fault = |what| Fault::Instruction(at, what);
        written &= written_at.get(at).copied().unwrap_or_default();
        let jumps = match *operation {
            Operation::Store(_, slot) => {
                written |= 1 << slot;
                continue;
            }
            Operation::LoadMemory(_, slot) if written & 1 << slot == 0 => {
                return Err(fault("reads memory that was not written"));
            }
            Operation::Jump(by) => [by; 2],
            Operation::Branch { yes, no, .. } => [yes, no].map(u32::from),
            _ => continue,
        };
        for by in jumps {
            let target = leads(at, by).and_then(|target| written_at.get_mut(target));
            *target.ok_or(fault("jumps out of the program"))? &= written;
        }
        // The next instruction is only come to by jumps.
        written = u16::MAX;
    }
    match operations.last() {
        Some(Operation::ReturnConstant(_) | Operation::ReturnAccumulator) => Ok(()),
        _ => Err(Fault::Instruction(
            operations.len().saturating_sub(1),
            "the last instruction must return",
        )),
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_bpf))]
mod tests {
    use super::*;
    use crate::engine::fixtures::{flat, TCP_V4, UDP_V6};
    use crate::engine::packet::{parse_v4, parse_v6, Hook, Input};

    /// An instruction in the order in which it is written.
    type Written = (u16, u8, u8, u32);

    const RET_A: Written = (0x16, 0, 0, 0);
    const ONE: Written = (0x06, 0, 0, 1);
    const ZERO: Written = (0x06, 0, 0, 0);

    #[test]
    fn the_packet_is_read_in_all_sizes_and_up_to_its_end() {
        let end = TCP_V4.len() as u32;
        for (code, size, first, last) in [
            (0x20, 4, 0x4500_002c, 0x0204_05b4),
            (0x28, 2, 0x4500, 0x05b4),
            (0x30, 1, 0x45, 0xb4),
        ] {
            let at = |k| returned(&[(code, 0, 0, k), RET_A]);
            assert_eq!([at(0), at(end - size)], [first, last]);
            // From the network header, by its own offset.
            assert_eq!(at(0xfff0_0000), first);
            for past in [
                end - size + 1,
                end,
                0x7fff_ffff,
                0x8000_0000,
                0xfff0_0000 + end,
            ] {
                assert_eq!(returned(&[(code, 0, 0, past), ONE]), 0);
            }
            // The same from X on, which wraps round.
            let indexed = code + 0x20;
            for (x, k) in [(0, 0), (10, 0_u32.wrapping_sub(10)), (0xfff0_0000, 0)] {
                let program = [(0x01, 0, 0, x), (indexed, 0, 0, k), RET_A];
                assert_eq!(returned(&program), first);
            }
            let past = [(0x01, 0, 0, end), (indexed, 0, 0, 0), ONE];
            assert_eq!(returned(&past), 0);
        }
        // The length of the header, by which the next is found.
        let port = [(0xb1, 0, 0, 0), (0x48, 0, 0, 2), RET_A];
        assert_eq!(returned(&port), 22);
        assert_eq!(returned(&[(0xb1, 0, 0, end), ONE]), 0);
    }

    #[test]
    fn other_things_are_known_of_a_packet() {
        let ancillary = |offset: u32| [(0x20, 0, 0, 0xffff_f000 + offset), RET_A];
        assert_eq!(returned(&ancillary(0)), 0x0800);
        assert_eq!(returned(&ancillary(20)), 7);
        assert_eq!(returned(&[(0x80, 0, 0, 0), RET_A]), TCP_V4.len() as u32);
        let x = [(0x81, 0, 0, 0), (0x87, 0, 0, 0), RET_A];
        assert_eq!(returned(&x), TCP_V4.len() as u32);
        let whole = flat(UDP_V6);
        let input = whole.at(Hook::LocalIn);
        let packet = parse_v6(&input, false).ok().unwrap();
        assert_eq!(made(&ancillary(0)).ok().unwrap().run(&packet.body), 0x86dd);
    }

    #[test]
    fn numbers_are_worked_on() {
        // The code with a constant; that with X has one bit more.
        for (code, a, operand, result) in [
            (0x04, u32::MAX, 2, 1),
            (0x14, 1, 2, u32::MAX),
            (0x24, 0x8000_0001, 2, 2),
            (0x34, 7, 2, 3),
            (0x94, 7, 2, 1),
            (0x44, 5, 2, 7),
            (0x54, 7, 2, 2),
            (0xa4, 7, 2, 5),
            (0x64, 0x4000_0001, 1, 0x8000_0002),
            (0x74, 5, 1, 2),
        ] {
            let constant = [(0x00, 0, 0, a), (code, 0, 0, operand), RET_A];
            assert_eq!(returned(&constant), result);
            let index = [
                (0x00, 0, 0, a),
                (0x01, 0, 0, operand),
                (code | 8, 0, 0, 0),
                RET_A,
            ];
            assert_eq!(returned(&index), result);
        }
        let with_x =
            |code, x| returned(&[(0x00, 0, 0, 5), (0x01, 0, 0, x), (code, 0, 0, 0), RET_A]);
        // A division by zero ends the program; shifts go by five bits; the old way to XOR.
        let divided = |code| returned(&[(0x01, 0, 0, 0), (code, 0, 0, 0), ONE]);
        assert_eq!([divided(0x3c), divided(0x9c)], [0, 0]);
        assert_eq!([with_x(0x6c, 33), with_x(0x7c, 33)], [10, 2]);
        let xor = [
            (0x00, 0, 0, 5),
            (0x01, 0, 0, 6),
            (0x20, 0, 0, 0xffff_f028),
            RET_A,
        ];
        assert_eq!(returned(&xor), 3);
        assert_eq!(
            returned(&[(0x00, 0, 0, 1), (0x84, 0, 0, 0), RET_A]),
            u32::MAX
        );
        assert_eq!(
            returned(&[
                (0x00, 0, 0, 9),
                (0x07, 0, 0, 0),
                (0x00, 0, 0, 1),
                (0x87, 0, 0, 0),
                RET_A
            ]),
            9
        );
        // Registers begin as zero.
        assert_eq!(returned(&[(0x0c, 0, 0, 0), RET_A]), 0);
    }

    #[test]
    fn branches_go_where_they_should() {
        for (code, operand, yes) in [
            (0x15, 5, true),
            (0x15, 4, false),
            (0x25, 4, true),
            (0x25, 5, false),
            (0x35, 5, true),
            (0x35, 6, false),
            (0x45, 4, true),
            (0x45, 2, false),
            // Numbers have no sign.
            (0x35, 0x8000_0000, false),
        ] {
            for code in [code, code | 8] {
                let program = [
                    (0x00, 0, 0, 5),
                    (0x01, 0, 0, operand),
                    (code, 1, 0, operand),
                    ZERO,
                    ONE,
                ];
                assert_eq!(returned(&program), u32::from(yes));
            }
        }
        assert_eq!(returned(&[(0x05, 0, 0, 1), ZERO, ONE]), 1);
        let slots = [
            (0x00, 0, 0, 8),
            (0x02, 0, 0, 15),
            (0x61, 0, 0, 15),
            (0x03, 0, 0, 0),
            (0x60, 0, 0, 0),
            RET_A,
        ];
        assert_eq!(returned(&slots), 8);
    }

    #[test]
    fn what_can_not_run_is_refused() {
        let at = |program: &[Written]| match made(program) {
            Err(Fault::Instruction(at, _)) => Some(at),
            _ => None,
        };
        // Codes that there are not, among them those of eBPF and loads of doubles.
        for code in [
            0x08,
            0x18,
            0x26,
            0x55,
            0x61 | 8,
            0x85,
            0x95,
            0xb4,
            0xc4,
            0x100,
            0xffff,
        ] {
            assert_eq!(at(&[(code, 0, 0, 0), ONE]), Some(0));
        }
        let one = |code, k| at(&[(code, 0, 0, k), ONE]);
        assert_eq!([one(0x34, 0), one(0x94, 0)], [Some(0); 2]);
        assert_eq!([one(0x64, 32), one(0x74, 32)], [Some(0); 2]);
        assert_eq!([one(0x64, 31), one(0x74, 31)], [None; 2]);
        assert_eq!(
            [one(0x02, 16), one(0x03, 16), one(0x02, u32::MAX)],
            [Some(0); 3]
        );
        // What is not known of a packet here: its interface, the link layer's header.
        assert_eq!(
            [one(0x20, 0xffff_f008), one(0x20, 0xffff_f03c)],
            [Some(0); 2]
        );
        for code in [0x20, 0x48, 0xb1] {
            assert_eq!(
                [one(code, 0xffe0_0000), one(code, 0xffef_ffff)],
                [Some(0); 2]
            );
            assert_eq!([one(code, 0xffdf_ffff), one(code, 0xfff0_0000)], [None; 2]);
        }
        // Jumps past the end, which also would lead back if they could.
        assert_eq!(at(&[(0x05, 0, 0, 1), ONE]), Some(0));
        assert_eq!(at(&[(0x05, 0, 0, u32::MAX), ONE]), Some(0));
        assert_eq!(at(&[(0x15, 1, 0, 0), ONE]), Some(0));
        assert_eq!(at(&[(0x15, 0, 1, 0), ONE]), Some(0));
        // Without a return at the end.
        assert_eq!(at(&[ONE, (0x00, 0, 0, 0)]), Some(1));
        assert_eq!(at(&[(0x05, 0, 0, 0)]), Some(0));
    }

    #[test]
    fn memory_is_written_on_every_way() {
        let store = (0x02, 0, 0, 3);
        let load = (0x60, 0, 0, 3);
        assert!(made(&[load, ONE]).is_err());
        assert!(made(&[store, load, ONE]).is_ok());
        assert!(made(&[store, (0x60, 0, 0, 4), ONE]).is_err());
        // What follows a jump is come to from elsewhere, here with the slot written.
        let apart = [
            (0x15, 2, 0, 0),
            store,
            (0x15, 2, 0, 0),
            (0x00, 0, 0, 0),
            (0x05, 0, 0, 1),
            load,
            ONE,
        ];
        assert!(made(&apart).is_ok());
        // One way passes the store by; then both write.
        assert!(made(&[(0x15, 0, 1, 0), store, load, ONE]).is_err());
        assert!(made(&[(0x15, 0, 2, 0), store, (0x05, 0, 0, 1), store, load, ONE]).is_ok());
    }

    #[test]
    fn a_program_has_a_limit() {
        let long = [ONE; Program::MAX + 1];
        assert!(made(&[]) == Err(Fault::Length));
        assert!(made(&long) == Err(Fault::Length));
        assert!(made(long.get(1..).unwrap()).is_ok());
    }

    #[test]
    fn pieces_are_one_packet() {
        let port = [(0xb1, 0, 0, 0), (0x48, 0, 0, 2), RET_A];
        let program = made(&port).ok().unwrap();
        let whole = flat(TCP_V4);
        for cut in 20..=TCP_V4.len() {
            let input = Input {
                linear: TCP_V4.get(..cut).unwrap(),
                ..whole.at(Hook::LocalIn)
            };
            let packet = parse_v4(&input, false).ok().unwrap();
            assert_eq!(program.run(&packet.body), 22);
        }
    }

    fn made(written: &[Written]) -> Result<Program, Fault> {
        let mut instructions = KVec::new();
        for &(code, jt, jf, k) in written {
            let instruction = Instruction { code, jt, jf, k };
            instructions.push(instruction, GFP_KERNEL).unwrap();
        }
        Program::new(instructions)
    }

    /// What a program returns for the TCP segment, which has the mark 7.
    fn returned(written: &[Written]) -> u32 {
        let whole = flat(TCP_V4);
        let input = Input {
            mark: 7,
            ..whole.at(Hook::LocalIn)
        };
        let packet = parse_v4(&input, false).ok().unwrap();
        made(written).ok().unwrap().run(&packet.body)
    }
}

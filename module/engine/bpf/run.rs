// SPDX-License-Identifier: GPL-2.0
//! Running a program over a packet: two registers, a few slots of memory, and a place in the program.

use super::operation::{place, Ancillary, Arithmetic, Operand, Operation, Register, Size, Test};
use super::{Program, SLOTS};
use crate::engine::packet::{Body, Family};

/// The machine's state.
#[derive(Default)]
struct Machine {
    accumulator: u32,
    index: u32,
    memory: [u32; SLOTS],
}

impl Program {
    /// What the program returns for a packet; 0 where it reads past the packet's end, or divides by zero.
    ///
    /// Each instruction runs at most once, since jumps only lead forward.
    pub fn run(&self, packet: &Body<'_>) -> u32 {
        let mut machine = Machine::default();
        let mut rest = self.operations.iter();
        while let Some(operation) = rest.next() {
            // How many instructions are passed over; `None` is the end of the program.
            let skipped = match *operation {
                Operation::ReturnConstant(value) => return value,
                Operation::ReturnAccumulator => return machine.accumulator,
                Operation::Jump(by) => usize::try_from(by).ok(),
                Operation::Branch {
                    test,
                    operand,
                    yes,
                    no,
                } => {
                    let holds = test.holds(machine.accumulator, machine.operand(operand));
                    Some(usize::from(if holds { yes } else { no }))
                }
                other => machine.step(other, packet).map(|()| 0),
            };
            match skipped {
                Some(0) => (),
                Some(count) => rest = rest.as_slice().get(count..).unwrap_or_default().iter(),
                None => return 0,
            }
        }
        0
    }
}

impl Machine {
    /// Carries out an operation that neither jumps nor returns; `None` where that can't be.
    fn step(&mut self, operation: Operation, packet: &Body<'_>) -> Option<()> {
        match operation {
            Operation::LoadPacket {
                size,
                offset,
                indexed,
            } => {
                let base = if indexed { self.index } else { 0 };
                self.accumulator = read(packet, size, base.wrapping_add(offset))?;
            }
            Operation::LoadAncillary(Ancillary::Protocol) => {
                // The numbers of Ethernet (ETH_P_IP, ETH_P_IPV6), which the kernel uses for every link layer.
                self.accumulator = match packet.family() {
                    Family::V4 => 0x0800,
                    Family::V6 => 0x86dd,
                };
            }
            Operation::LoadAncillary(Ancillary::Mark) => self.accumulator = packet.mark,
            Operation::LoadHeaderLength(offset) => {
                self.index = (read(packet, Size::Byte, offset)? & 0xf) * 4;
            }
            Operation::LoadLength(register) => *self.register(register) = packet.length(),
            Operation::LoadConstant(register, value) => *self.register(register) = value,
            Operation::LoadMemory(register, slot) => {
                *self.register(register) = *self.memory.get(usize::from(slot))?;
            }
            Operation::Store(register, slot) => {
                let value = *self.register(register);
                *self.memory.get_mut(usize::from(slot))? = value;
            }
            Operation::Arithmetic(arithmetic, operand) => {
                let operand = self.operand(operand);
                self.accumulator = arithmetic.apply(self.accumulator, operand)?;
            }
            Operation::Negate => self.accumulator = self.accumulator.wrapping_neg(),
            Operation::CopyTo(Register::X) => self.index = self.accumulator,
            Operation::CopyTo(Register::A) => self.accumulator = self.index,
            Operation::Jump(_)
            | Operation::Branch { .. }
            | Operation::ReturnConstant(_)
            | Operation::ReturnAccumulator => return None,
        }
        Some(())
    }

    fn register(&mut self, register: Register) -> &mut u32 {
        match register {
            Register::A => &mut self.accumulator,
            Register::X => &mut self.index,
        }
    }

    fn operand(&self, operand: Operand) -> u32 {
        match operand {
            Operand::Constant(value) => value,
            Operand::Index => self.index,
        }
    }
}

/// A number in the packet; `None` where it does not have it.
fn read(packet: &Body<'_>, size: Size, offset: u32) -> Option<u32> {
    let at = place(offset)?;
    match size {
        Size::Word => packet
            .header(at, &mut [0; 4])
            .map(|bytes| u32::from_be_bytes(*bytes)),
        Size::Half => packet
            .header(at, &mut [0; 2])
            .map(|bytes| u16::from_be_bytes(*bytes).into()),
        Size::Byte => packet
            .header(at, &mut [0; 1])
            .map(|bytes| u8::from_be_bytes(*bytes).into()),
    }
}

impl Arithmetic {
    /// The accumulator's new value; `None` for a division by zero.
    fn apply(self, accumulator: u32, operand: u32) -> Option<u32> {
        Some(match self {
            Self::Add => accumulator.wrapping_add(operand),
            Self::Subtract => accumulator.wrapping_sub(operand),
            Self::Multiply => accumulator.wrapping_mul(operand),
            Self::Divide => accumulator.checked_div(operand)?,
            Self::Remainder => accumulator.checked_rem(operand)?,
            Self::Or => accumulator | operand,
            Self::And => accumulator & operand,
            Self::Xor => accumulator ^ operand,
            // A shift from X goes by its last five bits, as the kernel's does.
            Self::Left => accumulator.wrapping_shl(operand),
            Self::Right => accumulator.wrapping_shr(operand),
        })
    }
}

impl Test {
    fn holds(self, accumulator: u32, operand: u32) -> bool {
        match self {
            Self::Equal => accumulator == operand,
            Self::Greater => accumulator > operand,
            Self::GreaterOrEqual => accumulator >= operand,
            Self::AnyBit => accumulator & operand != 0,
        }
    }
}

// SPDX-License-Identifier: GPL-2.0
//! What the instructions of classic BPF do (include/uapi/linux/bpf_common.h, filter.h; the machine is that of
//! S. McCanne and V. Jacobson, The BSD Packet Filter, USENIX Winter 1993).

use super::{Instruction, SLOTS};

/// A register of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Register {
    /// The accumulator.
    A,
    /// The index.
    X,
}

/// The second operand of an operation on the accumulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    Constant(u32),
    Index,
}

/// How many bytes of the packet are read, in network order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Word,
    Half,
    Byte,
}

/// What is known of a packet beside its bytes: loads from offsets that no packet has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ancillary {
    /// The link layer's number for the packet's protocol (SKF_AD_PROTOCOL).
    Protocol,
    /// The packet's mark (SKF_AD_MARK).
    Mark,
}

/// How the accumulator changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Or,
    And,
    Xor,
    Left,
    Right,
}

/// What the accumulator is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Equal,
    Greater,
    GreaterOrEqual,
    AnyBit,
}

/// An instruction, understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Sets A to what the packet has at an offset, or so far after X.
    LoadPacket {
        size: Size,
        offset: u32,
        indexed: bool,
    },
    /// Sets A to something else that is known of the packet.
    LoadAncillary(Ancillary),
    /// Sets X to the length that an IPv4 header at an offset gives itself, in bytes.
    LoadHeaderLength(u32),
    /// Sets a register to the packet's length.
    LoadLength(Register),
    LoadConstant(Register, u32),
    LoadMemory(Register, u8),
    Store(Register, u8),
    Arithmetic(Arithmetic, Operand),
    Negate,
    /// Sets a register to the other's value.
    CopyTo(Register),
    /// Goes on so many instructions after the next.
    Jump(u32),
    /// The same, depending on A.
    Branch {
        test: Test,
        operand: Operand,
        yes: u8,
        no: u8,
    },
    ReturnConstant(u32),
    ReturnAccumulator,
}

/// Where offsets that no packet has begin, seen as signed numbers: what is known of the packet (SKF_AD_OFF), its
/// network header (SKF_NET_OFF) and its link-layer header (SKF_LL_OFF).
const ANCILLARY: i32 = -0x1000;
const NETWORK: i32 = -0x10_0000;
const LINK: i32 = -0x20_0000;

/// The place in the packet that an offset means, from the network header; `None` where it means none.
pub(super) fn place(offset: u32) -> Option<usize> {
    let offset = offset as i32;
    let offset = if offset >= 0 {
        offset
    } else if offset >= NETWORK {
        offset.checked_sub(NETWORK)?
    } else {
        return None;
    };
    usize::try_from(offset).ok()
}

impl Operation {
    /// Understands an instruction by itself.
    ///
    /// # Errors
    ///
    /// It is none, or one that can't be carried out.
    pub(super) fn decode(instruction: Instruction) -> Result<Self, &'static str> {
        use Register::{A, X};
        let Instruction { code, jt, jf, k } = instruction;
        Ok(match code {
            0x20 | 0x28 | 0x30 => load(size(code), k)?,
            0x40 | 0x48 | 0x50 => Self::LoadPacket {
                size: size(code),
                offset: visible(k)?,
                indexed: true,
            },
            0xb1 => Self::LoadHeaderLength(visible(k)?),
            0x80 => Self::LoadLength(A),
            0x81 => Self::LoadLength(X),
            0x00 => Self::LoadConstant(A, k),
            0x01 => Self::LoadConstant(X, k),
            0x60 => Self::LoadMemory(A, slot(k)?),
            0x61 => Self::LoadMemory(X, slot(k)?),
            0x02 => Self::Store(A, slot(k)?),
            0x03 => Self::Store(X, slot(k)?),
            0x84 => Self::Negate,
            0x07 => Self::CopyTo(X),
            0x87 => Self::CopyTo(A),
            0x05 => Self::Jump(k),
            0x06 => Self::ReturnConstant(k),
            0x16 => Self::ReturnAccumulator,
            _ => {
                let operand = if code & 0x08 == 0 {
                    Operand::Constant(k)
                } else {
                    Operand::Index
                };
                match code & !0x08 {
                    0x15 => branch(Test::Equal, operand, jt, jf),
                    0x25 => branch(Test::Greater, operand, jt, jf),
                    0x35 => branch(Test::GreaterOrEqual, operand, jt, jf),
                    0x45 => branch(Test::AnyBit, operand, jt, jf),
                    of => Self::Arithmetic(arithmetic(of, operand)?, operand),
                }
            }
        })
    }
}

/// The size in an instruction's code.
fn size(code: u16) -> Size {
    match code & 0x18 {
        0x00 => Size::Word,
        0x08 => Size::Half,
        _ => Size::Byte,
    }
}

/// A load from a constant offset, which may stand for something else than a place.
fn load(size: Size, k: u32) -> Result<Operation, &'static str> {
    let signed = k as i32;
    if !(ANCILLARY..0).contains(&signed) {
        return Ok(Operation::LoadPacket {
            size,
            offset: visible(k)?,
            indexed: false,
        });
    }
    match signed.wrapping_sub(ANCILLARY) {
        0 => Ok(Operation::LoadAncillary(Ancillary::Protocol)),
        20 => Ok(Operation::LoadAncillary(Ancillary::Mark)),
        // SKF_AD_ALU_XOR_X: not a load, but the way to XOR from when the machine had no such instruction.
        40 => Ok(Operation::Arithmetic(Arithmetic::Xor, Operand::Index)),
        _ => Err("rules can't see this of a packet; of ancillary loads they know SKF_AD_PROTOCOL, SKF_AD_MARK and SKF_AD_ALU_XOR_X"),
    }
}

/// An offset, unless it is one in the link-layer header.
fn visible(k: u32) -> Result<u32, &'static str> {
    if (LINK..NETWORK).contains(&(k as i32)) {
        return Err("rules can't see the link-layer header (SKF_LL_OFF)");
    }
    Ok(k)
}

fn slot(k: u32) -> Result<u8, &'static str> {
    u8::try_from(k)
        .ok()
        .filter(|slot| usize::from(*slot) < SLOTS)
        .ok_or("memory has the slots 0 to 15")
}

fn branch(test: Test, operand: Operand, yes: u8, no: u8) -> Operation {
    Operation::Branch {
        test,
        operand,
        yes,
        no,
    }
}

fn arithmetic(code: u16, operand: Operand) -> Result<Arithmetic, &'static str> {
    let found = match code {
        0x04 => Arithmetic::Add,
        0x14 => Arithmetic::Subtract,
        0x24 => Arithmetic::Multiply,
        0x34 => Arithmetic::Divide,
        0x44 => Arithmetic::Or,
        0x54 => Arithmetic::And,
        0x64 => Arithmetic::Left,
        0x74 => Arithmetic::Right,
        0x94 => Arithmetic::Remainder,
        0xa4 => Arithmetic::Xor,
        _ => return Err("not an instruction of classic BPF"),
    };
    match (found, operand) {
        (Arithmetic::Divide | Arithmetic::Remainder, Operand::Constant(0)) => {
            Err("division by zero")
        }
        (Arithmetic::Left | Arithmetic::Right, Operand::Constant(32..)) => {
            Err("shift by more than 31 bits")
        }
        _ => Ok(found),
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Counters of packets and bytes that each CPU keeps for itself, so that counting shares no cache line.

use super::bindings;
use crate::alloc::{AllocError, KVVec, GFP_KERNEL};
use crate::engine::rules::Counters;
use core::ptr::NonNull;
use kernel::cpu::nr_cpu_ids;

// A 64-bit counter is read by other CPUs while its own CPU writes it, which a 32-bit CPU does in two
// steps.
#[cfg(not(CONFIG_64BIT))]
compile_error!("oxtables needs a 64-bit kernel");

/// How many counters one allocation of per-CPU memory holds; such allocations can't be large
/// (PCPU_MIN_UNIT_SIZE), and 4 KiB is what iptables takes at a time too.
const BLOCK: usize = 256;

/// `BLOCK` counters at zero, once for every CPU.
///
/// # Invariants
///
/// The pointer came from `shim_counters_alloc(BLOCK)`, and is freed by `drop` alone.
struct Block(NonNull<bindings::shim_counter>);

// SAFETY: Per-CPU memory belongs to no thread, and its counters are read and written whole.
unsafe impl Send for Block {}
// SAFETY: As above.
unsafe impl Sync for Block {}

impl Block {
    /// May sleep.
    fn new() -> Result<Self, AllocError> {
        // SAFETY: The function has no requirement but that the caller may sleep.
        let counters = unsafe { bindings::shim_counters_alloc(BLOCK) };
        // INVARIANT: The pointer has just come from there.
        Ok(Self(NonNull::new(counters).ok_or(AllocError)?))
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: By the invariants the counters were allocated, and nobody has freed them.
        unsafe { bindings::shim_counters_free(self.0.as_ptr()) };
    }
}

/// As many counters as asked for, once for every CPU.
pub(super) struct PerCpu {
    blocks: KVVec<Block>,
}

impl PerCpu {
    /// At least `slots` counters at zero. May sleep.
    pub(super) fn new(slots: usize) -> Result<Self, AllocError> {
        let count = slots.div_ceil(BLOCK);
        let mut blocks = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            blocks.push(Block::new()?, GFP_KERNEL)?;
        }
        Ok(Self { blocks })
    }

    /// Counts one packet of `bytes` bytes, on the CPU that this runs on and in any context. A counter
    /// that does not exist is left alone.
    #[inline]
    pub(super) fn count(&self, slot: usize, bytes: u32) {
        if let Some(block) = self.blocks.get(slot / BLOCK) {
            // SAFETY: By the invariants of `Block` there are `BLOCK` counters.
            unsafe { bindings::shim_count(block.0.as_ptr(), slot % BLOCK, bytes) };
        }
    }

    /// The sum of a counter over all CPUs. Packets that are just being counted may be missing, and such
    /// a packet's bytes may be missing alone; neither is lost to the next reading.
    pub(super) fn sum(&self, slot: usize) -> Counters {
        let mut sum = Counters::default();
        let Some(block) = self.blocks.get(slot / BLOCK) else {
            return sum;
        };
        for cpu in 0..nr_cpu_ids() {
            // SAFETY: By the invariants of `Block` there are `BLOCK` counters for every CPU that is
            // possible; the function leaves the others alone.
            let one = unsafe { bindings::shim_counter_read(block.0.as_ptr(), slot % BLOCK, cpu) };
            sum.packets = sum.packets.wrapping_add(one.packets);
            sum.bytes = sum.bytes.wrapping_add(one.bytes);
        }
        sum
    }
}

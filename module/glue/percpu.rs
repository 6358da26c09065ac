// SPDX-License-Identifier: GPL-2.0
//! Counters of packets and bytes that each CPU keeps for itself, so that counting shares no cache
//! line.

use super::bindings;
use crate::alloc::{AllocError, KVVec, KVec, GFP_KERNEL};
use crate::engine::rules::Counters;
use core::marker::PhantomData;
use kernel::cpu::{nr_cpu_ids, CpuId};
use kernel::sync::atomic::ordering::Relaxed;
use kernel::sync::atomic::Atomic;
use kernel::types::NotThreadSafe;

// A 64-bit counter is read by other CPUs while its own CPU writes it, which a 32-bit CPU does in
// two steps.
#[cfg(not(CONFIG_64BIT))]
compile_error!("oxtables needs a 64-bit kernel");

/// Softirqs are disabled on this CPU while this lives, and so are preemption and migration.
///
/// A packet that is sent is filtered in process context, where a softirq that filters another
/// packet could come in between.
pub(super) struct SoftirqsOff(NotThreadSafe);

impl SoftirqsOff {
    /// Disables softirqs on this CPU.
    #[inline]
    pub(super) fn new() -> Self {
        // SAFETY: Calls nest; `drop` makes the one that belongs to this.
        unsafe { bindings::shim_local_bh_disable() };
        Self(NotThreadSafe)
    }
}

impl Drop for SoftirqsOff {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `new` disabled them on this CPU, and the guard can't have left it.
        unsafe { bindings::shim_local_bh_enable() };
    }
}

/// One counter of one CPU. Only that CPU writes it, with softirqs off; any CPU may read it.
struct Cell {
    packets: Atomic<u64>,
    bytes: Atomic<u64>,
}

impl Cell {
    const fn zero() -> Self {
        Self {
            packets: Atomic::new(0),
            bytes: Atomic::new(0),
        }
    }
}

/// As many counters as asked for, once for every CPU.
pub(super) struct PerCpu {
    /// Indexed by CPU number; empty for a number that no CPU can have.
    rows: KVec<KVVec<Cell>>,
}

impl PerCpu {
    /// `slots` counters at zero. May sleep.
    pub(super) fn new(slots: usize) -> Result<Self, AllocError> {
        let cpus = nr_cpu_ids();
        let mut rows = KVec::with_capacity(cpus as usize, GFP_KERNEL)?;
        for cpu in 0..cpus {
            // SAFETY: Any number may be asked about that is less than the number of CPU numbers.
            let possible = unsafe { bindings::shim_cpu_possible(cpu) };
            let len = if possible { slots } else { 0 };
            let mut row = KVVec::with_capacity(len, GFP_KERNEL)?;
            for _ in 0..len {
                row.push(Cell::zero(), GFP_KERNEL)?;
            }
            rows.push(row, GFP_KERNEL)?;
        }
        Ok(Self { rows })
    }

    /// The counters of the CPU that this runs on.
    #[inline]
    pub(super) fn here<'a>(&'a self, _pinned: &'a SoftirqsOff) -> Row<'a> {
        // Softirqs are off, so the number stays right while the row is used.
        let cpu = CpuId::current().as_u32() as usize;
        let cells = self
            .rows
            .get(cpu)
            .map(|row| row.as_slice())
            .unwrap_or_default();
        Row {
            cells,
            _pinned: PhantomData,
        }
    }

    /// The sum of a counter over all CPUs. Packets that are just being counted may be missing, and
    /// such a packet's bytes may be missing alone; neither is lost to the next reading.
    pub(super) fn sum(&self, slot: usize) -> Counters {
        let mut sum = Counters::default();
        for cell in self.rows.iter().filter_map(|row| row.get(slot)) {
            sum.packets = sum.packets.wrapping_add(cell.packets.load(Relaxed));
            sum.bytes = sum.bytes.wrapping_add(cell.bytes.load(Relaxed));
        }
        sum
    }
}

/// The counters of one CPU, which is this one.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    cells: &'a [Cell],
    _pinned: PhantomData<&'a SoftirqsOff>,
}

impl Row<'_> {
    /// Counts one packet of `bytes` bytes. A counter that does not exist is left alone.
    #[inline]
    pub(super) fn count(&self, slot: usize, bytes: u32) {
        if let Some(cell) = self.cells.get(slot) {
            // A load and a store, not one atomic addition: nobody else writes, and that is much
            // cheaper.
            cell.packets
                .store(cell.packets.load(Relaxed).wrapping_add(1), Relaxed);
            cell.bytes.store(
                cell.bytes.load(Relaxed).wrapping_add(u64::from(bytes)),
                Relaxed,
            );
        }
    }
}

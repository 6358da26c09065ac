// SPDX-License-Identifier: GPL-2.0
//! NFQUEUE: which queue a packet goes to, as netfilter wants to hear it.

use super::bindings;
use super::skb::Packet;
use crate::engine::packet::Family;
use crate::engine::rules::targets::Nfqueue;
use kernel::cpu::CpuId;
use kernel::ffi::c_uint;

/// The verdict that hands a packet to the queue.
#[cold]
#[inline(never)]
pub(super) fn verdict(target: Nfqueue, family: Family, packet: &Packet<'_>) -> c_uint {
    let Nfqueue {
        queue,
        total,
        bypass,
        cpu_fanout,
    } = target;
    let queue = match u32::from(total) {
        0 | 1 => queue,
        // A commit made sure that there are as many queues behind the first.
        total if cpu_fanout => {
            let cpu = CpuId::current().as_u32();
            queue.wrapping_add(cpu.checked_rem(total).unwrap_or_default() as u16)
        }
        // SAFETY: The packet is of this family, and its header was parsed, so it is there.
        _ => unsafe { bindings::shim_nfqueue(packet.as_ptr(), queue, total, family as u8) },
    };
    let bypass = if bypass {
        bindings::NF_VERDICT_FLAG_QUEUE_BYPASS
    } else {
        0
    };
    c_uint::from(queue) << bindings::NF_VERDICT_QBITS | bypass | bindings::NF_QUEUE
}

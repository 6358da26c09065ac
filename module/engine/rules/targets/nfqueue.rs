// SPDX-License-Identifier: GPL-2.0
//! `-j NFQUEUE`: a program in user space decides about the packet, through nfnetlink_queue.

use crate::wire;

wire! {
    /// The target.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Nfqueue, "nfqueue-attrs" {
        /// `--queue-num`, or the first of `--queue-balance`.
        2 queue: u16,
        /// How many queues, from the first on, share the packets.
        3 total: u16,
        /// `--queue-bypass`: where no program listens the packet passes.
        4 bypass: bool,
        /// `--queue-cpu-fanout`: the CPU chooses the queue, not the packet's addresses.
        5 cpu_fanout: bool,
    }
}

impl Nfqueue {
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match self.total.checked_sub(1) {
            None => Err("NFQUEUE needs a queue"),
            Some(more) if self.queue.checked_add(more).is_none() => {
                Err("queues are numbered up to 65535")
            }
            Some(0) if self.cpu_fanout => Err("a fan-out needs queues to balance"),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_target_nfqueue))]
mod tests {
    use super::*;

    #[test]
    fn refuses_queues_that_there_are_not() {
        let check = |queue, total, cpu_fanout| {
            Nfqueue {
                queue,
                total,
                bypass: false,
                cpu_fanout,
            }
            .check()
            .is_ok()
        };
        assert!(check(u16::MAX, 1, false) && check(0, u16::MAX, true));
        assert!(check(1, u16::MAX, true) && check(u16::MAX - 1, 2, true));
        assert!(!check(0, 0, false) && !check(2, u16::MAX, false));
        assert!(!check(u16::MAX, 2, false) && !check(0, 1, true));
    }
}

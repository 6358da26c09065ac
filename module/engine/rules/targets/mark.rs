// SPDX-License-Identifier: GPL-2.0
//! `-j MARK`: the packet's mark is changed.

use crate::engine::rules::matches::Masked;
use crate::wire;

wire! {
    /// The target. All ways to set a mark come down to one: the bits of `mask` are cleared, then those of
    /// `value` flipped.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct SetMark, "set-mark-attrs" {
        /// `--set-xmark`
        2 mark: Masked,
    }
}

impl SetMark {
    /// The mark that a packet of this mark gets.
    #[inline]
    pub fn apply(&self, mark: u32) -> u32 {
        mark & !self.mark.mask ^ self.mark.value
    }
}

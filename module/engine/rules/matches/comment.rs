// SPDX-License-Identifier: GPL-2.0
//! `-m comment`: a remark that stays with the rule and asks nothing of a packet.

use super::{Matcher, Outcome};
use crate::alloc::AllocError;
use crate::engine::packet::{Body, Family};
use crate::engine::rules::model::Rule;
use crate::uapi::field::Text;
use crate::wire;

wire! {
    /// The match.
    #[derive(Debug, PartialEq, Eq)]
    pub struct Comment, "comment-attrs" {
        /// `--comment`; iptables allows 255 bytes.
        2 text: Text<255>,
    }
}

impl Matcher for Comment {
    fn check(&self, _: Family, _: &Rule) -> Result<(), &'static str> {
        Ok(())
    }

    fn asks(&self) -> bool {
        false
    }

    fn test(&self, _: &Body<'_>) -> Outcome {
        Outcome::Yes
    }

    fn try_clone(&self) -> Result<Self, AllocError> {
        Ok(Self {
            text: self.text.try_clone()?,
        })
    }
}

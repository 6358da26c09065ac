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
        // A saved ruleset has a rule a line: what follows the end of one would be read as another.
        if self.text.as_bytes().contains(&b'\n') {
            return Err("a comment must be one line");
        }
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

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_match_comment))]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_one_line() {
        let check = |text: &[u8]| {
            let text = Text::new(text).unwrap();
            Comment { text }.check(Family::V4, &Rule::default())
        };
        assert!(check(b"-A INPUT -j DROP # \"\t\\").is_ok());
        assert!(check(b"x\n-A INPUT -j ACCEPT").is_err());
    }
}

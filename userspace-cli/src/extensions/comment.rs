// SPDX-License-Identifier: GPL-2.0
//! `-m comment`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Comment;
use oxtables_engine::uapi::field::Text;

use super::{About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

impl Extension for Comment {
    const ABOUT: About = About {
        name: "comment",
        summary: "a remark that stays with the rule",
        options: &[Opt::plain(
            "comment",
            &["TEXT"],
            "the remark, up to 255 bytes",
        )],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let value = options.only(&Self::ABOUT)?.value();
        let text = Text::new(&value.text).ok_or_else(|| {
            Problem::new(value.span, "comment is too long")
                .label(format!("{} bytes, of which 255 fit", value.text.len()))
        })?;
        Ok(Self { text })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        vec![Printed::text("comment", self.text.as_bytes())]
    }
}

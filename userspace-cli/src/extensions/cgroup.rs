// SPDX-License-Identifier: GPL-2.0
//! `-m cgroup`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::{Cgroup, ControlGroupPath};
use oxtables_engine::uapi::field::Not;

use super::{numbers, About, Extension, Given, Opt, Options, Printed};
use crate::diagnostic::Problem;

/// The path given to an option.
fn path(given: &Given) -> Result<Not<ControlGroupPath>, Problem> {
    let token = given.value();
    let value = ControlGroupPath::new(&token.text).ok_or_else(|| {
        Problem::new(token.span, "the path is too long")
            .expected(format!("at most {} bytes", ControlGroupPath::MAX))
    })?;
    Ok(Not {
        value,
        not: given.not,
    })
}

impl Extension for Cgroup {
    const ABOUT: About = About {
        name: "cgroup",
        summary: "the control group of the program that made the packet's socket; for INPUT, OUTPUT and POSTROUTING",
        options: &[
            Opt::negatable(
                "path",
                &[],
                &["PATH"],
                "it is in the group at PATH below the root of cgroup2, or further below",
            ),
            Opt::negatable(
                "cgroup",
                &[],
                &["CLASS"],
                "the controller net_cls gave it this class",
            ),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        if given.option.name == "path" {
            return Ok(Self {
                path: Some(path(given)?),
                class: None,
            });
        }
        let value = numbers::number(given.value(), u32::MAX.into(), "a class")?;
        Ok(Self {
            path: None,
            class: Some(Not {
                value,
                not: given.not,
            }),
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let path = self.path.as_ref().map(|asked| Printed {
            not: asked.not,
            ..Printed::text("path", asked.value.text.as_bytes())
        });
        let class = self
            .class
            .map(|asked| Printed::new("cgroup", asked.not, asked.value));
        path.into_iter().chain(class).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints_in, problem_of, refuses};

    #[test]
    fn rules() {
        prints_in(
            "OUTPUT",
            Family::V4,
            &[
                ("-m cgroup --cgroup 0x10", "-m cgroup --cgroup 16"),
                ("-m cgroup ! --cgroup 0", "-m cgroup ! --cgroup 0"),
                ("-m cgroup --path web", "-m cgroup --path web"),
                ("-m cgroup ! --path a/b", "-m cgroup ! --path \"a/b\""),
            ],
        );
        refuses(
            Family::V6,
            &[
                ("-m cgroup", "`cgroup` needs an option", "cgroup"),
                (
                    "-m cgroup --path a --cgroup 1",
                    "`--path` and `--cgroup` exclude each other",
                    "--cgroup 1",
                ),
                ("-m cgroup --cgroup 1:2", "`1:2` is not a class", "1:2"),
            ],
        );
        let long = format!("-m cgroup --path {}", "a".repeat(512));
        let (problem, _) = problem_of(&long, Family::V4);
        assert_eq!(problem.message, "the path is too long");
        assert_eq!(problem.label, "expected at most 511 bytes");
    }
}

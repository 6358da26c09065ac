// SPDX-License-Identifier: GPL-2.0
//! `-m helper`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::{AskedHelper, Helper};
use oxtables_engine::uapi::field::Not;

use super::{About, Extension, Opt, Options, Printed, Quotes};
use crate::diagnostic::Problem;

impl Extension for Helper {
    const ABOUT: About = About {
        name: "helper",
        summary: "which helper announced the packet's connection",
        options: &[Opt::negatable(
            "helper",
            &[],
            &["NAME"],
            "that of this name, or any if it is empty; `-` and a port may follow",
        )],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        let token = given.value();
        let Some(value) = AskedHelper::new(&token.text) else {
            return Err(Problem::new(token.span, "name is too long")
                .expected(format!("{} bytes at most", AskedHelper::MAX)));
        };
        let not = given.not;
        Ok(Self {
            name: Not { value, not },
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let Not { value, not } = &self.name;
        vec![Printed::word(
            "helper",
            *not,
            value.as_bytes(),
            Quotes::AroundText,
        )]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        for family in Family::ALL {
            prints(
                family,
                &[
                    ("-m helper --helper ftp", "-m helper --helper ftp"),
                    (
                        "-m helper ! --helper ftp-2121",
                        "-m helper ! --helper ftp-2121",
                    ),
                    ("-m helper --helper \"a b\"", "-m helper --helper \"a b\""),
                    ("-m helper --helper \"\"", "-m helper --helper \"\""),
                ],
            );
        }
        refuses(
            Family::V4,
            &[
                ("-m helper", "`helper` needs an option", "helper"),
                (
                    "-m helper --helper abcdefghijklmnopqrstuvwxyz0123",
                    "name is too long",
                    "abcdefghijklmnopqrstuvwxyz0123",
                ),
            ],
        );
    }
}

// SPDX-License-Identifier: GPL-2.0
//! `-m connmark` and `-j CONNMARK`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::{Connmark, Masked};
use oxtables_engine::engine::rules::targets::{ConnmarkMode, SetConnmark};
use oxtables_engine::uapi::field::Not;

use super::{masked, numbers, About, Extension, Given, Opt, Options, Printed};
use crate::diagnostic::Problem;

/// What the numbers are.
const WHAT: &str = "a mark";

impl Extension for Connmark {
    const ABOUT: About = About {
        name: "connmark",
        summary: "the mark of the packet's connection",
        options: &[Opt::negatable(
            "mark",
            &[],
            &["VALUE[/MASK]"],
            "the mark's bits under MASK are VALUE",
        )],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        Ok(Self {
            mark: Not {
                value: masked::masked(given.value(), WHAT)?,
                not: given.not,
            },
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let text = masked::text(self.mark.value);
        vec![Printed::new("mark", self.mark.not, text)]
    }
}

/// The options that say which mark becomes what; one of them is given.
const MODES: [&str; 7] = [
    "set-xmark",
    "set-mark",
    "and-mark",
    "or-mark",
    "xor-mark",
    "save-mark",
    "restore-mark",
];

/// The one option that is given of those with these names; none, where none needs to be.
fn only<'a>(options: &Options<'a>, names: &[&str]) -> Result<Option<&'a Given>, Problem> {
    let mut given = options
        .given
        .iter()
        .filter(|given| names.contains(&given.option.name));
    match (given.next(), given.next()) {
        (Some(first), Some(second)) => {
            let (first_name, name) = (first.option.name, second.option.name);
            let what = format!("`--{first_name}` and `--{name}` exclude each other");
            Err(Problem::new(second.span, what))
        }
        (first, _) => Ok(first),
    }
}

/// The masks of the connection's mark and of the packet's, for the mode that copies one to the other.
fn masks(options: &Options<'_>) -> Result<(u32, u32), Problem> {
    if let Some(mask) = options.get("mask") {
        only(options, &["mask", "ctmask"])?;
        only(options, &["mask", "nfmask"])?;
        let mask = masked::number(mask.value(), WHAT)?;
        return Ok((mask, mask));
    }
    let mask = |name| {
        let given = options.get(name);
        given.map_or(Ok(u32::MAX), |given| masked::number(given.value(), WHAT))
    };
    Ok((mask("ctmask")?, mask("nfmask")?))
}

impl Extension for SetConnmark {
    const ABOUT: About = About {
        name: "CONNMARK",
        summary:
            "change the mark of the packet's connection, or the packet's by it; then the next rule",
        options: &[
            Opt::plain(
                "set-xmark",
                &["VALUE[/MASK]"],
                "clear the bits of MASK, then flip those of VALUE",
            ),
            Opt::plain(
                "set-mark",
                &["VALUE[/MASK]"],
                "clear the bits of MASK, then set those of VALUE",
            ),
            Opt::plain("and-mark", &["BITS"], "keep these bits only"),
            Opt::plain("or-mark", &["BITS"], "set these bits"),
            Opt::plain("xor-mark", &["BITS"], "flip these bits"),
            Opt::plain("save-mark", &[], "the connection gets the packet's mark"),
            Opt::plain("restore-mark", &[], "the packet gets the connection's mark"),
            Opt::plain(
                "nfmask",
                &["BITS"],
                "of the packet's mark these are saved, or cleared before; all without it",
            ),
            Opt::plain(
                "ctmask",
                &["BITS"],
                "of the connection's mark these are restored, or cleared before; all without it",
            ),
            Opt::plain("mask", &["BITS"], "both"),
            Opt::plain(
                "left-shift-mark",
                &["NUMBER"],
                "by so many bits, what is set, saved or restored",
            ),
            Opt::plain("right-shift-mark", &["NUMBER"], "the other way"),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let Some(given) = only(options, &MODES)? else {
            return Err(
                Problem::new(options.span, "`CONNMARK` needs to know what to do")
                    .expected(MODES.map(|name| format!("--{name}")).join(" or ")),
            );
        };
        let shift = only(options, &["left-shift-mark", "right-shift-mark"])?;
        let bits = shift.map_or(Ok(0), |shift| {
            numbers::number(shift.value(), 31, "a number of bits")
        })?;
        let mode = match given.option.name {
            "save-mark" => ConnmarkMode::Save,
            "restore-mark" => ConnmarkMode::Restore,
            _ => ConnmarkMode::Set,
        };
        let (connection, packet_mask) = if mode == ConnmarkMode::Set {
            let mut masks = ["nfmask", "ctmask", "mask"].into_iter();
            if let Some(mask) = masks.find_map(|name| options.get(name)) {
                let what = format!("`--{}` is for another mode", mask.option.name);
                return Err(Problem::new(mask.span, what)
                    .expected("--save-mark or --restore-mark before it"));
            }
            (masked::set(given, WHAT)?, 0)
        } else {
            let (mask, packet_mask) = masks(options)?;
            (Masked { value: 0, mask }, packet_mask)
        };
        Ok(Self {
            mode,
            connection,
            packet_mask,
            shift: bits,
            shift_right: bits != 0
                && shift.is_some_and(|shift| shift.option.name == "right-shift-mark"),
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let hex = |number: u32| format!("{number:#x}");
        let mut printed = match self.mode {
            ConnmarkMode::Set => vec![masked::printed_set(self.connection)],
            ConnmarkMode::Save => vec![Printed::flag("save-mark")],
            ConnmarkMode::Restore => vec![Printed::flag("restore-mark")],
        };
        if self.mode != ConnmarkMode::Set {
            printed.push(Printed::new("nfmask", false, hex(self.packet_mask)));
            printed.push(Printed::new("ctmask", false, hex(self.connection.mask)));
        }
        if self.shift != 0 {
            let name = if self.shift_right {
                "right-shift-mark"
            } else {
                "left-shift-mark"
            };
            printed.push(Printed::new(name, false, self.shift));
        }
        printed
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
                    ("-m connmark --mark 1", "-m connmark --mark 0x1"),
                    (
                        "-m connmark ! --mark 0x10/0xF0",
                        "-m connmark ! --mark 0x10/0xf0",
                    ),
                    (
                        "-m mark --mark 2 -m connmark --mark 0/0xffffffff",
                        "-m mark --mark 0x2 -m connmark --mark 0x0",
                    ),
                ],
            );
        }
        refuses(
            Family::V4,
            &[
                ("-m connmark", "`connmark` needs an option", "connmark"),
                (
                    "-m connmark --mark 0x100000000",
                    "`0x100000000` is not a mark",
                    "0x100000000",
                ),
            ],
        );
    }

    #[test]
    fn targets() {
        let rules = [
            ("--set-mark 1", "--set-xmark 0x1/0xffffffff"),
            ("--set-mark 1/2", "--set-xmark 0x1/0x3"),
            ("--set-xmark 1/2", "--set-xmark 0x1/0x2"),
            ("--and-mark 5", "--set-xmark 0x0/0xfffffffa"),
            ("--or-mark 5", "--set-xmark 0x5/0x5"),
            ("--xor-mark 5", "--set-xmark 0x5/0x0"),
            (
                "--save-mark",
                "--save-mark --nfmask 0xffffffff --ctmask 0xffffffff",
            ),
            (
                "--mask 0xf --save-mark",
                "--save-mark --nfmask 0xf --ctmask 0xf",
            ),
            (
                "--restore-mark --ctmask 3",
                "--restore-mark --nfmask 0xffffffff --ctmask 0x3",
            ),
            (
                "--restore-mark --nfmask 1 --right-shift-mark 31",
                "--restore-mark --nfmask 0x1 --ctmask 0xffffffff --right-shift-mark 31",
            ),
            (
                "--set-xmark 1 --left-shift-mark 3",
                "--set-xmark 0x1/0xffffffff --left-shift-mark 3",
            ),
            ("--or-mark 1 --right-shift-mark 0", "--set-xmark 0x1/0x1"),
        ];
        for (rule, wanted) in rules {
            let [rule, wanted] = [rule, wanted].map(|text| format!("-j CONNMARK {text}"));
            prints(Family::V6, &[(&rule, &wanted)]);
        }
        refuses(
            Family::V4,
            &[
                (
                    "-j CONNMARK",
                    "`CONNMARK` needs to know what to do",
                    "CONNMARK",
                ),
                (
                    "-j CONNMARK --mask 1",
                    "`CONNMARK` needs to know what to do",
                    "CONNMARK",
                ),
                (
                    "-j CONNMARK --set-mark 1 --save-mark",
                    "`--set-mark` and `--save-mark` exclude each other",
                    "--save-mark",
                ),
                (
                    "-j CONNMARK --set-mark 1 --mask 1",
                    "`--mask` is for another mode",
                    "--mask 1",
                ),
                (
                    "-j CONNMARK --save-mark --nfmask 1 --mask 1",
                    "`--nfmask` and `--mask` exclude each other",
                    "--mask 1",
                ),
                (
                    "-j CONNMARK --save-mark --left-shift-mark 32",
                    "`32` is not a number of bits",
                    "32",
                ),
                (
                    "-j CONNMARK --save-mark --left-shift-mark 1 --right-shift-mark 1",
                    "`--left-shift-mark` and `--right-shift-mark` exclude each other",
                    "--right-shift-mark 1",
                ),
            ],
        );
    }
}

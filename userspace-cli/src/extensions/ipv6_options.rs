// SPDX-License-Identifier: GPL-2.0
//! `-m hbh` and `-m dst`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::{Dst, Hbh, HeaderOption, HeaderOptions};
use oxtables_engine::uapi::field::Not;

use super::{numbers, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// The type, and the length if there is one, that a word gives.
fn option(token: &Token) -> Result<HeaderOption, Problem> {
    let (kind, length) = match token.split_once(b':') {
        Some((kind, length)) => (kind, Some(length)),
        None => (token.clone(), None),
    };
    let kind = numbers::number(&kind, u8::MAX.into(), "the type of an option")?;
    let Some(length) = length else {
        return Ok(HeaderOption { kind, length: None });
    };
    let number = numbers::number(&length, u8::MAX.into(), "the length of an option")?;
    HeaderOption::new(kind, Some(number)).ok_or_else(|| {
        if kind == 0 {
            Problem::new(length.span, "an option of type 0 has no length")
                .help("leave the length out")
        } else {
            Problem::new(length.span, "a length of 255 can't be asked for")
                .expected("a length from 0 to 254")
                .help("iptables takes 255 for any length; leave it out to ask for any")
        }
    })
}

fn list(token: &Token) -> Result<HeaderOptions, Problem> {
    let options = token.split(b',');
    let options = options.iter().map(option).collect::<Result<Vec<_>, _>>()?;
    HeaderOptions::new(options.into_iter()).ok_or_else(|| {
        Problem::new(token.span, "too many options for one list")
            .expected(format!("at most {}", HeaderOptions::MAX))
    })
}

fn text(list: &HeaderOptions) -> String {
    let options = list.as_slice().iter().map(|option| match option.length {
        Some(length) => format!("{}:{length}", option.kind),
        None => option.kind.to_string(),
    });
    options.collect::<Vec<_>>().join(",")
}

/// The values of the two options: the header's length, and what is in it.
type Values = (Option<Not<u32>>, Option<HeaderOptions>);

fn parse(options: &Options<'_>, length: &str, list_name: &str) -> Result<Values, Problem> {
    let list = options.get(list_name).map(|given| list(given.value()));
    Ok((
        numbers::optional(options, length, u32::MAX.into(), "a length")?,
        list.transpose()?,
    ))
}

fn print(
    (length_name, length): (&'static str, Option<Not<u32>>),
    (list_name, list): (&'static str, Option<HeaderOptions>),
) -> Vec<Printed> {
    let list = list.map(|list| Printed::new(list_name, false, text(&list)));
    let length = numbers::print(length_name, length);
    length.into_iter().chain(list).collect()
}

impl Extension for Hbh {
    const ABOUT: About = About {
        name: "hbh",
        summary: "the IPv6 packet has a header with hop-by-hop options, and which",
        family: Some(Family::V6),
        options: &[
            Opt::negatable(
                "hbh-len",
                &[],
                &["LENGTH"],
                "the header has this many bytes",
            ),
            Opt::plain(
                "hbh-opts",
                &["TYPE[:LENGTH][,...]"],
                "it begins with these options, in this order",
            ),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let (length, options) = parse(options, "hbh-len", "hbh-opts")?;
        Ok(Self { length, options })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        print(("hbh-len", self.length), ("hbh-opts", self.options))
    }
}

impl Extension for Dst {
    const ABOUT: About = About {
        name: "dst",
        summary: "the IPv6 packet has a header with destination options, and which",
        family: Some(Family::V6),
        options: &[
            Opt::negatable(
                "dst-len",
                &[],
                &["LENGTH"],
                "the header has this many bytes",
            ),
            Opt::plain(
                "dst-opts",
                &["TYPE[:LENGTH][,...]"],
                "it begins with these options, in this order",
            ),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let (length, options) = parse(options, "dst-len", "dst-opts")?;
        Ok(Self { length, options })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        print(("dst-len", self.length), ("dst-opts", self.options))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        prints(
            Family::V6,
            &[
                ("-m hbh", "-m hbh"),
                ("-m dst ! --dst-len 0x10", "-m dst ! --dst-len 16"),
                (
                    "-m hbh --hbh-opts 0,5:2,0xc2:0 --hbh-len 8",
                    "-m hbh --hbh-len 8 --hbh-opts 0,5:2,194:0",
                ),
                ("-m dst --dst-opts 1:254", "-m dst --dst-opts 1:254"),
                (
                    "-m hbh -d fd00::1 -m dst --dst-opts 1",
                    "-d fd00::1/128 -m hbh -m dst --dst-opts 1",
                ),
            ],
        );
        refuses(
            Family::V6,
            &[
                (
                    "-m hbh --hbh-opts 256",
                    "`256` is not the type of an option",
                    "256",
                ),
                (
                    "-m dst --dst-opts 1,5:256",
                    "`256` is not the length of an option",
                    "256",
                ),
                (
                    "-m dst --dst-opts 5:255",
                    "a length of 255 can't be asked for",
                    "255",
                ),
                (
                    "-m dst --dst-opts 0:1",
                    "an option of type 0 has no length",
                    "1",
                ),
                (
                    "-m dst --dst-opts 1,",
                    "`` is not the type of an option",
                    "",
                ),
                (
                    "-m dst --dst-opts 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
                    "too many options for one list",
                    "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
                ),
                (
                    "-m hbh --hbh-len 4294967296",
                    "`4294967296` is not a length",
                    "4294967296",
                ),
                (
                    "-m hbh ! --hbh-opts 1",
                    "`!` can't stand before `--hbh-opts`",
                    "! --hbh-opts",
                ),
            ],
        );
        refuses(
            Family::V4,
            &[
                ("-m hbh", "match `hbh` is for IPv6 only", "hbh"),
                ("-m dst", "match `dst` is for IPv6 only", "dst"),
            ],
        );
    }
}

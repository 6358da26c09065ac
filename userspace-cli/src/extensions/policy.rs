// SPDX-License-Identifier: GPL-2.0
//! `-m policy`

use oxtables_engine::alloc::{KVec, GFP_KERNEL};
use oxtables_engine::engine::packet::{Direction, Family};
use oxtables_engine::engine::rules::matches::{Element, Elements, Mode, Policy};
use oxtables_engine::uapi::field::Not;

use super::{named, numbers, About, Extension, Given, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::language::address;
use crate::language::lexer::Token;

const DIRECTIONS: [(&str, Direction); 2] = [("in", Direction::In), ("out", Direction::Out)];
const POLICIES: [(&str, bool); 2] = [("ipsec", false), ("none", true)];
const MODES: [(&str, Mode); 2] = [("transport", Mode::Transport), ("tunnel", Mode::Tunnel)];
const PROTOCOLS: [(&str, u8); 3] = [("esp", 50), ("ah", 51), ("ipcomp", 108)];

/// Options that are of the whole policy, not of one of its elements.
const WHOLE: [&str; 3] = ["dir", "pol", "strict"];

fn protocol(token: &Token) -> Result<u8, Problem> {
    let number = numbers::parse(&token.text).and_then(|number| u8::try_from(number).ok());
    let known = |number: &u8| PROTOCOLS.iter().any(|(_, known)| known == number);
    match number.filter(known) {
        Some(number) => Ok(number),
        None => named::value(token, &PROTOCOLS),
    }
}

fn number(token: &Token) -> Result<u32, Problem> {
    numbers::number(token, u32::MAX.into(), "a number of 32 bits")
}

fn element(given: &[Given], family: Family) -> Result<Element, Problem> {
    let mut element = Element::default();
    for given in given.iter().filter(|given| !given.values.is_empty()) {
        let (token, not) = (given.value(), given.not);
        match given.option.name {
            "reqid" => element.reqid = Some(asked(number(token)?, not)),
            "spi" => element.spi = Some(asked(number(token)?, not)),
            "proto" => element.protocol = Some(asked(protocol(token)?, not)),
            "mode" => element.mode = Some(asked(named::value(token, &MODES)?, not)),
            "tunnel-src" => element.source = Some(asked(address::prefix(token, family)?, not)),
            "tunnel-dst" => element.destination = Some(asked(address::prefix(token, family)?, not)),
            _ => (),
        }
    }
    Ok(element)
}

const fn asked<T>(value: T, not: bool) -> Not<T> {
    Not { value, not }
}

impl Extension for Policy {
    const ABOUT: About = About {
        name: "policy",
        summary: "whether and how IPsec handles the packet",
        options: &[
            Opt::plain(
                "dir",
                &["in|out"],
                "it was taken out of IPsec, or will be put in",
            ),
            Opt::plain(
                "pol",
                &["none|ipsec"],
                "IPsec does not handle it, or does; the latter without it",
            ),
            Opt::plain(
                "strict",
                &[],
                "what follows is asked of all transforms, in their order, and not of any one",
            ),
            Opt::negatable(
                "reqid",
                &[],
                &["NUMBER"],
                "by which a policy asks for the association",
            ),
            Opt::negatable("spi", &[], &["NUMBER"], "the security parameter index"),
            Opt::negatable("proto", &[], &["esp|ah|ipcomp"], "the protocol"),
            Opt::negatable("mode", &[], &["transport|tunnel"], "the mode"),
            Opt::negatable(
                "tunnel-dst",
                &[],
                &["ADDRESS[/MASK]"],
                "where the tunnel ends; needs --mode tunnel",
            ),
            Opt::negatable(
                "tunnel-src",
                &[],
                &["ADDRESS[/MASK]"],
                "where the tunnel begins; needs --mode tunnel",
            ),
            Opt {
                separates: true,
                ..Opt::plain(
                    "next",
                    &[],
                    "what follows is asked of the next transform; needs --strict, up to 3 times",
                )
            },
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let whole = |given: &&Given| WHOLE.contains(&given.option.name);
        for (index, given) in options
            .given
            .iter()
            .enumerate()
            .filter(|(_, given)| whole(given))
        {
            let mut before = options.given.iter().take(index);
            if before.any(|before| before.option.name == given.option.name) {
                let message = format!("`--{}` is given twice", given.option.name);
                return Err(Problem::new(given.span, message));
            }
        }
        let Some(direction) = options.get("dir") else {
            return Err(Problem::new(options.span, "`policy` needs a direction")
                .expected("--dir in or --dir out"));
        };
        let none = match options.get("pol") {
            Some(given) => named::value(given.value(), &POLICIES)?,
            None => false,
        };
        let mut elements = KVec::new();
        let asks = |given: &Given| !WHOLE.contains(&given.option.name);
        if !none || options.given.iter().any(asks) {
            let parts = options.given.split(|given| given.option.separates);
            for (index, part) in parts.enumerate() {
                if index == Elements::MAX {
                    let mut separators =
                        options.given.iter().filter(|given| given.option.separates);
                    let span = separators
                        .nth(index - 1)
                        .map_or(options.span, |given| given.span);
                    return Err(Problem::new(span, "a policy has 4 elements at most"));
                }
                let element = element(part, options.family)?;
                elements
                    .push(element, GFP_KERNEL)
                    .expect("the host has memory");
            }
        }
        Ok(Self {
            direction: named::value(direction.value(), &DIRECTIONS)?,
            none,
            strict: options.get("strict").is_some(),
            elements: Elements(elements),
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let mut printed = vec![
            Printed::new("dir", false, named::name(&self.direction, &DIRECTIONS)),
            Printed::new("pol", false, named::name(&self.none, &POLICIES)),
        ];
        if self.strict {
            printed.push(Printed::flag("strict"));
        }
        for (index, element) in self.elements.0.iter().enumerate() {
            if index > 0 {
                printed.push(Printed::flag("next"));
            }
            let Element {
                source,
                destination,
                protocol,
                mode,
                spi,
                reqid,
            } = element;
            let mut option = |name, not, text| printed.push(Printed::new(name, not, text));
            if let Some(asked) = reqid {
                option("reqid", asked.not, asked.value.to_string());
            }
            if let Some(asked) = spi {
                option("spi", asked.not, format!("{:#x}", asked.value));
            }
            if let Some(asked) = protocol {
                option(
                    "proto",
                    asked.not,
                    named::name(&asked.value, &PROTOCOLS).to_owned(),
                );
            }
            if let Some(asked) = mode {
                option(
                    "mode",
                    asked.not,
                    named::name(&asked.value, &MODES).to_owned(),
                );
            }
            if let Some(asked) = destination {
                option("tunnel-dst", asked.not, address::network_text(&asked.value));
            }
            if let Some(asked) = source {
                option("tunnel-src", asked.not, address::network_text(&asked.value));
            }
        }
        printed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, problem_of, refuses};

    #[test]
    fn rules() {
        for (rule, printed) in [
            ("--dir in", "--dir in --pol ipsec"),
            ("--pol none --dir out", "--dir out --pol none"),
            (
                "--reqid 0x10 --dir in --pol ipsec ! --spi 255 ! --proto 51",
                "--dir in --pol ipsec --reqid 16 ! --spi 0xff ! --proto ah",
            ),
            (
                "--dir out --strict --proto esp --next --mode transport --reqid 1 --next ! --mode tunnel --next --proto ipcomp",
                "--dir out --pol ipsec --strict --proto esp --next --reqid 1 --mode transport --next ! --mode tunnel --next --proto ipcomp",
            ),
        ] {
            let (rule, printed) = (format!("-m policy {rule}"), format!("-m policy {printed}"));
            prints(Family::V4, &[(&rule, &printed)]);
            prints(Family::V6, &[(&rule, &printed)]);
        }
        prints(
            Family::V4,
            &[(
                "-m policy --dir in --mode tunnel --tunnel-src 10.1.2.3 ! --tunnel-dst 10.1.2.3/8",
                "-m policy --dir in --pol ipsec --mode tunnel ! --tunnel-dst 10.0.0.0/8 --tunnel-src 10.1.2.3",
            )],
        );
        prints(
            Family::V6,
            &[(
                "-m policy --dir in ! --mode transport --tunnel-src fd00::1",
                "-m policy --dir in --pol ipsec ! --mode transport --tunnel-src fd00::1",
            )],
        );
    }

    #[test]
    fn wrong_rules() {
        refuses(
            Family::V4,
            &[
                ("-m policy", "`policy` needs a direction", "policy"),
                (
                    "-m policy --pol none",
                    "`policy` needs a direction",
                    "policy",
                ),
                ("-m policy --dir up", "`up` is not known here", "up"),
                (
                    "-m policy --dir in --pol esp",
                    "`esp` is not known here",
                    "esp",
                ),
                (
                    "-m policy --dir in --proto tcp",
                    "`tcp` is not known here",
                    "tcp",
                ),
                ("-m policy --dir in --proto 6", "`6` is not known here", "6"),
                (
                    "-m policy --dir in --mode beet",
                    "`beet` is not known here",
                    "beet",
                ),
                (
                    "-m policy --dir in --spi 4294967296",
                    "`4294967296` is not a number of 32 bits",
                    "4294967296",
                ),
                (
                    "-m policy --dir in --reqid 1 --reqid 2",
                    "`--reqid` is given twice",
                    "--reqid 2",
                ),
                (
                    "-m policy --dir in --strict --reqid 1 --next --reqid 2 --dir in",
                    "`--dir` is given twice",
                    "--dir in",
                ),
                (
                    "-m policy --dir in --reqid 1 --next --reqid 2",
                    "--next needs --strict",
                    "policy",
                ),
                (
                    "-m policy --dir in --strict --reqid 1 --next",
                    "with --strict something must be asked of each element",
                    "policy",
                ),
                (
                    "-m policy --dir in --pol none --reqid 1",
                    "--pol none can't be combined with --strict or what is asked of a policy",
                    "policy",
                ),
                (
                    "-m policy --dir in --tunnel-src 10.0.0.1",
                    "--tunnel-src and --tunnel-dst need --mode tunnel",
                    "policy",
                ),
                (
                    "-m policy --dir in --mode tunnel --tunnel-src fd00::1",
                    "IPv6 address in a rule for IPv4",
                    "fd00::1",
                ),
                (
                    "-m policy ! --dir in",
                    "`!` can't stand before `--dir`",
                    "! --dir",
                ),
                (
                    "-m policy --dir out",
                    "--dir out where packets do not go out",
                    "-A INPUT -m policy --dir out",
                ),
            ],
        );
        let rule = format!(
            "-m policy --dir in --strict --reqid 1{}",
            " --next --reqid 1".repeat(4)
        );
        let (problem, blamed) = problem_of(&rule, Family::V4);
        assert_eq!(problem.message, "a policy has 4 elements at most");
        assert_eq!(blamed, "--next");
    }
}

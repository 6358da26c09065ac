// SPDX-License-Identifier: GPL-2.0
//! `-m statistic`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Statistic;
use oxtables_engine::uapi::field::Not;

use super::{numbers, About, Extension, Given, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// The options of each mode.
const MODES: [(&str, &[&str]); 2] = [("random", &["probability"]), ("nth", &["every", "packet"])];

/// A probability as the match holds it.
fn probability(token: &Token) -> Result<u32, Problem> {
    let text = token.lossy();
    // The names of infinity and of what is no number are numbers too to parse().
    let plain = text.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    match text.parse::<f64>() {
        Ok(value) if plain && value <= 1.0 => {
            Ok((f64::from(Statistic::CERTAIN) * value).round() as u32)
        }
        _ => Err(
            Problem::new(token.span, format!("`{text}` is not a probability"))
                .expected("a number from 0 to 1"),
        ),
    }
}

impl Extension for Statistic {
    const ABOUT: About = About {
        name: "statistic",
        summary: "some packets of all, by chance or by turns",
        options: &[
            Opt::plain("mode", &["random|nth"], "by chance, or by turns"),
            Opt::negatable(
                "probability",
                &[],
                &["NUMBER"],
                "(random) with this probability, from 0 to 1",
            ),
            Opt::negatable("every", &[], &["NUMBER"], "(nth) one packet of so many"),
            Opt::plain("packet", &["NUMBER"], "(nth) which of them, counted from 0"),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let missing =
            |name: &str| Problem::new(options.span, format!("`statistic` needs `--{name}`"));
        let token = options.get("mode").ok_or_else(|| missing("mode"))?.value();
        let mode = token.lossy();
        let names = MODES.iter().map(|(name, _)| *name);
        let (_, own) = MODES
            .iter()
            .find(|(name, _)| *name == mode)
            .ok_or_else(|| {
                Problem::new(token.span, format!("no mode is called `{mode}`"))
                    .expected("random or nth")
                    .suggest(&mode, names)
            })?;
        let other =
            |given: &&Given| given.option.name != "mode" && !own.contains(&given.option.name);
        if let Some(given) = options.given.iter().find(other) {
            let message = format!("`--{}` is not for the mode `{mode}`", given.option.name);
            return Err(Problem::new(given.span, message));
        }
        let given = |name: &str| options.get(name).ok_or_else(|| missing(name));
        let mut statistic = Self {
            probability: None,
            every: None,
            packet: None,
            count: options.memory()?,
        };
        if mode == "random" {
            let given = given("probability")?;
            let value = probability(given.value())?;
            statistic.probability = Some(Not {
                value,
                not: given.not,
            });
        } else {
            let (every, packet) = (given("every")?, given("packet")?.value());
            let value = numbers::within(every.value(), 1, u32::MAX.into(), "a number of packets")?;
            let number = numbers::number(packet, u64::from(value) - 1, "one of these packets")?;
            statistic.every = Some(Not {
                value,
                not: every.not,
            });
            statistic.packet = Some(number);
        }
        Ok(statistic)
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let mode = match self.probability {
            Some(_) => "random",
            None => "nth",
        };
        let probability = self.probability.map(|Not { value, not }| {
            let part = f64::from(value) / f64::from(Self::CERTAIN);
            Printed::new("probability", not, format!("{part:.11}"))
        });
        let every = self
            .every
            .map(|every| Printed::new("every", every.not, every.value));
        let packet = self
            .packet
            .map(|packet| Printed::new("packet", false, packet));
        [
            Some(Printed::new("mode", false, mode)),
            probability,
            every,
            packet,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        prints(
            Family::V4,
            &[
                (
                    "-m statistic --probability 0.5 --mode random",
                    "-m statistic --mode random --probability 0.50000000000",
                ),
                (
                    "-m statistic --mode random ! --probability 1e-3",
                    "-m statistic --mode random ! --probability 0.00100000016",
                ),
                (
                    "-m statistic --mode random --probability .33",
                    "-m statistic --mode random --probability 0.33000000007",
                ),
                (
                    "-m statistic --mode random --probability 1",
                    "-m statistic --mode random --probability 1.00000000000",
                ),
                (
                    "-m statistic --mode random --probability 0.0000000001",
                    "-m statistic --mode random --probability 0.00000000000",
                ),
                (
                    "-m statistic --mode nth --packet 0x2 ! --every 3",
                    "-m statistic --mode nth ! --every 3 --packet 2",
                ),
                (
                    "-m statistic --mode nth --every 4294967295 --packet 4294967294",
                    "-m statistic --mode nth --every 4294967295 --packet 4294967294",
                ),
            ],
        );
        refuses(
            Family::V6,
            &[
                ("-m statistic", "`statistic` needs `--mode`", "statistic"),
                ("-m statistic --mode nt", "no mode is called `nt`", "nt"),
                (
                    "-m statistic --mode random",
                    "`statistic` needs `--probability`",
                    "statistic",
                ),
                (
                    "-m statistic --mode nth --packet 1",
                    "`statistic` needs `--every`",
                    "statistic",
                ),
                (
                    "-m statistic --mode nth --every 2",
                    "`statistic` needs `--packet`",
                    "statistic",
                ),
                (
                    "-m statistic --mode random --every 2",
                    "`--every` is not for the mode `random`",
                    "--every 2",
                ),
                (
                    "-m statistic --mode random --probability 1.1",
                    "`1.1` is not a probability",
                    "1.1",
                ),
                (
                    "-m statistic --mode random --probability inf",
                    "`inf` is not a probability",
                    "inf",
                ),
                (
                    "-m statistic --mode nth --every 0 --packet 0",
                    "`0` is not a number of packets",
                    "0",
                ),
                (
                    "-m statistic --mode nth --every 2 --packet 2",
                    "`2` is not one of these packets",
                    "2",
                ),
            ],
        );
    }
}

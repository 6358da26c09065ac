// SPDX-License-Identifier: GPL-2.0
//! `-m limit`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Limit;
use oxtables_engine::uapi::field::Within;

use super::rates::{self, Rate};
use super::{numbers, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;

/// The rate without `--limit`.
const RATE: Rate = Rate {
    count: 3,
    seconds: 60 * 60,
};

/// The burst without `--limit-burst`.
const BURST: u32 = 5;

impl Extension for Limit {
    const ABOUT: About = About {
        name: "limit",
        summary: "so many packets in a time, and some at once",
        options: &[
            Opt::plain(
                "limit",
                &["NUMBER[/UNIT]"],
                "as many as this in a second, minute, hour or day; 3/hour without it",
            ),
            Opt::plain(
                "limit-burst",
                &["NUMBER"],
                "so many at once, 1 to 10000; 5 without it",
            ),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let scale = u64::from(Self::SCALE);
        let period = match options.get("limit").map(|given| given.value()) {
            Some(token) => Rate::parse(token)?.period(scale, token)?,
            None => scale * RATE.seconds / RATE.count,
        };
        let burst = match options.get("limit-burst").map(|given| given.value()) {
            Some(token) => numbers::within(token, 1, Self::MAX_BURST.into(), "a burst")?,
            None => BURST,
        };
        // No rate is lower than one a day, which is the longest period.
        let fits = || Problem::new(options.span, "the limit is out of range");
        Ok(Self {
            period: Within::new(period as u32).ok_or_else(fits)?,
            burst: Within::new(burst).ok_or_else(fits)?,
            full_at: options.memory()?,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let (_, rate) = rates::printed(self.period.number().into(), Self::SCALE.into());
        let burst = self.burst.number();
        let burst = (burst != BURST).then(|| Printed::new("limit-burst", false, burst));
        [Printed::new("limit", false, rate)]
            .into_iter()
            .chain(burst)
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
                ("-m limit", "-m limit --limit 3/hour"),
                ("-m limit --limit 5", "-m limit --limit 5/sec"),
                (
                    "-m limit --limit 10/MINUTE --limit-burst 7",
                    "-m limit --limit 10/min --limit-burst 7",
                ),
                (
                    "-m limit --limit 1/d --limit-burst 1",
                    "-m limit --limit 1/day --limit-burst 1",
                ),
                // What is rounded is printed as it was rounded to, and in a shorter unit where that is as good.
                ("-m limit --limit 7/second", "-m limit --limit 7/sec"),
                ("-m limit --limit 3000/s", "-m limit --limit 3333/sec"),
                ("-m limit --limit 6000/min", "-m limit --limit 100/sec"),
                ("-m limit --limit 24/day", "-m limit --limit 1/hour"),
                ("-m limit --limit 90/min", "-m limit --limit 90/min"),
                ("-m limit --limit 10000/s", "-m limit --limit 10000/sec"),
                ("-m limit --limit-burst 5", "-m limit --limit 3/hour"),
            ],
        );
        refuses(
            Family::V6,
            &[
                (
                    "-m limit --limit 10001/sec",
                    "`10001/sec` is too high a rate",
                    "10001/sec",
                ),
                ("-m limit --limit 0/sec", "`0/sec` is not a rate", "0/sec"),
                ("-m limit --limit 5/", "`5/` is not a rate", "5/"),
                (
                    "-m limit --limit 5/week",
                    "`5/week` is not a rate",
                    "5/week",
                ),
                ("-m limit --limit +5", "`+5` is not a rate", "+5"),
                (
                    "-m limit --limit 5/sec/min",
                    "`5/sec/min` is not a rate",
                    "5/sec/min",
                ),
                (
                    "-m limit --limit 99999999999999999999",
                    "`99999999999999999999` is not a rate",
                    "99999999999999999999",
                ),
                ("-m limit --limit-burst 0", "`0` is not a burst", "0"),
                (
                    "-m limit --limit-burst 10001",
                    "`10001` is not a burst",
                    "10001",
                ),
                (
                    "-m limit ! --limit 5",
                    "`!` can't stand before `--limit`",
                    "! --limit",
                ),
            ],
        );
    }
}

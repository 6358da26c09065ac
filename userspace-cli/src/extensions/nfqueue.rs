// SPDX-License-Identifier: GPL-2.0
//! `-j NFQUEUE`

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::targets::Nfqueue;

use super::{numbers, ranges, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// The first queue of a range, and how many there are.
fn balance(token: &Token) -> Result<(u16, u16), Problem> {
    let queues = ranges::range(token, u16::MAX, "a queue")?;
    match (queues.last - queues.first).checked_add(1) {
        Some(1) => Err(Problem::new(token.span, "one queue has nothing to balance")
            .expected("two queues at least, as in 0:3")),
        Some(total) => Ok((queues.first, total)),
        None => Err(Problem::new(token.span, "too many queues").expected("65535 at most")),
    }
}

impl Extension for Nfqueue {
    const ABOUT: About = About {
        name: "NFQUEUE",
        summary: "let a program decide about the packet",
        options: &[
            Opt::plain(
                "queue-num",
                &["NUMBER"],
                "the queue that it reads; 0 without it",
            ),
            Opt::plain(
                "queue-balance",
                &["FIRST:LAST"],
                "several queues; packets between the same addresses go to the same one",
            ),
            Opt::plain(
                "queue-bypass",
                &[],
                "let the packet pass where no program reads the queue",
            ),
            Opt::plain(
                "queue-cpu-fanout",
                &[],
                "let the CPU choose among the queues of --queue-balance",
            ),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let (queue, total) = match (options.get("queue-num"), options.get("queue-balance")) {
            (Some(_), Some(given)) => {
                let what = "`--queue-num` and `--queue-balance` exclude each other";
                return Err(Problem::new(given.span, what));
            }
            (Some(given), None) => {
                let queue = numbers::number(given.value(), u16::MAX.into(), "a queue")?;
                (queue, 1)
            }
            (None, Some(given)) => balance(given.value())?,
            (None, None) => (0, 1),
        };
        let fanout = options.get("queue-cpu-fanout");
        if let Some(given) = fanout.filter(|_| total == 1) {
            return Err(Problem::new(
                given.span,
                "`--queue-cpu-fanout` has nothing to choose from",
            )
            .expected("--queue-balance beside it"));
        }
        Ok(Self {
            queue,
            total,
            bypass: options.get("queue-bypass").is_some(),
            cpu_fanout: fanout.is_some(),
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let queues = match self.total {
            0 | 1 => Printed::new("queue-num", false, self.queue),
            total => {
                let last = self.queue.saturating_add(total - 1);
                Printed::new("queue-balance", false, format!("{}:{last}", self.queue))
            }
        };
        let bypass = self.bypass.then(|| Printed::flag("queue-bypass"));
        let fanout = self.cpu_fanout.then(|| Printed::flag("queue-cpu-fanout"));
        [Some(queues), bypass, fanout]
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
            Family::V6,
            &[
                ("-j NFQUEUE", "-j NFQUEUE --queue-num 0"),
                (
                    "-j NFQUEUE --queue-bypass --queue-num 0x10",
                    "-j NFQUEUE --queue-num 16 --queue-bypass",
                ),
                (
                    "-j NFQUEUE --queue-cpu-fanout --queue-bypass --queue-balance 2:5",
                    "-j NFQUEUE --queue-balance 2:5 --queue-bypass --queue-cpu-fanout",
                ),
                (
                    "-j NFQUEUE --queue-balance 1:",
                    "-j NFQUEUE --queue-balance 1:65535",
                ),
            ],
        );
        refuses(
            Family::V4,
            &[
                (
                    "-j NFQUEUE --queue-num 65536",
                    "`65536` is not a queue",
                    "65536",
                ),
                (
                    "-j NFQUEUE --queue-balance 3",
                    "one queue has nothing to balance",
                    "3",
                ),
                ("-j NFQUEUE --queue-balance 5:2", "range is reversed", "5:2"),
                (
                    "-j NFQUEUE --queue-balance 0:65535",
                    "too many queues",
                    "0:65535",
                ),
                (
                    "-j NFQUEUE --queue-num 1 --queue-balance 1:2",
                    "`--queue-num` and `--queue-balance` exclude each other",
                    "--queue-balance 1:2",
                ),
                (
                    "-j NFQUEUE --queue-cpu-fanout",
                    "`--queue-cpu-fanout` has nothing to choose from",
                    "--queue-cpu-fanout",
                ),
            ],
        );
    }
}

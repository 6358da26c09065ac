// SPDX-License-Identifier: GPL-2.0
//! `-m u32`

use oxtables_engine::alloc::{KVec, GFP_KERNEL};
use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::{Operation, Test, Tests, U32};
use oxtables_engine::uapi::field::Not;
use oxtables_engine::uapi::range::Range;

use super::{numbers, About, Extension, Opt, Options, Printed};
use crate::diagnostic::{Problem, Span};
use crate::language::lexer::Token;

/// Reads tests from a word, a number and a sign at a time; blanks may stand between them.
struct Scanner<'a> {
    word: &'a Token,
    at: usize,
}

impl Scanner<'_> {
    fn rest(&self) -> &[u8] {
        self.word.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        let blanks = self.rest().iter().take_while(|b| b.is_ascii_whitespace());
        self.at += blanks.count();
    }

    fn at_end(&mut self) -> bool {
        self.skip_blanks();
        self.rest().is_empty()
    }

    /// Whether a sign stands here; then it is read.
    fn sign(&mut self, sign: &str) -> bool {
        self.skip_blanks();
        let found = self.rest().starts_with(sign.as_bytes());
        if found {
            self.at += sign.len();
        }
        found
    }

    fn number(&mut self, max: u32, what: &str) -> Result<(u32, Span), Problem> {
        self.skip_blanks();
        let digits = self.rest().iter().take_while(|b| b.is_ascii_alphanumeric());
        let end = self.at + digits.count();
        if end == self.at {
            return Err(self.unexpected("a number"));
        }
        let digits = self.word.part(self.at, end);
        self.at = end;
        let number = numbers::number(&digits, max.into(), what)?;
        Ok((number, digits.span))
    }

    /// What to say where something else stands than should.
    fn unexpected(&mut self, expected: &str) -> Problem {
        let problem = if self.at_end() {
            Problem::new(self.word.span, "the tests of `--u32` break off")
        } else {
            let found = self.word.part(self.at, self.at + 1);
            let text = format!("`{}` can't stand here", found.lossy());
            Problem::new(found.span, text)
        };
        problem.expected(expected)
    }

    /// A location, up to its `=`.
    fn location(&mut self) -> Result<Test, Problem> {
        let (offset, _) = self.number(u32::MAX, "an offset")?;
        let mut test = Test::new(offset);
        while !self.sign("=") {
            // `&&` would be read as two of them; it can only follow values.
            let operation = if !self.rest().starts_with(b"&&") && self.sign("&") {
                let (bits, span) = self.number(u32::MAX, "a mask of 32 bits")?;
                (Operation::And(bits), span)
            } else if self.sign("<<") {
                let (by, span) = self.number(u32::BITS - 1, "a number of bits to shift by")?;
                (Operation::Left(by), span)
            } else if self.sign(">>") {
                let (by, span) = self.number(u32::BITS - 1, "a number of bits to shift by")?;
                (Operation::Right(by), span)
            } else if self.sign("@") {
                let (offset, span) = self.number(u32::MAX, "an offset")?;
                (Operation::At(offset), span)
            } else {
                return Err(self.unexpected("`&`, `<<`, `>>`, `@` or `=`"));
            };
            let (operation, span) = operation;
            test.operate(operation).ok_or_else(|| {
                Problem::new(span, "too many numbers in one location")
                    .expected(format!("at most {}", Tests::MAX))
            })?;
        }
        Ok(test)
    }

    /// The values of a test; whether another test follows.
    fn values(&mut self, test: &mut Test) -> Result<bool, Problem> {
        loop {
            let (first, start) = self.number(u32::MAX, "a number of 32 bits")?;
            let (last, end) = if self.sign(":") {
                self.number(u32::MAX, "a number of 32 bits")?
            } else {
                (first, start)
            };
            if first > last {
                return Err(Problem::new(start.to(end), "range is reversed")
                    .expected("the lower number first"));
            }
            test.allow(Range { first, last }).ok_or_else(|| {
                Problem::new(start.to(end), "too many values in one test")
                    .expected(format!("at most {}", Tests::MAX))
            })?;
            if self.at_end() {
                return Ok(false);
            }
            if self.sign("&&") {
                return Ok(true);
            }
            if !self.sign(",") {
                return Err(self.unexpected("`,` or `&&`"));
            }
        }
    }
}

/// The tests that a word describes.
fn tests(word: &Token) -> Result<Tests, Problem> {
    let no_memory = |_| Problem::new(word.span, "out of memory");
    let mut scanner = Scanner { word, at: 0 };
    let mut tests = KVec::new();
    loop {
        let mut test = scanner.location()?;
        let more = scanner.values(&mut test)?;
        tests.push(test, GFP_KERNEL).map_err(no_memory)?;
        if !more {
            break;
        }
    }
    Tests::new(tests).ok_or_else(|| {
        Problem::new(word.span, "too many tests for one `--u32`")
            .expected(format!("at most {}", Tests::MAX))
            .help("write `-m u32 --u32` once more for the others")
    })
}

/// A test as iptables-save prints it, without blanks and in hexadecimal.
fn text(test: &Test) -> String {
    let mut text = format!("{:#x}", test.offset());
    for operation in test.operations() {
        text += &match operation {
            Operation::And(bits) => format!("&{bits:#x}"),
            Operation::Left(by) => format!("<<{by:#x}"),
            Operation::Right(by) => format!(">>{by:#x}"),
            Operation::At(offset) => format!("@{offset:#x}"),
        };
    }
    let ranges = test.ranges().iter().map(|range| {
        if range.first == range.last {
            format!("{:#x}", range.first)
        } else {
            format!("{:#x}:{:#x}", range.first, range.last)
        }
    });
    let ranges: Vec<_> = ranges.collect();
    format!("{text}={}", ranges.join(","))
}

impl Extension for U32 {
    const ABOUT: About = About {
        name: "u32",
        summary: "numbers of 32 bits from anywhere in the packet",
        options: &[Opt::negatable(
            "u32",
            &[],
            &["TESTS"],
            "tests like \"0 >> 22 & 0x3c @ 0 & 0xffff = 22, 80:90\", joined by &&: \
             the number at an offset from the IP header (after @ from where it led), \
             what is left of it, and its values",
        )],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        Ok(Self {
            tests: Not {
                value: tests(given.value())?,
                not: given.not,
            },
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let tests: Vec<_> = self.tests.value.tests().iter().map(text).collect();
        let tests = tests.join("&&");
        vec![Printed::quoted("u32", self.tests.not, tests.as_bytes())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, problem_of, refuses};

    #[test]
    fn rules() {
        prints(
            Family::V4,
            &[
                (
                    r#"-m u32 --u32 "0 & 0xFFFF = 0x100:0xFFFF""#,
                    r#"-m u32 --u32 "0x0&0xffff=0x100:0xffff""#,
                ),
                (
                    r#"-m u32 ! --u32 "6 & 0xFF = 1 && 4&0x3FFF=0 && 0>>22&0x3C@ 0 >>24=0,8 , 3:010""#,
                    r#"-m u32 ! --u32 "0x6&0xff=0x1&&0x4&0x3fff=0x0&&0x0>>0x16&0x3c@0x0>>0x18=0x0,0x8,0x3:0x8""#,
                ),
                (
                    "-m u32 --u32 0<<31=0x80000000",
                    r#"-m u32 --u32 "0x0<<0x1f=0x80000000""#,
                ),
            ],
        );
    }

    #[test]
    fn what_is_wrong_is_shown_where_it_is() {
        refuses(
            Family::V6,
            &[
                ("-m u32", "`u32` needs an option", "u32"),
                (
                    r#"-m u32 --u32 """#,
                    "the tests of `--u32` break off",
                    r#""""#,
                ),
                ("-m u32 --u32 0", "the tests of `--u32` break off", "0"),
                ("-m u32 --u32 0=", "the tests of `--u32` break off", "0="),
                (
                    "-m u32 --u32 0=1&&",
                    "the tests of `--u32` break off",
                    "0=1&&",
                ),
                (r#"-m u32 --u32 "=1""#, "`=` can't stand here", "="),
                (r#"-m u32 --u32 "0 && 1=1""#, "`&` can't stand here", "&"),
                (r#"-m u32 --u32 "0=1 & 1=1""#, "`&` can't stand here", "&"),
                (r#"-m u32 --u32 "0 < 1 = 1""#, "`<` can't stand here", "<"),
                (r#"-m u32 --u32 "0 = 1 2""#, "`2` can't stand here", "2"),
                (r#"-m u32 --u32 "0 = 1,,2""#, "`,` can't stand here", ","),
                (
                    r#"-m u32 --u32 "0 >> 32 = 1""#,
                    "`32` is not a number of bits to shift by",
                    "32",
                ),
                (
                    r#"-m u32 --u32 "0 = 0x100000000""#,
                    "`0x100000000` is not a number of 32 bits",
                    "0x100000000",
                ),
                (r#"-m u32 --u32 "0 = 9 : 1""#, "range is reversed", "9 : 1"),
                ("-m u32 --u32 0x=1", "`0x` is not an offset", "0x"),
            ],
        );
    }

    #[test]
    fn limits_are_those_of_iptables() {
        let list = |one: &str, by: &str, count| vec![one; count].join(by);
        for (count, wrong) in [(10, false), (11, true)] {
            for (rule, message) in [
                (
                    format!("-m u32 --u32 {}", list("0=1", "&&", count)),
                    "too many tests for one `--u32`",
                ),
                (
                    format!("-m u32 --u32 {}=1", list("0", "@", count)),
                    "too many numbers in one location",
                ),
                (
                    format!("-m u32 --u32 0={}", list("1", ",", count)),
                    "too many values in one test",
                ),
            ] {
                // A rule without the mistake is refused for the target that there is not.
                let (problem, _) = problem_of(&format!("{rule} -j NONE"), Family::V4);
                assert_eq!(problem.message == message, wrong, "{rule}");
            }
        }
    }
}

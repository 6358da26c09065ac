// SPDX-License-Identifier: GPL-2.0
//! `-m string`

use oxtables_engine::alloc::{KVec, GFP_KERNEL};
use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::{Search, StringMatch};
use oxtables_engine::engine::search::{Algorithm, Pattern};
use oxtables_engine::uapi::field::Not;

use super::{numbers, About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// The names of algorithms.
const ALGORITHMS: [(&str, Algorithm); 2] = [
    ("bm", Algorithm::BoyerMoore),
    ("kmp", Algorithm::KnuthMorrisPratt),
];

fn algorithm(token: &Token) -> Result<Algorithm, Problem> {
    let name = token.lossy();
    let known = ALGORITHMS.iter().find(|(known, _)| *known == name);
    known.map(|(_, algorithm)| *algorithm).ok_or_else(|| {
        Problem::new(token.span, format!("no algorithm is called `{name}`"))
            .expected("`bm` or `kmp`")
            .suggest(&name, ALGORITHMS.iter().map(|(name, _)| *name))
    })
}

/// The bytes that a word of `--hex-string` stands for: text, and between bars two digits a byte. A backslash
/// makes the next character of the text stand for itself, and so does, as to iptables, the end of a block.
fn hex(token: &Token) -> Result<Vec<u8>, Problem> {
    let text = &token.text;
    let wrong = |from: usize, to: usize, message: &str| {
        Problem::new(token.part(from, to.min(text.len())).span, message)
    };
    let mut bytes = Vec::new();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'|' => {
                let block = text[at + 1..].iter().position(|byte| *byte == b'|');
                let end = block.map(|length| at + 1 + length).ok_or_else(|| {
                    wrong(
                        at,
                        text.len(),
                        "the block of hexadecimal digits is not closed",
                    )
                    .expected("a `|` at its end")
                })?;
                let mut digits = (at + 1..end)
                    .filter(|&place| text[place] != b' ')
                    .peekable();
                if digits.peek().is_none() {
                    return Err(wrong(
                        at,
                        end + 1,
                        "the block of hexadecimal digits is empty",
                    ));
                }
                while let Some(first) = digits.next() {
                    let second = digits.next().unwrap_or(end);
                    let value = |place: usize| {
                        let digit = char::from(text[place]).to_digit(16);
                        digit.ok_or_else(|| {
                            wrong(place, place + 1, "a hexadecimal digit is missing")
                                .expected("two of them for each byte")
                        })
                    };
                    bytes.push((value(first)? << 4 | value(second)?) as u8);
                }
                bytes.extend(text.get(end + 1));
                at = end + 2;
            }
            b'\\' => {
                let next = text.get(at + 1).ok_or_else(|| {
                    wrong(at, at + 1, "a backslash can't be the last character")
                        .expected("the character that stands for itself")
                })?;
                bytes.push(*next);
                at += 2;
            }
            _ => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    Ok(bytes)
}

fn pattern(token: &Token, bytes: &[u8]) -> Result<Pattern, Problem> {
    let mut copy = KVec::new();
    copy.extend_from_slice(bytes, GFP_KERNEL)
        .map_err(|_| Problem::new(token.span, "out of memory"))?;
    Pattern::new(copy).ok_or_else(|| match bytes.len() {
        0 => {
            Problem::new(token.span, "there is nothing to search for").expected("at least one byte")
        }
        length => Problem::new(token.span, "string is too long")
            .label(format!("{length} bytes, of which {} fit", Pattern::MAX)),
    })
}

impl Extension for StringMatch {
    const ABOUT: About = About {
        name: "string",
        summary: "a string anywhere in the packet, or in a part of it; needs --algo",
        options: &[
            Opt::negatable(
                "string",
                &[],
                &["TEXT"],
                "the packet holds TEXT, up to 128 bytes",
            ),
            Opt::negatable(
                "hex-string",
                &[],
                &["TEXT"],
                "the same, with bytes in hexadecimal between bars: \"GET|0d 0a|\"",
            ),
            Opt::plain(
                "algo",
                &["NAME"],
                "how it is searched: bm (Boyer-Moore) or kmp (Knuth-Morris-Pratt)",
            ),
            Opt::plain(
                "from",
                &["OFFSET"],
                "it begins at OFFSET or later, in bytes from the IP header",
            ),
            Opt::plain(
                "to",
                &["OFFSET"],
                "it ends before OFFSET, in bytes from the IP header",
            ),
            Opt::plain("icase", &[], "upper and lower case are the same"),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let (given, bytes) = match (options.get("string"), options.get("hex-string")) {
            (Some(given), None) => (given, given.value().text.clone()),
            (None, Some(given)) => (given, hex(given.value())?),
            (Some(_), Some(second)) => {
                return Err(Problem::new(
                    second.span,
                    "`--string` and `--hex-string` exclude each other",
                ))
            }
            (None, None) => {
                return Err(Problem::new(options.span, "`string` needs a string")
                    .expected("--string or --hex-string"))
            }
        };
        let algo = options.get("algo").ok_or_else(|| {
            Problem::new(options.span, "`string` needs an algorithm")
                .expected("--algo bm or --algo kmp")
        })?;
        let offset = |name, absent| match options.get(name) {
            Some(given) => numbers::number(given.value(), u16::MAX.into(), "an offset"),
            None => Ok(absent),
        };
        let search = Search {
            algorithm: algorithm(algo.value())?,
            pattern: Not {
                value: pattern(given.value(), &bytes)?,
                not: given.not,
            },
            icase: options.get("icase").is_some(),
            from: offset("from", 0)?,
            to: offset("to", u16::MAX)?,
        };
        Self::new(search).map_err(|_| Problem::new(options.span, "out of memory"))
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let search = self.search();
        let Not { value, not } = &search.pattern;
        let bytes = value.as_bytes();
        // What iptables-restore would not read as it was written is printed in hexadecimal.
        let plain = bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) && !bytes.ends_with(b"\\");
        let pattern = if plain {
            Printed::quoted("string", *not, bytes)
        } else {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            Printed::quoted("hex-string", *not, format!("|{digits}|").as_bytes())
        };
        let algorithm = ALGORITHMS
            .iter()
            .find(|(_, algorithm)| *algorithm == search.algorithm);
        let algorithm = algorithm.map_or("bm", |(name, _)| name);
        let mut printed = vec![pattern, Printed::new("algo", false, algorithm)];
        if search.from != 0 {
            printed.push(Printed::new("from", false, search.from));
        }
        if search.to != u16::MAX {
            printed.push(Printed::new("to", false, search.to));
        }
        if search.icase {
            printed.push(Printed::flag("icase"));
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
        prints(
            Family::V4,
            &[
                (
                    "-m string --algo bm --string test",
                    r#"-m string --string "test" --algo bm"#,
                ),
                (
                    r#"-m string --icase --to 0x64 --from 010 --algo kmp ! --string "a \"b\" \\ it's |41|""#,
                    r#"-m string ! --string "a \"b\" \\ it's |41|" --algo kmp --from 8 --to 100 --icase"#,
                ),
                (
                    r#"-m string --hex-string "a|62|c\\|" --algo bm --from 0 --to 65535"#,
                    r#"-m string --string "abc|" --algo bm"#,
                ),
                (
                    r#"-m string --hex-string "|03|www|09|netfilter|03|org|00|" --algo bm"#,
                    r#"-m string --hex-string "|03777777096e657466696c746572036f726700|" --algo bm"#,
                ),
                (
                    r#"-m string ! --hex-string "| 0D 0a|" --algo bm"#,
                    r#"-m string ! --hex-string "|0d0a|" --algo bm"#,
                ),
                (
                    r#"-m string --string "a\\" --algo bm"#,
                    r#"-m string --hex-string "|615c|" --algo bm"#,
                ),
                // A block that follows another is not one to iptables.
                (
                    r#"-m string --hex-string "|41||42|43|" --algo bm"#,
                    r#"-m string --string "A|42C" --algo bm"#,
                ),
            ],
        );
    }

    #[test]
    fn what_is_wrong_is_shown_where_it_is() {
        refuses(
            Family::V6,
            &[
                ("-m string", "`string` needs a string", "string"),
                (
                    "-m string --string x",
                    "`string` needs an algorithm",
                    "string",
                ),
                ("-m string --algo bm", "`string` needs a string", "string"),
                (
                    "-m string --algo fsm --string x",
                    "no algorithm is called `fsm`",
                    "fsm",
                ),
                (
                    "-m string --algo bm --string x --hex-string y",
                    "`--string` and `--hex-string` exclude each other",
                    "--hex-string y",
                ),
                (
                    r#"-m string --algo bm --string """#,
                    "there is nothing to search for",
                    r#""""#,
                ),
                (
                    "-m string --algo bm --string x --from 65536",
                    "`65536` is not an offset",
                    "65536",
                ),
                (
                    "-m string --algo bm --string x --from 5 --to 4",
                    "--from lies behind --to",
                    "string",
                ),
                (
                    r#"-m string --algo bm --hex-string "x|41""#,
                    "the block of hexadecimal digits is not closed",
                    "|41",
                ),
                (
                    "-m string --algo bm --hex-string ||",
                    "the block of hexadecimal digits is empty",
                    "||",
                ),
                (
                    "-m string --algo bm --hex-string |414|",
                    "a hexadecimal digit is missing",
                    "|",
                ),
                (
                    "-m string --algo bm --hex-string |4g|",
                    "a hexadecimal digit is missing",
                    "g",
                ),
                (
                    r"-m string --algo bm --hex-string x\",
                    "a backslash can't be the last character",
                    r"\",
                ),
            ],
        );
    }

    #[test]
    fn a_string_has_up_to_128_bytes() {
        let full = "x".repeat(128);
        let rule = format!("-m string --string \"{full}\" --algo kmp");
        prints(Family::V4, &[(&rule, &rule)]);
        let (problem, piece) = problem_of(
            &format!("-m string --algo kmp --string {full}x"),
            Family::V4,
        );
        assert_eq!(problem.message, "string is too long");
        assert_eq!(problem.label, "129 bytes, of which 128 fit");
        assert_eq!(piece.len(), 129);
    }
}

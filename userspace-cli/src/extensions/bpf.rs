// SPDX-License-Identifier: GPL-2.0
//! `-m bpf`

use std::str::FromStr;

use oxtables_engine::alloc::{KVec, GFP_KERNEL};
use oxtables_engine::engine::bpf::{Fault, Instruction, Program};
use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Bpf;

use super::{About, Extension, Opt, Options, Printed};
use crate::diagnostic::Problem;
use crate::language::lexer::Token;

/// A number of an instruction; as to iptables it is decimal, whatever it begins with.
fn number<T: FromStr>(token: &Token, what: &str, bits: u32) -> Result<T, Problem> {
    let text = token.lossy();
    let number = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| {
        Problem::new(token.span, format!("`{text}` is not {what}"))
            .expected(format!("a decimal number of {bits} bits"))
    })
}

/// The words of a part of the program.
fn words(part: &Token) -> Vec<Token> {
    let mut words = Vec::new();
    let mut start = None;
    for at in 0..=part.text.len() {
        let blank = part.text.get(at).is_none_or(u8::is_ascii_whitespace);
        match start {
            Some(from) if blank => {
                words.push(part.part(from, at));
                start = None;
            }
            None if !blank => start = Some(at),
            _ => (),
        }
    }
    words
}

fn instruction(part: &Token) -> Result<Instruction, Problem> {
    match &words(part)[..] {
        [code, jt, jf, k] => Ok(Instruction {
            code: number(code, "the code of an instruction", 16)?,
            jt: number(jt, "a distance to jump", 8)?,
            jf: number(jf, "a distance to jump", 8)?,
            k: number(k, "the constant of an instruction", 32)?,
        }),
        _ => Err(Problem::new(part.span, "an instruction has four numbers")
            .expected("its code, two distances to jump and a constant")),
    }
}

/// The program that a word holds: how many instructions it has, and the instructions, between commas.
fn program(token: &Token) -> Result<Program, Problem> {
    let no_memory = |_| Problem::new(token.span, "out of memory");
    let parts = token.split(b',');
    let (count, mut parts) = parts.split_first().ok_or_else(|| {
        Problem::new(token.span, "the program is empty").expected("a number of instructions")
    })?;
    // Programs that print instructions a line each leave a comma at the end when lines become parts.
    if let [rest @ .., last] = parts {
        if words(last).is_empty() {
            parts = rest;
        }
    }
    let length: usize = number(count, "a number of instructions", 16)?;
    if length != parts.len() {
        let problem = Problem::new(count.span, "the program has another length than it says");
        return Err(problem.label(format!("{} instructions follow", parts.len())));
    }
    let mut instructions = KVec::new();
    for part in parts {
        instructions
            .push(instruction(part)?, GFP_KERNEL)
            .map_err(no_memory)?;
    }
    Program::new(instructions).map_err(|fault| {
        let at = match fault {
            Fault::Instruction(at, _) => parts.get(at).unwrap_or(token),
            Fault::Length => count,
            Fault::NoMemory => token,
        };
        Problem::new(at.span, fault.what())
    })
}

impl Extension for Bpf {
    const ABOUT: About = About {
        name: "bpf",
        summary: "a program of classic BPF returns something other than 0",
        options: &[
            Opt::plain(
                "bytecode",
                &["PROGRAM"],
                "up to 64 instructions: \"LENGTH,CODE JT JF K,...\", as nfbpf_compile prints them",
            ),
            Opt::plain(
                "object-pinned",
                &["PATH"],
                "refused: eBPF would run outside of what the firewall checks",
            ),
        ],
        ..About::NONE
    };

    fn parse(options: &Options<'_>) -> Result<Self, Problem> {
        let given = options.only(&Self::ABOUT)?;
        if given.option.name == "object-pinned" {
            return Err(
                Problem::new(given.span, "`--object-pinned` is not supported")
                    .label("an eBPF program is run by the kernel, unseen by this firewall's checks")
                    .help("write a program of classic BPF with `--bytecode`"),
            );
        }
        Ok(Self {
            program: program(given.value())?,
        })
    }

    fn print(&self, _: Family) -> Vec<Printed> {
        let instructions = self.program.instructions();
        let numbers = instructions
            .iter()
            .map(|Instruction { code, jt, jf, k }| format!(",{code} {jt} {jf} {k}"));
        let text = instructions.len().to_string() + &numbers.collect::<String>();
        vec![Printed::quoted("bytecode", false, text.as_bytes())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::{prints, refuses};

    #[test]
    fn rules() {
        let wanted = r#"-m bpf --bytecode "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0""#;
        prints(
            Family::V6,
            &[
                (wanted, wanted),
                (
                    r#"-m bpf --bytecode "4,48 0 0 9, 21  0 1 06,6 0 0 1,6 0 0 0,""#,
                    wanted,
                ),
                // What an instruction does not use stays as it was written.
                (
                    r#"-m bpf --bytecode "1,6 1 255 4294967295""#,
                    r#"-m bpf --bytecode "1,6 1 255 4294967295""#,
                ),
            ],
        );
    }

    #[test]
    fn what_is_wrong_is_shown_where_it_is() {
        refuses(
            Family::V4,
            &[
                ("-m bpf", "`bpf` needs an option", "bpf"),
                (
                    "-m bpf --object-pinned /sys/fs/bpf/x",
                    "`--object-pinned` is not supported",
                    "--object-pinned /sys/fs/bpf/x",
                ),
                (
                    r#"-m bpf --bytecode """#,
                    "`` is not a number of instructions",
                    r#""""#,
                ),
                (
                    "-m bpf --bytecode 0,",
                    "a program has 1 to 64 instructions",
                    "0",
                ),
                (
                    r#"-m bpf --bytecode "2,6 0 0 1""#,
                    "the program has another length than it says",
                    "2",
                ),
                (
                    r#"-m bpf --bytecode "2,6 0 0,6 0 0 1""#,
                    "an instruction has four numbers",
                    "6 0 0",
                ),
                (
                    r#"-m bpf --bytecode "1,6 256 0 1""#,
                    "`256` is not a distance to jump",
                    "256",
                ),
                (
                    r#"-m bpf --bytecode "1,0x6 0 0 1""#,
                    "`0x6` is not the code of an instruction",
                    "0x6",
                ),
                (
                    r#"-m bpf --bytecode "2,5 0 0 1,6 0 0 1""#,
                    "jumps out of the program",
                    "5 0 0 1",
                ),
                (
                    r#"-m bpf --bytecode "2,48 0 0 9,52 0 0 0""#,
                    "division by zero",
                    "52 0 0 0",
                ),
            ],
        );
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Rulesets and texts at random: what is printed is read back as the same, and no text makes the reader panic.

#[allow(dead_code, reason = "the engine's tests use what these do not")]
#[path = "../../module/tests/generate/mod.rs"]
mod generate;

use oxtables::diagnostic::Source;
use oxtables::language::plan::{plan, How};
use oxtables::language::printer::{self, Which};
use oxtables::language::ruleset;
use oxtables::names::Names;
use oxtables_engine::engine::packet::{DeviceName, Family, Flat, Hook};
use oxtables_engine::engine::rules::targets::Log;
use oxtables_engine::engine::rules::{Env, Model, Program, Verdict};
use proptest::prelude::*;

fn print(model: &Model) -> Vec<u8> {
    printer::ruleset(model, Which::default(), true)
}

/// Reads a text into the rules that it stands for.
fn read(text: &[u8], family: Option<Family>) -> Result<Model, String> {
    let source = Source::new("test", text);
    let told = |problem| {
        let text = source.render(&problem);
        // What is shown of a file must not depend on what is in it.
        assert!(!text.is_empty());
        text
    };
    let ruleset = ruleset::parse(&source, &Names::default(), family)
        .map_err(|problems| problems.into_iter().map(told).collect::<String>())?;
    let how = How {
        keep: false,
        counters: true,
    };
    let planned = plan(ruleset, &Model::default(), how);
    planned.map(|plan| plan.result).map_err(told)
}

/// What a packet meets on its way.
#[derive(Debug, Default, PartialEq, Eq)]
struct Trace(Vec<String>);

impl Env for Trace {
    fn count(&mut self, slot: u32, bytes: u32) {
        self.0.push(format!("slot {slot}, {bytes} bytes"));
    }

    fn log(&mut self, log: &Log) {
        self.0.push(format!("{log:?}"));
    }

    fn set_mark(&mut self, mark: u32) {
        self.0.push(format!("mark {mark}"));
    }
}

fn judge(program: &Program, family: Family, hook: Hook, bytes: &[u8]) -> (Verdict, Trace) {
    let device = |there: bool| {
        let name: &[u8] = if there { b"eth0" } else { b"" };
        DeviceName::from_text(name).unwrap()
    };
    let packet = Flat {
        bytes,
        input: device(hook.has_input()),
        output: device(hook.has_output()),
    };
    let mut trace = Trace::default();
    (
        program.evaluate(family, &packet.at(hook), &mut trace),
        trace,
    )
}

/// Rulesets that the kernel would take: what is generated may have a REJECT where none can be.
fn accepted() -> impl Strategy<Value = Model> {
    generate::model().prop_filter("is refused as a whole", |model| {
        Program::compile(model).is_ok()
    })
}

/// Words that lines are made of, so that random texts come far.
const WORDS: [&str; 64] = [
    "*filter",
    ":INPUT",
    ":a",
    "-",
    "COMMIT",
    "family",
    "ipv4",
    "ipv6",
    "\n",
    "\n",
    "\n",
    "\n",
    "-A",
    "INPUT",
    "a",
    "-I",
    "-D",
    "-R",
    "-N",
    "-X",
    "-E",
    "-P",
    "-F",
    "-Z",
    "1",
    "0",
    "-j",
    "DROP",
    "ACCEPT",
    "REJECT",
    "LOG",
    "MARK",
    "-g",
    "!",
    "-p",
    "tcp",
    "udp",
    "icmp",
    "-m",
    "multiport",
    "comment",
    "mark",
    "--dport",
    "--sports",
    "1:2,3",
    "--syn",
    "--tcp-flags",
    "SYN,ACK",
    "--comment",
    "\"x y\"",
    "--mark",
    "0x1/0xff",
    "--set-mark",
    "--reject-with",
    "tcp-reset",
    "--log-level",
    "--log-prefix=p",
    "-s",
    "10.0.0.0/8,::1",
    "-d",
    "[1:2]",
    "-i",
    "eth+",
    "*own hooks=INPUT,OUTPUT place=-3",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_back_as_the_same_text(model in accepted()) {
        let first = print(&model);
        let again = read(&first, None).map(|model| print(&model));
        prop_assert_eq!(again.as_deref().map(String::from_utf8_lossy), Ok(String::from_utf8_lossy(&first)));
    }

    #[test]
    fn what_is_read_back_decides_the_same(
        model in accepted(),
        packets in prop::collection::vec(generate::packet(), 20),
    ) {
        let again = read(&print(&model), None).expect("what is printed can be read");
        let [model, again] = [model, again].map(|model| Program::compile(&model).ok().unwrap());
        for (family, hook, bytes) in packets {
            let (wanted, found) = (judge(&model, family, hook, &bytes), judge(&again, family, hook, &bytes));
            prop_assert_eq!(wanted, found);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&text, Some(Family::V4));
    }

    #[test]
    fn no_words_make_it_panic(
        words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..60),
        family in prop::option::of(prop::sample::select(Family::ALL.to_vec())),
    ) {
        let start = if family.is_some() { "*filter\n-A INPUT " } else { "" };
        let text = format!("{start}{}\nCOMMIT\n", words.join(" "));
        if let Ok(model) = read(text.as_bytes(), family) {
            let printed = print(&model);
            let again = read(&printed, None).map(|model| print(&model));
            prop_assert_eq!(again, Ok(printed));
        }
    }

    #[test]
    fn free_text_survives(comment in prop::collection::vec(1_u8.., 0..=255), prefix in prop::collection::vec(1_u8.., 0..=29)) {
        let line = |byte: &u8| *byte != b'\n';
        let [comment, prefix] = [comment, prefix].map(|text| text.into_iter().filter(line).collect::<Vec<_>>());
        let mut text = b"*filter\n-A INPUT -m comment --comment ".to_vec();
        oxtables::language::lexer::quote(&comment, &mut text);
        text.extend_from_slice(b" -j LOG --log-prefix ");
        oxtables::language::lexer::quote(&prefix, &mut text);
        text.extend_from_slice(b"\nCOMMIT\n");
        let model = read(&text, Some(Family::V6)).expect("any text can be a comment");
        let again = read(&print(&model), None).expect("what is printed can be read");
        prop_assert_eq!(&*again.tables[0].chains[0].rules[0].rule, &*model.tables[0].chains[0].rules[0].rule);
    }
}

// SPDX-License-Identifier: GPL-2.0
//! The way from a text to what becomes of a packet, for the property tests and the fuzzers.

use oxtables::diagnostic::Source;
use oxtables::language::plan::{plan, How};
use oxtables::language::printer::{self, Which};
use oxtables::language::ruleset;
use oxtables::names::Names;
use oxtables_engine::engine::packet::{
    Body, DeviceName, DropReason, Family, Flat, Hook, Input, Tracking,
};
use oxtables_engine::engine::rules::targets::Effect;
use oxtables_engine::engine::rules::trace::Step;
use oxtables_engine::engine::rules::{Env, Model, Program, Verdict};

/// The ruleset's text.
pub fn print(model: &Model) -> Vec<u8> {
    printer::ruleset(model, Which::default(), true)
}

/// Reads a text into the rules that it stands for; what is wrong with it otherwise.
pub fn read(text: &[u8], family: Option<Family>) -> Result<Model, String> {
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
pub struct Trace(Vec<String>);

impl Env for Trace {
    fn count(&mut self, slot: u32, bytes: u32) {
        self.0.push(format!("slot {slot}, {bytes} bytes"));
    }

    fn effect(&mut self, effect: &Effect) {
        self.0.push(format!("{effect:?}"));
    }

    fn set_mark(&mut self, mark: u32) {
        self.0.push(format!("mark {mark}"));
    }

    fn set_traced(&mut self) {
        self.0.push("traced".to_owned());
    }

    fn trace(&mut self, step: &Step<'_>) {
        self.0.push(format!("{step:?}"));
    }

    fn track(&mut self, packet: &Body<'_>) -> Result<Tracking, DropReason> {
        self.0.push("tracked".to_owned());
        Ok(packet.tracking)
    }

    fn untrack(&mut self) {
        self.0.push("untracked".to_owned());
    }

    fn set_connection_mark(&mut self, mark: u32) {
        self.0.push(format!("connection mark {mark}"));
    }
}

/// What becomes of a packet, of which at most `linear` bytes lie in one piece.
pub fn judge(
    program: &Program,
    family: Family,
    hook: Hook,
    bytes: &[u8],
    linear: usize,
) -> (Verdict, Trace) {
    let device = |there: bool| {
        let name: &[u8] = if there { b"eth0" } else { b"" };
        DeviceName::from_text(name).unwrap()
    };
    let flat = Flat {
        bytes,
        input: device(hook.has_input()),
        output: device(hook.has_output()),
        ..Flat::default()
    };
    let input = Input {
        linear: &bytes[..linear.min(bytes.len())],
        ..flat.at(hook)
    };
    let mut trace = Trace::default();
    (program.evaluate(family, &input, &mut trace), trace)
}

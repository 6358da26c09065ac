// SPDX-License-Identifier: GPL-2.0
//! Rulesets and texts at random: what is printed is read back as the same, and no text makes the reader panic.

#[allow(dead_code, reason = "the engine's tests use what these do not")]
#[path = "../../module/tests/generate/mod.rs"]
mod generate;

mod walk;

use oxtables::extensions::{self, About, Opt, MATCHES, TARGETS};
use oxtables::language::options::{BASE, COMMANDS};
use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::{Model, Program};
use proptest::prelude::*;
use walk::{judge, print, read};

/// Rulesets that the kernel would take: what is generated may have a REJECT where none can be.
fn accepted() -> impl Strategy<Value = Model> {
    generate::model().prop_filter("is refused as a whole", |model| {
        Program::compile(model).is_ok()
    })
}

/// Words that lines are made of, so that random texts come far.
const WORDS: [&str; 38] = [
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
    "INPUT",
    "a",
    "1",
    "0",
    "!",
    "-j",
    "-g",
    "-m",
    "-p",
    "tcp",
    "udp",
    "icmp",
    "DROP",
    "1:2,3",
    "SYN,ACK",
    "\"x y\"",
    "0x1/0xff",
    "tcp-reset",
    "--log-prefix=p",
    "-s",
    "10.0.0.0/8,::1",
    "-d",
    "[1:2]",
    "-i",
    "eth+",
    "*own hooks=INPUT,OUTPUT place=-3",
];

/// The names that an extension's options take as their values; what they stand for comes after a blank.
fn vocabulary(about: &About) -> Vec<String> {
    let names = about.vocabularies.iter().flat_map(|it| (it.names)());
    let first = names.filter_map(|name| name.split_whitespace().next().map(str::to_owned));
    first.collect()
}

/// All that the command knows the name of: options and commands, matches and targets, what stands for values.
fn known() -> Vec<String> {
    let abouts = || {
        let matches = MATCHES.iter().map(|entry| entry.about);
        matches.chain(TARGETS.iter().map(|entry| entry.about))
    };
    let options = abouts().flat_map(|about| about.options);
    let long = options
        .chain(BASE)
        .chain(COMMANDS.iter().map(|(_, option)| option));
    let long = long.flat_map(Opt::names).map(|name| format!("--{name}"));
    let short = BASE.iter().chain(COMMANDS.iter().map(|(_, option)| option));
    let short = short
        .filter_map(|option| option.short)
        .map(|letter| format!("-{letter}"));
    let values = abouts().flat_map(vocabulary);
    let names = extensions::match_names()
        .chain(extensions::target_names())
        .map(str::to_owned);
    long.chain(short).chain(values).chain(names).collect()
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => prop::sample::select(WORDS.map(str::to_owned).to_vec()),
        1 => prop::sample::select(known()),
    ]
}

/// A match or target with some of its options, and words in the place of their values.
fn phrase() -> impl Strategy<Value = String> {
    let matches = MATCHES.iter().map(|entry| ("-m", entry.about));
    let targets = TARGETS.iter().map(|entry| ("-j", entry.about));
    let abouts: Vec<_> = matches.chain(targets).collect();
    let option = (
        any::<prop::sample::Index>(),
        any::<bool>(),
        prop::collection::vec(value(), 3),
    );
    let options = prop::collection::vec(option, 0..4);
    (prop::sample::select(abouts), options).prop_map(|((flag, about), options)| {
        let mut text = format!("{flag} {}", about.name);
        for (index, not, values) in options {
            let Some(option) = (!about.options.is_empty()).then(|| index.get(about.options)) else {
                continue;
            };
            text += if not && option.negatable {
                " ! --"
            } else {
                " --"
            };
            text += option.name;
            let names = vocabulary(about);
            for value in values.iter().take(option.values.len()) {
                text.push(' ');
                text += match value {
                    Some(value) => value,
                    None if names.is_empty() => "1",
                    None => index.get::<String>(&names),
                };
            }
        }
        text
    })
}

/// What may be the value of an option; none for one of the names that its extension knows.
fn value() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        "[0-9]{1,3}(:[0-9]{1,3})?".prop_map(Some),
        "0x[0-9a-f]{1,8}(/0x[0-9a-f]{1,8})?".prop_map(Some),
        word().prop_map(Some),
    ]
}

/// What is done to a text's words: at a place, one is left out, comes twice, is another or has one before it.
#[derive(Clone, Debug)]
enum Edit {
    Drop,
    Repeat,
    Replace(String),
    Insert(String),
    Cut(prop::sample::Index),
}

fn edit() -> impl Strategy<Value = (prop::sample::Index, Edit)> {
    let edit = prop_oneof![
        Just(Edit::Drop),
        Just(Edit::Repeat),
        word().prop_map(Edit::Replace),
        word().prop_map(Edit::Insert),
        any::<prop::sample::Index>().prop_map(Edit::Cut),
    ];
    (any::<prop::sample::Index>(), edit)
}

/// Whether it is read and printed as the same, or refused.
fn settles(text: &[u8], family: Option<Family>) -> Result<(), TestCaseError> {
    if let Ok(model) = read(text, family) {
        let printed = print(&model);
        let again = read(&printed, None).map(|model| print(&model));
        let [again, printed] = [again, Ok(printed)]
            .map(|text| text.map(|text| String::from_utf8_lossy(&text).into_owned()));
        prop_assert_eq!(again, printed);
    }
    Ok(())
}

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
            let (wanted, found) = (judge(&model, family, hook, &bytes, usize::MAX), judge(&again, family, hook, &bytes, usize::MAX));
            prop_assert_eq!(wanted, found);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(text in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&text, Some(Family::V4));
    }

    #[test]
    fn no_words_make_it_panic(
        words in prop::collection::vec(prop_oneof![2 => word(), 1 => phrase()], 0..60),
        family in prop::option::of(prop::sample::select(Family::ALL.to_vec())),
    ) {
        let start = if family.is_some() { "*filter\n-A INPUT " } else { "" };
        settles(format!("{start}{}\nCOMMIT\n", words.join(" ")).as_bytes(), family)?;
    }

    #[test]
    fn no_extension_makes_it_panic(
        protocol in prop::sample::select(vec!["", "-p tcp", "-p udp", "-p icmp", "-p icmpv6", "-p 132"]),
        phrases in prop::collection::vec(phrase(), 1..4),
        family in prop::sample::select(Family::ALL.to_vec()),
    ) {
        let text = format!("*filter\n-A FORWARD {protocol} {}\nCOMMIT\n", phrases.join(" "));
        settles(text.as_bytes(), Some(family))?;
    }

    #[test]
    fn no_edit_makes_it_panic(model in accepted(), edits in prop::collection::vec(edit(), 1..4)) {
        let text = String::from_utf8_lossy(&print(&model)).into_owned();
        let mut words: Vec<_> = text.split_inclusive([' ', '\n']).map(str::to_owned).collect();
        for (index, edit) in edits {
            let at = index.index(words.len());
            match edit {
                Edit::Drop => drop(words.remove(at)),
                Edit::Repeat => words.insert(at, words[at].clone()),
                Edit::Replace(word) => words[at] = word + " ",
                Edit::Insert(word) => words.insert(at, word + " "),
                Edit::Cut(index) => {
                    let letters = words[at].chars().count();
                    words[at] = words[at].chars().take(index.index(letters)).collect::<String>() + " ";
                }
            }
            if words.is_empty() {
                break;
            }
        }
        settles(words.concat().as_bytes(), None)?;
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

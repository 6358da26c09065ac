// SPDX-License-Identifier: GPL-2.0
//! Holds `oxtables.yaml` to the sets of attributes that the code has.

use std::collections::BTreeSet;
use std::fmt::Debug;

use yaml_rust2::{Yaml, YamlLoader};

use super::field::{Kind, Set, Wire};
use super::message::MESSAGE;
use super::op::{Verb, WireOp};
use crate::engine::rules::trace::{Met, Next};

use super::{Command, FAMILY, GROUP_CONNECTIONS, GROUP_RULES, GROUP_TRACE, VERSION};

fn spec() -> Yaml {
    let text = include_str!("oxtables.yaml");
    YamlLoader::load_from_str(text)
        .expect("oxtables.yaml is YAML")
        .remove(0)
}

/// The entry of a list that has this name.
fn named<'a>(list: &'a Yaml, name: &str) -> &'a Yaml {
    let mut entries = list.as_vec().expect("a list").iter();
    entries
        .find(|entry| entry["name"].as_str() == Some(name))
        .unwrap_or_else(|| panic!("no {name}"))
}

/// A field's name as YNL writes it.
fn dashed(name: &str) -> String {
    name.replace('_', "-")
}

/// Checks a set and those inside it; collects their names.
fn check(spec: &Yaml, set: &Set, seen: &mut BTreeSet<String>) {
    if !seen.insert(set.name.into()) {
        return;
    }
    let attributes = named(&spec["attribute-sets"], set.name)["attributes"]
        .as_vec()
        .unwrap();
    assert_eq!(
        attributes.len(),
        set.attributes.len(),
        "attributes of {}",
        set.name
    );
    let mut number = 0;
    for (told, attribute) in attributes.iter().zip(set.attributes) {
        let place = format!("{} of {}", attribute.name, set.name);
        // YNL counts on from the attribute before where it is not told otherwise.
        number = told["value"].as_i64().unwrap_or(number + 1);
        assert_eq!(number, attribute.id.into(), "number of {place}");
        assert_eq!(told["name"].as_str().unwrap(), dashed(attribute.name));
        let (kind, longest) = match attribute.kind {
            Kind::Flag => ("flag", None),
            Kind::U8 => ("u8", None),
            Kind::U16 => ("u16", None),
            Kind::U32 => ("u32", None),
            Kind::S32 => ("s32", None),
            Kind::U64 => ("u64", None),
            Kind::Text(longest) => ("string", Some(longest)),
            Kind::Bytes(longest) => ("binary", Some(longest)),
            Kind::Nest(inner) => {
                assert_eq!(
                    told["nested-attributes"].as_str(),
                    Some(inner.name),
                    "{place}"
                );
                check(spec, inner, seen);
                ("nest", None)
            }
        };
        assert_eq!(told["type"].as_str(), Some(kind), "type of {place}");
        assert_eq!(
            told["checks"]["max-len"].as_i64(),
            longest.map(i64::from),
            "length of {place}"
        );
    }
}

#[test]
fn attributes_are_those_of_the_code() {
    let spec = spec();
    let mut seen = BTreeSet::new();
    check(&spec, &MESSAGE, &mut seen);
    assert!(seen.contains(WireOp::SET.name));
    let told: BTreeSet<String> = spec["attribute-sets"]
        .as_vec()
        .unwrap()
        .iter()
        .map(|set| set["name"].as_str().unwrap().into())
        .collect();
    assert_eq!(told, seen);
}

#[test]
fn operations_are_those_of_the_code() {
    let spec = spec();
    assert_eq!(spec["name"].as_str(), Some(FAMILY));
    assert_eq!(spec["version"].as_i64(), Some(VERSION.into()));
    let groups = [GROUP_RULES, GROUP_TRACE, GROUP_CONNECTIONS];
    for (group, told) in groups.into_iter().enumerate() {
        let name = spec["mcast-groups"]["list"][group]["name"].as_str();
        assert_eq!(name, Some(told));
    }
    let operations = &spec["operations"]["list"];
    assert_eq!(operations.as_vec().unwrap().len(), Command::ALL.len());
    for command in Command::ALL {
        let told = named(operations, command.name());
        assert_eq!(
            told["value"].as_i64(),
            Some(command as i64),
            "{}",
            command.name()
        );
    }
}

/// Checks an enumeration whose values have these numbers in the code, and names that are those of the YNL
/// specification but for dashes.
fn check_values<T: Debug>(name: &str, values: impl IntoIterator<Item = (T, usize)>) {
    let spec = spec();
    let told = named(&spec["definitions"], name);
    let first = told["value-start"].as_i64().unwrap_or(0) as usize;
    let told: Vec<_> = told["entries"]
        .as_vec()
        .unwrap()
        .iter()
        .map(|value| value.as_str().unwrap().to_owned())
        .collect();
    let mut expected = Vec::new();
    for (value, number) in values {
        assert_eq!(number, expected.len() + first);
        let mut dashed = String::new();
        for letter in format!("{value:?}").chars() {
            if letter.is_uppercase() && !dashed.is_empty() {
                dashed.push('-');
            }
            dashed.push(letter.to_ascii_lowercase());
        }
        expected.push(dashed);
    }
    assert_eq!(told, expected);
}

#[test]
fn values_are_those_of_the_code() {
    check_values("verb", Verb::ALL.map(|verb| (verb, verb as usize)));
    check_values("met", Met::ALL.map(|met| (met, met as usize)));
    check_values("next", Next::ALL.map(|next| (next, next as usize)));
}

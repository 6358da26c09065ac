// SPDX-License-Identifier: GPL-2.0
//! From options on the command line to the connections that are meant: by the match conntrack, whose words they are in
//! other names.

use oxtables_engine::engine::packet::Family;
use oxtables_engine::engine::rules::matches::Conntrack;
use oxtables_engine::uapi::conntrack::{Filter, StateName};
use oxtables_engine::uapi::field::Not;

use super::super::Failure;
use crate::cli::Connections;
use crate::diagnostic::{Problem, Source, Span};
use crate::extensions::{masked, numbers, Extension, Given, Options};
use crate::language::lexer::{quote_if_needed, tokens, Token};
use crate::names::Names;

/// An option's value: without `!`, and whether it was there.
fn value(token: &Token) -> (Token, bool) {
    match token.text.split_first() {
        Some((b'!', rest)) => (token.part(1, 1 + rest.len()), true),
        _ => (token.clone(), false),
    }
}

/// The connections that are meant.
///
/// # Errors
///
/// The value that can't be.
pub fn filter(
    which: &Connections,
    family: Option<Family>,
    names: &Names,
) -> Result<Filter, Failure> {
    // The options as a line, in which a problem is shown: each with its name here, that of the match's option if it is
    // one, and its value.
    let given = [
        ("protocol", Some("ctproto"), &which.protocol),
        ("source", Some("ctorigsrc"), &which.source),
        ("destination", Some("ctorigdst"), &which.destination),
        ("sport", Some("ctorigsrcport"), &which.sport),
        ("dport", Some("ctorigdstport"), &which.dport),
        ("reply-source", Some("ctreplsrc"), &which.reply_source),
        (
            "reply-destination",
            Some("ctrepldst"),
            &which.reply_destination,
        ),
        ("reply-sport", Some("ctreplsrcport"), &which.reply_sport),
        ("reply-dport", Some("ctrepldstport"), &which.reply_dport),
        ("status", Some("ctstatus"), &which.status),
        ("expire", Some("ctexpire"), &which.expire),
        ("state", None, &which.state),
        ("mark", None, &which.mark),
        ("zone", None, &which.zone),
        ("zone-orig", None, &which.zone_orig),
        ("zone-reply", None, &which.zone_reply),
    ];
    let given: Vec<_> = given
        .into_iter()
        .filter_map(|(name, option, value)| Some((name, option, value.as_deref()?)))
        .collect();
    let mut line = Vec::new();
    for (name, _, value) in &given {
        line.extend_from_slice(format!(" --{name} ").as_bytes());
        quote_if_needed(value.as_bytes(), &mut line);
    }
    let read = || {
        let words = tokens(&line, 0)?;
        let values = words.iter().skip(1).step_by(2);
        let options: Vec<_> = given
            .iter()
            .zip(values)
            .map(|((name, option, _), token)| (*name, *option, token))
            .collect();
        build(&options, family, names, which.id)
    };
    read()
        .map_err(|problem| Failure::Text(Source::new("command line", line.clone()), vec![problem]))
}

fn build(
    options: &[(&str, Option<&str>, &Token)],
    family: Option<Family>,
    names: &Names,
    id: Option<u32>,
) -> Result<Filter, Problem> {
    let is_address = |name: &str| name.ends_with("source") || name.ends_with("destination");
    let address = options.iter().find(|(name, ..)| is_address(name));
    // An address says of which family it is.
    let family = family.or(address.map(|(_, _, token)| {
        if token.text.contains(&b':') {
            Family::V6
        } else {
            Family::V4
        }
    }));
    let mut filter = Filter {
        family,
        id,
        ..Filter::default()
    };
    let mut given = Vec::new();
    for (name, option, token) in options {
        let (value, not) = value(token);
        match (*name, option) {
            (_, Some(option)) => {
                let mut known = Conntrack::ABOUT.options.iter();
                let option = known
                    .find(|known| known.name == *option)
                    .expect("the match has this option");
                given.push(Given {
                    option,
                    not,
                    span: token.span,
                    values: vec![value],
                });
            }
            ("state", None) => {
                let upper = value.text.to_ascii_uppercase();
                let Some(name) = StateName::new(&upper) else {
                    return Err(Problem::new(value.span, "name of a state is too long"));
                };
                filter.state = Some(Not { value: name, not });
            }
            ("zone" | "zone-orig" | "zone-reply", None) => {
                let id = numbers::number(&value, u16::MAX.into(), "a zone")?;
                let place = match *name {
                    "zone" => &mut filter.zone,
                    "zone-orig" => &mut filter.zone_original,
                    _ => &mut filter.zone_reply,
                };
                *place = Some(Not { value: id, not });
            }
            _ => {
                let value = masked::masked(&value, "a mark")?;
                filter.mark = Some(Not { value, not });
            }
        }
    }
    if !given.is_empty() {
        let options = Options {
            family: family.unwrap_or(Family::V4),
            protocol: None,
            names,
            span: Span::default(),
            given: &given,
        };
        filter.connection = Some(Conntrack::parse(&options)?);
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::fixtures::names;
    use oxtables_engine::engine::packet::Status;
    use oxtables_engine::engine::rules::matches::PortRange;
    use oxtables_engine::engine::rules::Masked;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn all_that_can_be_asked() {
        let which = Connections {
            protocol: some("tcp"),
            source: some("!192.0.2.0/24"),
            dport: some("ssh"),
            status: some("assured"),
            state: some("!established"),
            mark: some("0x10/0xf0"),
            zone: some("!7"),
            zone_orig: some("7"),
            zone_reply: some("0"),
            id: Some(7),
            ..Connections::default()
        };
        let filter = filter(&which, None, &names()).unwrap();
        assert_eq!(filter.family, Some(Family::V4));
        assert!(filter.check().is_ok());
        assert_eq!(filter.id, Some(7));
        let state = StateName::new(b"ESTABLISHED").unwrap();
        assert_eq!(
            filter.state,
            Some(Not {
                value: state,
                not: true
            })
        );
        let mark = Masked {
            value: 0x10,
            mask: 0xf0,
        };
        assert_eq!(filter.mark, Some(Not::is(mark)));
        let zone = |value, not| Some(Not { value, not });
        assert_eq!(filter.zone, zone(7, true));
        assert_eq!(filter.zone_original, zone(7, false));
        assert_eq!(filter.zone_reply, zone(0, false));
        let asked = filter.connection.unwrap();
        assert_eq!(asked.protocol, Some(Not::is(6)));
        assert!(asked.original_source.unwrap().not);
        let port = PortRange {
            first: 22,
            last: 22,
        };
        assert_eq!(asked.original_destination_port, Some(Not::is(port)));
        assert_eq!(asked.status, Some(Not::is(Status::ASSURED)));
    }

    #[test]
    fn families() {
        let which = |reply_source| Connections {
            reply_source,
            ..Connections::default()
        };
        let family = |which, family| filter(&which, family, &names()).map(|filter| filter.family);
        let v6 = which(some("2001:db8::1"));
        assert_eq!(family(v6.clone(), None).unwrap(), Some(Family::V6));
        assert!(family(v6, Some(Family::V4)).is_err());
        assert_eq!(family(which(None), None).unwrap(), None);
        let both = Connections {
            source: some("192.0.2.1"),
            ..which(some("2001:db8::1"))
        };
        assert!(family(both, None).is_err());
    }

    #[test]
    fn a_wrong_value_is_shown_where_it_is() {
        let which = Connections {
            protocol: some("tcp"),
            dport: some("65536"),
            ..Connections::default()
        };
        let Err(Failure::Text(source, problems)) = filter(&which, None, &names()) else {
            panic!("it is right");
        };
        let Span { start, end, .. } = problems[0].span;
        assert_eq!(&source.text[start..end], b"65536");
    }
}

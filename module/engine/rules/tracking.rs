// SPDX-License-Identifier: GPL-2.0
//! Where connections are looked up: at the hooks where packets come in, behind the tables that may still say how.
//!
//! Fragments are put together before all tables where a program tracks, so that a packet is parsed once and is the
//! same for the tables ahead and those behind.

use super::error::{Error, Kind};
use super::matches::Match;
use super::model::{Model, Rule, Table};
use super::program::{Rules, Stage};
use super::targets::Target;
use crate::alloc::GFP_KERNEL;
use crate::engine::packet::{Family, Hook};

/// Where connection tracking stands among the tables of a hook (NF_IP_PRI_CONNTRACK).
const PLACE: i32 = -200;

/// Whether packets walk the table before their connection is looked up.
pub(super) fn is_ahead(table: &Table) -> bool {
    table.place < PLACE
}

/// Whether a rule asks for connections.
pub(super) fn is_asked(rule: &Rule) -> bool {
    rule.matches.0.iter().any(|item| item.tracks()) || rule.target.tracks()
}

/// Whether a rule asks how much connections have transferred.
pub(super) fn is_count_asked(rule: &Rule) -> bool {
    let mut matches = rule.matches.0.iter();
    matches.any(|item| matches!(item, Match::Connbytes(_)))
}

/// Refuses a rule that says how to track where that is done already.
pub(super) fn check_table(rule: &Rule, table: &Table) -> Result<(), Kind> {
    match rule.target {
        Target::Ct(_) if !is_ahead(table) => Err(Kind::Extension(
            "CT needs the table raw, or one placed below -200",
        )),
        _ => Ok(()),
    }
}

/// Has connections looked up where rules of the family ask for them.
pub(super) fn add_stages<A>(
    rules: &mut Rules<A>,
    model: &Model,
    family: Family,
) -> Result<(), Error> {
    if !rules.tracks {
        return Ok(());
    }
    for hook in Hook::ALL.into_iter().filter(|hook| hook.tracks()) {
        let ahead = model.tables.iter().filter(|table| {
            table.family == family && is_ahead(table) && table.hooks().any(|found| found == hook)
        });
        let at = ahead.count();
        if let Some(stages) = rules.hooks.get_mut(hook as usize) {
            stages.reserve(1, GFP_KERNEL)?;
            stages
                .insert_within_capacity(at, Stage::Track)
                .map_err(|_| Error {
                    kind: Kind::TooMany,
                    place: None,
                })?;
        }
    }
    Ok(())
}

#[cfg(any(test, MODULE))]
#[cfg_attr(MODULE, kernel::macros::kunit_tests(oxtables_tracking))]
mod tests {
    use super::*;
    use crate::alloc::KVVec;
    use crate::engine::conntrack::{Direction, Zone};
    use crate::engine::fixtures::{flat, program, tables, with_match, Seen, TCP_V4, UDP_V6};
    use crate::engine::packet::{DropReason, Flat, Tracked, Tracking};
    use crate::engine::rules::matches::{Connmark, PortRange, State, States, Tcp};
    use crate::engine::rules::targets::{Ct, SetMark};
    use crate::engine::rules::transaction::{apply, Own};
    use crate::engine::rules::{Masked, Op, Program, Verdict};
    use crate::uapi::field::Not;

    fn state(states: States) -> Match {
        Match::State(State {
            states: Not::is(states),
        })
    }

    fn no_track(item: Option<Match>) -> Rule {
        let target = Target::Ct(Ct::NOTRACK);
        match item {
            Some(item) => with_match(item, target),
            None => Rule {
                target,
                ..Rule::default()
            },
        }
    }

    fn compile(ops: KVVec<Op>) -> Result<Program, Error> {
        let model = apply(&Model::default(), ops).map_err(|(_, error)| error)?;
        Program::compile(&model)
    }

    fn own(place: i32, hooks: &[Hook]) -> Option<Own> {
        let hooks = hooks
            .iter()
            .fold(0, |hooks, hook| hooks | 1 << *hook as u32);
        Some(Own { hooks, place })
    }

    /// What becomes of a packet that is this to its connection already, and of which the tracker finds that.
    fn judge(
        program: &Program,
        family: Family,
        hook: Hook,
        (known, found): (Tracking, Tracking),
    ) -> (Verdict, Seen) {
        let bytes = match family {
            Family::V4 => TCP_V4,
            Family::V6 => UDP_V6,
        };
        let packet = Flat {
            tracked: Tracked {
                tracking: known,
                ..Tracked::default()
            },
            ..flat(bytes)
        };
        let mut seen = Seen {
            found,
            ..Seen::default()
        };
        let verdict = program.evaluate(family, &packet.at(hook), &mut seen);
        (verdict, seen)
    }

    /// What is said first of a packet holds, and nothing of one that has a connection already.
    #[test]
    fn a_zone_is_known_when_the_connection_is_looked_up() {
        let zone = |id, zone_direction| Rule {
            target: Target::Ct(Ct {
                notrack: false,
                zone: id,
                zone_mark: id.is_none(),
                zone_direction,
            }),
            ..Rule::default()
        };
        let mark = || Rule {
            target: Target::Mark(SetMark {
                mark: Masked {
                    value: 9,
                    mask: u32::MAX,
                },
            }),
            ..Rule::default()
        };
        let in_zone = |id, direction| (Zone { id, direction }, false);
        let reply = Some(Direction::Reply);
        for (rules, expected) in [
            ([zone(Some(7), None), mark()], in_zone(7, None)),
            ([zone(Some(7), reply), mark()], in_zone(7, reply)),
            ([zone(None, None), mark()], in_zone(9, None)),
            ([zone(Some(7), None), zone(Some(8), None)], in_zone(7, None)),
            ([zone(Some(7), None), no_track(None)], in_zone(7, None)),
            ([no_track(None), zone(Some(7), None)], (Zone::NONE, true)),
        ] {
            let [first, second] = rules;
            let rules = [("raw", "OUTPUT", first), ("raw", "OUTPUT", second)];
            let program = compile(tables(Family::V4, [("raw", None)], rules))
                .ok()
                .unwrap();
            assert!(program.tracks(Family::V4) && program.has_zones(Family::V4));
            let (_, seen) = judge(&program, Family::V4, Hook::LocalOut, NEW);
            assert!((seen.zone, seen.untracked) == expected);
            let known = (Tracking::Established, Tracking::New);
            let (_, seen) = judge(&program, Family::V4, Hook::LocalOut, known);
            assert!((seen.zone, seen.untracked) == (Zone::NONE, false));
        }
    }

    const DROP: Verdict = Verdict::Drop(DropReason::Rule);
    const NEW: (Tracking, Tracking) = (Tracking::Invalid, Tracking::New);

    #[test]
    fn only_what_asks_for_connections_has_them_looked_up() {
        let mark = Masked { value: 1, mask: 1 };
        let asking = [
            with_match(state(States::NEW), Target::Accept),
            with_match(
                Match::Connmark(Connmark {
                    mark: Not::is(mark),
                }),
                Target::Accept,
            ),
        ];
        for rule in asking {
            let program = program(Family::V4, [("FORWARD", rule)]).ok().unwrap();
            assert!(program.tracks(Family::V4) && !program.tracks(Family::V6));
            for hook in Hook::ALL {
                let looks = hook.tracks();
                assert_eq!(
                    program.hooked(Family::V4, hook),
                    looks || hook == Hook::Forward
                );
                let (_, seen) = judge(&program, Family::V4, hook, NEW);
                assert_eq!(seen.tracked.0, u32::from(looks));
            }
        }
        let silent = tables(
            Family::V4,
            [("raw", None)],
            [("raw", "PREROUTING", no_track(None))],
        );
        let program = compile(silent).ok().unwrap();
        assert!(!program.tracks(Family::V4));
        let (_, seen) = judge(&program, Family::V4, Hook::PreRouting, NEW);
        assert!(seen.tracked.0 == 0 && seen.untracked);
    }

    #[test]
    fn tables_stand_ahead_of_tracking_or_behind() {
        // A rule in PREROUTING of a table at this place sees a packet as invalid that the tracker finds to be new.
        for (place, ahead) in [
            (i32::MIN, true),
            (PLACE - 1, true),
            (PLACE, false),
            (0, false),
        ] {
            let hooks = own(place, &[Hook::PreRouting, Hook::LocalOut]);
            for chain in ["PREROUTING", "OUTPUT"] {
                let rule = with_match(state(States::INVALID), Target::Drop);
                let list = tables(
                    Family::V6,
                    [("raw", None), ("own", hooks)],
                    [("own", chain, rule)],
                );
                let program = compile(list).ok().unwrap();
                let hook = Hook::from_chain(chain.as_bytes()).unwrap();
                let (verdict, seen) = judge(&program, Family::V6, hook, NEW);
                assert!((verdict == DROP) == ahead);
                assert_eq!(seen.tracked.0, u32::from(!ahead));
            }
        }
    }

    #[test]
    fn what_is_not_to_be_tracked() {
        let filter = with_match(state(States::UNTRACKED), Target::Drop);
        let list = tables(
            Family::V4,
            [("raw", None), ("filter", None)],
            [
                ("raw", "OUTPUT", no_track(Some(state(States::INVALID)))),
                ("filter", "OUTPUT", filter),
            ],
        );
        let program = compile(list).ok().unwrap();
        let (verdict, seen) = judge(&program, Family::V4, Hook::LocalOut, NEW);
        assert!(verdict == DROP && seen.untracked);
        assert!(seen.tracked == (1, Tracking::Untracked));
        // A packet that has a connection keeps it.
        let all = tables(
            Family::V4,
            [("raw", None), ("filter", None)],
            [
                ("raw", "PREROUTING", no_track(None)),
                (
                    "filter",
                    "INPUT",
                    with_match(state(States::NEW), Target::Drop),
                ),
            ],
        );
        let program = compile(all).ok().unwrap();
        let known = (Tracking::Established, Tracking::New);
        let (verdict, seen) = judge(&program, Family::V4, Hook::PreRouting, known);
        assert!(verdict == Verdict::Accept && !seen.untracked);
        assert!(seen.tracked == (1, Tracking::Established));
    }

    #[test]
    fn how_to_track_is_said_ahead_of_it() {
        let place = |place, hook: Hook| {
            let rules = [("own", hook.chain(), no_track(None))];
            let list = tables(Family::V4, [("own", own(place, &Hook::ALL))], rules);
            compile(list).err().map(|error| error.kind)
        };
        assert!(place(PLACE - 1, Hook::PreRouting).is_none());
        assert!(place(PLACE - 1, Hook::LocalOut).is_none());
        let refused = |kind| matches!(kind, Some(Kind::Extension(_)));
        assert!(refused(place(PLACE, Hook::PreRouting)));
        for hook in [Hook::LocalIn, Hook::Forward, Hook::PostRouting] {
            assert!(refused(place(PLACE - 1, hook)));
        }
    }

    #[test]
    fn a_state_is_asked_in_its_order_where_ports_are_damaged() {
        let ports = || {
            Match::Tcp(Tcp {
                destination: Some(Not::is(PortRange {
                    first: 22,
                    last: 22,
                })),
                ..Tcp::default()
            })
        };
        let rule = |first: Match, second: Match| {
            let mut rule = with_match(first, Target::Drop);
            rule.protocol = Some(Not::is(6));
            rule.matches.0.push(second, GFP_KERNEL).unwrap();
            program(Family::V4, [("INPUT", rule)]).ok().unwrap()
        };
        let state_first = rule(state(States::NEW), ports());
        let ports_first = rule(ports(), state(States::NEW));
        for (length, tracking, first, second) in [
            (44, Tracking::New, DROP, DROP),
            (44, Tracking::Invalid, Verdict::Accept, Verdict::Accept),
            (24, Tracking::New, TRUNCATED, TRUNCATED),
            (24, Tracking::Invalid, Verdict::Accept, TRUNCATED),
        ] {
            assert!(cut(&state_first, length, tracking) == first);
            assert!(cut(&ports_first, length, tracking) == second);
        }
    }

    const TRUNCATED: Verdict = Verdict::Drop(DropReason::TruncatedTransport);

    /// What becomes of the first bytes of a packet that is this to its connection.
    fn cut(program: &Program, length: usize, tracking: Tracking) -> Verdict {
        let packet = Flat {
            tracked: Tracked {
                tracking,
                ..Tracked::default()
            },
            ..flat(TCP_V4.get(..length).unwrap())
        };
        program.evaluate(Family::V4, &packet.at(Hook::LocalIn), &mut Seen::default())
    }

    #[test]
    fn what_the_tracker_refuses_goes_no_further() {
        let rule = with_match(state(States::ESTABLISHED), Target::Accept);
        let program = program(Family::V4, [("FORWARD", rule)]).ok().unwrap();
        let packet = flat(TCP_V4);
        let mut seen = Seen {
            refused: Some(DropReason::TooDeep),
            ..Seen::default()
        };
        let verdict = program.evaluate(Family::V4, &packet.at(Hook::PreRouting), &mut seen);
        assert!(verdict == Verdict::Drop(DropReason::TooDeep) && seen.slots == 0);
    }
}

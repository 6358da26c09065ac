// SPDX-License-Identifier: GPL-2.0
//! Random rulesets, and random packets that are bent towards them: few values for each field, so that rules
//! and packets meet, and whole headers that are then cut and damaged.

mod extension;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use oxtables_engine::alloc::{Arc, KVVec, KVec, GFP_KERNEL};
use oxtables_engine::engine::packet::{Family, Hook};
use oxtables_engine::engine::rules::matches::{
    Comment, Icmp, Icmpv6, Mark, Multiport, PortRange, Ports, Side, Tcp, TcpFlags, TypeCode, Udp,
};
use oxtables_engine::engine::rules::model::{Device, Matches, Prefix};
use oxtables_engine::engine::rules::targets::{
    Audit, AuditType, Log, Nflog, NflogPrefix, Nfqueue, Prefix as LogPrefix, Reject, SetMark, Tee,
};
use oxtables_engine::engine::rules::transaction::{apply, Action, Op, Own};
use oxtables_engine::engine::rules::{Counters, Masked, Match, Model, Policy, Rule, Target};
use oxtables_engine::engine::text::Name;
use oxtables_engine::uapi::field::{Not, Text};
use oxtables_engine::uapi::op::{dump, Position};
use oxtables_engine::uapi::Writer;
use proptest::option::of;
use proptest::prelude::*;

/// Chains that rules jump to: each only to those after it, so that no circle closes.
const CHAINS: [&str; 4] = ["alpha", "beta", "gamma", "delta"];

fn not<T: std::fmt::Debug + Clone>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Not<T>> {
    (value, any::<bool>()).prop_map(|(value, not)| Not { value, not })
}

fn port() -> impl Strategy<Value = u16> {
    prop_oneof![
        Just(0),
        Just(22),
        Just(53),
        Just(80),
        Just(1024),
        Just(65535),
        any::<u16>()
    ]
}

fn ports() -> impl Strategy<Value = PortRange> {
    (port(), port()).prop_map(|(a, b)| PortRange {
        first: a.min(b),
        last: a.max(b),
    })
}

fn prefix(family: Family) -> impl Strategy<Value = Prefix> {
    (0..3_u8, 0..=family.bits()).prop_map(move |(host, bits)| match family {
        Family::V4 => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
            let address = u32::from_be_bytes([10, 0, 0, host]) & mask;
            Prefix {
                address: IpAddr::V4(address.into()),
                mask: IpAddr::V4(mask.into()),
            }
        }
        Family::V6 => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
            let address = (0xfd00 << 112 | u128::from(host)) & mask;
            Prefix {
                address: IpAddr::V6(address.into()),
                mask: IpAddr::V6(mask.into()),
            }
        }
    })
}

fn device() -> impl Strategy<Value = Device> {
    prop::sample::select(vec!["eth0", "eth1", "eth+", "+", "lo"])
        .prop_map(|text| Device::from_text(text.as_bytes()).unwrap())
}

fn masked() -> impl Strategy<Value = Masked> {
    (
        0..4_u32,
        prop_oneof![Just(u32::MAX), Just(1), Just(3), Just(0)],
    )
        .prop_map(|(value, mask)| Masked { value, mask })
}

/// A protocol, and matches that can stand beside it.
fn matches(family: Family) -> BoxedStrategy<(Option<Not<u8>>, Vec<Match>)> {
    let tcp_flags = (any::<u8>(), any::<u8>()).prop_map(|(mask, set)| TcpFlags { mask, set });
    let tcp = (
        of(not(ports())),
        of(not(ports())),
        of(not(tcp_flags)),
        of(not(1..10_u8)),
    )
        .prop_map(|(source, destination, flags, option)| {
            Match::Tcp(Tcp {
                source,
                destination,
                flags,
                option,
            })
        });
    let udp = (of(not(ports())), of(not(ports()))).prop_map(|(source, destination)| {
        Match::Udp(Udp {
            source,
            destination,
        })
    });
    let message = || {
        (of(0..5_u8), 0..3_u8, 0..3_u8).prop_map(|(kind, a, b)| match kind {
            Some(kind) => TypeCode {
                kind: Some(kind),
                first: a.min(b),
                last: a.max(b),
            },
            None => TypeCode::ANY,
        })
    };
    let icmp = not(message()).prop_map(move |message| match family {
        Family::V4 => Match::Icmp(Icmp { message }),
        Family::V6 => Match::Icmpv6(Icmpv6 { message }),
    });
    let side = prop::sample::select(vec![Side::Source, Side::Destination, Side::Either]);
    let list = prop::collection::vec(ports(), 1..=7)
        .prop_map(|list| Ports::new(list.into_iter()).unwrap());
    let multiport =
        (side, not(list)).prop_map(|(side, ports)| Match::Multiport(Multiport { side, ports }));
    let mark = || not(masked()).prop_map(|mark| Match::Mark(Mark { mark }));
    let comment = "[ -~]{0,20}".prop_map(|text| {
        Match::Comment(Comment {
            text: Text::new(text.as_bytes()).unwrap(),
        })
    });
    let icmp_protocol = match family {
        Family::V4 => 1,
        Family::V6 => 58,
    };
    prop_oneof![
        (tcp, multiport).prop_map(|(tcp, ports)| (Some(Not::is(6)), vec![tcp, ports])),
        udp.prop_map(|udp| (Some(Not::is(17)), vec![udp])),
        icmp.prop_map(move |icmp| (Some(Not::is(icmp_protocol)), vec![icmp])),
        (of(not(1..60_u8)), mark(), comment)
            .prop_map(|(protocol, mark, comment)| (protocol, vec![mark, comment])),
        mark().prop_map(|mark| (None, vec![mark])),
        Just(()).prop_map(|()| (None, vec![])),
        extension::any_match(family),
        extension::any_match(family),
        extension::any_match(family),
    ]
    .boxed()
}

/// A target that hands packets or copies of them on.
fn other_target(family: Family) -> impl Strategy<Value = Target> {
    let nflog = (0..3_u16, "[a-z]{0,63}", prop::option::of(0..100_u32)).prop_map(
        |(group, prefix, size)| {
            Target::Nflog(Nflog {
                group,
                threshold: group,
                prefix: NflogPrefix::new(prefix.as_bytes()).unwrap(),
                size,
                range: size.is_none().then_some(group.into()).filter(|it| *it != 0),
            })
        },
    );
    let audit = prop::sample::select(AuditType::ALL.to_vec())
        .prop_map(|kind| Target::Audit(Audit { kind }));
    let tee = (any::<bool>(), prop::option::of(0..9_u8)).prop_map(move |(loopback, device)| {
        let gateway = match family {
            Family::V4 if loopback => Ipv4Addr::LOCALHOST.into(),
            Family::V4 => IpAddr::from([192, 0, 2, 1]),
            Family::V6 if loopback => Ipv6Addr::LOCALHOST.into(),
            Family::V6 => IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]),
        };
        Target::Tee(Tee {
            gateway,
            output: device.and_then(|n| Device::from_text(format!("eth{n}").as_bytes())),
        })
    });
    let queue = (0..3_u16, 1..3_u16, any::<bool>()).prop_map(move |(queue, total, bypass)| {
        match family {
            // A table of its own is before this family's filter, so that most rulesets would be refused.
            Family::V4 => Target::Audit(Audit {
                kind: AuditType::Drop,
            }),
            Family::V6 => Target::Nfqueue(Nfqueue {
                queue,
                total,
                bypass,
                cpu_fanout: bypass && total > 1,
            }),
        }
    });
    prop_oneof![nflog, audit, tee, queue]
}

/// A target for the chain with this index; built-in ones come before all of [`CHAINS`].
fn target(family: Family, below: usize) -> BoxedStrategy<Target> {
    let codes = match family {
        Family::V4 => vec![0, 1, 2, 3, 9, 10, 13],
        Family::V6 => vec![0, 1, 2, 3, 4, 5, 6],
    };
    let simple = prop_oneof![
        4 => Just(Target::Continue),
        2 => Just(Target::Accept),
        2 => Just(Target::Drop),
        1 => Just(Target::Return),
        1 => prop::sample::select(codes)
            .prop_map(|code| Target::Reject(Reject { code: Some(code) })),
        1 => (0..8_u8, "[a-z]{0,29}").prop_map(|(level, prefix)| Target::Log(Log {
            level,
            flags: 0,
            prefix: LogPrefix::new(prefix.as_bytes()).unwrap(),
        })),
        2 => masked().prop_map(|mark| Target::Mark(SetMark { mark })),
        1 => Just(Target::Trace),
        1 => other_target(family),
    ];
    let Some(callees) = CHAINS.get(below..).filter(|callees| !callees.is_empty()) else {
        return simple.boxed();
    };
    let callee =
        prop::sample::select(callees.to_vec()).prop_map(|name| Name::new(name.as_bytes()).unwrap());
    let call = (callee, any::<bool>()).prop_map(|(name, jump)| {
        if jump {
            Target::Jump(name)
        } else {
            Target::Goto(name)
        }
    });
    prop_oneof![3 => simple, 1 => call].boxed()
}

fn rule(family: Family, below: usize, hook: Option<Hook>) -> impl Strategy<Value = Action> {
    let device = |there: bool| {
        prop::option::weighted(0.3, not(device())).prop_map(move |device| device.filter(|_| there))
    };
    let fragment = prop::option::weighted(0.1, not(Just(true)))
        .prop_map(move |fragment| fragment.filter(|_| family == Family::V4));
    (
        of(not(prefix(family))),
        of(not(prefix(family))),
        device(hook.is_none_or(Hook::has_input)),
        device(hook.is_none_or(Hook::has_output)),
        fragment,
        matches(family),
        target(family, below),
        (0..3_u64, 0..3_u64),
    )
        .prop_map(
            |(source, destination, input, output, fragment, parts, target, numbers)| {
                let (protocol, list) = parts;
                let mut matches = KVec::new();
                for item in list {
                    matches.push(item, GFP_KERNEL).unwrap();
                }
                let matches = Matches(matches);
                let rule = Rule {
                    source,
                    destination,
                    input,
                    output,
                    protocol,
                    fragment,
                    matches,
                    target,
                };
                let (packets, bytes) = numbers;
                Action::Append(
                    Arc::new(rule, GFP_KERNEL).unwrap(),
                    Counters { packets, bytes },
                )
            },
        )
}

/// The operations that make a table with random rules.
fn table(family: Family, name: &'static str, own: Option<Own>) -> impl Strategy<Value = Vec<Op>> {
    let hooks = Hook::ALL.into_iter().filter(move |hook| match own {
        Some(own) => own.hooks & 1 << *hook as u32 != 0,
        None => {
            hook.has_input() && hook.has_output() || matches!(hook, Hook::LocalIn | Hook::LocalOut)
        }
    });
    let op = move |chain: &str, action| Op {
        family,
        table: Name::new(name.as_bytes()).unwrap(),
        chain: Name::new(chain.as_bytes()).unwrap(),
        action,
    };
    let mut parts = vec![Just(())
        .prop_map(move |()| op("", Action::ReplaceTable(own)))
        .boxed()];
    for (index, chain) in CHAINS.into_iter().enumerate() {
        parts.push(
            Just(())
                .prop_map(move |()| op(chain, Action::NewChain))
                .boxed(),
        );
        for _ in 0..2 {
            parts.push(
                rule(family, index + 1, None)
                    .prop_map(move |rule| op(chain, rule))
                    .boxed(),
            );
        }
    }
    for hook in hooks {
        let chain = hook.chain();
        parts.push(
            any::<bool>()
                .prop_map(move |accept| {
                    let policy = if accept { Policy::Accept } else { Policy::Drop };
                    op(chain, Action::Policy(policy, None))
                })
                .boxed(),
        );
        for _ in 0..3 {
            parts.push(
                rule(family, 0, Some(hook))
                    .prop_map(move |rule| op(chain, rule))
                    .boxed(),
            );
        }
    }
    parts
}

/// A ruleset of both families, with a table of one's own.
pub(crate) fn model() -> impl Strategy<Value = Model> {
    let own = Some(Own {
        hooks: 0b11111,
        place: -5,
    });
    (
        table(Family::V4, "filter", None),
        table(Family::V6, "filter", None),
        table(Family::V4, "edge", own),
    )
        .prop_map(|(v4, v6, edge)| {
            let mut ops = KVVec::new();
            for op in v4.into_iter().chain(v6).chain(edge) {
                ops.push(op, GFP_KERNEL).unwrap();
            }
            apply(&Model::default(), ops).expect("only what is allowed is generated")
        })
}

/// A message of all operations that build the model.
pub(crate) fn message(model: &Model) -> Vec<u8> {
    let (mut bytes, mut writer) = (Vec::new(), Writer::new(1 << 16));
    let mut position = Position::default();
    loop {
        writer.clear();
        let full = dump(model, &[], &mut position, &mut writer);
        bytes.extend_from_slice(writer.bytes());
        if full.is_ok() {
            return bytes;
        }
    }
}

/// A transport header, with options where it is TCP's, and its protocol.
fn transport() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let tcp = (
        port(),
        port(),
        any::<u8>(),
        prop::collection::vec(0..12_u8, 0..12),
    )
        .prop_map(|(source, destination, flags, options)| {
            let words = options.len().div_ceil(4);
            let mut bytes = [source.to_be_bytes(), destination.to_be_bytes()].concat();
            bytes.extend([
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                (5 + words as u8) << 4,
                flags,
                0,
                0,
                0,
                0,
                0,
                0,
            ]);
            bytes.extend(options);
            bytes.resize(20 + 4 * words, 0);
            (6, bytes)
        });
    let udp = (port(), port()).prop_map(|(source, destination)| {
        let mut bytes = [source.to_be_bytes(), destination.to_be_bytes()].concat();
        bytes.extend([0, 8, 0, 0]);
        (17, bytes)
    });
    let icmp = (prop::sample::select(vec![1, 58]), 0..5_u8, 0..3_u8)
        .prop_map(|(protocol, kind, code)| (protocol, vec![kind, code, 0, 0, 0, 0, 0, 0]));
    prop_oneof![3 => tcp, 2 => udp, 2 => icmp, 1 => (0..60_u8, Just(vec![0; 4]))]
}

fn v4() -> impl Strategy<Value = Vec<u8>> {
    (
        0..3_u8,
        0..3_u8,
        prop_oneof![4 => Just(0), 1 => 0..3_u16],
        0..3_u8,
        transport(),
    )
        .prop_map(
            |(source, destination, fragment, words, (protocol, transport))| {
                let mut bytes = vec![0x45 + words, 0, 0, 0, 0, 0];
                bytes.extend(fragment.to_be_bytes());
                bytes.extend([64, protocol, 0, 0, 10, 0, 0, source, 10, 0, 0, destination]);
                bytes.resize(20 + 4 * usize::from(words), 1);
                bytes.extend(transport);
                bytes
            },
        )
}

fn v6() -> impl Strategy<Value = Vec<u8>> {
    let extension = prop_oneof![
        (prop::sample::select(vec![0_u8, 43, 60]), 0..2_u8)
            .prop_map(|(number, length)| (number, vec![0, length, 0, 0, 0, 0, 0, 0])),
        (0..3_u16).prop_map(|fragment| {
            let [high, low] = (fragment << 3).to_be_bytes();
            (44, vec![0, 0, high, low, 0, 0, 0, 1])
        }),
        Just((51, vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
    ];
    (
        0..3_u8,
        0..3_u8,
        prop::collection::vec(extension, 0..3),
        transport(),
    )
        .prop_map(|(source, destination, extensions, (protocol, transport))| {
            let mut numbers: Vec<u8> = extensions.iter().map(|(number, _)| *number).collect();
            numbers.push(protocol);
            let mut bytes = vec![0x60, 0, 0, 0, 0, 0, numbers[0], 64];
            for host in [source, destination] {
                bytes.extend((0xfd00_u128 << 112 | u128::from(host)).to_be_bytes());
            }
            for ((_, mut extension), next) in extensions.into_iter().zip(&numbers[1..]) {
                extension[0] = *next;
                let length = match extension[1] {
                    1 if extension.len() == 8 => 16,
                    _ => extension.len(),
                };
                extension.resize(length, 0);
                bytes.extend(extension);
            }
            bytes.extend(transport);
            bytes
        })
}

/// A packet at a hook; some are cut, some damaged.
pub(crate) fn packet() -> impl Strategy<Value = (Family, Hook, Vec<u8>)> {
    let whole = prop_oneof![
        v4().prop_map(|bytes| (Family::V4, bytes)),
        v6().prop_map(|bytes| (Family::V6, bytes))
    ];
    let damage = of((any::<prop::sample::Index>(), any::<u8>()));
    let cut = of(any::<prop::sample::Index>());
    let hook = prop::sample::select(Hook::ALL.to_vec());
    (
        whole,
        hook,
        prop::option::weighted(0.2, cut),
        prop::option::weighted(0.2, damage),
    )
        .prop_map(|((family, mut bytes), hook, cut, damage)| {
            if let Some((index, value)) = damage.flatten() {
                let at = index.index(bytes.len());
                bytes[at] = value;
            }
            if let Some(index) = cut.flatten() {
                bytes.truncate(index.index(bytes.len() + 1));
            }
            (family, hook, bytes)
        })
}

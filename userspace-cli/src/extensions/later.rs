// SPDX-License-Identifier: GPL-2.0
//! The extensions of iptables that are not there yet, and why: a ruleset that uses one is not misspelt.

use crate::diagnostic::{Problem, Span};

const UNWRITTEN: &str = "is not written yet";
const CONNTRACK: &str = "needs connection tracking";
const NAT: &str = "needs NAT";
const MANGLE: &str = "needs packet mangling";
const SETS: &str = "needs ipset";
const ESTIMATORS: &str = "needs rate estimators";
const SOCKETS: &str = "needs a lookup of sockets";

/// Matches: the name, and why it is not there.
pub static LATER_MATCHES: &[(&str, &str)] = &[
    ("cluster", CONNTRACK),
    ("connlabel", CONNTRACK),
    ("ipcomp", UNWRITTEN),
    ("ipvs", "needs IPVS"),
    ("nfacct", "needs accounting objects"),
    ("osf", "needs fingerprints of operating systems"),
    ("rateest", ESTIMATORS),
    ("recent", "needs lists of addresses seen"),
    ("set", SETS),
    ("socket", SOCKETS),
    ("srh", UNWRITTEN),
];

/// The same of targets.
pub static LATER_TARGETS: &[(&str, &str)] = &[
    ("CHECKSUM", MANGLE),
    ("CLASSIFY", MANGLE),
    ("CLUSTERIP", "is gone from the kernel"),
    ("CONNSECMARK", CONNTRACK),
    ("DNAT", NAT),
    ("DNPT", MANGLE),
    ("DSCP", MANGLE),
    ("ECN", MANGLE),
    ("HL", MANGLE),
    ("HMARK", UNWRITTEN),
    ("IDLETIMER", "needs timers in sysfs"),
    ("LED", "needs LED triggers"),
    ("MASQUERADE", NAT),
    ("NETMAP", NAT),
    ("QUEUE", "is gone from the kernel, for NFQUEUE"),
    ("RATEEST", ESTIMATORS),
    ("REDIRECT", NAT),
    ("SECMARK", "needs security labels"),
    ("SET", SETS),
    ("SNAT", NAT),
    ("SNPT", MANGLE),
    ("SYNPROXY", CONNTRACK),
    ("TCPMSS", MANGLE),
    ("TCPOPTSTRIP", MANGLE),
    ("TOS", MANGLE),
    ("TPROXY", SOCKETS),
    ("TTL", MANGLE),
    ("ULOG", "is gone from the kernel, for NFLOG"),
];

/// The error for a match where it is one of these.
pub fn later_match(name: &str, span: Span) -> Option<Problem> {
    later("match", LATER_MATCHES, name, span)
}

/// The error for a target where it is one of these.
pub fn later_target(name: &str, span: Span) -> Option<Problem> {
    later("target", LATER_TARGETS, name, span)
}

/// Why a match or target is not there where it is one of these.
pub fn why(name: &str) -> Option<&'static str> {
    let mut all = LATER_MATCHES.iter().chain(LATER_TARGETS);
    let (_, why) = all.find(|(later, _)| *later == name)?;
    Some(why)
}

fn later(kind: &str, list: &[(&str, &str)], name: &str, span: Span) -> Option<Problem> {
    let (_, why) = list.iter().find(|(later, _)| *later == name)?;
    let what = format!("{kind} `{name}` is not supported yet");
    Some(Problem::new(span, what).label(*why))
}

// SPDX-License-Identifier: GPL-2.0
//! What `--json` prints. The schema's number grows when something in it changes its meaning or goes; new
//! members may come without that.

use std::net::IpAddr;

use serde::Serialize;

use oxtables_engine::engine::rules::model::{Chain, Entry, Table};
use oxtables_engine::engine::rules::Model;
use oxtables_engine::uapi::flow;

use crate::diagnostic::Located;
use crate::extensions::Printed;
use crate::language::printer::{self, Which};

/// The schema's number.
pub const SCHEMA: u32 = 1;

/// Anything that is printed, under the schema's number.
#[derive(Serialize)]
pub struct Document<T> {
    schema: u32,
    #[serde(flatten)]
    content: T,
}

impl<T: Serialize> Document<T> {
    /// The content under the schema's number.
    pub fn new(content: T) -> Self {
        Self {
            schema: SCHEMA,
            content,
        }
    }

    /// The document in several lines, for a person too.
    pub fn pretty(&self) -> String {
        // Every map has keys that are text, and no value can fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The document in one line, for a stream of them.
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// Rules in force or to be.
#[derive(Serialize)]
pub struct Rules {
    #[serde(skip_serializing_if = "Option::is_none")]
    generation: Option<u64>,
    tables: Vec<JsonTable>,
}

/// The outcome of a check.
#[derive(Serialize)]
pub struct Checked<'a> {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// What is wrong.
    pub errors: Vec<Located<'a>>,
}

/// The flows that hashlimits count.
#[derive(Serialize)]
pub struct Flows {
    /// By their tables.
    pub tables: Vec<FlowTable>,
}

/// The flows of a table.
#[derive(Serialize)]
pub struct FlowTable {
    /// The family of the rules.
    pub family: &'static str,
    /// The name that they give it.
    pub name: String,
    /// What is counted: `packets` or `bytes`.
    pub unit: &'static str,
    /// The flows.
    pub flows: Vec<Flow>,
}

/// A flow. What does not tell it from others is zero.
#[derive(Serialize)]
pub struct Flow {
    /// The source address, or its beginning.
    pub source: IpAddr,
    /// The source port.
    pub source_port: u16,
    /// The destination address, or its beginning.
    pub destination: IpAddr,
    /// The destination port.
    pub destination_port: u16,
    /// How many of its unit may still come now.
    pub left: u64,
    /// In how many milliseconds it is forgotten, if no packet comes.
    pub expires: u64,
}

impl Flow {
    /// What flows are sorted by.
    pub fn order(&self) -> (IpAddr, IpAddr, u16, u16) {
        let ports = (self.source_port, self.destination_port);
        (self.source, self.destination, ports.0, ports.1)
    }
}

impl From<flow::Flow> for Flow {
    fn from(flow: flow::Flow) -> Self {
        Self {
            source: flow.source,
            source_port: flow.source_port,
            destination: flow.destination,
            destination_port: flow.destination_port,
            left: flow.left,
            expires: flow.expires,
        }
    }
}

/// What the module says of itself.
#[derive(Serialize)]
pub struct Status {
    /// The command's version.
    pub command: &'static str,
    /// The module's version.
    pub module: String,
    /// The generation of the rules in force.
    pub generation: u64,
    /// The tables.
    pub tables: Vec<TableStatus>,
    /// The hooks in use: those with a rule, or a policy other than ACCEPT.
    pub hooks: Vec<HookStatus>,
    /// Packets dropped, by reason.
    pub drops: Vec<Drops>,
    /// The matches that the module knows.
    pub matches: Vec<String>,
    /// The targets that the module knows.
    pub targets: Vec<String>,
}

/// A table, in short.
#[derive(Serialize)]
pub struct TableStatus {
    /// The family.
    pub family: &'static str,
    /// The name.
    pub name: String,
    /// Its place among the tables of a hook.
    pub place: i32,
    /// How many chains it has.
    pub chains: usize,
    /// How many rules.
    pub rules: usize,
}

/// A hook in use.
#[derive(Serialize)]
pub struct HookStatus {
    /// The family.
    pub family: &'static str,
    /// The hook, by the name of its chain.
    pub hook: &'static str,
}

/// Packets dropped for one reason.
#[derive(Serialize)]
pub struct Drops {
    /// The reason.
    pub reason: String,
    /// Packets.
    pub packets: u64,
}

/// The connections that are tracked.
#[derive(Serialize)]
pub struct Connections {
    /// Those that were asked for.
    pub connections: Vec<TrackedConnection>,
}

/// A connection.
#[derive(Serialize)]
pub struct TrackedConnection {
    /// Its number.
    pub id: u32,
    /// The family.
    pub family: &'static str,
    /// The protocol, by name if it has one.
    pub protocol: String,
    /// The state, of a protocol that has states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// In how many seconds it is forgotten if no packet comes.
    pub seconds: u32,
    /// Packets that go the way of the first one.
    pub original: TrackedFlow,
    /// Packets that go the other way.
    pub reply: TrackedFlow,
    /// What has become of it.
    pub status: Vec<&'static str>,
    /// Its zone.
    pub zone: u16,
    /// The direction that the zone holds for, where that is but one.
    pub zone_direction: Option<&'static str>,
    /// Its mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<u32>,
    /// The helper of the connection that announced it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helper: Option<String>,
}

/// A connection in one direction.
#[derive(Serialize)]
pub struct TrackedFlow {
    /// Where packets come from.
    pub source: String,
    /// Where they go.
    pub destination: String,
    /// The source port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    /// The destination port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_port: Option<u16>,
    /// The type of an ICMP query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<u8>,
    /// Its code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_code: Option<u8>,
    /// Its identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_id: Option<u16>,
    /// Packets, where they are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// Their bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// What became of a connection.
#[derive(Serialize)]
pub struct ConnectionEvent {
    /// New, update or destroy.
    pub event: &'static str,
    /// Its number; each is one more than that of the event before.
    pub number: u64,
    /// When it was read, in seconds since 1970, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<f64>,
    /// The connection as it was then.
    #[serde(flatten)]
    pub connection: TrackedConnection,
}

/// Events were lost, because they came faster than they were read.
#[derive(Serialize)]
pub struct LostEvents {
    /// Always true.
    pub lost: bool,
    /// How many.
    pub events: u64,
}

/// The connections that transfer most.
#[derive(Serialize)]
pub struct Busiest {
    /// In this time.
    pub seconds: f64,
    /// Connections, the busiest first.
    pub connections: Vec<BusyConnection>,
}

/// What a connection transfers.
#[derive(Serialize)]
pub struct BusyConnection {
    /// Packets both ways.
    pub packets_per_second: f64,
    /// Their bytes.
    pub bytes_per_second: f64,
    /// The connection.
    #[serde(flatten)]
    pub connection: TrackedConnection,
}

/// How the table of connections is.
#[derive(Serialize)]
pub struct ConnectionStats {
    /// How many connections there are.
    pub count: u32,
    /// How many there may be.
    pub limit: u32,
    /// How many buckets the table has.
    pub buckets: u32,
}

/// How connections are tracked.
#[derive(Serialize)]
pub struct Settings {
    /// What was asked for, or set.
    pub settings: Vec<Setting>,
}

/// A setting of connection tracking.
#[derive(Serialize)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: u32,
    /// The value until another is set.
    pub default: Option<u32>,
    /// The lowest value.
    pub least: Option<u32>,
    /// The highest value.
    pub most: Option<u32>,
}

/// How many connections were forgotten.
#[derive(Serialize)]
pub struct Forgotten {
    /// How many.
    pub deleted: u64,
}

/// The matches and targets of iptables.
#[derive(Serialize)]
pub struct Extensions {
    /// Matches, by name.
    pub matches: Vec<Extension>,
    /// Targets, by name.
    pub targets: Vec<Extension>,
}

/// A match or target of iptables.
#[derive(Serialize)]
pub struct Extension {
    /// The name for `-m` or `-j`.
    pub name: &'static str,
    /// Whether rules may use it.
    pub supported: bool,
    /// The families that it is for, where it is supported.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub families: Vec<&'static str>,
    /// What it is for, where it is supported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<&'static str>,
    /// Why it is not supported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// A change of the rules.
#[derive(Serialize)]
pub struct Change {
    /// The generation that it made.
    pub generation: u64,
    /// The netlink port that it came from; none where the change itself was missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u32>,
    /// Lines of the saved ruleset that went.
    pub removed: Vec<String>,
    /// Lines that came.
    pub added: Vec<String>,
}

/// A step of a traced packet.
#[derive(Serialize)]
pub struct Step {
    /// The generation of the rules that the packet met.
    pub generation: u64,
    /// The same in all steps of a packet.
    pub id: u32,
    /// The family.
    pub family: &'static str,
    /// The hook, by the name of its chain.
    pub hook: &'static str,
    /// The table.
    pub table: String,
    /// The chain.
    pub chain: String,
    /// What the packet met: a rule, the end of a chain, a policy.
    pub met: &'static str,
    /// The number of the rule; what comes behind all rules counts as one more.
    pub number: u32,
    /// The rule; none where the rules have changed since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What becomes of the packet.
    pub next: &'static str,
    /// The chain that it goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Why it is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The interface that it came in by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The interface that it goes out by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Its mark.
    pub mark: u32,
    /// Its length in bytes, from the IP header on.
    pub length: u32,
    /// What its headers say.
    #[serde(flatten)]
    pub headers: Option<Headers>,
}

/// What the headers of a packet say.
#[derive(Serialize)]
pub struct Headers {
    /// Where it comes from.
    pub source: String,
    /// Where it goes to.
    pub destination: String,
    /// The protocol; none where headers before the transport's are damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The source port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
    /// The destination port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination_port: Option<u16>,
}

/// Steps of traced packets were lost, because they came faster than they were read.
#[derive(Serialize)]
pub struct Lost {
    /// Always true.
    pub lost: bool,
}

/// What loading a file would change.
#[derive(Serialize)]
pub struct Difference {
    /// Lines of the saved ruleset that would go.
    pub removed: Vec<String>,
    /// Lines that would come.
    pub added: Vec<String>,
}

/// A table with its chains.
#[derive(Serialize)]
pub struct JsonTable {
    family: &'static str,
    name: String,
    own: bool,
    place: i32,
    hooks: Vec<&'static str>,
    chains: Vec<JsonChain>,
}

#[derive(Serialize)]
struct JsonChain {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<JsonPolicy>,
    rules: Vec<JsonRule>,
}

#[derive(Serialize)]
struct JsonPolicy {
    target: &'static str,
    #[serde(flatten)]
    counters: Option<JsonCounters>,
}

#[derive(Serialize)]
struct JsonCounters {
    packets: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct JsonRule {
    number: usize,
    #[serde(flatten)]
    counters: Option<JsonCounters>,
    rule: String,
    options: Vec<JsonOption>,
    matches: Vec<JsonExtension>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<JsonTarget>,
}

#[derive(Serialize)]
struct JsonExtension {
    name: &'static str,
    options: Vec<JsonOption>,
}

#[derive(Serialize)]
struct JsonTarget {
    name: String,
    goto: bool,
    options: Vec<JsonOption>,
}

#[derive(Serialize)]
struct JsonOption {
    name: &'static str,
    not: bool,
    values: Vec<String>,
}

fn options(printed: &[Printed]) -> Vec<JsonOption> {
    let option = |printed: &Printed| JsonOption {
        name: printed.name,
        not: printed.not,
        values: printed
            .values
            .iter()
            .map(|word| String::from_utf8_lossy(&word.text).into_owned())
            .collect(),
    };
    printed.iter().map(option).collect()
}

fn counters(
    slot: oxtables_engine::engine::rules::model::Slot,
    shown: bool,
) -> Option<JsonCounters> {
    shown.then_some(JsonCounters {
        packets: slot.initial.packets,
        bytes: slot.initial.bytes,
    })
}

impl JsonRule {
    fn new(number: usize, entry: &Entry, table: &Table, counted: bool) -> Self {
        let words = printer::words(&entry.rule, table.family);
        let mut text = Vec::new();
        printer::rule(&entry.rule, table.family, &mut text);
        Self {
            number,
            counters: counters(entry.slot, counted),
            rule: String::from_utf8_lossy(text.trim_ascii_start()).into_owned(),
            options: options(&words.base),
            matches: words
                .matches
                .iter()
                .map(|(name, inner)| JsonExtension {
                    name,
                    options: options(inner),
                })
                .collect(),
            target: words.target.map(|name| JsonTarget {
                name,
                goto: words.goto,
                options: options(&words.target_options),
            }),
        }
    }
}

fn chain(chain: &Chain, table: &Table, counted: bool) -> JsonChain {
    let rules = (1..).zip(&chain.rules);
    JsonChain {
        name: chain.name.to_string(),
        policy: chain.base.map(|base| JsonPolicy {
            target: printer::policy_text(base.policy),
            counters: counters(base.slot, counted),
        }),
        rules: rules
            .map(|(number, entry)| JsonRule::new(number, entry, table, counted))
            .collect(),
    }
}

/// The tables of a ruleset, or one chain of them.
pub fn rules(
    model: &Model,
    which: Which<'_>,
    only: Option<&str>,
    generation: Option<u64>,
    counted: bool,
) -> Document<Rules> {
    let table = |table: &Table| JsonTable {
        family: table.family.name(),
        name: table.name.to_string(),
        own: table.own,
        place: table.place,
        hooks: table.hooks().map(|hook| hook.chain()).collect(),
        chains: table
            .chains
            .iter()
            .filter(|chain| only.is_none_or(|name| name.as_bytes() == chain.name.as_bytes()))
            .map(|inner| chain(inner, table, counted))
            .collect(),
    };
    let tables = model.tables.iter().filter(|table| which.includes(table));
    Document::new(Rules {
        generation,
        tables: tables.map(table).collect(),
    })
}

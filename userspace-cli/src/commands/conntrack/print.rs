// SPDX-License-Identifier: GPL-2.0
//! Connections for a person, for programs, and in the lines of /proc/net/nf_conntrack.

use std::fmt::Write;
use std::net::IpAddr;

use anstyle::{AnsiColor, Style};

use oxtables_engine::engine::conntrack::Direction;
use oxtables_engine::engine::packet::{protocol, Status};
use oxtables_engine::uapi::conntrack::{Entry, Flow};
use oxtables_engine::uapi::event::Event;
use oxtables_engine::uapi::op::WireCounters;

use super::super::output::{self, Side, Table};
use crate::json::{TrackedConnection, TrackedFlow};
use crate::names::protocol_name;

/// What can have become of a connection, by its names.
const STATUS: [(&str, Status); 6] = [
    ("EXPECTED", Status::EXPECTED),
    ("SEEN_REPLY", Status::SEEN_REPLY),
    ("ASSURED", Status::ASSURED),
    ("CONFIRMED", Status::CONFIRMED),
    ("SNAT", Status::SRC_NAT),
    ("DNAT", Status::DST_NAT),
];

/// So many connections.
pub fn count(count: u64) -> String {
    match count {
        1 => "1 connection".to_owned(),
        _ => format!("{count} connections"),
    }
}

/// What a protocol tells its flows apart by.
enum Ids {
    Ports { source: u16, destination: u16 },
    Query { kind: u8, code: u8, id: u16 },
    Keys { source: u16, destination: u16 },
    None,
}

fn ids(number: u8, flow: &Flow) -> Ids {
    let (source, destination) = (flow.source_id, flow.destination_id);
    match number {
        protocol::TCP | protocol::UDP | protocol::UDPLITE | protocol::SCTP | protocol::DCCP => {
            Ids::Ports {
                source,
                destination,
            }
        }
        protocol::ICMP | protocol::ICMPV6 => {
            let [kind, code] = destination.to_be_bytes();
            Ids::Query {
                kind,
                code,
                id: source,
            }
        }
        protocol::GRE => Ids::Keys {
            source,
            destination,
        },
        _ => Ids::None,
    }
}

fn has(entry: &Entry, status: Status) -> bool {
    Status(entry.status).has_some(status)
}

/// A connection in JSON.
pub fn json(entry: &Entry) -> TrackedConnection {
    let flow = |flow: &Flow, counters: Option<WireCounters>| {
        let ids = ids(entry.protocol, flow);
        let (source_port, destination_port) = match ids {
            Ids::Ports {
                source,
                destination,
            } => (Some(source), Some(destination)),
            _ => (None, None),
        };
        let (icmp_type, icmp_code, icmp_id) = match ids {
            Ids::Query { kind, code, id } => (Some(kind), Some(code), Some(id)),
            _ => (None, None, None),
        };
        TrackedFlow {
            source: flow.source.to_string(),
            destination: flow.destination.to_string(),
            source_port,
            destination_port,
            icmp_type,
            icmp_code,
            icmp_id,
            packets: counters.map(|counters| counters.packets),
            bytes: counters.map(|counters| counters.bytes),
        }
    };
    let status = STATUS.iter().filter(|(_, status)| has(entry, *status));
    TrackedConnection {
        id: entry.id,
        family: entry.family.name(),
        protocol: protocol_text(entry.protocol),
        state: entry.state.map(|state| state.to_string()),
        seconds: entry.seconds_left,
        original: flow(&entry.original, entry.original_counters),
        reply: flow(&entry.reply, entry.reply_counters),
        status: status.map(|(name, _)| *name).collect(),
        mark: entry.mark,
        zone: entry.zone.unwrap_or_default(),
        zone_direction: entry.zone_direction.map(direction_name),
        helper: entry.announced_by.map(|helper| helper.to_string()),
    }
}

fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Original => "original",
        Direction::Reply => "reply",
    }
}

/// The zone where it holds for this direction alone, or for both (`None`).
fn proc_zone(entry: &Entry, direction: Option<Direction>) -> String {
    if entry.zone_direction != direction {
        return String::new();
    }
    let suffix = match direction {
        None => "",
        Some(Direction::Original) => "-orig",
        Some(Direction::Reply) => "-reply",
    };
    format!("zone{suffix}={} ", entry.zone.unwrap_or_default())
}

/// The name that a protocol has in /proc/net/nf_conntrack.
fn proc_protocol(number: u8) -> &'static str {
    match number {
        protocol::TCP => "tcp",
        protocol::UDP => "udp",
        protocol::ICMP => "icmp",
        protocol::ICMPV6 => "icmpv6",
        protocol::SCTP => "sctp",
        protocol::DCCP => "dccp",
        protocol::UDPLITE => "udplite",
        protocol::GRE => "gre",
        _ => "unknown",
    }
}

/// An address as the kernel writes it there: of IPv6 all zeros are told.
fn proc_address(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => address
            .segments()
            .map(|segment| format!("{segment:04x}"))
            .join(":"),
    }
}

fn proc_flow(entry: &Entry, direction: Direction) -> String {
    let number = entry.protocol;
    let (flow, counters) = match direction {
        Direction::Original => (&entry.original, entry.original_counters),
        Direction::Reply => (&entry.reply, entry.reply_counters),
    };
    let (source, destination) = (proc_address(flow.source), proc_address(flow.destination));
    let mut text = format!("src={source} dst={destination} ");
    text += &match ids(number, flow) {
        Ids::Ports {
            source,
            destination,
        } => format!("sport={source} dport={destination} "),
        Ids::Query { kind, code, id } => format!("type={kind} code={code} id={id} "),
        Ids::Keys {
            source,
            destination,
        } => format!("srckey={source:#x} dstkey={destination:#x} "),
        Ids::None => String::new(),
    };
    text += &proc_zone(entry, Some(direction));
    if let Some(WireCounters { packets, bytes }) = counters {
        text += &format!("packets={packets} bytes={bytes} ");
    }
    text
}

/// A connection as a line of /proc/net/nf_conntrack.
pub fn proc_line(entry: &Entry) -> String {
    let number = entry.protocol;
    let mut line = format!(
        "{:<8} {} {:<8} {number} {} ",
        entry.family.name(),
        entry.family as u8,
        proc_protocol(number),
        entry.seconds_left
    );
    // Writing to a text does not fail.
    if let Some(state) = entry.state {
        let _ = write!(line, "{state} ");
    }
    line += &proc_flow(entry, Direction::Original);
    if !has(entry, Status::SEEN_REPLY) {
        line += "[UNREPLIED] ";
    }
    line += &proc_flow(entry, Direction::Reply);
    if has(entry, Status::ASSURED) {
        line += "[ASSURED] ";
    }
    if let Some(mark) = entry.mark {
        let _ = write!(line, "mark={mark} ");
    }
    line += &proc_zone(entry, None);
    let _ = writeln!(line, "use={}", entry.uses);
    line
}

/// A protocol, by its name if it has one.
pub fn protocol_text(number: u8) -> String {
    protocol_name(number).map_or_else(|| number.to_string(), str::to_owned)
}

/// The two ends of a flow.
pub fn ends(number: u8, flow: &Flow) -> [String; 2] {
    let end = |address: IpAddr, port: u16| match address {
        IpAddr::V4(address) => format!("{address}:{port}"),
        IpAddr::V6(address) => format!("[{address}]:{port}"),
    };
    let (from, to) = (flow.source, flow.destination);
    match ids(number, flow) {
        Ids::Ports {
            source,
            destination,
        } => [end(from, source), end(to, destination)],
        Ids::Query { kind, code, id } => {
            let to = format!("{to} type {kind} code {code} id {id}");
            [from.to_string(), to]
        }
        Ids::Keys { .. } | Ids::None => [from.to_string(), to.to_string()],
    }
}

/// Whether answers come from elsewhere than where packets go, or go elsewhere than where they come from.
fn is_translated(entry: &Entry) -> bool {
    has(entry, Status::SRC_NAT.or(Status::DST_NAT))
}

/// How far the connection has come.
fn flag(entry: &Entry) -> (&'static str, Style) {
    if !has(entry, Status::SEEN_REPLY) {
        ("unanswered", AnsiColor::Yellow.on_default())
    } else if has(entry, Status::ASSURED) {
        ("assured", AnsiColor::Green.on_default())
    } else {
        ("", Style::new())
    }
}

/// What became of a connection, as a line.
pub fn event_line(event: Event, entry: &Entry) -> String {
    let style = match event {
        Event::New => AnsiColor::Green.on_default(),
        Event::Update => AnsiColor::Cyan.on_default(),
        Event::Destroy => AnsiColor::Red.on_default(),
    };
    let name = output::paint(style, &format!("{:7}", event.name()));
    let [source, destination] = ends(entry.protocol, &entry.original);
    let protocol = protocol_text(entry.protocol);
    let state = entry.state.map_or(String::new(), |state| state.to_string());
    let mut line = format!("{name}  {protocol:9}  {state:11}  {source} > {destination}");
    if is_translated(entry) {
        line += &format!(
            "  answers {}",
            ends(entry.protocol, &entry.reply).join(" > ")
        );
    }
    if let Some(mark) = entry.mark.filter(|mark| *mark != 0) {
        line += &format!("  mark {mark:#x}");
    }
    let (flag, style) = flag(entry);
    if !flag.is_empty() {
        line += &format!("  {}", output::paint(style, flag));
    }
    if let Some((original, reply)) = entry.original_counters.zip(entry.reply_counters) {
        let text = |counters: WireCounters| {
            let WireCounters { packets, bytes } = counters;
            format!("{packets} packets {bytes} bytes")
        };
        line += &format!("  {} > {} <", text(original), text(reply));
    }
    line + "\n"
}

/// Connections as a table.
pub fn table(entries: &[Entry]) -> String {
    let mut table = Table::new(vec![
        ("protocol", Side::Left),
        ("state", Side::Left),
        ("seconds", Side::Right),
        ("source", Side::Left),
        ("destination", Side::Left),
        ("answers from", Side::Left),
        ("mark", Side::Right),
        ("zone", Side::Left),
        ("", Side::Left),
    ]);
    let plain = |text: String| (text, Style::new());
    for entry in entries {
        let [source, destination] = ends(entry.protocol, &entry.original);
        let answers = if is_translated(entry) {
            ends(entry.protocol, &entry.reply).join(" to ")
        } else {
            String::new()
        };
        let mark = entry.mark.filter(|mark| *mark != 0);
        let zone = entry.zone.map_or(String::new(), |zone| zone.to_string());
        let zone = match entry.zone_direction {
            Some(direction) => format!("{zone} {}", direction_name(direction)),
            None => zone,
        };
        let (flag, style) = flag(entry);
        table.row(vec![
            plain(protocol_text(entry.protocol)),
            plain(entry.state.map_or(String::new(), |state| state.to_string())),
            plain(entry.seconds_left.to_string()),
            plain(source),
            plain(destination),
            plain(answers),
            plain(mark.map_or(String::new(), |mark| format!("{mark:#x}"))),
            plain(zone),
            (flag.to_owned(), style),
        ]);
    }
    let mut text = String::new();
    if !entries.is_empty() {
        text += &table.render("");
    }
    text + &count(entries.len() as u64) + "\n"
}

#[cfg(test)]
pub mod fixtures {
    //! Connections to print.

    use super::*;
    use oxtables_engine::engine::packet::Family;
    use oxtables_engine::uapi::conntrack::StateName;

    /// One of TCP, of which nothing is counted.
    pub fn tcp() -> Entry {
        let flow = |source: [u8; 4], source_id, destination: [u8; 4], destination_id| Flow {
            source: source.into(),
            destination: destination.into(),
            source_id,
            destination_id,
        };
        Entry {
            id: 7,
            family: Family::V4,
            protocol: protocol::TCP,
            original: flow([192, 0, 2, 1], 1024, [198, 51, 100, 2], 22),
            reply: flow([198, 51, 100, 2], 22, [192, 0, 2, 1], 1024),
            status: Status::SEEN_REPLY
                .or(Status::ASSURED)
                .or(Status::CONFIRMED)
                .0,
            seconds_left: 431_999,
            state: StateName::new(b"ESTABLISHED"),
            mark: Some(0),
            original_counters: None,
            reply_counters: None,
            announced_by: None,
            uses: 1,
            zone: None,
            zone_direction: None,
        }
    }

    /// A ping that was not answered.
    pub fn ping_v6() -> Entry {
        let address = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]);
        let flow = |from, to, kind: u8| Flow {
            source: address(from),
            destination: address(to),
            source_id: 5,
            destination_id: u16::from(kind) << 8,
        };
        Entry {
            family: Family::V6,
            protocol: protocol::ICMPV6,
            original: flow(1, 2, 128),
            reply: flow(2, 1, 129),
            status: Status::CONFIRMED.0,
            seconds_left: 29,
            state: None,
            mark: Some(16),
            original_counters: Some(WireCounters {
                packets: 1,
                bytes: 104,
            }),
            reply_counters: Some(WireCounters::default()),
            uses: 2,
            ..tcp()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fixtures::{ping_v6, tcp};
    use super::*;

    #[test]
    fn events_are_lines() {
        let plain = |event, entry: &Entry| {
            anstream::adapter::strip_str(&event_line(event, entry)).to_string()
        };
        assert_eq!(
            plain(Event::Update, &tcp()),
            "update   tcp        ESTABLISHED  192.0.2.1:1024 > 198.51.100.2:22  assured\n"
        );
        assert_eq!(
            plain(Event::Destroy, &ping_v6()),
            "destroy  ipv6-icmp               2001:db8::1 > 2001:db8::2 type 128 code 0 id 5  mark 0x10  unanswered  \
             1 packets 104 bytes > 0 packets 0 bytes <\n"
        );
        let nat = Entry {
            status: Status::DST_NAT.or(Status::SEEN_REPLY).0,
            ..tcp()
        };
        assert!(plain(Event::New, &nat).contains("  answers 198.51.100.2:22 > 192.0.2.1:1024\n"));
    }

    #[test]
    fn lines_are_those_of_proc() {
        assert_eq!(
            proc_line(&tcp()),
            "ipv4     2 tcp      6 431999 ESTABLISHED src=192.0.2.1 dst=198.51.100.2 sport=1024 dport=22 \
             src=198.51.100.2 dst=192.0.2.1 sport=22 dport=1024 [ASSURED] mark=0 zone=0 use=1\n"
        );
        let (one, two) = (
            "2001:0db8:0000:0000:0000:0000:0000:0001",
            "2001:0db8:0000:0000:0000:0000:0000:0002",
        );
        assert_eq!(
            proc_line(&ping_v6()),
            format!(
                "ipv6     10 icmpv6   58 29 src={one} dst={two} type=128 code=0 id=5 packets=1 bytes=104 \
                 [UNREPLIED] src={two} dst={one} type=129 code=0 id=5 packets=0 bytes=0 mark=16 zone=0 use=2\n"
            )
        );
        let gre = Entry {
            protocol: protocol::GRE,
            state: None,
            mark: None,
            ..tcp()
        };
        assert!(proc_line(&gre).contains(
            "gre      47 431999 src=192.0.2.1 dst=198.51.100.2 srckey=0x400 dstkey=0x16 "
        ));
        let other = Entry {
            protocol: 253,
            state: None,
            ..tcp()
        };
        assert!(
            proc_line(&other).contains("unknown  253 431999 src=192.0.2.1 dst=198.51.100.2 src=")
        );
    }

    #[test]
    fn zones_stand_where_they_hold() {
        let line = |zone_direction| {
            let entry = Entry {
                zone: Some(7),
                zone_direction,
                ..ping_v6()
            };
            assert_eq!(json(&entry).zone, 7);
            (proc_line(&entry), table(&[entry]))
        };
        let (both, text) = line(None);
        assert!(both.ends_with(" zone=7 use=2\n") && text.contains("7"));
        let (original, text) = line(Some(Direction::Original));
        assert!(original.contains(" id=5 zone-orig=7 packets=1 ") && !original.contains(" zone="));
        assert!(text.contains("7 original"));
        let (reply, text) = line(Some(Direction::Reply));
        assert!(reply.contains(" id=5 zone-reply=7 packets=0 ") && !reply.contains(" zone="));
        assert!(text.contains("7 reply"));
    }

    #[test]
    fn tables_and_json_tell_the_same() {
        let nat = Entry {
            status: Status::DST_NAT.or(Status::SEEN_REPLY).0,
            ..tcp()
        };
        let text = table(&[tcp(), nat, ping_v6()]);
        let text = anstream::adapter::strip_str(&text).to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 5);
        assert!(lines[1]
            .starts_with("tcp        ESTABLISHED   431999  192.0.2.1:1024  198.51.100.2:22"));
        assert!(lines[1].ends_with("assured"));
        assert!(lines[2].contains("198.51.100.2:22 to 192.0.2.1:1024"));
        assert!(lines[3].contains("2001:db8::2 type 128 code 0 id 5"));
        assert!(lines[3].ends_with("unanswered") && lines[3].contains("  0x10  "));
        assert_eq!(lines[4], "3 connections");
        let json = serde_json::to_value(json(&ping_v6())).unwrap();
        assert_eq!(json["protocol"], "ipv6-icmp");
        assert_eq!(json["original"]["icmp_type"], 128);
        assert_eq!(json["original"]["packets"], 1);
        assert_eq!(json["status"], serde_json::json!(["CONFIRMED"]));
        assert!(json.get("state").is_none());
    }
}

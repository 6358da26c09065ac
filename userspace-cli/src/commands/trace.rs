// SPDX-License-Identifier: GPL-2.0
//! `trace`

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anstyle::{AnsiColor, Style};

use oxtables_engine::engine::packet::{parse_v4, parse_v6, Body, Family, Flat};
use oxtables_engine::engine::rules::trace::{Met, Next};
use oxtables_engine::engine::rules::Model;
use oxtables_engine::uapi::trace::Trace;
use oxtables_engine::uapi::GROUP_TRACE;

use super::{output, Failure};
use crate::cli::Global;
use crate::json::{self, Document, Headers};
use crate::language::printer;
use crate::netlink::{Connection, Count, Snapshot, Step};

/// Tells what traced packets meet until it is ended.
pub fn trace(global: Global) -> Result<(), Failure> {
    let mut listener = Connection::open()?.listen(GROUP_TRACE)?;
    let mut rules = Rules::read()?;
    if !global.json {
        output::styled("listening for packets that a rule with -j TRACE matches\n")?;
    }
    let mut last = None;
    loop {
        let Some(steps) = listener.steps()? else {
            last = None;
            if global.json {
                output::raw(Document::new(json::Lost { lost: true }).line().as_bytes())?;
            } else {
                output::styled("steps were lost: they came faster than they were read\n")?;
            }
            continue;
        };
        let wanted = |step: &Step| {
            let family = global.family();
            family.is_none_or(|family| family == step.trace.family)
        };
        for step in steps.into_iter().filter(wanted) {
            let rule = rules.text(&step)?;
            if global.json {
                output::raw(Document::new(json(&step, rule)).line().as_bytes())?;
                continue;
            }
            let packet = packet_text(&step.trace);
            if last.as_ref() != Some(&packet) {
                output::styled(&packet)?;
            }
            output::styled(&step_text(&step.trace, rule))?;
            last = Some(packet);
        }
    }
}

/// The rules that steps tell of.
struct Rules {
    kernel: Connection,
    generation: u64,
    model: Model,
}

impl Rules {
    fn read() -> Result<Self, Failure> {
        let mut kernel = Connection::open()?;
        let Snapshot { generation, model } = kernel.rules(Count::Without)?;
        Ok(Self {
            kernel,
            generation,
            model,
        })
    }

    /// The text of the rule that a packet met; none where it met none, or the rules have changed since.
    fn text(&mut self, step: &Step) -> Result<Option<String>, Failure> {
        if step.generation > self.generation {
            let Snapshot { generation, model } = self.kernel.rules(Count::Without)?;
            (self.generation, self.model) = (generation, model);
        }
        let trace = &step.trace;
        if step.generation != self.generation || trace.met != Met::Rule {
            return Ok(None);
        }
        let table = self.model.find(trace.family, &trace.table);
        let chain = table.and_then(|table| table.chains.get(table.find(&trace.chain)?));
        let index = (trace.number as usize).checked_sub(1);
        let entry = chain.and_then(|chain| chain.rules.get(index?));
        Ok(entry.map(|entry| {
            let mut text = Vec::new();
            printer::rule(&entry.rule, trace.family, &mut text);
            String::from_utf8_lossy(text.trim_ascii_start()).into_owned()
        }))
    }
}

fn met_text(met: Met) -> &'static str {
    match met {
        Met::Rule => "rule",
        Met::End => "end",
        Met::Policy => "policy",
    }
}

fn next_text(next: Next) -> &'static str {
    match next {
        Next::Continue => "continue",
        Next::Accept => "accept",
        Next::Drop => "drop",
        Next::Reject => "reject",
        Next::Queue => "queue",
        Next::Return => "return",
        Next::Jump => "jump",
        Next::Goto => "goto",
    }
}

/// The addresses in an IP header, which is there when a packet was parsed.
fn addresses(family: Family, bytes: &[u8]) -> Option<[IpAddr; 2]> {
    fn two<const N: usize>(bytes: &[u8], at: usize) -> Option<[[u8; N]; 2]> {
        let rest = bytes.get(at..)?;
        Some([*rest.first_chunk()?, *rest.get(N..)?.first_chunk()?])
    }
    Some(match family {
        Family::V4 => two::<4>(bytes, 12)?.map(|octets| Ipv4Addr::from(octets).into()),
        Family::V6 => two::<16>(bytes, 8)?.map(|octets| Ipv6Addr::from(octets).into()),
    })
}

/// What the first bytes of a packet say.
fn headers(trace: &Trace) -> Option<Headers> {
    let bytes = trace.packet.as_bytes();
    let flat = Flat {
        bytes,
        ..Flat::default()
    };
    let input = flat.at(trace.hook);
    let [source, destination] = addresses(trace.family, bytes)?;
    let read = |body: &Body<'_>| {
        let protocol = body.transport.map(|transport| transport.protocol);
        let (source_port, destination_port) = body.ports.known().ok().flatten().unzip();
        Headers {
            source: source.to_string(),
            destination: destination.to_string(),
            protocol: protocol.map(printer::protocol_text),
            source_port,
            destination_port,
        }
    };
    match trace.family {
        Family::V4 => parse_v4(&input, true).ok().map(|packet| read(&packet.body)),
        Family::V6 => parse_v6(&input, true).ok().map(|packet| read(&packet.body)),
    }
}

fn json(step: &Step, rule: Option<String>) -> json::Step {
    let trace = &step.trace;
    json::Step {
        generation: step.generation,
        id: trace.id,
        family: trace.family.name(),
        hook: trace.hook.chain(),
        table: trace.table.to_string(),
        chain: trace.chain.to_string(),
        met: met_text(trace.met),
        number: trace.number,
        rule,
        next: next_text(trace.next),
        to: trace.to.map(|chain| chain.to_string()),
        reason: trace.reason.map(|reason| reason.to_string()),
        input: trace.input.map(|device| device.text().to_string()),
        output: trace.output.map(|device| device.text().to_string()),
        mark: trace.mark,
        length: trace.length,
        headers: headers(trace),
    }
}

/// A line that tells which packet it is, and where it is.
fn packet_text(trace: &Trace) -> String {
    let title = format!(
        "packet {:08x}  {} {}",
        trace.id,
        trace.family.name(),
        trace.hook.chain()
    );
    let mut text = output::paint(Style::new().bold(), &title);
    for (name, device) in [("in", trace.input), ("out", trace.output)] {
        if let Some(device) = device {
            text += &format!("  {name} {}", device.text());
        }
    }
    if let Some(headers) = headers(trace) {
        let end = |address: &str, port: Option<u16>| match port {
            Some(port) if trace.family == Family::V6 => format!("[{address}]:{port}"),
            Some(port) => format!("{address}:{port}"),
            None => address.to_owned(),
        };
        let protocol = headers.protocol.unwrap_or_default();
        let source = end(&headers.source, headers.source_port);
        let destination = end(&headers.destination, headers.destination_port);
        text += &format!("  {protocol} {source} > {destination}");
    }
    text += &format!("  {} bytes", trace.length);
    if trace.mark != 0 {
        text += &format!("  mark {:#x}", trace.mark);
    }
    text + "\n"
}

/// A line that tells what the packet met, and what becomes of it.
fn step_text(trace: &Trace, rule: Option<String>) -> String {
    let place = format!("{}:{}:{}", trace.table, trace.chain, trace.number);
    let style = match trace.next {
        Next::Accept => AnsiColor::Green.on_default(),
        Next::Drop | Next::Reject => AnsiColor::Red.on_default(),
        Next::Jump | Next::Goto | Next::Queue => AnsiColor::Cyan.on_default(),
        Next::Continue | Next::Return => Style::new(),
    };
    let mut next = next_text(trace.next).to_owned();
    if let Some(chain) = trace.to {
        next += &format!(" {chain}");
    }
    // A rule that drops says why itself.
    match trace.reason.map(|reason| reason.to_string()) {
        Some(reason) if reason != "rule" && reason != "policy" => next += &format!(" ({reason})"),
        _ => (),
    }
    let what = match (trace.met, rule) {
        (Met::Rule, Some(rule)) => rule,
        (Met::Rule, None) => "(the rules have changed since)".to_owned(),
        (met, _) => met_text(met).to_owned(),
    };
    let next = output::paint(style, &format!("{next:12}"));
    format!("  {place:24}  {next}  {what}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxtables_engine::engine::packet::{DeviceName, Hook};
    use oxtables_engine::engine::text::Name;
    use oxtables_engine::uapi::trace::Head;

    const PACKET: [u8; 28] = [
        0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2, // IPv4
        4, 0, 0, 53, 0, 8, 0, 0, // UDP
    ];

    fn step(bytes: &[u8]) -> Trace {
        Trace {
            id: 0xabc,
            family: Family::V4,
            hook: Hook::Forward,
            table: Name::literal("filter"),
            chain: Name::literal("FORWARD"),
            met: Met::Rule,
            number: 3,
            next: Next::Jump,
            to: Some(Name::literal("web")),
            reason: None,
            input: DeviceName::from_text(b"lan0"),
            output: DeviceName::from_text(b"wan0"),
            mark: 7,
            length: 28,
            packet: Head::new(bytes.len(), |to| {
                to.copy_from_slice(bytes);
                true
            }),
        }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_packet_and_its_step() {
        assert_eq!(
            plain(&packet_text(&step(&PACKET))),
            "packet 00000abc  ipv4 FORWARD  in lan0  out wan0  \
             udp 192.0.2.1:1024 > 198.51.100.2:53  28 bytes  mark 0x7\n"
        );
        let text = plain(&step_text(&step(&PACKET), Some("-p udp -j web".to_owned())));
        let words: Vec<_> = text.split_whitespace().collect();
        assert_eq!(
            words,
            ["filter:FORWARD:3", "jump", "web", "-p", "udp", "-j", "web"]
        );
    }

    #[test]
    fn what_is_cut_off_is_left_out() {
        let text = plain(&packet_text(&step(&PACKET[..22])));
        assert!(
            text.contains("udp 192.0.2.1 > 198.51.100.2  28 bytes"),
            "{text}"
        );
        for length in [0, 12, 19] {
            let text = plain(&packet_text(&step(&PACKET[..length])));
            assert!(text.contains("out wan0  28 bytes"), "{text}");
        }
    }

    #[test]
    fn a_drop_says_why_where_no_rule_says_it() {
        let drop = |reason| Trace {
            next: Next::Drop,
            to: None,
            reason: Some(Name::literal(reason)),
            ..step(&PACKET)
        };
        let text = |reason| plain(&step_text(&drop(reason), None));
        assert!(text("truncated-transport-header").contains("drop (truncated-transport-header)"));
        assert!(!text("rule").contains("(rule)"));
    }
}

//! From a plan to the text of a plan file.

use std::fmt::Write;

use super::super::{
    Action, Anchor, Change, Cut, EventKind, Fault, FaultPlan, Injection, LabPair, Lasts, Link, Packet,
    Rejection, When,
};
use super::change::{Written, checksums};
use super::link::{differs, numbers};

/// Writes into a `String`, which cannot fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {{
        let _ = writeln!($out, $($arg)*);
    }};
}

/// The text of a plan file.
pub(super) fn toml(plan: &FaultPlan) -> String {
    let mut out = String::new();
    put!(out, "format = 1");
    if let Some(title) = &plan.title {
        put!(out, "title = {}", quoted(title));
    }
    if let Some(scenario) = &plan.scenario {
        put!(out, "scenario = {}", quoted(scenario));
    }
    if let Some(claim) = &plan.claim {
        put!(out, "claim = {}", quoted(claim));
    }
    put!(out, "[link]");
    match plan.link {
        Link::Profile(profile) => put!(out, "profile = \"{profile}\""),
        Link::Numbers(numbers) => {
            put!(out, "delay_us = {}", numbers.delay_us);
            // What the reader would refuse changes nothing either.
            if let Some(max) = numbers.delay_us_max.filter(|max| *max >= numbers.delay_us) {
                put!(out, "delay_us_max = {max}");
            }
            put!(out, "mtu = {}", numbers.mtu);
            if let Some(mtu) = numbers.host_mtu {
                put!(out, "host_mtu = {mtu}");
            }
            if let Some(rate) = numbers.rate_kbps {
                put!(out, "rate_kbps = {rate}");
            }
        }
    }
    for link in plan.links.iter().filter(|link| differs(link)) {
        put!(out, "[[links]]");
        match &link.hosts {
            [from, to] if link.one_way => put!(out, "direction = \"{from}->{to}\""),
            [a, b] => put!(out, "between = [{}, {}]", quoted(a), quoted(b)),
        }
        if let Some(profile) = link.profile {
            put!(out, "profile = \"{profile}\"");
        }
        numbers(link).for_each(|(key, number)| put!(out, "{key} = {number}"));
    }
    if let Some(LabPair { server, client, ipv6, profile, tun, timeout }) = &plan.lab {
        put!(out, "[lab]");
        put!(out, "server = {}", quoted(server));
        put!(out, "client = {}", quoted(client));
        if *ipv6 {
            put!(out, "ipv6 = true");
        }
        if let Some(profile) = profile {
            put!(out, "profile = {}", quoted(profile));
        }
        if !tun.is_empty() {
            let hosts: Vec<String> = tun.iter().map(|host| quoted(host)).collect();
            put!(out, "tun = [{}]", hosts.join(", "));
        }
        if let Some(timeout) = timeout {
            put!(out, "timeout_ms = {}", timeout.as_millis());
        }
    }
    for Fault { direction, packet, action } in &plan.faults {
        put!(out, "[[fault]]");
        put!(out, "direction = \"{direction}\"");
        put!(out, "packet = {{ {} }}", selector(packet));
        put!(out, "action = {}", action_text(action));
    }
    for event in &plan.events {
        put!(out, "[[event]]");
        put!(out, "kind = \"{}\"", event.kind.name());
        match &event.kind {
            EventKind::Partition(cut) | EventKind::Heal(cut) => self::cut(&mut out, cut),
            EventKind::Outage { cut, lasts } => {
                self::cut(&mut out, cut);
                match lasts {
                    Lasts::Us(us) => put!(out, "for_us = {us}"),
                    Lasts::Retransmissions(count) => put!(out, "retransmissions = {count}"),
                }
            }
            EventKind::Crash(host) | EventKind::Kill(host) | EventKind::Restart(host) => {
                put!(out, "host = {}", quoted(host));
            }
            EventKind::Inject(Injection::Bytes { direction, packet }) => {
                put!(out, "direction = \"{direction}\"");
                put!(out, "bytes = \"{packet:x}\"");
            }
            EventKind::Inject(Injection::Like { direction, packet, change }) => {
                put!(out, "like = {{ direction = \"{direction}\", {} }}", selector(packet));
                entries(change).for_each(|entry| put!(out, "{entry}"));
            }
            EventKind::Inject(Injection::Reject { direction, packet, rejection }) => {
                put!(out, "like = {{ direction = \"{direction}\", {} }}", selector(packet));
                rejection_entries(*rejection).for_each(|entry| put!(out, "{entry}"));
            }
        }
        match &event.when {
            When::After(Anchor { direction, packet, wait_us }) => {
                let wait = if *wait_us > 0 { format!(", wait_us = {wait_us}") } else { String::new() };
                put!(out, "after = {{ direction = \"{direction}\", {}{wait} }}", selector(packet));
            }
            When::Before(Anchor { direction, packet, .. }) => {
                put!(out, "before = {{ direction = \"{direction}\", {} }}", selector(packet));
            }
            When::AtUs(at) => put!(out, "at_us = {at}"),
        }
    }
    out
}

fn cut(out: &mut String, cut: &Cut<String>) {
    match &cut.hosts {
        Some([from, to]) if cut.one_way => put!(out, "direction = \"{from}->{to}\""),
        Some([a, b]) => put!(out, "hosts = [{}, {}]", quoted(a), quoted(b)),
        None => {}
    }
    if let Some(flow) = cut.flow {
        put!(out, "flow = {flow}");
    }
    if let Some(bytes) = cut.longer_than {
        put!(out, "longer_than = {bytes}");
    }
}

fn selector(packet: &Packet) -> String {
    let mut out = format!("class = \"{}\", nth = {}", packet.class, packet.nth);
    if let Some(flow) = packet.flow {
        let _ = write!(out, ", flow = {flow}");
    }
    if let Some(transmission) = packet.transmission {
        let _ = write!(out, ", transmission = {transmission}");
    }
    out
}

fn action_text(action: &Action) -> String {
    match action {
        Action::Drop => "\"drop\"".to_owned(),
        Action::Duplicate => "\"duplicate\"".to_owned(),
        Action::DelayUs(micros) => format!("{{ delay_us = {micros} }}"),
        Action::HoldFor(packets) => format!("{{ hold_for = {packets} }}"),
        Action::CorruptBits(bits) => match bits[..] {
            [bit] => format!("{{ corrupt_bit = {bit} }}"),
            _ => format!("{{ corrupt_bits = {bits:?} }}"),
        },
        Action::Change(change) => format!("{{ {} }}", entries(change).collect::<Vec<_>>().join(", ")),
        Action::Reject(rejection) => {
            format!("{{ {} }}", rejection_entries(*rejection).collect::<Vec<_>>().join(", "))
        }
    }
}

/// The entries that say a change.
fn entries(change: &Change) -> impl Iterator<Item = String> {
    let field = |(field, value): &(_, _)| format!("{field} = {}", Written::of(*field, value));
    let fields: Vec<String> = change.fields.iter().map(field).collect();
    let set = (!fields.is_empty()).then(|| format!("set = {{ {} }}", fields.join(", ")));
    let bits = match change.bits[..] {
        [] => None,
        [bit] => Some(format!("corrupt_bit = {bit}")),
        _ => Some(format!("corrupt_bits = {:?}", change.bits)),
    };
    let checksums = checksums(change).map(|word| format!("checksums = \"{word}\""));
    [set, bits, checksums].into_iter().flatten()
}

/// The entries that say a rejection.
fn rejection_entries(rejection: Rejection) -> impl Iterator<Item = String> {
    let mtu = match rejection {
        Rejection::TooBig(mtu) => Some(format!("mtu = {mtu}")),
        _ => None,
    };
    std::iter::once(format!("reject = \"{rejection}\"")).chain(mtu)
}

/// A TOML basic string: quotation marks, backslashes and control characters are escaped.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

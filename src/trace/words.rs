//! The words that the renderings of a trace share. Stable: golden traces and hashes are made of them.

use super::{DropReason, LossReason, Note, TcpNote};
use crate::model::{Action, Cut, HostId, Rejection, SocketOption};
use crate::packet::IcmpMessage;

/// Why a packet was lost.
pub(super) fn loss(reason: LossReason) -> &'static str {
    match reason {
        LossReason::Partition => "link cut",
        LossReason::HostDown => "host down",
        LossReason::NoSuchHost => "no such host",
        LossReason::TooBig => "above the MTU",
        LossReason::WireFull => "wire full",
        LossReason::Damaged => "damaged",
        LossReason::NotHandedOn => "not handed on",
    }
}

/// Why a stack threw a packet away.
pub(super) fn drop_reason(reason: DropReason) -> &'static str {
    match reason {
        DropReason::Malformed => "malformed",
        DropReason::IpChecksum => "IP checksum",
        DropReason::TransportChecksum => "checksum",
        DropReason::IcmpChecksum => "ICMP checksum",
        DropReason::NotForUs => "not for us",
        DropReason::NoSocket => "no socket",
        DropReason::BufferFull => "buffer full",
        DropReason::Reassembly => "incomplete",
    }
}

/// A value that a program noted, cut where it is long.
pub(super) fn noted(key: &str, value: &str) -> String {
    const LONGEST: usize = 60;
    let cut = |text: &str| {
        let mut shown = String::new();
        for char in text.chars().take(LONGEST) {
            match char {
                ' '..='~' => shown.push(char),
                _ => shown.extend(char.escape_default()),
            }
        }
        if text.chars().nth(LONGEST).is_some() {
            shown += "...";
        }
        shown
    };
    format!("{} = {}", cut(key), cut(value))
}

/// What a stack tells.
pub(super) fn note(note: Note) -> String {
    match note {
        Note::Dropped(reason) => format!("discarded: {}", drop_reason(reason)),
        Note::Reassembled(len) => format!("put together, {len} B"),
        Note::Tcp { note, .. } => tcp_note(note),
    }
}

/// What a connection tells.
pub(super) fn tcp_note(note: TcpNote) -> String {
    match note {
        TcpNote::State(state) => state.name().to_owned(),
        TcpNote::Timeout => "timeout".to_owned(),
        TcpNote::FastRetransmit => "fast retransmit".to_owned(),
        TcpNote::Probe => "window probe".to_owned(),
        TcpNote::WindowClosed => "window closed".to_owned(),
        TcpNote::CongestionWindow(bytes) => format!("congestion window {bytes} B"),
    }
}

/// What a fault does, as it stands in a sentence behind the packet's name.
pub(super) fn action(action: &Action) -> String {
    match action {
        Action::Drop => "dropped".to_owned(),
        Action::Duplicate => "doubled".to_owned(),
        Action::DelayUs(micros) => format!("delayed by {}", span(micros.saturating_mul(1_000))),
        Action::HoldFor(packets) => format!("held behind {packets}"),
        Action::CorruptBits(bits) => match bits.as_slice() {
            [bit] => format!("bit {bit} flipped"),
            [first, second] => format!("bits {first} and {second} flipped"),
            bits => format!("{} bits flipped", bits.len()),
        },
        Action::Change(change) => format!("changed: {change}"),
        Action::Reject(Rejection::TooBig(mtu)) => format!("rejected: too-big, mtu {mtu}"),
        Action::Reject(rejection) => format!("rejected: {rejection}"),
    }
}

/// `link cut`, `client->server cut`, `link mended for flow 1`; `done` is the last word or words.
pub(super) fn cut(cut: &Cut<HostId>, done: &str, name: impl Fn(HostId) -> String) -> String {
    let link = match cut.hosts {
        Some([from, to]) if cut.one_way => format!("{}->{}", name(from), name(to)),
        _ => "link".to_owned(),
    };
    let flow = cut.flow.map_or(String::new(), |flow| format!(" for flow {flow}"));
    let len = cut.longer_than.map_or(String::new(), |bytes| format!(" above {bytes} bytes"));
    format!("{link} {done}{flow}{len}")
}

/// What an ICMP message says.
pub(super) fn icmp(message: IcmpMessage) -> String {
    match message {
        IcmpMessage::PortUnreachable => "port unreachable".to_owned(),
        IcmpMessage::HostUnreachable => "host unreachable".to_owned(),
        IcmpMessage::NetUnreachable => "net unreachable".to_owned(),
        IcmpMessage::TooBig(mtu) => format!("too big, MTU {mtu}"),
        IcmpMessage::TimeExceeded => "time exceeded".to_owned(),
        IcmpMessage::EchoRequest { seq, .. } => format!("echo request {seq}"),
        IcmpMessage::EchoReply { seq, .. } => format!("echo reply {seq}"),
        IcmpMessage::Other { kind, code } => format!("type {kind} code {code}"),
    }
}

/// A socket option's name, as in `socket(7)`, and its value.
pub(super) fn option(option: &SocketOption) -> (&'static str, String) {
    let on = |on: bool| if on { "on" } else { "off" }.to_owned();
    match option {
        SocketOption::RecvBuffer(bytes) => ("SO_RCVBUF", bytes.to_string()),
        SocketOption::SendBuffer(bytes) => ("SO_SNDBUF", bytes.to_string()),
        SocketOption::ReuseAddress(value) => ("SO_REUSEADDR", on(*value)),
        SocketOption::Broadcast(value) => ("SO_BROADCAST", on(*value)),
        SocketOption::KeepAlive(None) => ("SO_KEEPALIVE", on(false)),
        SocketOption::KeepAlive(Some(numbers)) => (
            "SO_KEEPALIVE",
            format!(
                "on idle {} interval {} probes {}",
                optional(numbers.idle.map(|idle| format!("{idle:?}"))),
                optional(numbers.interval.map(|interval| format!("{interval:?}"))),
                optional(numbers.probes),
            ),
        ),
        SocketOption::Linger(None) => ("SO_LINGER", on(false)),
        SocketOption::Linger(Some(span)) => ("SO_LINGER", span.as_secs().to_string()),
        SocketOption::NoDelay(value) => ("TCP_NODELAY", on(*value)),
        SocketOption::MaxSegment(bytes) => ("TCP_MAXSEG", bytes.to_string()),
        SocketOption::Ttl(hops) => ("IP_TTL", hops.to_string()),
        SocketOption::V6Only(value) => ("IPV6_V6ONLY", on(*value)),
        SocketOption::MulticastTtl(hops) => ("IP_MULTICAST_TTL", hops.to_string()),
        SocketOption::MulticastLoop(value) => ("IP_MULTICAST_LOOP", on(*value)),
        SocketOption::JoinGroup(group) => ("IP_ADD_MEMBERSHIP", group.to_string()),
        SocketOption::LeaveGroup(group) => ("IP_DROP_MEMBERSHIP", group.to_string()),
    }
}

fn optional(number: Option<impl std::fmt::Display>) -> String {
    number.map_or_else(|| "default".to_owned(), |number| number.to_string())
}

/// A span of time in the unit that reads best, exact to the microsecond: `1 ms`, `1.5 s`, `20 us`.
pub(super) fn span(nanos: u64) -> String {
    let micros = nanos / 1_000;
    let (whole, part, digits, unit) = match micros {
        0..1_000 => (micros, 0, 0, "us"),
        1_000..1_000_000 => (micros / 1_000, micros % 1_000, 3, "ms"),
        _ => (micros / 1_000_000, micros % 1_000_000, 6, "s"),
    };
    if part == 0 {
        return format!("{whole} {unit}");
    }
    let part = format!("{part:0digits$}");
    format!("{whole}.{} {unit}", part.trim_end_matches('0'))
}

/// A moment in milliseconds with three decimals: the trace's own unit.
pub(super) fn moment(at: crate::model::Time) -> String {
    format!("{}.{:03}", at.as_millis(), at.as_micros() % 1_000)
}

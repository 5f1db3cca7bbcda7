//! A trace as text, one line an event: the format of golden traces.
//!
//! Stable from run to run and from release to release. Data of more than 32 bytes and whole packets stand by
//! their length and a hash; times are milliseconds, exact to the nanosecond where they are not whole
//! microseconds.

use std::fmt::{self, Write as _};
use std::net::SocketAddr;

use bytes::Bytes;

use super::{Call, Event, HostId, PacketId, Sending, Trace, What, hash, words};
use crate::model::{Action, Cut, Time};
use crate::packet::{PacketView, Transport};

/// Data up to this length is shown; longer data by length and hash.
const SHOWN_BYTES: usize = 32;

/// How much is said of data and of whole packets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Bytes,
    /// Kind and length alone.
    Shape,
}

impl Trace {
    /// The trace as text: a line with the hosts' names, then one line for each event.
    pub fn text(&self) -> String {
        self.in_detail(Detail::Bytes)
    }

    /// The trace's shape: the text with the lengths of data and packets, and not their bytes. Programs that
    /// send random numbers repeat in it if nothing else depends on these.
    pub fn shape(&self) -> String {
        self.in_detail(Detail::Shape)
    }

    fn in_detail(&self, detail: Detail) -> String {
        let mut out = format!("hosts {}\n", self.hosts().join(" "));
        for event in self.events() {
            out.push_str(&time(event.at));
            out.push(' ');
            out.push_str(&self.line(event, detail, &|packet| format!("p{}", packet.0)));
            out.push('\n');
        }
        out
    }

    /// What happened at one host, in order and without times: its programs' calls, what it sent, what
    /// arrived, what its stack told, its crashes and restarts. Packets are named by what they are, so that
    /// two testbeds can be compared line by line.
    pub fn host_sequence(&self, host: HostId) -> Vec<String> {
        let names = self.packet_names();
        let name = |packet: PacketId| {
            let known = names.get(packet.0 as usize).and_then(Option::as_deref);
            known.unwrap_or("an unknown packet").to_owned()
        };
        self.events()
            .iter()
            .filter(|event| event.what.is_at(host))
            .map(|event| self.line(event, Detail::Bytes, &name))
            .collect()
    }

    /// Each packet's name by what it is, by number.
    fn packet_names(&self) -> Vec<Option<String>> {
        let mut names = Vec::new();
        for sending in self.sendings() {
            let index = sending.packet.0 as usize;
            // Numbers come from `next_packet`; a trace made by hand may have gaps, within reason.
            if index > names.len() + 65_536 {
                continue;
            }
            if names.len() <= index {
                names.resize(index + 1, None);
            }
            names[index] = Some(self.sending_name(&sending));
        }
        names
    }

    fn sending_name(&self, sending: &Sending<'_>) -> String {
        let way = format!("{}->{}", self.host_name(sending.from), self.host_name(sending.to));
        match sending.label {
            None => format!("{way} injected"),
            Some(label) => {
                let mut name = format!("{way} {} {}", label.class.name(), label.nth);
                if label.flow > 1 {
                    let _ = write!(name, " flow {}", label.flow);
                }
                if label.transmission > 1 {
                    let _ = write!(name, " transmission {}", label.transmission);
                }
                name
            }
        }
    }

    /// As a plan words it, but `all` for all links.
    fn links(&self, cut: &Cut<HostId>) -> String {
        if *cut == Cut::ALL {
            return "all".to_owned();
        }
        let hosts = cut.hosts.map(|ends| ends.map(|host| self.host_name(host).to_owned()));
        Cut { hosts, one_way: cut.one_way, flow: cut.flow, longer_than: cut.longer_than }.to_string()
    }

    fn line(&self, event: &Event, detail: Detail, packet_name: &dyn Fn(PacketId) -> String) -> String {
        let host = |id: &HostId| self.host_name(*id);
        match &event.what {
            What::Fault { packet, fault, action } => {
                format!("{} fault {fault}: {}", packet_name(*packet), effect(action))
            }
            What::Arrived { packet, copy, to, altered } => {
                let mut line = format!("{} arrives at {}", packet_name(*packet), host(to));
                if *copy > 0 {
                    let _ = write!(line, ", copy {copy}");
                }
                if let Some(bytes) = altered {
                    let _ = write!(line, ", altered: {}", contents(bytes, detail));
                }
                line
            }
            What::Lost { packet, reason } => {
                format!("{} lost: {}", packet_name(*packet), words::loss(*reason))
            }
            What::Call { host: whose, socket, call, error } => {
                let mut line = format!("{} s{} {}", host(whose), socket.0, CallText(call, detail));
                if let Some(errno) = error {
                    let _ = write!(line, " = {}", errno.name());
                }
                line
            }
            What::Note { host: whose, note } => format!("{} stack {}", host(whose), words::note(*note)),
            What::Noted { host: whose, key, value } => {
                let value = match detail {
                    Detail::Shape => format!("{} = {} bytes", key.escape_default(), value.len()),
                    _ => words::noted(key, value),
                };
                format!("{} notes {value}", host(whose))
            }
            What::Partitioned(cut) => format!("partition {}", self.links(cut)),
            What::Healed(cut) => format!("heal {}", self.links(cut)),
            What::Crashed(whose) => format!("{} crashes", host(whose)),
            What::Killed(whose) => format!("{} is killed", host(whose)),
            What::Restarted(whose) => format!("{} restarts", host(whose)),
            What::Sent { .. } | What::Injected { .. } => event
                .sending()
                .map(|sending| {
                    let name = self.sending_name(&sending);
                    let id = packet_name(sending.packet);
                    let id = if id == name { String::new() } else { format!("{id} ") };
                    format!("{id}{name}: {}", contents(sending.bytes, detail))
                })
                .unwrap_or_default(),
        }
    }
}

impl What {
    /// Whether it happened at that host: its calls, packets sent by it or handed to it, its stack's notes,
    /// its crashes and restarts.
    pub(super) fn is_at(&self, host: HostId) -> bool {
        match self {
            What::Sent { from, .. } => *from == host,
            What::Arrived { to, .. } => *to == host,
            What::Call { host: whose, .. }
            | What::Note { host: whose, .. }
            | What::Noted { host: whose, .. } => *whose == host,
            What::Crashed(whose) | What::Killed(whose) | What::Restarted(whose) => *whose == host,
            What::Injected { .. }
            | What::Fault { .. }
            | What::Lost { .. }
            | What::Partitioned(_)
            | What::Healed(_) => false,
        }
    }
}

fn time(at: Time) -> String {
    let nanos = at.as_nanos() % 1_000;
    let mut text = words::moment(at);
    if nanos > 0 {
        let _ = write!(text, "{nanos:03}");
    }
    text
}

/// What a fault does, with every number.
fn effect(action: &Action) -> String {
    match action {
        Action::CorruptBits(bits) if bits.len() > 2 => format!("bits {bits:?} flipped"),
        _ => words::action(action),
    }
}

/// What a packet is and holds.
fn contents(bytes: &Bytes, detail: Detail) -> String {
    let Some(view) = PacketView::parse(bytes) else {
        return format!("no IP packet, {}", Data(bytes, detail));
    };
    let (from, to) = (view.from, view.to);
    let all = match detail {
        // The hash is over the whole packet: headers count.
        Detail::Bytes => format!("{} B #{:016x}", bytes.len(), hash::short(bytes)),
        Detail::Shape => Length(bytes.len()).to_string(),
    };
    match &view.transport {
        Transport::Udp { src, dst, payload } => format!(
            "udp {} > {} {} in {all}",
            SocketAddr::new(from, *src),
            SocketAddr::new(to, *dst),
            Length(payload.len())
        ),
        Transport::Fragment { id, offset, more, payload, .. } => format!(
            "fragment {from} > {to} id {id} {} at {offset}{} in {all}",
            Length(payload.len()),
            if *more { ", more" } else { ", last" }
        ),
        Transport::Icmp { message, .. } => format!("icmp {from} > {to} {} in {all}", words::icmp(*message)),
        Transport::Tcp { src, dst, seq, ack, flags, window, payload, .. } => format!(
            "tcp {} > {} {flags} seq {seq} ack {ack} window {window} {} in {all}",
            SocketAddr::new(from, *src),
            SocketAddr::new(to, *dst),
            Length(payload.len())
        ),
        Transport::Other { protocol, payload } => {
            format!("protocol {protocol} {from} > {to} {} in {all}", Length(payload.len()))
        }
    }
}

struct Length(usize);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.0)
    }
}

struct Data<'a>(&'a [u8], Detail);

impl fmt::Display for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Data(data, detail) = self;
        write!(f, "{} B", data.len())?;
        match data.len() {
            _ if *detail == Detail::Shape => Ok(()),
            0 => Ok(()),
            1..=SHOWN_BYTES => write!(f, " \"{}\"", data.escape_ascii()),
            _ => write!(f, " #{:016x}", hash::short(data)),
        }
    }
}

struct CallText<'a>(&'a Call, Detail);

impl fmt::Display for CallText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CallText(call, detail) = self;
        match call {
            Call::Bind(addr) => write!(f, "bind {addr}"),
            Call::Connect(addr) => write!(f, "connect {addr}"),
            Call::Listen(addr) => write!(f, "listen {addr}"),
            Call::Accept { socket, peer } => {
                write!(f, "accept s{}", socket.0)?;
                peer.map_or(Ok(()), |peer| write!(f, " from {peer}"))
            }
            Call::Send { to, data } => {
                write!(f, "send {}", Data(data, *detail))?;
                to.map_or(Ok(()), |to| write!(f, " to {to}"))
            }
            Call::Recv { from, data, full_len } => {
                write!(f, "recv {}", Data(data, *detail))?;
                if *full_len != data.len() {
                    write!(f, " of {full_len}")?;
                }
                from.map_or(Ok(()), |from| write!(f, " from {from}"))
            }
            Call::Shutdown => f.write_str("shutdown"),
            Call::Close => f.write_str("close"),
            Call::Option(option) => {
                let (name, value) = words::option(option);
                write!(f, "set {name} {value}")
            }
        }
    }
}

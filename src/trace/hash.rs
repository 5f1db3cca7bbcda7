//! A trace's hash: 128 bits over a canonical encoding of every event, the same on every platform and in every
//! process.
//!
//! Encoding: fields in the order of their declaration; numbers little-endian in 8 bytes; text and bytes with
//! their length before them; an option as 0 or 1 and its value; what is chosen from a list by its name.

use std::hash::Hasher as _;
use std::net::{IpAddr, SocketAddr};

use siphasher::sip::SipHasher24;
use siphasher::sip128::{Hasher128 as _, SipHasher24 as SipHasher128};

use super::{Call, CongestionWindow, Event, HostId, Note, Trace, What, words};
use crate::model::{Action, Change, Cut, Label, Rejection, Value};

/// A trace's hash. Displays as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceHash(pub u128);

impl std::fmt::Display for TraceHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::fmt::Debug for TraceHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// 64 bits that stand for data in a text.
pub(super) fn short(data: &[u8]) -> u64 {
    SipHasher24::new().hash(data)
}

impl Trace {
    /// The hash of the whole trace, times included. Equal hashes mean equal traces.
    pub fn hash(&self) -> TraceHash {
        let mut encoder = Encoder::new();
        encoder.number(self.hosts().len() as u64);
        for host in self.hosts() {
            encoder.text(host);
        }
        for event in self.events() {
            encoder.event(event);
        }
        if !self.congestion_windows().is_empty() {
            encoder.text("congestion windows");
        }
        for window in self.congestion_windows() {
            encoder.congestion_window(window);
        }
        encoder.finish()
    }

    /// The hash of [`host_sequence`](Trace::host_sequence): what happened at one host, without times.
    pub fn host_hash(&self, host: HostId) -> TraceHash {
        let mut encoder = Encoder::new();
        for line in self.host_sequence(host) {
            encoder.text(&line);
        }
        encoder.finish()
    }
}

struct Encoder {
    hasher: SipHasher128,
}

impl Encoder {
    fn new() -> Self {
        Encoder { hasher: SipHasher128::new() }
    }

    fn finish(self) -> TraceHash {
        TraceHash(self.hasher.finish128().as_u128())
    }

    fn number(&mut self, number: u64) {
        self.hasher.write(&number.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.hasher.write(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn optional<T>(&mut self, value: Option<T>, encode: impl FnOnce(&mut Self, T)) {
        self.number(u64::from(value.is_some()));
        if let Some(value) = value {
            encode(self, value);
        }
    }

    fn addr(&mut self, addr: SocketAddr) {
        match addr.ip() {
            IpAddr::V4(ip) => self.bytes(&ip.octets()),
            IpAddr::V6(ip) => self.bytes(&ip.octets()),
        }
        self.number(u64::from(addr.port()));
    }

    fn host(&mut self, host: HostId) {
        self.number(u64::from(host.0));
    }

    /// A cut of whole links is written as it was before there were others.
    fn cut(&mut self, cut: Cut<HostId>) {
        self.optional(cut.hosts, |encoder, [a, b]| {
            encoder.host(a);
            encoder.host(b);
        });
        if cut.one_way {
            self.text("one way");
        }
        if let Some(flow) = cut.flow {
            self.text("flow");
            self.number(u64::from(flow));
        }
        if let Some(bytes) = cut.longer_than {
            self.text("longer than");
            self.number(u64::from(bytes));
        }
    }

    fn label(&mut self, label: &Label) {
        self.text(label.class.name());
        let numbers = [
            label.nth,
            label.nth_in_flow,
            label.nth_any,
            label.nth_any_in_flow,
            label.flow,
            label.transmission,
        ];
        for number in numbers {
            self.number(u64::from(number));
        }
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Drop => self.text("drop"),
            Action::Duplicate => self.text("duplicate"),
            Action::DelayUs(micros) => {
                self.text("delay");
                self.number(*micros);
            }
            Action::HoldFor(packets) => {
                self.text("hold");
                self.number(u64::from(*packets));
            }
            Action::CorruptBits(bits) => {
                self.text("corrupt");
                self.number(bits.len() as u64);
                for bit in bits {
                    self.number(u64::from(*bit));
                }
            }
            Action::Change(change) => {
                self.text("change");
                self.change(change);
            }
            Action::Reject(rejection) => {
                self.text("reject");
                self.text(rejection.name());
                if let Rejection::TooBig(mtu) = rejection {
                    self.number(u64::from(*mtu));
                }
            }
        }
    }

    fn change(&mut self, Change { fields, bits, keeps_checksums }: &Change) {
        self.number(fields.len() as u64);
        for (field, value) in fields {
            self.text(field.name());
            match value {
                Value::Number(number) => {
                    self.text("number");
                    self.number(*number);
                }
                Value::Add(number) => {
                    self.text("add");
                    self.number(number.cast_unsigned());
                }
                Value::Addr(addr) => self.text(&addr.to_string()),
                Value::Bytes(bytes) => self.bytes(bytes),
            }
        }
        self.number(bits.len() as u64);
        for bit in bits {
            self.number(u64::from(*bit));
        }
        self.number(u64::from(*keeps_checksums));
    }

    fn congestion_window(&mut self, window: &CongestionWindow) {
        self.number(window.at.as_nanos());
        self.number(window.place as u64);
        self.host(window.host);
        self.number(window.port.into());
        self.number(window.peer.into());
        self.number(window.bytes.into());
    }

    fn event(&mut self, event: &Event) {
        self.number(event.at.as_nanos());
        match &event.what {
            What::Sent { packet, from, to, label, bytes } => {
                self.text("sent");
                self.number(u64::from(packet.0));
                self.host(*from);
                self.host(*to);
                self.label(label);
                self.bytes(bytes);
            }
            What::Injected { packet, from, to, bytes } => {
                self.text("injected");
                self.number(u64::from(packet.0));
                self.host(*from);
                self.host(*to);
                self.bytes(bytes);
            }
            What::Fault { packet, fault, action } => {
                self.text("fault");
                self.number(u64::from(packet.0));
                self.number(*fault as u64);
                self.action(action);
            }
            What::Arrived { packet, copy, to, altered } => {
                self.text("arrived");
                self.number(u64::from(packet.0));
                self.number(u64::from(*copy));
                self.host(*to);
                self.optional(altered.as_ref(), |encoder, bytes| encoder.bytes(bytes));
            }
            What::Lost { packet, reason } => {
                self.text("lost");
                self.number(u64::from(packet.0));
                self.text(words::loss(*reason));
            }
            What::Call { host, socket, call, error } => {
                self.text("call");
                self.host(*host);
                self.number(u64::from(socket.0));
                self.call(call);
                self.optional(*error, |encoder, errno| encoder.text(errno.name()));
            }
            What::Note { host, note } => {
                self.text("note");
                self.host(*host);
                self.note(*note);
            }
            What::Noted { host, key, value } => {
                self.text("noted");
                self.host(*host);
                self.text(key);
                self.text(value);
            }
            What::Partitioned(cut) => {
                self.text("partitioned");
                self.cut(*cut);
            }
            What::Healed(cut) => {
                self.text("healed");
                self.cut(*cut);
            }
            What::Crashed(host) => {
                self.text("crashed");
                self.host(*host);
            }
            What::Killed(host) => {
                self.text("killed");
                self.host(*host);
            }
            What::Restarted(host) => {
                self.text("restarted");
                self.host(*host);
            }
        }
    }

    fn note(&mut self, note: Note) {
        match note {
            Note::Dropped(reason) => {
                self.text("dropped");
                self.text(words::drop_reason(reason));
            }
            Note::Reassembled(len) => {
                self.text("reassembled");
                self.number(u64::from(len));
            }
            Note::Tcp { port, peer, note } => {
                self.text("tcp");
                self.number(port.into());
                self.number(peer.into());
                self.text(&words::tcp_note(note));
            }
        }
    }

    fn call(&mut self, call: &Call) {
        match call {
            Call::Bind(addr) => {
                self.text("bind");
                self.addr(*addr);
            }
            Call::Connect(addr) => {
                self.text("connect");
                self.addr(*addr);
            }
            Call::Listen(addr) => {
                self.text("listen");
                self.addr(*addr);
            }
            Call::Accept { socket, peer } => {
                self.text("accept");
                self.number(u64::from(socket.0));
                self.optional(*peer, Encoder::addr);
            }
            Call::Send { to, data } => {
                self.text("send");
                self.optional(*to, Encoder::addr);
                self.bytes(data);
            }
            Call::Recv { from, data, full_len } => {
                self.text("recv");
                self.optional(*from, Encoder::addr);
                self.bytes(data);
                self.number(*full_len as u64);
            }
            Call::Shutdown => self.text("shutdown"),
            Call::Close => self.text("close"),
            Call::Option(option) => {
                let (name, value) = words::option(option);
                self.text("option");
                self.text(name);
                self.text(&value);
            }
        }
    }
}

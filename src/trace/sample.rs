//! Traces for the tests of this module, put together by hand the way a simulation would.

use std::net::SocketAddr;

use bytes::Bytes;

use super::{Call, DropReason, HostId, Note, PacketId, SocketId, Trace, What};
use crate::model::{Action, Class, Errno, Label, Time};
use crate::packet::{Outgoing, Path, datagram, icmp, protocol};

pub(super) const CLIENT: HostId = HostId(0);
pub(super) const SERVER: HostId = HostId(1);

/// A trace in the making.
pub(super) struct Sample {
    pub(super) trace: Trace,
    now: Time,
    nth: Vec<(HostId, HostId, Class, u32)>,
    faults: usize,
}

/// The address that a host of these samples has.
pub(super) fn addr(host: HostId) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1 + host.0 as u8], if host == CLIENT { 49152 } else { 7000 }))
}

pub(super) fn udp(from: HostId, to: HostId, data: &[u8]) -> Bytes {
    datagram(addr(from), addr(to), 64, data).expect("it fits")
}

/// An ICMP message that quotes a packet.
pub(super) fn port_unreachable(from: HostId, to: HostId, about: &Bytes) -> Bytes {
    let path = Path::new(addr(from).ip(), addr(to).ip()).expect("one family");
    let kind = [icmp::v4::DESTINATION_UNREACHABLE, icmp::v4::PORT_UNREACHABLE];
    let head = icmp::header(&path, kind, [0; 4], about);
    Outgoing { path, protocol: protocol::ICMP, hop_limit: 64, head: &head, body: about }.whole()
}

impl Sample {
    pub(super) fn new() -> Sample {
        Sample::of(["client", "server"])
    }

    pub(super) fn of<const N: usize>(hosts: [&str; N]) -> Sample {
        Sample::named(hosts)
    }

    /// Hosts with these names, as many as there are.
    pub(super) fn named(hosts: impl IntoIterator<Item = impl Into<String>>) -> Sample {
        Sample { trace: Trace::new(hosts), now: Time::ZERO, nth: Vec::new(), faults: 0 }
    }

    pub(super) fn at(&mut self, ms: u64) -> &mut Self {
        self.at_us(ms * 1_000)
    }

    pub(super) fn at_us(&mut self, us: u64) -> &mut Self {
        self.at_time(Time::from_micros(us))
    }

    pub(super) fn at_time(&mut self, now: Time) -> &mut Self {
        self.now = now;
        self
    }

    pub(super) fn push(&mut self, what: What) -> &mut Self {
        self.trace.push(self.now, what);
        self
    }

    pub(super) fn call(&mut self, host: HostId, call: Call) -> &mut Self {
        self.push(What::Call { host, socket: SocketId(0), call, error: None })
    }

    pub(super) fn failed(&mut self, host: HostId, call: Call, error: Errno) -> &mut Self {
        self.push(What::Call { host, socket: SocketId(0), call, error: Some(error) })
    }

    /// Both sides bind.
    pub(super) fn bound(&mut self) -> &mut Self {
        self.call(SERVER, Call::Bind(addr(SERVER)));
        self.call(CLIENT, Call::Bind(addr(CLIENT)))
    }

    pub(super) fn packet(&mut self, from: HostId, to: HostId, class: Class, bytes: Bytes) -> PacketId {
        let count = self.nth.iter().filter(|it| (it.0, it.1, it.2) == (from, to, class)).count() as u32;
        let any = self.nth.iter().filter(|it| (it.0, it.1) == (from, to)).count() as u32;
        let packet = self.trace.next_packet();
        self.nth.push((from, to, class, count));
        self.push(What::Sent {
            packet,
            from,
            to,
            label: Label {
                class,
                nth: count + 1,
                nth_in_flow: count + 1,
                nth_any: any + 1,
                nth_any_in_flow: any + 1,
                flow: 1,
                transmission: 1,
            },
            bytes,
        });
        packet
    }

    /// A program sends a datagram, and it leaves.
    pub(super) fn send(&mut self, from: HostId, to: HostId, data: &[u8]) -> PacketId {
        self.call(from, Call::Send { to: Some(addr(to)), data: Bytes::copy_from_slice(data) });
        self.packet(from, to, Class::Datagram, udp(from, to, data))
    }

    pub(super) fn fault(&mut self, packet: PacketId, action: Action) -> &mut Self {
        let fault = self.faults;
        self.faults += 1;
        self.push(What::Fault { packet, fault, action })
    }

    pub(super) fn arrives(&mut self, packet: PacketId, copy: u8, to: HostId) -> &mut Self {
        self.push(What::Arrived { packet, copy, to, altered: None })
    }

    pub(super) fn recv(&mut self, host: HostId, from: HostId, data: &[u8]) -> &mut Self {
        self.call(
            host,
            Call::Recv { from: Some(addr(from)), data: Bytes::copy_from_slice(data), full_len: data.len() },
        )
    }

    pub(super) fn dropped(&mut self, host: HostId, reason: DropReason) -> &mut Self {
        self.push(What::Note { host, note: Note::Dropped(reason) })
    }

    /// A datagram that arrives a millisecond later and is read.
    pub(super) fn carried(&mut self, ms: u64, from: HostId, to: HostId, data: &[u8]) -> PacketId {
        self.at(ms);
        let packet = self.send(from, to, data);
        self.at(ms + 1).arrives(packet, 0, to).recv(to, from, data);
        packet
    }
}

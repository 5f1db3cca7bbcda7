//! A host's network stack: Berkeley calls on top, whole IP packets at the bottom, and nothing else.
//!
//! A pure machine: it owns no socket of the system, clock, thread or random source. Above it are the calls of
//! [`Sockets`], `poll` and [`HostStack::poll_changed`]; below it [`HostStack::handle_input`] and
//! [`HostStack::poll_transmit`]; and [`HostStack::handle_timeout`] tells it the time.
//!
//! Read on in this order: `packet` (bytes to headers and back), `route` (where a packet goes), `output` and
//! `input` (down and up through IP), `reassembly`, `icmp`, `datagram` (one socket), `udp` (sending,
//! delivery), `ports` (bind and connect), `calls` (the Berkeley calls, dispatched); for TCP `stream` (one
//! socket), `stream_calls`, `connections` (the table) and `segments` (to and from [`crate::tcp`]);
//! `invariants` (what holds between any two calls).
//!
//! Choices where Linux leaves room: descriptors are never reused, so that a call after `close` is always
//! `EBADF`; programs are privileged (ports below 1024 are free to bind); an ICMP error is never held back by
//! a rate limit; there is no router, so whatever is neither this host nor on its link is `ENETUNREACH`. Left
//! out: IGMP and MLD (the link floods), neighbor discovery (the link knows its hosts), IP options, path MTU
//! discovery, raw sockets.

mod binding;
mod calls;
mod connections;
mod datagram;
mod icmp;
mod input;
mod invariants;
mod mutant;
mod output;
mod ports;
mod reassembly;
mod route;
mod segments;
mod stream;
mod stream_calls;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod udp;
mod waiters;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use bytes::Bytes;

pub use self::waiters::Waiters;
pub use crate::model::{
    Domain, Fd, HostStack, How, KeepAlive, Kind, OptionName, Protocol, Readiness, Received, SocketOption,
    Sockets,
};

#[cfg(feature = "mutants")]
pub use crate::mutant::{Mutant, UnknownMutant};

use self::connections::Connections;
use self::datagram::Datagram;
use self::output::Waiting;
use self::reassembly::Reassembly;
use self::stream::Stream;
use self::table::{Numbers, Table};
use crate::model::{Note, Time};
use crate::tcp;

/// Notes that wait to be polled; more are forgotten.
const MAX_NOTES: usize = 1_024;

/// What a host is: its addresses and the properties of its one interface.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StackConfig {
    /// The interface's IPv4 address.
    pub v4: Ipv4Addr,
    /// The IPv4 network's prefix length, in bits.
    pub v4_prefix: u8,
    /// The interface's IPv6 address.
    pub v6: Ipv6Addr,
    /// The IPv6 network's prefix length, in bits.
    pub v6_prefix: u8,
    /// Largest IP packet the interface sends, in bytes. Below 1280 the interface has no IPv6; below 68 it is
    /// taken as 68.
    pub mtu: u16,
    /// Decides ephemeral ports and identifications.
    pub seed: u64,
    /// TCP's timers and limits.
    pub tcp: tcp::Config,
    /// The bug that this stack has on purpose.
    #[cfg(feature = "mutants")]
    pub mutant: Option<Mutant>,
}

impl StackConfig {
    /// A host with these addresses on a /24 and a /64, MTU 1500.
    pub fn new(v4: Ipv4Addr, v6: Ipv6Addr) -> Self {
        StackConfig {
            v4,
            v4_prefix: 24,
            v6,
            v6_prefix: 64,
            mtu: 1500,
            seed: 0,
            tcp: tcp::Config::default(),
            #[cfg(feature = "mutants")]
            mutant: None,
        }
    }
}

/// A host's network stack. [`HostStack`] has an example.
#[derive(Debug)]
pub struct Stack {
    config: StackConfig,
    now: Time,
    numbers: Numbers,
    streams: Table<Stream>,
    connections: Connections,
    /// The configuration of the connections.
    tcp: Arc<tcp::Config>,
    datagrams: Table<Datagram>,
    /// Counts bindings of datagram sockets, to know the last one.
    bindings: u64,
    reassembly: Reassembly,
    /// Identification of the next datagram that goes out in fragments.
    next_id: u32,
    /// Descriptors whose readiness changed; each at most once.
    changed: VecDeque<Fd>,
    notes: VecDeque<Note>,
    /// Packets for the wire.
    transmit: VecDeque<Waiting>,
    /// Sum of their lengths.
    transmit_bytes: usize,
    /// Packets for this host itself; empty between calls.
    looped: VecDeque<Bytes>,
    /// What a mutant will send again, the earliest first.
    #[cfg(feature = "mutants")]
    repeats: Vec<mutant::Repeat>,
}

impl Stack {
    /// A stack with no sockets.
    pub fn new(config: StackConfig) -> Self {
        let tcp_config = tcp::Config {
            #[cfg(feature = "mutants")]
            mutant: config.mutant,
            ..config.tcp.clone().bounded()
        };
        Stack {
            next_id: ports::first_id(&config),
            tcp: Arc::new(tcp_config),
            config,
            now: Time::ZERO,
            numbers: Numbers::new(),
            streams: Table::new(),
            connections: Connections::default(),
            datagrams: Table::new(),
            bindings: 0,
            reassembly: Reassembly::default(),
            changed: VecDeque::new(),
            notes: VecDeque::new(),
            transmit: VecDeque::new(),
            transmit_bytes: 0,
            looped: VecDeque::new(),
            #[cfg(feature = "mutants")]
            repeats: Vec::new(),
        }
    }

    /// Bytes that the stack holds for others, about: waiting datagrams at what they cost their sockets'
    /// buffers, what TCP's connections keep, fragments, packets for the wire. Bounded, whatever arrives and
    /// whoever forgets to poll: 4 MiB of fragments; 4096 packets for the wire; for each datagram socket its
    /// receive buffer and one datagram more; for each of at most 8192 connections its receive buffer, twice
    /// its send buffer, and a window of 65 535 bytes in at most 1024 pieces.
    pub fn memory(&self) -> usize {
        let queued: usize = self.datagrams.iter().map(|(_, socket)| socket.queued).sum();
        let looped: usize = self.looped.iter().map(Bytes::len).sum();
        let lists = self.notes.len() * size_of::<Note>() + self.changed.len() * size_of::<Fd>();
        let streams: usize = self.connections.iter().map(|(_, entry)| entry.connection.memory()).sum();
        queued + streams + self.transmit_bytes + looped + lists + self.reassembly.memory()
    }

    fn note(&mut self, note: Note) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push_back(note);
        }
    }

    /// Remembers that a socket may have become ready.
    fn changed(&mut self, fd: Fd) {
        if self.set_told(fd, true) == Some(false) {
            self.changed.push_back(fd);
        }
    }

    /// Sets whether a descriptor is in the list of changed ones, and gives what it was; `None` if it is not
    /// open.
    fn set_told(&mut self, fd: Fd, told: bool) -> Option<bool> {
        self.streams.set_told(fd, told).or_else(|| self.datagrams.set_told(fd, told))
    }
}

impl HostStack for Stack {
    fn handle_input(&mut self, packet: &Bytes) {
        self.receive(packet, false);
        self.run_loopback();
    }

    fn poll_transmit(&mut self) -> Option<Bytes> {
        let Waiting { packet, sender } = self.transmit.pop_front()?;
        self.transmit_bytes -= packet.len();
        if let Some(fd) = sender {
            self.sent(fd, packet.len());
        }
        Some(packet)
    }

    fn poll_timeout(&self) -> Option<Time> {
        let due =
            [self.reassembly.poll_timeout(), self.connections.poll_timeout()].into_iter().flatten().min();
        #[cfg(feature = "mutants")]
        let due = due.into_iter().chain(self.next_repeat()).min();
        due
    }

    fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.expire_fragments();
        self.expire_connections();
        #[cfg(feature = "mutants")]
        self.repeat_unanswered();
        self.run_loopback();
    }

    fn poll_changed(&mut self) -> Option<Fd> {
        let fd = self.changed.pop_front()?;
        self.set_told(fd, false);
        Some(fd)
    }

    fn poll_note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }
}

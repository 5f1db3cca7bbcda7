//! What the programs sent and received, and which packets of the wire belong to it.
//!
//! All payloads of a run differ in their content ([`payload`]), the empty one apart, which each sender sends
//! once at most. So what was received tells by itself what it is: whole, cut, altered, or received before.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use faultwire::errno::Errno;
use faultwire::fault::Action;
use faultwire::packet::{PacketView, Transport};
use faultwire::time::Time;
use faultwire::trace::{Call, Fate, HostId, PacketId, Sending, SocketId, Trace, What};
use faultwire_sim::Run;

/// A cut payload is recognised by its first bytes; shorter ones must be whole.
const RECOGNIZED: usize = 16;

/// The nth payload of a sender: its name and number, then letters that differ from those of any other.
pub(super) fn payload(who: &str, number: u8, len: usize) -> Vec<u8> {
    let mut data = Vec::with_capacity(len.max(RECOGNIZED));
    // The number comes first, so that even a payload of one byte is told from the others.
    data.push(b'0' + number);
    data.extend_from_slice(b" of ");
    data.extend_from_slice(who.as_bytes());
    data.push(b':');
    let mut letter = usize::from(number) * 7;
    while data.len() < len {
        data.push(b'a' + (letter % 23) as u8);
        letter += 1 + letter / 23 % 3;
    }
    data.truncate(len);
    data
}

/// A send that a program made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent<'a> {
    pub(super) at: Time,
    pub(super) host: HostId,
    pub(super) socket: SocketId,
    /// The address given, or the peer of a connected socket.
    pub(super) to: Option<SocketAddr>,
    pub(super) data: &'a Bytes,
    pub(super) error: Option<Errno>,
    /// The socket was connected.
    pub(super) connected: bool,
}

/// A datagram that a program received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Got<'a> {
    pub(super) host: HostId,
    pub(super) from: Option<SocketAddr>,
    pub(super) data: &'a Bytes,
    pub(super) full_len: usize,
    /// The peer, if the socket was connected.
    pub(super) peer: Option<SocketAddr>,
    /// Other hosts had sent more by then than this host has received.
    pub(super) others: bool,
}

impl Got<'_> {
    /// Whether this is that datagram, whole or cut. No host sends to itself here: an echo comes from the
    /// other host.
    pub(super) fn is(&self, sent: &Sent<'_>) -> bool {
        let is_cut = || self.data.len() >= RECOGNIZED && sent.data.starts_with(self.data);
        self.host != sent.host && (self.data == sent.data || is_cut())
    }
}

/// A datagram socket, as the calls tell of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened {
    pub(super) host: HostId,
    pub(super) socket: SocketId,
    /// Its local address, as `bind` left it.
    pub(super) local: SocketAddr,
    /// Whom it was connected to, in the end.
    peer: Option<SocketAddr>,
    closed: Option<Time>,
}

impl Opened {
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    pub(super) fn is_connected(&self) -> bool {
        self.peer.is_some()
    }
}

/// All that the programs said and heard.
#[derive(Debug)]
pub(super) struct Talk<'a> {
    pub(super) sockets: Vec<Opened>,
    pub(super) sent: Vec<Sent<'a>>,
    pub(super) got: Vec<Got<'a>>,
}

impl<'a> Talk<'a> {
    pub(super) fn of(trace: &'a Trace) -> Talk<'a> {
        let mut talk = Talk { sockets: Vec::new(), sent: Vec::new(), got: Vec::new() };
        for call in trace.calls() {
            let (host, socket, at, error) = (call.host, call.socket, call.at, call.error);
            match call.call {
                Call::Bind(local) if error.is_none() => {
                    talk.sockets.push(Opened { host, socket, local: *local, peer: None, closed: None })
                }
                Call::Close => {
                    if let Some(opened) = talk.opened_mut(host, socket) {
                        opened.closed = Some(at);
                    }
                }
                Call::Connect(peer) if error.is_none() => {
                    if let Some(opened) = talk.opened_mut(host, socket) {
                        opened.peer = Some(*peer);
                    }
                }
                Call::Send { to, data } => {
                    let peer = talk.opened(host, socket).and_then(|opened| opened.peer);
                    talk.sent.push(Sent {
                        at,
                        host,
                        socket,
                        to: to.or(peer),
                        data,
                        error,
                        connected: peer.is_some(),
                    });
                }
                Call::Recv { from, data, full_len } if error.is_none() => {
                    let peer = talk.opened(host, socket).and_then(|opened| opened.peer);
                    let sent = talk.taken().filter(|sent| sent.host != host).count();
                    let others = sent > 1 + talk.got.iter().filter(|got| got.host == host).count();
                    talk.got.push(Got { host, from: *from, data, full_len: *full_len, peer, others });
                }
                _ => {}
            }
        }
        talk
    }

    pub(super) fn opened(&self, host: HostId, socket: SocketId) -> Option<&Opened> {
        self.sockets.iter().rev().find(|opened| (opened.host, opened.socket) == (host, socket))
    }

    fn opened_mut(&mut self, host: HostId, socket: SocketId) -> Option<&mut Opened> {
        self.sockets.iter_mut().rev().find(|opened| (opened.host, opened.socket) == (host, socket))
    }

    /// The sends that were taken.
    pub(super) fn taken(&self) -> impl Iterator<Item = &Sent<'a>> {
        self.sent.iter().filter(|sent| sent.error.is_none())
    }

    /// How many sends had the same to say to the same address: one, or more where a server echoed a
    /// duplicate.
    pub(super) fn sends_like(&self, sent: &Sent<'_>) -> usize {
        let alike = |it: &&Sent<'_>| it.host == sent.host && it.to == sent.to && it.data == sent.data;
        self.taken().filter(alike).count()
    }

    /// How often a datagram was received.
    pub(super) fn receives_of(&self, sent: &Sent<'_>) -> usize {
        self.got.iter().filter(|got| got.is(sent)).count()
    }

    /// The send that a receive is of.
    pub(super) fn origin(&self, got: &Got<'_>) -> Option<&Sent<'a>> {
        // The empty datagram says nothing of itself: the sender's port has to.
        self.taken().find(|sent| {
            got.is(sent)
                && (!got.data.is_empty() || got.from.is_none_or(|from| self.is_of_socket(from, sent)))
        })
    }

    fn is_of_socket(&self, from: SocketAddr, sent: &Sent<'_>) -> bool {
        self.opened(sent.host, sent.socket).is_none_or(|opened| opened.local.port() == from.port())
    }
}

/// A packet of the wire, read, with what became of it.
#[derive(Debug)]
pub(super) struct OnWire<'a> {
    pub(super) sending: Sending<'a>,
    pub(super) view: Option<PacketView>,
    /// A fault of the plan was applied to it.
    pub(super) hit: bool,
    pub(super) fate: Fate,
    /// When a copy of it arrived last.
    arrived: Time,
    /// What arrived in its place, for each damaged copy.
    pub(super) altered: Vec<&'a Bytes>,
}

/// All packets of a run that hosts put on the wire; none where the testbed does not show them.
pub(super) fn packets(trace: &Trace) -> Vec<OnWire<'_>> {
    let mut packets: Vec<OnWire<'_>> = Vec::new();
    for event in trace.events() {
        let mut of = |id: PacketId, change: &mut dyn FnMut(&mut OnWire<'_>)| {
            // Packets are numbered in the order of being sent.
            if let Some(packet) = packets.iter_mut().rev().find(|packet| packet.sending.packet == id) {
                change(packet);
            }
        };
        match &event.what {
            What::Fault { packet, action, .. } => of(*packet, &mut |it| {
                it.hit = true;
                if *action == Action::Drop {
                    it.fate = Fate::Dropped;
                }
            }),
            What::Lost { packet, reason } => of(*packet, &mut |it| {
                if !matches!(it.fate, Fate::Arrived { .. }) {
                    it.fate = Fate::Lost(*reason);
                }
            }),
            What::Arrived { packet, .. } => {
                let found = packets.iter_mut().rev().find(|it| it.sending.packet == *packet);
                if let (Some(it), Some(arrival)) = (found, event.arrival()) {
                    let (copies, altered) = match it.fate {
                        Fate::Arrived { copies, altered } => (copies, altered),
                        _ => (0, 0),
                    };
                    it.fate = Fate::Arrived {
                        copies: copies + 1,
                        altered: altered + u32::from(arrival.altered.is_some()),
                    };
                    it.arrived = arrival.at;
                    it.altered.extend(arrival.altered);
                }
            }
            What::Sent { .. } => packets.extend(event.sending().map(|sending| OnWire {
                view: sending.view(),
                sending,
                hit: false,
                fate: Fate::OnItsWay,
                arrived: Time::ZERO,
                altered: Vec::new(),
            })),
            _ => {}
        }
    }
    packets
}

impl OnWire<'_> {
    /// Whether it carries this datagram: whole, or as the first of its fragments.
    fn begins(&self, sent: &Sent<'_>) -> bool {
        if self.sending.from != sent.host {
            return false;
        }
        match self.view.as_ref().map(|view| &view.transport) {
            Some(Transport::Udp { payload, .. }) => payload == sent.data,
            Some(Transport::Fragment { offset: 0, payload, .. }) => {
                payload.get(8..).is_some_and(|data| sent.data.starts_with(data))
            }
            _ => false,
        }
    }

    /// The identification that it shares with the other fragments of its datagram.
    fn fragment_id(&self) -> Option<u32> {
        match self.view.as_ref()?.transport {
            Transport::Fragment { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Whether both are the same piece of the same datagram to the same host.
    pub(super) fn repeats(&self, other: &OnWire<'_>) -> bool {
        let piece = |it: &OnWire<'_>| match it.view.as_ref().map(|view| &view.transport) {
            Some(Transport::Fragment { id, offset, .. }) => Some((*id, *offset)),
            _ => None,
        };
        self.sending.to == other.sending.to
            && match (piece(self), piece(other)) {
                (None, None) => true,
                (one, two) => one == two,
            }
    }

    /// Whether a copy of it arrived as it was sent.
    pub(super) fn is_delivered(&self) -> bool {
        self.fate.is_delivered()
    }
}

/// The packets that carried a datagram: one, or its fragments (to each host, where it goes to several).
pub(super) fn carriers<'p, 'a>(packets: &'p [OnWire<'a>], sent: &Sent<'_>) -> Vec<&'p OnWire<'a>> {
    let ids: Vec<u32> =
        packets.iter().filter(|packet| packet.begins(sent)).filter_map(OnWire::fragment_id).collect();
    packets
        .iter()
        .filter(|packet| {
            packet.begins(sent)
                || (packet.sending.from == sent.host
                    && packet.fragment_id().is_some_and(|id| ids.contains(&id)))
        })
        .collect()
}

/// How long a datagram may be on its way where its packets are not seen.
const ON_ITS_WAY: Duration = Duration::from_millis(50);

/// Whether nothing can have kept a datagram from that socket: the wire brought it whole while the socket was
/// open, or, where the packets are not seen, the plan has nothing that could go wrong and the socket stayed
/// open for a while.
pub(super) fn must_have_reached(run: &Run, packets: &[OnWire<'_>], sent: &Sent<'_>, socket: &Opened) -> bool {
    // A host's copy of what it sends itself is on no link (ip(7), IP_MULTICAST_LOOP).
    if socket.host == sent.host {
        return socket.closed.is_some_and(|closed| closed > sent.at);
    }
    if packets.is_empty() {
        let waited = socket.closed.is_none_or(|closed| closed > sent.at + ON_ITS_WAY);
        return waited && run.plan.faults.is_empty() && run.plan.events.is_empty();
    }
    let in_time = |packet: &OnWire<'_>| socket.closed.is_none_or(|closed| packet.arrived < closed);
    let carriers = carriers(packets, sent);
    let mut here = carriers.iter().filter(|packet| packet.sending.to == socket.host).peekable();
    here.peek().is_some() && here.all(|packet| packet.is_delivered() && in_time(packet))
}

/// A datagram as people read it: `datagram "2 of client:hov" (40 bytes)`.
pub(super) fn name(data: &[u8]) -> String {
    let shown = String::from_utf8_lossy(&data[..data.len().min(RECOGNIZED)]);
    format!("datagram {shown:?} ({} bytes)", data.len())
}

//! Connections put together by hand, packet by packet.

use std::net::SocketAddr;

use bytes::Bytes;
use faultwire::fault::{Action, Class, FaultPlan, Fired, Label};
use faultwire::packet::{Path, TcpFlags, TcpSegment};
use faultwire::time::Time;
use faultwire::trace::{Call, HostId, PacketId, SocketId, Trace, What};
use faultwire_sim::{End, Run};

use crate::check::tcp::programs::DATA;

pub(super) const CLIENT: u16 = 0;
pub(super) const SERVER: u16 = 1;
/// A full segment: nobody announces another size.
pub(super) const FULL: u32 = 536;

/// The initial sequence numbers; the client's wraps around.
const ISN: [u32; 2] = [u32::MAX - 700, 5_000];
/// What is on offer where nothing else is said.
const WINDOW: u16 = 60_000;

const ACK: u8 = TcpFlags::ACK.0;
const SYN: u8 = TcpFlags::SYN.0;

/// A run in the making. Times are milliseconds; sequence numbers count from the initial ones.
pub(super) struct Tape {
    trace: Trace,
    pub(super) now: u64,
    pub(super) window: u16,
    /// The options of SYNs.
    pub(super) options: &'static [u8],
}

/// A segment to be sent.
#[derive(Clone, Copy)]
struct Sketch {
    from: u16,
    flags: u8,
    seq: u32,
    ack: u32,
    len: u32,
}

impl Tape {
    /// A handshake that takes a round trip of so many milliseconds.
    pub(super) fn connected(rtt: u64) -> Tape {
        let mut tape = Tape::new();
        tape.syn(true);
        tape.at(rtt / 2).shake_hands(rtt / 2);
        tape
    }

    pub(super) fn new() -> Tape {
        Tape { trace: Trace::new(["client", "server"]), now: 0, window: WINDOW, options: &[] }
    }

    pub(super) fn at(&mut self, ms: u64) -> &mut Tape {
        self.now = ms;
        self
    }

    pub(super) fn syn(&mut self, arrives: bool) -> &mut Tape {
        let syn = self.put(Sketch { from: CLIENT, flags: SYN, seq: 0, ack: 0, len: 0 });
        if arrives { self.arrives(syn) } else { self.dropped(syn) }
    }

    /// A SYN from the client's same port, with another initial sequence number, that arrives at once.
    pub(super) fn another_syn(&mut self, seq: u32) -> &mut Tape {
        let syn = self.put(Sketch { from: CLIENT, flags: SYN, seq, ack: 0, len: 0 });
        self.arrives(syn)
    }

    /// The SYN-ACK and the acknowledgement, with so long a way back.
    fn shake_hands(&mut self, way: u64) -> &mut Tape {
        let syn_ack = self.put(Sketch { from: SERVER, flags: SYN | ACK, seq: 0, ack: 1, len: 0 });
        self.now += way;
        self.arrives(syn_ack);
        self.ack(CLIENT, 1, 1)
    }

    /// The handshake from the SYN-ACK on.
    pub(super) fn answered(&mut self) -> &mut Tape {
        self.shake_hands(1)
    }

    /// The SYN-ACK, whose acknowledgement is lost.
    pub(super) fn answered_in_vain(&mut self) -> &mut Tape {
        let syn_ack = self.put(Sketch { from: SERVER, flags: SYN | ACK, seq: 0, ack: 1, len: 0 });
        self.arrives(syn_ack).lost_ack(CLIENT, 1, 1)
    }

    /// The calls that make the connection known: a listen, a connect and an accept.
    pub(super) fn calls(&mut self) -> &mut Tape {
        let [client, server] = [([10, 0, 0, 1], 50_000), ([10, 0, 0, 2], DATA)].map(SocketAddr::from);
        self.call(SERVER, 0, Call::Listen(server)).call(CLIENT, 1, Call::Connect(server));
        self.call(SERVER, 0, Call::Accept { socket: SocketId(1), peer: Some(client) })
    }

    /// The server's program reads so much.
    pub(super) fn read(&mut self, len: u32) -> &mut Tape {
        let data = Bytes::from(vec![0; len as usize]);
        let full_len = data.len();
        self.call(SERVER, 1, Call::Recv { from: None, data, full_len })
    }

    fn call(&mut self, host: u16, socket: u32, call: Call) -> &mut Tape {
        let (host, socket) = (HostId(host), SocketId(socket));
        self.trace.push(Time::from_millis(self.now), What::Call { host, socket, call, error: None });
        self
    }

    /// A segment with data, put on the wire.
    pub(super) fn data(&mut self, from: u16, seq: u32, len: u32) -> PacketId {
        self.put(Sketch { from, flags: ACK, seq, ack: 1, len })
    }

    /// Data that arrives at once.
    pub(super) fn carried(&mut self, from: u16, seq: u32, len: u32) -> &mut Tape {
        let data = self.data(from, seq, len);
        self.arrives(data)
    }

    /// Data that is lost.
    pub(super) fn lost(&mut self, from: u16, seq: u32, len: u32) -> &mut Tape {
        let data = self.data(from, seq, len);
        self.dropped(data)
    }

    /// An acknowledgement that arrives at once.
    pub(super) fn ack(&mut self, from: u16, seq: u32, ack: u32) -> &mut Tape {
        let ack = self.put(Sketch { from, flags: ACK, seq, ack, len: 0 });
        self.arrives(ack)
    }

    /// An acknowledgement that is lost.
    pub(super) fn lost_ack(&mut self, from: u16, seq: u32, ack: u32) -> &mut Tape {
        let ack = self.put(Sketch { from, flags: ACK, seq, ack, len: 0 });
        self.dropped(ack)
    }

    pub(super) fn arrives(&mut self, packet: PacketId) -> &mut Tape {
        let to = HostId(self.sender(packet) ^ 1);
        self.trace.push(Time::from_millis(self.now), What::Arrived { packet, copy: 0, to, altered: None });
        self
    }

    pub(super) fn dropped(&mut self, packet: PacketId) -> &mut Tape {
        let what = What::Fault { packet, fault: 0, action: Action::Drop };
        self.trace.push(Time::from_millis(self.now), what);
        self
    }

    fn sender(&self, packet: PacketId) -> u16 {
        self.trace.sending(packet).map_or(0, |sending| sending.from.0)
    }

    fn put(&mut self, sketch: Sketch) -> PacketId {
        let Sketch { from, flags, seq, ack, len } = sketch;
        let (own, peer) = (ISN[usize::from(from)], ISN[usize::from(from ^ 1)]);
        let (src, dst) = if from == CLIENT { (50_000, DATA) } else { (DATA, 50_000) };
        let addr = |host: u16| [10, 0, 0, 1 + host as u8].into();
        let bytes = TcpSegment {
            src,
            dst,
            seq: own.wrapping_add(seq),
            ack: if flags & ACK == 0 { 0 } else { peer.wrapping_add(ack) },
            flags: TcpFlags(flags),
            window: self.window,
            options: if flags & SYN == 0 { &[] } else { self.options },
            payload: &vec![0; len as usize],
        }
        .packet(Path::V4 { src: addr(from), dst: addr(from ^ 1) }, 64);
        let packet = self.trace.next_packet();
        let label = Label {
            class: Class::Data,
            nth: 1,
            nth_in_flow: 1,
            nth_any: 1,
            nth_any_in_flow: 1,
            flow: 1,
            transmission: 1,
        };
        let (from, to) = (HostId(from), HostId(from ^ 1));
        let what = What::Sent { packet, from, to, label, bytes };
        self.trace.push(Time::from_millis(self.now), what);
        packet
    }

    /// The run, which goes on until then.
    pub(super) fn until(&self, ms: u64) -> Run {
        Run::new(
            FaultPlan::default(),
            self.trace.clone(),
            End::Finished,
            Fired::default(),
            Time::from_millis(ms),
        )
    }
}

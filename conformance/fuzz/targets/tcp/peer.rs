//! The stack under test, and a peer of its made by hand: it keeps to TCP as long as it is asked to, and then
//! lies.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;
use faultwire::packet::{Strictness, TcpFlags, TcpSegment, parse, protocol};
use faultwire::stack::{
    Domain, Fd, HostStack as _, Kind, Protocol, SocketOption, Sockets, Stack, StackConfig,
};
use faultwire::tcp::State;
use faultwire::time::Time;
use faultwire::trace::{Note, TcpNote};

use super::super::forge::{Choice, fix_checksums};

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

/// The port of the stack's listener.
const LISTENER: u16 = 7;

/// A host with a listener or a socket, and what a peer on the wire knows of it.
pub(crate) struct Peer {
    pub(crate) stack: Stack,
    pub(crate) now: Time,
    v4: bool,
    /// The socket of the connection, as long as the program has it.
    pub(crate) fd: Option<Fd>,
    pub(crate) listener: Option<Fd>,
    /// The port at the stack, and the peer's.
    port: u16,
    pub(crate) from: u16,
    /// What the connections are in, by their two ports; from what the stack notes.
    states: BTreeMap<(u16, u16), State>,
    /// The peer's next sequence number, and its first.
    seq: u32,
    irs: u32,
    /// The stack's first sequence number, and beyond all that it sent.
    iss: u32,
    nxt: u32,
    /// What the stack acknowledged last, and the window that it offered with it.
    acked: u32,
    pub(crate) window: u32,
    /// The window that the peer last offered in a segment that the stack believes.
    pub(crate) offered: u16,
}

impl Peer {
    pub(crate) fn new(choice: &mut Choice<'_>) -> Peer {
        let mut config = StackConfig::new(Ipv4Addr::new(10, 0, 0, 2), ip6(2));
        config.seed = choice.next();
        config.mtu = [1_500, 1_500, 1_280, 9_000][choice.below(4)];
        let irs = [0, 1, 0x7fff_ffff, 0xffff_ff00, choice.next() as u32][choice.below(5)];
        Peer {
            stack: Stack::new(config),
            now: Time::ZERO,
            v4: choice.below(2) == 0,
            fd: None,
            listener: None,
            port: LISTENER,
            from: 1_000,
            states: BTreeMap::new(),
            seq: irs,
            irs,
            iss: 0,
            nxt: 0,
            acked: irs,
            window: 0,
            offered: 65_535,
        }
    }

    /// The peer's address.
    pub(crate) fn theirs(&self) -> SocketAddr {
        let ip: IpAddr = if self.v4 { Ipv4Addr::new(10, 0, 0, 1).into() } else { ip6(1).into() };
        SocketAddr::new(ip, self.from)
    }

    /// What the connection is in; `None` where there is none.
    pub(crate) fn state(&self) -> Option<State> {
        self.states.get(&(self.port, self.from)).copied()
    }

    /// A socket with these buffers.
    fn socket(&mut self, recv_buffer: usize) -> Fd {
        let domain = if self.v4 { Domain::Inet } else { Domain::Inet6 };
        let fd = self.stack.socket(domain, Kind::Stream, Protocol::Tcp).unwrap();
        self.stack.set_option(fd, SocketOption::RecvBuffer(recv_buffer)).unwrap();
        self.stack.set_option(fd, SocketOption::ReuseAddress(true)).unwrap();
        fd
    }

    pub(crate) fn listen(&mut self, recv_buffer: usize) {
        let fd = self.socket(recv_buffer);
        let any = if self.v4 { "0.0.0.0:7" } else { "[::]:7" };
        self.stack.bind(fd, any.parse().unwrap()).unwrap();
        self.stack.listen(fd, 4).unwrap();
        self.listener = Some(fd);
    }

    pub(crate) fn connect(&mut self, recv_buffer: usize) {
        let fd = self.socket(recv_buffer);
        self.stack.connect(fd, Some(self.theirs())).unwrap_err();
        self.fd = Some(fd);
        self.hear();
        assert_eq!(self.state(), Some(State::SynSent));
    }

    /// Takes what the stack has to say: its packets and notes.
    pub(crate) fn hear(&mut self) {
        while let Some(packet) = self.stack.poll_transmit() {
            assert!(packet.len() <= 9_000, "{} bytes in a packet", packet.len());
            let ip = parse(&packet, Strictness::Full).expect("the stack sends sound packets");
            if ip.protocol == protocol::TCP {
                self.hear_segment(&TcpSegment::read(&packet[ip.payload]).expect("a sound segment"));
            }
        }
        while let Some(note) = self.stack.poll_note() {
            if let Note::Tcp { port, peer, note: TcpNote::State(state) } = note {
                self.states.insert((port, peer), state);
            }
        }
        if self.fd.is_none() {
            self.states.retain(|_, state| *state != State::Closed);
        }
    }

    fn hear_segment(&mut self, segment: &TcpSegment<'_>) {
        let &TcpSegment { src: port, dst: to, seq, ack, flags: TcpFlags(flags), .. } = segment;
        if flags & SYN != 0 {
            if flags & ACK == 0 {
                // It opens, perhaps once more.
                self.port = port;
                self.states.insert((port, to), State::SynSent);
            } else if self.states.get(&(port, to)) != Some(&State::SynSent) {
                self.states.insert((port, to), State::SynReceived);
            }
        }
        if (port, to) != (self.port, self.from) || flags & RST != 0 {
            return;
        }
        if flags & SYN != 0 {
            (self.iss, self.nxt) = (seq, seq.wrapping_add(1));
        }
        let len = segment.payload.len();
        let end = seq.wrapping_add(len as u32 + u32::from(flags & (SYN | FIN) != 0));
        if end.wrapping_sub(self.nxt) < 1 << 31 {
            self.nxt = end;
        }
        if flags & ACK != 0 {
            self.acked = ack;
        }
        self.window = segment.window.into();
    }

    /// Sends the next segment in order, which acknowledges everything.
    pub(crate) fn say(&mut self, flags: u8, len: usize) {
        let ack = if flags & ACK == 0 { 0 } else { self.nxt };
        self.say_with(flags, ack, len);
    }

    /// Like `say`, but acknowledges nothing after the stack's SYN.
    pub(crate) fn say_but_acknowledge_nothing(&mut self, flags: u8) {
        self.say_with(flags, self.iss.wrapping_add(1), 0);
    }

    fn say_with(&mut self, flags: u8, ack: u32, len: usize) {
        let forged = Forged { seq: self.seq, ack, flags, window: self.offered, options: Vec::new(), len };
        self.seq = self.seq.wrapping_add(len as u32 + u32::from(flags & (SYN | FIN) != 0));
        let packet = self.packet(&forged);
        self.stack.handle_input(&packet.into());
        self.hear();
    }

    /// What a peer that lies, or a wire that damages, might send next.
    pub(crate) fn mutated(&mut self, choice: &mut Choice<'_>) -> Bytes {
        let forged = Forged {
            seq: self.near(choice, [self.acked, self.seq]),
            ack: self.near(choice, [self.nxt, self.iss.wrapping_add(1)]),
            flags: flags(choice),
            window: [0, 1, 2, 535, 1_460, 65_535, self.offered, choice.next() as u16][choice.below(8)],
            options: options(choice),
            len: match choice.below(8) {
                0..=3 => 0,
                4 => choice.below(3),
                5 => 100,
                6 => 1_460,
                _ => (self.window as usize + choice.below(3)).saturating_sub(1).min(9_000),
            },
        };
        if forged.flags & (ACK | RST) == ACK && forged.seq == self.acked && forged.ack == self.nxt {
            self.offered = forged.window;
        }
        let mut packet = self.packet(&forged);
        if choice.below(8) == 0 {
            damage(&mut packet, choice);
            if choice.below(2) == 0 {
                fix_checksums(&mut packet);
            }
        }
        packet.into()
    }

    /// A sequence number that matters, or one beside it, or one from the other end of the world.
    fn near(&self, choice: &mut Choice<'_>, of: [u32; 2]) -> u32 {
        let base = match choice.below(16) {
            0..=8 => return of[0],
            9 | 10 => of[1],
            11 => self.acked.wrapping_add(self.window),
            12 => self.nxt.wrapping_add(self.offered.into()),
            13 => self.irs,
            14 => of[0],
            _ => choice.next() as u32,
        };
        let by = [0, 1, 2, 100, 1_460, self.window, 1 << 31, (1 << 31) - 1, 65_535][choice.below(9)];
        if choice.below(2) == 0 { base.wrapping_add(by) } else { base.wrapping_sub(by) }
    }

    fn packet(&self, forged: &Forged) -> Vec<u8> {
        let len = 20 + forged.options.len() + forged.len;
        let mut packet = if self.v4 {
            let mut header = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
            header[2..4].copy_from_slice(&((20 + len) as u16).to_be_bytes());
            header
        } else {
            let [high, low] = (len as u16).to_be_bytes();
            [&[0x60, 0, 0, 0, high, low, 6, 64][..], &ip6(1).octets(), &ip6(2).octets()].concat()
        };
        packet.extend(self.from.to_be_bytes());
        packet.extend(self.port.to_be_bytes());
        packet.extend(forged.seq.to_be_bytes());
        packet.extend(forged.ack.to_be_bytes());
        packet.extend([((20 + forged.options.len()) / 4 * 16) as u8, forged.flags]);
        packet.extend(forged.window.to_be_bytes());
        packet.extend([0; 4]);
        packet.extend(&forged.options);
        packet.extend((0..forged.len).map(|n| n as u8));
        fix_checksums(&mut packet);
        packet
    }
}

/// What a segment is to say.
struct Forged {
    seq: u32,
    ack: u32,
    flags: u8,
    window: u16,
    options: Vec<u8>,
    len: usize,
}

fn ip6(n: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n)
}

/// Any combination of flags; those that end everything more seldom.
fn flags(choice: &mut Choice<'_>) -> u8 {
    let any = choice.next() as u8;
    match choice.below(16) {
        0 => any,
        1 => any & !RST,
        2 | 3 => any & !(RST | SYN),
        4 => ACK | FIN,
        5 => SYN,
        _ => ACK | (any & 8),
    }
}

/// No options, a segment size, or anything, whole and cut short.
fn options(choice: &mut Choice<'_>) -> Vec<u8> {
    let mut options = match choice.below(8) {
        0 => {
            let mss = [0, 1, 47, 536, 1_460, 65_535, choice.next() as u16][choice.below(7)];
            [&[2, 4][..], &u16::to_be_bytes(mss)].concat()
        }
        1 => (0..choice.below(41)).map(|_| choice.next() as u8).collect(),
        2 => vec![2, choice.below(6) as u8, 255],
        3 => vec![3, 3, 14, 1, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9],
        _ => Vec::new(),
    };
    options.resize(options.len().div_ceil(4) * 4, 0);
    options
}

/// Bits turned over, an end cut off, more behind the end, a wrong length of the header, or nothing but noise.
fn damage(packet: &mut Vec<u8>, choice: &mut Choice<'_>) {
    let header = if packet[0] >> 4 == 4 { 20 } else { 40 };
    match choice.below(8) {
        0..=2 => {
            let bit = choice.below(packet.len().min(100) * 8);
            packet[bit / 8] ^= 1 << (bit % 8);
        }
        3 => packet.truncate(choice.below(packet.len())),
        // The IP header says that the segment is that short.
        4 => {
            packet.truncate(header + choice.below(packet.len() - header));
            let (at, len) = if header == 20 { (2, packet.len()) } else { (4, packet.len() - 40) };
            packet[at..at + 2].copy_from_slice(&(len as u16).to_be_bytes());
            fix_checksums(packet);
        }
        5 => packet.extend((0..choice.below(100)).map(|n| n as u8)),
        6 => {
            packet[header + 12] = choice.next() as u8;
            fix_checksums(packet);
        }
        _ => *packet = (0..choice.below(120)).map(|_| choice.next() as u8).collect(),
    }
}

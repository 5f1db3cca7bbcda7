//! Random and mutated packets against a stack, with calls of programs between them: the stack never panics
//! and never holds more memory than it may.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use faultwire::stack::{
    Domain, Fd, HostStack as _, How, Kind, Protocol, SocketOption, Sockets, Stack, StackConfig,
};
use faultwire::time::Time;
use faultwire::trace::{DropReason, Note};

use super::forge::{Choice, fix_checksums, fold, sum};

const SOCKETS: usize = 8;
/// Fragments; packets for the wire (a queue of 4096 packets of 1500 bytes); each socket's receive buffer and
/// one datagram over; notes and the list of changed descriptors.
const BOUND: usize = (4 << 20) + 4_096 * 1_500 + SOCKETS * (212_992 + 70_000) + 64 * 1_024;

fn host(n: u8) -> Stack {
    let v6 = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n.into());
    Stack::new(StackConfig::new(Ipv4Addr::new(10, 0, 0, n), v6))
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn socket(stack: &mut Stack, bind: &str) -> Fd {
    let fd = stack.socket(Domain::of(&addr(bind)), Kind::Datagram, Protocol::Udp).unwrap();
    stack.bind(fd, addr(bind)).unwrap();
    fd
}

/// The host under test: sockets of both families, connected and not, in groups and not.
fn target() -> (Stack, Vec<Fd>) {
    let mut stack = host(2);
    let mut fds: Vec<Fd> = ["0.0.0.0:7", "10.0.0.2:8", "[::]:9", "[fd00::2]:7", "0.0.0.0:5353", "[::]:5354"]
        .iter()
        .map(|bind| socket(&mut stack, bind))
        .collect();
    stack.set_option(fds[4], SocketOption::JoinGroup("239.1.2.3".parse().unwrap())).unwrap();
    stack.set_option(fds[5], SocketOption::JoinGroup("ff02::77".parse().unwrap())).unwrap();
    for (bind, peer) in [("0.0.0.0:4000", "10.0.0.1:1000"), ("[::]:4001", "[fd00::1]:1001")] {
        let fd = socket(&mut stack, bind);
        stack.connect(fd, Some(addr(peer))).unwrap();
        fds.push(fd);
    }
    assert_eq!(fds.len(), SOCKETS);
    (stack, fds)
}

/// Sound packets of every kind: what a peer's stack sends, its answers to the target, and echo requests.
fn corpus() -> Vec<Vec<u8>> {
    let mut peer = host(1);
    let (v4, v6) = (socket(&mut peer, "0.0.0.0:1000"), socket(&mut peer, "[::]:1001"));
    peer.set_option(v4, SocketOption::Broadcast(true)).unwrap();
    let mut packets: Vec<Bytes> = Vec::new();
    for len in [0, 1, 100, 1_472, 1_473, 4_000, 20_000, 65_507] {
        let data: Vec<u8> = (0..len).map(|n| (n * 7) as u8).collect();
        for to in
            ["10.0.0.2:7", "10.0.0.2:8", "10.0.0.2:9", "10.0.0.2:4000", "10.0.0.255:7", "239.1.2.3:5353"]
        {
            peer.send_to(v4, &data, addr(to)).unwrap();
            packets.extend(std::iter::from_fn(|| peer.poll_transmit()).take(4));
            while peer.poll_transmit().is_some() {}
        }
        for to in ["[fd00::2]:7", "[fd00::2]:9", "[fd00::2]:4001", "[fd00::2]:99", "[ff02::77]:5354"] {
            peer.send_to(v6, &data, addr(to)).unwrap();
            packets.extend(std::iter::from_fn(|| peer.poll_transmit()).take(4));
            while peer.poll_transmit().is_some() {}
        }
    }
    // What the connected sockets of the target send comes back as port unreachable.
    let (mut target, fds) = target();
    let mut closed = host(1);
    for fd in &fds[6..] {
        target.send(*fd, &[7; 100]).unwrap();
        closed.handle_input(&target.poll_transmit().unwrap());
        packets.push(closed.poll_transmit().unwrap());
    }
    let mut packets: Vec<Vec<u8>> = packets.iter().map(|packet| packet.to_vec()).collect();
    // An echo request is an unreachable of another type.
    for n in packets.len() - 2..packets.len() {
        let mut packet = packets[n].clone();
        let (at, kind) = if packet[0] >> 4 == 4 { (20, 8) } else { (40, 128) };
        (packet[at], packet[at + 1]) = (kind, 0);
        fix_checksums(&mut packet);
        packets.push(packet);
    }
    packets
}

/// A packet: sound, damaged in some of many ways, or noise.
fn packet(choice: &mut Choice<'_>, corpus: &[Vec<u8>]) -> Bytes {
    let mut packet = corpus[choice.below(corpus.len())].clone();
    let ways = choice.below(4);
    for _ in 0..ways {
        damage(&mut packet, choice, corpus);
    }
    // A fragment's payload begins anywhere: there is no checksum of its own to put right.
    let fragment = packet.len() >= 20 && packet[0] >> 4 == 4 && (packet[6] & 0x3f, packet[7]) != (0, 0);
    if fragment && choice.below(3) == 0 {
        // Of a datagram that nobody completes.
        packet[4..6].copy_from_slice(&(choice.next() as u16).to_be_bytes());
        packet[10..12].fill(0);
        let right = fold(sum(&packet[..20]));
        packet[10..12].copy_from_slice(&right);
    }
    if ways > 0 && !fragment && choice.below(2) == 0 {
        fix_checksums(&mut packet);
    }
    packet.into()
}

fn damage(packet: &mut Vec<u8>, choice: &mut Choice<'_>, corpus: &[Vec<u8>]) {
    let len = packet.len().max(1);
    match choice.below(9) {
        0 => {
            for _ in 0..=choice.below(8) {
                let bit = choice.below(len * 8);
                if let Some(byte) = packet.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
            }
        }
        1 => packet.truncate(choice.below(len)),
        2 => packet.truncate(choice.below(len.min(64))),
        3 => packet.extend((0..choice.below(200)).map(|n| n as u8)),
        // The head of one and the tail of another.
        4 => {
            let other = &corpus[choice.below(corpus.len())];
            packet.truncate(choice.below(len.min(80)));
            packet.extend_from_slice(&other[choice.below(other.len().min(80))..]);
        }
        // A field: any 16 bits of the headers, to an extreme or to anything.
        5 | 6 => {
            let at = choice.below(len.min(64) / 2 + 1) * 2;
            let any = choice.next() as u16;
            let value = [0, 1, 7, 8, 0x7fff, 0x8000, 0xffff, any][choice.below(8)];
            if let Some(field) = packet.get_mut(at..at + 2) {
                field.copy_from_slice(&value.to_be_bytes());
            }
        }
        // An extension header in front of the payload.
        7 if len > 48 && packet[0] >> 4 == 6 => {
            let kind = [0, 43, 44, 60, 51, 59][choice.below(6)];
            let next = std::mem::replace(&mut packet[6], kind);
            let (units, left, more) = (choice.below(3) as u8, choice.below(9) as u8, choice.below(3) as u8);
            packet.splice(40..40, [next, units, 0, left, 0, 0, 0, more]);
            let len = (packet.len() - 40) as u16;
            packet[4..6].copy_from_slice(&len.to_be_bytes());
        }
        _ => *packet = (0..choice.below(120)).map(|_| choice.next() as u8).collect(),
    }
}

/// What was seen, so that a run which tries nothing does not pass.
#[derive(Debug, Default)]
struct Seen {
    datagrams: u64,
    sent: u64,
    errors: u64,
    reassembled: u64,
    drops: Vec<(DropReason, u64)>,
}

impl Seen {
    fn note(&mut self, note: Note) {
        match note {
            Note::Dropped(reason) => match self.drops.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, count)) => *count += 1,
                None => self.drops.push((reason, 1)),
            },
            Note::Reassembled(_) => self.reassembled += 1,
            _ => {}
        }
    }
}

/// What programs and the world do between packets.
fn attend(choice: &mut Choice<'_>, now: Time, stack: &mut Stack, fds: &[Fd], seen: &mut Seen) {
    let mut buffer = [0; 2_000];
    let fd = fds[choice.below(fds.len())];
    match choice.below(8) {
        0..=2 => match stack.recv_from(fd, &mut buffer) {
            Ok(received) => {
                assert_eq!(received.len, received.full_len.min(buffer.len()));
                assert!(received.full_len <= 65_527);
                seen.datagrams += 1;
                // Port 0 and the like are refused, and a sender may be anybody.
                let _ = stack.send_to(fd, &buffer[..received.len], received.from);
            }
            Err(error) => seen.errors += u64::from(error != faultwire::Errno::EAGAIN),
        },
        3 => while stack.poll_changed().is_some_and(|fd| stack.poll(fd).is_ok()) {},
        4 => stack.handle_timeout(now),
        5 => {
            while let Some(note) = stack.poll_note() {
                seen.note(note);
            }
        }
        _ => {
            while let Some(packet) = stack.poll_transmit() {
                assert!(packet.len() <= 1_500);
                seen.sent += 1;
            }
        }
    }
}

/// What these bytes say, from the first packet to the last.
pub(crate) fn fuzz(data: &[u8]) {
    static CORPUS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let corpus = CORPUS.get_or_init(corpus);
    let mut choice = Choice::Bytes(data);
    let (mut stack, mut fds) = target();
    let mut seen = Seen::default();
    let mut now = Time::ZERO;
    while !choice.is_over() {
        match choice.below(4) {
            0 | 1 => stack.handle_input(&packet(&mut choice, corpus)),
            2 => {
                now += Duration::from_micros(choice.below(100_000) as u64);
                attend(&mut choice, now, &mut stack, &fds, &mut seen);
            }
            _ => call(&mut choice, &mut stack, &mut fds),
        }
        assert!(stack.memory() <= 2 * BOUND, "{} bytes held", stack.memory());
        if let Err(what) = stack.check() {
            panic!("{what}");
        }
    }
}

/// Any call with anything. Whatever it is answered is right.
fn call(choice: &mut Choice<'_>, stack: &mut Stack, fds: &mut Vec<Fd>) {
    let addrs = [
        "0.0.0.0:0",
        "10.0.0.2:7",
        "10.0.0.1:1000",
        "[fd00::1]:9",
        "[::]:0",
        "10.0.0.255:7",
        "239.1.2.3:5353",
    ];
    let to = addr(choice.among(&addrs));
    let fd = choice.among(fds);
    match choice.below(12) {
        0 if fds.len() < 2 * SOCKETS => {
            let kind = choice.among(&[Kind::Stream, Kind::Datagram, Kind::Raw]);
            fds.extend(stack.socket(Domain::of(&to), kind, Protocol::Default));
        }
        1 if fds.len() > 1 => {
            let _ = stack.close(fd);
            fds.retain(|other| *other != fd);
        }
        2 => drop(stack.bind(fd, to)),
        3 => drop(stack.connect(fd, choice.is().then_some(to))),
        4 => drop(stack.listen(fd, choice.below(9) as u32)),
        5 if fds.len() < 2 * SOCKETS => fds.extend(stack.accept(fd).map(|(fd, _)| fd)),
        6 => drop(stack.send_to(fd, &vec![7; choice.below(70_000)], to)),
        7 => drop(stack.send(fd, &vec![7; choice.below(70_000)])),
        8 => drop(stack.shutdown(fd, choice.among(&[How::Read, How::Write, How::Both]))),
        9 => {
            let size = choice.among(&[0, 1, 3_000, 100_000, usize::MAX]);
            let option = choice.among(&[
                SocketOption::RecvBuffer(size),
                SocketOption::SendBuffer(size),
                SocketOption::Broadcast(true),
                SocketOption::Ttl(0),
                SocketOption::MaxSegment(1),
                SocketOption::NoDelay(true),
                SocketOption::Linger(Some(Duration::MAX)),
                SocketOption::JoinGroup(to.ip()),
                SocketOption::LeaveGroup(to.ip()),
            ]);
            let _ = stack.set_option(fd, option);
        }
        10 => drop(stack.recv(fd, &mut vec![0; choice.below(3_000)])),
        _ => drop(stack.poll(fd)),
    }
}

/// A million packets that numbers stand for, so that a failure names the packet that replays it.
#[cfg(test)]
mod tests {
    use super::*;

    const PACKETS: u64 = 1_000_000;
    /// Of these, so many come while nobody polls, receives or takes packets off.
    const UNATTENDED: u64 = 300_000;

    #[test]
    fn a_million_packets_neither_panic_nor_fill_the_memory() {
        let corpus = corpus();
        let (mut stack, fds) = target();
        let mut seen = Seen::default();
        let mut most = 0;
        for n in 0..PACKETS {
            stack.handle_input(&packet(&mut Choice::Number(n), &corpus));
            if n == UNATTENDED {
                inspect(&mut stack);
            }
            if n >= UNATTENDED {
                attend(&mut Choice::Number(!n), Time::from_micros(n * 500), &mut stack, &fds, &mut seen);
            }
            most = most.max(stack.memory());
            assert!(most <= BOUND, "packet {n}: {most} bytes held, {BOUND} allowed");
        }
        assert!(seen.datagrams > 30_000 && seen.sent > 30_000 && seen.errors > 1_000, "{seen:?}");
        assert!(seen.reassembled > 1_000, "{seen:?}");
        assert_eq!(seen.drops.len(), 8, "every reason to drop a packet was met: {seen:?}");
        assert!(most > BOUND / 4, "the bounds were tried: {most}");
        still_works(stack, &fds);
    }

    /// What has piled up while nobody looked: as much as may, and no more.
    fn inspect(stack: &mut Stack) {
        assert_eq!(std::iter::from_fn(|| stack.poll_transmit()).count(), 4_096, "packets for the wire");
        assert_eq!(std::iter::from_fn(|| stack.poll_note()).count(), 1_024, "notes");
        let changed: Vec<Fd> = std::iter::from_fn(|| stack.poll_changed()).collect();
        assert_eq!(changed.len(), SOCKETS, "each descriptor once");
        let queues = SOCKETS * 212_992;
        assert!(stack.memory() > queues, "all receive buffers are full, and there are fragments");
    }

    /// After all that, the fragments time out, the queues can be emptied, and a datagram gets through.
    fn still_works(mut stack: Stack, fds: &[Fd]) {
        stack.handle_timeout(Time::MAX);
        assert_eq!(stack.poll_timeout(), None);
        while stack.poll_transmit().is_some() || stack.poll_note().is_some() || stack.poll_changed().is_some()
        {
        }
        let mut buffer = [0; 100];
        for fd in fds {
            while stack.recv(*fd, &mut buffer) != Err(faultwire::Errno::EAGAIN) {}
        }
        assert_eq!(stack.memory(), 0, "all is let go");
        let mut peer = host(1);
        let client = socket(&mut peer, "0.0.0.0:1000");
        peer.send_to(client, b"hello", addr("10.0.0.2:7")).unwrap();
        stack.handle_input(&peer.poll_transmit().unwrap());
        assert_eq!(stack.recv(fds[0], &mut buffer), Ok(5));
        assert_eq!(&buffer[..5], b"hello");
    }
}

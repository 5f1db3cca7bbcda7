//! What arrives of what was sent, and how much a stack takes.

use std::collections::BTreeSet;
use std::time::Duration;

use faultwire::errno::Errno;
use faultwire::packet::datagram;
use faultwire::stack::{How, KeepAlive, Kind, SocketOption};
use faultwire_sim::testbed::Capability::Streams;

use super::changes::{drain, fill};
use super::pair::{A, B, Data, Pair, Ready, SOON, Socket, Trial, holds, want};
use super::{Requirement, requirement};

pub(super) const REQUIREMENTS: &[Requirement] = &[
    requirement(
        "datagrams/lengths",
        "Each recv gives one datagram, the oldest; what does not fit its buffer is gone, and full_len tells.",
        &[],
        |pair| {
            let (a, b) = (pair.udp(A, 9)?, pair.udp(B, 9)?);
            let from = pair.addr(A, 9);
            for len in [3, 100, 5, 100, 7] {
                pair.deliver(a, &vec![len; len.into()], pair.addr(B, 9))?;
            }
            want(pair.recv_from(b, 50), Ok((Data(vec![3; 3]), 3, from)), "the datagram of 3 bytes")?;
            let cut = Ok((Data(vec![100; 10]), 100, from));
            want(
                pair.recv_from(b, 10),
                cut,
                "bytes, full_len and sender of a datagram of 100, with room for 10",
            )?;
            want(pair.recv_from(b, 50), Ok((Data(vec![5; 5]), 5, from)), "the datagram of 5 bytes")?;
            want(
                pair.recv(b, 10),
                Ok(Data(vec![100; 10])),
                "recv of a datagram of 100 bytes, with room for 10",
            )?;
            want(pair.recv(b, 50), Ok(Data(vec![7; 7])), "the datagram of 7 bytes")?;
            want(pair.recv(b, 50), Err(Errno::EAGAIN), "recv with nothing queued")
        },
    ),
    requirement("datagrams/empty", "A datagram without data is delivered.", &[], |pair| {
        let (a, b) = (pair.udp(A, 9)?, pair.udp(B, 9)?);
        pair.deliver(a, b"", pair.addr(B, 9))?;
        want(
            pair.poll(b).map(|Ready(ready)| ready.readable),
            Ok(true),
            "readable in poll, with an empty datagram",
        )?;
        want(pair.recv_from(b, 9), Ok((Data(Vec::new()), 0, pair.addr(A, 9))), "recv_from")?;
        want(pair.recv_from(b, 9), Err(Errno::EAGAIN), "recv_from with nothing queued")
    }),
    requirement(
        "datagrams/connected",
        "A connected datagram socket sends to its peer, hears it alone, and can be disconnected.",
        &[],
        |pair| {
            let (a, b, other) = (pair.open(A, Kind::Datagram)?, pair.udp(B, 9)?, pair.udp(B, 10)?);
            let to = pair.addr(B, 9);
            want(pair.connect(a, to), Ok(()), "connect of a datagram socket")?;
            want(pair.peer_addr(a), Ok(to), "peer_addr")?;
            let own = pair.local_addr(a).map_err(|errno| format!("expected an address, found {errno:?}"))?;
            want(
                (own.ip(), own.port() == 0),
                (pair.addr(A, 0).ip(), false),
                "local_addr: address, and port 0",
            )?;
            want(pair.send(a, b"data"), Ok(4), "send to the peer")?;
            pair.run(SOON);
            want(pair.recv_from(b, 99), Ok((Data(b"data".to_vec()), 4, own)), "recv_from at the peer")?;
            pair.deliver(other, b"stranger", own)?;
            want(pair.recv(a, 99), Err(Errno::EAGAIN), "recv after a stranger sent")?;
            pair.deliver(b, b"peer", own)?;
            want(pair.recv(a, 99), Ok(Data(b"peer".to_vec())), "recv after the peer sent")?;
            want(pair.disconnect(a), Ok(()), "connect without an address")?;
            want(pair.peer_addr(a), Err(Errno::ENOTCONN), "peer_addr")
        },
    ),
    requirement(
        "streams/taken",
        "send tells how many bytes it took: those arrive, in order, and no others.",
        &[Streams],
        |pair| {
            let [client, server, _] = pair.connected()?;
            let taken = fill(pair, client)?;
            pair.run(SOON);
            let found = drain(pair, server)?;
            let wrong = found.iter().enumerate().position(|(at, byte)| *byte != (at % 251) as u8);
            holds(wrong.is_none(), || {
                format!("expected the bytes sent, found another at {}", wrong.unwrap_or(0))
            })?;
            want(found.len(), taken, "bytes that arrived of those that send took")
        },
    ),
    requirement(
        "streams/ends",
        "The end of one direction is told by 0 bytes, each time; the other direction goes on.",
        &[Streams],
        |pair| {
            let [client, server, _] = pair.connected()?;
            pair.pass(client, b"last")?;
            want(pair.shutdown(client, How::Write), Ok(()), "shutdown")?;
            pair.run(SOON);
            want(pair.recv(server, 99), Ok(Data(b"last".to_vec())), "recv before the end of the stream")?;
            for _ in 0..2 {
                want(pair.recv(server, 99), Ok(Data(Vec::new())), "recv at the end of the stream")?;
            }
            pair.pass(server, b"answer")?;
            want(pair.recv(client, 99), Ok(Data(b"answer".to_vec())), "recv in the other direction")
        },
    ),
    requirement(
        "streams/backlog",
        "Connections within the backlog wait until they are accepted, each with what it sent.",
        &[Streams],
        |pair| {
            let (listener, mut clients) = (pair.listener(B, 7, 4)?, BTreeSet::new());
            for n in 1..=3 {
                let client = pair.open(A, Kind::Stream)?;
                let _ = pair.connect(client, pair.addr(B, 7));
                pair.run(SOON);
                pair.pass(client, &[n; 10])?;
                clients
                    .insert(pair.local_addr(client).map_err(|errno| format!("local_addr: found {errno:?}"))?);
            }
            let (mut peers, mut fds, mut data) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
            for _ in 0..3 {
                let accepted = pair.accept(listener);
                let (server, peer) =
                    accepted.map_err(|errno| format!("accept: expected three, found {errno:?}"))?;
                peers.insert(peer);
                fds.insert(server.fd);
                data.extend(pair.recv(server, 99).map(|Data(data)| data));
            }
            want(pair.accept(listener).map(drop), Err(Errno::EAGAIN), "a fourth accept")?;
            want((fds.len(), peers), (3, clients), "descriptors, and the peers that accept told")?;
            data.sort();
            want(data, [1, 2, 3].map(|n| vec![n; 10]).to_vec(), "what they had sent")
        },
    ),
    requirement(
        "bounds/sockets",
        "200 sockets can be opened, or one says EMFILE, ENFILE, ENOBUFS or ENOMEM; closed, they make room.",
        &[],
        |pair| {
            many(pair, Kind::Datagram)?;
            if pair.streams { many(pair, Kind::Stream) } else { Ok(()) }
        },
    ),
    requirement(
        "bounds/queue",
        "Datagrams that no program reads are kept up to a bound: of 14 MB some are dropped.",
        &[],
        |pair| {
            const COUNT: usize = 10_000;
            let (a, b) = (pair.udp(A, 9)?, pair.udp(B, 9)?);
            let packet = datagram(pair.addr(A, 9), pair.addr(B, 9), 64, &[7; 1_400]).unwrap_or_default();
            (0..COUNT).for_each(|_| pair.input(B, &packet));
            let kept = (0..COUNT).take_while(|_| pair.recv(b, 9).is_ok()).count();
            holds(kept < COUNT, || format!("expected less than {COUNT} datagrams, found them all"))?;
            pair.deliver(a, b"data", pair.addr(B, 9))?;
            want(pair.recv(b, 99), Ok(Data(b"data".to_vec())), "recv of the next datagram")
        },
    ),
    requirement(
        "bounds/extremes",
        "Calls and options with extreme values are answered, without a panic, and sockets go on to work.",
        &[],
        |pair| {
            let (a, b) = (pair.udp(A, 9)?, pair.udp(B, 9)?);
            for option in [
                SocketOption::RecvBuffer(0),
                SocketOption::SendBuffer(0),
                SocketOption::RecvBuffer(usize::MAX),
                SocketOption::SendBuffer(usize::MAX),
                SocketOption::MaxSegment(0),
                SocketOption::KeepAlive(Some(KeepAlive::default())),
                SocketOption::Linger(Some(Duration::MAX)),
            ] {
                let _ = (pair.set_option(a, option), pair.set_option(b, option));
            }
            pair.deliver(a, b"data", pair.addr(B, 9))?;
            want(pair.recv(b, 99), Ok(Data(b"data".to_vec())), "recv")?;
            let mut sockets = vec![a, b];
            if pair.streams {
                sockets.extend(pair.connected()?);
                sockets.push(pair.open(A, Kind::Stream)?);
            }
            sockets.into_iter().try_for_each(|socket| extremes(pair, socket))
        },
    ),
];

/// Makes calls with extreme arguments on a socket, and closes it.
fn extremes(pair: &mut Pair<'_>, socket: Socket) -> Trial {
    for addr in [pair.any(0), pair.addr(B, 0), pair.stranger(u16::MAX)] {
        let _ = (pair.send_to(socket, b"", addr), pair.send(socket, b""), pair.recv(socket, 0));
        let _ = (pair.recv_from(socket, 0), pair.bind(socket, addr), pair.connect(socket, addr));
    }
    let _ = (pair.listen(socket, 0), pair.listen(socket, u32::MAX), pair.accept(socket));
    for how in [How::Read, How::Write, How::Both, How::Both] {
        let _ = pair.shutdown(socket, how);
    }
    pair.run(SOON);
    let _ = (pair.disconnect(socket), pair.disconnect(socket), pair.listen(socket, 1));
    want(pair.close(socket), Ok(()), "close")
}

/// Opens, uses and closes 200 sockets, twice.
fn many(pair: &mut Pair<'_>, kind: Kind) -> Trial {
    let mut counts = [0; 2];
    for count in &mut counts {
        let mut open = Vec::new();
        for n in 0..200 {
            let opened = pair.socket(A, kind);
            let used = opened.and_then(|socket| {
                open.push(socket);
                use_it(pair, socket, kind, n)
            });
            let limits = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM];
            match used {
                Ok(()) => *count += 1,
                Err(errno) if limits.contains(&errno) => break,
                Err(errno) => {
                    return Err(format!("socket {n}: expected EMFILE or the like, found {errno:?}"));
                }
            }
        }
        for socket in open {
            want(pair.close(socket), Ok(()), "close")?;
        }
        pair.run(SOON);
    }
    want(counts[1], counts[0], "sockets that can be used when the first ones are closed")
}

fn use_it(pair: &mut Pair<'_>, socket: Socket, kind: Kind, n: u16) -> Result<(), Errno> {
    let addr = pair.addr(A, 0);
    pair.bind(socket, addr)?;
    match kind {
        Kind::Stream if n.is_multiple_of(2) => pair.listen(socket, 4),
        Kind::Stream => match pair.connect(socket, pair.stranger(9)) {
            Err(Errno::EINPROGRESS) => Ok(()),
            answer => answer,
        },
        _ => pair.send_to(socket, b"data", pair.addr(B, 9)).map(drop),
    }
}

//! What the calls answer: error numbers, closing, addresses, options.

use std::net::Ipv6Addr;

use faultwire::errno::Errno;
use faultwire::fault::Rejection;
use faultwire::stack::{Fd, How, Kind, OptionName, SocketOption};
use faultwire_sim::testbed::Capability::{Icmp, Streams};

use super::changes::{drain, reset};
use super::pair::{A, B, Data, MINUTE, Pair, SOON, Socket, Trial, holds, want};
use super::{Requirement, requirement};

pub(super) const REQUIREMENTS: &[Requirement] = &[
    requirement(
        "errors/connect",
        "connect on a stream is EINPROGRESS, then EALREADY until it has ended, then EISCONN.",
        &[Streams],
        |pair| {
            pair.listener(B, 7, 4)?;
            let client = pair.open(A, Kind::Stream)?;
            let to = pair.addr(B, 7);
            want(pair.connect(client, to), Err(Errno::EINPROGRESS), "the first connect")?;
            want(pair.connect(client, to), Err(Errno::EALREADY), "connect while it goes on")?;
            pair.run(SOON);
            want(pair.take_error(client), Ok(None), "take_error once connected")?;
            // The first of Linux tells that the connection is there.
            let _ = pair.connect(client, to);
            want(pair.connect(client, to), Err(Errno::EISCONN), "connect once connected")
        },
    ),
    requirement(
        "errors/refused",
        "A connect that is refused leaves ECONNREFUSED for take_error, which takes it away.",
        &[Streams],
        |pair| {
            let client = pair.open(A, Kind::Stream)?;
            let _ = pair.connect(client, pair.addr(B, 9));
            pair.run(SOON);
            want(pair.take_error(client), Ok(Some(Errno::ECONNREFUSED)), "take_error after a refusal")?;
            want(pair.take_error(client), Ok(None), "take_error again")
        },
    ),
    requirement("errors/reset", "recv on a stream that was reset is ECONNRESET.", &[Streams], |pair| {
        let client = reset(pair)?;
        want(pair.recv(client, 99), Err(Errno::ECONNRESET), "recv after a reset")
    }),
    requirement(
        "errors/not-connected",
        "On a stream without a connection recv is ENOTCONN, send EPIPE, accept EINVAL; send after shutdown \
         is EPIPE.",
        &[Streams],
        |pair| {
            let socket = pair.open(A, Kind::Stream)?;
            want(pair.recv(socket, 99), Err(Errno::ENOTCONN), "recv")?;
            want(pair.peer_addr(socket), Err(Errno::ENOTCONN), "peer_addr")?;
            want(pair.shutdown(socket, How::Write), Err(Errno::ENOTCONN), "shutdown")?;
            want(pair.send(socket, b"data"), Err(Errno::EPIPE), "send, as Linux has it")?;
            want(pair.accept(socket).map(drop), Err(Errno::EINVAL), "accept without listen")?;
            let [client, ..] = pair.connected()?;
            want(pair.shutdown(client, How::Write), Ok(()), "shutdown")?;
            want(pair.send(client, b"data"), Err(Errno::EPIPE), "send after shutdown")
        },
    ),
    requirement(
        "errors/addresses",
        "bind is EADDRINUSE for a taken port, EADDRNOTAVAIL for another host's address, EINVAL the second \
         time, EAFNOSUPPORT for an IPv6 address on an IPv4 socket.",
        &[],
        |pair| {
            let (first, second) = (pair.udp(A, 9)?, pair.open(A, Kind::Datagram)?);
            want(pair.bind(second, pair.addr(A, 9)), Err(Errno::EADDRINUSE), "bind to a taken port")?;
            want(
                pair.bind(second, pair.addr(B, 10)),
                Err(Errno::EADDRNOTAVAIL),
                "bind to a foreign address",
            )?;
            if pair.any(0).is_ipv4() {
                let other = (Ipv6Addr::LOCALHOST, 9).into();
                want(pair.bind(second, other), Err(Errno::EAFNOSUPPORT), "bind to an IPv6 address")?;
            }
            want(pair.bind(first, pair.addr(A, 10)), Err(Errno::EINVAL), "a second bind")?;
            if pair.streams {
                pair.listener(A, 9, 4)?;
                let second = pair.open(A, Kind::Stream)?;
                want(
                    pair.bind(second, pair.addr(A, 9)),
                    Err(Errno::EADDRINUSE),
                    "bind to a listener's port",
                )?;
            }
            Ok(())
        },
    ),
    requirement(
        "errors/datagrams",
        "On a datagram socket without a peer send is EDESTADDRREQ and peer_addr ENOTCONN; 70 000 bytes are \
         EMSGSIZE; listen and accept are EOPNOTSUPP.",
        &[],
        |pair| {
            let socket = pair.udp(A, 9)?;
            want(pair.send(socket, b"data"), Err(Errno::EDESTADDRREQ), "send without a peer")?;
            want(pair.peer_addr(socket), Err(Errno::ENOTCONN), "peer_addr without a peer")?;
            let sent = pair.send_to(socket, &[0; 70_000], pair.addr(B, 9));
            want(sent, Err(Errno::EMSGSIZE), "send_to of 70 000 bytes")?;
            want(pair.listen(socket, 4), Err(Errno::EOPNOTSUPP), "listen")?;
            want(pair.accept(socket).map(drop), Err(Errno::EOPNOTSUPP), "accept")?;
            want(pair.recv(socket, 99), Err(Errno::EAGAIN), "recv with nothing queued")
        },
    ),
    requirement(
        "errors/unreachable",
        "An ICMP error about a datagram of a connected socket is a change, and is told once.",
        &[Icmp],
        |pair| {
            let socket = pair.udp(A, 9)?;
            want(pair.connect(socket, pair.stranger(7)), Ok(()), "connect of a datagram socket")?;
            want(pair.send(socket, b"data"), Ok(4), "send")?;
            pair.forget();
            pair.reject(A, Rejection::PortUnreachable)?;
            pair.woken(socket, "after ICMP said that the port is unreachable")?;
            want(pair.recv(socket, 99), Err(Errno::ECONNREFUSED), "recv after the ICMP error")?;
            want(pair.recv(socket, 99), Err(Errno::EAGAIN), "recv again")
        },
    ),
    requirement(
        "close/gone",
        "Every call on a descriptor that is closed, or was never opened, is EBADF; close, too.",
        &[],
        |pair| {
            let mut sockets = vec![pair.udp(A, 9)?];
            if pair.streams {
                sockets.extend(pair.connected()?);
            }
            for socket in sockets {
                want(pair.close(socket), Ok(()), "close")?;
                is_bad(pair, socket)?;
            }
            is_bad(pair, Socket { host: A, fd: Fd(7_777) })
        },
    ),
    requirement(
        "close/delivers",
        "What was sent before close arrives, and then the end of the stream.",
        &[Streams],
        |pair| {
            let [client, server, _] = pair.connected()?;
            want(pair.send(client, &[7; 3_000]), Ok(3_000), "send of 3 000 bytes on a fresh stream")?;
            want(pair.close(client), Ok(()), "close")?;
            pair.run(SOON);
            want(drain(pair, server)?.len(), 3_000, "bytes that arrived")?;
            want(pair.recv(server, 99), Ok(Data(Vec::new())), "recv at the end of the stream")
        },
    ),
    requirement(
        "close/silent",
        "A closed descriptor is not reported as changed, nor is a new socket that got its number.",
        &[],
        |pair| {
            let (a, b) = (pair.udp(A, 9)?, pair.udp(B, 9)?);
            want(pair.send_to(a, b"data", pair.addr(B, 9)), Ok(4), "send_to")?;
            let packet = pair.sent(A).last().map(|(_, packet)| packet.clone()).unwrap_or_default();
            // The driver has not asked for changes yet when the program closes the socket.
            pair.forget();
            pair.log("b is handed the datagram, and closes its socket before poll_changed".to_owned());
            pair.stack(B).handle_input(&packet);
            want(pair.close(b), Ok(()), "close")?;
            pair.open(B, Kind::Datagram)?;
            pair.run(SOON);
            want(pair.changes(b), 0, "reports of the number of the closed socket")?;
            if pair.streams {
                let [client, server, listener] = pair.connected()?;
                want([client, listener].map(|socket| pair.close(socket)), [Ok(()); 2], "close")?;
                pair.run(SOON);
                want(pair.close(server), Ok(()), "close")?;
                pair.run(MINUTE);
                pair.run(MINUTE);
                let reports = [client, listener].map(|socket| pair.changes(socket));
                want(reports, [0; 2], "reports of closed sockets")?;
            }
            Ok(())
        },
    ),
    requirement(
        "close/port",
        "The port of a closed datagram socket or listener is free at once.",
        &[],
        |pair| {
            let socket = pair.udp(A, 9)?;
            want(pair.close(socket), Ok(()), "close")?;
            pair.udp(A, 9)?;
            if pair.streams {
                let listener = pair.listener(A, 9, 4)?;
                want(pair.close(listener), Ok(()), "close")?;
                pair.listener(A, 9, 4)?;
            }
            Ok(())
        },
    ),
    requirement(
        "addresses/datagram",
        "bind to port 0 picks a free port, which local_addr tells.",
        &[],
        |pair| {
            let sockets = [pair.udp(A, 0)?, pair.udp(A, 0)?];
            let addrs = sockets.map(|socket| pair.local_addr(socket));
            let [Ok(first), Ok(second)] = addrs else {
                return Err(format!("expected two addresses, found {addrs:?}"));
            };
            want([first.ip(), second.ip()], [pair.addr(A, 0).ip(); 2], "the addresses")?;
            holds(first.port() != 0 && second.port() != 0 && first != second, || {
                format!("expected two ports other than 0, found {first} and {second}")
            })
        },
    ),
    requirement(
        "addresses/stream",
        "Both sides of a connection know their own and the peer's address; accept tells the peer's.",
        &[Streams],
        |pair| {
            let (listener, client) = (pair.open(B, Kind::Stream)?, pair.open(A, Kind::Stream)?);
            want(pair.bind(listener, pair.any(7)), Ok(()), "bind to the unspecified address")?;
            want(pair.listen(listener, 4), Ok(()), "listen")?;
            want(pair.local_addr(listener), Ok(pair.any(7)), "the listener's local_addr")?;
            let to = pair.addr(B, 7);
            let _ = pair.connect(client, to);
            pair.run(SOON);
            let own =
                pair.local_addr(client).map_err(|errno| format!("expected an address, found {errno:?}"))?;
            want(
                (own.ip(), own.port() == 0),
                (pair.addr(A, 0).ip(), false),
                "local_addr: address, and port 0",
            )?;
            want(pair.peer_addr(client), Ok(to), "the client's peer_addr")?;
            let (server, peer) = pair.accept(listener).map_err(|errno| format!("accept: found {errno:?}"))?;
            want(peer, own, "the peer that accept tells")?;
            want(pair.peer_addr(server), Ok(own), "the server's peer_addr")?;
            want(pair.local_addr(server), Ok(to), "the server's local_addr")
        },
    ),
    requirement(
        "options/read-back",
        "An option that is set is read back, or is ENOPROTOOPT.",
        &[Streams],
        |pair| {
            let socket = pair.open(A, Kind::Stream)?;
            for (name, option) in [
                (OptionName::NoDelay, SocketOption::NoDelay(true)),
                (OptionName::ReuseAddress, SocketOption::ReuseAddress(true)),
                (OptionName::Ttl, SocketOption::Ttl(33)),
                (OptionName::KeepAlive, SocketOption::KeepAlive(None)),
            ] {
                match pair.set_option(socket, option) {
                    Err(errno) => want(errno, Errno::ENOPROTOOPT, "set_option of an option that is lacking")?,
                    Ok(()) => want(pair.option(socket, name), Ok(option), "the option read back")?,
                }
            }
            Ok(())
        },
    ),
];

/// Every call on a descriptor that is not open is EBADF.
fn is_bad(pair: &mut Pair<'_>, it: Socket) -> Trial {
    let addr = pair.addr(it.host, 99);
    let option = SocketOption::ReuseAddress(true);
    let answers = [
        ("bind", pair.bind(it, addr)),
        ("listen", pair.listen(it, 1)),
        ("accept", pair.accept(it).map(drop)),
        ("connect", pair.connect(it, addr)),
        ("connect without an address", pair.disconnect(it)),
        ("send", pair.send(it, b"data").map(drop)),
        ("send_to", pair.send_to(it, b"data", addr).map(drop)),
        ("recv", pair.recv(it, 9).map(drop)),
        ("recv_from", pair.recv_from(it, 9).map(drop)),
        ("shutdown", pair.shutdown(it, How::Both)),
        ("local_addr", pair.local_addr(it).map(drop)),
        ("peer_addr", pair.peer_addr(it).map(drop)),
        ("set_option", pair.set_option(it, option)),
        ("option", pair.option(it, OptionName::ReuseAddress).map(drop)),
        ("take_error", pair.take_error(it).map(drop)),
        ("poll", pair.poll(it).map(drop)),
        ("close", pair.close(it)),
    ];
    answers.into_iter().try_for_each(|(call, answer)| want(answer, Err(Errno::EBADF), call))
}

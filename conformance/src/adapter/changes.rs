//! What wakes a program: `poll_changed`, and what `poll` says.

use faultwire::errno::Errno;
use faultwire::fault::Rejection;
use faultwire::stack::{How, Kind};
use faultwire_sim::testbed::Capability::Streams;

use super::pair::{A, B, Data, MINUTE, Pair, Ready, SOON, Socket, Trial, holds, told, want};
use super::{Requirement, requirement};

pub(super) const REQUIREMENTS: &[Requirement] = &[
    requirement("changes/datagram", "A datagram that arrives is a change of its socket.", &[], |pair| {
        let (a, b) = (pair.udp(A, 9)?, pair.udp(B, 9)?);
        for data in [b"first", b"again"] {
            want(pair.recv(b, 99), Err(Errno::EAGAIN), "recv with nothing queued")?;
            pair.forget();
            pair.deliver(a, data, pair.addr(B, 9))?;
            pair.woken(b, "after a datagram arrived")?;
            want(pair.recv(b, 99), Ok(Data(data.to_vec())), "recv")?;
        }
        Ok(())
    }),
    requirement(
        "changes/once",
        "A change is reported once, and not again while nothing happens, whether or not it is read.",
        &[],
        |pair| {
            let (a, b) = (pair.udp(A, 9)?, pair.udp(B, 9)?);
            pair.forget();
            pair.deliver(a, b"data", pair.addr(B, 9))?;
            holds(pair.changes(b) <= 1, || {
                format!("expected one report for one datagram, found {}", pair.changes(b))
            })?;
            pair.forget();
            pair.tick(B);
            pair.run(MINUTE);
            pair.tick(B);
            want(pair.changes(b), 0, "reports in a minute in which nothing happened")
        },
    ),
    requirement(
        "changes/quiet",
        "A call that would block is no change: a program that is woken by its own call never rests.",
        &[],
        |pair| {
            let datagrams = pair.udp(B, 9)?;
            pair.forget();
            want(pair.recv(datagrams, 9), Err(Errno::EAGAIN), "recv with nothing queued")?;
            let _ = pair.poll(datagrams);
            want(pair.changes(datagrams), 0, "reports after a recv that would block")?;
            if pair.streams {
                let [client, _, listener] = pair.connected()?;
                let lonely = pair.open(A, Kind::Stream)?;
                let _ = pair.connect(lonely, pair.stranger(7));
                pair.forget();
                want(pair.recv(client, 9), Err(Errno::EAGAIN), "recv with nothing queued")?;
                want(pair.accept(listener).map(drop), Err(Errno::EAGAIN), "accept with nothing queued")?;
                let _ = (pair.poll(lonely), pair.take_error(lonely));
                let reports = [client, listener, lonely].map(|socket| pair.changes(socket));
                want(reports, [0; 3], "reports of a client, a listener and a socket that connects")?;
            }
            Ok(())
        },
    ),
    requirement(
        "changes/connected",
        "A connection that is made is a change of its socket.",
        &[Streams],
        |pair| {
            pair.listener(B, 7, 4)?;
            let client = pair.open(A, Kind::Stream)?;
            let _ = pair.connect(client, pair.addr(B, 7));
            pair.forget();
            pair.run(SOON);
            pair.woken(client, "after the handshake")
        },
    ),
    requirement(
        "changes/refused",
        "A connection that is refused is a change of its socket.",
        &[Streams],
        |pair| {
            let client = pair.open(A, Kind::Stream)?;
            let _ = pair.connect(client, pair.stranger(7));
            pair.forget();
            pair.reject(A, Rejection::TcpReset)?;
            pair.run(SOON);
            pair.woken(client, "after the SYN was refused with a reset")
        },
    ),
    requirement(
        "changes/accept",
        "A connection that waits to be accepted is a change of the listener.",
        &[Streams],
        |pair| {
            let listener = pair.listener(B, 7, 4)?;
            for _ in 0..2 {
                want(pair.accept(listener).map(drop), Err(Errno::EAGAIN), "accept with nothing queued")?;
                pair.forget();
                let client = pair.open(A, Kind::Stream)?;
                let _ = pair.connect(client, pair.addr(B, 7));
                pair.run(SOON);
                pair.woken(listener, "after a handshake")?;
                want(pair.accept(listener).map(drop), Ok(()), "accept")?;
            }
            Ok(())
        },
    ),
    requirement("changes/data", "Data that arrives is a change of its stream.", &[Streams], |pair| {
        let [client, server, _] = pair.connected()?;
        for (from, to) in [(client, server), (client, server), (server, client), (server, client)] {
            want(pair.recv(to, 99), Err(Errno::EAGAIN), "recv with nothing queued")?;
            pair.forget();
            pair.pass(from, b"data")?;
            pair.woken(to, "after data arrived")?;
            want(pair.recv(to, 99), Ok(Data(b"data".to_vec())), "recv")?;
        }
        Ok(())
    }),
    requirement("changes/end", "The end of a stream is a change of it.", &[Streams], |pair| {
        let [client, server, _] = pair.connected()?;
        want(pair.recv(server, 99), Err(Errno::EAGAIN), "recv with nothing queued")?;
        pair.forget();
        want(pair.shutdown(client, How::Write), Ok(()), "shutdown")?;
        pair.run(SOON);
        pair.woken(server, "after the peer ended its direction")
    }),
    requirement("changes/reset", "A reset is a change of its stream.", &[Streams], |pair| {
        let client = reset(pair)?;
        pair.woken(client, "after a reset")
    }),
    requirement(
        "changes/room",
        "Room to write, after a send that said EAGAIN, is a change of its stream.",
        &[Streams],
        |pair| {
            let [client, server, _] = pair.connected()?;
            fill(pair, client)?;
            pair.forget();
            drain(pair, server)?;
            pair.woken(client, "after the peer read all that it was sent")?;
            holds(pair.send(client, b"more").is_ok(), || "expected room for 4 bytes, found none".to_owned())
        },
    ),
    requirement(
        "changes/all",
        "Programs that wait only after EAGAIN, and only for poll_changed, get through an exchange of 200 kB.",
        &[Streams],
        conversation,
    ),
    requirement(
        "readiness/datagram",
        "poll says readable of a datagram socket while something is queued, and writable.",
        &[],
        |pair| {
            let (a, b) = (pair.udp(A, 9)?, pair.udp(B, 9)?);
            for (count, when) in [(0, "with nothing queued"), (2, "with two datagrams queued")] {
                for _ in 0..count {
                    pair.deliver(a, b"data", pair.addr(B, 9))?;
                }
                for _ in 0..count {
                    ready(pair, b, (true, true), when)?;
                    want(pair.recv(b, 99), Ok(Data(b"data".to_vec())), "recv")?;
                }
                ready(pair, b, (false, true), when)?;
                want(pair.recv(b, 99), Err(Errno::EAGAIN), "recv")?;
            }
            Ok(())
        },
    ),
    requirement(
        "readiness/connecting",
        "poll says writable of a socket that connects when that has ended, well or not, and no earlier.",
        &[Streams],
        |pair| {
            pair.listener(B, 7, 4)?;
            let [client, lonely] = [pair.open(A, Kind::Stream)?, pair.open(A, Kind::Stream)?];
            let found = pair.poll(client).map(|Ready(ready)| ready.readable);
            want(found, Ok(false), "readable in poll of a fresh stream")?;
            let _ = pair.connect(client, pair.addr(B, 7));
            ready(pair, client, (false, false), "while it connects")?;
            pair.run(SOON);
            ready(pair, client, (false, true), "once connected")?;
            let _ = pair.connect(lonely, pair.stranger(7));
            ready(pair, lonely, (false, false), "while it connects")?;
            pair.reject(A, Rejection::TcpReset)?;
            let found = pair.poll(lonely).map(|Ready(ready)| (ready.writable, ready.error));
            want(found, Ok((true, true)), "writable and error in poll, once refused")
        },
    ),
    requirement(
        "readiness/stream",
        "poll says of a stream and of a listener whether recv, send and accept would block.",
        &[Streams],
        |pair| {
            let [client, server, listener] = pair.connected()?;
            ready(pair, server, (false, true), "with nothing queued")?;
            pair.pass(client, b"data")?;
            ready(pair, server, (true, true), "with four bytes queued")?;
            want(pair.recv(server, 3), Ok(Data(b"dat".to_vec())), "recv")?;
            ready(pair, server, (true, true), "with one byte queued")?;
            want(pair.recv(server, 3), Ok(Data(b"a".to_vec())), "recv")?;
            ready(pair, server, (false, true), "with nothing queued")?;
            ready(pair, listener, (false, false), "with no connection to accept")?;
            let other = pair.open(A, Kind::Stream)?;
            let _ = pair.connect(other, pair.addr(B, 7));
            pair.run(SOON);
            ready(pair, listener, (true, false), "with a connection to accept")?;
            let _ = pair.accept(listener);
            ready(pair, listener, (false, false), "with no connection to accept")?;
            fill(pair, client)?;
            ready(pair, client, (false, false), "with no room to write")?;
            want(pair.shutdown(server, How::Write), Ok(()), "shutdown")?;
            pair.run(SOON);
            let found = pair.poll(client).map(|Ready(ready)| ready.readable);
            want(found, Ok(true), "readable in poll at the end of the stream")
        },
    ),
];

/// Holds what `poll` says of reading and writing.
fn ready(pair: &mut Pair<'_>, socket: Socket, expected: (bool, bool), when: &str) -> Trial {
    let found = pair.poll(socket).map(|Ready(ready)| (ready.readable, ready.writable));
    want(found, Ok(expected), &format!("readable and writable in poll of {socket} {when}"))
}

/// A connection that is reset by the network while it has sent something.
pub(super) fn reset(pair: &mut Pair<'_>) -> Result<Socket, String> {
    let [client, ..] = pair.connected()?;
    pair.pass(client, b"data")?;
    pair.forget();
    want(pair.recv(client, 99), Err(Errno::EAGAIN), "recv with nothing queued")?;
    pair.reject(A, Rejection::TcpReset)?;
    Ok(client)
}

/// Sends, while no time passes, until there is no room; gives the bytes that were taken.
pub(super) fn fill(pair: &mut Pair<'_>, socket: Socket) -> Result<usize, String> {
    let mut taken = 0;
    for _ in 0..1_000 {
        let chunk: Vec<u8> = (taken..taken + 50_000).map(|at| (at % 251) as u8).collect();
        match pair.send(socket, &chunk) {
            Ok(0) => return Err("send of 50 000 bytes: expected some or EAGAIN, found 0".to_owned()),
            Ok(len) => taken += len,
            Err(Errno::EAGAIN) => return Ok(taken),
            Err(errno) => return Err(format!("send: expected some bytes or EAGAIN, found {errno:?}")),
        }
    }
    Err(format!("expected EAGAIN while no packet leaves the link, found that {taken} bytes were taken"))
}

/// Reads until nothing more comes; gives what was read.
pub(super) fn drain(pair: &mut Pair<'_>, socket: Socket) -> Result<Vec<u8>, String> {
    let (mut read, mut was_empty) = (Vec::new(), false);
    loop {
        match pair.recv(socket, 65_536) {
            Ok(Data(data)) if data.is_empty() => return Ok(read),
            Ok(Data(data)) => read.extend(data),
            Err(Errno::EAGAIN) if was_empty => return Ok(read),
            Err(Errno::EAGAIN) => {
                was_empty = true;
                pair.run(MINUTE);
                continue;
            }
            Err(errno) => return Err(format!("recv: expected data or EAGAIN, found {errno:?}")),
        }
        was_empty = false;
    }
}

/// How far the programs of the conversation are.
#[derive(Default)]
struct Conversation {
    sent: usize,
    echo: Vec<u8>,
    back: usize,
}

const CONVERSATION: usize = 200_000;

/// Host a sends 200 kB, and host b sends them back.
fn conversation(pair: &mut Pair<'_>) -> Trial {
    let [client, server, _] = pair.connected()?;
    let (mut state, mut waits) = (Conversation::default(), [false; 2]);
    for _ in 0..1_000_000 {
        for (waits, socket) in waits.iter_mut().zip([client, server]) {
            *waits &= pair.changes(socket) == 0;
        }
        pair.forget();
        if waits == [true; 2] && !pair.step(pair.now + 10 * MINUTE) {
            let ready = [client, server].map(|socket| told(&pair.poll(socket)));
            return Err(format!(
                "expected {CONVERSATION} bytes back, found that both programs wait after {} out and {} back, \
                 and that nothing more happens (poll of a says {}, of b {})",
                state.sent, state.back, ready[A], ready[B]
            ));
        }
        if !waits[A] {
            waits[A] = state.client(pair, client)?;
        }
        if !waits[B] {
            waits[B] = state.server(pair, server)?;
        }
        if state.back >= CONVERSATION {
            return Ok(());
        }
    }
    Err("expected the exchange to end, found that the programs were woken on and on".to_owned())
}

impl Conversation {
    /// A call or two of the client; whether it waits now.
    fn client(&mut self, pair: &mut Pair<'_>, socket: Socket) -> Result<bool, String> {
        let len = (CONVERSATION - self.sent).min(9_000);
        if len > 0
            && let Some(len) = unless_it_waits(pair.send(socket, &vec![7; len]))?
        {
            self.sent += len;
            return Ok(false);
        }
        let data = unless_it_waits(pair.recv(socket, 9_000))?;
        self.back += data.as_ref().map_or(0, |Data(data)| data.len());
        no_end(data.as_ref())
    }

    /// A call of the server; whether it waits now.
    fn server(&mut self, pair: &mut Pair<'_>, socket: Socket) -> Result<bool, String> {
        if self.echo.is_empty() {
            let data = unless_it_waits(pair.recv(socket, 4_000))?;
            let waits = no_end(data.as_ref());
            self.echo = data.map_or(Vec::new(), |Data(data)| data);
            return waits;
        }
        let sent = unless_it_waits(pair.send(socket, &self.echo))?;
        self.echo.drain(..sent.unwrap_or(0).min(self.echo.len()));
        Ok(sent.is_none())
    }
}

/// Whether a recv waits; 0 bytes would be the end of the stream.
fn no_end(data: Option<&Data>) -> Result<bool, String> {
    let is_end = data.is_some_and(|Data(data)| data.is_empty());
    holds(!is_end, || "expected the exchange to go on, found the end of a stream".to_owned())?;
    Ok(data.is_none())
}

/// What a call gave, or nothing if it has to wait; any other error ends the conversation.
fn unless_it_waits<T>(answer: Result<T, Errno>) -> Result<Option<T>, String> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(errno) if errno.is_pending() => Ok(None),
        Err(errno) => Err(format!("expected the exchange to go on, found {errno:?}")),
    }
}

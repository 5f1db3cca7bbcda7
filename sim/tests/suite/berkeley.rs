//! The Berkeley calls over a transport that does as a test says, and notes what it is asked for.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::iter::from_fn;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use faultwire::errno::Errno;
use faultwire::stack::{
    Domain, Fd, HostStack as _, How, KeepAlive, Kind, OptionName, Protocol, SocketOption, Sockets as _,
    StackConfig,
};
use faultwire::time::Time;
use faultwire_sim::berkeley::{Berkeley, Options, Phase, Status, Transport};

/// What the transport has, and what it was asked for since a test last looked.
#[derive(Default)]
struct Inside {
    calls: Vec<String>,
    connections: BTreeMap<u32, Status>,
    next: u32,
    arrived: VecDeque<(SocketAddr, Bytes)>,
    errors: VecDeque<(SocketAddr, Errno)>,
    due: Option<Time>,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Inside>>);

impl Fake {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap()
    }

    fn note(&self, call: impl Into<String>) {
        self.inside().calls.push(call.into());
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.inside().calls)
    }

    fn open(&self, call: String) -> Result<u32, Errno> {
        let mut inside = self.inside();
        let id = inside.next;
        inside.next += 1;
        inside.calls.push(format!("{call} is {id}"));
        inside.connections.insert(id, Status { phase: Phase::Opening, ..Status::default() });
        Ok(id)
    }

    /// Changes how a connection stands.
    fn set(&self, id: u32, change: impl FnOnce(&mut Status)) {
        change(self.inside().connections.get_mut(&id).unwrap());
    }

    /// Completes the handshake of a connection.
    fn establish(&self, id: u32) {
        let peer = Some(peer(id as u16));
        self.set(id, |status| *status = Status { phase: Phase::Open, peer, unread: 0, room: 100 });
    }
}

impl Transport for Fake {
    type Connection = u32;
    type Port = SocketAddr;

    fn handle_input(&mut self, _: &Bytes) {}

    fn poll_transmit(&mut self) -> Option<Bytes> {
        None
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.inside().due
    }

    fn handle_timeout(&mut self, now: Time) {
        let mut inside = self.inside();
        inside.due = inside.due.filter(|due| *due > now);
    }

    fn listen(&mut self, local: SocketAddr, options: &Options) -> Result<u32, Errno> {
        self.open(format!("listen {local} {}", options.recv_buffer))
    }

    fn connect(&mut self, local: SocketAddr, peer: SocketAddr, options: &Options) -> Result<u32, Errno> {
        self.open(format!("connect {local} {peer} {} {}", options.send_buffer, options.no_delay))
    }

    fn status(&self, id: u32) -> Status {
        self.inside().connections[&id]
    }

    fn send(&mut self, id: u32, data: &[u8]) -> usize {
        let len = self.status(id).room.min(data.len());
        self.set(id, |status| status.room -= len);
        len
    }

    fn recv(&mut self, id: u32, buffer: &mut [u8]) -> usize {
        let len = self.status(id).unread.min(buffer.len());
        self.set(id, |status| status.unread -= len);
        len
    }

    fn close(&mut self, id: u32) {
        self.note(format!("close {id}"));
        self.set(id, |status| status.room = 0);
    }

    fn abort(&mut self, id: u32) {
        self.note(format!("abort {id}"));
        self.set(id, |status| status.phase = Phase::Closed);
    }

    fn remove(&mut self, id: u32) {
        self.note(format!("remove {id}"));
        self.inside().connections.remove(&id).unwrap();
    }

    fn set_no_delay(&mut self, id: u32, no_delay: bool) {
        self.note(format!("no delay of {id} {no_delay}"));
    }

    fn bind(&mut self, local: SocketAddr, options: &Options) -> Result<SocketAddr, Errno> {
        self.note(format!("bind {local} {}", options.recv_buffer));
        Ok(local)
    }

    fn send_to(&mut self, port: SocketAddr, data: &[u8], to: SocketAddr) -> Result<(), Errno> {
        self.note(format!("send {} from {port} to {to}", data.len()));
        if data.len() > 1_000 { Err(Errno::EMSGSIZE) } else { Ok(()) }
    }

    fn recv_from(&mut self, _: SocketAddr) -> Option<(SocketAddr, Bytes)> {
        self.inside().arrived.pop_front()
    }

    fn poll_error(&mut self, _: SocketAddr) -> Option<(SocketAddr, Errno)> {
        self.inside().errors.pop_front()
    }

    fn unbind(&mut self, port: SocketAddr) {
        self.note(format!("unbind {port}"));
    }

    fn set_member(&mut self, group: IpAddr, is_member: bool) -> Result<(), Errno> {
        self.note(format!("member of {group} {is_member}"));
        Ok(())
    }
}

type Host = Berkeley<Fake>;

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn peer(port: u16) -> SocketAddr {
    (Ipv4Addr::new(10, 0, 0, 2), port).into()
}

fn config() -> StackConfig {
    StackConfig::new(Ipv4Addr::new(10, 0, 0, 1), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1))
}

fn host() -> (Host, Fake) {
    let fake = Fake::default();
    (Berkeley::new(config(), fake.clone()), fake)
}

fn open(host: &mut Host, kind: Kind) -> Fd {
    host.socket(Domain::Inet, kind, Protocol::Default).unwrap()
}

fn listener(host: &mut Host, backlog: u32) -> Fd {
    let fd = open(host, Kind::Stream);
    host.bind(fd, addr("0.0.0.0:80")).unwrap();
    host.listen(fd, backlog).unwrap();
    fd
}

/// A packet arrives: what the transport has become is seen.
fn arrive(host: &mut Host) {
    host.handle_input(&Bytes::new());
}

/// A client whose connection, the first one, is established.
fn connected() -> (Host, Fake, Fd) {
    let (mut host, fake) = host();
    let fd = open(&mut host, Kind::Stream);
    assert_eq!(host.connect(fd, Some(peer(80))), Err(Errno::EINPROGRESS));
    fake.establish(0);
    arrive(&mut host);
    changed(&mut host);
    fake.calls();
    (host, fake, fd)
}

fn changed(host: &mut Host) -> Vec<Fd> {
    from_fn(|| host.poll_changed()).collect()
}

#[test]
fn a_listener_has_one_socket_more_than_its_backlog_and_gives_the_first_connection_first() {
    let (mut host, fake) = host();
    let fd = listener(&mut host, 2);
    assert_eq!(fake.calls(), [0, 1, 2].map(|n| format!("listen 10.0.0.1:80 65535 is {n}")));
    assert_eq!(host.accept(fd), Err(Errno::EAGAIN));
    for id in [2, 0] {
        fake.establish(id);
        arrive(&mut host);
        assert_eq!(changed(&mut host), [fd]);
    }
    assert!(host.poll(fd).unwrap().readable);
    assert_eq!(fake.calls(), [""; 0], "a connection that waits keeps its place");
    let (first, from) = host.accept(fd).unwrap();
    assert_eq!((from, host.peer_addr(first)), (peer(2), Ok(peer(2))));
    assert_eq!(fake.calls(), ["no delay of 2 false", "listen 10.0.0.1:80 65535 is 3"]);
    assert_eq!(host.local_addr(first), Ok(addr("10.0.0.1:80")));
    assert_eq!(host.local_addr(fd), Ok(addr("0.0.0.0:80")));
    assert_eq!(host.accept(fd).map(|(_, from)| from), Ok(peer(0)));
    assert_eq!(host.accept(fd), Err(Errno::EAGAIN));
    assert!(!host.poll(fd).unwrap().readable);
    let (mut host, fake) = self::host();
    listener(&mut host, u32::MAX);
    assert_eq!(fake.calls().len(), 32);
}

#[test]
fn a_connection_that_is_reset_before_it_is_accepted_is_gone() {
    let (mut host, fake) = host();
    let fd = listener(&mut host, 0);
    fake.establish(0);
    arrive(&mut host);
    fake.set(0, |status| status.phase = Phase::Closed);
    arrive(&mut host);
    assert_eq!(host.accept(fd), Err(Errno::EAGAIN));
    assert_eq!(fake.calls()[1..], ["remove 0", "listen 10.0.0.1:80 65535 is 1"]);
}

#[test]
fn a_closed_listener_resets_what_it_has() {
    let (mut host, fake) = host();
    let fd = listener(&mut host, 1);
    fake.establish(1);
    arrive(&mut host);
    fake.calls();
    host.close(fd).unwrap();
    assert_eq!(fake.calls(), ["abort 1", "abort 0", "remove 1", "remove 0"]);
    assert_eq!(host.accept(fd), Err(Errno::EBADF));
    listener(&mut host, 0);
}

#[test]
fn a_close_goes_on_in_the_background() {
    let (mut host, fake, fd) = connected();
    host.close(fd).unwrap();
    assert_eq!(fake.calls(), ["close 0"]);
    for phase in [Phase::Ended, Phase::TimeWait] {
        fake.set(0, |status| status.phase = phase);
        arrive(&mut host);
        assert_eq!(fake.calls(), [""; 0]);
    }
    fake.set(0, |status| status.phase = Phase::Closed);
    arrive(&mut host);
    assert_eq!(fake.calls(), ["remove 0"]);
    assert_eq!(changed(&mut host), []);
}

#[test]
fn unread_data_late_data_and_no_lingering_reset_a_connection() {
    let (mut host, fake, fd) = connected();
    fake.set(0, |status| status.unread = 1);
    host.close(fd).unwrap();
    assert_eq!(fake.calls(), ["abort 0", "remove 0"]);

    let (mut host, fake, fd) = connected();
    host.close(fd).unwrap();
    fake.set(0, |status| status.unread = 1);
    arrive(&mut host);
    assert_eq!(fake.calls(), ["close 0", "abort 0", "remove 0"]);

    let (mut host, fake, fd) = connected();
    host.set_option(fd, SocketOption::Linger(Some(Duration::ZERO))).unwrap();
    host.close(fd).unwrap();
    assert_eq!(fake.calls(), ["abort 0", "remove 0"]);
}

/// Ends the first connection, as a packet does or a timer.
fn end(host: &mut Host, fake: &Fake, by_timer: bool) {
    fake.set(0, |status| status.phase = Phase::Closed);
    if by_timer {
        fake.inside().due = Some(Time::from_millis(1));
        host.handle_timeout(Time::from_millis(1));
    } else {
        arrive(host);
    }
}

#[test]
fn the_error_tells_what_ended_a_connection_and_is_told_once() {
    for (opens, by_timer, errno) in [
        (true, false, Errno::ECONNREFUSED),
        (true, true, Errno::ETIMEDOUT),
        (false, false, Errno::ECONNRESET),
        (false, true, Errno::ETIMEDOUT),
    ] {
        let (mut host, fake) = host();
        let fd = open(&mut host, Kind::Stream);
        let _ = host.connect(fd, Some(peer(80)));
        if !opens {
            fake.establish(0);
            arrive(&mut host);
            fake.set(0, |status| status.unread = 3);
        }
        changed(&mut host);
        end(&mut host, &fake, by_timer);
        assert_eq!(changed(&mut host), [fd]);
        let ready = host.poll(fd).unwrap();
        assert!(ready.readable && ready.writable && ready.error && ready.hang_up);
        if !opens {
            assert_eq!(host.recv(fd, &mut [0; 9]), Ok(3), "what came before it is there");
        }
        assert_eq!(host.recv(fd, &mut [0; 9]), Err(errno));
        assert_eq!((host.recv(fd, &mut [0; 9]), host.send(fd, b"late")), (Ok(0), Err(Errno::EPIPE)));
        assert_eq!((host.take_error(fd), host.poll(fd).unwrap().error), (Ok(None), false));
        assert_eq!(host.peer_addr(fd), Err(Errno::ENOTCONN));
        assert_eq!(host.shutdown(fd, How::Both), Err(Errno::ENOTCONN));
    }
}

#[test]
fn a_connection_that_both_sides_have_ended_leaves_no_error() {
    let (mut host, fake, fd) = connected();
    host.shutdown(fd, How::Write).unwrap();
    assert_eq!(fake.calls(), ["close 0"]);
    assert_eq!(host.send(fd, b"more"), Err(Errno::EPIPE));
    assert_eq!(host.recv(fd, &mut [0; 9]), Err(Errno::EAGAIN));
    fake.set(0, |status| status.phase = Phase::TimeWait);
    arrive(&mut host);
    assert_eq!(host.recv(fd, &mut [0; 9]), Ok(0));
    end(&mut host, &fake, true);
    assert_eq!((host.take_error(fd), host.recv(fd, &mut [0; 9])), (Ok(None), Ok(0)));
    // It is the program's until it closes it.
    assert_eq!(fake.calls(), [""; 0]);
    host.close(fd).unwrap();
    assert_eq!(fake.calls(), ["close 0", "remove 0"]);
}

#[test]
fn a_stream_that_connects_waits_and_one_that_was_not_connected_says_so() {
    let (mut host, fake) = host();
    let fd = open(&mut host, Kind::Stream);
    assert_eq!(host.recv(fd, &mut [0]), Err(Errno::ENOTCONN));
    assert_eq!(host.send(fd, b"data"), Err(Errno::EPIPE));
    assert_eq!(host.shutdown(fd, How::Both), Err(Errno::ENOTCONN));
    assert_eq!(host.accept(fd), Err(Errno::EINVAL));
    assert_eq!(host.connect(fd, None), Err(Errno::EOPNOTSUPP));
    assert_eq!(host.connect(fd, Some(peer(80))), Err(Errno::EINPROGRESS));
    assert_eq!(host.connect(fd, Some(peer(80))), Err(Errno::EALREADY));
    assert_eq!((host.send(fd, b"data"), host.recv(fd, &mut [0])), (Err(Errno::EAGAIN), Err(Errno::EAGAIN)));
    assert_eq!((host.peer_addr(fd), host.poll(fd).unwrap().writable), (Err(Errno::ENOTCONN), false));
    fake.establish(0);
    arrive(&mut host);
    assert_eq!(host.connect(fd, Some(peer(80))), Err(Errno::EISCONN));
    assert_eq!(host.listen(fd, 1), Err(Errno::EINVAL));
    assert_eq!(host.peer_addr(fd), Ok(peer(80)));
    assert_eq!((host.send(fd, &[0; 150]), host.send(fd, b"more")), (Ok(100), Err(Errno::EAGAIN)));
    assert_eq!(host.send(fd, b""), Ok(0));
}

#[test]
fn a_change_is_reported_once_and_more_data_is_another() {
    let (mut host, fake, fd) = connected();
    for unread in [3, 6] {
        fake.set(0, |status| status.unread = unread);
        arrive(&mut host);
        assert_eq!((changed(&mut host), changed(&mut host)), (vec![fd], vec![]));
        arrive(&mut host);
        assert_eq!(changed(&mut host), []);
    }
    assert_eq!(host.recv(fd, &mut [0; 4]), Ok(4));
    assert_eq!((host.recv(fd, &mut [0; 4]), host.recv(fd, &mut [0; 4])), (Ok(2), Err(Errno::EAGAIN)));
    assert_eq!(changed(&mut host), [], "a program's own call is no change");
    // A full buffer, and room again.
    assert_eq!(host.send(fd, &[0; 100]), Ok(100));
    arrive(&mut host);
    assert_eq!(changed(&mut host), []);
    fake.set(0, |status| status.room = 1);
    arrive(&mut host);
    assert_eq!(changed(&mut host), [fd]);
    // A fresh socket is what it was, and a closed one is not reported.
    let fresh = open(&mut host, Kind::Stream);
    host.bind(fresh, addr("10.0.0.1:9")).unwrap();
    fake.set(0, |status| status.phase = Phase::Ended);
    arrive(&mut host);
    host.close(fd).unwrap();
    assert_eq!(changed(&mut host), []);
}

#[test]
fn a_connected_datagram_socket_hears_its_peer_alone() {
    let (mut host, fake) = host();
    let fd = open(&mut host, Kind::Datagram);
    assert_eq!(host.send(fd, b"data"), Err(Errno::EDESTADDRREQ));
    host.connect(fd, Some(peer(7))).unwrap();
    let local = host.local_addr(fd).unwrap();
    assert_eq!((local.ip(), host.peer_addr(fd)), (config().v4.into(), Ok(peer(7))));
    assert_eq!(host.send(fd, b"data"), Ok(4));
    assert_eq!(fake.calls(), [format!("bind {local} 212992"), format!("send 4 from {local} to 10.0.0.2:7")]);
    assert_eq!(host.send(fd, &[0; 2_000]), Err(Errno::EMSGSIZE));

    let datagram = |port, data: &'static str| (peer(port), Bytes::from(data));
    fake.inside().arrived.extend([datagram(8, "a stranger's"), datagram(7, ""), datagram(7, "three")]);
    arrive(&mut host);
    assert_eq!(changed(&mut host), [fd]);
    assert_eq!(host.recv(fd, &mut [0; 9]), Ok(0));
    let received = host.recv_from(fd, &mut [0; 2]).unwrap();
    assert_eq!((received.len, received.full_len, received.from), (2, 5, peer(7)));
    assert_eq!(host.recv(fd, &mut [0; 9]), Err(Errno::EAGAIN));

    fake.inside().errors.extend([(peer(8), Errno::EHOSTUNREACH), (peer(7), Errno::ECONNREFUSED)]);
    arrive(&mut host);
    assert_eq!(changed(&mut host), [fd]);
    assert_eq!(host.recv(fd, &mut [0; 9]), Err(Errno::ECONNREFUSED));
    assert_eq!(host.recv(fd, &mut [0; 9]), Err(Errno::EAGAIN));

    host.shutdown(fd, How::Write).unwrap();
    assert_eq!(host.send(fd, b"data"), Err(Errno::EPIPE));
    host.connect(fd, None).unwrap();
    assert_eq!(host.peer_addr(fd), Err(Errno::ENOTCONN));
    assert_eq!(host.local_addr(fd), Ok(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), local.port())));
    fake.inside().arrived.push_back(datagram(8, "anyone's"));
    arrive(&mut host);
    assert_eq!(host.recv(fd, &mut [0; 9]), Ok(8));
}

#[test]
fn addresses_are_refused_as_linux_refuses_them() {
    let (mut host, _) = host();
    let fd = open(&mut host, Kind::Stream);
    let v6 = host.socket(Domain::Inet6, Kind::Datagram, Protocol::Udp).unwrap();
    assert_eq!(host.bind(fd, addr("[fd00::1]:80")), Err(Errno::EAFNOSUPPORT));
    assert_eq!(host.bind(v6, addr("10.0.0.1:80")), Err(Errno::EINVAL));
    assert_eq!(host.bind(fd, addr("10.0.0.2:80")), Err(Errno::EADDRNOTAVAIL));
    assert_eq!(host.connect(fd, Some(addr("192.0.2.1:80"))), Err(Errno::ENETUNREACH));
    assert_eq!(host.connect(fd, Some(addr("[fd00::2]:80"))), Err(Errno::EAFNOSUPPORT));
    assert_eq!(host.connect(fd, Some(addr("10.0.0.2:0"))), Err(Errno::EINVAL));
    assert_eq!(host.bind(fd, addr("10.0.0.1:80")), Ok(()));
    assert_eq!(host.bind(fd, addr("10.0.0.1:81")), Err(Errno::EINVAL));
    let other = open(&mut host, Kind::Stream);
    assert_eq!(host.bind(other, addr("0.0.0.0:80")), Err(Errno::EADDRINUSE));
    let datagrams = open(&mut host, Kind::Datagram);
    assert_eq!(host.bind(datagrams, addr("0.0.0.0:80")), Ok(()));
    assert_eq!(host.listen(datagrams, 1), Err(Errno::EOPNOTSUPP));
    assert_eq!(host.accept(datagrams), Err(Errno::EOPNOTSUPP));
    for to in ["255.255.255.255:9", "10.0.0.255:9"] {
        assert_eq!(host.send_to(datagrams, b"all", addr(to)), Err(Errno::EACCES));
    }
    host.set_option(datagrams, SocketOption::Broadcast(true)).unwrap();
    assert_eq!(host.send_to(datagrams, b"all", addr("10.0.0.255:9")), Ok(3));
    assert_eq!(host.send_to(datagrams, b"all", addr("239.1.1.1:9")), Ok(3));
    assert_eq!(host.socket(Domain::Inet, Kind::Raw, Protocol::Icmp), Err(Errno::EPROTONOSUPPORT));
    assert_eq!(host.close(Fd(99)), Err(Errno::EBADF));
}

#[test]
fn an_ephemeral_port_is_free_and_the_seed_decides_which() {
    let picked = |seed| {
        let mut config = config();
        config.seed = seed;
        let mut host = Berkeley::new(config, Fake::default());
        [Kind::Stream, Kind::Stream, Kind::Datagram].map(|kind| {
            let fd = open(&mut host, kind);
            host.bind(fd, addr("0.0.0.0:0")).unwrap();
            host.local_addr(fd).unwrap().port()
        })
    };
    assert_eq!(picked(1), picked(1));
    assert_ne!(picked(1), picked(2));
    assert_ne!(picked(1)[0], picked(1)[1]);
    assert!(picked(1).iter().all(|port| (32_768..61_000).contains(port)));
}

#[test]
fn a_connection_that_closes_keeps_its_port_from_ephemeral_ones_alone() {
    let picked = |taken: Option<u16>| {
        let (mut host, _) = host();
        let [first, second] = [Kind::Stream; 2].map(|kind| open(&mut host, kind));
        if let Some(port) = taken {
            host.bind(first, (config().v4, port).into()).unwrap();
            let _ = host.connect(first, Some(peer(80)));
            host.close(first).unwrap();
            let again = open(&mut host, Kind::Stream);
            host.bind(again, (config().v4, port).into()).unwrap();
            host.close(again).unwrap();
        }
        host.bind(second, addr("0.0.0.0:0")).unwrap();
        host.local_addr(second).unwrap().port()
    };
    let port = picked(None);
    assert_eq!(picked(Some(port)), port + 1);
    assert_eq!(picked(Some(port + 1)), port);
}

#[test]
fn where_there_is_no_room_for_a_socket_a_connection_goes_on_to_wait() {
    let (mut host, fake) = host();
    let fd = listener(&mut host, 0);
    fake.establish(0);
    arrive(&mut host);
    let all: Vec<Fd> = from_fn(|| host.socket(Domain::Inet, Kind::Datagram, Protocol::Udp).ok()).collect();
    assert_eq!((all.len(), host.accept(fd)), (1_023, Err(Errno::EMFILE)));
    host.close(all[0]).unwrap();
    assert_eq!(host.accept(fd).map(|(_, from)| from), Ok(peer(0)));
}

#[test]
fn an_option_that_is_taken_is_read_back() {
    let (mut host, fake) = host();
    let [stream, datagrams] = [Kind::Stream, Kind::Datagram].map(|kind| open(&mut host, kind));
    for (name, option) in [
        (OptionName::RecvBuffer, SocketOption::RecvBuffer(4_096)),
        (OptionName::SendBuffer, SocketOption::SendBuffer(4_097)),
        (OptionName::NoDelay, SocketOption::NoDelay(true)),
        (OptionName::Linger, SocketOption::Linger(Some(Duration::from_secs(1)))),
        (OptionName::Broadcast, SocketOption::Broadcast(true)),
        (OptionName::ReuseAddress, SocketOption::ReuseAddress(true)),
        (OptionName::KeepAlive, SocketOption::KeepAlive(None)),
    ] {
        assert_eq!((host.set_option(stream, option), host.option(stream, name)), (Ok(()), Ok(option)));
    }
    for option in [SocketOption::MaxSegment(700), SocketOption::KeepAlive(Some(KeepAlive::default()))] {
        assert_eq!(host.set_option(stream, option), Err(Errno::ENOPROTOOPT));
    }
    let _ = host.connect(stream, Some(peer(80)));
    assert!(fake.calls()[0].ends_with("10.0.0.2:80 4097 true is 0"));
    host.set_option(stream, SocketOption::NoDelay(false)).unwrap();
    assert_eq!(fake.calls(), ["no delay of 0 false"]);
    assert_eq!(host.set_option(stream, SocketOption::RecvBuffer(1)), Err(Errno::ENOPROTOOPT));

    assert_eq!(host.option(datagrams, OptionName::NoDelay), Err(Errno::ENOPROTOOPT));
    host.bind(datagrams, addr("0.0.0.0:7")).unwrap();
    host.set_option(datagrams, SocketOption::RecvBuffer(0)).unwrap();
    host.set_option(datagrams, SocketOption::JoinGroup([239, 1, 1, 1].into())).unwrap();
    let [first, again] = ["bind 10.0.0.1:7 212992", "bind 10.0.0.1:7 256"];
    assert_eq!(fake.calls(), [first, "unbind 10.0.0.1:7", again, "member of 239.1.1.1 true"]);
    host.close(datagrams).unwrap();
    assert_eq!(fake.calls(), ["unbind 10.0.0.1:7"]);
}

#[test]
fn what_a_connection_is_accepted_from_gives_it_its_options() {
    let (mut host, fake) = host();
    let fd = listener(&mut host, 0);
    host.set_option(fd, SocketOption::NoDelay(true)).unwrap();
    fake.establish(0);
    arrive(&mut host);
    fake.calls();
    let (accepted, _) = host.accept(fd).unwrap();
    assert_eq!(fake.calls(), ["no delay of 0 true", "listen 10.0.0.1:80 65535 is 1"]);
    assert_eq!(host.option(accepted, OptionName::NoDelay), Ok(SocketOption::NoDelay(true)));
}

/// Packets and time, and nothing else.
struct Nothing;

impl Transport for Nothing {
    type Connection = Infallible;
    type Port = Infallible;

    fn handle_input(&mut self, _: &Bytes) {}

    fn poll_transmit(&mut self) -> Option<Bytes> {
        None
    }
}

#[test]
fn what_a_transport_lacks_is_not_supported() {
    let mut host = Berkeley::new(config(), Nothing);
    let [stream, datagrams] = [Kind::Stream, Kind::Datagram]
        .map(|kind| host.socket(Domain::Inet, kind, Protocol::Default).unwrap());
    assert_eq!(host.listen(stream, 1), Err(Errno::EOPNOTSUPP));
    assert_eq!(host.connect(stream, Some(peer(80))), Err(Errno::EOPNOTSUPP));
    assert_eq!(host.bind(datagrams, addr("0.0.0.0:7")), Err(Errno::EOPNOTSUPP));
    assert_eq!(host.send_to(datagrams, b"data", peer(80)), Err(Errno::EOPNOTSUPP));
    let join = SocketOption::JoinGroup([239, 1, 1, 1].into());
    assert_eq!(host.set_option(datagrams, join), Err(Errno::ENOPROTOOPT));
    assert_eq!((host.poll_timeout(), host.close(stream), host.close(datagrams)), (None, Ok(()), Ok(())));
}

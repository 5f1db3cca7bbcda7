use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::OsNetwork;
use crate::model::{Errno, KeepAlive, OptionName, SocketOption};
use crate::network::{Datagram as _, Listener as _, Network as _, Stream as _};

/// The loopback addresses of the families that this machine has; says so where one is missing.
fn families() -> Vec<IpAddr> {
    let mut found = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    match std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)) {
        Ok(_) => found.push(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        Err(error) => {
            crate::require::skipped(
                "ipv6",
                format_args!("binding to [::1] fails: {error}; enable IPv6 on `lo`"),
            );
        }
    }
    found
}

fn text(ip: IpAddr, port: u16) -> String {
    SocketAddr::new(ip, port).to_string()
}

fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> Option<Errno> {
    Errno::of(&result.expect_err("the call must fail"))
}

/// A bound on every wait, so that a broken call fails the test instead of hanging it.
const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_stream_connects_from_the_address_that_is_asked_for() {
    for ip in families() {
        let net = OsNetwork::new();
        let listener = net.listen(&text(ip, 0), 16, &[]).await.expect("listen");
        let addr = listener.local_addr().expect("address").to_string();
        let reuse = [SocketOption::ReuseAddress(true)];
        let first = net.connect_from(&text(ip, 0), &addr, &reuse).await.expect("connect");
        let own = first.local_addr().expect("address");
        assert_eq!(own.ip(), ip);
        let (_accepted, peer) = listener.accept().await.expect("accept");
        assert_eq!(peer, own);
        // The same four addresses and ports are one connection (connect(2): EADDRNOTAVAIL).
        let again = net.connect_from(&own.to_string(), &addr, &reuse).await;
        assert!(matches!(errno(again), Some(Errno::EADDRNOTAVAIL | Errno::EADDRINUSE)));
    }
}

#[tokio::test]
async fn a_stream_carries_bytes_both_ways_and_half_closes() {
    for ip in families() {
        let net = OsNetwork::new();
        let listener = net.listen(&text(ip, 0), 16, &[]).await.expect("listen");
        let addr = listener.local_addr().expect("address").to_string();
        let client = async {
            let mut stream = net.connect(&addr, &[]).await?;
            stream.write_all(b"ping").await?;
            stream.shutdown().await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            io::Result::Ok(answer)
        };
        let server = async {
            let (mut stream, peer) = listener.accept().await?;
            assert_eq!(stream.peer_addr()?, peer);
            let mut asked = Vec::new();
            stream.read_to_end(&mut asked).await?;
            stream.write_all(b"pong").await?;
            io::Result::Ok(asked)
        };
        let (answer, asked) =
            net.timeout(LIMIT, async { tokio::join!(client, server) }).await.expect("in time");
        assert_eq!(asked.expect("server"), b"ping");
        assert_eq!(answer.expect("client"), b"pong");
    }
}

#[tokio::test]
async fn what_is_refused_in_use_or_not_ours_has_its_number() {
    for ip in families() {
        let net = OsNetwork::new();
        let listener = net.listen(&text(ip, 0), 1, &[]).await.expect("listen");
        let taken = listener.local_addr().expect("address").to_string();
        assert_eq!(errno(net.listen(&taken, 1, &[]).await), Some(Errno::EADDRINUSE));
        drop(listener);
        assert_eq!(errno(net.connect(&taken, &[]).await), Some(Errno::ECONNREFUSED));

        let socket = net.datagram(&text(ip, 0), &[]).await.expect("bind");
        let taken = socket.local_addr().expect("address").to_string();
        assert_eq!(errno(net.datagram(&taken, &[]).await), Some(Errno::EADDRINUSE));
        assert_eq!(errno(socket.peer_addr()), Some(Errno::ENOTCONN));
        assert_eq!(errno(socket.send(b"x").await), Some(Errno::EDESTADDRREQ));
    }
    let net = OsNetwork::new();
    // TEST-NET-1, RFC 5737: no machine's own.
    assert_eq!(errno(net.datagram("192.0.2.1:0", &[]).await), Some(Errno::EADDRNOTAVAIL));
    assert_eq!(errno(net.listen("192.0.2.1:0", 1, &[]).await), Some(Errno::EADDRNOTAVAIL));
    assert_eq!(errno(net.datagram("nonsense", &[]).await), Some(Errno::EINVAL));
    let unknown = net.resolve("no-such-host.invalid:1").await.expect_err("RFC 6761 reserves .invalid");
    assert_eq!(unknown.kind(), io::ErrorKind::NotFound, "{unknown}");
}

#[tokio::test]
async fn a_connected_datagram_socket_is_refused_once() {
    for ip in families() {
        let net = OsNetwork::new();
        let gone = net.datagram(&text(ip, 0), &[]).await.expect("bind").local_addr().expect("address");
        let socket = net.datagram(&text(ip, 0), &[]).await.expect("bind");
        socket.connect(&gone.to_string()).await.expect("connect");
        assert_eq!(socket.peer_addr().expect("peer"), gone);
        socket.send(b"anybody?").await.expect("the first send learns nothing");
        let mut buffer = [0; 8];
        let received =
            net.timeout(LIMIT, socket.recv_from(&mut buffer)).await.expect("told without another send");
        assert_eq!(errno(received), Some(Errno::ECONNREFUSED));
        let quiet = net.timeout(Duration::from_millis(50), socket.recv_from(&mut buffer)).await;
        assert_eq!(quiet.expect_err("told once only").kind(), io::ErrorKind::TimedOut);
    }
}

#[tokio::test]
async fn datagrams_keep_their_length_even_when_cut_or_empty() {
    for ip in families() {
        let net = OsNetwork::new();
        let server = net.datagram(&text(ip, 0), &[]).await.expect("bind");
        let client = net.datagram(&text(ip, 0), &[]).await.expect("bind");
        let to = server.local_addr().expect("address");
        for data in [&b"0123456789"[..], b"", b"abcd"] {
            assert_eq!(client.send_to(data, to).await.expect("send"), data.len());
        }
        let mut buffer = [b'_'; 4];
        for (len, full_len, content) in [(4, 10, *b"0123"), (0, 0, *b"0123"), (4, 4, *b"abcd")] {
            let got =
                net.timeout(LIMIT, server.recv_from(&mut buffer)).await.expect("in time").expect("receive");
            if cfg!(target_os = "linux") {
                assert_eq!(got.full_len, full_len);
            }
            assert_eq!((got.len, got.from), (len, client.local_addr().expect("address")));
            assert_eq!(buffer, content);
        }
    }
}

#[tokio::test]
async fn sizes_and_broadcast_are_checked_by_the_system() {
    for (ip, most) in families().into_iter().zip([65_507_usize, 65_527]) {
        let net = OsNetwork::new();
        let big = [SocketOption::RecvBuffer(400_000), SocketOption::SendBuffer(400_000)];
        let server = net.datagram(&text(ip, 0), &big).await.expect("bind");
        let client = net.datagram(&text(ip, 0), &big).await.expect("bind");
        let to = server.local_addr().expect("address");
        let data = vec![7; most + 1];
        assert_eq!(errno(client.send_to(&data, to).await), Some(Errno::EMSGSIZE), "{ip}");
        // 65 527 needs a jumbogram-free path: over `lo` with an MTU of 65 536 both go in fragments or whole.
        client.send_to(&data[..most], to).await.expect("the largest datagram");
        let mut buffer = vec![0; 70_000];
        let got = net.timeout(LIMIT, server.recv_from(&mut buffer)).await.expect("in time").expect("receive");
        assert_eq!(got.len, most);
    }
    let net = OsNetwork::new();
    let socket = net.datagram("0.0.0.0:0", &[]).await.expect("bind");
    let everybody = SocketAddr::from(([127, 255, 255, 255], 9));
    assert_eq!(errno(socket.send_to(b"x", everybody).await), Some(Errno::EACCES));
    socket.set_option(SocketOption::Broadcast(true)).expect("SO_BROADCAST");
    socket.send_to(b"x", everybody).await.expect("allowed now");
}

#[tokio::test]
async fn options_read_back_as_they_were_set() {
    let second = Duration::from_secs(1);
    let keep = KeepAlive { idle: Some(9 * second), interval: Some(3 * second), probes: Some(4) };
    for ip in families() {
        let net = OsNetwork::new();
        let before = [SocketOption::MaxSegment(1000), SocketOption::ReuseAddress(true)];
        let listener = net.listen(&text(ip, 0), 1, &before).await.expect("listen");
        let addr = listener.local_addr().expect("address").to_string();
        let stream = net.connect(&addr, &[SocketOption::NoDelay(true)]).await.expect("connect");
        assert_eq!(stream.option(OptionName::NoDelay).expect("read"), SocketOption::NoDelay(true));
        let datagram = net.datagram(&text(ip, 0), &[SocketOption::Broadcast(true)]).await.expect("bind");
        assert_eq!(datagram.option(OptionName::Broadcast).expect("read"), SocketOption::Broadcast(true));

        for (name, option) in [
            (OptionName::NoDelay, SocketOption::NoDelay(false)),
            (OptionName::KeepAlive, SocketOption::KeepAlive(Some(keep))),
            (OptionName::KeepAlive, SocketOption::KeepAlive(None)),
            (OptionName::Linger, SocketOption::Linger(Some(5 * second))),
            (OptionName::Linger, SocketOption::Linger(None)),
            (OptionName::Ttl, SocketOption::Ttl(33)),
            (OptionName::ReuseAddress, SocketOption::ReuseAddress(true)),
        ] {
            stream.set_option(option).expect("set");
            assert_eq!(stream.option(name).expect("read"), option);
        }
        // A fraction of a second is rounded up: down, a lingering close would become an abortive one.
        stream.set_option(SocketOption::Linger(Some(second / 2))).expect("set");
        assert_eq!(stream.option(OptionName::Linger).expect("read"), SocketOption::Linger(Some(second)));

        for (name, option) in [
            (OptionName::Ttl, SocketOption::Ttl(1)),
            (OptionName::MulticastTtl, SocketOption::MulticastTtl(7)),
            (OptionName::MulticastLoop, SocketOption::MulticastLoop(false)),
            (OptionName::Broadcast, SocketOption::Broadcast(false)),
            (OptionName::KeepAlive, SocketOption::KeepAlive(Some(KeepAlive::default()))),
        ] {
            let set = datagram.set_option(option);
            if matches!(name, OptionName::KeepAlive) {
                // socket2 sets the flag; a datagram socket has no numbers to go with it.
                set.expect("SO_KEEPALIVE is for every socket: socket(7)");
            } else {
                set.expect("set");
            }
            assert_eq!(datagram.option(name).expect("read"), option);
        }
        for (name, option) in [
            (OptionName::RecvBuffer, SocketOption::RecvBuffer(50_000)),
            (OptionName::SendBuffer, SocketOption::SendBuffer(50_000)),
        ] {
            datagram.set_option(option).expect("set");
            let (SocketOption::RecvBuffer(bytes) | SocketOption::SendBuffer(bytes)) =
                datagram.option(name).expect("read")
            else {
                panic!("another option came back")
            };
            assert!((50_000..=100_000).contains(&bytes), "Linux doubles: {bytes}");
        }
        assert_eq!(errno(datagram.set_option(SocketOption::NoDelay(true))), Some(Errno::ENOPROTOOPT));
        let v6only = datagram.option(OptionName::V6Only);
        if ip.is_ipv6() {
            let only = [SocketOption::V6Only(true)];
            let socket = net.datagram("[::]:0", &only).await.expect("bind");
            assert_eq!(socket.option(OptionName::V6Only).expect("read"), SocketOption::V6Only(true));
            v6only.expect("an IPv6 socket has it");
        } else {
            assert!(matches!(errno(v6only), Some(Errno::EOPNOTSUPP | Errno::ENOPROTOOPT)));
        }
    }
}

#[tokio::test]
async fn several_hosts_live_on_one_machine() {
    let hosts = ["server", "client"].map(|_| OsNetwork::new());
    let [server, client] = hosts;
    let (at, from) = (Ipv4Addr::new(127, 1, 0, 2), Ipv4Addr::new(127, 1, 0, 3));
    let server = server.with_host_address(at);
    let client = client.with_host_address(from).with_name("server", at);

    let bound = server.datagram("0.0.0.0:0", &[]).await.expect("bind");
    let to = bound.local_addr().expect("address");
    assert_eq!(to.ip(), at);
    let socket = client.datagram("0.0.0.0:0", &[]).await.expect("bind");
    socket.connect(&format!("server:{}", to.port())).await.expect("connect");
    socket.send(b"x").await.expect("send");
    let got = server.timeout(LIMIT, bound.recv_from(&mut [0; 4])).await.expect("in time").expect("receive");
    assert_eq!(got.from.ip(), from);

    let listener = server.listen("0.0.0.0:0", 1, &[]).await.expect("listen");
    let port = listener.local_addr().expect("address").port();
    let stream = client.connect(&format!("server:{port}"), &[]).await.expect("connect");
    assert_eq!(stream.local_addr().expect("address").ip(), from);
    assert_eq!(stream.peer_addr().expect("address").ip(), at);
}

#[tokio::test]
async fn a_resolver_answers_first_for_peers_and_never_for_binds() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let elsewhere = SocketAddr::from(([127, 0, 0, 1], 4711));
    let net = OsNetwork::new()
        .with_name("server", Ipv4Addr::LOCALHOST)
        .with_name("server", Ipv6Addr::LOCALHOST)
        .with_resolver(move |name, port| {
            count.fetch_add(1, Ordering::SeqCst);
            (name == "server").then(|| match port {
                7000 => Ok(elsewhere),
                _ => Err(Errno::EADDRNOTAVAIL.into()),
            })
        });
    assert_eq!(net.resolve("server:7000").await.expect("known"), [elsewhere]);
    assert_eq!(errno(net.resolve("server:1").await), Some(Errno::EADDRNOTAVAIL));
    assert_eq!(asked.swap(0, Ordering::SeqCst), 2);
    let bound = net.datagram("server:0", &[]).await.expect("bind").local_addr().expect("address");
    assert_eq!(bound.ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[cfg(unix)]
mod calls {
    //! The synchronous calls.

    use std::net::SocketAddr;
    use std::time::Duration;

    use super::families;
    use crate::model::Errno;
    use crate::model::{Domain, Fd, How, Kind, OptionName, Protocol, SocketOption, Sockets};
    use crate::network::os::OsSockets;

    /// Polls until `ready`; the kernel needs a moment even on loopback.
    fn until<T>(mut ready: impl FnMut() -> Option<T>) -> T {
        for _ in 0..2_000 {
            if let Some(value) = ready() {
                return value;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        panic!("not ready within ten seconds")
    }

    #[test]
    fn a_stream_from_listen_to_end() {
        for ip in families() {
            let any = SocketAddr::new(ip, 0);
            let domain = Domain::of(&any);
            let mut os = OsSockets::new();
            let listener = os.socket(domain, Kind::Stream, Protocol::Default).expect("socket");
            os.bind(listener, any).expect("bind");
            os.listen(listener, 4).expect("listen");
            assert_eq!(os.accept(listener), Err(Errno::EAGAIN));
            let addr = os.local_addr(listener).expect("address");

            let client = os.socket(domain, Kind::Stream, Protocol::Tcp).expect("socket");
            assert_eq!(os.peer_addr(client), Err(Errno::ENOTCONN));
            assert!(matches!(os.connect(client, Some(addr)), Ok(()) | Err(Errno::EINPROGRESS)));
            let (server, peer) = until(|| os.accept(listener).ok());
            until(|| os.poll(client).expect("poll").writable.then_some(()));
            assert_eq!(os.take_error(client), Ok(None));
            assert_eq!(os.local_addr(client), Ok(peer));
            // The first call after EINPROGRESS tells how it ended; only the next one finds it connected.
            assert!(matches!(os.connect(client, Some(addr)), Ok(()) | Err(Errno::EISCONN)));
            assert_eq!(os.connect(client, Some(addr)), Err(Errno::EISCONN));

            let mut buffer = [0; 16];
            assert_eq!(os.recv(server, &mut buffer), Err(Errno::EAGAIN));
            assert_eq!(os.send(client, b"0123456789"), Ok(10));
            until(|| os.poll(server).expect("poll").readable.then_some(()));
            let seen = os.peek(server, &mut buffer[..3]).expect("peek");
            assert_eq!((seen.len, seen.full_len, seen.from, &buffer[..3]), (3, 3, peer, &b"012"[..]));
            // Not thrown away, although a datagram's receive asks for MSG_TRUNC.
            let got = os.recv_from(server, &mut buffer[..4]).expect("receive");
            assert_eq!((got.len, got.full_len, got.from), (4, 4, peer));
            assert_eq!(&buffer[..4], b"0123");
            assert_eq!(os.recv(server, &mut buffer), Ok(6));
            assert_eq!(&buffer[..6], b"456789");

            os.shutdown(client, How::Write).expect("shutdown");
            assert_eq!(os.send(client, b"x"), Err(Errno::EPIPE));
            until(|| os.poll(server).expect("poll").readable.then_some(()));
            assert_eq!(os.recv(server, &mut buffer), Ok(0));
            os.close(server).expect("close");
            assert_eq!(os.recv(server, &mut buffer), Err(Errno::EBADF));
            assert_eq!(os.close(server), Err(Errno::EBADF));
            until(|| os.poll(client).expect("poll").hang_up.then_some(()));
        }
    }

    #[test]
    fn datagrams_connect_dissolve_and_are_refused_once() {
        for ip in families() {
            let any = SocketAddr::new(ip, 0);
            let domain = Domain::of(&any);
            let mut os = OsSockets::new();
            let [a, b] = [(); 2].map(|()| {
                let fd = os.socket(domain, Kind::Datagram, Protocol::Udp).expect("socket");
                os.bind(fd, any).expect("bind");
                fd
            });
            let at = os.local_addr(b).expect("address");
            assert_eq!(os.send(a, b"x"), Err(Errno::EDESTADDRREQ));
            os.connect(a, Some(at)).expect("connect");
            assert_eq!(os.send(a, b"0123456789"), Ok(10));
            let mut buffer = [0; 4];
            let seen = until(|| os.peek(b, &mut buffer[..2]).ok());
            assert_eq!((seen.len, seen.from), (2, os.local_addr(a).expect("address")));
            let got = until(|| os.recv_from(b, &mut buffer).ok());
            assert_eq!((got.len, got.from), (4, os.local_addr(a).expect("address")));
            if cfg!(target_os = "linux") {
                assert_eq!(got.full_len, 10);
            }
            os.close(b).expect("close");
            assert_eq!(os.send(a, b"x"), Ok(1));
            until(|| os.poll(a).expect("poll").error.then_some(()));
            assert_eq!(os.recv(a, &mut buffer), Err(Errno::ECONNREFUSED));
            assert_eq!(os.recv(a, &mut buffer), Err(Errno::EAGAIN));
            os.connect(a, None).expect("dissolve");
            assert_eq!(os.peer_addr(a), Err(Errno::ENOTCONN));
        }
    }

    #[test]
    fn wrong_calls_have_their_numbers() {
        let mut os = OsSockets::new();
        assert_eq!(os.poll(Fd(0)), Err(Errno::EBADF));
        let mismatch = os.socket(Domain::Inet, Kind::Stream, Protocol::Udp);
        assert_eq!(mismatch, Err(Errno::EPROTONOSUPPORT));
        let udp = os.socket(Domain::Inet, Kind::Datagram, Protocol::Default).expect("socket");
        assert_eq!(os.listen(udp, 1), Err(Errno::EOPNOTSUPP));
        assert_eq!(os.set_option(udp, SocketOption::Ttl(9)), Ok(()));
        assert_eq!(os.option(udp, OptionName::Ttl), Ok(SocketOption::Ttl(9)));
        assert!(os.option(udp, OptionName::MaxSegment).is_err());
    }
}

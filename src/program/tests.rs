//! The programs over the operating system's sockets.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{
    ACKNOWLEDGEMENT, ClientError, Limits, ServerError, Tally, bind, bulk, listen, numbered, tcp, udp,
};
use crate::model::Errno;
use crate::network::os::OsNetwork;
use crate::network::{Datagram as _, Listener as _, Network as _};

const LIMIT: Duration = Duration::from_secs(20);

/// A server in a task of its own: its address, and how to stop it.
struct Running {
    addr: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<Tally, ServerError>>,
}

impl Running {
    async fn stop(self) -> Tally {
        self.stop.send(()).expect("it runs until it is told to stop");
        self.task.await.expect("no panic").expect("no error")
    }
}

enum Kind {
    TcpEcho,
    TcpReply,
    UdpEcho,
    UdpReply,
    Bulk,
}

async fn start(net: &OsNetwork, kind: Kind, limits: Limits) -> Running {
    let net = net.clone();
    let (stop, stopped) = oneshot::channel();
    let stopped = async { drop(stopped.await) };
    let (addr, task);
    if matches!(kind, Kind::UdpEcho | Kind::UdpReply) {
        let socket = bind(&net, "127.0.0.1:0").await.expect("bind");
        addr = socket.local_addr();
        task = tokio::spawn(async move {
            match kind {
                Kind::UdpEcho => udp::echo_server(&net, &socket, &limits, stopped).await,
                _ => udp::reply_server(&net, &socket, &limits, stopped).await,
            }
        });
    } else {
        let listener = listen(&net, "127.0.0.1:0").await.expect("listen");
        addr = listener.local_addr();
        task = tokio::spawn(async move {
            match kind {
                Kind::TcpEcho => tcp::echo_server(&net, listener, &limits, stopped).await,
                Kind::TcpReply => tcp::reply_server(&net, listener, &limits, stopped).await,
                _ => bulk::server(&net, listener, &limits, stopped).await,
            }
        });
    }
    Running { addr: addr.expect("address").to_string(), stop, task }
}

async fn within<T: Send>(work: impl Future<Output = T> + Send) -> T {
    tokio::time::timeout(LIMIT, work).await.expect("within the test's limit")
}

/// Writes `data` and the end, and gives all that comes back.
async fn conversation(net: &OsNetwork, addr: &str, data: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = net.connect(addr, &[]).await?;
    stream.write_all(data).await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await?;
    Ok(answer)
}

#[tokio::test]
async fn tcp_echo_serves_many_clients_at_once() {
    let net = OsNetwork::new();
    let server = start(&net, Kind::TcpEcho, Limits::default()).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(tcp::Client::connect(&net, &server.addr, LIMIT).await.expect("connect"));
    }
    // Longer than any buffer on the way: it must be read while it is written.
    let long: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    for client in &mut clients {
        client.echo(b"hello").await.expect("echo");
        client.echo(b"").await.expect("nothing to wait for");
    }
    clients[0].echo(&long).await.expect("echo");
    for client in clients {
        client.finish().await.expect("half-close is answered");
    }
    let tally = server.stop().await;
    assert_eq!((tally.clients, tally.bytes, tally.refused), (20, 20 * 5 + 3_000_000, 0));
}

#[tokio::test]
async fn tcp_reply_answers_lines_whatever_the_pieces() {
    let net = OsNetwork::new();
    let limits = Limits::default().with_message(8);
    let server = start(&net, Kind::TcpReply, limits).await;
    for (sent, answers) in
        [(&b"a\nb\n\nc"[..], 4), (b"", 0), (b"1234567\n1234567\n12345678", 3), (b"1\n12345678\n2\n", 1)]
    {
        // The last one is cut off, and with bytes unread: the reset may overtake the answer.
        match conversation(&net, &server.addr, sent).await {
            Ok(answer) => assert_eq!(answer, ACKNOWLEDGEMENT.repeat(answers), "{}", sent.escape_ascii()),
            Err(error) => assert_eq!((Errno::of(&error), sent.len()), (Some(Errno::ECONNRESET), 13)),
        }
    }
    let mut client = tcp::Client::connect(&net, &server.addr, LIMIT).await.expect("connect");
    let error = client.echo(b"12345\n").await.expect_err("no echo");
    let told = error.to_string();
    assert!(told.ends_with(r"answered `ACK\n` (4 bytes), expected `1234` (4 bytes)"), "{told}");
    let mut client = tcp::Client::connect(&net, &server.addr, LIMIT).await.expect("connect");
    client.ask(b"hello").await.expect("reply");
    client.ask(b"").await.expect("an empty line is a message");
    assert!(matches!(client.ask(b"a\nb").await, Err(ClientError::Message { .. })));
    let error = client.ask(b"much too long").await.expect_err("cut off");
    assert!(matches!(
        error,
        ClientError::Closed { .. } | ClientError::Receive { .. } | ClientError::Send { .. }
    ));
    let tally = server.stop().await;
    assert_eq!((tally.clients, tally.messages, tally.refused), (6, 4 + 3 + 1 + 1 + 2, 2));
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_their_turn() {
    let net = OsNetwork::new();
    let server = start(&net, Kind::TcpEcho, Limits::default().with_clients(1)).await;
    let mut first = tcp::Client::connect(&net, &server.addr, LIMIT).await.expect("connect");
    first.echo(b"x").await.expect("served");
    let short = Duration::from_millis(100);
    let mut second = tcp::Client::connect(&net, &server.addr, short).await.expect("the backlog takes it");
    let waits = second.echo(b"y").await.expect_err("not served yet");
    assert!(waits.is_no_answer(), "{waits}");
    first.finish().await.expect("finish");
    let mut byte = [0];
    within(second.into_stream().read_exact(&mut byte)).await.expect("served now");
    assert_eq!(&byte, b"y");
    assert_eq!(server.stop().await.clients, 2);
}

#[tokio::test]
async fn an_address_gets_no_more_than_half_of_the_places() {
    let net = OsNetwork::new();
    let server = start(&net, Kind::TcpEcho, Limits::default().with_clients(4)).await;
    let mut greedy = Vec::new();
    for _ in 0..2 {
        let mut client = tcp::Client::connect(&net, &server.addr, LIMIT).await.expect("connect");
        client.echo(b"x").await.expect("served");
        greedy.push(client);
    }
    for _ in 0..20 {
        let mut stream = net.connect(&server.addr, &[]).await.expect("connect");
        assert_eq!(within(stream.read(&mut [0])).await.expect("closed"), 0);
    }
    let mut other = net.connect_from("127.0.0.2:0", &server.addr, &[]).await.expect("connect");
    other.write_all(b"y\n").await.expect("write");
    let mut byte = [0];
    within(other.read_exact(&mut byte)).await.expect("served");
    greedy.pop().expect("one").finish().await.expect("finish");
    let mut next = tcp::Client::connect(&net, &server.addr, LIMIT).await.expect("connect");
    next.echo(b"z").await.expect("its place is free again");
    assert_eq!(server.stop().await.refused, 20);
}

#[tokio::test]
async fn idle_connections_are_closed_and_stop_ends_the_others() {
    let net = OsNetwork::new();
    let server = start(&net, Kind::TcpReply, Limits::default().with_idle(Duration::from_millis(50))).await;
    let mut stream = net.connect(&server.addr, &[]).await.expect("connect");
    assert_eq!(within(stream.read(&mut [0])).await.expect("closed"), 0);
    assert_eq!(server.stop().await.idle, 1);

    let server = start(&net, Kind::TcpEcho, Limits::default()).await;
    let addr = server.addr.clone();
    let mut client = tcp::Client::connect(&net, &addr, LIMIT).await.expect("connect");
    client.echo(b"x").await.expect("echo");
    let tally = server.stop().await;
    assert_eq!((tally.clients, tally.idle, tally.refused), (1, 0, 0));
    assert!(client.echo(b"x").await.is_err());
    let refused = tcp::Client::connect(&net, &addr, LIMIT).await.expect_err("nobody listens");
    assert!(
        refused
            .to_string()
            .ends_with("no program listens there: start the server, or check address and port")
    );
}

#[tokio::test]
async fn udp_clients_are_answered_and_told_what_went_wrong() {
    let net = OsNetwork::new();
    let echo = start(&net, Kind::UdpEcho, Limits::default().with_message(100)).await;
    let mut client = udp::Client::connect(&net, &echo.addr, LIMIT).await.expect("connect");
    for message in [&b"hello"[..], b"", b"hello", &[7; 100]] {
        client.echo(message).await.expect("echo");
    }
    let mut hasty = udp::Client::connect(&net, &echo.addr, Duration::from_millis(50)).await.expect("connect");
    let lost = hasty.echo(&[7; 101]).await.expect_err("longer than the server allows");
    assert!(lost.is_no_answer(), "{lost}");
    let wrong = client.ask(b"an echo is no acknowledgement").await.expect_err("wrong server");
    assert!(matches!(wrong, ClientError::WrongAnswer { .. }), "{wrong}");
    let tally = echo.stop().await;
    assert_eq!((tally.clients, tally.messages, tally.refused), (1, 5, 1));

    let reply = start(&net, Kind::UdpReply, Limits::default()).await;
    let addr = reply.addr.clone();
    let mut client = udp::Client::connect(&net, &addr, LIMIT).await.expect("connect");
    client.ask(b"hello").await.expect("reply");
    client.ask(b"").await.expect("an empty datagram is a message");
    assert!(matches!(client.ask(ACKNOWLEDGEMENT).await, Err(ClientError::Message { .. })));
    assert_eq!(reply.stop().await.messages, 2);
    let refused = client.ask(b"hello").await.expect_err("nobody there");
    assert!(
        matches!(
            &refused,
            ClientError::Receive { source, .. } if Errno::of(source) == Some(Errno::ECONNREFUSED)
        ),
        "{refused}"
    );
}

#[tokio::test]
async fn a_udp_client_tries_the_other_addresses_of_a_name() {
    let net = OsNetwork::new();
    let server = start(&net, Kind::UdpEcho, Limits::default()).await;
    let port = server.addr.rsplit(':').next().expect("a port").to_owned();
    let net = net.with_name("server", [127, 9, 9, 9]).with_name("server", [127, 0, 0, 1]);
    let mut client = udp::Client::connect(&net, &format!("server:{port}"), LIMIT).await.expect("connect");
    client.echo(b"hello").await.expect("the second address answers");
    assert_eq!(server.stop().await.messages, 1);
}

/// Two servers, one of which is made to believe that the other asked it something; what they did in a while.
async fn set_upon_each_other(kinds: [Kind; 2], start: &[u8], limits: &Limits) -> [Tally; 2] {
    let net = OsNetwork::new();
    let first = bind(&net, "127.0.0.1:0").await.expect("bind");
    let second = bind(&net, "127.0.0.1:0").await.expect("bind");
    // As if it were forged: from the second server's own address.
    second.send_to(start, first.local_addr().expect("address")).await.expect("send");
    let serve = async |socket, kind| {
        let stop = net.sleep(Duration::from_millis(300));
        match kind {
            Kind::UdpEcho => udp::echo_server(&net, socket, limits, stop).await.expect("serve"),
            _ => udp::reply_server(&net, socket, limits, stop).await.expect("serve"),
        }
    };
    let [one, other] = kinds;
    let (one, other) = tokio::join!(serve(&first, one), serve(&second, other));
    [one, other]
}

#[tokio::test]
async fn responders_set_upon_each_other_soon_end() {
    let limits = Limits::default().with_answers(50, 1_000);
    let [one, other] = set_upon_each_other([Kind::UdpReply, Kind::UdpReply], b"x", &limits).await;
    assert!(one.messages <= 1 && other.messages == 0, "{one:?} {other:?}");
    let [one, other] = set_upon_each_other([Kind::UdpReply, Kind::UdpEcho], b"x", &limits).await;
    assert!(one.messages <= 1 && other.messages <= 1, "{one:?} {other:?}");
    let [one, other] = set_upon_each_other([Kind::UdpEcho, Kind::UdpEcho], b"x", &limits).await;
    assert!(one.messages <= 51 && other.messages <= 51, "{one:?} {other:?}");
    assert!(one.messages > 0, "the first datagram is answered: {one:?}");
}

#[tokio::test]
async fn bulk_is_received_whole_and_strangers_are_cut_off() {
    let net = OsNetwork::new();
    let server = start(&net, Kind::Bulk, Limits::default()).await;
    for length in [0, 1, 2_000_003] {
        let receipt = within(bulk::send(&net, &server.addr, length, LIMIT)).await.expect("receipt");
        assert_eq!(receipt, bulk::Receipt::expected(length));
    }
    // Neither what has another header, nor what goes on after the last byte that it promised, gets a receipt.
    let promised_one = [&b"FWBULK01"[..], &1_u64.to_be_bytes(), b"two"].concat();
    for stranger in [&b"GET / HTTP/1.1\r\n\r\n"[..], &promised_one] {
        let answer = conversation(&net, &server.addr, stranger).await;
        assert!(answer.map_or(true, |answer| answer.is_empty()), "{}", stranger.escape_ascii());
    }
    let tally = server.stop().await;
    assert_eq!((tally.messages, tally.bytes, tally.refused), (3, 2_000_004, 2));
}

#[tokio::test]
async fn a_numbered_series_arrives_over_loopback() {
    let net = OsNetwork::new();
    let socket = bind(&net, "127.0.0.1:0").await.expect("bind");
    let addr = socket.local_addr().expect("address").to_string();
    let quiet = Duration::from_millis(100);
    let receive = numbered::receive(&net, &socket, 20, 200, quiet);
    let (sent, report) = tokio::join!(numbered::send(&net, &addr, 20, 200, Duration::ZERO), receive);
    sent.expect("sent");
    let report = report.expect("received");
    assert!(report.is_perfect(), "{report:?}");
    // Longer than the receiver's buffer: cut by the system, and told so.
    let receive = numbered::receive(&net, &socket, 2, 50, quiet);
    let (sent, report) = tokio::join!(numbered::send(&net, &addr, 2, 200, Duration::ZERO), receive);
    sent.expect("sent");
    assert_eq!(report.expect("received").cut, [0, 1]);
}

#[tokio::test]
async fn a_server_that_cannot_listen_says_what_to_do() {
    let net = OsNetwork::new();
    let taken = listen(&net, "127.0.0.1:0").await.expect("listen");
    let addr = taken.local_addr().expect("address").to_string();
    let error = listen(&net, &addr).await.expect_err("in use").to_string();
    assert!(error.starts_with(&format!("cannot listen on {addr}: ")), "{error}");
    assert!(error.ends_with("choose another port (0 picks a free one)"), "{error}");
    let error = bind(&net, "192.0.2.1:0").await.expect_err("not ours").to_string();
    assert!(error.ends_with("this machine does not have that address: choose one that it has"), "{error}");
}

//! Programs written against `tokio::net` run over simulated hosts.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire_sim::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use faultwire_sim::net::{TcpListener, TcpSocket, TcpStream, UdpSocket, lookup_host};
use faultwire_sim::testbed::{self, TestbedRef};
use faultwire_sim::{End, Result, Scenario, scenario};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

const SIMULATED: [TestbedRef; 2] = [testbed::VIRTUAL, testbed::TURMOIL];

/// A run without faults on each testbed that has these sockets, twice: it repeats.
fn passes(scenario: &Scenario) {
    for testbed in SIMULATED {
        let scenario = scenario.clone().on(testbed);
        let run = scenario.run(&FaultPlan::default());
        assert_eq!(run.end, End::Finished, "{testbed}");
        assert_eq!(scenario.difference(), None, "{testbed}");
    }
}

/// Answers each line with itself, a task for each connection.
async fn echo(addr: &str) -> io::Result<()> {
    let listener = TcpListener::bind(addr).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            while let Some(line) = lines.next_line().await? {
                write.write_all(format!("{line}\n").as_bytes()).await?;
            }
            io::Result::Ok(())
        });
    }
}

async fn ask(addr: &str, question: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.write_all(format!("{question}\n").as_bytes()).await?;
    let (read, _write) = stream.split();
    let mut answer = String::new();
    BufReader::new(read).read_line(&mut answer).await?;
    Ok(answer.trim_end().to_owned())
}

#[test]
fn an_echo_server_with_a_task_for_each_connection() {
    let scenario = scenario("echo").server(|_| echo("0.0.0.0:7")).client(|_| async {
        let mut asked = JoinSet::new();
        for number in 0..3 {
            asked.spawn(async move { (number, ask("server:7", &format!("line {number}")).await) });
        }
        while let Some(answer) = asked.join_next().await {
            let (number, answer) = answer?;
            assert_eq!(answer?, format!("line {number}"));
        }
        Ok(())
    });
    passes(&scenario);
    for testbed in SIMULATED {
        scenario.clone().on(testbed).exhaustive(1).random(50).check();
    }
}

/// Tells where a socket is that a task of a task opened.
async fn tells_its_address() -> Result {
    let task = tokio::spawn(async {
        let bound = async {
            let socket = UdpSocket::bind("0.0.0.0:9").await?;
            socket.connect("c:9").await?;
            socket.send(socket.local_addr()?.to_string().as_bytes()).await
        };
        tokio::spawn(bound).await
    });
    task.await???;
    Ok(())
}

#[test]
fn a_task_opens_sockets_on_its_own_host() {
    let scenario = scenario("own")
        .host("a", |_| tells_its_address())
        .host("b", |_| tells_its_address())
        .client_on("c", |_| async {
            // The same port on each host, at the same time.
            let socket = UdpSocket::bind("0.0.0.0:9").await?;
            let mut told = Vec::new();
            for _ in 0..2 {
                let mut buffer = [0; 32];
                let (len, from) = socket.recv_from(&mut buffer).await?;
                assert_eq!(&buffer[..len], from.to_string().as_bytes());
                told.push(from.to_string());
            }
            told.sort();
            assert_eq!(told, ["10.0.0.1:9", "10.0.0.2:9"]);
            Ok(())
        });
    passes(&scenario);
}

async fn answers_a_stream() -> Result {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    assert!(socket.reuseaddr()?);
    socket.bind("0.0.0.0:80".parse()?)?;
    assert_eq!(socket.local_addr()?.port(), 80);
    let taken = TcpSocket::new_v4()?;
    let listener = socket.listen(16)?;
    assert_eq!(taken.bind("0.0.0.0:80".parse()?).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    let (stream, peer) = listener.accept().await?;
    assert_eq!((stream.peer_addr()?, stream.local_addr()?.port()), (peer, 80));
    stream.set_nodelay(true)?;
    assert!(stream.nodelay()?);

    // Nothing is there yet.
    let mut buffer = [0; 16];
    assert_eq!(stream.try_read(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(stream.peek(&mut buffer).await?, 5);
    assert_eq!(&buffer[..5], b"hello");
    assert!(stream.ready(Interest::READABLE).await?.is_readable());
    let mut taken = Vec::with_capacity(16);
    assert_eq!((stream.try_read_buf(&mut taken)?, &taken[..]), (5, &b"hello"[..]));
    stream.writable().await?;
    assert_eq!(stream.try_write(b"answer")?, 6);

    // The end of the stream has its own readiness, and dropping the writing half closes it.
    assert!(stream.ready(Interest::READABLE).await?.is_read_closed());
    assert_eq!(stream.try_read(&mut buffer)?, 0);
    let (read, write): (OwnedReadHalf, OwnedWriteHalf) = stream.into_split();
    let stream = read.reunite(write)?;
    let (mut read, write) = stream.into_split();
    drop(write);
    assert_eq!(read.read(&mut buffer).await?, 0);
    Ok(())
}

#[test]
fn streams_have_the_calls_of_tokio() {
    let scenario = scenario("calls").server(|_| answers_a_stream()).client(|_| async {
        let addrs: Vec<SocketAddr> = lookup_host("server:80").await?.collect();
        assert_eq!(addrs[0], "10.0.0.1:80".parse()?);
        assert!(lookup_host(("nowhere", 80)).await.is_err_and(|it| it.kind() == io::ErrorKind::NotFound));
        let refused = TcpStream::connect(("server", 81)).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

        let mut stream = TcpSocket::new_v4()?.connect(addrs[0]).await?;
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.write_all(b"hello").await?;
        let mut answer = [0; 6];
        stream.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"answer");
        stream.shutdown().await?;
        assert_eq!(stream.read(&mut answer).await?, 0);
        // Its own host, by either name.
        let here = TcpListener::bind(("localhost", 0)).await?;
        TcpStream::connect(here.local_addr()?).await?;
        Ok(())
    });
    passes(&scenario);
}

async fn answers_datagrams() -> Result {
    let socket = UdpSocket::bind("0.0.0.0:7").await?;
    let mut buffer = [0; 16];
    assert_eq!(socket.try_recv_from(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let (len, from) = socket.peek_from(&mut buffer).await?;
    assert_eq!(&buffer[..len], b"one");
    assert_eq!(socket.recv_from(&mut buffer[..2]).await?, (2, from), "cut to the buffer");
    socket.readable().await?;
    assert_eq!(socket.try_recv_from(&mut buffer)?, (3, from));
    assert_eq!(socket.try_send_to(b"first", from)?, 5);
    socket.send_to(b"second", from).await?;
    std::future::pending().await
}

#[test]
fn datagram_sockets_have_the_calls_of_tokio() {
    let scenario = scenario("datagrams").server(|_| answers_datagrams()).client(|_| async {
        let socket = UdpSocket::bind(("0.0.0.0", 0)).await?;
        assert_eq!(socket.send(b"x").await.unwrap_err().raw_os_error(), Some(89), "EDESTADDRREQ");
        socket.connect("server:7").await?;
        assert_eq!(socket.peer_addr()?, "10.0.0.1:7".parse()?);
        tokio::time::sleep(Duration::from_millis(20)).await;
        socket.writable().await?;
        assert_eq!(socket.try_send(b"one")?, 3);
        socket.send(b"two").await?;
        let mut first = Vec::with_capacity(16);
        assert_eq!((socket.recv_buf(&mut first).await?, &first[..]), (5, &b"first"[..]));
        let mut buffer = [0; 16];
        assert_eq!(socket.peek(&mut buffer).await?, 6);
        assert_eq!(socket.recv(&mut buffer).await?, 6);
        assert!(timeout(Duration::from_millis(500), socket.recv(&mut buffer)).await.is_err());
        socket.set_broadcast(true)?;
        socket.set_ttl(3)?;
        assert_eq!((socket.broadcast()?, socket.ttl()?), (true, 3));
        assert_eq!(socket.set_ttl(300).unwrap_err().kind(), io::ErrorKind::InvalidInput);

        // Refused: the error is a readiness, and comes once.
        socket.connect("server:8").await?;
        socket.send(b"anyone?").await?;
        socket.readable().await?;
        assert_eq!(socket.try_recv(&mut buffer).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(socket.try_recv(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        Ok(())
    });
    passes(&scenario);
}

#[test]
fn tasks_of_one_thread_are_the_hosts_too() {
    let scenario = scenario("local").server(|_| echo("0.0.0.0:7")).client(|_| async {
        let (tell, told) = oneshot::channel();
        tokio::task::spawn_local(async move { tell.send(ask("server:7", "local").await) });
        assert_eq!(told.await??, "local");
        Ok(())
    });
    passes(&scenario);
}

#[test]
fn outside_of_a_simulated_host_there_are_no_sockets() {
    let outside = TcpSocket::new_v4().unwrap_err();
    assert_eq!(outside.kind(), io::ErrorKind::Unsupported);
    for testbed in [testbed::LOOPBACK, testbed::TURMOIL_SOCKETS] {
        let scenario = scenario("elsewhere").on(testbed).client(|_| async {
            UdpSocket::bind("0.0.0.0:0").await?;
            Ok(())
        });
        let End::Failed { message, .. } = scenario.run(&FaultPlan::default()).end else {
            panic!("{testbed}")
        };
        assert!(message.contains("no simulated host"), "{message}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let handle = runtime.handle().clone();
    let foreign = scenario("a foreign runtime").client(move |_| {
        let handle = handle.clone();
        async move {
            UdpSocket::bind("0.0.0.0:0").await?;
            let _entered = handle.enter();
            assert_eq!(TcpSocket::new_v4().unwrap_err().kind(), io::ErrorKind::Unsupported);
            Ok(())
        }
    });
    for testbed in SIMULATED {
        assert_eq!(foreign.clone().on(testbed).run(&FaultPlan::default()).end, End::Finished, "{testbed}");
    }
    let scenario = scenario("blocking").client(|_| async {
        let opened = tokio::task::spawn_blocking(TcpSocket::new_v4).await?;
        assert_eq!(opened.unwrap_err().kind(), io::ErrorKind::Unsupported);
        Ok(())
    });
    assert_eq!(scenario.run(&FaultPlan::default()).end, End::Finished);
}

//! Failures of turmoil 0.7.2's own sockets, with no code of faultwire: plain turmoil programs.
//!
//! Each test passes while the wrong behavior is there, names the rule that it goes against, and where it is
//! in the source of turmoil (`src/`). They are why claims are listed as expected failures of turmoil.

use std::cell::RefCell;
use std::future::pending;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};
use turmoil::net::{TcpListener, TcpStream, UdpSocket};
use turmoil::{Builder, Result, Sim};

/// What a test says once turmoil does what it should.
const FIXED: &str = "turmoil is right here now: drop this test, and the expected failure that it confirms";

/// Far longer than any message takes.
const LONG: Duration = Duration::from_secs(5);

/// A simulation with turmoil's defaults, but for the time that it may take.
fn simulation() -> Sim<'static> {
    Builder::new().simulation_duration(10 * LONG).build()
}

/// Runs a server and a client.
fn run(server: impl Future<Output = Result> + 'static, client: impl Future<Output = Result> + 'static) {
    let mut sim = simulation();
    let server = RefCell::new(Some(server));
    sim.host("server", move || {
        let server = server.take();
        async move {
            match server {
                Some(server) => server.await,
                None => Ok(()),
            }
        }
    });
    sim.client("client", client);
    sim.run().expect("no program fails");
}

async fn accept() -> Result<TcpStream> {
    Ok(TcpListener::bind("0.0.0.0:9000").await?.accept().await?.0)
}

/// A datagram to a port without a socket is dropped, and no program is told. A host should answer it with an
/// ICMP port unreachable (RFC 1122, 4.1.3.1), which the sender must be told of (4.1.3.3): on a connected
/// socket as ECONNREFUSED (udp(7), connect(2)).
///
/// `host.rs:289`, `Udp::receive_from_network`: without a bind it does nothing.
#[test]
fn a_refused_datagram_is_not_reported() {
    run(pending(), async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.connect("server:9").await?;
        for _ in 0..3 {
            assert!(socket.send_to(b"there?", "server:9").await.is_ok(), "{FIXED}");
            sleep(Duration::from_millis(500)).await;
        }
        assert!(timeout(LONG, socket.recv_from(&mut [0; 16])).await.is_err(), "{FIXED}");
        Ok(())
    });
}

/// A datagram of 100 000 bytes is sent, and arrives. UDP's length has 16 bits (RFC 768), and IPv4's too: more
/// than 65 507 bytes are EMSGSIZE (udp(7), send(2)).
///
/// `net/udp.rs:359`, `UdpSocket::send`: it does not look at the length.
#[test]
fn a_datagram_has_any_length() {
    const LEN: usize = 100_000;
    let server = async {
        let socket = UdpSocket::bind("0.0.0.0:9000").await?;
        let (len, from) = socket.recv_from(&mut vec![0; 2 * LEN]).await?;
        socket.send_to(len.to_string().as_bytes(), from).await?;
        pending().await
    };
    run(server, async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        assert_eq!(socket.send_to(&vec![7; LEN], "server:9000").await.expect(FIXED), LEN);
        let mut told = [0; 16];
        let (len, _) = timeout(LONG, socket.recv_from(&mut told)).await.expect(FIXED)?;
        assert_eq!(told[..len], *LEN.to_string().as_bytes(), "{FIXED}");
        Ok(())
    });
}

/// A connect waits until the server's program calls accept. The handshake is the work of TCP (RFC 9293, 3.5),
/// and accept takes a connection that is already made from a queue (listen(2), accept(2)).
///
/// `net/tcp/listener.rs:80`, `accept`: the answer to a SYN is sent there.
#[test]
fn a_connect_waits_for_accept() {
    let server = async {
        let _listener = TcpListener::bind("0.0.0.0:9000").await?;
        pending().await
    };
    run(server, async {
        assert!(timeout(LONG, TcpStream::connect("server:9000")).await.is_err(), "{FIXED}");
        Ok(())
    });
}

/// Connects that no program has accepted yet end the simulation with a panic once there are 65 of them. What
/// is above the backlog is refused, or ignored so that the client tries again (listen(2)).
///
/// `host.rs:508`, `Tcp::receive_from_network`.
#[test]
fn a_full_backlog_is_a_panic() {
    let mut sim = simulation();
    sim.host("server", || async {
        let _listener = TcpListener::bind("0.0.0.0:9000").await?;
        pending().await
    });
    sim.client("client", async {
        let mut connects = tokio::task::JoinSet::new();
        for _ in 0..65 {
            connects.spawn(TcpStream::connect("server:9000"));
        }
        let _ = timeout(LONG, connects.join_next()).await;
        Ok(())
    });
    let panic = catch_unwind(AssertUnwindSafe(|| sim.run())).expect_err(FIXED);
    let said = panic.downcast_ref::<String>().expect("text");
    assert!(said.ends_with("server socket buffer full"), "{said}: {FIXED}");
}

/// A read gives the bytes of one write at most, though more have arrived and fit. A stream has no boundaries
/// (RFC 9293, 3.1), and a receive returns the data that is available, up to the requested amount (recv(2)).
///
/// `net/tcp/stream.rs:226`, `poll_read_priv`: it takes one segment, and each write is one.
#[test]
fn a_read_never_has_two_writes_in_it() {
    let server = async {
        let mut stream = accept().await?;
        sleep(LONG).await;
        for _ in 0..4 {
            let len = timeout(LONG, stream.read(&mut [0; 128])).await.unwrap_or(Ok(0))?;
            stream.write_u8(u8::try_from(len)?).await?;
        }
        pending().await
    };
    run(server, async {
        let mut stream = TcpStream::connect("server:9000").await?;
        for _ in 0..4 {
            stream.write_all(b"ab").await?;
        }
        let mut reads = [0; 4];
        stream.read_exact(&mut reads).await?;
        assert_eq!(reads, [2; 4], "{FIXED}");
        Ok(())
    });
}

/// The end of a stream is lost if it comes while 64 writes wait to be read, and the reader waits forever. A
/// close delivers all that was written before, and then the end (RFC 9293, 3.6, 3.10.4).
///
/// `host.rs:416`, `StreamSocket::buffer`: what does not fit is put aside, until the next segment comes. After
/// a FIN none does.
#[test]
fn an_end_behind_64_writes_is_lost() {
    let ended = |writes: u8| {
        let ended = Rc::new(RefCell::new(None));
        let seen = ended.clone();
        let server = async move {
            let mut stream = accept().await?;
            sleep(LONG).await;
            let mut read = Vec::new();
            let end = timeout(LONG, stream.read_to_end(&mut read)).await.is_ok();
            seen.replace(Some((read.len(), end)));
            pending().await
        };
        run(server, async move {
            let mut stream = TcpStream::connect("server:9000").await?;
            for write in 0..writes {
                stream.write_all(&[write]).await?;
            }
            stream.shutdown().await?;
            sleep(3 * LONG).await;
            Ok(())
        });
        let ended = ended.take();
        ended.expect("the server has read")
    };
    assert_eq!(ended(63), (63, true));
    assert_eq!(ended(64), (64, false), "{FIXED}");
}

/// Every read after a reset fails with ECONNRESET. The reset ends the connection (RFC 9293, 3.10.7.4), and
/// what is called after that finds none (3.10.3): the error is one that is pending, and telling clears it
/// (socket(7), SO_ERROR). Linux gives the end of the stream to further reads.
///
/// `net/tcp/stream.rs:242`, `poll_read_priv`.
#[test]
fn a_reset_is_told_again_and_again() {
    let server = async {
        let mut stream = accept().await?;
        stream.read_exact(&mut [0]).await?;
        // The other byte is unread: this close is a reset.
        drop(stream);
        pending().await
    };
    run(server, async {
        let mut stream = TcpStream::connect("server:9000").await?;
        stream.write_all(b"ab").await?;
        for _ in 0..3 {
            let told = timeout(LONG, stream.read(&mut [0; 16])).await?.map_err(|error| error.kind());
            assert_eq!(told, Err(ErrorKind::ConnectionReset), "{FIXED}");
        }
        Ok(())
    });
}

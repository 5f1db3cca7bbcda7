//! What the hosts of the datagram studies do.
//!
//! Faults never make them fail: they call, wait no longer than they must, and end. What their calls gave
//! stands in the trace, where the checks find it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use faultwire::network::{Datagram, Network};
use faultwire::stack::SocketOption;
use faultwire_sim::testbed::{Capability, TestbedRef};

use super::datagrams::payload;

/// The port of the host `server`, or of those who wait.
pub(super) const PORT: u16 = 7000;
/// A port that no socket binds.
pub(super) const CLOSED_PORT: u16 = 7009;
/// More than any receiver gets to hear in a run: so that none goes on forever.
const RECEIVES_MAX: usize = 256;

/// How long programs wait for each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Before those who speak first begin, so that the others are there.
    pub(super) start: Duration,
    /// Until nothing more is expected to come. In simulation it outlasts every fault: a packet that is held
    /// back comes after one second at the latest. Over real sockets it outlasts what a busy machine does to a
    /// program.
    pub(super) quiet: Duration,
    /// Between two things whose order matters.
    pub(super) step: Duration,
}

impl Pace {
    pub(super) fn of(testbed: TestbedRef) -> Pace {
        let millis = |start, quiet, step| Pace {
            start: Duration::from_millis(start),
            quiet: Duration::from_millis(quiet),
            step: Duration::from_millis(step),
        };
        match (testbed.is_simulated(), testbed.has(Capability::Packets)) {
            (true, true) => millis(0, 1_050, 4),
            (true, false) => millis(4, 100, 4),
            // Faults of the plan take some hundred milliseconds there.
            (false, true) => millis(10, 300, 10),
            (false, false) => millis(10, 250, 10),
        }
    }
}

/// Which of a host's addresses is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    /// Every address of the host.
    pub(super) fn any(self, port: u16) -> String {
        match self {
            Family::V4 => format!("0.0.0.0:{port}"),
            Family::V6 => format!("[::]:{port}"),
        }
    }

    fn has(self, addr: &SocketAddr) -> bool {
        addr.is_ipv4() == (self == Family::V4)
    }
}

/// Binds a socket to the host's own address, so that its datagrams' sender can be told beforehand; where that
/// cannot be had, to any.
pub(super) async fn own<N: Network>(
    net: &N,
    host: &str,
    port: u16,
    family: Family,
) -> io::Result<N::Datagram> {
    let found = net.resolve(&format!("{host}:{port}")).await.unwrap_or_default();
    if let Some(addr) = found.iter().find(|addr| family.has(addr))
        && let Ok(socket) = net.datagram(&addr.to_string(), &[]).await
    {
        return Ok(socket);
    }
    net.datagram(&family.any(port), &[]).await
}

/// A host's address.
pub(super) async fn address<N: Network>(
    net: &N,
    host: &str,
    port: u16,
    family: Family,
) -> io::Result<SocketAddr> {
    let found = net.resolve(&format!("{host}:{port}")).await?;
    found
        .into_iter()
        .find(|addr| family.has(addr))
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("`{host}` has no {family:?} address")))
}

/// Receives until nothing comes for that long. `answer` may say what to send back.
pub(super) async fn hear<N: Network>(
    net: &N,
    socket: &N::Datagram,
    room: usize,
    quiet: Duration,
    mut answer: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send,
) {
    let mut buffer = vec![0; room];
    for _ in 0..RECEIVES_MAX {
        match net.timeout(quiet, socket.recv_from(&mut buffer)).await {
            Ok(Ok(received)) => {
                if let Some(reply) = answer(&buffer[..received.len]) {
                    let _ = socket.send_to(&reply, received.from).await;
                }
            }
            // An error is a call that came back; the next one is awaited.
            Ok(Err(_)) => {}
            Err(_) => return,
        }
    }
}

/// For [`hear`]: says nothing.
pub(super) fn silent(_: &[u8]) -> Option<Vec<u8>> {
    None
}

/// Binds a port and listens to what comes.
pub(super) async fn listener<N: Network>(
    net: N,
    room: usize,
    family: Family,
    quiet: Duration,
) -> faultwire_sim::Result {
    let socket = net.datagram(&family.any(PORT), &[]).await?;
    hear(&net, &socket, room, quiet, silent).await;
    Ok(())
}

/// Sends numbered datagrams of these lengths to the server, one right after the other.
pub(super) async fn speaker<N: Network>(
    net: N,
    lens: &'static [usize],
    family: Family,
    pace: Pace,
) -> faultwire_sim::Result {
    let socket = own(&net, "client", 0, family).await?;
    let server = address(&net, "server", PORT, family).await?;
    net.sleep(pace.start).await;
    for (number, len) in (1..).zip(lens) {
        let _ = socket.send_to(&payload("client", number, *len), server).await;
    }
    // Were anything ever told to the sender, this is where it would be.
    hear(&net, &socket, 64, pace.quiet, silent).await;
    Ok(())
}

/// Sets an option; false where the testbed has none of the kind.
pub(super) fn set<D: Datagram>(socket: &D, option: SocketOption) -> bool {
    socket.set_option(option).is_ok()
}

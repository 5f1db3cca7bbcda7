//! What the studies' programs have in common.
//!
//! A program asserts nothing: it makes its calls, and ends where it cannot go on. What happened is in the
//! trace.

use std::future::Future;
use std::io;
use std::time::Duration;

use faultwire::network::{Listener as _, Network};
use faultwire::stack::SocketOption;
use faultwire_sim::testbed::{Capability, TestbedRef};
use faultwire_sim::{Net, Scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::broken_transport::{Bug, Mangled};

/// The port that a study is about.
pub(super) const DATA: u16 = 7000;
/// The port of a second connection, by which a client tells the server when to go on.
pub(super) const SIGNAL: u16 = 7001;
/// Another port that a study may need.
pub(super) const OTHER: u16 = 7002;
/// A port without a listener.
pub(super) const UNUSED: u16 = 7009;

/// How long a client works at most: only what is broken takes so long.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Like `PATIENCE`, but under faults: longer than TCP retransmits a segment that is lost five times.
const PATIENCE_UNDER_FAULTS: Duration = Duration::from_secs(500);

/// How long a client works at most on a testbed.
pub(super) fn patience(testbed: TestbedRef) -> Duration {
    if testbed.has(Capability::Faults) { PATIENCE_UNDER_FAULTS } else { PATIENCE }
}

/// How long a client works at most if it is known to meet a bug.
pub(super) const LITTLE_PATIENCE: Duration = Duration::from_millis(300);
/// Nothing moved for so long: it has stopped. (Longer than Linux delays an acknowledgement: 40 ms.)
pub(super) const QUIET: Duration = Duration::from_millis(60);

/// The lengths of pieces that a stream is written in, over and over; none of them suits a segment.
pub(super) const PIECES: [usize; 8] = [1, 100, 536, 1460, 1461, 7, 3000, 64];

/// Listens on a port of the any-address.
pub(super) async fn listen<N: Network>(
    net: &N,
    port: u16,
    options: &[SocketOption],
) -> io::Result<N::Listener> {
    net.listen(&format!("0.0.0.0:{port}"), 16, options).await
}

/// Accepts one connection.
pub(super) async fn accept<N: Network>(listener: &N::Listener) -> io::Result<N::Stream> {
    listener.accept().await.map(|(stream, _)| stream)
}

/// Connects to a port of the server.
pub(super) async fn connect<N: Network>(net: &N, port: u16) -> io::Result<N::Stream> {
    connect_with(net, port, &[]).await
}

/// Connects to a port of the server, with options.
pub(super) async fn connect_with<N: Network>(
    net: &N,
    port: u16,
    options: &[SocketOption],
) -> io::Result<N::Stream> {
    net.connect(&address_of(net, "server", port).await?, options).await
}

/// A host's IPv4 address with a port: a name would be tried over IPv6 as well, where IPv4 fails.
pub(super) async fn address_of<N: Network>(net: &N, host: &str, port: u16) -> io::Result<String> {
    let found = net.resolve(&format!("{host}:{port}")).await?;
    let addr = found.into_iter().find(std::net::SocketAddr::is_ipv4);
    addr.map(|addr| addr.to_string()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Writes all of it in [`PIECES`].
pub(super) async fn send<S: faultwire::network::Stream>(stream: &mut S, data: &[u8]) -> io::Result<()> {
    for piece in pieces(data) {
        stream.write_all(piece).await?;
    }
    stream.flush().await
}

/// Cuts it into [`PIECES`].
pub(super) fn pieces(mut data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut lengths = PIECES.iter().cycle();
    std::iter::from_fn(move || {
        let len = data.len().min(*lengths.next()?);
        let (piece, rest) = data.split_at(len);
        data = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Reads to the end of the stream, at most `piece` bytes at once.
pub(super) async fn read_to_end<S: faultwire::network::Stream>(
    stream: &mut S,
    piece: usize,
) -> io::Result<()> {
    let mut buffer = vec![0; piece];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Reads once.
pub(super) async fn read_once<S: faultwire::network::Stream>(
    stream: &mut S,
    piece: usize,
) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; piece];
    let len = stream.read(&mut buffer).await?;
    buffer.truncate(len);
    Ok(buffer)
}

/// Writes and sees to it that it is on its way.
pub(super) async fn say<S: faultwire::network::Stream>(stream: &mut S, text: &[u8]) -> io::Result<()> {
    stream.write_all(text).await?;
    stream.flush().await
}

/// A server that ends where it cannot go on.
pub(super) async fn serving(work: impl Future<Output = io::Result<()>> + Send) {
    // Why it could not is in the trace.
    let _ = work.await;
}

/// A client that ends where it cannot go on, or when its patience is at its end.
pub(super) async fn calling<N: Network>(
    net: N,
    patience: Duration,
    work: impl Future<Output = io::Result<()>> + Send,
) -> faultwire_sim::Result {
    // Why it could not is in the trace.
    let _ = net.timeout(patience, work).await;
    Ok(())
}

/// What the hosts of a study do, over whichever network.
pub(super) trait Programs: 'static {
    /// The study's name.
    const NAME: &'static str;
    /// How long the client works at most where it is known to meet something broken.
    const PATIENCE_WITH_BUGS: Duration = LITTLE_PATIENCE;

    /// The program of the host `server`.
    fn serve<N: Network>(net: N) -> impl Future<Output = io::Result<()>> + Send;

    /// The program of the host `client`.
    fn call<N: Network>(net: N) -> impl Future<Output = io::Result<()>> + Send;
}

/// A study's scenario.
pub(super) fn scenario<P: Programs>(testbed: TestbedRef) -> Scenario {
    faultwire_sim::scenario(P::NAME)
        .server(|net: Net| serving(P::serve(net)))
        .client(move |net: Net| calling(net.clone(), patience(testbed), P::call(net)))
}

/// Like `scenario`, but a run in a simulation or a lab lasts until the server has finished too: lost bytes at
/// the end of the client's stream are retransmitted after the client itself is done.
pub(super) fn scenario_of_both<P: Programs>(testbed: TestbedRef) -> Scenario {
    if !testbed.has(Capability::Packets) {
        return scenario::<P>(testbed);
    }
    faultwire_sim::scenario(P::NAME)
        .client_on("server", move |net: Net| calling(net.clone(), patience(testbed), P::serve(net)))
        .client(move |net: Net| calling(net.clone(), patience(testbed), P::call(net)))
}

/// Like `scenario`, but with a broken transport under the client.
pub(super) fn broken_client<P: Programs>(bug: Bug) -> Scenario {
    faultwire_sim::scenario(P::NAME).server(|net: Net| serving(P::serve(net))).client(move |net: Net| {
        let net = Mangled::new(net, bug);
        calling(net.clone(), P::PATIENCE_WITH_BUGS, P::call(net))
    })
}

/// Like `scenario`, but with a broken transport under the server.
pub(super) fn broken_server<P: Programs>(bug: Bug) -> Scenario {
    faultwire_sim::scenario(P::NAME)
        .server(move |net: Net| serving(P::serve(Mangled::new(net, bug))))
        .client(|net: Net| calling(net.clone(), P::PATIENCE_WITH_BUGS, P::call(net)))
}

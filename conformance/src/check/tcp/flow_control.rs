//! A reader that does not read, and what that does to the writer.

use std::io;
use std::time::Duration;

use faultwire::network::{Network, Stream};
use faultwire::stack::SocketOption;
use faultwire_sim::Run;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::calls::{connections, passed};
use super::pattern::{difference, pattern};
use super::programs::{
    DATA, OTHER, Programs, QUIET, SIGNAL, accept, connect, connect_with, listen, read_once, read_to_end, say,
    send,
};
use super::recovery::is_our_stack;
use crate::study::Seen;

/// Bytes in one write.
const PIECE: usize = 4096;
/// The buffers of both sides in bytes, where they are to be small. (Linux doubles them.)
const SMALL: usize = 8 * 1024;
/// A large receive buffer, in bytes.
const LARGE: usize = 128 * 1024;
/// What is to be written in all, in bytes: far more than small buffers take.
const ALL: usize = 256 * 1024;
/// What is to be written to buffers one of which is large, in bytes.
const TOO_MUCH: usize = 1024 * 1024;

/// What comes the other way meanwhile: key and length in bytes.
const MEANWHILE: (u8, usize) = (9, 6_000);

/// What the client tells once it was stopped.
const STOPPED: &[u8] = b"stopped";
/// What the client tells if everything was taken.
const NOT_STOPPED: &[u8] = b"not stopped";

/// Nothing was taken for so long: the writer has been stopped. In a lab it is longer than what a busy machine
/// takes, and than the kernel's least wait before it sends again, which is 200 ms.
const fn stops(in_lab: bool) -> Duration {
    if in_lab { Duration::from_millis(250) } else { QUIET }
}

/// Writes until a write has to wait so long: how many bytes were taken.
async fn fill<N: Network>(
    net: &N,
    stream: &mut N::Stream,
    data: &[u8],
    stops: Duration,
) -> io::Result<usize> {
    let mut taken = 0;
    while taken < data.len() {
        let piece = &data[taken..data.len().min(taken + PIECE)];
        match net.timeout(stops, stream.write(piece)).await {
            Ok(len) => taken += len?,
            Err(_) => break,
        }
    }
    Ok(taken)
}

/// A client that writes to a server that does not read for a time, but writes.
#[derive(Debug)]
pub(super) struct StoppedReader<const IN_LAB: bool = false>;

impl<const IN_LAB: bool> Programs for StoppedReader<IN_LAB> {
    const NAME: &'static str = "tcp-stopped-reader";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let data = listen(&net, DATA, &[SocketOption::RecvBuffer(SMALL)]).await?;
        let signals = listen(&net, SIGNAL, &[]).await?;
        let mut stream = accept::<N>(&data).await?;
        let mut signal = accept::<N>(&signals).await?;
        send(&mut stream, &pattern(MEANWHILE.0, MEANWHILE.1)).await?;
        read_once(&mut signal, 16).await?;
        read_to_end(&mut stream, 16 * 1024).await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let small = [SocketOption::SendBuffer(SMALL)];
        let mut stream = connect_with(&net, DATA, &small).await?;
        let mut signal = connect(&net, SIGNAL).await?;
        let data = pattern(4, ALL);
        let taken = fill(&net, &mut stream, &data, stops(IN_LAB)).await?;
        stream.read_exact(&mut vec![0; MEANWHILE.1]).await?;
        let told = if taken < data.len() { STOPPED } else { NOT_STOPPED };
        say(&mut signal, told).await?;
        stream.write_all(&data[taken..]).await?;
        stream.shutdown().await?;
        // The end of the server.
        read_to_end(&mut stream, 16).await
    }
}

/// tcp/flow-control.
pub(super) fn flow_control(run: &Run) -> Seen {
    let trace = &run.trace;
    let told = connections(trace, SIGNAL).first().map(|signal| passed(trace, signal.client).sent);
    let Some((told, data)) = told.zip(connections(trace, DATA).first().copied()) else {
        return Seen::NOTHING;
    };
    if told == NOT_STOPPED {
        return Seen::broken(1, format!("all {ALL} bytes were taken though none was read"));
    }
    if told != STOPPED {
        return Seen::NOTHING;
    }
    let read = passed(trace, data.server).received;
    if let Some(difference) = difference(&pattern(4, ALL), &read) {
        return Seen::broken(1, format!("after the writer was stopped: {difference}"));
    }
    if read.len() < ALL {
        let how = format!("the flow did not go on when the reader did: {} of {ALL} bytes came", read.len());
        return Seen::broken(1, how);
    }
    Seen::fine(1)
}

/// tcp/both-ways: while one direction stands still the other goes on.
pub(super) fn one_stands_still(run: &Run) -> Seen {
    let Some(data) = connections(&run.trace, DATA).first().copied() else {
        return Seen::NOTHING;
    };
    let told = connections(&run.trace, SIGNAL).first().map(|signal| passed(&run.trace, signal.client).sent);
    let never_stood = told.is_none_or(|told| told == NOT_STOPPED);
    if never_stood || passed(&run.trace, data.server).sent.len() < MEANWHILE.1 {
        return Seen::NOTHING;
    }
    let downward = passed(&run.trace, data.client).received;
    if downward != pattern(MEANWHILE.0, MEANWHILE.1) {
        let got = downward.len();
        return Seen::broken(
            1,
            format!("while client->server stood still {got} of {} bytes came the other way", MEANWHILE.1),
        );
    }
    Seen::fine(1)
}

/// A client that writes to two sockets without a reader.
#[derive(Debug)]
pub(super) struct Buffers<const IN_LAB: bool = false>;

impl<const IN_LAB: bool> Programs for Buffers<IN_LAB> {
    const NAME: &'static str = "tcp-buffers";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let small = listen(&net, DATA, &[SocketOption::RecvBuffer(SMALL)]).await?;
        let large = listen(&net, OTHER, &[SocketOption::RecvBuffer(LARGE)]).await?;
        let _small = accept::<N>(&small).await?;
        let mut large = accept::<N>(&large).await?;
        // Until the client is gone; a byte of it would be one that was not sent before.
        large.write_all(b"accepted").await?;
        std::future::pending().await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let small = [SocketOption::SendBuffer(SMALL)];
        let mut streams = Vec::new();
        for port in [DATA, OTHER] {
            streams.push(connect_with(&net, port, &small).await?);
        }
        let data = pattern(5, TOO_MUCH);
        for stream in &mut streams {
            // The same path for both: segments go out as they are written.
            let _ = stream.set_option(SocketOption::NoDelay(true));
            // Runs in a lab are few, and a busy machine may take longer than is usual.
            let stopped = if IN_LAB { Duration::from_secs(1) } else { QUIET };
            fill(&net, stream, &data, stopped).await?;
        }
        Ok(())
    }
}

/// tcp/window-is-the-buffer.
pub(super) fn window_is_the_buffer(run: &Run) -> Seen {
    let taken = |port| {
        let connection = connections(&run.trace, port).first().copied()?;
        Some(passed(&run.trace, connection.client).sent.len()).filter(|taken| *taken > 0)
    };
    let Some((small, large)) = taken(DATA).zip(taken(OTHER)) else {
        return Seen::NOTHING;
    };
    if small >= TOO_MUCH || large >= TOO_MUCH {
        return Seen::broken(2, format!("all {TOO_MUCH} bytes were taken though none was read"));
    }
    // Between two of our stacks the sum of both buffers is exact; other systems count an overhead.
    let is_exact = connections(&run.trace, DATA).first().is_some_and(|connection| {
        [connection.client, connection.server].iter().all(|(host, _)| is_our_stack(&run.trace, *host))
    });
    for (taken, receive) in [(small, SMALL), (large, LARGE)] {
        let most = receive + SMALL;
        if is_exact && taken > most {
            let how = format!("{taken} bytes were taken: the buffers of both sides hold {most}");
            return Seen::broken(2, how);
        }
    }
    // How a system counts its own overhead differs; a quarter of the difference must show.
    let at_least = small + (LARGE - SMALL) / 4;
    if large < at_least {
        return Seen::broken(
            2,
            format!(
                "with {SMALL} bytes of receive buffer {small} bytes were taken, with {LARGE} bytes {large}: \
                 expected at least {at_least}"
            ),
        );
    }
    Seen::fine(2)
}

//! What becomes of the bytes, both ways at once.

use std::io;
use std::time::Duration;

use faultwire::network::{Network, Stream as _};
use faultwire::stack::SocketOption;
use faultwire::trace::{Call, Trace};
use faultwire_sim::Run;
use tokio::io::AsyncWriteExt as _;

use super::calls::{Side, connections, passed, side};
use super::pattern::{difference, pattern};
use super::programs::{DATA, Programs, SIGNAL, accept, connect, listen, pieces, read_once, read_to_end, say};
use super::streams::{Streams, directions};
use crate::study::Seen;

/// Both sides write and read over one connection.
#[derive(Debug)]
pub(super) struct BothWays;

/// The client's stream: key and length in bytes.
const UP: (u8, usize) = (1, 20_000);
/// The server's stream: it has more to say.
const DOWN: (u8, usize) = (2, 45_000);

/// How long a side waits for its turn at most. Only if bytes are lost or late do both sides wait.
const TURN: Duration = Duration::from_millis(20);

/// Writes a piece and reads what there is, in turns, then the rest. Where nothing is lost no side waits while
/// the other does: whoever has read something writes, as long as it has something to write, and then closes
/// its direction.
async fn converse<N: Network>(net: &N, stream: &mut N::Stream, (key, len): (u8, usize)) -> io::Result<()> {
    for piece in pieces(&pattern(key, len)) {
        stream.write_all(piece).await?;
        if let Ok(read) = net.timeout(TURN, read_once(stream, 4096)).await {
            read?;
        }
    }
    stream.shutdown().await?;
    read_to_end(stream, 4096).await
}

impl Programs for BothWays {
    const NAME: &'static str = "tcp-both-ways";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let listener = listen(&net, DATA, &[]).await?;
        let mut stream = accept::<N>(&listener).await?;
        converse(&net, &mut stream, DOWN).await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        converse(&net, &mut stream, UP).await
    }
}

impl Streams for BothWays {
    const UP: (u8, usize) = UP;
    const DOWN: (u8, usize) = DOWN;
}

/// tcp/both-ways.
pub(super) fn both_ways(run: &Run) -> Seen {
    let directions = directions::<BothWays>(&run.trace);
    // Receives of a host that lie between two of its sends: both directions were in use.
    let mut at_once = 0;
    for direction in &directions {
        let calls: Vec<_> =
            run.trace.calls().filter(|call| side(call) == direction.reader && call.error.is_none()).collect();
        let sends = |call: &Call| matches!(call, Call::Send { .. });
        let first = calls.iter().position(|it| sends(it.call)).unwrap_or(calls.len());
        let last = calls.iter().rposition(|it| sends(it.call)).unwrap_or(0);
        let between = calls.get(first..last).unwrap_or_default();
        at_once += between
            .iter()
            .filter(|it| matches!(it.call, Call::Recv { data, .. } if !data.is_empty()))
            .count();
    }
    for direction in &directions {
        let read = passed(&run.trace, direction.reader).received;
        if read != direction.written {
            let how = match difference(&direction.written, &read) {
                Some(difference) => difference.to_string(),
                None => format!("only {} of {} bytes came", read.len(), direction.written.len()),
            };
            return Seen::broken(
                at_once as u64,
                format!("{}, with both directions in use: {how}", direction.name),
            );
        }
    }
    Seen::fine(at_once as u64)
}

/// Writes that wait for a reader who reads in pieces of another length.
#[derive(Debug)]
pub(super) struct Boundaries;

impl Programs for Boundaries {
    const NAME: &'static str = "tcp-boundaries";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let data = listen(&net, DATA, &[]).await?;
        let signals = listen(&net, SIGNAL, &[]).await?;
        let mut stream = accept::<N>(&data).await?;
        let mut signal = accept::<N>(&signals).await?;
        read_once(&mut signal, 16).await?;
        read_to_end(&mut stream, 1500).await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        let mut signal = connect(&net, SIGNAL).await?;
        // Nothing is to wait for an acknowledgement.
        let _ = stream.set_option(SocketOption::NoDelay(true));
        let whole = pattern(3, 4200);
        for piece in [&whole[..600], &whole[600..1200], &whole[1200..]] {
            say(&mut stream, piece).await?;
        }
        say(&mut signal, b"read").await?;
        stream.shutdown().await?;
        // The end of the server.
        read_to_end(&mut stream, 16).await
    }
}

/// tcp/no-boundaries: takes both witnesses.
pub(super) fn no_boundaries(run: &Run) -> Seen {
    let Some(connection) = connections(&run.trace, DATA).first().copied() else {
        return Seen::NOTHING;
    };
    let writes = lengths(&run.trace, connection.client);
    let reads = lengths(&run.trace, connection.server);
    let split = split_by(&writes, &reads);
    let merged = split_by(&reads, &writes);
    let seen = reads.len() as u64;
    match (split, merged) {
        (Some(split), Some(merged)) => Seen::witnessed(
            seen,
            format!(
                "a write of {split} bytes took several reads, and a read of {merged} bytes had several \
                 writes in it"
            ),
        ),
        _ => Seen::fine(seen),
    }
}

/// The lengths of a socket's sends, or, at the other end, of its receives: whichever it has.
fn lengths(trace: &Trace, which: Side) -> Vec<usize> {
    trace
        .calls()
        .filter(|call| side(call) == which && call.error.is_none())
        .filter_map(|call| match call.call {
            Call::Send { data, .. } | Call::Recv { data, .. } if !data.is_empty() => Some(data.len()),
            _ => None,
        })
        .collect()
}

/// The length of a piece inside which a cut of the other side falls.
fn split_by(pieces: &[usize], others: &[usize]) -> Option<usize> {
    let cuts: Vec<usize> = ends(others).collect();
    pieces.iter().zip(ends(pieces)).find_map(|(len, end)| {
        let inside = cuts.iter().any(|cut| *cut > end - len && *cut < end);
        inside.then_some(*len)
    })
}

/// Where pieces of these lengths end.
fn ends(lengths: &[usize]) -> impl Iterator<Item = usize> {
    lengths.iter().scan(0, |end, len| {
        *end += len;
        Some(*end)
    })
}

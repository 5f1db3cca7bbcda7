//! What becomes of the bytes, both ways at once.

use std::io;
use std::time::Duration;

use faultwire::network::{Network, Stream as _};
use faultwire::stack::SocketOption;
use faultwire::trace::{Call, Trace};
use faultwire_sim::Run;
use tokio::io::AsyncWriteExt as _;

use super::calls::{Connection, Side, connections, passed, side};
use super::pattern::{Kind, difference, pattern};
use super::talk::{DATA, Programs, SIGNAL, accept, connect, listen, pieces, read_once, read_to_end, say};
use crate::check::Seen;

/// Both sides write and read over one connection.
#[derive(Debug)]
pub(super) struct BothWays;

/// The client's stream: key and length in bytes.
const UP: (u8, usize) = (1, 20_000);
/// The server's stream: it has more to say.
const DOWN: (u8, usize) = (2, 45_000);

/// How long a side waits for its turn at most: only where bytes are lost or late nobody has the next word.
const TURN: Duration = Duration::from_millis(20);

/// Writes a piece and reads what there is, in turns, then the rest. Where nothing is lost no side waits while the other
/// does: whoever has read something writes, as long as it has something to write, and then closes its direction.
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

/// A direction of the connection.
struct Direction {
    name: &'static str,
    written: Vec<u8>,
    reader: Side,
}

fn directions(trace: &Trace) -> Vec<Direction> {
    let Some(&Connection { client, server }) = connections(trace, DATA).first() else {
        return Vec::new();
    };
    let direction = |name, (key, len), reader| Direction { name, written: pattern(key, len), reader };
    vec![direction("client->server", UP, server), direction("server->client", DOWN, client)]
}

/// tcp/both-ways.
pub(super) fn both_ways(run: &Run) -> Seen {
    let directions = directions(&run.trace);
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

/// tcp/every-byte: what was read is what was written, and at the end of the stream all of it. It counts the reads of
/// the directions that came to their end.
pub(super) fn every_byte(run: &Run) -> Seen {
    let mut reads = 0;
    for direction in directions(&run.trace) {
        let passed = passed(&run.trace, direction.reader);
        let (got, all) = (passed.received.len(), direction.written.len());
        let broken = |how: String| Seen::broken(reads, format!("{}: {how}", direction.name));
        if let Some(found) = difference(&direction.written, &passed.received) {
            return broken(found.to_string());
        }
        match (passed.ended, got < all) {
            (true, false) => reads += passed.reads,
            (true, true) => return broken(format!("the stream ended after {got} of {all} bytes")),
            // Both programs were done, with no error that would say why the rest did not come.
            (false, true) if run.end.is_finished() && passed.errors.is_empty() => {
                return broken(format!("the stream stood still after {got} of {all} bytes"));
            }
            (false, _) => {}
        }
    }
    Seen::fine(reads)
}

/// tcp/in-order.
pub(super) fn in_order(run: &Run) -> Seen {
    read_as_written(run, Kind::Reordered)
}

/// tcp/no-duplicates.
pub(super) fn no_duplicates(run: &Run) -> Seen {
    read_as_written(run, Kind::Repeated)
}

/// tcp/nothing-altered.
pub(super) fn nothing_altered(run: &Run) -> Seen {
    read_as_written(run, Kind::Altered)
}

/// What was read is at all times a prefix of what was written. Of differences those of one kind are told.
fn read_as_written(run: &Run, kind: Kind) -> Seen {
    let mut reads = 0;
    for direction in directions(&run.trace) {
        let passed = passed(&run.trace, direction.reader);
        reads += passed.reads;
        match difference(&direction.written, &passed.received) {
            Some(found) if found.kind == kind => {
                return Seen::broken(reads, format!("{}: {found}", direction.name));
            }
            _ => {}
        }
    }
    Seen::fine(reads)
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
        (Some(split), Some(merged)) => Seen::shown(
            seen,
            format!(
                "a write of {split} bytes took several reads, and a read of {merged} bytes had several writes in it"
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

#[cfg(test)]
mod tests;

//! What becomes of the bytes of a connection, whatever the scenario: the checks of tcp/every-byte and its
//! kin, and of tcp/finite-faults-finite-delay.

use faultwire::trace::{Call, ProgramCall, Trace};
use faultwire_sim::{End, Run};

use super::calls::{Connection, Side, connections, passed, side};
use super::pattern::{Kind, difference, pattern};
use super::programs::DATA;
use super::segments::{Flow, Happened, Moment, OPENER, Step, View, flows};
use crate::study::Seen;

/// The two streams of the connection that a scenario is about: key and length in bytes of what is written.
pub(super) trait Streams {
    /// The client's.
    const UP: (u8, usize);
    /// The server's.
    const DOWN: (u8, usize);
}

/// A direction of a connection.
pub(super) struct Direction {
    pub(super) name: &'static str,
    pub(super) written: Vec<u8>,
    pub(super) reader: Side,
    /// The reader's side of the connection.
    side: usize,
}

/// Both directions of the connection, if there is one.
pub(super) fn directions<S: Streams>(trace: &Trace) -> Vec<Direction> {
    let Some(&Connection { client, server }) = connections(trace, DATA).first() else {
        return Vec::new();
    };
    let direction = |name, (key, len), reader, side| {
        let written = pattern(key, len);
        Direction { name, written, reader, side }
    };
    vec![
        direction("client->server", S::UP, server, 1 - OPENER),
        direction("server->client", S::DOWN, client, OPENER),
    ]
}

/// tcp/every-byte: what was read is what was written, and at the end of the stream all of it. It counts the
/// directions that came to their end.
pub(super) fn every_byte<S: Streams>(run: &Run) -> Seen {
    let mut ended = 0;
    for direction in directions::<S>(&run.trace) {
        let passed = passed(&run.trace, direction.reader);
        let (got, all) = (passed.received.len(), direction.written.len());
        let broken = |how: String| Seen::broken(ended, format!("{}: {how}", direction.name));
        if let Some(found) = difference(&direction.written, &passed.received) {
            return broken(found.to_string());
        }
        match (passed.ended, got < all) {
            (true, false) => ended += 1,
            (true, true) => return broken(format!("the stream ended after {got} of {all} bytes")),
            // Both programs were done, with no error that would say why the rest did not come.
            (false, true) if run.end.is_finished() && passed.errors.is_empty() => {
                return broken(format!("the stream stood still after {got} of {all} bytes"));
            }
            (false, _) => {}
        }
    }
    Seen::fine(ended)
}

/// tcp/in-order. It counts the segments that came before what lies in front of them.
pub(super) fn in_order<S: Streams>(run: &Run) -> Seen {
    read_as_written::<S>(run, Kind::Reordered)
}

/// tcp/no-duplicates. It counts the segments that brought text which had come before.
pub(super) fn no_duplicates<S: Streams>(run: &Run) -> Seen {
    read_as_written::<S>(run, Kind::Repeated)
}

/// tcp/nothing-altered. It counts the segments with text that came damaged.
pub(super) fn nothing_altered<S: Streams>(run: &Run) -> Seen {
    read_as_written::<S>(run, Kind::Altered)
}

/// What was read is at all times a prefix of what was written. Of differences those of one kind are told, and
/// what can bring them about is counted, if something was read after it.
fn read_as_written<S: Streams>(run: &Run, kind: Kind) -> Seen {
    let flows = flows(run);
    let flow = flows.iter().find(|flow| flow.port() == DATA);
    let mut occasions = 0;
    for direction in directions::<S>(&run.trace) {
        let passed = passed(&run.trace, direction.reader);
        if let Some(flow) = flow {
            let last = last_read(&run.trace, direction.reader);
            let came = occasions_for(flow, direction.side, kind);
            occasions += came.into_iter().filter(|place| *place < last).count() as u64;
        }
        match difference(&direction.written, &passed.received) {
            Some(found) if found.kind == kind => {
                return Seen::broken(occasions, format!("{}: {found}", direction.name));
            }
            _ => {}
        }
    }
    Seen::fine(occasions)
}

/// The place of a socket's last receive that gave something.
fn last_read(trace: &Trace, reader: Side) -> usize {
    let gave = |call: &ProgramCall<'_>| {
        side(call) == reader && matches!(call.call, Call::Recv { data, .. } if !data.is_empty())
    };
    trace.events().iter().rposition(|event| event.program_call().is_some_and(|call| gave(&call))).unwrap_or(0)
}

/// Where in the trace something came to a side that could make such a difference in what is read there.
fn occasions_for(flow: &Flow, reader: usize, kind: Kind) -> Vec<usize> {
    if kind == Kind::Altered {
        let is_damaged = |step: &&Step| {
            let segment = &flow.segments[step.segment];
            step.moment == Moment::Damaged && segment.side != reader && segment.len > 0
        };
        return flow.steps.iter().filter(is_damaged).map(|step| step.place).collect();
    }
    let mut places = Vec::new();
    let mut view = View::new(flow, reader);
    while let Some((_, happened)) = view.step() {
        if let Happened::Heard { segment, expected, .. } = happened
            && segment.len > 0
            && match kind {
                Kind::Reordered => segment.text() > expected,
                _ => segment.text() < expected,
            }
        {
            places.push(view.place());
        }
    }
    places
}

/// tcp/finite-faults-finite-delay: whatever the plan did, all bytes and both ends came, and no call failed.
/// It counts the faults and events that took place. A run that never ends is no break of this kind: it
/// stalls, which is told with what the sockets were at.
pub(super) fn finite_delay<S: Streams>(run: &Run) -> Seen {
    let faults = run.fired.count() as u64;
    if !matches!(run.end, End::Finished) {
        return Seen::fine(faults);
    }
    if let Some(failed) = run.trace.calls().find(|call| call.error.is_some()) {
        let host = run.trace.host_name(failed.host);
        let how = failed.error.map_or_else(String::new, |errno| errno.to_string());
        return Seen::broken(
            faults,
            format!("after faults that had their end a call of {host} failed: {how}"),
        );
    }
    let directions = directions::<S>(&run.trace);
    if directions.is_empty() {
        return Seen::broken(faults, "after faults that had their end there was no connection");
    }
    for direction in directions {
        let passed = passed(&run.trace, direction.reader);
        let (got, all) = (passed.received.len(), direction.written.len());
        if passed.received != direction.written || !passed.ended {
            let end = if passed.ended { "and the end" } else { "and no end" };
            return Seen::broken(faults, format!("{}: {got} of {all} bytes {end} came", direction.name));
        }
    }
    Seen::fine(faults)
}

#[cfg(test)]
mod tests;

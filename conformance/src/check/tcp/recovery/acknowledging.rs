//! When what came is acknowledged, what waits for an acknowledgement, and what waits for what was lost.

use std::time::Duration;

use faultwire::fault::Action;
use faultwire::time::Time;
use faultwire::trace::{Call, Trace};
use faultwire_sim::Run;

use super::{Count, sides};
use crate::check::tcp::calls::{Side, connections, side};
use crate::check::tcp::programs::{DATA, OTHER};
use crate::check::tcp::segments::{Flow, Happened, OPENER, View, Word, flows};
use crate::study::{Seen, Verdict};

/// RFC 9293, section 3.8.6.3: less than half a second.
const ACK_DELAY_MAX: Duration = Duration::from_millis(500);
/// RFC 9293, section 3.8.6.3: at least every second full-sized segment is acknowledged.
const UNACKNOWLEDGED_MAX: u64 = 2;

/// tcp/acknowledges. It counts the segments that were acknowledged in time.
pub(super) fn acknowledges(run: &Run) -> Seen {
    let mut count = Count::default();
    for (flow, side) in sides(&flows(run)).filter(|(flow, _)| !flow.reset) {
        let mut view = View::new(flow, side);
        // When the first that is not acknowledged came, and up to where it goes.
        let mut waiting: Vec<(Time, i64)> = Vec::new();
        let mut late = |waiting: &[(Time, i64)], now: Time| {
            if let Some((came, _)) = waiting.first().filter(|(came, _)| now > *came + ACK_DELAY_MAX) {
                count.broken(|| format!("data came at {came} and was not acknowledged within 500 ms"));
            }
        };
        let mut exercised = 0;
        while let Some((at, happened)) = view.step() {
            late(&waiting, at);
            match happened {
                Happened::Heard { segment, acceptable: true, expected, .. }
                    if segment.len > 0 && view.expected > expected =>
                {
                    waiting.push((at, view.expected));
                }
                Happened::Sent { segment, .. } => {
                    let before = waiting.len();
                    waiting.retain(|(_, up_to)| segment.ack.is_none_or(|ack| ack < *up_to));
                    exercised += (before - waiting.len()) as u64;
                }
                Happened::Heard { .. } => {}
            }
        }
        late(&waiting, flow.end);
        count.exercised += exercised;
    }
    count.seen()
}

/// tcp/acknowledges: what comes behind a gap, or fills one, is answered at once (RFC 5681, section 4.2). It
/// counts those answers.
pub(super) fn answers_at_once(run: &Run) -> Seen {
    let mut count = Count::default();
    for (flow, side) in sides(&flows(run)).filter(|(flow, _)| !flow.reset) {
        let mut view = View::new(flow, side);
        // When what is not answered came.
        let mut came: Option<Time> = None;
        let late = |came: Option<Time>, now: Time, count: &mut Count| {
            if let Some(came) = came.filter(|came| now > *came + SOON) {
                count.broken(|| {
                    format!("what came at {came}, behind a gap or to fill one, was not answered at once")
                });
            }
        };
        while let Some((at, happened)) = view.step() {
            late(came, at, &mut count);
            match happened {
                Happened::Heard { segment, acceptable: true, expected, .. }
                    if segment.len > 0 && (segment.text() > expected || view.expected > segment.end()) =>
                {
                    came = came.or(Some(at));
                }
                Happened::Sent { segment, .. } if segment.ack.is_some() => {
                    count.exercised += u64::from(came.take().is_some());
                }
                _ => {}
            }
        }
        late(came, flow.end, &mut count);
    }
    count.seen()
}

/// What is answered at once is answered within that.
const SOON: Duration = Duration::from_millis(10);

/// tcp/every-second-segment. It counts the acknowledgements of two full-sized segments.
pub(super) fn every_second_segment(run: &Run) -> Seen {
    let mut count = Count::default();
    for (flow, side) in sides(&flows(run)).filter(|(flow, _)| !flow.reset) {
        let full = flow.segment_max(1 - side);
        let mut view = View::new(flow, side);
        let mut unacknowledged = 0;
        while let Some((at, happened)) = view.step() {
            match happened {
                Happened::Heard { segment, acceptable: true, expected, .. }
                    if segment.len >= full && view.expected - expected >= full =>
                {
                    unacknowledged += 1;
                    if unacknowledged > UNACKNOWLEDGED_MAX {
                        count.broken(|| {
                            format!("by {at} {unacknowledged} full segments came without an acknowledgement")
                        });
                    }
                }
                Happened::Sent { segment, .. } if segment.ack.is_some() => {
                    count.exercised += u64::from(unacknowledged == UNACKNOWLEDGED_MAX);
                    unacknowledged = 0;
                }
                _ => {}
            }
        }
    }
    count.seen()
}

/// When each of a socket's sends was taken, and where it ends in the stream's sequence numbers.
pub(super) fn written(trace: &Trace, which: Side) -> Vec<(Time, i64)> {
    passed(trace, which, |call| match call {
        Call::Send { data, .. } => Some(data.len()),
        _ => None,
    })
}

/// When each of a socket's receives came back, and up to where the stream was read.
pub(super) fn read(trace: &Trace, which: Side) -> Vec<(Time, i64)> {
    passed(trace, which, |call| match call {
        Call::Recv { data, .. } => Some(data.len()),
        _ => None,
    })
}

fn passed(trace: &Trace, which: Side, len: fn(&Call) -> Option<usize>) -> Vec<(Time, i64)> {
    let mut end = 1;
    trace
        .calls()
        .filter(|call| side(call) == which && call.error.is_none())
        .filter_map(|call| Some((call.at, len(call.call)?)))
        .map(|(at, len)| {
            end += i64::try_from(len).unwrap_or(i64::MAX);
            (at, end)
        })
        .collect()
}

/// How a small write that follows another fared.
struct Second {
    written: Time,
    sent: Time,
    /// Something was acknowledged just then.
    answers: bool,
}

fn second_write(run: &Run, flow: &Flow) -> Option<Second> {
    let client = connections(&run.trace, flow.port()).first()?.client;
    let writes = written(&run.trace, client);
    let (written, end) = *writes.get(1)?;
    let mut view = View::new(flow, OPENER);
    let mut answered = None;
    while let Some((at, happened)) = view.step() {
        match happened {
            Happened::Heard { word: Word::New(_), .. } => answered = Some(at),
            Happened::Sent { segment, .. } if segment.text_end() >= end => {
                return Some(Second {
                    written,
                    sent: at,
                    answers: answered.is_some_and(|heard| at <= heard + AT_ONCE),
                });
            }
            _ => {}
        }
    }
    None
}

/// tcp/nagle-delays: the second of two small writes waits for the acknowledgement of the first, unless
/// NODELAY is set.
pub(super) fn nagle_delays(run: &Run) -> Seen {
    let flows = flows(run);
    let of = |port| second_write(run, flows.iter().find(|flow| flow.port() == port)?);
    let (Some(plain), Some(no_delay)) = (of(DATA), of(OTHER)) else { return Seen::NOTHING };
    // On a real clock there is something between a call and its packet, on either side.
    let waits = plain.sent > plain.written + AT_ONCE && plain.answers;
    if waits && no_delay.sent <= no_delay.written + AT_ONCE {
        let waited = plain.sent.since(plain.written).as_millis();
        return Seen::witnessed(
            2,
            format!(
                "a second small write waited for {waited} ms, until the first was acknowledged; with NODELAY \
                 it left at once"
            ),
        );
    }
    Seen::fine(2)
}

/// What is sent within that is sent without waiting: a quarter of the time that an acknowledgement takes at
/// least.
const AT_ONCE: Duration = Duration::from_micros(500);

/// tcp/head-of-line: what came after a lost segment is not handed out before that came too.
pub(super) fn head_of_line(run: &Run) -> Seen {
    let Some(connection) = connections(&run.trace, DATA).first().copied() else { return Seen::NOTHING };
    let mut held = 0;
    for (flow, which) in sides(&flows(run)).filter(|(flow, _)| flow.port() == DATA) {
        let socket = if which == OPENER { connection.client } else { connection.server };
        let reads = read(&run.trace, socket);
        let lost =
            |seq: i64| flow.segments.iter().any(|it| it.is_lost() && it.side != which && it.covers(seq));
        let mut view = View::new(flow, which);
        // What came beyond a gap first: when, where the gap is, and where what came ends.
        let mut ahead: Option<(Time, i64, i64)> = None;
        while let Some((at, happened)) = view.step() {
            let Happened::Heard { segment, acceptable: true, expected, .. } = happened else { continue };
            if segment.len > 0 && segment.text() > expected && ahead.is_none() && lost(expected) {
                held += 1;
                ahead = Some((at, expected, segment.text_end()));
            }
            let Some((came, gap, end)) = ahead.filter(|(.., end)| *end <= view.expected) else { continue };
            let read_before = reads.iter().rfind(|(when, _)| *when < at).map_or(1, |(_, end)| *end);
            let read_after = reads.iter().find(|(when, read)| *when >= at && *read >= end);
            if read_before == gap && read_after.is_some() && at > came {
                let waited = at.since(came).as_millis();
                return Seen::witnessed(
                    held,
                    format!("what came at {came} waited for {waited} ms for the lost segment before it"),
                );
            }
            ahead = None;
        }
    }
    Seen::fine(held)
}

/// tcp/checksum-can-miss: two flipped bits cancel, and altered data is read. It counts the segments so
/// damaged.
pub(super) fn checksum_can_miss(run: &Run, sent: &[u8]) -> Seen {
    let two_bits = |action: &Action| matches!(action, Action::CorruptBits(bits) if bits.len() == 2);
    let tried = run.plan.faults.iter().filter(|fault| two_bits(&fault.action)).count() as u64;
    let Some(connection) = connections(&run.trace, DATA).first().copied() else { return Seen::NOTHING };
    let received = crate::check::tcp::calls::passed(&run.trace, connection.server).received;
    match sent.iter().zip(&received).position(|(one, other)| one != other) {
        Some(at) if tried > 0 => {
            Seen { exercised: tried, verdict: Verdict::Witnessed(format!("byte {at} was read altered")) }
        }
        _ => Seen::fine(tried),
    }
}

//! The receiver's window: who keeps to it, what bounds it, and how a closed one opens again.

use std::time::Duration;

use faultwire::packet::TcpFlags;
use faultwire::time::Time;
use faultwire::trace::{HostId, Note, Trace};
use faultwire_sim::Run;

use super::acknowledging::{read, written};
use super::retransmission::LONGEST_WAIT;
use super::scenarios::{LARGE_BUFFER, SMALL_BUFFER};
use super::{Count, sides};
use crate::check::tcp::calls::connections;
use crate::check::tcp::programs::{DATA, OTHER};
use crate::check::tcp::segments::{Flow, Happened, OPENER, Segment, View, flows};
use crate::study::Seen;

/// tcp/flow-control: nothing goes beyond the furthest edge that was offered, but for a probe of one octet. It
/// counts the sendings that left less than a segment of room.
pub(super) fn within_the_offer(run: &Run) -> Seen {
    let mut count = Count::default();
    for (flow, side) in sides(&flows(run)) {
        let segment_max = flow.segment_max(side);
        let mut view = View::new(flow, side);
        while let Some((at, happened)) = view.step() {
            let Happened::Sent { segment, probe: false, .. } = happened else { continue };
            if segment.len == 0 {
                continue;
            }
            if segment.text_end() > view.edge {
                let beyond = segment.text_end() - view.edge;
                count.broken(|| format!("at {at} {beyond} bytes are sent beyond the window on offer"));
            }
            count.exercised += u64::from(segment.text_end() + segment_max > view.edge);
        }
    }
    count.seen()
}

/// How long an idle sender may take to use a window that is open.
const AT_ONCE: Duration = Duration::from_millis(10);

/// tcp/flow-control: the flow goes on when the reader does. Whoever has nothing under way and something to
/// send, sends it into a window that is open by the rule of RFC 9293 (section 3.10.7.4): a segment that was
/// overtaken does not close it. It counts the sendings into a window that had been closed before.
pub(super) fn goes_on(run: &Run) -> Seen {
    let mut count = Count::default();
    for flow in flows(run).iter().filter(|flow| !flow.reset) {
        let Some(connection) = connections(&run.trace, flow.port()).first().copied() else { continue };
        let writes = written(&run.trace, connection.client);
        let mut view = View::new(flow, OPENER);
        let (mut was_closed, mut largest) = (false, 0);
        // Since when nothing happens, and how much was sent by then, where more could be.
        let mut idle: Option<(Time, i64)> = None;
        let mut wasted = |idle: Option<(Time, i64)>, now: Time| {
            let Some((since, top)) = idle else { return };
            let written = writes.iter().find(|(_, end)| *end > top).map(|(when, _)| since.max(*when));
            if let Some(since) = written.filter(|since| now > *since + AT_ONCE) {
                count.broken(|| {
                    format!(
                        "from {since} on there is something to send, the window is open, and nothing is sent"
                    )
                });
            }
        };
        let mut exercised = 0;
        while let Some((at, happened)) = view.step() {
            wasted(idle, at);
            if let Happened::Sent { segment, probe: false, .. } = happened
                && segment.len > 0
            {
                exercised += u64::from(std::mem::take(&mut was_closed));
            }
            was_closed |= view.window == 0 && view.una > 0;
            largest = largest.max(view.window);
            // RFC 9293, section 3.8.6.2.1: half of the largest window is worth a segment too.
            let worth = flow.segment_max(OPENER).min((largest + 1) / 2).max(1);
            let could = view.una > 0 && view.flight() == 0 && view.window >= worth;
            idle = could.then_some((at, view.top));
        }
        wasted(idle, flow.end);
        count.exercised += exercised;
    }
    count.seen()
}

/// Whether a host has our stack: that tells of its connections' states.
pub(in super::super) fn is_our_stack(trace: &Trace, host: HostId) -> bool {
    trace.notes_of(host).any(|(_, note)| matches!(note, Note::Tcp { .. }))
}

/// The receive buffer of the server's socket at that port, as it was asked for, in bytes.
fn buffer(port: u16) -> Option<i64> {
    let bytes = match port {
        DATA => SMALL_BUFFER,
        OTHER => LARGE_BUFFER,
        _ => return None,
    };
    i64::try_from(bytes).ok()
}

/// tcp/flow-control: a read that makes room behind a closed window is told of at once, not when the sender
/// asks next. It counts the updates.
pub(super) fn tells_of_room(run: &Run) -> Seen {
    let mut count = Count::default();
    for flow in flows(run).iter().filter(|flow| !flow.reset) {
        let connection = connections(&run.trace, flow.port()).first().copied();
        let Some((bytes, connection)) = buffer(flow.port()).zip(connection) else { continue };
        // Half of the buffer is worth an update whatever the size of segments.
        let worth = bytes / 2;
        let reads = read(&run.trace, connection.server);
        let offers: Vec<&Segment> = flow.sent_by(1 - OPENER).filter(|it| it.ack.is_some()).collect();
        for (index, closed) in offers.iter().enumerate().filter(|(_, it)| it.window == 0) {
            let end = closed.ack.unwrap_or(0);
            let Some((roomy, _)) =
                reads.iter().find(|(at, read)| *at >= closed.at && end - read <= bytes - worth)
            else {
                continue;
            };
            let told = offers[index + 1..].iter().find(|it| it.window > 0).map_or(flow.end, |it| it.at);
            if told > *roomy + AT_ONCE {
                count.broken(|| {
                    format!("at {roomy} a read made room, and the closed window stays so until {told}")
                });
            }
            count.exercised += 1;
        }
    }
    count.seen()
}

/// How long a busy machine may take to note a read: half of what a slow reader pauses.
const NOTED_WITHIN: Duration = Duration::from_millis(250);

/// tcp/window-is-the-buffer: what is on offer and what waits for the program fit into the buffer together:
/// all of what was asked for with our stack, up to twice of that with Linux. It counts the offers.
pub(super) fn offers_the_buffer(run: &Run) -> Seen {
    let mut count = Count::default();
    let flows = flows(run);
    let mut largest = Vec::new();
    for flow in &flows {
        let Some((bytes, connection)) =
            buffer(flow.port()).zip(connections(&run.trace, flow.port()).first().copied())
        else {
            continue;
        };
        let reads = read(&run.trace, connection.server);
        // Of a kernel's host a read is noted after the update that it sends.
        let (room, noted_within) = match is_our_stack(&run.trace, connection.server.0) {
            true => (bytes, AT_ONCE),
            false => (2 * bytes, NOTED_WITHIN),
        };
        let mut offers = 0;
        for offer in flow.segments.iter().filter(|it| it.side != OPENER) {
            let Some(ack) = offer.ack else { continue };
            let by = offer.at + noted_within;
            let taken = reads.iter().rfind(|(when, _)| *when <= by).map_or(1, |(_, end)| *end);
            // The FIN has a number, and takes no room.
            let fin = i64::from(flow.sent_by(OPENER).any(|it| it.is(TcpFlags::FIN) && it.end() <= ack));
            let held = ack - fin + offer.window - taken;
            count.exercised += 1;
            offers = offers.max(offer.window);
            if held > room {
                let at = offer.at;
                count.broken(|| {
                    format!("at {at} {held} bytes are on offer or unread, with a receive buffer of {bytes}")
                });
            }
        }
        largest.push((bytes, offers));
    }
    if let [(small, at_most), (large, at_least)] = largest[..]
        && small < large
        && at_least <= at_most
    {
        count.broken(|| {
            format!(
                "with {small} bytes of receive buffer {at_most} bytes are on offer, with {large} bytes \
                 {at_least}"
            )
        });
    }
    count.seen()
}

/// tcp/zero-window-probe: whoever has something to send to a closed window asks again. It counts the probes
/// that were sent after a window update was lost.
pub(super) fn zero_window_probe(run: &Run) -> Seen {
    let mut count = Count::default();
    for flow in flows(run).iter().filter(|flow| !flow.reset) {
        let Some(connection) = connections(&run.trace, flow.port()).first().copied() else { continue };
        let writes = written(&run.trace, connection.client);
        probes(flow, &writes, &mut count);
    }
    count.seen()
}

fn probes(flow: &Flow, writes: &[(Time, i64)], count: &mut Count) {
    let mut view = View::new(flow, OPENER);
    // Since when the window is closed and nothing was sent.
    let mut silent: Option<Time> = None;
    let overdue = |silent: Option<Time>, now: Time, count: &mut Count| {
        if let Some(since) = silent.filter(|since| now > *since + LONGEST_WAIT) {
            count.broken(|| format!("from {since} on the window is closed, and is not probed"));
        }
    };
    while let Some((at, happened)) = view.step() {
        overdue(silent, at, count);
        if let Happened::Sent { probe: true, .. } = happened {
            let opens = |it: &&Segment| {
                it.side != OPENER && it.at < at && it.ack.is_some_and(|ack| ack + it.window > view.edge)
            };
            count.exercised += u64::from(flow.segments.iter().filter(opens).any(|it| it.is_lost()));
        }
        // Whether something is to be sent can be told only as of now: what is written later is seen at a
        // later step.
        let end = writes.iter().rfind(|(when, _)| *when <= at).map_or(1, |(_, end)| *end);
        let stuck = view.window == 0 && view.una > 0 && view.flight() == 0 && end > view.top;
        silent = stuck.then_some(match (happened, silent) {
            (Happened::Heard { .. }, Some(since)) => since,
            _ => at,
        });
    }
    overdue(silent, flow.end, count);
}

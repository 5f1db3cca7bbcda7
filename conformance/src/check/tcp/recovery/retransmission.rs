//! What is sent again, and after how long.

mod rto;

use std::time::Duration;

use faultwire::packet::TcpFlags;
use faultwire::time::Time;
use faultwire_sim::Run;

use self::rto::Estimate;
use super::{Count, sides};
use crate::check::tcp::segments::{Flow, Happened, View, Word, flows};
use crate::study::Seen;

/// How long a host waits before it retransmits, where it has not just waited for half as long: Linux's
/// longest timeout, and a margin.
pub(in super::super) const LONGEST_WAIT: Duration = Duration::from_secs(125);
/// The bound on back-off must not lie below this (RFC 6298, section 2.5).
const CAP_MIN: Duration = Duration::from_secs(60);
/// What ticks and rounding may add to a wait.
const TICKS: Duration = Duration::from_millis(2);

/// tcp/retransmits. It counts the lost segments whose first octet was sent again.
pub(super) fn retransmits(run: &Run) -> Seen {
    let mut count = Count::default();
    for flow in flows(run).iter().filter(|flow| !flow.reset) {
        for side in [0, 1] {
            stands_still(flow, side, &mut count);
        }
        for (index, lost) in flow.segments.iter().enumerate() {
            if !lost.is_lost() || lost.end() == lost.seq {
                continue;
            }
            let same =
                |it: &&crate::check::tcp::segments::Segment| it.side == lost.side && it.covers(lost.seq);
            let again = flow.segments[index + 1..].iter().any(|it| same(&it));
            let known = flow.segments.iter().filter(same).any(|it| it.arrived);
            if again {
                count.exercised += 1;
            } else if !known && flow.end > lost.at + LONGEST_WAIT {
                count.broken(|| format!("what was sent at {} was lost and is never sent again", lost.at));
            }
        }
    }
    count.seen()
}

/// What is not acknowledged is sent again, be it that or its acknowledgement that was lost: a side with
/// something under way and a window that takes it is not silent for longer than its timer can run.
fn stands_still(flow: &Flow, side: usize, count: &mut Count) {
    let mut view = View::new(flow, side);
    // When the first unacknowledged octet was sent last, or became the first, and how long it may wait: a
    // timer that doubles has no longest time (RFC 6298, section 2.5).
    let mut since: Option<Time> = None;
    let mut longest = LONGEST_WAIT;
    let overdue = |since: Option<Time>, longest: Duration, now: Time, count: &mut Count| {
        if let Some(since) = since.filter(|since| now > *since + longest) {
            count.broken(|| {
                format!("from {since} on something is not acknowledged, and nothing is sent again")
            });
        }
    };
    while let Some((at, happened)) = view.step() {
        overdue(since, longest, at, count);
        let restarts = match happened {
            Happened::Sent { segment, .. } => segment.covers(view.una),
            Happened::Heard { word, .. } => matches!(word, Word::New(_)),
        };
        if let (true, Some(since)) = (restarts, since) {
            longest = LONGEST_WAIT.max(at.since(since) * 21 / 10);
        }
        let waits = view.flight() > 0 && (view.window > 0 || view.una == 0);
        since = waits.then(|| since.filter(|_| !restarts).unwrap_or(at));
    }
    overdue(since, longest, flow.end, count);
}

/// A time that a side waited for an acknowledgement of its first unacknowledged octet, having heard nothing.
struct Wait {
    /// When it was sent last.
    since: Time,
    /// How long it waited then.
    before: Option<Duration>,
    /// The timer began at `since`, or (of `before`) when that wait began.
    whole: bool,
}

/// Follows one side: calls `each` for each repeat that the timer drove, with the wait before the last
/// sending, if there was one, the wait now, and whether the first of them is known to be whole.
fn repeats(flow: &Flow, side: usize, mut each: impl FnMut(Time, Option<Duration>, Duration, bool)) {
    let mut view = View::new(flow, side);
    let mut wait: Option<Wait> = None;
    while let Some((at, happened)) = view.step() {
        match happened {
            Happened::Heard { .. } => wait = None,
            Happened::Sent { probe: true, .. } => wait = None,
            Happened::Sent { segment, top, .. } if segment.covers(view.una) => {
                if let Some(last) = wait.take().filter(|last| last.since < at) {
                    let now = at.since(last.since);
                    each(at, last.before, now, last.whole);
                    wait = Some(Wait { since: at, before: Some(now), whole: last.whole });
                } else {
                    // The timer starts with what is sent when nothing is outstanding, or with its own expiry.
                    let starts = top == view.una || !view.may_answer(at);
                    wait = Some(Wait { since: at, before: None, whole: starts });
                }
            }
            Happened::Sent { .. } => {}
        }
    }
}

/// tcp/waits-longer. It counts the pairs of waits.
pub(super) fn waits_longer(run: &Run) -> Seen {
    let mut count = Count::default();
    for (flow, side) in sides(&flows(run)) {
        repeats(flow, side, |at, before, now, whole| {
            let Some(before) = before else { return };
            count.exercised += 1;
            let (least, most) = (before * 19 / 10, before * 21 / 10 + 2 * TICKS);
            let said = || {
                let (before, now) = (before.as_millis(), now.as_millis());
                format!("after {before} ms the timer waited for {now} ms, until {at}: not twice as long")
            };
            if now + TICKS < least.min(CAP_MIN) || (whole && now > most) {
                count.broken(said);
            }
        });
    }
    count.seen()
}

/// tcp/measures-rtt. It counts the timeouts that could be compared with measured round trips.
pub(super) fn measures_rtt(run: &Run) -> Seen {
    let mut count = Count::default();
    for (flow, side) in sides(&flows(run)) {
        follow(flow, side, &mut count);
    }
    count.seen()
}

/// Something that was sent once so far, and could be timed.
struct Timed {
    end: i64,
    at: Time,
    /// It was sent again.
    spoiled: bool,
    /// Nothing else was under way from its sending on: it is the one that must be timed.
    alone: bool,
}

fn follow(flow: &Flow, side: usize, count: &mut Count) {
    let mut view = View::new(flow, side);
    let mut estimate = Estimate::default();
    let mut timed: Vec<Timed> = Vec::new();
    // When the first unacknowledged octet was sent last, if the timer began then and nothing was heard since.
    let mut since: Option<Time> = None;
    // The timer had the SYN sent again.
    let mut syn_timer = false;
    // What was taken for round trips at a moment, and what was known before. The timer may have expired at
    // that very moment, and first.
    let mut just_now: Option<(Time, Estimate, Vec<Duration>)> = None;
    while let Some((at, happened)) = view.step() {
        match happened {
            Happened::Sent { segment, top, probe } => {
                if segment.end() == segment.seq {
                    continue;
                }
                let again = segment.seq < top;
                if let Some((_, before, rtts)) =
                    just_now.take_if(|(when, ..)| *when == at && segment.seq < view.una)
                {
                    estimate = before;
                    rtts.into_iter().for_each(|rtt| estimate.sample(rtt, false));
                    estimate.may_have_timed_out();
                    since = None;
                    continue;
                }
                if probe {
                    timed.clear();
                    since = None;
                    continue;
                }
                if !again {
                    timed.iter_mut().for_each(|it| it.alone = false);
                    let alone = timed.is_empty() && top == view.una;
                    let is_text = segment.len > 0 || segment.is(TcpFlags::SYN);
                    timed.push(Timed { end: segment.end(), at, spoiled: false, alone: alone && is_text });
                    if alone {
                        since = Some(at);
                    }
                    continue;
                }
                for it in &mut timed {
                    it.spoiled |= it.end > segment.seq;
                    it.alone = false;
                }
                // A SYN-ACK may also be repeated since the SYN came again: that says nothing of the timer.
                syn_timer |= segment.is(TcpFlags::SYN) && !view.may_answer(at);
                if segment.covers(view.una) {
                    let observed = since.filter(|_| view.window > 0 || view.una == 0);
                    if let Some(begun) = observed.filter(|begun| *begun < at) {
                        let bounds = if view.una == 0 { Some(estimate.initial()) } else { estimate.bounds() };
                        judge(bounds, at, at.since(begun), count);
                        estimate.timed_out(view.una == 0);
                    } else {
                        estimate.may_have_timed_out();
                    }
                    since = (!view.may_answer(at)).then_some(at);
                }
            }
            Happened::Heard { word, .. } => {
                since = None;
                if matches!(word, Word::New(_)) {
                    let before = estimate.clone();
                    let mut rtts = Vec::new();
                    for it in timed.extract_if(.., |it| it.end <= view.una) {
                        if it.end == 1 && it.spoiled && syn_timer {
                            estimate.lost_syn();
                        }
                        if !it.spoiled {
                            rtts.push(at.since(it.at));
                            estimate.sample(at.since(it.at), it.alone);
                        }
                    }
                    just_now = Some((at, before, rtts));
                }
            }
        }
    }
}

fn judge(bounds: Option<(Duration, Duration)>, at: Time, waited: Duration, count: &mut Count) {
    let Some((least, most)) = bounds else { return };
    count.exercised += 1;
    let least = least.min(CAP_MIN);
    if waited + TICKS < least * 19 / 20 {
        count.broken(|| {
            let (waited, least) = (waited.as_millis(), least.as_millis());
            format!(
                "the timer expired at {at} after {waited} ms: by the round trips measured it is {least} ms \
                 at least"
            )
        });
    } else if waited > most * 21 / 20 + 5 * TICKS {
        count.broken(|| {
            let (waited, most) = (waited.as_millis(), most.as_millis());
            format!(
                "the timer expired at {at} after {waited} ms: by the round trips measured it is {most} ms at \
                 most"
            )
        });
    }
}

/// tcp/sends-once: in a run without faults in which no packet overtakes another no sequence number is
/// sent twice. It counts the segments that take any.
pub(super) fn sends_once(run: &Run) -> Seen {
    let mut count = Count::default();
    if !run.plan.faults.is_empty() || !run.plan.events.is_empty() || run.plan.delays_vary() {
        return count.seen();
    }
    for (flow, side) in sides(&flows(run)) {
        let mut sent = i64::MIN;
        for segment in flow.sent_by(side).filter(|it| it.end() > it.seq) {
            if segment.seq < sent {
                count.broken(|| {
                    format!(
                        "at {} {} is sent again, which was sent before and not lost",
                        segment.at, segment.seq
                    )
                });
            }
            count.exercised += 1;
            sent = sent.max(segment.end());
        }
    }
    count.seen()
}

//! How much is under way: the first flight, its growth, and what a loss does to it (RFC 5681, 6582, 6928,
//! 3042).

mod window;

use std::time::Duration;

use faultwire::packet::TcpFlags;
use faultwire::time::Time;
use faultwire_sim::Run;

use self::window::Window;
use super::{Count, sides};
use crate::check::tcp::segments::{Flow, Happened, View, Word, flows};
use crate::study::Seen;

/// Duplicate acknowledgements that mean a loss (RFC 5681, section 3.2).
pub(super) const DUPLICATES: u32 = 3;
/// Segments that must be under way for three duplicates to tell of a loss: the lost one, and those that come
/// behind it. With fewer, a copy that the network made has brought one of the three.
const UNDER_WAY: usize = 4;
/// What is sent at once may be sent within this.
const AT_ONCE: Duration = Duration::from_millis(10);

/// tcp/fast-retransmit. It counts the third duplicates that had to be answered.
pub(super) fn fast_retransmit(run: &Run) -> Seen {
    let mut count = Count::default();
    for (flow, side) in sides(&flows(run)) {
        let mut view = View::new(flow, side);
        let (mut duplicates, mut doubtful) = (0, 0);
        // RFC 6582's `recover`: a new recovery begins only when more was acknowledged. At its start it covers
        // the SYN, and whether the first byte lies beyond can be read either way.
        let mut recover = 1;
        let mut awaited: Option<Time> = None;
        // Where what was sent for the first time ends, segment by segment, as far as it is not acknowledged.
        let mut ends: Vec<i64> = vec![1];
        let mut overdue = |awaited: &mut Option<Time>, now: Time| {
            if let Some(third) = awaited.take_if(|third| now > *third + AT_ONCE) {
                count.broken(|| {
                    format!(
                        "the third duplicate acknowledgement came at {third}: nothing is sent again at once"
                    )
                });
            }
        };
        let mut exercised = 0;
        while let Some((at, happened)) = view.step() {
            overdue(&mut awaited, at);
            match happened {
                Happened::Sent { segment, top, .. } => {
                    if ends.last().is_none_or(|end| segment.text_end() > *end) {
                        ends.push(segment.text_end());
                    }
                    if segment.seq < top && segment.covers(view.una) {
                        exercised += u64::from(awaited.take().is_some());
                        recover = view.top;
                    }
                }
                Happened::Heard { word: Word::New(_), .. } => {
                    (duplicates, doubtful, awaited) = (0, 0, None);
                }
                Happened::Heard { word: Word::Duplicate, .. } => duplicates += 1,
                Happened::Heard { word: Word::Doubtful, .. } => doubtful += 1,
                Happened::Heard { .. } => {}
            }
            if matches!(happened, Happened::Heard { word: Word::Duplicate | Word::Doubtful, .. })
                && duplicates + doubtful == DUPLICATES
            {
                ends.retain(|end| *end > view.una);
                if doubtful == 0 && view.una > recover && ends.len() >= UNDER_WAY && view.window > 0 {
                    awaited = Some(at);
                }
                recover = view.top;
            }
        }
        overdue(&mut awaited, flow.end);
        count.exercised += exercised;
    }
    count.seen()
}

/// What the first flight may be at most, in bytes (RFC 6928, section 2). A SYN that the timer sent again once
/// may be taken for late; after more than one repeat it is a segment.
fn initial_window(flow: &Flow, side: usize) -> i64 {
    let segment = flow.segment_max(side);
    let mut view = View::new(flow, side);
    let mut repeats = 0;
    while let Some((at, happened)) = view.step() {
        if let Happened::Sent { segment, top, .. } = happened
            && segment.is(TcpFlags::SYN)
            && top > 0
            && !view.may_answer(at)
        {
            repeats += 1;
        }
    }
    if repeats > 1 { segment } else { initial_window_max(segment) }
}

/// The largest initial window with segments of that size, all in bytes (RFC 6928, section 2).
pub(super) fn initial_window_max(segment: i64) -> i64 {
    (10 * segment).min((2 * segment).max(14_600))
}

/// tcp/initial-window. It counts the first flights that were as large as they may be.
pub(super) fn first_flight(run: &Run) -> Seen {
    let mut count = Count::default();
    for (flow, side) in sides(&flows(run)) {
        let (bound, segment_max) = (initial_window(flow, side), flow.segment_max(side));
        let mut view = View::new(flow, side);
        let mut flight = 0;
        while let Some((at, happened)) = view.step() {
            match happened {
                Happened::Sent { segment, .. } if segment.len > 0 => {
                    flight = flight.max(segment.text_end() - 1);
                    if flight > bound {
                        count.broken(|| {
                            format!(
                                "by {at} {flight} bytes were sent, none was acknowledged: {bound} are allowed"
                            )
                        });
                    }
                }
                Happened::Heard { word: Word::Other, .. } | Happened::Sent { .. } => {}
                // Whatever is acknowledged, or asked for again, ends the first flight.
                Happened::Heard { .. } if flight > 0 => break,
                Happened::Heard { .. } => {}
            }
        }
        count.exercised += u64::from(flight > 0 && flight + segment_max > bound);
    }
    count.seen()
}

/// tcp/slow-start. It counts the sendings that used all that the window allows, before any loss.
pub(super) fn slow_start(run: &Run) -> Seen {
    within_the_window(run, false)
}

/// tcp/backs-off-on-loss. It counts the sendings that used all that the window allows, after a loss.
pub(super) fn backs_off(run: &Run) -> Seen {
    within_the_window(run, true)
}

/// Whether each sending lies within the largest congestion window that there can be.
fn within_the_window(run: &Run, after_loss: bool) -> Seen {
    let mut count = Count::default();
    for (flow, side) in sides(&flows(run)) {
        let segment_max = flow.segment_max(side);
        let mut view = View::new(flow, side);
        let mut window = Window::new(initial_window(flow, side), segment_max);
        while let Some((at, happened)) = view.step() {
            match happened {
                Happened::Sent { segment, top, probe: false } if segment.end() > segment.seq => {
                    let again = segment.seq < top && segment.covers(view.una) && view.una > 0;
                    if again && view.window > 0 {
                        let flight = (view.top - view.una).max(0);
                        window.sent_again(!view.may_answer(at), view.una, view.top, flight);
                    }
                    let used = segment.text_end() - view.una;
                    if segment.len == 0 || window.after_loss() != after_loss {
                        continue;
                    }
                    let bound = window.bound();
                    if used > bound {
                        count.broken(|| {
                            format!(
                                "at {at} there are {used} bytes under way: the congestion window is {bound} \
                                 at most"
                            )
                        });
                    }
                    count.exercised += u64::from(used + segment_max > window.size());
                }
                Happened::Heard { word: Word::New(acked), .. } if view.una > 1 => {
                    window.acknowledged(acked, view.una);
                }
                Happened::Heard { word: Word::Duplicate | Word::Doubtful, .. } => window.duplicate(),
                _ => {}
            }
        }
    }
    count.seen()
}

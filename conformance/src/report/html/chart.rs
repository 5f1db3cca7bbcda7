//! Charts of a run, where a curve says more than a picture: bytes in flight and the windows that bound them
//! over time, and how long each repeat waited.

mod curve;
mod flow;
mod pen;
mod waits;

use faultwire::trace::Trace;

use flow::Flow;

/// A curve of fewer segments says nothing, unless a window closes.
const SEGMENTS_MIN: usize = 12;
/// Times of the same segment on the wire from which its waits are shown.
const SENT_MIN: usize = 3;

/// The charts that a run is worth, as SVG.
pub(super) fn charts(trace: &Trace, id: &str) -> Vec<String> {
    let flows = flow::flows(trace);
    let mut charts = Vec::new();
    if let Some(flow) = flows.iter().filter(|flow| says_something(flow)).max_by_key(|flow| flow.segments) {
        charts.push(curve::svg(flow, id));
    }
    let often = flows.iter().flat_map(|flow| flow.sendings.values().map(move |times| (flow, times)));
    if let Some((flow, times)) =
        often.filter(|(_, times)| times.len() >= SENT_MIN).max_by_key(|(_, times)| times.len())
    {
        charts.push(waits::svg(flow, times, id));
    }
    charts
}

/// A curve shows something where a window bounds what is in flight: much data has filled one, or one was
/// closed.
fn says_something(flow: &Flow) -> bool {
    flow.segments >= SEGMENTS_MIN && flow.is_bounded || flow.was_closed
}

#[cfg(test)]
mod tests;

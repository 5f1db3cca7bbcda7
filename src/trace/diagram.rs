//! The time-space diagram of a trace, as text (and, in `svg`, as a picture): hosts as vertical lines, time
//! going down, packets as arrows.
//!
//! A packet is one line, from the moment it leaves, wherever the receiver sees nothing else between its
//! leaving and its arrival; the arrow then says how long it took. Otherwise its departure and its arrival are
//! lines of their own. What programs and stacks do stands beside their host's line: outside it with two
//! hosts, in a margin at the right with more. Of two hosts the one that sends first stands at the left, as
//! RFC 9293 draws them.

mod flight;
mod flows;
mod keep;
mod layout;
mod names;
mod paint;
mod payloads;
mod pens;
mod segments;
mod svg;
mod wording;

use std::collections::BTreeSet;

use super::{HostId, Trace, What};

pub use payloads::Payloads;
pub use svg::{SVG_STYLE, SvgOptions};

/// The narrowest and the widest that a diagram is drawn, in columns.
const WIDTH_MIN: usize = 40;
const WIDTH_MAX: usize = 1_000;

/// How a diagram is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiagramOptions {
    /// The widest line, in columns; values outside 40 to 1000 count as the nearest of these.
    pub width: usize,
    /// The most lines; at least 12. What is too much is left out: the beginning and the end stay, and what
    /// happened by the plan. The diagram says how much is left out.
    pub lines_max: usize,
    /// ASCII characters only.
    pub ascii: bool,
    /// The moment of truth: the event (its place in [`Trace::events`]) whose line is marked, and drawn before
    /// others.
    pub mark: Option<usize>,
    /// What is said of payloads.
    pub payloads: Payloads,
    /// The events (their places in [`Trace::events`]) that happened by a plan as they do in every run:
    /// faults, partitions, crashes, restarts. They have another sign.
    pub in_every_run: BTreeSet<usize>,
}

impl Default for DiagramOptions {
    /// 100 columns, 60 lines, Unicode; of payloads their lengths.
    fn default() -> Self {
        DiagramOptions {
            width: 100,
            lines_max: 60,
            ascii: false,
            mark: None,
            payloads: Payloads::LENGTHS,
            in_every_run: BTreeSet::new(),
        }
    }
}

impl Trace {
    /// The time-space diagram of this trace. Every line ends with a line feed and holds no trailing blanks.
    ///
    /// ```
    /// use faultwire::trace::{DiagramOptions, Trace};
    ///
    /// let trace = Trace::new(["client", "server"]);
    /// assert!(trace.diagram(&DiagramOptions::default()).contains("client"));
    /// ```
    pub fn diagram(&self, options: &DiagramOptions) -> String {
        let events = flight::set_up_first(self);
        let flights = flight::collect(&events, &options.payloads);
        let usual = flight::places_of(self, &events, &options.in_every_run);
        let mark = options.mark.and_then(|mark| flight::place_of(self, &events, mark));
        let rows = layout::rows(self, &events, &flights, &options.payloads, &usual, mark);
        paint::paint(self, &rows, options, is_mirrored(self))
    }
}

/// Whether the second of two hosts stands at the left: it sends first.
fn is_mirrored(trace: &Trace) -> bool {
    let first = trace.events().iter().find_map(|event| match event.what {
        What::Sent { from, .. } => Some(from),
        _ => None,
    });
    trace.hosts().len() == 2 && first == Some(HostId(1))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

//! The time-space diagram of a trace as SVG: packets as arrows that slant by the time they took, what the
//! stacks did beside their host's line, and what the programs called outside.
//!
//! Everything is placed before anything is drawn: the events (`place`), the hosts' lines (`columns`), the
//! packets' ways (`route`), and then the words on them (`label`), on a `chart` of what takes up room. Words
//! for which there is no place get one: the event is given more room below it, and all is placed anew.

mod chart;
mod columns;
mod keep;
mod label;
mod legend;
mod letters;
mod pen;
mod picture;
mod place;
mod route;
mod scene;
mod usual;

use super::payloads::Payloads;
use super::{flight, layout};
use crate::trace::Trace;
use scene::Scene;
use usual::Usual;

/// The style that the diagrams need. A page that holds several needs it once.
pub const SVG_STYLE: &str = include_str!("svg/style.css");

/// How a diagram is drawn as SVG.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SvgOptions {
    /// About how many events are drawn at most; at least 20. What is too much is left out in the middle, and
    /// the diagram says how much.
    pub events_max: usize,
    /// What it is called by, for those who cannot see it.
    pub title: String,
    /// What the ids in it begin with: unlike those of other diagrams on the same page.
    pub id: String,
    /// Whether it is a standalone file that includes its style; otherwise the page has [`SVG_STYLE`].
    pub alone: bool,
    /// The moment of truth: the event (its place in [`Trace::events`]) that is marked, and drawn before
    /// others.
    pub mark: Option<usize>,
    /// What is said of payloads.
    pub payloads: Payloads,
}

impl Default for SvgOptions {
    /// 200 events, a standalone file; of payloads their lengths.
    fn default() -> Self {
        SvgOptions {
            events_max: 200,
            title: "Time-space diagram".to_owned(),
            id: "diagram".to_owned(),
            alone: true,
            mark: None,
            payloads: Payloads::LENGTHS,
        }
    }
}

impl Trace {
    /// The time-space diagram of this trace as SVG 1.1, readable in light and in dark surroundings.
    ///
    /// ```
    /// use faultwire::trace::{SvgOptions, Trace};
    ///
    /// let trace = Trace::new(["client", "server"]);
    /// assert!(trace.svg(&SvgOptions::default()).starts_with("<svg"));
    /// ```
    pub fn svg(&self, options: &SvgOptions) -> String {
        let events = flight::set_up_first(self);
        let mut flights = flight::collect(&events, &options.payloads);
        let mark = options.mark.and_then(|mark| flight::place_of(self, &events, mark));
        let (packets, usual) = (flights.len(), Usual::of(&flights));
        let kept = keep::kept(&events, &flights, options.events_max.max(20), mark);
        flights.retain(|_, flight| {
            kept.contains(&flight.departure)
                || flight.landings.iter().any(|landing| kept.contains(&landing.event))
        });
        let mut labels = layout::labels(self, &events, &flights, &options.payloads);
        labels.retain(|label| kept.contains(&label.event));
        let scene = Scene {
            trace: self,
            events: &events,
            flights: &flights,
            packets,
            labels: &labels,
            kept: &kept,
            usual: &usual,
            mark,
            mirrored: super::is_mirrored(self),
        };
        scene.draw(options)
    }
}

#[cfg(test)]
mod tests;

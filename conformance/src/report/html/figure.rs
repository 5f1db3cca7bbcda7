//! A run to look at: its plan, its pictures, and the command that replays it.

use faultwire::trace::{DiagramOptions, SvgOptions, Trace};
use faultwire_sim::End;

use super::super::words::{grouped, replay_command};
use super::{chart, plan_in_words};
use crate::report::Outcome;
use crate::report::{Exhibit, Reason};
use crate::study::Verdict;

/// Events of a picture at most; longer runs are summed up.
const EVENTS_MAX: usize = 150;
/// Columns of the diagram as text.
const TEXT_WIDTH: usize = 80;
/// Lines of it at most.
const TEXT_LINES_MAX: usize = 120;

/// A run to look at.
pub(super) struct Figure {
    pub(super) claim: &'static str,
    pub(super) title: String,
    pub(super) plan: String,
    pub(super) how: Option<String>,
    pub(super) ended: String,
    pub(super) found_on: String,
    pub(super) drawn_on: String,
    pub(super) command: String,
    pub(super) pictures: Vec<Picture>,
    /// The diagram as text.
    pub(super) text: String,
    /// What there is to say of what the pictures do not show.
    pub(super) note: Option<String>,
    pub(super) left_out: bool,
}

/// A picture, with its size in pixels.
pub(super) struct Picture {
    pub(super) svg: String,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Picture {
    fn new(svg: String) -> Picture {
        let size = svg.split_once("viewBox=\"0 0 ").and_then(|(_, rest)| rest.split_once('"'));
        let size = size.and_then(|(size, _)| size.split_once(' '));
        let number = |text: &str| text.parse::<f64>().map_or(1, |it| it.ceil() as u32);
        let (width, height) = size.map_or((1, 1), |(width, height)| (number(width), number(height)));
        Picture { svg, width, height }
    }

    /// Whether it would be too small to read on one sheet of paper.
    pub(super) fn is_tall(&self) -> bool {
        self.height > 2 * self.width
    }
}

impl Figure {
    pub(super) fn new(exhibit: &Exhibit, number: usize, command: &str) -> Figure {
        let (run, plan) = (&exhibit.run, &exhibit.run.plan);
        let title = match exhibit.reason {
            Reason::Found(_) if exhibit.is_expected => "An expected failure: the smallest plan that shows it",
            Reason::Example => "An example: a run in which its situation occurs",
            Reason::Found(Outcome::Witnessed) => "The smallest plan that shows it",
            Reason::Found(Outcome::Broken) => "The smallest plan that breaks it",
            Reason::Found(Outcome::Failed) => "The smallest plan under which a program fails",
            Reason::Found(Outcome::Stalled) => "The smallest plan under which a run stalls",
            Reason::Found(_) => "The plan of the run",
        };
        let in_words = plan_in_words(plan);
        let mut options = SvgOptions::default();
        options.title = format!("{}: {in_words}", exhibit.claim);
        (options.id, options.alone) = (format!("run-{number}"), false);
        (options.events_max, options.mark) = (EVENTS_MAX, exhibit.moment);
        let mut pictures = vec![run.trace.svg(&options)];
        pictures.extend(chart::charts(&run.trace, &format!("chart-{number}")));
        let mut text = DiagramOptions::default();
        (text.width, text.lines_max, text.mark) = (TEXT_WIDTH, TEXT_LINES_MAX, exhibit.moment);
        let said = exhibit.seen.as_ref().and_then(|seen| match &seen.verdict {
            Verdict::Fine => None,
            Verdict::Broken(how) | Verdict::Witnessed(how) => Some(how.clone()),
        });
        let places = exhibit.found_on.iter().map(|(testbed, subject)| format!("{testbed}/{subject}"));
        let drawn_on = format!("{}/{}", exhibit.drawn_on.name(), exhibit.drawn_on.subject().name);
        Figure {
            claim: exhibit.claim,
            title: title.to_owned(),
            plan: in_words,
            how: said.or_else(|| exhibit.how.clone()),
            ended: ended(&run.end, run.elapsed),
            found_on: places.collect::<Vec<_>>().join(", "),
            command: replay_command(command, &plan.to_toml(), &drawn_on, exhibit.seed),
            drawn_on,
            pictures: pictures.into_iter().map(Picture::new).collect(),
            text: run.trace.diagram(&text),
            note: note(&run.trace),
            left_out: false,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.pictures.iter().map(|picture| picture.svg.len()).sum::<usize>() + self.text.len()
    }

    /// Like `self`, but with words alone.
    pub(super) fn without_pictures(self) -> Figure {
        Figure { pictures: Vec::new(), text: String::new(), note: None, left_out: true, ..self }
    }
}

fn note(trace: &Trace) -> Option<String> {
    let (events, packets) = (trace.events().len(), trace.packet_count());
    if packets == 0 {
        return Some(
            "There are the programs' calls alone: no packet of this testbed can be seen.".to_owned(),
        );
    }
    (events > EVENTS_MAX).then(|| {
        format!(
            "Summed up: of {} events with {} packets the picture shows the first and the last. The command \
             with --pcapng FILE keeps them all.",
            grouped(events as u64),
            grouped(packets.into()),
        )
    })
}

fn ended(end: &End, elapsed: faultwire::time::Time) -> String {
    match end {
        End::Finished => format!("every client came to its end after {elapsed}"),
        End::Failed { host, message } => {
            format!("{} failed after {elapsed}: {message}", host.as_deref().unwrap_or("an invariant"))
        }
        End::Stalled { limit, .. } => format!("stalled: not done after {limit}"),
        End::Refused { why, .. } => format!("it could not be run: {why}"),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_knows_its_size() {
        let size = |svg: &str| {
            let picture = Picture::new(svg.to_owned());
            (picture.width, picture.height, picture.is_tall())
        };
        assert_eq!(size("<svg viewBox=\"0 0 861 2150.5\" width=\"1\">"), (861, 2151, true));
        assert_eq!(size("<svg>"), (1, 1, false));
        let drawn = Trace::new(["client", "server"]).svg(&SvgOptions::default());
        assert!(Picture::new(drawn).width > 100, "what the diagram's own SVG says is found");
    }
}

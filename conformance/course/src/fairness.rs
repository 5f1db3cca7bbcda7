//! Two long flows of lesson 10 that share a narrow link: how much of it they use, how fairly they share it,
//! and how their windows move.

use std::cell::RefCell;
use std::time::Duration;

use faultwire::fault::{FaultPlan, Link, LinkNumbers};
use faultwire::machine::Machine;
use faultwire::time::Time;

use super::throughput::Unmeasured;
use super::transport::aimd::Aimd;
use super::transport::flow::{Control, Flow};
use super::{Flows, Share, Shares, Task, transport};
use crate::plot::{Axis, Kind, Line, Plot};
use faultwire_conformance::report::paragraph;

/// Messages of each flow.
const MESSAGES: usize = 1_000;

/// How long a datagram travels behind the narrow link, in the measurement that is shown.
pub const TRAVEL: Duration = Duration::from_millis(20);

/// How much later the second flow begins there.
pub const LATER: Duration = Duration::from_secs(3);

/// How many seconds of the windows are drawn.
const DRAWN_S: f64 = 12.0;

/// What came of two long flows, where nothing is lost but for want of a place before the narrow link.
#[derive(Clone, Debug)]
pub struct Fairness {
    /// Of what the narrow link could have carried, how much was of use: [`Shares::goodput`].
    pub goodput: f64,
    /// Jain's index, over the time in which both had something to send: [`Shares::fairness`].
    pub fairness: f64,
    /// Of what was given to the narrow link, how much was dropped.
    pub dropped: f64,
    /// For each flow, when its window changed, and to how many messages.
    pub windows: [Vec<(Time, usize)>; 2],
}

/// What is noted of a run.
#[derive(Debug, Default)]
struct Notes {
    shares: Option<(f64, f64, f64)>,
    windows: [Vec<(Time, usize)>; 2],
}

thread_local! {
    /// A run on the virtual clock is made on the thread that asks for it.
    static NOTES: RefCell<Notes> = RefCell::default();
}

/// A flow whose window is noted.
#[derive(Debug, Default)]
struct Watched<C> {
    flow: Flow<C>,
    /// Which of the flows, once its first message was handed over: it is at the sending side.
    which: Option<usize>,
}

impl<C: Control> Watched<C> {
    fn note(&self, now: Time) {
        let Some(which) = self.which else { return };
        let window = self.flow.window();
        NOTES.with_borrow_mut(|notes| {
            let windows = &mut notes.windows[which];
            if windows.last().is_none_or(|(_, last)| *last != window) {
                windows.push((now, window));
            }
        });
    }
}

impl<C: Control> Machine for Watched<C> {
    fn is_ready(&self) -> bool {
        self.flow.is_ready()
    }
    fn send(&mut self, now: Time, message: &[u8]) {
        self.which = Some(usize::from(message.first() != Some(&b'a')));
        self.flow.send(now, message);
        self.note(now);
    }
    fn on_datagram(&mut self, now: Time, datagram: &[u8]) {
        self.flow.on_datagram(now, datagram);
        self.note(now);
    }
    fn next_timer(&self) -> Option<Time> {
        self.flow.next_timer()
    }
    fn on_timer(&mut self, now: Time) {
        self.flow.on_timer(now);
        self.note(now);
    }
    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        self.flow.next_datagram()
    }
    fn next_message(&mut self) -> Option<Vec<u8>> {
        self.flow.next_message()
    }
    fn is_done(&self) -> bool {
        self.flow.is_done()
    }
}

/// Lets two long flows of lesson 10's mended machine share its narrow link, behind which a datagram travels
/// so long.
///
/// # Errors
/// [`Unmeasured`] where the run failed.
pub fn two_long_flows(travel: Duration, second_after: Duration) -> Result<Fairness, Unmeasured> {
    two_flows_with::<Aimd>(travel, second_after)
}

/// Like `two_long_flows`, but with any control.
pub(super) fn two_flows_with<C: Control>(
    travel: Duration,
    second_after: Duration,
) -> Result<Fairness, Unmeasured> {
    let Task::Flows(short) = &transport::CONGESTION_CONTROL.task else {
        return Err(Unmeasured("lesson 10 is about something else".to_owned()));
    };
    NOTES.take();
    let flows = Flows { messages: MESSAGES, second_after, check: note_shares, ..*short };
    let delay_us = u64::try_from(travel.as_micros()).unwrap_or(u64::MAX);
    let link = Link::Numbers(LinkNumbers::new(delay_us, 1500));
    let scenarios = flows.scenarios("two-long-flows", || Box::new(Watched::<C>::default()));
    let plan = FaultPlan::new().link(link);
    let scenario =
        scenarios.first().ok_or_else(|| Unmeasured("there is no link to try it over".to_owned()))?;
    let run = scenario.run(&plan);
    let Notes { shares, windows } = NOTES.take();
    match shares {
        Some((goodput, fairness, dropped)) if run.end.is_finished() => {
            Ok(Fairness { goodput, fairness, dropped, windows })
        }
        _ => Err(Unmeasured(format!("the run of two flows ended otherwise: {:?}", run.end))),
    }
}

/// Both flows must have brought all across.
fn note_shares(shares: &Shares<'_>) -> Result<(), String> {
    transport::both_whole(shares)?;
    let (from, until) = shares.together();
    let sum = |of: fn(&Share) -> u64| shares.flows.iter().map(of).sum::<u64>() as f64;
    let dropped = sum(|flow| flow.dropped) / sum(|flow| flow.offered);
    let seen = (shares.goodput(), shares.fairness(from, until), dropped);
    NOTES.with_borrow_mut(|notes| notes.shares = Some(seen));
    Ok(())
}

impl Fairness {
    /// In a few lines of at most 80 columns.
    pub fn words(&self) -> String {
        let title = "Two flows that share a narrow link: lesson 10";
        let mut out = format!("{title}\n{}\n\n", "─".repeat(title.len()));
        let travel = TRAVEL.as_millis();
        let words = format!(
            "The link takes 10 ms over a datagram and has 8 places before it; behind it a datagram travels \
             {travel} ms. The second flow begins {} s after the first. They use {:.0} % of the link, {:.1} % \
             of what they give to it is dropped, and Jain’s index of fairness is {:.3} while both have \
             something to send.",
            LATER.as_secs(),
            self.goodput * 100.0,
            self.dropped * 100.0,
            self.fairness,
        );
        paragraph(&mut out, "", &words, 80);
        out
    }

    /// The windows over time, as a picture.
    pub fn svg(&self) -> String {
        let curve = |windows: &[(Time, usize)]| {
            let seconds = |at: Time| at.since(Time::ZERO).as_secs_f64();
            let points = windows.iter().map(|(at, window)| (seconds(*at), *window as f64));
            let mut drawn: Vec<(f64, f64)> = points.take_while(|(at, _)| *at <= DRAWN_S).collect();
            drawn.extend(drawn.last().map(|(_, window)| (DRAWN_S, *window)));
            drawn
        };
        let line = |name: &str, windows| Line {
            name: name.to_owned(),
            curve: curve(windows),
            points: Vec::new(),
            kind: Kind::Steps,
        };
        let highest = self.windows.iter().flatten().map(|(_, window)| *window).max().unwrap_or(1);
        let marks: Vec<f64> = (0..=highest.div_ceil(4)).map(|mark| 4.0 * mark as f64).collect();
        Plot {
            id: "fairness".to_owned(),
            title: "Lesson 10: the windows of two flows that share a link".to_owned(),
            about: format!(
                "They grow by one with each round trip and are halved at a loss. Jain’s index: {:.3}.",
                self.fairness
            ),
            x: Axis::linear("time in seconds", &[0.0, 2.0, 4.0, 6.0, 8.0, 10.0, DRAWN_S]),
            y: Axis::linear("window, in messages", &marks),
            lines: vec![line("the first flow", &self.windows[0]), line("the second flow", &self.windows[1])],
        }
        .svg()
    }
}

#[cfg(test)]
mod tests {
    use super::super::transport::greedy::Greedy;
    use super::*;

    /// What lesson 10 says of long flows.
    #[test]
    fn two_long_flows_share_the_link_well_and_drop_little() {
        for after in [0, 100, 3_000] {
            let after = Duration::from_millis(after);
            let greedy = two_flows_with::<Greedy>(TRAVEL, after).unwrap();
            assert!(greedy.dropped > 0.2, "{after:?}: {}", greedy.dropped);
            let Fairness { goodput, fairness, dropped, .. } = two_long_flows(TRAVEL, after).unwrap();
            assert!(
                goodput > 0.93 && fairness > 0.99 && dropped < 0.05,
                "{after:?}: {goodput} {fairness} {dropped}"
            );
        }
    }

    #[test]
    fn over_a_short_way_the_losses_fall_into_step_and_are_less_fair() {
        for after in [0, 100, 3_000] {
            let seen = two_long_flows(Duration::from_millis(5), Duration::from_millis(after)).unwrap();
            assert!((0.8..0.95).contains(&seen.fairness), "{after}: {}", seen.fairness);
            assert!(seen.goodput > 0.95 && seen.dropped < 0.08, "{after}: {} {}", seen.goodput, seen.dropped);
        }
    }

    #[test]
    fn windows_grow_by_one_and_are_halved() {
        let seen = two_long_flows(TRAVEL, LATER).unwrap();
        for windows in &seen.windows {
            assert!(windows.len() > 100, "{}", windows.len());
            for pair in windows.windows(2) {
                let (before, after) = (pair[0].1, pair[1].1);
                let grows = after > before;
                assert!(grows || after == (before / 2).max(2) || after == 1, "{before} {after}");
            }
        }
        assert!(seen.svg().contains("the second flow"));
    }
}

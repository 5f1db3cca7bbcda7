//! Whether runs under the same plan and seed repeat, and how a search judges them where they do not.

use std::fmt;

use faultwire::fault::FaultPlan;

use super::{Explorer, Failure, Repeats};
use crate::run::{End, Run};
use crate::scenario::Scenario;

/// How often a plan is run to see whether runs repeat. An even choice between two is missed once in 128.
const RUNS: usize = 8;

/// The first event in which two runs under the same plan and seed differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// Whether the runs have the same shape: the same calls and packets in the same order at the same times,
    /// of the same lengths. Only the bytes differ then.
    pub is_of_bytes: bool,
    /// The number of the event, from 1.
    pub event: usize,
    /// What it is in each of the two runs.
    pub lines: [String; 2],
}

impl Difference {
    /// That of two runs in what `lines` says of them: a line for each event, and for the end.
    fn in_lines(is_of_bytes: bool, lines: fn(&Run) -> String, runs: [&Run; 2]) -> Option<Difference> {
        let [first, other] = runs.map(lines);
        if first == other {
            // A value that a program noted may differ beyond what its line shows.
            return (is_of_bytes && runs[0].trace.hash() != runs[1].trace.hash()).then(|| {
                let pairs = runs[0].trace.events().iter().zip(runs[1].trace.events());
                let event = pairs.take_while(|(one, two)| one == two).count();
                let line = |run| text(run).lines().nth(event).unwrap_or("(the end)").to_owned();
                Difference { is_of_bytes, event, lines: runs.map(line) }
            });
        }
        let event = first.lines().zip(other.lines()).take_while(|(one, two)| one == two).count();
        let line = |run| text(run).lines().nth(event).unwrap_or("(the end)").to_owned();
        Some(Difference { is_of_bytes, event, lines: runs.map(line) })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { is_of_bytes, event, lines: [first, other] } = self;
        let how = if *is_of_bytes { " in bytes, not in shape" } else { "" };
        write!(
            f,
            "two runs under the same plan and seed differ{how}, at event {event}:\n  {first}\n  {other}\n\
             its programs depend on something else: a tokio::select! without `biased;`, the order of a \
             HashMap, a clock or random numbers that are not the network's"
        )
    }
}

impl Scenario {
    /// Runs the base plan several times in simulation and says where two of the runs differ, if they do: in
    /// their shape, or else in the bytes that the programs send.
    ///
    /// Then the programs depend on more than the plan and the seed, and a plan that was found need not fail
    /// again: a `tokio::select!` without `biased;`, the order of a `HashMap`, a clock or a random source of
    /// their own.
    pub fn difference(&self) -> Option<Difference> {
        self.difference_under(&self.base)
    }

    /// Like [`difference`](Self::difference), under another plan.
    pub(super) fn difference_under(&self, plan: &FaultPlan) -> Option<Difference> {
        if !self.testbed.is_simulated() {
            return None;
        }
        let first = self.run(plan);
        let others: Vec<Run> =
            (1..RUNS).map(|_| self.run(plan)).filter(|run| !is_equal(run, &first)).collect();
        let of_shape = |run: &Run| Difference::in_lines(false, shape, [&first, run]);
        let of_bytes = |run: &Run| Difference::in_lines(true, text, [&first, run]);
        others.iter().find_map(of_shape).or_else(|| others.iter().find_map(of_bytes))
    }

    /// Runs a plan to see whether it fails: several times, until it does, where runs do not repeat.
    pub(super) fn run_for_failure(&self, plan: &FaultPlan) -> Run {
        let mut run = self.run_in_full(plan);
        for nth in 1..RUNS {
            let has_failed = run.fired.all() && !run.end.is_finished();
            if has_failed || !self.testbed.is_simulated() {
                break;
            }
            let next = self.run_in_full(plan);
            if nth == 1 && is_equal(&run, &next) {
                break;
            }
            if next.fired.all() || !run.fired.all() {
                run = next;
            }
        }
        run
    }
}

/// Whether the runs are the same, byte for byte.
fn is_equal(one: &Run, two: &Run) -> bool {
    one.trace.hash() == two.trace.hash() && one.end == two.end
}

/// A run as lines: its events and its end.
fn text(run: &Run) -> String {
    format!("{}{}", run.trace.text(), super::report::ending(run))
}

/// A run's shape as lines. What a program says of its end may bear random numbers.
fn shape(run: &Run) -> String {
    let end = match &run.end {
        End::Failed { host, .. } => format!("{} failed", host.as_deref().unwrap_or("an invariant")),
        End::Stalled { .. } => "stalled".to_owned(),
        _ => super::report::ending(run),
    };
    format!("{}{end}", run.trace.shape())
}

/// How the runs of a search repeat, and so what a failure says.
#[derive(Clone, Debug)]
pub(super) struct Judgement {
    explorer: Explorer,
    difference: Option<Difference>,
}

impl Explorer {
    /// Runs the base plan several times, and says how the search judges its runs.
    ///
    /// # Errors
    /// Why there is no search: its runs have to repeat, and do not.
    pub(super) fn judgement(&self) -> Result<Judgement, String> {
        let difference = self.scenario.difference();
        let mut explorer = self.clone();
        match &difference {
            Some(difference) if !difference.is_of_bytes && !self.scenario.is_nondeterministic => {
                let seeded = self.how_to_seed();
                return Err(format!(
                    "{difference}\n{seeded}if runs cannot repeat, say so: `Scenario::nondeterministic`"
                ));
            }
            // A failure may depend on the bytes.
            Some(_) if self.repeats == Repeats::NONE => {
                explorer.repeats = Repeats::SIMULATED.without_faults(1);
            }
            _ => {}
        }
        Ok(Judgement { explorer, difference })
    }

    /// What makes random numbers repeat, if the scenario does not have it.
    fn how_to_seed(&self) -> &'static str {
        match self.scenario.randomness {
            Some(_) => "",
            None => "random numbers repeat with the crate faultwire-seeded: `Scenario::randomness`\n",
        }
    }
}

impl Judgement {
    /// What searches.
    pub(super) fn explorer(&self) -> &Explorer {
        &self.explorer
    }

    /// Says how runs repeat, where they do not do so byte for byte; empty where they do.
    pub(super) fn note(&self) -> String {
        let how = match &self.difference {
            _ if self.explorer.scenario.is_nondeterministic => {
                "runs need not repeat (the scenario is `nondeterministic`): how they end is all that counts"
            }
            Some(_) => "runs repeat in shape, not in bytes: a failure may depend on the bytes",
            None => return String::new(),
        };
        match &self.difference {
            Some(difference) => format!("{how}\n{difference}\n{}", self.explorer.how_to_seed()),
            None => format!("{how}\n"),
        }
    }

    /// Says whether the smallest plan of a failure fails each time.
    pub(super) fn of(&self, failure: &Failure) -> String {
        let mut note = match failure.rate {
            Some(rate) => format!("{} of {} runs under this plan fail\n", rate.failed, rate.of),
            None => String::new(),
        };
        note += &self.note();
        // Runs without the plan's faults repeat; it may be the faults that make programs draw.
        let plan = &failure.smallest.plan;
        if note.is_empty()
            && let Some(difference) = self.explorer.scenario.difference_under(plan)
        {
            note = format!("a replay may not fail: {difference}\n{}", self.explorer.how_to_seed());
        }
        note
    }
}

//! What came of a search, in words.

use std::fmt::Write as _;

use faultwire::fault::{FaultPlan, Link};
use faultwire::trace::{DiagramOptions, Trace};
use faultwire_sim::search::Tried;

use super::Broken;
use faultwire_conformance::report::{grouped, paragraph, plan_in_words};

/// The widest line, in columns.
pub const WIDTH: usize = 80;

/// A failure: its plan, its diagram, what the check says, how it was found.
pub fn shown(broken: &Broken) -> String {
    let mut out = plan_and_diagram(&broken.run.plan, &broken.run.trace);
    paragraph(&mut out, "It fails: ", &broken.how, WIDTH);
    let smallest = if broken.is_minimal {
        "nothing of the plan can be left out or lessened"
    } else {
        "it may not be the smallest plan"
    };
    let plans = counted(broken.tried.runs(), "plan");
    let found = if broken.run.plan.faults.is_empty() && broken.run.plan.events.is_empty() {
        "in the run without faults".to_owned()
    } else {
        format!("after {plans}, and {} to lessen it; {smallest}", counted(broken.shrink_runs, "run"))
    };
    paragraph(&mut out, "Found:    ", &found, WIDTH);
    out
}

/// A plan in a sentence, and what happened under it.
pub fn plan_and_diagram(plan: &FaultPlan, trace: &Trace) -> String {
    let mut out = String::new();
    let mut words = plan_in_words(plan);
    if plan.link != Link::default() {
        let delay_ms = plan.link.numbers().delay_us / 1_000;
        let _ = write!(words, ", over a link that takes {delay_ms} ms each way");
    }
    paragraph(&mut out, "  ", &words, WIDTH);
    if trace.events().is_empty() {
        out.push_str("\n  (Nothing went over the network.)\n\n");
        return out;
    }
    let mut options = DiagramOptions::default();
    (options.width, options.lines_max) = (WIDTH, 40);
    let _ = write!(out, "\n{}\n", trace.diagram(&options));
    out
}

/// How hard was tried.
pub fn counts(tried: &Tried) -> String {
    format!(
        "under every plan of no fault ({}), one ({}) and two ({}), and {} random ones of up to eight; {} of \
         {} planned faults took place",
        grouped(tried.fault_free),
        grouped(tried.singles),
        grouped(tried.pairs),
        grouped(tried.random),
        grouped(tried.faults_fired),
        grouped(tried.faults_planned),
    )
}

/// A count with its noun: `1 plan`, `2 plans`.
pub fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(count), if count == 1 { "" } else { "s" })
}

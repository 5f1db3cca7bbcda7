//! The plans that a study is tried under in a lab, whose runs take real time.

use std::collections::BTreeSet;

use faultwire::fault::{Action, Class, Direction, EventKind, Fault, FaultPlan, Packet, When};
use faultwire::trace::What;
use faultwire_sim::Run;

use crate::study::{Search, Study};

/// Of the plans that no grid holds so many are tried at least.
const FURTHER_MIN: u64 = 2;

/// The plans beyond those of the sweep: one fault of each kind on the first packet of the run without faults that bears what
/// the programs send, and some of the study's own, where a lab can carry them.
pub(super) fn plans(study: &Study, fault_free: &Run, own: Vec<FaultPlan>, count: u64) -> Vec<FaultPlan> {
    let mut plans = if study.search == Search::FAULT_FREE { Vec::new() } else { first_packet(fault_free) };
    let own: Vec<FaultPlan> = own.into_iter().filter(is_possible).collect();
    let wanted = usize::try_from(count.max(FURTHER_MIN)).unwrap_or(usize::MAX).min(own.len());
    // An even sample, the first among them.
    let places: BTreeSet<usize> = (0..wanted).map(|place| place * own.len() / wanted).collect();
    plans.extend(
        own.into_iter().enumerate().filter(|(place, _)| places.contains(place)).map(|(_, plan)| plan),
    );
    plans
}

/// Whether all of a plan's events can happen in a lab: there is no time of which two runs say the same.
fn is_possible(plan: &FaultPlan) -> bool {
    plan.events.iter().all(|event| {
        !matches!(event.kind, EventKind::Crash(_) | EventKind::Restart(_))
            && !matches!(event.when, When::AtUs(_))
    })
}

/// One fault of each kind on the first packet with data.
fn first_packet(run: &Run) -> Vec<FaultPlan> {
    let trace = &run.trace;
    let first = trace.events().iter().find_map(|event| match &event.what {
        What::Sent { from, to, label, .. } => {
            let Packet { class, .. } = label.packet();
            let bears = matches!(class, Class::Data | Class::Datagram | Class::Fragment);
            bears.then(|| (*from, *to, label.packet()))
        }
        _ => None,
    });
    let Some((from, to, packet)) = first else { return Vec::new() };
    let direction = Direction::new(trace.host_name(from), trace.host_name(to));
    let fault = |packet, action| Fault { direction: direction.clone(), packet, action };
    let plan = |faults| FaultPlan { faults, ..run.plan.clone() };
    [Action::Drop, Action::Duplicate, Action::HoldFor(1)]
        .map(|action| plan(vec![fault(packet, action)]))
        .to_vec()
}

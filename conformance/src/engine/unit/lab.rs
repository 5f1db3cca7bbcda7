//! The plans that a study is tried under in a lab, whose runs take real time.

use std::collections::BTreeSet;

use faultwire::fault::{Action, Class, Direction, Fault, FaultPlan, Packet, When};
use faultwire::trace::What;
use faultwire_sim::Run;

use crate::study::{Search, Study};

/// Studies whose runs take a second or more in a lab. They are begun first, so that none of them is what all
/// wait for in the end.
const LONG: [&str; 10] = [
    "tcp-simultaneous-close",
    "tcp-time-wait",
    "tcp-half-open",
    "tcp-backlog",
    "tcp-slow-reader",
    "tcp-late-window",
    "tcp-buffers",
    "tcp-stopped-reader",
    "tcp-unread",
    "tcp-busy-reader",
];

/// Where a study stands in the queue: those whose runs are long come first.
pub(super) fn rank(study: &Study) -> usize {
    LONG.iter().position(|name| *name == study.name).unwrap_or(LONG.len())
}

/// How many plans that no grid holds are tried at least.
const FURTHER_MIN: u64 = 2;

/// The plans beyond those of the sweep: one fault of each kind on the first packet of the run without faults
/// that bears what the programs send, and some of the study's own, where a lab can carry them.
pub(super) fn plans(study: &Study, fault_free: &Run, own: Vec<FaultPlan>, count: u64) -> Vec<FaultPlan> {
    let mut plans = if study.search == Search::FAULT_FREE { Vec::new() } else { on_data(fault_free) };
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
    plan.events.iter().all(|event| !matches!(event.when, When::AtUs(_)))
}

/// A packet that bears what programs send, and its length in bytes.
struct Bearer {
    direction: Direction,
    packet: Packet,
    len: usize,
}

/// One fault of each kind on the first packet with data; and, of a stream, the loss of one in the middle, so
/// that others come behind it.
fn on_data(run: &Run) -> Vec<FaultPlan> {
    let trace = &run.trace;
    let bearers: Vec<Bearer> = trace
        .events()
        .iter()
        .filter_map(|event| match &event.what {
            What::Sent { from, to, label, bytes, .. } => {
                let packet = label.packet();
                let bears = matches!(packet.class, Class::Data | Class::Datagram | Class::Fragment);
                let direction = || Direction::new(trace.host_name(*from), trace.host_name(*to));
                bears.then(|| Bearer { direction: direction(), packet, len: bytes.len() })
            }
            _ => None,
        })
        .collect();
    let Some(first) = bearers.first() else { return Vec::new() };
    let plan = |bearer: &Bearer, action| {
        let fault = Fault::new(bearer.direction.clone(), bearer.packet, action);
        FaultPlan { faults: vec![fault], ..run.plan.clone() }
    };
    let last_byte = u32::try_from(first.len.saturating_sub(1) * 8).unwrap_or(0);
    let actions = [Action::Drop, Action::Duplicate, Action::HoldFor(1), Action::CorruptBits(vec![last_byte])];
    let mut plans: Vec<FaultPlan> = actions.map(|action| plan(first, action)).to_vec();
    let stream =
        bearers.iter().filter(|it| it.packet.class == Class::Data && it.direction == first.direction);
    let stream: Vec<&Bearer> = stream.collect();
    if stream.len() > 4 {
        plans.push(plan(stream[stream.len() / 2], Action::Drop));
    }
    plans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_ones_are_studies_and_come_first() {
        let studies = crate::engine::studies();
        for name in LONG {
            let study = studies.iter().find(|study| study.name == name);
            assert!(rank(study.unwrap_or_else(|| panic!("{name} is no study"))) < LONG.len());
        }
        let other = studies.iter().find(|study| study.name == "udp-numbered").expect("a study");
        assert_eq!(rank(other), LONG.len());
    }
}

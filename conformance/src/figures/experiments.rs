//! What is done to the tried host, and which figures that shows.

mod acknowledging;
mod refusing;
mod sending;
mod windows;

use std::io;

use faultwire::fault::{Action, Class, Direction, Fault, FaultPlan, Link, LinkNumbers, Packet};

use super::bench::{Bench, PEER, TRIED};
use super::figure::Figure;

/// One run of two hosts, made for both subjects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Experiment {
    /// Its name.
    pub(super) name: &'static str,
    /// What goes wrong, and how long the link is.
    pub(super) plan: fn() -> FaultPlan,
    /// What the programs do; gives what they note of their calls.
    pub(super) hosts: fn(&Bench) -> io::Result<Vec<String>>,
    /// What is read from the run.
    pub(super) figures: &'static [Figure],
}

/// All of them, in the order of the report.
pub(super) const ALL: [&Experiment; 11] = [
    &sending::SILENT_PEER,
    &sending::LOST_SYN_ACK,
    &sending::LOST_DATA,
    &sending::LOST_FIN,
    &sending::GAP,
    &sending::FIRST_FLIGHT,
    &acknowledging::CONVERSATION,
    &acknowledging::STREAM,
    &windows::PEER_DOES_NOT_READ,
    &windows::TRIED_DOES_NOT_READ,
    &refusing::CLOSED_PORTS,
];

/// The way that the tried host's packets go, and the other one.
fn forth() -> Direction {
    Direction::new(TRIED, PEER)
}
fn back() -> Direction {
    Direction::new(PEER, TRIED)
}

/// A plan on a link with that delay, one way.
fn plan(delay_us: u64, rate_kbps: Option<u64>, faults: Vec<Fault>) -> FaultPlan {
    let link = Link::Numbers(LinkNumbers { rate_kbps, ..LinkNumbers::new(delay_us, 1500) });
    FaultPlan::new().link(link).faults(faults)
}

/// Drops those packets of a class.
fn drops(direction: Direction, class: Class, which: std::ops::RangeInclusive<u32>) -> Vec<Fault> {
    let fault = |nth| Fault::new(direction.clone(), Packet::nth(class, nth), Action::Drop);
    which.map(fault).collect()
}

//! How long packets are on their way as a rule.

use std::collections::BTreeMap;

use super::super::flight::Flight;
use crate::model::{HostId, PacketId, Time};

/// The usual time on the way, in nanoseconds: the median.
#[derive(Debug)]
pub(super) struct Usual {
    /// Of all packets.
    pub(super) all: f64,
    ways: BTreeMap<(HostId, HostId), u64>,
}

impl Usual {
    pub(super) fn of(flights: &BTreeMap<PacketId, Flight>) -> Usual {
        let (mut all, mut ways) = (Vec::new(), BTreeMap::<_, Vec<u64>>::new());
        for flight in flights.values() {
            for landing in flight.landings.iter().filter(|landing| landing.lost.is_none()) {
                let nanos = landing.at.as_nanos().saturating_sub(flight.at.as_nanos());
                if nanos > 0 {
                    all.push(nanos);
                    if !flight.delayed {
                        ways.entry((flight.from, flight.to)).or_default().push(nanos);
                    }
                }
            }
        }
        let median = |mut nanos: Vec<u64>| {
            nanos.sort_unstable();
            nanos.get(nanos.len() / 2).copied()
        };
        Usual {
            all: median(all).map_or(1e6, |nanos| nanos as f64),
            ways: ways.into_iter().filter_map(|(way, nanos)| Some((way, median(nanos)?))).collect(),
        }
    }

    /// When it would have arrived, had nothing happened to it.
    pub(super) fn landing(&self, flight: &Flight) -> Time {
        let nanos = self.ways.get(&(flight.from, flight.to)).copied().unwrap_or(self.all as u64);
        let usual = flight.at.as_nanos().saturating_add(nanos);
        let late = flight.landings.iter().filter(|landing| landing.lost.is_none()).map(|landing| landing.at);
        late.min().map_or(Time::from_nanos(usual), |late| late.min(Time::from_nanos(usual)))
    }
}

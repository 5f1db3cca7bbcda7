//! The wire: a pure machine that carries packets between hosts and applies a plan to them.

use bytes::Bytes;

use super::FaultPlan;
use crate::time::Time;
use crate::trace::{HostId, PacketId, Trace};

/// A link between hosts, under a plan.
#[derive(Debug)]
pub struct Wire {}

/// Something that is due at the far end of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: Time,
    /// What.
    pub what: DueWhat,
}

/// What is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DueWhat {
    /// A packet arrives.
    Packet(Delivery),
    /// A host loses power.
    Crash(HostId),
    /// A host starts again.
    Restart(HostId),
}

/// A packet at the end of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Which packet.
    pub packet: PacketId,
    /// 0, or 1 for the copy that a duplication made.
    pub copy: u8,
    /// Who is to get it.
    pub to: HostId,
    /// The whole IP packet, as it arrives.
    pub bytes: Bytes,
    /// Whether `bytes` differ from what was sent.
    pub altered: bool,
}

/// Which of a plan's faults and events took place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fired {
    /// For each fault of the plan, in its order.
    pub faults: Vec<bool>,
    /// For each event of the plan, in its order.
    pub events: Vec<bool>,
}

impl Fired {
    /// How many faults and events took place.
    pub fn count(&self) -> usize {
        self.faults
            .iter()
            .chain(&self.events)
            .filter(|fired| **fired)
            .count()
    }

    /// Whether all of them took place.
    pub fn all(&self) -> bool {
        self.faults.iter().chain(&self.events).all(|fired| *fired)
    }
}

/// A plan speaks of a host that the run does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan names the host `{name}`, but the hosts of this run are {}", hosts.join(", "))]
pub struct UnknownHost {
    /// The name.
    pub name: String,
    /// The names that there are.
    pub hosts: Vec<String>,
}

impl Wire {
    /// A wire between these hosts, under this plan.
    ///
    /// # Errors
    /// [`UnknownHost`] where the plan names a host that is not among `hosts`.
    pub fn new(_plan: &FaultPlan, _hosts: &[String]) -> Result<Wire, UnknownHost> {
        Ok(Wire {})
    }

    /// Takes a whole IP packet from a host, to be carried to another; records it and the faults that hit it.
    pub fn send(&mut self, _now: Time, _from: HostId, _to: HostId, _packet: Bytes, _trace: &mut Trace) {}

    /// When something is due next.
    pub fn next_due(&self) -> Option<Time> {
        None
    }

    /// The next thing that is due at `now` or before, in the order of (time, host, sequence).
    ///
    /// Partitions, heals and injections that are due are carried out (and recorded) here and need nothing from
    /// the caller. The caller records the arrival, or the loss where the host is down.
    pub fn poll(&mut self, _now: Time, _trace: &mut Trace) -> Option<Due> {
        None
    }

    /// What has taken place of the plan so far.
    pub fn fired(&self) -> Fired {
        Fired::default()
    }
}

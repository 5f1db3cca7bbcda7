//! What a scenario runs on.

use std::{fmt, io};

use faultwire::fault::FaultPlan;

use super::Scenario;
use crate::run::Run;

/// What moves time and packets between the hosts of a scenario, and whose sockets their programs have there.
///
/// [`testbed`](crate::testbed) has those of this crate. Two are equal if they have the same name and subject.
pub trait Testbed: fmt::Debug + Send + Sync {
    /// What it is called by: `lab`.
    fn name(&self) -> &'static str;
    /// Whose TCP and UDP is tried.
    fn subject(&self) -> Subject;
    /// What it is, in a sentence.
    fn about(&self) -> &'static str;
    /// What it can do.
    fn capabilities(&self) -> Capabilities;
    /// Runs a scenario once under a plan. One with faults comes only to a testbed that carries them.
    fn run(&self, scenario: &Scenario, plan: &FaultPlan) -> Run;
    /// Whether this machine has it; if so, what is worth a word.
    ///
    /// # Errors
    /// What is missing, and what would help.
    fn probe(&self) -> Result<Option<&'static str>, Unavailable> {
        Ok(None)
    }
    /// How the subject's settings differ from its defaults, each with the reason; empty if they do not.
    fn deviations(&self) -> &'static [&'static str] {
        &[]
    }
}

/// A testbed, as scenarios hold it.
pub type TestbedRef = &'static dyn Testbed;

impl dyn Testbed {
    /// Whether it has a capability.
    pub fn has(&self, capability: Capability) -> bool {
        self.lacks(capability).is_none()
    }

    /// Why it does not have a capability, if it does not.
    pub fn lacks(&self, capability: Capability) -> Option<&'static str> {
        let lacking = self.capabilities().lacking;
        lacking.iter().find(|(other, _)| *other == capability).map(|(_, why)| *why)
    }

    /// How time passes.
    pub fn clock(&self) -> Clock {
        self.capabilities().clock
    }

    /// Whether time is simulated, so that runs repeat bit for bit.
    pub fn is_simulated(&self) -> bool {
        self.clock() != Clock::Real
    }

    /// Whether time is real, and the packets on the wire are seen, as in a lab: no two runs are the same.
    pub fn is_live(&self) -> bool {
        self.clock() == Clock::Real && self.has(Capability::Packets)
    }
}

impl PartialEq for dyn Testbed + '_ {
    fn eq(&self, other: &Self) -> bool {
        (self.name(), self.subject()) == (other.name(), other.subject())
    }
}

impl Eq for dyn Testbed + '_ {}

impl fmt::Display for dyn Testbed + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name(), self.subject())
    }
}

/// Why a machine does not have a testbed.
#[derive(Debug, thiserror::Error)]
#[error("{step}")]
pub struct Unavailable {
    /// The step that failed.
    pub step: String,
    /// What would allow it.
    pub allow: String,
    /// The system's error, if there was one.
    #[source]
    pub source: Option<io::Error>,
}

/// Whose TCP and UDP is tried: the client's and the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// What it is called by: `ours`, or `ours-kernel`.
    pub name: &'static str,
    /// Whose sockets the clients have.
    pub client: &'static str,
    /// Whose sockets the server has.
    pub server: &'static str,
}

impl Subject {
    /// This project's stack.
    pub const OURS: Subject = Subject::both("ours");
    /// The operating system's sockets.
    pub const KERNEL: Subject = Subject::both("kernel");
    /// turmoil's sockets.
    pub const TURMOIL: Subject = Subject::both("turmoil");

    /// The same on both sides.
    pub const fn both(name: &'static str) -> Subject {
        Subject { name, client: name, server: name }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What a testbed can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// How time passes.
    pub clock: Clock,
    /// What it cannot do, each with the reason.
    pub lacking: &'static [(Capability, &'static str)],
}

/// How time passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// It jumps from event to event.
    Virtual,
    /// In steps of so many microseconds, which times of a plan are rounded up to.
    Ticks(u64),
    /// The system's.
    Real,
}

impl Clock {
    /// The step that times move in, in microseconds.
    pub fn tick_us(self) -> u64 {
        match self {
            Clock::Ticks(us) => us,
            Clock::Virtual | Clock::Real => 1,
        }
    }
}

/// What a scenario or a check may need of a testbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// The faults of a plan.
    Faults,
    /// A trace of the packets as the hosts put them on the wire, and a wire that can hit each.
    Packets,
    /// A link whose delay a plan says.
    Delay,
    /// A link whose MTU a plan says.
    Mtu,
    /// Streams.
    Streams,
    /// Buffers, linger and the like, which a program sets.
    Options,
    /// Addresses of IPv6.
    Ipv6,
    /// Hosts that see each other's addresses.
    Addresses,
    /// A link that several hosts share, for broadcast and groups.
    Group,
    /// ICMP errors that reach their host.
    Icmp,
    /// Fragments.
    Fragments,
    /// Packets that reach their host as damaged as the plan has them.
    Damage,
    /// Plans that name acknowledgements.
    Acknowledgements,
    /// The same sequence numbers in each run, so that segments can be made beforehand.
    SequenceNumbers,
    /// Seconds in which nothing happens, at no cost.
    Seconds,
    /// The same of minutes.
    Minutes,
}

//! What a scenario runs on.

use std::{fmt, io};

use faultwire::fault::FaultPlan;

use super::Scenario;
use crate::run::Run;

/// Moves time and packets between the hosts of a scenario, and says whose sockets their programs use.
///
/// [`testbed`](crate::testbed) lists those of this crate. Two are equal if they have the same name and
/// subject. [`Programs`](crate::Programs) has an example of one.
pub trait Testbed: fmt::Debug + Send + Sync {
    /// Its name: `lab`.
    fn name(&self) -> &'static str;
    /// Whose TCP and UDP are tested.
    fn subject(&self) -> Subject;
    /// A one-sentence description.
    fn about(&self) -> &'static str;
    /// What it can do.
    fn capabilities(&self) -> Capabilities;
    /// Runs a scenario once under a plan. Only a testbed that supports faults gets a plan with faults.
    fn run(&self, scenario: &Scenario, plan: &FaultPlan) -> Run;
    /// Whether this machine offers it; if so, an optional remark.
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

/// A reference to a testbed, as scenarios hold it.
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

    /// Whether time is real and packets are traced, as in a lab. No two such runs are identical.
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

/// Why a testbed is unavailable on this machine.
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

/// Whose TCP and UDP are tested: the client's and the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// Its name: `faultwire`, or `faultwire-linux` for a pair.
    pub name: &'static str,
    /// Whose sockets the clients have.
    pub client: &'static str,
    /// Whose sockets the server has.
    pub server: &'static str,
}

impl Subject {
    /// This project's stack.
    pub const FAULTWIRE: Subject = Subject::both("faultwire");
    /// The operating system's sockets.
    pub const LINUX: Subject = Subject::both("linux");
    /// turmoil's sockets.
    pub const TURMOIL: Subject = Subject::both("turmoil");

    /// One implementation on both sides.
    pub const fn both(name: &'static str) -> Subject {
        Subject { name, client: name, server: name }
    }

    /// Whether a third party's code takes part: anything but faultwire's stack and Linux.
    pub fn is_foreign(&self) -> bool {
        let own = [Subject::FAULTWIRE.name, Subject::LINUX.name];
        !own.contains(&self.client) || !own.contains(&self.server)
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
    /// In steps of this many microseconds. A plan's times are rounded up to a step.
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

/// Something that a scenario or a check may need from a testbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// The faults of a plan.
    Faults,
    /// A trace of the packets as the hosts send them, and a wire that can apply a fault to each.
    Packets,
    /// A link whose delay the plan sets.
    Delay,
    /// A link whose MTU the plan sets.
    Mtu,
    /// Streams.
    Streams,
    /// Socket options that a program sets: buffers, linger and the like.
    Options,
    /// Listeners whose backlog a program sets.
    Backlog,
    /// Sockets whose longest segment a program sets.
    MaxSegment,
    /// IPv6 addresses.
    Ipv6,
    /// Hosts that see each other's real addresses.
    Addresses,
    /// A link that several hosts share, for broadcast and multicast.
    Group,
    /// ICMP errors that are delivered to the host they are for.
    Icmp,
    /// Fragments.
    Fragments,
    /// Packets that arrive corrupted exactly as planned.
    Damage,
    /// Plans that name acknowledgements.
    Acknowledgements,
    /// Identical sequence numbers in every run, so that segments can be built in advance.
    SequenceNumbers,
    /// Seconds in which nothing happens, at no cost.
    Seconds,
    /// Minutes in which nothing happens, at no cost.
    Minutes,
}

impl Capability {
    /// All of them.
    pub const ALL: [Capability; 18] = [
        Capability::Faults,
        Capability::Packets,
        Capability::Delay,
        Capability::Mtu,
        Capability::Streams,
        Capability::Options,
        Capability::Backlog,
        Capability::MaxSegment,
        Capability::Ipv6,
        Capability::Addresses,
        Capability::Group,
        Capability::Icmp,
        Capability::Fragments,
        Capability::Damage,
        Capability::Acknowledgements,
        Capability::SequenceNumbers,
        Capability::Seconds,
        Capability::Minutes,
    ];

    /// Its name in files: `max-segment`.
    pub fn name(self) -> &'static str {
        match self {
            Capability::Faults => "faults",
            Capability::Packets => "packets",
            Capability::Delay => "delay",
            Capability::Mtu => "mtu",
            Capability::Streams => "streams",
            Capability::Options => "options",
            Capability::Backlog => "backlog",
            Capability::MaxSegment => "max-segment",
            Capability::Ipv6 => "ipv6",
            Capability::Addresses => "addresses",
            Capability::Group => "group",
            Capability::Icmp => "icmp",
            Capability::Fragments => "fragments",
            Capability::Damage => "damage",
            Capability::Acknowledgements => "acknowledgements",
            Capability::SequenceNumbers => "sequence-numbers",
            Capability::Seconds => "seconds",
            Capability::Minutes => "minutes",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Capability> {
        Capability::ALL.into_iter().find(|it| it.name() == name)
    }
}

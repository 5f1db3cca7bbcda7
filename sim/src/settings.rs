//! What a run is given beside its scenario and its plan.

use std::time::Duration;

use crate::subject::MakeStack;

/// Seed and limits of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Decides ephemeral ports and identifications.
    pub seed: u64,
    /// Virtual time after which a run counts as stalled.
    pub time_max: Duration,
    /// Events (socket calls, packets, timers) after which a simulated run of our stack counts as stalled.
    pub events_max: u64,
    /// Polls of a host's program after which a run counts as stalled: a program that never waits for anything
    /// that takes time would run forever. A task that the program spawned, and that only yields, is not
    /// counted.
    pub polls_max: u64,
    /// Real time after which a run over real sockets counts as stalled.
    pub real_time_max: Duration,
    /// Timers and limits of the TCP in the simulated stacks.
    pub tcp: faultwire::tcp::Config,
    /// Whether a simulated run of our stack leaves a trace. Checks, invariants, searches and reports of a
    /// stall look at it: without one a run tells how it ended and what fired, and costs a little less.
    pub trace: bool,
    /// The deliberate bug in the simulated stacks.
    #[cfg(feature = "mutants")]
    pub mutant: Option<faultwire::stack::Mutant>,
    /// Makes the stack of each host that has none of the kernel.
    pub(crate) stack: MakeStack,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            seed: 0,
            time_max: Duration::from_secs(600),
            events_max: 1_000_000,
            polls_max: 10_000_000,
            real_time_max: Duration::from_secs(20),
            tcp: faultwire::tcp::Config::default(),
            trace: true,
            #[cfg(feature = "mutants")]
            mutant: None,
            stack: MakeStack::default(),
        }
    }
}

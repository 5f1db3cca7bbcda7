//! What a run is given beside its scenario and its plan.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use faultwire::stack::{HostStack, StackConfig};

use crate::new_host::{MakeStack, NewHost, Role};
use crate::seed;

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

impl Settings {
    /// The stack of the host with this index, for one of its incarnations.
    pub(crate) fn new_stack(
        &self,
        role: &Role,
        (index, incarnation): (usize, u32),
        (v4, v6): (Ipv4Addr, Ipv6Addr),
        mtu: u16,
    ) -> Box<dyn HostStack> {
        let mut config = StackConfig::new(v4, v6);
        config.mtu = mtu;
        config.tcp = self.tcp.clone();
        config.seed = seed::derive(self.seed, &("stack", index, incarnation));
        #[cfg(feature = "mutants")]
        {
            config.mutant = self.mutant;
        }
        self.stack.make(NewHost { name: &role.name, is_server: role.is_server, config })
    }
}

//! Programs that depend on more than the plan and the seed: what lets them repeat, and what lets them differ.

use std::panic::resume_unwind;
use std::thread::{self, Builder};

use faultwire::fault::FaultPlan;

use super::Scenario;
use crate::run::Run;
use crate::seed::derive;

impl Scenario {
    /// Its programs need not repeat under the same plan and seed: how long their messages are, when and in
    /// which order they send them depends on the order of a `HashMap`, on a clock, or on random numbers that
    /// are not the network's.
    ///
    /// [`check`](Self::check) refuses such a scenario by default. With this it searches all the same and
    /// judges runs by how they end: faults hit packets that several runs without faults have, a smaller plan
    /// is taken if several runs fail under it, and the report says how many of ten runs fail under the
    /// smallest. A replay may not fail. Programs that repeat but for the bytes that they send do not need it.
    ///
    /// ```
    /// use std::hash::{BuildHasher as _, RandomState};
    /// use faultwire_sim::prelude::*;
    ///
    /// faultwire_sim::scenario("padded")
    ///     .server(|net: Net| async move {
    ///         let socket = net.datagram("0.0.0.0:7000", &[]).await?;
    ///         let received = socket.recv_from(&mut [0; 512]).await?;
    ///         socket.send_to(b"yes", received.from).await
    ///     })
    ///     .client(|net: Net| async move {
    ///         let length = RandomState::new().hash_one(0) % 512;
    ///         let socket = net.datagram("0.0.0.0:0", &[]).await?;
    ///         socket.connect("server:7000").await?;
    ///         socket.send(&vec![0; length as usize]).await?;
    ///         assert_eq!(socket.recv_from(&mut [0; 16]).await?.len, 3);
    ///         Ok(())
    ///     })
    ///     .nondeterministic()
    ///     .check();
    /// ```
    #[must_use]
    pub fn nondeterministic(mut self) -> Self {
        self.is_nondeterministic = true;
        self
    }

    /// Makes the random numbers that programs draw from the system follow from the scenario's
    /// [`seed`](Self::seed), in simulation. `seed_thread` is that of the crate `faultwire-seeded`: it is
    /// called with a seed at the start of each run, and each run has a thread for itself then.
    ///
    /// The order in which `tokio::select!` without `biased;` polls its branches is not among them. It follows
    /// from the seed, with or without this, where all is built with `RUSTFLAGS="--cfg tokio_unstable"`.
    /// (There turmoil ends a simulation at the panic of a spawned task, so that the run is refused.)
    #[must_use]
    pub fn randomness(mut self, seed_thread: fn(u64)) -> Self {
        self.randomness = Some(seed_thread);
        self
    }

    /// Runs it on a new thread, whose random numbers follow from the seed where that was asked for.
    pub(super) fn run_on_a_new_thread(&self, plan: &FaultPlan) -> Run {
        let run = || {
            if let Some(seed_thread) = self.randomness.filter(|_| self.testbed.is_simulated()) {
                seed_thread(derive(self.settings.seed, &"the programs' random numbers"));
            }
            self.run_here(plan)
        };
        match thread::scope(|scope| Builder::new().spawn_scoped(scope, run).map(|thread| thread.join())) {
            Ok(joined) => joined.unwrap_or_else(|panic| resume_unwind(panic)),
            Err(error) => self.troubled(plan, format!("a run needs a thread: {error}")),
        }
    }
}

//! The scenario builder: what the hosts do in a run. [`faults`] is what may go wrong with them, [`running`]
//! makes a run of it.

mod death;
mod faults;
mod memory;
mod moment;
mod randomness;
mod report;
mod running;
mod testbed;

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire::stack::HostStack;
use faultwire::text::with_causes;
use faultwire::trace::{DiagramOptions, HostId};

use crate::cancel::CancellationToken;
use crate::logs;
use crate::net::Net;
use crate::new_host::{MakeStack, NewHost};
use crate::program::ProgramFuture;
use crate::run_state::MakeState;
use crate::search::{Death, Family, RandomFaults};
use crate::settings::Settings;
use crate::skew::Skew;

pub use moment::Moment;
pub use testbed::{Capabilities, Capability, Clock, Subject, Testbed, TestbedRef, Unavailable};

/// Any error of a program.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a client's future ends with: `Ok`, or the error that makes the run a failure.
pub type Result<T = (), E = BoxError> = std::result::Result<T, E>;

type Program = Arc<dyn Fn(Net) -> ProgramFuture + Send + Sync>;
type Variants = Arc<dyn Fn(&str) -> Option<Scenario> + Send + Sync>;
type Invariant = Arc<dyn Fn(&Moment<'_>) -> std::result::Result<(), String> + Send + Sync>;

/// What a server's future may end with: nothing, or a result whose error makes the run a failure.
pub trait Ending {
    /// The error's text, if it is one.
    ///
    /// # Errors
    /// The text of the program's own error.
    fn ending(self) -> std::result::Result<(), String>;
}

impl Ending for () {
    fn ending(self) -> std::result::Result<(), String> {
        Ok(())
    }
}

impl Ending for std::convert::Infallible {
    fn ending(self) -> std::result::Result<(), String> {
        match self {}
    }
}

impl<T, E: Into<BoxError>> Ending for std::result::Result<T, E> {
    fn ending(self) -> std::result::Result<(), String> {
        self.map(|_| ()).map_err(|error| with_causes(error.into().as_ref()))
    }
}

/// Hosts of a scenario at most: they share a /24.
pub(crate) const HOSTS_MAX: usize = 200;
/// A host of a scenario and its program.
#[derive(Clone)]
pub(crate) struct HostSpec {
    pub(crate) name: Arc<str>,
    pub(crate) program: Program,
    pub(crate) is_client: bool,
    pub(crate) skew: Skew,
}

impl fmt::Debug for HostSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostSpec").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What the hosts of a run do, where they run, and what may go wrong with them. An
/// [`Explorer`](crate::Explorer) searches for a plan under which it fails.
///
/// The run ends when every client's future has ended; servers are stopped then. A program's error or panic, a
/// panic in a task that it spawned, a broken invariant, and a run that stalls are failures. A spawned task's
/// panic that the program handles is none: caught with `catch_unwind`, or reported with
/// [`handled`](crate::handled). Threads and `spawn_blocking` are outside of this.
///
/// A crash or a kill ends a host's program, and in simulation every task that it spawned. If there are such
/// tasks on [`VIRTUAL`](crate::testbed::VIRTUAL), the run begins again, with a runtime for each host: its
/// programs start a second time, and what they change outside of the run is changed twice. In a lab the
/// program alone ends: there tasks belong in a `JoinSet`, which ends with it.
///
/// # In a test
/// A scenario is a `#[test]` function's own: it runs under cargo-nextest, and within `#[tokio::test]` too. It
/// may stand beside inputs that proptest draws, which then makes those smaller as well:
///
/// ```
/// use faultwire_sim::prelude::*;
/// use proptest::prelude::*;
///
/// fn echoes(message: Vec<u8>) {
///     let sent = message.clone();
///     faultwire_sim::scenario("echo")
///         .server(|net: Net| async move {
///             let socket = net.datagram("0.0.0.0:7000", &[]).await?;
///             let mut buffer = [0; 64];
///             let received = socket.recv_from(&mut buffer).await?;
///             socket.send_to(&buffer[..received.len], received.from).await
///         })
///         .client(move |net: Net| {
///             let message = sent.clone();
///             async move {
///                 let socket = net.datagram("0.0.0.0:0", &[]).await?;
///                 socket.connect("server:7000").await?;
///                 socket.send(&message).await?;
///                 let mut buffer = [0; 64];
///                 let received = socket.recv_from(&mut buffer).await?;
///                 assert_eq!(buffer[..received.len], message);
///                 Ok(())
///             }
///         })
///         .check();
/// }
///
/// proptest! {
///     # #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) })]
///     # /*
///     #[test]
///     # */
///     fn any_message_is_echoed(message in proptest::collection::vec(any::<u8>(), 0..64)) {
///         echoes(message);
///     }
/// }
/// # fn main() { any_message_is_echoed() }
/// ```
#[derive(Clone)]
pub struct Scenario {
    pub(crate) name: String,
    pub(crate) hosts: Vec<HostSpec>,
    /// What must be true at the end, and what always.
    pub(crate) invariants: Vec<(String, Invariant)>,
    pub(crate) always: Vec<(String, Invariant)>,
    make_state: Option<MakeState>,
    pub(crate) settings: Settings,
    pub(crate) base: FaultPlan,
    pub(crate) testbed: TestbedRef,
    pub(crate) timeout: Option<Duration>,
    pub(crate) random_faults: Option<RandomFaults>,
    pub(crate) variants: Option<Variants>,
    pub(crate) family: Option<Arc<Family>>,
    pub(crate) deaths: Vec<Death>,
    pub(crate) has_outages: bool,
    pub(crate) is_nondeterministic: bool,
    pub(crate) randomness: Option<fn(u64)>,
    pub(crate) cancelling_bits: u32,
    pub(crate) cancellation: CancellationToken,
    /// How the report of a failure draws its run.
    pub(crate) diagram: DiagramOptions,
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self.hosts.iter().map(|host| &host.name).collect();
        f.debug_struct("Scenario").field("name", &self.name).field("hosts", &hosts).finish_non_exhaustive()
    }
}

impl Scenario {
    /// One of that name, with no hosts yet.
    pub(crate) fn new(name: String, testbed: TestbedRef) -> Scenario {
        Scenario {
            name,
            hosts: Vec::new(),
            invariants: Vec::new(),
            always: Vec::new(),
            make_state: None,
            settings: Settings::default(),
            base: FaultPlan::default(),
            testbed,
            cancellation: CancellationToken::default(),
            timeout: None,
            random_faults: None,
            variants: None,
            family: None,
            deaths: Vec::new(),
            has_outages: true,
            is_nondeterministic: false,
            randomness: None,
            cancelling_bits: 0,
            diagram: report::diagram(),
        }
    }

    /// The host `server`, whose program runs until the clients have ended.
    #[must_use]
    pub fn server<F, Fut>(self, program: F) -> Self
    where
        F: Fn(Net) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Ending> + Send + 'static,
    {
        self.host("server", program)
    }

    /// A further host, whose program runs until the clients have ended.
    #[must_use]
    pub fn host<F, Fut>(mut self, name: &str, program: F) -> Self
    where
        F: Fn(Net) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Ending> + Send + 'static,
    {
        self.add(name, program, false);
        self
    }

    /// The host `client`. The run ends with it.
    #[must_use]
    pub fn client<F, Fut>(self, program: F) -> Self
    where
        F: Fn(Net) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result> + Send + 'static,
    {
        self.client_on("client", program)
    }

    /// A client on a host of that name. The run ends when all clients have ended.
    #[must_use]
    pub fn client_on<F, Fut>(mut self, name: &str, program: F) -> Self
    where
        F: Fn(Net) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result> + Send + 'static,
    {
        self.add(name, program, true);
        self
    }

    fn add<F, Fut>(&mut self, name: &str, program: F, is_client: bool)
    where
        F: Fn(Net) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Ending> + Send + 'static,
    {
        let program = Arc::new(program);
        let id = HostId(u16::try_from(self.hosts.len()).unwrap_or(u16::MAX));
        let program: Program = Arc::new(move |net| {
            let program = program.clone();
            Box::pin(async move {
                let mut ending = pin!(async move { program(net).await.ending() });
                poll_fn(|cx| {
                    let _polled = logs::polled(id);
                    ending.as_mut().poll(cx)
                })
                .await
            })
        });
        self.hosts.push(HostSpec { name: name.into(), program, is_client, skew: Skew::default() });
    }

    /// Something that must be true of every run at its end: of its trace, or of its
    /// [state](Scenario::state).
    #[must_use]
    pub fn invariant(
        mut self,
        name: &str,
        holds: impl Fn(&Moment<'_>) -> std::result::Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.invariants.push((name.to_owned(), Arc::new(holds)));
        self
    }

    /// Something that must be true all the time. In simulation it is looked at whenever all programs wait for
    /// something, and the run fails at that moment; on other testbeds at the end alone.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// faultwire_sim::scenario("one at a time")
    ///     .state(AtomicU32::default)
    ///     .client(|net| async move {
    ///         let inside = net.state::<AtomicU32>();
    ///         inside.fetch_add(1, Ordering::Relaxed);
    ///         tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    ///         inside.fetch_sub(1, Ordering::Relaxed);
    ///         Ok(())
    ///     })
    ///     .always("at most one is inside", |run| {
    ///         match run.state::<AtomicU32>().load(Ordering::Relaxed) {
    ///             0 | 1 => Ok(()),
    ///             count => Err(format!("{count} are inside at {}", run.now())),
    ///         }
    ///     })
    ///     .check();
    /// ```
    #[must_use]
    pub fn always(
        mut self,
        name: &str,
        holds: impl Fn(&Moment<'_>) -> std::result::Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.always.push((name.to_owned(), Arc::new(holds)));
        self
    }

    /// Makes a state for each run, which its programs ([`Net::state`]) and invariants ([`Moment::state`])
    /// share. What programs keep elsewhere outside of the run leaks from one run into the next.
    #[must_use]
    pub fn state<S: Send + Sync + 'static>(mut self, make: impl Fn() -> S + Send + Sync + 'static) -> Self {
        self.make_state = Some(Arc::new(move || Arc::new(make())));
        self
    }

    /// Sets a host's clock wrong, [`Net::system_time`].
    ///
    /// # Panics
    /// If there is no host of that name yet.
    #[must_use]
    pub fn skew(mut self, host: &str, skew: Skew) -> Self {
        let name = &self.name;
        match self.hosts.iter_mut().find(|it| &*it.name == host) {
            Some(host) => host.skew = skew,
            None => panic!("{name}: there is no host {host} whose clock could be wrong"),
        }
        self
    }

    /// The virtual time after which a run counts as stalled; 600 s by default.
    #[must_use]
    pub fn time_max(mut self, time_max: Duration) -> Self {
        self.settings.time_max = time_max;
        self
    }

    /// Timers and limits of the TCP in the simulated hosts; mostly Linux's by default.
    #[must_use]
    pub fn tcp(mut self, tcp: faultwire::tcp::Config) -> Self {
        self.settings.tcp = tcp;
        self
    }

    /// Puts a deliberate bug into the simulated stacks.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn mutant(mut self, mutant: faultwire::stack::Mutant) -> Self {
        self.settings.mutant = Some(mutant);
        self
    }

    /// The seed of ports, identifications and random plans.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    /// Seed and limits.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = Settings { stack: self.settings.stack, ..settings };
        self
    }

    /// Makes the stack of each host that does not have the kernel's: for one of two hosts, or for both. By
    /// default all have faultwire's own.
    ///
    /// ```
    /// use faultwire::network::{Datagram as _, Network as _};
    /// use faultwire::stack::Stack;
    ///
    /// faultwire_sim::scenario("my client")
    ///     .stack(|host| match host.name {
    ///         // Here `Stack` stands for yours.
    ///         "client" => Box::new(Stack::new(host.config)),
    ///         _ => host.faultwire(),
    ///     })
    ///     .server(|net| async move {
    ///         let socket = net.datagram("0.0.0.0:7000", &[]).await?;
    ///         let received = socket.recv_from(&mut [0; 16]).await?;
    ///         socket.send_to(b"yes", received.from).await
    ///     })
    ///     .client(|net| async move {
    ///         let socket = net.datagram("0.0.0.0:0", &[]).await?;
    ///         socket.connect("server:7000").await?;
    ///         socket.send(b"there?").await?;
    ///         assert_eq!(socket.recv_from(&mut [0; 16]).await?.len, 3);
    ///         Ok(())
    ///     })
    ///     .check();
    /// ```
    #[must_use]
    pub fn stack(
        mut self,
        stack: impl Fn(NewHost<'_>) -> Box<dyn HostStack> + Send + Sync + 'static,
    ) -> Self {
        self.settings.stack = MakeStack::new(stack);
        self
    }

    /// Where to run it; by default [`VIRTUAL`](crate::testbed::VIRTUAL).
    #[must_use]
    pub fn on(mut self, testbed: TestbedRef) -> Self {
        self.testbed = testbed;
        self
    }

    /// The link between the hosts (and faults that are part of every plan).
    #[must_use]
    pub fn base_plan(mut self, plan: FaultPlan) -> Self {
        self.base = plan;
        self
    }

    /// The programs' own timeout: the grid delays packets by just over one and two of it. By default 200 ms;
    /// 60 ms in a lab, where waiting takes real time.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Stops runs over real sockets, which take real time, as soon as the token is cancelled. Such a run is
    /// refused, and is not retried.
    #[must_use]
    pub fn cancelled_by(mut self, token: &CancellationToken) -> Self {
        self.cancellation = token.clone();
        self
    }

    /// Where it runs.
    pub fn testbed(&self) -> TestbedRef {
        self.testbed
    }

    /// The scenario's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of its hosts, in the order of their addresses.
    pub fn host_names(&self) -> Vec<String> {
        self.hosts.iter().map(|host| host.name.to_string()).collect()
    }
}

//! The scenario builder: what the hosts do in a run, and what may go wrong with them.

mod death;
mod memory;
mod moment;
mod randomness;
mod report;
mod testbed;

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use faultwire::fault::{Direction, EventKind, FaultPlan, Fired, Lasts, bounds};
use faultwire::stack::HostStack;
use faultwire::text::with_causes;
use faultwire::time::Time;
use faultwire::trace::{DiagramOptions, HostId, Trace};

use crate::cancel::CancellationToken;
use crate::logs::{self, Logs};
use crate::net::address::LOCALHOST;
use crate::net::{Net, Place};
use crate::new_host::{MakeStack, NewHost, Role};
use crate::program::{ProgramFuture, caught};
use crate::run::{End, Run};
use crate::run_state::{MakeState, RunState};
use crate::search::{Death, Family, Grid, Member, RandomFaults};
use crate::settings::Settings;
use crate::skew::Skew;
use crate::world::Watch;

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

/// How often a run on a real machine is retried.
const RETRIES_MAX: u32 = 2;

/// The programs' own timeout, where the scenario does not say it.
const TIMEOUT: Duration = Duration::from_millis(200);
/// Like `TIMEOUT`, but in a lab. Random plans delay packets by four of it at most: less than programs listen
/// there for what is late.
const TIMEOUT_IN_LAB: Duration = Duration::from_millis(60);

/// How long an outage of a search lasts in simulation.
const OUTAGE: Duration = Duration::from_secs(3);
/// In real time, where waiting costs: how much longer than two timeouts,
const OUTAGE_LONGER: Duration = Duration::from_millis(200);
/// and how many of them are tried.
const REAL_OUTAGES_MAX: u64 = 64;

/// Hosts of a scenario at most: they share a /24.
pub(crate) const HOSTS_MAX: usize = 200;
/// Bytes of a scenario's name at most.
const NAME_MAX: usize = 200;

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
#[derive(Clone)]
pub struct Scenario {
    pub(crate) name: String,
    pub(crate) hosts: Vec<HostSpec>,
    /// What must be true at the end, and what always.
    pub(crate) invariants: Vec<(String, Invariant)>,
    pub(crate) always: Vec<(String, Invariant)>,
    make_state: Option<MakeState>,
    /// Of the run, while there is one.
    pub(crate) kept: RunState,
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

/// An outage that counts retransmissions, and one of that length.
fn outages_of(span: Duration) -> [Lasts; 2] {
    let us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    [Lasts::Retransmissions(2), Lasts::Us(us.min(*bounds::FOR_US.end()))]
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
            kept: RunState::default(),
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
            let mut ending = Box::pin(async move { program(net).await.ending() });
            Box::pin(poll_fn(move |cx| {
                let _polled = logs::polled(id);
                ending.as_mut().poll(cx)
            }))
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

    /// Where single faults are tried, tries as well what becomes of a run in which this host loses power after
    /// a packet, for each packet of the fault-free run: for good, and to start again at once, a new host with
    /// what was [synced](crate::Disk::sync) on its disk. Random plans then have such crashes too, up to three,
    /// with a pause of any length before the restart.
    ///
    /// Once a host has crashed in a run of such a scenario, a program on another host may end with an error:
    /// to report that its peer is gone is right. A panic, a run that stalls, and a broken invariant are
    /// failures all the same. A client whose own host is off is not waited for.
    #[must_use]
    pub fn crashes(self, host: &str) -> Self {
        self.crashes_for_good(host).death(EventKind::Crash, host, true)
    }

    /// Like [`crashes`](Scenario::crashes), and the host never starts again.
    #[must_use]
    pub fn crashes_for_good(self, host: &str) -> Self {
        self.death(EventKind::Crash, host, false)
    }

    /// Like [`crashes`](Scenario::crashes), but the host's programs are killed, and the host goes on: it
    /// closes their sockets, and keeps what they wrote to its disk.
    #[must_use]
    pub fn kills(self, host: &str) -> Self {
        self.kills_for_good(host).death(EventKind::Kill, host, true)
    }

    /// Like [`kills`](Scenario::kills), and the programs never start again.
    #[must_use]
    pub fn kills_for_good(self, host: &str) -> Self {
        self.death(EventKind::Kill, host, false)
    }

    /// Like [`crashes`](Scenario::crashes) and [`kills`](Scenario::kills), where the programs always start
    /// again: after a crash on a new host, after a kill on the one that there is.
    #[must_use]
    pub fn restarts(self, host: &str) -> Self {
        self.death(EventKind::Crash, host, true).death(EventKind::Kill, host, true)
    }

    fn death(mut self, kind: fn(String) -> EventKind, host: &str, restarts: bool) -> Self {
        self.deaths.push(Death { kind, host: host.to_owned(), restarts });
        self
    }

    /// Tries no outages. By default, where single faults are tried, so is an outage of the link from each
    /// packet of the fault-free run on that something may wait for an answer to: one way and both; for three
    /// seconds (in real time, for a little more than two timeouts), and with TCP until two retransmissions
    /// are lost. Once it has ended, all that is sent arrives, and the programs must succeed.
    ///
    /// For programs that give up sooner, and say so.
    #[must_use]
    pub fn without_outages(mut self) -> Self {
        self.has_outages = false;
        self
    }

    /// Also tries pairs of flipped bits that cancel in the transport's checksum, in up to `places` places of
    /// each packet.
    #[must_use]
    pub fn cancelling_bits(mut self, places: u32) -> Self {
        self.cancelling_bits = places;
        self
    }

    /// Draws the random plans from these.
    #[must_use]
    pub fn random_faults(mut self, random_faults: RandomFaults) -> Self {
        self.random_faults = Some(random_faults);
        self
    }

    /// Variants of the scenario: a plan whose `scenario` is this one's name, a `/` and further words runs the
    /// hosts of the scenario that `variant` gives for these words. A plan with words for which it gives none
    /// is refused.
    #[must_use]
    pub fn variants(mut self, variant: impl Fn(&str) -> Option<Scenario> + Send + Sync + 'static) -> Self {
        self.variants = Some(Arc::new(variant));
        self
    }

    /// What varies in runs without faults, which come before those with faults. `member` returns the scenario
    /// whose hosts a member runs; this scenario is the ordinary member. A failure names its member in the
    /// plan, which replays it.
    ///
    /// ```
    /// use faultwire::network::{Listener as _, Network as _};
    /// use faultwire_sim::search::Family;
    /// use faultwire_sim::{Net, Result, Scenario, scenario};
    /// use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    ///
    /// /// A client that writes `count` times `size` bytes.
    /// fn upload(count: usize, size: usize) -> Scenario {
    ///     let server = |net: Net| async move {
    ///         let (mut stream, _) = net.listen("0.0.0.0:80", 1, &[]).await?.accept().await?;
    ///         let len = stream.read_to_end(&mut Vec::new()).await?;
    ///         stream.write_u64(len as u64).await
    ///     };
    ///     scenario("upload").server(server).client(move |net: Net| async move {
    ///         let mut stream = net.connect("server:80", &[]).await?;
    ///         for _ in 0..count {
    ///             stream.write_all(&vec![7; size]).await?;
    ///         }
    ///         stream.shutdown().await?;
    ///         assert_eq!(stream.read_u64().await?, (count * size) as u64);
    ///         Ok(())
    ///     })
    /// }
    /// let family = Family::new().axis("count", 1..=20).axis("size", Family::around([1, 1_460]));
    /// upload(1, 1).family(family, |member| Some(upload(member.get("count")?, member.get("size")?))).check();
    /// ```
    #[must_use]
    pub fn family(
        mut self,
        family: Family,
        member: impl Fn(&Member<'_>) -> Option<Scenario> + Send + Sync + 'static,
    ) -> Self {
        let family = Arc::new(family);
        self.family = Some(family.clone());
        self.variants(move |words| member(&family.parse(words)?))
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

    /// The programs' own timeout: the grid delays packets by just over one and two of it. If nothing is
    /// said, 200 ms; in a lab 60 ms, since what programs wait there for what is late is real time.
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

    /// Whether its token was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// Waits until its token is cancelled, and says how the run ends then.
    pub(crate) async fn cancelled(&self) -> End {
        const LOOK_EVERY: Duration = Duration::from_millis(50);
        while !self.is_cancelled() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        End::Refused { why: "it was cancelled".to_owned(), is_trouble: false }
    }

    /// Where it runs.
    pub fn testbed(&self) -> TestbedRef {
        self.testbed
    }

    /// The scenario's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The parts of its hosts. The server is the host of that name; if there is none, each host that no run
    /// waits for.
    pub(crate) fn roles(&self) -> Vec<Role> {
        let has_server = self.hosts.iter().any(|host| &*host.name == "server");
        let is_server = |host: &HostSpec| if has_server { &*host.name == "server" } else { !host.is_client };
        let role = |host: &HostSpec| Role {
            name: host.name.clone(),
            is_server: is_server(host),
            is_client: host.is_client,
        };
        self.hosts.iter().map(role).collect()
    }

    /// Who the program of the host with this index is, after it was ended so often before its time.
    pub(crate) fn place(&self, index: usize, incarnation: u32) -> Place {
        let HostSpec { name, skew, .. } = &self.hosts[index];
        let (host, skew, kept) = (name.clone(), *skew, self.kept.clone());
        Place { host, index, incarnation, skew, seed: self.settings.seed, kept }
    }

    /// Why it cannot be run anywhere, if it cannot.
    fn refusal(&self) -> Option<String> {
        if self.name.is_empty() || self.name.len() > NAME_MAX || self.name.contains(char::is_control) {
            return Some(format!("a scenario's name has 1 to {NAME_MAX} bytes and no control characters"));
        }
        if !self.hosts.iter().any(|host| host.is_client) {
            return Some("it has no client: a run ends when its clients have ended".to_owned());
        }
        if self.hosts.len() > HOSTS_MAX {
            return Some(format!("it has {} hosts, more than {HOSTS_MAX}", self.hosts.len()));
        }
        if let Some(why) = self.family.as_ref().and_then(|family| family.refusal()) {
            return Some(why);
        }
        for (index, host) in self.hosts.iter().enumerate() {
            if !Direction::is_host_name(&host.name) {
                return Some(format!("`{}` is no host name: 1 to 63 of a-z, 0-9 and -", host.name));
            }
            if &*host.name == LOCALHOST {
                return Some("`localhost` is no name for a host: it stands for each host itself".to_owned());
            }
            if self.hosts[..index].iter().any(|other| other.name == host.name) {
                return Some(format!("it has two hosts named `{}`", host.name));
            }
        }
        None
    }

    /// The names of its hosts, in the order of their addresses.
    pub fn host_names(&self) -> Vec<String> {
        self.hosts.iter().map(|host| host.name.to_string()).collect()
    }

    /// The words of a plan's `scenario` behind this one's name, if it names a variant of it.
    pub(crate) fn variant_of<'a>(&self, plan: &'a FaultPlan) -> Option<&'a str> {
        plan.scenario.as_ref()?.strip_prefix(&self.name)?.strip_prefix('/')
    }

    /// Runs it once under a plan, on its testbed.
    pub fn run(&self, plan: &FaultPlan) -> Run {
        self.on_a_thread(|| self.run_here(plan)).unwrap_or_else(|why| self.troubled(plan, why))
    }

    /// Runs it once under a plan, and collects the last `lines_max` lines that its programs log.
    pub(crate) fn run_logged(&self, plan: &FaultPlan, lines_max: usize) -> (Run, Logs) {
        let run = || logs::collected(lines_max, || self.run_here(plan));
        self.on_a_thread(run).unwrap_or_else(|why| (self.troubled(plan, why), Logs::default()))
    }

    fn run_here(&self, plan: &FaultPlan) -> Run {
        if let Some(why) = self.refusal() {
            return self.refused(plan, why);
        }
        match (self.variant_of(plan), &self.variants) {
            (Some(words), Some(variants)) => match variants(words) {
                Some(Scenario { hosts, make_state, .. }) => {
                    let make_state = make_state.or_else(|| self.make_state.clone());
                    Scenario { hosts, make_state, ..self.clone() }.run_there(plan)
                }
                None => self.refused(plan, format!("{} has no variant `{words}`", self.name)),
            },
            _ => self.run_there(plan),
        }
    }

    /// Says what of that which must always be true is not.
    pub(crate) fn watch(&self) -> Option<Watch> {
        let (always, kept) = (self.always.clone(), self.kept.clone());
        let broken = move |now, trace: &Trace| broken(&always, &Moment { now, trace, kept: &kept });
        (!self.always.is_empty()).then(|| Arc::new(broken) as Watch)
    }

    /// Runs it once under a plan; where runs do not repeat, as in a lab, again, twice at most, if something
    /// planned did not take place.
    pub fn run_in_full(&self, plan: &FaultPlan) -> Run {
        let mut run = self.run(plan);
        let repeats = !self.testbed.is_live() && !self.is_nondeterministic;
        for _ in 0..RETRIES_MAX {
            if repeats || run.fired.all() || run.is_refused() || self.is_cancelled() {
                break;
            }
            let retries = run.retries + 1;
            run = self.run(plan);
            run.retries += retries;
        }
        run
    }

    /// The single faults that an exhaustive search tries on each packet, and the outages.
    pub fn grid(&self) -> Grid {
        let rtt = self.base.delay_max() * 2;
        let timeout = self.timeout.unwrap_or(if self.testbed.is_live() { TIMEOUT_IN_LAB } else { TIMEOUT });
        let grid = Grid::new(rtt, timeout).cancelling_bits(self.cancelling_bits);
        let grid = match self.testbed {
            _ if !self.has_outages => grid,
            it if it.is_simulated() => grid.outages(outages_of(OUTAGE), u64::MAX),
            it if it.is_live() => {
                let longer = timeout.saturating_mul(2).saturating_add(OUTAGE_LONGER);
                grid.outages(outages_of(longer), REAL_OUTAGES_MAX)
            }
            _ => grid,
        };
        match self.testbed.clock() {
            Clock::Ticks(_) => grid.whole_ticks(),
            Clock::Real if self.testbed.is_live() => grid.steady(),
            _ => grid,
        }
    }

    fn run_there(&self, plan: &FaultPlan) -> Run {
        memory::keep_for_the_next_run();
        let is_faulty = !plan.faults.is_empty() || !plan.events.is_empty();
        if is_faulty && !self.testbed.has(Capability::Faults) {
            return self.refused(plan, format!("the testbed {} carries no faults", self.testbed));
        }
        if (!plan.links.is_empty() || plan.delays_vary()) && !self.testbed.has(Capability::Faults) {
            let why = format!("the testbed {} has one link for all packets, of one delay", self.testbed);
            return self.refused(plan, why);
        }
        let mut retries = 0;
        loop {
            let mut run = self.run_with_state(plan);
            let Some(why) = run.disturbed.take() else { return Run { retries, ..run } };
            if self.is_cancelled() {
                return self.refused(plan, "it was cancelled".to_owned());
            }
            tracing::debug!(scenario = self.name, why, "the run was disturbed");
            if retries == RETRIES_MAX {
                let run = self.troubled(plan, format!("{why}, and in two more runs as well"));
                return Run { retries, ..run };
            }
            retries += 1;
        }
    }

    /// Runs it once with a state of the run's own, and looks at the invariants then.
    fn run_with_state(&self, plan: &FaultPlan) -> Run {
        let kept = RunState::new(self.make_state.clone(), self.hosts.len());
        let this = Scenario { kept, ..self.clone() };
        let mut run = this.run_on_testbed(plan);
        if run.end.is_finished() {
            let moment = Moment { now: run.elapsed, trace: &run.trace, kept: &this.kept };
            let message = broken(&this.always, &moment).or_else(|| broken(&this.invariants, &moment));
            run.end = message.map_or(End::Finished, |message| End::Failed { host: None, message });
        }
        run
    }

    /// A run that its testbed does not carry, and why.
    pub fn refused(&self, plan: &FaultPlan, why: String) -> Run {
        self.not_run(plan, End::Refused { why, is_trouble: false })
    }

    /// A run that its testbed carries, and could not do.
    pub(crate) fn troubled(&self, plan: &FaultPlan, why: String) -> Run {
        self.not_run(plan, End::Refused { why, is_trouble: true })
    }

    fn not_run(&self, plan: &FaultPlan, end: End) -> Run {
        let (faults, events) = (vec![false; plan.faults.len()], vec![false; plan.events.len()]);
        Run::new(plan.clone(), Trace::new(self.host_names()), end, Fired { faults, events }, Time::ZERO)
    }
}

/// What of these does not hold.
fn broken(invariants: &[(String, Invariant)], moment: &Moment<'_>) -> Option<String> {
    let broken = |(name, holds): &(String, Invariant)| {
        let result = caught(|| holds(moment)).unwrap_or_else(Err);
        result.err().map(|message| format!("{name}: {message}"))
    };
    invariants.iter().find_map(broken)
}

//! The simulated world: hosts' stacks, the wire between them, timers and the trace, behind one lock.
//!
//! The world is passive. A driver ([`virtual_clock`](crate::drivers::virtual_clock) or
//! [`turmoil_ticks`](crate::drivers::turmoil_ticks)) moves its time forward and carries what is due;
//! programs reach it through [`SimHost`](crate::net::sim_host::SimHost).

mod host;
mod timers;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use bytes::Bytes;
use faultwire::fault::{Delivery, FaultPlan, Fired, UnknownHost, Wire};
use faultwire::stack::HostStack;
use faultwire::tcp::State;
use faultwire::time::Time;
use faultwire::trace::{HostId, LossReason, Note, TcpNote, Trace, What};

use tokio::runtime;

use host::REPORTS_MAX;
pub(crate) use host::{Host, OpenSockets};
pub(crate) use timers::{TimerId, Timers};

use crate::logs;
use crate::new_host::Role;
use crate::program::{Trouble, polls_of};
use crate::run::STACK_FAILED;
use crate::run_state::RunState;
use crate::settings::Settings;

/// How a driver takes part in what programs do.
pub(crate) trait Driver: Send + Sync + 'static {
    /// Called with the world locked, after a call at `host` may have put packets on the wire.
    fn put_on_wire(&self, world: &mut World, host: HostId);
}

/// The world and the driver that drives it.
pub(crate) struct Shared {
    world: Mutex<World>,
    pub(crate) driver: Box<dyn Driver>,
    /// The hosts that have a runtime for their tasks alone.
    runtimes: Mutex<Vec<(runtime::Id, HostId)>>,
    begins_again: AtomicBool,
}

impl Shared {
    pub(crate) fn new(world: World, driver: Box<dyn Driver>) -> Arc<Self> {
        let (runtimes, begins_again) = Default::default();
        let shared = Arc::new(Shared { world: Mutex::new(world), driver, runtimes, begins_again });
        let clock = Arc::downgrade(&shared);
        logs::begin(move || clock.upgrade()?.world.try_lock().ok().map(|world| world.now));
        shared
    }

    /// The tasks of this runtime are the host's from now on.
    pub(crate) fn runs_on(&self, runtime: runtime::Id, host: HostId) {
        let mut runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        // A runtime that has ended may have had the same number.
        runtimes.retain(|(other, of)| *other != runtime && *of != host);
        runtimes.push((runtime, host));
    }

    /// The host whose tasks this runtime has.
    pub(crate) fn host_of(&self, runtime: runtime::Id) -> Option<HostId> {
        let runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        runtimes.iter().find(|(it, _)| *it == runtime).map(|(_, host)| *host)
    }

    /// Whether each host has a runtime for its tasks alone.
    pub(crate) fn has_runtimes(&self) -> bool {
        !self.runtimes.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The run cannot go on with a runtime for all hosts, and begins again with one for each.
    pub(crate) fn begin_again(&self) {
        self.begins_again.store(true, Ordering::Relaxed);
        self.lock().wake_main();
    }

    /// Whether the run [begins again](Self::begin_again).
    pub(crate) fn begins_again(&self) -> bool {
        self.begins_again.load(Ordering::Relaxed)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

/// Everything that is simulated in a run.
pub(crate) struct World {
    pub(crate) now: Time,
    pub(crate) trace: Trace,
    pub(crate) wire: Wire,
    pub(crate) hosts: Vec<Host>,
    pub(crate) timers: Timers,
    /// Socket calls, packets, timers and host events; compared with the limit.
    pub(crate) events: u64,
    events_max: u64,
    time_max: Time,
    /// The limit that was hit.
    pub(crate) limit_hit: Option<String>,
    /// The run is over: nothing that programs still do counts.
    pub(crate) over: bool,
    /// For each host whether the run waits for its program: a client that has not ended yet. One that ended
    /// and then starts again is not waited for.
    waits_for: Vec<bool>,
    /// The first failure: the host whose program it is of, if it is of one, and what it said.
    pub(crate) failure: Option<(Option<HostId>, String)>,
    /// Woken when the run may be over.
    pub(crate) main: Option<Waker>,
    /// Says what is not as it must always be.
    pub(crate) watch: Option<Watch>,
    /// What the run keeps for its programs.
    pub(crate) kept: RunState,
}

/// Looks at a moment of a run, and says what is wrong.
pub(crate) type Watch = Box<dyn Fn(Time, &Trace) -> Option<String> + Send>;

impl World {
    pub(crate) fn new(roles: Vec<Role>, plan: &FaultPlan, settings: &Settings) -> Result<World, UnknownHost> {
        let names: Vec<String> = roles.iter().map(|role| role.name.to_string()).collect();
        let waits_for = roles.iter().map(|role| role.is_client).collect();
        let wire = Wire::new(plan, &names)?;
        let mtu = plan.link.numbers().host_mtu();
        let hosts =
            roles.into_iter().enumerate().map(|(index, it)| Host::new(it, index, mtu, settings)).collect();
        Ok(World {
            now: Time::ZERO,
            trace: if settings.trace { Trace::new(names) } else { Trace::silent(names) },
            wire,
            hosts,
            timers: Timers::default(),
            events: 0,
            events_max: settings.events_max,
            time_max: Time::from(settings.time_max),
            limit_hit: None,
            over: false,
            waits_for,
            failure: None,
            main: None,
            watch: None,
            kept: RunState::default(),
        })
    }

    pub(crate) fn host(&mut self, host: HostId) -> &mut Host {
        &mut self.hosts[usize::from(host.0)]
    }

    /// When something of the world's own is due next; the end of the run's time at the latest.
    pub(crate) fn next_due(&self) -> Time {
        let stacks = self.hosts.iter().filter_map(|host| host.poll_timeout()).min();
        [self.wire.next_due(), self.timers.next_due(), stacks]
            .into_iter()
            .flatten()
            .fold(self.time_max, Time::min)
    }

    /// Whether the run's time is up, which is a limit that was hit.
    pub(crate) fn is_out_of_time(&mut self) -> bool {
        let is_out = self.now >= self.time_max;
        if is_out {
            self.limit_hit = Some(format!("{} s of virtual time", self.time_max.as_millis() / 1000));
        }
        is_out
    }

    /// Counts an event against the limit.
    pub(crate) fn count_event(&mut self) {
        self.events += 1;
        if self.events > self.events_max && self.limit_hit.is_none() {
            self.limit_hit = Some(format!("{} events", self.events_max));
            self.wake_main();
        }
    }

    /// Whether the run is over, one way or the other.
    pub(crate) fn is_decided(&self) -> bool {
        !self.waits_for.contains(&true) || self.failure.is_some() || self.limit_hit.is_some()
    }

    /// Whether calls do not come back any more: the run is over, or a limit was hit.
    pub(crate) fn is_silent(&self) -> bool {
        self.over || self.limit_hit.is_some()
    }

    /// Looks whether all is as it must always be; the run fails if not. Called when every program waits.
    pub(crate) fn look(&mut self) {
        if let Some(watch) = &self.watch
            && self.failure.is_none()
            && let Some(message) = watch(self.now, &self.trace)
        {
            self.failure = Some((None, message));
            self.wake_main();
        }
    }

    /// A stack that cannot go on is a failure of its host.
    fn look_for_trouble(&mut self, host: HostId) {
        if self.failure.is_none()
            && let Some(why) = self.host(host).stack.trouble()
        {
            self.failure = Some((Some(host), format!("{STACK_FAILED}{why}")));
            self.wake_main();
        }
    }

    pub(crate) fn wake_main(&mut self) {
        if let Some(waker) = &self.main {
            waker.wake_by_ref();
        }
    }

    /// A host's program came to its end.
    pub(crate) fn program_ended(&mut self, host: HostId, result: Result<(), Trouble>) {
        match result {
            Ok(()) => self.waits_for[usize::from(host.0)] = false,
            Err(Trouble::Failed(message)) => {
                self.failure.get_or_insert((Some(host), message));
            }
            Err(Trouble::Spins(polls)) => {
                let limit = || polls_of(polls, self.trace.host_name(host));
                self.limit_hit.get_or_insert_with(limit);
            }
        }
        if self.is_decided() {
            self.wake_main();
        }
    }

    /// Moves everything that a host's stack has to say to where it belongs: packets onto the wire, notes into
    /// the trace, changed readiness to those who wait for it.
    pub(crate) fn settle(&mut self, host: HostId) {
        while let Some(packet) = self.report(host, "a packet", |stack| stack.poll_transmit()) {
            self.send(host, packet);
        }
        let at = self.now;
        while let Some(note) = self.report(host, "a note", |stack| stack.poll_note()) {
            self.trace.push(at, What::Note { host, note });
        }
        while let Some(fd) = self.report(host, "a changed descriptor", |stack| stack.poll_changed()) {
            self.host(host).sockets.changed(fd);
        }
        self.look_for_trouble(host);
    }

    /// Asks a host's stack for a report. A stack that goes on reporting while nothing happens livelocks: that
    /// ends the run.
    fn report<T>(
        &mut self,
        host: HostId,
        kind: &str,
        poll: impl FnOnce(&mut dyn HostStack) -> Option<T>,
    ) -> Option<T> {
        let this = self.host(host);
        if this.is_livelocked() {
            return None;
        }
        let report = poll(&mut *this.stack)?;
        this.reported();
        if this.is_livelocked() {
            let name = self.trace.host_name(host);
            let limit = format!("{REPORTS_MAX} reports of the stack at {name}, {kind} last: it livelocks");
            self.limit_hit.get_or_insert(limit);
            self.wake_main();
        }
        Some(report)
    }

    /// Puts a packet on the wire, to the host that has its destination, or to all others.
    fn send(&mut self, from: HostId, packet: Bytes) {
        self.count_event();
        let hosts = &self.hosts;
        let has = |to: usize, addr: &IpAddr| hosts[to].addrs.has(addr);
        self.wire.route(self.now, from, packet, has, &mut self.trace);
    }

    /// Hands a packet that came off the wire to its host, if that is up.
    pub(crate) fn arrive(&mut self, delivery: Delivery) {
        let Delivery { packet, copy, to, bytes, altered } = delivery;
        let now = self.now;
        let host = &mut self.hosts[usize::from(to.0)];
        if !host.is_up {
            self.trace.push(now, What::Lost { packet, reason: LossReason::HostDown });
            return;
        }
        let altered = altered.then(|| bytes.clone());
        self.trace.push(now, What::Arrived { packet, copy, to, altered });
        host.handle_timeout(now);
        host.progressed();
        host.stack.handle_input(&bytes);
    }

    /// Fires the stacks' timers that are due.
    pub(crate) fn advance_stacks(&mut self, driver: &dyn Driver) {
        let now = self.now;
        for host in (0..self.hosts.len()).map(host_id) {
            // A host without power has no timers, whatever its stack was waiting for.
            if self.host(host).poll_timeout().is_some_and(|due| due <= now) {
                self.host(host).handle_timeout(now);
                self.report(host, "a timeout", |_| Some(()));
                self.count_event();
                self.settle(host);
                driver.put_on_wire(self, host);
            }
        }
    }

    /// The host loses power: its stack is gone, and what its programs still do is lost on everyone.
    pub(crate) fn crash(&mut self, host: HostId) {
        let now = self.now;
        if self.host(host).is_up {
            self.host(host).power_off();
            self.kept.died(usize::from(host.0), true);
            self.trace.push(now, What::Crashed(host));
        }
    }

    /// The host's programs are killed: the host closes their sockets. What they still do is lost on everyone.
    pub(crate) fn kill(&mut self, host: HostId, driver: &dyn Driver) {
        let now = self.now;
        if self.host(host).is_alive() {
            self.trace.push(now, What::Killed(host));
            self.host(host).kill(now);
            self.kept.died(usize::from(host.0), false);
            self.settle(host);
            driver.put_on_wire(self, host);
        }
    }

    /// The host starts again, or its programs do; true if they were not running.
    pub(crate) fn restart(&mut self, host: HostId, settings: &Settings) -> bool {
        let now = self.now;
        let were_gone = !self.host(host).is_alive();
        if were_gone {
            self.host(host).start(now, settings);
            self.trace.push(now, What::Restarted(host));
        }
        were_gone
    }

    /// Lets go of everyone who waits for something.
    pub(crate) fn forget_wakers(&mut self) {
        self.main = None;
        self.timers = Timers::default();
        for host in &mut self.hosts {
            host.sockets.forget_wakers();
        }
    }

    pub(crate) fn fired(&self) -> Fired {
        self.wire.fired()
    }

    /// What each host's sockets are at, for the report of a stall.
    pub(crate) fn sockets(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (host, name) in self.hosts.iter().zip(self.trace.hosts()) {
            if !host.is_up {
                lines.push(format!("{name}: it crashed and was not started again"));
            } else if !host.is_alive() {
                lines.push(format!("{name}: its programs were killed and not started again"));
            }
            for (id, fd) in &host.sockets.open {
                let of = |addr: Result<std::net::SocketAddr, _>| addr.map_or("-".into(), |a| a.to_string());
                let ready = host.stack.poll(*fd).unwrap_or_default();
                lines.push(format!(
                    "{name}: socket {} {} -> {}{}{}",
                    id.0,
                    of(host.stack.local_addr(*fd)),
                    of(host.stack.peer_addr(*fd)),
                    if ready.readable { ", readable" } else { "" },
                    if ready.writable { ", writable" } else { "" },
                ));
            }
        }
        lines.extend(self.connections());
        lines
    }

    /// The states of the TCP connections that have not ended, those among them that no program has open any
    /// more.
    fn connections(&self) -> impl Iterator<Item = String> {
        let mut last: BTreeMap<(HostId, u16, u16), State> = BTreeMap::new();
        for event in self.trace.events() {
            match event.what {
                // What a host knew is gone with its power.
                What::Crashed(host) => last.retain(|(whose, ..), _| *whose != host),
                What::Note { host, note: Note::Tcp { port, peer, note: TcpNote::State(state) } } => {
                    last.insert((host, port, peer), state);
                }
                _ => {}
            }
        }
        let open = last.into_iter().filter(|(_, state)| *state != State::Closed);
        open.map(|((host, port, peer), state)| {
            format!("{}: port {port} to {peer} in {state}", self.trace.host_name(host))
        })
    }
}

/// The host of that index: a scenario has at most [`HOSTS_MAX`](crate::scenario::HOSTS_MAX).
pub(crate) fn host_id(index: usize) -> HostId {
    HostId(u16::try_from(index).unwrap_or(u16::MAX))
}

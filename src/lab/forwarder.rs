//! The wire between the ends of a lab, on the real clock.

mod outcome;
mod possible;
mod power;

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use self::possible::possible;
use self::power::Powers;
use super::device::Device;
use super::lab_stack::LabStack;
use crate::fault::{Delivery, DueWhat, FaultPlan, Fired, Wire};
use crate::model::{Errno, Fd, HostId, HostStack, LossReason, Time, What};
use crate::network::Network as _;
use crate::network::os::OsNetwork;
use crate::packet::Path;
use crate::stack::Waiters;
use crate::trace::Trace;

pub use self::outcome::{Concluded, ForwarderStats};
pub use self::possible::ForwarderError;
pub(super) use self::power::Life;
pub use self::power::{Power, Switch, Switched};

/// Packets that are taken from one end before the other has its turn.
const BATCH: usize = 64;

/// Rounds before the lock is given up, so that programs get at their sockets on a busy wire.
const ROUNDS: usize = 16;

/// Notes and changed descriptors taken from a stack at once, and packets handed on in a round.
const REPORTS: usize = 4096;

/// Memory for the trace in bytes, about; what happens after it is used up is not recorded.
const TRACE_MAX: usize = 64 * 1024 * 1024;

/// What an event costs in memory beside its packet, in bytes, about.
const EVENT_COST: usize = 128;

/// What is at an end of the wire.
#[derive(Debug)]
pub enum End {
    /// A host of the kernel.
    Device(Box<dyn Device>),
    /// A stack in this process.
    Stack(Box<dyn HostStack>),
}

/// A host of a forwarder.
#[derive(Debug)]
pub struct Member {
    /// Its name, as plans know it.
    pub name: String,
    /// Its addresses. What it sends from any other is of an earlier time, and ignored.
    pub addrs: Vec<IpAddr>,
    /// Where it meets the wire.
    pub end: End,
    /// What starts in its place each time the plan restarts it, with the same addresses: a new, unused end.
    pub spares: Vec<End>,
}

/// Carries packets between hosts over a [`Wire`], in its own thread, until it is dropped.
#[derive(Debug)]
pub struct Forwarder {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What the forwarder's thread and the programs share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Something happened that a program may wait for.
    news: Condvar,
    /// Wakes the thread: a program has done something, or it is to end.
    wake: OwnedFd,
}

#[derive(Debug)]
struct State {
    clock: OsNetwork,
    wire: Wire,
    trace: Trace,
    traced: usize,
    traced_cost: usize,
    ends: Vec<End>,
    /// The addresses of each end; empty where there are two ends, each of which gets all that the other
    /// sends.
    addrs: Vec<Vec<IpAddr>>,
    power: Powers,
    /// What is for hosts whose programs are being killed.
    held: VecDeque<Delivery>,
    /// Who waits for a descriptor of the stack at an end: for each end.
    waiting: Vec<Waiters>,
    stats: ForwarderStats,
    stopped: bool,
}

impl Forwarder {
    /// Starts one between two hosts, named as the plan names them.
    ///
    /// # Errors
    /// [`ForwarderError::Event`] for what only a simulation can do, events at a time, and for a restart:
    /// there is nothing to start; [`ForwarderError::UnknownHost`], [`ForwarderError::Start`].
    pub fn start(plan: &FaultPlan, ends: [(&str, End); 2]) -> Result<Forwarder, ForwarderError> {
        let member = |(name, end): (&str, End)| Member {
            name: name.to_owned(),
            addrs: Vec::new(),
            end,
            spares: Vec::new(),
        };
        Forwarder::among(plan, OsNetwork::new(), ends.map(member).into())
    }

    /// Starts one among hosts, with the time of `clock`. A packet goes to the host that has its destination,
    /// or to all others.
    ///
    /// # Errors
    /// [`ForwarderError`], as [`Forwarder::start`].
    pub fn among(
        plan: &FaultPlan,
        clock: OsNetwork,
        members: Vec<Member>,
    ) -> Result<Forwarder, ForwarderError> {
        possible(plan, &members)?;
        let (mut names, mut addrs, mut ends, mut spares) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for member in members {
            names.push(member.name);
            addrs.push(member.addrs);
            ends.push(member.end);
            spares.push(member.spares);
        }
        let power = Powers::new(&ends, spares)?;
        let waiting = ends.iter().map(|_| Waiters::default()).collect();
        let state = State {
            clock,
            wire: Wire::new(plan, &names)?,
            trace: Trace::new(names),
            traced: 0,
            traced_cost: 0,
            ends,
            addrs,
            power,
            held: VecDeque::new(),
            waiting,
            stats: ForwarderStats::default(),
            stopped: false,
        };
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(io::Error::from)?;
        let shared = Arc::new(Shared { state: Mutex::new(state), news: Condvar::new(), wake });
        let carried = Arc::clone(&shared);
        let thread =
            thread::Builder::new().name("faultwire-lab".to_owned()).spawn(move || carried.carry())?;
        Ok(Forwarder { shared, thread: Some(thread) })
    }

    /// The end of that number, if it is a stack of ours.
    pub fn lab_stack(&self, end: usize) -> Option<LabStack> {
        self.lab_stack_again(end, 0)
    }

    /// Like [`lab_stack`](Self::lab_stack), after `generation` crashes. It is gone when it loses power again.
    pub fn lab_stack_again(&self, end: usize, generation: u32) -> Option<LabStack> {
        let is_ours = matches!(self.shared.state().ends.get(end), Some(End::Stack(_)));
        is_ours.then(|| LabStack::new(Arc::clone(&self.shared), Life { end, generation }))
    }

    /// The power of its hosts. Their programs are to be ended and started again as it tells.
    pub fn power(&self) -> Power {
        Power::new(Arc::clone(&self.shared))
    }

    /// Carries what the hosts have put on the wire by now, and says all that is known of it. What happens
    /// later is in no trace.
    ///
    /// # Errors
    /// The system's, where a device does not tell what it had no room for.
    pub fn conclude(&self) -> io::Result<Concluded> {
        let mut state = self.shared.state();
        let _ = (0..ROUNDS).all(|_| state.round());
        let trace = std::mem::take(&mut state.trace);
        (state.traced, state.traced_cost) = (0, TRACE_MAX);
        Ok(Concluded { trace, fired: state.wire.fired(), stats: state.whole_stats()? })
    }

    /// Ends it, and gives back what is at its ends; behind that what was there before hosts lost power, and
    /// what was to come.
    pub fn stop(mut self) -> Vec<End> {
        self.end();
        let mut state = self.shared.state();
        state.waiting.fill_with(Waiters::default);
        let mut ends = std::mem::take(&mut state.ends);
        ends.extend(state.power.rest());
        ends
    }

    /// What happened so far.
    pub fn trace(&self) -> Trace {
        self.shared.state().trace.clone()
    }

    /// Which of the plan's faults and events took place so far.
    pub fn fired(&self) -> Fired {
        self.shared.state().wire.fired()
    }

    /// Packets on the wire, held ones included.
    pub fn in_flight(&self) -> usize {
        let state = self.shared.state();
        state.wire.in_flight() + state.held.len()
    }

    /// What happened beside the plan.
    ///
    /// # Errors
    /// The system's, where a device does not tell what it had no room for.
    pub fn stats(&self) -> io::Result<ForwarderStats> {
        self.shared.state().whole_stats()
    }

    /// Has the thread end, and waits for it.
    fn end(&mut self) {
        self.shared.state().stopped = true;
        self.shared.wake();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the forwarder of a lab died");
        }
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    /// The state. A thread that panicked while it held it has left it whole as far as the wire is concerned.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the thread look what there is to do.
    fn wake(&self) {
        // It fails only where the counter is full, and then the thread is being woken already.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    /// Lets a program use the stack at an end; `None` where there is none, or it has lost power, or the
    /// forwarder has ended.
    pub(super) fn with_stack<T>(&self, life: Life, call: impl FnOnce(&mut dyn HostStack) -> T) -> Option<T> {
        let mut state = self.state();
        let result = state.with_stack(life, call);
        drop(state);
        self.wake();
        result
    }

    /// Like [`with_stack`](Shared::with_stack): where the call would have to wait, the task is woken when the
    /// descriptor's readiness changes. Pending forever where there is no stack, or it has lost power, or the
    /// forwarder has ended.
    pub(super) fn poll<T>(
        &self,
        life: Life,
        cx: &mut Context<'_>,
        fd: Fd,
        call: impl FnOnce(&mut dyn HostStack) -> Result<T, Errno>,
    ) -> Poll<Result<T, Errno>> {
        let mut state = self.state();
        let result = state.with_stack(life, call);
        let waits = matches!(result, Some(Err(errno)) if errno.is_pending());
        if waits {
            state.waiting[life.end].add(fd, cx.waker());
        }
        drop(state);
        self.wake();
        match result {
            Some(result) if !waits => Poll::Ready(result),
            _ => Poll::Pending,
        }
    }

    /// Like [`with_stack`](Shared::with_stack), again and again while it gives `None`, until `until` on the
    /// clock.
    pub(super) fn wait<T>(
        &self,
        life: Life,
        limit: std::time::Duration,
        mut call: impl FnMut(&mut dyn HostStack) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.state();
        let until = state.clock.now() + limit;
        loop {
            let result = state.with_stack(life, &mut call)?;
            // Even a call that would have to wait may have something to send: a window update.
            self.wake();
            let left = until.since(state.clock.now());
            if result.is_some() || left.is_zero() {
                return result;
            }
            state = self.news.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The thread: carries packets until it is told to stop.
    fn carry(&self) {
        loop {
            let mut state = self.state();
            if state.stopped {
                return;
            }
            let is_busy = (0..ROUNDS).all(|_| state.round());
            self.news.notify_all();
            let wait = if is_busy { Some(std::time::Duration::ZERO) } else { state.idle() };
            let devices = state.power.readable();
            drop(state);
            let wait =
                wait.map(|span| Timespec::try_from(span).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 }));
            let mut descriptors: Vec<PollFd<'_>> =
                devices.iter().map(|device| PollFd::new(&**device, PollFlags::IN)).collect();
            descriptors.push(PollFd::new(&self.wake, PollFlags::IN));
            // Interrupted or not, what there is to do is seen in the next round.
            let _ = poll(&mut descriptors, wait.as_ref());
            let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        }
    }
}

impl State {
    fn with_stack<T>(&mut self, life: Life, call: impl FnOnce(&mut dyn HostStack) -> T) -> Option<T> {
        let now = self.clock.now();
        match self.ends.get_mut(life.end)? {
            End::Stack(stack) if !self.stopped && self.power.is_on(life) => {
                stack.handle_timeout(now);
                Some(call(&mut **stack))
            }
            _ => None,
        }
    }

    /// Takes from the ends what they have, and hands on what is due; says whether anything happened.
    fn round(&mut self) -> bool {
        let now = self.clock.now();
        let before = (self.stats.taken, self.stats.handed_on);
        for end in 0..self.ends.len() {
            self.collect(end, now);
        }
        for _ in 0..REPORTS {
            let Some(due) = self.wire.poll(now, &mut self.trace) else { break };
            let to = match &due.what {
                DueWhat::Packet(delivery) => Some(usize::from(delivery.to.0)),
                _ => None,
            };
            self.happen(now, due.what);
            // What the host answers at once comes before the next packet gets there.
            if let Some(to) = to {
                self.collect(to, now);
            }
        }
        self.bound_trace();
        (self.stats.taken, self.stats.handed_on) != before
    }

    /// Puts on the wire what an end has for it.
    fn collect(&mut self, end: usize, now: Time) {
        let life = self.power.life(end);
        if !self.power.is_on(life) {
            return;
        }
        for packet in self.take(end, now) {
            self.stats.taken += 1;
            self.send(now, end, packet);
            // A host is cut off right behind the packet that its crash is anchored to, whatever else was read
            // from it. What is due before still comes before.
            while self.wire.next_power_due().is_some_and(|at| at <= now)
                && let Some(due) = self.wire.poll(now, &mut self.trace)
            {
                self.happen(now, due.what);
            }
            if !self.power.is_on(life) {
                return;
            }
        }
    }

    /// Does what is due.
    fn happen(&mut self, now: Time, what: DueWhat) {
        match what {
            DueWhat::Packet(delivery) => self.deliver(now, delivery),
            DueWhat::Crash(host) => {
                let end = usize::from(host.0);
                if self.power.off(end) {
                    self.waiting[end] = Waiters::default();
                    self.trace.push(now, What::Crashed(host));
                    self.programs_gone(end);
                }
            }
            DueWhat::Kill(host) => {
                if self.power.kill(usize::from(host.0)) {
                    self.trace.push(now, What::Killed(host));
                }
            }
            DueWhat::Restart(host) => {
                let end = usize::from(host.0);
                if let Some(before) = self.ends.get_mut(end)
                    && self.power.on(end, before)
                {
                    self.trace.push(now, What::Restarted(host));
                }
            }
        }
    }

    /// The programs of a host are gone: it gets what has waited for that.
    fn programs_gone(&mut self, end: usize) {
        self.power.gone(end);
        let now = self.clock.now();
        for delivery in std::mem::take(&mut self.held) {
            // What is for another host that waits is held again.
            self.deliver(now, delivery);
        }
    }

    /// Puts a packet on the wire.
    fn send(&mut self, now: Time, end: usize, packet: bytes::Bytes) {
        let from = host(end);
        if self.addrs[end].is_empty() {
            return self.wire.send(now, from, host(1 - end), packet, &mut self.trace);
        }
        if Path::of(&packet).is_some_and(|path| !self.addrs[end].contains(&path.src())) {
            self.stats.stale += 1;
            return;
        }
        let addrs = &self.addrs;
        self.wire.route(now, from, packet, |to, addr| addrs[to].contains(addr), &mut self.trace);
    }

    /// What happened beside the plan, the devices' own counts included.
    fn whole_stats(&mut self) -> io::Result<ForwarderStats> {
        let mut unread = 0;
        for end in self.ends.iter_mut().chain(self.power.idle_ends()) {
            if let End::Device(device) = end {
                unread += device.unread()?;
            }
        }
        self.stats.unread = unread;
        Ok(self.stats)
    }

    /// What an end has for the wire.
    fn take(&mut self, end: usize, now: Time) -> VecDeque<bytes::Bytes> {
        let mut packets = VecDeque::new();
        match &mut self.ends[end] {
            End::Stack(stack) => {
                stack.handle_timeout(now);
                for note in std::iter::from_fn(|| stack.poll_note()).take(REPORTS) {
                    self.trace.push(now, What::Note { host: host(end), note });
                }
                for fd in std::iter::from_fn(|| stack.poll_changed()).take(REPORTS) {
                    self.waiting[end].wake(fd);
                }
                packets.extend(std::iter::from_fn(|| stack.poll_transmit()).take(BATCH));
            }
            End::Device(device) => {
                while packets.len() < BATCH {
                    match device.receive() {
                        Ok(Some(packet)) => packets.push_back(packet),
                        Ok(None) => break,
                        Err(error) => {
                            tracing::warn!(%error, "a device of the lab gives no packet");
                            self.stats.receive_errors += 1;
                            break;
                        }
                    }
                }
            }
        }
        packets
    }

    /// Hands a packet to the host that it is for.
    fn deliver(&mut self, now: Time, delivery: Delivery) {
        if self.power.is_dying(usize::from(delivery.to.0)) {
            self.held.push_back(delivery);
            return;
        }
        let Delivery { packet, copy, to, bytes, altered } = delivery;
        if !self.power.is_up(usize::from(to.0)) {
            self.trace.push(now, What::Lost { packet, reason: LossReason::HostDown });
            return;
        }
        let taken = match self.ends.get_mut(usize::from(to.0)) {
            None => false,
            Some(End::Stack(stack)) => {
                stack.handle_timeout(now);
                stack.handle_input(&bytes);
                true
            }
            Some(End::Device(device)) => match device.send(&bytes) {
                Ok(()) => true,
                Err(error) if error.kind() == io::ErrorKind::NetworkDown => {
                    self.trace.push(now, What::Lost { packet, reason: LossReason::HostDown });
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, "a device of the lab takes no packet");
                    false
                }
            },
        };
        if taken {
            self.stats.handed_on += 1;
            self.trace.push(now, What::Arrived { packet, copy, to, altered: altered.then_some(bytes) });
        } else {
            self.stats.not_handed_on += 1;
            self.trace.push(now, What::Lost { packet, reason: LossReason::NotHandedOn });
        }
    }

    /// How long there is nothing to do unless something comes; forever, if `None`.
    fn idle(&self) -> Option<std::time::Duration> {
        let stacks = self.ends.iter().enumerate().filter_map(|(at, end)| match end {
            End::Stack(stack) if self.power.is_up(at) => stack.poll_timeout(),
            _ => None,
        });
        let next = stacks.chain(self.wire.next_due()).min()?;
        Some(next.since(self.clock.now()))
    }

    /// Forgets what the trace has no room for.
    fn bound_trace(&mut self) {
        for event in &self.trace.events()[self.traced..] {
            let bytes = match &event.what {
                What::Sent { bytes, .. } | What::Injected { bytes, .. } => bytes.len(),
                _ => 0,
            };
            if self.traced_cost + bytes + EVENT_COST > TRACE_MAX {
                break;
            }
            self.traced_cost += bytes + EVENT_COST;
            self.traced += 1;
        }
        let beyond = self.trace.events().len() - self.traced;
        if beyond > 0 {
            // What fits is the beginning: once something was left out, all that follows is.
            self.traced_cost = TRACE_MAX;
            self.stats.untraced += u64::try_from(beyond).unwrap_or(u64::MAX);
            self.trace.truncate(self.traced);
        }
    }
}

/// The host at an end.
fn host(end: usize) -> HostId {
    HostId(u16::try_from(end).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests;

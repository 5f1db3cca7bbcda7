//! Switches the power of a forwarder's hosts, and has their programs killed, as the events of its plan say.
//!
//! A host that crashes is cut off at once: nothing that its end still has gets onto the wire, and nothing
//! reaches it. Its next incarnation was made before the run, so that it is there at once. It has never had a
//! socket, a route or a neighbor: it is an unused namespace, or a new stack. The forwarder does not run the
//! programs; it notifies whoever does. Where programs are killed the host goes on. What is for it waits until
//! they are gone, so that none of them gets anything in the moment that this takes.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{End, Shared, State};

/// One incarnation of a host, which ends when the host loses power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lab) struct Life {
    /// The host's end of the wire.
    pub(in crate::lab) end: usize,
    /// How often it has lost power before.
    pub(in crate::lab) generation: u32,
}

/// What the plan does to a host's programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// They are gone, as their host lost power.
    Crash,
    /// They are to be killed; [`Power::killed`] says that they are gone.
    Kill,
    /// They start.
    Start,
}

/// A host lost power, its programs are to be killed, or they are to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Switched {
    /// The host's end of the wire.
    pub end: usize,
    /// How often its programs have ended by now, in a crash or a kill.
    pub generation: u32,
    /// How often it has lost power by now.
    pub crashes: u32,
    /// What is to be done.
    pub what: Switch,
}

/// The power of a forwarder's hosts, for whoever runs their programs.
#[derive(Clone, Debug)]
pub struct Power {
    shared: Arc<Shared>,
}

impl Power {
    pub(super) fn new(shared: Arc<Shared>) -> Power {
        Power { shared }
    }

    /// Whether a host's programs run, and were ended exactly `generation` times before.
    pub fn is_on(&self, end: usize, generation: u32) -> bool {
        let state = self.shared.state();
        state.power.hosts.get(end).is_some_and(|host| host.is_alive && host.deaths == generation)
    }

    /// How often a host has lost power.
    pub fn crashes(&self, end: usize) -> u32 {
        self.shared.state().power.life(end).generation
    }

    /// The programs of a host that were to be killed are gone.
    pub fn killed(&self, end: usize) {
        self.shared.state().programs_gone(end);
        self.shared.wake();
    }

    /// Takes the next switch, if there is one.
    pub fn switched(&self) -> Option<Switched> {
        self.shared.state().power.switched.pop_front()
    }

    /// Like `switched`, but waits for one, for at most `limit`.
    pub fn wait(&self, limit: Duration) -> Option<Switched> {
        let state = self.shared.state();
        let is_none = |state: &mut State| state.power.switched.is_empty();
        let waited = self.shared.news.wait_timeout_while(state, limit, is_none);
        waited.unwrap_or_else(PoisonError::into_inner).0.power.switched.pop_front()
    }

    /// Like `switched`, but wakes the task at the next one. One task at a time can wait.
    pub fn poll_switched(&self, cx: &mut Context<'_>) -> Poll<Switched> {
        let power = &mut self.shared.state().power;
        match power.switched.pop_front() {
            Some(switched) => Poll::Ready(switched),
            None => {
                power.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Which hosts have power, and what is to start in their places.
#[derive(Debug)]
pub(super) struct Powers {
    hosts: Vec<HostPower>,
    /// Switches that were not taken yet.
    switched: VecDeque<Switched>,
    waker: Option<Waker>,
    /// What was at the ends before.
    gone: Vec<End>,
}

#[derive(Debug)]
struct HostPower {
    is_up: bool,
    /// Whether its programs run, as far as the plan goes.
    is_alive: bool,
    /// Whether its programs were killed and may not be gone yet.
    is_dying: bool,
    /// How often it has lost power.
    generation: u32,
    /// How often its programs have ended.
    deaths: u32,
    /// The device's descriptor, while it has power.
    readable: Option<Arc<OwnedFd>>,
    spares: VecDeque<Spare>,
}

#[derive(Debug)]
struct Spare {
    end: End,
    readable: Option<Arc<OwnedFd>>,
}

/// A descriptor that is readable when a device has something; a stack has none.
fn readable(end: &End) -> io::Result<Option<Arc<OwnedFd>>> {
    match end {
        End::Device(device) => Ok(Some(Arc::new(device.readable().try_clone_to_owned()?))),
        End::Stack(_) => Ok(None),
    }
}

impl Powers {
    /// All have power.
    pub(super) fn new(ends: &[End], spares: Vec<Vec<End>>) -> io::Result<Powers> {
        let spare = |end| Ok(Spare { readable: readable(&end)?, end });
        let host = |(end, spares): (&End, Vec<End>)| {
            let spares = spares.into_iter().map(spare).collect::<io::Result<_>>()?;
            let readable = readable(end)?;
            Ok(HostPower {
                is_up: true,
                is_alive: true,
                is_dying: false,
                generation: 0,
                deaths: 0,
                readable,
                spares,
            })
        };
        let hosts = ends.iter().zip(spares).map(host).collect::<io::Result<_>>()?;
        Ok(Powers { hosts, switched: VecDeque::new(), waker: None, gone: Vec::new() })
    }

    /// Whether a host has power.
    pub(super) fn is_up(&self, end: usize) -> bool {
        self.hosts.get(end).is_some_and(|host| host.is_up)
    }

    /// The current or the last incarnation of a host.
    pub(super) fn life(&self, end: usize) -> Life {
        Life { end, generation: self.hosts.get(end).map_or(0, |host| host.generation) }
    }

    /// Whether this incarnation has power.
    pub(super) fn is_on(&self, life: Life) -> bool {
        self.is_up(life.end) && self.life(life.end) == life
    }

    /// What tells that devices have something.
    pub(super) fn readable(&self) -> Vec<Arc<OwnedFd>> {
        self.hosts.iter().filter_map(|host| host.readable.clone()).collect()
    }

    /// A host loses power; false if it had none.
    pub(super) fn off(&mut self, end: usize) -> bool {
        let Some(host) = self.hosts.get_mut(end).filter(|host| host.is_up) else { return false };
        host.deaths += u32::from(host.is_alive);
        (host.is_up, host.is_alive, host.is_dying) = (false, false, false);
        host.generation += 1;
        host.readable = None;
        self.tell(end, Switch::Crash);
        true
    }

    /// A host's programs are to be killed; false if there are none.
    pub(super) fn kill(&mut self, end: usize) -> bool {
        let Some(host) = self.hosts.get_mut(end).filter(|host| host.is_alive) else { return false };
        (host.is_alive, host.is_dying) = (false, true);
        host.deaths += 1;
        self.tell(end, Switch::Kill);
        true
    }

    /// Whether a host's programs were killed and may not be gone yet.
    pub(super) fn is_dying(&self, end: usize) -> bool {
        self.hosts.get(end).is_some_and(|host| host.is_dying)
    }

    /// The programs that were killed are gone.
    pub(super) fn gone(&mut self, end: usize) {
        if let Some(host) = self.hosts.get_mut(end) {
            host.is_dying = false;
        }
    }

    /// A host or its programs start again: gives what is at its end from now on, in place of `before`, if it
    /// had lost power. False if its programs run, or there is nothing to start.
    pub(super) fn on(&mut self, end: usize, before: &mut End) -> bool {
        let Some(host) = self.hosts.get_mut(end).filter(|host| !host.is_alive) else { return false };
        if !host.is_up {
            let Some(spare) = host.spares.pop_front() else { return false };
            host.readable = spare.readable;
            self.gone.push(std::mem::replace(before, spare.end));
        }
        (host.is_up, host.is_alive) = (true, true);
        self.tell(end, Switch::Start);
        true
    }

    fn tell(&mut self, end: usize, what: Switch) {
        let Some(&HostPower { generation: crashes, deaths: generation, .. }) = self.hosts.get(end) else {
            return;
        };
        self.switched.push_back(Switched { end, generation, crashes, what });
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// What was at the ends before, and what was to come.
    pub(super) fn rest(&mut self) -> Vec<End> {
        let mut rest = std::mem::take(&mut self.gone);
        rest.extend(self.hosts.iter_mut().flat_map(|host| host.spares.drain(..)).map(|spare| spare.end));
        rest
    }

    /// All ends that nothing is carried to or from: those of before, and those that are to come.
    pub(super) fn idle_ends(&mut self) -> impl Iterator<Item = &mut End> {
        let spares =
            self.hosts.iter_mut().flat_map(|host| host.spares.iter_mut().map(|spare| &mut spare.end));
        self.gone.iter_mut().chain(spares)
    }
}

//! Switches the power of a forwarder's hosts, as the events of its plan say.
//!
//! A host that crashes is cut off at once: nothing that its end still has gets onto the wire, and nothing
//! reaches it. Its next incarnation was made before the run, so that it is there at once. It has never had a
//! socket, a route or a neighbor: it is an unused namespace, or a new stack. The forwarder does not run the
//! programs; it notifies whoever does.

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

/// A host lost power, or started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Switched {
    /// The host's end of the wire.
    pub end: usize,
    /// How often it has lost power by now.
    pub generation: u32,
    /// Whether it started; if not, it lost power.
    pub is_on: bool,
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

    /// Whether a host has power and has lost it exactly `generation` times.
    pub fn is_on(&self, end: usize, generation: u32) -> bool {
        self.shared.state().power.is_on(Life { end, generation })
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
    generation: u32,
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
            Ok(HostPower { is_up: true, generation: 0, readable: readable(end)?, spares })
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
        host.is_up = false;
        host.generation += 1;
        host.readable = None;
        self.tell(end, false);
        true
    }

    /// A host starts again: gives what is at its end from now on, in place of `before`. False if it had
    /// power, or there is nothing to start.
    pub(super) fn on(&mut self, end: usize, before: &mut End) -> bool {
        let Some(host) = self.hosts.get_mut(end).filter(|host| !host.is_up) else { return false };
        let Some(spare) = host.spares.pop_front() else { return false };
        host.is_up = true;
        host.readable = spare.readable;
        self.gone.push(std::mem::replace(before, spare.end));
        self.tell(end, true);
        true
    }

    fn tell(&mut self, end: usize, is_on: bool) {
        let generation = self.life(end).generation;
        self.switched.push_back(Switched { end, generation, is_on });
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

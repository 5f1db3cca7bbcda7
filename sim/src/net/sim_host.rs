//! A host of the simulated world, as its programs get at it.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use faultwire::errno::Errno;
use faultwire::fault::{EventKind, Injection};
use faultwire::stack::{Fd, HostStack};
use faultwire::time::Time;
use faultwire::trace::{Call, HostId, SocketId, Trace, What};

use super::address;
use super::host_net::{Record, StackHost, would_wait};
use crate::program::calls_at;
use crate::world::{Host, OpenSockets, Shared, TimerId, World};

/// One incarnation of a simulated host.
#[derive(Clone, Debug)]
pub(crate) struct SimHost {
    shared: Arc<Shared>,
    host: HostId,
    generation: u32,
}

impl SimHost {
    pub(crate) fn new(shared: Arc<Shared>, host: HostId, generation: u32) -> Self {
        SimHost { shared, host, generation }
    }

    /// Whether another host has lost power in this run, or its programs were killed.
    pub(crate) fn has_crashed_peer(&self) -> bool {
        let world = self.shared.lock();
        let others = (0..).zip(&world.hosts).filter(|(index, _)| *index != self.host.0);
        others.into_iter().any(|(_, host)| host.generation > 0)
    }

    /// Lets something happen that is not in the plan.
    pub(crate) fn cause(&self, kind: EventKind) -> io::Result<()> {
        if let EventKind::Inject(Injection::Like { .. } | Injection::Reject { .. }) = kind {
            let text = "a program injects a packet by its bytes: no later one can be waited for";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let caused = self.with(|world| {
            let World { wire, trace, now, .. } = world;
            let hosts = trace.hosts().to_vec();
            wire.cause(*now, kind, &hosts, trace)
        });
        caused.unwrap_or(Ok(())).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }

    /// Notes a value of a program in the trace.
    pub(crate) fn note(&self, key: &str, value: String) {
        self.with(|world| {
            if world.trace.keeps_events() {
                let (host, key) = (self.host, key.to_owned());
                world.trace.push(world.now, What::Noted { host, key, value });
            }
        });
    }

    #[cfg(test)]
    pub(crate) fn world(&self) -> std::sync::Weak<Shared> {
        Arc::downgrade(&self.shared)
    }

    /// Does something with the host and lets what follows from it happen.
    fn with<R>(&self, call: impl FnOnce(&mut World) -> R) -> Option<R> {
        calls_at(self.host);
        let mut world = self.shared.lock();
        let now = world.now;
        // A program that calls and never waits would run forever: its calls count, and past the limit none
        // comes back.
        world.count_event();
        if world.is_silent() || world.host(self.host).generation != self.generation {
            return None;
        }
        world.host(self.host).handle_timeout(now);
        let result = call(&mut world);
        world.settle(self.host);
        self.shared.driver.put_on_wire(&mut world, self.host);
        Some(result)
    }
}

impl StackHost for SimHost {
    type Record<'a> = CallRecord<'a>;

    fn call<T>(&self, call: impl FnOnce(&mut dyn HostStack, &mut CallRecord<'_>) -> T) -> Option<T> {
        self.with(|world| {
            world.host(self.host).progressed();
            let (stack, mut record) = calls(world, self.host);
            call(stack, &mut record)
        })
    }

    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        fd: Fd,
        call: impl FnOnce(&mut dyn HostStack, &mut CallRecord<'_>) -> Result<T, Errno>,
    ) -> Poll<Result<T, Errno>> {
        let answer = self.with(|world| {
            let (stack, mut record) = calls(world, self.host);
            let result = call(stack, &mut record);
            let host = world.host(self.host);
            if would_wait(&result) {
                host.sockets.wait(fd, cx.waker());
                return None;
            }
            host.progressed();
            Some(result)
        });
        answer.flatten().map_or(Poll::Pending, Poll::Ready)
    }

    fn addrs(&self, name: &str) -> io::Result<[IpAddr; 2]> {
        let world = self.shared.lock();
        let host = world.trace.host(name).ok_or_else(|| address::unknown(name, world.trace.hosts()))?;
        let addrs = world.hosts[usize::from(host.0)].addrs;
        Ok([addrs.v4.into(), addrs.v6.into()])
    }

    fn sleep(&self, span: Duration) -> impl Future<Output = ()> + Send {
        Sleep { shared: self.shared.clone(), due: self.now() + span, timer: None }
    }

    fn now(&self) -> Time {
        self.shared.lock().now
    }
}

/// The record of a host's calls, while one lasts.
pub(crate) struct CallRecord<'a> {
    at: Time,
    host: HostId,
    sockets: &'a mut OpenSockets,
    trace: &'a mut Trace,
}

/// A host's stack and the record of its calls.
fn calls(world: &mut World, host: HostId) -> (&mut dyn HostStack, CallRecord<'_>) {
    let Host { stack, sockets, .. } = &mut world.hosts[usize::from(host.0)];
    (&mut **stack, CallRecord { at: world.now, host, sockets, trace: &mut world.trace })
}

impl Record for CallRecord<'_> {
    fn opened(&mut self, fd: Fd) -> SocketId {
        self.sockets.opened(fd)
    }

    fn closed(&mut self, socket: SocketId) {
        self.sockets.closed(socket);
    }

    fn push(&mut self, socket: SocketId, error: Option<Errno>, call: impl FnOnce() -> Call) {
        if self.trace.keeps_events() {
            self.trace.push(self.at, What::Call { host: self.host, socket, call: call(), error });
        }
    }
}

/// Ends when the world's time has come to `due`.
#[derive(Debug)]
struct Sleep {
    shared: Arc<Shared>,
    due: Time,
    timer: Option<TimerId>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let shared = self.shared.clone();
        let mut world = shared.lock();
        world.count_event();
        if world.is_silent() {
            return Poll::Pending;
        }
        if world.now >= self.due {
            if let Some(timer) = self.timer.take() {
                world.timers.cancel(timer);
            }
            return Poll::Ready(());
        }
        match self.timer {
            Some(timer) => world.timers.renew(timer, cx.waker()),
            None => self.timer = Some(world.timers.set(self.due, cx.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.shared.lock().timers.cancel(timer);
        }
    }
}

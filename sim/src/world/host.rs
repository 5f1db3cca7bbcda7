//! A simulated host: its stack, who waits for its sockets, and whether it has power.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::task::Waker;

use faultwire::stack::{Fd, HostStack, Waiters};
use faultwire::time::Time;
use faultwire::trace::SocketId;

use crate::new_host::Role;
use crate::settings::Settings;

/// Reports of a stack in a row after which it counts as livelocked. What one packet, call or timeout leads to
/// stays far below: our stack keeps at most 4096 packets and 1024 notes.
pub(super) const REPORTS_MAX: u32 = 100_000;

/// A host of the run.
pub(crate) struct Host {
    pub(crate) addrs: HostAddrs,
    pub(crate) stack: Box<dyn HostStack>,
    pub(crate) sockets: OpenSockets,
    pub(crate) is_up: bool,
    is_killed: bool,
    /// How often it lost power, or its programs were killed. A socket of an earlier incarnation is dead: its
    /// calls never return.
    pub(crate) generation: u32,
    /// What the stack reported since it was last told something: a later time, a packet, a call that came
    /// back.
    reports: u32,
    told: Time,
    role: Role,
    index: usize,
    mtu: u16,
}

/// A host's addresses on the link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostAddrs {
    pub(crate) v4: Ipv4Addr,
    pub(crate) v6: Ipv6Addr,
}

impl HostAddrs {
    /// The nth host of a link has 10.0.0.n and fd00::n, counted from 1.
    pub(crate) fn of(index: usize) -> Self {
        let n = u16::try_from(index + 1).unwrap_or(u16::MAX);
        let [high, low] = n.to_be_bytes();
        HostAddrs { v4: Ipv4Addr::new(10, 0, high, low), v6: Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n) }
    }

    fn both(&self) -> (Ipv4Addr, Ipv6Addr) {
        (self.v4, self.v6)
    }

    pub(crate) fn has(&self, addr: &IpAddr) -> bool {
        match addr {
            IpAddr::V4(v4) => *v4 == self.v4,
            IpAddr::V6(v6) => *v6 == self.v6,
        }
    }
}

impl Host {
    pub(crate) fn new(role: Role, index: usize, mtu: u16, settings: &Settings) -> Self {
        let addrs = HostAddrs::of(index);
        Host {
            addrs,
            stack: settings.new_stack(&role, (index, 0), addrs.both(), mtu),
            role,
            sockets: OpenSockets::default(),
            is_up: true,
            is_killed: false,
            generation: 0,
            reports: 0,
            told: Time::ZERO,
            index,
            mtu,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        if self.is_up { self.stack.poll_timeout() } else { None }
    }

    /// Tells the stack the time.
    pub(crate) fn handle_timeout(&mut self, now: Time) {
        if now > self.told {
            self.told = now;
            self.progressed();
        }
        self.stack.handle_timeout(now);
    }

    /// The stack was told something new, so it may report again.
    pub(crate) fn progressed(&mut self) {
        if !self.is_livelocked() {
            self.reports = 0;
        }
    }

    /// Counts a report of the stack.
    pub(crate) fn reported(&mut self) {
        self.reports += 1;
    }

    /// Whether the stack reported so much, while nothing happened, that it would go on forever.
    pub(crate) fn is_livelocked(&self) -> bool {
        self.reports >= REPORTS_MAX
    }

    /// Whether its programs run, as far as the plan's events go.
    pub(crate) fn is_alive(&self) -> bool {
        self.is_up && !self.is_killed
    }

    pub(crate) fn power_off(&mut self) {
        self.is_up = false;
        self.forget_programs();
    }

    /// Its programs are killed: the stack closes what they have open.
    pub(crate) fn kill(&mut self, now: Time) {
        self.is_killed = true;
        self.handle_timeout(now);
        self.progressed();
        for (_, fd) in &self.sockets.open {
            // No program is left that could be told of an error.
            let _ = self.stack.close(*fd);
        }
        self.forget_programs();
    }

    fn forget_programs(&mut self) {
        self.generation += 1;
        self.sockets.forget_wakers();
        self.sockets.open.clear();
    }

    /// Starts again, with a new stack if it had no power.
    pub(crate) fn start(&mut self, now: Time, settings: &Settings) {
        if !self.is_up {
            let incarnation = (self.index, self.generation);
            self.stack = settings.new_stack(&self.role, incarnation, self.addrs.both(), self.mtu);
            self.handle_timeout(now);
        }
        (self.is_up, self.is_killed) = (true, false);
    }
}

/// The sockets that a host's programs have open, and who waits for them.
#[derive(Debug, Default)]
pub(crate) struct OpenSockets {
    /// By the number that they have in the trace.
    pub(crate) open: Vec<(SocketId, Fd)>,
    opened: u32,
    waiters: Waiters,
}

impl OpenSockets {
    /// Numbers a socket that a program opened.
    pub(crate) fn opened(&mut self, fd: Fd) -> SocketId {
        let id = SocketId(self.opened);
        self.opened += 1;
        self.open.push((id, fd));
        id
    }

    /// A program closes a socket: whoever waits for it is woken.
    pub(crate) fn closed(&mut self, socket: SocketId) {
        if let Some(index) = self.open.iter().position(|(id, _)| *id == socket) {
            let (_, fd) = self.open.remove(index);
            self.waiters.wake(fd);
        }
    }

    /// Wakes `waker` when the descriptor changes.
    pub(crate) fn wait(&mut self, fd: Fd, waker: &Waker) {
        self.waiters.add(fd, waker);
    }

    /// The descriptor has changed.
    pub(crate) fn changed(&mut self, fd: Fd) {
        self.waiters.wake(fd);
    }

    pub(crate) fn forget_wakers(&mut self) {
        self.waiters = Waiters::default();
    }
}

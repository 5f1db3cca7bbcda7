//! The Berkeley calls on stream sockets. Their order of checks is that of Linux's `inet_stream_connect`,
//! `inet_listen` and `inet_accept`.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::Stack;
use super::binding::Binding;
use super::connections::{ConnectionId, Entry, Owner};
use super::route::Reach;
use super::stream::{Listener, Role, Stream};
use crate::model::{Domain, Errno, Fd, How, OptionName, Readiness, SocketOption, State};
use crate::tcp::Connection;

/// The longest backlog (Linux's `somaxconn`).
const BACKLOG_MAX: u32 = 4_096;

impl Stack {
    pub(super) fn stream_open(&mut self, domain: Domain) -> Result<Fd, Errno> {
        self.streams.open(&mut self.numbers, Stream::new(domain))
    }

    pub(super) fn stream_bind(&mut self, fd: Fd, addr: SocketAddr) -> Result<(), Errno> {
        let binding = self.streams.get(fd)?.binding;
        let ip = self.bindable(&binding, addr)?;
        if ip.is_multicast() || self.config.is_broadcast(ip) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let port = match addr.port() {
            0 => self.free_stream_port(fd)?,
            port => {
                let taken = self.streams.iter().any(|(other, socket)| {
                    let shares = binding.reuse && socket.binding.reuse && socket.listener().is_none();
                    other != fd
                        && socket.binding.port == port
                        && !shares
                        && socket.binding.overlaps(ip, binding.v6_only)
                });
                if taken || self.is_port_left_busy(port, ip, binding.reuse) {
                    return Err(Errno::EADDRINUSE);
                }
                port
            }
        };
        let socket = self.streams.get_mut(fd)?;
        (socket.binding.local, socket.binding.port) = (ip, port);
        (socket.address_locked, socket.port_locked) = (!ip.is_unspecified(), addr.port() != 0);
        Ok(())
    }

    /// A port of the ephemeral range that no stream socket and no connection has.
    fn free_stream_port(&self, fd: Fd) -> Result<u16, Errno> {
        self.pick_port("stream port", fd, |port| {
            self.streams.iter().all(|(_, socket)| socket.binding.port != port)
                && self.connections.iter().all(|(_, entry)| entry.ours.1 != port)
        })
    }

    pub(super) fn stream_listen(&mut self, fd: Fd, backlog: u32) -> Result<(), Errno> {
        let backlog = backlog.min(BACKLOG_MAX) as usize;
        if let Some(listener) = self.streams.get_mut(fd)?.listener_mut() {
            listener.backlog = backlog;
            return Ok(());
        }
        let binding = self.streams.get(fd)?.binding;
        if self.streams.get(fd)?.connection().is_some() {
            return Err(Errno::EINVAL);
        }
        let taken = self.streams.iter().any(|(_, other)| {
            other.listener().is_some()
                && other.binding.port == binding.port
                && other.binding.overlaps(binding.local, binding.v6_only)
        });
        if taken && binding.port != 0 {
            return Err(Errno::EADDRINUSE);
        }
        let port = if binding.port == 0 { self.free_stream_port(fd)? } else { binding.port };
        let socket = self.streams.get_mut(fd)?;
        socket.binding.port = port;
        socket.role = Role::Listener(Listener { backlog, half_open: 0, queue: VecDeque::new() });
        Ok(())
    }

    pub(super) fn stream_accept(&mut self, fd: Fd) -> Result<(Fd, SocketAddr), Errno> {
        let socket = self.streams.get(fd)?;
        let listener = socket.listener().ok_or(Errno::EINVAL)?;
        let id = *listener.queue.front().ok_or(Errno::EAGAIN)?;
        let (ours, theirs) =
            self.connections.get(id).map(|e| (e.ours, e.theirs)).ok_or(Errno::ECONNABORTED)?;
        let binding = Binding { local: ours.0, port: ours.1, ..socket.binding };
        let accepted = socket.accepted(binding, id);
        let accepted = self.streams.open(&mut self.numbers, accepted)?;
        if let Some(listener) = self.streams.get_mut(fd)?.listener_mut() {
            listener.queue.pop_front();
        }
        if let Some(entry) = self.connections.get_mut(id) {
            entry.owner = Owner::Socket(accepted);
        }
        Ok((accepted, binding.shown(theirs)))
    }

    pub(super) fn stream_connect(&mut self, fd: Fd, addr: SocketAddr) -> Result<(), Errno> {
        let socket = self.streams.get_mut(fd)?;
        match &mut socket.role {
            Role::Fresh => self.stream_start(fd, addr),
            Role::Listener(_) => Err(Errno::EISCONN),
            Role::Connected { id, told } => {
                let (id, told_before) = (*id, std::mem::replace(told, true));
                let connection = &mut self.connections.get_mut(id).ok_or(Errno::EISCONN)?.connection;
                match connection.state() {
                    State::SynSent | State::SynReceived => {
                        *told = false;
                        Err(Errno::EALREADY)
                    }
                    // A connect that failed is told of, and the socket is a fresh one again.
                    State::Closed if !told_before => {
                        let error = connection.take_error().unwrap_or(Errno::ECONNABORTED);
                        socket.make_fresh();
                        self.release(id, true);
                        Err(error)
                    }
                    _ if told_before => Err(Errno::EISCONN),
                    _ => Ok(()),
                }
            }
        }
    }

    /// Starts to connect a fresh socket.
    fn stream_start(&mut self, fd: Fd, addr: SocketAddr) -> Result<(), Errno> {
        let binding = self.streams.get(fd)?.binding;
        let ip = Self::reachable_family(&binding, addr)?;
        let bound = (!binding.local.is_unspecified()).then_some(binding.local);
        let route = self.config.route(ip, bound)?;
        if matches!(route.reach, Reach::Broadcast | Reach::Multicast) {
            return Err(Errno::ENETUNREACH);
        }
        let port = if binding.port == 0 { self.free_stream_port(fd)? } else { binding.port };
        let (ours, theirs) = ((route.path.src(), port), (route.path.dst(), addr.port()));
        if self.connections.find(ours, theirs).is_some() || !self.has_room_for_connection() {
            return Err(Errno::EADDRNOTAVAIL);
        }
        let socket = self.streams.get(fd)?;
        let options = self.connection_options(socket, &route);
        let entry = Entry {
            ours,
            theirs,
            route,
            ttl: socket.ttl,
            reuse: socket.binding.reuse,
            owner: Owner::Socket(fd),
            connection: Connection::open(self.tcp.clone(), options, self.iss(ours, theirs)),
        };
        let id = self.connections.add(entry);
        let socket = self.streams.get_mut(fd)?;
        (socket.binding.local, socket.binding.port) = ours;
        socket.role = Role::Connected { id, told: false };
        self.drive(id, |_, _| ());
        self.run_loopback();
        // Also to this host itself, though it is done by now: that is how Linux answers.
        Err(Errno::EINPROGRESS)
    }

    /// `connect` with AF_UNSPEC: the connection is reset.
    pub(super) fn stream_disconnect(&mut self, fd: Fd) -> Result<(), Errno> {
        self.stop_listening(fd)?;
        let socket = self.streams.get_mut(fd)?;
        if let Some(id) = socket.connection() {
            socket.make_fresh();
            self.release(id, true);
        }
        Ok(())
    }

    /// Lets a connection go; what is still to be done is done without a socket.
    fn release(&mut self, id: ConnectionId, at_once: bool) {
        if let Some(entry) = self.connections.get_mut(id) {
            entry.owner = Owner::Nobody;
        }
        self.drive(id, |connection, now| connection.close(at_once, now));
        self.run_loopback();
    }

    /// Does something with a socket's connection.
    fn with_connection<R>(
        &mut self,
        fd: Fd,
        act: impl FnOnce(&mut Connection) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        let id = self.streams.get(fd)?.connection().ok_or(Errno::ENOTCONN)?;
        let result = self.drive(id, |connection, _| act(connection)).ok_or(Errno::ENOTCONN)?;
        self.run_loopback();
        result
    }

    pub(super) fn stream_send(&mut self, fd: Fd, data: &[u8]) -> Result<usize, Errno> {
        // Linux says EPIPE of a socket that was never connected.
        self.with_connection(fd, |connection| connection.send(data)).map_err(|error| match error {
            Errno::ENOTCONN => Errno::EPIPE,
            error => error,
        })
    }

    pub(super) fn stream_receive(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.with_connection(fd, |connection| connection.receive(buffer))
    }

    pub(super) fn stream_peek(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.with_connection(fd, |connection| connection.peek(buffer))
    }

    pub(super) fn stream_shutdown(&mut self, fd: Fd, how: How) -> Result<(), Errno> {
        if self.streams.get(fd)?.listener().is_some() && how != How::Write {
            self.stop_listening(fd)?;
            self.changed(fd);
            return Ok(());
        }
        if self.streams.get(fd)?.listener().is_some() {
            return Ok(());
        }
        self.with_connection(fd, |connection| {
            match connection.state() {
                // Linux's socket is closed by then, were its connection in TIME-WAIT.
                State::Closed | State::TimeWait => return Err(Errno::ENOTCONN),
                // As `tcp_disconnect`: the connect is given up.
                State::SynSent => {
                    connection.give_up();
                    return Ok(());
                }
                _ => {}
            }
            if matches!(how, How::Read | How::Both) {
                connection.shut_read();
            }
            if matches!(how, How::Write | How::Both) {
                connection.shut_write();
            }
            Ok(())
        })
    }

    pub(super) fn stream_close(&mut self, fd: Fd) -> Result<(), Errno> {
        self.stop_listening(fd)?;
        let socket = self.streams.close(&mut self.numbers, fd)?;
        if let Some(id) = socket.connection() {
            self.release(id, socket.linger.is_some_and(|linger| linger.is_zero()));
        }
        Ok(())
    }

    /// Connections that can no longer be accepted are reset.
    fn stop_listening(&mut self, fd: Fd) -> Result<(), Errno> {
        let socket = self.streams.get_mut(fd)?;
        if socket.listener().is_none() {
            return Ok(());
        }
        socket.role = Role::Fresh;
        let theirs = [Owner::HalfOpen(fd), Owner::Waiting(fd)];
        let ids: Vec<ConnectionId> = self
            .connections
            .iter()
            .filter(|(_, entry)| theirs.contains(&entry.owner))
            .map(|(id, _)| id)
            .collect();
        for id in ids {
            self.release(id, true);
        }
        Ok(())
    }

    /// Whose bytes a socket receives, whatever became of the connection.
    pub(super) fn stream_sender(&self, fd: Fd) -> Result<SocketAddr, Errno> {
        let socket = self.streams.get(fd)?;
        let entry = socket.connection().and_then(|id| self.connections.get(id)).ok_or(Errno::ENOTCONN)?;
        Ok(socket.binding.shown(entry.theirs))
    }

    pub(super) fn stream_peer(&self, fd: Fd) -> Result<SocketAddr, Errno> {
        let socket = self.streams.get(fd)?;
        let entry = socket.connection().and_then(|id| self.connections.get(id)).ok_or(Errno::ENOTCONN)?;
        match entry.connection.state() {
            State::Closed | State::TimeWait | State::SynSent => Err(Errno::ENOTCONN),
            _ => Ok(socket.binding.shown(entry.theirs)),
        }
    }

    pub(super) fn stream_set_option(&mut self, fd: Fd, option: SocketOption) -> Result<(), Errno> {
        let socket = self.streams.get_mut(fd)?;
        socket.set(option)?;
        let (send, recv) = (socket.send_buffer / 2, socket.recv_buffer / 2);
        let Some(id) = socket.connection() else {
            return Ok(());
        };
        self.drive(id, |connection, _| match option {
            SocketOption::SendBuffer(_) => connection.set_send_buffer(send),
            SocketOption::RecvBuffer(_) => connection.set_recv_buffer(recv),
            SocketOption::NoDelay(on) => connection.set_no_delay(on),
            _ => {}
        });
        if let (SocketOption::Ttl(ttl), Some(entry)) = (option, self.connections.get_mut(id)) {
            entry.ttl = ttl;
        }
        self.run_loopback();
        Ok(())
    }

    pub(super) fn stream_option(&self, fd: Fd, name: OptionName) -> Result<SocketOption, Errno> {
        let socket = self.streams.get(fd)?;
        let connected = socket.connection().and_then(|id| self.connections.get(id));
        match (name, connected) {
            (OptionName::MaxSegment, Some(entry)) => {
                Ok(SocketOption::MaxSegment(entry.connection.max_segment()))
            }
            _ => socket.get(name),
        }
    }

    pub(super) fn stream_take_error(&mut self, fd: Fd) -> Result<Option<Errno>, Errno> {
        let id = self.streams.get(fd)?.connection();
        let entry = id.and_then(|id| self.connections.get_mut(id));
        Ok(entry.and_then(|entry| entry.connection.take_any_error()))
    }

    pub(super) fn stream_readiness(&self, fd: Fd) -> Result<Readiness, Errno> {
        Ok(match &self.streams.get(fd)?.role {
            // As Linux says of a socket that is not connected.
            Role::Fresh => Readiness { writable: true, hang_up: true, ..Readiness::default() },
            Role::Listener(listener) => {
                Readiness { readable: !listener.queue.is_empty(), ..Readiness::default() }
            }
            Role::Connected { id, .. } => {
                self.connections.get(*id).map(|entry| entry.connection.readiness()).unwrap_or_default()
            }
        })
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

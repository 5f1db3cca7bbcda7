//! A stream socket: its address, its options, and what it is: fresh, a listener, or one end of a connection.

use std::collections::VecDeque;
use std::time::Duration;

use super::binding::Binding;
use super::connections::ConnectionId;
use super::datagram::any;
use crate::model::{Domain, Errno, OptionName, SocketOption};

/// SO_RCVBUF and SO_SNDBUF of a fresh stream socket, in bytes; half of each is for text. Linux's
/// `tcp_rmem` has the same figure; its send buffer grows by itself, ours does not.
const BUFFER_DEFAULT: usize = 131_072;
/// The largest that can be asked for; asking doubles (Linux's `rmem_max` and `wmem_max`).
const BUFFER_MAX: usize = 212_992;
/// The least that SO_RCVBUF and SO_SNDBUF can be set to, doubled.
const RECV_BUFFER_MIN: usize = 2_304;
const SEND_BUFFER_MIN: usize = 4_608;
/// What TCP_MAXSEG may be (Linux's `TCP_MIN_MSS` and `MAX_TCP_WINDOW`), in bytes.
const MAX_SEGMENT: std::ops::RangeInclusive<u16> = 88..=32_767;

/// Half-open connections of a listener at most (the least of Linux's `tcp_max_syn_backlog`).
const HALF_OPEN_MAX: usize = 128;

/// A stream socket.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) binding: Binding,
    /// The program chose the address; a connection that is undone keeps it.
    pub(super) address_locked: bool,
    /// The program chose the port; likewise.
    pub(super) port_locked: bool,
    pub(super) recv_buffer: usize,
    pub(super) send_buffer: usize,
    pub(super) no_delay: bool,
    pub(super) max_segment: Option<u16>,
    pub(super) linger: Option<Duration>,
    pub(super) broadcast: bool,
    pub(super) ttl: u8,
    pub(super) role: Role,
}

/// What a stream socket is.
#[derive(Debug)]
pub(super) enum Role {
    /// Neither connected nor listening.
    Fresh,
    /// It listens.
    Listener(Listener),
    /// It has a connection; `told` once a `connect` has said that it is there.
    Connected { id: ConnectionId, told: bool },
}

/// What a listener keeps.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) backlog: usize,
    /// Connections whose handshake is not complete.
    pub(super) half_open: usize,
    /// Connections that wait for `accept`.
    pub(super) queue: VecDeque<ConnectionId>,
}

impl Listener {
    /// Whether one more may begin. As in Linux a half-open connection takes no place in the queue, so that a
    /// client that never completes its handshake keeps no other client out. (Linux holds no more of them than
    /// the backlog, and answers further SYNs with cookies.)
    pub(super) fn has_room(&self) -> bool {
        !self.is_full() && self.half_open < HALF_OPEN_MAX
    }

    /// Whether no more may wait for `accept`. As in Linux a backlog of n lets n + 1 wait.
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() > self.backlog
    }
}

impl Stream {
    pub(super) fn new(domain: Domain) -> Self {
        Stream {
            binding: Binding::new(domain),
            address_locked: false,
            port_locked: false,
            recv_buffer: BUFFER_DEFAULT,
            send_buffer: BUFFER_DEFAULT,
            no_delay: false,
            max_segment: None,
            linger: None,
            broadcast: false,
            ttl: 64,
            role: Role::Fresh,
        }
    }

    /// What `accept` gives: it inherits the listener's options.
    pub(super) fn accepted(&self, binding: Binding, id: ConnectionId) -> Self {
        Stream { binding, role: Role::Connected { id, told: true }, ..*self }
    }

    /// Undoes a connect: what the program did not choose itself is given back.
    pub(super) fn make_fresh(&mut self) {
        self.role = Role::Fresh;
        if !self.address_locked {
            self.binding.local = any(self.binding.domain);
        }
        if !self.port_locked {
            self.binding.port = 0;
        }
    }

    pub(super) fn connection(&self) -> Option<ConnectionId> {
        match self.role {
            Role::Connected { id, .. } => Some(id),
            Role::Fresh | Role::Listener(_) => None,
        }
    }

    pub(super) fn listener(&self) -> Option<&Listener> {
        match &self.role {
            Role::Listener(listener) => Some(listener),
            Role::Fresh | Role::Connected { .. } => None,
        }
    }

    pub(super) fn listener_mut(&mut self) -> Option<&mut Listener> {
        match &mut self.role {
            Role::Listener(listener) => Some(listener),
            Role::Fresh | Role::Connected { .. } => None,
        }
    }

    /// `setsockopt(2)`: what a stream socket of Linux takes. Keep-alive is not there yet and is
    /// `ENOPROTOOPT`.
    pub(super) fn set(&mut self, option: SocketOption) -> Result<(), Errno> {
        match option {
            SocketOption::RecvBuffer(bytes) => {
                self.recv_buffer = (bytes.min(BUFFER_MAX) * 2).max(RECV_BUFFER_MIN);
            }
            SocketOption::SendBuffer(bytes) => {
                self.send_buffer = (bytes.min(BUFFER_MAX) * 2).max(SEND_BUFFER_MIN);
            }
            SocketOption::ReuseAddress(on) => self.binding.reuse = on,
            SocketOption::Broadcast(on) => self.broadcast = on,
            SocketOption::KeepAlive(None) => {}
            SocketOption::Linger(time) => self.linger = time,
            SocketOption::NoDelay(on) => self.no_delay = on,
            SocketOption::MaxSegment(bytes) if MAX_SEGMENT.contains(&bytes) => self.max_segment = Some(bytes),
            SocketOption::MaxSegment(_) => return Err(Errno::EINVAL),
            SocketOption::Ttl(0) if self.binding.domain == Domain::Inet => return Err(Errno::EINVAL),
            SocketOption::Ttl(hops) => self.ttl = hops,
            SocketOption::V6Only(on) if self.binding.domain == Domain::Inet6 => {
                if self.binding.port != 0 {
                    return Err(Errno::EINVAL);
                }
                self.binding.v6_only = on;
            }
            // As Linux refuses them on a stream socket.
            SocketOption::JoinGroup(_) | SocketOption::LeaveGroup(_) => return Err(Errno::EPROTO),
            SocketOption::MulticastTtl(_) | SocketOption::MulticastLoop(_) => return Err(Errno::EINVAL),
            SocketOption::KeepAlive(Some(_)) | SocketOption::V6Only(_) => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    /// `getsockopt(2)`, of what does not depend on a connection.
    pub(super) fn get(&self, name: OptionName) -> Result<SocketOption, Errno> {
        Ok(match name {
            OptionName::RecvBuffer => SocketOption::RecvBuffer(self.recv_buffer),
            OptionName::SendBuffer => SocketOption::SendBuffer(self.send_buffer),
            OptionName::ReuseAddress => SocketOption::ReuseAddress(self.binding.reuse),
            OptionName::Broadcast => SocketOption::Broadcast(self.broadcast),
            OptionName::KeepAlive => SocketOption::KeepAlive(None),
            OptionName::Linger => SocketOption::Linger(self.linger),
            OptionName::NoDelay => SocketOption::NoDelay(self.no_delay),
            OptionName::MaxSegment => SocketOption::MaxSegment(self.max_segment.unwrap_or(536)),
            OptionName::Ttl => SocketOption::Ttl(self.ttl),
            OptionName::V6Only if self.binding.domain == Domain::Inet6 => {
                SocketOption::V6Only(self.binding.v6_only)
            }
            OptionName::V6Only | OptionName::MulticastTtl | OptionName::MulticastLoop => {
                return Err(Errno::ENOPROTOOPT);
            }
        })
    }
}

//! A socket as a program sees it, over connections and ports of a transport.

use std::iter::from_fn;
use std::mem::replace;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use faultwire::errno::Errno;
use faultwire::stack::{OptionName, Readiness, SocketOption};

use super::{Answer, Options, Phase, Transport};

/// Bytes of a buffer by default: of a connection, and of datagrams.
const BUFFERS: (usize, usize) = (65_535, 212_992);

/// A socket.
pub(super) struct Socket<T: Transport> {
    pub(super) over: Over<T>,
    /// To the unspecified address or to `own`; port 0 while it is not bound.
    pub(super) bound: SocketAddr,
    /// The host's address of its family.
    pub(super) own: IpAddr,
    pub(super) peer: Option<SocketAddr>,
    pub(super) options: Options,
    /// Of its connection when it was last looked at.
    pub(super) phase: Phase,
    /// The peer's FIN has come.
    pub(super) ended: bool,
    pub(super) read_shut: bool,
    pub(super) write_shut: bool,
    /// For the next call.
    pub(super) error: Option<Errno>,
    /// What `poll` says, and how much there is to take out.
    pub(super) seen: (Readiness, usize),
}

/// What it is made of.
pub(super) enum Over<T: Transport> {
    /// A stream without a connection.
    Fresh,
    /// Connections that wait to be accepted, and sockets that wait for a client; together `limit`.
    Listener { limit: usize, sockets: Vec<T::Connection> },
    /// A stream with a connection.
    Connection(T::Connection),
    /// Datagrams: their port once it is bound, and the oldest one that waits.
    Datagrams(Option<T::Port>, Option<(SocketAddr, Bytes)>),
}

/// What led to a change.
#[derive(Clone, Copy)]
pub(super) enum Cause {
    Call,
    Packet,
    Timer,
}

impl<T: Transport> Socket<T> {
    pub(super) fn new(over: Over<T>, bound: SocketAddr, own: IpAddr) -> Socket<T> {
        let len = if matches!(over, Over::Datagrams(..)) { BUFFERS.1 } else { BUFFERS.0 };
        let (recv_buffer, send_buffer, no_delay, broadcast, reuse) = (len, len, false, false, false);
        let options = Options { recv_buffer, send_buffer, no_delay, broadcast, reuse, linger: None };
        let (peer, phase, error, seen) = (None, Phase::Opening, None, Default::default());
        let (ended, read_shut, write_shut) = (false, false, false);
        Socket { over, bound, own, peer, options, phase, ended, read_shut, write_shut, error, seen }
    }

    /// What `accept` gives of a listener: it inherits the options.
    pub(super) fn accepted(&self, connection: T::Connection, peer: SocketAddr) -> Socket<T> {
        let accepted = Socket::new(Over::Connection(connection), self.local(), self.own);
        Socket { peer: Some(peer), options: self.options, ..accepted }
    }

    pub(super) fn is_stream(&self) -> bool {
        !matches!(self.over, Over::Datagrams(..))
    }

    /// Where it is bound, with the host's address in the place of the unspecified one.
    pub(super) fn local(&self) -> SocketAddr {
        SocketAddr::new(self.own, self.bound.port())
    }

    /// The error that the next call answers with.
    pub(super) fn check(&mut self) -> Answer {
        self.error.take().map_or(Ok(()), Err)
    }

    /// Opens its port for datagrams, in place of the one that there is.
    pub(super) fn open_port(&mut self, transport: &mut T) -> Answer {
        let local = self.local();
        let Over::Datagrams(port, _) = &mut self.over else { return Ok(()) };
        port.take().into_iter().for_each(|port| transport.unbind(port));
        *port = Some(transport.bind(local, &self.options)?);
        Ok(())
    }

    /// Sets an option. A connection keeps its buffers.
    pub(super) fn set(&mut self, option: SocketOption, transport: &mut T) -> Answer {
        let (is_stream, is_connected) = (self.is_stream(), matches!(self.over, Over::Connection(_)));
        let (options, buffer) = (&mut self.options, |len: usize| len.clamp(256, 1 << 20));
        match option {
            SocketOption::JoinGroup(group) if !is_stream => return transport.set_member(group, true),
            SocketOption::LeaveGroup(group) if !is_stream => return transport.set_member(group, false),
            SocketOption::RecvBuffer(len) if !is_connected => options.recv_buffer = buffer(len),
            SocketOption::SendBuffer(len) if !is_connected => options.send_buffer = buffer(len),
            SocketOption::NoDelay(on) if is_stream => options.no_delay = on,
            SocketOption::Linger(time) => options.linger = time,
            SocketOption::Broadcast(on) => options.broadcast = on,
            SocketOption::ReuseAddress(on) => options.reuse = on,
            SocketOption::KeepAlive(None) => {}
            _ => return Err(Errno::ENOPROTOOPT),
        }
        match (option, &self.over) {
            (SocketOption::NoDelay(on), Over::Connection(it)) => transport.set_no_delay(*it, on),
            (SocketOption::RecvBuffer(_) | SocketOption::SendBuffer(_), Over::Datagrams(Some(_), _)) => {
                return self.open_port(transport);
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) fn option(&self, name: OptionName) -> Answer<SocketOption> {
        Ok(match name {
            OptionName::RecvBuffer => SocketOption::RecvBuffer(self.options.recv_buffer),
            OptionName::SendBuffer => SocketOption::SendBuffer(self.options.send_buffer),
            OptionName::NoDelay if self.is_stream() => SocketOption::NoDelay(self.options.no_delay),
            OptionName::Linger => SocketOption::Linger(self.options.linger),
            OptionName::Broadcast => SocketOption::Broadcast(self.options.broadcast),
            OptionName::ReuseAddress => SocketOption::ReuseAddress(self.options.reuse),
            OptionName::KeepAlive => SocketOption::KeepAlive(None),
            _ => return Err(Errno::ENOPROTOOPT),
        })
    }

    /// Sees what became of it; whether it is ready for more than before, or there is more to take out.
    pub(super) fn follow(&mut self, transport: &mut T, cause: Cause) -> bool {
        let (local, both_shut) = (self.local(), self.read_shut && self.write_shut);
        let (readable, writable, hang_up, amount) = match &mut self.over {
            Over::Fresh => (false, true, true, 0),
            Over::Listener { limit, sockets } => {
                sockets.retain(|it| {
                    let is_over = transport.status(*it).phase == Phase::Closed;
                    is_over.then(|| transport.remove(*it));
                    !is_over
                });
                // Those that wait to be accepted come first, in the order in which they opened.
                sockets.sort_by_key(|it| transport.status(*it).phase == Phase::Opening);
                let lacking = limit.saturating_sub(sockets.len());
                sockets.extend((0..lacking).map_while(|_| transport.listen(local, &self.options).ok()));
                let is_open = |it: &&T::Connection| transport.status(**it).phase != Phase::Opening;
                (false, false, false, sockets.iter().filter(is_open).count())
            }
            Over::Connection(connection) => {
                let status = transport.status(*connection);
                let was = replace(&mut self.phase, status.phase);
                let is_over = self.phase == Phase::Closed;
                self.ended |= matches!(self.phase, Phase::Ended | Phase::TimeWait);
                if is_over && was != Phase::Closed && !(self.ended && self.write_shut) {
                    self.error = Some(match cause {
                        Cause::Timer => Errno::ETIMEDOUT,
                        Cause::Packet if was == Phase::Opening => Errno::ECONNREFUSED,
                        Cause::Packet | Cause::Call => Errno::ECONNRESET,
                    });
                }
                let (ended, shut) = (self.ended || is_over, self.write_shut || is_over);
                (ended || self.read_shut, status.room > 0 || shut, ended && shut, status.unread)
            }
            Over::Datagrams(port, next) => {
                let is_heard = |(from, _): &(SocketAddr, Bytes)| self.peer.is_none_or(|it| it == *from);
                let port = *port;
                let mut all = next.take().into_iter().chain(from_fn(|| transport.recv_from(port?)));
                *next = all.find(is_heard);
                while let Some((to, errno)) = port.and_then(|port| transport.poll_error(port)) {
                    self.error = self.error.or((self.peer == Some(to)).then_some(errno));
                }
                (self.read_shut, true, both_shut, usize::from(next.is_some()))
            }
        };
        let (readable, error) = (readable || amount > 0, self.error.is_some());
        let seen = (Readiness { readable, writable, error, hang_up }, amount);
        let ((was, had), (is, has)) = (replace(&mut self.seen, seen), seen);
        let flags = |it: Readiness| [it.readable, it.writable, it.error, it.hang_up];
        has > had || flags(is).into_iter().zip(flags(was)).any(|(is, was)| is && !was)
    }
}

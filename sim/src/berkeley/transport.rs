//! What a stack is asked for that has no Berkeley calls.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use faultwire::errno::Errno;
use faultwire::time::Time;

/// How far a connection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It waits for a client, or its handshake goes on: LISTEN, SYN-SENT, SYN-RECEIVED.
    Opening,
    /// The handshake is complete, and the peer may send: ESTABLISHED, FIN-WAIT-1, FIN-WAIT-2.
    Open,
    /// The peer's FIN has come: CLOSE-WAIT, CLOSING, LAST-ACK.
    Ended,
    /// Both directions have ended: TIME-WAIT. A stack that has no such state is in it once all the same, so
    /// that the end is not taken for a reset.
    TimeWait,
    /// It is over, well or not: CLOSED.
    #[default]
    Closed,
}

/// How a connection stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// How far it is.
    pub phase: Phase,
    /// The peer's address, once the handshake is complete.
    pub peer: Option<SocketAddr>,
    /// Bytes that [`recv`](Transport::recv) would give.
    pub unread: usize,
    /// Bytes that [`send`](Transport::send) would take; 0 before the handshake is complete.
    pub room: usize,
}

/// What a program has set of a socket.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Options {
    /// SO_RCVBUF, in bytes: by default 65 535 for a connection, which needs no window scaling, and 212 992
    /// for datagrams.
    pub recv_buffer: usize,
    /// SO_SNDBUF, in bytes, with the defaults of `recv_buffer`.
    pub send_buffer: usize,
    /// TCP_NODELAY.
    pub no_delay: bool,
    pub(super) broadcast: bool,
    pub(super) reuse: bool,
    pub(super) linger: Option<Duration>,
}

/// A stack without the Berkeley calls: connections, ports for datagrams, packets and timers.
///
/// Where it is given a `local` address, that is one of the host's own, never the unspecified one, and a port
/// other than 0. [`handle_timeout`](Transport::handle_timeout) follows each call and each packet. A transport
/// that has no connections, or no datagrams, leaves their methods out and names them
/// [`Infallible`](std::convert::Infallible).
#[expect(unused_variables, reason = "names of arguments are for the reader, also where a default uses none")]
#[expect(clippy::missing_errors_doc, reason = "errors are those of the Berkeley call with that name")]
pub trait Transport {
    /// Names a connection, or a socket that waits for one.
    type Connection: Copy + Send;
    /// Names a port for datagrams.
    type Port: Copy + Send;

    /// Takes an IP packet that arrived: any bytes, of any length.
    fn handle_input(&mut self, packet: &Bytes);

    /// The next IP packet for the wire, oldest first.
    fn poll_transmit(&mut self) -> Option<Bytes>;

    /// When `handle_timeout` must be called next, at the latest; `None` while no timer runs.
    fn poll_timeout(&self) -> Option<Time> {
        None
    }

    /// Does all that is due: fires timers, and sends what the last call or packet gave reason to send.
    fn handle_timeout(&mut self, now: Time) {}

    /// Opens a socket that waits for one client, and becomes the connection with it. There are several for a
    /// port: a client that finds none is answered as the stack does.
    fn listen(&mut self, local: SocketAddr, options: &Options) -> Result<Self::Connection, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Begins to connect.
    fn connect(
        &mut self,
        local: SocketAddr,
        peer: SocketAddr,
        options: &Options,
    ) -> Result<Self::Connection, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// How a connection stands.
    fn status(&self, connection: Self::Connection) -> Status {
        Status::default()
    }

    /// Takes data to send, as much as there is room for; the number of bytes taken.
    fn send(&mut self, connection: Self::Connection, data: &[u8]) -> usize {
        0
    }

    /// Gives data that was received; the number of bytes. What came before a reset can still be received.
    fn recv(&mut self, connection: Self::Connection, buffer: &mut [u8]) -> usize {
        0
    }

    /// Sends a FIN behind the data that was taken; receiving goes on. It gives up a connection that opens.
    fn close(&mut self, connection: Self::Connection) {}

    /// Resets a connection, in whatever phase it is: the next `handle_timeout` sends the reset.
    fn abort(&mut self, connection: Self::Connection) {}

    /// Forgets a connection that is closed. Its name is not used again, unless for another one.
    fn remove(&mut self, connection: Self::Connection) {}

    /// Sets TCP_NODELAY of a connection. By default nothing: for a stack that never delays a small segment.
    fn set_no_delay(&mut self, connection: Self::Connection, no_delay: bool) {}

    /// Opens a port for datagrams, those for groups and the broadcast address included.
    fn bind(&mut self, local: SocketAddr, options: &Options) -> Result<Self::Port, Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// Sends a datagram, or loses it: EMSGSIZE if it is too long, ENOBUFS if there is no room.
    fn send_to(&mut self, port: Self::Port, data: &[u8], to: SocketAddr) -> Result<(), Errno> {
        Err(Errno::EOPNOTSUPP)
    }

    /// The oldest datagram that waits, in full, and who sent it.
    fn recv_from(&mut self, port: Self::Port) -> Option<(SocketAddr, Bytes)> {
        None
    }

    /// The next error that the network reported of a datagram from this port, and where that went to.
    fn poll_error(&mut self, port: Self::Port) -> Option<(SocketAddr, Errno)> {
        None
    }

    /// Closes a port. Datagrams that wait for it are lost.
    fn unbind(&mut self, port: Self::Port) {}

    /// Makes the host a member of a group, or no longer one.
    fn set_member(&mut self, group: IpAddr, is_member: bool) -> Result<(), Errno> {
        Err(Errno::ENOPROTOOPT)
    }
}

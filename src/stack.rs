//! A host's network stack: Berkeley calls on top, whole IP packets at the bottom, and nothing else.

mod sockets;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

pub use sockets::{
    Domain, Fd, How, KeepAlive, Kind, OptionName, Protocol, Readiness, Received, SocketOption, Sockets,
};

use crate::errno::Errno;
use crate::time::Time;
use crate::trace::Note;

/// What a host is: its addresses and the properties of its one interface.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StackConfig {
    /// The interface's IPv4 address.
    pub v4: Ipv4Addr,
    /// The IPv4 network's prefix length, in bits.
    pub v4_prefix: u8,
    /// The interface's IPv6 address.
    pub v6: Ipv6Addr,
    /// The IPv6 network's prefix length, in bits.
    pub v6_prefix: u8,
    /// Largest IP packet the interface sends, in bytes.
    pub mtu: u16,
    /// Decides ephemeral ports and identifications.
    pub seed: u64,
}

impl StackConfig {
    /// A host with these addresses on a /24 and a /64, MTU 1500.
    pub fn new(v4: Ipv4Addr, v6: Ipv6Addr) -> Self {
        StackConfig {
            v4,
            v4_prefix: 24,
            v6,
            v6_prefix: 64,
            mtu: 1500,
            seed: 0,
        }
    }
}

/// A host's network stack.
#[derive(Debug)]
pub struct Stack {}

impl Stack {
    /// A stack with no sockets.
    pub fn new(_config: StackConfig) -> Self {
        Stack {}
    }

    /// Tells the time and fires what is due. Time never goes back: an earlier `now` is ignored.
    pub fn advance(&mut self, _now: Time) {}

    /// Takes in a packet that arrived at the interface.
    pub fn input(&mut self, _packet: &Bytes) {}

    /// The next packet to put on the wire.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        None
    }

    /// When [`advance`](Stack::advance) must be called at the latest.
    pub fn next_timeout(&self) -> Option<Time> {
        None
    }

    /// The next descriptor whose readiness may have changed; each is told once until it changes again.
    pub fn poll_changed(&mut self) -> Option<Fd> {
        None
    }

    /// The next thing that the stack has to tell of its work.
    pub fn poll_note(&mut self) -> Option<Note> {
        None
    }
}

#[rustfmt::skip]
impl Sockets for Stack {
    fn socket(&mut self, _: Domain, _: Kind, _: Protocol) -> Result<Fd, Errno> { Err(Errno::EOPNOTSUPP) }
    fn bind(&mut self, _: Fd, _: SocketAddr) -> Result<(), Errno> { Err(Errno::EOPNOTSUPP) }
    fn listen(&mut self, _: Fd, _: u32) -> Result<(), Errno> { Err(Errno::EOPNOTSUPP) }
    fn accept(&mut self, _: Fd) -> Result<(Fd, SocketAddr), Errno> { Err(Errno::EOPNOTSUPP) }
    fn connect(&mut self, _: Fd, _: Option<SocketAddr>) -> Result<(), Errno> { Err(Errno::EOPNOTSUPP) }
    fn send(&mut self, _: Fd, _: &[u8]) -> Result<usize, Errno> { Err(Errno::EOPNOTSUPP) }
    fn send_to(&mut self, _: Fd, _: &[u8], _: SocketAddr) -> Result<usize, Errno> { Err(Errno::EOPNOTSUPP) }
    fn recv(&mut self, _: Fd, _: &mut [u8]) -> Result<usize, Errno> { Err(Errno::EOPNOTSUPP) }
    fn recv_from(&mut self, _: Fd, _: &mut [u8]) -> Result<Received, Errno> { Err(Errno::EOPNOTSUPP) }
    fn shutdown(&mut self, _: Fd, _: How) -> Result<(), Errno> { Err(Errno::EOPNOTSUPP) }
    fn close(&mut self, _: Fd) -> Result<(), Errno> { Err(Errno::EOPNOTSUPP) }
    fn local_addr(&self, _: Fd) -> Result<SocketAddr, Errno> { Err(Errno::EOPNOTSUPP) }
    fn peer_addr(&self, _: Fd) -> Result<SocketAddr, Errno> { Err(Errno::EOPNOTSUPP) }
    fn set_option(&mut self, _: Fd, _: SocketOption) -> Result<(), Errno> { Err(Errno::EOPNOTSUPP) }
    fn option(&self, _: Fd, _: OptionName) -> Result<SocketOption, Errno> { Err(Errno::EOPNOTSUPP) }
    fn take_error(&mut self, _: Fd) -> Result<Option<Errno>, Errno> { Err(Errno::EOPNOTSUPP) }
    fn poll(&self, _: Fd) -> Result<Readiness, Errno> { Err(Errno::EOPNOTSUPP) }
}

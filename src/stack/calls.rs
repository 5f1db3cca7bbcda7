//! The Berkeley calls, dispatched to the kind of socket that a descriptor is.

use std::net::{IpAddr, SocketAddr};

use super::Stack;
use super::datagram::{BUFFER_DEFAULT, Datagram, RECV_BUFFER_MIN, SEND_BUFFER_MIN};
use super::mutant::Mutant;
use crate::model::{
    Domain, Errno, Fd, How, KeepAlive, Kind, OptionName, Protocol, Readiness, Received, SocketOption, Sockets,
};

/// Groups that one socket may join (Linux's `igmp_max_memberships`, here for both families).
const MAX_GROUPS: usize = 20;

impl Sockets for Stack {
    /// Raw sockets are `ESOCKTNOSUPPORT`. Ping sockets (datagram with ICMP) are `EACCES`, as where Linux's
    /// `ping_group_range` is left alone.
    fn socket(&mut self, domain: Domain, kind: Kind, protocol: Protocol) -> Result<Fd, Errno> {
        match (kind, protocol) {
            (Kind::Datagram, Protocol::Default | Protocol::Udp) => {
                self.datagrams.open(&mut self.numbers, Datagram::new(domain))
            }
            (Kind::Datagram, Protocol::Icmp) => Err(Errno::EACCES),
            (Kind::Stream, Protocol::Default | Protocol::Tcp) => self.stream_open(domain),
            (Kind::Raw, Protocol::Tcp | Protocol::Udp | Protocol::Icmp) => Err(Errno::ESOCKTNOSUPPORT),
            (Kind::Datagram | Kind::Stream | Kind::Raw, _) => Err(Errno::EPROTONOSUPPORT),
        }
    }

    fn bind(&mut self, fd: Fd, addr: SocketAddr) -> Result<(), Errno> {
        match self.streams.is_open(fd) {
            true => self.stream_bind(fd, addr),
            false => self.udp_bind(fd, addr),
        }
    }

    fn listen(&mut self, fd: Fd, backlog: u32) -> Result<(), Errno> {
        match self.streams.is_open(fd) {
            true => self.stream_listen(fd, backlog),
            false => self.datagrams.get(fd).and(Err(Errno::EOPNOTSUPP)),
        }
    }

    fn accept(&mut self, fd: Fd) -> Result<(Fd, SocketAddr), Errno> {
        match self.streams.is_open(fd) {
            true => self.stream_accept(fd),
            false => self.datagrams.get(fd).and(Err(Errno::EOPNOTSUPP)),
        }
    }

    fn connect(&mut self, fd: Fd, addr: Option<SocketAddr>) -> Result<(), Errno> {
        match (self.streams.is_open(fd), addr) {
            (true, Some(addr)) => self.stream_connect(fd, addr),
            (true, None) => self.stream_disconnect(fd),
            (false, Some(addr)) => self.udp_connect(fd, addr),
            (false, None) => self.udp_disconnect(fd),
        }
    }

    fn send(&mut self, fd: Fd, data: &[u8]) -> Result<usize, Errno> {
        match self.streams.is_open(fd) {
            true => self.stream_send(fd, data),
            false => self.udp_send(fd, data, None),
        }
    }

    /// On a stream socket the address is not looked at, as in Linux.
    fn send_to(&mut self, fd: Fd, data: &[u8], to: SocketAddr) -> Result<usize, Errno> {
        match self.streams.is_open(fd) {
            true => self.stream_send(fd, data),
            false => self.udp_send(fd, data, Some(to)),
        }
    }

    fn recv(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
        match self.streams.is_open(fd) {
            true => self.stream_receive(fd, buffer),
            false => self.udp_receive(fd, buffer).map(|received| received.len),
        }
    }

    /// Also after `shutdown` of the receiving side of a datagram socket this is `EAGAIN` with nothing queued,
    /// though `poll` says readable: that is how Linux answers a non-blocking receive.
    fn recv_from(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received, Errno> {
        if self.streams.is_open(fd) {
            let from = self.stream_sender(fd)?;
            let len = self.stream_receive(fd, buffer)?;
            return Ok(Received { len, full_len: len, from });
        }
        self.udp_receive(fd, buffer)
    }

    fn peek(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received, Errno> {
        if self.streams.is_open(fd) {
            let from = self.stream_sender(fd)?;
            let len = self.stream_peek(fd, buffer)?;
            return Ok(Received { len, full_len: len, from });
        }
        self.udp_peek(fd, buffer)
    }

    /// On an unconnected datagram socket this is `ENOTCONN` and takes effect all the same, as in Linux
    /// (`inet_shutdown`).
    fn shutdown(&mut self, fd: Fd, how: How) -> Result<(), Errno> {
        if self.streams.is_open(fd) {
            return self.stream_shutdown(fd, how);
        }
        let socket = self.datagrams.get_mut(fd)?;
        socket.read_shut |= matches!(how, How::Read | How::Both);
        socket.write_shut |= matches!(how, How::Write | How::Both);
        let connected = socket.peer.is_some();
        self.changed(fd);
        if connected { Ok(()) } else { Err(Errno::ENOTCONN) }
    }

    fn close(&mut self, fd: Fd) -> Result<(), Errno> {
        if self.set_told(fd, false) == Some(true) {
            self.changed.retain(|changed| *changed != fd);
        }
        match self.streams.is_open(fd) {
            true => self.stream_close(fd),
            false => self.datagrams.close(&mut self.numbers, fd).map(drop),
        }
    }

    fn local_addr(&self, fd: Fd) -> Result<SocketAddr, Errno> {
        let binding = match self.streams.get(fd) {
            Ok(socket) => &socket.binding,
            Err(_) => &self.datagrams.get(fd)?.binding,
        };
        Ok(binding.shown((binding.local, binding.port)))
    }

    fn peer_addr(&self, fd: Fd) -> Result<SocketAddr, Errno> {
        if self.streams.is_open(fd) {
            return self.stream_peer(fd);
        }
        let socket = self.datagrams.get(fd)?;
        // A peer of port 0 can be connected to, but is none (`inet_getname`).
        let peer = socket.peer.filter(|(_, port)| *port != 0);
        peer.map(|peer| socket.binding.shown(peer)).ok_or(Errno::ENOTCONN)
    }

    fn set_option(&mut self, fd: Fd, option: SocketOption) -> Result<(), Errno> {
        if self.streams.is_open(fd) {
            return self.stream_set_option(fd, option);
        }
        let deaf = matches!(option, SocketOption::LeaveGroup(_)) && self.is(Mutant::HearsAfterLeaving);
        let socket = self.datagrams.get_mut(fd)?;
        let was_writable = socket.is_writable();
        if !deaf {
            socket.set(option)?;
        }
        if socket.is_writable() && !was_writable {
            self.changed(fd);
        }
        Ok(())
    }

    fn option(&self, fd: Fd, name: OptionName) -> Result<SocketOption, Errno> {
        match self.streams.is_open(fd) {
            true => self.stream_option(fd, name),
            false => self.datagrams.get(fd)?.get(name),
        }
    }

    fn take_error(&mut self, fd: Fd) -> Result<Option<Errno>, Errno> {
        match self.streams.is_open(fd) {
            true => self.stream_take_error(fd),
            false => Ok(self.datagrams.get_mut(fd)?.error.take()),
        }
    }

    fn poll(&self, fd: Fd) -> Result<Readiness, Errno> {
        match self.streams.is_open(fd) {
            true => self.stream_readiness(fd),
            false => Ok(self.datagrams.get(fd)?.readiness()),
        }
    }
}

impl Datagram {
    /// `setsockopt(2)`: what a datagram socket of Linux takes, and the rest is `ENOPROTOOPT`.
    fn set(&mut self, option: SocketOption) -> Result<(), Errno> {
        match option {
            SocketOption::RecvBuffer(bytes) => {
                self.recv_buffer = (bytes.min(BUFFER_DEFAULT) * 2).max(RECV_BUFFER_MIN);
            }
            SocketOption::SendBuffer(bytes) => {
                self.send_buffer = (bytes.min(BUFFER_DEFAULT) * 2).max(SEND_BUFFER_MIN);
            }
            SocketOption::ReuseAddress(on) => self.binding.reuse = on,
            SocketOption::Broadcast(on) => self.broadcast = on,
            // SO_KEEPALIVE is there on any socket, its numbers on TCP's only.
            SocketOption::KeepAlive(None) => self.keep_alive = false,
            SocketOption::KeepAlive(Some(numbers)) if numbers == KeepAlive::default() => {
                self.keep_alive = true
            }
            SocketOption::Linger(time) => self.linger = time,
            // IP_TTL is 1 to 255; IPV6_UNICAST_HOPS may be 0.
            SocketOption::Ttl(0) if self.binding.domain == Domain::Inet => return Err(Errno::EINVAL),
            SocketOption::Ttl(hops) => self.ttl = hops,
            SocketOption::MulticastTtl(hops) => self.multicast_ttl = hops,
            SocketOption::MulticastLoop(on) => self.multicast_loop = on,
            SocketOption::V6Only(on) if self.binding.domain == Domain::Inet6 => {
                if self.binding.port != 0 {
                    return Err(Errno::EINVAL);
                }
                self.binding.v6_only = on;
            }
            SocketOption::JoinGroup(group) => return self.join(group),
            SocketOption::LeaveGroup(group) => {
                self.check_group(group)?;
                let index =
                    self.groups.iter().position(|joined| *joined == group).ok_or(Errno::EADDRNOTAVAIL)?;
                self.groups.remove(index);
            }
            SocketOption::KeepAlive(_)
            | SocketOption::NoDelay(_)
            | SocketOption::MaxSegment(_)
            | SocketOption::V6Only(_) => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    fn join(&mut self, group: IpAddr) -> Result<(), Errno> {
        self.check_group(group)?;
        if !group.is_multicast() {
            return Err(Errno::EINVAL);
        }
        if self.groups.contains(&group) {
            return Err(Errno::EADDRINUSE);
        }
        if self.groups.len() >= MAX_GROUPS {
            return Err(Errno::ENOBUFS);
        }
        self.groups.push(group);
        Ok(())
    }

    /// An AF_INET socket has no IPv6 options; an AF_INET6 socket has those of IPv4 too.
    fn check_group(&self, group: IpAddr) -> Result<(), Errno> {
        match (self.binding.domain, group) {
            (Domain::Inet, IpAddr::V6(_)) => Err(Errno::ENOPROTOOPT),
            (Domain::Inet6, IpAddr::V6(v6)) if !v6.is_multicast() => Err(Errno::EINVAL),
            _ => Ok(()),
        }
    }

    /// `getsockopt(2)`.
    fn get(&self, name: OptionName) -> Result<SocketOption, Errno> {
        Ok(match name {
            OptionName::RecvBuffer => SocketOption::RecvBuffer(self.recv_buffer),
            OptionName::SendBuffer => SocketOption::SendBuffer(self.send_buffer),
            OptionName::ReuseAddress => SocketOption::ReuseAddress(self.binding.reuse),
            OptionName::Broadcast => SocketOption::Broadcast(self.broadcast),
            OptionName::KeepAlive => SocketOption::KeepAlive(self.keep_alive.then(KeepAlive::default)),
            OptionName::Linger => SocketOption::Linger(self.linger),
            OptionName::Ttl => SocketOption::Ttl(self.ttl),
            OptionName::V6Only if self.binding.domain == Domain::Inet6 => {
                SocketOption::V6Only(self.binding.v6_only)
            }
            OptionName::MulticastTtl => SocketOption::MulticastTtl(self.multicast_ttl),
            OptionName::MulticastLoop => SocketOption::MulticastLoop(self.multicast_loop),
            OptionName::NoDelay | OptionName::MaxSegment | OptionName::V6Only => {
                return Err(Errno::ENOPROTOOPT);
            }
        })
    }
}

#[cfg(test)]
mod tests;

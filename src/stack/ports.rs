//! Which addresses and ports sockets have: bind, connect, and what is picked where the program does not
//! choose.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use siphasher::sip::SipHasher13;

use super::binding::Binding;
use super::datagram::any;
use super::route::Reach;
use super::{Stack, StackConfig};
use crate::model::{Domain, Errno, Fd};

/// Linux's `ip_local_port_range`: first port, and how many.
const EPHEMERAL: (u16, u16) = (32_768, 28_232);

/// What the seed decides is keyed by what is decided, never by the order of asking.
fn keyed(config: &StackConfig, what: &str, number: u32) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(config.seed, 0);
    (config.v4, what, number).hash(&mut hasher);
    hasher.finish()
}

/// The identification that the first fragmented datagram bears.
pub(super) fn first_id(config: &StackConfig) -> u32 {
    keyed(config, "identification", 0) as u32
}

impl Stack {
    /// `bind(2)`, as `inet_bind` and `inet6_bind`.
    pub(super) fn udp_bind(&mut self, fd: Fd, addr: SocketAddr) -> Result<(), Errno> {
        let socket = self.datagrams.get(fd)?;
        let ip = self.bindable(&socket.binding, addr)?;
        let receives_only = ip.is_multicast() || self.config.is_broadcast(ip);
        let v6_only = socket.binding.v6_only;
        let port = match addr.port() {
            0 => self.free_port(fd)?,
            port => {
                let reuse = socket.binding.reuse;
                let taken = self.datagrams.iter().any(|(other, socket)| {
                    other != fd
                        && socket.binding.port == port
                        && !(reuse && socket.binding.reuse)
                        && socket.binding.overlaps(ip, v6_only)
                });
                if taken {
                    return Err(Errno::EADDRINUSE);
                }
                port
            }
        };
        self.bindings += 1;
        let socket = self.datagrams.get_mut(fd)?;
        socket.binding.local = ip;
        socket.source = (!ip.is_unspecified() && !receives_only).then_some(ip);
        socket.binding.port = port;
        socket.bound_at = self.bindings;
        socket.address_locked = !ip.is_unspecified();
        socket.port_locked = addr.port() != 0;
        Ok(())
    }

    /// The address that a socket of either kind can be bound to.
    pub(super) fn bindable(&self, binding: &Binding, addr: SocketAddr) -> Result<IpAddr, Errno> {
        match (binding.domain, addr) {
            (Domain::Inet, SocketAddr::V6(_)) => return Err(Errno::EAFNOSUPPORT),
            // Linux refuses the shorter address structure before it looks at the family.
            (Domain::Inet6, SocketAddr::V4(_)) => return Err(Errno::EINVAL),
            _ => {}
        }
        let ip = addr.ip().to_canonical();
        if binding.port != 0 || (binding.domain == Domain::Inet6 && binding.v6_only && ip.is_ipv4()) {
            return Err(Errno::EINVAL);
        }
        let receives_only = ip.is_multicast() || self.config.is_broadcast(ip);
        if !ip.is_unspecified() && !receives_only && !self.config.is_own(ip) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        Ok(ip)
    }

    /// The address that a socket of either kind can be connected to. An AF_INET6 socket takes AF_INET
    /// addresses too.
    pub(super) fn reachable_family(binding: &Binding, addr: SocketAddr) -> Result<IpAddr, Errno> {
        match (binding.domain, addr) {
            (Domain::Inet, SocketAddr::V6(_)) => return Err(Errno::EAFNOSUPPORT),
            (Domain::Inet6, SocketAddr::V4(_)) if binding.v6_only => return Err(Errno::EAFNOSUPPORT),
            _ => {}
        }
        let ip = addr.ip().to_canonical();
        if binding.domain == Domain::Inet6 && binding.v6_only && ip.is_ipv4() {
            return Err(Errno::ENETUNREACH);
        }
        Ok(ip)
    }

    /// Gives a socket a port if it has none, as every send and connect does first.
    pub(super) fn bind_implicitly(&mut self, fd: Fd) -> Result<(), Errno> {
        if self.datagrams.get(fd)?.binding.port != 0 {
            return Ok(());
        }
        let port = self.free_port(fd)?;
        self.bindings += 1;
        let socket = self.datagrams.get_mut(fd)?;
        socket.binding.port = port;
        socket.bound_at = self.bindings;
        Ok(())
    }

    /// A port of the ephemeral range that no other socket has: the first free one from where the hash points.
    fn free_port(&self, fd: Fd) -> Result<u16, Errno> {
        self.pick_port("port", fd, |port| {
            self.datagrams.iter().all(|(_, socket)| socket.binding.port != port)
        })
    }

    /// The first free port of the ephemeral range from where the hash points.
    pub(super) fn pick_port(&self, what: &str, fd: Fd, free: impl Fn(u16) -> bool) -> Result<u16, Errno> {
        let (first, count) = EPHEMERAL;
        let start = keyed(&self.config, what, fd.0) % u64::from(count);
        (0..u64::from(count))
            .map(|step| first + ((start + step) % u64::from(count)) as u16)
            .find(|port| free(*port))
            .ok_or(Errno::EADDRINUSE)
    }

    /// `connect(2)`, as `__ip4_datagram_connect` and its IPv6 sibling.
    pub(super) fn udp_connect(&mut self, fd: Fd, addr: SocketAddr) -> Result<(), Errno> {
        self.bind_implicitly(fd)?;
        let socket = self.datagrams.get(fd)?;
        let ip = Self::reachable_family(&socket.binding, addr)?;
        let route = self.config.route(ip, socket.source)?;
        if route.reach == Reach::Broadcast && !socket.broadcast {
            return Err(Errno::EACCES);
        }
        self.bindings += 1;
        let bound_at = self.bindings;
        let socket = self.datagrams.get_mut(fd)?;
        if socket.source.is_none() {
            socket.source = Some(route.path.src());
        }
        if socket.binding.local.is_unspecified() {
            socket.binding.local = route.path.src();
            // A change of address hashes it anew, in front of its equals.
            socket.bound_at = bound_at;
        }
        socket.peer = Some((route.path.dst(), addr.port()));
        Ok(())
    }

    /// `connect(2)` with AF_UNSPEC (`__udp_disconnect`): what the program did not choose itself is given
    /// back.
    pub(super) fn udp_disconnect(&mut self, fd: Fd) -> Result<(), Errno> {
        let socket = self.datagrams.get_mut(fd)?;
        socket.peer = None;
        if !socket.address_locked {
            let ip = any(socket.binding.domain);
            // An address that was 0.0.0.0 mapped into IPv6 is the unspecified address afterwards, as in
            // Linux.
            (socket.binding.local, socket.source) = (ip, None);
        }
        if !socket.port_locked {
            socket.binding.port = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

//! Socket options: from the seam's names to the system's calls.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use crate::model::{Domain, Errno, KeepAlive, OptionName, SocketOption};

/// `setsockopt(2)`. `interface` is where IPv4 groups are joined and left.
///
/// The system counts keep-alive and linger in whole seconds: a fraction is rounded up, so that a lingering
/// close never turns into an abortive one.
pub(super) fn set(
    socket: &SockRef<'_>,
    domain: Domain,
    interface: Ipv4Addr,
    option: SocketOption,
) -> io::Result<()> {
    use Domain::{Inet, Inet6};
    match option {
        SocketOption::RecvBuffer(bytes) => socket.set_recv_buffer_size(bytes),
        SocketOption::SendBuffer(bytes) => socket.set_send_buffer_size(bytes),
        SocketOption::ReuseAddress(on) => socket.set_reuse_address(on),
        SocketOption::Broadcast(on) => socket.set_broadcast(on),
        SocketOption::KeepAlive(None) => socket.set_keepalive(false),
        SocketOption::KeepAlive(Some(numbers)) => set_keep_alive(socket, numbers),
        SocketOption::Linger(span) => socket.set_linger(span.map(whole_seconds)),
        SocketOption::NoDelay(on) => socket.set_tcp_nodelay(on),
        #[cfg(unix)]
        SocketOption::MaxSegment(bytes) => socket.set_tcp_mss(u32::from(bytes)),
        #[cfg(not(unix))]
        SocketOption::MaxSegment(_) => Err(Errno::ENOPROTOOPT.into()),
        SocketOption::Ttl(hops) => match domain {
            Inet => socket.set_ttl_v4(u32::from(hops)),
            Inet6 => socket.set_unicast_hops_v6(u32::from(hops)),
        },
        SocketOption::V6Only(on) => socket.set_only_v6(on),
        SocketOption::MulticastTtl(hops) => match domain {
            Inet => socket.set_multicast_ttl_v4(u32::from(hops)),
            Inet6 => socket.set_multicast_hops_v6(u32::from(hops)),
        },
        SocketOption::MulticastLoop(on) => match domain {
            Inet => socket.set_multicast_loop_v4(on),
            Inet6 => socket.set_multicast_loop_v6(on),
        },
        SocketOption::JoinGroup(IpAddr::V4(group)) => socket.join_multicast_v4(&group, &interface),
        SocketOption::JoinGroup(IpAddr::V6(group)) => socket.join_multicast_v6(&group, 0),
        SocketOption::LeaveGroup(IpAddr::V4(group)) => socket.leave_multicast_v4(&group, &interface),
        SocketOption::LeaveGroup(IpAddr::V6(group)) => socket.leave_multicast_v6(&group, 0),
    }
}

/// `getsockopt(2)`.
pub(super) fn get(socket: &SockRef<'_>, domain: Domain, name: OptionName) -> io::Result<SocketOption> {
    use Domain::{Inet, Inet6};
    Ok(match name {
        OptionName::RecvBuffer => SocketOption::RecvBuffer(socket.recv_buffer_size()?),
        OptionName::SendBuffer => SocketOption::SendBuffer(socket.send_buffer_size()?),
        OptionName::ReuseAddress => SocketOption::ReuseAddress(socket.reuse_address()?),
        OptionName::Broadcast => SocketOption::Broadcast(socket.broadcast()?),
        OptionName::KeepAlive if !socket.keepalive()? => SocketOption::KeepAlive(None),
        OptionName::KeepAlive => SocketOption::KeepAlive(Some(KeepAlive {
            idle: known(socket.tcp_keepalive_time())?,
            interval: known(socket.tcp_keepalive_interval())?,
            probes: known(socket.tcp_keepalive_retries())?,
        })),
        OptionName::Linger => SocketOption::Linger(socket.linger()?),
        OptionName::NoDelay => SocketOption::NoDelay(socket.tcp_nodelay()?),
        #[cfg(unix)]
        OptionName::MaxSegment => SocketOption::MaxSegment(narrow(socket.tcp_mss()?)?),
        #[cfg(not(unix))]
        OptionName::MaxSegment => return Err(Errno::ENOPROTOOPT.into()),
        OptionName::Ttl => SocketOption::Ttl(narrow(match domain {
            Inet => socket.ttl_v4()?,
            Inet6 => socket.unicast_hops_v6()?,
        })?),
        OptionName::V6Only => SocketOption::V6Only(socket.only_v6()?),
        OptionName::MulticastTtl => SocketOption::MulticastTtl(narrow(match domain {
            Inet => socket.multicast_ttl_v4()?,
            Inet6 => socket.multicast_hops_v6()?,
        })?),
        OptionName::MulticastLoop => SocketOption::MulticastLoop(match domain {
            Inet => socket.multicast_loop_v4()?,
            Inet6 => socket.multicast_loop_v6()?,
        }),
    })
}

fn set_keep_alive(socket: &SockRef<'_>, numbers: KeepAlive) -> io::Result<()> {
    let mut wanted = TcpKeepalive::new();
    if let Some(idle) = numbers.idle {
        wanted = wanted.with_time(whole_seconds(idle));
    }
    if let Some(interval) = numbers.interval {
        wanted = wanted.with_interval(whole_seconds(interval));
    }
    if let Some(probes) = numbers.probes {
        wanted = wanted.with_retries(probes);
    }
    socket.set_tcp_keepalive(&wanted)
}

/// A keep-alive number, or nothing where the socket has none (SO_KEEPALIVE alone is for every socket).
fn known<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(Errno::of(&error), Some(Errno::ENOPROTOOPT | Errno::EOPNOTSUPP)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn whole_seconds(span: Duration) -> Duration {
    Duration::from_secs(span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0)))
}

/// The system keeps these numbers in an `int`; a value that does not fit the option's type is
/// EINVAL.
fn narrow<T: TryFrom<u32>>(value: u32) -> io::Result<T> {
    T::try_from(value).map_err(|_| Errno::EINVAL.into())
}

//! Where a packet goes: to this host itself, or to the one link. There is no router.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::StackConfig;
use crate::model::Errno;
use crate::packet::Path;

/// How a packet reaches its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// It is for this host and never sees the wire.
    Own,
    /// A host of the link.
    Link,
    /// All hosts of the link.
    Broadcast,
    /// The members of a group.
    Multicast,
}

/// The way to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) path: Path,
    pub(super) reach: Reach,
}

impl StackConfig {
    /// Whether it is one of this host's own unicast addresses.
    pub(super) fn is_own(&self, addr: IpAddr) -> bool {
        match addr {
            IpAddr::V4(v4) => v4.is_loopback() || v4 == self.v4,
            IpAddr::V6(v6) => v6.is_loopback() || v6 == self.v6,
        }
    }

    /// Whether it is the limited broadcast address or that of the interface's network.
    pub fn is_broadcast(&self, addr: IpAddr) -> bool {
        let IpAddr::V4(addr) = addr else { return false };
        // Networks of one or two addresses have none (RFC 3021).
        addr.is_broadcast() || (self.v4_prefix < 31 && addr.to_bits() == self.v4.to_bits() | !self.v4_mask())
    }

    fn v4_mask(&self) -> u32 {
        u32::MAX.checked_shl(32 - u32::from(self.v4_prefix.min(32))).unwrap_or(0)
    }

    fn v6_mask(&self) -> u128 {
        u128::MAX.checked_shl(128 - u32::from(self.v6_prefix.min(128))).unwrap_or(0)
    }

    /// Whether it is an address of the network of the interface, of this host or another.
    pub fn is_on_link(&self, addr: IpAddr) -> bool {
        match addr {
            IpAddr::V4(v4) => (v4.to_bits() ^ self.v4.to_bits()) & self.v4_mask() == 0,
            // Linux turns IPv6 off on an interface whose MTU is below 1280 (RFC 8200, section 5).
            IpAddr::V6(v6) => self.has_v6() && (v6.to_bits() ^ self.v6.to_bits()) & self.v6_mask() == 0,
        }
    }

    fn has_v6(&self) -> bool {
        self.mtu >= 1280
    }

    /// The way to `dst` for a socket that is bound to `bound`, if it is.
    ///
    /// # Errors
    /// `ENETUNREACH` where nothing leads there; `EINVAL` from a loopback address to the link; `EAFNOSUPPORT`
    /// from an IPv4-mapped address to an IPv6 one.
    pub(super) fn route(&self, dst: IpAddr, bound: Option<IpAddr>) -> Result<Route, Errno> {
        let dst = match dst {
            // The unspecified address means this host (Linux, as BSD did).
            IpAddr::V4(v4) if v4.is_unspecified() => {
                bound.filter(IpAddr::is_ipv4).unwrap_or(Ipv4Addr::LOCALHOST.into())
            }
            IpAddr::V6(v6) if v6.is_unspecified() => match bound {
                Some(IpAddr::V4(_)) => Ipv4Addr::LOCALHOST.into(),
                _ => Ipv6Addr::LOCALHOST.into(),
            },
            _ => dst,
        };
        let reach = if dst.is_multicast() && (dst.is_ipv4() || self.has_v6()) {
            Reach::Multicast
        } else if self.is_broadcast(dst) {
            Reach::Broadcast
        } else if self.is_own(dst) {
            Reach::Own
        } else if self.is_on_link(dst) {
            Reach::Link
        } else {
            return Err(Errno::ENETUNREACH);
        };
        let src = bound.unwrap_or(match dst {
            IpAddr::V4(v4) if v4.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V4(_) => self.v4.into(),
            IpAddr::V6(v6) if v6.is_loopback() => Ipv6Addr::LOCALHOST.into(),
            IpAddr::V6(_) => self.v6.into(),
        });
        // As measured on Linux 6.18: IPv6 to IPv4-mapped is unreachable, the other way is no address of the
        // family.
        let path = Path::new(src, dst).ok_or(if dst.is_ipv4() {
            Errno::ENETUNREACH
        } else {
            Errno::EAFNOSUPPORT
        })?;
        if src.is_loopback() && !matches!(reach, Reach::Own | Reach::Multicast) {
            return Err(Errno::EINVAL);
        }
        Ok(Route { path, reach })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{addr, config};
    use super::*;

    fn reach(config: &StackConfig, dst: &str) -> Result<Reach, Errno> {
        config.route(addr(&format!("{dst}:0")).ip(), None).map(|route| route.reach)
    }

    #[test]
    fn the_prefix_says_who_is_on_the_link() {
        let mut config = config(1);
        for (prefix, dst, expected) in [
            (24, "10.0.0.255", Ok(Reach::Broadcast)),
            (24, "10.0.0.254", Ok(Reach::Link)),
            (24, "10.0.1.1", Err(Errno::ENETUNREACH)),
            (8, "10.0.0.255", Ok(Reach::Link)),
            (8, "10.255.255.255", Ok(Reach::Broadcast)),
            (0, "99.0.0.1", Ok(Reach::Link)),
            (31, "10.0.0.0", Ok(Reach::Link)),
            (31, "10.0.0.1", Ok(Reach::Own)),
            (32, "10.0.0.0", Err(Errno::ENETUNREACH)),
            (99, "10.0.0.1", Ok(Reach::Own)),
            (32, "255.255.255.255", Ok(Reach::Broadcast)),
            (32, "239.9.9.9", Ok(Reach::Multicast)),
        ] {
            config.v4_prefix = prefix;
            assert_eq!(reach(&config, dst), expected, "{dst} of 10.0.0.1/{prefix}");
        }
        // The address with all ones is a host's like any other where the network has no broadcast address.
        config.v4_prefix = 31;
        assert!(!config.is_broadcast(config.v4.into()));
        for (prefix, dst, expected) in [
            (64, "[fd00::2]", Ok(Reach::Link)),
            (64, "[fd00:0:0:1::2]", Err(Errno::ENETUNREACH)),
            (0, "[2001:db8::1]", Ok(Reach::Link)),
            (128, "[fd00::2]", Err(Errno::ENETUNREACH)),
            (255, "[fd00::1]", Ok(Reach::Own)),
        ] {
            config.v6_prefix = prefix;
            assert_eq!(reach(&config, dst), expected, "{dst} of fd00::1/{prefix}");
        }
    }
}

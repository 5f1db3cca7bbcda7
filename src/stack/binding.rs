//! Where a socket is bound, of either kind.

use std::net::{IpAddr, SocketAddr};

use super::datagram::{Peer, any};
use crate::model::Domain;

/// A socket's own address and port, and what shares them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding {
    pub(super) domain: Domain,
    /// Where it receives. IPv4-mapped addresses are kept as IPv4; the unspecified IPv6 address stands for
    /// both families unless `v6_only`.
    pub(super) local: IpAddr,
    /// 0 while it is not bound.
    pub(super) port: u16,
    pub(super) v6_only: bool,
    pub(super) reuse: bool,
}

impl Binding {
    pub(super) fn new(domain: Domain) -> Self {
        Binding { domain, local: any(domain), port: 0, v6_only: false, reuse: false }
    }

    /// As the program sees an address: in its socket's family.
    pub(super) fn shown(&self, (ip, port): Peer) -> SocketAddr {
        match (self.domain, ip) {
            (Domain::Inet6, IpAddr::V4(v4)) => (v4.to_ipv6_mapped(), port).into(),
            _ => (ip, port).into(),
        }
    }

    /// Whether it receives what is sent to `dst`; `Some(true)` if it is bound to that very address.
    pub(super) fn listens_to(&self, dst: IpAddr) -> Option<bool> {
        if self.local == dst {
            return Some(true);
        }
        let wildcard = match (self.local, dst) {
            (IpAddr::V4(local), IpAddr::V4(_)) => local.is_unspecified(),
            (IpAddr::V6(local), IpAddr::V6(_)) => local.is_unspecified(),
            (IpAddr::V6(local), IpAddr::V4(_)) => local.is_unspecified() && !self.v6_only,
            (IpAddr::V4(_), IpAddr::V6(_)) => false,
        };
        wildcard.then_some(false)
    }

    /// Whether binding both to the same port would have them overlap (Linux's `inet_rcv_saddr_equal`).
    pub(super) fn overlaps(&self, local: IpAddr, v6_only: bool) -> bool {
        let covers = |any: IpAddr, v6_only: bool, other: IpAddr| match (any, other) {
            (IpAddr::V4(any), IpAddr::V4(_)) => any.is_unspecified(),
            (IpAddr::V6(any), IpAddr::V6(_)) => any.is_unspecified(),
            (IpAddr::V6(any), IpAddr::V4(_)) => any.is_unspecified() && !v6_only,
            (IpAddr::V4(_), IpAddr::V6(_)) => false,
        };
        self.local == local || covers(self.local, self.v6_only, local) || covers(local, v6_only, self.local)
    }
}

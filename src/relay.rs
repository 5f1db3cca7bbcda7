//! Real UDP sockets with the [`Wire`] between them, in user space: no privilege, any system.
//!
//! Clients send to an address of the relay instead of the server's. Each datagram that comes is wrapped into
//! the IP packet that would have carried it, goes over the wire under the plan, and is checked at the far end
//! as a host would check it; what stands the check goes on to the server from a socket that the relay keeps
//! for that client, and answers go back the same way.
//!
//! ```text
//! client ──► listening socket ──► wire ──► socket of that client ──► server
//!        ◄──                 ◄── wire ◄──                        ◄──
//! ```
//!
//! What differs from the simulated testbeds:
//! - A datagram is one packet, never fragments: the link's MTU is taken to be 65 535 bytes. (Over IPv6,
//!   datagrams above 65 487 bytes do not fit and are lost.) Delay and rate are the links'.
//! - Events that are anchored to a packet take place; those at a time (`at_us`), crashes and restarts are
//!   refused.
//! - A client is not told of a closed port: an ICMP error ends at the relay.
//! - Due times are met to about a millisecond.

mod carrier;
mod packet;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::fault::{EventKind, FaultPlan, Fired, Link, LinkNumbers, PairLink, UnknownHost, When, Wire};
use crate::network::os::OsNetwork;
use crate::trace::Trace;
use carrier::Carrier;

/// Who is who on a relay, and how much it holds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RelayConfig {
    /// What plan and trace call the host of the clients.
    pub client: String,
    /// What plan and trace call the host of the servers.
    pub server: String,
    /// Further hosts, by the address that their programs send from or listen on.
    pub hosts: Vec<(String, IpAddr)>,
    /// Clients at once; datagrams of further ones are thrown away (and counted).
    pub clients_max: usize,
    /// A client is forgotten when nothing went either way for that long.
    pub idle: Duration,
    /// Packets under way at once; further datagrams are thrown away (and counted).
    pub packets_max: usize,
    /// Memory for the trace in bytes, about; what happens after it is used up is not recorded.
    pub trace_max: usize,
    /// Gives the clock of the trace, and the address of the relay's own sockets.
    pub net: OsNetwork,
}

impl Default for RelayConfig {
    /// Hosts `client` and `server`, 256 clients, 60 s, 4096 packets, 64 MiB of trace.
    fn default() -> Self {
        RelayConfig {
            client: "client".to_owned(),
            server: "server".to_owned(),
            hosts: Vec::new(),
            clients_max: 256,
            idle: Duration::from_secs(60),
            packets_max: 4096,
            trace_max: 64 * 1024 * 1024,
            net: OsNetwork::new(),
        }
    }
}

/// Why a relay cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The plan speaks of other hosts.
    #[error(transparent)]
    UnknownHost(#[from] UnknownHost),
    /// The plan has an event that no relay can bring about.
    #[error("event {number} of the plan cannot happen on a relay: {why}")]
    Event {
        /// Which, from 1, in the order of the plan.
        number: usize,
        /// Why not, and what to do.
        why: &'static str,
    },
    /// The addresses do not go together.
    #[error("cannot relay from {listen} to {server}: {why}")]
    Addresses {
        /// Where clients would send to.
        listen: SocketAddr,
        /// Where the server is.
        server: SocketAddr,
        /// Why not, and what to do.
        why: &'static str,
    },
    /// There is no place to listen.
    #[error("cannot listen on {addr} for the relay's clients: {source}{}", crate::program::hint(source))]
    Listen {
        /// Where.
        addr: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

/// What a relay did beyond its trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelayStats {
    /// Clients met (one that was forgotten counts again).
    pub clients: u64,
    /// Datagrams taken from clients and servers.
    pub taken: u64,
    /// Datagrams handed on.
    pub handed_on: u64,
    /// Datagrams thrown away because there were too many clients.
    pub too_many_clients: u64,
    /// Datagrams thrown away because too many packets were under way.
    pub too_many_packets: u64,
    /// Datagrams thrown away because no packet can carry them.
    pub unfit: u64,
    /// Datagrams that the system did not send on (there is no way, or the peer's port is closed).
    pub unsent: u64,
    /// Events that the trace had no room for.
    pub untraced: u64,
}

/// A relay: it carries datagrams until it is dropped.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use faultwire::fault::{Action, Class, FaultPlan, Packet};
/// use faultwire::relay::{Relay, RelayConfig};
///
/// let first = Packet::nth(Class::Datagram, 1);
/// let plan = FaultPlan::new().fault(["client", "server"], first, Action::Duplicate);
/// let server = tokio::net::UdpSocket::bind("127.0.0.1:0").await?;
/// let relay = Relay::new(&plan, RelayConfig::default())?;
/// let addr = relay.listen(server.local_addr()?)?;
///
/// let client = tokio::net::UdpSocket::bind("127.0.0.1:0").await?;
/// client.send_to(b"hello", addr).await?;
/// let mut buffer = [0; 16];
/// assert_eq!(server.recv(&mut buffer).await?, 5);
/// assert_eq!(server.recv(&mut buffer).await?, 5);
/// assert!(relay.fired().all());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Relay {
    carrier: Arc<Carrier>,
}

impl Relay {
    /// A relay under a plan. It must be made within a tokio runtime that has I/O and time.
    ///
    /// # Errors
    /// [`RelayError::UnknownHost`], [`RelayError::Event`].
    pub fn new(plan: &FaultPlan, config: RelayConfig) -> Result<Relay, RelayError> {
        for (index, event) in plan.events.iter().enumerate() {
            let number = index + 1;
            let refused = |why| Err(RelayError::Event { number, why });
            match (&event.kind, &event.when) {
                (EventKind::Crash(_) | EventKind::Kill(_) | EventKind::Restart(_), _) => {
                    return refused(
                        "the programs are not its own to kill or restart: stop and start them by hand",
                    );
                }
                (_, When::AtUs(_)) => {
                    return refused(
                        "only a simulation has times that repeat: anchor it to a packet with `after`",
                    );
                }
                _ => {}
            }
        }
        let hosts: Vec<String> = [&config.client, &config.server]
            .into_iter()
            .chain(config.hosts.iter().map(|(name, _)| name))
            .cloned()
            .collect();
        let plan = FaultPlan {
            link: Link::Numbers(LinkNumbers { mtu: u16::MAX, ..plan.link.numbers() }),
            links: plan.links.iter().map(|link| PairLink { mtu: Some(u16::MAX), ..link.clone() }).collect(),
            ..plan.clone()
        };
        let wire = Wire::new(&plan, &hosts)?;
        Ok(Relay { carrier: Carrier::start(wire, Trace::new(hosts), config) })
    }

    /// Returns the address to which clients send their datagrams for `server`; the relay chooses it.
    ///
    /// A second call for that server returns that address again.
    ///
    /// # Errors
    /// [`RelayError::Addresses`], [`RelayError::Listen`].
    pub fn listen(&self, server: SocketAddr) -> Result<SocketAddr, RelayError> {
        if let Some(known) = self.carrier.listening_for(server) {
            return Ok(known);
        }
        let any: IpAddr =
            if server.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
        self.listen_on(SocketAddr::new(any, 0), server)
    }

    /// Takes what is for `server` at the address `listen` (port 0 picks a free one), which it gives.
    ///
    /// # Errors
    /// [`RelayError::Addresses`] where the two are of different families, or the relay would send to itself;
    /// [`RelayError::Listen`] where the address cannot be had.
    pub fn listen_on(&self, listen: SocketAddr, server: SocketAddr) -> Result<SocketAddr, RelayError> {
        let refused = |why| Err(RelayError::Addresses { listen, server, why });
        if listen.is_ipv4() != server.is_ipv4() {
            return refused("one is IPv4 and the other IPv6: give both in the same family");
        }
        if server.ip().is_unspecified() || server.port() == 0 {
            return refused("the server's address must name one host and one port");
        }
        let here = listen.ip() == server.ip() || (listen.ip().is_unspecified() && server.ip().is_loopback());
        if here && listen.port() == server.port() {
            return refused("the relay would send to itself: give it another port than the server's");
        }
        self.carrier.listen(listen, server).map_err(|source| RelayError::Listen { addr: listen, source })
    }

    /// What happened so far.
    pub fn trace(&self) -> Trace {
        self.carrier.trace()
    }

    /// Which of the plan's faults and events took place so far.
    pub fn fired(&self) -> Fired {
        self.carrier.fired()
    }

    /// Packets on the wire, held ones included.
    pub fn in_flight(&self) -> usize {
        self.carrier.in_flight()
    }

    /// What it did beyond the trace.
    pub fn stats(&self) -> RelayStats {
        self.carrier.stats()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.carrier.stop();
    }
}

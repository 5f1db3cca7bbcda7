//! Two hosts under a plan: the tried one, and its peer.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire::lab::{End, Forwarder, ForwarderError, HostConfig, Lab, LabError, LabHost, Profile, Setting};
use faultwire::stack::{Mutant, Stack, StackConfig};
use faultwire::trace::Trace;

use super::socket::{Host, Stream};

/// What the hosts are called in plans.
pub(super) const TRIED: &str = "tried";
pub(super) const PEER: &str = "peer";

const TRIED_ADDR: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(10, 0, 0, 1), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
const PEER_ADDR: (Ipv4Addr, Ipv6Addr) =
    (Ipv4Addr::new(10, 0, 0, 2), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2));

/// The port of servers, and a closed port.
const PORT: u16 = 7000;
const CLOSED: u16 = 9;

/// Longer than a step takes that no fault delays.
pub(super) const SOON: Duration = Duration::from_secs(5);

/// Whose TCP is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Linux,
    /// Our stack, with a bug if one is asked for.
    Faultwire(Option<Mutant>),
}

/// Why a run shows nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    #[error(transparent)]
    Lab(#[from] LabError),
    #[error(transparent)]
    Forwarder(#[from] ForwarderError),
    #[error("a program failed: {0}")]
    Program(#[from] io::Error),
    #[error("{0} packets were lost outside of the plan")]
    Lost(u64),
}

/// Both hosts, until it is closed.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) tried: Host,
    pub(super) peer: Host,
    forwarder: Forwarder,
    /// Last, so that the hosts go before their helper is waited for.
    lab: Lab,
}

impl Bench {
    /// Makes the hosts, with the helper that this command starts.
    pub(super) fn start(
        helper: Command,
        profile: Profile,
        subject: Subject,
        plan: &FaultPlan,
    ) -> Result<Bench, Trouble> {
        let config = |(v4, v6)| HostConfig::new(v4, v6).with_profile(profile);
        let configs = match subject {
            Subject::Linux => vec![config(PEER_ADDR), config(TRIED_ADDR)],
            Subject::Faultwire(_) => vec![config(PEER_ADDR)],
        };
        let (lab, hosts) = Lab::start(helper, &configs, None)?;
        let mut hosts = hosts.into_iter();
        let mut next = || hosts.next().ok_or(LabError::Gone);
        let LabHost { host: peer, device, .. } = next()?;
        let mut kernel = None;
        let tried_end = match subject {
            Subject::Linux => {
                let LabHost { host, device, .. } = next()?;
                kernel = Some(host);
                End::Device(device)
            }
            Subject::Faultwire(mutant) => {
                let mut config = StackConfig::new(TRIED_ADDR.0, TRIED_ADDR.1);
                config.mutant = mutant;
                End::Stack(Box::new(Stack::new(config)))
            }
        };
        let forwarder = Forwarder::start(plan, [(TRIED, tried_end), (PEER, End::Device(device))])?;
        let tried = match forwarder.lab_stack(0) {
            Some(stack) => Host::Stack(stack),
            None => Host::Kernel(kernel.ok_or(LabError::Gone)?),
        };
        Ok(Bench { tried, peer: Host::Kernel(peer), forwarder, lab })
    }

    /// The settings that the kernel did not take.
    pub(super) fn unset(&self) -> &[Setting] {
        self.lab.unset()
    }

    /// Ends the run: what was on the wire, if all of it went by the plan.
    pub(super) fn close(self) -> Result<Trace, Trouble> {
        let stats = self.forwarder.stats()?;
        let lost = stats.lost() + stats.untraced + self.lab.lost()?;
        if lost > 0 { Err(Trouble::Lost(lost)) } else { Ok(self.forwarder.trace()) }
    }

    /// A connection that the tried host opened: its end and the peer's, whose receive buffer may be small.
    pub(super) fn opened(&self, room: Option<usize>) -> io::Result<(Stream, Stream)> {
        let (client, server) = connection((&self.tried, None), (&self.peer, room), peer_server())?;
        Ok((client, server))
    }

    /// A connection that the peer opened: the tried host's end, whose receive buffer may be small, and the
    /// peer's.
    pub(super) fn accepted(&self, room: Option<usize>) -> io::Result<(Stream, Stream)> {
        let (client, server) = connection((&self.peer, None), (&self.tried, room), tried_server())?;
        Ok((server, client))
    }
}

fn connection(
    (client, client_room): (&Host, Option<usize>),
    (server, server_room): (&Host, Option<usize>),
    at: SocketAddr,
) -> io::Result<(Stream, Stream)> {
    let (calling, listening) = (client.stream()?, server.stream()?);
    for (socket, room) in [(&calling, client_room), (&listening, server_room)] {
        if let Some(room) = room {
            socket.set_receive_buffer(room)?;
        }
    }
    listening.listen(at)?;
    calling.connect(at, SOON)?;
    let accepted = listening.accept(SOON)?;
    Ok((calling, accepted))
}

/// Where the peer serves.
pub(super) fn peer_server() -> SocketAddr {
    SocketAddr::new(PEER_ADDR.0.into(), PORT)
}

/// Where the tried host serves.
pub(super) fn tried_server() -> SocketAddr {
    SocketAddr::new(TRIED_ADDR.0.into(), PORT)
}

/// A closed port of the tried host, in both families.
pub(super) fn nobody_at_tried() -> [SocketAddr; 2] {
    [IpAddr::from(TRIED_ADDR.0), IpAddr::from(TRIED_ADDR.1)].map(|ip| SocketAddr::new(ip, CLOSED))
}

/// A closed port of the peer.
pub(super) fn nobody_at_peer() -> SocketAddr {
    SocketAddr::new(PEER_ADDR.0.into(), CLOSED)
}

/// Lets real time go by.
#[expect(clippy::disallowed_methods, reason = "the lab runs on real time: nothing here is simulated")]
pub(super) fn pause(span: Duration) {
    std::thread::sleep(span);
}

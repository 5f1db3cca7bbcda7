//! The two hosts that a pair of programs runs in, and the wire between them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;

use faultwire::fault::FaultPlan;
use faultwire::lab::{
    DeviceKind, End, Forwarder, ForwarderError, HostConfig, KernelHost, Lab, LabError, LabHost,
};

use super::NoLab;
use crate::command::live::{Failure, failed, usage};
use crate::exit;

const CLIENT: (Ipv4Addr, Ipv6Addr) = (Ipv4Addr::new(10, 0, 0, 1), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
const SERVER: (Ipv4Addr, Ipv6Addr) = (Ipv4Addr::new(10, 0, 0, 2), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2));

/// Two hosts, called `client` and `server` in plans and traces, until it is dropped.
#[derive(Debug)]
pub(in crate::command) struct Hosts {
    pub(in crate::command) client: KernelHost,
    pub(in crate::command) server: KernelHost,
    pub(in crate::command) forwarder: Forwarder,
    /// Last, so that the hosts go before their helper is waited for.
    _lab: Lab,
}

impl Hosts {
    /// Makes them, with a wire under that plan.
    pub(in crate::command) fn start(plan: &FaultPlan) -> Result<Hosts, Failure> {
        let configs = [CLIENT, SERVER].map(|(v4, v6)| {
            let mut config = HostConfig::new(v4, v6);
            config.mtu = plan.link.numbers().mtu;
            config
        });
        let (lab, hosts) = Lab::start(helper().map_err(failed)?, &configs, None).map_err(refused)?;
        let Ok([client, server]) = <[LabHost; 2]>::try_from(hosts) else {
            return Err(failed("the lab has made other hosts than it was asked for"));
        };
        let ends = [("client", End::Device(client.device)), ("server", End::Device(server.device))];
        let forwarder = Forwarder::start(plan, ends).map_err(not_carried)?;
        Ok(Hosts { client: client.host, server: server.host, forwarder, _lab: lab })
    }
}

/// The addresses of client and server.
pub(in crate::command) fn addresses(ipv6: bool) -> (IpAddr, IpAddr) {
    let of = |(v4, v6): (Ipv4Addr, Ipv6Addr)| -> IpAddr { if ipv6 { v6.into() } else { v4.into() } };
    (of(CLIENT), of(SERVER))
}

/// The command by which the lab's helper is started: this binary again.
pub(crate) fn helper() -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("lab-helper");
    Ok(command)
}

/// Makes a lab, and says how its hosts meet the wire; or what is refused.
pub(super) fn probe() -> Result<&'static str, NoLab> {
    match faultwire_sim::lab::probe() {
        Ok(DeviceKind::Tun) => Ok("through a TUN device"),
        Ok(DeviceKind::Packet) => {
            Ok("through a pair of Ethernet devices and a packet socket (/dev/net/tun is not for this user)")
        }
        Err(LabError::Refused(refusal)) => Err(NoLab {
            step: refusal.step.text().to_owned(),
            errno: Some(refusal.errno),
            allow: format!("likely cause: {}; what would allow it: {}", refusal.cause(), refusal.allow()),
        }),
        Err(error) => Err(NoLab {
            step: with_cause(&error),
            errno: None,
            allow: "this program has to be able to start itself again".to_owned(),
        }),
    }
}

/// A lab that is refused is a testbed that is not to be had.
fn refused(error: LabError) -> Failure {
    let failure = failed(with_cause(&error));
    if matches!(error, LabError::Refused(_)) {
        Failure { code: exit::NO_TESTBED, ..failure }
    } else {
        failure
    }
}

/// A plan that cannot be carried out is wrong; that the system has no descriptor or no thread is not the plan's doing.
fn not_carried(error: ForwarderError) -> Failure {
    match error {
        ForwarderError::UnknownHost(_) | ForwarderError::Event { .. } => usage(error),
        _ => failed(with_cause(&error)),
    }
}

/// An error and its cause, in a line.
pub(super) fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use faultwire::fault::UnknownHost;
    use faultwire::lab::{Refusal, Step};

    use super::*;

    #[test]
    fn the_exit_code_says_whose_doing_it_was() {
        let full = || io::Error::from_raw_os_error(24);
        let stranger = UnknownHost { name: "mallory".to_owned(), hosts: vec!["client".to_owned()] };
        for (failure, code) in [
            (not_carried(ForwarderError::Start(full())), exit::CLAIM_FAILED),
            (not_carried(stranger.into()), exit::USAGE),
            (not_carried(ForwarderError::Event { number: 1, why: "no" }), exit::USAGE),
            (refused(LabError::Start(full())), exit::CLAIM_FAILED),
            (refused(LabError::Gone), exit::CLAIM_FAILED),
            (refused(Refusal::new(Step::TunNode, &full()).into()), exit::NO_TESTBED),
        ] {
            assert_eq!(failure.code, code, "{}", failure.message);
        }
        let message = not_carried(ForwarderError::Start(full())).message;
        assert!(message.starts_with("the forwarder does not start: "), "{message}");
    }
}

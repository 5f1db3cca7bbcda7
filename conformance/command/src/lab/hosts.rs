//! The two hosts that a pair of programs runs in, and the wire between them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;

use faultwire::fault::FaultPlan;
use faultwire::lab::{
    End, Forwarder, ForwarderError, HostConfig, KernelHost, Lab, LabError, Member, PROGRAM_TUN, Profile,
    Setting,
};
use faultwire::network::os::OsNetwork;
use faultwire::trace::{Trace, What};

use crate::error::{CommandError, failed, unavailable, usage};

const CLIENT: (Ipv4Addr, Ipv6Addr) = (Ipv4Addr::new(10, 0, 0, 1), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
const SERVER: (Ipv4Addr, Ipv6Addr) = (Ipv4Addr::new(10, 0, 0, 2), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2));

/// Their names in plans and traces, in the order of the wire's ends.
pub(super) const NAMES: [&str; 2] = ["client", "server"];

/// The wire's ends.
pub(super) const CLIENT_END: usize = 0;
pub(super) const SERVER_END: usize = 1;

/// Two hosts, called `client` and `server` in plans and traces, until it is dropped.
#[derive(Debug)]
pub(crate) struct Hosts {
    /// Of each end: its host, and those that start in its place after it lost power. As many as the plan has
    /// the end start.
    lives: [Vec<KernelHost>; 2],
    /// Of each end: how its host was made.
    configs: Vec<HostConfig>,
    ends_programs: bool,
    pub(crate) forwarder: Forwarder,
    /// Last, so that the hosts go before their helper is waited for.
    lab: Lab,
}

impl Hosts {
    /// Makes them, with a wire under that plan.
    /// The hosts' kernel has the settings of that profile, or its own; `tun` are the names of those whose
    /// program is their stack.
    pub(crate) fn start(
        plan: &FaultPlan,
        profile: Option<Profile>,
        tun: &[String],
    ) -> Result<Hosts, CommandError> {
        let numbers = NAMES.map(|name| 1 + plan.restarts(name) as usize);
        let config = |name: &str, (v4, v6)| {
            let mut config = HostConfig::new(v4, v6);
            config.mtu = plan.link.numbers().host_mtu();
            config.tun = tun.iter().any(|host| host == name);
            profile.into_iter().fold(config, HostConfig::with_profile)
        };
        let configs = vec![config(NAMES[CLIENT_END], CLIENT), config(NAMES[SERVER_END], SERVER)];
        let all: Vec<HostConfig> =
            configs.iter().zip(numbers).flat_map(|(it, number)| vec![it.clone(); number]).collect();
        let (lab, hosts) = Lab::start(helper().map_err(failed)?, &all, None).map_err(refused)?;
        let mut hosts = hosts.into_iter();
        let mut lives = [Vec::new(), Vec::new()];
        let mut members = Vec::new();
        for ((name, number), lives) in NAMES.into_iter().zip(numbers).zip(&mut lives) {
            let made = hosts.by_ref().take(number).map(|made| (made.host, End::Device(made.device)));
            let mut spares: Vec<End>;
            (*lives, spares) = made.unzip();
            let end = spares.remove(0);
            members.push(Member { name: name.to_owned(), addrs: Vec::new(), end, spares });
        }
        let forwarder = Forwarder::among(plan, OsNetwork::new(), members).map_err(not_carried)?;
        Ok(Hosts { lives, configs, ends_programs: plan.ends_programs(), forwarder, lab })
    }

    /// The host at an end after it has lost power `crashes` times.
    pub(super) fn host(&self, end: usize, crashes: u32) -> Option<&KernelHost> {
        self.lives.get(end)?.get(usize::try_from(crashes).ok()?)
    }

    /// Whether the program at an end is its host's network stack, and has a TUN device.
    pub(super) fn has_tun(&self, end: usize) -> bool {
        self.configs[end].tun
    }

    /// What the program at an end finds in its environment.
    pub(super) fn environment(&self, end: usize, ipv6: bool) -> Vec<(String, String)> {
        let (client, server) = addresses(ipv6);
        let HostConfig { v4_prefix, v6_prefix, mtu, tun, .. } = self.configs[end];
        let mut variables = vec![
            ("FAULTWIRE_CLIENT", client.to_string()),
            ("FAULTWIRE_SERVER", server.to_string()),
            // Into a pipe, Python would say nothing until it ends.
            ("PYTHONUNBUFFERED", "1".to_owned()),
        ];
        if tun {
            let (own, peer) = if end == SERVER_END { (server, client) } else { (client, server) };
            let prefix = if ipv6 { v6_prefix } else { v4_prefix };
            variables.extend([
                ("FAULTWIRE_TUN", PROGRAM_TUN.to_owned()),
                ("FAULTWIRE_ADDRESS", format!("{own}/{prefix}")),
                ("FAULTWIRE_GATEWAY", peer.to_string()),
                ("FAULTWIRE_MTU", mtu.to_string()),
            ]);
        }
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Whether the program at an end may start again after it has ended `generation` times.
    pub(super) fn starts_again(&self, end: usize, generation: u32) -> bool {
        self.host(end, generation).is_some()
    }

    /// The host at an end whose programs run.
    pub(super) fn last(&self, end: usize) -> Option<&KernelHost> {
        let power = self.forwarder.power();
        let runs = (0..).take(self.lives.get(end)?.len()).any(|it| power.is_on(end, it));
        runs.then(|| self.host(end, power.crashes(end))).flatten()
    }

    /// What happened so far. Its times count from the first packet: what came before, the start of the server
    /// and of the client, is the machine's matter.
    pub(crate) fn trace(&self) -> Trace {
        let mut trace = self.forwarder.trace();
        trace.count_from_first_packet();
        trace
    }

    /// Whether the host at an end has sent anything.
    pub(super) fn has_sent(&self, end: usize) -> bool {
        let is_from = |what: &What| matches!(what, What::Sent { from, .. } if usize::from(from.0) == end);
        self.forwarder.trace().events().iter().any(|event| is_from(&event.what))
    }

    /// The server's host, as it is at first.
    pub(crate) fn server(&self) -> &KernelHost {
        &self.lives[SERVER_END][0]
    }

    /// The client's host, as it is at first.
    pub(crate) fn client(&self) -> &KernelHost {
        &self.lives[CLIENT_END][0]
    }

    /// All hosts with their names, those included that are there to start in the place of another.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static str, &KernelHost)> {
        NAMES
            .into_iter()
            .zip(&self.lives)
            .flat_map(|(name, lives)| lives.iter().map(move |host| (name, host)))
    }

    /// The settings of its profile that the kernel did not take, each with its error.
    pub(super) fn unset(&self) -> &[Setting] {
        self.lab.unset()
    }

    /// Why programs that leave their process group may outlive the lab, if they may.
    pub(super) fn processes_refused(&self) -> Option<io::Error> {
        self.lab.processes_refused()
    }

    /// Whether the plan ends or starts programs.
    pub(super) fn ends_programs(&self) -> bool {
        self.ends_programs
    }
}

/// The addresses of client and server.
pub(crate) fn addresses(ipv6: bool) -> (IpAddr, IpAddr) {
    let of = |(v4, v6): (Ipv4Addr, Ipv6Addr)| -> IpAddr { if ipv6 { v6.into() } else { v4.into() } };
    (of(CLIENT), of(SERVER))
}

/// The command by which the lab's helper is started: this binary again.
pub(crate) fn helper() -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("lab-helper");
    Ok(command)
}

/// The lab is an unavailable testbed where the machine refuses a step, a process or a thread.
fn refused(error: LabError) -> CommandError {
    match error {
        LabError::Refused(_) | LabError::Start(_) => unavailable(error),
        LabError::TooManyHosts { .. } => usage(error).help("let the plan have hosts start again less often"),
        _ => failed(error),
    }
}

/// A plan that cannot be carried out is wrong; that the system has no descriptor or no thread is not the
/// plan's doing.
fn not_carried(error: ForwarderError) -> CommandError {
    match error {
        ForwarderError::UnknownHost(_) | ForwarderError::Event { .. } => usage(error),
        ForwarderError::Start(_) => unavailable(error),
        _ => failed(error),
    }
}

#[cfg(test)]
mod tests {
    use faultwire::fault::UnknownHost;
    use faultwire::lab::{Refusal, Step};

    use super::*;
    use crate::error::Fault;

    #[test]
    fn the_exit_code_says_whose_doing_it_was() {
        let full = || io::Error::from_raw_os_error(24);
        let stranger = UnknownHost { name: "mallory".to_owned(), hosts: vec!["client".to_owned()] };
        for (error, fault) in [
            (not_carried(ForwarderError::Start(full())), Fault::Unavailable),
            (not_carried(stranger.into()), Fault::Usage),
            (not_carried(ForwarderError::Event { number: 1, why: "no" }), Fault::Usage),
            (refused(LabError::Start(full())), Fault::Unavailable),
            (refused(LabError::TooManyHosts { asked: 17, max: 16 }), Fault::Usage),
            (refused(LabError::Gone), Fault::Failed),
            (refused(Refusal::new(Step::TunNode, &full()).into()), Fault::Unavailable),
        ] {
            assert_eq!(error.fault, fault, "{error}");
        }
        let message = not_carried(ForwarderError::Start(full())).in_a_line();
        assert!(message.starts_with("the forwarder does not start: "), "{message}");
    }
}

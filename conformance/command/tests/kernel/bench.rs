//! A host of the kernel and a host with our stack, for a test.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;
use std::time::Duration;

use faultwire::fault::{FaultPlan, Link, LinkNumbers};
use faultwire::lab::{Device, DeviceKind, End, Forwarder, HostConfig, KernelHost, Lab, LabError, LabStack};
use faultwire::network::Network as _;
use faultwire::network::os::OsNetwork;
use faultwire::stack::{Domain, Stack, StackConfig};

/// Longer than anything here takes: a test that waits so long has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Both families, for tests that are the same in both.
pub(crate) const FAMILIES: [Domain; 2] = [Domain::Inet, Domain::Inet6];

/// Two hosts, called `faultwire` and `linux` in plans and traces.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) faultwire: LabStack,
    pub(crate) kernel: KernelHost,
    pub(crate) forwarder: Forwarder,
    plan: FaultPlan,
    /// Last, so that the hosts go before their helper is waited for.
    pub(crate) _lab: Lab,
}

/// The command that makes hosts.
pub(crate) fn helper() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faultwire"));
    command.arg("lab-helper");
    command
}

pub(crate) fn kernel_addr(family: Domain) -> IpAddr {
    match family {
        Domain::Inet => Ipv4Addr::new(10, 70, 0, 2).into(),
        Domain::Inet6 => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2).into(),
    }
}

pub(crate) fn our_addr(family: Domain) -> IpAddr {
    match family {
        Domain::Inet => Ipv4Addr::new(10, 70, 0, 1).into(),
        Domain::Inet6 => Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1).into(),
    }
}

/// The kind of device that `FAULTWIRE_LAB_DEVICE` asks for: `tun` or `packet`; else what is available.
fn kind() -> Option<DeviceKind> {
    match std::env::var("FAULTWIRE_LAB_DEVICE").as_deref() {
        Ok("tun") => Some(DeviceKind::Tun),
        Ok("packet") => Some(DeviceKind::Packet),
        _ => None,
    }
}

/// What the kernel's host is to be.
pub(crate) fn kernel_config() -> HostConfig {
    HostConfig::new(Ipv4Addr::new(10, 70, 0, 2), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2))
}

/// A plan without faults, on a link without delay.
pub(crate) fn no_faults() -> FaultPlan {
    let link = Link::Numbers(LinkNumbers::new(0, 1500));
    FaultPlan::new().link(link)
}

/// A lab of that host, with its device; `None`, and a line that says why, where the machine refuses.
pub(crate) fn lab(config: HostConfig) -> Option<(Lab, KernelHost, Box<dyn Device>)> {
    match Lab::start(helper(), &[config], kind()) {
        Ok((lab, hosts)) => {
            let made = hosts.into_iter().next().expect("one was asked for");
            Some((lab, made.host, made.device))
        }
        Err(LabError::Refused(refusal)) => {
            crate::require::skipped("lab", refusal);
            None
        }
        Err(error) => panic!("the lab does not start: {error:?}"),
    }
}

impl Bench {
    /// Both hosts under a plan; `None`, and a line that says why, where the machine refuses.
    pub(crate) fn new(plan: &FaultPlan) -> Option<Bench> {
        Bench::with(plan, kernel_config())
    }

    /// Like `new`, with other settings of the kernel.
    pub(crate) fn with(plan: &FaultPlan, mut config: HostConfig) -> Option<Bench> {
        config.mtu = plan.link.numbers().mtu;
        let mut own =
            StackConfig::new(Ipv4Addr::new(10, 70, 0, 1), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
        own.mtu = config.mtu;
        let (lab, kernel, device) = lab(config)?;
        let ends = [("faultwire", End::Stack(Box::new(Stack::new(own)))), ("linux", End::Device(device))];
        let forwarder = Forwarder::start(plan, ends).expect("the plan can be carried out");
        let faultwire = forwarder.lab_stack(0).expect("the first end is a stack");
        Some(Bench { faultwire, kernel, forwarder, plan: plan.clone(), _lab: lab })
    }

    /// The end of a test: nothing may have been lost outside of the plan, and all of the plan has taken
    /// place.
    pub(crate) fn close(self) {
        assert!(self.forwarder.fired().all(), "{:?}", self.forwarder.fired());
        self.nothing_else_was_lost();
    }

    /// Nothing may have been lost outside of the plan.
    pub(crate) fn nothing_else_was_lost(&self) {
        let stats = self.forwarder.stats().expect("the device counts");
        assert_eq!(stats.lost(), 0, "{stats:?}");
        let counters = self.kernel.counters().expect("the kernel counts");
        assert_eq!(counters.lost(), 0, "{counters:?}");
    }
}

impl Drop for Bench {
    /// A test that fails shows what last happened, and leaves all of it where `FAULTWIRE_LAB_TRACES` says.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let text = self.forwarder.trace().text();
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(60)..];
        if self.plan.faults.len() < 20 {
            eprintln!("{}", self.plan.to_toml());
        }
        eprintln!("the last of {} events:\n{}", lines.len(), last.join("\n"));
        eprintln!("{:?} {:?}", self.forwarder.stats(), self.kernel.counters());
        if let Some(directory) = std::env::var_os("FAULTWIRE_LAB_TRACES") {
            let name = std::thread::current().name().unwrap_or("test").replace("::", "-");
            let _ = std::fs::write(std::path::Path::new(&directory).join(name), text);
        }
    }
}

/// Lets real time go by.
pub(crate) fn pause(span: Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(OsNetwork::new().sleep(span));
}

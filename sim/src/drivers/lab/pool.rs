//! Labs that are kept from run to run: making one costs milliseconds, ending one tens of them.
//!
//! A run gets hosts with addresses that no run of this process has had before. So what sockets of an earlier
//! run still have to send is lost: over IPv4 the kernel sends nothing from an address that its host does not
//! have any more, over IPv6 the forwarder knows it by its address and ignores it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use faultwire::errno::Errno;
use faultwire::lab::{Device, DeviceKind, HostConfig, KernelHost, Lab, LabError, Profile};

/// The kernel settings of labs for runs.
pub(crate) const PROFILE: Profile = Profile::Fast;

/// How long hosts keep retransmitting into silence if every outage of the plan ends, in place of the
/// profile's few retransmissions.
///
/// The claims about TCP under faults assume that no side gives up before the faults are over. Linux does not
/// count retransmissions of data. It gives up after the time that `tcp_retries2` retransmissions would take
/// with its *minimum* timeout of 200 ms. For five, which keep cases short, that is 12.6 s. A connection whose
/// first round trip took a second waits three seconds for its first retransmission, and has not made four by
/// then. For 15, the kernel's default, it is 924 s, longer than any run may take. No program is told when an
/// orphaned connection is given up. SYN and SYN-ACK are counted, and no plan hits one that often.
const PATIENT: [(&str, &str); 4] = [
    ("ipv4/tcp_retries2", "15"),
    ("ipv4/tcp_orphan_retries", "15"),
    ("ipv4/tcp_syn_retries", "6"),
    ("ipv4/tcp_synack_retries", "7"),
];

/// Labs that are kept while no run uses them.
const KEPT_MAX: usize = 32;

/// What a lab's hosts have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// How many hosts of the kernel there are.
    pub(crate) hosts: usize,
    /// Largest IP packet of their devices, in bytes.
    pub(crate) mtu: u16,
    /// The kernel's settings.
    pub(crate) profile: Profile,
    /// Whether they go on for longer against silence than the profile has it.
    pub(crate) is_patient: bool,
}

/// A lab, with its hosts' devices.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) kind: Kind,
    pub(crate) hosts: Vec<KernelHost>,
    pub(crate) devices: Vec<Box<dyn Device>>,
    pub(crate) device: Option<DeviceKind>,
    /// Last: the helper is waited for when all else is gone.
    pub(crate) lab: Lab,
}

static KEPT: Mutex<Vec<Bench>> = Mutex::new(Vec::new());

fn kept() -> std::sync::MutexGuard<'static, Vec<Bench>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The network of a run: no two runs of this process have the same, until there were sixty thousand.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subnet(u16);

impl Subnet {
    pub(crate) fn fresh() -> Subnet {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let run = RUNS.fetch_add(1, Ordering::Relaxed) % u32::from(u16::MAX);
        Subnet(u16::try_from(run + 1).unwrap_or(1))
    }

    /// The addresses of its nth host, counted from 0.
    pub(crate) fn host(self, index: usize) -> (Ipv4Addr, Ipv6Addr) {
        let n = u8::try_from(index + 1).unwrap_or(254);
        let [high, low] = self.0.to_be_bytes();
        (Ipv4Addr::new(10, high, low, n), Ipv6Addr::new(0xfd00, 0, 0, self.0, 0, 0, 0, u16::from(n)))
    }

    /// Like `host`, but as addresses of either family.
    pub(crate) fn addrs(self, index: usize) -> [IpAddr; 2] {
        let (v4, v6) = self.host(index);
        [v4.into(), v6.into()]
    }
}

/// How often a lab is asked for of a machine that is busy with other namespaces.
const ATTEMPTS: usize = 3;

/// A lab of that kind, whose hosts have these addresses.
pub(crate) fn take(kind: &Kind, addrs: &[(Ipv4Addr, Ipv6Addr)]) -> Result<Bench, LabError> {
    patiently(|| take_once(kind, addrs))
}

/// A lab that no run has used.
pub(crate) fn take_fresh(kind: &Kind, addrs: &[(Ipv4Addr, Ipv6Addr)]) -> Result<Bench, LabError> {
    patiently(|| make(kind, addrs))
}

/// Tries again where an address is not there in time: the kernel makes it after all that other namespaces
/// have asked for.
fn patiently(attempt: impl Fn() -> Result<Bench, LabError>) -> Result<Bench, LabError> {
    let mut taken = attempt();
    for _ in 1..ATTEMPTS {
        if !taken.as_ref().is_err_and(is_late) {
            break;
        }
        taken = attempt();
    }
    taken
}

fn is_late(error: &LabError) -> bool {
    let errno = match error {
        LabError::Refused(refusal) => Some(refusal.errno),
        LabError::Call { source, .. } => source.raw_os_error(),
        _ => None,
    };
    errno == Some(Errno::ETIMEDOUT.raw())
}

fn take_once(kind: &Kind, addrs: &[(Ipv4Addr, Ipv6Addr)]) -> Result<Bench, LabError> {
    let found = {
        let mut kept = kept();
        let place = kept.iter().position(|bench| bench.kind == *kind);
        place.map(|place| kept.remove(place))
    };
    let Some(bench) = found else { return make(kind, addrs) };
    for (host, (v4, v6)) in bench.hosts.iter().zip(addrs) {
        host.move_to(*v4, *v6)?;
    }
    Ok(bench)
}

fn make(kind: &Kind, addrs: &[(Ipv4Addr, Ipv6Addr)]) -> Result<Bench, LabError> {
    let configs: Vec<HostConfig> = addrs
        .iter()
        .map(|(v4, v6)| {
            let mut config = HostConfig::new(*v4, *v6);
            config.mtu = kind.mtu;
            let config = config.with_profile(kind.profile);
            let more = PATIENT.iter().filter(|_| kind.is_patient);
            more.fold(config, |config, (name, value)| config.with_setting(*name, *value))
        })
        .collect();
    let helper = super::helper::helper().map_err(LabError::Start)?;
    let (lab, made) = Lab::start(helper, &configs, super::helper::device())?;
    let device = made.first().map(|host| host.kind);
    let (hosts, devices) = made.into_iter().map(|made| (made.host, made.device)).unzip();
    Ok(Bench { kind: kind.clone(), hosts, devices, device, lab })
}

/// Ends a lab. That takes long, and no run needs to wait for it.
pub(crate) fn end(bench: Bench) {
    // Where no thread can be started, it ends here.
    let _ = std::thread::Builder::new().spawn(move || drop(bench));
}

/// Keeps a lab that a run is done with. Its sockets are closed, and its devices are all there.
pub(crate) fn give_back(bench: Bench) {
    bench.lab.wait_until_closed();
    let mut kept = kept();
    kept.push(bench);
    if kept.len() > KEPT_MAX {
        let oldest = kept.remove(0);
        drop(kept);
        end(oldest);
    }
}

/// Makes a lab, or takes one that is kept, looks at it, and keeps it.
pub(crate) fn look<T>(look: impl FnOnce(&Bench) -> T) -> Result<T, LabError> {
    let subnet = Subnet::fresh();
    let kind = Kind { hosts: 2, mtu: 1500, profile: PROFILE, is_patient: true };
    let bench = take(&kind, &[subnet.host(0), subnet.host(1)])?;
    let seen = look(&bench);
    give_back(bench);
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io;

    use super::*;

    #[test]
    fn a_busy_machine_is_asked_again_and_one_that_refuses_is_not() {
        let failed = |errno: Errno| LabError::Call {
            call: "changing the addresses",
            source: io::Error::from_raw_os_error(errno.raw()),
        };
        for (errno, attempts) in [(Errno::ETIMEDOUT, ATTEMPTS), (Errno::EPERM, 1)] {
            let made = Cell::new(0);
            let taken = patiently(|| {
                made.set(made.get() + 1);
                Err(failed(errno))
            });
            assert!(taken.is_err());
            assert_eq!(made.get(), attempts, "{errno}");
        }
    }
}

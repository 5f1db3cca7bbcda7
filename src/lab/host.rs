//! This process's side of a lab: hosts of the kernel, their sockets, their devices.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use super::channel::{Answer, Channel, DESCRIPTORS_MAX, Request};
use super::device::{Device, DeviceKind};
use super::refusal::Refusal;
use super::settings::DeviceCounters;
use crate::model::{Domain, Kind, Protocol};
use crate::network::os::numbers;

/// What a host is to be: its addresses, its device, its kernel's settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HostConfig {
    /// Its IPv4 address.
    pub v4: Ipv4Addr,
    /// The IPv4 network's prefix length, in bits.
    pub v4_prefix: u8,
    /// Its IPv6 address.
    pub v6: Ipv6Addr,
    /// The IPv6 network's prefix length, in bits.
    pub v6_prefix: u8,
    /// Largest IP packet of its device, in bytes. Below 1280 it has no IPv6.
    pub mtu: u16,
    /// Settings of the kernel, in the order in which they are made.
    pub settings: Vec<Setting>,
    /// Whether a program is the host's network stack. The kernel does not have the addresses then: it only
    /// has a TUN device, [`PROGRAM_TUN`](super::PROGRAM_TUN), which the program opens (`IFF_TUN |
    /// IFF_NO_PI`).
    pub tun: bool,
}

impl HostConfig {
    /// A host with these addresses on a /24 and a /64, MTU 1500, with the kernel's own settings.
    pub fn new(v4: Ipv4Addr, v6: Ipv6Addr) -> Self {
        HostConfig { v4, v4_prefix: 24, v6, v6_prefix: 64, mtu: 1500, settings: Vec::new(), tun: false }
    }

    /// With one setting more: its name below `/proc/sys/net`, such as `ipv4/tcp_sack`, and its value.
    #[must_use]
    pub fn with_setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push(Setting { name: name.into(), value: value.into() });
        self
    }
}

/// A setting of the kernel, for one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Its name below `/proc/sys/net`, such as `ipv4/tcp_sack`.
    pub name: String,
    /// Its value, as it is written there.
    pub value: String,
}

/// Why there is no lab, or no socket of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The machine refuses a step of the set-up.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The helper does not start.
    #[error("the lab's helper cannot be started")]
    Start(#[source] io::Error),
    /// The channel to the helper broke.
    #[error("the channel to the lab's helper broke")]
    Channel(#[source] io::Error),
    /// The helper ended, or answered what it was not asked.
    #[error("the lab's helper ended: its stderr says why")]
    Gone,
    /// There are too many hosts.
    #[error("a lab has {max} hosts at most, and this one was to have {asked}, restarts included")]
    TooManyHosts {
        /// How many were asked for.
        asked: usize,
        /// How many there may be.
        max: usize,
    },
    /// A call inside a host's namespace failed.
    #[error("{call} failed in the host's namespace")]
    Call {
        /// Which.
        call: &'static str,
        /// With what.
        source: io::Error,
    },
}

/// Read while a helper is started, written to wait for those that are.
///
/// Between fork and exec the new process has a copy of every descriptor of this one. A socket that is closed
/// meanwhile stays bound until then.
static STARTING: RwLock<()> = RwLock::new(());

/// Hosts of the kernel, until it is dropped; sockets that were opened in them keep their namespace.
#[derive(Debug)]
pub struct Lab {
    helper: Arc<Helper>,
    hosts: usize,
    unset: Vec<Setting>,
    processes: Option<i32>,
}

/// A host that a lab made, and its end of the wire.
#[derive(Debug)]
#[non_exhaustive]
pub struct LabHost {
    /// The host.
    pub host: KernelHost,
    /// Where it meets the wire.
    pub device: Box<dyn Device>,
    /// Of which kind that is.
    pub kind: DeviceKind,
}

/// The helper's process and the channel to it.
#[derive(Debug)]
pub(super) struct Helper {
    /// Locked from a request to its answer. `None` once it is to end.
    channel: Mutex<Option<Channel>>,
    process: Mutex<Child>,
}

impl Lab {
    /// Starts a helper with this command, which is to call [`serve`](super::serve) first thing, and has it
    /// make hosts with devices of that kind (if `None`: TUN where the machine allows it); gives each host
    /// with its device.
    ///
    /// # Errors
    /// [`LabError::Refused`] where the machine refuses a step; the others are a matter of the command.
    pub fn start(
        mut command: Command,
        hosts: &[HostConfig],
        device: Option<DeviceKind>,
    ) -> Result<(Lab, Vec<LabHost>), LabError> {
        if hosts.len() > DESCRIPTORS_MAX {
            return Err(LabError::TooManyHosts { asked: hosts.len(), max: DESCRIPTORS_MAX });
        }
        let (channel, theirs) = Channel::pair().map_err(LabError::Start)?;
        // The command holds the helper's end and is dropped with it: so the helper's end is the helper's
        // alone. In a group of its own it outlives a Ctrl-C, to end the programs in its hosts.
        command.process_group(0);
        let starting = STARTING.read().unwrap_or_else(PoisonError::into_inner);
        let process = command.stdin(theirs).stdout(Stdio::null()).spawn();
        drop((starting, command));
        let process = process.map_err(LabError::Start)?;
        let helper = Arc::new(Helper { channel: Mutex::new(Some(channel)), process: Mutex::new(process) });
        let (answer, devices) = helper.ask(&Request::Hosts { hosts: hosts.to_vec(), device })?;
        let wanted = hosts.len();
        let (unset, kinds, processes) = match answer {
            Answer::Hosts { unset, kinds, processes } if devices.len() == wanted && kinds.len() == wanted => {
                (unset, kinds, processes)
            }
            Answer::Refused { refusal } => return Err(refusal.into()),
            _ => return Err(LabError::Gone),
        };
        let mut distinct: Vec<Setting> = Vec::new();
        for (name, errno) in unset {
            let setting = Setting { name, value: io::Error::from_raw_os_error(errno).to_string() };
            if !distinct.contains(&setting) {
                distinct.push(setting);
            }
        }
        let hosts = devices
            .into_iter()
            .zip(kinds)
            .enumerate()
            .map(|(index, (device, kind))| LabHost {
                host: KernelHost { helper: Arc::clone(&helper), index },
                device: kind.device(device),
                kind,
            })
            .collect();
        Ok((Lab { helper, hosts: wanted, unset: distinct, processes }, hosts))
    }

    /// Waits until no process has a copy of a socket that this one has closed: a helper that another thread
    /// starts has copies for a moment.
    pub fn wait_until_closed(&self) {
        drop(STARTING.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Packets that the devices of its hosts have lost so far.
    ///
    /// # Errors
    /// As [`KernelHost::counters`].
    pub fn lost(&self) -> Result<u64, LabError> {
        let host = |index| KernelHost { helper: Arc::clone(&self.helper), index };
        (0..self.hosts).try_fold(0, |sum, index| Ok(sum + host(index).counters()?.lost()))
    }

    /// The settings that the kernel did not take, each with its error and once for all hosts: it does not
    /// have them, or they are not for everybody.
    pub fn unset(&self) -> &[Setting] {
        &self.unset
    }

    /// Why the programs have no PID namespace of their own, if they have none. With one, the kernel kills all
    /// that they have started when the lab ends, whatever was killed before; without it, a daemon outlives a
    /// helper that is killed together with the process that started the lab.
    pub fn processes_refused(&self) -> Option<io::Error> {
        self.processes.map(io::Error::from_raw_os_error)
    }

    /// The helper's process number.
    pub fn helper_id(&self) -> u32 {
        self.helper.process.lock().unwrap_or_else(PoisonError::into_inner).id()
    }
}

impl Helper {
    /// Sends a request and waits for its answer. The helper never waits for anything but the next request, so
    /// that this takes no longer than the call that is asked for.
    pub(super) fn ask(&self, request: &Request) -> Result<(Answer, Vec<OwnedFd>), LabError> {
        self.ask_with(request, &[])
    }

    /// Like `ask`, but also passes descriptors.
    pub(super) fn ask_with(
        &self,
        request: &Request,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(Answer, Vec<OwnedFd>), LabError> {
        let channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = channel.as_ref().ok_or(LabError::Gone)?;
        channel.send(request, descriptors).map_err(|error| match error.raw_os_error() {
            Some(libc::EPIPE | libc::ECONNRESET) => LabError::Gone,
            _ => LabError::Channel(error),
        })?;
        channel.receive().map_err(LabError::Channel)?.ok_or(LabError::Gone)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It ends when it sees the channel closed.
        *self.channel.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = process.wait() {
            tracing::warn!(%error, "the lab's helper was not waited for");
        }
    }
}

/// A host of the kernel: a network namespace.
#[derive(Clone, Debug)]
pub struct KernelHost {
    pub(super) helper: Arc<Helper>,
    pub(super) index: usize,
}

impl KernelHost {
    /// A socket of this host: `socket(2)`. It belongs to the host whoever uses it, and so does what it
    /// accepts.
    ///
    /// # Errors
    /// [`LabError::Call`] with the call's own error; [`LabError::Gone`].
    pub fn socket(&self, domain: Domain, kind: Kind, protocol: Protocol) -> Result<OwnedFd, LabError> {
        let (domain, kind, protocol) = numbers(domain, kind, protocol);
        let (domain, kind) = (i32::from(domain), i32::from(kind));
        let protocol = protocol.map_or(0, i32::from);
        let request = Request::Socket { host: self.index, domain, kind, protocol };
        let (answer, descriptors) = self.helper.ask(&request)?;
        match (answer, descriptors.into_iter().next()) {
            (Answer::Socket, Some(socket)) => Ok(socket),
            (Answer::Failed { errno }, _) => Err(failed("socket", errno)),
            _ => Err(LabError::Gone),
        }
    }

    /// Gives it other addresses in place of those that it has, with the same prefix lengths. What its sockets
    /// of before still have to send is lost: without their address they can send nothing.
    ///
    /// # Errors
    /// [`LabError::Call`] with the error of the step that failed; [`LabError::Gone`].
    pub fn move_to(&self, v4: Ipv4Addr, v6: Ipv6Addr) -> Result<(), LabError> {
        match self.helper.ask(&Request::Address { host: self.index, v4, v6 })?.0 {
            Answer::Done => Ok(()),
            Answer::Failed { errno } => Err(failed("changing the addresses", errno)),
            _ => Err(LabError::Gone),
        }
    }

    /// What its device counted.
    ///
    /// # Errors
    /// [`LabError::Call`] where the system does not tell; [`LabError::Gone`].
    pub fn counters(&self) -> Result<DeviceCounters, LabError> {
        match self.helper.ask(&Request::Counters { host: self.index })?.0 {
            Answer::Counters { counters } => Ok(counters),
            Answer::Failed { errno } => Err(failed("reading the counters", errno)),
            _ => Err(LabError::Gone),
        }
    }
}

/// A call that failed in the helper.
pub(super) fn failed(call: &'static str, errno: i32) -> LabError {
    LabError::Call { call, source: io::Error::from_raw_os_error(errno) }
}

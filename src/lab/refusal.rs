//! What a machine may refuse: the step, the error, the likely cause, and what would allow it.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

/// A step of the set-up that a machine may refuse, in the order in which they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Step {
    /// `unshare(CLONE_NEWUSER)`: only where the right to make network namespaces is missing.
    UserNamespace,
    /// Writing `setgroups`, `uid_map` and `gid_map` under `/proc/self`.
    Identity,
    /// `unshare(CLONE_NEWNET)`.
    NetworkNamespace,
    /// Writing below `/proc/sys/net`.
    Settings,
    /// Opening `/dev/net/tun`.
    TunNode,
    /// The ioctl TUNSETIFF.
    TunDevice,
    /// A netlink socket.
    Netlink,
    /// A pair of Ethernet devices, which stands in where there is no TUN device.
    Pair,
    /// A packet socket on one of them.
    PacketSocket,
    /// Setting the device's MTU and queue, and switching it on.
    Link,
    /// Giving the device an address.
    Address,
}

impl Step {
    /// What did not work, as the beginning of a sentence.
    pub const fn text(self) -> &'static str {
        match self {
            Step::UserNamespace => "a user namespace cannot be made",
            Step::Identity => "the user namespace cannot be given a user",
            Step::NetworkNamespace => "a network namespace cannot be made",
            Step::Settings => "the namespace's settings cannot be made",
            Step::TunNode => "/dev/net/tun cannot be opened",
            Step::TunDevice => "a TUN device cannot be made",
            Step::Netlink => "a netlink socket cannot be opened",
            Step::Pair => "a pair of Ethernet devices cannot be made",
            Step::PacketSocket => "a packet socket cannot be opened",
            Step::Link => "the host's device cannot be set up",
            Step::Address => "the host's device cannot be given an address",
        }
    }
}

/// The machine refuses a step of the set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Refusal {
    /// Which step.
    pub step: Step,
    /// The system's error number; 0 where it gave none.
    pub errno: i32,
}

impl Refusal {
    /// A step refused with that error.
    pub fn new(step: Step, error: &io::Error) -> Self {
        Refusal { step, errno: error.raw_os_error().unwrap_or(0) }
    }

    /// For `map_err`: the step that was refused.
    pub(super) fn at<E: Into<io::Error>>(step: Step) -> impl Fn(E) -> Refusal {
        move |error| Refusal::new(step, &error.into())
    }

    /// The system's error.
    pub fn error(&self) -> io::Error {
        io::Error::from_raw_os_error(self.errno)
    }

    /// The likely cause, and what would allow it.
    pub fn remedy(&self) -> String {
        let (cause, allow) = self.advice();
        format!("likely cause: {cause}; what would allow it: {allow}")
    }

    fn advice(&self) -> (&'static str, &'static str) {
        use Step::{
            Address, Identity, Link, Netlink, NetworkNamespace, PacketSocket, Pair, Settings, TunDevice,
            TunNode, UserNamespace,
        };
        match (self.step, self.errno) {
            (UserNamespace, libc::ENOSPC) => (
                "user namespaces are switched off, or all are in use",
                "as root: sysctl -w user.max_user_namespaces=10000",
            ),
            (UserNamespace, libc::EPERM) => (
                "a seccomp filter (as in Docker) or kernel.unprivileged_userns_clone=0 forbids it",
                "run it as root, or as root: sysctl -w kernel.unprivileged_userns_clone=1; in Docker: \
                 --privileged, or --security-opt seccomp=unconfined",
            ),
            (UserNamespace, libc::EINVAL) => (
                "the process has threads already, or the kernel has no user namespaces (CONFIG_USER_NS)",
                "run it as root, or take a kernel with user namespaces",
            ),
            (UserNamespace, libc::EUSERS) => {
                ("user namespaces are nested too deep", "run it outside of them")
            }
            (UserNamespace | Identity, libc::EACCES) | (Identity | NetworkNamespace, libc::EPERM) => (
                "AppArmor takes the rights out of user namespaces (as Ubuntu has it since 23.10), or SELinux \
                 does",
                "run it as root, or as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
            ),
            (Identity | Settings, libc::EROFS | libc::ENOENT) => (
                "/proc is read-only or is not mounted, as in some containers",
                "mount /proc for writing; in Docker: --security-opt systempaths=unconfined",
            ),
            (NetworkNamespace, libc::ENOSPC) => (
                "network namespaces are switched off, or all are in use",
                "as root: sysctl -w user.max_net_namespaces=10000",
            ),
            (NetworkNamespace, libc::EINVAL) => {
                ("the kernel has no network namespaces (CONFIG_NET_NS)", "take a kernel that has them")
            }
            (TunNode, libc::EACCES) => {
                ("the device node is for root alone", "run it as root, or as root: chmod 0666 /dev/net/tun")
            }
            (TunNode, libc::EPERM) => {
                ("the container's list of devices does not have it", "in Docker: --device /dev/net/tun")
            }
            (TunNode, libc::ENOENT | libc::ENODEV | libc::ENXIO) => (
                "the kernel's module tun is not loaded, or the container has no such device node",
                "as root: modprobe tun; in Docker: --device /dev/net/tun",
            ),
            (Pair, libc::EOPNOTSUPP | libc::ENODEV) => (
                "the kernel's module veth is not loaded, and /dev/net/tun is unavailable either",
                "as root: modprobe veth, or chmod 0666 /dev/net/tun",
            ),
            (PacketSocket, libc::EAFNOSUPPORT) => (
                "the kernel's module af_packet is not loaded, and /dev/net/tun is unavailable either",
                "as root: modprobe af_packet, or chmod 0666 /dev/net/tun",
            ),
            (TunDevice | Pair | PacketSocket, libc::EPERM | libc::EACCES) => (
                "the right CAP_NET_ADMIN is missing in the namespace",
                "run it as root, or allow user namespaces their rights",
            ),
            (Netlink, libc::EAFNOSUPPORT | libc::EPERM | libc::EACCES | libc::EPROTONOSUPPORT) => (
                "a seccomp filter or the sandbox (as gVisor) forbids netlink sockets",
                "run it outside of the sandbox",
            ),
            (Address, libc::EOPNOTSUPP | libc::EACCES) => {
                ("IPv6 is switched off for the whole machine", "boot without ipv6.disable=1")
            }
            (Address, libc::ETIMEDOUT) => {
                ("the machine is too busy: many namespaces come and go", "try again with less beside it")
            }
            (Link | Address, libc::EPERM) => (
                "the right CAP_NET_ADMIN is missing in the namespace",
                "run it as root, or allow user namespaces their rights",
            ),
            (_, libc::EMFILE | libc::ENFILE) => {
                ("too many files are open", "raise the limit: ulimit -n 4096")
            }
            (_, libc::ENOMEM | libc::ENOBUFS) => ("memory is short", "free some memory"),
            _ => ("none is known", "run it as root, or on another machine"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.step.text(), self.error(), self.remedy())
    }
}

impl std::error::Error for Refusal {}

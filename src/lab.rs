//! The kernel lab: hosts of the real Linux kernel on one machine, without root, with the
//! [`Wire`](crate::fault::Wire) between them.
//!
//! A host is a network namespace with a TUN device, or with one end of a pair of Ethernet devices where the
//! machine gives no TUN device to this user. A *helper* makes it: a process of one thread, because only such
//! a one may enter a user namespace. It hands the devices to this process, and afterwards one socket for each
//! request: a socket belongs to the namespace that it was opened in, so that bind, connect and all else is
//! done here, in threads as many as wanted. What the kernel sends through a device comes out here; a
//! [`Forwarder`] puts it on the wire, and hands what arrives to the other end: a device, or a
//! [`HostStack`](crate::stack::HostStack) on the real clock.
//!
//! ```text
//!     sockets of a KernelHost                      LabStack: sockets of a Stack
//!             │ the kernel's TCP and UDP                    │ its TCP and UDP
//!          Device ◄─────────── Forwarder: Wire ────────────►┘
//! ```
//!
//! A host's stack can also be a program of any language ([`HostConfig::tun`]): its namespace has a TUN
//! device that the program opens, and the forwarder takes from the kernel's side of that what the program
//! writes, and puts there what it is to read. The kernel itself carries nothing.
//!
//! Nothing of it has a name in the file system, and nothing outlives its processes: namespaces and devices go
//! with the last descriptor that is open on them, and the helper goes when its channel closes, however this
//! process ends. Programs run in a PID namespace whose first process is the helper's worker, so that the
//! kernel kills all of them when that ends, daemons included. Where the machine refuses one
//! ([`Lab::processes_refused`]), they are killed by hand.
//!
//! **A lab is not a sandbox.** Its hosts have networks of their own, and its programs process numbers of
//! their own. They share the machine's files, sockets that are named by a path, and, where root runs them,
//! root's capabilities.
//!
//! What a machine may refuse is a [`Refusal`], with the step, the error, the likely cause and what would
//! allow it.
//!
//! Read on in this order: `namespace` and `netlink` (what makes a host), `settings` (the kernel's, and its
//! counters), `profile` (settings that are the same on every machine), `device`, `packet`, `channel` and
//! `helper` (the other process), `host` (this one's side of it), `program` and `programs` (commands inside a
//! host, here and in the helper), `forwarder`, `lab_stack`.

mod channel;
mod device;
mod forwarder;
mod helper;
mod host;
mod lab_stack;
mod namespace;
mod netlink;
mod packet;
mod profile;
mod program;
mod programs;
mod refusal;
mod settings;
mod sys;

pub use device::{Device, DeviceKind, PROGRAM_TUN};
pub use forwarder::{
    Concluded, End, Forwarder, ForwarderError, ForwarderStats, Member, Power, Switch, Switched,
};
pub use helper::{HelperError, serve};
pub use host::{HostConfig, KernelHost, Lab, LabError, LabHost, Setting};
pub use lab_stack::{LabStack, WaitError};
pub use profile::{Pin, Profile};
pub use program::Program;
pub use programs::Orphans;
pub use refusal::{Refusal, Step};
pub use settings::DeviceCounters;

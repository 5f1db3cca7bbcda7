//! Messages with descriptors between this process and its helper.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::device::DeviceKind;
use super::host::HostConfig;
use super::refusal::Refusal;
use super::settings::DeviceCounters;

/// Longest message, in bytes.
const MESSAGE_MAX: usize = 65_536;

/// Most descriptors that one message carries.
pub(super) const DESCRIPTORS_MAX: usize = 16;

/// What the helper is asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub(super) enum Request {
    /// First, and once: hosts, with devices of that kind (the best available one, if `None`).
    Hosts { hosts: Vec<HostConfig>, device: Option<DeviceKind> },
    /// Other addresses for a host, in place of those that it has.
    Address { host: usize, v4: Ipv4Addr, v6: Ipv6Addr },
    /// A socket of a host: the arguments of socket(2).
    Socket { host: usize, domain: i32, kind: i32, protocol: i32 },
    /// What a host's device counted.
    Counters { host: usize },
    /// A program inside a host: a shell's command and what is added to its environment; its stdin, stdout and
    /// stderr come with this.
    Start { host: usize, line: String, environment: Vec<(String, String)> },
    /// Whether a program inside a host waits for clients.
    Listening { host: usize },
    /// A signal for a program and what it has started.
    Signal { program: u32, signal: i32 },
    /// How a program ended, if it has.
    Peek { program: u32 },
    /// How a program ended; what is left of its process group is killed.
    Reap { program: u32 },
}

/// What the helper answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(super) enum Answer {
    /// The hosts are there; with a device for each. The kinds of the devices; the settings that could not be
    /// made, with the error number; the error number of a PID namespace that the machine refuses.
    Hosts { kinds: Vec<DeviceKind>, unset: Vec<(String, i32)>, processes: Option<i32> },
    /// The machine refuses.
    Refused { refusal: Refusal },
    /// A socket comes with this.
    Socket,
    /// What was asked for.
    Counters { counters: DeviceCounters },
    /// The program runs; a descriptor that tells its end comes with this.
    Started { program: u32 },
    /// What was asked for.
    Listening { listening: bool },
    /// It was done.
    Done,
    /// The status as wait(2) gives it, if the program has ended.
    Peeked { status: Option<i32> },
    /// The program has ended, with this status as wait(2) gives it.
    Ended { status: i32 },
    /// A call failed with this error number.
    Failed { errno: i32 },
}

/// One end: a socket that keeps messages apart. When either end is gone, the other one learns of it.
#[derive(Debug)]
pub(super) struct Channel {
    socket: OwnedFd,
}

impl Channel {
    /// Both ends; neither is inherited by programs that are started.
    pub(super) fn pair() -> io::Result<(Channel, OwnedFd)> {
        let (here, there) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Channel { socket: here }, there))
    }

    /// An end that another process opened.
    pub(super) fn from_descriptor(socket: OwnedFd) -> Channel {
        Channel { socket }
    }

    /// Sends a message with descriptors, [`DESCRIPTORS_MAX`] at most.
    pub(super) fn send(&self, message: &impl Serialize, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let text = toml::to_string(message).map_err(io::Error::other)?;
        if text.len() > MESSAGE_MAX || descriptors.len() > DESCRIPTORS_MAX {
            return Err(Errno::MSGSIZE.into());
        }
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !rights.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(Errno::MSGSIZE.into());
        }
        sendmsg(&self.socket, &[IoSlice::new(text.as_bytes())], &mut rights, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Waits for a message, with its descriptors; `None` where the other end is gone.
    pub(super) fn receive<T: DeserializeOwned>(&self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let mut buffer = vec![0; MESSAGE_MAX];
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut rights = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let parts = &mut [IoSliceMut::new(&mut buffer)];
            match recvmsg(&self.socket, parts, &mut rights, RecvFlags::CMSG_CLOEXEC) {
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) => return Ok(None),
                other => break other?,
            }
        };
        let descriptors = rights
            .drain()
            .filter_map(|message| match message {
                RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
                _ => None,
            })
            .flatten()
            .collect();
        if received.bytes == 0 {
            return Ok(None);
        }
        if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            return Err(Errno::MSGSIZE.into());
        }
        let text = std::str::from_utf8(&buffer[..received.bytes]).map_err(io::Error::other)?;
        Ok(Some((toml::from_str(text).map_err(io::Error::other)?, descriptors)))
    }
}

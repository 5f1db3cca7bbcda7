//! What the helper does: it makes hosts, and opens sockets in them, for as long as its channel is open.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;

use super::channel::{Answer, Channel, DESCRIPTORS_MAX, Request};
use super::device::{DeviceKind, PROGRAM_TUN, Tun};
use super::host::{HostConfig, Setting};
use super::namespace::{self, Namespace, Part};
use super::netlink::Netlink;
use super::packet::PacketSocket;
use super::programs::{self, Programs};
use super::refusal::{Refusal, Step};
use super::settings::{self, DeviceCounters};
use super::sys;

/// What a host calls its device.
const DEVICE: &str = "wire0";

/// Packets that a TUN device's queue holds. What overflows it is lost outside of any plan: the 500 of the
/// system are too few for a window of small segments.
const QUEUE: u32 = 100_000;

/// Linux has no IPv6 on a device whose MTU is smaller, in bytes (RFC 8200, section 5).
const V6_MTU_MIN: u16 = 1280;

/// Why a helper ends before its time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HelperError {
    /// It was not started as a helper.
    #[error("stdin is no channel of a lab: the lab starts this command itself")]
    NoChannel(#[source] io::Error),
    /// The channel broke.
    #[error("the channel to the lab broke")]
    Channel(#[source] io::Error),
    /// The first request was not for hosts.
    #[error("the lab asked for something else before it asked for hosts")]
    OutOfOrder,
}

/// Serves a lab over the channel that is this process's stdin; returns when the lab is gone.
///
/// To be called by a process of one thread, before it does anything else.
///
/// # Errors
/// [`HelperError`]. What the machine refuses is no error of this kind: the lab is told.
pub fn serve() -> Result<(), HelperError> {
    let channel = io::stdin().as_fd().try_clone_to_owned().map_err(HelperError::NoChannel)?;
    let channel = Channel::from_descriptor(channel);
    let hosts = match channel.receive().map_err(HelperError::NoChannel)? {
        None => return Ok(()),
        Some((Request::Hosts { hosts, device }, _)) => (hosts, device),
        Some(_) => return Err(HelperError::OutOfOrder),
    };
    let refuse = |refusal| channel.send(&Answer::Refused { refusal }, &[]).map_err(HelperError::Channel);
    if let Err(refusal) = namespace::enter() {
        return refuse(refusal);
    }
    let processes = match namespace::split() {
        Part::Done => return Ok(()),
        Part::Worker(processes) => processes.err(),
    };
    let mut configs = hosts.0.clone();
    let made = match make(hosts.0, hosts.1) {
        Ok(made) => made,
        Err(refusal) => return refuse(refusal),
    };
    let devices: Vec<_> = made.iter().map(|host| host.device.as_fd()).collect();
    let unset = made.iter().flat_map(|host| host.unset.clone()).collect();
    let kinds = made.iter().map(|host| host.kind).collect();
    channel.send(&Answer::Hosts { unset, kinds, processes }, &devices).map_err(HelperError::Channel)?;
    // The lab has them now; a device goes when its last descriptor is closed.
    let hosts: Vec<Namespace> = made.into_iter().map(|host| host.namespace).collect();
    let mut programs = Programs::new();
    while let Some((request, descriptors)) = channel.receive().map_err(HelperError::Channel)? {
        let answered = answer(&hosts, &mut configs, &mut programs, request, descriptors);
        let (answer, descriptor) = answered.unwrap_or_else(|error| {
            (Answer::Failed { errno: error.raw_os_error().unwrap_or(libc::EIO) }, None)
        });
        let descriptors: Vec<_> = descriptor.iter().map(AsFd::as_fd).collect();
        channel.send(&answer, &descriptors).map_err(HelperError::Channel)?;
    }
    Ok(())
}

/// A host that was made.
#[derive(Debug)]
struct Made {
    namespace: Namespace,
    device: OwnedFd,
    kind: DeviceKind,
    unset: Vec<(String, i32)>,
}

fn make(configs: Vec<HostConfig>, device: Option<DeviceKind>) -> Result<Vec<Made>, Refusal> {
    let hosts = configs.into_iter().enumerate().take(DESCRIPTORS_MAX);
    hosts.map(|(number, config)| make_one(number, config, device)).collect()
}

fn make_one(number: usize, config: HostConfig, device: Option<DeviceKind>) -> Result<Made, Refusal> {
    let namespace = Namespace::new()?;
    let mtu = config.mtu;
    let settings = config.settings.clone();
    let unset = inside(&namespace, move || set(&settings))?;
    if config.tun {
        let device = inside(&namespace, move || PacketSocket::make_program_tun(mtu, QUEUE))?;
        return Ok(Made { namespace, device, kind: DeviceKind::ProgramTun, unset });
    }
    let tun = match device {
        Some(DeviceKind::Packet) => None,
        Some(_) => Some(inside(&namespace, || Tun::make(DEVICE))?),
        // Where the node is not accessible the other kind may do.
        None => inside(&namespace, || Tun::make(DEVICE)).ok(),
    };
    let (device, kind) = match tun {
        Some(device) => (device, DeviceKind::Tun),
        None => (PacketSocket::make(&namespace, DEVICE, number, mtu)?, DeviceKind::Packet),
    };
    inside(&namespace, move || set_up(&config, kind))?;
    Ok(Made { namespace, device, kind, unset })
}

/// Does something in a host's namespace.
fn inside<T: Send + 'static>(
    namespace: &Namespace,
    what: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let died = Refusal { step: Step::NetworkNamespace, errno: libc::ESRCH };
    namespace.run(what).unwrap_or(Err(died))
}

/// Makes the settings of the calling thread's namespace; gives those of the host's own that could not be
/// made.
fn set(own: &[Setting]) -> Result<Vec<(String, i32)>, Refusal> {
    for (name, value) in settings::QUIET {
        settings::set_if_there(name, value)?;
    }
    let mut unset = Vec::new();
    for Setting { name, value } in own {
        if let Err(error) = settings::set(name, value) {
            unset.push((name.clone(), error.raw_os_error().unwrap_or(0)));
        }
    }
    Ok(unset)
}

/// Sets up the device of the host that is the calling thread's namespace.
fn set_up(config: &HostConfig, kind: DeviceKind) -> Result<(), Refusal> {
    let mut netlink = Netlink::open().map_err(Refusal::at(Step::Netlink))?;
    let refused = Refusal::at(Step::Link);
    let index = netlink.index(DEVICE).map_err(&refused)?;
    let queue = if kind == DeviceKind::Tun { QUEUE } else { 0 };
    netlink.set_sizes(index, config.mtu.into(), queue).map_err(&refused)?;
    if kind == DeviceKind::Packet {
        netlink.set_silent(index).map_err(&refused)?;
    }
    netlink.add_address(index, config.v4.into(), config.v4_prefix).map_err(Refusal::at(Step::Address))?;
    if config.mtu >= V6_MTU_MIN {
        netlink.add_address(index, config.v6.into(), config.v6_prefix).map_err(Refusal::at(Step::Address))?;
    }
    netlink.set_up(index).map_err(&refused)?;
    let loopback = netlink.index("lo").map_err(&refused)?;
    netlink.set_up(loopback).map_err(&refused)?;
    if config.mtu >= V6_MTU_MIN {
        settings::wait_for_address(config.v6).map_err(Refusal::at(Step::Address))?;
    }
    Ok(())
}

fn answer(
    hosts: &[Namespace],
    configs: &mut [HostConfig],
    programs: &mut Programs,
    request: Request,
    descriptors: Vec<OwnedFd>,
) -> io::Result<(Answer, Option<OwnedFd>)> {
    let error = io::Error::from_raw_os_error;
    let host = |index: usize| hosts.get(index).ok_or_else(|| error(libc::ENODEV));
    let is_program = |index: usize| configs.get(index).is_some_and(|config| config.tun);
    let answer = match request {
        Request::Hosts { .. } => return Err(error(libc::EALREADY)),
        Request::Address { host: index, v4, v6 } => {
            let own = configs.get_mut(index).ok_or_else(|| error(libc::ENODEV))?;
            let new = HostConfig { v4, v6, ..own.clone() };
            let (from, to) = (own.clone(), new.clone());
            host(index)?.run(move || move_to(&from, &to)).unwrap_or_else(|| Err(error(libc::ESRCH)))?;
            *own = new;
            Answer::Done
        }
        Request::Socket { host: index, domain, kind, protocol } => {
            let socket = host(index)?
                .run(move || open(domain, kind, protocol))
                .unwrap_or_else(|| Err(error(libc::ESRCH)))?;
            return Ok((Answer::Socket, Some(socket)));
        }
        Request::Counters { host: index } => {
            let is_program = is_program(index);
            let read = move || match is_program {
                true => DeviceCounters::of_program_tun(PROGRAM_TUN),
                false => DeviceCounters::read(DEVICE),
            };
            let counters = host(index)?.run(read).unwrap_or_else(|| Err(error(libc::ESRCH)))?;
            Answer::Counters { counters }
        }
        Request::Start { host: index, line, environment } => {
            let stdio = <[OwnedFd; 3]>::try_from(descriptors).map_err(|_| error(libc::EINVAL))?;
            let start = move || programs::start(&line, &environment, stdio);
            let child = host(index)?.run(start).unwrap_or_else(|| Err(error(libc::ESRCH)))?;
            let (program, ended) = programs.add(child)?;
            return Ok((Answer::Started { program }, Some(ended)));
        }
        Request::Listening { host: index } => {
            let look = if is_program(index) { is_open } else { programs::is_listening };
            let listening = host(index)?.run(look).unwrap_or_else(|| Err(error(libc::ESRCH)))?;
            Answer::Listening { listening }
        }
        Request::Signal { program, signal } => {
            programs.signal(program, signal)?;
            Answer::Done
        }
        Request::Peek { program } => {
            Answer::Peeked { status: programs.peek(program)?.map(ExitStatusExt::into_raw) }
        }
        Request::Reap { program } => Answer::Ended { status: programs.reap(program)?.into_raw() },
    };
    Ok((answer, None))
}

/// Whether a program has the TUN device of the calling thread's namespace open.
fn is_open() -> io::Result<bool> {
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::DGRAM, None)?;
    Ok(sys::has_link(&socket, PROGRAM_TUN)?)
}

/// Gives the host that is the calling thread's namespace other addresses.
fn move_to(from: &HostConfig, to: &HostConfig) -> io::Result<()> {
    let mut netlink = Netlink::open()?;
    let index = netlink.index(DEVICE)?;
    netlink.remove_address(index, from.v4.into(), from.v4_prefix)?;
    netlink.add_address(index, to.v4.into(), to.v4_prefix)?;
    if to.mtu >= V6_MTU_MIN {
        netlink.remove_address(index, from.v6.into(), from.v6_prefix)?;
        netlink.add_address(index, to.v6.into(), to.v6_prefix)?;
        settings::wait_for_address(to.v6)?;
    }
    Ok(())
}

/// `socket(2)` in the calling thread's namespace.
fn open(domain: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    let protocol = (protocol != 0).then(|| socket2::Protocol::from(protocol));
    Ok(socket2::Socket::new(socket2::Domain::from(domain), socket2::Type::from(kind), protocol)?.into())
}

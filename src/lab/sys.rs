//! The few calls of the system that no safe library offers as they are needed here.
#![expect(
    unsafe_code,
    reason = "unshare(2), clone(2), ioctl(2) and the options of packet(7) have no safe wrapper"
)]

use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::io;
use rustix::ioctl::{IntegerSetter, Opcode, Updater, ioctl};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{Pid, Signal, geteuid, set_parent_process_death_signal, setsid};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// TUNSETIFF of `linux/if_tun.h`: `_IOW('T', 202, int)`, though its argument is an `ifreq`.
const TUNSETIFF: Opcode = rustix::ioctl::opcode::write::<libc::c_int>(b'T', 202);

/// IFF_TUN | IFF_NO_PI of `linux/if_tun.h`: whole IP packets, with nothing in front of them.
const TUN_WITHOUT_HEADER: u16 = 0x0001 | 0x1000;

/// `struct ifreq` of `linux/if.h` as TUNSETIFF reads and writes it: 40 bytes where pointers have 8, 32 where
/// they have 4; a longer one than the system's does no harm.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// Moves the calling thread (the calling process, for a user namespace) into a new namespace: `unshare(2)`.
pub(super) fn unshare(namespace: UnshareFlags) -> io::Result<()> {
    let namespace = namespace & (UnshareFlags::NEWUSER | UnshareFlags::NEWNET);
    // SAFETY: what makes the call unsafe are descriptor tables that threads no longer share (CLONE_FILES):
    // not asked for.
    unsafe { unshare_unsafe(namespace) }
}

/// Makes a descriptor of `/dev/net/tun` the TUN device of that name in the calling thread's namespace.
pub(super) fn make_tun(node: impl AsFd, name: &str) -> io::Result<()> {
    let mut request = Request { name: [0; 16], flags: TUN_WITHOUT_HEADER, rest: [0; 22] };
    let (place, end) = request.name.split_at_mut(15);
    debug_assert_eq!(end, [0]);
    let bytes = name.as_bytes();
    place.get_mut(..bytes.len()).ok_or(io::Errno::NAMETOOLONG)?.copy_from_slice(bytes);
    // SAFETY: the opcode is TUNSETIFF, whose argument is an `ifreq` that the kernel reads and writes;
    // `Request` has its layout and at least its length, and `Updater` lends it for writing.
    unsafe { ioctl(node, Updater::<TUNSETIFF, Request>::new(&mut request)) }
}

/// Keeps a TUN device when its descriptor is closed, and lets this process's user open it again without any
/// right: TUNSETOWNER, TUNSETPERSIST.
pub(super) fn keep_tun(tun: impl AsFd) -> io::Result<()> {
    const TUNSETPERSIST: Opcode = rustix::ioctl::opcode::write::<libc::c_int>(b'T', 203);
    const TUNSETOWNER: Opcode = rustix::ioctl::opcode::write::<libc::c_int>(b'T', 204);
    let user = geteuid().as_raw() as usize;
    // SAFETY: both opcodes take a number in place of a pointer: a user's, and a truth value.
    unsafe {
        ioctl(&tun, IntegerSetter::<TUNSETOWNER>::new_usize(user))?;
        ioctl(&tun, IntegerSetter::<TUNSETPERSIST>::new_usize(1))
    }
}

/// `ETH_P_ALL` of `linux/if_ether.h`, in network byte order: packets of every protocol.
const ALL_PROTOCOLS: u16 = 0x0003_u16.to_be();

/// Binds a packet socket to a device: it takes what arrives there from now on. packet(7).
pub(super) fn bind_to_device(socket: &socket2::Socket, index: u32) -> std::io::Result<()> {
    // SAFETY: the storage is zeroed, longer than a `sockaddr_ll` and aligned for every kind of address; the
    // length is that of what is written there.
    let address = unsafe {
        socket2::SockAddr::try_init(|storage, length| {
            let mut link: libc::sockaddr_ll = std::mem::zeroed();
            link.sll_family = libc::AF_PACKET as u16;
            link.sll_protocol = ALL_PROTOCOLS;
            link.sll_ifindex = index.cast_signed();
            storage.cast::<libc::sockaddr_ll>().write(link);
            *length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            Ok(())
        })
    };
    socket.bind(&address?.1)
}

/// Keeps what a packet socket sends from coming back to it: PACKET_IGNORE_OUTGOING, since Linux 4.20.
pub(super) fn ignore_own(socket: impl AsFd) -> std::io::Result<()> {
    set_number(socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)
}

/// Hands what a packet socket sends straight to the device: PACKET_QDISC_BYPASS. The queue in between comes
/// up some time after the device does, and loses without a word what comes before.
pub(super) fn bypass_queue(socket: impl AsFd) -> std::io::Result<()> {
    set_number(socket, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, 1)
}

/// Sets the size of a receive buffer, whatever the system's limit is: SO_RCVBUFFORCE, for the machine's root.
pub(super) fn force_receive_buffer(socket: impl AsFd, bytes: usize) -> std::io::Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    set_number(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, bytes)
}

/// `setsockopt(2)` with an int.
fn set_number(socket: impl AsFd, level: i32, name: i32, value: libc::c_int) -> std::io::Result<()> {
    let (socket, length) = (socket.as_fd().as_raw_fd(), size_of_val(&value) as libc::socklen_t);
    // SAFETY: the descriptor is open, and the system reads an int of the length that is given.
    let done = unsafe { libc::setsockopt(socket, level, name, (&raw const value).cast(), length) };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// How many packets a packet socket had no room for since this was last asked: PACKET_STATISTICS.
pub(super) fn unread(socket: impl AsFd) -> std::io::Result<u32> {
    // struct tpacket_stats: packets, drops.
    let mut counts: [u32; 2] = [0; 2];
    let mut length = size_of_val(&counts) as libc::socklen_t;
    // SAFETY: the descriptor is open, and the system writes no more than the length that is given.
    let done = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut counts).cast(),
            &raw mut length,
        )
    };
    if done == 0 { Ok(counts[1]) } else { Err(std::io::Error::last_os_error()) }
}

/// `struct ifreq` of `linux/if.h` as SIOCETHTOOL reads it and writes it back, with room to spare.
#[repr(C)]
struct FeatureRequest {
    name: [u8; 16],
    value: *mut [u32; 2],
    rest: [u64; 2],
}

/// Switches a feature of a device off, by its ethtool command.
pub(super) fn switch_off(socket: impl AsFd, device: &str, command: u32) -> io::Result<()> {
    feature(socket, device, command).map(drop)
}

/// Whether a device has a link, which a TUN device has while a process has it open: ETHTOOL_GLINK.
pub(super) fn has_link(socket: impl AsFd, device: &str) -> io::Result<bool> {
    Ok(feature(socket, device, 0x0a)? != 0)
}

/// Gives an ethtool command and the value 0 to a device; gives back the value: SIOCETHTOOL.
fn feature(socket: impl AsFd, device: &str, command: u32) -> io::Result<u32> {
    const SIOCETHTOOL: Opcode = 0x8946;
    // struct ethtool_value.
    let mut value = [command, 0];
    let mut request = FeatureRequest { name: [0; 16], value: &raw mut value, rest: [0; 2] };
    request.name.get_mut(..device.len()).ok_or(io::Errno::NAMETOOLONG)?.copy_from_slice(device.as_bytes());
    request.name[15] = 0;
    // SAFETY: the opcode is SIOCETHTOOL, whose argument is an `ifreq` with a pointer to an `ethtool_value`;
    // both have the system's layout, may be written to, and live until the call is over.
    unsafe { ioctl(socket, Updater::<SIOCETHTOOL, FeatureRequest>::new(&mut request))? };
    Ok(value[1])
}

/// Runs a program in a new session and a new process group, without a terminal, and has it killed when the
/// thread that starts it dies: setsid(2), PR_SET_PDEATHSIG.
pub(super) fn set_apart(command: &mut Command) {
    // SAFETY: what runs between fork and exec is two system calls: they allocate nothing and take no lock.
    unsafe {
        command.pre_exec(|| {
            setsid()?;
            Ok(set_parent_process_death_signal(Some(Signal::KILL))?)
        });
    }
}

/// Forks this process, which must have one thread, into new PID and mount namespaces: clone(2) without a
/// stack. Gives the child's number to the parent, and `None` to the child, which is process 1 of its
/// namespace. Unlike unshare(2), this leaves the parent able to start threads.
pub(super) fn fork_apart() -> std::io::Result<Option<Pid>> {
    let flags = libc::c_long::from(libc::CLONE_NEWPID | libc::CLONE_NEWNS | libc::SIGCHLD);
    // SAFETY: like fork(2), as no memory is shared and no stack given. The process has one thread, so that no
    // other thread holds a lock that the child would wait for.
    let child = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    match i32::try_from(child) {
        Ok(-1) | Err(_) => Err(std::io::Error::last_os_error()),
        Ok(child) => Ok(Pid::from_raw(child)),
    }
}

/// Mounts a proc file system of the calling process's PID namespace over `/proc`, for this mount namespace
/// alone.
pub(super) fn mount_own_proc() -> io::Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", flags, None)
}

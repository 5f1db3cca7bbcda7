//! The two calls of the system that no safe library offers as they are needed here.
#![expect(unsafe_code, reason = "rustix has unshare(2) and ioctl(2) as unsafe functions only")]

use std::os::fd::AsFd;

use rustix::io;
use rustix::ioctl::{Opcode, Setter, ioctl};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// TUNSETIFF of `linux/if_tun.h`: `_IOW('T', 202, int)`, though its argument is an `ifreq`.
const TUNSETIFF: Opcode = rustix::ioctl::opcode::write::<libc::c_int>(b'T', 202);

/// IFF_TUN | IFF_NO_PI of `linux/if_tun.h`: whole IP packets, with nothing in front of them.
const TUN_WITHOUT_HEADER: u16 = 0x0001 | 0x1000;

/// `struct ifreq` of `linux/if.h` as TUNSETIFF reads and writes it: 40 bytes where pointers have 8, 32 where they
/// have 4; a longer one than the system's does no harm.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// Moves the calling thread (the calling process, for a user namespace) into a new namespace: `unshare(2)`.
pub(super) fn unshare(namespace: UnshareFlags) -> io::Result<()> {
    let namespace = namespace & (UnshareFlags::NEWUSER | UnshareFlags::NEWNET);
    // SAFETY: what makes the call unsafe are descriptor tables that threads no longer share (CLONE_FILES): not asked for.
    unsafe { unshare_unsafe(namespace) }
}

/// Makes a descriptor of `/dev/net/tun` the TUN device of that name in the calling thread's namespace.
pub(super) fn make_tun(node: impl AsFd, name: &str) -> io::Result<()> {
    let mut request = Request { name: [0; 16], flags: TUN_WITHOUT_HEADER, rest: [0; 22] };
    let (place, end) = request.name.split_at_mut(15);
    debug_assert_eq!(end, [0]);
    let bytes = name.as_bytes();
    place.get_mut(..bytes.len()).ok_or(io::Errno::NAMETOOLONG)?.copy_from_slice(bytes);
    // SAFETY: the opcode is TUNSETIFF, whose argument is an `ifreq`; `Request` has its layout and at least its length.
    unsafe { ioctl(node, Setter::<TUNSETIFF, Request>::new(request)) }
}

//! The few netlink messages that set up a device: rtnetlink(7).

use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use rustix::io::{self, Errno};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;

const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_TXQLEN: u16 = 13;
const IFLA_LINKINFO: u16 = 18;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;

const IFF_UP: u32 = 0x1;
const IFF_NOARP: u32 = 0x80;
const IFF_MULTICAST: u32 = 0x1000;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// No duplicate address detection: the address is usable at once.
const IFA_F_NODAD: u8 = 2;

/// Length of `struct nlmsghdr`, in bytes.
const HEADER: usize = 16;

/// One end of a pair of devices: its name and its Ethernet address.
#[derive(Clone, Copy, Debug)]
pub(super) struct PairEnd<'a> {
    pub(super) name: &'a str,
    pub(super) address: [u8; 6],
}

/// A netlink socket of the calling thread's network namespace.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

impl Netlink {
    pub(super) fn open() -> io::Result<Netlink> {
        // Its protocol is number 0, NETLINK_ROUTE.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        Ok(Netlink { socket, sequence: 0 })
    }

    /// The index of a device.
    pub(super) fn index(&self, device: &str) -> io::Result<u32> {
        rustix::net::netdevice::name_to_index(&self.socket, device)
    }

    /// Sets the MTU and the length of the transmit queue, in packets.
    ///
    /// SIOCSIFTXQLEN does the latter too, but only for the machine's root; this also does for a user
    /// namespace's.
    pub(super) fn set_sizes(&mut self, index: u32, mtu: u32, queue: u32) -> io::Result<()> {
        let mut body = link(index, 0, 0);
        attribute(&mut body, IFLA_MTU, &mtu.to_ne_bytes());
        attribute(&mut body, IFLA_TXQLEN, &queue.to_ne_bytes());
        self.request(RTM_NEWLINK, 0, &body)
    }

    /// Switches a device on.
    pub(super) fn set_up(&mut self, index: u32) -> io::Result<()> {
        self.request(RTM_NEWLINK, 0, &link(index, IFF_UP, IFF_UP))
    }

    /// Makes a pair of Ethernet devices that are joined: veth(4), one end here, the other in another
    /// namespace.
    ///
    /// Neither asks for addresses of the link (ARP), nor tells of groups (MLD): each only has the other.
    pub(super) fn add_pair(
        &mut self,
        here: PairEnd<'_>,
        there: PairEnd<'_>,
        namespace: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let end = |end: PairEnd<'_>| {
            let mut body = link(0, IFF_NOARP, IFF_NOARP | IFF_MULTICAST);
            attribute(&mut body, IFLA_IFNAME, &[end.name.as_bytes(), &[0]].concat());
            attribute(&mut body, IFLA_ADDRESS, &end.address);
            body
        };
        let mut peer = end(there);
        attribute(&mut peer, IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
        let mut data = Vec::new();
        attribute(&mut data, VETH_INFO_PEER, &peer);
        let mut info = Vec::new();
        attribute(&mut info, IFLA_INFO_KIND, b"veth");
        attribute(&mut info, IFLA_INFO_DATA, &data);
        let mut body = end(here);
        attribute(&mut body, IFLA_LINKINFO, &info);
        self.request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body)
    }

    /// Switches a device off to its link: no addresses are asked for, no groups are told of.
    pub(super) fn set_silent(&mut self, index: u32) -> io::Result<()> {
        self.request(RTM_NEWLINK, 0, &link(index, IFF_NOARP, IFF_NOARP | IFF_MULTICAST))
    }

    /// Gives a device an address; the network behind its prefix is then reached through it.
    pub(super) fn add_address(&mut self, index: u32, addr: IpAddr, prefix: u8) -> io::Result<()> {
        self.request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &address(index, addr, prefix)?)
    }

    /// Takes an address away from a device: sockets that are bound to it can no longer send.
    pub(super) fn remove_address(&mut self, index: u32, addr: IpAddr, prefix: u8) -> io::Result<()> {
        self.request(RTM_DELADDR, 0, &address(index, addr, prefix)?)
    }

    /// Sends a request and waits for its acknowledgement.
    fn request(&mut self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        self.sequence += 1;
        let length = u32::try_from(HEADER + body.len()).map_err(|_| Errno::MSGSIZE)?;
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend((NLM_F_REQUEST | NLM_F_ACK | flags).to_ne_bytes());
        message.extend(self.sequence.to_ne_bytes());
        message.extend(0_u32.to_ne_bytes());
        message.extend(body);
        send(&self.socket, &message, SendFlags::empty())?;
        let mut buffer = [0; 4096];
        let (length, _) = recv(&self.socket, &mut buffer, RecvFlags::empty())?;
        acknowledged(&buffer[..length], self.sequence)
    }
}

/// `struct ifaddrmsg`: family, prefix length, flags, scope (universe), index; and the address.
fn address(index: u32, addr: IpAddr, prefix: u8) -> io::Result<Vec<u8>> {
    let (family, octets) = match addr {
        IpAddr::V4(v4) => (AddressFamily::INET, v4.octets().to_vec()),
        IpAddr::V6(v6) => (AddressFamily::INET6, v6.octets().to_vec()),
    };
    let family = u8::try_from(family.as_raw()).map_err(|_| Errno::AFNOSUPPORT)?;
    let mut body = vec![family, prefix, IFA_F_NODAD, 0];
    body.extend(index.to_ne_bytes());
    attribute(&mut body, IFA_LOCAL, &octets);
    attribute(&mut body, IFA_ADDRESS, &octets);
    Ok(body)
}

/// `struct ifinfomsg`: family, padding, type, index, flags, and which of the flags are meant.
fn link(index: u32, flags: u32, which: u32) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend(which.to_ne_bytes());
    body
}

/// `struct rtattr` and its value, filled up to a multiple of four bytes.
fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    body.extend(length.to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Reads an acknowledgement: NLMSG_ERROR with the error number, 0 for none, negative otherwise.
fn acknowledged(message: &[u8], sequence: u32) -> io::Result<()> {
    let word = |at: usize| Some(u32::from_ne_bytes(message.get(at..at + 4)?.try_into().ok()?));
    let kind = message.get(4..6).and_then(|two| Some(u16::from_ne_bytes(two.try_into().ok()?)));
    if kind != Some(NLMSG_ERROR) || word(8) != Some(sequence) {
        return Err(Errno::PROTO);
    }
    match word(HEADER).ok_or(Errno::PROTO)?.cast_signed() {
        0 => Ok(()),
        error => Err(Errno::from_raw_os_error(error.saturating_neg())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_is_read_with_suspicion() {
        let message = |kind: u16, sequence: u32, error: i32| {
            let mut message = 36_u32.to_ne_bytes().to_vec();
            message.extend(kind.to_ne_bytes());
            message.extend([0; 2]);
            message.extend(sequence.to_ne_bytes());
            message.extend([0; 4]);
            message.extend(error.to_ne_bytes());
            message
        };
        assert_eq!(acknowledged(&message(NLMSG_ERROR, 7, 0), 7), Ok(()));
        assert_eq!(acknowledged(&message(NLMSG_ERROR, 7, -libc::EPERM), 7), Err(Errno::PERM));
        assert_eq!(acknowledged(&message(NLMSG_ERROR, 6, 0), 7), Err(Errno::PROTO));
        assert_eq!(acknowledged(&message(3, 7, 0), 7), Err(Errno::PROTO));
        for length in 0..20 {
            assert_eq!(acknowledged(&message(NLMSG_ERROR, 7, 0)[..length], 7), Err(Errno::PROTO));
        }
    }

    #[test]
    fn attributes_are_filled_up() {
        let mut body = Vec::new();
        attribute(&mut body, 5, &[1, 2, 3]);
        assert_eq!(body, [7_u16.to_ne_bytes(), 5_u16.to_ne_bytes(), [1, 2], [3, 0]].concat());
    }
}

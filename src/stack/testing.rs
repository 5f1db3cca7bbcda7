//! For tests: stacks joined by an ideal link, and calls in short.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

use super::{Domain, Fd, Kind, Protocol, SocketOption, Sockets, Stack, StackConfig};
use crate::model::{Errno, HostStack, Note};
use crate::packet::Path;

/// The configuration of host `n` of the link: 10.0.0.n and fd00::n.
pub(super) fn config(n: u8) -> StackConfig {
    StackConfig::new(Ipv4Addr::new(10, 0, 0, n), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n.into()))
}

/// An address of host `n` in the family.
pub(super) fn host(domain: Domain, n: u8) -> IpAddr {
    match domain {
        Domain::Inet => config(n).v4.into(),
        Domain::Inet6 => config(n).v6.into(),
    }
}

pub(super) fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Hosts 1, 2, … on an ideal link: nothing is lost, all arrives at once and in order.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) hosts: Vec<Stack>,
    /// All packets that were on the wire.
    pub(super) wire: Vec<Bytes>,
}

impl Link {
    pub(super) fn new(hosts: u8) -> Link {
        Link::with(hosts, |_| {})
    }

    pub(super) fn with(hosts: u8, change: impl Fn(&mut StackConfig)) -> Link {
        let stack = |n| {
            let mut config = config(n);
            change(&mut config);
            Stack::new(config)
        };
        Link { hosts: (1..=hosts).map(stack).collect(), wire: Vec::new() }
    }

    /// Host `n`, counted from 1 as its addresses are.
    pub(super) fn host(&mut self, n: u8) -> &mut Stack {
        &mut self.hosts[usize::from(n) - 1]
    }

    /// A datagram socket on host `n`, bound to the text; not bound if that is empty.
    pub(super) fn socket(&mut self, n: u8, domain: Domain, bind: &str) -> Fd {
        let stack = self.host(n);
        let fd = stack.socket(domain, Kind::Datagram, Protocol::Default).unwrap();
        if !bind.is_empty() {
            stack.bind(fd, addr(bind)).unwrap();
        }
        fd
    }

    /// Carries packets until no host has any; each goes to the hosts that it is for, as a switch would have
    /// it.
    pub(super) fn run(&mut self) {
        for _ in 0..10_000 {
            let sent: Vec<(usize, Bytes)> = self
                .hosts
                .iter_mut()
                .enumerate()
                .flat_map(|(n, stack)| std::iter::from_fn(move || stack.poll_transmit()).map(move |p| (n, p)))
                .collect();
            if sent.is_empty() {
                return;
            }
            for (from, packet) in sent {
                self.wire.push(packet.clone());
                self.carry(from, &packet);
            }
        }
        panic!("the link never comes to rest");
    }

    fn carry(&mut self, from: usize, packet: &Bytes) {
        let path = Path::of(packet).unwrap();
        for (n, stack) in self.hosts.iter_mut().enumerate() {
            if n != from && (path.is_for_all() || stack.config.is_own(path.dst())) {
                stack.handle_input(packet);
            }
        }
    }

    pub(super) fn send(&mut self, n: u8, fd: Fd, data: &[u8], to: &str) -> Result<usize, Errno> {
        let result = self.host(n).send_to(fd, data, addr(to));
        self.run();
        result
    }

    /// What the next receive gives: the data and its sender.
    pub(super) fn recv(&mut self, n: u8, fd: Fd) -> Result<(Vec<u8>, String), Errno> {
        let mut buffer = vec![0; 65_536];
        let received = self.host(n).recv_from(fd, &mut buffer)?;
        assert_eq!(received.len, received.full_len);
        buffer.truncate(received.len);
        Ok((buffer, received.from.to_string()))
    }

    pub(super) fn set(&mut self, n: u8, fd: Fd, option: SocketOption) -> Result<(), Errno> {
        self.host(n).set_option(fd, option)
    }

    pub(super) fn notes(&mut self, n: u8) -> Vec<Note> {
        let stack = self.host(n);
        std::iter::from_fn(|| stack.poll_note()).collect()
    }

    pub(super) fn changed(&mut self, n: u8) -> Vec<Fd> {
        let stack = self.host(n);
        std::iter::from_fn(|| stack.poll_changed()).collect()
    }
}

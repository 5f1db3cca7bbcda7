//! Datagrams and pings between our stack and the kernel.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};

use faultwire::Errno;
use faultwire::fault::{Action, Class, Fault, FaultPlan, Packet};
use faultwire::lab::{KernelHost, LabStack, WaitError};
use faultwire::stack::{Domain, Fd, Kind, Protocol};

use crate::bench::{Bench, FAMILIES, LIMIT, kernel_addr, no_faults, our_addr};

fn kernel_socket(kernel: &KernelHost, family: Domain, port: u16) -> UdpSocket {
    let socket = kernel.socket(family, Kind::Datagram, Protocol::Default).expect("a socket");
    let socket = socket2::Socket::from(socket);
    socket.bind(&SocketAddr::new(kernel_addr(family), port).into()).expect("a free port");
    socket.set_read_timeout(Some(LIMIT)).expect("an option that each socket has");
    socket.into()
}

fn our_socket(host: &LabStack, family: Domain, port: u16) -> Fd {
    let opened = host.call(|stack| {
        let fd = stack.socket(family, Kind::Datagram, Protocol::Default)?;
        stack.bind(fd, SocketAddr::new(our_addr(family), port))?;
        Ok::<Fd, Errno>(fd)
    });
    opened.expect("the forwarder runs").expect("a free port")
}

/// Bytes that tell where they belong.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index % 251) as u8).collect()
}

fn our_receive(host: &LabStack, fd: Fd) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 65_536];
    let received = host.wait(LIMIT, |stack| stack.recv_from(fd, &mut buffer)).expect("a datagram comes");
    buffer.truncate(received.len);
    (buffer, received.from)
}

#[test]
fn datagrams_of_all_sizes_go_both_ways() {
    let Some(bench) = Bench::new(&no_faults()) else { return };
    for family in FAMILIES {
        let theirs = kernel_socket(&bench.kernel, family, 7000);
        let own = our_socket(&bench.faultwire, family, 7001);
        let our_side = SocketAddr::new(our_addr(family), 7001);
        let their_side = SocketAddr::new(kernel_addr(family), 7000);
        // Empty; one packet, the largest one packet, the smallest two, many.
        for length in [0, 1, 1_000, 1_452, 1_453, 1_472, 1_473, 9_000, 65_507] {
            let data = bytes(length);
            assert_eq!(theirs.send_to(&data, our_side).expect("it is sent"), length);
            assert_eq!(our_receive(&bench.faultwire, own), (data.clone(), their_side), "{family:?} {length}");

            bench.faultwire.wait(LIMIT, |stack| stack.send_to(own, &data, their_side)).expect("it is sent");
            let mut buffer = vec![0; 65_536];
            let (got, from) = theirs.recv_from(&mut buffer).expect("a datagram comes");
            assert!(
                (&buffer[..got], from) == (&data[..], our_side),
                "{family:?} {length}: {got} from {from}"
            );
        }
    }
    bench.close();
}

#[test]
fn a_closed_port_is_told_of_both_ways() {
    let Some(bench) = Bench::new(&no_faults()) else { return };
    for family in FAMILIES {
        let theirs = kernel_socket(&bench.kernel, family, 7000);
        theirs.connect(SocketAddr::new(our_addr(family), 9)).expect("an address");
        theirs.send(b"anybody?").expect("it is sent");
        let refused = theirs.recv(&mut [0; 8]).expect_err("nobody is there");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{family:?}");

        let own = our_socket(&bench.faultwire, family, 7001);
        let nobody = Some(SocketAddr::new(kernel_addr(family), 9));
        bench.faultwire.call(|stack| stack.connect(own, nobody)).expect("it runs").expect("an address");
        bench.faultwire.call(|stack| stack.send(own, b"anybody?")).expect("it runs").expect("it is sent");
        let refused = bench.faultwire.wait(LIMIT, |stack| stack.recv(own, &mut [0; 8]));
        assert_eq!(refused, Err(WaitError::Failed(Errno::ECONNREFUSED)), "{family:?}");
    }
    bench.close();
}

#[test]
fn the_kernel_pings_our_stack() {
    let Some(bench) = Bench::new(&no_faults()) else { return };
    // Type, code, checksum, identifier, sequence number, data. The system fills in the checksum of ICMPv6
    // alone.
    let v4 = [8, 0, 0x06, 0xfa, 0x12, 0x34, 0, 1, b'p', b'i', b'n', b'g'];
    let v6 = [128, 0, 0, 0, 0x12, 0x34, 0, 1, b'p', b'i', b'n', b'g'];
    for family in FAMILIES {
        let request: &[u8] = if family == Domain::Inet { &v4 } else { &v6 };
        let socket = bench.kernel.socket(family, Kind::Raw, Protocol::Icmp).expect("the right to ping");
        let socket = UdpSocket::from(socket);
        socket.set_read_timeout(Some(LIMIT)).expect("an option that each socket has");
        socket.send_to(request, SocketAddr::new(our_addr(family), 0)).expect("it is sent");
        let mut buffer = [0; 256];
        let (length, from) = socket.recv_from(&mut buffer).expect("an answer comes");
        assert_eq!(from.ip(), our_addr(family));
        // A raw socket gives the IPv4 header too.
        let header = if family == Domain::Inet { 20 } else { 0 };
        let answer = &buffer[header..length];
        assert_eq!(answer[0], if family == Domain::Inet { 0 } else { 129 });
        assert_eq!(answer[4..], request[4..]);
    }
    bench.close();
}

/// The wire does in the lab what it does everywhere: the second datagram is lost, the fourth comes twice, the
/// fifth comes damaged (and is thrown away by the kernel's checksum).
#[test]
fn a_plan_is_carried_out() {
    let fault = |nth, action| Fault::new(["faultwire", "linux"], Packet::nth(Class::Datagram, nth), action);
    let faults =
        vec![fault(2, Action::Drop), fault(4, Action::Duplicate), fault(5, Action::CorruptBits(vec![240]))];
    let Some(bench) = Bench::new(&FaultPlan { faults, ..no_faults() }) else { return };
    let theirs = kernel_socket(&bench.kernel, Domain::Inet, 7000);
    let own = our_socket(&bench.faultwire, Domain::Inet, 7001);
    let to = SocketAddr::new(kernel_addr(Domain::Inet), 7000);
    for number in 1..=6_u8 {
        bench.faultwire.wait(LIMIT, |stack| stack.send_to(own, &[number; 4], to)).expect("it is sent");
    }
    let mut came = Vec::new();
    let mut buffer = [0; 8];
    while came.last() != Some(&6) {
        let (length, _) = theirs.recv_from(&mut buffer).expect("a datagram comes");
        assert_eq!(length, 4);
        came.push(buffer[0]);
    }
    assert_eq!(came, [1, 3, 4, 4, 6]);
    bench.close();
}

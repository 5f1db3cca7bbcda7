use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::*;
use crate::fault::{Class, EventKind, Packet, When};
use crate::model::{Domain, Kind, Protocol};
use crate::stack::{Stack, StackConfig};

/// Longer than the link's delay by far.
const SOON: Duration = Duration::from_millis(100);

fn end(host: u8) -> End {
    let (v4, v6) = (Ipv4Addr::new(10, 0, 0, host), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, host.into()));
    End::Stack(Box::new(Stack::new(StackConfig::new(v4, v6))))
}

fn bound(stack: &LabStack, addr: &str) -> Fd {
    let addr: SocketAddr = addr.parse().expect("an address");
    stack
        .call(|stack| {
            let fd = stack.socket(Domain::Inet, Kind::Datagram, Protocol::Default)?;
            stack.bind(fd, addr).map(|()| fd)
        })
        .expect("it has power")
        .expect("a socket")
}

#[test]
fn what_is_for_a_host_waits_until_its_killed_programs_are_gone() {
    let datagram = When::after(["client", "server"], Packet::nth(Class::Datagram, 1));
    let plan = FaultPlan::new().event(EventKind::Kill("server".to_owned()), datagram);
    let forwarder = Forwarder::start(&plan, [("client", end(1)), ("server", end(2))])
        .expect("the plan can be carried out");
    let [client, server] = [0, 1].map(|end| forwarder.lab_stack(end).expect("a stack"));
    let (from, to) = (bound(&client, "10.0.0.1:5000"), bound(&server, "10.0.0.2:7000"));
    let target: SocketAddr = "10.0.0.2:7000".parse().expect("an address");
    client.call(|stack| stack.send_to(from, b"one", target)).expect("it has power").expect("it is sent");

    let power = forwarder.power();
    let killed = power.wait(Duration::from_secs(5)).expect("the plan kills it");
    assert_eq!((killed.end, killed.generation, killed.crashes, killed.what), (1, 1, 0, Switch::Kill));
    assert!(!power.is_on(1, 0));
    let mut buffer = [0; 16];
    let early = server.wait(SOON, |stack| stack.recv_from(to, &mut buffer));
    assert!(early.is_err(), "it is being killed: {early:?}");
    assert_eq!(forwarder.in_flight(), 1);

    power.killed(1);
    let received = server.wait(Duration::from_secs(5), |stack| stack.recv_from(to, &mut buffer));
    assert_eq!(received.map(|it| it.len), Ok(3), "the host itself goes on");
    assert_eq!((forwarder.in_flight(), power.crashes(1)), (0, 0));
    assert!(forwarder.fired().all());
}

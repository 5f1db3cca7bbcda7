//! The scenarios of the datagram studies.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use faultwire::fault::{FaultPlan, Link, LinkNumbers};
use faultwire::network::{Datagram, Network};
use faultwire::program::{Limits, udp};
use faultwire::stack::SocketOption;
use faultwire_sim::testbed::TestbedRef;
use faultwire_sim::{Scenario, scenario};

use super::datagrams::payload;
use super::limits::{MAX_V4, MAX_V6};
use super::many_peers::ANSWER;
use super::programs::{CLOSED_PORT, Family, PORT, Pace, address, hear, listener, own, set, silent, speaker};

/// Room for any datagram of the studies in which none is cut.
pub(super) const ROOM: usize = 2_048;
/// Room that one datagram of `lengths` does not fit into.
pub(super) const SHORT_ROOM: usize = 256;
/// Room for the longest there are.
pub(super) const FULL_ROOM: usize = 65_536;

/// A sender of numbered datagrams and a receiver, each ending by itself.
fn one_way(
    name: &'static str,
    lens: &'static [usize],
    room: usize,
    family: Family,
    testbed: TestbedRef,
) -> Scenario {
    let pace = Pace::of(testbed);
    scenario(name)
        .client(move |net| speaker(net, lens, family, pace))
        .client_on("server", move |net| listener(net, room, family, pace.start + pace.quiet))
        .on(testbed)
}

pub(super) fn numbered(testbed: TestbedRef) -> Scenario {
    one_way("udp-numbered", &[40, 41, 120, 1_000, 63], ROOM, Family::V4, testbed)
}

pub(super) fn numbered_v6(testbed: TestbedRef) -> Scenario {
    one_way("udp-numbered-v6", &[40, 120, 1_000, 63], ROOM, Family::V6, testbed)
}

/// An empty one, odd and even ones, one that just fits and one that does not.
const LENGTHS: &[usize] = &[300, 0, 1, 256, 37];

pub(super) fn lengths(testbed: TestbedRef) -> Scenario {
    one_way("udp-lengths", LENGTHS, SHORT_ROOM, Family::V4, testbed)
}

pub(super) fn lengths_v6(testbed: TestbedRef) -> Scenario {
    one_way("udp-lengths-v6", LENGTHS, SHORT_ROOM, Family::V6, testbed)
}

/// What is damaged in two places at once.
pub(super) const TWO_BITS: &[usize] = &[64, 40];

pub(super) fn two_bits(testbed: TestbedRef) -> Scenario {
    one_way("udp-two-bits", TWO_BITS, ROOM, Family::V4, testbed)
}

/// Each in three pieces over an MTU of 1500.
const IN_FRAGMENTS: &[usize] = &[3_500, 3_001];

pub(super) fn fragments(testbed: TestbedRef) -> Scenario {
    one_way("udp-fragments", IN_FRAGMENTS, FULL_ROOM, Family::V4, testbed)
}

pub(super) fn fragments_v6(testbed: TestbedRef) -> Scenario {
    one_way("udp-fragments-v6", IN_FRAGMENTS, FULL_ROOM, Family::V6, testbed)
}

pub(super) fn size_limit(testbed: TestbedRef) -> Scenario {
    one_way("udp-size-limit", &[MAX_V4 + 1, MAX_V4, MAX_V4], FULL_ROOM, Family::V4, testbed)
}

pub(super) fn size_limit_v6(testbed: TestbedRef) -> Scenario {
    one_way("udp-size-limit-v6", &[MAX_V6 + 1, MAX_V6], FULL_ROOM, Family::V6, testbed)
}

/// The longest datagram as one packet.
pub(super) fn size_limit_jumbo(testbed: TestbedRef) -> Scenario {
    let link = Link::Numbers(LinkNumbers::new(1_000, u16::MAX));
    let plan = FaultPlan::new().link(link);
    one_way("udp-size-limit-jumbo", &[MAX_V4 + 1, MAX_V4, MAX_V4], FULL_ROOM, Family::V4, testbed)
        .base_plan(plan)
}

/// How often the client asks before it gives up.
const TRIES: u8 = 2;
/// How long it waits for an answer.
const PATIENCE: Duration = Duration::from_millis(200);

/// A server that answers whatever comes. Its answers are numbered: a request that came twice is answered by
/// two datagrams that can be told apart.
async fn answerer<N: Network>(net: N) -> std::io::Result<()> {
    let socket = own(&net, "server", PORT, Family::V4).await?;
    let mut answers = 0_u8;
    loop {
        let answer = |request: &[u8]| {
            answers = answers.wrapping_add(1);
            Some([ANSWER, request, &[answers]].concat())
        };
        hear(&net, &socket, ROOM, Duration::from_secs(60), answer).await;
    }
}

/// A client that asks twice, and again where no answer comes, and a server that answers.
pub(super) fn ask(testbed: TestbedRef) -> Scenario {
    let pace = Pace::of(testbed);
    scenario("udp-ask")
        .client(move |net| async move {
            let socket = own(&net, "client", 0, Family::V4).await?;
            let server = address(&net, "server", PORT, Family::V4).await?;
            net.sleep(pace.start).await;
            for request in 0..2 {
                for attempt in 0..TRIES {
                    // Each attempt is a datagram of its own: so a repetition by the network is told from it.
                    let question = payload("client", 1 + request * TRIES + attempt, 60);
                    let _ = socket.send_to(&question, server).await;
                    if is_answered(&net, &socket, &question).await {
                        break;
                    }
                }
            }
            // Late answers and copies.
            hear(&net, &socket, ROOM, pace.quiet, silent).await;
            Ok(())
        })
        .server(answerer)
        .timeout(PATIENCE)
        .on(testbed)
}

/// Waits for the answer to a question; others are late ones and count for nothing.
async fn is_answered<N: Network>(net: &N, socket: &N::Datagram, question: &[u8]) -> bool {
    let is_answer = |data: &[u8]| data.strip_prefix(ANSWER).is_some_and(|rest| rest.starts_with(question));
    let mut buffer = [0; ROOM];
    let deadline = net.now() + PATIENCE;
    loop {
        let left = deadline.since(net.now());
        match net.timeout(left, socket.recv_from(&mut buffer)).await {
            Ok(Ok(received)) if is_answer(&buffer[..received.len]) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

/// The programs that are used over real sockets as well: a client's messages come back from the echo server,
/// or not.
pub(super) fn echo(testbed: TestbedRef) -> Scenario {
    let pace = Pace::of(testbed);
    scenario("udp-echo")
        .client(move |net| async move {
            net.sleep(pace.start).await;
            let mut client = udp::Client::connect(&net, &format!("server:{PORT}"), PATIENCE).await?;
            for number in 1..=3 {
                // That nothing came back is what faults are for.
                let _ = client.echo(&payload("client", number, 60)).await;
            }
            Ok(())
        })
        .server(|net| async move {
            let socket = net.datagram(&Family::V4.any(PORT), &[]).await?;
            let served = udp::echo_server(&net, &socket, &Limits::default(), std::future::pending()).await;
            served.map(drop).map_err(faultwire_sim::BoxError::from)
        })
        .timeout(PATIENCE)
        .on(testbed)
}

/// The port of the connected client.
const CONNECTED_PORT: u16 = 7_001;

/// The port of its other socket, which is not connected.
const OPEN_PORT: u16 = 7_002;

/// A connected client whose port a stranger has found out, and another program of its peer's host. What the
/// stranger sends to another socket of the client shows, where packets are not seen, that it can be heard
/// there at all.
pub(super) fn connected(testbed: TestbedRef) -> Scenario {
    let pace = Pace::of(testbed);
    scenario("udp-connected")
        .client(move |net| async move {
            let socket = own(&net, "client", CONNECTED_PORT, Family::V4).await?;
            let server = address(&net, "server", PORT, Family::V4).await?;
            socket.connect(&server.to_string()).await?;
            let open = own(&net, "client", OPEN_PORT, Family::V4).await?;
            net.sleep(pace.start).await;
            let _ = socket.send(&payload("client", 1, 50)).await;
            hear(&net, &socket, ROOM, pace.start + pace.step * 2 + pace.quiet, silent).await;
            // Nobody listens to it any more.
            drop(socket);
            // What came meanwhile is there.
            hear(&net, &open, ROOM, pace.step, silent).await;
            Ok(())
        })
        .client_on("server", move |net| async move {
            // A peer is an address and a port: what comes from another port of the peer's host is a
            // stranger's.
            let beside = own(&net, "server", 0, Family::V4).await?;
            let client = address(&net, "client", CONNECTED_PORT, Family::V4).await?;
            let socket = own(&net, "server", PORT, Family::V4).await?;
            net.sleep(pace.start + pace.step).await;
            let _ = beside.send_to(&payload("beside", 1, 80), client).await;
            let mut answers = 0_u8;
            let answer = |request: &[u8]| {
                answers = answers.wrapping_add(1);
                Some([ANSWER, request, &[answers]].concat())
            };
            hear(&net, &socket, ROOM, pace.start + pace.step * 2 + pace.quiet, answer).await;
            Ok(())
        })
        .client_on("stranger", move |net| async move {
            let socket = own(&net, "stranger", 0, Family::V4).await?;
            let client = address(&net, "client", CONNECTED_PORT, Family::V4).await?;
            net.sleep(pace.start).await;
            for number in 1..=2 {
                let _ = socket.send_to(&payload("stranger", number, 70), client).await;
                net.sleep(pace.step).await;
            }
            let open = SocketAddr::new(client.ip(), OPEN_PORT);
            let _ = socket.send_to(&payload("stranger", 3, 70), open).await;
            Ok(())
        })
        .on(testbed)
}

/// One socket that is connected to a closed port, and one that is not connected.
pub(super) fn closed_port(testbed: TestbedRef) -> Scenario {
    let pace = Pace::of(testbed);
    scenario("udp-closed-port")
        .client(move |net| async move {
            let server = address(&net, "server", CLOSED_PORT, Family::V4).await?;
            net.sleep(pace.start).await;
            let free = own(&net, "client", 0, Family::V4).await?;
            let bound = own(&net, "client", 0, Family::V4).await?;
            bound.connect(&server.to_string()).await?;
            for number in 1..=2 {
                let _ = free.send_to(&payload("free", number, 30), server).await;
                let _ = bound.send(&payload("bound", number, 30)).await;
                // The errors come back, if they come.
                net.sleep(pace.step).await;
            }
            // One call that is told of a refusal, and one that is not.
            let _ = net.timeout(pace.step, bound.recv_from(&mut [0; 64])).await;
            let _ = bound.send(&payload("bound", 3, 30)).await;
            hear(&net, &free, 64, pace.quiet, silent).await;
            Ok(())
        })
        .client_on("server", |_| async { Ok(()) })
        .on(testbed)
}

/// Three clients at one socket.
pub(super) fn many_peers(testbed: TestbedRef) -> Scenario {
    let pace = Pace::of(testbed);
    let mut clients = scenario("udp-many-peers");
    // Ports of their own: a host's first free port is often every host's first free port.
    for (name, port) in [("client", 7_011), ("second", 7_012), ("third", 7_013)] {
        clients = clients.client_on(name, move |net| async move {
            let socket = own(&net, name, port, Family::V4).await?;
            let server = address(&net, "server", PORT, Family::V4).await?;
            net.sleep(pace.start).await;
            let _ = socket.send_to(&payload(name, 1, 40), server).await;
            hear(&net, &socket, ROOM, pace.quiet, silent).await;
            Ok(())
        });
    }
    clients.server(answerer).on(testbed)
}

/// Broadcasts that were not asked for and one that was: from a socket before it asks, from two others after
/// it has asked, of which one is bound to no address, and from the first when it has taken the question back.
pub(super) fn broadcast(testbed: TestbedRef) -> Scenario {
    let pace = Pace::of(testbed);
    let wait = pace.start + pace.step * 2 + pace.quiet;
    scenario("udp-broadcast")
        .client(move |net| async move {
            let socket = own(&net, "client", 0, Family::V4).await?;
            let other = own(&net, "client", 0, Family::V4).await?;
            let unbound = net.datagram(&Family::V4.any(0), &[]).await?;
            let everybody = SocketAddr::from((Ipv4Addr::BROADCAST, PORT));
            net.sleep(pace.start).await;
            let _ = socket.send_to(&payload("client", 1, 40), everybody).await;
            net.sleep(pace.step).await;
            if set(&socket, SocketOption::Broadcast(true)) {
                net.sleep(pace.step).await;
                let _ = socket.send_to(&payload("client", 2, 40), everybody).await;
                let _ = other.send_to(&payload("client", 3, 40), everybody).await;
                let _ = unbound.send_to(&payload("client", 4, 40), everybody).await;
                if set(&unbound, SocketOption::Broadcast(true)) {
                    let _ = unbound.send_to(&payload("client", 5, 40), everybody).await;
                }
                if set(&socket, SocketOption::Broadcast(false)) {
                    let _ = socket.send_to(&payload("client", 6, 40), everybody).await;
                }
            }
            Ok(())
        })
        .client_on("server", move |net| listener(net, ROOM, Family::V4, wait + pace.step))
        .client_on("second", move |net| listener(net, ROOM, Family::V4, wait + pace.step))
        .client_on("third", move |net| listener(net, ROOM, Family::V4, wait + pace.step))
        .on(testbed)
}

/// Two datagrams to a group: the sender's own host and the server are members, the second host leaves between
/// them, the third never joined.
fn multicast_to(name: &'static str, group: IpAddr, testbed: TestbedRef) -> Scenario {
    let pace = Pace::of(testbed);
    let family = if group.is_ipv4() { Family::V4 } else { Family::V6 };
    let wait = pace.start + pace.step * 8 + pace.quiet;
    scenario(name)
        .client(move |net| async move {
            let socket = own(&net, "client", 0, family).await?;
            let here = net.datagram(&family.any(PORT), &[]).await?;
            let _ = here.set_option(SocketOption::JoinGroup(group));
            let members = SocketAddr::new(group, PORT);
            net.sleep(pace.start + pace.step).await;
            let _ = socket.send_to(&payload("client", 1, 40), members).await;
            net.sleep(pace.step * 4).await;
            let _ = socket.send_to(&payload("client", 2, 40), members).await;
            hear(&net, &here, ROOM, pace.step, silent).await;
            Ok(())
        })
        .client_on("server", move |net| async move {
            let socket = net.datagram(&family.any(PORT), &[]).await?;
            let _ = socket.set_option(SocketOption::JoinGroup(group));
            hear(&net, &socket, ROOM, wait, silent).await;
            Ok(())
        })
        .client_on("second", move |net| async move {
            let socket = net.datagram(&family.any(PORT), &[]).await?;
            let _ = socket.set_option(SocketOption::JoinGroup(group));
            hear(&net, &socket, ROOM, pace.start + pace.step * 3, silent).await;
            let _ = socket.set_option(SocketOption::LeaveGroup(group));
            hear(&net, &socket, ROOM, wait, silent).await;
            Ok(())
        })
        .client_on("third", move |net| listener(net, ROOM, family, wait))
        .on(testbed)
}

pub(super) fn multicast(testbed: TestbedRef) -> Scenario {
    multicast_to("udp-multicast", IpAddr::V4(Ipv4Addr::new(239, 1, 2, 3)), testbed)
}

pub(super) fn multicast_v6(testbed: TestbedRef) -> Scenario {
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x0123);
    multicast_to("udp-multicast-v6", IpAddr::V6(group), testbed)
}

/// A fast sender and a reader that is late.
pub(super) fn burst(testbed: TestbedRef) -> Scenario {
    let pace = Pace::of(testbed);
    scenario("udp-burst")
        .client(move |net| async move {
            let socket = own(&net, "client", 0, Family::V4).await?;
            let server = address(&net, "server", PORT, Family::V4).await?;
            net.sleep(pace.start + pace.step).await;
            for number in 1..=10 {
                let _ = socket.send_to(&payload("client", number, 1_000), server).await;
            }
            Ok(())
        })
        .client_on("server", move |net| async move {
            let socket = net.datagram(&Family::V4.any(PORT), &[]).await?;
            // Room for a few of them.
            if set(&socket, SocketOption::RecvBuffer(4_096)) {
                net.sleep(pace.start + pace.step * 4).await;
                hear(&net, &socket, ROOM, pace.quiet, silent).await;
            }
            Ok(())
        })
        .on(testbed)
}

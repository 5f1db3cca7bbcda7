use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::UdpSocket;

use super::{Relay, RelayConfig, RelayError};
use crate::fault::{
    Anchor, Cut, Direction, EventKind, Fault, FaultPlan, Injection, Lasts, Link, LinkNumbers, PairLink,
    PlanEvent, When,
};
use crate::model::{Action, Class, LossReason, Packet, PacketId, What};
use crate::trace::Fate;

const LIMIT: Duration = Duration::from_secs(20);

fn to_server() -> Direction {
    Direction::new("client", "server")
}

fn plan(faults: impl IntoIterator<Item = (u32, Action)>) -> FaultPlan {
    let fault = |(nth, action)| Fault::new(to_server(), Packet::nth(Class::Datagram, nth), action);
    FaultPlan::new().faults(faults.into_iter().map(fault))
}

fn event(kind: EventKind, nth: u32) -> PlanEvent {
    let anchor = Anchor::new(to_server(), Packet::nth(Class::Datagram, nth));
    PlanEvent::new(kind, When::After(anchor))
}

async fn socket() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.expect("bind")
}

async fn receive(socket: &UdpSocket) -> (String, SocketAddr) {
    let mut buffer = [0; 2048];
    let (len, from) =
        tokio::time::timeout(LIMIT, socket.recv_from(&mut buffer)).await.expect("in time").expect("receive");
    (String::from_utf8_lossy(&buffer[..len]).into_owned(), from)
}

/// What a server receives of `sent` under a plan, up to and including `last`, and the relay.
async fn relayed(plan: &FaultPlan, sent: &[&str], last: &str) -> (Vec<String>, Relay) {
    let (client, server) = (socket().await, socket().await);
    let relay = Relay::new(plan, RelayConfig::default()).expect("a relay");
    let addr = relay.listen(server.local_addr().expect("address")).expect("listen");
    for data in sent {
        client.send_to(data.as_bytes(), addr).await.expect("send");
    }
    let mut got = Vec::new();
    while got.last().is_none_or(|got| got != last) {
        got.push(receive(&server).await.0);
    }
    (got, relay)
}

#[tokio::test]
async fn exactly_the_planned_faults_happen() {
    let sent = ["a", "b", "c", "d"];
    for (faults, expected) in [
        (vec![], vec!["a", "b", "c", "d"]),
        (vec![(2, Action::Drop)], vec!["a", "c", "d"]),
        (vec![(2, Action::Duplicate)], vec!["a", "b", "b", "c", "d"]),
        (vec![(1, Action::HoldFor(2))], vec!["b", "c", "a", "d"]),
        (vec![(1, Action::Drop), (3, Action::Drop)], vec!["b", "d"]),
    ] {
        let plan = plan(faults);
        let (got, relay) = relayed(&plan, &sent, "d").await;
        assert_eq!(got, expected, "{plan:?}");
        assert!(relay.fired().all());
        assert_eq!((relay.stats().taken, relay.stats().clients), (4, 1));
    }
    // The delayed one is overtaken by all.
    let (got, _) = relayed(&plan([(1, Action::DelayUs(200_000))]), &sent, "a").await;
    assert_eq!(got, ["b", "c", "d", "a"]);
}

#[tokio::test]
async fn what_is_damaged_is_thrown_away_unless_the_checksum_misses_it() {
    // The payload begins at byte 28. Of two bits of the same weight one must rise and one fall to cancel out.
    let lowest_bits =
        |bytes: &[u32]| Action::CorruptBits(bytes.iter().map(|byte| (28 + byte) * 8 + 7).collect());
    let plan = plan([(1, lowest_bits(&[0])), (2, lowest_bits(&[0, 2]))]);
    let (got, relay) = relayed(&plan, &["abab", "abcb", "end"], "end").await;
    assert_eq!(got, ["end"], "a and c are odd: both bits fall");
    let trace = relay.trace();
    for packet in [PacketId(0), PacketId(1)] {
        assert!(matches!(trace.fate(packet), Fate::Lost(LossReason::Damaged)), "{:?}", trace.fate(packet));
    }

    let (got, _) = relayed(&self::plan([(1, lowest_bits(&[0, 2]))]), &["abbb"], "`bcb").await;
    assert_eq!(got, ["`bcb"], "one up and one down: the sum is the same");
}

#[tokio::test]
async fn each_client_gets_its_own_answers() {
    let server = socket().await;
    let relay = Relay::new(&FaultPlan::default(), RelayConfig::default()).expect("a relay");
    let at = server.local_addr().expect("address");
    let addr = relay.listen(at).expect("listen");
    assert_eq!(relay.listen(at).expect("the same"), addr);
    let mut clients = Vec::new();
    for n in 0..10 {
        let client = socket().await;
        client.send_to(format!("from {n}").as_bytes(), addr).await.expect("send");
        clients.push(client);
    }
    for _ in &clients {
        let (data, from) = receive(&server).await;
        server.send_to(format!("to{}", &data[4..]).as_bytes(), from).await.expect("send");
    }
    for (n, client) in clients.iter().enumerate() {
        assert_eq!(receive(client).await, (format!("to {n}"), addr));
    }
    assert_eq!((relay.stats().clients, relay.stats().handed_on, relay.in_flight()), (10, 20, 0));
    assert_eq!(relay.trace().packet_count(), 20);
}

#[tokio::test]
async fn clients_are_bounded_and_forgotten_when_idle() {
    let server = socket().await;
    let config = RelayConfig { clients_max: 1, idle: Duration::from_millis(100), ..RelayConfig::default() };
    let relay = Relay::new(&FaultPlan::default(), config).expect("a relay");
    let addr = relay.listen(server.local_addr().expect("address")).expect("listen");
    let (first, second) = (socket().await, socket().await);
    first.send_to(b"first", addr).await.expect("send");
    assert_eq!(receive(&server).await.0, "first");
    // Refused until the first has been idle for long enough, whenever that is.
    let mut tries = 0;
    let got = loop {
        tries += 1;
        assert!(tries < 1_000, "the first client is never forgotten");
        second.send_to(b"second", addr).await.expect("send");
        let short = Duration::from_millis(20);
        if let Ok(got) = tokio::time::timeout(short, receive(&server)).await {
            break got.0;
        }
    };
    assert_eq!((got.as_str(), relay.stats().clients), ("second", 2));

    let config = RelayConfig { clients_max: 1, ..RelayConfig::default() };
    let relay = Relay::new(&FaultPlan::default(), config).expect("a relay");
    let addr = relay.listen(server.local_addr().expect("address")).expect("listen");
    for client in [&first, &second, &first] {
        client.send_to(b"x", addr).await.expect("send");
    }
    for _ in 0..2 {
        receive(&server).await;
    }
    assert_eq!((relay.stats().clients, relay.stats().too_many_clients), (1, 1));
}

#[tokio::test]
async fn an_outage_takes_the_packet_that_it_comes_before_and_ends_in_real_time() {
    let (client, server) = (socket().await, socket().await);
    let outage = EventKind::Outage { cut: Cut::ALL, lasts: Lasts::Us(50_000) };
    let second = Packet::nth(Class::Datagram, 2);
    let plan = FaultPlan::new().event(outage, When::before(to_server(), second));
    let relay = Relay::new(&plan, RelayConfig::default()).expect("a relay");
    let addr = relay.listen(server.local_addr().expect("address")).expect("listen");
    for data in ["1", "2"] {
        client.send_to(data.as_bytes(), addr).await.expect("send");
    }
    assert_eq!(receive(&server).await.0, "1");
    let mended =
        |relay: &Relay| relay.trace().events().iter().any(|event| matches!(event.what, What::Healed(_)));
    let ends = async {
        while !mended(&relay) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, ends).await.expect("it ends");
    client.send_to(b"3", addr).await.expect("send");
    assert_eq!(receive(&server).await.0, "3");
    assert!(relay.fired().all());
}

#[tokio::test]
async fn partitions_heal_and_packets_appear() {
    let (client, server) = (socket().await, socket().await);
    let at = server.local_addr().expect("address");
    let forged = super::packet::wrap(client.local_addr().expect("address"), at, b"forged").expect("a packet");
    let nobody = super::packet::wrap(at, at, b"to nobody").expect("a packet");
    let inject = |packet: Bytes| EventKind::Inject(Injection::Bytes { direction: to_server(), packet });
    let plan = FaultPlan::new().events([
        event(EventKind::Partition(Cut::ALL), 1),
        event(EventKind::Heal(Cut::ALL), 2),
        event(inject(forged), 3),
        event(inject(nobody), 3),
    ]);
    let relay = Relay::new(&plan, RelayConfig::default()).expect("a relay");
    let addr = relay.listen(at).expect("listen");
    for data in ["1", "2", "3"] {
        client.send_to(data.as_bytes(), addr).await.expect("send");
    }
    let mut got = Vec::new();
    for _ in 0..3 {
        got.push(receive(&server).await.0);
    }
    got.sort();
    assert_eq!(got, ["1", "3", "forged"]);
    assert!(relay.fired().all());
    assert_eq!(relay.trace().fate(PacketId(1)), Fate::Lost(LossReason::Partition));
}

#[tokio::test]
async fn the_largest_datagrams_pass_whatever_the_links_mtu() {
    let (client, server) = (socket().await, socket().await);
    let link = Link::Numbers(LinkNumbers::new(0, 576));
    let delay = Duration::from_millis(30);
    let up = PairLink { delay_us: Some(30_000), mtu: Some(576), ..PairLink::one_way(["client", "server"]) };
    let plan = FaultPlan::new().link(link).link_between(up);
    let relay = Relay::new(&plan, RelayConfig::default()).expect("a relay");
    let addr = relay.listen(server.local_addr().expect("address")).expect("listen");
    for len in [0, 1_473, 65_507] {
        let sent = tokio::time::Instant::now();
        client.send_to(&vec![7; len], addr).await.expect("send");
        let mut buffer = vec![0; 65_536];
        let got =
            tokio::time::timeout(LIMIT, server.recv(&mut buffer)).await.expect("in time").expect("receive");
        assert_eq!(got, len);
        assert!(sent.elapsed() >= delay, "the link between the two has its own delay");
    }
}

#[tokio::test]
async fn it_works_over_ipv6() {
    let server = match UdpSocket::bind("[::1]:0").await {
        Ok(server) => server,
        Err(error) => {
            return crate::require::skipped(
                "ipv6",
                format_args!("binding to [::1] fails: {error}; enable IPv6 on `lo`"),
            );
        }
    };
    let client = UdpSocket::bind("[::1]:0").await.expect("bind");
    let relay = Relay::new(&plan([(1, Action::Drop)]), RelayConfig::default()).expect("a relay");
    let addr = relay.listen(server.local_addr().expect("address")).expect("listen");
    for data in ["1", "2"] {
        client.send_to(data.as_bytes(), addr).await.expect("send");
    }
    let (data, from) = receive(&server).await;
    assert_eq!(data, "2");
    server.send_to(b"back", from).await.expect("send");
    assert_eq!(receive(&client).await, ("back".to_owned(), addr));
}

#[tokio::test]
async fn the_trace_keeps_within_its_memory() {
    let (client, server) = (socket().await, socket().await);
    let config = RelayConfig { trace_max: 1_000, ..RelayConfig::default() };
    let relay = Relay::new(&FaultPlan::default(), config).expect("a relay");
    let addr = relay.listen(server.local_addr().expect("address")).expect("listen");
    for _ in 0..50 {
        client.send_to(b"x", addr).await.expect("send");
        receive(&server).await;
    }
    let (kept, stats) = (relay.trace().events().len(), relay.stats());
    assert!((3..8).contains(&kept), "{kept}");
    assert_eq!(kept as u64 + stats.untraced, 100);
}

#[tokio::test]
async fn what_a_relay_cannot_do_is_refused() {
    let refused =
        |plan: &FaultPlan| Relay::new(plan, RelayConfig::default()).expect_err("refused").to_string();
    let timed = PlanEvent::new(EventKind::Partition(Cut::ALL), When::AtUs(5));
    let crash = event(EventKind::Crash("server".into()), 1);
    let mut texts = Vec::new();
    for events in [vec![timed], vec![event(EventKind::Heal(Cut::ALL), 1), crash]] {
        texts.push(refused(&FaultPlan::new().events(events)));
    }
    let mut stranger = plan([(1, Action::Drop)]);
    stranger.faults[0].direction = Direction::new("client", "mallory");
    texts.push(refused(&stranger));

    let relay = Relay::new(&FaultPlan::default(), RelayConfig::default()).expect("a relay");
    for (listen, server) in [
        ("127.0.0.1:7000", "[::1]:7001"),
        ("127.0.0.1:7000", "127.0.0.1:7000"),
        ("0.0.0.0:7000", "127.0.0.1:7000"),
        ("127.0.0.1:0", "0.0.0.0:7000"),
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("192.0.2.1:7000", "127.0.0.1:7001"),
    ] {
        let addr = |text: &str| text.parse::<SocketAddr>().expect("an address");
        let error = relay.listen_on(addr(listen), addr(server)).expect_err("refused");
        assert!(matches!(error, RelayError::Addresses { .. } | RelayError::Listen { .. }));
        texts.push(error.to_string());
    }
    insta::assert_snapshot!(texts.join("\n"));
}

#[tokio::test]
async fn further_hosts_have_their_own_names() {
    let (client, server) = (UdpSocket::bind("127.1.0.3:0").await.expect("bind"), socket().await);
    let config =
        RelayConfig { hosts: vec![("other".to_owned(), [127, 1, 0, 3].into())], ..RelayConfig::default() };
    let mut plan = plan([(1, Action::Drop)]);
    plan.faults[0].direction = Direction::new("other", "server");
    let relay = Relay::new(&plan, config).expect("a relay");
    let addr = relay.listen(server.local_addr().expect("address")).expect("listen");
    client.send_to(b"1", addr).await.expect("send");
    client.send_to(b"2", addr).await.expect("send");
    assert_eq!(receive(&server).await.0, "2");
    let trace = relay.trace();
    let named = |what: &What| matches!(what, What::Sent { from, .. } if trace.host_name(*from) == "other");
    assert_eq!(trace.events().iter().filter(|event| named(&event.what)).count(), 2);
}

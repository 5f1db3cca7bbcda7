//! The adaptive socket under fault plans: what each message asks for it gets.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use faultwire::adaptive::{AdaptiveSocket, Config, Delivery, Ended, Error, Event, Order, PeerId};
use faultwire::fault::{Action, Class, EventKind, Fault, FaultPlan, Packet, PlanEvent, When};
use faultwire::network::Network as _;
use faultwire::program::file::{self, Incoming, Store};
use faultwire::program::{Limits, listen};
use faultwire_sim::seed::derive;
use faultwire_sim::{End, Net, Result, Scenario, scenario, testbed};

const MS: Duration = Duration::from_millis(1);

/// Random plans for each scenario: `FAULTWIRE_RANDOM`, or fewer than one would like, for a quick test.
fn random() -> u64 {
    std::env::var("FAULTWIRE_RANDOM").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

fn config(seed: u64) -> Config {
    Config::default().with_seed(seed).with_buffers(8_192, 8_192)
}

async fn bind(net: &Net, addr: &str, seed: u64) -> Result<AdaptiveSocket<Net>, Error> {
    AdaptiveSocket::bind(net, addr, config(seed)).await
}

/// Sends each message back, asking for what it asked for but reliably, in its own stream.
async fn echo(net: Net) -> Result {
    let mut socket = bind(&net, "0.0.0.0:7000", 1).await?;
    loop {
        if let Event::Message { peer, data, order } = socket.next().await? {
            let mut delivery = Delivery::RELIABLE;
            delivery.order = order;
            match socket.send(peer, data, delivery).await {
                // Only this peer's concern.
                Ok(_) | Err(Error::Ended { .. } | Error::Refused(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn content(number: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + number * 7) as u8).collect()
}

/// Some messages in a stream, of which one is longer than a datagram, and each back once and in order.
async fn ask(net: Net) -> Result {
    let mut socket = bind(&net, "0.0.0.0:0", 2).await?;
    let peer = socket.connect("server:7000").await?;
    let messages: Vec<Vec<u8>> =
        [10, 3_000, 0, 500].into_iter().enumerate().map(|(number, len)| content(number, len)).collect();
    for message in &messages {
        socket.send(peer, message.clone(), Delivery::RELIABLE.in_stream(0)).await?;
    }
    let mut got = Vec::new();
    while got.len() < messages.len() {
        match socket.next().await? {
            Event::Message { data, order, .. } => {
                assert_eq!(order, Order::Ordered(0));
                got.push(data.to_vec());
            }
            other => return Err(format!("{other:?}").into()),
        }
    }
    assert!(got == messages, "what came back is not what was sent");
    socket.close(peer).await?;
    // Nothing comes twice.
    match net.timeout(Duration::from_secs(3), socket.next()).await {
        Err(_) => Ok(()),
        Ok(event) => Err(format!("{:?} after all was there", event?).into()),
    }
}

fn asking() -> Scenario {
    scenario("adaptive stream").server(echo).client(ask)
}

#[test]
fn a_reliable_stream_survives_any_two_faults_and_many() {
    asking().exhaustive(2).random(random()).check();
}

#[test]
fn it_does_so_in_turmoil_too() {
    asking().on(testbed::TURMOIL).exhaustive(1).check();
}

/// A receiver that counts what comes, and fails on what it has had.
async fn count(net: Net) -> Result {
    let mut socket = bind(&net, "0.0.0.0:7000", 1).await?;
    let mut had = Vec::new();
    loop {
        if let Event::Message { data, .. } = socket.next().await? {
            if had.contains(&data) {
                return Err(format!("{data:?} came twice").into());
            }
            had.push(data);
        }
    }
}

#[test]
fn what_is_sent_once_never_comes_twice() {
    let once = scenario("adaptive once").server(count).client(|net: Net| async move {
        let mut socket = bind(&net, "0.0.0.0:0", 2).await?;
        let peer = socket.connect("server:7000").await?;
        for number in 0..4 {
            socket.send(peer, vec![number; 700], Delivery::ONCE).await?;
        }
        socket.flush(peer).await?;
        socket.close(peer).await?;
        net.sleep(Duration::from_secs(3)).await;
        Ok(())
    });
    once.exhaustive(2).random(random()).check();
}

/// Sends two messages, each with a time: for each, it has arrived, or the sender is told that it was given
/// up.
async fn in_time(net: Net) -> Result {
    let mut socket = bind(&net, "0.0.0.0:0", 2).await?;
    let peer = socket.connect("server:7000").await?;
    let mut given_up = Vec::new();
    let mut ids = Vec::new();
    for number in 0..2_u8 {
        ids.push(socket.send(peer, vec![number; 10], Delivery::within(120 * MS)).await?);
    }
    let last = socket.send(peer, "last", Delivery::RELIABLE).await?;
    assert_eq!(ids.len() as u64 + 1, last.0);
    // The server answers with what has come, behind the last one.
    let mut had = None;
    while had.is_none() {
        match socket.next().await? {
            Event::Message { data, .. } => had = Some(data),
            Event::GivenUp { message, .. } => given_up.push(message),
            other => return Err(format!("{other:?}").into()),
        }
    }
    let had = had.unwrap_or_default();
    while let Ok(event) = net.timeout(Duration::from_secs(1), socket.next()).await {
        if let Event::GivenUp { message, .. } = event? {
            given_up.push(message);
        }
    }
    for (number, id) in (0_u8..).zip(ids) {
        let copies = had.iter().filter(|had| **had == number).count();
        let told = given_up.contains(&id);
        if copies > 1 || (copies == 0 && !told) {
            return Err(format!("{id:?} came {copies} times, given up: {told}").into());
        }
    }
    Ok(())
}

/// Notes what comes, and answers the last one with that after a while.
async fn tell(net: Net) -> Result {
    let mut socket = bind(&net, "0.0.0.0:7000", 1).await?;
    let (mut had, mut asker): (Vec<u8>, Option<PeerId>) = (Vec::new(), None);
    loop {
        let event = match asker {
            None => socket.next().await?,
            // What is late may still come.
            Some(peer) => match net.timeout(Duration::from_secs(2), socket.next()).await {
                Ok(event) => event?,
                Err(_) => {
                    socket.send(peer, std::mem::take(&mut had), Delivery::RELIABLE).await?;
                    asker = None;
                    continue;
                }
            },
        };
        if let Event::Message { peer, data, .. } = event {
            match data.len() {
                4 => asker = Some(peer),
                _ => had.extend(data.first()),
            }
        }
    }
}

#[test]
fn what_is_given_up_is_told() {
    let timed = scenario("adaptive within").server(tell).client(in_time);
    timed.clone().exhaustive(2).random(random()).check();
    // The time is over before the second try, since each of the first datagrams with the messages is lost.
    let faults =
        (3..8).map(|nth| Fault::new(["client", "server"], Packet::nth(Class::Datagram, nth), Action::Drop));
    let lossy = FaultPlan::new().faults(faults);
    let run = timed.run(&lossy);
    assert!(run.end.is_finished() && run.fired.count() > 2, "{:?}", run.end);
}

/// The server's host loses power in the middle, and comes back or does not: the client is told in bounded
/// time.
#[test]
fn a_peer_that_is_gone_is_noticed_in_bounded_time() {
    let crash_after = |nth| {
        PlanEvent::new(
            EventKind::Crash("server".into()),
            When::after(["client", "server"], Packet::nth(Class::Datagram, nth)),
        )
    };
    for comes_back in [false, true] {
        let leaving = scenario("adaptive crash").server(echo).client(move |net: Net| async move {
            let mut socket = bind(&net, "0.0.0.0:0", 2).await?;
            let peer = socket.connect("server:7000").await?;
            let start = net.now();
            loop {
                let sent = socket.send(peer, content(1, 3_000), Delivery::RELIABLE.in_stream(0)).await;
                let ended = match sent {
                    Ok(_) => socket.flush(peer).await,
                    Err(error) => Err(error),
                };
                match ended {
                    Ok(()) => {
                        // What comes back is taken as far as it has come.
                        while let Ok(event) = net.timeout(50 * MS, socket.next()).await {
                            event?;
                        }
                    }
                    Err(Error::Ended { why, .. }) => {
                        let took = net.now().since(start);
                        assert_eq!(why, if comes_back { Ended::Reset } else { Ended::TimedOut });
                        assert!(took < Duration::from_secs(if comes_back { 10 } else { 60 }), "{took:?}");
                        return Ok(());
                    }
                    Err(error) => return Err(error.into()),
                }
                if net.now().since(start) > Duration::from_secs(100) {
                    return Err("nothing was noticed".into());
                }
            }
        });
        for nth in 2..12 {
            let mut events = vec![crash_after(nth)];
            if comes_back {
                events.push(PlanEvent::new(
                    EventKind::Restart("server".into()),
                    When::after(["client", "server"], Packet::nth(Class::Datagram, nth + 2)),
                ));
            }
            let plan = FaultPlan::new().events(events);
            let run = leaving.run(&plan);
            assert!(run.fired.all(), "datagram {nth}: {:?}", run.end);
            assert_eq!(run.end, End::Finished, "crash after datagram {nth}, back {comes_back}");
        }
    }
}

/// A client of one server that was told nothing for a long time knows that it is there, and that it is not
/// any more.
#[test]
fn a_silent_peer_is_asked_whether_it_is_there() {
    let idle = scenario("adaptive idle").server(echo).client(|net: Net| async move {
        let mut socket = bind(&net, "0.0.0.0:0", 2).await?;
        let peer = socket.connect("server:7000").await?;
        let silence = net.timeout(Duration::from_secs(60), socket.next()).await;
        assert!(silence.is_err(), "{silence:?}");
        assert!(socket.vitals(peer).is_some_and(|vitals| vitals.packets > 10));
        Ok(())
    });
    let run = idle.run(&FaultPlan::default());
    assert_eq!(run.end, End::Finished);
    let events = vec![PlanEvent::new(EventKind::Crash("server".into()), When::AtUs(20_000_000))];
    let run = idle.run(&FaultPlan::new().events(events));
    assert!(format!("{:?}", run.end).contains("TimedOut"), "{:?}", run.end);
}

/// Many clients of one socket, each with its own streams.
#[test]
fn one_socket_serves_many() {
    let mut many = scenario("adaptive crowd").server(echo);
    for number in 1..=20 {
        many = many.client_on(&format!("client-{number}"), ask);
    }
    let run = many.run(&FaultPlan::default());
    assert_eq!(run.end, End::Finished);
}

/// Compares a file with what was sent.
struct Expect(Bytes);

struct Expecting {
    expected: Bytes,
    kept: Vec<u8>,
}

impl Store for Expect {
    fn begin(&self, length: u64) -> std::io::Result<Box<dyn Incoming>> {
        assert_eq!(length, self.0.len() as u64);
        Ok(Box::new(Expecting { expected: self.0.clone(), kept: Vec::new() }))
    }
}

impl Incoming for Expecting {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.kept.extend_from_slice(bytes);
        Ok(())
    }

    fn end(self: Box<Self>) -> std::io::Result<()> {
        assert!(self.kept == self.expected, "what has come is not what was sent");
        Ok(())
    }
}

/// The same file over our TCP and over the adaptive socket: what is kept is what was sent.
#[test]
fn a_file_arrives_as_it_was_sent() {
    let data = Bytes::from(content(3, 100_000));
    for over_tcp in [true, false] {
        let (sent, expected) = (data.clone(), data.clone());
        let carrying = scenario("adaptive file")
            .server(move |net: Net| {
                let expected = expected.clone();
                async move {
                    let keep = Arc::new(Expect(expected));
                    let (limits, never) = (Limits::default(), std::future::pending());
                    if over_tcp {
                        let listener = listen(&net, "0.0.0.0:7000").await?;
                        file::tcp_server(&net, listener, &limits, never, keep).await?;
                    } else {
                        let config = Config::default().with_seed(1).with_peers_max(1);
                        let socket = AdaptiveSocket::bind(&net, "0.0.0.0:7000", config).await?;
                        file::adaptive_server(&net, socket, &limits, never, keep).await?;
                    }
                    Result::<()>::Ok(())
                }
            })
            .client(move |net: Net| {
                let sent = sent.clone();
                async move {
                    let patience = Duration::from_secs(60);
                    let delivered = if over_tcp {
                        file::tcp_send(&net, "server:7000", &sent, patience).await?
                    } else {
                        let config = Config::default().with_seed(2);
                        file::adaptive_send(&net, "server:7000", config, &sent, patience).await?
                    };
                    assert_eq!(delivered.length, sent.len() as u64);
                    Ok(())
                }
            });
        carrying.clone().random(random() / 10).check();
        // A packet of twenty is lost, each way.
        let faults = ["client", "server"].into_iter().flat_map(|from| {
            let to = if from == "client" { "server" } else { "client" };
            let lost = (1..=200).filter(move |nth| derive(7, &(from, *nth)).is_multiple_of(20));
            lost.map(move |nth| Fault::new([from, to], Packet::nth(Class::Any, nth), Action::Drop))
        });
        let run = carrying.run(&FaultPlan::new().faults(faults));
        assert_eq!(run.end, End::Finished);
        assert!(run.fired.count() >= 5, "{}", run.fired.count());
    }
}

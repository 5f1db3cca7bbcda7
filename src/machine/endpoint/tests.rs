//! Machines over the loopback interface; machines that never stop.

use std::collections::VecDeque;

use super::*;
use crate::network::os::OsNetwork;

const LIMIT: Duration = Duration::from_secs(10);

/// Each message is a datagram. Before anything else it can be made to misbehave.
#[derive(Default)]
struct Plain {
    datagrams: VecDeque<Vec<u8>>,
    messages: VecDeque<Vec<u8>>,
    sends_for_ever: bool,
    timer: Option<Time>,
    timers_seen: usize,
}

impl Machine for Plain {
    fn send(&mut self, _now: Time, message: &[u8]) {
        self.datagrams.push_back(message.to_vec());
    }
    fn on_datagram(&mut self, _now: Time, datagram: &[u8]) {
        self.messages.push_back(datagram.to_vec());
    }
    fn next_timer(&self) -> Option<Time> {
        self.timer
    }
    fn on_timer(&mut self, now: Time) {
        self.timers_seen += 1;
        // Asked for again, unless it is one of those that never stop.
        if self.timer > Some(Time::ZERO) {
            self.timer = Some(now + Duration::from_secs(60));
        }
    }
    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        if self.sends_for_ever { Some(vec![0]) } else { self.datagrams.pop_front() }
    }
    fn next_message(&mut self) -> Option<Vec<u8>> {
        self.messages.pop_front()
    }
}

async fn pair(net: &OsNetwork, caller: Plain) -> [Endpoint<OsNetwork, Plain>; 2] {
    let server = Endpoint::answer(net, "127.0.0.1:0", Plain::default()).await.expect("a socket");
    let addr = server.socket().local_addr().expect("an address").to_string();
    [Endpoint::call(net, &addr, caller).await.expect("a socket"), server]
}

#[tokio::test]
async fn messages_go_both_ways_and_strangers_are_not_heard() {
    let net = OsNetwork::new();
    let [mut client, mut server] = pair(&net, Plain::default()).await;
    let early = server.send(b"too early").await;
    assert!(matches!(early, Err(EndpointError::NoPeer)), "{early:?}");
    client.send(b"there?").await.expect("sent");
    let got = net.timeout(LIMIT, server.receive()).await.expect("in time").expect("received");
    assert_eq!(got, b"there?");
    let stranger = net.datagram("127.0.0.1:0", &[]).await.expect("a socket");
    let port = client.socket().local_addr().expect("an address").port();
    stranger.send_to(b"strange", ([127, 0, 0, 1], port).into()).await.expect("sent");
    server.send(b"here").await.expect("sent");
    let got = net.timeout(LIMIT, client.receive()).await.expect("in time").expect("received");
    assert_eq!(got, b"here");
    net.timeout(LIMIT, client.finish()).await.expect("in time").expect("nothing is outstanding");
}

#[tokio::test]
async fn a_machine_that_sends_for_ever_is_stopped() {
    let net = OsNetwork::new();
    let [mut client, _server] = pair(&net, Plain { sends_for_ever: true, ..Plain::default() }).await;
    let sent = client.send(b"x").await;
    assert!(matches!(sent, Err(EndpointError::Endless { what: "sent a datagram", .. })), "{sent:?}");
}

#[tokio::test]
async fn a_machine_whose_timer_stands_still_is_stopped() {
    let net = OsNetwork::new();
    let [mut client, _server] = pair(&net, Plain { timer: Some(Time::ZERO), ..Plain::default() }).await;
    let waited = net.timeout(LIMIT, client.receive()).await.expect("in time");
    assert!(matches!(waited, Err(EndpointError::Endless { .. })), "{waited:?}");
}

#[tokio::test]
async fn datagrams_that_keep_coming_do_not_keep_the_timer_waiting() {
    let net = OsNetwork::new();
    let [mut client, mut server] = pair(&net, Plain::default()).await;
    client.send(b"there?").await.expect("sent");
    net.timeout(LIMIT, server.receive()).await.expect("in time").expect("received");
    for _ in 0..3 {
        client.send(b"more").await.expect("sent");
    }
    server.machine.timer = Some(net.now());
    let got = net.timeout(LIMIT, server.receive()).await.expect("in time").expect("received");
    assert_eq!((got.as_slice(), server.machine.timers_seen), (b"more".as_slice(), 1));
}

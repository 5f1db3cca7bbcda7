//! What only goes wrong where a system does not do its part.

use super::*;
use crate::fault::FaultPlan;

const IDLE: Duration = Duration::from_millis(50);

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn carrier() -> Arc<Carrier> {
    let hosts = ["client".to_owned(), "server".to_owned()];
    let wire = Wire::new(&FaultPlan::default(), &hosts).expect("a wire");
    let config = RelayConfig { idle: IDLE, ..RelayConfig::default() };
    Carrier::start(wire, Trace::new(hosts), config)
}

/// A socket on which every call fails: a TCP socket without a connection, taken for a UDP one.
fn broken() -> Arc<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_nonblocking(true).expect("not blocking");
    Arc::new(UdpSocket::from_std(socket.into()).expect("a socket of tokio's"))
}

fn put(carrier: &Carrier, client: SocketAddr, server: SocketAddr) {
    carrier.put(&mut carrier.state(), (client, CLIENT), (server, SERVER), b"x");
}

#[tokio::test]
async fn what_was_not_handed_on_has_not_arrived() {
    let carrier = carrier();
    let (client, server) = (addr("192.0.2.1:1000"), addr("192.0.2.2:2000"));
    let flow = Flow { upstream: broken(), active: carrier.config.net.now() };
    carrier.state().flows.insert((server, client), flow);
    carrier.state().listeners.insert(server, broken());
    put(&carrier, client, server);
    while carrier.stats().unsent == 0 {
        tokio::task::yield_now().await;
    }
    let trace = carrier.trace();
    let arrived = trace.events().iter().any(|event| matches!(event.what, What::Arrived { .. }));
    assert!(!arrived, "{}", trace.text());
    assert!(trace.text().contains("lost: not handed on"), "{}", trace.text());
    assert_eq!(carrier.stats().handed_on, 0);
    carrier.stop();
}

#[tokio::test]
async fn what_no_packet_can_carry_is_counted() {
    let carrier = carrier();
    put(&carrier, addr("192.0.2.1:1000"), addr("[::1]:2000"));
    assert_eq!((carrier.stats().unfit, carrier.in_flight()), (1, 0));
    carrier.stop();
}

#[tokio::test]
async fn a_flow_whose_socket_fails_on_and_on_is_forgotten_when_idle() {
    let carrier = carrier();
    let (client, server) = (addr("192.0.2.1:1000"), addr("192.0.2.2:2000"));
    let upstream = broken();
    let flow = Flow { upstream: Arc::clone(&upstream), active: carrier.config.net.now() };
    carrier.state().flows.insert((server, client), flow);
    let error = upstream.recv(&mut [0; 10]).await.expect_err("a failure");
    assert_ne!(error.kind(), io::ErrorKind::WouldBlock);
    let serving = serve_server(Arc::clone(&carrier), upstream, server, client);
    tokio::time::timeout(Duration::from_secs(20), serving).await.expect("an end");
    assert!(carrier.state().flows.is_empty());
    carrier.stop();
}

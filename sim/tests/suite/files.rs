//! Files against peers that lie, trickle and hold on, on the virtual clock.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use faultwire::adaptive::{AdaptiveSocket, Config, Delivery, Event};
use faultwire::fault::FaultPlan;
use faultwire::network::Network as _;
use faultwire::program::file::{self, Discard, Incoming, Store};
use faultwire::program::{Limits, Tally, listen, numbered};
use faultwire_sim::{End, Net, Result, scenario};
use tokio::io::AsyncWriteExt as _;

const PATIENCE: Duration = Duration::from_secs(60);

fn config(seed: u64) -> Config {
    Config::default().with_seed(seed)
}

/// What hosts tell each other beside the network; cleared by who begins.
type Told<T> = Arc<Mutex<Option<T>>>;

async fn wait_for<T: Clone>(net: &Net, told: &Told<T>) -> T {
    loop {
        if let Some(value) = told.lock().expect("whole").clone() {
            return value;
        }
        net.sleep(Duration::from_millis(10)).await;
    }
}

/// Takes connections and messages, and answers nothing; tells where the client is.
async fn hear(net: Net, heard: Told<SocketAddr>) -> Result<()> {
    let mut socket = AdaptiveSocket::bind(&net, "0.0.0.0:7000", config(1)).await?;
    loop {
        if let Event::Opened { addr, .. } = socket.next().await? {
            *heard.lock().expect("whole") = Some(addr);
        }
    }
}

/// The client's port is no secret to a stranger, nor is the file. Nobody but the server can say that it has
/// arrived.
#[test]
fn a_stranger_cannot_say_that_a_file_has_arrived() {
    let data = vec![7; 1_000];
    let client_at: Told<SocketAddr> = Told::default();
    let [heard, asked] = [client_at.clone(), client_at];
    let (sent, known) = (data.clone(), data);
    let run = scenario("a stranger")
        .server(move |net: Net| hear(net, heard.clone()))
        .client_on("stranger", move |net: Net| {
            let (asked, known) = (asked.clone(), known.clone());
            async move {
                let client = wait_for(&net, &asked).await;
                let mut socket = AdaptiveSocket::bind(&net, "0.0.0.0:0", config(2)).await?;
                let work = async {
                    let peer = socket.connect(&client.to_string()).await?;
                    socket
                        .send(peer, file::receipt(&known).to_vec(), Delivery::RELIABLE.in_stream(0))
                        .await?;
                    socket.close(peer).await
                };
                // Whether anybody listens is what is tried.
                let _ = net.timeout(Duration::from_secs(20), work).await;
                Result::<()>::Ok(())
            }
        })
        .client(move |net: Net| {
            let sent = sent.clone();
            async move {
                let patience = Duration::from_secs(10);
                let told = file::adaptive_send(&net, "server:7000", config(3), &sent.into(), patience).await;
                let error = told.expect_err("the server has said nothing").to_string();
                assert!(error.starts_with("no answer from server:7000"), "{error}");
                Ok(())
            }
        })
        .run(&FaultPlan::default());
    assert_eq!(run.end, End::Finished);
}

/// A store whose disk is full for files of more than a thousand bytes.
struct Full;

impl Store for Full {
    fn begin(&self, length: u64) -> io::Result<Box<dyn Incoming>> {
        if length > 2_000 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(Box::new(Full)) }
    }
}

impl Incoming for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > 1_000 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn end(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

/// Serves files until `until` on the clock; what came of it.
async fn serve(
    net: &Net,
    over_tcp: bool,
    clients: usize,
    store: Arc<dyn Store>,
    until: Duration,
) -> Result<Tally> {
    let limits = Limits::default().with_clients(clients).with_idle(PATIENCE);
    Ok(if over_tcp {
        let listener = listen(net, "0.0.0.0:7000").await?;
        file::tcp_server(net, listener, &limits, net.sleep(until), store).await?
    } else {
        let config = config(1).with_peers_max(clients);
        let socket = AdaptiveSocket::bind(net, "0.0.0.0:7000", config).await?;
        file::adaptive_server(net, socket, &limits, net.sleep(until), store).await?
    })
}

async fn send(net: &Net, over_tcp: bool, seed: u64, data: Vec<u8>) -> Result<(), String> {
    let sent = if over_tcp {
        file::tcp_send(net, "server:7000", &data, PATIENCE).await
    } else {
        file::adaptive_send(net, "server:7000", config(seed), &data.into(), PATIENCE).await
    };
    sent.map(drop).map_err(|error| error.to_string())
}

#[test]
fn a_file_that_cannot_be_kept_ends_neither_the_server_nor_others() {
    for over_tcp in [true, false] {
        let run = scenario("a full disk")
            .client_on("server", move |net: Net| async move {
                let tally = serve(&net, over_tcp, 4, Arc::new(Full), Duration::from_secs(30)).await?;
                assert_eq!((tally.clients, tally.messages, tally.refused), (4, 1, 3), "{over_tcp}");
                Ok(())
            })
            .client(move |net: Net| async move {
                // Refused at its beginning, in its midst, for what it says of itself; and none of this.
                let limit = (1 << 30) + 1;
                for (seed, len) in [3_000, 2_000].into_iter().enumerate() {
                    let error = send(&net, over_tcp, 10 + seed as u64, vec![1; len]).await;
                    error.expect_err("it cannot be kept");
                }
                announce(&net, over_tcp, limit).await;
                send(&net, over_tcp, 20, vec![2; 900]).await.expect("it is kept");
                Result::<()>::Ok(())
            })
            .run(&FaultPlan::default());
        assert_eq!(run.end, End::Finished, "{over_tcp}");
    }
}

/// Says that a file of so many bytes comes, and waits until the server lets go.
async fn announce(net: &Net, over_tcp: bool, length: u64) {
    let head = [&b"FWFILE01"[..], &length.to_be_bytes()].concat();
    if over_tcp {
        use tokio::io::AsyncReadExt as _;
        let mut stream = net.connect("server:7000", &[]).await.expect("connected");
        stream.write_all(&head).await.expect("sent");
        assert!(matches!(stream.read(&mut [0; 9]).await, Ok(0) | Err(_)));
    } else {
        let mut socket = AdaptiveSocket::bind(net, "0.0.0.0:0", config(99)).await.expect("bound");
        let peer = socket.connect("server:7000").await.expect("connected");
        let _ = socket.send(peer, head, Delivery::RELIABLE.in_stream(0)).await;
        // It is told once it asks.
        let _ = net.timeout(PATIENCE, socket.next()).await;
    }
}

/// A byte a second is not worth a place: neither forever, nor while others wait for it.
#[test]
fn a_file_that_trickles_in_is_refused_and_others_are_served_meanwhile() {
    for over_tcp in [true, false] {
        let run = scenario("a trickle")
            .client_on("server", move |net: Net| async move {
                let tally = serve(&net, over_tcp, 4, Arc::new(Discard), Duration::from_secs(300)).await?;
                assert_eq!((tally.messages, tally.idle), (1, 1), "{over_tcp}: {tally:?}");
                Ok(())
            })
            .client_on("trickle", move |net: Net| async move {
                let head = [&b"FWFILE01"[..], &1_000_u64.to_be_bytes()].concat();
                let bytes = std::iter::repeat_n(vec![0], 200);
                if over_tcp {
                    let mut stream = net.connect("server:7000", &[]).await?;
                    for bytes in std::iter::once(head).chain(bytes) {
                        let _ = stream.write_all(&bytes).await;
                        net.sleep(Duration::from_secs(1)).await;
                    }
                } else {
                    let mut socket = AdaptiveSocket::bind(&net, "0.0.0.0:0", config(2)).await?;
                    let peer = socket.connect("server:7000").await?;
                    for bytes in std::iter::once(head).chain(bytes) {
                        let _ = socket.send(peer, bytes, Delivery::RELIABLE.in_stream(0)).await;
                        let _ = net.timeout(Duration::from_secs(1), socket.next()).await;
                    }
                }
                Result::<()>::Ok(())
            })
            .client(move |net: Net| async move {
                net.sleep(Duration::from_secs(5)).await;
                send(&net, over_tcp, 3, vec![1; 50_000]).await.expect("there is a place");
                assert!(net.now().as_millis() < 30_000, "{}", net.now());
                Result::<()>::Ok(())
            })
            .run(&FaultPlan::default());
        assert_eq!(run.end, End::Finished, "{over_tcp}");
    }
}

/// A series of datagrams is one sender's.
#[test]
fn a_series_of_datagrams_is_not_a_strangers() {
    let run = scenario("a series")
        .client_on("receiver", |net: Net| async move {
            let socket = net.datagram("0.0.0.0:7000", &[]).await?;
            let report = numbered::receive(&net, &socket, 5, 100, Duration::from_secs(2)).await?;
            assert!(report.is_perfect(), "{report:?}");
            Result::<()>::Ok(())
        })
        .client_on("stranger", |net: Net| async move {
            net.sleep(Duration::from_millis(500)).await;
            numbered::send(&net, "receiver:7000", 5, 100, Duration::from_millis(300)).await?;
            Result::<()>::Ok(())
        })
        .client(|net: Net| async move {
            numbered::send(&net, "receiver:7000", 5, 100, Duration::from_millis(300)).await?;
            Result::<()>::Ok(())
        })
        .run(&FaultPlan::default());
    assert_eq!(run.end, End::Finished);
}

/// Delays of the grid from a timeout that is as long as can be said.
#[test]
fn a_timeout_of_any_length_makes_a_grid() {
    let found = scenario("patient")
        .timeout(Duration::MAX)
        .server(|net: Net| async move {
            let socket = net.datagram("0.0.0.0:7000", &[]).await?;
            faultwire::network::Datagram::recv_from(&socket, &mut [0; 10]).await?;
            Result::<()>::Ok(())
        })
        .client(|net: Net| async move {
            numbered::send(&net, "server:7000", 1, 12, Duration::ZERO).await?;
            Result::<()>::Ok(())
        })
        .random(0)
        .explore();
    assert!(found.failures.is_empty(), "nothing fails");
}

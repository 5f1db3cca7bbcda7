//! What plans can say beside loss, delay and cuts: one outcome on the virtual clock, in turmoil and between
//! kernels.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire::network::{Datagram as _, Listener as _, Network as _};
use faultwire::trace::{PacketId, What};
use faultwire_sim::testbed::{self, TestbedRef};
use faultwire_sim::{End, Net, Run, Scenario, scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::bench::helper;

/// The testbeds of this machine, our stack and the kernel's on both sides among them.
fn testbeds() -> Vec<TestbedRef> {
    let mut all = vec![testbed::VIRTUAL, testbed::TURMOIL];
    faultwire_sim::lab::set_helper(|| Ok(helper()));
    match faultwire_sim::lab::probe() {
        Ok(_) => {
            all.extend([testbed::LAB, testbed::LAB_FAULTWIRE_CLIENT, testbed::LAB_FAULTWIRE_SERVER]);
        }
        Err(error) => crate::require::skipped("lab", error),
    }
    all
}

fn plan(text: &str) -> FaultPlan {
    FaultPlan::parse(&format!("format = 1\n{text}"), "the plan").expect("it is right")
}

/// Runs it under the plan everywhere. All of the plan has to take place.
fn everywhere(scenario: &Scenario, text: &str, mut judge: impl FnMut(&Run)) {
    for testbed in testbeds() {
        let run = scenario.clone().on(testbed).run(&plan(text));
        assert!(run.fired.all(), "{testbed}: {:?} {:?}\n{}", run.end, run.fired, run.trace.text());
        judge(&run);
    }
}

fn finishes(scenario: &Scenario, text: &str) {
    everywhere(scenario, text, |run| {
        assert!(run.end.is_finished(), "{:?}\n{}", run.end, run.trace.text());
    });
}

fn expected(what: &str, found: impl std::fmt::Debug) -> io::Error {
    io::Error::other(format!("expected {what}, found {found:?}"))
}

/// Says hello, waits for a byte and keeps the connection, or reads nothing of it.
async fn greeter(net: Net, reads: bool) -> io::Result<()> {
    let listener = net.listen("0.0.0.0:7000", 4, &[]).await?;
    let mut kept = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.write_all(b"hello").await?;
        if reads {
            let _ = stream.read_u8().await;
        }
        kept.push(stream);
    }
}

/// Hears the greeting, asks, and gives what comes of waiting for more.
async fn asks(net: &Net) -> io::Result<io::Result<usize>> {
    let mut stream = net.connect("server:7000", &[]).await?;
    stream.read_exact(&mut [0; 5]).await?;
    stream.write_u8(b'?').await?;
    Ok(stream.read(&mut [0; 9]).await)
}

#[test]
fn the_host_of_a_killed_program_ends_its_connections() {
    let kill = "[[event]]\nkind = \"kill\"\nhost = \"server\"\n\
        after = { direction = \"client->server\", class = \"data\", nth = 1, wait_us = 50_000 }\n";
    for reads in [true, false] {
        let scenario =
            scenario("killed").server(move |net| greeter(net, reads)).client(move |net: Net| async move {
                match asks(&net).await? {
                    Ok(0) if reads => Ok(()),
                    Err(error) if !reads && error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
                    other => Err(expected("the end, or a reset of what was not read", other).into()),
                }
            });
        finishes(&scenario, kill);
    }
}

#[test]
fn a_killed_program_that_starts_again_finds_its_port_in_time_wait() {
    let text = "[[event]]\nkind = \"kill\"\nhost = \"server\"\n\
        after = { direction = \"client->server\", class = \"data\", nth = 1, wait_us = 50_000 }\n\
        [[event]]\nkind = \"restart\"\nhost = \"server\"\n\
        after = { direction = \"server->client\", class = \"fin\", nth = 1, wait_us = 100_000 }\n";
    let scenario = scenario("in use").server(|net| greeter(net, true)).client(|net: Net| async move {
        match asks(&net).await? {
            Ok(0) => net.sleep(Duration::from_secs(1)).await,
            other => return Err(expected("the end", other).into()),
        }
        Ok(())
    });
    everywhere(&scenario, text, |run| {
        let End::Failed { host: Some(host), message } = &run.end else { panic!("{:?}", run.end) };
        assert!(host == "server" && message.contains("in use"), "{message}\n{}", run.trace.text());
    });
}

#[test]
fn a_killed_program_that_starts_again_serves_on_the_same_host() {
    let text = "[[event]]\nkind = \"kill\"\nhost = \"server\"\n\
        after = { direction = \"server->client\", class = \"datagram\", nth = 1 }\n\
        [[event]]\nkind = \"restart\"\nhost = \"server\"\n\
        after = { direction = \"client->server\", class = \"datagram\", nth = 2, wait_us = 50_000 }\n";
    for testbed in testbeds() {
        let lives = Arc::new(AtomicU32::new(0));
        let run = scenario("lives")
            .server(move |net: Net| {
                let life = lives.fetch_add(1, Ordering::Relaxed) + 1;
                async move {
                    let socket = net.datagram("0.0.0.0:7000", &[]).await?;
                    loop {
                        let asked = socket.recv_from(&mut [0; 8]).await?;
                        socket.send_to(&life.to_be_bytes(), asked.from).await?;
                    }
                    #[expect(unreachable_code, reason = "it says what the error is")]
                    Ok::<(), io::Error>(())
                }
            })
            .client(|net: Net| async move {
                let socket = net.datagram("0.0.0.0:0", &[]).await?;
                let server = net.resolve("server:7000").await?;
                let server = *server.iter().find(|addr| addr.is_ipv4()).expect("it has one");
                let mut answer = [0; 8];
                loop {
                    socket.send_to(b"?", server).await?;
                    let answered =
                        net.timeout(Duration::from_millis(200), socket.recv_from(&mut answer)).await;
                    if matches!(answered, Ok(Ok(_))) && answer[..4] == 2_u32.to_be_bytes() {
                        return Ok(());
                    }
                }
            })
            .on(testbed)
            .run(&plan(text));
        assert!(run.end.is_finished() && run.fired.all(), "{testbed}: {:?}\n{}", run.end, run.trace.text());
    }
}

#[test]
fn a_rejected_syn_refuses_the_connection() {
    let text = "[[fault]]\ndirection = \"client->server\"\npacket = { class = \"syn\", nth = 1 }\n\
        action = { reject = \"tcp-reset\" }\n";
    let scenario = scenario("refused").server(|net| greeter(net, true)).client(|net: Net| async move {
        match net.connect("server:7000", &[]).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            other => Err(expected("a refusal", other.map(drop)).into()),
        }
    });
    finishes(&scenario, text);
}

#[test]
fn a_reset_made_from_a_segment_fits_its_connection() {
    let text = "[[event]]\nkind = \"inject\"\n\
        like = { direction = \"server->client\", class = \"data\", nth = 1 }\n\
        set = { seq = \"+5\", flags = \"R\", payload = \"\" }\n\
        after = { direction = \"server->client\", class = \"data\", nth = 1 }\n";
    let scenario = scenario("reset").server(|net| greeter(net, true)).client(|net: Net| async move {
        let mut stream = net.connect("server:7000", &[]).await?;
        stream.read_exact(&mut [0; 5]).await?;
        match stream.read(&mut [0; 9]).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
            other => Err(expected("a reset", other).into()),
        }
    });
    finishes(&scenario, text);
}

/// What comes of a datagram that is sent.
type Answer = Result<Vec<u8>, io::ErrorKind>;

/// Sends datagrams of these sizes to a server that answers each, over a connected socket: what comes of each.
fn datagrams(sizes: &'static [usize], judge: fn(&[Answer]) -> bool) -> Scenario {
    let server = |net: Net| async move {
        let socket = net.datagram("0.0.0.0:7000", &[]).await?;
        let mut buffer = [0; 2_000];
        loop {
            let received = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..received.len.min(4)], received.from).await?;
        }
        #[expect(unreachable_code, reason = "it says what the error is")]
        Ok::<(), io::Error>(())
    };
    scenario("datagrams").server(server).client(move |net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        socket.connect("server:7000").await?;
        let mut outcomes = Vec::new();
        for size in sizes {
            let mut buffer = [0; 9];
            let asked = async {
                socket.send(&vec![b'a'; *size]).await?;
                Ok::<_, io::Error>(socket.recv_from(&mut buffer).await?.len)
            };
            outcomes.push(match net.timeout(Duration::from_millis(300), asked).await {
                Ok(Ok(len)) => Ok(buffer[..len].to_vec()),
                Ok(Err(error)) => Err(error.kind()),
                Err(_) => Err(io::ErrorKind::TimedOut),
            });
        }
        if judge(&outcomes) { Ok(()) } else { Err(expected("other outcomes", outcomes).into()) }
    })
}

#[test]
fn damage_with_a_checksum_that_fits_reaches_the_program() {
    // The lowest bit of the first byte behind the headers: a becomes `.
    let text = "[[fault]]\ndirection = \"client->server\"\npacket = { class = \"datagram\", nth = 1 }\n\
        action = { corrupt_bit = 231, checksums = \"mend\" }\n";
    let scenario = datagrams(&[4, 4], |outcomes| outcomes == [Ok(b"`aaa".to_vec()), Ok(b"aaaa".to_vec())]);
    finishes(&scenario, text);
}

#[test]
fn an_icmp_error_made_from_a_datagram_reaches_its_socket() {
    for rejection in ["reject = \"port-unreachable\"", "reject = \"too-big\", mtu = 1200"] {
        let text = format!(
            "[[fault]]\ndirection = \"client->server\"\npacket = {{ class = \"datagram\", nth = 1 }}\n\
             action = {{ {rejection} }}\n"
        );
        let scenario = datagrams(&[1_400, 1_000], |outcomes| {
            matches!(&outcomes[0], Err(kind) if *kind != io::ErrorKind::TimedOut) && outcomes[1].is_ok()
        });
        finishes(&scenario, &text);
        let event = format!(
            "[[event]]\nkind = \"inject\"\n\
             like = {{ direction = \"client->server\", class = \"datagram\", nth = 1 }}\n{}\n\
             before = {{ direction = \"client->server\", class = \"datagram\", nth = 1 }}\n",
            rejection.replace(", ", "\n")
        );
        finishes(&datagrams(&[1_400], |outcomes| outcomes.len() == 1), &event);
    }
}

#[test]
fn a_link_with_a_smaller_mtu_than_its_hosts_is_a_black_hole() {
    let scenario =
        datagrams(&[1_400, 500], |outcomes| outcomes == [Err(io::ErrorKind::TimedOut), Ok(b"aaaa".to_vec())]);
    finishes(&scenario, "[link]\ndelay_us = 1000\nmtu = 600\nhost_mtu = 1500\n");
}

/// The order in which the packets of the client arrive, each with its delay.
fn arrivals(run: &Run) -> Vec<(PacketId, Duration)> {
    let client = run.trace.host("client").expect("it is there");
    let mut sent = BTreeMap::new();
    let mut arrived = Vec::new();
    for event in run.trace.events() {
        match event.what {
            What::Sent { packet, from, .. } if from == client => drop(sent.insert(packet, event.at)),
            What::Arrived { packet, .. } => {
                arrived.extend(sent.get(&packet).map(|at| (packet, event.at.since(*at))));
            }
            _ => {}
        }
    }
    arrived
}

#[test]
fn a_packet_has_the_same_delay_everywhere() {
    const COUNT: usize = 8;
    let text = "[link]\ndelay_us = 1_000\nmtu = 1500\n\
        [[links]]\ndirection = \"client->server\"\ndelay_us = 10_000\ndelay_us_max = 400_000\n";
    let server = |net: Net| async move {
        let socket = net.datagram("0.0.0.0:7000", &[]).await?;
        for _ in 1..COUNT {
            socket.recv_from(&mut [0; 9]).await?;
        }
        let last = socket.recv_from(&mut [0; 9]).await?;
        socket.send_to(b"all", last.from).await?;
        std::future::pending::<io::Result<()>>().await
    };
    let scenario = scenario("delays").server(server).client(|net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        socket.connect("server:7000").await?;
        for _ in 0..COUNT {
            socket.send(b"a").await?;
        }
        socket.recv_from(&mut [0; 9]).await?;
        Ok(())
    });
    let exact = arrivals(&scenario.clone().on(testbed::VIRTUAL).run(&plan(text)));
    assert_eq!(exact.len(), COUNT);
    assert!(!exact.is_sorted(), "some overtake others: {exact:?}");
    everywhere(&scenario, text, |run| {
        assert!(run.end.is_finished(), "{:?}\n{}", run.end, run.trace.text());
        let found = arrivals(run);
        let order = |of: &[(PacketId, Duration)]| of.iter().map(|(packet, _)| *packet).collect::<Vec<_>>();
        assert_eq!(order(&found), order(&exact), "{}", run.trace.text());
        let is_due = |((_, found), (_, exact)): (&(_, Duration), &(_, Duration))| found >= exact;
        assert!(found.iter().zip(&exact).all(is_due), "{found:?} before {exact:?}");
    });
}

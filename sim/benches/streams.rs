//! What a stream costs in simulation: a fresh connection with ten echoes of 1 KiB, the same with a tenth of
//! the packets lost, a bulk transfer, and the memory of connections at rest.
//!
//! Ratios, all within one run of `cargo bench -p faultwire-sim --bench streams`:
//! - `echo::tcp` to `echo::udp`, ten datagrams of 1 KiB each way between two fresh hosts;
//! - `echo::tcp_lossy` to `echo::tcp`: the mean of sixteen plans, each of which drops every packet with a
//!   chance of one in ten;
//! - `bulk::floor` to `bulk::tcp`: the floor encodes, checksums and copies the same packets in a loop, at the
//!   sender and at the receiver, and does nothing else;
//! - `idle`: the allocations of a thousand connections at rest, both ends.

use bytes::Bytes;
use divan::Bencher;
use divan::counter::BytesCount;
use etherparse::checksum::Sum16BitWords;
use etherparse::{IpNumber, Ipv4Header, TcpHeader};
use faultwire::fault::{Action, Class, Direction, DueWhat, Fault, FaultPlan, Packet, Wire};
use faultwire::network::{Datagram as _, Listener as _, Network as _};
use faultwire::stack::{Domain, Fd, HostStack as _, Kind, Protocol, Sockets as _, Stack, StackConfig};
use faultwire::time::Time;
use faultwire::trace::{HostId, Trace};
use faultwire_sim::{Net, Result, Scenario, scenario, testbed};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[global_allocator]
static ALLOCATOR: divan::AllocProfiler = divan::AllocProfiler::system();

const ECHOES: usize = 10;
const SIZE: usize = 1_024;
const BULK: usize = 4 * 1_024 * 1_024;
/// Text in a segment at MTU 1500, IPv4.
const SEGMENT: usize = 1_460;

fn main() {
    divan::main();
}

/// Answers with what came, until the client has closed.
async fn echo_server(net: Net) -> std::io::Result<()> {
    let listener = net.listen("0.0.0.0:7000", 8, &[]).await?;
    let (mut stream, _) = listener.accept().await?;
    let mut buffer = [0; SIZE];
    loop {
        let len = stream.read(&mut buffer).await?;
        if len == 0 {
            return stream.shutdown().await;
        }
        stream.write_all(&buffer[..len]).await?;
    }
}

async fn datagram_server(net: Net) -> std::io::Result<()> {
    let socket = net.datagram("0.0.0.0:7000", &[]).await?;
    let mut buffer = [0; SIZE];
    loop {
        let received = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..received.len], received.from).await?;
    }
}

async fn echo_client(net: Net) -> Result {
    let mut stream = net.connect("server:7000", &[]).await?;
    let mut buffer = [0; SIZE];
    for n in 0..ECHOES {
        stream.write_all(&[n as u8; SIZE]).await?;
        stream.read_exact(&mut buffer).await?;
        assert_eq!(buffer, [n as u8; SIZE]);
    }
    stream.shutdown().await?;
    assert_eq!(stream.read(&mut buffer).await?, 0);
    Ok(())
}

fn echoes() -> Scenario {
    scenario("echoes").server(echo_server).client(echo_client).on(testbed::VIRTUAL)
}

/// Plans that drop a tenth of the packets, whatever they are: decided by a hash of what a packet is, not by a
/// die.
fn lossy(seed: u64) -> FaultPlan {
    use std::hash::{Hash as _, Hasher as _};
    let mut faults = Vec::new();
    for direction in [Direction::new("client", "server"), Direction::new("server", "client")] {
        for (class, most) in [(Class::Syn, 1), (Class::Data, 10), (Class::Ack, 12), (Class::Fin, 1)] {
            for nth in 1..=most {
                let mut hasher = siphasher::sip::SipHasher13::new_with_keys(seed, 10);
                (format!("{direction:?}{class:?}"), nth).hash(&mut hasher);
                if hasher.finish().is_multiple_of(10) {
                    let packet = Packet::nth(class, nth);
                    faults.push(Fault::new(direction.clone(), packet, Action::Drop));
                }
            }
        }
    }
    FaultPlan::new().faults(faults)
}

#[divan::bench_group]
mod echo {
    use super::*;

    #[divan::bench]
    fn udp(bencher: Bencher<'_, '_>) {
        let scenario = scenario("datagrams")
            .server(datagram_server)
            .client(|net: Net| async move {
                let socket = net.datagram("0.0.0.0:0", &[]).await?;
                let server = net.resolve("server:7000").await?[0];
                let mut buffer = [0; SIZE];
                for n in 0..ECHOES {
                    socket.send_to(&[n as u8; SIZE], server).await?;
                    assert_eq!(socket.recv_from(&mut buffer).await?.len, SIZE);
                }
                Ok(())
            })
            .on(testbed::VIRTUAL);
        bench_plans(bencher, &scenario, &[FaultPlan::default()]);
    }

    #[divan::bench]
    fn tcp(bencher: Bencher<'_, '_>) {
        bench_plans(bencher, &echoes(), &[FaultPlan::default()]);
    }

    #[divan::bench]
    fn tcp_lossy(bencher: Bencher<'_, '_>) {
        let plans: Vec<FaultPlan> = (0..16).map(lossy).collect();
        let scenario = echoes();
        let fired: usize = plans.iter().map(|plan| scenario.run(plan).fired.faults.len()).sum();
        assert!(fired >= 32, "only {fired} packets were dropped");
        bench_plans(bencher, &scenario, &plans);
    }

    fn bench_plans(bencher: Bencher<'_, '_>, scenario: &Scenario, plans: &[FaultPlan]) {
        let mut plans = plans.iter().cycle();
        bencher.bench_local(|| {
            let run = scenario.run(plans.next().unwrap());
            assert!(run.end.is_finished(), "{:?}", run.end);
            run
        });
    }
}

#[divan::bench_group]
mod bulk {
    use super::*;

    /// Two stacks and the wire, with no programs around them: the trace is cut short as it grows.
    #[divan::bench]
    fn tcp(bencher: Bencher<'_, '_>) {
        let data = vec![7; BULK];
        bencher.counter(BytesCount::new(BULK)).bench_local(|| transfer(&data));
    }

    /// That transfer as a scenario, with programs and the whole trace.
    #[divan::bench]
    fn tcp_scenario(bencher: Bencher<'_, '_>) {
        let scenario = scenario("bulk")
            .server(|net| async move {
                let listener = net.listen("0.0.0.0:7000", 8, &[]).await.unwrap();
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = vec![0; 65_536];
                while stream.read(&mut buffer).await.unwrap() > 0 {}
            })
            .client(|net: Net| async move {
                let mut stream = net.connect("server:7000", &[]).await?;
                stream.write_all(&vec![7; BULK]).await?;
                stream.shutdown().await?;
                assert_eq!(stream.read(&mut [0]).await?, 0);
                Ok(())
            })
            .on(testbed::VIRTUAL);
        let plan = FaultPlan::default();
        bencher.counter(BytesCount::new(BULK)).bench_local(|| {
            let run = scenario.run(&plan);
            assert!(run.end.is_finished(), "{:?}", run.end);
            run
        });
    }

    #[divan::bench]
    fn floor(bencher: Bencher<'_, '_>) {
        let data = vec![7; BULK];
        bencher.counter(BytesCount::new(BULK)).bench_local(|| {
            let mut read = vec![0; SEGMENT];
            for text in data.chunks(SEGMENT) {
                let packet = encode(text);
                take_in(&packet, &mut read);
                // Every second segment is acknowledged.
                divan::black_box(encode(&[]));
            }
            read
        });
    }

    /// Carries the data from one stack to another, in steps of what the wire has next.
    fn transfer(data: &[u8]) -> usize {
        let hosts = ["server".to_owned(), "client".to_owned()];
        let mut wire = Wire::new(&FaultPlan::default(), &hosts).unwrap();
        let mut trace = Trace::new(hosts);
        let mut stacks = [host(1), host(2)];
        let listener = listen(&mut stacks[0]);
        let client = connect(&mut stacks[1]);
        let (mut accepted, mut sent, mut read, mut buffer) = (None, 0, 0, vec![0; 65_536]);
        let mut now = Time::ZERO;
        while read < data.len() {
            for (from, to) in [(0_usize, 1_usize), (1, 0)] {
                while let Some(packet) = stacks[from].poll_transmit() {
                    wire.send(now, HostId(from as u16), HostId(to as u16), packet, &mut trace);
                }
            }
            let due = [wire.next_due(), stacks[0].poll_timeout(), stacks[1].poll_timeout()];
            now = due.into_iter().flatten().min().expect("something is to come");
            stacks.iter_mut().for_each(|stack| stack.handle_timeout(now));
            while let Some(due) = wire.poll(now, &mut trace) {
                if let DueWhat::Packet(delivery) = due.what {
                    stacks[usize::from(delivery.to.0)].handle_input(&delivery.bytes);
                }
            }
            if sent < data.len() {
                sent += stacks[1].send(client, &data[sent..]).unwrap_or(0);
            }
            accepted = accepted.or_else(|| stacks[0].accept(listener).ok().map(|(fd, _)| fd));
            while let Some(len) = accepted.and_then(|fd| stacks[0].recv(fd, &mut buffer).ok()) {
                read += len;
            }
            if trace.events().len() > 4_096 {
                trace.truncate(0);
            }
        }
        read
    }

    fn encode(text: &[u8]) -> Bytes {
        let (src, dst) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let mut tcp = TcpHeader::new(7, 9, 1, 65_535);
        tcp.checksum = tcp.calc_checksum_ipv4_raw(src, dst, text).unwrap();
        let mut ip = Ipv4Header::new((20 + text.len()) as u16, 64, IpNumber::TCP, src, dst).unwrap();
        ip.header_checksum = ip.calc_header_checksum();
        let mut packet = Vec::with_capacity(40 + text.len());
        packet.extend_from_slice(&ip.to_bytes());
        packet.extend_from_slice(&tcp.to_bytes());
        packet.extend_from_slice(text);
        packet.into()
    }

    fn take_in(packet: &Bytes, read: &mut [u8]) {
        let sum = Sum16BitWords::new().add_slice(&packet[20..]).ones_complement();
        divan::black_box(sum);
        read[..packet.len() - 40].copy_from_slice(&packet[40..]);
    }
}

fn host(n: u8) -> Stack {
    let v6 = std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n.into());
    Stack::new(StackConfig::new([10, 0, 0, n].into(), v6))
}

fn listen(stack: &mut Stack) -> Fd {
    let listener = stack.socket(Domain::Inet, Kind::Stream, Protocol::Tcp).unwrap();
    stack.bind(listener, "0.0.0.0:7000".parse().unwrap()).unwrap();
    stack.listen(listener, 4_096).unwrap();
    listener
}

fn connect(stack: &mut Stack) -> Fd {
    let fd = stack.socket(Domain::Inet, Kind::Stream, Protocol::Tcp).unwrap();
    let _ = stack.connect(fd, Some("10.0.0.1:7000".parse().unwrap()));
    fd
}

/// Connections at rest: what is allocated for a thousand of them, both ends, is shown as the case's
/// allocations.
#[divan::bench(sample_count = 10)]
fn idle(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| {
        let (mut server, mut client) = (host(1), host(2));
        let listener = listen(&mut server);
        for _ in 0..1_000 {
            let fd = connect(&mut client);
            while let Some(packet) = client.poll_transmit() {
                server.handle_input(&packet);
                while let Some(packet) = server.poll_transmit() {
                    client.handle_input(&packet);
                }
            }
            let accepted = server.accept(listener).unwrap();
            assert!(client.poll(fd).unwrap().writable);
            divan::black_box(accepted);
        }
        (server, client)
    });
}

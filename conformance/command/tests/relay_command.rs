//! `faultwire relay` between programs that know nothing of it.
#![cfg(unix)]

#[path = "../../../src/require.rs"]
mod require;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use faultwire::fault::Action;
use pcap_file::pcapng::{Block, PcapNgReader};

const FAULTWIRE: &str = env!("CARGO_BIN_EXE_faultwire");

/// A running relay; killed if the test ends before it.
struct Relay {
    child: Child,
    addr: SocketAddr,
}

impl Relay {
    fn start(plan: &Path, to: SocketAddr, more: &[&str]) -> Relay {
        let mut child = Command::new(FAULTWIRE)
            .args(["relay", "--listen", "127.0.0.1:0", "--to", &to.to_string(), "--plan"])
            .arg(plan)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the relay starts");
        let mut line = String::new();
        BufReader::new(child.stderr.take().expect("piped")).read_line(&mut line).expect("a line");
        let told = line.strip_prefix("listening on ").and_then(|rest| rest.split(',').next());
        let addr =
            told.and_then(|addr| addr.parse().ok()).unwrap_or_else(|| panic!("no address in {line:?}"));
        Relay { child, addr }
    }

    /// Ctrl-C; what it said on stdout.
    fn stop(mut self) -> String {
        let kill = format!("kill -INT {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().expect("sh").success());
        let mut said = String::new();
        self.child.stdout.take().expect("piped").read_to_string(&mut said).expect("text");
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0), "{said}");
        said
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It has ended already where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("bind");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    socket
}

fn receive(socket: &UdpSocket) -> String {
    let mut buffer = [0; 100];
    let (len, _) = socket.recv_from(&mut buffer).expect("a datagram within the limit");
    String::from_utf8_lossy(&buffer[..len]).into_owned()
}

fn plan(dir: &tempfile::TempDir, faults: &[(&str, u32, &str)]) -> std::path::PathBuf {
    let mut text = "format = 1\n".to_owned();
    for (direction, nth, action) in faults {
        let packet = format!("{{ class = \"datagram\", nth = {nth} }}");
        text += &format!("[[fault]]\ndirection = \"{direction}\"\npacket = {packet}\naction = {action}\n");
    }
    let path = dir.path().join("plan.toml");
    std::fs::write(&path, text).expect("write");
    path
}

#[test]
fn exactly_the_planned_datagram_is_hit() {
    const UP: &str = "client->server";
    for (faults, expected) in [
        (vec![(UP, 2, "\"drop\"")], "a c d"),
        (vec![(UP, 2, "\"duplicate\"")], "a b b c d"),
        (vec![(UP, 1, "{ hold_for = 2 }")], "b c a d"),
        (vec![(UP, 1, "{ delay_us = 300_000 }")], "b c d a"),
        (vec![(UP, 3, "{ corrupt_bit = 230 }")], "a b d"),
        (vec![(UP, 1, "\"drop\""), (UP, 9, "\"drop\"")], "b c d"),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let (client, server) = (socket(), socket());
        let relay = Relay::start(&plan(&dir, &faults), server.local_addr().expect("address"), &[]);
        for data in ["a", "b", "c", "d"] {
            client.send_to(data.as_bytes(), relay.addr).expect("send");
        }
        let got: Vec<_> = expected.split(' ').map(|_| receive(&server)).collect();
        assert_eq!(got.join(" "), expected, "{faults:?}");
        let said = relay.stop();
        for (index, (_, nth, _)) in faults.iter().enumerate() {
            let word = if *nth == 9 { "did not take place" } else { "took place" };
            assert!(said.contains(&format!("fault {}: {word}: ", index + 1)), "{said}");
        }
    }
}

#[test]
fn python_loses_the_planned_answer_and_the_trace_tells() {
    let found = Command::new("python3").arg("-V").output();
    if let Err(error) = found {
        require::skipped("python3", format_args!("it cannot be started ({error}): install it"));
        return;
    }
    const CLIENT: &str = "
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(3): s.sendto(b'ask %d' % n, ('127.0.0.1', int(sys.argv[1])))
s.settimeout(20)
print(s.recv(100), s.recv(100))";
    const SERVER: &str = "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('127.0.0.1', 0))
print(s.getsockname()[1], flush=True)
while True:
    data, peer = s.recvfrom(100)
    s.sendto(data.upper(), peer)";
    let dir = tempfile::tempdir().expect("a directory");
    let plan = plan(&dir, &[("server->client", 2, "\"drop\"")]);
    let trace = dir.path().join("trace");
    let server = Command::new("python3").args(["-c", SERVER]).stdout(Stdio::piped()).spawn();
    let mut server = server.expect("python3");
    let mut port = String::new();
    BufReader::new(server.stdout.take().expect("piped")).read_line(&mut port).expect("a port");
    let to = SocketAddr::from(([127, 0, 0, 1], port.trim().parse().expect("a port")));
    let capture = dir.path().join("run.pcapng");
    let files = ["--trace", trace.to_str().expect("text"), "--pcapng", capture.to_str().expect("text")];
    let relay = Relay::start(&plan, to, &files);
    let port = relay.addr.port().to_string();
    let client = Command::new("python3").args(["-c", CLIENT, &port]).output().expect("python3");
    let said = relay.stop();
    server.kill().expect("it runs");
    server.wait().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&client.stdout), "b'ASK 0' b'ASK 2'\n");
    assert_eq!(said, "fault 1: took place: drop server->client datagram 2\n1 of 1 took place\n");
    let trace = std::fs::read_to_string(trace).expect("a trace");
    assert!(trace.starts_with("hosts client server\n"), "{trace}");
    assert_eq!(trace.lines().filter(|line| line.contains("drop")).count(), 1, "{trace}");
    let capture = std::fs::read(capture).expect("a capture");
    let mut capture = PcapNgReader::new(&capture[..]).expect("a section");
    let mut entries = [0; 3];
    while let Some(block) = capture.next_block() {
        if let Block::EnhancedPacket(packet) = block.expect("a block") {
            entries[packet.interface_id as usize] += 1;
        }
    }
    // At the client, at the server, lost: three requests, three answers.
    assert_eq!(entries, [5, 6, 1]);
}

/// One in five of the datagrams is lost, one in five damaged, one in five doubled, and all take their time.
#[test]
fn a_drawn_impairment_is_relayed() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("plan.toml");
    let drawn = Command::new(FAULTWIRE)
        .args(["impair", "loss 20% corrupt 20% duplicate 20% delay 5ms", "--packets", "100", "--out"])
        .arg(&path)
        .status();
    assert!(drawn.expect("it starts").success());
    let plan = faultwire::fault::FaultPlan::read(&path).expect("a plan");
    let hit = plan.faults.iter().filter(|fault| fault.direction.from == "client");
    let arrivals = |action: &Action| match action {
        Action::Drop | Action::CorruptBits(_) => 0,
        _ => 2,
    };
    let mut expected = [1; 100];
    for fault in hit {
        expected[fault.packet.nth as usize - 1] = arrivals(&fault.action);
    }
    let (client, server) = (socket(), socket());
    let relay = Relay::start(&path, server.local_addr().expect("address"), &[]);
    for nth in 0..100 {
        client.send_to(format!("{nth}").as_bytes(), relay.addr).expect("send");
    }
    let mut got = [0; 100];
    for _ in 0..expected.iter().sum() {
        got[receive(&server).parse::<usize>().expect("a number")] += 1;
    }
    assert_eq!(got, expected);
    let said = relay.stop();
    let planned = expected.iter().filter(|arrivals| **arrivals != 1).count();
    assert!(said.ends_with(&format!("\n{planned} of {} took place\n", plan.faults.len())), "{said}");
}

#[test]
fn what_cannot_be_relayed_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let good = plan(&dir, &[("client->server", 1, "\"drop\"")]);
    let bad = dir.path().join("bad.toml");
    std::fs::write(&bad, "format = 1\n[[event]]\nkind = \"crash\"\nhost = \"server\"\nat_us = 5\n")
        .expect("write");
    let torn = dir.path().join("torn.toml");
    std::fs::write(&torn, "format = 1\n[[fault]]\n").expect("write");
    let taken = socket();
    let taken = taken.local_addr().expect("address").to_string();
    let missing = dir.path().join("missing.toml");
    let nowhere = dir.path().join("no/such/directory");
    let free = "127.0.0.1:0";
    for (plan, listen, to, more, code, said) in [
        (&missing, free, "127.0.0.1:9", vec![], 2, "missing.toml"),
        (&torn, free, "127.0.0.1:9", vec![], 2, "torn.toml:2:"),
        (
            &good,
            free,
            "127.0.0.1:9",
            vec!["--client", "player"],
            2,
            "plan.toml:3:13: found the host \"client\", expected a host of this run: player or server",
        ),
        (&bad, free, "127.0.0.1:9", vec![], 2, "event 1 of the plan cannot happen on a relay"),
        (&good, free, "127.0.0.1", vec![], 2, "expected `host:port`"),
        (&good, free, "[::1]:9", vec![], 2, "one is IPv4 and the other IPv6"),
        (&good, "127.0.0.1:9", "127.0.0.1:9", vec![], 2, "the relay would send to itself"),
        (&good, taken.as_str(), "127.0.0.1:9", vec![], 1, "another program has that port"),
        (
            &good,
            free,
            "127.0.0.1:9",
            vec!["--trace", nowhere.to_str().expect("text")],
            2,
            "cannot write the trace",
        ),
        (
            &good,
            free,
            "127.0.0.1:9",
            vec!["--pcapng", nowhere.to_str().expect("text")],
            2,
            "cannot write the packets",
        ),
        (
            &good,
            free,
            "127.0.0.1:9",
            vec!["--pcapng", "-", "--seen-by", "player"],
            2,
            "there is no host `player` whose packets could be written; there are: client, server",
        ),
    ] {
        let output = Command::new(FAULTWIRE)
            .args(["relay", "--listen", listen, "--to", to, "--plan"])
            .arg(plan)
            .args(more)
            .output()
            .expect("it starts");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.starts_with("error: ") && error.contains(said), "{said}: {error}");
    }
}

/// A file over the adaptive socket between two processes, with a packet of twenty lost each way.
#[test]
fn a_file_arrives_whole_though_packets_are_lost() {
    let dir = tempfile::tempdir().expect("a directory");
    let (sent, kept) = (dir.path().join("sent"), dir.path().join("kept"));
    let data: Vec<u8> = (0..500_000_u32).map(|at| (at * 11 / 7) as u8).collect();
    std::fs::write(&sent, &data).expect("it is written");
    let mut server = Command::new(FAULTWIRE)
        .args(["serve", "udp-file", "--listen", "127.0.0.1:0", "--into"])
        .arg(&kept)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut line = String::new();
    BufReader::new(server.stderr.take().expect("piped")).read_line(&mut line).expect("a line");
    let told = line.strip_prefix("listening on ").and_then(|rest| rest.split(' ').next());
    let to: SocketAddr = told.and_then(|addr| addr.parse().ok()).expect("an address");
    let faults: Vec<(&str, u32, &str)> = (0..20)
        .flat_map(|nth| {
            let up = ("client->server", 3 + nth * 20 + nth * nth % 13, "\"drop\"");
            [up, ("server->client", 4 + nth * 20 + nth * nth % 11, "\"drop\"")]
        })
        .collect();
    let relay = Relay::start(&plan(&dir, &faults), to, &[]);
    let called = Command::new(FAULTWIRE)
        .args(["call", "udp-file", &relay.addr.to_string(), "--file"])
        .arg(&sent)
        .output()
        .expect("the client starts");
    let said = relay.stop();
    let _ = server.kill();
    let _ = server.wait();
    assert_eq!(called.status.code(), Some(0), "{}", String::from_utf8_lossy(&called.stderr));
    assert!(std::fs::read(&kept).expect("it is there") == data, "other bytes");
    let fired = said.lines().filter(|line| line.contains(": took place: ")).count();
    assert!(fired > 20, "{said}");
}

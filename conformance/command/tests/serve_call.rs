//! `faultwire serve` and `faultwire call` as processes, against each other, `nc` and Python.
//!
//! Where `python3` or `nc` is missing a test says so and is skipped.
#![cfg(unix)]

#[path = "serve_call/process.rs"]
mod process;
#[path = "../../../src/require.rs"]
mod require;

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use process::{FAULTWIRE, Server, call, text};

const PROGRAMS: [&str; 4] = ["tcp-echo", "tcp-reply", "udp-echo", "udp-reply"];

fn port(server: &Server) -> &str {
    server.addr.rsplit(':').next().expect("a port")
}

/// Whether a tool is there; says so if it is not.
fn have(tool: &str, probe: &[&str]) -> bool {
    let found = Command::new(tool).args(probe).stdin(Stdio::null()).output();
    match found {
        Ok(output) if tool != "nc" || text(&output.stderr).contains("[-46CDdFhklNnrStUuvZz]") => true,
        Ok(_) => {
            require::skipped(tool, "only OpenBSD's has the option -N: install netcat-openbsd");
            false
        }
        Err(error) => {
            require::skipped(tool, format_args!("it cannot be started ({error}): install it"));
            false
        }
    }
}

/// Runs a Python script with arguments; what it printed.
fn python(script: &str, args: &[&str]) -> String {
    let output = Command::new("python3").args(["-c", script]).args(args).output().expect("python3");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn each_server_answers_its_client_and_ends_on_a_signal() {
    for (program, signal) in PROGRAMS.into_iter().zip(["INT", "TERM", "INT", "TERM"]) {
        let server = Server::serve(program, &[]);
        let called = call(&[program, &server.addr, "--message", "good morning", "--count", "3"]);
        let said = text(&called.stdout);
        assert_eq!(called.status.code(), Some(0), "{said}{}", text(&called.stderr));
        assert_eq!(said.lines().count(), 4, "{said}");
        assert!(said.starts_with("1: 12 bytes answered in "), "{said}");
        assert!(said.ends_with("3 of 3 answered\n"), "{said}");
        assert!(text(&called.stderr).is_empty());
        let told = server.stop(signal);
        assert!(told.starts_with("served 1 clients: 3 messages, "), "{program}: {told}");
    }
}

#[test]
fn python_clients_talk_to_each_server() {
    if !have("python3", &["-V"]) {
        return;
    }
    const TCP: &str = "
import socket, sys
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 20)
s.sendall(b'one\\ntwo\\n')
s.shutdown(socket.SHUT_WR)
got = b''
while data := s.recv(100): got += data
print(got)";
    const UDP: &str = "
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
for text in b'one', b'', b'two':
    s.sendto(text, ('127.0.0.1', int(sys.argv[1])))
    print(s.recvfrom(100)[0])";
    for (program, script, expected) in [
        ("tcp-echo", TCP, "b'one\\ntwo\\n'\n"),
        ("tcp-reply", TCP, "b'ACK\\nACK\\n'\n"),
        ("udp-echo", UDP, "b'one'\nb''\nb'two'\n"),
        ("udp-reply", UDP, "b'ACK\\n'\nb'ACK\\n'\nb'ACK\\n'\n"),
    ] {
        let server = Server::serve(program, &[]);
        assert_eq!(python(script, &[port(&server)]), expected, "{program}");
        server.stop("INT");
    }
}

#[test]
fn nc_talks_to_each_server() {
    if !have("nc", &["-h"]) {
        return;
    }
    for (program, args, expected) in [
        ("tcp-echo", ["-N", "-w20"], "one\ntwo\n"),
        ("tcp-reply", ["-N", "-w20"], "ACK\nACK\n"),
        // Over UDP nc ends when nothing has come for a second.
        ("udp-echo", ["-u", "-w1"], "one\ntwo\n"),
        ("udp-reply", ["-u", "-w1"], "ACK\n"),
    ] {
        let server = Server::serve(program, &[]);
        let mut nc = Command::new("nc")
            .args(args)
            .args(["127.0.0.1", port(&server)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("nc");
        nc.stdin.take().expect("piped").write_all(b"one\ntwo\n").expect("nc reads");
        let output = nc.wait_with_output().expect("nc ends");
        assert_eq!(text(&output.stdout), expected, "{program}");
        server.stop("TERM");
    }
}

#[test]
fn call_talks_to_python_servers() {
    if !have("python3", &["-V"]) {
        return;
    }
    // Ten lines each; the port goes to stderr in the words that our own servers use.
    const TCP: &str = "
import socket, sys
s = socket.create_server(('127.0.0.1', 0))
print('listening on 127.0.0.1:%d' % s.getsockname()[1], file=sys.stderr, flush=True)
while True:
    c, _ = s.accept()
    for line in c.makefile('rb'): c.sendall(line if sys.argv[1] == 'tcp-echo' else b'ACK\\n')
    c.close()";
    const UDP: &str = "
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('127.0.0.1', 0))
print('listening on 127.0.0.1:%d' % s.getsockname()[1], file=sys.stderr, flush=True)
while True:
    data, peer = s.recvfrom(100)
    s.sendto(data if sys.argv[1] == 'udp-echo' else b'ACK\\n', peer)";
    for program in PROGRAMS {
        let script = if program.starts_with("tcp") { TCP } else { UDP };
        let server = Server::start(Command::new("python3").args(["-c", script, program]));
        // The TCP one reads lines; over UDP the newline is a byte as any other.
        let message = if program == "tcp-echo" { "a line\n" } else { "a line" };
        let called = call(&[program, &server.addr, "--message", message, "--count", "2"]);
        assert_eq!(called.status.code(), Some(0), "{program}: {}", text(&called.stderr));
    }
}

#[test]
fn many_clients_are_served_at_once() {
    let server = Server::serve("tcp-echo", &["--max-clients", "40"]);
    let clients: Vec<Child> = (0..20)
        .map(|_| {
            let args = ["call", "tcp-echo", &server.addr, "--count", "20"];
            Command::new(FAULTWIRE).args(args).stdout(Stdio::null()).spawn().expect("a client starts")
        })
        .collect();
    for mut client in clients {
        assert_eq!(client.wait().expect("it ends").code(), Some(0));
    }
    let said = server.stop("INT");
    assert!(said.starts_with("served 20 clients: 400 messages, 2000 bytes"), "{said}");
}

#[test]
fn one_address_shuts_no_other_out_even_where_descriptors_are_few() {
    let shell = format!("ulimit -n 64; exec {FAULTWIRE} serve tcp-echo --listen 127.0.0.1:0");
    let server = Server::start(Command::new("sh").args(["-c", &shell]));
    let held: Vec<_> = (0..60).map_while(|_| std::net::TcpStream::connect(&server.addr).ok()).collect();
    assert_eq!(held.len(), 60);
    let other = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    other.bind(&SocketAddr::from(([127, 0, 0, 2], 0)).into()).expect("bind");
    other.connect(&server.addr.parse::<SocketAddr>().expect("an address").into()).expect("connect");
    let mut other = std::net::TcpStream::from(other);
    other.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    other.write_all(b"here\n").expect("write");
    let mut answer = [0; 5];
    other.read_exact(&mut answer).expect("it is served");
    assert_eq!(&answer, b"here\n");
}

#[test]
fn an_idle_connection_is_closed() {
    let server = Server::serve("tcp-reply", &["--idle-timeout", "0.05"]);
    let mut stream = std::net::TcpStream::connect(&server.addr).expect("connect");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    // It tries again where a signal interrupts it.
    assert_eq!(stream.read_to_end(&mut Vec::new()).expect("the end, not a timeout"), 0);
    let said = server.stop("INT");
    assert!(said.ends_with("closed as idle 1, refused 0\n"), "{said}");
}

#[test]
fn failures_say_what_where_why_and_what_to_do() {
    let taken = Server::serve("udp-echo", &[]);
    let free = {
        // Bound and let go: nobody has it for the moment.
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        socket.local_addr().expect("address").to_string()
    };
    let wrong_server = Server::serve("udp-reply", &[]);
    for (args, code, said) in [
        (
            vec!["call", "tcp-echo", &free],
            1,
            "no program listens there: start the server, or check address and port",
        ),
        (
            vec!["call", "udp-echo", &free],
            1,
            "no program listens there: start the server, or check address and port",
        ),
        (
            vec!["call", "udp-echo", &wrong_server.addr],
            1,
            "answered `ACK\\n` (4 bytes), expected `hello` (5 bytes)",
        ),
        (vec!["call", "udp-echo", "no-such-host.invalid:1"], 1, "cannot find `no-such-host.invalid`"),
        (vec!["call", "udp-echo", "127.0.0.1"], 2, "expected `host:port`"),
        (vec!["call", "tcp-reply", &free, "--count", "0"], 2, "--count"),
        (vec!["call", "tcp-reply", &free, "--timeout", "-1"], 2, "--timeout"),
        (vec!["call", "udp-reply", &taken.addr, "--message", "ACK\n"], 2, "a reply server never answers"),
        (vec!["call", "quic-echo", &free], 2, "tcp-echo, tcp-reply, udp-echo, udp-reply"),
        (vec!["serve", "udp-reply", "--listen", &taken.addr], 1, "another program has that port"),
        (vec!["serve", "tcp-echo", "--listen", "192.0.2.1:0"], 1, "this machine does not have that address"),
        (vec!["serve", "tcp-echo", "--listen", "10000"], 2, "expected `host:port`"),
        (vec!["serve", "tcp-echo", "--max-clients", "0"], 2, "--max-clients"),
    ] {
        let output = Command::new(FAULTWIRE).args(&args).output().expect("it starts");
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {error}");
        assert!(error.starts_with("error: ") && error.contains(said), "{args:?}: {error}");
        assert!(output.stdout.is_empty(), "{args:?}: {}", text(&output.stdout));
    }
}

#[test]
fn a_udp_client_counts_what_was_not_answered() {
    // A socket that never answers.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("bind");
    let addr = silent.local_addr().expect("address").to_string();
    let called = call(&["udp-reply", &addr, "--count", "2", "--timeout", "0.05"]);
    assert_eq!(called.status.code(), Some(1));
    let said = text(&called.stdout);
    assert!(said.starts_with(&format!("1: no answer from {addr} within 0.05 s: ")), "{said}");
    assert!(said.ends_with("0 of 2 answered\n"), "{said}");
}

#[test]
fn a_file_arrives_as_it_was_sent() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, kept) = (dir.path().join("sent"), dir.path().join("kept"));
    let (path, kept) = (path.to_str().expect("text"), kept.to_str().expect("text"));
    for program in ["tcp-file", "udp-file"] {
        let server = Server::serve(program, &["--into", kept]);
        // The second is shorter: nothing of the first is left.
        for len in [300_000_u32, 70_001] {
            let data: Vec<u8> = (0..len).map(|at| (at * 7 / 3) as u8).collect();
            std::fs::write(path, &data).expect("it is written");
            let called = call(&[program, &server.addr, "--file", path]);
            let said = text(&called.stdout);
            assert_eq!(called.status.code(), Some(0), "{said}{}", text(&called.stderr));
            assert!(said.starts_with(&format!("{len} bytes arrived as they were sent, in ")), "{said}");
            assert!(std::fs::read(kept).expect("it is there") == data, "{program}: other bytes");
        }
        let told = server.stop("INT");
        assert!(told.starts_with("served 2 clients: 2 messages, 370001 bytes"), "{program}: {told}");
    }
    for program in ["tcp-file", "udp-file"] {
        assert_eq!(call(&[program, "127.0.0.1:1"]).status.code(), Some(2), "without a file");
        assert_eq!(call(&[program, "127.0.0.1:1", "--file", "/no/such"]).status.code(), Some(2));
    }
}

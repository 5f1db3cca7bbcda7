//! `faultwire serve tcp-file` and `udp-file` against clients that stop, lie and fill the disk.
#![cfg(unix)]

#[path = "serve_call/process.rs"]
mod process;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use faultwire::adaptive::{AdaptiveSocket, Config, Delivery};
use faultwire::network::os::OsNetwork;
use process::{FAULTWIRE, Server, call, text};

const PROGRAMS: [&str; 2] = ["tcp-file", "udp-file"];

/// A folder with a file to send and one that was kept before.
struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new() -> Home {
        let home = Home { dir: tempfile::tempdir().expect("a folder") };
        fs::write(home.kept(), "kept before").expect("written");
        home
    }

    fn kept(&self) -> PathBuf {
        self.dir.path().join("kept")
    }

    fn serve(&self, program: &str, more: &[&str]) -> Server {
        let kept = self.kept();
        let into = ["--into", kept.to_str().expect("text")];
        Server::serve(program, &[&into, more].concat())
    }

    /// Sends that many bytes; whether they arrived.
    fn send(&self, program: &str, addr: &str, len: usize) -> bool {
        let path = self.dir.path().join("sent");
        fs::write(&path, vec![b'x'; len]).expect("written");
        call(&[program, addr, "--file", path.to_str().expect("text")]).status.success()
    }

    /// What is kept; there must be nothing beside it.
    fn has(&self) -> Vec<u8> {
        let mut names: Vec<_> = fs::read_dir(self.dir.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .filter(|name| name != "sent")
            .collect();
        names.sort();
        assert_eq!(names, ["kept"]);
        fs::read(self.kept()).expect("it is there")
    }
}

/// A client that has announced 1000 bytes and sent none of them, and stays.
enum Announcer {
    Tcp(TcpStream),
    Udp(tokio::runtime::Runtime, Box<AdaptiveSocket<OsNetwork>>, faultwire::adaptive::PeerId),
}

impl Announcer {
    fn announce(program: &str, addr: &str) -> Announcer {
        let head = [&b"FWFILE01"[..], &1_000_u64.to_be_bytes()].concat();
        if program == "tcp-file" {
            let mut stream = TcpStream::connect(addr).expect("connected");
            stream.write_all(&head).expect("sent");
            return Announcer::Tcp(stream);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (socket, peer) = runtime.block_on(async {
            let net = OsNetwork::new();
            let config = Config::default().with_seed(OsNetwork::random_seed());
            let mut socket = AdaptiveSocket::bind(&net, "127.0.0.1:0", config).await.expect("bound");
            let peer = socket.connect(addr).await.expect("connected");
            socket.send(peer, head, Delivery::RELIABLE.in_stream(0)).await.expect("sent");
            socket.flush(peer).await.expect("it has it");
            (socket, peer)
        });
        Announcer::Udp(runtime, Box::new(socket), peer)
    }

    /// Goes away, and waits until the server has seen it.
    fn leave(self) {
        match self {
            Announcer::Tcp(mut stream) => {
                stream.shutdown(std::net::Shutdown::Write).expect("closed");
                // The end, or a reset.
                let _ = stream.read(&mut [0; 1]);
            }
            Announcer::Udp(runtime, mut socket, peer) => {
                runtime.block_on(socket.close(peer)).expect("it is closed");
            }
        }
    }
}

/// Waits until there is a second name in the folder: the file that is coming.
#[expect(clippy::disallowed_methods, reason = "the server is a process of its own, in real time")]
fn wait_until_it_comes(home: &Home) {
    for _ in 0..2_000 {
        if fs::read_dir(home.dir.path()).expect("a folder").count() > 1 {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no file comes");
}

#[test]
fn what_is_kept_stays_until_another_file_is_whole() {
    for program in PROGRAMS {
        let home = Home::new();
        let server = home.serve(program, &[]);
        let announcer = Announcer::announce(program, &server.addr);
        wait_until_it_comes(&home);
        assert_eq!(fs::read(home.kept()).expect("it is there"), b"kept before", "{program}");
        announcer.leave();
        // One is let go and another is taken; then nothing is left of the first.
        assert!(home.send(program, &server.addr, 500), "{program}");
        assert_eq!(home.has(), [b'x'; 500], "{program}");
        let told = server.stop("TERM");
        assert!(told.contains("1 messages, 500 bytes; closed as idle 0, refused 1"), "{program}: {told}");
    }
}

#[test]
fn a_client_that_stays_keeps_no_other_out_and_a_signal_leaves_no_part_of_a_file() {
    for (program, signal) in PROGRAMS.into_iter().flat_map(|program| [(program, "TERM"), (program, "INT")]) {
        let home = Home::new();
        let server = home.serve(program, &[]);
        let announcer = Announcer::announce(program, &server.addr);
        wait_until_it_comes(&home);
        assert!(home.send(program, &server.addr, 70_000), "{program}");
        server.stop(signal);
        assert_eq!(home.has(), [b'x'; 70_000], "{program}");
        drop(announcer);
    }
}

#[test]
fn a_file_that_is_too_long_is_refused_and_the_next_is_taken() {
    for program in PROGRAMS {
        let home = Home::new();
        let server = home.serve(program, &["--max-bytes", "1000"]);
        assert!(!home.send(program, &server.addr, 1_001), "{program}");
        assert_eq!(home.has(), b"kept before", "{program}");
        assert!(home.send(program, &server.addr, 1_000), "{program}");
        assert_eq!(home.has().len(), 1_000, "{program}");
        server.stop("INT");
    }
}

/// The system lets the server write files of 64 KiB, which is to a program what a full disk is: its write
/// fails.
#[test]
fn a_full_disk_ends_the_file_and_not_the_server() {
    for program in PROGRAMS {
        let home = Home::new();
        let script = "trap '' XFSZ; ulimit -f 128; exec \"$@\"";
        let kept = home.kept();
        let server =
            Server::start(Command::new("sh").args(["-c", script, "sh", FAULTWIRE, "serve", program]).args([
                "--listen",
                "127.0.0.1:0",
                "--into",
                kept.to_str().expect("text"),
            ]));
        assert!(!home.send(program, &server.addr, 300_000), "{program}");
        assert!(home.send(program, &server.addr, 30_000), "{program}");
        assert_eq!(home.has().len(), 30_000, "{program}");
        server.stop("TERM");
    }
}

#[test]
fn a_place_where_nothing_can_be_kept_is_refused_at_once() {
    let home = Home::new();
    let dir = home.dir.path().to_str().expect("text").to_owned();
    for program in PROGRAMS {
        for into in [&*dir, "/no/such/folder/file", ""] {
            let args = ["serve", program, "--listen", "127.0.0.1:0", "--into", into];
            // It would serve until it is stopped.
            let output =
                Command::new("timeout").arg("20").arg(FAULTWIRE).args(args).output().expect("it starts");
            let error = text(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{program} {into:?}: {error}");
            assert!(error.contains("--into"), "{program} {into:?}: {error}");
        }
    }
}

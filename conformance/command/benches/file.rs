//! A file of 10 MB between two processes while one packet in twenty is lost: over the adaptive socket and
//! over the kernel's TCP in the lab, each under the same plans; and over the adaptive socket through the
//! relay. All bytes are compared.
//!
//! `cargo bench -p faultwire-command --bench file`, about ten minutes. `FAULTWIRE_FILE_ROUNDS` is the
//! number of plans (5), and `FAULTWIRE_FILE_MB` the length. The goodputs are medians, with the least and the
//! most beside them; ratios are taken within each round. Where the machine refuses a lab, or a control of
//! congestion, it says so.
#![expect(clippy::print_stdout, reason = "a benchmark tells its figures")]

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use faultwire::fault::{Chance, Draw, Impairment, LinkNumbers, Loss, Share};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const FAULTWIRE: &str = env!("CARGO_BIN_EXE_faultwire");

/// The percentage of packets lost each way.
const LOST_PERCENT: u32 = 5;

/// One-way delays, in microseconds.
const DELAYS_US: [u64; 2] = [1_000, 10_000];

/// The kernel's controls of congestion that are tried.
const CONTROLS: [&str; 2] = ["reno", "bbr"];

fn main() -> Result<()> {
    let number = |name: &str, default| std::env::var(name).map_or(Ok(default), |value| value.parse());
    let (rounds, megabytes) = (number("FAULTWIRE_FILE_ROUNDS", 5)?, number("FAULTWIRE_FILE_MB", 10)?);
    let bench = Bench::new(megabytes * 1_000_000)?;
    println!(
        "{megabytes} MB, {LOST_PERCENT} % of the packets lost each way, {rounds} plans; Mbit/s, median \
         (least to most)"
    );
    for delay_us in DELAYS_US {
        println!("\n{} ms one way", delay_us as f64 / 1_000.0);
        bench.delay(delay_us, rounds)?;
    }
    Ok(())
}

/// What all transfers have in common.
struct Bench {
    dir: tempfile::TempDir,
    data: Vec<u8>,
}

impl Bench {
    fn new(bytes: u64) -> Result<Bench> {
        let bench = Bench {
            dir: tempfile::tempdir()?,
            data: (0..bytes / 4)
                .flat_map(|number| (number as u32).wrapping_mul(2_654_435_761).to_be_bytes())
                .collect(),
        };
        fs::write(bench.path("file"), &bench.data)?;
        Ok(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// All subjects under each of the plans in turn.
    fn delay(&self, delay_us: u64, rounds: u64) -> Result<()> {
        let mut lossy = Impairment::default();
        lossy.loss = Some(Loss::Random(Chance { share: Share::percent(LOST_PERCENT), ..Chance::default() }));
        let mut lab: Vec<f64> = Vec::new();
        let mut tcp = CONTROLS.map(|_| Vec::new());
        let mut relay: Vec<f64> = Vec::new();
        for seed in 1..=rounds {
            // A few more packets than a file without repeats has, as each loss makes another one.
            let packets = u32::try_from(self.data.len() / 1_000)? + 2_000;
            let plan = lossy.plan(&Draw::new(seed, packets))?;
            let link = LinkNumbers { delay_us, ..plan.link.numbers() };
            fs::write(self.path("plan.toml"), plan.link(link).to_toml())?;
            let Some(adaptive) = self.in_lab("udp-file", "true")? else { break };
            lab.push(adaptive);
            for (control, seen) in CONTROLS.iter().zip(&mut tcp) {
                let setting = "/proc/sys/net/ipv4/tcp_congestion_control";
                // The client is the side that sends.
                let set = format!("echo {control} > {setting} && [ $(cat {setting}) = {control} ]");
                seen.extend(self.in_lab("tcp-file", &set)?);
            }
            relay.push(self.through_relay()?);
        }
        say("adaptive socket, in the lab", &lab);
        for (control, seen) in CONTROLS.iter().zip(&tcp) {
            say(&format!("TCP with {control}, in the lab"), seen);
            let ratios: Vec<f64> = lab.iter().zip(seen).map(|(ours, theirs)| ours / theirs).collect();
            say(&format!("  adaptive / {control}"), &ratios);
        }
        say("adaptive socket, by the relay", &relay);
        Ok(())
    }

    /// The goodput of a transfer in the lab; none where the lab, or the setting before it, is refused.
    fn in_lab(&self, program: &str, before: &str) -> Result<Option<f64>> {
        let (got, file) = (self.path("got"), self.path("file"));
        let _ = fs::remove_file(&got);
        let server = format!(
            "{FAULTWIRE} serve {program} --listen 0.0.0.0:7000 --into {} --datagram 1472",
            got.display()
        );
        let client = format!(
            "{{ {before}; }} 2>/dev/null || exit 77; {FAULTWIRE} call {program} {{server}}:7000 --file {} \
             --datagram 1472 --timeout 60",
            file.display()
        );
        let output = Command::new(FAULTWIRE)
            .args(["lab", "--timeout", "1800", "--server", &server, "--client", &client, "--plan"])
            .arg(self.path("plan.toml"))
            .stdin(Stdio::null())
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.code() {
            Some(0) => self.goodput(&said, &got).map(Some),
            Some(3 | 77) => {
                println!("skipped: {program}, {before}: {}", String::from_utf8_lossy(&output.stderr).trim());
                Ok(None)
            }
            _ => Err(format!("{program}: {said}{}", String::from_utf8_lossy(&output.stderr)).into()),
        }
    }

    /// The goodput of a transfer over the adaptive socket through the relay.
    fn through_relay(&self) -> Result<f64> {
        let got = self.path("got");
        let _ = fs::remove_file(&got);
        let into = got.display().to_string();
        let server = Running::start(&[
            "serve",
            "udp-file",
            "--listen",
            "127.0.0.1:0",
            "--into",
            &into,
            "--datagram",
            "1472",
        ])?;
        let plan = self.path("plan.toml").display().to_string();
        let relay =
            Running::start(&["relay", "--plan", &plan, "--listen", "127.0.0.1:0", "--to", &server.addr])?;
        let file = self.path("file").display().to_string();
        let output = Command::new(FAULTWIRE)
            .args(["call", "udp-file", &relay.addr, "--file", &file, "--datagram", "1472", "--timeout", "60"])
            .output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            return Err(format!("by the relay: {said}{}", String::from_utf8_lossy(&output.stderr)).into());
        }
        self.goodput(&said, &got)
    }

    /// The goodput that the client tells, once the bytes are compared.
    fn goodput(&self, said: &str, got: &Path) -> Result<f64> {
        if fs::read(got)? != self.data {
            return Err("other bytes arrived than were sent".into());
        }
        let told = said.split_once(" s: ").and_then(|(_, rest)| rest.split_once(" Mbit/s"));
        Ok(told.ok_or("the client told no goodput")?.0.parse()?)
    }
}

/// A server or a relay, until the end of a transfer.
struct Running {
    child: Child,
    addr: String,
}

impl Running {
    fn start(args: &[&str]) -> Result<Running> {
        let mut child =
            Command::new(FAULTWIRE).args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let stderr = child.stderr.take().ok_or("its stderr is piped")?;
        BufReader::new(stderr).read_line(&mut line)?;
        let addr = line.strip_prefix("listening on ").and_then(|rest| rest.split([',', ' ']).next());
        let addr = addr.map(str::to_owned);
        let running = Running { child, addr: addr.clone().unwrap_or_default() };
        if addr.is_none() {
            return Err(format!("it does not listen: {line}").into());
        }
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(name: &str, values: &[f64]) {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    match (values.first(), values.get(values.len() / 2), values.last()) {
        (Some(least), Some(median), Some(most)) => {
            println!("{name:<32} {median:>8.2} ({least:.2} to {most:.2})")
        }
        _ => println!("{name:<32} not measured"),
    }
}

//! What `faultwire lab` does: two hosts, the wire between them, a server and a client.

use std::fs::File;
use std::io::{
    self, BufRead as _, BufReader, IsTerminal as _, PipeReader, PipeWriter, Read as _, Write as _,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire::lab::{DeviceKind, End, Forwarder, HostConfig, KernelHost, Lab, LabError, LabHost, Program};

use super::Args;
use crate::command::capture::Subject;
use crate::command::live::{Failure, failed, tell, usage};
use crate::command::relay::{capture, took_place, write, write_capture};
use crate::exit;

/// How long the server may take until it listens, and how long it may take to end.
const LISTEN_LIMIT: Duration = Duration::from_secs(10);
const END_LIMIT: Duration = Duration::from_secs(2);
/// How long the output of a program that has ended is waited for.
const OUTPUT_LIMIT: Duration = Duration::from_secs(1);
/// How often it is looked whether the server listens.
const LOOK: Duration = Duration::from_millis(10);
/// A longer line of output is broken, in bytes.
const LINE_MAX: u64 = 8_192;

/// The exit code of timeout(1) for a command that took too long.
const TOO_LONG: u8 = 124;

const CLIENT: (Ipv4Addr, Ipv6Addr) = (Ipv4Addr::new(10, 0, 0, 1), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1));
const SERVER: (Ipv4Addr, Ipv6Addr) = (Ipv4Addr::new(10, 0, 0, 2), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2));

/// The command by which the lab's helper is started: this binary again.
pub(super) fn helper() -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("lab-helper");
    Ok(command)
}

/// Makes a lab, and says how its host meets the wire; or what is refused.
pub(super) fn probe() -> Result<&'static str, String> {
    let helper = helper().map_err(|error| format!("this program cannot be started again: {error}"))?;
    let (_lab, hosts) = Lab::start(helper, &[HostConfig::new(CLIENT.0, CLIENT.1)], None)
        .map_err(|error| with_cause(&error))?;
    Ok(match hosts.first().map(|made| made.kind) {
        Some(DeviceKind::Tun) => "through a TUN device",
        _ => "through a pair of Ethernet devices and a packet socket (/dev/net/tun is not for this user)",
    })
}

/// Runs both, and gives the client's exit code.
pub(super) fn run(args: &Args) -> Result<u8, Failure> {
    let plan = match &args.plan {
        Some(path) => FaultPlan::read(path).map_err(usage)?,
        None => FaultPlan::default(),
    };
    let configs = [CLIENT, SERVER].map(|(v4, v6)| {
        let mut config = HostConfig::new(v4, v6);
        config.mtu = plan.link.numbers().mtu;
        config
    });
    if args.ipv6 && plan.link.numbers().mtu < 1280 {
        return Err(usage(
            "a link whose mtu is below 1280 has no IPv6: leave --ipv6 away, or raise the plan's mtu",
        ));
    }
    let capture = capture(args.pcapng.as_deref())?;
    let (lab, hosts) = Lab::start(helper().map_err(failed)?, &configs, None).map_err(refused)?;
    let Ok([client, server]) = <[LabHost; 2]>::try_from(hosts) else {
        return Err(failed("the lab has made other hosts than it was asked for"));
    };
    let ends = [("client", End::Device(client.device)), ("server", End::Device(server.device))];
    let forwarder = Forwarder::start(&plan, ends).map_err(usage)?;
    let code = pair(args, &client.host, &server.host)?;

    if args.plan.is_some() {
        took_place(&plan, &forwarder.fired())?;
    }
    warn(&forwarder, &[("client", &client.host), ("server", &server.host)]);
    if let Some(path) = &args.trace {
        write(path, &forwarder.trace().text())?;
    }
    if let Some(capture) = capture {
        let what = format!("faultwire lab: {} to {}", args.client, args.server);
        write_capture(capture, &forwarder.trace(), Subject { what: &what, plan: &plan })?;
    }
    drop((forwarder, lab));
    Ok(code)
}

/// A lab that is refused is a testbed that is not to be had.
fn refused(error: LabError) -> Failure {
    let code = if matches!(error, LabError::Refused(_)) { exit::NO_TESTBED } else { exit::INTERNAL };
    Failure { code, message: with_cause(&error) }
}

/// What a call inside the lab has for an error.
fn broken(error: LabError) -> Failure {
    failed(with_cause(&error))
}

fn with_cause(error: &LabError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Runs the server and the client; gives the exit code for the client.
fn pair(args: &Args, client: &KernelHost, server: &KernelHost) -> Result<u8, Failure> {
    let mut serving = Shown::start(server, "server", args, &args.server)?;
    let mut waited = Duration::ZERO;
    while !server.is_listening().map_err(broken)? {
        if let Some(status) = serving.program.wait(LOOK).map_err(broken)? {
            serving.finish_output();
            return Err(failed(format_args!("the server ended before it listened: {status}")));
        }
        waited += LOOK;
        if waited >= LISTEN_LIMIT {
            serving.end()?;
            let seconds = LISTEN_LIMIT.as_secs();
            return Err(failed(format_args!("the server does not listen, {seconds} s after its start")));
        }
    }
    let mut calling = Shown::start(client, "client", args, &args.client)?;
    let code = match calling.program.wait(args.timeout).map_err(broken)? {
        Some(status) => {
            calling.finish_output();
            exit_code(status)
        }
        None => {
            tell(format_args!("the client took longer than {:?}: it is killed", args.timeout));
            calling.program.kill().map_err(broken)?;
            calling.end()?;
            TOO_LONG
        }
    };
    serving.end()?;
    Ok(code)
}

/// As a shell gives it.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::INTERNAL)
}

/// A program whose output is shown, each line with its host's name in front.
#[derive(Debug)]
struct Shown {
    name: &'static str,
    program: Program,
    /// Each of its two streams says so when it is at its end.
    ends: mpsc::Receiver<()>,
}

impl Shown {
    fn start(host: &KernelHost, name: &'static str, args: &Args, line: &str) -> Result<Shown, Failure> {
        let addr =
            |(v4, v6): (Ipv4Addr, Ipv6Addr)| -> IpAddr { if args.ipv6 { v6.into() } else { v4.into() } };
        let (client, server) = (addr(CLIENT).to_string(), addr(SERVER).to_string());
        let line = line.replace("{client}", &client).replace("{server}", &server);
        let environment = [("FAULTWIRE_CLIENT".to_owned(), client), ("FAULTWIRE_SERVER".to_owned(), server)];
        let (said, stdout) = io::pipe().map_err(failed)?;
        let (complained, stderr) = io::pipe().map_err(failed)?;
        // The client gets what is piped into this command. A terminal belongs to one program only: this one.
        let nothing = File::open("/dev/null").map_err(failed)?;
        let own = io::stdin();
        let stdin = if name == "client" && !own.is_terminal() { own.as_fd() } else { nothing.as_fd() };
        let program =
            host.start(&line, &environment, [stdin, stdout.as_fd(), stderr.as_fd()]).map_err(broken)?;
        drop::<[PipeWriter; 2]>([stdout, stderr]);
        let (end, ends) = mpsc::channel();
        show(said, name, end.clone(), || Box::new(io::stdout()))?;
        show(complained, name, end, || Box::new(io::stderr()))?;
        Ok(Shown { name, program, ends })
    }

    /// Waits for the rest of its output. Something that it has left behind may keep it open.
    fn finish_output(&mut self) {
        for _ in 0..2 {
            let _ = self.ends.recv_timeout(OUTPUT_LIMIT);
        }
    }

    /// Asks it to end; kills it where it does not.
    fn end(&mut self) -> Result<(), Failure> {
        self.program.terminate().map_err(broken)?;
        if self.program.wait(END_LIMIT).map_err(broken)?.is_none() {
            tell(format_args!("the {} does not end when it is asked to: it is killed", self.name));
            self.program.kill().map_err(broken)?;
            self.program.wait(END_LIMIT).map_err(broken)?;
        }
        self.finish_output();
        Ok(())
    }
}

/// Copies a stream line by line, in a thread of its own.
fn show(
    from: PipeReader,
    name: &'static str,
    end: mpsc::Sender<()>,
    to: fn() -> Box<dyn io::Write>,
) -> Result<(), Failure> {
    let copy = move || {
        let mut lines = BufReader::new(from);
        let mut line = Vec::new();
        while matches!(lines.by_ref().take(LINE_MAX).read_until(b'\n', &mut line), Ok(1..)) {
            let mut shown = format!("{name} | ").into_bytes();
            shown.append(&mut line);
            if shown.last() != Some(&b'\n') {
                shown.push(b'\n');
            }
            // A reader that has gone away has seen enough; the program is not to notice.
            let _ = to().write_all(&shown);
        }
        let _ = end.send(());
    };
    thread::Builder::new().spawn(copy).map(drop).map_err(failed)
}

/// Says what was lost outside of the plan.
fn warn(forwarder: &Forwarder, hosts: &[(&str, &KernelHost)]) {
    match forwarder.stats() {
        Err(error) => tell(format_args!("warning: a device does not tell what it had no room for: {error}")),
        Ok(stats) => {
            for (count, what) in [
                (stats.not_handed_on, "packets were not taken by a host: lost outside of the plan"),
                (stats.unread, "packets of a host came too fast: lost outside of the plan"),
                (stats.untraced, "events are missing at the end of the trace: it is full"),
            ] {
                if count > 0 {
                    tell(format_args!("warning: {count} {what}"));
                }
            }
        }
    }
    for (name, host) in hosts {
        match host.counters() {
            Err(error) => tell(format_args!("warning: the {name} does not tell what was lost: {error}")),
            Ok(counters) if counters.lost() > 0 => tell(format_args!(
                "warning: {} packets were lost in the {name}'s own device, outside of the plan",
                counters.lost()
            )),
            Ok(_) => {}
        }
    }
}

//! `faultwire call`: a client on real sockets.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use faultwire::network::os::OsNetwork;
use faultwire::program::{ClientError, file, tcp, udp};
use faultwire_conformance::exit;

use super::error::{CommandError, about_address, usage};
use super::live::{self, Program};
use super::output::result;

/// Send messages, or a file, to a server and check its answers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Over UDP each message is sent once: what is lost is reported, not repeated. udp-file goes over the
adaptive socket, which repeats what is lost; tcp-file over the system's TCP.

Exit: 0 every message was answered as it must be, 1 one was not, 2 wrong usage.")]
pub(super) struct Args {
    /// Which kind of server is called
    program: Program,
    /// Where it listens, such as 127.0.0.1:10000 or localhost:10000
    address: String,
    /// What to send
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    message: String,
    /// How often
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=1_000_000),
    )]
    count: u32,
    /// How long to wait for the connection, and for each answer
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "5",
        value_parser = live::seconds,
        allow_negative_numbers = true,
    )]
    timeout: Duration,
    /// tcp-file and udp-file: the file to send
    #[arg(long, value_name = "FILE", required_if_eq_any([("program", "tcp-file"), ("program", "udp-file")]))]
    file: Option<PathBuf>,
    /// udp-file: the longest datagram that is sent, in bytes
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 1200,
        value_parser = clap::value_parser!(u16).range(256..=65_507),
    )]
    datagram: u16,
}

/// The longest file, in bytes: it is kept in memory.
const FILE_MAX: u64 = 1 << 30;

/// Calls the server.
pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    live::run(call(args))
}

async fn call(args: &Args) -> Result<u8, CommandError> {
    if let (Program::TcpFile | Program::UdpFile, Some(path)) = (args.program, &args.file) {
        return send(args, path).await;
    }
    let net = OsNetwork::new();
    let message = args.message.as_bytes();
    let mut answered = 0;
    match args.program {
        Program::TcpEcho | Program::TcpReply => {
            let connected = tcp::Client::connect(&net, &args.address, args.timeout).await;
            let mut client = connected.map_err(failure)?;
            for number in 1..=args.count {
                let taken = match args.program {
                    Program::TcpEcho => client.echo(message).await,
                    _ => client.ask(message).await,
                };
                told(number, message.len(), &taken.map_err(failure)?)?;
                answered += 1;
            }
            client.finish().await.map_err(failure)?;
        }
        Program::UdpEcho | Program::UdpReply => {
            let opened = udp::Client::connect(&net, &args.address, args.timeout).await;
            let mut client = opened.map_err(failure)?;
            for number in 1..=args.count {
                let taken = match args.program {
                    Program::UdpEcho => client.echo(message).await,
                    _ => client.ask(message).await,
                };
                match taken {
                    Ok(taken) => {
                        told(number, message.len(), &taken)?;
                        answered += 1;
                    }
                    Err(error) if error.is_no_answer() => result(format_args!("{number}: {error}"))?,
                    Err(error) => return Err(failure(error)),
                }
            }
            if client.stale() > 0 {
                result(format_args!("{} echoes came late or more than once", client.stale()))?;
            }
        }
        Program::TcpFile | Program::UdpFile => return Err(usage("no file was named: --file FILE")),
    }
    result(format_args!("{answered} of {} answered", args.count))?;
    Ok(if answered == args.count { exit::AS_CLAIMED } else { exit::CLAIM_FAILED })
}

/// Sends a file.
async fn send(args: &Args, path: &Path) -> Result<u8, CommandError> {
    let mut data = Vec::new();
    let cannot = || usage(format!("cannot read {}", path.display()));
    let read = faultwire::files::open(path).and_then(|file| file.take(FILE_MAX + 1).read_to_end(&mut data));
    read.map_err(|error| cannot().because(error))?;
    if data.len() as u64 > FILE_MAX {
        return Err(cannot().because(format!("it is longer than {FILE_MAX} bytes")));
    }
    let net = OsNetwork::new();
    let sent = if args.program == Program::TcpFile {
        file::tcp_send(&net, &args.address, &data, args.timeout).await
    } else {
        let config = live::adaptive(args.datagram);
        file::adaptive_send(&net, &args.address, config, &data.into(), args.timeout).await
    };
    let sent = sent.map_err(failure)?;
    result(format_args!(
        "{} bytes arrived as they were sent, in {:.3} s: {:.3} Mbit/s",
        sent.length,
        sent.taken.as_secs_f64(),
        sent.goodput()
    ))?;
    if let Some(vitals) = sent.vitals {
        let round_trip = vitals.round_trip.unwrap_or_default().as_secs_f64() * 1_000.0;
        result(format_args!(
            "{} packets sent, {} taken for lost; round trip {round_trip:.3} ms, timeout {:.3} ms",
            vitals.packets,
            vitals.lost,
            vitals.timeout.as_secs_f64() * 1_000.0
        ))?;
    }
    Ok(exit::AS_CLAIMED)
}

fn told(number: u32, bytes: usize, taken: &Duration) -> Result<(), CommandError> {
    let millis = taken.as_secs_f64() * 1_000.0;
    result(format_args!("{number}: {bytes} bytes answered in {millis:.3} ms"))
}

fn failure(error: ClientError) -> CommandError {
    if let ClientError::Message { .. } = error { usage(error) } else { about_address(error) }
}

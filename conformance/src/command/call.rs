//! `faultwire call`: a client on real sockets.

use std::time::Duration;

use crate::exit;
use faultwire::network::os::OsNetwork;
use faultwire::program::{ClientError, tcp, udp};

use super::live::{self, Failure, Program, about_address, failed, result, usage};

/// Send messages to a server and check its answers
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Over UDP each message is sent once: what is lost is reported, not repeated.

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
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    /// How long to wait for the connection, and for each answer
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = live::seconds, allow_negative_numbers = true)]
    timeout: Duration,
}

/// Calls the server.
pub(super) fn run(args: &Args) -> u8 {
    live::run(call(args))
}

async fn call(args: &Args) -> Result<u8, Failure> {
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
    }
    result(format_args!("{answered} of {} answered", args.count))?;
    Ok(if answered == args.count { exit::AS_CLAIMED } else { exit::CLAIM_FAILED })
}

fn told(number: u32, bytes: usize, taken: &Duration) -> Result<(), Failure> {
    let millis = taken.as_secs_f64() * 1_000.0;
    result(format_args!("{number}: {bytes} bytes answered in {millis:.3} ms"))
}

fn failure(error: ClientError) -> Failure {
    match &error {
        ClientError::Address { source, .. } => about_address(&error, source),
        ClientError::Message { .. } => usage(&error),
        _ => failed(&error),
    }
}

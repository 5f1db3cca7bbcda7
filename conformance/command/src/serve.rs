//! `faultwire serve`: a server on real sockets.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use faultwire::adaptive::AdaptiveSocket;
use faultwire::files::{self, Replacement};
use faultwire::network::os::OsNetwork;
use faultwire::network::{Datagram as _, Listener as _};
use faultwire::program::file::{self, Discard, Incoming, Store};
use faultwire::program::{Limits, bind, listen, tcp, udp};
use faultwire_conformance::exit;

use super::error::{CommandError, about_address, failed, usage};
use super::live::{self, Program, Stop};
use super::output::{result, tell};

/// Files at once, unless something else is said: each may need room on the disk.
const FILES: u32 = 16;

/// Serve clients on real sockets until Ctrl-C: echo, fixed reply, or taking files, over TCP or UDP
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A message over UDP is a datagram, over TCP a line of at most 64 KiB. Any client will do:
  faultwire call tcp-reply 127.0.0.1:10000
  nc 127.0.0.1 10000
  nc -u 127.0.0.1 10000

tcp-file and udp-file take files from `faultwire call`; udp-file over the adaptive socket.
A file is kept once all of it has come. One that is too long, falls behind 1 KiB/s by the
idle timeout, or cannot be kept is refused; the server goes on.

Exit: 0 stopped by Ctrl-C or SIGTERM, 1 cannot listen, 2 wrong usage.")]
pub(super) struct Args {
    /// Which server
    program: Program,
    /// Where to listen; port 0 picks a free one, 0.0.0.0 or [::] lets other machines in
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:10000")]
    listen: String,
    /// Clients at once; further ones wait, and an address gets at most half [default: 1024, files: 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    max_clients: Option<u32>,
    /// Close a connection, or forget a UDP client, that was silent for that long
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "60",
        value_parser = live::seconds,
        allow_negative_numbers = true,
    )]
    idle_timeout: Duration,
    /// tcp-file and udp-file: where to keep the file that came last
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
    /// tcp-file and udp-file: the longest file that is taken
    #[arg(long, value_name = "BYTES", default_value_t = 1 << 30)]
    max_bytes: u64,
    /// udp-file: the longest datagram that is sent, in bytes
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 1200,
        value_parser = clap::value_parser!(u16).range(256..=65_507),
    )]
    datagram: u16,
}

/// Serves until it is told to stop.
pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    live::run(serve(args))
}

async fn serve(args: &Args) -> Result<u8, CommandError> {
    let net = OsNetwork::new();
    let stop = Stop::new()?;
    let limits = Limits::default().with_idle(args.idle_timeout).with_file(args.max_bytes);
    let clients = match args.program {
        Program::TcpFile | Program::UdpFile => Some(args.max_clients.unwrap_or(FILES)),
        _ => args.max_clients,
    };
    let clients = clients.map_or(limits.clients, |clients| usize::try_from(clients).unwrap_or(usize::MAX));
    let limits = limits.with_clients(clients.min(connections_max(args.program)));
    let store = store(args)?;
    let addr = args.listen.as_str();
    let listening = |addr: std::io::Result<std::net::SocketAddr>| {
        let addr = addr.map_err(failed)?;
        tell(format_args!("listening on {addr} ({}), stop with Ctrl-C", args.program));
        Ok::<_, CommandError>(())
    };
    let tally = match args.program {
        Program::TcpEcho | Program::TcpReply => {
            let listener = listen(&net, addr).await.map_err(about_address)?;
            listening(listener.local_addr())?;
            match args.program {
                Program::TcpEcho => tcp::echo_server(&net, listener, &limits, stop.wait()).await,
                _ => tcp::reply_server(&net, listener, &limits, stop.wait()).await,
            }
        }
        Program::UdpEcho | Program::UdpReply => {
            let socket = bind(&net, addr).await.map_err(about_address)?;
            listening(socket.local_addr())?;
            match args.program {
                Program::UdpEcho => udp::echo_server(&net, &socket, &limits, stop.wait()).await,
                _ => udp::reply_server(&net, &socket, &limits, stop.wait()).await,
            }
        }
        Program::TcpFile => {
            let listener = listen(&net, addr).await.map_err(about_address)?;
            listening(listener.local_addr())?;
            file::tcp_server(&net, listener, &limits, stop.wait(), store).await
        }
        Program::UdpFile => {
            let config = live::adaptive(args.datagram).with_peers_max(limits.clients);
            let socket = AdaptiveSocket::bind(&net, addr, config).await.map_err(about_address)?;
            listening(socket.local_addr().map_err(io::Error::other))?;
            file::adaptive_server(&net, socket, &limits, stop.wait(), store).await
        }
    }
    .map_err(failed)?;
    result(format_args!(
        "served {} clients: {} messages, {} bytes; closed as idle {}, refused {}",
        tally.clients, tally.messages, tally.bytes, tally.idle, tally.refused
    ))?;
    Ok(exit::AS_CLAIMED)
}

/// The most connections for which the process has descriptors, with 32 to spare: each takes one, and its file
/// another.
#[cfg(unix)]
fn connections_max(program: Program) -> usize {
    let each = match program {
        Program::TcpEcho | Program::TcpReply => 1,
        Program::TcpFile => 2,
        Program::UdpEcho | Program::UdpReply | Program::UdpFile => return usize::MAX,
    };
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| usize::try_from(limit.saturating_sub(32) / each).unwrap_or(usize::MAX))
}

#[cfg(not(unix))]
fn connections_max(_: Program) -> usize {
    usize::MAX
}

/// What takes the files: the place that the arguments say, if they do.
fn store(args: &Args) -> Result<Arc<dyn Store>, CommandError> {
    let Some(path) = &args.into else { return Ok(Arc::new(Discard)) };
    files::can_replace(path).map_err(|error| {
        usage(format!("cannot keep files at {}", path.display())).because(error).help("choose another --into")
    })?;
    Ok(Arc::new(Last(path.clone())))
}

/// The place of the file that came last.
struct Last(PathBuf);

impl Store for Last {
    fn begin(&self, _length: u64) -> io::Result<Box<dyn Incoming>> {
        Ok(Box::new(Coming(Replacement::begin(&self.0)?)))
    }
}

struct Coming(Replacement);

impl Incoming for Coming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.file().write_all(bytes)
    }

    fn end(self: Box<Self>) -> io::Result<()> {
        self.0.finish()
    }
}

//! A relay between two programs of this host, in its own thread.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, mpsc};
use std::thread;

use faultwire::fault::FaultPlan;
use faultwire::relay::{Relay, RelayConfig};
use tokio::sync::oneshot;

use super::pair::no_place;
use super::place::Who;
use crate::error::{CommandError, internal};

/// A relay that carries until it is dropped.
#[derive(Debug)]
pub(super) struct Relayed {
    pub(super) relay: Arc<Relay>,
    /// Where the server listens, and where the client sends to.
    ports: (u16, u16),
    _stop: oneshot::Sender<()>,
}

impl Relayed {
    /// With that plan.
    pub(super) fn start(plan: &FaultPlan) -> Result<Relayed, CommandError> {
        let (give, given) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let plan = plan.clone();
        let carry = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(give.send(Err(internal(error)))),
            };
            runtime.block_on(async {
                let made = make(&plan);
                if give.send(made).is_ok() {
                    // Until the other end is dropped.
                    let _ = stopped.await;
                }
            });
        };
        thread::Builder::new().spawn(carry).map_err(no_place)?;
        let made = given.recv().map_err(internal)?;
        let (relay, server, client) = made?;
        Ok(Relayed { relay, ports: (server, client), _stop: stop })
    }

    /// Where the server listens, or where the client sends to.
    pub(super) fn port(&self, who: Who) -> u16 {
        match who {
            Who::Server => self.ports.0,
            Who::Client => self.ports.1,
        }
    }

    /// Whether the server's socket is there.
    #[cfg(target_os = "linux")]
    pub(super) fn is_listening(&self) -> io::Result<bool> {
        let port = format!(":{:04X}", self.ports.0);
        for table in ["/proc/net/udp", "/proc/net/udp6"] {
            let text = match std::fs::read_to_string(table) {
                // A kernel without IPv6 has one of them only.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            let mut local = text.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1));
            if local.any(|address| address.ends_with(&port)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the server's socket is there: where the system does not tell, it is given a second.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn is_listening(&self) -> io::Result<bool> {
        thread::park_timeout(std::time::Duration::from_secs(1));
        Ok(true)
    }
}

/// A relay, the server's port, the client's.
fn make(plan: &FaultPlan) -> Result<(Arc<Relay>, u16, u16), CommandError> {
    // One that is free now; nobody else is likely to take it before the server does.
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    let server: SocketAddr = server.map_err(internal)?;
    let relay = Relay::new(plan, RelayConfig::default()).map_err(internal)?;
    let client = relay.listen(server).map_err(internal)?;
    Ok((Arc::new(relay), server.port(), client.port()))
}

//! axum 0.8: `axum::serve` takes a [`TcpListener`].

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::serve::Listener;

use crate::net::{TcpListener, TcpStream};

/// How long axum waits after an error that is the host's, and not one connection's.
const PAUSE: Duration = Duration::from_secs(1);

impl Listener for TcpListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        loop {
            match TcpListener::accept(self).await {
                Ok(accepted) => return accepted,
                Err(error)
                    if matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset) => {}
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        TcpListener::local_addr(self)
    }
}

//! hyper-util 0.1: its client takes a connector that gives `TokioIo<TcpStream>`.

use hyper_util::client::legacy::connect::{Connected, Connection};

use crate::net::TcpStream;

impl Connection for TcpStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

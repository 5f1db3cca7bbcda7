//! tonic 0.14: its server takes a stream of [`TcpStream`]s.

use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::net::TcpStream;

impl Connected for TcpStream {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        TcpConnectInfo { local_addr: self.local_addr().ok(), remote_addr: self.peer_addr().ok() }
    }
}

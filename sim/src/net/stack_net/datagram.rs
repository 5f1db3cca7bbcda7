//! Datagram sockets of a simulated host.

use std::io;
use std::net::SocketAddr;

use faultwire::network::{Datagram, Network as _};
use faultwire::stack::{Kind, OptionName, Received, SocketOption};
use faultwire::trace::Call;

use super::{Socket, StackNet, kept};

/// A datagram socket of a simulated host.
#[derive(Debug)]
pub struct StackDatagram {
    socket: Socket,
}

pub(super) async fn bind(net: &StackNet, addr: &str, options: &[SocketOption]) -> io::Result<StackDatagram> {
    let addrs = net.resolve(addr).await?;
    let addr = *addrs.first().ok_or(io::ErrorKind::NotFound)?;
    let bind = |stack: &mut dyn faultwire::stack::Sockets, fd| {
        stack.bind(fd, addr)?;
        Ok(Some(Call::Bind(stack.local_addr(fd)?)))
    };
    Ok(StackDatagram { socket: net.open(Kind::Datagram, addr, options, bind).await? })
}

impl Datagram for StackDatagram {
    async fn connect(&self, addr: &str) -> io::Result<()> {
        let addrs = self.socket.net.resolve(addr).await?;
        // A name has addresses of both families: take the one that fits the socket.
        let is_v4 = self.local_addr()?.is_ipv4();
        let peer = *addrs
            .iter()
            .find(|peer| peer.is_ipv4() == is_v4)
            .or(addrs.first())
            .ok_or(io::ErrorKind::NotFound)?;
        self.socket.call(|stack, fd| stack.connect(fd, Some(peer)), |_| Call::Connect(peer)).await
    }

    async fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.socket
            .call(|stack, fd| stack.send(fd, data), |_| Call::Send { to: None, data: kept(data) })
            .await
    }

    async fn send_to(&self, data: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.socket
            .call(|stack, fd| stack.send_to(fd, data, to), |_| Call::Send { to: Some(to), data: kept(data) })
            .await
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<Received> {
        std::future::poll_fn(|cx| {
            let buffer = &mut *buffer;
            let answer = self.socket.poll_call(
                cx,
                |stack, fd| {
                    let received = stack.recv_from(fd, buffer)?;
                    Ok((received, &buffer[..received.len]))
                },
                |result| match result {
                    Ok((received, data)) => Call::Recv {
                        from: Some(received.from),
                        data: kept(data),
                        full_len: received.full_len,
                    },
                    Err(_) => Call::Recv { from: None, data: kept(&[]), full_len: 0 },
                },
            );
            answer.map_ok(|(received, _)| received)
        })
        .await
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.peer_addr()
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        self.socket.set_option(option)
    }

    fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        self.socket.option(name)
    }
}

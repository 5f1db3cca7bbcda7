//! Stream sockets of the operating system.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::options;
use crate::model::{Domain, OptionName, SocketOption};
use crate::network::{Listener, Stream};

/// A connected TCP socket of the operating system.
#[derive(Debug)]
pub struct OsStream {
    inner: TcpStream,
    domain: Domain,
}

impl OsStream {
    pub(super) fn new(inner: TcpStream, domain: Domain) -> Self {
        OsStream { inner, domain }
    }
}

impl AsyncRead for OsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for OsStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl Stream for OsStream {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.inner.peer_addr()
    }

    fn set_option(&self, option: SocketOption) -> io::Result<()> {
        options::set(&SockRef::from(&self.inner), self.domain, Ipv4Addr::UNSPECIFIED, option)
    }

    fn option(&self, name: OptionName) -> io::Result<SocketOption> {
        options::get(&SockRef::from(&self.inner), self.domain, name)
    }
}

/// A listening TCP socket of the operating system.
#[derive(Debug)]
pub struct OsListener {
    inner: TcpListener,
    domain: Domain,
}

impl OsListener {
    pub(super) fn new(inner: TcpListener, domain: Domain) -> Self {
        OsListener { inner, domain }
    }
}

impl Listener for OsListener {
    type Stream = OsStream;

    async fn accept(&self) -> io::Result<(OsStream, SocketAddr)> {
        let (stream, peer) = self.inner.accept().await?;
        Ok((OsStream::new(stream, self.domain), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

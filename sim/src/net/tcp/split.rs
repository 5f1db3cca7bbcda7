//! The two directions of a connection, apart.

use std::error::Error;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream::TcpStream;

/// The reading direction of a [`TcpStream`], lent: the shape of [`tokio::net::tcp::ReadHalf`]. It has the
/// stream's methods too.
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a TcpStream);

/// The writing direction of a [`TcpStream`], lent: the shape of [`tokio::net::tcp::WriteHalf`]. It has the
/// stream's methods too.
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a TcpStream);

/// The reading direction of a [`TcpStream`]: the shape of [`tokio::net::tcp::OwnedReadHalf`]. It has the
/// stream's methods too.
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<TcpStream>);

/// The writing direction of a [`TcpStream`]: the shape of [`tokio::net::tcp::OwnedWriteHalf`]. It has the
/// stream's methods too. Dropping it closes this direction.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<TcpStream>,
    closes: bool,
}

/// Two halves that are not of one stream.
#[derive(Debug)]
pub struct ReuniteError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for ReuniteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tried to reunite halves that are not from the same socket")
    }
}

impl Error for ReuniteError {}

pub(super) fn lend(stream: &TcpStream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    (ReadHalf(stream), WriteHalf(stream))
}

pub(super) fn give(stream: Arc<TcpStream>) -> (OwnedReadHalf, OwnedWriteHalf) {
    (OwnedReadHalf(stream.clone()), OwnedWriteHalf { stream, closes: true })
}

fn reunite(read: OwnedReadHalf, write: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
    if !Arc::ptr_eq(&read.0, &write.stream) {
        return Err(ReuniteError(read, write));
    }
    write.forget();
    match Arc::try_unwrap(read.0) {
        Ok(stream) => Ok(stream),
        Err(_) => unreachable!("a stream has two halves"),
    }
}

impl OwnedReadHalf {
    /// Puts the stream together again.
    ///
    /// # Errors
    /// Both halves, if they are not of one stream.
    pub fn reunite(self, other: OwnedWriteHalf) -> Result<TcpStream, ReuniteError> {
        reunite(self, other)
    }
}

impl OwnedWriteHalf {
    /// Puts the stream together again.
    ///
    /// # Errors
    /// Both halves, if they are not of one stream.
    pub fn reunite(self, other: OwnedReadHalf) -> Result<TcpStream, ReuniteError> {
        reunite(other, self)
    }

    /// Drops it, and leaves the direction open.
    pub fn forget(mut self) {
        self.closes = false;
    }
}

impl OwnedWriteHalf {
    /// Closes the direction; dropping the half does not then.
    fn poll_close_once(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = self.stream.poll_close(cx);
        self.closes &= !matches!(closed, Poll::Ready(Ok(())));
        closed
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.closes {
            self.stream.close();
        }
    }
}

/// A half has the methods of its stream.
macro_rules! half {
    ($half:ty, $stream:tt) => {
        impl Deref for $half {
            type Target = TcpStream;

            fn deref(&self) -> &TcpStream {
                &self.$stream
            }
        }

        impl AsRef<TcpStream> for $half {
            fn as_ref(&self) -> &TcpStream {
                self
            }
        }
    };
}
half!(ReadHalf<'_>, 0);
half!(WriteHalf<'_>, 0);
half!(OwnedReadHalf, 0);
half!(OwnedWriteHalf, stream);

macro_rules! reads {
    ($half:ty) => {
        impl AsyncRead for $half {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                self.poll_read_here(cx, buffer)
            }
        }
    };
}
reads!(TcpStream);
reads!(ReadHalf<'_>);
reads!(OwnedReadHalf);

macro_rules! writes {
    ($half:ty, $closes:ident) => {
        impl AsyncWrite for $half {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                data: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.poll_write_here(cx, data)
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.get_mut().$closes(cx)
            }
        }
    };
}
writes!(TcpStream, poll_close);
writes!(WriteHalf<'_>, poll_close);
writes!(OwnedWriteHalf, poll_close_once);

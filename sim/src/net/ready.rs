//! What sockets are ready for, in tokio's words.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use faultwire::stack::Readiness;
use tokio::io::{Interest, Ready};

use super::host_net::Socket;
use super::sim_host::SimHost;

/// The result of a call that was not to wait.
pub(super) fn now<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// Whether a receive would not wait.
pub(super) fn is_readable(readiness: &Readiness) -> bool {
    readiness.readable || readiness.error || readiness.hang_up
}

/// Whether a send would not wait.
pub(super) fn is_writable(readiness: &Readiness) -> bool {
    readiness.writable || readiness.error || readiness.hang_up
}

/// Waits until the socket is ready for some of what is of interest.
pub(super) fn poll(
    socket: &Socket<SimHost>,
    cx: &mut Context<'_>,
    interest: Interest,
) -> Poll<io::Result<Ready>> {
    let wanted = |it: &Readiness| {
        interest.is_readable() && is_readable(it)
            || interest.is_writable() && is_writable(it)
            || interest.is_error() && it.error
    };
    let readiness = ready!(socket.poll_ready(Some(cx), wanted))?;
    let mut ready = Ready::EMPTY;
    for (is, what) in [
        (interest.is_readable() && is_readable(&readiness), Ready::READABLE),
        (interest.is_writable() && is_writable(&readiness), Ready::WRITABLE),
        (interest.is_readable() && readiness.hang_up, Ready::READ_CLOSED),
        (interest.is_writable() && readiness.hang_up, Ready::WRITE_CLOSED),
        (interest.is_error() && readiness.error, Ready::ERROR),
    ] {
        if is {
            ready |= what;
        }
    }
    Poll::Ready(Ok(ready))
}

/// Receives into the free room of a buffer, as far as a datagram goes.
pub(super) fn put<B: BufMut, T>(
    buffer: &mut B,
    receive: impl FnOnce(&mut [u8]) -> io::Result<(usize, T)>,
) -> io::Result<(usize, T)> {
    const MOST: usize = 1 << 16;
    // As much as tokio offers.
    let mut room = vec![0; buffer.chunk_mut().len().min(MOST)];
    let (len, from) = receive(&mut room)?;
    buffer.put_slice(&room[..len]);
    Ok((len, from))
}

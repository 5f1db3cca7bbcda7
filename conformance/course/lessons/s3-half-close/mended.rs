//! Lesson s3, mended: who has said all says so, and listens until the other side has said all too.

use std::io;

use faultwire::network::Network;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Desk;

pub use super::half_close_believed::client;

const QUESTION: usize = 14;

/// Reads the question, answers it, closes the sending direction, and reads to the end before it closes the other.
pub async fn server<N: Network>(_net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    let [.., answer] = desk.messages() else { return Ok(()) };
    let mut question = [0; QUESTION];
    stream.read_exact(&mut question).await?;
    stream.write_all(answer).await?;
    stream.shutdown().await?;
    let mut unread = [0; 1024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

//! Lesson s4, believed: a connection whose other end is gone will tell.

use std::io;
use std::time::Duration;

use faultwire::network::Network;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Desk;

/// So long does the server think.
const THINKS: Duration = Duration::from_secs(20);

/// Asks, and reads the answer.
pub async fn client<N: Network>(_net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    let [question, ..] = desk.messages() else { return Ok(()) };
    stream.write_all(question).await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    (&mut stream).take(1024).read_to_end(&mut answer).await?;
    desk.deliver(&answer);
    Ok(())
}

/// Reads the question, thinks, answers.
pub async fn server<N: Network>(net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    let [.., answer] = desk.messages() else { return Ok(()) };
    let mut question = Vec::new();
    (&mut stream).take(1024).read_to_end(&mut question).await?;
    net.sleep(THINKS).await;
    stream.write_all(answer).await?;
    stream.shutdown().await
}

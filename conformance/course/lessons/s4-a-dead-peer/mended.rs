//! Lesson s4, mended: who is alive says so now and then, and who hears nothing for long enough stops waiting.

use std::io;
use std::time::Duration;

use faultwire::network::Network;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Desk;

/// So long does the server think.
const THINKS: Duration = Duration::from_secs(20);

/// How often the server says that it is still there.
const EVERY: Duration = Duration::from_secs(5);

/// The byte that says so. The answer has none of them.
const STILL_THERE: u8 = b'.';

/// After this long a silence the peer counts as gone: several heartbeats long, so that TCP has time to retransmit
/// a lost one.
const SILENCE: Duration = Duration::from_secs(30);

/// Asks, and reads the answer; gives up when nothing at all comes for too long.
pub async fn client<N: Network>(net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    let [question, ..] = desk.messages() else { return Ok(()) };
    stream.write_all(question).await?;
    stream.shutdown().await?;
    let (mut buffer, mut answer) = ([0; 64], Vec::new());
    while answer.len() <= 1024 {
        let len = net.timeout(SILENCE, stream.read(&mut buffer)).await??;
        if len == 0 {
            desk.deliver(&answer);
            return Ok(());
        }
        answer.extend(buffer[..len].iter().filter(|byte| **byte != STILL_THERE));
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "an answer that is too long"))
}

/// Reads the question, thinks and sends a heartbeat now and then, answers.
pub async fn server<N: Network>(net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    let [.., answer] = desk.messages() else { return Ok(()) };
    let mut question = Vec::new();
    net.timeout(SILENCE, (&mut stream).take(1024).read_to_end(&mut question)).await??;
    let end = net.now() + THINKS;
    while net.now() + EVERY < end {
        net.sleep(EVERY).await;
        stream.write_all(&[STILL_THERE]).await?;
    }
    net.sleep(end.since(net.now())).await;
    stream.write_all(answer).await?;
    stream.shutdown().await
}

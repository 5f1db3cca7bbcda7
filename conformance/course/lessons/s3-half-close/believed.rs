//! Lesson s3, believed: who has said all can close.

use std::io;

use faultwire::network::Network;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Desk;

/// So long is the line that the server reads, and so long its answer, in bytes.
const QUESTION: usize = 14;
const ANSWER: usize = 2;

/// Asks, with unneeded data behind the question, and reads the answer.
pub async fn client<N: Network>(_net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    let [question, more, _] = desk.messages() else { return Ok(()) };
    stream.write_all(&[question.as_slice(), more].concat()).await?;
    let mut answer = [0; ANSWER];
    stream.read_exact(&mut answer).await?;
    desk.deliver(&answer);
    Ok(())
}

/// Reads the question, answers it, and has nothing more to say.
pub async fn server<N: Network>(_net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    let [.., answer] = desk.messages() else { return Ok(()) };
    let mut question = [0; QUESTION];
    stream.read_exact(&mut question).await?;
    stream.write_all(answer).await?;
    drop(stream);
    Ok(())
}

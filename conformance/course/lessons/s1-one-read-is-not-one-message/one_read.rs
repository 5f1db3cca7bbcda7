//! Lesson s1, believed: what was written at once is read at once.

use std::io;
use std::time::Duration;

use faultwire::network::Network;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Desk;

/// The client has something to say every now and then.
const PAUSE: Duration = Duration::from_millis(20);

/// Writes each message.
pub async fn client<N: Network>(net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    for message in desk.messages() {
        stream.write_all(message).await?;
        net.sleep(PAUSE).await;
    }
    stream.shutdown().await
}

/// Reads each message.
pub async fn server<N: Network>(_net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            len => desk.deliver(&buffer[..len]),
        }
    }
}

//! Lesson s2, believed: what is given to `write` is written.

use std::io;
use std::time::Duration;

use faultwire::network::Network;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Desk;

/// The client has something to say every now and then.
const PAUSE: Duration = Duration::from_millis(20);

/// The longest message.
const LONGEST: u32 = 10_000;

/// Writes each message with its length before it.
#[expect(clippy::unused_io_amount, reason = "that is what one believes")]
pub async fn client<N: Network>(net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    for message in desk.messages() {
        let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        stream.write(&[&length.to_be_bytes()[..], message].concat()).await?;
        net.sleep(PAUSE).await;
    }
    stream.shutdown().await
}

/// Reads a length, then exactly that number of bytes, however many reads it takes.
pub async fn server<N: Network>(_net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    loop {
        let length = match stream.read_u32().await {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        if length > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message that is too long"));
        }
        let mut message = vec![0; length as usize];
        stream.read_exact(&mut message).await?;
        desk.deliver(&message);
    }
}

//! Lesson s1, mended, the first way: before each message comes its length.

use std::io;
use std::time::Duration;

use faultwire::network::Network;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Desk;

const PAUSE: Duration = Duration::from_millis(20);

/// The longest message. The other side says how much is to be kept for it: there must be a bound.
const LONGEST: u32 = 1024;

/// Writes the length of each message, four bytes, big-endian, and the message.
pub async fn client<N: Network>(net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    for message in desk.messages() {
        let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        stream.write_all(&[&length.to_be_bytes()[..], message].concat()).await?;
        net.sleep(PAUSE).await;
    }
    stream.shutdown().await
}

/// Reads a length, then exactly that number of bytes, however many reads it takes.
pub async fn server<N: Network>(_net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    loop {
        let length = match stream.read_u32().await {
            Ok(length) => length,
            // The end, between two messages (or within a length: then the last message is lost).
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

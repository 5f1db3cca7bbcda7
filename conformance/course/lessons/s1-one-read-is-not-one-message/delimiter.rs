//! Lesson s1, mended, the second way: behind each message comes a byte that no message holds.

use std::io;
use std::time::Duration;

use faultwire::network::Network;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Desk;

const PAUSE: Duration = Duration::from_millis(20);

/// Ends each message.
const END: u8 = b'\n';

/// The longest message: what has no end is not kept forever.
const LONGEST: usize = 1024;

/// Writes each message and the end.
pub async fn client<N: Network>(net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    for message in desk.messages() {
        if message.contains(&END) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a message with an end of line in it"));
        }
        stream.write_all(&[message.as_slice(), &[END]].concat()).await?;
        net.sleep(PAUSE).await;
    }
    stream.shutdown().await
}

/// Keeps what it reads, and takes out of it what is ended.
pub async fn server<N: Network>(_net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    let (mut buffer, mut kept) = ([0; 1024], Vec::new());
    loop {
        let len = stream.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        kept.extend_from_slice(&buffer[..len]);
        while let Some(end) = kept.iter().position(|byte| *byte == END) {
            desk.deliver(&kept[..end]);
            kept.drain(..=end);
        }
        if kept.len() > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message that is too long"));
        }
    }
}

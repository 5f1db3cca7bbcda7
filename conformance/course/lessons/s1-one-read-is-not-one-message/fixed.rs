//! Lesson s1, mended, the third way: all messages are of one length.

use std::io;
use std::time::Duration;

use faultwire::network::Network;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::Desk;

const PAUSE: Duration = Duration::from_millis(20);

/// The bytes of each message.
const LENGTH: usize = 32;

/// Fills up a message that is shorter: no message ends in it.
const FILL: u8 = 0;

/// Writes each message, filled up.
pub async fn client<N: Network>(net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    for message in desk.messages() {
        if message.len() > LENGTH || message.ends_with(&[FILL]) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a message that does not fit"));
        }
        let mut filled = message.clone();
        filled.resize(LENGTH, FILL);
        stream.write_all(&filled).await?;
        net.sleep(PAUSE).await;
    }
    stream.shutdown().await
}

/// Reads exactly that length each time, however many reads it takes.
pub async fn server<N: Network>(_net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    let mut message = [0; LENGTH];
    loop {
        match stream.read_exact(&mut message).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        let end = message.iter().rposition(|byte| *byte != FILL).map_or(0, |last| last + 1);
        desk.deliver(&message[..end]);
    }
}

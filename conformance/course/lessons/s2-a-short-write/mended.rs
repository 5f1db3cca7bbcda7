//! Lesson s2, mended: what a write did not take is written again.

use std::io;
use std::time::Duration;

use faultwire::network::Network;
use tokio::io::AsyncWriteExt as _;

use crate::Desk;

pub use super::short_write_believed::server;

const PAUSE: Duration = Duration::from_millis(20);

/// Writes each message with its length before it: all of it, however many writes that takes.
pub async fn client<N: Network>(net: N, mut stream: N::Stream, desk: Desk) -> io::Result<()> {
    for message in desk.messages() {
        let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let bytes = [&length.to_be_bytes()[..], message].concat();
        let mut rest = bytes.as_slice();
        // This loop is what `write_all` does.
        while !rest.is_empty() {
            let taken = stream.write(rest).await?;
            if taken == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = &rest[taken..];
        }
        net.sleep(PAUSE).await;
    }
    stream.shutdown().await
}

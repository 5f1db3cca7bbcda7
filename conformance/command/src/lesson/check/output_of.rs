//! What a learner's program prints: some of it is kept, all of it is read.

use std::io::{self, Read};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Which part of it is kept, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// The first ones.
    First(usize),
    /// The last ones.
    Last(usize),
}

/// What is kept of a stream, while it is read.
#[derive(Debug)]
pub(super) struct Kept {
    kept: Arc<Mutex<State>>,
    end: mpsc::Receiver<()>,
}

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// Whether there was more.
    is_cut: bool,
}

impl Kept {
    /// Reads a stream to its end, in its own thread.
    pub(super) fn of(mut from: impl Read + Send + 'static, keep: Keep) -> io::Result<Kept> {
        let kept = Arc::new(Mutex::new(State::default()));
        let (ended, end) = mpsc::channel();
        let to = Arc::clone(&kept);
        thread::Builder::new().spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(1..) = from.read(&mut buffer).inspect(|&len| lock(&to).take(&buffer[..len], keep)) {}
            // Nobody may wait for it.
            let _ = ended.send(());
        })?;
        Ok(Kept { kept, end })
    }

    /// Waits for the end of the stream, at most `limit`: another process may hold it open.
    pub(super) fn finish(&self, limit: Duration) {
        let _ = self.end.recv_timeout(limit);
    }

    /// Whether there was more than is kept.
    pub(super) fn is_cut(&self) -> bool {
        lock(&self.kept).is_cut
    }

    /// What is kept.
    pub(super) fn bytes(&self) -> Vec<u8> {
        lock(&self.kept).bytes.clone()
    }

    /// What is kept, as text; a line in place of what is not.
    pub(super) fn text(&self) -> String {
        let state = lock(&self.kept);
        let text = String::from_utf8_lossy(&state.bytes);
        if state.is_cut { format!("[some of it is left out]\n{text}") } else { text.into_owned() }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn take(&mut self, bytes: &[u8], keep: Keep) {
        match keep {
            Keep::First(max) => {
                let room = max - self.bytes.len();
                self.is_cut |= bytes.len() > room;
                self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Keep::Last(max) => {
                self.bytes.extend_from_slice(bytes);
                let over = self.bytes.len().saturating_sub(max);
                self.is_cut |= over > 0;
                self.bytes.drain(..over);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_or_the_last_of_it_is_kept() {
        let stream: Vec<u8> = (0..20_000_u32).map(|number| number as u8).collect();
        let of = |keep| {
            let kept = Kept::of(io::Cursor::new(stream.clone()), keep).unwrap();
            kept.finish(Duration::from_secs(100));
            (kept.bytes(), kept.is_cut())
        };
        assert_eq!(of(Keep::First(5_000)), (stream[..5_000].to_vec(), true));
        assert_eq!(of(Keep::Last(5_000)), (stream[15_000..].to_vec(), true));
        for keep in [Keep::First(20_000), Keep::Last(20_000)] {
            assert_eq!(of(keep), (stream.clone(), false));
        }
    }
}

//! Ctrl-C in a search: what was found so far is told. A second one ends it at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::command::live::{Failure, Stop, failed, tell};

/// The exit code of a command that SIGINT ended, as a shell gives it.
pub(super) const STOPPED: u8 = 130;

/// Whether it is to stop.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes Ctrl-C and SIGTERM from here on.
    pub(super) fn new() -> Result<Interrupt, Failure> {
        let interrupt = Interrupt::default();
        let (ready, is_ready) = mpsc::channel();
        let flag = interrupt.clone();
        let wait = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(failed(error)))),
            };
            runtime.block_on(async {
                match Stop::new() {
                    Err(failure) => return drop(ready.send(Err(failure))),
                    Ok(stop) => {
                        let _ = ready.send(Ok(()));
                        stop.wait().await;
                    }
                }
                flag.0.store(true, Ordering::Relaxed);
                tell(format_args!("stopping; once more ends it at once"));
                if let Ok(stop) = Stop::new() {
                    stop.wait().await;
                    // The helpers notice, and end what runs in their hosts.
                    std::process::exit(STOPPED.into());
                }
            });
        };
        thread::Builder::new().spawn(wait).map_err(failed)?;
        is_ready.recv().unwrap_or_else(|_| Err(failed(io::Error::from(io::ErrorKind::BrokenPipe))))?;
        Ok(interrupt)
    }

    /// Whether one of them came.
    pub(super) fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

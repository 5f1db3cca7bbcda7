//! Ctrl-C while long work goes on: the first one ends it with the results so far, the second one ends it at once.

use std::io::{self, Write as _};
use std::thread;

use crate::exit;
use crate::interrupt::Interrupt;

/// Listens for Ctrl-C from here on, in a thread of its own. Where the system does not allow that, Ctrl-C ends the
/// process as it always does.
#[expect(clippy::disallowed_methods, reason = "the command is not simulated: a signal comes from outside")]
pub(super) fn listen() -> Interrupt {
    let interrupt = Interrupt::default();
    match presses() {
        Ok(mut wait) => {
            tracing::debug!("Ctrl-C ends the work with the results so far");
            let asked = interrupt.clone();
            thread::spawn(move || {
                wait();
                asked.ask();
                // Nobody may be there to read it.
                let _ = writeln!(
                    io::stderr().lock(),
                    "\ninterrupted: here are the results so far; once more ends it at once"
                );
                wait();
                std::process::exit(exit::INTERRUPTED.into());
            });
        }
        Err(error) => tracing::warn!(%error, "Ctrl-C cannot be listened for: it ends the work at once"),
    }
    interrupt
}

/// What waits for the next Ctrl-C. From here on it no longer ends the process by itself.
fn presses() -> io::Result<impl FnMut() + Send + 'static> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    #[cfg(unix)]
    let mut signal = {
        use tokio::signal::unix::{SignalKind, signal};
        let _inside = runtime.enter();
        signal(SignalKind::interrupt())?
    };
    #[cfg(windows)]
    let mut signal = {
        let _inside = runtime.enter();
        tokio::signal::windows::ctrl_c()?
    };
    Ok(move || {
        runtime.block_on(signal.recv());
    })
}

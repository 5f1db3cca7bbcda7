//! Ctrl-C while long work goes on: the first one ends it with the results so far, the second one ends it at once.

use std::io::{self, Write as _};
use std::thread;

use crate::exit;
use crate::interrupt::Interrupt;

/// Listens for Ctrl-C from here on, in a thread of its own. Where the system does not allow that, Ctrl-C ends the
/// process as it always does.
pub(super) fn listen() -> Interrupt {
    listen_for(false, "here are the results so far")
}

/// The same where programs were started that have to be ended first: then for SIGTERM too.
pub(super) fn listen_for_the_end() -> Interrupt {
    listen_for(true, "ending what was started")
}

#[expect(clippy::disallowed_methods, reason = "the command is not simulated: a signal comes from outside")]
fn listen_for(and_terminate: bool, what: &'static str) -> Interrupt {
    let interrupt = Interrupt::default();
    match presses(and_terminate) {
        Ok(mut wait) => {
            tracing::debug!("Ctrl-C ends the work with the results so far");
            let asked = interrupt.clone();
            thread::spawn(move || {
                wait();
                asked.ask();
                // Nobody may be there to read it.
                let _ = writeln!(io::stderr().lock(), "\ninterrupted: {what}; once more ends it at once");
                wait();
                std::process::exit(exit::INTERRUPTED.into());
            });
        }
        Err(error) => tracing::warn!(%error, "Ctrl-C cannot be listened for: it ends the work at once"),
    }
    interrupt
}

/// What waits for the next Ctrl-C, or SIGTERM. From here on they no longer end the process by themselves.
fn presses(and_terminate: bool) -> io::Result<impl FnMut() + Send + 'static> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    #[cfg(unix)]
    let mut signals = {
        use tokio::signal::unix::{SignalKind, signal};
        let _inside = runtime.enter();
        let terminate = and_terminate.then(|| signal(SignalKind::terminate())).transpose()?;
        (signal(SignalKind::interrupt())?, terminate)
    };
    #[cfg(windows)]
    let mut signals = {
        let _ = and_terminate;
        let _inside = runtime.enter();
        (tokio::signal::windows::ctrl_c()?, None::<tokio::signal::windows::CtrlBreak>)
    };
    Ok(move || {
        runtime.block_on(async {
            let (interrupt, terminate) = &mut signals;
            let terminated = async {
                match terminate {
                    Some(terminate) => terminate.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = interrupt.recv() => {}
                _ = terminated => {}
            }
        });
    })
}

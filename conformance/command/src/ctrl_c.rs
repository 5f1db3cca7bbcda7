//! Ctrl-C and SIGTERM during long work: the first one ends it with the results so far, the second one ends it
//! at once.

use std::io::{self, Write as _};
use std::sync::mpsc;
use std::thread;

use faultwire_conformance::exit;
use faultwire_sim::CancellationToken;

/// Listens for the signals from here on, in its own thread. Where the system does not allow that, they end
/// the process as usual.
pub(super) fn listen() -> CancellationToken {
    listen_saying("here are the results so far")
}

/// Like [`listen`], for work that has started programs and must end them first.
pub(super) fn listen_for_the_end() -> CancellationToken {
    listen_saying("ending what was started")
}

fn listen_saying(what: &'static str) -> CancellationToken {
    let token = CancellationToken::default();
    let cancelling = token.clone();
    let (ready, is_ready) = mpsc::sync_channel(1);
    // The thread first: signals that are taken and not waited for would do nothing at all.
    let listening = thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut wait = match presses() {
            Ok(wait) => wait,
            Err(error) => return drop(ready.send(Err(error))),
        };
        drop(ready.send(Ok(())));
        wait();
        cancelling.cancel();
        // Nobody may be there to read it.
        let _ = writeln!(io::stderr().lock(), "\ninterrupted: {what}; once more ends it at once");
        wait();
        std::process::exit(exit::INTERRUPTED.into());
    });
    let gone = || Err(io::ErrorKind::BrokenPipe.into());
    match listening.and_then(|_| is_ready.recv().unwrap_or_else(|_| gone())) {
        Ok(()) => tracing::debug!("Ctrl-C ends the work with the results so far"),
        Err(error) => tracing::warn!(%error, "cannot listen for Ctrl-C: it ends the work at once"),
    }
    token
}

/// Waits for the next Ctrl-C or SIGTERM. From here on they no longer end the process by themselves.
fn presses() -> io::Result<impl FnMut()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    #[cfg(unix)]
    let (mut interrupt, mut terminate) = {
        use tokio::signal::unix::{SignalKind, signal};
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    #[cfg(windows)]
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (tokio::signal::windows::ctrl_c()?, tokio::signal::windows::ctrl_close()?)
    };
    Ok(move || {
        runtime.block_on(async {
            tokio::select! {
                biased;
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
    })
}

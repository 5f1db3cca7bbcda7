//! Threads that work side by side; where the system gives none, the work is done all the same.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope};

/// Does some work on a thread of the scope; on this one, before it returns, where no other can be started.
pub fn start<'scope, F>(scope: &'scope Scope<'scope, '_>, work: F)
where
    F: FnOnce() + Send + 'scope,
{
    let work = Arc::new(Mutex::new(Some(work)));
    let take = |work: &Mutex<Option<F>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let theirs = Arc::clone(&work);
    let started = Builder::new().spawn_scoped(scope, move || {
        if let Some(work) = take(&theirs) {
            work();
        }
    });
    if let Err(error) = started {
        tracing::debug!(%error, "no further thread can be started");
        if let Some(work) = take(&work) {
            work();
        }
    }
}

//! Cooperative cancellation: long work stops early and returns partial results.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells long work to stop. Clones share one state; work looks at it between any two runs.
#[derive(Clone, Debug, Default)]
pub struct CancellationToken {
    is_cancelled: Arc<AtomicBool>,
    parent: Option<Arc<CancellationToken>>,
}

impl CancellationToken {
    /// A token that is cancelled with this one, or alone.
    #[must_use]
    pub fn child_token(&self) -> CancellationToken {
        CancellationToken { is_cancelled: Arc::default(), parent: Some(Arc::new(self.clone())) }
    }

    /// Cancels the work, for good.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        let is_parent = || self.parent.as_ref().is_some_and(|parent| parent.is_cancelled());
        self.is_cancelled.load(Ordering::Relaxed) || is_parent()
    }
}

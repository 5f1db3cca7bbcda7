//! How long work is asked to end early: with the results that it has by then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether work is asked to end early. All clones are one; long work looks at it between any two runs.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks for it.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// What is set when somebody asks for it.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }

    /// Whether somebody asked for it.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

//! Progress of a long search.

/// Receives progress updates. Implementations must not affect results.
///
/// The number of runs is unknown until a search ends, so its length is counted in steps: a study on a
/// testbed, or a mutant.
pub trait Progress {
    /// The work begins and takes `steps` steps.
    fn begin(&mut self, steps: u64);
    /// A step begins, perhaps beside others.
    fn starts(&mut self, what: &str);
    /// `runs` runs were made.
    fn ran(&mut self, runs: u64);
    /// A step is over.
    fn done(&mut self, what: &str);
    /// The work is over.
    fn end(&mut self);
}

/// Ignores all updates.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&mut self, _steps: u64) {}
    fn starts(&mut self, _what: &str) {}
    fn ran(&mut self, _runs: u64) {}
    fn done(&mut self, _what: &str) {}
    fn end(&mut self) {}
}

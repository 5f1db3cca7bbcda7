//! How a long search tells how far it is.

/// Is told how far a search is. What is told never changes a result.
pub trait Progress {
    /// A piece of work begins: what is running, and how many runs it takes, as far as is known.
    fn begin(&mut self, what: &str, runs: u64);
    /// It turns out to take so many more runs.
    fn more(&mut self, runs: u64);
    /// So many runs were done.
    fn advance(&mut self, runs: u64);
    /// The work is over.
    fn end(&mut self);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&mut self, _what: &str, _runs: u64) {}
    fn more(&mut self, _runs: u64) {}
    fn advance(&mut self, _runs: u64) {}
    fn end(&mut self) {}
}

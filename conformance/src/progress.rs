//! How a long search tells how far it is.

/// Is told how far a search is. What is told never changes a result.
///
/// How many runs a search takes is not known before it is over, so its length is told in steps: a study on a
/// testbed, or a mutant.
pub trait Progress {
    /// The work begins: it takes so many steps.
    fn begin(&mut self, steps: u64);
    /// A step begins, perhaps beside others.
    fn starts(&mut self, what: &str);
    /// So many runs were made.
    fn ran(&mut self, runs: u64);
    /// A step is over.
    fn done(&mut self, what: &str);
    /// The work is over.
    fn end(&mut self);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&mut self, _steps: u64) {}
    fn starts(&mut self, _what: &str) {}
    fn ran(&mut self, _runs: u64) {}
    fn done(&mut self, _what: &str) {}
    fn end(&mut self) {}
}

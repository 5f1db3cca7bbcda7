//! What makes the stacks of a scenario's hosts.

mod caught;

use std::fmt;
use std::sync::Arc;

use faultwire::stack::{HostStack, Stack, StackConfig};

use self::caught::Caught;

/// A host that needs a stack: at the start of a run, and after each crash.
#[derive(Debug)]
#[non_exhaustive]
pub struct NewHost<'a> {
    /// Its name in the scenario.
    pub name: &'a str,
    /// Whether it takes the server's part: it is the host `server`, or, if there is none, its program is not
    /// a client.
    pub is_server: bool,
    /// Its addresses, MTU and seed.
    pub config: StackConfig,
}

impl NewHost<'_> {
    /// faultwire's own stack.
    pub fn faultwire(self) -> Box<dyn HostStack> {
        Box::new(Stack::new(self.config))
    }
}

/// A host's part in its scenario.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) name: Arc<str>,
    /// As in [`NewHost`].
    pub(crate) is_server: bool,
    /// Whether a run ends only when its program has ended.
    pub(crate) is_client: bool,
}

type Make = dyn Fn(NewHost<'_>) -> Box<dyn HostStack> + Send + Sync;

/// Makes the stacks of a scenario's hosts: faultwire's own if it has no function for it.
#[derive(Clone, Default)]
pub(crate) struct MakeStack(Option<Arc<Make>>);

impl MakeStack {
    pub(crate) fn new(make: impl Fn(NewHost<'_>) -> Box<dyn HostStack> + Send + Sync + 'static) -> MakeStack {
        MakeStack(Some(Arc::new(make)))
    }

    pub(crate) fn make(&self, host: NewHost<'_>) -> Box<dyn HostStack> {
        match &self.0 {
            Some(make) => Box::new(Caught::new(|| make(host))),
            None => host.faultwire(),
        }
    }
}

impl fmt::Debug for MakeStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "a stack from outside" } else { "faultwire" })
    }
}

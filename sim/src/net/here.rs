//! Which host the running task belongs to, so that sockets need no [`Net`](super::Net) to be opened.

use std::cell::RefCell;
use std::future::pending;
use std::io;
use std::panic::resume_unwind;
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;

use super::host_net::HostNet;
use super::sim_host::SimHost;
use crate::world::Shared;

thread_local! {
    /// The simulated run that this thread makes.
    static RUN: RefCell<Weak<Shared>> = const { RefCell::new(Weak::new()) };
}

/// While it lives, tasks on this thread belong to hosts of a run.
#[derive(Debug)]
pub(crate) struct InRun {
    before: Weak<Shared>,
}

impl InRun {
    pub(crate) fn new(shared: &Arc<Shared>) -> InRun {
        InRun { before: RUN.replace(Arc::downgrade(shared)) }
    }
}

impl Drop for InRun {
    fn drop(&mut self) {
        RUN.set(std::mem::take(&mut self.before));
    }
}

/// The network of the host that the running task belongs to.
///
/// # Errors
/// `Unsupported` outside of a simulated host.
pub(super) async fn host_net() -> io::Result<HostNet<SimHost>> {
    match find()? {
        Some(net) => Ok(net),
        // The run begins again.
        None => pending().await,
    }
}

/// Like [`host_net`], where nothing can be waited for.
pub(super) fn host_net_now() -> io::Result<HostNet<SimHost>> {
    // The run begins again: what unwinds here prints nothing, and no result of it is kept.
    find()?.map_or_else(|| resume_unwind(Box::new("the run begins again")), Ok)
}

/// `None` where all hosts share a runtime, so that it cannot be known; the run begins again then.
fn find() -> io::Result<Option<HostNet<SimHost>>> {
    let run = RUN.with_borrow(Weak::upgrade);
    let (Some(shared), Ok(runtime)) = (run, Handle::try_current()) else { return Err(outside()) };
    let host = match shared.host_of(runtime.id()) {
        Some(host) => host,
        None if shared.has_runtimes() => return Err(outside()),
        None => {
            shared.begin_again();
            return Ok(None);
        }
    };
    let generation = shared.lock().host(host).generation;
    Ok(Some(HostNet::new(SimHost::new(shared, host, generation))))
}

fn outside() -> io::Error {
    let text = "no simulated host: a socket of faultwire_sim::net is opened in a task of a scenario's \
                program, on the testbeds virtual and turmoil";
    io::Error::new(io::ErrorKind::Unsupported, text)
}

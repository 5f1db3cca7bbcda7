//! What belongs to one run: the disks of its hosts, and the state that its scenario makes for it.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{Disk, Platter};

type AnyState = Arc<dyn Any + Send + Sync>;

/// Makes the state of a run.
pub(crate) type MakeState = Arc<dyn Fn() -> AnyState + Send + Sync>;

/// What one run keeps, whatever happens to its hosts.
#[derive(Clone, Default)]
pub(crate) struct RunState {
    make: Option<MakeState>,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    state: Option<AnyState>,
    /// By the index of the host.
    disks: Vec<Arc<Mutex<Platter>>>,
}

impl fmt::Debug for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunState")
    }
}

impl RunState {
    pub(crate) fn new(make: Option<MakeState>, hosts: usize) -> RunState {
        let this = RunState { make, kept: Arc::default() };
        this.begin(hosts);
        this
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes everything new: the run begins, or begins again.
    pub(crate) fn begin(&self, hosts: usize) {
        let state = self.make.as_ref().map(|make| make());
        let disks = (0..hosts).map(|_| Arc::default()).collect();
        *self.kept() = Kept { state, disks };
    }

    /// The scenario's state.
    fn state<S: Send + Sync + 'static>(&self) -> Option<Arc<S>> {
        self.kept().state.clone()?.downcast().ok()
    }

    /// The scenario's state, which it must have.
    #[track_caller]
    pub(crate) fn expect<S: Send + Sync + 'static>(&self) -> Arc<S> {
        self.state().unwrap_or_else(|| panic!("the scenario has no state {}", std::any::type_name::<S>()))
    }

    /// The disk of a host, for one of its incarnations.
    pub(crate) fn disk(&self, host: usize, incarnation: u32) -> Disk {
        let platter = self.kept().disks.get(host).cloned().unwrap_or_default();
        Disk::new(platter, incarnation)
    }

    /// The programs of a host have ended before their time; `loses_power` if the host has, too.
    pub(crate) fn died(&self, host: usize, loses_power: bool) {
        let platter = self.kept().disks.get(host).cloned();
        if let Some(platter) = platter {
            platter.lock().unwrap_or_else(PoisonError::into_inner).died(loses_power);
        }
    }
}

//! What belongs to one run: the disks of its hosts, and the state that its scenario makes for it.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{Disk, Platter};

type AnyState = Arc<dyn Any + Send + Sync>;

/// Makes the state of a run.
pub(crate) type MakeState = Arc<dyn Fn() -> AnyState + Send + Sync>;

/// What one run keeps, whatever happens to its hosts.
#[derive(Clone, Default)]
pub(crate) struct RunState(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    state: Option<AnyState>,
    /// By the index of the host, as far as they were asked for.
    disks: BTreeMap<usize, Arc<Mutex<Platter>>>,
    /// The hosts whose programs have come to their end.
    ended: BTreeSet<Arc<str>>,
}

impl fmt::Debug for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunState")
    }
}

/// Runs are compared by what happened in them, and not by what their programs keep.
impl PartialEq for RunState {
    fn eq(&self, _: &RunState) -> bool {
        true
    }
}

impl Eq for RunState {}

impl RunState {
    /// That of a run which begins.
    pub(crate) fn new(make: Option<&MakeState>) -> RunState {
        let state = make.map(|make| make());
        RunState(Arc::new(Mutex::new(Kept { state, ..Kept::default() })))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let platter = self.kept().disks.entry(host).or_default().clone();
        Disk::new(platter, incarnation)
    }

    /// The program of a host has come to its end.
    pub(crate) fn ended(&self, host: Arc<str>) {
        self.kept().ended.insert(host);
    }

    /// Whether the program of a host has come to its end.
    pub(crate) fn has_ended(&self, host: &str) -> bool {
        self.kept().ended.contains(host)
    }

    /// The programs of a host have ended before their time; `loses_power` if the host has, too.
    pub(crate) fn died(&self, host: usize, loses_power: bool) {
        let platter = self.kept().disks.entry(host).or_default().clone();
        platter.lock().unwrap_or_else(PoisonError::into_inner).died(loses_power);
    }
}

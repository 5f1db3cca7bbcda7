//! How far the programs of a run without a world are.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::program::{Trouble, polls_of};
use crate::run::End;
use crate::scenario::Scenario;

/// What is left to wait for.
#[derive(Debug)]
pub(crate) struct Progress {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// Clients that are still at work.
    clients: BTreeSet<String>,
    /// How the first program that failed ended the run.
    trouble: Option<End>,
}

impl Progress {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let clients = scenario.hosts.iter().filter(|host| host.is_client).map(|host| host.name.to_string());
        let state = State { clients: clients.collect(), trouble: None };
        Progress { state: Mutex::new(state), changed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A host's program came to its end.
    pub(crate) fn ended(&self, host: &str, result: Result<(), Trouble>) {
        let mut state = self.state();
        match result {
            Ok(()) => {
                state.clients.remove(host);
            }
            Err(Trouble::Failed(message)) => {
                let failed = End::Failed { host: Some(host.to_owned()), message };
                state.trouble.get_or_insert(failed);
            }
            Err(Trouble::Spins(polls)) => {
                let stalled = End::Stalled { limit: polls_of(polls, host), sockets: Vec::new() };
                state.trouble.get_or_insert(stalled);
            }
        }
        self.changed.notify_one();
    }

    /// How the run ended, if it has.
    pub(crate) fn end(&self) -> Option<End> {
        let state = self.state();
        match &state.trouble {
            Some(end) => Some(end.clone()),
            None if state.clients.is_empty() => Some(End::Finished),
            None => None,
        }
    }

    /// Waits until the run has ended.
    pub(crate) async fn ending(&self) -> End {
        loop {
            if let Some(end) = self.end() {
                return end;
            }
            self.changed.notified().await;
        }
    }
}

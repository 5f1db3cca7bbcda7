//! Which connection a stack speaks of, where a host has several of them.

use std::collections::BTreeMap;

use crate::model::{HostId, Note};
use crate::packet::Transport;
use crate::trace::{Trace, words};

/// The numbers that plans give to connections: by host, its port and the other side's.
#[derive(Debug, Default)]
pub(super) struct Flows(BTreeMap<(HostId, u16, u16), u32>);

impl Flows {
    pub(super) fn of(trace: &Trace) -> Flows {
        let mut flows = BTreeMap::new();
        for sending in trace.events().iter().filter_map(|event| event.sending()) {
            // The first is called by no number.
            let Some(label) = sending.label.filter(|label| label.flow > 1) else { continue };
            let Some(Transport::Tcp { src, dst, .. }) = sending.view().map(|view| view.transport) else {
                continue;
            };
            flows.insert((sending.from, src, dst), label.flow);
            flows.insert((sending.to, dst, src), label.flow);
        }
        Flows(flows)
    }

    /// What a host's stack tells, in words, with the number of the connection beyond the first.
    pub(super) fn said(&self, host: HostId, note: Note) -> String {
        let said = words::note(note);
        match note {
            Note::Tcp { port, peer, .. } => match self.0.get(&(host, port, peer)) {
                Some(flow) => format!("flow {flow} {said}"),
                None => said,
            },
            _ => said,
        }
    }
}

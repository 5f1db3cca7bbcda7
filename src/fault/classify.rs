//! The classifier: what a packet is called by, told from its headers and from what went before it.
//!
//! It sees each packet as it left its host, before any fault. One [`Classifier`] knows what two hosts sent
//! each other; it never fails: what it cannot read is a [`Class::Datagram`] without a flow.
//!
//! Its memory is bounded. Beyond [`FLOWS_MAX`] flows between two hosts a further flow has no number (0): its
//! packets are still counted by class, but each data segment counts as new. What happens beyond the bound on
//! remembered data segments stands in [`stream`].

mod header;
mod stream;

use std::collections::BTreeMap;

use self::header::{FlowKey, Segment};
use self::stream::Stream;
use super::{Class, Label};

/// Flows that are told apart between two hosts.
const FLOWS_MAX: usize = 4_096;

/// How many packets of each class were seen, indexed by [`Class`]; at [`Class::Any`] all of them.
type Counts = [u32; Class::Any as usize + 1];

/// What two hosts sent each other, as far as names depend on it.
#[derive(Debug, Default)]
pub(super) struct Classifier {
    counts: [Counts; 2],
    /// What has no flow, or no number.
    unnumbered: [Counts; 2],
    flows: Vec<Flow>,
    index: BTreeMap<FlowKey, u32>,
    /// The flow of the last packet: most packets belong to the same flow as the one before.
    last: Option<(FlowKey, u32)>,
    /// Data segments remembered over all flows.
    pieces: usize,
}

#[derive(Debug, Default)]
struct Flow {
    counts: [Counts; 2],
    streams: [Stream; 2],
}

/// Adds one to the count of a class and returns the new count.
fn count(counts: &mut Counts, class: Class) -> u32 {
    let count = &mut counts[class as usize];
    *count = count.saturating_add(1);
    *count
}

impl Classifier {
    /// Names a packet. `side` is 0 or 1: which of the two hosts sent it.
    pub(super) fn label(&mut self, side: usize, packet: &[u8]) -> Label {
        let seen = header::read(packet);
        let number = seen.flow.map_or(0, |key| self.number(key));
        let mut label = Label {
            class: seen.class,
            nth: 0,
            nth_in_flow: 0,
            nth_any: count(&mut self.counts[side], Class::Any),
            nth_any_in_flow: 0,
            flow: number,
            transmission: 1,
        };
        let all = &mut self.counts[side];
        let Some(flow) = (number as usize).checked_sub(1).and_then(|index| self.flows.get_mut(index)) else {
            label.nth_any_in_flow = count(&mut self.unnumbered[side], Class::Any);
            label.nth_in_flow = count(&mut self.unnumbered[side], seen.class);
            label.nth = count(all, seen.class);
            return label;
        };
        let own = &mut flow.counts[side];
        label.nth_any_in_flow = count(own, Class::Any);
        match seen.segment {
            Some(Segment { seq, len }) if seen.class == Class::Data => {
                let carried = flow.streams[side]
                    .carry(seq, len, &mut self.pieces, || (count(all, Class::Data), count(own, Class::Data)));
                (label.nth, label.nth_in_flow, label.transmission) = carried;
            }
            segment => {
                if let Some(Segment { seq, .. }) = segment
                    && seen.class == Class::Syn
                {
                    flow.streams[side].begin(seq, &mut self.pieces);
                }
                label.nth = count(all, seen.class);
                label.nth_in_flow = count(own, seen.class);
            }
        }
        label
    }

    /// The number of a flow, given out on first sight; 0 where all numbers are taken.
    fn number(&mut self, key: FlowKey) -> u32 {
        if let Some((last, number)) = self.last
            && last == key
        {
            return number;
        }
        let number = match self.index.get(&key) {
            Some(&number) => number,
            None if self.flows.len() < FLOWS_MAX => {
                self.flows.push(Flow::default());
                let number = self.flows.len() as u32;
                self.index.insert(key, number);
                number
            }
            None => 0,
        };
        self.last = Some((key, number));
        number
    }
}

#[cfg(test)]
mod tests;

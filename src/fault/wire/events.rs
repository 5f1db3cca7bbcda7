//! The plan's events, and those that programs cause: when they happen, and what they do.

use std::time::Duration;

use bytes::Bytes;

use super::queue::{Queue, Switch};
use super::select::{Happening, Source, Way};
use super::{Deed, DueWhat, Power, Wire};
use crate::fault::{Change, Label, Lasts};
use crate::model::{Recorder, Time, What};
use crate::packet::{changed, rejected};

impl Wire {
    /// Lets the events happen that are anchored to a packet, in the plan's order.
    pub(super) fn anchored(&mut self, now: Time, way: Way, label: &Label, recorder: &mut dyn Recorder) {
        for event in self.plan.after.find(way, label) {
            match (self.plan.waits[event], &self.plan.happenings[event]) {
                (Duration::ZERO, _) => self.happen(now, event, recorder),
                (wait, &Happening::Switch(switch)) => self.queue.switch(now + wait, switch),
                (wait, _) => {
                    self.timed.insert((now + wait, Deed::Event(event)));
                }
            }
        }
    }

    /// Lets the timed events happen that are due.
    pub(super) fn pass_time(&mut self, now: Time, recorder: &mut dyn Recorder) {
        self.pass_time_before(now, |_| None, recorder);
    }

    /// Lets the timed events happen that are due, up to the time of what comes next.
    pub(super) fn pass_time_before(
        &mut self,
        now: Time,
        next: fn(&Queue) -> Option<Time>,
        recorder: &mut dyn Recorder,
    ) {
        while let Some(&(at, deed)) = self.timed.first()
            && at <= now
            && next(&self.queue).is_none_or(|next| at <= next)
        {
            self.timed.pop_first();
            match deed {
                Deed::Event(event) => self.happen(at, event, recorder),
                Deed::End(event) => self.end(at, event, recorder),
            }
        }
    }

    /// Turns a host off or on; `None` where it is so already.
    pub(super) fn switch(&mut self, switch: Switch) -> Option<DueWhat> {
        let Switch { host, power, event } = switch;
        let (changes, what) = match power {
            Power::Off => {
                self.killed.remove(&host);
                (self.down.insert(host), DueWhat::Crash(host))
            }
            Power::Kill => (!self.down.contains(&host) && self.killed.insert(host), DueWhat::Kill(host)),
            Power::On => (self.down.remove(&host) || self.killed.remove(&host), DueWhat::Restart(host)),
        };
        self.fired.events[event] |= changes;
        changes.then_some(what)
    }

    /// A retransmission was lost to what is cut: what waits for that ends with the last one.
    pub(super) fn count_down(
        &mut self,
        at: Time,
        way: Way,
        flow: Option<u32>,
        len: usize,
        recorder: &mut dyn Recorder,
    ) {
        let mut over = Vec::new();
        self.counting.retain_mut(|(event, cut, left)| {
            if cut.takes([&way.0, &way.1], flow, len) {
                *left = left.saturating_sub(1);
            }
            if *left == 0 {
                over.push(*event);
            }
            *left > 0
        });
        for event in over {
            self.end(at, event, recorder);
        }
    }

    /// Ends an outage.
    pub(super) fn end(&mut self, at: Time, event: usize, recorder: &mut dyn Recorder) {
        if let Some(cut) = self.cuts.end(event) {
            recorder.push(at, What::Healed(cut));
        }
    }

    /// Lets an event happen.
    pub(super) fn happen(&mut self, at: Time, event: usize, recorder: &mut dyn Recorder) {
        match self.plan.happenings[event].clone() {
            Happening::Partition(cut) => {
                if self.cuts.cut(cut, None) {
                    recorder.push(at, What::Partitioned(cut));
                    self.fired.events[event] = true;
                }
            }
            Happening::Outage(cut, lasts) => {
                if self.cuts.cut(cut, Some(event)) {
                    recorder.push(at, What::Partitioned(cut));
                    self.fired.events[event] = true;
                }
                match lasts {
                    Lasts::Us(us) => {
                        self.timed.insert((at + Duration::from_micros(us), Deed::End(event)));
                    }
                    Lasts::Retransmissions(left) => self.counting.push((event, cut, left)),
                }
            }
            Happening::Heal(cut) => {
                if self.cuts.mend(cut) {
                    recorder.push(at, What::Healed(cut));
                    self.fired.events[event] = true;
                }
            }
            Happening::Switch(switch) => self.queue.switch(at, switch),
            Happening::Inject(way, source) => {
                let sample = self.samples[event].as_deref();
                let bytes = match source {
                    Source::Bytes(bytes) => Some(bytes),
                    Source::Like(change) => sample.and_then(|sample| like(sample, &change)),
                    Source::Reject(rejection) => sample.and_then(|sample| rejected(sample, rejection)),
                };
                if let Some(bytes) = bytes {
                    self.fired.events[event] |= self.inject(at, way, bytes, recorder);
                }
            }
        }
    }
}

/// A copy of a packet with changes, if any.
fn like(sample: &[u8], change: &Change) -> Option<Bytes> {
    if *change == Change::default() { Some(Bytes::copy_from_slice(sample)) } else { changed(sample, change) }
}

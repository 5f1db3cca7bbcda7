//! The wire: a pure machine that carries packets between hosts and applies a plan to them.
//!
//! [`select`] finds what the plan says of a packet, [`events`] lets the plan's events happen, [`link`]
//! knows each link's state, [`queue`] holds what is under way. What a packet is called by is the
//! [classifier](super::classify)'s business.

mod events;
mod link;
mod queue;
mod select;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;

use self::link::{Cuts, Links};
use self::queue::{Next, Queue};
use self::select::{Prepared, Way};
use super::{Action, Cut, EventKind, FaultPlan, Label, PlanEvent, When};
use crate::model::{HostId, LossReason, PacketId, Recorder, Time, What};
use crate::packet::{Path, changed, flip, rejected};

/// Packets that the wire holds before it loses further ones ([`LossReason::WireFull`]).
const PACKETS_MAX: usize = 65_536;

/// How long a packet is held back for others that do not come.
const HOLD_MAX: Duration = Duration::from_secs(1);

/// A link between hosts, under a plan.
///
/// ```
/// use bytes::Bytes;
/// use faultwire::fault::{Action, Class, DueWhat, FaultPlan, Packet, Wire};
/// use faultwire::packet;
/// use faultwire::time::Time;
/// use faultwire::trace::{HostId, Trace};
/// # use faultwire::stack::{Domain, HostStack as _, Kind, Protocol, Sockets as _, Stack, StackConfig};
///
/// # let mut stack = Stack::new(StackConfig::new([10, 0, 0, 1].into(), "fd00::1".parse()?));
/// # let fd = stack.socket(Domain::Inet, Kind::Datagram, Protocol::Default)?;
/// # stack.send_to(fd, b"hello", "10.0.0.2:7".parse()?)?;
/// # let datagram: Bytes = stack.poll_transmit().expect("a packet");
/// let hosts = ["client", "server"].map(str::to_owned);
/// let first = Packet::nth(Class::Datagram, 1);
/// let plan = FaultPlan::new().fault(["client", "server"], first, Action::Duplicate);
/// let (mut wire, mut trace) = (Wire::new(&plan, &hosts)?, Trace::new(hosts));
/// // `datagram` is a whole IP packet.
/// wire.send(Time::ZERO, HostId(0), HostId(1), datagram, &mut trace);
/// let due = wire.next_due().expect("it is on its way");
/// let mut arrived = 0;
/// while let Some(due) = wire.poll(due, &mut trace) {
///     arrived += u32::from(matches!(due.what, DueWhat::Packet(_)));
/// }
/// assert_eq!((due, arrived), (Time::from_millis(1), 2));
/// assert!(wire.fired().all());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Wire {
    hosts: usize,
    links: Links,
    cuts: Cuts,
    queue: Queue,
    plan: Prepared,
    /// What is still to happen to the wire at a time: an event of the plan, or the end of one.
    timed: BTreeSet<(Time, Deed)>,
    /// The outages under way that end with a retransmission: event, what is cut, how many are still to be
    /// lost.
    counting: Vec<(usize, Cut<HostId>, u32)>,
    /// Hosts that lost power and did not start again, as far as the plan's events go.
    down: BTreeSet<HostId>,
    /// Hosts whose programs were killed and did not start again.
    killed: BTreeSet<HostId>,
    /// Of each event that needs it: the packet that it makes one from, once that was sent.
    samples: Vec<Option<Bytes>>,
    fired: Fired,
    /// What the programs caused, which comes behind the plan's events.
    caused: Vec<PlanEvent>,
}

/// Something that is due at the far end of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Due {
    /// When.
    pub at: Time,
    /// What.
    pub what: DueWhat,
}

/// What is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DueWhat {
    /// A packet arrives.
    Packet(Delivery),
    /// A host loses power.
    Crash(HostId),
    /// A host's programs are killed.
    Kill(HostId),
    /// A host starts again, or its programs do.
    Restart(HostId),
}

/// What happens to the wire at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    /// An event of the plan.
    Event(usize),
    /// The end of an outage, which is an event of the plan.
    End(usize),
}

/// What becomes of a host, or of its programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    Off,
    Kill,
    On,
}

/// A packet at the end of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Which packet.
    pub packet: PacketId,
    /// 0, or 1 for the copy that a duplication made.
    pub copy: u8,
    /// Who is to get it.
    pub to: HostId,
    /// The whole IP packet, as it arrives.
    pub bytes: Bytes,
    /// Whether `bytes` differ from what was sent.
    pub altered: bool,
}

/// Which of a plan's faults and events took place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fired {
    /// For each fault of the plan, in its order.
    pub faults: Vec<bool>,
    /// For each event of the plan, in its order.
    pub events: Vec<bool>,
}

impl Fired {
    /// How many faults and events took place.
    pub fn count(&self) -> usize {
        self.faults.iter().chain(&self.events).filter(|fired| **fired).count()
    }

    /// Whether all of them took place.
    pub fn all(&self) -> bool {
        self.faults.iter().chain(&self.events).all(|fired| *fired)
    }
}

/// A plan speaks of a host that the run does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan names the host `{name}`, but the hosts of this run are {}", hosts.join(", "))]
pub struct UnknownHost {
    /// The name.
    pub name: String,
    /// The names that there are.
    pub hosts: Vec<String>,
}

/// What a fault does to a packet, worked out.
#[derive(Debug)]
enum Effect {
    Drop,
    Duplicate,
    Delay(Duration),
    Hold(u32),
    Alter(Bytes),
    /// It is dropped, and this goes back.
    Reject(Bytes),
}

impl Effect {
    /// What an action does to this packet; `None` where it can do nothing.
    fn of(action: &Action, packet: &[u8]) -> Option<Effect> {
        match action {
            Action::Drop => Some(Effect::Drop),
            Action::Duplicate => Some(Effect::Duplicate),
            Action::DelayUs(0) | Action::HoldFor(0) => None,
            Action::DelayUs(micros) => Some(Effect::Delay(Duration::from_micros(*micros))),
            Action::HoldFor(packets) => Some(Effect::Hold(*packets)),
            Action::CorruptBits(bits) => {
                let mut altered = packet.to_vec();
                flip(&mut altered, bits)?;
                (altered != packet).then(|| Effect::Alter(altered.into()))
            }
            Action::Change(change) => changed(packet, change).map(Effect::Alter),
            Action::Reject(rejection) => rejected(packet, *rejection).map(Effect::Reject),
        }
    }
}

impl Wire {
    /// A wire between these hosts, under this plan.
    ///
    /// # Errors
    /// [`UnknownHost`] where the plan names a host that is not among `hosts`.
    pub fn new(plan: &FaultPlan, hosts: &[String]) -> Result<Wire, UnknownHost> {
        let mut prepared = Prepared::new(plan, hosts)?;
        let differing = std::mem::take(&mut prepared.links);
        let mut queue = Queue::default();
        for &(at, switch) in &prepared.switches {
            queue.switch(at, switch);
        }
        Ok(Wire {
            hosts: hosts.len(),
            links: Links::new(plan.link.numbers(), differing, hosts),
            cuts: Cuts::default(),
            queue,
            timed: prepared.timed.iter().map(|&(at, event)| (at, Deed::Event(event))).collect(),
            counting: Vec::new(),
            plan: prepared,
            down: BTreeSet::new(),
            killed: BTreeSet::new(),
            samples: vec![None; plan.events.len()],
            caused: Vec::new(),
            fired: Fired { faults: vec![false; plan.faults.len()], events: vec![false; plan.events.len()] },
        })
    }

    /// Takes a whole IP packet from a host and [`send`](Wire::send)s it to the first host that `has` its
    /// destination, by its number, or to all others where it is for all or has no addresses. Where there is
    /// no such host it is lost.
    pub fn route(
        &mut self,
        now: Time,
        from: HostId,
        packet: Bytes,
        has: impl Fn(usize, &IpAddr) -> bool,
        recorder: &mut dyn Recorder,
    ) {
        let id = |index| HostId(u16::try_from(index).unwrap_or(u16::MAX));
        let Some(path) = Path::of(&packet).filter(|path| !path.is_for_all()) else {
            for to in (0..self.hosts).map(id).filter(|to| *to != from) {
                self.send(now, from, to, packet.clone(), recorder);
            }
            return;
        };
        match (0..self.hosts).find(|to| has(*to, &path.dst())) {
            Some(to) => self.send(now, from, id(to), packet, recorder),
            None => {
                let packet = recorder.next_packet();
                recorder.push(now, What::Lost { packet, reason: LossReason::NoSuchHost });
            }
        }
    }

    /// Takes a whole IP packet from a host, to be carried to another; records it and the faults that hit it.
    ///
    /// Timed events up to `now` happen first. Then the packet is classified and recorded. It is lost where
    /// there is no such host, where it is larger than the MTU, where the link is cut or where the wire is
    /// full; no fault of the plan hits it then. Events that come before it happen first. Else the fault that
    /// names it is applied: the first in the plan's order, if several do; the others do not fire. At last the
    /// events that are anchored to it happen.
    ///
    /// Where the link's delay varies, a packet's follows from its name (its direction, and its place
    /// among all packets of it), and packets may overtake each other.
    ///
    /// A packet that is held back comes right behind the nth packet that is sent after it in its direction,
    /// whatever becomes of that one; at the latest one second after it was sent (or when it was due anyway,
    /// on a slower link).
    pub fn send(&mut self, now: Time, from: HostId, to: HostId, packet: Bytes, recorder: &mut dyn Recorder) {
        self.pass_time(now, recorder);
        let way = (from, to);
        let (between, side) = self.links.between(way);
        let label = between.seen.label(side, &packet);
        for event in self.plan.samples.find(way, &label) {
            self.samples[event] = Some(packet.clone());
        }
        for event in self.plan.before.find(way, &label) {
            self.happen(now, event, recorder);
        }
        let flow = (label.flow > 0).then_some(label.flow);
        let len = packet.len();
        let refusal = self.refusal(way, flow, &packet);
        let (between, side) = self.links.between(way);
        let departure = between.departure(side, now, packet.len());
        if refusal.is_none() {
            between.occupy(side, departure);
        }
        let due = departure + between.line(side).delay_of(label.nth_any);
        let id = recorder.next_packet();
        let bytes = packet.clone();
        recorder.push(now, What::Sent { packet: id, from, to, label, bytes });
        if let Some(reason) = refusal {
            recorder.push(now, What::Lost { packet: id, reason });
            self.queue.overtaken(way, due);
            if reason == LossReason::Partition && label.is_retransmission() {
                self.count_down(now, way, flow, len, recorder);
            }
        } else {
            let effect = self.fault(now, way, &label, id, &packet, recorder);
            let delivery = Delivery { packet: id, copy: 0, to, bytes: packet, altered: false };
            let answer = self.carry(now, way, due, delivery, effect);
            if let Some(answer) = answer {
                self.inject(now, (to, from), answer, recorder);
            }
        }
        self.anchored(now, way, &label, recorder);
    }

    /// When something is due next: a delivery, or an event that has a time.
    pub fn next_due(&self) -> Option<Time> {
        let queued = self.queue.next_due();
        match self.timed.first() {
            Some(&(at, _)) => Some(queued.map_or(at, |queued| queued.min(at))),
            None => queued,
        }
    }

    /// The next thing that is due at `now` or before, in the order of (time, host, sequence).
    ///
    /// Partitions, heals and injections that are due are carried out (and recorded) here and need nothing
    /// from the caller; they come before what is due at the same time. The caller records the arrival, or the
    /// loss where the host is down. What would change nothing, the crash of a host that is down or the
    /// restart of one that runs, is not given out. [`poll_ahead`](Wire::poll_ahead) is for one who must know
    /// of an arrival before it is due.
    pub fn poll(&mut self, now: Time, recorder: &mut dyn Recorder) -> Option<Due> {
        loop {
            self.pass_time_before(now, Queue::next_due, recorder);
            if self.queue.next_due()? > now {
                return None;
            }
            match self.queue.pop()? {
                (at, Next::Packet(delivery)) => return Some(Due { at, what: DueWhat::Packet(delivery) }),
                (at, Next::Switch(switch)) => {
                    if let Some(what) = self.switch(switch) {
                        return Some(Due { at, what });
                    }
                }
            }
        }
    }

    /// The next packet that is due at `horizon` or before, as [`poll`](Wire::poll) would give it at its time.
    ///
    /// As long as the horizon is ahead of `now` by no more than the shortest delay of any link, each host
    /// gets the same at the same times as otherwise: nothing that is still to be sent can be due before.
    /// Partitions, heals and injections happen up to `now` only. Crashes and restarts do not come out
    /// here, but from [`poll_power`](Wire::poll_power) at their time: what is still to be sent may change
    /// whether they do anything.
    pub fn poll_ahead(&mut self, now: Time, horizon: Time, recorder: &mut dyn Recorder) -> Option<Due> {
        self.pass_time_before(now, Queue::next_packet_due, recorder);
        if self.queue.next_packet_due()? > horizon {
            return None;
        }
        let (at, delivery) = self.queue.pop_packet()?;
        Some(Due { at, what: DueWhat::Packet(delivery) })
    }

    /// The next crash or restart that is due at `now` or before, for one who takes the packets ahead of time.
    pub fn poll_power(&mut self, now: Time, recorder: &mut dyn Recorder) -> Option<Due> {
        loop {
            self.pass_time_before(now, Queue::next_switch_due, recorder);
            if self.queue.next_switch_due()? > now {
                return None;
            }
            let (at, switch) = self.queue.pop_switch()?;
            if let Some(what) = self.switch(switch) {
                return Some(Due { at, what });
            }
        }
    }

    /// When the next crash or restart is due that was not given out yet.
    pub fn next_power_due(&self) -> Option<Time> {
        self.queue.next_switch_due()
    }

    /// What has taken place of the plan so far.
    ///
    /// A fault fires when it is applied to its packet: not where that packet was lost before, nor where a bit
    /// lies beyond its end. A partition or a heal fires when it changes whether a link is cut, an injection
    /// when its packet is on the link. A crash, a kill or a restart fires when its time has come and it is
    /// given out: not where the plan has already turned that host off, or on.
    pub fn fired(&self) -> Fired {
        let Fired { faults, events } = &self.fired;
        Fired { faults: faults.clone(), events: events[..self.planned()].to_vec() }
    }

    /// Lets something happen now that is not in the plan: a program causes it. [`caused`](Wire::caused)
    /// has it as an event of a plan. `hosts` are the wire's.
    ///
    /// # Errors
    /// [`UnknownHost`] where it names a host that is not among the wire's.
    pub fn cause(
        &mut self,
        now: Time,
        kind: EventKind,
        hosts: &[String],
        recorder: &mut dyn Recorder,
    ) -> Result<(), UnknownHost> {
        self.pass_time(now, recorder);
        let event = PlanEvent::new(kind, When::AtUs(now.as_micros()));
        let position = self.plan.happenings.len();
        self.plan.add(&event, hosts)?;
        self.plan.samples.sort();
        self.caused.push(event);
        self.samples.push(None);
        self.fired.events.push(false);
        self.happen(now, position, recorder);
        Ok(())
    }

    /// What programs [caused](Wire::cause) so far, as far as it took place: events that do the same as
    /// part of a plan, at the same times to the microsecond.
    pub fn caused(&self) -> Vec<PlanEvent> {
        let (_, fired) = self.fired.events.split_at(self.planned());
        self.caused.iter().zip(fired).filter(|(_, fired)| **fired).map(|(event, _)| event.clone()).collect()
    }

    /// How many events the plan has.
    fn planned(&self) -> usize {
        self.fired.events.len() - self.caused.len()
    }

    /// Packets on the wire, copies and held ones included.
    pub fn in_flight(&self) -> usize {
        self.queue.packets()
    }

    /// Why the link does not take this packet.
    fn refusal(&mut self, way: Way, flow: Option<u32>, packet: &[u8]) -> Option<LossReason> {
        let (between, side) = self.links.between(way);
        if usize::from(way.0.0.max(way.1.0)) >= self.hosts {
            Some(LossReason::NoSuchHost)
        } else if packet.len() > between.line(side).mtu {
            Some(LossReason::TooBig)
        } else if self.cuts.takes(way, flow, packet.len()) {
            Some(LossReason::Partition)
        } else if self.queue.packets() >= PACKETS_MAX {
            Some(LossReason::WireFull)
        } else {
            None
        }
    }

    /// Finds the fault for a packet, records it, and works out what it does.
    fn fault(
        &mut self,
        now: Time,
        way: Way,
        label: &Label,
        packet: PacketId,
        bytes: &[u8],
        recorder: &mut dyn Recorder,
    ) -> Option<Effect> {
        let fault = *self.plan.faults.find(way, label).first()?;
        let action = self.plan.actions.get(fault)?;
        let effect = Effect::of(action, bytes)?;
        self.fired.faults[fault] = true;
        let action = action.clone();
        recorder.push(now, What::Fault { packet, fault, action });
        Some(effect)
    }

    /// Puts a packet on the link; it is due at `due` if nothing happens to it. Gives what goes back to its
    /// sender, if something does.
    fn carry(
        &mut self,
        now: Time,
        way: Way,
        due: Time,
        mut delivery: Delivery,
        effect: Option<Effect>,
    ) -> Option<Bytes> {
        let (mut due, mut answer) = (due, None);
        match effect {
            None => self.queue.packet(due, delivery),
            Some(Effect::Drop) => {}
            Some(Effect::Reject(bytes)) => answer = Some(bytes),
            Some(Effect::Duplicate) => {
                let copy = Delivery { copy: 1, ..delivery.clone() };
                self.queue.packet(due, delivery);
                self.queue.packet(due, copy);
            }
            Some(Effect::Delay(span)) => {
                due += span;
                self.queue.packet(due, delivery);
            }
            Some(Effect::Hold(behind)) => {
                // First what waits for this packet: it does not wait for itself.
                self.queue.overtaken(way, due);
                self.queue.hold(way, behind, due.max(now + HOLD_MAX), delivery);
                return None;
            }
            Some(Effect::Alter(bytes)) => {
                delivery.bytes = bytes;
                delivery.altered = true;
                self.queue.packet(due, delivery);
            }
        }
        self.queue.overtaken(way, due);
        answer
    }

    /// Puts a packet on the link that no host sent; whether the link takes it.
    fn inject(&mut self, at: Time, (from, to): Way, bytes: Bytes, recorder: &mut dyn Recorder) -> bool {
        let packet = recorder.next_packet();
        recorder.push(at, What::Injected { packet, from, to, bytes: bytes.clone() });
        if let Some(reason) = self.refusal((from, to), None, &bytes) {
            recorder.push(at, What::Lost { packet, reason });
            return false;
        }
        let (between, side) = self.links.between((from, to));
        let due = at + between.line(side).delay;
        self.queue.packet(due, Delivery { packet, copy: 0, to, bytes, altered: false });
        true
    }
}

#[cfg(test)]
mod tests;

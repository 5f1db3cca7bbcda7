//! The numbers of a plan, and the steps (…, 50, 20, 10, 5, 2, 1, 0) that each of them moves down.

use std::ops::{Range, RangeInclusive};

use faultwire::fault::{
    Action, Change, Direction, EventKind, Fault, FaultPlan, Injection, Lasts, Link, Packet, Rejection, Value,
    When, bounds,
};

/// The next step down that is not below `floor`, in units of `tick`; none where `number` is at
/// the end.
pub(crate) fn step_down(number: u64, floor: u64, tick: u64) -> Option<u64> {
    let tick = tick.max(1);
    let (units, rest) = (number / tick, number % tick);
    // A number between two ticks goes down to the step below it or onto it.
    let units = step_below(if rest == 0 { units } else { units.checked_add(1)? })?;
    let next = units.saturating_mul(tick);
    (next >= floor && next < number).then_some(next)
}

/// The largest of 0, 1, 2, 5, 10, 20, 50, … that is below `number`.
fn step_below(number: u64) -> Option<u64> {
    let below = number.checked_sub(1)?;
    if below == 0 {
        return Some(0);
    }
    let decade = 10_u64.pow(below.ilog10());
    Some(match below / decade {
        5.. => 5 * decade,
        2..=4 => 2 * decade,
        _ => decade,
    })
}

/// Where a number stands in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the action of a fault: the delay, the packets to hold behind, the MTU of a rejection.
    Action(usize),
    /// What a header field becomes: fault, position in its list.
    Set(usize, usize),
    /// The index of a damaged bit: fault, position in its list.
    Bit(usize, usize),
    /// In the packet that a fault names.
    Fault(usize, Field),
    /// In the packet that an event is anchored to.
    Anchor(usize, Field),
    /// In the packet that an injected one is made from.
    Sample(usize, Field),
    /// The time of an event, or how much later than its packet it comes.
    At(usize),
    /// How long an outage lasts.
    Lasts(usize),
}

/// A number in the name of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    /// The nth of its class.
    Nth,
    /// The kth transmission; 1 and none are the same.
    Transmission,
    /// The flow.
    Flow,
}

impl Place {
    /// All places of a plan that hold a number.
    pub(crate) fn all(plan: &FaultPlan) -> Vec<Place> {
        let mut places = Vec::new();
        let fields = |packet: &Packet| {
            [
                Some(Field::Nth),
                packet.transmission.map(|_| Field::Transmission),
                packet.flow.map(|_| Field::Flow),
            ]
            .into_iter()
            .flatten()
        };
        for (index, fault) in plan.faults.iter().enumerate() {
            places.extend(fields(&fault.packet).map(|field| Place::Fault(index, field)));
            match &fault.action {
                Action::Drop | Action::Duplicate => {}
                Action::DelayUs(_) | Action::HoldFor(_) => places.push(Place::Action(index)),
                Action::CorruptBits(bits) => places.extend((0..bits.len()).map(|bit| Place::Bit(index, bit))),
                Action::Change(Change { fields, bits, .. }) => {
                    places.extend((0..fields.len()).map(|field| Place::Set(index, field)));
                    places.extend((0..bits.len()).map(|bit| Place::Bit(index, bit)));
                }
                Action::Reject(rejection) => {
                    places.extend(matches!(rejection, Rejection::TooBig(_)).then_some(Place::Action(index)));
                }
            }
        }
        for (index, event) in plan.events.iter().enumerate() {
            match event.when.anchor() {
                Some(anchor) => {
                    places.extend(fields(&anchor.packet).map(|field| Place::Anchor(index, field)));
                    places.extend((anchor.wait_us > 0).then_some(Place::At(index)));
                }
                None => places.push(Place::At(index)),
            }
            if let EventKind::Outage { .. } = event.kind {
                places.push(Place::Lasts(index));
            }
            let sample = sample(&event.kind).into_iter().flat_map(fields);
            places.extend(sample.map(|field| Place::Sample(index, field)));
        }
        places
    }

    /// The number there, the least it may be, and whether it is a time.
    pub(crate) fn get(self, plan: &FaultPlan) -> Option<Number> {
        let packet = |packet: &Packet, field| {
            let (value, bounds) = match field {
                Field::Nth => (packet.nth, bounds::NTH),
                Field::Transmission => (packet.transmission?, bounds::TRANSMISSION),
                Field::Flow => (packet.flow?, bounds::FLOW),
            };
            Some(Number::new(value, bounds))
        };
        match self {
            Place::Fault(index, field) => packet(&plan.faults.get(index)?.packet, field),
            Place::Anchor(index, field) => packet(&plan.events.get(index)?.when.anchor()?.packet, field),
            Place::Sample(index, field) => packet(sample(&plan.events.get(index)?.kind)?, field),
            Place::Action(index) => match &plan.faults.get(index)?.action {
                Action::DelayUs(delay) => Some(Number::time(*delay, bounds::DELAY_US)),
                Action::HoldFor(hold) => Some(Number::new(*hold, bounds::HOLD_FOR)),
                Action::Reject(Rejection::TooBig(mtu)) => Some(Number::new(u32::from(*mtu), bounds::MTU)),
                _ => None,
            },
            Place::Bit(index, bit) => {
                Some(Number::new(*bits(&plan.faults.get(index)?.action)?.get(bit)?, bounds::BIT))
            }
            Place::Set(index, field) => match &plan.faults.get(index)?.action {
                Action::Change(Change { fields, .. }) => match &fields.get(field)?.1 {
                    Value::Number(value) => Some(Number { value: *value, floor: 0, is_time: false }),
                    Value::Add(number) => {
                        Some(Number { value: number.unsigned_abs(), floor: 1, is_time: false })
                    }
                    Value::Addr(_) | Value::Bytes(_) => None,
                },
                _ => None,
            },
            Place::At(index) => match &plan.events.get(index)?.when {
                When::AtUs(at) => Some(Number::time(*at, bounds::AT_US)),
                // Without a wait it comes right after its packet.
                When::After(anchor) => Some(Number::time(anchor.wait_us, 0..=*bounds::WAIT_US.end())),
                When::Before(_) => None,
            },
            Place::Lasts(index) => match &plan.events.get(index)?.kind {
                EventKind::Outage { lasts: Lasts::Us(us), .. } => Some(Number::time(*us, bounds::FOR_US)),
                EventKind::Outage { lasts: Lasts::Retransmissions(count), .. } => {
                    Some(Number::new(*count, bounds::RETRANSMISSIONS))
                }
                _ => None,
            },
        }
    }

    /// The plan with another number there; none where the number does not fit there, or makes a plan that is
    /// none (two faults for one packet, one bit flipped twice).
    pub(crate) fn set(self, plan: &FaultPlan, number: u64) -> Option<FaultPlan> {
        let mut plan = plan.clone();
        let small = u32::try_from(number).ok();
        let packet = |packet: &mut Packet, field| {
            match field {
                Field::Nth => packet.nth = small?,
                Field::Transmission => packet.transmission = small.filter(|k| *k > 1),
                Field::Flow => packet.flow = Some(small?),
            }
            Some(())
        };
        match self {
            Place::Fault(index, field) => packet(&mut plan.faults.get_mut(index)?.packet, field)?,
            Place::Anchor(index, field) => {
                packet(&mut plan.events.get_mut(index)?.when.anchor_mut()?.packet, field)?;
            }
            Place::Sample(index, field) => packet(sample_mut(&mut plan.events.get_mut(index)?.kind)?, field)?,
            Place::Action(index) => match &mut plan.faults.get_mut(index)?.action {
                Action::DelayUs(delay) => *delay = number,
                Action::HoldFor(hold) => *hold = small?,
                Action::Reject(Rejection::TooBig(mtu)) => *mtu = u16::try_from(number).ok()?,
                _ => return None,
            },
            Place::Bit(index, bit) => match bits_mut(&mut plan.faults.get_mut(index)?.action)? {
                bits if !bits.contains(&small?) => *bits.get_mut(bit)? = small?,
                _ => return None,
            },
            Place::Set(index, field) => match &mut plan.faults.get_mut(index)?.action {
                Action::Change(Change { fields, .. }) => match &mut fields.get_mut(field)?.1 {
                    Value::Number(value) => *value = number,
                    Value::Add(sum) => *sum = i64::try_from(number).ok()? * sum.signum(),
                    Value::Addr(_) | Value::Bytes(_) => return None,
                },
                _ => return None,
            },
            Place::At(index) => match &mut plan.events.get_mut(index)?.when {
                When::AtUs(at) => *at = number,
                When::After(anchor) => anchor.wait_us = number,
                When::Before(_) => return None,
            },
            Place::Lasts(index) => match &mut plan.events.get_mut(index)?.kind {
                EventKind::Outage { lasts: Lasts::Us(us), .. } => *us = number,
                EventKind::Outage { lasts: Lasts::Retransmissions(count), .. } => *count = small?,
                _ => return None,
            },
        }
        names_no_packet_twice(&plan.faults).then_some(plan)
    }
}

/// The bits that an action flips.
fn bits(action: &Action) -> Option<&Vec<u32>> {
    match action {
        Action::CorruptBits(bits) | Action::Change(Change { bits, .. }) => Some(bits),
        _ => None,
    }
}

fn bits_mut(action: &mut Action) -> Option<&mut Vec<u32>> {
    match action {
        Action::CorruptBits(bits) | Action::Change(Change { bits, .. }) => Some(bits),
        _ => None,
    }
}

/// The packet that an injected one is made from.
fn sample(kind: &EventKind) -> Option<&Packet> {
    match kind {
        EventKind::Inject(Injection::Like { packet, .. } | Injection::Reject { packet, .. }) => Some(packet),
        _ => None,
    }
}

fn sample_mut(kind: &mut EventKind) -> Option<&mut Packet> {
    match kind {
        EventKind::Inject(Injection::Like { packet, .. } | Injection::Reject { packet, .. }) => Some(packet),
        _ => None,
    }
}

/// A number of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) value: u64,
    pub(crate) floor: u64,
    pub(crate) is_time: bool,
}

impl Number {
    fn new(value: u32, bounds: RangeInclusive<u64>) -> Number {
        Number { value: u64::from(value), floor: *bounds.start(), is_time: false }
    }

    fn time(value: u64, bounds: RangeInclusive<u64>) -> Number {
        Number { value, floor: *bounds.start(), is_time: true }
    }

    /// All steps below, from the top, where times move by whole ticks of `tick_us` microseconds.
    pub(crate) fn lower(self, tick_us: u64) -> impl Iterator<Item = u64> {
        let tick = if self.is_time { tick_us } else { 1 };
        std::iter::successors(Some(self.value), move |number| step_down(*number, self.floor, tick)).skip(1)
    }
}

/// Whether no two faults name the same packet in the same words: the wire refuses two for one packet.
pub(crate) fn names_no_packet_twice(faults: &[Fault]) -> bool {
    let same = |a: &Fault, b: &Fault| {
        let transmission = |packet: &Packet| packet.transmission.unwrap_or(1);
        a.direction == b.direction
            && (a.packet.class, a.packet.nth, a.packet.flow) == (b.packet.class, b.packet.nth, b.packet.flow)
            && transmission(&a.packet) == transmission(&b.packet)
    };
    faults
        .iter()
        .enumerate()
        .all(|(index, fault)| !faults[..index].iter().any(|earlier| same(earlier, fault)))
}

/// All plans that are one step simpler, the most promising first: one fault or event less; a packet lost in
/// place of damaged, changed or rejected; one changed field or flipped bit less; a packet named by less; the
/// default link; an order in place of a time; a number one step down.
pub(crate) fn steps(plan: &FaultPlan, tick_us: u64) -> impl Iterator<Item = FaultPlan> {
    let removals = (0..item_count(plan)).map(|item| without_items(plan, item..item + 1));
    let lost = (0..plan.faults.len()).filter_map(|index| {
        let mut less = plan.clone();
        match &mut less.faults.get_mut(index)?.action {
            action @ (Action::CorruptBits(_) | Action::Change(_) | Action::Reject(_)) => {
                *action = Action::Drop
            }
            _ => return None,
        }
        Some(less)
    });
    // The last one stays: an action that changes nothing is not a fault.
    let parts = |action: &Action| match action {
        Action::Change(Change { fields, bits, .. }) => fields.len() + bits.len(),
        action => bits(action).map_or(0, Vec::len),
    };
    let parts = plan.faults.iter().enumerate().filter(move |(_, fault)| parts(&fault.action) > 1);
    let parts = parts.flat_map(move |(index, fault)| {
        let fields = match &fault.action {
            Action::Change(change) => change.fields.len(),
            _ => 0,
        };
        let bits = bits(&fault.action).map_or(0, Vec::len);
        (0..fields)
            .map(move |field| (index, Some(field), 0))
            .chain((0..bits).map(move |bit| (index, None, bit)))
    });
    let parts = parts.filter_map(|(index, field, bit)| {
        let mut less = plan.clone();
        match (&mut less.faults.get_mut(index)?.action, field) {
            (Action::Change(change), Some(field)) => drop(change.fields.remove(field)),
            (action, _) => drop(bits_mut(action)?.remove(bit)),
        }
        Some(less)
    });
    let names = Place::all(plan).into_iter().filter_map(|place| without_word(plan, place));
    let link = (plan.link != Link::default()).then(|| FaultPlan { link: Link::default(), ..plan.clone() });
    let numbers = Place::all(plan).into_iter().filter_map(move |place| {
        let next = place.get(plan)?.lower(tick_us).next()?;
        place.set(plan, next)
    });
    removals.chain(lost).chain(parts).chain(names).chain(link).chain(ordered(plan)).chain(numbers)
}

/// All plans in which one packet that is late is held behind the next one instead: that means the same on
/// every clock, while a few microseconds are lost in the noise of a real one.
pub(crate) fn ordered(plan: &FaultPlan) -> impl Iterator<Item = FaultPlan> {
    plan.faults.iter().enumerate().filter_map(|(index, fault)| {
        let Action::DelayUs(_) = fault.action else { return None };
        let mut simpler = plan.clone();
        simpler.faults.get_mut(index)?.action = Action::HoldFor(1);
        Some(simpler)
    })
}

/// The plan with the packet there not named by its flow, or by its transmission.
fn without_word(plan: &FaultPlan, place: Place) -> Option<FaultPlan> {
    let mut less = plan.clone();
    let (packet, field) = match place {
        Place::Fault(index, field) => (&mut less.faults.get_mut(index)?.packet, field),
        Place::Anchor(index, field) => (&mut less.events.get_mut(index)?.when.anchor_mut()?.packet, field),
        Place::Sample(index, field) => (sample_mut(&mut less.events.get_mut(index)?.kind)?, field),
        Place::Action(_) | Place::Bit(..) | Place::Set(..) | Place::At(_) | Place::Lasts(_) => return None,
    };
    match field {
        Field::Flow => packet.flow.take()?,
        Field::Transmission => packet.transmission.take()?,
        Field::Nth => return None,
    };
    names_no_packet_twice(&less.faults).then_some(less)
}

/// All plans with one fault less in which the packets behind its packet are counted as if that fault had
/// brought about one packet more, which is not there without it: in its own direction (a repeat), in the
/// others (an answer to a duplicate), in all.
///
/// These are no steps that a minimal plan is measured by, but they lead from one to a smaller one.
pub(crate) fn recounted(plan: &FaultPlan) -> impl Iterator<Item = FaultPlan> {
    let ways = [(true, false), (false, true), (true, true)];
    let all = (0..plan.faults.len()).flat_map(move |gone| ways.map(|(own, others)| (gone, own, others)));
    all.filter_map(|(gone, own, others)| {
        let mut less = plan.clone();
        let first = less.faults.remove(gone);
        let mut moved = false;
        let mut recount = |way: &Direction, packet: &mut Packet| {
            let counts = if *way == first.direction { own } else { others };
            if counts && packet.class == first.packet.class && packet.nth > first.packet.nth {
                packet.nth -= 1;
                moved = true;
            }
        };
        for fault in &mut less.faults {
            recount(&fault.direction, &mut fault.packet);
        }
        for event in &mut less.events {
            if let Some(anchor) = event.when.anchor_mut() {
                recount(&anchor.direction, &mut anchor.packet);
            }
        }
        (moved && names_no_packet_twice(&less.faults)).then_some(less)
    })
}

/// All plans with one fault less in which another one drops its packet: what is left of two faults may need
/// another action than it had beside the other.
///
/// These are no steps that a minimal plan is measured by either.
pub(crate) fn dropped_instead(plan: &FaultPlan) -> impl Iterator<Item = FaultPlan> {
    let faults = plan.faults.len();
    let pairs = (0..faults).flat_map(move |gone| (0..faults).map(move |other| (gone, other)));
    pairs.filter_map(|(gone, other)| {
        if gone == other || plan.faults[other].action == Action::Drop {
            return None;
        }
        let mut less = plan.clone();
        less.faults[other].action = Action::Drop;
        less.faults.remove(gone);
        Some(less)
    })
}

/// All plans without an event and the one that undoes it, a partition and its healing, a crash and the
/// restart: where one of the two alone is left, it does not take place, or the run never ends.
///
/// These are no steps that a minimal plan is measured by either.
pub(crate) fn without_what_is_undone(plan: &FaultPlan) -> impl Iterator<Item = FaultPlan> {
    let undoes = |first: &EventKind, second: &EventKind| match (first, second) {
        (EventKind::Partition(_), EventKind::Heal(_)) => true,
        (EventKind::Crash(host) | EventKind::Kill(host), EventKind::Restart(other)) => host == other,
        _ => false,
    };
    (0..plan.events.len()).filter_map(move |first| {
        let kind = &plan.events[first].kind;
        // The next one in the plan, or whichever there is.
        let mut others = (first + 1..plan.events.len()).chain(0..first);
        let second = others.find(|second| undoes(kind, &plan.events[*second].kind))?;
        let mut less = plan.clone();
        less.events.remove(first.max(second));
        less.events.remove(first.min(second));
        Some(less)
    })
}

/// How many faults and events a plan has.
pub(crate) fn item_count(plan: &FaultPlan) -> usize {
    plan.faults.len() + plan.events.len()
}

/// The plan without some of its faults and events, which are numbered through in that order.
pub(crate) fn without_items(plan: &FaultPlan, gone: Range<usize>) -> FaultPlan {
    let mut less = plan.clone();
    let faults = less.faults.len();
    let events = less.events.len();
    less.faults.drain(gone.start.min(faults)..gone.end.min(faults));
    less.events
        .drain(gone.start.saturating_sub(faults).min(events)..gone.end.saturating_sub(faults).min(events));
    less
}

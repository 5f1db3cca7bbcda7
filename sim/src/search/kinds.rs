//! The kinds of fault in the plan language, and which of them a search tried.

use faultwire::fault::{Action, EventKind, FaultPlan};

/// A kind of fault or event in the plan language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// A packet is dropped.
    Loss,
    /// A packet arrives twice.
    Duplication,
    /// A packet arrives later.
    Delay,
    /// A packet arrives behind later ones.
    Reordering,
    /// Bits of a packet are flipped.
    Damage,
    /// Fields of a packet are changed, and its checksums fit.
    Change,
    /// The network refuses a packet, and says so.
    Rejection,
    /// A link is cut, for a time or for good.
    Outage,
    /// A host loses power.
    Crash,
    /// A host's programs are killed.
    Kill,
    /// A host starts again.
    Restart,
    /// A packet appears that no host sent.
    Injection,
}

impl FaultKind {
    /// All kinds, in the order of reports.
    pub const ALL: [FaultKind; 12] = [
        FaultKind::Loss,
        FaultKind::Duplication,
        FaultKind::Delay,
        FaultKind::Reordering,
        FaultKind::Damage,
        FaultKind::Change,
        FaultKind::Rejection,
        FaultKind::Outage,
        FaultKind::Crash,
        FaultKind::Kill,
        FaultKind::Restart,
        FaultKind::Injection,
    ];

    /// The kind of a packet's fault.
    pub fn of_action(action: &Action) -> FaultKind {
        match action {
            Action::Drop => FaultKind::Loss,
            Action::Duplicate => FaultKind::Duplication,
            Action::DelayUs(_) => FaultKind::Delay,
            Action::HoldFor(_) => FaultKind::Reordering,
            Action::CorruptBits(_) => FaultKind::Damage,
            Action::Change(_) => FaultKind::Change,
            Action::Reject(_) => FaultKind::Rejection,
        }
    }

    /// The kind of an event; none for the end of an outage.
    pub fn of_event(event: &EventKind) -> Option<FaultKind> {
        match event {
            EventKind::Partition(_) | EventKind::Outage { .. } => Some(FaultKind::Outage),
            EventKind::Heal(_) => None,
            EventKind::Crash(_) => Some(FaultKind::Crash),
            EventKind::Kill(_) => Some(FaultKind::Kill),
            EventKind::Restart(_) => Some(FaultKind::Restart),
            EventKind::Inject(_) => Some(FaultKind::Injection),
        }
    }

    /// What a report calls it.
    pub fn words(self) -> &'static str {
        match self {
            FaultKind::Loss => "lost packets",
            FaultKind::Duplication => "duplicate packets",
            FaultKind::Delay => "delayed packets",
            FaultKind::Reordering => "reordered packets",
            FaultKind::Damage => "damaged packets",
            FaultKind::Change => "changed packets",
            FaultKind::Rejection => "rejected packets",
            FaultKind::Outage => "outages of a link",
            FaultKind::Crash => "crashes",
            FaultKind::Kill => "killed programs",
            FaultKind::Restart => "restarts",
            FaultKind::Injection => "injected packets",
        }
    }
}

/// A set of kinds of fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultKinds(u32);

impl FaultKinds {
    /// Adds the kinds of a plan whose faults and events all took place, except those of the base plan.
    pub fn add(&mut self, plan: &FaultPlan, base: &FaultPlan) {
        let faults = plan.faults.iter().filter(|fault| !base.faults.contains(fault));
        let events = plan.events.iter().filter(|event| !base.events.contains(event));
        let faults = faults.map(|fault| FaultKind::of_action(&fault.action));
        for kind in faults.chain(events.filter_map(|event| FaultKind::of_event(&event.kind))) {
            self.0 |= 1 << (kind as u32);
        }
    }

    /// Whether it has the kind.
    pub fn has(self, kind: FaultKind) -> bool {
        self.0 & (1 << (kind as u32)) != 0
    }

    /// The kinds that it lacks, in the order of [`FaultKind::ALL`].
    pub fn missing(self) -> impl Iterator<Item = FaultKind> {
        FaultKind::ALL.into_iter().filter(move |kind| !self.has(*kind))
    }

    /// The kinds of both sets.
    #[must_use]
    pub fn and(self, other: FaultKinds) -> FaultKinds {
        FaultKinds(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use faultwire::fault::{Class, Cut, Fault, Packet, PlanEvent, When};

    use super::*;

    #[test]
    fn a_plan_adds_its_kinds_and_not_those_of_the_base() {
        let fault = |nth, action| Fault::new(["client", "server"], Packet::nth(Class::Data, nth), action);
        let event = |kind| PlanEvent::new(kind, When::AtUs(1));
        let base = FaultPlan::new()
            .faults([fault(1, Action::Drop)])
            .events([event(EventKind::Crash("server".to_owned()))]);
        let mut plan = base.clone();
        plan.faults.push(fault(2, Action::HoldFor(1)));
        plan.events.extend([event(EventKind::Partition(Cut::ALL)), event(EventKind::Heal(Cut::ALL))]);
        let mut kinds = FaultKinds::default();
        assert_eq!(kinds.missing().collect::<Vec<_>>(), FaultKind::ALL);
        kinds.add(&plan, &base);
        let has: Vec<_> = FaultKind::ALL.into_iter().filter(|kind| kinds.has(*kind)).collect();
        assert_eq!(has, [FaultKind::Reordering, FaultKind::Outage]);
        kinds.add(&plan, &FaultPlan::default());
        assert!(kinds.has(FaultKind::Loss) && kinds.has(FaultKind::Crash));
    }
}

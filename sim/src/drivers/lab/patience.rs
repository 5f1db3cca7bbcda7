//! How long a run in a lab is waited for: as long as the timers of its hosts may make it take, and no longer.
//!
//! A TCP that hears nothing sends again after a wait that doubles each time (RFC 6298, section 5.5), as do
//! its probes of a closed window (RFC 9293, section 3.8.6.1), up to two minutes on Linux. So a run has come
//! to nothing where for longer than that no packet went anywhere and no program's call came back; and each
//! fault of its plan may cost it one such wait.

use std::time::Duration;

use faultwire::fault::{Action, Direction, EventKind, FaultPlan, Lasts};

use crate::search::HITS_PER_ITEM_MAX;
use crate::settings::Settings;

/// How much longer a run may take than one over other real sockets when nothing is lost: its programs wait
/// too.
const SLOWER: u32 = 6;
/// The longest that a TCP timer waits, in Linux (`TCP_RTO_MAX`) and in our stack.
const TIMER_MAX: Duration = Duration::from_secs(120);
/// How late a busy machine may be with what a timer starts.
const LATE_MAX: Duration = Duration::from_secs(5);
/// The timeout of a connection before it has measured a round trip (RFC 6298, section 2.1).
const TIMEOUT_FIRST: Duration = Duration::from_secs(1);
/// After how long a held packet is released at the latest.
const HELD_MAX: Duration = Duration::from_secs(1);
/// No run is waited for any longer: it would take ten faults in a row of which not one packet comes through
/// between.
const RUN_MAX: Duration = Duration::from_secs(600);

/// The limits of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    /// In all.
    whole: Duration,
    /// With nothing that happens.
    silence: Duration,
}

impl Patience {
    /// For a run under a plan.
    pub(super) fn under(plan: &FaultPlan, settings: &Settings) -> Patience {
        let whole = settings.real_time_max.saturating_mul(SLOWER).saturating_add(waits(plan));
        // Programs that say nothing for that long do not wait for a timer.
        Patience { whole: whole.min(RUN_MAX), silence: (TIMER_MAX + LATE_MAX).min(whole) }
    }

    /// Which limit a run has reached at `now`, in words, where something last happened at `last`.
    pub(super) fn is_over(self, now: Duration, last: Duration) -> Option<String> {
        let silent = now.saturating_sub(last);
        if now >= self.whole {
            return Some(format!("{} s", self.whole.as_secs()));
        }
        (silent >= self.silence).then(|| {
            let (all, silent) = (now.as_secs(), silent.as_secs());
            format!(
                "{all} s, and nothing happened in the last {silent} of them: no timer of TCP waits so long"
            )
        })
    }
}

/// Whether a plan leaves no link cut and no host without power for good, as far as it says.
pub(super) fn every_outage_ends(plan: &FaultPlan) -> bool {
    let count = |is: &dyn Fn(&EventKind) -> bool| plan.events.iter().filter(|event| is(&event.kind)).count();
    let mut dead = plan.events.iter().filter_map(|event| event.kind.dies());
    let starts_again = |host: &str| {
        let of_host = |kind: &EventKind| matches!(kind, EventKind::Restart(other) if other == host);
        count(&of_host) >= count(&|kind| kind.dies() == Some(host))
    };
    let is_mended = count(&|kind| matches!(kind, EventKind::Heal(_))) > 0
        || count(&|kind| matches!(kind, EventKind::Partition(_))) == 0;
    is_mended && dead.all(starts_again)
}

/// What the timers may wait in all under a plan, if each fault costs a wait and no round trip between two of
/// them resets the timer.
fn waits(plan: &FaultPlan) -> Duration {
    let mut ways: Vec<&Direction> = plan.faults.iter().map(|fault| &fault.direction).collect();
    ways.extend(plan.events.iter().filter_map(|event| event.when.anchor().map(|it| &it.direction)));
    ways.sort_unstable();
    ways.dedup();
    // What is sent into an outage counts as the most that is hit of one packet: no longer than that does one
    // last here.
    let is_cut = |kind: &EventKind| matches!(kind, EventKind::Partition(_) | EventKind::Outage { .. });
    let lost = plan.events.iter().filter(|event| is_cut(&event.kind)).count() * HITS_PER_ITEM_MAX;
    let by_plan = plan.events.iter().map(|event| {
        let lasts = match event.kind {
            EventKind::Outage { lasts: Lasts::Us(us), .. } => us,
            _ => 0,
        };
        Duration::from_micros(lasts) + Duration::from_micros(event.when.anchor().map_or(0, |it| it.wait_us))
    });
    let hits = |way: &Direction| plan.faults.iter().filter(|fault| fault.direction == *way).count();
    let hits = |way: &Direction| hits(way) + lost;
    ways.into_iter()
        .map(|way| in_a_row(timeout(plan), hits(way)))
        .chain(by_plan)
        .fold(Duration::ZERO, Duration::saturating_add)
}

/// The sum of `count` waits, each twice as long as the one before.
fn in_a_row(first: Duration, count: usize) -> Duration {
    let wait = |nth: usize| {
        let doubled = u32::try_from(nth).ok().and_then(|nth| 1_u32.checked_shl(nth));
        doubled.map_or(TIMER_MAX, |factor| first.saturating_mul(factor).min(TIMER_MAX))
    };
    (0..count).map(wait).fold(Duration::ZERO, Duration::saturating_add)
}

/// The longest timeout that a connection may begin with: the first round trip and four times its half (RFC
/// 6298, section 2.2), where that is as late as the plan can make it.
fn timeout(plan: &FaultPlan) -> Duration {
    let late = |action: &Action| match action {
        Action::DelayUs(us) => Duration::from_micros(*us),
        Action::HoldFor(_) => HELD_MAX,
        Action::Drop | Action::Duplicate | Action::CorruptBits(_) | Action::Change(_) | Action::Reject(_) => {
            Duration::ZERO
        }
    };
    let latest = plan.faults.iter().map(|fault| late(&fault.action)).max().unwrap_or_default();
    let round_trip = plan.delay_max() * 2 + latest;
    (round_trip * 3).max(TIMEOUT_FIRST)
}

#[cfg(test)]
mod tests {
    use faultwire::fault::{Anchor, Class, Cut, Fault, Packet, PlanEvent, When};

    use super::*;

    fn plan(faults: &[(&str, &str, Action)]) -> FaultPlan {
        let fault = |(nth, (from, to, action)): (u32, &(&str, &str, Action))| {
            Fault::new([*from, *to], Packet::nth(Class::Data, nth), action.clone())
        };
        FaultPlan::new().faults((1..).zip(faults).map(fault))
    }

    fn whole(plan: &FaultPlan) -> u64 {
        Patience::under(plan, &Settings::default()).whole.as_secs()
    }

    #[test]
    fn each_fault_costs_a_wait_that_is_twice_the_last() {
        let up = |action| ("client", "server", action);
        assert_eq!(whole(&plan(&[])), 120);
        assert_eq!(whole(&plan(&[up(Action::Drop)])), 121);
        assert_eq!(whole(&plan(&vec![up(Action::Drop); 5])), 120 + 31);
        let both = [up(Action::Drop), up(Action::Drop), ("server", "client", Action::Drop)];
        assert_eq!(whole(&plan(&both)), 120 + 3 + 1, "the other side has a timer of its own");
        // The connection's first round trip may take a second more: its timeout is three seconds then.
        let late = [up(Action::HoldFor(5)), up(Action::Drop), up(Action::Drop), up(Action::Drop)];
        assert_eq!(whole(&plan(&late)), 120 + 3 * 15);
        assert_eq!(whole(&plan(&[up(Action::DelayUs(2_000_000))])), 120 + 6);
        assert_eq!(whole(&plan(&vec![up(Action::Drop); 200])), 600, "and no run goes on forever");
    }

    fn events(kinds: &[EventKind]) -> FaultPlan {
        let anchor = |nth| Anchor::new(["client", "server"], Packet::nth(Class::Data, nth));
        let event = |(nth, kind): (u32, &EventKind)| PlanEvent::new(kind.clone(), When::After(anchor(nth)));
        FaultPlan::new().events((1..).zip(kinds).map(event))
    }

    #[test]
    fn an_outage_costs_waits_and_ends_or_does_not() {
        let [cut, mended] = [EventKind::Partition(Cut::ALL), EventKind::Heal(Cut::ALL)];
        let [off, on] = [EventKind::Crash, EventKind::Restart].map(|kind| kind("server".to_owned()));
        assert_eq!(whole(&events(&[cut.clone(), mended.clone()])), 120 + 31);
        for (kinds, ends) in [
            (vec![], true),
            (vec![cut.clone()], false),
            (vec![cut, mended], true),
            (vec![off.clone()], false),
            (vec![off.clone(), on.clone()], true),
            (vec![off.clone(), on, off], false),
        ] {
            assert_eq!(every_outage_ends(&events(&kinds)), ends, "{kinds:?}");
        }
    }

    #[test]
    fn a_run_is_over_when_no_timer_can_bring_anything_any_more() {
        let seconds = Duration::from_secs;
        let patience = Patience { whole: seconds(300), silence: seconds(125) };
        assert_eq!(patience.is_over(seconds(200), seconds(100)), None);
        let silent = patience.is_over(seconds(200), seconds(70)).expect("it is over");
        assert!(silent.starts_with("200 s, and nothing happened in the last 130 of them"), "{silent}");
        assert_eq!(patience.is_over(seconds(300), seconds(299)).as_deref(), Some("300 s"));
    }
}

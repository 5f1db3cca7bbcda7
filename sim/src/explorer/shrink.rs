//! Making a plan of a scenario smaller such that it goes on to say the same.
//!
//! All shrinking for scenarios goes through here. Two things must not happen on the way: that what every plan
//! of the scenario has gets lost (its faults, its events), and that an outage that ended lasts forever,
//! since its end was left out or comes before it. Nearly every program fails then, which says nothing of the
//! plan that was found.

use std::collections::BTreeSet;

use faultwire::fault::{Cut, FaultPlan};
use faultwire::trace::{HostId, Trace, What};

use crate::run::Run;
use crate::scenario::Scenario;
use crate::search::{ShrinkLimits, Shrunk, is_minimal_from, shrink_from};

/// What was cut off when a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outage {
    /// Links.
    Links(Cut<HostId>),
    /// A host without power.
    Host(HostId),
}

impl Scenario {
    /// Makes a plan as small as it can be while its run still shows what `shows` asks for. What every plan of
    /// the scenario has stays in it, and no outage that ended lasts on.
    pub fn shrink(&self, plan: &FaultPlan, shows: &mut dyn FnMut(&Run) -> bool) -> Shrunk {
        // A plan of which something did not take place is not the smallest, and the shrinker finds that out.
        self.shrink_by(
            plan,
            &mut |plan| Some(self.run(plan)),
            shows,
            &ShrinkLimits::in_ticks(self.testbed.clock().tick_us()),
        )
    }

    /// Like [`shrink`](Self::shrink), with runs made by `run`: first of the plan as it is. `None` from it
    /// means that no more runs are to be made.
    pub fn shrink_by(
        &self,
        plan: &FaultPlan,
        run: &mut dyn FnMut(&FaultPlan) -> Option<Run>,
        shows: &mut dyn FnMut(&Run) -> bool,
        limits: &ShrinkLimits,
    ) -> Shrunk {
        let mut first = None;
        let mut shown = |plan: &FaultPlan| {
            let Some(run) = run(plan) else { return false };
            let left = outages(&run.trace);
            let is_kin = left.is_subset(first.get_or_insert_with(|| left.clone()));
            is_kin && shows(&run)
        };
        let mut shrunk = shrink_from(&self.base, plan, &mut shown, limits);
        if shrunk.shown
            && let Some((simpler, runs)) = self.with_simplest_member(&shrunk.plan, &mut shown)
        {
            let before = shrunk.runs + runs;
            shrunk = shrink_from(&self.base, &simpler, &mut shown, limits);
            shrunk.runs += before;
        }
        shrunk
    }

    /// The plan with the simplest member of the family that still shows it, if that is a simpler one, and how
    /// many runs that took. Real runs take real time: there it is not tried.
    fn with_simplest_member(
        &self,
        plan: &FaultPlan,
        shows: &mut dyn FnMut(&FaultPlan) -> bool,
    ) -> Option<(FaultPlan, u64)> {
        let family = self.family.as_deref().filter(|_| self.testbed.is_simulated())?;
        let (mut best, mut refuted, mut runs) = (None, BTreeSet::new(), 0);
        let mut member = family.parse(self.variant_of(plan)?)?;
        loop {
            let with = |words: &str| {
                let name =
                    if words.is_empty() { self.name.clone() } else { format!("{}/{words}", self.name) };
                FaultPlan { scenario: Some(name), ..plan.clone() }
            };
            let simpler = member.simpler().find(|simpler| {
                let words = simpler.to_string();
                let is_new = refuted.insert(words.clone());
                runs += u64::from(is_new);
                is_new && shows(&with(&words))
            });
            let Some(simpler) = simpler else { return best.map(|best| (best, runs)) };
            best = Some(with(&simpler.to_string()));
            member = simpler;
        }
    }

    /// Whether a plan's run shows it, and that of none that is one step simpler: as
    /// [`shrink`](Scenario::shrink) has it.
    pub fn is_minimal(&self, plan: &FaultPlan, shows: &mut dyn FnMut(&Run) -> bool) -> bool {
        let mut first = None;
        let mut shown = |plan: &FaultPlan| {
            let run = self.run(plan);
            let left = outages(&run.trace);
            let is_kin = left.is_subset(first.get_or_insert_with(|| left.clone()));
            is_kin && shows(&run)
        };
        is_minimal_from(&self.base, plan, &mut shown, &ShrinkLimits::in_ticks(self.testbed.clock().tick_us()))
    }
}

/// What was cut off at the end of a run.
fn outages(trace: &Trace) -> BTreeSet<Outage> {
    let mut left = BTreeSet::new();
    for event in trace.events() {
        match event.what {
            What::Partitioned(cut) => drop(left.insert(Outage::Links(cut))),
            What::Healed(mended) => {
                left.retain(|outage| !matches!(outage, Outage::Links(cut) if mended.covers(cut)));
            }
            What::Crashed(host) | What::Killed(host) => drop(left.insert(Outage::Host(host))),
            What::Restarted(host) => drop(left.remove(&Outage::Host(host))),
            _ => {}
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use faultwire::fault::{Action, Class, Cut, Direction, EventKind, Fault, Packet, PlanEvent, When};
    use faultwire::network::{Datagram as _, Network as _};

    use super::*;
    use crate::scenario;

    fn there() -> Direction {
        Direction::new("client", "server")
    }

    fn event(kind: EventKind, when: When) -> PlanEvent {
        PlanEvent { kind, when }
    }

    fn after(nth: u32) -> When {
        When::after(there(), Packet::nth(Class::Datagram, nth))
    }

    fn drops(nths: &[u32]) -> Vec<Fault> {
        let drop = |nth: &u32| Fault::new(there(), Packet::nth(Class::Datagram, *nth), Action::Drop);
        nths.iter().map(drop).collect()
    }

    /// A client that asks every 100 ms until it is answered, at most `tries` times.
    fn asking(tries: u32) -> Scenario {
        scenario("asking")
            .server(|net| async move {
                let socket = net.datagram("0.0.0.0:7000", &[]).await?;
                loop {
                    let received = socket.recv_from(&mut [0; 8]).await?;
                    socket.send_to(b"yes", received.from).await?;
                }
                #[expect(unreachable_code, reason = "it says of what type the errors are")]
                Ok::<(), std::io::Error>(())
            })
            .client(move |net| async move {
                let socket = net.datagram("0.0.0.0:0", &[]).await?;
                socket.connect("server:7000").await?;
                for _ in 0..tries {
                    socket.send(b"there?").await?;
                    let wait = std::time::Duration::from_millis(100);
                    if net.timeout(wait, socket.recv_from(&mut [0; 8])).await.is_ok() {
                        return Ok(());
                    }
                }
                Err("no answer".into())
            })
    }

    fn fails(run: &Run) -> bool {
        !run.end.is_finished()
    }

    #[test]
    fn what_every_plan_of_a_scenario_has_is_in_the_smallest_too() {
        // Cut from before the first question to the third, which is lost, in every run.
        let events = vec![
            event(EventKind::Partition(Cut::ALL), When::AtUs(0)),
            event(EventKind::Heal(Cut::ALL), after(2)),
        ];
        let base = FaultPlan::new().events(events).faults(drops(&[3]));
        let scenario = asking(5).base_plan(base.clone());
        assert!(scenario.run(&base).end.is_finished(), "the fourth question is answered");
        let found = FaultPlan { faults: drops(&[3, 4, 5, 9]), ..base.clone() };
        assert!(fails(&scenario.run(&found)));
        let smallest = scenario.shrink(&found, &mut fails);
        assert_eq!(smallest.plan.events, base.events, "without the heal any question is lost");
        assert_eq!(smallest.plan.faults, drops(&[3, 4, 5]));
        assert!(smallest.minimal && scenario.is_minimal(&smallest.plan, &mut fails));
        // Of the search as well, which is what a test is told.
        let found = scenario.exhaustive(2).explore();
        assert_eq!(found.failures[0].smallest.plan.events, base.events);
    }

    #[test]
    fn an_outage_that_ends_does_not_become_one_that_lasts() {
        // Not of the base, but of the plan itself. What breaks it is the loss of the two questions after the
        // outage.
        let ends = [When::AtUs(150_000), after(2)];
        for end in ends {
            let events = vec![
                event(EventKind::Partition(Cut::ALL), after(1)),
                event(EventKind::Heal(Cut::ALL), end.clone()),
            ];
            let found = FaultPlan::new().events(events).faults(drops(&[1, 3, 4]));
            let scenario = asking(4);
            assert!(fails(&scenario.run(&found)), "{end:?}");
            let smallest = scenario.shrink(&found, &mut fails);
            let kinds =
                |is: fn(&EventKind) -> bool| smallest.plan.events.iter().filter(|it| is(&it.kind)).count();
            let cuts = kinds(|kind| matches!(kind, EventKind::Partition(_)));
            let heals = kinds(|kind| matches!(kind, EventKind::Heal(_)));
            assert_eq!(cuts, heals, "{:?}", smallest.plan);
            assert!(outages(&scenario.run(&smallest.plan).trace).is_empty(), "{:?}", smallest.plan);
        }
        // One that lasts may go on to.
        let events = vec![event(EventKind::Partition(Cut::ALL), after(2))];
        let lasts = FaultPlan::new().events(events).faults(drops(&[1, 2]));
        let smallest = asking(4).shrink(&lasts, &mut fails).plan;
        assert_eq!(smallest.events.len(), 1, "{smallest:?}");
    }
}

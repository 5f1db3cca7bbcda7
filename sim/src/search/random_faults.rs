//! Random faults: plans that hit the packets of a whole transfer, up to every fifth of them.
//!
//! [`PlanSpace`](super::PlanSpace) draws a few faults on the packets of one fault-free run. These go on for
//! as long as the transfer does, and each plan may have another link and another member of the scenario's
//! family. All of it is in the plan: the faults one by one, the link's numbers, the
//! member behind the scenario's name. So a plan replays and shrinks without the seed that it was drawn from.

use faultwire::fault::{Action, Class, Fault, FaultPlan, Link, LinkNumbers, Packet, bounds};

use super::RandomFaultsSearch;
use crate::seed::derive;

/// Random plans for a transfer between the hosts `client` and `server`.
#[derive(Clone, Debug)]
pub struct RandomFaults {
    /// The MTUs of the links, in bytes: one is drawn.
    pub mtus: &'static [u16],
    /// Bytes that go each way.
    pub bytes: u32,
    /// On average every nth packet is hit: one is drawn.
    pub every: &'static [u32],
    /// The longest delay, in microseconds.
    pub delay_us_max: u64,
}

/// A random number for each thing that is decided.
struct Draw<'a> {
    seed: u64,
    scenario: &'a str,
    number: u64,
    /// How often the plan was drawn before; the link and the variant stay.
    again: u32,
}

impl Draw<'_> {
    fn of(&self, what: &str, which: u64) -> u64 {
        derive(self.seed, &("random faults", self.scenario, self.number, self.again, what, which))
    }

    fn one_of<T: Copy>(&self, what: &str, all: &[T]) -> Option<T> {
        let index = self.of(what, 0).checked_rem(all.len() as u64)?;
        all.get(usize::try_from(index).ok()?).copied()
    }
}

impl RandomFaults {
    /// The plan of that number of a search, as it is drawn the nth time (from 0), before it is fitted.
    ///
    /// It names more packets than the transfer is likely to have; [`fit`](crate::search::fit) leaves out what
    /// did not take place.
    pub(crate) fn plan(&self, search: &RandomFaultsSearch<'_>, number: u64, again: u32) -> FaultPlan {
        let RandomFaultsSearch { base, family, seed, scenario, .. } = *search;
        let tick_us = search.tick_us.max(1);
        let case = Draw { seed, scenario, number, again: 0 };
        let draw = Draw { again, ..case };
        let mut plan = base.clone();
        let mut link = base.link.numbers();
        if let Some(mtu) = case.one_of("mtu", self.mtus) {
            link = LinkNumbers { mtu, ..link };
            plan.link = Link::Numbers(link);
        }
        let member = family.map(|family| family.drawn(|axis| case.of("member", axis)));
        let variant = member.map_or_else(String::new, |member| member.to_string());
        if !variant.is_empty() {
            plan.scenario = Some(format!("{scenario}/{variant}"));
        }
        let every = u64::from(case.one_of("every", self.every).unwrap_or(1).max(1));
        let mut index = 0;
        for (from, to) in [("client", "server"), ("server", "client")] {
            for packet in self.packets(link) {
                index += 1;
                if !draw.of("hit", index).is_multiple_of(every) {
                    continue;
                }
                if let Some(action) = self.action(&draw, index, packet.class, link, tick_us) {
                    plan.faults.push(Fault::new([from, to], packet, action));
                }
            }
        }
        plan.faults.truncate(bounds::FAULTS_MAX);
        plan
    }

    /// The packets that a transfer may have in one direction.
    fn packets(&self, link: LinkNumbers) -> impl Iterator<Item = Packet> {
        /// The headers of IPv4 and TCP, in bytes.
        const HEADERS: u32 = 40;
        let segments = self.bytes.div_ceil(u32::from(link.mtu).saturating_sub(HEADERS).max(1));
        let all = |class, last| (1..=last).map(move |nth| Packet::nth(class, nth));
        let repeats = (1..=segments + segments / 2).flat_map(|nth| {
            (2..=4).map(move |k| Packet { transmission: Some(k), ..Packet::nth(Class::Data, nth) })
        });
        all(Class::Syn, 3)
            .chain(all(Class::Data, segments * 2 + 8))
            .chain(repeats)
            .chain(all(Class::Ack, segments * 2 + 16))
            .chain(all(Class::Fin, 3))
    }

    fn action(
        &self,
        draw: &Draw<'_>,
        index: u64,
        class: Class,
        link: LinkNumbers,
        tick_us: u64,
    ) -> Option<Action> {
        let any = draw.of("how much", index);
        Some(match draw.of("action", index) % 11 {
            0..=2 => Action::Drop,
            3 | 4 => Action::Duplicate,
            5 | 6 => {
                // Every order of magnitude is drawn as often.
                let bits = 1 + (any >> 32) % u64::from(u64::BITS - self.delay_us_max.max(1).leading_zeros());
                let delay = (any % (1 << bits)).clamp(1, self.delay_us_max.max(1));
                Action::DelayUs(delay.div_ceil(tick_us).saturating_mul(tick_us))
            }
            7 | 8 => Action::HoldFor(1 + u32::try_from(any % 5).ok()?),
            _ => {
                // Of data any bit; of the others one of the headers that they all have.
                let bytes = if class == Class::Data { u64::from(link.mtu) } else { 40 };
                Action::CorruptBits(vec![u32::try_from(any % (bytes * 8)).ok()?])
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Family;

    const RANDOM_FAULTS: RandomFaults =
        RandomFaults { mtus: &[576, 9000], bytes: 20_000, every: &[5, 50], delay_us_max: 1_000_000 };

    fn plan(number: u64, again: u32) -> FaultPlan {
        let family = Family::new().axis("buffer", ["own", "0", "1", "2"]);
        let (base, family, scenario) = (&FaultPlan::default(), Some(&family), "echo");
        let (seed, first, count, draws_max, tick_us) = (7, 0, 0, 1, 1);
        let search = RandomFaultsSearch {
            random_faults: &RANDOM_FAULTS,
            base,
            family,
            seed,
            scenario,
            first,
            count,
            draws_max,
            tick_us,
        };
        RANDOM_FAULTS.plan(&search, number, again)
    }

    #[test]
    fn a_plan_depends_on_its_number_alone_and_can_be_kept_in_a_file() {
        for number in 0..50 {
            let drawn = plan(number, 0);
            assert_eq!(drawn, plan(number, 0));
            assert_eq!(FaultPlan::parse(&drawn.to_toml(), "drawn").expect("it can be read"), drawn);
            let again = plan(number, 1);
            assert_ne!(drawn.faults, again.faults);
            assert_eq!((drawn.link, drawn.scenario), (again.link, again.scenario));
        }
    }

    #[test]
    fn every_kind_of_case_is_drawn() {
        let plans: Vec<FaultPlan> = (0..200).map(|number| plan(number, 0)).collect();
        for mtu in RANDOM_FAULTS.mtus {
            assert!(plans.iter().any(|plan| plan.link.numbers().mtu == *mtu));
        }
        for buffer in 0..3 {
            let name = format!("echo/buffer={buffer}");
            assert!(plans.iter().any(|plan| plan.scenario.as_ref() == Some(&name)));
        }
        let has =
            |is: fn(&Action) -> bool| plans.iter().flat_map(|plan| &plan.faults).any(|it| is(&it.action));
        assert!(has(|it| matches!(it, Action::Drop)) && has(|it| matches!(it, Action::Duplicate)));
        assert!(has(|it| matches!(it, Action::DelayUs(_))) && has(|it| matches!(it, Action::HoldFor(_))));
        assert!(has(|it| matches!(it, Action::CorruptBits(_))));
    }
}

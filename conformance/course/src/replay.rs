//! The lessons as studies, so that their plans can be replayed as any other: `faultwire replay
//! …/breaks.toml`.

use faultwire_sim::Scenario;
use faultwire_sim::testbed::{Capability, TestbedRef};

use super::{LESSONS, Task};
use faultwire_conformance::study::{Search, Study, no_further_plans};

/// A study for each lesson: the scenario `lesson-N` with the believed program, and `lesson-N/mended`. Nothing
/// of them is a claim: their checks are a part of the scenario.
pub fn studies() -> Vec<&'static Study> {
    STUDIES.iter().collect()
}

/// For each lesson, in their order.
macro_rules! studies {
    ($($index:literal = $name:literal)*) => {
        static STUDIES: &[Study] = &[$(Study {
            name: concat!("lesson-", $name),
            about: "the task of a lesson of the course, done by the program that believes",
            scenario: scenario::<$index>,
            checks: &[],
            // Where a plan cannot be carried out there is nothing to see.
            needs: &[Capability::Faults],
            search: Search::FAULT_FREE,
            plans: no_further_plans,
            mutants: &[],
        }),*];
    };
}

studies! {
    0 = "0" 1 = "1" 2 = "2" 3 = "3" 4 = "4" 5 = "5" 6 = "6" 7 = "7" 8 = "8" 9 = "9" 10 = "10"
    11 = "s1" 12 = "s2" 13 = "s3" 14 = "s4"
}

fn scenario<const INDEX: usize>(_: TestbedRef) -> Scenario {
    let lesson = LESSONS[INDEX];
    let name = &lesson.scenario_name();
    match &lesson.task {
        Task::Datagrams(exchange) => exchange.replayable(name),
        Task::Conversations(conversations) => conversations.replayable(name),
        Task::Flows(flows) => flows.replayable(name),
        Task::Stream(dialogue) => dialogue.replayable(name),
    }
}

/// The scenario of a believed program, and as its variants those of the mended ones, of which there are so
/// many: `mended`, and where there are more ways than one, `mended-2` and so on.
pub(super) fn with_mended(
    believed: Scenario,
    ways: usize,
    mended: impl Fn(usize) -> Scenario + Send + Sync + 'static,
) -> Scenario {
    believed.variants(move |words| {
        let way = match words.strip_prefix("mended")? {
            "" => 1,
            number => number.strip_prefix('-')?.parse().ok()?,
        };
        (1..=ways).contains(&way).then(|| mended(way - 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use faultwire_sim::testbed;

    #[test]
    fn every_lesson_can_be_replayed() {
        let names: Vec<_> = LESSONS.iter().map(|lesson| lesson.scenario_name()).collect();
        assert_eq!(studies().iter().map(|study| study.name).collect::<Vec<_>>(), names);
        for (lesson, study) in LESSONS.iter().zip(studies()) {
            let plan = lesson.recorded().unwrap();
            let scenario = (study.scenario)(testbed::VIRTUAL);
            assert!(!scenario.run(&plan).end.is_finished(), "{}", study.name);
            let mended = Some(format!("{}/mended", study.name));
            let run = scenario.run(&faultwire::fault::FaultPlan { scenario: mended, ..plan });
            assert!(run.end.is_finished(), "{}: {:?}", study.name, run.end);
        }
    }
}

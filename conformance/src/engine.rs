//! The engine behind `verify`, `replay` and `mutants`: runs studies and says what follows for each claim.
//!
//! A *unit* is a study on a testbed, or a stretch of its random plans where they are many. Units are
//! independent: those of simulated testbeds share the machine's cores, those over real sockets mostly wait
//! and run beside them. What comes out does not depend on which is done first.

mod exhibit;
mod explain;
mod finding;
mod moment;
mod mutants;
mod rounds;
mod rows;
mod shrink;
mod still;
mod unit;

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use faultwire::fault::FaultPlan;
use faultwire_sim::search::Tried;
use faultwire_sim::testbed::{Capability, Clock, TestbedRef};
use faultwire_sim::workers::side_by_side;
use faultwire_sim::{CancellationToken, Run};

use crate::check;
use crate::claim::Claim;
use crate::expected::{EXPECTED_FAILURES, ExpectedFailure};
use crate::progress::Progress;
use crate::report::{LabSettings, Report};
pub use crate::study::base_name;
use crate::study::{CheckSpec, Search, Seen, Study};

pub use exhibit::exhibits;
pub use explain::{Explanation, explain};
pub use finding::Finding;
pub use moment::moment;
pub use mutants::{AnyMutant, MutantRow, mutants, mutants_until};
pub use shrink::{Goal, NotShrunk, ShrinkOptions, Shrinking, Step, Stopped, shrink_plan};
pub use still::Still;
pub use unit::Part;
use unit::Unit;

/// What to verify, and how hard.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// The claims, in the order of the registry.
    pub claims: Vec<&'static Claim>,
    /// The testbeds, in the order of reports.
    pub testbeds: Vec<TestbedRef>,
    /// Those of them that are unavailable here, and why: every row of theirs is skipped.
    pub unavailable: Vec<(TestbedRef, String)>,
    /// How many random plans each study tries on `virtual` in place of the study's number, and an eighth of
    /// it in turmoil. A study that tries no random plans tries none.
    pub cases: Option<u64>,
    /// Searches wider: ten times the random plans, all singles and pairs in turmoil too, all singles on the
    /// relay.
    pub thorough: bool,
    /// How many plans of one fault each study tries in a lab, beside those that show what must be possible.
    pub lab_plans: u64,
    /// The settings that the kernel's hosts have in a lab, and which of them are absent; `None` where no lab
    /// is used.
    pub lab_settings: Option<LabSettings>,
    /// The seed of random plans, ports and identifications.
    pub seed: u64,
    /// The kinds of failure that are expected: by default faultwire's own list.
    pub expected: Vec<ExpectedFailure>,
}

/// What to replay.
#[derive(Clone, Debug)]
pub struct ReplayOptions {
    /// The study whose scenario is run.
    pub study: &'static Study,
    /// The plan.
    pub plan: FaultPlan,
    /// Where.
    pub testbed: TestbedRef,
    /// The seed of ports and identifications.
    pub seed: u64,
}

/// A replayed run and what its study's checks saw in it.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The run.
    pub run: Run,
    /// For each check that the testbed can settle: its claim, and what it saw.
    pub seen: Vec<(&'static Claim, Seen)>,
}

/// All studies.
pub fn studies() -> Vec<&'static Study> {
    let udp = check::udp::studies().iter();
    let tcp = check::tcp::studies()
        .iter()
        .chain(check::tcp::lifecycle::studies())
        .chain(check::tcp::recovery::studies());
    udp.chain(tcp).collect()
}

/// Replays a plan.
pub fn replay(options: &ReplayOptions) -> Replayed {
    replay_until(options, &CancellationToken::default())
}

/// Like `replay`, but cancellable.
pub fn replay_until(options: &ReplayOptions, token: &CancellationToken) -> Replayed {
    let scenario = (options.study.scenario)(options.testbed).seed(options.seed).on(options.testbed);
    let scenario = scenario.cancelled_by(token);
    let run = scenario.run(&options.plan);
    let settles = |spec: &&CheckSpec| unit::refusal(options.study, spec, options.testbed).is_none();
    let look = |spec: &CheckSpec| Some((Claim::of(spec.claim)?, (spec.check)(&run)));
    let seen = options.study.checks.iter().filter(settles).filter_map(look).collect();
    Replayed { run, seen }
}

impl VerifyOptions {
    /// To try these claims on these testbeds, which are all available, with the defaults of `verify`.
    pub fn new(claims: Vec<&'static Claim>, testbeds: Vec<TestbedRef>) -> VerifyOptions {
        VerifyOptions {
            claims,
            testbeds,
            unavailable: Vec::new(),
            cases: None,
            thorough: false,
            lab_plans: 0,
            lab_settings: None,
            seed: 0,
            expected: EXPECTED_FAILURES.clone(),
        }
    }

    /// The plans of the expected failures of a study on a testbed.
    fn listed(&self, study: &'static Study, testbed: TestbedRef) -> impl Iterator<Item = FaultPlan> {
        let is_of =
            |plan: &&FaultPlan| plan.scenario.as_deref().is_some_and(|it| base_name(it) == study.name);
        let here = self.expected.iter().filter(move |it| it.is_on(testbed));
        here.filter_map(|it| it.plan.as_ref()).filter(is_of).cloned()
    }

    /// Why a testbed is unavailable, if it is.
    fn unavailable(&self, testbed: TestbedRef) -> Option<&str> {
        self.unavailable.iter().find(|(it, _)| *it == testbed).map(|(_, why)| why.as_str())
    }

    /// Why a claim cannot be tried with what the kernel of this machine lacks, if it cannot.
    fn lacking(&self, claim: &str, testbed: TestbedRef) -> Option<String> {
        self.lab_settings.as_ref().filter(|_| testbed.is_live())?.refusal(claim)
    }

    /// How hard a study is searched on a testbed.
    ///
    /// `virtual` runs pairs and all random plans; turmoil a sample of the singles and of the random plans.
    /// Runs on the relay and in a lab take real time. The relay gets the plans of [`unit::relay_plans`]; a
    /// lab gets some singles, and some random plans in a thorough search.
    fn search(&self, study: &Study, testbed: TestbedRef) -> Search {
        let own = study.search;
        let random = match self.cases {
            // A scenario in which no plan has a part is never searched.
            _ if own.random == 0 => 0,
            Some(cases) => cases.div_ceil(own.one_in.max(1)),
            None if self.thorough => own.random * 10,
            None => own.random,
        };
        let sample = match self.cases {
            Some(_) => random.div_ceil(8),
            None if self.thorough => random / 8,
            None => (random / 8).min(32),
        };
        let singles = own.exhaustive.min(1);
        match testbed.clock() {
            _ if !testbed.has(Capability::Faults) => Search::FAULT_FREE,
            Clock::Virtual => Search { random, ..own },
            Clock::Ticks(_) if self.thorough => Search { random: sample, ..own },
            Clock::Ticks(_) => Search { exhaustive: singles, random: sample, ..own },
            Clock::Real if !testbed.has(Capability::Packets) => {
                Search::of(if self.thorough { singles } else { 0 }, 0)
            }
            Clock::Real if self.lab_plans == 0 => Search::FAULT_FREE,
            Clock::Real => {
                let random = if self.thorough { sample.min(self.lab_plans) } else { 0 };
                Search { exhaustive: singles, random, ..own }
            }
        }
    }

    /// The most runs of a study's sweep on a testbed; where there are more, an even sample runs. turmoil
    /// steps through idle time, which `virtual` skips, and `virtual` tries all.
    fn runs_max(&self, testbed: TestbedRef) -> Option<u64> {
        match testbed.clock() {
            _ if !testbed.has(Capability::Faults) => None,
            Clock::Ticks(_) if !self.thorough => Some(TURMOIL_SINGLES_MAX + 1),
            Clock::Real if testbed.is_live() => Some(self.lab_plans + 1),
            _ => None,
        }
    }
}

/// How many plans of one fault each study tries in turmoil, but for a wide search.
const TURMOIL_SINGLES_MAX: u64 = 64;

/// Verifies claims.
pub fn verify(options: &VerifyOptions, progress: &mut dyn Progress) -> Report {
    verify_until(options, progress, &CancellationToken::default())
}

/// Like `verify`, but cancellable: then it returns what it has. A claim whose search was not over is
/// *skipped*, unless a run broke it or was its witness; its row counts the runs that were made.
#[expect(
    clippy::disallowed_methods,
    reason = "the engine is not simulated: it uses all cores and tells how long it took"
)]
pub fn verify_until(
    options: &VerifyOptions,
    progress: &mut dyn Progress,
    token: &CancellationToken,
) -> Report {
    let begun = Instant::now();
    let studies = studies();
    let units: Vec<Unit> = options
        .testbeds
        .iter()
        .filter(|testbed| options.unavailable(**testbed).is_none())
        .flat_map(|testbed| studies.iter().map(move |study| (*study, *testbed)))
        .filter(|(study, _)| {
            let asked_for = |spec: &CheckSpec| options.claims.iter().any(|it| it.id == spec.claim);
            study.checks.iter().any(asked_for) && (options.thorough || !study.search.thorough_only)
        })
        .flat_map(|(study, testbed)| Unit::all(study, testbed, options))
        .collect();
    let mut done = rounds::Done::new();
    let mut places: Vec<usize> = (0..units.len()).collect();
    for _ in 0..=rounds::ROUNDS_MAX {
        for (place, unit) in run_units(options, &units, &places, progress, token) {
            rounds::enter(&mut done, place, unit);
        }
        places = rounds::open(options, &units, &done);
        if places.is_empty() || token.is_cancelled() {
            break;
        }
    }
    progress.end();
    let mut tried = Tried::default();
    let mut parts = Vec::new();
    for (of_unit, of_claims) in done.into_values() {
        tried += of_unit;
        parts.extend(of_claims);
    }
    let mut report = Report::new(options.seed, rows::rows(options, &parts), tried, begun.elapsed());
    report.interrupted = token.is_cancelled();
    let has_lab = options.testbeds.iter().any(|it| it.is_live() && options.unavailable(*it).is_none());
    report.lab = options.lab_settings.clone().filter(|_| has_lab);
    report
}

/// Runs the units at these places once.
fn run_units(
    options: &VerifyOptions,
    units: &[Unit],
    places: &[usize],
    progress: &mut dyn Progress,
    token: &CancellationToken,
) -> rounds::Done {
    let chosen = places.iter().filter_map(|place| Some((*place, units.get(*place)?)));
    let (mut labs, rest): (Vec<_>, Vec<_>) = chosen.partition(|(_, unit)| unit.testbed.is_live());
    labs.sort_by_key(|(_, unit)| unit.rank());
    let (simulated, real): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|(_, unit)| unit.testbed.is_simulated());
    let all = labs.iter().chain(&simulated).chain(&real);
    progress.begin(all.filter(|(_, unit)| unit.has_work(options)).count() as u64);

    let work = |(index, unit): &(usize, &Unit), tell: &mpsc::Sender<Tell<unit::Done>>| {
        let done = if token.is_cancelled() {
            unit.not_begun(options)
        } else {
            let name = unit.has_work(options).then(|| format!("{} on {}", unit.study.name, unit.testbed));
            // The receiver is gone only when the whole verification is.
            let say =
                |what: fn(String) -> Tell<_>| name.clone().is_some_and(|it| tell.send(what(it)).is_ok());
            let _ = say(Tell::Starts);
            let done = unit.guarded(options, || unit.run(options, tell, token));
            let _ = say(Tell::Done);
            done
        };
        let _ = tell.send(Tell::Result(*index, done));
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let queues = [(&*simulated, cores), (&*real, REAL_AT_ONCE), (&*labs, LABS_AT_ONCE)];
    let mut parts = rounds::Done::new();
    side_by_side(&queues, &work, &mut |what| what.tell(progress, &mut parts));
    parts
}

/// Units over real sockets that run side by side: they wait more than they work.
const REAL_AT_ONCE: usize = 4;

/// Units in labs that run side by side: they mostly wait. Each takes some twenty descriptors.
const LABS_AT_ONCE: usize = 32;

/// What a thread tells of its work.
pub(crate) enum Tell<T> {
    Starts(String),
    Ran(u64),
    Done(String),
    /// What came out of the work at that place.
    Result(usize, T),
}

impl<T> Tell<T> {
    fn tell(self, progress: &mut dyn Progress, results: &mut BTreeMap<usize, T>) {
        match self {
            Tell::Starts(name) => progress.starts(&name),
            Tell::Ran(runs) => progress.ran(runs),
            Tell::Done(name) => progress.done(&name),
            Tell::Result(place, result) => drop(results.insert(place, result)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faultwire_sim::testbed;

    #[test]
    fn the_cases_asked_for_are_tried_where_any_are() {
        let study = |name| *studies().iter().find(|study: &&&Study| study.name == name).expect("a study");
        let random = |name, testbed, cases| {
            let options = VerifyOptions { cases, ..VerifyOptions::new(Vec::new(), Vec::new()) };
            options.search(study(name), testbed).random
        };
        assert_eq!(random("udp-numbered", testbed::VIRTUAL, None), 256);
        assert_eq!(random("udp-numbered", testbed::VIRTUAL, Some(4_000)), 4_000);
        assert_eq!(random("udp-numbered", testbed::TURMOIL, None), 32);
        assert_eq!(random("udp-numbered", testbed::TURMOIL, Some(4_000)), 500);
        assert_eq!(random("udp-numbered", testbed::TURMOIL, Some(1)), 1);
        assert_eq!(random("udp-numbered", testbed::RELAY, Some(4_000)), 0);
        for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
            assert_eq!(random("udp-burst", testbed, Some(4_000)), 0, "{testbed}");
        }
    }

    /// Cancels once this many runs were made.
    struct EndsAfter(u64, CancellationToken);

    impl Progress for EndsAfter {
        fn begin(&mut self, _: u64) {}
        fn starts(&mut self, _: &str) {}
        fn ran(&mut self, runs: u64) {
            self.0 = self.0.saturating_sub(runs);
            if self.0 == 0 {
                self.1.cancel();
            }
        }
        fn done(&mut self, _: &str) {}
        fn end(&mut self) {}
    }

    #[test]
    fn work_that_is_asked_to_end_says_what_it_has_and_no_more() {
        use crate::exit;
        use crate::report::Outcome;
        let options = VerifyOptions {
            cases: Some(200_000),
            thorough: true,
            ..VerifyOptions::new(
                crate::claim::CLAIMS.iter().filter(|claim| claim.family() == "udp").collect(),
                vec![testbed::VIRTUAL, testbed::TURMOIL_SOCKETS],
            )
        };
        let is_cut = |row: &crate::report::Row| {
            row.outcome == Outcome::Skipped
                && row.why.as_ref().is_some_and(|why| why.starts_with("interrupted: "))
        };
        let asked = CancellationToken::default();
        asked.cancel();
        let nothing = verify_until(&options, &mut crate::progress::Silent, &asked);
        assert_eq!((nothing.tried.runs(), nothing.exit_code()), (0, exit::INTERRUPTED));
        assert_eq!(nothing.results.len(), 2 * options.claims.len());
        assert!(
            nothing
                .results
                .iter()
                .all(|row| row.outcome == Outcome::Skipped && row.expected_failure.is_none())
        );
        let token = CancellationToken::default();
        let some = verify_until(&options, &mut EndsAfter(300, token.clone()), &token);
        // Whole, its studies would take hundreds of thousands of runs.
        let never_repeats = some.results.iter().find(|row| row.claim == "udp/never-repeats").expect("a row");
        assert!(is_cut(never_repeats), "{never_repeats:?}");
        assert!((1..200_000).contains(&never_repeats.exhaustive), "what was tried counts: {never_repeats:?}");
        let table = some.to_table(crate::report::TableOptions { width: 80, color: false });
        assert!(table.contains("INTERRUPTED"), "it says so: {table}");
        assert_eq!(some.exit_code(), exit::INTERRUPTED, "{table}");
    }

    /// Remembers what it was told.
    #[derive(Default)]
    struct Told {
        steps: u64,
        running: Vec<String>,
        runs: u64,
        done: u64,
    }

    impl Progress for Told {
        fn begin(&mut self, steps: u64) {
            self.steps += steps;
        }
        fn starts(&mut self, what: &str) {
            self.running.push(what.to_owned());
        }
        fn ran(&mut self, runs: u64) {
            self.runs += runs;
        }
        fn done(&mut self, what: &str) {
            self.running.retain(|it| it != what);
            self.done += 1;
        }
        fn end(&mut self) {
            assert_eq!(self.done, self.steps);
        }
    }

    #[test]
    fn progress_is_told_in_steps_that_all_get_done() {
        let claims =
            vec![Claim::of("udp/size-limit").expect("a claim"), Claim::of("tcp/reset").expect("a claim")];
        let testbeds = vec![testbed::VIRTUAL, testbed::TURMOIL_SOCKETS];
        let options = VerifyOptions { cases: Some(0), ..VerifyOptions::new(claims, testbeds) };
        let mut told = Told::default();
        let report = verify(&options, &mut told);
        // On virtual the size limit's three studies and the reset's two; in turmoil's own there is no IPv6
        // and no MTU.
        assert_eq!((told.steps, told.done), (7, 7));
        assert_eq!(told.running, [""; 0]);
        assert!(told.runs > 5);
        assert_eq!(told.runs, report.tried.runs());
    }
}

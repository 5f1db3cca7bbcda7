//! A unit of work: one study on one testbed, its runs searched once for all of its checks. Many random plans
//! are cut into stretches, each of which is a unit: so all cores share them.

mod lab;

use std::any::Any;
use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;
use std::time::Instant;

use faultwire::errno::Errno;
use faultwire::fault::{Action, Class, Fault, FaultPlan, Packet};
use faultwire::text::without_values;
use faultwire_sim::search::Tried;
use faultwire_sim::testbed::{Capability, TestbedRef};
use faultwire_sim::{CancellationToken, End, Explorer, Run, Scenario};

use super::finding::{Finding, is_alike, named, said, shrunk, smallest};
use super::{Tell, VerifyOptions};
use crate::expected::Shown;
use crate::study::{CheckSpec, Search, Study, Verdict};

/// What a study's runs on a testbed say of one claim.
#[derive(Clone, Debug)]
pub struct Part {
    /// The claim's id.
    pub claim: &'static str,
    /// Where.
    pub testbed: TestbedRef,
    /// Why it was not tried, if it was not.
    pub skipped: Option<String>,
    /// How hard was tried.
    pub tried: Tried,
    /// How often the situation occurred.
    pub exercised: u64,
    /// A witness, or the kinds of break.
    pub findings: Vec<Finding>,
    /// A run that stalled: where, and its plan.
    pub stalled: Option<(String, FaultPlan)>,
    /// The kinds in which a program of the study failed: how, and the plan.
    pub failed: Vec<(String, FaultPlan)>,
    /// The suite's own trouble: a plan that the testbed refused to run, or a panic, which has no plan.
    pub internal: Option<(String, Option<FaultPlan>)>,
    /// The work was asked to end before its search was over.
    pub cut: bool,
    /// Real time that the unit took, in milliseconds: it serves all its claims at once.
    pub elapsed_ms: u64,
}

impl Part {
    /// Nothing tried yet.
    pub(super) fn new(claim: &'static str, testbed: TestbedRef) -> Part {
        Part {
            claim,
            testbed,
            skipped: None,
            tried: Tried::default(),
            exercised: 0,
            findings: Vec::new(),
            stalled: None,
            failed: Vec::new(),
            internal: None,
            cut: false,
            elapsed_ms: 0,
        }
    }
}

/// One check while its study's runs go by.
struct Watch<'a> {
    spec: &'a CheckSpec,
    skipped: Option<String>,
    exercised: u64,
    found: Vec<Found>,
}

/// A kind of finding, the first of its kind, and whether its run came to its end.
struct Found {
    plan: FaultPlan,
    verdict: Verdict,
    finished: bool,
}

/// Kinds of finding of a check, and of failure of a study's programs, that are told apart at most.
const KINDS_MAX: usize = 8;

/// What went wrong with the runs themselves, and what they lacked.
#[derive(Default)]
struct Trouble {
    stalled: Option<(String, FaultPlan)>,
    failed: Vec<(String, FaultPlan)>,
    refused: Option<(String, Option<FaultPlan>)>,
    lacks_option: bool,
}

impl Trouble {
    /// A program failed. Only the first of each kind is kept.
    fn failed_as(&mut self, how: String, run: &Run) {
        let is_new = self.failed.iter().all(|(other, _)| without_values(other) != without_values(&how));
        if is_new && self.failed.len() < KINDS_MAX {
            self.failed.push((how, run.plan.clone()));
        }
    }

    /// The reason if a check saw nothing since the testbed has no such socket option. Where a testbed does
    /// not say so it would be a fault, and so it is where a run did not come to its end.
    fn excuses(&self, testbed: TestbedRef, exercised: u64) -> Option<&'static str> {
        let ended = self.stalled.is_none() && self.failed.is_empty() && self.refused.is_none();
        testbed.lacks(Capability::Options).filter(|_| self.lacks_option && ended && exercised == 0)
    }

    /// Makes the plans of a stall, of programs that failed and of a run that could not be made as small as
    /// they can be; those of kinds that are expected stay as they are listed.
    fn make_smaller(
        &mut self,
        scenario: &Scenario,
        testbed: TestbedRef,
        expected: &dyn Fn(&str) -> Option<FaultPlan>,
        token: &CancellationToken,
    ) {
        if !testbed.is_simulated() {
            return;
        }
        for (why, plan) in &mut self.failed {
            if let Some(listed) = expected(why) {
                *plan = named(listed, scenario.name());
                continue;
            }
            let kind = without_values(why);
            let fails =
                |run: &Run| failure(run).is_some_and(|it| without_values(&it) == kind) && run.fired.all();
            *plan = named(shrunk(scenario, plan, token, &mut |run| fails(run)).plan, scenario.name());
            *why = failure(&scenario.run(plan)).unwrap_or_else(|| std::mem::take(why));
        }
        if let Some((why, plan)) = &mut self.stalled
            && let Some(listed) = expected(STALLED)
        {
            *plan = named(listed, scenario.name());
            *why = stall(&scenario.run(plan)).unwrap_or_default();
        } else if let Some((why, plan)) = &mut self.stalled {
            let is_stalled = |run: &Run| matches!(run.end, End::Stalled { .. }) && run.fired.all();
            *plan = named(shrunk(scenario, plan, token, &mut |run| is_stalled(run)).plan, scenario.name());
            *why = stall(&scenario.run(plan)).unwrap_or_default();
        }
        if let Some((why, Some(plan))) = &mut self.refused {
            *plan = named(shrunk(scenario, plan, token, &mut |run| run.is_refused()).plan, scenario.name());
            *why = refused(&scenario.run(plan)).unwrap_or_default();
        }
    }
}

/// What comes out of a unit: what was tried in all, and what that says of each claim.
pub(super) type Done = (Tried, Vec<Part>);

/// Is shown each run, and says whether to go on.
type Visit<'a> = dyn FnMut(&Run) -> ControlFlow<()> + 'a;

/// The checks of a study for the chosen claims.
fn wanted<'a>(study: &'a Study, options: &'a VerifyOptions) -> impl Iterator<Item = &'a CheckSpec> {
    study.checks.iter().filter(|spec| options.claims.iter().any(|claim| claim.id == spec.claim))
}

/// A study on a testbed, and which of its random plans.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) study: &'static Study,
    pub(super) testbed: TestbedRef,
    /// The numbers of the random plans. The first stretch has all the rest of the search as well.
    numbers: Range<u64>,
}

/// Random plans in a unit at most.
const STRETCH: u64 = 4_096;

impl Unit {
    /// A study on a testbed, with all of its random plans.
    #[cfg(test)]
    pub(super) fn whole(study: &'static Study, testbed: TestbedRef, options: &VerifyOptions) -> Unit {
        Unit { study, testbed, numbers: 0..options.search(study, testbed).random }
    }

    /// All units of a study on a testbed.
    pub(super) fn all(study: &'static Study, testbed: TestbedRef, options: &VerifyOptions) -> Vec<Unit> {
        let random = options.search(study, testbed).random;
        let stretches = random.div_ceil(STRETCH).max(1);
        let numbers = |index| index * STRETCH..random.min((index + 1) * STRETCH);
        (0..stretches).map(|index| Unit { study, testbed, numbers: numbers(index) }).collect()
    }

    /// Why one of its checks is not settled, if it is not.
    fn skip(&self, spec: &CheckSpec, options: &VerifyOptions) -> Option<String> {
        refusal(self.study, spec, self.testbed).or_else(|| options.lacking(spec.claim, self.testbed))
    }

    /// Where it stands in the queue of its testbed: those that take long in a lab come first.
    pub(super) fn rank(&self) -> usize {
        lab::rank(self.study)
    }

    /// Whether it has anything to run.
    pub(super) fn has_work(&self, options: &VerifyOptions) -> bool {
        wanted(self.study, options).any(|spec| self.skip(spec, options).is_none())
    }

    /// Does its work. A panic in it is an error of the claims that it serves, and of nothing else.
    pub(super) fn guarded(
        &self,
        options: &VerifyOptions,
        work: impl FnOnce() -> (Tried, Vec<Part>),
    ) -> (Tried, Vec<Part>) {
        let Unit { study, testbed, .. } = self;
        // Parts that the work left half done are dropped, and made here from the start.
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            let why = format!(
                "the suite panicked in the scenario {} on {testbed}: {}",
                study.name,
                panicked(&*panic)
            );
            let parts = wanted(study, options).map(|spec| Part {
                skipped: self.skip(spec, options),
                internal: Some((why.clone(), None)),
                ..Part::new(spec.claim, *testbed)
            });
            (Tried::default(), parts.collect())
        })
    }

    /// Runs it: what was tried in all, and what that says of each claim.
    #[expect(
        clippy::disallowed_methods,
        reason = "the engine is not simulated: it tells how long a unit took"
    )]
    pub(super) fn run(
        &self,
        options: &VerifyOptions,
        tell: &Sender<Tell<Done>>,
        token: &CancellationToken,
    ) -> (Tried, Vec<Part>) {
        let Unit { study, testbed, .. } = *self;
        let begun = Instant::now();
        let mut watches: Vec<Watch<'_>> = wanted(study, options)
            .map(|spec| Watch { spec, skipped: self.skip(spec, options), exercised: 0, found: Vec::new() })
            .collect();
        let mut trouble = Trouble::default();
        let mut tried = Tried::default();
        let scenario = (study.scenario)(testbed).on(testbed).seed(options.seed).cancelled_by(token);
        if watches.iter().any(|watch| watch.skipped.is_none()) {
            tried = self.search(&scenario, options, &mut |run| {
                // The receiver is gone only when the whole verification is.
                let _ = tell.send(Tell::Ran(1));
                // What was ended before its time says nothing.
                if !(token.is_cancelled() && run.is_refused()) {
                    look(run, &mut watches, &mut trouble);
                }
                if token.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        }
        let listed = |claim: Option<&str>, how: &str| {
            let shown = Shown { claim, scenario: study.name, how };
            let mut entries = options.expected.iter().filter(|it| it.takes_part(testbed));
            entries.find(|it| it.explains(shown)).and_then(|it| it.plan.clone())
        };
        trouble.make_smaller(&scenario, testbed, &|how| listed(None, how), token);
        let parts: Vec<Part> = watches
            .into_iter()
            .map(|watch| {
                let excused = trouble.excuses(testbed, watch.exercised);
                let spec = *watch.spec;
                Part {
                    skipped: watch.skipped.or_else(|| excused.map(str::to_owned)),
                    tried,
                    exercised: watch.exercised,
                    findings: watch
                        .found
                        .iter()
                        .map(|found| {
                            let how = said(&found.verdict).unwrap_or_default();
                            let plan = listed(Some(spec.claim), how);
                            let as_listed = plan.and_then(|plan| {
                                Finding::listed(study, &scenario, spec, plan, &found.verdict)
                            });
                            as_listed.unwrap_or_else(|| {
                                smallest(study, &scenario, spec, &found.plan, &found.verdict, token)
                            })
                        })
                        .collect(),
                    cut: tried.stopped,
                    stalled: trouble.stalled.clone(),
                    failed: trouble.failed.clone(),
                    internal: trouble.refused.clone(),
                    ..Part::new(watch.spec.claim, testbed)
                }
            })
            .collect();
        let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        (tried, parts.into_iter().map(|part| Part { elapsed_ms, ..part }).collect())
    }

    /// What it says of its claims where the work was asked to end before it began.
    pub(super) fn not_begun(&self, options: &VerifyOptions) -> (Tried, Vec<Part>) {
        let parts = wanted(self.study, options).map(|spec| Part {
            skipped: self.skip(spec, options),
            cut: true,
            ..Part::new(spec.claim, self.testbed)
        });
        (Tried::default(), parts.collect())
    }

    /// Searches its plans and shows each run that counts, for as long as it is told to go on.
    fn search(&self, scenario: &Scenario, options: &VerifyOptions, visit: &mut Visit<'_>) -> Tried {
        let Unit { study, testbed, ref numbers } = *self;
        let search = options.search(study, testbed);
        let explorer = explorer(study, scenario, search.exhaustive, options);
        let mut tried = Tried::default();
        if numbers.start == 0 {
            tried += explorer.search(visit);
        }
        if numbers.end > numbers.start && !tried.stopped {
            let count = numbers.end - numbers.start;
            tried += explorer.search_random(numbers.start, count, visit);
        }
        tried
    }
}

/// What a panic said.
fn panicked(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it did not say why")
}

/// Why a check of a study cannot be settled on a testbed.
pub(super) fn refusal(study: &Study, spec: &CheckSpec, testbed: TestbedRef) -> Option<String> {
    let of_check = || spec.needs.iter().find_map(|need| testbed.lacks(*need));
    let why =
        study.refusal(testbed).or_else(|| spec.not_live.filter(|_| testbed.is_live())).or_else(of_check);
    why.map(str::to_owned)
}

/// The search through a study's plans on a testbed, the random ones aside.
fn explorer(
    study: &'static Study,
    scenario: &Scenario,
    exhaustive: usize,
    options: &VerifyOptions,
) -> Explorer {
    let testbed = scenario.testbed();
    let (is_faultless, lab_plans) = (options.search(study, testbed) == Search::FAULT_FREE, options.lab_plans);
    let listed: Vec<FaultPlan> = options.listed(study, testbed).collect();
    let explorer = study.explorer(scenario.clone(), exhaustive, move |fault_free, own| {
        if testbed.is_live() {
            return lab::plans(study, fault_free, own(), lab_plans);
        }
        let mut further = own();
        further.extend(listed.iter().cloned());
        if !testbed.is_simulated() && is_faultless {
            further.extend(relay_plans());
        }
        further
    });
    match options.runs_max(testbed) {
        Some(max) => explorer.runs_max(max),
        None => explorer,
    }
}

/// One fault of each kind that a relay of datagrams can carry, on the first datagram: its runs take real
/// time.
pub(super) fn relay_plans() -> Vec<FaultPlan> {
    [Action::Drop, Action::Duplicate, Action::HoldFor(1)]
        .map(|action| Fault::new(["client", "server"], Packet::nth(Class::Datagram, 1), action))
        .map(|fault| FaultPlan::new().faults([fault]))
        .to_vec()
}

/// What a stall is told from other failures by.
pub(super) const STALLED: &str = "stalled";

/// How a program of a run failed, if one did.
fn failure(run: &Run) -> Option<String> {
    match &run.end {
        End::Failed { host, message } => Some(format!("{}: {message}", host.as_deref().unwrap_or("the run"))),
        _ => None,
    }
}

/// Why a run stalled, and what its sockets were at, if it did.
fn stall(run: &Run) -> Option<String> {
    let End::Stalled { limit, sockets } = &run.end else { return None };
    let at = if sockets.is_empty() { String::new() } else { format!(": {}", sockets.join("; ")) };
    Some(format!("not done after {limit}{at}"))
}

/// Why the testbed could not do a run, if it could not.
fn refused(run: &Run) -> Option<String> {
    let End::Refused { why, .. } = &run.end else { return None };
    Some(format!("the testbed refused to run a plan: {why}"))
}

/// Lets every check look at a run.
fn look(run: &Run, watches: &mut [Watch<'_>], trouble: &mut Trouble) {
    match &run.end {
        End::Finished => {}
        End::Failed { .. } => {
            trouble.failed_as(failure(run).unwrap_or_default(), run);
            // What programs saw of it says nothing more.
            if run.end.is_of_the_stack() {
                return;
            }
        }
        End::Stalled { .. } => {
            trouble.stalled.get_or_insert((stall(run).unwrap_or_default(), run.plan.clone()));
        }
        End::Refused { .. } => {
            trouble.refused.get_or_insert((refused(run).unwrap_or_default(), Some(run.plan.clone())));
            // It shows nothing.
            return;
        }
        other => trouble.failed_as(format!("{other:?}"), run),
    }
    trouble.lacks_option |= run.trace.calls().any(|call| call.error == Some(Errno::ENOPROTOOPT));
    for watch in watches.iter_mut().filter(|watch| watch.skipped.is_none()) {
        let seen = (watch.spec.check)(run);
        watch.exercised += seen.exercised;
        let finished = run.end.is_finished();
        // What a run that was cut short does not show may only not have happened yet: it is no witness. A
        // break is one all the same, though one in a run that came to its end is better.
        let counts = match seen.verdict {
            Verdict::Fine => false,
            Verdict::Broken(_) => true,
            Verdict::Witnessed(_) => finished,
        };
        if !counts {
            continue;
        }
        let found = || Found { plan: run.plan.clone(), verdict: seen.verdict.clone(), finished };
        match watch.found.iter().position(|it| is_alike(&it.verdict, &seen.verdict)) {
            Some(before) if finished && !watch.found[before].finished => watch.found[before] = found(),
            None if watch.found.len() < KINDS_MAX => watch.found.push(found()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;

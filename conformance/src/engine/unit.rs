//! A unit of work: one study on one testbed, its runs searched once for all of its checks.

use std::ops::ControlFlow;
use std::sync::mpsc::Sender;
use std::time::Instant;

use faultwire::errno::Errno;
use faultwire::fault::{Action, Class, Direction, Fault, FaultPlan, Packet};
use faultwire_sim::search::Tried;
use faultwire_sim::{End, Run, Scenario, Settings, Testbed};

use super::finding::{Finding, smallest};
use super::{Tell, VerifyOptions};
use crate::check::Verdict;
use crate::study::{CheckSpec, Search, Study};

/// What a study's runs on a testbed say of one claim.
#[derive(Clone, Debug)]
pub struct Part {
    /// The claim's id.
    pub claim: &'static str,
    /// Where.
    pub testbed: Testbed,
    /// Why it was not tried, if it was not.
    pub skipped: Option<String>,
    /// How hard was tried.
    pub tried: Tried,
    /// How often the situation occurred.
    pub exercised: u64,
    /// A break or a witness.
    pub finding: Option<Finding>,
    /// A run that stalled: where, and its plan.
    pub stalled: Option<(String, FaultPlan)>,
    /// A program of the study that failed: how, and its plan.
    pub failed: Option<(String, FaultPlan)>,
    /// Real time that the unit took, in milliseconds: it serves all its claims at once.
    pub elapsed_ms: u64,
}

/// One check while its study's runs go by.
struct Watch<'a> {
    spec: &'a CheckSpec,
    skipped: Option<String>,
    exercised: u64,
    found: Option<(FaultPlan, Verdict)>,
}

/// What went wrong with the runs themselves, and what they lacked.
#[derive(Default)]
struct Trouble {
    stalled: Option<(String, FaultPlan)>,
    failed: Option<(String, FaultPlan)>,
    lacks_option: bool,
}

/// Runs a study on a testbed: what was tried in all, and what that says of each claim.
#[expect(clippy::disallowed_methods, reason = "the engine is not simulated: it tells how long a unit took")]
pub(super) fn run(
    study: &Study,
    testbed: Testbed,
    options: &VerifyOptions,
    tell: &Sender<Tell>,
) -> (Tried, Vec<Part>) {
    let begun = Instant::now();
    let wanted = |spec: &&CheckSpec| options.claims.iter().any(|claim| claim.id == spec.claim);
    let mut watches: Vec<Watch<'_>> = study
        .checks
        .iter()
        .filter(wanted)
        .map(|spec| Watch { spec, skipped: refusal(study, spec, testbed), exercised: 0, found: None })
        .collect();
    let mut trouble = Trouble::default();
    let mut tried = Tried::default();
    let mut settings = Settings::default();
    settings.seed = options.seed;
    let scenario = (study.scenario)(testbed).on(testbed).settings(settings);
    if watches.iter().any(|watch| watch.skipped.is_none()) {
        // The receiver is gone only when the whole verification is.
        let _ = tell.send(Tell::Begins(format!("{} on {testbed}", study.name)));
        tried = search(study, &scenario, testbed, options.search(study, testbed), &mut |run| {
            let _ = tell.send(Tell::Done(1));
            look(run, &mut watches, &mut trouble);
        });
    }
    let parts: Vec<Part> = watches
        .into_iter()
        .map(|watch| {
            let finding = watch
                .found
                .map(|(plan, verdict)| smallest(study, &scenario, watch.spec.check, &plan, &verdict));
            let lacks_option = trouble.lacks_option && watch.exercised == 0;
            Part {
                claim: watch.spec.claim,
                testbed,
                skipped: watch.skipped.or_else(|| {
                    lacks_option.then(|| "it lacks a socket option that this takes (ENOPROTOOPT)".to_owned())
                }),
                tried,
                exercised: watch.exercised,
                finding,
                stalled: trouble.stalled.clone(),
                failed: trouble.failed.clone(),
                elapsed_ms: 0,
            }
        })
        .collect();
    let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    (tried, parts.into_iter().map(|part| Part { elapsed_ms, ..part }).collect())
}

/// Why a check of a study cannot be settled on a testbed.
fn refusal(study: &Study, spec: &CheckSpec, testbed: Testbed) -> Option<String> {
    if let Some(why) = (study.refuses)(testbed) {
        return Some(why.to_owned());
    }
    if spec.needs_faults && !testbed.carries_faults() {
        return Some("it takes a fault, and this testbed carries none".to_owned());
    }
    if spec.needs_packets && !testbed.shows_packets() {
        return Some("it looks at packets, and this testbed shows the programs' calls alone".to_owned());
    }
    None
}

/// Searches a study's plans on a testbed and shows each run that counts.
fn search(
    study: &Study,
    scenario: &Scenario,
    testbed: Testbed,
    search: Search,
    visit: &mut dyn FnMut(&Run),
) -> Tried {
    let with = scenario.clone().exhaustive(search.exhaustive).random(search.random);
    let mut tried = with.search(&mut |run| {
        visit(run);
        ControlFlow::Continue(())
    });
    if !testbed.carries_faults() {
        return tried;
    }
    let mut further = (study.plans)();
    if testbed == Testbed::Relay && search == Search::FAULT_FREE {
        further.extend(relay_plans());
    }
    for plan in further {
        let run = scenario.run(&plan);
        let planned = plan.faults.len() + plan.events.len();
        tried.faults_planned += planned as u64;
        tried.faults_fired += run.fired.count() as u64;
        if matches!(run.end, End::Refused { .. }) {
            tried.refused += 1;
        } else if run.fired.all() {
            tried.singles += 1;
            visit(&run);
        } else {
            tried.inert += 1;
        }
    }
    tried
}

/// One fault of each kind that a relay of datagrams can carry, on the first datagram: its runs take real time.
pub(super) fn relay_plans() -> Vec<FaultPlan> {
    [Action::Drop, Action::Duplicate, Action::HoldFor(1)]
        .map(|action| Fault {
            direction: Direction::new("client", "server"),
            packet: Packet::nth(Class::Datagram, 1),
            action,
        })
        .map(|fault| FaultPlan { faults: vec![fault], ..FaultPlan::default() })
        .to_vec()
}

/// Lets every check look at a run.
fn look(run: &Run, watches: &mut [Watch<'_>], trouble: &mut Trouble) {
    match &run.end {
        End::Finished => {}
        End::Failed { host, message } => {
            let who = host.as_deref().unwrap_or("the run");
            trouble.failed.get_or_insert((format!("{who}: {message}"), run.plan.clone()));
        }
        End::Stalled { limit, sockets } => {
            let at = if sockets.is_empty() { String::new() } else { format!(": {}", sockets.join("; ")) };
            trouble.stalled.get_or_insert((format!("not done after {limit}{at}"), run.plan.clone()));
        }
        End::Refused { why } => {
            trouble.failed.get_or_insert((why.clone(), run.plan.clone()));
        }
        other => {
            trouble.failed.get_or_insert((format!("{other:?}"), run.plan.clone()));
        }
    }
    trouble.lacks_option |= run.trace.calls().any(|call| call.error == Some(Errno::ENOPROTOOPT));
    for watch in watches.iter_mut().filter(|watch| watch.skipped.is_none()) {
        let seen = (watch.spec.check)(run);
        watch.exercised += seen.exercised;
        if watch.found.is_none() && seen.verdict != Verdict::Fine {
            watch.found = Some((run.plan.clone(), seen.verdict));
        }
    }
}

//! What a check found: a break or a witness, and the smallest plan that shows it.

use faultwire::fault::FaultPlan;
use faultwire::text::without_values;
use faultwire_sim::search::{ShrinkLimits, Shrunk};
use faultwire_sim::{CancellationToken, Run, Scenario};

use crate::study::{Check, CheckSpec, Study, Verdict, base_name};

/// A break of a guaranteed claim or a witness of a possible one.
#[derive(Clone, Debug)]
pub struct Finding {
    /// In what way.
    pub how: String,
    /// The smallest plan known that shows it, with its title and its scenario.
    pub plan: FaultPlan,
    /// The runs that it took to make it so small.
    pub shrink_runs: u64,
}

impl Finding {
    /// A finding whose smallest plan is listed, if a run under that plan is of its kind.
    pub(super) fn listed(
        study: &Study,
        scenario: &Scenario,
        CheckSpec { claim, check, .. }: CheckSpec,
        plan: FaultPlan,
        verdict: &Verdict,
    ) -> Option<Finding> {
        let says = check(&scenario.run(&plan)).verdict;
        let how = said(&says).filter(|_| is_alike(&says, verdict))?.to_owned();
        let plan = FaultPlan { title: Some(how.clone()), claim: Some(claim.to_owned()), ..plan };
        Some(Finding { how, plan: named(plan, study.name), shrink_runs: 0 })
    }
}

/// What a verdict says, if it is more than that all is well.
pub(crate) fn said(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Fine => None,
        Verdict::Broken(how) | Verdict::Witnessed(how) => Some(how),
    }
}

/// Whether two verdicts are of one kind: both show a claim, or both break it in the same way, numbers aside.
pub(crate) fn is_alike(one: &Verdict, other: &Verdict) -> bool {
    match (one, other) {
        (Verdict::Witnessed(_), Verdict::Witnessed(_)) => true,
        (Verdict::Broken(one), Verdict::Broken(other)) => without_values(one) == without_values(other),
        _ => false,
    }
}

/// Whether a run that took place as planned says the same kind of thing as `verdict`.
fn says_likewise(run: &Run, check: Check, verdict: &Verdict) -> bool {
    is_alike(&check(run).verdict, verdict) && run.fired.all() && run.end.is_finished()
}

/// Makes a plan as small as it can be while its run still shows what `shows` asks for; or as small as it is
/// by the time that the work is asked to end.
pub(crate) fn shrunk(
    scenario: &Scenario,
    plan: &FaultPlan,
    token: &CancellationToken,
    shows: &mut dyn FnMut(&Run) -> bool,
) -> Shrunk {
    let limits = ShrinkLimits::in_ticks(scenario.testbed().clock().tick_us());
    // From then on nothing is run, and so nothing shows it.
    let run = &mut |plan: &FaultPlan| (!token.is_cancelled()).then(|| scenario.run(plan));
    scenario.shrink_by(plan, run, shows, &limits)
}

/// Shrinks the plan of a run in which a check found something.
pub(crate) fn smallest(
    study: &Study,
    scenario: &Scenario,
    spec: CheckSpec,
    found: &FaultPlan,
    verdict: &Verdict,
    token: &CancellationToken,
) -> Finding {
    smallest_of(study, scenario, spec, found, verdict, token, &|_| true)
}

/// Like [`smallest`], among the plans that `is_admitted` allows.
pub(crate) fn smallest_of(
    study: &Study,
    scenario: &Scenario,
    CheckSpec { claim, check, .. }: CheckSpec,
    found: &FaultPlan,
    verdict: &Verdict,
    token: &CancellationToken,
    is_admitted: &dyn Fn(&FaultPlan) -> bool,
) -> Finding {
    let mut shows = |run: &Run| says_likewise(run, check, verdict) && is_admitted(&run.plan);
    let shrunk = shrunk(scenario, found, token, &mut shows);
    // Where the plan is as it was found, so is what it says; and nothing is run any more once the work is
    // asked to end.
    let said_now = (!token.is_cancelled()).then(|| check(&scenario.run(&shrunk.plan)).verdict);
    let how = said_now.as_ref().and_then(said).or(said(verdict)).unwrap_or_default().to_owned();
    let mut plan = shrunk.plan;
    plan.title = Some(how.clone());
    plan.claim = Some(claim.to_owned());
    let plan = named(plan, study.name);
    Finding { how, plan, shrink_runs: shrunk.runs }
}

/// The plan with its scenario's name, which it may have already, with the words of a variant.
pub(crate) fn named(plan: FaultPlan, scenario: &str) -> FaultPlan {
    let is_named = plan.scenario.as_deref().is_some_and(|name| base_name(name) == scenario);
    if is_named { plan } else { FaultPlan { scenario: Some(scenario.to_owned()), ..plan } }
}

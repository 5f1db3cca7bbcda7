//! A plan that a user gives to a command: the file, the study whose scenario it belongs to, and the claim
//! that it was found to show.

use std::path::Path;

use faultwire::fault::{FaultPlan, Wire};
use faultwire_sim::testbed;

use super::error::{CommandError, usage};
use super::select;
use faultwire_conformance::claim::Claim;
use faultwire_conformance::study::Study;

/// A plan, and what belongs to it.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) plan: FaultPlan,
    pub(super) study: &'static Study,
    /// What it was found to show, or to break.
    pub(super) claim: Option<&'static Claim>,
}

/// Reads a plan file (`-` is stdin) and finds what belongs to it. A scenario that is named here goes before
/// the plan's.
///
/// # Errors
/// Those of the plan file; an unknown scenario or claim; a claim that the scenario does not check; a host
/// that the scenario does not have.
pub(super) fn given(path: &Path, scenario: Option<&str>) -> Result<Given, CommandError> {
    let plan = read(path)?;
    let studies = select::studies();
    let Some(name) = scenario.or(plan.scenario.as_deref()) else {
        if plan.lab.is_some() {
            let what = format!("the plan {} belongs to two commands and not to a scenario", path.display());
            return Err(usage(what).help(format!("run it with `faultwire lab --plan {}`", path.display())));
        }
        let what = format!("the plan {} does not say which scenario it belongs to", path.display());
        let known = select::names(&studies);
        return Err(usage(what).help(format!("name it with --scenario; there are: {known}")));
    };
    let study = select::study(name, &studies)?;
    let claim = plan.claim.as_deref().map(|id| claim(id, study)).transpose()?;
    // A variant that the command line names is run in place of the plan's.
    let plan = match scenario {
        Some(name) => FaultPlan { scenario: Some(name.to_owned()), ..plan },
        None => plan,
    };
    let hosts = (study.scenario)(testbed::VIRTUAL).host_names();
    if let Err(unknown) = Wire::new(&plan, &hosts) {
        let nearest = select::nearest(&unknown.name, hosts.iter().map(String::as_str));
        let what = format!("in {}: {unknown}", path.display());
        let all = "a direction is `from->to`, with hosts of the scenario";
        return Err(usage(what).because(unknown).did_you_mean(nearest, all));
    }
    Ok(Given { plan, study, claim })
}

/// The claim of that name, if the study looks at it.
pub(super) fn claim(id: &str, study: &'static Study) -> Result<&'static Claim, CommandError> {
    let claim = select::claim(id)?;
    if study.checks.iter().any(|spec| spec.claim == claim.id) {
        return Ok(claim);
    }
    let mut known: Vec<&'static str> = study.checks.iter().map(|spec| spec.claim).collect();
    known.dedup();
    let what = format!("the scenario `{}` says nothing of the claim `{}`", study.name, claim.id);
    Err(usage(what).help(format!("it looks at: {}", known.join(", "))))
}

/// The plan in a file, or from stdin.
fn read(path: &Path) -> Result<FaultPlan, CommandError> {
    if path != Path::new("-") {
        return FaultPlan::read(path).map_err(usage);
    }
    FaultPlan::read_from(std::io::stdin().lock(), "stdin").map_err(usage)
}

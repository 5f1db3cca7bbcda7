//! A plan that a user gives to a command: the file, the study whose scenario it belongs to, and the claim
//! that it was found to show.

use std::path::Path;

use faultwire::fault::{FaultPlan, PlanFile};
use faultwire::text::shell_word;
use faultwire_sim::failure::PLAN_VARIABLE;
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
    let file = read(path)?;
    let plan = file.plan.clone();
    let studies = select::studies();
    let own = plan.scenario.as_deref().filter(|name| select::study(name, &studies).is_ok());
    let study = match scenario.or(own) {
        Some(name) => select::study(name, &studies)?,
        None => return Err(homeless(path, &plan, &studies)),
    };
    let claim = plan.claim.as_deref().map(|id| claim(id, study)).transpose()?;
    // A variant that the command line names is run in place of the plan's.
    let plan = match scenario {
        Some(name) => FaultPlan { scenario: Some(name.to_owned()), ..plan },
        None => plan,
    };
    let hosts = (study.scenario)(testbed::VIRTUAL).host_names();
    file.check_hosts(&hosts).map_err(usage)?;
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

/// The error for a plan without a scenario that is known here: what runs it.
fn homeless(path: &Path, plan: &FaultPlan, studies: &[&'static Study]) -> CommandError {
    let (file, shown) = (path.display(), shell_word(&path.to_string_lossy()));
    if plan.lab.is_some() {
        let what = format!("the plan {file} belongs to two commands and not to a scenario");
        return usage(what).help(format!("run it with `faultwire lab --plan {shown}`"));
    }
    let Some(name) = &plan.scenario else {
        let own = format!("faultwire lab --plan {shown} --server COMMAND --client COMMAND");
        return usage(format!("the plan {file} does not say which scenario it belongs to")).help(format!(
            "name it with --scenario NAME, or in the plan: `scenario = \"udp-numbered\"`; `faultwire \
             scenarios` lists them. Two programs of your own run under it with `{own}`"
        ));
    };
    let nearest = select::nearest(name, studies.iter().map(|study| study.name));
    let all = format!(
        "`faultwire scenarios` lists those of this command. One of your own tests replays it there, with the \
         test's name: `{PLAN_VARIABLE}={shown} cargo test NAME`"
    );
    usage(format!("the plan {file} belongs to the scenario `{name}`, which this command does not have"))
        .did_you_mean(nearest, &all)
}

/// The plan in a file, or from stdin.
fn read(path: &Path) -> Result<PlanFile, CommandError> {
    if path != Path::new("-") {
        return PlanFile::read(path).map_err(usage);
    }
    PlanFile::read_from(std::io::stdin().lock(), "stdin").map_err(usage)
}

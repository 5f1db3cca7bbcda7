//! `faultwire plan`, and `faultwire help plan`: the reference of the plan file.

use super::error::CommandError;
use super::output;
use faultwire_conformance::exit;

/// The reference, at most 80 columns wide.
const REFERENCE: &str = include_str!("plan/reference.txt");

/// Print the reference of the plan file, with an example.
#[derive(Clone, Debug, clap::Args)]
#[command(long_about = REFERENCE)]
pub(super) struct Args {}

pub(super) fn run(_: &Args) -> Result<u8, CommandError> {
    output::emit(REFERENCE)?;
    Ok(exit::AS_CLAIMED)
}

#[cfg(test)]
mod tests {
    use faultwire::fault::{Action, Class, FaultPlan};

    use super::*;

    #[test]
    fn the_example_is_a_plan_of_a_scenario_that_exists() {
        let (_, example) = REFERENCE.split_once("EXAMPLE\n").expect("an example");
        let text: String = example
            .lines()
            .take_while(|line| line.is_empty() || line.starts_with("  "))
            .map(|line| format!("{}\n", line.trim_start()))
            .collect();
        let plan = FaultPlan::parse(&text, "example").expect("a plan");
        assert_eq!(plan.faults.len(), 2);
        let studies = faultwire_conformance::engine::studies();
        let study = studies.iter().find(|study| Some(study.name) == plan.scenario.as_deref());
        let study = study.expect("its scenario exists");
        assert!(study.checks.iter().any(|spec| Some(spec.claim) == plan.claim.as_deref()));
    }

    #[test]
    fn every_class_and_action_stands_in_the_reference() {
        let (_, packets) = REFERENCE.split_once("PACKETS\n").expect("a part on packets");
        for class in Class::ALL {
            assert!(packets.contains(class.name()), "{}", class.name());
        }
        for action in [Action::Drop, Action::Duplicate] {
            let plan = FaultPlan::parse(
                &format!(
                    "format = 1\n[[fault]]\ndirection = \"a->b\"\npacket = {{ class = \"any\", nth = 1 }}\n\
                     action = \"{}\"\n",
                    if action == Action::Drop { "drop" } else { "duplicate" }
                ),
                "plan",
            );
            assert_eq!(plan.expect("a plan").faults[0].action, action);
        }
        for line in REFERENCE.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

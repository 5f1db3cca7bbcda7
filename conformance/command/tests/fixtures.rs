//! The fixtures: for every possible claim its smallest witness, which replays and leaves its golden trace.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use faultwire::fault::FaultPlan;
use faultwire_conformance::claim::{CLAIMS, Claim, Modality};
use faultwire_conformance::engine::{ReplayOptions, Replayed, replay, studies};
use faultwire_conformance::study::Verdict;
use faultwire_sim::Run;
use faultwire_sim::search::{ShrinkLimits, is_minimal};
use faultwire_sim::testbed::{self, TestbedRef};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}

/// The names of the files of that ending in a folder of the fixtures, without the ending.
fn names(folder: &str, ending: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fixtures().join(folder)).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    paths
        .filter(|path| path.extension() == Some(OsStr::new(ending)))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect()
}

/// The possible claims that `virtual` can show.
fn possible() -> Vec<&'static Claim> {
    let settled = |claim: &&Claim| {
        studies().iter().any(|study| {
            study.refusal(testbed::VIRTUAL).is_none()
                && study.checks.iter().any(|spec| spec.claim == claim.id)
        })
    };
    CLAIMS.iter().filter(|claim| claim.modality == Modality::Possible).filter(settled).collect()
}

fn file_name(claim: &Claim) -> String {
    claim.id.replace('/', "-")
}

fn witness(claim: &Claim) -> FaultPlan {
    let path = fixtures().join("plans").join(file_name(claim) + ".toml");
    FaultPlan::read(&path).unwrap_or_else(|error| panic!("{error}"))
}

fn replayed(plan: &FaultPlan, testbed: TestbedRef) -> Replayed {
    let name = plan.scenario.as_deref().expect("a fixture names its scenario");
    let study = studies().into_iter().find(|study| study.name == name).expect("the scenario exists");
    replay(&ReplayOptions { study, plan: plan.clone(), testbed, seed: 0 })
}

fn shows(claim: &Claim, replayed: &Replayed) -> bool {
    let is_shown = |(of, seen): &(&Claim, _)| {
        let seen: &faultwire_conformance::study::Seen = seen;
        of.id == claim.id && matches!(seen.verdict, Verdict::Witnessed(_))
    };
    replayed.run.end.is_finished() && replayed.run.fired.all() && replayed.seen.iter().any(is_shown)
}

#[test]
fn every_possible_claim_has_its_witness_and_none_is_left_over() {
    let claims: BTreeSet<String> = possible().into_iter().map(file_name).collect();
    assert_eq!(names("plans", "toml"), claims, "cargo run -p faultwire-conformance --example write_fixtures");
    assert_eq!(names("traces", "snap"), claims, "INSTA_UPDATE=always cargo test --test fixtures");
}

#[test]
fn every_witness_shows_its_claim_in_both_simulations() {
    for claim in possible() {
        let plan = witness(claim);
        for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
            assert!(shows(claim, &replayed(&plan, testbed)), "{} on {testbed}", claim.id);
        }
    }
}

#[test]
fn every_witness_is_as_small_as_it_can_be() {
    for claim in possible() {
        let plan = witness(claim);
        let mut still = |plan: &FaultPlan| shows(claim, &replayed(plan, testbed::VIRTUAL));
        assert!(is_minimal(&plan, &mut still, &ShrinkLimits::default()), "{}", claim.id);
    }
}

#[test]
fn every_witness_leaves_its_golden_trace_twice() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(fixtures().join("traces"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _bound = settings.bind_to_scope();
    for claim in possible() {
        let plan = witness(claim);
        let run = |testbed| -> Run { replayed(&plan, testbed).run };
        let once = run(testbed::VIRTUAL);
        assert_eq!(once.trace.hash(), run(testbed::VIRTUAL).trace.hash(), "{}", claim.id);
        assert_eq!(run(testbed::TURMOIL).trace.hash(), run(testbed::TURMOIL).trace.hash(), "{}", claim.id);
        insta::assert_snapshot!(file_name(claim), once.trace.text(), claim.id);
    }
}

#[test]
fn a_fixture_is_written_as_the_plan_is() {
    for claim in possible() {
        let path = fixtures().join("plans").join(file_name(claim) + ".toml");
        assert_eq!(fs::read_to_string(path).expect("it is there"), witness(claim).to_toml(), "{}", claim.id);
    }
}

#[test]
fn a_picture_is_what_the_command_draws() {
    let dir = tempfile::tempdir().expect("a directory");
    let pictures = names("pictures", "svg");
    assert!(!pictures.is_empty());
    for name in pictures {
        let (kept, drawn) = (format!("pictures/{name}.svg"), dir.path().join(&name));
        let plan = fixtures().join("plans").join(format!("{name}.toml"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultwire"));
        let output = command.arg("replay").arg(plan).arg("--svg").arg(&drawn).output().expect("it starts");
        assert!(output.status.success(), "{output:?}");
        let read = |path| fs::read_to_string(path).expect("a picture");
        let is_it = read(fixtures().join(&kept)) == read(drawn);
        assert!(is_it, "faultwire replay fixtures/plans/{name}.toml --svg fixtures/{kept}");
    }
}

use std::fs;
use std::path::Path;

use super::*;
use faultwire_conformance::claim::CLAIMS;

fn explained(id: &str) -> (Explanation, String) {
    let claim = Claim::of(id).expect("a claim");
    let explanation = engine::explain(claim, 0);
    let page = page(&explanation, 80, false);
    (explanation, page)
}

/// The page with the simulated testbeds alone, which every machine has.
fn snapshot_of(id: &str) -> String {
    let mut explanation = explained(id).0;
    explanation.testbeds.retain(|(testbed, _)| testbed.is_simulated());
    page(&explanation, 80, false)
}

#[test]
fn a_possible_claim_is_shown_by_its_smallest_plan() {
    insta::assert_snapshot!(snapshot_of("udp/may-lose"));
}

#[test]
fn a_guaranteed_claim_is_shown_by_what_breaks_it() {
    insta::assert_snapshot!(snapshot_of("udp/one-fragment-lost"));
}

#[test]
fn every_claim_can_be_explained_within_eighty_columns() {
    for claim in &*CLAIMS {
        let (explanation, page) = explained(claim.id);
        for line in page.lines() {
            assert!(line.chars().count() <= 80, "{}: {line}", claim.id);
            assert_eq!(line, line.trim_end(), "{}", claim.id);
        }
        let (mutant, exhibit) = explanation.evidence.expect(claim.id);
        let verdict = exhibit.seen.expect(claim.id).verdict;
        match claim.modality {
            Modality::Possible => assert!(matches!(verdict, Verdict::Witnessed(_)), "{}", claim.id),
            Modality::Guaranteed => {
                let mutant = mutant.expect(claim.id);
                assert_eq!(mutant.name(), explanation.mutants[0].name(), "{}: the first", claim.id);
                assert!(matches!(verdict, Verdict::Broken(_)), "{}", claim.id);
                let sound = explanation.sound.expect(claim.id);
                assert_eq!(sound.verdict, Verdict::Fine, "{}: it is the bug that breaks it", claim.id);
            }
        }
    }
}

#[test]
fn the_plan_found_on_the_spot_is_the_fixture() {
    for claim in CLAIMS.iter().filter(|claim| claim.modality == Modality::Possible) {
        let (_, exhibit) = explained(claim.id).0.evidence.expect(claim.id);
        let file = format!("../../fixtures/plans/{}.toml", claim.id.replace('/', "-"));
        let fixture =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("it is there");
        assert_eq!(exhibit.run.plan.to_toml(), fixture, "{}", claim.id);
    }
}

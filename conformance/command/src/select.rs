//! Finds claims, testbeds and scenarios by their names on the command line. The error for an unknown name
//! suggests the nearest one.

use std::fmt::Display;
use std::sync::OnceLock;

use faultwire_sim::testbed::{self, Subject, TestbedRef, Unavailable};

use super::error::{CommandError, unavailable, usage};
use super::topic::claims_about;
use faultwire_conformance::claim::{CLAIMS, Claim, FAMILIES};
use faultwire_conformance::engine;
use faultwire_conformance::expected::{EXPECTED_FAILURES, ExpectedFailure};
use faultwire_conformance::study::Study;
use faultwire_conformance::third_party::ThirdParty;

/// Names that are less alike than this are not proposed.
const LIKENESS_MIN: f64 = 0.7;
/// How many claims that speak of something an error names.
const ABOUT_MAX: usize = 4;

/// The claims of these names (ids, their second parts, families), in the order of the registry; all of them
/// if there is no name. Two families may have a claim of the same second part: it stands for both.
pub(super) fn claims(names: &[String]) -> Result<Vec<&'static Claim>, CommandError> {
    if let Some(name) = names.iter().find(|name| !CLAIMS.iter().any(|claim| is_named(claim, name))) {
        return Err(unknown_claim(name));
    }
    let wanted = |claim: &&Claim| names.is_empty() || names.iter().any(|name| is_named(claim, name));
    Ok(CLAIMS.iter().filter(wanted).collect())
}

/// The one claim of that id, or of that second part of an id if no other claim has it.
pub(super) fn claim(name: &str) -> Result<&'static Claim, CommandError> {
    let mut of_slug = CLAIMS.iter().filter(|claim| claim.slug() == name);
    let only = of_slug.next().filter(|_| of_slug.next().is_none());
    Claim::of(name).or(only).ok_or_else(|| unknown_claim(name))
}

/// Whether a name stands for claims, rather than being a word to look for in them.
pub(super) fn is_claims(name: &str) -> bool {
    CLAIMS.iter().any(|claim| is_named(claim, name))
}

fn is_named(claim: &Claim, name: &str) -> bool {
    claim.id == name || claim.slug() == name || claim.family() == name.trim_end_matches('/')
}

fn unknown_claim(name: &str) -> CommandError {
    let families = FAMILIES.iter().map(|(family, _)| *family);
    let slugs = CLAIMS.iter().find(|claim| claim.slug() == name).map(|claim| claim.id.to_owned());
    let unknown = usage(format!("there is no claim `{name}`"));
    // What is written like an id is one misspelled, and no word.
    let about: Vec<&str> = match name.contains(['/', '-']) {
        true => Vec::new(),
        false => claims_about(name).into_iter().map(|claim| claim.id).take(ABOUT_MAX).collect(),
    };
    if !about.is_empty() {
        let about = about.join(", ");
        return unknown.help(format!("these speak of it: {about}; `faultwire claims {name}` lists them all"));
    }
    let nearest = slugs.or_else(|| {
        let names = CLAIMS.iter().flat_map(|claim| [claim.id, claim.slug()]);
        nearest(name, names.chain(families))
    });
    let all = "`faultwire claims` lists them; a family (`udp`) stands for all of its claims";
    unknown.did_you_mean(nearest, all)
}

/// The testbeds to use.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// In the order of reports.
    pub(super) testbeds: Vec<TestbedRef>,
    /// Those of them that are unavailable here, and why: their claims are skipped.
    pub(super) unavailable: Vec<(TestbedRef, String)>,
}

/// The subjects that the command was started with, beside faultwire's own.
pub(super) static THIRD_PARTIES: OnceLock<Vec<ThirdParty>> = OnceLock::new();

/// Them, in their order.
pub(super) fn third_parties() -> &'static [ThirdParty] {
    THIRD_PARTIES.get().map_or(&[], Vec::as_slice)
}

/// Every testbed: first those of faultwire's own subjects.
fn all_testbeds() -> Vec<TestbedRef> {
    let others = third_parties().iter().flat_map(ThirdParty::testbeds).copied();
    testbed::ALL.into_iter().chain(others).collect()
}

/// The testbeds of these names and subjects. Without a name: all of the subjects. Without a subject: all of
/// faultwire's own. A testbed that was asked for must be available.
///
/// # Errors
/// If one of them is unknown or unavailable.
pub(super) fn testbeds(names: &[String], subjects: &[String]) -> Result<Chosen, CommandError> {
    choose(names, subjects, |testbed| probe(testbed).map(drop))
}

fn choose(
    names: &[String],
    subjects: &[String],
    probe: impl Fn(TestbedRef) -> Result<(), CommandError>,
) -> Result<Chosen, CommandError> {
    let mut testbeds = of_subjects(subjects)?;
    for name in names {
        let known = named_testbeds(name)?;
        if !known.iter().any(|testbed| testbeds.contains(testbed)) {
            if !subjects.is_empty() {
                let subjects = subjects.join(", ");
                return Err(usage(format!("the testbed `{name}` has none of the subjects {subjects}"))
                    .help("`faultwire testbeds` lists the testbeds of each subject"));
            }
            testbeds.extend(known);
        }
    }
    let is_named = |testbed: &TestbedRef| names.is_empty() || names.iter().any(|name| is(*testbed, name));
    testbeds.retain(is_named);
    let mut chosen = Chosen { testbeds, ..Chosen::default() };
    for testbed in &chosen.testbeds {
        match probe(*testbed) {
            Err(error) if names.is_empty() => chosen.unavailable.push((*testbed, error.in_a_line())),
            other => other?,
        }
    }
    Ok(chosen)
}

/// Whether a testbed has that name, with its subject or without.
fn is(testbed: TestbedRef, name: &str) -> bool {
    name == testbed.name() || name == testbed.to_string()
}

/// The testbeds of these subjects: those of a third party, or those of faultwire's own on which one side at
/// least is the subject's.
fn of_subjects(subjects: &[String]) -> Result<Vec<TestbedRef>, CommandError> {
    if subjects.is_empty() {
        return Ok(testbed::ALL.to_vec());
    }
    let mut chosen: Vec<TestbedRef> = Vec::new();
    for name in subjects {
        let of_third_party = third_parties().iter().find(|it| it.name() == name);
        let found: Vec<TestbedRef> = match of_third_party {
            Some(third_party) => third_party.testbeds().to_vec(),
            None => testbed::ALL.into_iter().filter(|it| has_subject(it.subject(), name)).collect(),
        };
        if found.is_empty() {
            return Err(unknown_subject(name));
        }
        chosen.extend(found.into_iter().filter(|testbed| !chosen.contains(testbed)).collect::<Vec<_>>());
    }
    Ok(chosen)
}

fn has_subject(subject: Subject, name: &str) -> bool {
    [subject.name, subject.client, subject.server].contains(&name)
}

fn unknown_subject(name: &str) -> CommandError {
    let own = testbed::ALL.into_iter().flat_map(|it| [it.subject().client, it.subject().server]);
    let mut names: Vec<&str> = own.chain(third_parties().iter().map(ThirdParty::name)).collect();
    names.sort_unstable();
    names.dedup();
    let all = format!("there are: {}", names.join(", "));
    usage(format!("there is no subject `{name}`")).did_you_mean(nearest(name, names.into_iter()), &all)
}

/// One testbed for each stack, on which every host has it. One that is unavailable is skipped.
pub(super) fn stacks() -> Chosen {
    let own = [testbed::VIRTUAL, testbed::LAB, testbed::TURMOIL_SOCKETS];
    let others = third_parties().iter().map(|it| it.testbeds()[0]);
    let testbeds: Vec<TestbedRef> = own.into_iter().chain(others).collect();
    let why = |testbed: &TestbedRef| Some((*testbed, probe(*testbed).err()?.in_a_line()));
    Chosen { unavailable: testbeds.iter().filter_map(why).collect(), testbeds }
}

/// How the third parties' subjects are expected to fail.
pub(super) fn expected_failures() -> Vec<ExpectedFailure> {
    let own = EXPECTED_FAILURES.iter();
    own.chain(third_parties().iter().flat_map(ThirdParty::expected)).cloned().collect()
}

/// The testbed of that name; if several have it, the one with our stack.
pub(super) fn testbed(name: &str) -> Result<TestbedRef, CommandError> {
    let chosen = find(name)?;
    probe(chosen)?;
    Ok(chosen)
}

/// Like `testbed`, but it need not be available.
pub(super) fn find(name: &str) -> Result<TestbedRef, CommandError> {
    let all = named_testbeds(name)?;
    let preferred = all.iter().find(|testbed| testbed.subject() == Subject::FAULTWIRE);
    Ok(preferred.or(all.first()).copied().unwrap_or(testbed::VIRTUAL))
}

fn named_testbeds(name: &str) -> Result<Vec<TestbedRef>, CommandError> {
    let all: Vec<TestbedRef> = all_testbeds().into_iter().filter(|testbed| is(*testbed, name)).collect();
    if all.is_empty() {
        let names: Vec<String> = all_testbeds()
            .into_iter()
            .flat_map(|testbed| [testbed.name().to_owned(), testbed.to_string()])
            .collect();
        let all =
            "`faultwire testbeds` lists them; `turmoil/faultwire` and `turmoil/turmoil` name one subject";
        return Err(usage(format!("there is no testbed `{name}`"))
            .did_you_mean(nearest(name, names.iter().map(String::as_str)), all));
    }
    Ok(all)
}

/// All studies: those of the claims, and the lessons.
pub(super) fn studies() -> Vec<&'static Study> {
    [engine::studies(), faultwire_course::studies()].concat()
}

/// The study whose scenario has that name, or of which it names a variant.
pub(super) fn study(name: &str, studies: &[&'static Study]) -> Result<&'static Study, CommandError> {
    let base = engine::base_name(name);
    let found = studies.iter().find(|study| study.name == base);
    found.copied().ok_or_else(|| {
        let nearest = nearest(name, studies.iter().map(|study| study.name));
        let all = format!("there are: {}", names(studies));
        usage(format!("there is no scenario `{name}`")).did_you_mean(nearest, &all)
    })
}

/// The names of studies, as a list.
pub(super) fn names(studies: &[&'static Study]) -> String {
    Vec::from_iter(studies.iter().map(|study| study.name)).join(", ")
}

/// Whether a testbed is available on this machine; if so, what is worth a word.
///
/// # Errors
/// With the step that failed and what would allow it.
pub(super) fn probe(testbed: TestbedRef) -> Result<Option<&'static str>, CommandError> {
    testbed.probe().map_err(|refused| not_available(testbed, refused))
}

/// The error of a testbed that is not available.
pub(super) fn not_available(testbed: impl Display, refused: Unavailable) -> CommandError {
    let Unavailable { step, allow, source } = refused;
    let error = unavailable(format!("the testbed {testbed} is unavailable: {step}")).help(allow);
    match source {
        Some(source) => error.because(source),
        None => error,
    }
}

/// The name most like one that is none.
pub(super) fn nearest<'a>(found: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let likeness = |name: &str| strsim::jaro_winkler(&found.to_lowercase(), name);
    names
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::error::Fault;
    use faultwire_conformance::engine::{VerifyOptions, verify};
    use faultwire_conformance::exit;
    use faultwire_conformance::progress::Silent;
    use faultwire_conformance::report::Outcome;

    fn ids(names: &[&str]) -> Vec<&'static str> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        claims(&names).unwrap().iter().map(|claim| claim.id).collect()
    }

    #[test]
    fn claims_are_named_by_id_or_family() {
        assert_eq!(ids(&["udp/may-lose"]), ["udp/may-lose"]);
        assert_eq!(ids(&["udp"]), ids(&["udp/"]));
        assert!(ids(&["udp"]).iter().all(|id| id.starts_with("udp/")));
        assert_eq!(ids(&[]).len(), CLAIMS.len());
        // In the order of the registry, and once.
        assert_eq!(ids(&["tcp/reset", "udp/may-lose", "udp/may-lose"]), ["udp/may-lose", "tcp/reset"]);
    }

    #[test]
    fn the_second_part_of_an_id_stands_for_all_that_have_it() {
        assert_eq!(ids(&["may-lose"]), ["udp/may-lose"]);
        assert_eq!(ids(&["nothing-altered"]), ["udp/nothing-altered", "tcp/nothing-altered"]);
        // Where one is needed it must be the only one.
        assert_eq!(claim("may-lose").unwrap().id, "udp/may-lose");
        let refused = claim("nothing-altered").unwrap_err().in_a_line();
        assert!(refused.contains("did you mean `udp/nothing-altered`?"), "{refused}");
    }

    #[test]
    fn the_nearest_name_is_proposed() {
        let refused = |name: &str| claims(&[name.to_owned()]).unwrap_err().in_a_line();
        assert!(refused("udp/may-loose").contains("did you mean `udp/may-lose`?"));
        assert!(refused("UDP/may-lose").contains("did you mean `udp/may-lose`?"));
        assert!(!refused("zzzz").contains("did you mean"));
    }

    #[test]
    fn one_name_may_stand_for_two_subjects() {
        let all = |name: &str| testbeds(&[name.to_owned()], &[]).unwrap().testbeds;
        assert_eq!(all("turmoil"), [testbed::TURMOIL, testbed::TURMOIL_SOCKETS]);
        assert_eq!(all("turmoil/turmoil"), [testbed::TURMOIL_SOCKETS]);
        assert_eq!(testbed("turmoil").unwrap(), testbed::TURMOIL);
    }

    /// What [`probe`] finds where only the simulated testbeds are available.
    fn no_sockets(testbed: TestbedRef) -> Result<(), CommandError> {
        if testbed.is_simulated() {
            return Ok(());
        }
        let (step, allow) = ("a UDP socket cannot be bound".to_owned(), "allow it".to_owned());
        let source = Some(io::Error::from(io::ErrorKind::PermissionDenied));
        Err(not_available(testbed, Unavailable { step, allow, source }))
    }

    #[test]
    fn a_testbed_that_is_not_to_be_had_is_skipped_with_the_step_the_error_and_the_way_out() {
        let chosen = choose(&[], &[], no_sockets).unwrap();
        assert_eq!(chosen.testbeds, testbed::ALL);
        let unavailable: Vec<TestbedRef> = chosen.unavailable.iter().map(|(testbed, _)| *testbed).collect();
        assert_eq!(unavailable, testbed::ALL[3..]);
        let options = VerifyOptions {
            unavailable: chosen.unavailable,
            ..VerifyOptions::new(claims(&["udp".to_owned()]).unwrap(), unavailable)
        };
        let report = verify(&options, &mut Silent);
        assert_eq!(report.results.len(), 5 * options.claims.len());
        assert_eq!(report.exit_code(), exit::AS_CLAIMED);
        for row in &report.results {
            assert_eq!((row.outcome, row.expected_failure), (Outcome::Skipped, None));
            let why = row.why.as_deref().unwrap_or_default();
            for said in [row.testbed, "a UDP socket cannot be bound", "permission denied", "allow it"] {
                assert!(why.contains(said), "{why}");
            }
        }
    }

    #[test]
    fn a_testbed_that_was_asked_for_must_be_to_be_had() {
        let asked = |name: &str| choose(&[name.to_owned()], &[], no_sockets);
        assert!(asked("virtual").is_ok());
        for name in ["loopback", "relay", "relay/linux"] {
            assert_eq!(asked(name).unwrap_err().fault, Fault::Unavailable, "{name}");
        }
    }
}

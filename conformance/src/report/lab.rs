//! What a report says of the settings that the kernel's hosts had in the lab.

use serde::Serialize;

/// The settings of the kernel under which the rows of the lab were tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LabSettings {
    /// The name of the profile of pinned settings.
    pub profile: &'static str,
    /// Those of its settings that this machine's kernel does not take.
    pub absent: Vec<AbsentSetting>,
}

/// A setting that this machine's kernel does not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AbsentSetting {
    /// Its name below `/proc/sys/net`.
    pub name: String,
    /// The system's error.
    pub error: String,
    /// The claims that are skipped for it.
    pub skips: Vec<&'static str>,
}

impl LabSettings {
    /// Those of a profile, of which the kernel did not take some.
    #[cfg(target_os = "linux")]
    pub fn of(profile: faultwire::lab::Profile, unset: &[faultwire::lab::Setting]) -> LabSettings {
        let lacks =
            |claim: &str, name: &str| profile.missing(claim, unset).is_some_and(|pin| pin.name == name);
        let absent = unset.iter().map(|setting| AbsentSetting {
            name: setting.name.clone(),
            error: setting.value.clone(),
            skips: crate::claim::CLAIMS
                .iter()
                .map(|claim| claim.id)
                .filter(|id| lacks(id, &setting.name))
                .collect(),
        });
        LabSettings { profile: profile.name(), absent: absent.collect() }
    }

    /// Why a claim cannot be tried under them, if it cannot.
    pub fn refusal(&self, claim: &str) -> Option<String> {
        let absent = self.absent.iter().find(|setting| setting.skips.contains(&claim))?;
        let AbsentSetting { name, error, .. } = absent;
        Some(format!("it takes the kernel's setting {name}, which is absent here ({error})"))
    }

    /// All of it, in a line.
    pub(super) fn words(&self) -> String {
        let absent: Vec<String> =
            self.absent.iter().map(|it| format!("{} ({})", it.name, it.error)).collect();
        let absent = if absent.is_empty() { "none".to_owned() } else { absent.join(", ") };
        format!(
            "the kernel's hosts had the profile {}; settings of it that are absent here: {absent}",
            self.profile
        )
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use faultwire::lab::{Profile, Setting};

    use super::super::tests::row;
    use super::super::{Outcome, Report, TableOptions};
    use super::*;
    use crate::claim::{CLAIMS, Claim};
    use crate::engine::{VerifyOptions, verify};
    use faultwire_sim::testbed;

    fn unset(names: &[&str]) -> Vec<Setting> {
        let setting = |name: &&str| Setting { name: (*name).to_owned(), value: "No such file".to_owned() };
        names.iter().map(setting).collect()
    }

    #[test]
    fn a_claim_is_skipped_for_the_setting_that_it_takes_and_for_no_other() {
        let settings = LabSettings::of(Profile::Fast, &unset(&["ipv4/tcp_ecn", "ipv4/tcp_sack"]));
        assert_eq!(settings.absent[0].skips, [""; 0]);
        assert!(settings.absent[1].skips.contains(&"tcp/fast-retransmit"));
        let why = settings.refusal("tcp/fast-retransmit").expect("it takes it");
        assert_eq!(why, "it takes the kernel's setting ipv4/tcp_sack, which is absent here (No such file)");
        assert_eq!(settings.refusal("tcp/every-byte"), None);
        let all_there = LabSettings::of(Profile::Stock, &[]);
        assert!(CLAIMS.iter().all(|claim| all_there.refusal(claim.id).is_none()));
    }

    /// No lab is needed for that: nothing is tried.
    #[test]
    fn a_verification_skips_what_an_absent_setting_forbids_and_says_so() {
        let settings = LabSettings::of(Profile::Fast, &unset(&["ipv4/tcp_sack"]));
        let options = VerifyOptions {
            lab_plans: 6,
            lab_settings: Some(settings.clone()),
            ..VerifyOptions::new(
                vec![Claim::of("tcp/fast-retransmit").expect("a claim")],
                vec![testbed::LAB, testbed::LAB_FAULTWIRE_CLIENT],
            )
        };
        let report = verify(&options, &mut crate::progress::Silent);
        assert_eq!(report.tried.runs(), 0);
        for row in &report.results {
            assert_eq!(row.outcome, Outcome::Skipped, "{row:?}");
            assert_eq!(row.why, settings.refusal(row.claim));
        }
        assert_eq!(report.lab, Some(settings));
    }

    #[test]
    fn each_form_of_the_report_names_the_profile_and_what_is_absent() {
        let settings = LabSettings::of(Profile::Fast, &unset(&["ipv4/tcp_sack"]));
        let rows = vec![row("udp/may-lose", testbed::LAB, Outcome::Witnessed)];
        let mut report =
            Report::new(0, rows, faultwire_sim::search::Tried::default(), std::time::Duration::ZERO);
        let json =
            |report: &Report| serde_json::from_str::<serde_json::Value>(&report.to_json().unwrap()).unwrap();
        assert_eq!(json(&report).get("lab"), None, "a report without a lab says nothing of one");
        report.lab = Some(settings);
        let lab = &json(&report)["lab"];
        assert_eq!(lab["profile"], "fast");
        assert_eq!(lab["absent"][0]["name"], "ipv4/tcp_sack");
        assert!(
            lab["absent"][0]["skips"].as_array().unwrap().contains(&"tcp/fast-retransmit".into()),
            "{lab}"
        );
        let table = report.to_table(TableOptions { width: 200, color: false });
        let page = report.to_html(&[]).unwrap();
        for text in [table, page] {
            assert!(text.contains("profile fast") && text.contains("ipv4/tcp_sack (No such file)"), "{text}");
        }
    }
}

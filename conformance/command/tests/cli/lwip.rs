//! lwIP in a process (`fixtures/stacks/lwip`), built here with the C compiler of this machine.
//!
//! Where the compiler or `liblwip-dev` is missing each test is skipped with the reason, or fails where
//! `FAULTWIRE_REQUIRE` names `lwip`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use faultwire_conformance::third_party::ThirdParty;

use super::{run, text};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/stacks/lwip");
const OUT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/lwip");

/// The subject's file, with the process that was built, or why it was not built.
static BUILT: LazyLock<Result<PathBuf, String>> = LazyLock::new(|| {
    for tool in ["make", "cc"] {
        let found = Command::new(tool).arg("--version").output();
        found.map_err(|error| format!("{tool} cannot be started ({error}): install make and gcc"))?;
    }
    if !Path::new("/usr/include/lwip/lwip/init.h").exists() {
        return Err("lwIP is not installed: install liblwip-dev".to_owned());
    }
    std::fs::create_dir_all(OUT).expect("a folder");
    let made = Command::new("make").args(["-C", FOLDER, &format!("OUT={OUT}")]).output().expect("make");
    assert!(made.status.success(), "{}", text(made.stderr));
    let subject = std::fs::read_to_string(format!("{FOLDER}/lwip.toml")).expect("the subject's file");
    let command = |program: &str| format!("command = [\"{program}\"]");
    assert!(subject.contains(&command("./lwip")), "{subject}");
    let file = Path::new(OUT).join("lwip.toml");
    let subject = subject.replace(&command("./lwip"), &command(&format!("{OUT}/lwip")));
    std::fs::write(&file, subject).expect("it can be written");
    Ok(file)
});

fn built() -> Option<&'static Path> {
    BUILT.as_deref().inspect_err(|why| super::require::skipped("lwip", why)).ok()
}

#[test]
fn its_adapter_keeps_to_what_drivers_rely_on() {
    let Some(file) = built() else { return };
    let report = ThirdParty::from_file(file).expect("a subject").test_adapter().expect("a stack");
    assert!(report.is_ok(), "{report}");
    assert!(report.results.len() > 40, "{report}");
}

/// Of the claims those that take the fewest runs. `faultwire --third-party … verify` tries all.
#[test]
fn it_fails_as_listed_and_in_no_other_way() {
    let Some(file) = built() else { return };
    let file = file.to_str().expect("text");
    let line =
        ["--third-party", file, "verify", "--testbed", "virtual/lwip", "--cases", "0", "--format", "json"];
    let output = run(&[&line, CLAIMS].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(output.stdout));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let rows = json["results"].as_array().expect("rows");
    let of = |claim: &str| {
        let row = rows.iter().find(|row| row["claim"] == claim);
        row.unwrap_or_else(|| panic!("{claim}: {json}"))
    };
    assert_eq!(of("tcp/nagle-delays")["outcome"], "witnessed");
    assert_eq!(of("udp/size-limit")["outcome"], "broken");
    let failure = &of("tcp/gives-up")["failures"][0];
    assert_eq!(failure["confirmed"], "a_connect_is_given_up_after_eighteen_seconds");
    assert!(failure["expected"].is_string(), "{failure}");
}

const CLAIMS: &[&str] = &["udp/size-limit", "tcp/nagle-delays", "tcp/gives-up"];

/// Each failure that is said to be confirmed is, with lwIP alone.
#[test]
fn lwip_alone_fails_as_listed() {
    let Some(file) = built() else { return };
    let output = Command::new(format!("{OUT}/alone")).output().expect("it starts");
    let said = text(output.stdout);
    assert!(output.status.success(), "{said}{}", text(output.stderr));
    let lwip = ThirdParty::from_file(file).expect("a subject");
    for it in lwip.expected() {
        let ran = it.confirmed.is_none_or(|test| said.contains(&format!("{test}: ok\n")));
        assert!(ran, "{:?} is confirmed by {:?}, which did not run:\n{said}", it.claim, it.confirmed);
    }
    assert!(lwip.expected().iter().filter(|it| it.confirmed.is_some()).count() >= 3);
}

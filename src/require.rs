//! Tests that need something the machine may lack are skipped with a reason, or fail where it is required.

/// Reports that a test is skipped because the machine lacks `need`: `lab`, `chromium`, `tshark`, `python3`,
/// ….
///
/// `why` says what is missing and how to get it.
///
/// # Panics
/// If the environment variable `FAULTWIRE_REQUIRE`, a comma-separated list, names `need`.
#[expect(clippy::print_stderr, reason = "a skipped test prints why")]
pub(crate) fn skipped(need: &str, why: impl std::fmt::Display) {
    let required = std::env::var("FAULTWIRE_REQUIRE").unwrap_or_default();
    assert!(!names(&required, need), "FAULTWIRE_REQUIRE names {need}, but: {why}");
    eprintln!("skipped: needs {need}: {why}");
}

fn names(required: &str, need: &str) -> bool {
    required.split(',').any(|word| word.trim() == need)
}

#[test]
fn only_a_need_that_is_listed_is_required() {
    assert!(names("lab,nc", "nc") && names(" lab , nc ", "lab"));
    assert!(!names("lab,ncat", "nc") && !names("", "nc"));
}

#[test]
fn a_skip_of_what_is_required_fails() {
    let probe = "require::a_skip_of_what_is_required_fails";
    if std::env::var("FAULTWIRE_REQUIRE").is_ok_and(|required| required == "probe") {
        return skipped("probe", "nothing has it");
    }
    let run = |required: &str| {
        let mut this = std::process::Command::new(std::env::current_exe().expect("this test"));
        let output = this.args(["--exact", probe]).env("FAULTWIRE_REQUIRE", required).output();
        output.expect("it starts").status.success()
    };
    assert!(!run("probe"), "a skipped test passed");
}

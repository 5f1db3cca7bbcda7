//! The fixtures on the real kernel: found on `virtual`, and each shows there what it shows here.

use std::path::Path;
use std::process::Command;

#[test]
fn every_fixture_shows_on_the_kernel_what_it_shows_on_virtual() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plans");
    for testbed in ["lab/linux", "lab/faultwire-linux", "lab/linux-faultwire"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultwire"));
        let output = command.args(["replay", "--testbed", testbed, "--all"]).arg(&folder).output();
        let output = output.expect("the command starts");
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(3) {
            crate::require::skipped("lab", said);
            return;
        }
        let shown = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{said}{shown}");
        // What takes a minute of real time is skipped, and nothing else.
        let plans = std::fs::read_dir(&folder).expect("the folder").count();
        let last = format!("{plans} plans on {testbed}: {} still witnessed, 1 skipped\n", plans - 1);
        assert!(shown.ends_with(&last), "{shown}");
        let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("its waits take long, and here they are real"), "{shown}");
    }
}

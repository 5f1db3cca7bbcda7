//! tshark as a reader of captures.

use std::path::Path;
use std::process::{Command, Output};

/// What tshark looks at beside what it does by itself.
const CHECK: [&str; 6] =
    ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"];

/// A tshark of this machine.
#[derive(Debug)]
pub(crate) struct Tshark(());

impl Tshark {
    /// It, if there is one; else says so.
    pub(crate) fn find(test: &str) -> Option<Tshark> {
        match Command::new("tshark").arg("--version").output() {
            Ok(output) if output.status.success() => Some(Tshark(())),
            Ok(output) => panic!("tshark is broken: {}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => {
                crate::require::skipped(
                    "tshark",
                    format_args!("{test}: it cannot be started ({error}): install Debian's package tshark"),
                );
                None
            }
        }
    }

    fn run(&self, file: &Path, args: &[&str]) -> Output {
        let output = Command::new("tshark").arg("-r").arg(file).args(CHECK).args(args).output();
        let output = output.expect("tshark starts");
        let said = String::from_utf8_lossy(&output.stderr);
        let complaints: Vec<&str> =
            said.lines().filter(|line| !line.starts_with("Running as user")).collect();
        assert!(output.status.success() && complaints.is_empty(), "tshark {args:?}: {said}");
        output
    }

    /// These fields of each packet that a display filter lets through.
    pub(crate) fn fields(&self, file: &Path, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
        let mut args = vec!["-Y", filter, "-T", "fields", "-E", "separator=/t", "-E", "aggregator=|"];
        args.extend(fields.iter().flat_map(|field| ["-e", field]));
        let output = self.run(file, &args);
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
    }
}

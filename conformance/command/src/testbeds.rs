//! `faultwire testbeds`.

use std::fmt::Write as _;

use faultwire_sim::testbed::{self, Capability};

use super::error::CommandError;
use super::{lab, output, select};
use faultwire_conformance::exit;
use faultwire_conformance::report::paragraph;

/// List the testbeds.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// List the settings of the lab's profiles too, each with its reason
    #[arg(long)]
    settings: bool,
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    let mut out = String::new();
    for testbed in testbed::ALL {
        let _ = writeln!(out, "{}", testbed);
        paragraph(&mut out, "    ", testbed.about(), output::width());
        let yes = |yes: bool, what: &str, no: &str| if yes { what.to_owned() } else { no.to_owned() };
        let can = [
            yes(testbed.has(Capability::Faults), "carries faults", "no faults"),
            yes(testbed.has(Capability::Packets), "shows packets", "shows the programs' calls only"),
            yes(testbed.is_simulated(), "repeats bit for bit", "real time"),
        ];
        paragraph(&mut out, "    ", &can.join(" · "), output::width());
        match select::probe(testbed) {
            Ok(None) => out.push_str("    available\n"),
            Ok(Some(how)) => paragraph(&mut out, "    ", &format!("available, {how}"), output::width()),
            Err(error) => paragraph(&mut out, "    NOT available: ", &error.in_a_line(), output::width()),
        }
        out.push('\n');
    }
    if !select::third_parties().is_empty() {
        paragraph(&mut out, "", "third-party subjects (verify --subject NAME)", output::width());
        for subject in select::third_parties() {
            paragraph(&mut out, &format!("  {}: ", subject.name()), subject.about(), output::width());
            let testbeds: Vec<String> = subject.testbeds().iter().map(ToString::to_string).collect();
            paragraph(&mut out, "    on ", &testbeds.join(", "), output::width());
        }
        out.push('\n');
    }
    if testbed::LAB.probe().is_ok() {
        paragraph(&mut out, "", "kernel settings of a lab (verify uses the profile fast)", output::width());
        lab::profiles(&mut out, args.settings, output::width());
        out.push('\n');
    }
    output::emit(&out)?;
    Ok(exit::AS_CLAIMED)
}

//! `faultwire testbeds`.

use std::fmt::Write as _;

use faultwire_sim::Testbed;

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

/// What a testbed is, in a sentence.
fn about(testbed: Testbed) -> &'static str {
    match testbed {
        Testbed::Virtual => "simulated hosts with our stack, on a clock that jumps over idle time",
        Testbed::Turmoil => "simulated hosts with our stack, in turmoil; time goes by in ticks of 1 ms",
        Testbed::TurmoilOwn => "simulated hosts with turmoil's own sockets",
        Testbed::Loopback => "the operating system's sockets, over the loopback interface",
        Testbed::Relay => {
            "the operating system's datagram sockets, with the wire between them in this process"
        }
        Testbed::Lab => {
            "hosts of this machine's kernel, each a network namespace, with the wire between them"
        }
        Testbed::LabOursClient => "the same, where all hosts but the server have our stack",
        Testbed::LabOursServer => "the same, where the server has our stack",
        _ => "",
    }
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    let mut out = String::new();
    for testbed in Testbed::ALL {
        let _ = writeln!(out, "{}", select::full_name(testbed));
        paragraph(&mut out, "    ", about(testbed), output::width());
        let yes = |yes: bool, what: &str, no: &str| if yes { what.to_owned() } else { no.to_owned() };
        let can = [
            yes(testbed.carries_faults(), "carries faults", "no faults"),
            yes(testbed.shows_packets(), "shows packets", "shows the programs' calls only"),
            yes(testbed.is_simulated(), "repeats bit for bit", "real time"),
        ];
        paragraph(&mut out, "    ", &can.join(" · "), output::width());
        match select::probe(testbed) {
            Ok(()) => match lab::probe() {
                Ok(how) if testbed.is_lab() => {
                    paragraph(&mut out, "    ", &format!("available, {how}"), output::width());
                }
                _ => out.push_str("    available\n"),
            },
            Err(error) => paragraph(&mut out, "    NOT available: ", &error.in_a_line(), output::width()),
        }
        out.push('\n');
    }
    if lab::probe().is_ok() {
        paragraph(&mut out, "", "kernel settings of a lab (verify uses the profile fast)", output::width());
        lab::profiles(&mut out, args.settings, output::width());
        out.push('\n');
    }
    output::emit(&out)?;
    Ok(exit::AS_CLAIMED)
}

//! `faultwire lab`: a pair of programs, once, under one plan.

use faultwire::fault::{Class, FaultPlan, When};
use faultwire::lab::Setting;

use super::OnceArgs;
use super::hosts::{Hosts, NAMES};
use super::pair::{Ended, Pair};
use super::program::Output;
use super::warnings::Beside;
use crate::command::capture::{CaptureArgs, Subject};
use crate::command::live::{Failure, failed, tell, usage};
use crate::command::output::check_distinct;
use crate::command::relay::{took_place, uncaptured, write, write_capture};
use crate::exit;

/// The exit code of timeout(1) for a command that took too long.
const TOO_LONG: u8 = 124;

/// Runs both, and gives the client's exit code.
pub(super) fn run(args: &OnceArgs, captured: &CaptureArgs) -> Result<u8, Failure> {
    let plan = match &args.plan {
        Some(path) => FaultPlan::read(path).map_err(usage)?,
        None => FaultPlan::default(),
    };
    if args.ipv6 && plan.link.numbers().mtu < 1280 {
        return Err(usage(
            "a link whose mtu is below 1280 has no IPv6: leave --ipv6 away, or raise the plan's mtu",
        ));
    }
    check_distinct(args.plan.as_deref(), &[args.trace.as_deref(), captured.path()]).map_err(usage)?;
    let capture = captured.create(&NAMES.map(str::to_owned)).map_err(uncaptured)?;
    let profile = args.profile.profile();
    let hosts = Hosts::start(&plan, profile)?;
    for Setting { name, value } in hosts.unset() {
        tell(format_args!(
            "warning: this kernel has no {name} ({value}): the profile is not as it is elsewhere"
        ));
    }
    for what in unsteady(&plan) {
        tell(format_args!(
            "warning: {what} counts bare acknowledgements: how many a kernel sends differs from run to run, so that it may be \
             another packet next time"
        ));
    }
    let pair = Pair { server: &args.server, client: &args.client, ipv6: args.ipv6, profile };
    let course = pair.run(&hosts, args.timeout, &Output::Shown, &|| false).map_err(failed)?;

    if args.plan.is_some() {
        took_place(&plan, &hosts.forwarder.fired())?;
    }
    for warning in Beside::of(&hosts).warnings {
        tell(format_args!("warning: {warning}"));
    }
    if let Some(path) = &args.trace {
        write(path, &hosts.forwarder.trace().text())?;
    }
    if let Some(capture) = capture {
        let what = format!("faultwire lab: {} to {}", args.client, args.server);
        write_capture(capture, &hosts.forwarder.trace(), Subject { what: &what, plan: &plan })?;
    }
    Ok(exit_code(course.ended))
}

/// What of a plan names a packet that may be another one in each run.
fn unsteady(plan: &FaultPlan) -> Vec<String> {
    let faults = plan.faults.iter().map(|fault| Some(fault.packet.class));
    let events = plan.events.iter().map(|event| match &event.when {
        When::After(anchor) => Some(anchor.packet.class),
        When::AtUs(_) => None,
    });
    let named = |what: &'static str| {
        move |(index, class): (usize, Option<Class>)| {
            class.filter(|class| !class.is_steady()).map(|_| format!("{what} {} of the plan", index + 1))
        }
    };
    faults
        .enumerate()
        .filter_map(named("fault"))
        .chain(events.enumerate().filter_map(named("event")))
        .collect()
}

/// As a shell gives it.
fn exit_code(ended: Ended) -> u8 {
    match ended {
        Ended::Exited(code) => u8::try_from(code).unwrap_or(exit::INTERNAL),
        Ended::Signalled(signal) => u8::try_from(signal.saturating_add(128)).unwrap_or(exit::INTERNAL),
        Ended::TooLong => TOO_LONG,
        // Nobody asks it to.
        Ended::Stopped => exit::INTERNAL,
    }
}

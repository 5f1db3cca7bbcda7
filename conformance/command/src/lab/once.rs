//! `faultwire lab`: a pair of programs, once, under one plan.

use std::io;
use std::path::Path;
use std::time::Duration;

use faultwire::fault::{Class, FaultPlan, PlanFile, When};
use faultwire::lab::Setting;
use faultwire::trace::{DiagramOptions, Payloads, SvgOptions, Trace};

use super::hosts::{Hosts, NAMES};
use super::pair::{Course, Ended, Pair, listen_limit};
use super::program::Output;
use super::warnings::Beside;
use super::{OnceArgs, commands};
use crate::capture::{CaptureArgs, Subject};
use crate::ctrl_c;
use crate::error::{CommandError, failed, usage};
use crate::output::{self, result, tell};
use crate::relay::{took_place, write, write_capture};
use faultwire_conformance::exit;
use faultwire_conformance::report::plan_in_words;

/// The exit code of timeout(1) for a command that took too long.
const TOO_LONG: u8 = 124;
/// How long a client may take by default.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The most parts of one kind in a plan that are named.
const NAMED_MAX: usize = 3;

/// What is run: from the command line, and else from the plan.
struct Asked {
    server: String,
    client: String,
    ipv6: bool,
    settings: super::Settings,
    tun: Vec<String>,
    timeout: Duration,
}

/// Runs both, and gives the client's exit code.
pub(super) fn run(args: &OnceArgs, captured: &CaptureArgs) -> Result<u8, CommandError> {
    let plan = match &args.plan {
        Some(path) => {
            let file = PlanFile::read(path).map_err(usage)?;
            file.check_hosts(&NAMES).map_err(usage)?;
            file.plan
        }
        None => FaultPlan::default(),
    };
    let asked = asked(args, &plan)?;
    if asked.ipv6 && plan.link.numbers().mtu < 1280 {
        return Err(usage(
            "a link whose mtu is below 1280 has no IPv6: leave --ipv6 away, or raise the plan's mtu",
        ));
    }
    let files = [args.trace.as_deref(), args.svg.as_deref(), captured.path()];
    output::check_distinct(args.plan.as_deref(), &files)?;
    let trace = args.trace.as_deref().filter(|path| *path != Path::new("-"));
    output::check_writable("the trace", trace)?;
    output::check_writable("the picture", args.svg.as_deref())?;
    let capture = captured.create(&NAMES.map(str::to_owned))?;
    let profile = asked.settings.profile();
    let token = ctrl_c::listen_for_the_end();
    let hosts = Hosts::start(&plan, profile, &asked.tun)?;
    for warning in warnings(&hosts, &plan) {
        tell(format_args!("warning: {warning}"));
    }
    let pair = Pair {
        server: &asked.server,
        client: &asked.client,
        ipv6: asked.ipv6,
        listen_limit: listen_limit(Some(asked.timeout)),
        ends_with_server: false,
    };
    let is_to_stop = || token.is_cancelled();
    let course = pair.run(&hosts, asked.timeout, &Output::Shown, &is_to_stop).map_err(failed)?;

    if args.plan.is_some() {
        took_place(&plan, &hosts.forwarder.fired())?;
    }
    for warning in Beside::of(&hosts).warnings {
        tell(format_args!("warning: {warning}"));
    }
    let happened = hosts.trace();
    if args.plan.is_some() {
        result(format_args!("\n{}", diagram(&happened).trim_end()))?;
    }
    // A file that cannot be written does not keep the others from being written.
    let drawn = args.svg.as_ref().map_or(Ok(()), |path| {
        let mut options = SvgOptions::default();
        options.title = plan.title.clone().unwrap_or_else(|| plan_in_words(&plan));
        options.payloads = Payloads::PREVIEWS;
        output::write("the picture", path, &happened.svg(&options))
    });
    let written = args.trace.as_ref().map_or(Ok(()), |path| write(path, &happened.text()));
    let captured = capture.map_or(Ok(()), |capture| {
        let what = format!("faultwire lab: {} to {}", asked.client, asked.server);
        write_capture(capture, &happened, Subject { what: &what, plan: &plan })
    });
    // How the programs ended says more than that a file is missing.
    let mut code = exit_code(&course);
    for error in [drawn, written, captured].into_iter().filter_map(Result::err) {
        let failed = output::complain(&error);
        if code == exit::AS_CLAIMED {
            code = failed;
        }
    }
    Ok(code)
}

/// The commands and how they are run.
fn asked(args: &OnceArgs, plan: &FaultPlan) -> Result<Asked, CommandError> {
    let pair = plan.lab.as_ref();
    let command = |name: &str, given: &Option<String>, held: Option<&String>| match (given, held) {
        (Some(given), _) => Ok(given.clone()),
        (None, Some(held)) => {
            // A plan is somebody else's, perhaps: what it runs here is said before it runs.
            tell(format_args!("the plan's {name}: {held}"));
            commands::checked(held).map_err(|why| usage(format!("the plan's {name}: {why}")))
        }
        (None, None) => {
            let plan = if args.plan.is_some() { ", and the plan has no [lab] with one" } else { "" };
            Err(usage(format!("the {name}'s command is missing: give it with --{name} COMMAND{plan}")))
        }
    };
    let settings = match (args.profile, pair) {
        (Some(settings), _) => settings,
        (None, Some(pair)) => commands::settings(pair).map_err(usage)?,
        (None, None) => super::Settings::Own,
    };
    let mut tun = args.tun.clone();
    // What the plan says of its command it does not say of another one.
    let held = |host: &&String| match host.as_str() {
        "server" => args.server.is_none(),
        _ => args.client.is_none(),
    };
    tun.extend(pair.iter().flat_map(|pair| &pair.tun).filter(held).cloned());
    Ok(Asked {
        tun,
        server: command("server", &args.server, pair.map(|pair| &pair.server))?,
        client: command("client", &args.client, pair.map(|pair| &pair.client))?,
        ipv6: args.ipv6 || pair.is_some_and(|pair| pair.ipv6),
        settings,
        timeout: args.timeout.or(pair.and_then(|pair| pair.timeout)).unwrap_or(TIMEOUT),
    })
}

/// The run as a diagram for this terminal.
pub(super) fn diagram(trace: &Trace) -> String {
    let mut options = DiagramOptions::default();
    (options.width, options.ascii) = (output::width(), output::is_without_unicode());
    options.payloads = Payloads::PREVIEWS;
    trace.diagram(&options)
}

/// What is not as it might seem, before anything runs.
fn warnings(hosts: &Hosts, plan: &FaultPlan) -> Vec<String> {
    let mut all: Vec<String> = hosts.unset().iter().map(absent).collect();
    all.extend(nondeterministic(plan));
    all.extend(hosts.processes_refused().map(|error: io::Error| {
        format!(
            "the programs have no PID namespace of their own ({error}): a daemon of theirs may outlive a lab \
             that is killed together with its helper"
        )
    }));
    all
}

fn absent(Setting { name, value, .. }: &Setting) -> String {
    format!("this kernel has no {name} ({value}): the profile is not as it is elsewhere")
}

/// Says that parts of a plan name packets that may be others in each run, if any do.
fn nondeterministic(plan: &FaultPlan) -> Option<String> {
    let faults = plan.faults.iter().map(|fault| Some(fault.packet.class));
    let events = plan.events.iter().map(|event| match &event.when {
        When::After(anchor) | When::Before(anchor) => Some(anchor.packet.class),
        When::AtUs(_) => None,
    });
    let named = |what: &'static str| {
        move |(index, class): (usize, Option<Class>)| {
            class.filter(|class| !class.is_steady()).map(|_| format!("{what} {}", index + 1))
        }
    };
    let mut names: Vec<String> = faults
        .enumerate()
        .filter_map(named("fault"))
        .chain(events.enumerate().filter_map(named("event")))
        .collect();
    let (count, rest) = (names.len(), names.len().saturating_sub(NAMED_MAX));
    names.truncate(NAMED_MAX);
    if rest > 0 {
        names.push(format!("and {rest} more"));
    }
    let named = names.join(", ");
    let which = match count {
        0 => return None,
        1 => format!("{named} of the plan counts"),
        _ => format!("{count} parts of the plan ({named}) count"),
    };
    Some(format!(
        "{which} bare acknowledgements: how many a kernel sends differs from run to run, so that it may be \
         another packet next time"
    ))
}

/// The client's, as a shell gives it. Where the client is content and the server died, that is a failure too.
fn exit_code(course: &Course) -> u8 {
    let code = match course.ended {
        Ended::Exited(code) => u8::try_from(code).unwrap_or(exit::INTERNAL),
        Ended::Signalled(signal) => u8::try_from(signal.saturating_add(128)).unwrap_or(exit::INTERNAL),
        Ended::TooLong => TOO_LONG,
        Ended::Stopped => exit::INTERRUPTED,
        // Nobody asks for it.
        Ended::WithServer => exit::INTERNAL,
    };
    let Some(death) = course.death else { return code };
    tell(format_args!("error: the server {death}"));
    if code == exit::AS_CLAIMED { exit::CLAIM_FAILED } else { code }
}

#[cfg(test)]
mod tests {
    use faultwire::fault::{Action, Fault, Packet};

    use super::*;
    use crate::server_end::tests::death;

    #[test]
    fn a_server_that_died_fails_a_run_whose_client_is_content() {
        let course = |ended, death| Course { ended, death, took: Duration::ZERO, packets: 0 };
        let died = Some(death(9));
        assert_eq!(exit_code(&course(Ended::Exited(0), None)), exit::AS_CLAIMED);
        assert_eq!(exit_code(&course(Ended::Exited(0), died)), exit::CLAIM_FAILED);
        assert_eq!(exit_code(&course(Ended::Exited(7), died)), 7);
        assert_eq!(exit_code(&course(Ended::TooLong, died)), TOO_LONG);
        assert_eq!(exit_code(&course(Ended::Stopped, None)), exit::INTERRUPTED);
    }

    #[test]
    fn many_faults_on_bare_acknowledgements_are_one_warning_with_a_count() {
        let fault = |class, nth| Fault::new(["client", "server"], Packet::nth(class, nth), Action::Drop);
        let said = |faults: Vec<Fault>| nondeterministic(&FaultPlan::new().faults(faults));
        assert_eq!(said(vec![fault(Class::Data, 1)]), None);
        let one = said(vec![fault(Class::Data, 1), fault(Class::Ack, 1)]).expect("one");
        assert!(one.starts_with("fault 2 of the plan counts bare acknowledgements"), "{one}");
        let many = said((1..=200).map(|nth| fault(Class::Any, nth)).collect()).expect("many");
        let begin = "200 parts of the plan (fault 1, fault 2, fault 3, and 197 more) count bare";
        assert!(many.starts_with(begin), "{many}");
    }
}

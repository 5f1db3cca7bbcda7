//! The report of a failure, as text: the smallest plan, the diagram of its run, how that ended, and how it
//! was found.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::PathBuf;

use faultwire::fault::{Cut, EventKind, FaultPlan, PlanEvent, When};
use faultwire::trace::{Event, HostId, Trace, What};

use super::Failure;
use crate::failure::{replay_line, test_name};
use crate::run::{End, Run};
use crate::scenario::Scenario;

/// Says all that is known of a failure, its file aside.
pub(super) fn failure(scenario: &Scenario, failure: &Failure) -> String {
    let base = &scenario.base;
    let Failure { found, found_in, smallest, is_minimal, shrink_runs, count, .. } = failure;
    let own = |plan: &FaultPlan| items(plan, base).filter(|(_, is_own)| *is_own).count();
    let what = match (own(&smallest.plan), items(base, base).count()) {
        (0, 0) => "it fails without any fault",
        (0, _) => "it fails with no fault but those of every run",
        _ => "a plan of faults breaks it",
    };
    let mut text = format!("{}: {what}\n\n", scenario.name);
    if let Some(member) = scenario.variant_of(&smallest.plan) {
        text += &format!("  with {}\n", member.replace('/', ", "));
    }
    if smallest.plan.link != base.link {
        let delay = smallest.plan.link.numbers().delay();
        text += &format!("  over a link that delays packets by {delay:?}\n");
    }
    text += &plan_lines(&smallest.plan, base);
    for event in &smallest.caused {
        text += &format!("  {event} (caused by a program)\n");
    }
    text += &format!("\n{}found in run {found_in}", shown(scenario, smallest));
    let verdict =
        if *is_minimal { "nothing can be left out or lessened" } else { "it may not be the smallest" };
    text += &match (own(&found.plan), own(&smallest.plan)) {
        (0, _) => ", which has no fault of the search: it needs none".to_owned(),
        (before, after) if before == after => {
            format!(
                "; {verdict}, after {}",
                counted(usize::try_from(*shrink_runs).unwrap_or(usize::MAX), "further run")
            )
        }
        (before, after) => {
            let before = counted(before, "fault");
            format!(", made smaller from {before} to {after} in {shrink_runs} runs; {verdict}")
        }
    };
    text.push('\n');
    if *count > 1 {
        text += &format!("{count} runs of the search failed in this way\n");
    }
    text
}

/// A failure of a further kind, in a few lines.
pub(super) fn further(scenario: &Scenario, failure: &Failure) -> String {
    let smallest = &failure.smallest;
    let head = format!("\nanother kind of failure: {}\n", ending(smallest));
    head + &plan_lines(&smallest.plan, &scenario.base)
}

/// The faults and events of a plan, and whether each is its own, and not the base plan's.
fn items<'a>(plan: &'a FaultPlan, base: &'a FaultPlan) -> impl Iterator<Item = (&'a dyn Display, bool)> {
    let faults = plan.faults.iter().map(|it| (it as &dyn Display, !base.faults.contains(it)));
    faults.chain(plan.events.iter().map(|it| (it as &dyn Display, !base.events.contains(it))))
}

/// The faults and events of a plan, a line each.
fn plan_lines(plan: &FaultPlan, base: &FaultPlan) -> String {
    let line = |(item, is_own)| format!("  {item}{}\n", if is_own { "" } else { " (in every run)" });
    items(plan, base).map(line).collect()
}

/// How to replay a failure, whose plan was saved or could not be.
pub(super) fn replay(saved: &Result<PathBuf, String>, failure: &Failure) -> String {
    match saved {
        Ok(path) => format!("replay: {}\n", replay_line(path, test_name().as_deref())),
        Err(why) => format!("the plan could not be saved: {why}\n{}\n", failure.smallest.plan.to_toml()),
    }
}

pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn diagram(scenario: &Scenario, run: &Run) -> String {
    let mut options = scenario.diagram.clone();
    options.in_every_run = in_every_run(run, &scenario.base);
    run.trace.diagram(&options)
}

/// A run: its diagram, how it ended, and where it leaves the run without the faults that were found.
pub(super) fn shown(scenario: &Scenario, run: &Run) -> String {
    let mut text = format!("{}{}\n", diagram(scenario, run), ending(run));
    if let Some(line) = divergence(scenario, run) {
        text += &line;
    }
    text + &logs(scenario, run).unwrap_or_default()
}

/// What the programs log in a run, if runs repeat and they log anything.
fn logs(scenario: &Scenario, run: &Run) -> Option<String> {
    if !scenario.testbed.is_simulated() || !cfg!(feature = "logs") {
        return None;
    }
    let (same, logs) = scenario.run_logged(&run.plan, scenario.diagram.lines_max);
    let text = logs.text(|host| run.trace.host_name(host).to_owned());
    let is_shown = !text.is_empty() && same.trace.hash() == run.trace.hash();
    is_shown.then(|| format!("logged in this run:\n{text}"))
}

/// Where a run leaves the one without the faults that were found, if that one succeeds and runs repeat.
fn divergence(scenario: &Scenario, run: &Run) -> Option<String> {
    let base = &scenario.base;
    if !scenario.testbed.is_simulated() || !items(&run.plan, base).any(|(_, is_own)| is_own) {
        return None;
    }
    let (faults, events) = (base.faults.clone(), base.events.clone());
    let good = scenario.run(&FaultPlan { faults, events, ..run.plan.clone() });
    if !good.end.is_finished() || scenario.run(&run.plan).trace.hash() != run.trace.hash() {
        return None;
    }
    let it = run.trace.divergence_from(&good.trace)?;
    let without = match items(base, base).next() {
        None => "without faults",
        Some(_) => "without the faults that were found",
    };
    let (host, words) = (run.trace.host_name(it.host), it.words(&scenario.diagram.payloads));
    Some(format!("until {} like the run {without}; then {host}: {words}\n", it.at))
}

/// The events of a run that the base plan caused. A crash, a partition or their end that both the base plan
/// and the search may have caused counts as the base plan's at the time that the base plan gives for it.
fn in_every_run(run: &Run, base: &FaultPlan) -> BTreeSet<usize> {
    let Run { plan, trace, .. } = run;
    let is_usual = |event: &Event| {
        if let What::Fault { fault, .. } = event.what {
            return plan.faults.get(fault).is_some_and(|fault| base.faults.contains(fault));
        }
        let causes = plan.events.iter().filter(|cause| may_cause(trace, &cause.kind, &event.what));
        let (of_base, own): (Vec<&PlanEvent>, Vec<_>) = causes.partition(|it| base.events.contains(it));
        let at = |cause: &&PlanEvent| cause.when == When::AtUs(event.at.as_micros());
        !of_base.is_empty() && (own.is_empty() || of_base.iter().any(at))
    };
    let numbered = trace.events().iter().enumerate();
    numbered.filter(|(_, event)| is_usual(event)).map(|(place, _)| place).collect()
}

/// Whether such an event of a plan may have caused this.
fn may_cause(trace: &Trace, kind: &EventKind, what: &What) -> bool {
    let is_host = |name: &String, host: HostId| trace.host_name(host) == name;
    let is_cut = |named: &Cut<String>, cut: &Cut<HostId>| {
        let hosts = cut.hosts.map(|ends| ends.map(|host| trace.host_name(host).to_owned()));
        *named == Cut { hosts, one_way: cut.one_way, flow: cut.flow, longer_than: cut.longer_than }
    };
    match (kind, what) {
        (EventKind::Crash(name), What::Crashed(host))
        | (EventKind::Kill(name), What::Killed(host))
        | (EventKind::Restart(name), What::Restarted(host)) => is_host(name, *host),
        (EventKind::Partition(named), What::Partitioned(cut))
        | (EventKind::Heal(named), What::Healed(cut))
        | (EventKind::Outage { cut: named, .. }, What::Partitioned(cut) | What::Healed(cut)) => {
            is_cut(named, cut)
        }
        _ => false,
    }
}

/// How a run ended, in a line or a few.
pub(super) fn ending(run: &Run) -> String {
    match &run.end {
        End::Finished => "it finished".to_owned(),
        End::Failed { host: Some(host), message } => format!("{host}: {message}"),
        End::Failed { host: None, message } => message.clone(),
        End::Stalled { limit, sockets } if sockets.is_empty() => format!("stalled: not done after {limit}"),
        End::Stalled { limit, sockets } => {
            format!("stalled: not done after {limit}\n  {}", sockets.join("\n  "))
        }
        End::Unconfirmed { message } => format!("it failed once: {message}"),
        End::Refused { why, .. } => format!("it could not be run: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use faultwire::fault::{Action, Class, Fired, Packet};
    use faultwire::time::Time;
    use faultwire::trace::PacketId;

    use super::*;

    #[test]
    fn what_the_base_plan_caused_is_told_from_what_was_found() {
        let direction = ["client", "server"];
        let packet = |nth| Packet::nth(Class::Datagram, nth);
        let outage = || Cut::between(["client".to_owned(), "server".to_owned()]);
        let base = FaultPlan::new()
            .fault(direction, packet(1), Action::Drop)
            .event(EventKind::Crash("server".into()), When::AtUs(5_000))
            .event(EventKind::Partition(outage()), When::after(direction, packet(2)));
        let plan = base
            .clone()
            .fault(direction, packet(3), Action::Drop)
            .event(EventKind::Crash("server".into()), When::after(direction, packet(4)))
            .event(EventKind::Restart("server".into()), When::AtUs(8_000));
        let (client, server) = (HostId(0), HostId(1));
        let mut trace = Trace::new(["client", "server"]);
        let fault = |fault| What::Fault { packet: PacketId(0), fault, action: Action::Drop };
        for (ms, what) in [
            (1, fault(0)),
            (2, fault(1)),
            (5, What::Crashed(server)),
            (6, What::Crashed(server)),
            (7, What::Crashed(client)),
            (8, What::Restarted(server)),
            (9, What::Partitioned(Cut::between([client, server]))),
            (9, What::Partitioned(Cut::ALL)),
            (9, What::Healed(Cut::between([client, server]))),
        ] {
            trace.push(Time::from_millis(ms), what);
        }
        let run = Run::new(plan, trace, End::Finished, Fired::default(), Time::ZERO);
        assert_eq!(in_every_run(&run, &base), BTreeSet::from([0, 2, 6]));
        assert_eq!(in_every_run(&run, &FaultPlan::new()), BTreeSet::new());
    }
}

//! The testbed of a search: two commands, each in a host of the kernel that is there for one run.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use faultwire::fault::{EventKind, FaultPlan, Lasts};
use faultwire::lab::Profile;
use faultwire::time::Time;
use faultwire::trace::What;
use faultwire_sim::testbed::{Capabilities, Clock, Subject, Testbed};
use faultwire_sim::{CancellationToken, End, Run, Scenario};

use crate::error::{CommandError, failed};
use crate::lab::hosts::Hosts;
use crate::lab::pair::{Course, Ended, KILLED, Pair, PairError};
use crate::lab::program::{Kept, Output};
use crate::lab::warnings::Beside;
use crate::server_end::is_reported;

/// How much longer a client may take whose server crashes, until it gives up.
const CRASH_PATIENCE: Duration = Duration::from_secs(30);

/// Two commands, and how they are run.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) server: String,
    pub(super) client: String,
    pub(super) ipv6: bool,
    pub(super) profile: Option<Profile>,
    pub(super) tun: Vec<String>,
    pub(super) listen_limit: Duration,
    /// How long the client may take under one fault.
    pub(super) limit: Mutex<Duration>,
    /// Why no run can be made any more, if so; then the token is cancelled.
    pub(super) trouble: Mutex<Option<CommandError>>,
    pub(super) token: CancellationToken,
}

/// What became of a run.
pub(super) enum Made {
    /// It was made; and how the programs ended.
    Run(Box<Run>, Course),
    /// The server did not listen, for this reason.
    NoServer(String),
    /// It was cancelled.
    Cancelled,
}

impl Bench {
    /// How long the client may take under a plan: the time of an outage is added.
    pub(super) fn limit_under(&self, plan: &FaultPlan) -> Duration {
        let limit = *self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = if plan.faults.len() > 1 { limit.saturating_mul(2) } else { limit };
        plan.events.iter().map(|event| until_heard(&event.kind)).fold(limit, Duration::saturating_add)
    }

    /// Makes one run.
    pub(super) fn once(
        &self,
        plan: &FaultPlan,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<Made, CommandError> {
        let Bench { server, client, ipv6, profile, tun, listen_limit, .. } = self;
        let (ipv6, profile, listen_limit) = (*ipv6, *profile, *listen_limit);
        let pair = Pair { server, client, ipv6, listen_limit, ends_with_server: true };
        let hosts = Hosts::start(plan, profile, tun)?;
        let (kept, limit) = (Kept::default(), self.limit_under(plan));
        let course = match pair.run(&hosts, limit, &Output::Kept(kept.clone()), is_cancelled) {
            Ok(course) => course,
            Err(PairError::Server(why)) => return Ok(Made::NoServer(why)),
            Err(error) => return Err(failed(error)),
        };
        let failed = |host: &str, message: String| End::Failed { host: Some(host.to_owned()), message };
        let dies = |host| plan.events.iter().any(|event| event.kind.dies() == Some(host));
        let end = match (course.death, course.ended) {
            (_, Ended::Stopped) => return Ok(Made::Cancelled),
            // To say that its peer is gone is right.
            (Some(death), _) if death.is_reported() && dies("client") => End::Finished,
            (None, Ended::Exited(code)) if is_reported(code) && dies("server") => End::Finished,
            // The plan killed it.
            (None, Ended::Signalled(KILLED)) if dies("client") => End::Finished,
            (Some(death), _) => failed("server", death.status()),
            (None, Ended::Exited(0) | Ended::WithServer) => End::Finished,
            (None, Ended::Exited(code)) => failed("client", format!("exits with {code}")),
            (None, Ended::Signalled(signal)) => failed("client", format!("is ended by signal {signal}")),
            (None, Ended::TooLong) => End::Stalled { limit: format!("{limit:?}"), sockets: Vec::new() },
        };
        let lost = Beside::of(&hosts).lost;
        let trace = hosts.trace();
        // What was sent after the pair's end can have done nothing to it.
        let is_later =
            |what: &What| matches!(what, What::Sent { packet, .. } if u64::from(packet.0) >= course.packets);
        let before = trace.events().iter().take_while(|event| !is_later(&event.what)).last();
        let elapsed = before.map_or(Time::ZERO, |event| event.at);
        let mut run = Run::new(plan.clone(), trace, end, hosts.forwarder.fired(), elapsed);
        run.output = kept.text();
        run.disturbed = (lost > 0).then(|| format!("{lost} packets were lost outside of the plan"));
        Ok(Made::Run(Box::new(run), course))
    }
}

/// How much longer a client may take for an event: from the beginning of an outage until a TCP tries again
/// after its end, as it waits twice as long each time, a second at first (RFC 6298, sections 2.1 and 5.5).
fn until_heard(kind: &EventKind) -> Duration {
    match kind {
        EventKind::Outage { lasts: Lasts::Us(us), .. } => Duration::from_micros(us.saturating_mul(3)),
        EventKind::Outage { lasts: Lasts::Retransmissions(lost), .. } => {
            let waits = 1_u64.checked_shl(lost.saturating_add(1)).map_or(u64::MAX, |waits| waits - 1);
            Duration::from_secs(waits)
        }
        EventKind::Crash(_) | EventKind::Kill(_) => CRASH_PATIENCE,
        _ => Duration::ZERO,
    }
}

impl Testbed for Bench {
    fn name(&self) -> &'static str {
        "lab"
    }

    fn subject(&self) -> Subject {
        Subject::LINUX
    }

    fn about(&self) -> &'static str {
        "two commands, each in a network namespace of this machine's kernel"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { clock: Clock::Real, lacking: &[] }
    }

    fn run(&self, scenario: &Scenario, plan: &FaultPlan) -> Run {
        match self.once(plan, &|| scenario.is_cancelled()) {
            Ok(Made::Run(run, _)) => *run,
            Ok(Made::Cancelled) => scenario.refused(plan, "it was cancelled".to_owned()),
            Ok(Made::NoServer(why)) => {
                let mut run = scenario.refused(plan, String::new());
                run.disturbed = Some(why);
                run
            }
            Err(error) => {
                let run = scenario.refused(plan, error.in_a_line());
                self.trouble.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                self.token.cancel();
                run
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use faultwire::fault::Cut;

    #[test]
    fn who_waits_for_an_outage_to_end_gets_the_time_that_takes() {
        let outage = |lasts| until_heard(&EventKind::Outage { cut: Cut::ALL, lasts });
        assert_eq!(outage(Lasts::Us(1_200_000)), Duration::from_millis(3_600));
        assert_eq!(outage(Lasts::Retransmissions(2)), Duration::from_secs(7));
        assert!(outage(Lasts::Retransmissions(u32::MAX)) > Duration::from_secs(1_000_000));
        assert_eq!(until_heard(&EventKind::Heal(Cut::ALL)), Duration::ZERO);
    }
}

//! `faultwire lab search`: the smallest plan that makes a client fail, or kills its server.
//!
//! `bench` makes a run of the pair; the search itself is the [`Explorer`]'s; `words` is what is said at the
//! end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use faultwire::fault::{FaultPlan, LabPair, bounds};
use faultwire_sim::{End, Event, Explorer, Rate, Repeats, Run, Signature, scenario};

use super::SearchArgs;
use super::pair::{Course, listen_limit};
use crate::bar::RunsBar;
use crate::ctrl_c;
use crate::error::{CommandError, Fault, failed, usage};
use crate::output::{self, result, tell};
use faultwire_conformance::exit;
use faultwire_conformance::report::plan_in_words;

mod bench;
mod words;

use bench::{Bench, Made};

/// How long a client may take without faults by default.
const BASE_LIMIT: Duration = Duration::from_secs(60);
/// A client may take this many times as long under a fault as without,
const SLOWER: u32 = 10;
/// and this long in any case: longer than a kernel needs to make up for any one fault, and most programs.
const LIMIT_MIN: Duration = Duration::from_secs(5);
/// Delays just over this are longer than a kernel waits for an acknowledgement (200 ms at least); just over
/// two of it, longer than it waits for the answer to a SYN, and many a program for a datagram's (1 s).
const TIMEOUT: Duration = Duration::from_millis(510);
/// Runs after the first failure that look for another kind.
const RUNS_AFTER_FAILURE: u64 = 1_000;

/// Searches; gives the exit code.
pub(super) fn run(args: &SearchArgs) -> Result<u8, CommandError> {
    output::check_writable("the plan", Some(&args.out))?;
    let token = ctrl_c::listen();
    // It is there for as long as the process is.
    let bench: &'static Bench = Box::leak(Box::new(Bench {
        server: args.server.clone(),
        client: args.client.clone(),
        ipv6: args.ipv6,
        profile: args.profile.profile(),
        tun: args.tun.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect(),
        listen_limit: listen_limit(args.timeout),
        limit: Mutex::new(args.timeout.unwrap_or(BASE_LIMIT)),
        trouble: Mutex::new(None),
        token: token.clone(),
    }));
    tell(format_args!("runs without faults first; the server has {:?} to listen", bench.listen_limit));
    let Some((first, took)) = without_faults(bench, args.timeout.is_none())? else {
        result(format_args!("stopped before it was known whether the pair works without faults"))?;
        return Ok(exit::INTERRUPTED);
    };
    // The testbed runs the commands in place of these.
    let scenario = scenario("lab")
        .server(|_| async {})
        .client(|_| async { Ok(()) })
        .on(bench)
        .timeout(TIMEOUT)
        .seed(args.seed)
        .cancelled_by(&token);
    let scenario = match args.crashes {
        true => {
            let server = scenario.crashes("server").kills("server");
            server.crashes_for_good("client").kills_for_good("client")
        }
        false => scenario,
    };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or((3 * processors).clamp(2, 16), usize::from);
    let repeats = Repeats::REAL_TIME.without_faults(jobs.max(2));
    let grid = scenario.grid();
    let (faults, outages) = (grid.faults(&first.trace).len(), grid.outages_in(&first.trace).len());
    let crashes = if args.crashes { 6 * grid.packets(&first.trace) } else { 0 };
    let plans = faults as u64 + grid.outages_max().min(outages as u64) + crashes as u64;
    if faults == 0 {
        return Err(usage(
            "no packet goes between the two that a fault could hit: does the client call {server}?",
        ));
    }
    let (seconds, limit) = (took.as_secs_f64(), bench.limit_under(&FaultPlan::default()));
    tell(format_args!(
        "without faults both programs succeed, in {seconds:.2} s; under one fault the client may take \
         {limit:?}; {jobs} runs side by side"
    ));
    let explorer = scenario.clone().exhaustive(1).random(args.cases).jobs(jobs).repeats(repeats);
    let explorer = explorer.kinds_max(args.kinds.into(), RUNS_AFTER_FAILURE);
    Search { args, bench, explorer, packets: BTreeSet::new(), saved: Ok(()) }.explore(plans)
}

/// Runs the pair without faults and works out how long the client may take; none where it was stopped.
fn without_faults(bench: &Bench, is_limited_by_it: bool) -> Result<Option<(Run, Duration)>, CommandError> {
    let mut why = String::new();
    for _ in 0..3 {
        match bench.once(&FaultPlan::default(), &|| bench.token.is_cancelled()).map_err(internal)? {
            Made::Cancelled => return Ok(None),
            Made::NoServer(why) => return Err(usage(format!("without any fault, {why}"))),
            Made::Run(run, _) if run.disturbed.is_some() => why = run.disturbed.unwrap_or_default(),
            Made::Run(run, Course { took, .. }) if run.end.is_finished() => {
                if is_limited_by_it {
                    let limit = took.saturating_mul(SLOWER).max(LIMIT_MIN).as_secs_f64().ceil();
                    *bench.limit.lock().unwrap_or_else(PoisonError::into_inner) =
                        Duration::from_secs(limit as u64);
                }
                return Ok(Some((*run, took)));
            }
            Made::Run(run, course) => {
                let how = course.death.map(|death| format!("the server {death}"));
                return Err(fails_without_faults(&run, how));
            }
        }
    }
    Err(failed(format!(
        "nothing is proven: in each run without faults {why}; a machine with less to do may keep them"
    )))
}

/// Exit code 1 says something of the plans that were tried: that a run cannot be made is an internal fault.
fn internal(mut error: CommandError) -> CommandError {
    if error.fault == Fault::Failed {
        error.fault = Fault::Internal;
    }
    error
}

/// What is said of a pair that does not work: its output first.
fn fails_without_faults(run: &Run, how: Option<String>) -> CommandError {
    let said = run.output.trim_end();
    if !said.is_empty() {
        tell(format_args!("{said}"));
    }
    let expected = match &run.end {
        End::Failed { host: Some(host), .. } if host == "server" => {
            "it has to end with 0, or by SIGTERM when it is asked to"
        }
        _ => "it has to exit with 0",
    };
    usage(format!("without any fault {}: {expected}", how.unwrap_or_else(|| words::ending(run))))
}

fn is_without_faults(plan: &FaultPlan) -> bool {
    plan.faults.is_empty() && plan.events.is_empty()
}

/// A run that the testbed made, and that failed.
fn judge(run: &Run) -> Option<Signature> {
    Signature::of(run).filter(|_| !run.is_refused())
}

/// A search under way.
struct Search<'a> {
    args: &'a SearchArgs,
    bench: &'static Bench,
    explorer: Explorer,
    /// The packets that faults hit.
    packets: BTreeSet<String>,
    /// What came of writing the first plan, before it was made smaller.
    saved: Result<(), CommandError>,
}

impl Search<'_> {
    fn explore(mut self, plans: u64) -> Result<u8, CommandError> {
        let mut bar = RunsBar::new(plans + self.args.cases);
        let explorer = self.explorer.clone();
        let mut kinds = 0;
        let found = explorer.explore_by(&judge, &mut |event| match event {
            Event::Ran(run) => {
                bar.ran(&plan_in_words(&run.plan));
                if let [fault] = run.plan.faults.as_slice() {
                    self.packets.insert(format!("{} {}", fault.direction, fault.packet));
                }
            }
            Event::Found(run) => {
                kinds += 1;
                if self.saved.is_ok() && !is_without_faults(&run.plan) {
                    // Before anything else can go wrong.
                    self.saved = self.write(&self.path(kinds), run, None);
                    tell(format_args!(
                        "{}: {}; making it smaller",
                        plan_in_words(&run.plan),
                        words::ending(run)
                    ));
                }
            }
            _ => bar.ran("smaller plans"),
        });
        drop(bar);
        if let Some(failure) = self.bench.trouble.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(internal(failure));
        }
        std::mem::replace(&mut self.saved, Ok(()))?;
        let without = match found.failures.first() {
            Some(failure) if is_without_faults(&failure.smallest.plan) => {
                return Err(fails_without_faults(&failure.smallest, None));
            }
            Some(_) => explorer.rate(&FaultPlan::default(), &judge, &mut |_| {}).0,
            None => Rate::default(),
        };
        for (kind, failure) in (1..).zip(&found.failures) {
            let path = self.path(kind);
            self.write(&path, &failure.smallest, failure.rate)?;
            result(format_args!("{}", words::finding(failure, without, &path)))?;
        }
        let (tried, packets) = (&found.tried, self.packets.len());
        let code = if !found.failures.is_empty() {
            exit::CLAIM_FAILED
        } else if self.bench.token.is_cancelled() {
            result(format_args!("stopped with nothing found: {}", words::harmless(tried, packets)))?;
            exit::INTERRUPTED
        } else if tried.singles + tried.random == 0 {
            result(format_args!("{}", words::NOTHING_PROVEN))?;
            exit::CLAIM_FAILED
        } else {
            result(format_args!("nothing found: {}", words::harmless(tried, packets)))?;
            exit::AS_CLAIMED
        };
        result(format_args!("{}", words::counts(tried)))?;
        Ok(code)
    }

    /// Where the plan of a kind of failure is written to: `failing-plan.toml`, `failing-plan-2.toml`.
    fn path(&self, kind: u32) -> PathBuf {
        let out = &self.args.out;
        if kind == 1 {
            return out.clone();
        }
        let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        out.with_file_name(format!("{}-{kind}.{}", part(out.file_stem()), part(out.extension())))
    }

    /// Writes the plan of a run, with a title that says what it does, and the commands that it does it to.
    fn write(&self, path: &Path, run: &Run, rate: Option<Rate>) -> Result<(), CommandError> {
        let at_times = if rate.is_some_and(|rate| rate.failed == 0) { " at times" } else { "" };
        let title = format!("{}{at_times}: {}", words::ending(run), plan_in_words(&run.plan));
        let title = title.chars().take(bounds::TITLE_CHARS_MAX).collect();
        let SearchArgs { server, client, ipv6, profile, .. } = self.args;
        let lab = LabPair {
            server: server.clone(),
            client: client.clone(),
            ipv6: *ipv6,
            profile: profile.profile().map(|profile| profile.name().to_owned()),
            tun: self.bench.tun.clone(),
            timeout: Some(self.bench.limit_under(&run.plan)),
        };
        let text = FaultPlan { title: Some(title), lab: Some(lab), ..run.plan.clone() }.to_toml();
        output::write("the plan", path, &text).inspect_err(|_| tell(&text))
    }
}

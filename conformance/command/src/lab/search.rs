//! `faultwire lab search`: the smallest plan that makes a client fail, or kills its server.
//!
//! Read on in this order: `plans` and `random` (which are tried), `case` (what a run is, and what it proves),
//! `command/crew.rs` (many side by side), `verdict` (what a plan came to), `finding` (what becomes of a plan
//! that makes the pair fail), `words` (what is said at the end).

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::Duration;

use faultwire::fault::FaultPlan;
use faultwire_sim::search::FaultKinds;

use super::SearchArgs;
use super::pair::{Pair, listen_limit};
use crate::bar::Bar;
use crate::crew::{Next, side_by_side};
use crate::ctrl_c;
use crate::error::{CommandError, failed, usage};
use crate::output::{result, tell};
use faultwire_conformance::exit;
use faultwire_conformance::progress::Progress as _;
use faultwire_sim::CancellationToken;

mod case;
mod finding;
mod plans;
mod random;
mod verdict;
mod words;

use case::{Bench, Case, Counts, Fails, Tried};
use plans::Plans;
use random::Pool;
use verdict::{Verdict, judge};

/// How long a client may take without faults where nothing else is said.
const BASE_LIMIT: Duration = Duration::from_secs(60);
/// A client may take so many times as long under a fault as without,
const SLOWER: u32 = 10;
/// and this long in any case: longer than a kernel needs to make up for any one fault, and most programs.
const LIMIT_MIN: Duration = Duration::from_secs(5);

/// A search.
#[derive(Debug)]
struct Search<'a> {
    args: &'a SearchArgs,
    bench: Bench<'a>,
    /// How many runs go on side by side.
    jobs: usize,
    token: CancellationToken,
    counts: Counts,
}

/// What one kind of plans gave.
#[derive(Debug, Default)]
struct Level {
    /// The number of the first plan that makes the pair fail, and its run.
    found: Option<(usize, Case)>,
    /// Under how many plans the pair succeeds.
    done: u64,
    /// Of how many plans nothing is known: no run of them counts, or the pair failed once only.
    open: u64,
    /// The kinds of fault that took place under the former.
    kinds: FaultKinds,
}

impl Level {
    /// Whether plans were tried, and nothing is known of any: a run whose faults were not applied is no
    /// result.
    fn is_unproven(&self) -> bool {
        self.found.is_none() && self.done == 0 && self.open > 0
    }
}

/// Tries the plan of a number, until it is to stop.
type TryOne<'t, 'a> =
    dyn Fn(&Search<'a>, usize, &dyn Fn() -> bool) -> Result<Tried, CommandError> + Sync + 't;

/// Searches; gives the exit code.
pub(super) fn run(args: &SearchArgs) -> Result<u8, CommandError> {
    check_writable(&args.out)?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut search = Search {
        args,
        bench: Bench {
            pair: Pair {
                server: &args.server,
                client: &args.client,
                ipv6: args.ipv6,
                profile: args.profile.profile(),
                listen_limit: listen_limit(args.timeout),
                ends_with_server: true,
            },
            limit: args.timeout.unwrap_or(BASE_LIMIT),
        },
        jobs: args.jobs.map_or((2 * processors).clamp(2, 16), usize::from),
        token: ctrl_c::listen(),
        counts: Counts::default(),
    };
    tell(format_args!(
        "runs without faults first; the server has {:?} to listen",
        search.bench.pair.listen_limit
    ));
    let Some(plans) = search.without_faults()? else {
        return search.stopped("before it was known whether the pair works without faults");
    };
    let (singles, packets) = (plans.singles.len(), plans.packets);
    let jobs = search.jobs;
    tell(format_args!("{singles} plans of one fault, on {packets} packets; {jobs} runs side by side"));
    let mut pool = Pool::new(&plans.singles, plans::grid(), &plans.known);
    let try_one: &TryOne<'_, '_> =
        &|search, number, is_to_stop| search.bench.try_plan(&plans.singles[number], is_to_stop);
    let one = search.level("one fault", singles, try_one, &mut |number, case| {
        pool.learn(number, &case.trace_to_the_end());
    })?;
    if let Some((number, case)) = one.found {
        let number = number + 1;
        return search.finding(case, &format!("plan {number} of {singles} of one fault"));
    }
    if search.token.is_cancelled() {
        return search
            .stopped(&format!("after {} of {singles} plans of one fault: nothing was found", one.done));
    }
    if one.is_unproven() {
        return search.nothing_proven(&format!("{singles} plans of one fault"));
    }
    let cases = args.cases;
    if cases > 0 {
        tell(format_args!("no plan of one fault makes the pair fail; {cases} random plans of 2 to 4 faults"));
    }
    let count = usize::try_from(cases).unwrap_or(usize::MAX);
    let try_one: &TryOne<'_, '_> = &|search, number, is_to_stop| {
        search.bench.try_random(&pool, search.args.seed, number as u64, is_to_stop)
    };
    let several = search.level("several faults", count, try_one, &mut |_, _| {})?;
    if let Some((number, case)) = several.found {
        let number = number + 1;
        return search.finding(case, &format!("random plan {number} of {cases}"));
    }
    let kinds = one.kinds.and(several.kinds);
    let tried =
        words::Harmless { singles: one.done, singles_of: singles, packets, random: several.done, kinds };
    if search.token.is_cancelled() {
        return search.stopped(&format!("{tried}"));
    }
    if several.is_unproven() {
        return search.nothing_proven(&format!("{cases} random plans"));
    }
    result(format_args!("nothing found: {tried}"))?;
    search.tell_counts()?;
    Ok(exit::AS_CLAIMED)
}

impl<'a> Search<'a> {
    /// Runs the pair without faults, alone and side by side, and works out the plans; `None` where it was
    /// stopped.
    fn without_faults(&mut self) -> Result<Option<Plans>, CommandError> {
        let (bench, token) = (self.bench, self.token.clone());
        let (mut cases, mut trouble, mut counts) = (Vec::<Case>::new(), None, Counts::default());
        // Alone first: where the pair does not work, that is seen soonest and clearest.
        for (jobs, runs) in [(1, 1), (self.jobs, self.jobs.max(2))] {
            let (is_to_stop, before) = (|| token.is_cancelled(), cases.len());
            let work = |_: usize, is_to_stop: &dyn Fn() -> bool| bench.without_faults(is_to_stop);
            side_by_side(jobs, runs, &is_to_stop, &work, &mut |_, done| {
                match done {
                    Ok(Tried { case, counts: made }) => {
                        counts += made;
                        match case {
                            Some(case) if case.fails.is_none() => cases.push(case),
                            Some(case) => trouble = Some(fails_without_faults(&case, cases.len() + 1)),
                            None => {}
                        }
                    }
                    Err(failure) => trouble = Some(failure),
                }
                if trouble.is_some() { Next::GiveUp } else { Next::GoOn }
            });
            if let Some(failure) = trouble {
                return Err(failure);
            }
            if token.is_cancelled() {
                return Ok(None);
            }
            if cases.len() == before {
                return Err(failed(
                    "nothing is proven: packets were lost outside of any plan in each run without faults; a \
                     machine with less to do, or --jobs 1, may keep them",
                ));
            }
        }
        self.counts += counts;
        let slowest = cases.iter().map(|case| case.took).max().unwrap_or_default();
        if self.args.timeout.is_none() {
            let limit = slowest.saturating_mul(SLOWER).max(LIMIT_MIN);
            self.bench.limit = Duration::from_secs(limit.as_secs_f64().ceil() as u64);
        }
        let (runs, seconds, limit) = (cases.len(), slowest.as_secs_f64(), self.bench.limit);
        tell(format_args!(
            "without faults both programs succeed in {runs} of {runs} runs, in {seconds:.2} s at most; under \
             one fault the client may take {limit:?}"
        ));
        let traces: Vec<_> = cases.iter().map(Case::trace_to_the_end).collect();
        match Plans::of(&traces) {
            Some(plans) if plans.packets > 0 => Ok(Some(plans)),
            _ => Err(usage(
                "no packet goes between the two that a fault could hit: does the client call {server}?",
            )),
        }
    }

    /// Tries plans by their numbers, until one makes the pair fail and all before it do not; `learn` is told
    /// of those that do not.
    fn level(
        &mut self,
        name: &str,
        count: usize,
        try_one: &TryOne<'_, 'a>,
        learn: &mut dyn FnMut(usize, &Case),
    ) -> Result<Level, CommandError> {
        let mut bar = Bar::new();
        bar.begin(count as u64);
        bar.starts(name);
        let (mut level, mut trouble, mut counts) = (Level::default(), None, Counts::default());
        let this = &*self;
        let work = |number: usize, is_to_stop: &dyn Fn() -> bool| {
            let tried = try_one(this, number, is_to_stop)?;
            judge(tried, |plan| this.bench.try_plan(plan, is_to_stop))
        };
        side_by_side(self.jobs, count, &|| this.token.is_cancelled(), &work, &mut |number, judged| {
            let (verdict, mut made) = match judged {
                Ok(judged) => judged,
                Err(failure) => {
                    trouble = Some(failure);
                    return Next::GiveUp;
                }
            };
            if level.found.as_ref().is_some_and(|(first, _)| *first < number) {
                // It was told to stop before it could fail again.
                made.not_again = 0;
            }
            counts += made;
            bar.ran(made.runs);
            bar.done("");
            match verdict {
                Verdict::Open | Verdict::Once => Next::GoOn,
                Verdict::Harmless(case) => {
                    level.done += 1;
                    level.kinds.add(&case.run.plan, &FaultPlan::default());
                    learn(number, &case);
                    Next::GoOn
                }
                Verdict::Fails(case) => {
                    if level.found.as_ref().is_none_or(|(first, _)| number < *first) {
                        level.found = Some((number, case));
                    }
                    Next::Found
                }
            }
        });
        level.open = counts.given_up + counts.not_again;
        drop(bar);
        self.counts += counts;
        match trouble {
            Some(failure) => Err(failure),
            None => Ok(level),
        }
    }

    /// What is said where it was stopped with nothing found.
    fn stopped(&self, when: &str) -> Result<u8, CommandError> {
        result(format_args!("stopped {when}"))?;
        self.tell_counts()?;
        Ok(exit::INTERRUPTED)
    }

    /// What is said where nothing is known of any plan.
    fn nothing_proven(&self, plans: &str) -> Result<u8, CommandError> {
        result(format_args!("{}", words::nothing_proven(plans)))?;
        self.tell_counts()?;
        Ok(exit::CLAIM_FAILED)
    }

    fn tell_counts(&self) -> Result<(), CommandError> {
        result(format_args!("{}", words::counts(&self.counts)))
    }
}

/// What is said of a pair that does not work: its output first.
fn fails_without_faults(case: &Case, run: usize) -> CommandError {
    let how = case.fails.map_or_else(String::new, |fails| fails.to_string());
    let said = case.said.trim_end();
    if !said.is_empty() {
        tell(format_args!("{said}"));
    }
    let expected = match case.fails {
        Some(Fails::Server(_)) => "it has to end with 0, or by SIGTERM when it is asked to",
        _ => "it has to exit with 0",
    };
    usage(format!("without any fault {how} (run {run}): {expected}"))
}

/// Whether the plan can be written: told now, not after the search. Leaves no file where there was none.
fn check_writable(path: &Path) -> Result<(), CommandError> {
    let mut options = OpenOptions::new();
    let cannot = |error: io::Error| usage(format!("cannot write the plan to {}: {error}", path.display()));
    match options.write(true).create_new(true).open(path) {
        Ok(_) => std::fs::remove_file(path).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().append(true).open(path).map(drop).map_err(cannot)
        }
        Err(error) => Err(cannot(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_of_which_nothing_is_known_prove_nothing() {
        let level = |done, open| Level { done, open, ..Level::default() };
        assert!(level(0, 20).is_unproven());
        assert!(!level(1, 19).is_unproven());
        // There were none to try.
        assert!(!level(0, 0).is_unproven());
        let found = Level { found: Some((3, case::tests::case(None))), ..level(0, 2) };
        assert!(!found.is_unproven());
    }
}

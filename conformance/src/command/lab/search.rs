//! `faultwire lab search`: the smallest plan that makes a pair's client fail.
//!
//! Read on in this order: `plans` and `random` (which are tried), `case` (what a run is, and what it proves), `crew` (many side by side),
//! `finding` (what becomes of a plan that makes the client fail), `words` (what is said at the end).

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::SearchArgs;
use super::pair::Pair;
use crate::command::bar::Bar;
use crate::command::ctrl_c;
use crate::command::live::{Failure, failed, result, tell, usage};
use crate::exit;
use crate::interrupt::Interrupt;
use crate::progress::Progress as _;

mod case;
mod crew;
mod finding;
mod plans;
mod random;
mod words;

use case::{Bench, Case, Counts, Tried};
use crew::{Next, side_by_side};

use plans::Plans;
use random::Pool;

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
    interrupt: Interrupt,
    counts: Counts,
}

/// What one kind of plans gave.
#[derive(Debug, Default)]
struct Level {
    /// The number of the first plan that makes the client fail, and its run.
    found: Option<(usize, Case)>,
    /// How many plans were tried, and took place.
    done: u64,
}

/// Tries the plan of a number, until it is to stop.
type TryOne<'t, 'a> = dyn Fn(&Search<'a>, usize, &dyn Fn() -> bool) -> Result<Tried, Failure> + Sync + 't;

/// Searches; gives the exit code.
pub(super) fn run(args: &SearchArgs) -> Result<u8, Failure> {
    check_writable(&args.out)?;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut search = Search {
        args,
        bench: Bench {
            pair: Pair { server: &args.server, client: &args.client, ipv6: args.ipv6 },
            limit: args.timeout.unwrap_or(BASE_LIMIT),
        },
        jobs: args.jobs.map_or((2 * processors).clamp(2, 16), usize::from),
        interrupt: ctrl_c::listen(),
        counts: Counts::default(),
    };
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
        pool.learn(number, &case.trace_of_client());
    })?;
    if let Some((number, case)) = one.found {
        let number = number + 1;
        return search.finding(case, &format!("plan {number} of {singles} of one fault"));
    }
    if search.interrupt.is_asked() {
        return search
            .stopped(&format!("after {} of {singles} plans of one fault: nothing was found", one.done));
    }
    let cases = args.cases;
    if cases > 0 {
        tell(format_args!(
            "no plan of one fault makes the client fail; {cases} random plans of 2 to 4 faults"
        ));
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
    let tried = words::Harmless { singles: one.done, singles_of: singles, packets, random: several.done };
    if search.interrupt.is_asked() {
        return search.stopped(&format!("{tried}"));
    }
    result(format_args!("nothing found: {tried}"))?;
    search.tell_counts()?;
    Ok(exit::AS_CLAIMED)
}

impl<'a> Search<'a> {
    /// Runs the pair without faults, alone and side by side, and works out the plans; `None` where it was stopped.
    fn without_faults(&mut self) -> Result<Option<Plans>, Failure> {
        let (bench, interrupt) = (self.bench, self.interrupt.clone());
        let (mut cases, mut trouble) = (Vec::new(), None);
        // Alone first: where the pair does not work, that is seen soonest and clearest.
        for (jobs, runs) in [(1, 1), (self.jobs, self.jobs.max(2))] {
            let is_to_stop = || interrupt.is_asked();
            let work = |_: usize, is_to_stop: &dyn Fn() -> bool| bench.without_faults(is_to_stop);
            side_by_side(jobs, runs, &is_to_stop, &work, &mut |_, done| {
                match done {
                    Ok(Some(case)) if case.fails.is_none() => cases.push(case),
                    Ok(Some(case)) => trouble = Some(fails_without_faults(&case, cases.len() + 1)),
                    Ok(None) => {}
                    Err(failure) => trouble = Some(failure),
                }
                if trouble.is_some() { Next::GiveUp } else { Next::GoOn }
            });
            if let Some(failure) = trouble {
                return Err(failure);
            }
            if interrupt.is_asked() {
                return Ok(None);
            }
        }
        self.counts.runs += cases.len() as u64;
        let slowest = cases.iter().map(|case| case.took).max().unwrap_or_default();
        if self.args.timeout.is_none() {
            let limit = slowest.saturating_mul(SLOWER).max(LIMIT_MIN);
            self.bench.limit = Duration::from_secs(limit.as_secs_f64().ceil() as u64);
        }
        let (runs, seconds, limit) = (cases.len(), slowest.as_secs_f64(), self.bench.limit);
        tell(format_args!(
            "without faults the client succeeds in {runs} of {runs} runs, in {seconds:.2} s at most; under one fault it \
             may take {limit:?}"
        ));
        let traces: Vec<_> = cases.iter().map(Case::trace_of_client).collect();
        match Plans::of(&traces) {
            Some(plans) if plans.packets > 0 => Ok(Some(plans)),
            _ => Err(usage(
                "no packet goes between the two that a fault could hit: does the client call {server}?",
            )),
        }
    }

    /// Tries plans by their numbers, until one makes the client fail and all before it do not; `learn` is told of those
    /// that do not.
    fn level(
        &mut self,
        name: &str,
        count: usize,
        try_one: &TryOne<'_, 'a>,
        learn: &mut dyn FnMut(usize, &Case),
    ) -> Result<Level, Failure> {
        let mut bar = Bar::new();
        bar.begin(count as u64);
        bar.starts(name);
        let (mut level, mut trouble, mut counts) = (Level::default(), None, Counts::default());
        let this = &*self;
        let work = |number: usize, is_to_stop: &dyn Fn() -> bool| {
            this.twice(try_one(this, number, is_to_stop)?, is_to_stop)
        };
        side_by_side(self.jobs, count, &|| this.interrupt.is_asked(), &work, &mut |number, tried| {
            let Tried { case, counts: made } = match tried {
                Ok(tried) => tried,
                Err(failure) => {
                    trouble = Some(failure);
                    return Next::GiveUp;
                }
            };
            counts += made;
            bar.ran(made.runs);
            bar.done("");
            let Some(case) = case else { return Next::GoOn };
            level.done += 1;
            if case.fails.is_none() {
                learn(number, &case);
                return Next::GoOn;
            }
            if level.found.as_ref().is_none_or(|(first, _)| number < *first) {
                level.found = Some((number, case));
            }
            Next::Found
        });
        drop(bar);
        self.counts += counts;
        match trouble {
            Some(failure) => Err(failure),
            None => Ok(level),
        }
    }

    /// A client that failed has to fail a second time, in the same way: else the plan is not what it is due to.
    fn twice(&self, mut tried: Tried, is_to_stop: &dyn Fn() -> bool) -> Result<Tried, Failure> {
        let Some(case) = &mut tried.case else { return Ok(tried) };
        let Some(fails) = case.fails else { return Ok(tried) };
        let again = self.bench.try_plan(&case.run.plan, is_to_stop)?;
        tried.counts += again.counts;
        if again.case.is_some_and(|again| again.fails != Some(fails)) {
            case.fails = None;
            tried.counts.not_again += 1;
        }
        Ok(tried)
    }

    /// What is said where it was stopped with nothing found.
    fn stopped(&self, when: &str) -> Result<u8, Failure> {
        result(format_args!("stopped {when}"))?;
        self.tell_counts()?;
        Ok(exit::INTERRUPTED)
    }

    fn tell_counts(&self) -> Result<(), Failure> {
        result(format_args!("{}", words::counts(&self.counts)))
    }
}

/// What is said of a pair that does not work: its output first.
fn fails_without_faults(case: &Case, run: usize) -> Failure {
    let how = case.fails.map_or_else(String::new, |fails| fails.to_string());
    let said = case.said.trim_end();
    if !said.is_empty() {
        tell(format_args!("{said}"));
    }
    usage(format_args!("without any fault the client {how} (run {run}): it has to exit with 0"))
}

/// Whether the plan can be written: told now, not after the search. Leaves no file where there was none.
fn check_writable(path: &Path) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    let cannot =
        |error: io::Error| usage(format_args!("cannot write the plan to {}: {error}", path.display()));
    match options.write(true).create_new(true).open(path) {
        Ok(_) => std::fs::remove_file(path).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().append(true).open(path).map(drop).map_err(cannot)
        }
        Err(error) => Err(cannot(error)),
    }
}

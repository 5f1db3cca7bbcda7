//! Threads that work side by side; where the system gives none, the work is done all the same.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread::{self, Builder, Scope};

use crate::cancel::CancellationToken;

/// Does some work on a thread of the scope; gives it back where no thread can be started.
fn start<'scope, F>(scope: &'scope Scope<'scope, '_>, work: F) -> Option<F>
where
    F: FnOnce() + Send + 'scope,
{
    let work = Arc::new(Mutex::new(Some(work)));
    let take = |work: &Mutex<Option<F>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let theirs = Arc::clone(&work);
    let started = Builder::new().spawn_scoped(scope, move || {
        if let Some(work) = take(&theirs) {
            work();
        }
    });
    let error = started.err()?;
    tracing::debug!(%error, "no further thread can be started");
    take(&work)
}

/// Does each item of the queues, at most the given number of each queue at once. `work` may send messages;
/// `hear` gets them on the calling thread as they come.
pub fn side_by_side<I: Sync, M: Send>(
    queues: &[(&[I], usize)],
    work: &(dyn Fn(&I, &mpsc::Sender<M>) + Sync),
    hear: &mut dyn FnMut(M),
) {
    let next: Vec<AtomicUsize> = queues.iter().map(|_| AtomicUsize::new(0)).collect();
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        for ((queue, at_once), next) in queues.iter().zip(&next) {
            for _ in 0..(*at_once).min(queue.len()) {
                let tell = tell.clone();
                let all = move || {
                    while let Some(item) = queue.get(next.fetch_add(1, Ordering::Relaxed)) {
                        work(item, &tell);
                    }
                };
                if let Some(all) = start(scope, all) {
                    all();
                }
            }
        }
        drop(tell);
        told.into_iter().for_each(hear);
    });
}

/// How many results may wait for the first that is missing, for each job.
const AHEAD: usize = 8;

/// What the threads of [`in_order`] share: the next number, and how many results were visited.
#[derive(Debug, Default)]
struct Progress {
    next: usize,
    visited: usize,
}

/// Ends the others' wait where a worker panics: its result never comes.
struct OnPanic<'a>(&'a CancellationToken, &'a Condvar);

impl Drop for OnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.cancel();
            self.1.notify_all();
        }
    }
}

/// Does the work of each number below `count`, up to `jobs` at once, and hands the results to `visit` in the
/// order of the numbers, until that breaks. Then the token is cancelled, and what is under way counts for
/// nothing: so what comes out does not depend on which is the faster.
pub fn in_order<T: Send>(
    jobs: usize,
    count: usize,
    token: &CancellationToken,
    work: &(dyn Fn(usize) -> T + Sync),
    visit: &mut dyn FnMut(T) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if jobs <= 1 || count <= 1 {
        return (0..count).try_for_each(|number| visit(work(number)));
    }
    let (progress, moved) = (Mutex::new(Progress::default()), Condvar::new());
    let lock = || progress.lock().unwrap_or_else(PoisonError::into_inner);
    let is_over = |at: &Progress| at.next >= count || token.is_cancelled();
    let take = || {
        let is_ahead = |at: &mut Progress| !is_over(at) && at.next >= at.visited + jobs * AHEAD;
        let mut at = moved.wait_while(lock(), is_ahead).unwrap_or_else(PoisonError::into_inner);
        let number = (!is_over(&at)).then_some(at.next);
        at.next += 1;
        number
    };
    thread::scope(|scope| {
        let (done, results) = mpsc::channel();
        let worker = || {
            let (done, take, moved) = (done.clone(), &take, &moved);
            move || {
                let _on_panic = OnPanic(token, moved);
                while let Some(number) = take() {
                    // The receiver is gone only when no result is wanted any more.
                    let _ = done.send((number, work(number)));
                }
            }
        };
        let refused = (0..jobs.min(count)).filter(|_| start(scope, worker()).is_some()).count();
        drop(done);
        if refused == jobs.min(count) {
            return (0..count).try_for_each(|number| visit(work(number)));
        }
        let mut waiting = BTreeMap::new();
        for (number, result) in results {
            waiting.insert(number, result);
            let mut visited = lock().visited;
            while let Some(result) = waiting.remove(&visited) {
                visited += 1;
                if visit(result).is_break() {
                    token.cancel();
                    moved.notify_all();
                    return ControlFlow::Break(());
                }
            }
            lock().visited = visited;
            moved.notify_all();
        }
        if lock().visited < count { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_none_after_a_break() {
        for jobs in [1, 2, 5] {
            let token = CancellationToken::default();
            let mut seen = Vec::new();
            let work = |number: usize| {
                if number.is_multiple_of(3) {
                    thread::yield_now();
                }
                number
            };
            let ended = in_order(jobs, 1_000, &token, &work, &mut |number| {
                seen.push(number);
                if number == 700 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            assert!(ended.is_break());
            assert_eq!(seen, (0..=700).collect::<Vec<_>>(), "{jobs}");
        }
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_reaches_the_caller() {
        let work = |number: usize| assert_ne!(number, 10, "on purpose, in a test");
        let ended =
            in_order(3, 1_000, &CancellationToken::default(), &work, &mut |()| ControlFlow::Continue(()));
        assert!(ended.is_break());
    }

    #[test]
    fn cancelled_work_ends_early() {
        let token = CancellationToken::default();
        token.cancel();
        let ended =
            in_order(3, 1_000, &token.child_token(), &|number| number, &mut |_| ControlFlow::Continue(()));
        assert!(ended.is_break());
    }

    #[test]
    fn all_queues_are_done_and_heard() {
        let (few, many): (Vec<u32>, Vec<u32>) = ((0..3).collect(), (3..100).collect());
        let mut heard = Vec::new();
        side_by_side(
            &[(&few, 1), (&many, 4)],
            &|item, tell| tell.send(*item).expect("it is heard"),
            &mut |item| heard.push(item),
        );
        heard.sort_unstable();
        assert_eq!(heard, (0..100).collect::<Vec<_>>());
    }
}

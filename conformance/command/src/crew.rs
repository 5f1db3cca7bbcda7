//! Many runs, several side by side, with a result that does not depend on which of them is the faster.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use faultwire_conformance::workers;

/// What to do after a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The others as well.
    GoOn,
    /// This is what is looked for: only those before it still matter.
    Found,
    /// Nothing more.
    GiveUp,
}

/// Does the numbers below `count`, `jobs` of them side by side, and hands each result to `visit` as it comes.
///
/// Once one is what is looked for, what stands behind it is not begun, and what is under way there is told to
/// stop; what stands before it is finished, and may be what is looked for itself. So the first of them is
/// found, whichever is the faster. `work` is asked for a number and told whether it is to stop.
pub(super) fn side_by_side<T: Send>(
    jobs: usize,
    count: usize,
    is_to_stop: &(dyn Fn() -> bool + Sync),
    work: &(dyn Fn(usize, &dyn Fn() -> bool) -> T + Sync),
    visit: &mut dyn FnMut(usize, T) -> Next,
) {
    let (next, last, given_up) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX), AtomicBool::new(false));
    let ends = || is_to_stop() || given_up.load(Ordering::Relaxed);
    thread::scope(|scope| {
        let (done, results) = mpsc::channel();
        for _ in 0..jobs.clamp(1, count.max(1)) {
            let done = done.clone();
            let (next, last, ends) = (&next, &last, &ends);
            workers::start(scope, move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count || ends() || last.load(Ordering::Relaxed) < number {
                        return;
                    }
                    let result = work(number, &|| ends() || last.load(Ordering::Relaxed) < number);
                    if done.send((number, result)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        let _: ControlFlow<()> = results.into_iter().try_for_each(|(number, result)| {
            match visit(number, result) {
                Next::GoOn => {}
                Next::Found => drop(last.fetch_min(number, Ordering::Relaxed)),
                Next::GiveUp => {
                    given_up.store(true, Ordering::Relaxed);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn the_first_is_found_though_a_later_one_is_faster() {
        for _ in 0..50 {
            let (late, wait) = (Mutex::new(()), AtomicBool::new(true));
            let mut found = Vec::new();
            side_by_side(
                4,
                100,
                &|| false,
                &|number, _| {
                    // The third waits until the fourth is through.
                    while number == 2 && wait.load(Ordering::Relaxed) {
                        thread::yield_now();
                    }
                    let _turn = late.lock().unwrap();
                    number
                },
                &mut |number, _| {
                    if number == 3 {
                        wait.store(false, Ordering::Relaxed);
                    }
                    if number < 2 {
                        return Next::GoOn;
                    }
                    found.push(number);
                    Next::Found
                },
            );
            assert!(found.contains(&2), "{found:?}");
        }
    }

    #[test]
    fn what_stands_behind_is_told_to_stop() {
        let mut results = Vec::new();
        let has_begun = AtomicBool::new(false);
        side_by_side(
            2,
            2,
            &|| false,
            &|number, is_to_stop| {
                // The first is found while the second is under way.
                has_begun.fetch_or(number == 1, Ordering::Relaxed);
                while if number == 0 { !has_begun.load(Ordering::Relaxed) } else { !is_to_stop() } {
                    thread::yield_now();
                }
                number
            },
            &mut |number, _| {
                results.push(number);
                Next::Found
            },
        );
        assert_eq!(results, [0, 1]);
    }

    #[test]
    fn giving_up_ends_all() {
        let mut seen = 0;
        side_by_side(3, usize::MAX, &|| false, &|number, _| number, &mut |_, _| {
            seen += 1;
            if seen == 10 { Next::GiveUp } else { Next::GoOn }
        });
        assert_eq!(seen, 10);
    }
}

//! Lessons of the course on hosts of the real kernel: their recorded plans break the believed programs there
//! too, and the mended ones hold. Those whose checks are about time are left out, as this machine may be
//! busy; and two whose plans break nothing there: the kernel gives s2 twice the send buffer that it asks for,
//! and in s4 it acknowledges the question and its end apart, so that the crash leaves the client something to
//! repeat.

use std::thread;

use faultwire_course::{Lesson, Side};
use faultwire_sim::{End, testbed};

use crate::bench::helper;

#[test]
fn recorded_plans_break_the_believed_programs_on_the_real_kernel_too() {
    faultwire_sim::lab::set_helper(|| Ok(helper()));
    if let Err(error) = faultwire_sim::lab::probe() {
        crate::require::skipped("lab", error);
        return;
    }
    thread::scope(|scope| {
        for name in ["0", "1", "2", "3", "7", "s1", "s3"] {
            scope.spawn(move || both_ways(name));
        }
    });
}

fn both_ways(name: &str) {
    let lesson = Lesson::named(name).expect("a lesson");
    let plan = lesson.recorded().expect("a plan");
    for side in [Side::Believed, Side::Mended] {
        for scenario in lesson.scenarios(side) {
            let run = scenario.on(testbed::LAB).run(&plan);
            assert!(run.fired.all(), "lesson {name}, {side:?}: {:?}", run.end);
            match side {
                Side::Believed => {
                    assert!(
                        matches!(run.end, End::Failed { host: None, .. }),
                        "lesson {name}: {:?}",
                        run.end
                    );
                }
                Side::Mended => assert_eq!(run.end, End::Finished, "lesson {name}"),
            }
        }
    }
}

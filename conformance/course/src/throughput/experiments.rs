//! The experiments: what is measured, over which link, and which formula stands beside it.

use super::{Experiment, Job, Law, Series, Way, law};
use crate::Program;
use crate::datagrams::go_back_n::GoBackN;
use crate::datagrams::numbered::Numbered;
use crate::datagrams::patience::Fixed;
use crate::datagrams::repeat::Repeat;
use crate::datagrams::selective_repeat::SelectiveRepeat;
use crate::plot::Axis;

/// Where along `a` is measured: from a link that is hardly longer than a datagram to one by satellite.
const DELAYS: [f64; 8] = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];

/// Which losses are tried, as shares.
const LOSSES: [f64; 6] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3];

/// The way of the experiment with go-back-N: its window just fills the link, 1+2a = 8.
const A: f64 = 3.5;

/// Plans for each point with losses.
pub const PLANS: u64 = 20;

const STOP_AND_WAIT_IN_FULL: Program = Program::both(|| Box::new(Repeat::default()));
const STOP_AND_WAIT: Program = Program::both(|| Box::new(Numbered::default()));
const TWO: Program = Program::both(|| Box::new(GoBackN::with_window(2)));
const FOUR: Program = Program::both(|| Box::new(GoBackN::default()));
const EIGHT: Program = Program::both(|| Box::new(GoBackN::with_window(8)));
const SELECTIVE_EIGHT: Program = Program::both(|| Box::new(SelectiveRepeat::<Fixed>::with_window(8)));
const SELECTIVE_LARGE: Program = Program::both(|| Box::new(SelectiveRepeat::<Fixed>::with_window(64)));

pub(super) fn all() -> Vec<Experiment> {
    vec![stop_and_wait(), window(), loss()]
}

fn delays() -> Axis {
    Axis::logarithmic(
        "a: how long a datagram travels, over how long it takes to be put on the link",
        &[0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0],
    )
}

fn stop_and_wait() -> Experiment {
    let lossy = |loss, plans, messages| {
        let job = move |a: &f64| {
            let way = Way::of_one_timeout(*a);
            (way.a(), Job { program: STOP_AND_WAIT, way, loss, messages, plans })
        };
        DELAYS.iter().map(job).collect()
    };
    let in_full = |a: &f64| {
        let way = Way::of_one_timeout_in_full(*a);
        let job = Job { program: STOP_AND_WAIT_IN_FULL, way, loss: 0.0, messages: 100, plans: 1 };
        (way.a_of_travel(), job)
    };
    let series =
        |name, short, formula, law: Law, jobs| Series { name, short, law: Some((formula, law)), jobs };
    Experiment {
        slug: "stop-and-wait",
        title: "Stop-and-wait: the further, the emptier the link",
        about: "Lessons 1 and 2. A round trip is as long as the timeout, so that a loss costs as much as a \
                success takes. Lesson 1 sends the whole message back, and so takes the time of another one.",
        x: delays(),
        x_short: "a",
        series: vec![
            series(
                "lesson 2, nothing lost",
                "p=0",
                "1/(1+2a)",
                |a| law::stop_and_wait(a, 0.0),
                lossy(0.0, 1, 100),
            ),
            series(
                "lesson 2, p = 0.1 lost",
                "p=0.1",
                "(1−p)/(1+2a)",
                |a| law::stop_and_wait(a, 0.1),
                lossy(0.1, PLANS, 250),
            ),
            series(
                "lesson 2, p = 0.3 lost",
                "p=0.3",
                "(1−p)/(1+2a)",
                |a| law::stop_and_wait(a, 0.3),
                lossy(0.3, PLANS, 250),
            ),
            series(
                "lesson 1, nothing lost",
                "lesson 1",
                "1/(2+2a)",
                |a| law::stop_and_wait_in_full(a, 0.0),
                DELAYS.iter().map(in_full).collect(),
            ),
        ],
    }
}

fn window() -> Experiment {
    let series = |name, short, program, size: f64, law: Law| {
        let job = move |a: &f64| {
            // No timeout is to be due: neither within a round trip nor while a window waits for the link.
            let way = Way::with_time_for((1.0 + 2.0 * a).max(size) * 1.1, *a);
            (way.a(), Job { program, way, loss: 0.0, messages: 400, plans: 1 })
        };
        Series { name, short, law: Some(("min(1, W/(1+2a))", law)), jobs: DELAYS.iter().map(job).collect() }
    };
    Experiment {
        slug: "window",
        title: "The gain of a window: several messages in each round trip",
        about: "Lesson 2 has one message on its way, lesson 4 up to a window of W; nothing is lost. Without \
                losses lesson 5 does exactly as lesson 4.",
        x: delays(),
        x_short: "a",
        series: vec![
            series("lesson 2, W = 1", "W=1", STOP_AND_WAIT, 1.0, |a| law::window(a, 1.0)),
            series("lesson 4, W = 2", "W=2", TWO, 2.0, |a| law::window(a, 2.0)),
            series("lesson 4, W = 4", "W=4", FOUR, 4.0, |a| law::window(a, 4.0)),
            series("lesson 4, W = 8", "W=8", EIGHT, 8.0, |a| law::window(a, 8.0)),
        ],
    }
}

/// Where a retransmission may have to wait for the link, the timeout must leave time for that.
fn room_for_repeats() -> Way {
    Way::with_time_for(1.0 + 2.0 * A + 2.0, A)
}

fn loss() -> Experiment {
    let jobs = |program, way, messages| {
        let job = move |loss: &f64| (*loss, Job { program, way, loss: *loss, messages, plans: PLANS });
        LOSSES.iter().map(job).collect()
    };
    Experiment {
        slug: "loss",
        title: "Go-back-N against selective repeat where datagrams are lost",
        about: "A link with 1+2a = 8, which a window of 8 just fills. The textbook's go-back-N learns of a \
                loss one round trip after the message was sent. That of lesson 4 has one timer, set anew \
                with each acknowledgement, and learns of it nearly one round trip later. Selective repeat \
                comes up to 1−p where its window is so large that it never stands still; with a window of 8 \
                it does, while the oldest message is repeated.",
        x: Axis::linear("p: the share of messages that is lost", &[0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]),
        x_short: "p",
        series: vec![
            Series {
                name: "lesson 5, W = 64",
                short: "SR, W=64",
                law: Some(("1−p", law::selective_repeat)),
                jobs: jobs(SELECTIVE_LARGE, room_for_repeats(), 1_000),
            },
            Series {
                name: "lesson 4, W = 8",
                short: "GBN, W=8",
                law: Some(("(1−p)/(1+2ap(2−p))", |p| law::go_back_n_with_one_timer(A, p))),
                jobs: jobs(EIGHT, Way::of_one_timeout(A), 500),
            },
            Series {
                name: "textbook’s go-back-N",
                short: "book’s GBN",
                law: Some(("(1−p)/(1+2ap)", |p| law::go_back_n(A, p))),
                jobs: Vec::new(),
            },
            Series {
                name: "lesson 5, W = 8, as measured",
                short: "SR, W=8",
                law: None,
                jobs: jobs(SELECTIVE_EIGHT, room_for_repeats(), 500),
            },
        ],
    }
}

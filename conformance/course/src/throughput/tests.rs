//! The measurements against their formulas, and that a wrong one is noticed.

use faultwire::machine::Machine;
use faultwire::time::Time;

use super::*;
use crate::Program;
use crate::datagrams::go_back_n::GoBackN;
use crate::datagrams::numbered::Numbered;
use crate::datagrams::patience::Fixed;
use crate::datagrams::selective_repeat::SelectiveRepeat;

/// Counts what it is told, and asks for the end once so many jobs are done.
struct EndsAfter<'a>(u64, &'a CancellationToken, [u64; 3]);

impl Progress for EndsAfter<'_> {
    fn begin(&mut self, steps: u64) {
        self.2[0] += steps;
    }
    fn starts(&mut self, _: &str) {
        self.2[1] += 1;
    }
    fn ran(&mut self, _: u64) {}
    fn done(&mut self, _: &str) {
        self.2[2] += 1;
        if self.2[2] == self.0 {
            self.1.cancel();
        }
    }
    fn end(&mut self) {}
}

#[test]
fn what_was_not_measured_to_its_end_is_left_out() {
    let token = CancellationToken::default();
    let mut progress = EndsAfter(1, &token, [0; 3]);
    let figures = measure_until(experiments(), &mut progress, &token).unwrap();
    assert!(figures.is_empty(), "one point is no figure");
    let [steps, begun, done] = progress.2;
    assert_eq!(begun, done);
    assert!((1..steps).contains(&done), "{done} of {steps}");
}

#[test]
fn every_point_is_near_its_formula() {
    for figure in measure(experiments()).unwrap() {
        let outliers = figure.outliers();
        assert!(outliers.is_empty(), "{}: {outliers:?}\n{}", figure.experiment.slug, figure.table());
        assert!(!figure.deviations().is_empty());
        for line in figure.table().lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        if figure.experiment.slug == "loss" {
            // What lesson 5 says.
            let at = |series: usize| figure.measured[series].iter().find(|(p, _)| *p == 0.1).unwrap().1;
            let (large, go_back_n, eight) = (at(0), at(1), at(3));
            assert!(go_back_n < 0.4 && (0.57..0.6).contains(&eight) && large > 0.89, "{}", figure.table());
        }
    }
}

/// An experiment with the same points and formulas, and another machine in all of them.
fn with(slug: &str, program: Program) -> Figure {
    let mut experiment = experiments().into_iter().find(|it| it.slug == slug).unwrap();
    experiment.series.truncate(2);
    for series in &mut experiment.series {
        for (_, job) in &mut series.jobs {
            job.program = program;
        }
    }
    measure(vec![experiment]).unwrap().remove(0)
}

#[test]
fn another_window_is_noticed() {
    let figure = with("window", Program::both(|| Box::new(GoBackN::with_window(3))));
    let outliers = figure.outliers();
    for series in ["lesson 2, W = 1", "lesson 4, W = 2"] {
        assert!(outliers.iter().any(|it| it.series == series), "{outliers:?}");
    }
}

/// Lesson 2's machine, which needs a moment before it answers.
#[derive(Default)]
struct Slow {
    machine: Numbered,
    now: Time,
    answer_at: Time,
}

impl Machine for Slow {
    fn is_ready(&self) -> bool {
        self.machine.is_ready()
    }
    fn send(&mut self, now: Time, message: &[u8]) {
        self.now = now;
        self.machine.send(now, message);
    }
    fn on_datagram(&mut self, now: Time, datagram: &[u8]) {
        self.now = now;
        if datagram[0] == 0 {
            self.answer_at = now + std::time::Duration::from_millis(20);
        }
        self.machine.on_datagram(now, datagram);
    }
    fn next_timer(&self) -> Option<Time> {
        let answers = (self.answer_at > self.now).then_some(self.answer_at);
        answers.into_iter().chain(self.machine.next_timer()).min()
    }
    fn on_timer(&mut self, now: Time) {
        self.now = now;
        if self.machine.next_timer().is_some_and(|timer| timer <= now) {
            self.machine.on_timer(now);
        }
    }
    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        if self.answer_at > self.now { None } else { self.machine.next_datagram() }
    }
    fn next_message(&mut self) -> Option<Vec<u8>> {
        self.machine.next_message()
    }
    fn is_done(&self) -> bool {
        self.machine.is_done()
    }
}

#[test]
fn an_answer_that_comes_late_is_noticed() {
    let job = |way| {
        let program =
            Program { client: || Box::new(Numbered::default()), server: || Box::new(Slow::default()) };
        Job { program, way, loss: 0.0, messages: 50, plans: 1 }
    };
    // Beyond the timeout the sender repeats what was not lost: that is no measurement.
    assert!(job(Way::of_one_timeout(1.0)).measure().is_err());
    let way = Way::with_time_for(4.0, 1.0);
    let (seen, expected) = (job(way).measure().unwrap(), law::stop_and_wait(way.a(), 0.0));
    assert!(seen < expected * (1.0 - TOLERANCE), "{seen} {expected}");
}

#[test]
fn without_losses_selective_repeat_does_as_go_back_n() {
    let way = Way::with_time_for(9.0, 3.0);
    let measured = |program| Job { program, way, loss: 0.0, messages: 100, plans: 1 }.measure().unwrap();
    let go_back_n = measured(Program::both(|| Box::new(GoBackN::default())));
    let selective = measured(Program::both(|| Box::new(SelectiveRepeat::<Fixed>::default())));
    assert_eq!(go_back_n, selective);
}

#[test]
fn the_same_plans_lose_about_what_they_are_to_lose() {
    let program = Program::both(|| Box::new(Numbered::default()));
    let job = Job { program, way: Way::of_one_timeout(1.0), loss: 0.2, messages: 500, plans: 1 };
    let (one, other) = (job.plan(0), job.plan(1));
    assert_eq!(one, job.plan(0));
    assert_ne!(one.faults, other.faults);
    for plan in [one, other] {
        let share = plan.faults.len() as f64 / 5_000.0;
        assert!((0.18..0.22).contains(&share), "{share}");
    }
}

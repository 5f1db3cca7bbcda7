//! Every lesson both ways: the believed program breaks under its recorded smallest plan, which the search
//! finds again; the mended one holds.

use faultwire_sim::End;

use super::document::{HeldRecord, held_records};
use super::{HoldOptions, LESSONS, Lesson, Side, find, hold};
use faultwire_conformance::progress::Silent;

/// How many random plans the mended programs are held against, if `FAULTWIRE_LESSON_CASES` says nothing.
/// As many as for the record in `held.toml`.
const CASES: u64 = 10_000;

fn cases() -> u64 {
    std::env::var("FAULTWIRE_LESSON_CASES")
        .map_or(CASES, |cases| cases.parse().expect("a number of random plans"))
}

fn named(name: &str) -> &'static Lesson {
    Lesson::named(name).unwrap_or_else(|| panic!("there is no lesson {name}"))
}

fn breaks(name: &str) {
    let lesson = named(name);
    let recorded = lesson.recorded().unwrap();
    let things = recorded.faults.len() + recorded.events.len();
    assert!(things <= 3, "{things} faults and events are too many for a lesson");
    let failed = lesson.scenarios(Side::Believed).iter().any(|scenario| {
        let run = scenario.run(&recorded);
        run.fired.all() && !matches!(run.end, End::Finished | End::Refused { .. })
    });
    assert!(failed, "the believed program holds under its recorded plan");
    let found = find(&lesson.scenarios(Side::Believed), lesson.shows, &mut Silent).unwrap();
    let found = found.expect("the search finds nothing");
    assert!(found.is_minimal);
    assert_eq!(
        lesson.to_record(&found).to_toml(),
        lesson.breaks,
        "another plan is found than the recorded one: cargo run -p faultwire-course --example \
         record_lessons"
    );
    for scenario in lesson.scenarios(Side::Mended) {
        let run = scenario.run(&recorded);
        assert_eq!(run.end, End::Finished, "the mended program, under the plan that breaks the believed one");
    }
}

fn holds(name: &str) {
    let lesson = named(name);
    let options = HoldOptions { exhaustive: 2, random: cases() };
    match hold(&|| lesson.scenarios(Side::Mended), options, &mut Silent).unwrap() {
        Ok(held) => {
            let tried = held.tried;
            assert_eq!(tried.pairs, tried.pairs_of);
            let mut recorded = held_records().unwrap()[name];
            if cases() != CASES {
                // What was recorded was tried otherwise.
                let HeldRecord { random, faults_planned, faults_fired, .. } = tried.into();
                recorded = HeldRecord { random, faults_planned, faults_fired, ..recorded };
            }
            assert_eq!(
                HeldRecord::from(tried),
                recorded,
                "lessons/held.toml: cargo run -p faultwire-course --example write_course held"
            );
            assert_eq!(
                tried.random + tried.without_hit,
                cases() * lesson.scenarios(Side::Mended).len() as u64
            );
        }
        Err(broken) => panic!("{}\n{}", broken.how, broken.run.plan.to_toml()),
    }
}

macro_rules! both_ways {
    ($($module:ident = $name:literal;)*) => {
        $(mod $module {
            #[test]
            fn the_believed_program_breaks() {
                super::breaks($name);
            }

            #[test]
            fn the_mended_program_holds() {
                super::holds($name);
            }
        })*

        #[test]
        fn no_lesson_goes_untested() {
            let names: Vec<_> = LESSONS.iter().map(|lesson| lesson.name).collect();
            assert_eq!(names, [$($name),*]);
        }
    };
}

both_ways! {
    plain_datagrams = "0";
    acknowledge_and_repeat = "1";
    sequence_numbers = "2";
    one_bit_is_not_enough = "3";
    go_back_n = "4";
    selective_repeat = "5";
    adaptive_timeout = "6";
    checksum = "7";
    flow_control = "8";
    opening_and_closing = "9";
    congestion_control = "10";
    one_read_is_not_one_message = "s1";
    a_short_write = "s2";
    half_close = "s3";
    a_dead_peer = "s4";
}

#[test]
fn every_text_is_whole() {
    for lesson in LESSONS {
        let title = format!("# Lesson {}: {}\n", lesson.name, lesson.title);
        assert!(lesson.text.starts_with(&title), "{title}");
        for heading in ["What one believes", "The idea", "The question"] {
            assert!(!lesson.section(heading).is_empty(), "lesson {}: {heading}", lesson.name);
        }
        let hints = lesson.hints("Rust");
        assert!(hints.len() >= 2, "lesson {}", lesson.name);
        if lesson.in_python().is_none() {
            continue;
        }
        // No hint speaks of the other language's calls.
        let python = lesson.hints("Python");
        assert_eq!(python.len(), hints.len(), "lesson {}", lesson.name);
        for word in ["on_datagram", "next_timer", "is_ready", "lesson::packet", "read_exact", "net."] {
            assert!(!python.concat().contains(word), "lesson {}: {word}", lesson.name);
        }
        for word in ["recvfrom", "sock.", "struct.", "socket.", "`recv`"] {
            assert!(!hints.concat().contains(word), "lesson {}: {word}", lesson.name);
        }
    }
}

#[test]
fn lessons_are_found_by_all_their_names() {
    for lesson in LESSONS {
        for name in [lesson.name, lesson.slug, &lesson.folder(), &format!("{:0>2}", lesson.name)] {
            assert_eq!(Lesson::named(name).map(|it| it.name), Some(lesson.name), "{name}");
        }
    }
    for wrong in ["", "-1", "99", "lesson"] {
        assert!(Lesson::named(wrong).is_none(), "{wrong}");
    }
}

#[test]
fn a_program_that_breaks_does_not_hold() {
    for (name, plan) in
        [("1", "drop client->server datagram 1"), ("2", "duplicate client->server datagram 1")]
    {
        let options = HoldOptions { exhaustive: 2, random: 20 };
        let broken = hold(&|| named(name).scenarios(Side::Believed), options, &mut Silent).unwrap();
        let broken = broken.expect_err("it holds");
        assert_eq!(faultwire_conformance::report::plan_in_words(&broken.run.plan), plan);
        assert!(!broken.how.is_empty() && broken.is_minimal);
    }
}

#[test]
fn a_search_that_hits_nothing_is_worth_nothing() {
    let silent = || vec![faultwire_sim::scenario("silent").client(|_| async { Ok(()) })];
    let options = HoldOptions { exhaustive: 2, random: 20 };
    let worthless = hold(&silent, options, &mut Silent).unwrap_err();
    assert!(worthless.to_string().contains("nothing was put on the wire"), "{worthless}");
    let found = find(&silent(), |_| true, &mut Silent).unwrap();
    assert!(found.is_none());
}

#[test]
fn the_mended_programs_pass_the_cases_and_each_case_takes_place() {
    for lesson in LESSONS {
        for trial in lesson.trials(super::Programs::Simulated) {
            let task = lesson.task.with(&trial).expect("a task with other messages");
            let name = &lesson.scenario_name();
            let scenarios = match &task {
                super::Task::Datagrams(exchange) => exchange.scenarios(name, &exchange.mended),
                // The first of several ways is the one that takes messages of any length.
                super::Task::Stream(dialogue) => dialogue.scenarios(name, &dialogue.mended[..1]),
                _ => panic!("lesson {} has cases", lesson.name),
            };
            for scenario in scenarios {
                let run = scenario.run(&trial.plan);
                assert_eq!(run.end, End::Finished, "lesson {}: {}", lesson.name, trial.about);
                assert!(run.fired.all(), "lesson {}: {}", lesson.name, trial.about);
            }
        }
    }
}

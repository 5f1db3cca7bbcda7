//! The document and its plots are those that the course makes, and what it links to is there.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn lessons() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("lessons")
}

#[test]
fn the_document_is_what_the_course_makes_of_itself() {
    let document = document().unwrap();
    let file = |name: &str| fs::read_to_string(lessons().join(name)).unwrap_or_default();
    let make = "cargo run -p faultwire-course --example write_course";
    let first_difference = |made: &str, kept: &str| {
        let pairs = made.lines().zip(kept.lines().map(Some).chain(std::iter::repeat(None)));
        let line = pairs.enumerate().find(|(_, (made, kept))| Some(*made) != *kept);
        line.map(|(number, (made, _))| format!("line {}: {made}", number + 1))
    };
    let kept = file("README.md");
    assert!(
        document.text == kept,
        "lessons/README.md is not what the lessons make of it ({:?}): {make}",
        first_difference(&document.text, &kept)
    );
    for (name, svg) in &document.plots {
        assert!(*svg == file(&format!("plots/{name}")), "lessons/plots/{name} is an old one: {make}");
    }
    let mut names: Vec<String> = document.plots.iter().map(|(name, _)| name.clone()).collect();
    let mut kept: Vec<String> = fs::read_dir(lessons().join("plots"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    kept.sort_unstable();
    assert_eq!(kept, names, "lessons/plots");
}

#[test]
fn what_the_document_links_to_is_there() {
    for lesson in LESSONS {
        let (believed, mended) = programs(lesson);
        assert!(!believed.is_empty() && !mended.is_empty() && believed != mended, "{}", lesson.name);
        for path in believed.iter().chain(&mended).chain([&format!("{}/breaks.toml", lesson.folder())]) {
            assert!(lessons().join(path).is_file(), "{path}");
        }
    }
    for path in ["../src/throughput/law.rs", "../src/throughput/way.rs"] {
        assert!(lessons().join(path).is_file(), "{path}");
    }
}

#[test]
fn headings_are_linked_to_as_they_are_called() {
    assert_eq!(anchor("Lesson s1: One read is not one message"), "lesson-s1-one-read-is-not-one-message");
    assert_eq!(anchor("Lesson 4: Go-back-N"), "lesson-4-go-back-n");
}

#[test]
fn there_is_a_record_of_every_lesson() {
    let records = held_records().unwrap();
    assert_eq!(records.len(), LESSONS.len());
    for lesson in LESSONS {
        assert!(records[lesson.name].random >= 10_000 - 100, "lesson {}", lesson.name);
    }
}

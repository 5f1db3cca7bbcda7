//! `faultwire lesson overview`: all lessons on one page, how far the learner is, and what to do next.

use std::path::PathBuf;

use askama::Template;

use super::super::error::{CommandError, unwritable};
use super::super::output;
use super::folder::{Folder, shown};
use faultwire_course::spoken::Spoken;
use faultwire_course::{LESSONS, Lesson, Task};

/// Write a page with all lessons, how far you are in the folders that lie here, and what to do next
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// Where to write it; what is there is overwritten
    #[arg(long, value_name = "FILE", default_value = "faultwire-lessons.html")]
    out: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<(), CommandError> {
    let page = Page::new(&Folder::all_here());
    let html = page.render().map_err(unwritable)?;
    output::emit_to(Some(&args.out), &html)?;
    let mut said = format!("{}: {} of {} lessons pass\n", shown(&args.out), page.passing, page.lessons);
    if let Some(next) = &page.next {
        said.push_str(&format!("Next: {}  (lesson {}, {})\n", next.command, next.name, next.title));
    }
    output::emit(&said)
}

/// The page, which needs nothing but itself.
#[derive(Template)]
#[template(path = "overview.html")]
struct Page {
    passing: usize,
    lessons: usize,
    next: Option<Next>,
    parts: Vec<Part>,
    style: &'static str,
    version: &'static str,
}

/// What to do next.
struct Next {
    name: &'static str,
    title: &'static str,
    line: &'static str,
    command: String,
}

/// A part of the course.
struct Part {
    title: &'static str,
    about: &'static str,
    rows: Vec<Row>,
}

/// A lesson.
struct Row {
    lesson: &'static Lesson,
    state: State,
    /// The folders of it, in words: where, how far.
    folders: Vec<[String; 2]>,
    ways: String,
}

/// How far a learner is in a lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Untouched,
    Started,
    Fails,
    Passes,
}

impl State {
    fn of(folder: &Folder) -> State {
        match (folder.progress.passes, folder.progress.checks) {
            (true, _) => State::Passes,
            (false, 0) => State::Started,
            (false, _) => State::Fails,
        }
    }

    fn key(self) -> &'static str {
        match self {
            State::Untouched => "untouched",
            State::Started => "started",
            State::Fails => "fails",
            State::Passes => "passes",
        }
    }

    fn word(self) -> &'static str {
        match self {
            State::Untouched => "not begun",
            State::Started => "started",
            State::Fails => "does not pass yet",
            State::Passes => "passes",
        }
    }

    fn sign(self) -> &'static str {
        match self {
            State::Untouched => "○",
            State::Started => "◔",
            State::Fails => "✗",
            State::Passes => "✓",
        }
    }
}

/// The parts of the course: their titles, what they are about, and how many lessons each has.
const PARTS: [(&str, &str, usize); 3] = [
    ("From a datagram to a reliable stream", "Each lesson mends what breaks in the one before it.", 7),
    (
        "What else a transport protocol does",
        "What comes damaged, too fast, too late, or too much at once.",
        4,
    ),
    ("On streams", "What TCP does for you, and what it leaves to your program.", usize::MAX),
];

impl Page {
    fn new(folders: &[Folder]) -> Page {
        let mut rows = LESSONS.iter().map(|lesson| Row::new(lesson, folders));
        let parts: Vec<Part> = PARTS
            .iter()
            .map(|&(title, about, count)| Part { title, about, rows: rows.by_ref().take(count).collect() })
            .collect();
        let rows = || parts.iter().flat_map(|part| &part.rows);
        // What was begun is to be ended first; then it goes on behind the last that passes.
        let done = rows().rfind(|row| row.state == State::Passes);
        let behind = rows().skip_while(|row| done.is_some_and(|done| done.lesson.name != row.lesson.name));
        let begun = rows().find(|row| matches!(row.state, State::Started | State::Fails));
        let untouched = |row: &&Row| row.state == State::Untouched;
        let next = begun.or_else(|| behind.clone().find(untouched)).or_else(|| rows().find(untouched));
        let next = next.map(|row| {
            let Lesson { name, title, line, .. } = *row.lesson;
            let begun = folders.iter().find(|folder| folder.lesson.name == name);
            let command = match begun {
                Some(folder) => format!("faultwire lesson check {}", shown(&folder.path)),
                None => format!("faultwire lesson start {name}"),
            };
            Next { name, title, line, command }
        });
        let passing = rows().filter(|row| row.state == State::Passes).count();
        let style = include_str!("overview/overview.css");
        Page { passing, lessons: LESSONS.len(), next, parts, style, version: env!("CARGO_PKG_VERSION") }
    }
}

impl Row {
    fn new(lesson: &'static Lesson, folders: &[Folder]) -> Row {
        let own = || folders.iter().filter(|folder| folder.lesson.name == lesson.name);
        let state = own().map(State::of).max().unwrap_or(State::Untouched);
        let folders = own().map(|folder| [shown(&folder.path), folder.words()]).collect();
        let any = match (&lesson.task, Spoken::of(lesson)) {
            (_, None) => "",
            (Task::Stream(_), Some(_)) => ", any language over TCP",
            (_, Some(_)) => ", any language over UDP",
        };
        let python = if lesson.in_python().is_some() { ", Python" } else { "" };
        Row { lesson, state, folders, ways: format!("Rust{python}{any}") }
    }
}

#[cfg(test)]
mod tests {
    use super::super::folder::Language;
    use super::*;

    fn folder(name: &str, path: &str, checks: u32, passes: bool) -> Folder {
        let lesson = Lesson::named(name).unwrap();
        let mut folder = Folder::new(path.into(), lesson, Language::Rust);
        (folder.progress.checks, folder.progress.passes) = (checks, passes);
        folder
    }

    fn next(folders: &[Folder]) -> Option<String> {
        Page::new(folders).next.map(|next| next.command)
    }

    #[test]
    fn what_was_begun_comes_first_and_then_what_was_not() {
        assert_eq!(next(&[]).as_deref(), Some("faultwire lesson start 0"));
        let zero = folder("0", "zero", 1, true);
        assert_eq!(next(std::slice::from_ref(&zero)).as_deref(), Some("faultwire lesson start 1"));
        let begun = [zero.clone(), folder("2", "two", 1, false)];
        assert_eq!(next(&begun).as_deref(), Some("faultwire lesson check two"));
        // What was left out on the way comes last.
        let last = LESSONS[LESSONS.len() - 1].name;
        assert_eq!(next(&[folder("2", "two", 1, true)]).as_deref(), Some("faultwire lesson start 3"));
        assert_eq!(next(&[folder(last, "last", 1, true)]).as_deref(), Some("faultwire lesson start 0"));
        // One that passes is enough.
        let twice = [zero, folder("0", "again", 0, false)];
        assert_eq!(next(&twice).as_deref(), Some("faultwire lesson start 1"));
        let all: Vec<Folder> = LESSONS.iter().map(|lesson| folder(lesson.name, "x", 1, true)).collect();
        assert_eq!(next(&all), None);
    }

    #[test]
    fn a_folder_s_name_controls_neither_terminal_nor_page() {
        let page = Page::new(&[folder("1", "red\u{1b}[31m\u{202e}\n\u{7}", 1, false)]);
        let html = page.render().unwrap();
        let next = page.next.expect("it was begun").command;
        assert!(next.starts_with("faultwire lesson check red"), "{next}");
        for text in [next, html.replace(['\n', '\t'], "")] {
            let is_bad = |c: char| c.is_control() || c == '\u{202e}';
            assert!(!text.contains(is_bad), "{text:?}");
        }
    }

    #[test]
    fn every_lesson_is_on_the_page_and_no_name_of_a_folder_is_markup() {
        let page = Page::new(&[folder("1", "<script>alert(1)</script>", 2, false)]);
        assert!(page.parts.iter().all(|part| !part.rows.is_empty()));
        assert_eq!(page.parts[2].rows.len(), 4);
        let html = page.render().unwrap();
        for lesson in LESSONS {
            assert!(html.contains(lesson.title), "{}", lesson.title);
        }
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains("http"), "it needs nothing but itself");
    }
}

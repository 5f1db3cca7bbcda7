//! A learner's folder: which lesson it is for, and how far the learner is.
//!
//! That is kept in a small file in the folder. A file that is damaged or gone is no obstacle: the name of the
//! folder says which lesson it is, and counting begins anew.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::DateTime;
use faultwire::files;
use serde::{Deserialize, Serialize};

use super::super::error::{CommandError, unwritable, usage};
use super::super::output;
use faultwire_conformance::report::harmless;
use faultwire_course::{LESSONS, Lesson};

/// The file's name.
pub(super) const FILE: &str = ".faultwire-progress.toml";

/// The file's format.
const FORMAT: u32 = 1;

/// No such file is longer, in bytes.
const BYTES_MAX: u64 = 4_096;

/// The most folders that are looked at for an overview.
const FOLDERS_MAX: usize = 1_000;

/// A language that a learner writes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Language {
    // A machine, held against every plan in simulation.
    #[default]
    Rust,
    // A client and a server over real sockets.
    Python,
}

impl Language {
    /// Its name, as the headings of hints have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Language::Rust => "Rust",
            Language::Python => "Python",
        }
    }
}

/// How far a learner is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Progress {
    format: u32,
    /// The lesson's name.
    pub(super) lesson: String,
    pub(super) language: Language,
    /// How often it was checked.
    pub(super) checks: u32,
    /// Whether the last check passed.
    pub(super) passes: bool,
    /// When the last check was, in seconds since 1970; 0 where that is not known.
    pub(super) checked_at: u64,
    /// How many hints were shown.
    pub(super) hints: u32,
}

/// A learner's folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) lesson: &'static Lesson,
    pub(super) progress: Progress,
    /// What is wrong with the file, if something is.
    pub(super) damage: Option<String>,
}

impl Folder {
    /// What a new folder is called: `lesson-1-acknowledge-and-repeat`.
    pub(super) fn name_of(lesson: &Lesson) -> String {
        format!("lesson-{}-{}", lesson.name.to_lowercase(), lesson.slug)
    }

    /// A new one, in which nothing was done yet.
    pub(super) fn new(path: PathBuf, lesson: &'static Lesson, language: Language) -> Folder {
        let progress =
            Progress { format: FORMAT, lesson: lesson.name.to_owned(), language, ..Progress::default() };
        Folder { path, lesson, progress, damage: None }
    }

    /// The folder at a path.
    ///
    /// # Errors
    /// If it is not a lesson's folder.
    pub(super) fn open(path: &Path) -> Result<Folder, CommandError> {
        Folder::look(path).ok_or_else(|| {
            usage(format!("{} is not the folder of a lesson", shown(path)))
                .help("`faultwire lesson start 1` makes one; give its path, or go there")
        })
    }

    /// What a word on the command line names: a lesson, with a folder of it that lies here, if there is one;
    /// or a folder.
    ///
    /// # Errors
    /// Where it is neither.
    pub(super) fn named(word: &str) -> Result<(&'static Lesson, Option<Folder>), CommandError> {
        match Lesson::named(word) {
            Some(lesson) if !Path::new(word).is_dir() => {
                let here = Folder::all_here().into_iter().find(|folder| folder.lesson.name == lesson.name);
                Ok((lesson, here))
            }
            _ => {
                let folder = Folder::open(Path::new(word))?;
                Ok((folder.lesson, Some(folder)))
            }
        }
    }

    /// The folder at a path, if it is one.
    fn look(path: &Path) -> Option<Folder> {
        let damage = match read(&path.join(FILE)) {
            Ok(text) => match toml::from_str::<Progress>(&text) {
                Ok(progress) if progress.format != FORMAT => {
                    Some(format!("its format is {}, and this program knows {FORMAT}", progress.format))
                }
                Ok(progress) => match Lesson::named(&progress.lesson) {
                    Some(lesson) => {
                        return Some(Folder { path: path.to_owned(), lesson, progress, damage: None });
                    }
                    None => Some(format!("there is no lesson `{}`", progress.lesson.escape_debug())),
                },
                Err(error) => Some(error.message().to_owned()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(error.to_string()),
        };
        // What is left is the name, and what lies there.
        let whole = path.canonicalize().ok()?;
        let name = whole.file_name()?.to_str()?;
        let lesson = *LESSONS.iter().find(|lesson| Folder::name_of(lesson) == name)?;
        let language = if path.join("client.py").exists() { Language::Python } else { Language::Rust };
        Some(Folder { damage, ..Folder::new(path.to_owned(), lesson, language) })
    }

    /// Those of the current folder: itself, and those in it, by name.
    pub(super) fn all_here() -> Vec<Folder> {
        let mut paths: Vec<PathBuf> = vec![PathBuf::from(".")];
        if let Ok(entries) = fs::read_dir(".") {
            paths.extend(entries.flatten().take(FOLDERS_MAX).map(|entry| PathBuf::from(entry.file_name())));
        }
        paths.sort();
        // A folder that only has the name of one was not started here.
        paths.retain(|path| path.join(FILE).is_file());
        paths.iter().filter_map(|path| Folder::look(path)).collect()
    }

    /// Writes how far the learner is. The file is there whole, or as it was before.
    ///
    /// # Errors
    /// As writing's.
    pub(super) fn save(&self) -> Result<(), CommandError> {
        let text = toml::to_string(&self.progress).map_err(unwritable)?;
        let text = format!("# How far you are, for `faultwire lesson`. It can be deleted.\n{text}");
        output::emit_to(Some(&self.path.join(FILE)), &text)
    }

    /// How far the learner is, in words.
    pub(super) fn words(&self) -> String {
        let Progress { checks, passes, hints, .. } = self.progress;
        let counted = |count: u32, what: &str| match count {
            0 => String::new(),
            1 => format!(", 1 {what}"),
            _ => format!(", {count} {what}s"),
        };
        let state = if passes {
            "passes"
        } else if checks > 0 {
            "does not pass yet"
        } else {
            "started"
        };
        let last = self.progress.checked_on().map_or(String::new(), |day| format!(", the last on {day}"));
        format!("{state}{}{last}{}", counted(checks, "check"), counted(hints, "hint"))
    }
}

/// A path that is safe to show on a terminal or a page: a folder may have any name.
pub(super) fn shown(path: &Path) -> String {
    harmless(&path.display().to_string()).replace('\n', "\u{fffd}")
}

impl Progress {
    /// Notes a check that was made now.
    pub(super) fn checked(&mut self, passes: bool) {
        self.checks = self.checks.saturating_add(1);
        self.passes = passes;
        self.checked_at = now();
    }

    /// The day of the last check (UTC).
    fn checked_on(&self) -> Option<String> {
        let at = i64::try_from(self.checked_at).ok().filter(|at| *at > 0)?;
        Some(DateTime::from_timestamp(at, 0)?.date_naive().to_string())
    }
}

/// In seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a learner wants to know on which day something was checked")]
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A file's text, if it is not too long.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    files::open(path)?.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("lesson-2-sequence-numbers");
        fs::create_dir(&path).expect("a folder");
        (root, path)
    }

    #[test]
    fn what_is_kept_is_found_again() {
        let (_root, path) = folder();
        let lesson = Lesson::named("1").expect("a lesson");
        let mut made = Folder::new(path.clone(), lesson, Language::Python);
        made.progress.checks = 3;
        made.progress.hints = 1;
        made.save().unwrap();
        let found = Folder::open(&path).unwrap();
        // The file counts, not the name.
        assert_eq!((found.lesson.name, found.progress.clone()), ("1", made.progress));
        assert_eq!(found.words(), "does not pass yet, 3 checks, 1 hint");
    }

    #[test]
    fn a_check_is_noted_with_its_day() {
        let mut folder = Folder::new(PathBuf::new(), LESSONS[1], Language::Rust);
        folder.progress.checked(true);
        assert!(folder.words().starts_with("passes, 1 check, the last on 20"), "{}", folder.words());
        for (at, day) in [(951_782_400, Some("2000-02-29")), (u64::MAX, None), (0, None)] {
            folder.progress.checked_at = at;
            assert_eq!(folder.progress.checked_on().as_deref(), day);
        }
    }

    #[test]
    fn damage_costs_the_counts_and_nothing_else() {
        let (_root, path) = folder();
        let long = "# ".repeat(1 << 20);
        for damage in [
            "\0\0",
            "format = 9\nlesson = \"2\"",
            "format = 1\nlesson = \"99\"",
            "format = 1\nchecks = -1",
            &long,
        ] {
            fs::write(path.join(FILE), damage).unwrap();
            let found = Folder::open(&path).unwrap();
            assert_eq!((found.lesson.name, found.progress.checks), ("2", 0));
            assert!(found.damage.is_some(), "{damage:.40}");
            found.save().unwrap();
            assert_eq!(Folder::open(&path).unwrap().damage, None);
        }
        fs::remove_file(path.join(FILE)).unwrap();
        assert_eq!(Folder::open(&path).unwrap().damage, None);
        assert!(Folder::open(path.parent().unwrap()).is_err());
        assert!(Folder::open(Path::new("/no/such/folder")).is_err());
    }
}

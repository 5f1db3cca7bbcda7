//! `faultwire lesson`.

mod check;
mod folder;
mod hint;
mod overview;
mod run;
mod start;
mod throughput;

use clap::Subcommand;

use super::error::{CommandError, usage};
use super::output;
use faultwire_conformance::exit;
use faultwire_conformance::report::paragraph;
use faultwire_course::{LESSONS, Lesson};
use folder::{Folder, shown};

/// The course: from a datagram to a reliable stream, by programs that break and the ideas that mend them
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// List the lessons, and how far you are in the folders that lie here
    List,
    /// Show a lesson's text: what one believes, what is asked for, the idea, a question
    Show {
        #[command(flatten)]
        lesson: Named,
    },
    /// Find the smallest plan of faults that breaks the program that believes, and hold the mended one
    /// against all
    Run(run::Args),
    Start(start::Args),
    Check(check::Args),
    Hint(hint::HintArgs),
    Solution(hint::SolutionArgs),
    Overview(overview::Args),
    Throughput(throughput::Args),
}

/// Which lesson.
#[derive(Clone, Debug, clap::Args)]
struct Named {
    /// The lesson: its number, or a word such as `sequence-numbers`
    #[arg(value_name = "LESSON")]
    lesson: String,
}

impl Named {
    fn find(&self) -> Result<&'static Lesson, CommandError> {
        Lesson::named(&self.lesson).ok_or_else(|| {
            let slugs = LESSONS.iter().map(|lesson| lesson.slug);
            let nearest = super::select::nearest(&self.lesson, slugs);
            usage(format!("there is no lesson `{}`", self.lesson))
                .did_you_mean(nearest, "`faultwire lesson list` lists them")
        })
    }
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    match &args.what {
        What::List => output::emit(&list(&Folder::all_here(), output::width()))?,
        What::Show { lesson } => output::emit(&show(lesson.find()?))?,
        What::Run(args) => return run::run(args),
        What::Start(args) => return start::run(args),
        What::Check(args) => return check::run(args),
        What::Hint(args) => return hint::hint(args),
        What::Solution(args) => return hint::solution(args),
        What::Overview(args) => overview::run(args)?,
        What::Throughput(args) => return throughput::run(args),
    }
    Ok(exit::AS_CLAIMED)
}

fn list(folders: &[Folder], width: usize) -> String {
    let mut out = String::new();
    for lesson in LESSONS {
        paragraph(&mut out, &format!("{:>3}  ", lesson.name), lesson.title, width);
        paragraph(&mut out, "     ", lesson.line, width);
        for folder in folders.iter().filter(|folder| folder.lesson.name == lesson.name) {
            paragraph(&mut out, "     → ", &format!("{}: {}", shown(&folder.path), folder.words()), width);
        }
    }
    out.push('\n');
    for (command, what) in [
        ("faultwire lesson run N", "see the program of lesson N break, and how it is mended"),
        ("faultwire lesson start N", "do it yourself"),
        ("faultwire lesson overview", "all of it as a page, with what to do next"),
        ("faultwire lesson throughput", "what the programs of the lessons make of a link"),
        ("conformance/course/lessons/README.md", "the whole course, with its plans and diagrams"),
    ] {
        paragraph(&mut out, &format!("{command}: "), what, width);
    }
    out
}

/// The text as it is, up to the hints.
fn show(lesson: &Lesson) -> String {
    let text = lesson.text.split_once("\n## Hints").map_or(lesson.text, |(text, _)| text);
    format!("{}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::folder::Language;
    use super::*;

    #[test]
    fn nothing_is_too_wide() {
        let texts: String = LESSONS.iter().map(|lesson| lesson.text).collect();
        let mut folder = Folder::new(Folder::name_of(LESSONS[3]).into(), LESSONS[3], Language::Rust);
        folder.progress.checked(false);
        for (text, width) in [(list(&[folder.clone()], 40), 40), (list(&[folder], 80), 80), (texts, 80)] {
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}: {text}");
        }
    }
}

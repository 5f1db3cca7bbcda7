//! `faultwire lesson hint` and `faultwire lesson solution`.

use std::path::{Path, PathBuf};

use super::super::error::CommandError;
use super::super::output;
use super::Named;
use super::folder::{Folder, Language};
use crate::exit;
use crate::lesson::Lesson;

/// Show the next hint of a lesson
#[derive(Clone, Debug, clap::Args)]
pub(super) struct HintArgs {
    /// The lesson's folder, which remembers which hints were shown; or a lesson
    #[arg(value_name = "DIR|LESSON", default_value = ".")]
    of: String,
    /// That hint, not the next one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=99))]
    number: Option<u32>,
}

/// Show a lesson's mended program
#[derive(Clone, Debug, clap::Args)]
pub(super) struct SolutionArgs {
    #[command(flatten)]
    lesson: Named,
    /// In which language
    #[arg(long, value_enum, default_value_t)]
    language: Language,
}

/// Shows a hint: of a folder the next one each time, of a lesson the next one of its folder here, or the first.
pub(super) fn hint(args: &HintArgs) -> Result<u8, CommandError> {
    let (lesson, mut folder) = match Lesson::named(&args.of) {
        Some(lesson) if !Path::new(&args.of).is_dir() => {
            (lesson, Folder::all_here().into_iter().find(|folder| folder.lesson.name == lesson.name))
        }
        _ => {
            let folder = Folder::open(&PathBuf::from(&args.of))?;
            (folder.lesson, Some(folder))
        }
    };
    let hints = lesson.hints();
    let count = u32::try_from(hints.len()).unwrap_or(u32::MAX);
    let shown = folder.as_ref().map_or(0, |folder| folder.progress.hints);
    // Behind the last one there is the last one.
    let number = args.number.unwrap_or(shown.saturating_add(1)).min(count);
    let Some(text) = (number as usize).checked_sub(1).and_then(|index| hints.get(index)) else {
        return Err(CommandError::Lesson {
            what: format!("lesson {} has no hints", lesson.name),
            help: format!("`faultwire lesson show {}` shows its text", lesson.name),
            code: exit::USAGE,
            source: None,
        });
    };
    let mut out = format!("Hint {number} of {count} for lesson {}:\n\n{text}\n", lesson.name);
    if number == count {
        out.push_str(&format!("\nThat was the last one: faultwire lesson solution {}\n", lesson.name));
    } else if folder.is_none() {
        out.push_str(&format!(
            "\nThe next one: faultwire lesson hint {} --number {}\n",
            lesson.name,
            number + 1
        ));
    }
    output::emit(&out)?;
    if let Some(folder) = &mut folder {
        folder.progress.hints = shown.max(number);
        folder.save()?;
    }
    Ok(exit::AS_CLAIMED)
}

/// Prints the mended program.
pub(super) fn solution(args: &SolutionArgs) -> Result<u8, CommandError> {
    let lesson = args.lesson.find()?;
    let none = |language: &str| CommandError::Lesson {
        what: format!("lesson {} has no program in {language} to show", lesson.name),
        help: format!("conformance/lessons/{} has what there is", lesson.folder()),
        code: exit::USAGE,
        source: None,
    };
    match args.language {
        Language::Rust => output::emit(&lesson.in_rust().ok_or_else(|| none("Rust"))?.solution())?,
        Language::Python => {
            let pair = lesson.in_python().ok_or_else(|| none("Python"))?.mended;
            output::emit(&format!("# client.py\n{}\n\n# server.py\n{}", pair.client, pair.server))?;
        }
    }
    Ok(exit::AS_CLAIMED)
}

//! `faultwire lesson hint` and `faultwire lesson solution`.

use super::super::error::{CommandError, usage};
use super::super::output;
use super::folder::{Folder, Language};
use faultwire_conformance::exit;

/// Show the next hint of a lesson
#[derive(Clone, Debug, clap::Args)]
pub(super) struct HintArgs {
    /// The lesson's folder, which remembers which hints were shown; or a lesson
    #[arg(value_name = "DIR|LESSON", default_value = ".")]
    of: String,
    /// Show that hint, not the next one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=99))]
    number: Option<u32>,
    /// For programs in that language [default: the folder's, or rust]
    #[arg(long, value_enum)]
    language: Option<Language>,
}

/// Show a lesson's mended program
#[derive(Clone, Debug, clap::Args)]
pub(super) struct SolutionArgs {
    /// The lesson's folder, or a lesson
    #[arg(value_name = "DIR|LESSON", default_value = ".")]
    of: String,
    /// In which language [default: the folder's, or rust]
    #[arg(long, value_enum)]
    language: Option<Language>,
}

/// The language that was asked for, or the folder's.
fn language(asked: Option<Language>, folder: Option<&Folder>) -> Language {
    asked.or(folder.map(|folder| folder.progress.language)).unwrap_or_default()
}

/// Shows a hint: of a folder the next one each time, of a lesson the next one of its folder here, or the
/// first.
pub(super) fn hint(args: &HintArgs) -> Result<u8, CommandError> {
    let (lesson, mut folder) = Folder::named(&args.of)?;
    let language = language(args.language, folder.as_ref());
    let hints = lesson.hints(language.name());
    let count = u32::try_from(hints.len()).unwrap_or(u32::MAX);
    let shown = folder.as_ref().map_or(0, |folder| folder.progress.hints);
    // Behind the last one there is the last one.
    let number = args.number.unwrap_or(shown.saturating_add(1)).min(count);
    let Some(text) = (number as usize).checked_sub(1).and_then(|index| hints.get(index)) else {
        return Err(usage(format!("lesson {} has no hints", lesson.name))
            .help(format!("`faultwire lesson show {}` shows its text", lesson.name)));
    };
    let in_language = match language {
        Language::Rust => "",
        Language::Python => " --language python",
    };
    let mut out = format!("Hint {number} of {count} for lesson {}:\n\n{text}\n", lesson.name);
    if number == count {
        let name = lesson.name;
        out.push_str(&format!("\nThat was the last one: faultwire lesson solution {name}{in_language}\n"));
    } else if folder.is_none() {
        let (name, next) = (lesson.name, number + 1);
        out.push_str(&format!("\nThe next one: faultwire lesson hint {name} --number {next}{in_language}\n"));
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
    let (lesson, folder) = Folder::named(&args.of)?;
    let language = language(args.language, folder.as_ref());
    let none = || {
        usage(format!("lesson {} has no program in {} to show", lesson.name, language.name()))
            .help(format!("conformance/course/lessons/{} has the programs that there are", lesson.folder()))
    };
    match language {
        Language::Rust => output::emit(&lesson.in_rust().ok_or_else(none)?.solution())?,
        Language::Python => {
            let pair = lesson.in_python().ok_or_else(none)?.mended;
            output::emit(&format!("# client.py\n{}\n\n# server.py\n{}", pair.client, pair.server))?;
        }
    }
    Ok(exit::AS_CLAIMED)
}

//! `faultwire replay --all`: replays every plan of a folder.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use faultwire_sim::testbed::TestbedRef;
use faultwire_sim::{CancellationToken, End};

use super::super::bar::Bar;
use super::super::error::{CommandError, usage};
use super::super::given::{Given, given};
use super::super::{ctrl_c, output};
use super::say::{self, Wrong};
use faultwire_conformance::claim::Modality;
use faultwire_conformance::engine::{self, ReplayOptions, Still};
use faultwire_conformance::exit;
use faultwire_conformance::progress::Progress as _;
use faultwire_conformance::report::{harmless, paragraph};

/// The result of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Became {
    /// It still witnesses its possible claim.
    Shows,
    /// The guaranteed claim that it once broke now holds.
    Held,
    /// It names no claim, and its run ended well.
    Fine,
    /// It no longer witnesses its claim.
    Gone,
    /// It breaks a guaranteed claim, its own or another.
    Broken,
    /// Its run failed or stalled, or a planned fault was not applied.
    Failed,
    /// The testbed cannot run it or cannot judge it.
    Skipped,
    /// The testbed supports it, but the run could not be made, so its result is unknown.
    Undone,
    /// The file is wrong.
    Wrong,
}

impl Became {
    const ALL: [Became; 9] = [
        Became::Shows,
        Became::Held,
        Became::Fine,
        Became::Gone,
        Became::Broken,
        Became::Failed,
        Became::Skipped,
        Became::Undone,
        Became::Wrong,
    ];

    fn words(self) -> &'static str {
        match self {
            Became::Shows => "still witnesses it",
            Became::Held => "no longer breaks it",
            Became::Fine => "ended well",
            Became::Gone => "NO LONGER witnesses it",
            Became::Broken => "BROKEN",
            Became::Failed => "FAILED",
            Became::Skipped => "skipped",
            Became::Undone => "NOT RUN",
            Became::Wrong => "WRONG",
        }
    }

    /// Like `words`, but for a count of plans.
    fn counted(self, count: usize) -> String {
        let words = match self {
            Became::Shows => "still witnessed",
            Became::Held => "no longer broken",
            Became::Gone => "NO LONGER witnessed",
            _ => self.words(),
        };
        format!("{count} {words}")
    }
}

/// An entry of the list.
struct Line {
    name: String,
    claim: Option<&'static str>,
    result: Became,
    /// How it showed, or why not.
    how: String,
}

/// Replays every plan file of a folder.
pub(super) fn run(folder: &Path, testbed: TestbedRef, seed: u64) -> Result<u8, CommandError> {
    let files = plan_files(folder)?;
    let token = ctrl_c::listen();
    let lines = {
        let mut bar = Bar::new();
        bar.begin(files.len() as u64);
        let lines: Vec<Line> = files
            .iter()
            .map_while(|path| {
                if token.is_cancelled() {
                    return None;
                }
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                bar.starts(&name);
                tracing::debug!(plan = %harmless(&name), "replaying");
                let line = replayed(path, &name, testbed, seed, &token);
                bar.ran(1);
                bar.done(&name);
                // A canceled run proves nothing.
                (!token.is_cancelled() || line.result != Became::Skipped).then_some(line)
            })
            .collect();
        bar.end();
        lines
    };
    let width = output::width();
    let mut said = if lines.is_empty() { String::new() } else { list(&lines, testbed, width) };
    let code = exit_code(&lines);
    let left = files.len() - lines.len();
    if left == 0 {
        output::emit(&said)?;
        return Ok(code);
    }
    let (plans, was) =
        (if files.len() == 1 { "plan" } else { "plans" }, if left == 1 { "was" } else { "were" });
    let _ = writeln!(said, "INTERRUPTED: {left} of {} {plans} {was} not replayed", files.len());
    output::emit(&said)?;
    Ok(if code == exit::AS_CLAIMED { exit::INTERRUPTED } else { code })
}

/// The files of a folder whose names end in `.toml`, in the order of their names.
fn plan_files(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let unlisted =
        |error: io::Error| usage(format!("cannot list the folder {}", folder.display())).because(error);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unlisted)? {
        let path = entry.map_err(unlisted)?.path();
        if path.extension() == Some(OsStr::new("toml")) && !path.is_dir() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(usage(format!("the folder {} holds no plan file", folder.display()))
            .help("plan files have names that end in .toml"));
    }
    files.sort();
    Ok(files)
}

fn replayed(path: &Path, name: &str, testbed: TestbedRef, seed: u64, token: &CancellationToken) -> Line {
    let line = |claim, result, how: String| Line { name: name.to_owned(), claim, result, how };
    let Given { plan, study, claim } = match given(path, None) {
        Ok(given) => given,
        Err(error) => return line(None, Became::Wrong, error.in_a_line()),
    };
    let id = claim.map(|claim| claim.id);
    if let Some(why) = study.refusal(testbed) {
        return line(id, Became::Skipped, why.to_owned());
    }
    let replayed = engine::replay_until(&ReplayOptions { study, plan, testbed, seed }, token);
    if let End::Refused { why, is_trouble } = &replayed.run.end {
        return line(id, if *is_trouble { Became::Undone } else { Became::Skipped }, why.clone());
    }
    let still = claim.map(|claim| (claim.modality, replayed.still(claim, study, testbed)));
    let wrong = say::wrong(&replayed);
    match (still, wrong) {
        (Some((Modality::Guaranteed, Still::Shows(how))), _) => line(id, Became::Broken, how),
        (Some((_, Still::CannotTell(why))), None) => line(id, Became::Skipped, why),
        (Some((Modality::Possible, Still::Gone(why))), _) => line(id, Became::Gone, why),
        (_, Some(Wrong::Breaks(how))) => line(id, Became::Broken, how),
        (_, Some(Wrong::Fails(how))) => line(id, Became::Failed, how),
        (Some((Modality::Possible, Still::Shows(how))), None) => line(id, Became::Shows, how),
        (Some((_, Still::Gone(why))), None) => line(id, Became::Held, why),
        (None, None) => line(id, Became::Fine, "it names no claim".to_owned()),
    }
}

/// Lists each plan with its result and the reason, in lines of at most `width` columns.
fn list(lines: &[Line], testbed: TestbedRef, width: usize) -> String {
    let results = lines.iter().map(|line| line.result.words().chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for Line { name, claim, result, how } in lines {
        let _ = writeln!(out, "{:results$}  {}", result.words(), harmless(name));
        // What an error says may have lines of its own: a paragraph has none.
        let how = claim.map_or_else(|| how.clone(), |claim| format!("{claim}: {how}"));
        paragraph(&mut out, "    ", &how, width);
    }
    let count = |became| lines.iter().filter(|line| line.result == became).count();
    let counts: Vec<String> = Became::ALL
        .into_iter()
        .filter(|became| count(*became) > 0)
        .map(|became| became.counted(count(became)))
        .collect();
    let plans = if lines.len() == 1 { "1 plan".to_owned() } else { format!("{} plans", lines.len()) };
    out.push('\n');
    let sum = format!("{plans} on {}: {}", testbed, counts.join(", "));
    paragraph(&mut out, "", &sum, width);
    out
}

/// A wrong file outweighs all else: its result is unknown.
fn exit_code(lines: &[Line]) -> u8 {
    let any = |of: &[Became]| lines.iter().any(|line| of.contains(&line.result));
    if any(&[Became::Wrong]) {
        exit::USAGE
    } else if any(&[Became::Undone]) {
        exit::INTERNAL
    } else if any(&[Became::Gone, Became::Broken, Became::Failed]) {
        exit::CLAIM_FAILED
    } else {
        exit::AS_CLAIMED
    }
}

//! Measures both sides, and compares.

use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;

use faultwire::lab::{LabError, Profile, Refusal, Setting};
use faultwire::stack::Mutant;
use faultwire_sim::workers;
use serde::Serialize;

use super::bench::{Bench, Subject, Trouble};
use super::experiments::{ALL, Experiment};
use super::figure::{Allowed, Figure, Measured};
use super::seen::Seen;
use super::value::Value;
use crate::progress::Progress;

/// The version of the comparison's JSON.
pub const FORMAT: u32 = 1;

/// The most rounds of an experiment. It is retried if a figure differs and nothing explains it, because a
/// busy machine is late too. The majority of the rounds counts.
const ROUNDS: usize = 3;

/// The options of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The settings of the kernel, on both sides.
    pub profile: Profile,
    /// A bug that our stack is given, to see it noticed.
    pub mutant: Option<Mutant>,
    /// The figures to measure, by their names; all, if none is named.
    pub figures: &'a [String],
    /// The `faultwire` command, which is started again to make hosts.
    pub program: &'a Path,
}

/// The result of a comparison.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The version of this format.
    pub format: u32,
    /// The profile's name.
    pub profile: &'static str,
    /// Settings of it that the kernel did not take, each with the error.
    pub unset: Vec<String>,
    /// The figures.
    pub figures: Vec<Line>,
}

/// A figure of both sides.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Line {
    /// A stable name.
    pub id: &'static str,
    /// What it is.
    pub title: &'static str,
    /// What Linux does.
    pub linux: Option<Value>,
    /// What our stack does.
    pub faultwire: Option<Value>,
    /// The verdict.
    pub verdict: Verdict,
    /// Where they differ: what allows it.
    pub allowed: Option<Allowed>,
    /// Where it was not measured: why.
    pub why: Option<String>,
    /// How often it was measured: more than once where it could not be explained at first. Most rounds were
    /// like this.
    pub rounds: usize,
}

/// The verdict on a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Both are the same, within the tolerance.
    Same,
    /// They differ, and a sentence of an RFC allows it.
    Allowed,
    /// They differ, and no sentence that is known allows it.
    NotExplained,
    /// A side did not show it.
    NotMeasured,
}

impl Comparison {
    /// Whether every figure was measured on both sides, and every difference is allowed.
    pub fn is_explained(&self) -> bool {
        self.figures.iter().all(Line::is_explained)
    }
}

impl Line {
    /// Whether it was measured on both sides, and a difference is allowed.
    pub fn is_explained(&self) -> bool {
        matches!(self.verdict, Verdict::Same | Verdict::Allowed)
    }
}

/// Why there is no comparison.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// There is no figure of that name.
    #[error("there is no figure `{found}`; there are: {}", names().collect::<Vec<_>>().join(", "))]
    UnknownFigure {
        /// The name that was looked for.
        found: String,
    },
    /// The machine refuses the lab.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The machine refuses a process for the lab.
    #[error("the lab's helper cannot be started: {0}")]
    Start(io::Error),
}

/// The names of all figures, in the order of the report.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().flat_map(|experiment| experiment.figures).map(|figure| figure.id)
}

/// What a run of one side gave.
type Shown = Result<(Seen, Vec<Setting>), Trouble>;

/// Measures figures on both sides, all experiments side by side, and compares them. A step of its progress is
/// an experiment; an unexplained one is retried, which is a further step.
///
/// # Errors
/// [`CompareError::UnknownFigure`]; [`CompareError::Refused`] or [`CompareError::Start`] where the machine
/// refuses the lab. An error in a run leaves its figures not measured.
pub fn compare(options: &Options<'_>, progress: &mut dyn Progress) -> Result<Comparison, CompareError> {
    if let Some(found) = options.figures.iter().find(|wanted| !names().any(|name| name == **wanted)) {
        return Err(CompareError::UnknownFigure { found: found.clone() });
    }
    let is_wanted =
        |figure: &&Figure| options.figures.is_empty() || options.figures.iter().any(|name| name == figure.id);
    let mut unset = Vec::new();
    // Of each experiment, what each of its rounds gave.
    let mut rounds: Vec<Vec<Vec<Line>>> = ALL.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        let is_open = |index: &usize| {
            let is_asked_for = ALL[*index].figures.iter().any(|figure| is_wanted(&figure));
            // The first round settles it, or it takes all of them.
            let is_settled =
                matches!(rounds[*index].as_slice(), [only] if only.iter().all(Line::is_explained));
            is_asked_for && !is_settled
        };
        let todo: Vec<usize> = (0..ALL.len()).filter(is_open).collect();
        for (index, [linux, faultwire]) in todo.iter().copied().zip(side_by_side(options, &todo, progress)) {
            for side in [&linux, &faultwire] {
                match side {
                    Ok((_, absent)) => unset.clone_from(absent),
                    Err(Trouble::Lab(LabError::Refused(refusal))) => return Err((*refusal).into()),
                    Err(Trouble::Lab(LabError::Start(error))) => {
                        return Err(CompareError::Start(io::Error::new(error.kind(), error.to_string())));
                    }
                    Err(_) => {}
                }
            }
            let figures = ALL[index].figures.iter().filter(is_wanted);
            rounds[index].push(figures.map(|figure| line(figure, &linux, &faultwire)).collect());
        }
    }
    progress.end();
    let unset = unset.into_iter().map(|setting| format!("{}: {}", setting.name, setting.value)).collect();
    Ok(Comparison {
        format: FORMAT,
        profile: options.profile.name(),
        unset,
        figures: rounds.into_iter().flat_map(most).collect(),
    })
}

/// Of each figure of an experiment a round that is like most of them.
fn most(rounds: Vec<Vec<Line>>) -> Vec<Line> {
    let count = rounds.len();
    let figures = rounds.first().map_or(0, Vec::len);
    let of = |index: usize| {
        let mut lines: Vec<Line> = rounds.iter().filter_map(|lines| lines.get(index)).cloned().collect();
        let good = lines.iter().filter(|line| line.is_explained()).count();
        lines.retain(|line| line.is_explained() == (good * 2 >= count));
        lines.pop().map(|line| Line { rounds: count, ..line })
    };
    (0..figures).filter_map(of).collect()
}

/// Makes experiments, by their index: each for both subjects, and all at once.
fn side_by_side(options: &Options<'_>, which: &[usize], progress: &mut dyn Progress) -> Vec<[Shown; 2]> {
    progress.begin(which.len() as u64);
    let subjects = [Subject::Linux, Subject::Faultwire(options.mutant)];
    let halves = |place| subjects.into_iter().enumerate().map(move |(side, subject)| (place, side, subject));
    let all: Vec<_> = (0..which.len()).flat_map(halves).collect();
    for index in which {
        progress.starts(ALL[*index].name);
    }
    let work = |&(place, side, subject): &(usize, usize, Subject), tell: &mpsc::Sender<_>| {
        // It is heard until all are done.
        let _ = tell.send((place, side, run(options, ALL[which[place]], subject)));
    };
    let gone = || Err(LabError::Gone.into());
    let mut shown: Vec<[Shown; 2]> = which.iter().map(|_| [gone(), gone()]).collect();
    let mut done = vec![0; which.len()];
    workers::side_by_side(&[(&all, all.len())], &work, &mut |(place, side, result)| {
        shown[place][side] = result;
        done[place] += 1;
        progress.ran(1);
        if done[place] == 2 {
            progress.done(ALL[which[place]].name);
        }
    });
    shown
}

fn run(options: &Options<'_>, experiment: &Experiment, subject: Subject) -> Shown {
    let mut helper = Command::new(options.program);
    helper.arg("lab-helper");
    let bench = Bench::start(helper, options.profile, subject, &(experiment.plan)())?;
    let said = (experiment.hosts)(&bench);
    let unset = bench.unset().to_vec();
    let trace = bench.close()?;
    tracing::debug!(experiment = experiment.name, ?subject, "{}", trace.text());
    Ok((Seen::new(&trace, said?), unset))
}

fn line(figure: &Figure, linux: &Shown, faultwire: &Shown) -> Line {
    let read = |side: &Shown| -> Result<Measured, String> {
        match side {
            Err(trouble) => Err(trouble.to_string()),
            Ok((seen, _)) => {
                let value = (figure.read)(seen).ok_or("it did not occur")?;
                Ok(Measured { value, agreed: seen.agreed() })
            }
        }
    };
    let (verdict, allowed, why) = match (read(linux), read(faultwire)) {
        (Ok(one), Ok(two)) if one.value.is_like(&two.value) => (Verdict::Same, None, None),
        (Ok(one), Ok(two)) => match figure.allowed(&one, &two) {
            Some(allowed) => (Verdict::Allowed, Some(allowed), None),
            None => (Verdict::NotExplained, None, None),
        },
        (Err(why), _) => (Verdict::NotMeasured, None, Some(format!("linux: {why}"))),
        (_, Err(why)) => (Verdict::NotMeasured, None, Some(format!("faultwire: {why}"))),
    };
    let value = |side: &Shown| read(side).ok().map(|measured| measured.value);
    let Figure { id, title, .. } = *figure;
    Line { id, title, linux: value(linux), faultwire: value(faultwire), verdict, allowed, why, rounds: 1 }
}

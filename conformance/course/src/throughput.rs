//! How much of a link the machines of the course use, measured on `virtual` beside what textbooks say of it.
//!
//! A link carries one datagram after the other, each of which takes the time 1 to be put on it and *a* to
//! travel. The *utilisation* is the share of the time in which the link carries a message that arrives and is
//! new there: 1 is all. What is lost is drawn once and written down as a plan, a finite list of datagrams to
//! drop, as any other fault is.
//!
//! The formulas are those of W. Stallings, "Data and Computer Communications", the appendix on performance
//! issues of flow and error control: they take for granted that an acknowledgement is never lost and takes no
//! time, and that the timeout is one round trip. So [`Way`] makes the link to fit the course's
//! timeout of 200 ms, and counts the little time of an acknowledgement as a part of the way. Where a machine
//! does otherwise than the textbook's, [`law`] says how, and what follows for it.

mod experiments;
pub mod law;
mod measure;
mod table;
mod way;

use std::sync::mpsc;

use crate::plot::{self, Axis, Line, Plot};
use faultwire_conformance::progress::{Progress, Silent};
use faultwire_sim::{CancellationToken, workers};

pub use experiments::PLANS;
pub use measure::{Job, Unmeasured};
pub use way::Way;

/// How far a measured point may be from its formula, as a share of the formula's value.
pub const TOLERANCE: f64 = 0.05;

/// Points of a formula's curve.
const CURVE_POINTS: u32 = 200;

/// Threads that measure.
const THREADS: usize = 4;

/// A formula: the utilisation at a point of the figure's x axis.
pub type Law = fn(f64) -> f64;

/// What is measured for a figure.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// The name of its file: `stop-and-wait`.
    pub slug: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// What is to be known of it, for those who look at the figure.
    pub about: &'static str,
    /// What changes from point to point.
    pub x: Axis,
    /// The name of that in a table, in a few letters.
    pub x_short: &'static str,
    /// The machines and the formulas.
    pub series: Vec<Series>,
}

/// A machine in an experiment, or a formula by itself.
#[derive(Clone, Debug)]
pub struct Series {
    /// What it is called in the figure.
    pub name: &'static str,
    /// Its short name in a table.
    pub short: &'static str,
    /// What is expected, and how that is written.
    pub law: Option<(&'static str, Law)>,
    /// Where it is measured.
    pub jobs: Vec<(f64, Job)>,
}

/// A figure: an experiment and what came of it.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The experiment.
    pub experiment: Experiment,
    /// For each of its series, for each of its points: x, and what was measured.
    pub measured: Vec<Vec<(f64, f64)>>,
}

/// All experiments of the course.
pub fn experiments() -> Vec<Experiment> {
    experiments::all()
}

/// Measures all that the experiments ask for.
///
/// # Errors
/// Where a run did not come to its end, or proves nothing.
pub fn measure(experiments: Vec<Experiment>) -> Result<Vec<Figure>, Unmeasured> {
    measure_until(experiments, &mut Silent, &CancellationToken::default())
}

/// Like [`measure`], but cancellable: it then returns the experiments that are complete.
///
/// # Errors
/// As [`measure`]'s.
pub fn measure_until(
    experiments: Vec<Experiment>,
    progress: &mut dyn Progress,
    token: &CancellationToken,
) -> Result<Vec<Figure>, Unmeasured> {
    let jobs: Vec<(&str, &Job)> = experiments
        .iter()
        .flat_map(|it| it.series.iter().flat_map(|series| &series.jobs).map(|(_, job)| (it.slug, job)))
        .collect();
    progress.begin(jobs.len() as u64);
    let numbered: Vec<_> = jobs.into_iter().enumerate().collect();
    let mut results: Vec<Option<Result<f64, Unmeasured>>> = vec![None; numbered.len()];
    let work = |(index, (_, job)): &(usize, (&str, &Job)), tell: &mpsc::Sender<_>| {
        if token.is_cancelled() {
            return;
        }
        // It is heard until all are done.
        let _ = tell.send((*index, None));
        let _ = tell.send((*index, Some((job.measure(), job.plans))));
    };
    workers::side_by_side(&[(&numbered, THREADS)], &work, &mut |(index, done)| match done {
        None => progress.starts(numbered[index].1.0),
        Some((result, runs)) => {
            results[index] = Some(result);
            progress.ran(runs);
            progress.done(numbered[index].1.0);
        }
    });
    progress.end();
    let mut results = results.into_iter();
    let mut figures = Vec::new();
    for experiment in experiments {
        let mut measured = Vec::new();
        for series in &experiment.series {
            let mut points = Vec::new();
            for (x, _) in &series.jobs {
                // There is a result for each job unless it was asked to end.
                let Some(result) = results.next().flatten() else { return Ok(figures) };
                points.push((*x, result?));
            }
            measured.push(points);
        }
        figures.push(Figure { experiment, measured });
    }
    Ok(figures)
}

/// A point beside its formula.
#[derive(Clone, Debug, PartialEq)]
pub struct Deviation {
    /// Of which series.
    pub series: &'static str,
    /// Where.
    pub x: f64,
    /// What was measured, and what was expected.
    pub measured: f64,
    /// See `measured`.
    pub expected: f64,
}

impl Deviation {
    /// As a share of what was expected.
    pub fn share(&self) -> f64 {
        (self.measured - self.expected).abs() / self.expected
    }
}

impl Figure {
    /// Every measured point of which something is expected.
    pub fn deviations(&self) -> Vec<Deviation> {
        let series = self.experiment.series.iter().zip(&self.measured);
        let with_law = series.filter_map(|(series, points)| Some((series, series.law?.1, points)));
        with_law
            .flat_map(|(series, law, points)| {
                points.iter().map(move |(x, measured)| Deviation {
                    series: series.name,
                    x: *x,
                    measured: *measured,
                    expected: law(*x),
                })
            })
            .collect()
    }

    /// The points that are too far from their formulas.
    pub fn outliers(&self) -> Vec<Deviation> {
        self.deviations().into_iter().filter(|it| it.share() > TOLERANCE || !it.share().is_finite()).collect()
    }

    /// The largest share by which a point is away from its formula.
    pub fn largest_deviation(&self) -> f64 {
        self.deviations().iter().map(Deviation::share).fold(0.0, f64::max)
    }

    /// As a table of at most 80 columns.
    pub fn table(&self) -> String {
        table::table(self)
    }

    /// As a picture: formulas as curves, measured points on them.
    pub fn svg(&self) -> String {
        let Experiment { slug, title, about, x, series, .. } = &self.experiment;
        let lines = series.iter().zip(&self.measured).map(|(series, points)| Line {
            name: match series.law {
                Some((formula, _)) => format!("{}: {formula}", series.name),
                None => series.name.to_owned(),
            },
            curve: match series.law {
                Some((_, law)) => x.spread(CURVE_POINTS).into_iter().map(|x| (x, law(x))).collect(),
                None => points.clone(),
            },
            points: points.clone(),
            kind: match (series.law.is_some(), points.is_empty()) {
                (true, false) => plot::Kind::Solid,
                (true, true) => plot::Kind::Dashed,
                (false, _) => plot::Kind::Faint,
            },
        });
        Plot {
            id: format!("throughput-{slug}"),
            title: (*title).to_owned(),
            about: (*about).to_owned(),
            x: x.clone(),
            y: Axis::linear("utilisation of the link", &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
            lines: lines.collect(),
        }
        .svg()
    }
}

#[cfg(test)]
mod tests;

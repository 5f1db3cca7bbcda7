//! A figure as a table.

use std::fmt::Write as _;

use super::{Figure, TOLERANCE};
use faultwire_conformance::report::paragraph;

const WIDTH: usize = 80;

/// Points of different series are in one line where their x differ by no more than this share: a link has
/// whole kilobits.
const SAME: f64 = 0.1;

pub(super) fn table(figure: &Figure) -> String {
    let experiment = &figure.experiment;
    let mut out = format!("{}\n{}\n\n", experiment.title, "─".repeat(experiment.title.chars().count()));
    paragraph(&mut out, "", experiment.about, WIDTH);
    let columns: Vec<_> =
        experiment.series.iter().zip(&figure.measured).filter(|(it, _)| !it.jobs.is_empty()).collect();
    let _ = write!(out, "\n{:>7}", "");
    for (series, _) in &columns {
        let _ = write!(out, "  {:>15}", series.short);
    }
    let _ = write!(out, "\n{:>7}", experiment.x_short);
    for (series, _) in &columns {
        let _ = write!(out, "  {:>15}", if series.law.is_some() { "seen  formula" } else { "seen         " });
    }
    out.push('\n');
    let rows = columns.first().map_or(0, |(_, points)| points.len());
    for row in 0..rows {
        let x = columns[0].1[row].0;
        let _ = write!(out, "{x:>7.2}");
        for (series, points) in &columns {
            match points.get(row).filter(|(at, _)| (at / x - 1.0).abs() <= SAME) {
                None => {
                    let _ = write!(out, "  {:>15}", "");
                }
                Some((at, seen)) => {
                    let expected = series.law.map_or(String::new(), |(_, law)| format!("{:.3}", law(*at)));
                    let _ = write!(out, "  {seen:>8.3}  {expected:>5}");
                }
            }
        }
        out.push('\n');
    }
    out = out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    out.push_str("\n\n");
    for series in &experiment.series {
        if let Some((formula, _)) = series.law {
            let _ = writeln!(out, "  {:<24} {formula}", series.name);
        }
    }
    let (most, allowed) = (figure.largest_deviation() * 100.0, TOLERANCE * 100.0);
    let _ = writeln!(out, "\nFarthest from its formula: {most:.1} % ({allowed:.0} % are allowed).");
    out
}

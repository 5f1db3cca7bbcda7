//! Which rows of a long diagram are drawn.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use super::layout::{Rank, Row};

/// The rows that are drawn: the first and the last, the moment of truth, and what happened by the plan,
/// each with its neighbors; then values that programs noted, and other rows that matter, as far as there
/// is room. What is left of the room goes to what came before the end, and to what followed from the
/// plan.
pub(super) fn kept(rows: &[Row], lines: usize) -> Vec<bool> {
    if rows.len() <= lines {
        return vec![true; rows.len()];
    }
    let ends = lines / 4;
    let mut kept = Kept { rows: vec![false; rows.len()], lines };
    kept.rows[..ends].fill(true);
    kept.rows[rows.len() - ends..].fill(true);
    let ranked = |rank: Rank| (0..rows.len()).filter(move |row| rows[*row].rank == rank);
    let around = |row: usize| row.saturating_sub(1)..(row + 2).min(rows.len());
    for rank in [Rank::Truth, Rank::Planned, Rank::Usual] {
        // Each alone, where its neighbors have no room.
        let _ =
            ranked(rank).try_for_each(|row| (kept.add(around(row)) || kept.add(row..row + 1)).then_some(()));
    }
    // Of what programs noted as much as a quarter of the lines has room for.
    let most = kept.drawn() + ends;
    let _ = noted(rows).into_iter().try_for_each(|row| {
        kept.add(row..row + 1);
        (kept.drawn() < most).then_some(())
    });
    let _ = ranked(Rank::Notable).try_for_each(|row| kept.add(around(row)).then_some(()));
    // A line that says that one line is left out is no shorter.
    for row in 1..rows.len() - 1 {
        kept.rows[row] |= kept.rows[row - 1] && kept.rows[row + 1];
    }
    let planned: Vec<usize> = ranked(Rank::Planned).filter(|row| kept.rows[*row]).collect();
    while kept.extend(&planned) {}
    kept.rows
}

/// The rows with values that programs noted: keys that are rare first, and late values before early ones.
fn noted(rows: &[Row]) -> Vec<usize> {
    let keyed = || rows.iter().enumerate().filter_map(|(index, row)| Some((index, row.key.as_deref()?)));
    let mut counts = BTreeMap::new();
    keyed().for_each(|(_, key)| *counts.entry(key).or_insert(0_usize) += 1);
    let mut noted: Vec<_> = keyed().map(|(index, key)| (counts[key], Reverse(index))).collect();
    noted.sort_unstable();
    noted.into_iter().map(|(_, Reverse(index))| index).collect()
}

struct Kept {
    rows: Vec<bool>,
    lines: usize,
}

impl Kept {
    /// Draws these rows as well, if there is room for them.
    fn add(&mut self, rows: Range<usize>) -> bool {
        let before: Vec<bool> = self.rows[rows.clone()].to_vec();
        self.rows[rows.clone()].fill(true);
        let fits = self.drawn() <= self.lines;
        if !fits {
            self.rows[rows].copy_from_slice(&before);
        }
        fits
    }

    /// How many lines are drawn: the rows, and one for each gap between them.
    fn drawn(&self) -> usize {
        let gaps = self.rows.windows(2).filter(|pair| pair[0] && !pair[1]).count();
        self.rows.iter().filter(|kept| **kept).count() + gaps
    }

    /// One more row before the end, and one more behind each row of the plan; false if nothing has room.
    fn extend(&mut self, planned: &[usize]) -> bool {
        let before = self.rows.iter().rposition(|kept| !kept);
        let behind = |row: &usize| Some(row + self.rows[*row..].iter().position(|kept| !kept)?);
        let wanted: Vec<usize> = before.into_iter().chain(planned.iter().filter_map(behind)).collect();
        wanted.into_iter().filter(|row| self.add(*row..row + 1)).count() > 0
    }
}

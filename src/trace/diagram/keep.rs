//! Which rows of a long diagram are drawn.

use std::ops::Range;

use super::layout::{Rank, Row};

/// The rows that are drawn: the first and the last, the moment of truth, and what happened by the plan, each
/// with its neighbors; then other rows that matter, as far as there is room. What is left of the room goes to
/// what came before the end, and to what followed from the plan.
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
    let _ = ranked(Rank::Notable).try_for_each(|row| kept.add(around(row)).then_some(()));
    // A line that says that one line is left out is no shorter.
    for row in 1..rows.len() - 1 {
        kept.rows[row] |= kept.rows[row - 1] && kept.rows[row + 1];
    }
    let planned: Vec<usize> = ranked(Rank::Planned).filter(|row| kept.rows[*row]).collect();
    while kept.extend(&planned) {}
    kept.rows
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
        let gaps = self.rows.windows(2).filter(|pair| pair[0] && !pair[1]).count();
        let fits = self.rows.iter().filter(|kept| **kept).count() + gaps <= self.lines;
        if !fits {
            self.rows[rows].copy_from_slice(&before);
        }
        fits
    }

    /// One more row before the end, and one more behind each row of the plan; false if nothing has room.
    fn extend(&mut self, planned: &[usize]) -> bool {
        let before = self.rows.iter().rposition(|kept| !kept);
        let behind = |row: &usize| Some(row + self.rows[*row..].iter().position(|kept| !kept)?);
        let wanted: Vec<usize> = before.into_iter().chain(planned.iter().filter_map(behind)).collect();
        wanted.into_iter().filter(|row| self.add(*row..row + 1)).count() > 0
    }
}

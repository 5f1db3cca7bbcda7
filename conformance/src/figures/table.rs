//! The comparison as a table, and below it what allows the differences.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{LineStyle, Table};

use super::compare::{Comparison, Line, Verdict};
use super::value::Value;
use crate::report::paragraph;

impl Comparison {
    /// The comparison for people, in lines no wider than that.
    pub fn to_table(&self, width: usize) -> String {
        let mut out = String::new();
        let mut table = Table::new();
        table.load_style(NOTHING.header_separator(LineStyle::none().fill('─')));
        table.force_no_tty();
        table.set_header(["", "linux", "faultwire", ""]);
        for line in &self.figures {
            table.add_row([
                line.title.to_owned(),
                shown(&line.linux),
                shown(&line.faultwire),
                mark(line).to_owned(),
            ]);
        }
        table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
        for (index, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, u16::from(index < 3) * 2));
        }
        for line in table.lines() {
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out.push('\n');
        self.differences(&mut out, width);
        self.conclusion(&mut out, width);
        out
    }

    fn differences(&self, out: &mut String, width: usize) {
        for line in self.figures.iter().filter(|line| line.verdict != Verdict::Same) {
            let what = match (&line.allowed, &line.why) {
                (Some(allowed), _) => format!("{}: {}", allowed.source, allowed.says),
                (None, Some(why)) => format!("NOT MEASURED: {why}"),
                (None, None) => "NOT EXPLAINED: no sentence that is known allows both".to_owned(),
            };
            let _ = writeln!(out, "{} ({})", line.id, line.title);
            paragraph(out, "    ", &what, width);
        }
        if self.figures.iter().any(|line| line.verdict != Verdict::Same) {
            out.push('\n');
        }
    }

    fn conclusion(&self, out: &mut String, width: usize) {
        let of = |verdict: Verdict| self.figures.iter().filter(|line| line.verdict == verdict).count();
        let again = self.figures.iter().filter(|line| line.rounds > 1).count();
        let absent = if self.unset.is_empty() {
            String::new()
        } else {
            format!("; not taken by this kernel: {}", self.unset.join(", "))
        };
        let text = format!(
            "profile {}{absent}; {} figures: {} the same, {} differ as an RFC allows, {} not explained, {} \
             not measured; {} measured more than once.",
            self.profile,
            self.figures.len(),
            of(Verdict::Same),
            of(Verdict::Allowed),
            of(Verdict::NotExplained),
            of(Verdict::NotMeasured),
            again
        );
        paragraph(out, "", &text, width);
    }
}

fn shown(value: &Option<Value>) -> String {
    value.as_ref().map_or_else(|| "-".to_owned(), Value::to_string)
}

fn mark(line: &Line) -> &'static str {
    match line.verdict {
        Verdict::Same => "same",
        Verdict::Allowed => "allowed",
        Verdict::NotExplained => "NOT EXPLAINED",
        Verdict::NotMeasured => "NOT MEASURED",
    }
}

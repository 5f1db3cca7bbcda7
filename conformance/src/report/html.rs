//! The report as one HTML page that needs nothing but itself: the matrix of claims and testbeds with filters,
//! and for each claim what is said, how hard it was tried, and a run to look at.

mod chart;
mod figure;
mod view;

use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use faultwire::trace::SVG_STYLE;
use sha2::{Digest as _, Sha256};

use super::Report;
use super::words::{grouped, plan as plan_in_words};
use crate::report::Exhibit;
use figure::Figure;
use view::{Failure, Group, Stat};

/// Bytes of a page at which pictures stop: what is left of the limit is for the claims themselves.
const PICTURES_BYTES_MAX: usize = 3_500_000;

/// The page's style and script.
const STYLE: &str = concat!(
    include_str!("html/page.css"),
    include_str!("html/page/claim.css"),
    include_str!("html/page/narrow.css"),
    include_str!("html/page/print.css"),
);
const SCRIPT: &str = concat!(
    include_str!("html/page.js"),
    include_str!("html/page/filter.js"),
    include_str!("html/page/copy.js"),
    include_str!("html/page/enlarge.js"),
    include_str!("html/page/save.js"),
);

/// The hash by which a page's policy names an element that holds this text between two ends of lines (Content
/// Security Policy Level 3, section 2.3.1).
fn csp_hash(text: &str) -> String {
    let digest = Sha256::digest(format!("\n{text}\n"));
    format!("'sha256-{}'", BASE64_STANDARD.encode(digest))
}

/// Text inside a page's script and style elements, which end nowhere but where they should.
#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    verdict: String,
    /// `fine`, `failed` or `nothing`.
    standing: &'static str,
    seed: u64,
    runs: String,
    fired: String,
    seconds: String,
    /// What there is to say of the kernel's settings in the lab.
    lab: Option<String>,
    /// Subjects that did not run with their defaults, and how.
    deviations: Vec<(&'static str, String)>,
    beds: Vec<view::Bed>,
    subjects: Vec<&'static str>,
    kinds: Vec<view::Kind>,
    stats: Vec<Stat>,
    failures: Vec<Failure<'a>>,
    groups: Vec<Group<'a>>,
    claims: usize,
    /// Pictures that the page has no room for.
    left_out: usize,
    style: &'static str,
    picture_style: &'a str,
    script: &'static str,
    /// What a browser may apply and run of the page: its own elements, and nothing that a text brings along.
    style_hashes: String,
    script_hash: String,
    version: &'static str,
}

impl Report {
    /// The report as a page, with pictures of these runs.
    ///
    /// # Errors
    /// Where the template cannot be filled in; no report is known to be such.
    pub fn to_html(&self, exhibits: &[Exhibit]) -> Result<String, askama::Error> {
        let mut room = PICTURES_BYTES_MAX;
        let mut left_out = 0;
        let mut figures = Vec::new();
        for (number, exhibit) in exhibits.iter().enumerate() {
            let figure = Figure::new(exhibit, number, &self.command);
            let bytes = figure.bytes();
            if bytes > room {
                left_out += 1;
                figures.push(figure.without_pictures());
                continue;
            }
            room -= bytes;
            figures.push(figure);
        }
        let beds = view::beds(self);
        let mut subjects: Vec<&'static str> = beds.iter().map(|bed| bed.subject).collect();
        subjects.sort_unstable();
        subjects.dedup();
        let groups = view::groups(self, &beds, figures);
        let (standing, verdict) = view::verdict(self);
        let picture_style = format!("{SVG_STYLE}{}", include_str!("html/chart/style.css"));
        Page {
            verdict,
            standing,
            seed: self.seed,
            runs: grouped(self.tried.runs()),
            fired: format!("{} of {}", grouped(self.tried.faults_fired), grouped(self.tried.faults_planned)),
            seconds: format!("{:.1}", self.elapsed.as_secs_f64()),
            lab: self.lab.as_ref().map(super::LabSettings::words),
            deviations: self.deviations.iter().map(|it| (it.subject, it.words())).collect(),
            subjects,
            kinds: view::kinds(self),
            stats: view::stats(self),
            failures: view::failures(self),
            claims: groups.iter().map(|group| group.claims.len()).sum(),
            groups,
            beds,
            left_out,
            style: STYLE,
            style_hashes: format!("{} {}", csp_hash(&picture_style), csp_hash(STYLE)),
            picture_style: &picture_style,
            script: SCRIPT,
            script_hash: csp_hash(SCRIPT),
            version: env!("CARGO_PKG_VERSION"),
        }
        .render()
    }
}

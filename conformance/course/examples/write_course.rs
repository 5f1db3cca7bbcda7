//! Writes the course as a document: `lessons/README.md` and its plots.
//!
//! `cargo run -p faultwire-course --example write_course`. With the word `held` it first holds every
//! mended program against all plans of up to two faults and 10 000 random ones, and records the counts in
//! `lessons/held.toml`; then it has to be run once more without.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use faultwire_conformance::progress::Silent;
use faultwire_course::document::{HeldRecord, document};
use faultwire_course::{HoldOptions, LESSONS, Side, hold};

fn main() -> Result<(), Box<dyn Error>> {
    let lessons = Path::new(env!("CARGO_MANIFEST_DIR")).join("lessons");
    if std::env::args().nth(1).as_deref() == Some("held") {
        fs::write(lessons.join("held.toml"), toml::to_string(&held()?)?)?;
        return Ok(());
    }
    let document = document()?;
    fs::write(lessons.join("README.md"), document.text)?;
    fs::create_dir_all(lessons.join("plots"))?;
    for (name, svg) in document.plots {
        fs::write(lessons.join("plots").join(name), svg)?;
    }
    Ok(())
}

fn held() -> Result<BTreeMap<&'static str, HeldRecord>, Box<dyn Error>> {
    let options = HoldOptions { exhaustive: 2, random: 10_000 };
    let mut records = BTreeMap::new();
    for lesson in LESSONS {
        let held = hold(&|| lesson.scenarios(Side::Mended), options, &mut Silent)?;
        let held = held.map_err(|broken| format!("lesson {} does not hold: {}", lesson.name, broken.how))?;
        records.insert(lesson.name, HeldRecord::from(held.tried));
    }
    Ok(records)
}

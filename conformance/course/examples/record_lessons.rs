//! Records the smallest plan that breaks each lesson's believed program, as the search finds it, in its
//! `breaks.toml`.
//!
//! `cargo run -p faultwire-course --example record_lessons [LESSON…]`. Look at the difference before it
//! is committed: a plan that changes says that something else did, and the lesson's sentence of why may no
//! longer be true.

use std::error::Error;
use std::fs;
use std::path::Path;

use faultwire_conformance::progress::Silent;
use faultwire_course::{LESSONS, Side, find};

fn main() -> Result<(), Box<dyn Error>> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for lesson in LESSONS.iter().filter(|it| wanted.is_empty() || wanted.iter().any(|name| name == it.name)) {
        let broken = find(&lesson.scenarios(Side::Believed), lesson.shows, &mut Silent)?;
        let broken = broken.ok_or_else(|| format!("nothing breaks the program of lesson {}", lesson.name))?;
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("lessons").join(lesson.folder());
        fs::write(folder.join("breaks.toml"), lesson.to_record(&broken).to_toml())?;
    }
    Ok(())
}

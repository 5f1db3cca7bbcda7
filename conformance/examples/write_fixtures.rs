//! Writes the fixtures anew: the smallest witness of every possible claim that `virtual` can show.
//!
//! `cargo run --release -p faultwire-conformance --example write_fixtures`, then `INSTA_UPDATE=always cargo
//! test -p faultwire-command --test fixtures` for the golden traces. Look at the difference before it is
//! committed: a witness that changes says that something else did.

use std::fs;
use std::io;
use std::path::Path;

use faultwire_conformance::claim::{CLAIMS, Modality};
use faultwire_conformance::engine::{VerifyOptions, verify};
use faultwire_conformance::progress::Silent;
use faultwire_sim::testbed;

fn main() -> io::Result<()> {
    let options = VerifyOptions {
        cases: Some(0),
        ..VerifyOptions::new(
            CLAIMS.iter().filter(|claim| claim.modality == Modality::Possible).collect(),
            vec![testbed::VIRTUAL],
        )
    };
    let plans = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/plans");
    fs::create_dir_all(&plans)?;
    for row in verify(&options, &mut Silent).results {
        if let Some(plan) = row.plan {
            fs::write(plans.join(format!("{}.toml", row.claim.replace('/', "-"))), plan.to_toml())?;
        }
    }
    Ok(())
}

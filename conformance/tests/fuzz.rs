//! Runs the fuzz targets on their kept corpus and on random bytes. The targets `stack` and `tcp` add a
//! million packets each.

#[path = "../fuzz/targets/all.rs"]
mod targets;

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use targets::TARGETS;

/// What is in a folder of the corpus, in order.
fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

#[test]
fn the_kept_corpus_breaks_nothing() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    // `.ci/fuzz` fuzzes the targets that have a folder here.
    assert_eq!(list(&corpus), TARGETS.map(|(name, _)| corpus.join(name)), "one folder for each target");
    for (name, run) in TARGETS {
        let inputs = list(&corpus.join(name));
        assert!(!inputs.is_empty(), "{name} has no input");
        for path in inputs {
            let data = fs::read(&path).expect("an input");
            assert!(catch_unwind(|| run(&data)).is_ok(), "{} breaks {name}", path.display());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_break_nothing(data in prop::collection::vec(any::<u8>(), 0..400)) {
        for (_, run) in TARGETS {
            run(&data);
        }
    }
}

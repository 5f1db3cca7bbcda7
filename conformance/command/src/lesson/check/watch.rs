//! `faultwire lesson check --watch`: waits until a file of a learner's folder changes.
//!
//! It looks twice a second at the lengths and times of the files: the folder is small, and a look at it costs
//! nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use super::super::folder::FILE;
use faultwire_sim::CancellationToken;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(500);

/// The most files that are looked at, and the deepest folder.
const FILES_MAX: usize = 2_000;
const DEPTH_MAX: usize = 8;

/// What builds, interpreters and this program write there themselves.
const OTHERS: [&str; 3] = ["target", "__pycache__", "Cargo.lock"];

/// The files of a folder: their lengths, and when they were changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Files(BTreeMap<PathBuf, (u64, Option<SystemTime>)>);

impl Files {
    /// Those of a folder, as they are now.
    pub(super) fn of(folder: &Path) -> Files {
        let mut files = Files::default();
        files.add(folder, 0);
        files
    }

    fn add(&mut self, folder: &Path, depth: usize) {
        // What is gone, or cannot be read, is as if it were not there.
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            if self.0.len() >= FILES_MAX {
                return;
            }
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy();
            if OTHERS.contains(&&*name) || name.starts_with(FILE) || name.starts_with(".faultwire-") {
                continue;
            }
            // Links are not followed.
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() && depth < DEPTH_MAX && !name.starts_with('.') {
                self.add(&path, depth + 1);
            } else if about.is_file() {
                self.0.insert(path, (about.len(), about.modified().ok()));
            }
        }
    }

    /// Waits until the folder's files are others than these, and have been the same for a look; `false` where
    /// it is to stop.
    pub(super) fn until_changed(&self, folder: &Path, stopping: &CancellationToken) -> bool {
        let mut last = Files::of(folder);
        while !stopping.is_cancelled() {
            // An editor may write a file in steps.
            let now = Files::of(folder);
            if now != *self && now == last {
                return true;
            }
            last = now;
            thread::park_timeout(LOOK);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_a_file_is_seen_and_what_a_check_writes_is_not() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        };
        write("src/lib.rs", "one");
        let before = Files::of(root.path());
        write(FILE, "checks = 2");
        write("target/debug/x", "built");
        write("__pycache__/x.pyc", "built");
        write(".faultwire-verdict", "holds");
        assert_eq!(Files::of(root.path()), before);
        write("src/lib.rs", "another");
        assert_ne!(Files::of(root.path()), before);
        assert!(before.until_changed(root.path(), &CancellationToken::default()));
        let after = Files::of(root.path());
        fs::remove_file(root.path().join("src/lib.rs")).expect("a file");
        assert_ne!(Files::of(root.path()), after);
        let stopping = CancellationToken::default();
        stopping.cancel();
        assert!(!Files::of(root.path()).until_changed(root.path(), &stopping));
    }
}

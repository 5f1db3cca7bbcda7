//! Failure files: the plan of a failure is on the disk before anything else can go wrong, and the environment
//! says which plan to replay.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use faultwire::fault::{FaultPlan, PlanError};
use faultwire::text::shell_word;

use crate::seed::derive;

/// The variable that names the plan file to replay.
pub const PLAN_VARIABLE: &str = "FAULTWIRE_PLAN";

/// Writes a plan to `faultwire/<name>-<short hash>.toml` in a target directory, and says where.
///
/// The file is written aside and then renamed: who finds it finds all of it. Characters of the name that
/// could mean something in a path or a shell become `-`.
///
/// # Errors
/// Those of creating the directory, and of writing and renaming the file.
pub fn save(name: &str, plan: &FaultPlan, target_dir: &Path) -> io::Result<PathBuf> {
    let text = plan.to_toml();
    let short = derive(0, &("failure file", &text)) >> 32;
    let directory = target_dir.join("faultwire");
    fs::create_dir_all(&directory)?;
    let path = directory.join(format!("{}-{short:08x}.toml", file_name(name)));
    faultwire::files::replace(&path, |file| file.write_all(text.as_bytes()))?;
    Ok(path)
}

/// The name as a part of a file's name.
fn file_name(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }
    };
    let name: String = name.chars().map(plain).take(80).collect();
    match name.trim_matches('-') {
        "" => "plan".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

/// What the environment says of where things are.
#[derive(Clone, Debug, Default)]
struct Surroundings {
    /// CARGO_TARGET_DIR.
    target: Option<PathBuf>,
    /// CARGO_MANIFEST_DIR: cargo sets it for tests and `cargo run`.
    manifest: Option<PathBuf>,
    /// The current directory.
    current: PathBuf,
}

impl Surroundings {
    fn of_this_process() -> Surroundings {
        let path =
            |name| std::env::var_os(name).filter(|path: &OsString| !path.is_empty()).map(PathBuf::from);
        Surroundings {
            target: path("CARGO_TARGET_DIR"),
            manifest: path("CARGO_MANIFEST_DIR"),
            current: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        }
    }

    /// Where a relative path may have been meant to start: here, then the package's directory and that of a
    /// workspace above it. A test runs in its package's directory, while cargo may have been called, and a
    /// path typed, in the workspace's.
    fn starts(&self) -> impl Iterator<Item = &Path> {
        let manifest = self.manifest.as_deref().into_iter().flat_map(Path::ancestors);
        let cargos = manifest.filter(|directory| directory.join("Cargo.toml").is_file());
        std::iter::once(self.current.as_path()).chain(cargos)
    }

    fn target_dir(&self) -> PathBuf {
        let name = self.target.as_deref().unwrap_or(Path::new("target"));
        self.starts()
            .map(|start| start.join(name))
            .find(|path| path.is_dir())
            .unwrap_or_else(|| self.current.join(name))
    }

    fn plan_file(&self, named: &Path) -> PathBuf {
        self.starts()
            .map(|start| start.join(named))
            .find(|path| path.is_file())
            .unwrap_or_else(|| named.to_owned())
    }

    /// The shortest path that [`plan_file`](Surroundings::plan_file) finds the file by.
    fn shown(&self, path: &Path) -> PathBuf {
        self.starts()
            .filter_map(|start| path.strip_prefix(start).ok())
            .find(|short| self.plan_file(short) == path)
            .unwrap_or(path)
            .to_owned()
    }
}

/// The target directory: CARGO_TARGET_DIR, or the `target` of the current directory, of the package's or of
/// its workspace's; if there is none yet, that of the current directory.
pub fn target_dir() -> PathBuf {
    Surroundings::of_this_process().target_dir()
}

/// The plan that FAULTWIRE_PLAN names, if it is set: that is to be replayed in place of any search.
///
/// A relative path starts at the current directory or, if there is no such file, at the package's directory
/// or its workspace's.
pub fn planned_by_environment() -> Option<Result<FaultPlan, PlanError>> {
    let named = std::env::var_os(PLAN_VARIABLE).filter(|path| !path.is_empty())?;
    let path = Surroundings::of_this_process().plan_file(Path::new(&named));
    Some(FaultPlan::read(&path))
}

/// The line that replays a saved plan: `FAULTWIRE_PLAN=target/faultwire/my-store-1a2b3c4d.toml cargo test
/// my_store`.
///
/// `test` is what to give to cargo test to select the test; see [`test_name`].
pub fn replay_line(path: &Path, test: Option<&str>) -> String {
    let path = Surroundings::of_this_process().shown(path);
    let path = shell_word(&path.to_string_lossy());
    let test = test.map(|test| format!(" {}", shell_word(test))).unwrap_or_default();
    format!("{PLAN_VARIABLE}={path} cargo test{test}")
}

/// The name of the test that this thread runs, where the test harness gave the thread that name.
pub fn test_name() -> Option<String> {
    let thread = std::thread::current();
    thread.name().filter(|name| *name != "main").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_plan_is_whole_and_named_after_its_content() {
        let home = tempfile::tempdir().unwrap();
        let plan = FaultPlan::new().title("it's so");
        let path = save("udp/may lose", &plan, home.path()).unwrap();
        assert_eq!(path, save("udp/may lose", &plan, home.path()).unwrap());
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("udp-may-lose-") && name.ends_with(".toml"), "{name}");
        assert_eq!(FaultPlan::read(&path).unwrap(), plan);
        let other = save("udp/may lose", &FaultPlan::default(), home.path()).unwrap();
        assert_ne!(path, other);
        let files = fs::read_dir(home.path().join("faultwire")).unwrap().count();
        assert_eq!(files, 2, "nothing is left lying about");
    }

    #[test]
    fn what_cannot_be_saved_says_so() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("faultwire"), "in the way").unwrap();
        assert!(save("x", &FaultPlan::default(), home.path()).is_err());
    }

    #[test]
    fn a_name_is_no_path() {
        assert_eq!(file_name("../../etc/passwd"), "etc-passwd");
        assert_eq!(file_name("…"), "plan");
        assert_eq!(file_name(&"x".repeat(500)).len(), 80);
    }

    /// A workspace with a package in it, and what the package's tests see.
    fn surroundings(home: &Path) -> (PathBuf, Surroundings) {
        let workspace = home.join("workspace");
        let package = workspace.join("crates/package");
        fs::create_dir_all(&package).unwrap();
        for directory in [&workspace, &package] {
            fs::write(directory.join("Cargo.toml"), "").unwrap();
        }
        let here = Surroundings { target: None, manifest: Some(package.clone()), current: package };
        (workspace, here)
    }

    #[test]
    fn the_target_directory_of_a_workspace_is_found_from_its_package() {
        let home = tempfile::tempdir().unwrap();
        let (workspace, mut here) = surroundings(home.path());
        for foreign in [home.path(), &workspace.join("crates")] {
            fs::create_dir_all(foreign.join("target")).unwrap();
        }
        assert_eq!(here.target_dir(), here.current.join("target"), "none yet");
        let target = workspace.join("target");
        fs::create_dir_all(&target).unwrap();
        assert_eq!(here.target_dir(), target);
        here.target = Some(home.path().join("elsewhere"));
        assert_eq!(here.target_dir(), home.path().join("elsewhere"));
        here.target = Some(PathBuf::from("out"));
        fs::create_dir_all(workspace.join("out")).unwrap();
        assert_eq!(here.target_dir(), workspace.join("out"));
    }

    #[test]
    fn a_plan_is_named_as_briefly_as_it_is_found() {
        let home = tempfile::tempdir().unwrap();
        let (workspace, here) = surroundings(home.path());
        let path = save("x", &FaultPlan::default(), &workspace.join("target")).unwrap();
        let short = here.shown(&path);
        assert_eq!(short, path.strip_prefix(&workspace).unwrap());
        assert_eq!(here.plan_file(&short), path);
        let outside = save("x", &FaultPlan::default(), home.path()).unwrap();
        assert_eq!(here.plan_file(&here.shown(&outside)), outside);
    }

    #[test]
    fn a_replay_line_is_one_that_a_shell_understands() {
        let line = replay_line(Path::new("/no/such dir/it's.toml"), Some("a::b"));
        assert_eq!(line, r"FAULTWIRE_PLAN='/no/such dir/it'\''s.toml' cargo test a::b");
        assert_eq!(replay_line(Path::new("/no/x.toml"), None), "FAULTWIRE_PLAN=/no/x.toml cargo test");
    }
}

//! `faultwire lesson start`: a folder in which a learner does a lesson.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::super::error::{CommandError, usage};
use super::super::output;
use super::Named;
use super::folder::{Folder, Language, shown};
use faultwire_conformance::exit;
use faultwire_course::spoken::Spoken;
use faultwire_course::{Lesson, Task};

mod readme;

/// Make a folder with a lesson's text, its program with a gap, and its check
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
In Rust the folder is a crate: src/lib.rs is the program, tests/lesson.rs the check. It depends on
the source that this program was built from. What is built is kept beside the folder, in
faultwire-lessons-target, for all lessons there: only the first check takes minutes.
In Python (lessons 0 to 3, and s1 to s4) it is a client and a server in plain Python.

Exit: 0 the folder is made, 2 wrong usage, or something is there already.")]
pub(super) struct Args {
    #[command(flatten)]
    lesson: Named,

    /// Where to make it; must not be there yet [default: lesson-N-SLUG]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// What to write it in
    #[arg(long, value_enum, default_value_t)]
    language: Language,

    /// The source tree of faultwire that the crate is to depend on
    #[arg(long, value_name = "PATH")]
    source: Option<PathBuf>,
}

/// The source that this program was built from.
const BUILT_FROM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    let lesson = args.lesson.find()?;
    let path = args.dir.clone().unwrap_or_else(|| PathBuf::from(Folder::name_of(lesson)));
    let (files, said) = match args.language {
        Language::Rust => in_rust(lesson, args.source.as_deref())?,
        Language::Python => in_python(lesson)?,
    };
    write(&path, &files).map_err(|error| not_made(&path, error))?;
    Folder::new(path.clone(), lesson, args.language).save()?;
    let shown = shown(&path);
    let program = match args.language {
        Language::Rust => "src/lib.rs",
        Language::Python => "client.py and server.py",
    };
    output::emit(&format!(
        "{shown}: lesson {}, {}\n{said}\n\
         What to do next:\n\
         \x20 1. read {shown}/README.md\n\
         \x20 2. faultwire lesson check {shown}\n\
         \x20    it fails, and shows why\n\
         \x20 3. mend {program}, where it says THE GAP, and check again\n\
         If you are stuck: faultwire lesson hint {shown}\n",
        lesson.name, lesson.title,
    ))?;
    Ok(exit::AS_CLAIMED)
}

/// A file of the folder: where, and what is in it.
type File = (&'static str, Vec<u8>);

/// The files of a crate, and what to say of it.
fn in_rust(lesson: &Lesson, source: Option<&Path>) -> Result<(Vec<File>, String), CommandError> {
    let program = lesson.in_rust().ok_or_else(|| not_offered(lesson, "Rust"))?;
    let tree = source_tree(source, Path::new(BUILT_FROM))?;
    let of = |name: &str, folder: &Path| {
        let path = folder.to_str().unwrap_or_default();
        format!("{name} = {{ path = {} }}\n", toml::Value::from(path))
    };
    let mut depends =
        [of("faultwire", &tree), of("faultwire-course", &tree.join("conformance/course"))].concat();
    if matches!(lesson.task, Task::Stream(_)) {
        depends.push_str("tokio = { version = \"1\", features = [\"io-util\"] }\n");
    }
    let said = format!("It depends on the source in {}.\n", shown(&tree));
    let mut files: Vec<File> = vec![
        ("Cargo.toml", manifest(lesson, &depends).into_bytes()),
        (".cargo/config.toml", config().into_bytes()),
        (".gitignore", b"/target\n".to_vec()),
        ("README.md", readme::of(lesson, Language::Rust).into_bytes()),
        ("src/lib.rs", program.template(lesson.name).into_bytes()),
        ("tests/lesson.rs", test(lesson).into_bytes()),
    ];
    // The versions that this program was built with: they are there already, and known to work.
    if let Ok(lock) = fs::read(tree.join("Cargo.lock")) {
        files.push(("Cargo.lock", lock));
    }
    Ok((files, said))
}

/// The source that a crate is to depend on: the one that was asked for, or the one that this program was
/// built from.
fn source_tree(asked: Option<&Path>, built_from: &Path) -> Result<PathBuf, CommandError> {
    let (what, help) = match asked {
        Some(path) => (
            format!("there is no source tree of faultwire in {}", shown(path)),
            "give the folder with the workspace's Cargo.toml",
        ),
        None => (
            "the source that this program was built from no longer exists".to_owned(),
            "the crate is to depend on it: give a copy of it with --source PATH, or do the lesson in Python \
             with --language python",
        ),
    };
    tree(asked.unwrap_or(built_from)).map_err(|error| usage(what).because(error).help(help))
}

/// A source tree's path, whole, if it is one.
fn tree(path: &Path) -> io::Result<PathBuf> {
    let whole = path.canonicalize()?;
    for part in ["Cargo.toml", "src/machine.rs", "conformance/Cargo.toml"] {
        fs::metadata(whole.join(part))?;
    }
    if whole.to_str().is_none() {
        return Err(io::Error::other("its path is no text, and cannot stand in a Cargo.toml"));
    }
    Ok(whole)
}

/// The files of a folder with Python programs, and what to say of it.
fn in_python(lesson: &Lesson) -> Result<(Vec<File>, String), CommandError> {
    let program = lesson.in_python().ok_or_else(|| not_offered(lesson, "Python"))?;
    let [client, server] = program.template(lesson.name);
    let files = vec![
        ("README.md", readme::of(lesson, Language::Python).into_bytes()),
        ("client.py", client.into_bytes()),
        ("server.py", server.into_bytes()),
    ];
    Ok((files, "Its programs need Python 3.8 or later, and nothing else.\n".to_owned()))
}

/// Writes a new folder. What was made of it is taken away again where it cannot be made whole.
fn write(path: &Path, files: &[File]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::create_dir(path)?;
    let all = files.iter().try_for_each(|(name, content)| {
        let file = path.join(name);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, content)
    });
    all.inspect_err(|_| {
        // It was not there before.
        let _ = fs::remove_dir_all(path);
    })
}

fn not_made(path: &Path, source: io::Error) -> CommandError {
    let help = match source.kind() {
        io::ErrorKind::AlreadyExists => "nothing was changed there; give another place with --dir",
        _ => "give a place that is yours with --dir",
    };
    usage(format!("cannot make {}", shown(path))).because(source).help(help)
}

fn not_offered(lesson: &Lesson, language: &str) -> CommandError {
    let name = lesson.name;
    let mut help = format!("`faultwire lesson start {name}` has it in Rust");
    if Spoken::of(lesson).is_some() {
        help.push_str(&format!(
            "; without a template any language will do: `faultwire lesson check {name} --server … --client …`"
        ));
    }
    usage(format!("lesson {name} has no template in {language}")).help(help)
}

fn manifest(lesson: &Lesson, depends: &str) -> String {
    format!(
        "[package]\nname = \"{}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [lib]\nname = \"learner\"\n\n\
         [dependencies]\n{depends}\n\
         # Not a part of any workspace around it.\n[workspace]\n\n\
         # A check makes tens of thousands of runs: what they spend their time in is built for speed.\n\
         [profile.dev]\ndebug = false\n\n\
         [profile.dev.package.\"*\"]\nopt-level = 2\n\n\
         [profile.dev.package.faultwire]\nopt-level = 1\n\n\
         [profile.dev.package.faultwire-sim]\nopt-level = 1\n\n\
         [profile.dev.package.faultwire-conformance]\nopt-level = 0\n\n\
         [profile.dev.package.faultwire-course]\nopt-level = 0\n",
        Folder::name_of(lesson),
    )
}

/// Where what is built is kept, seen from a folder: one build for all lessons beside each other.
pub(super) const TARGET: &str = "../faultwire-lessons-target";

fn config() -> String {
    format!(
        "# What is built is kept beside this folder, for all lessons that lie there. It can be deleted.\n\
         [build]\ntarget-dir = \"{TARGET}\"\n"
    )
}

fn test(lesson: &Lesson) -> String {
    let (name, title) = (lesson.name, lesson.title);
    let check = match lesson.task {
        Task::Datagrams(_) | Task::Flows(_) => {
            format!("    faultwire_course::learner::check::<learner::Mine>(\"{name}\");\n")
        }
        Task::Conversations(_) => {
            format!("    faultwire_course::learner::check_talker::<learner::Mine>(\"{name}\");\n")
        }
        Task::Stream(_) => format!(
            "    let programs = faultwire_course::StreamProgram {{\n\
             \x20       client: |net, stream, desk| Box::pin(learner::client(net, stream, desk)),\n\
             \x20       server: |net, stream, desk| Box::pin(learner::server(net, stream, desk)),\n\
             \x20   }};\n\
             \x20   faultwire_course::learner::check_stream(\"{name}\", programs);\n"
        ),
    };
    format!(
        "//! The check of lesson {name}: {title}.\n\
         //!\n\
         //! `faultwire lesson check` runs it and says what came of it; `cargo test` does as well.\n\n\
         #[test]\n\
         fn every_plan_of_two_faults_and_random_ones() {{\n{check}}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_its_source_nothing_is_begun() {
        let nowhere = Path::new("/no/such/place");
        let gone = source_tree(None, nowhere).unwrap_err().to_string();
        assert!(gone.contains("no longer exists"), "{gone}");
        let wrong = source_tree(Some(nowhere), Path::new(BUILT_FROM)).unwrap_err().to_string();
        assert!(wrong.contains("no source tree of faultwire in /no/such/place"), "{wrong}");
        assert!(source_tree(None, Path::new(BUILT_FROM)).is_ok_and(|tree| tree.is_absolute()));
    }
}

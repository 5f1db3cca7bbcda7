//! A third party's stack as a process, described in a file.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use faultwire::files;
use faultwire_sim::process::Program;
use faultwire_sim::testbed::{Capability, StackSubject};
use serde::{Deserialize, Deserializer};

use super::ThirdParty;
use crate::claim::{Text, line};
use crate::expected::{ExpectedFailure, ExpectedFailureError};

/// Bytes of such a file at most.
const BYTES_MAX: u64 = 1 << 20;
/// The version of the format.
const FORMAT: u32 = 1;

/// Why a file describes no subject.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectFileError {
    /// It cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no TOML of this shape.
    #[error("{} describes no subject", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Where, and what is wrong.
        #[source]
        source: toml::de::Error,
    },
    /// Its name, its command or its format cannot be used.
    #[error("{}: {why}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: &'static str,
    },
    /// Its list of expected failures is wrong.
    #[error(transparent)]
    Expected(#[from] ExpectedFailureError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectFile {
    format: u32,
    #[serde(deserialize_with = "line")]
    name: Text,
    #[serde(deserialize_with = "line")]
    about: Text,
    command: Vec<String>,
    #[serde(default)]
    lack: Vec<Lack>,
    #[serde(default)]
    expected_failure: Vec<ExpectedFailure>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lack {
    #[serde(deserialize_with = "capability")]
    what: Capability,
    #[serde(deserialize_with = "line")]
    why: Text,
}

fn capability<'de, D: Deserializer<'de>>(from: D) -> Result<Capability, D::Error> {
    let name = String::deserialize(from)?;
    let names = || Capability::ALL.map(Capability::name).join(", ");
    Capability::named(&name)
        .ok_or_else(|| serde::de::Error::custom(format!("found \"{name}\", expected one of {}", names())))
}

impl ThirdParty {
    /// A stack as a process ([`Program`]), described in a file: its name, its command, what it lacks, and how
    /// it is expected to fail. `fixtures/stacks/README.md` has the keys. The command works in the
    /// file's folder.
    ///
    /// # Errors
    /// [`SubjectFileError`]. Whether the command can be started is not tried here.
    pub fn from_file(path: &Path) -> Result<ThirdParty, SubjectFileError> {
        let unusable = |why| SubjectFileError::Unusable { path: path.to_owned(), why };
        let unreadable = |source| SubjectFileError::Unreadable { path: path.to_owned(), source };
        let mut text = String::new();
        let file = files::open(path).map_err(unreadable)?;
        file.take(BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
        let wrong = |source| SubjectFileError::Wrong { path: path.to_owned(), source };
        let file: SubjectFile = toml::from_str(&text).map_err(wrong)?;
        if file.format != FORMAT {
            return Err(unusable("`format` is the version of this format: 1"));
        }
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if !(1..=16).contains(&file.name.len()) || !file.name.chars().all(is_name) {
            return Err(unusable("`name` has 1 to 16 of a-z and 0-9"));
        }
        let folder = std::path::absolute(path).map_err(unreadable)?;
        let folder = folder.parent().unwrap_or(Path::new("/"));
        let mut command: Vec<OsString> = file.command.iter().map(OsString::from).collect();
        let Some(first) = command.first_mut() else {
            return Err(unusable("`command` is a list of words, the program first"));
        };
        if file.command[0].contains('/') {
            *first = folder.join(&*first).into();
        }
        let program = Program::new(file.name, command).in_folder(folder);
        let stack = StackSubject::new(file.name, file.about, move |host| program.stack(host.config));
        let stack = file.lack.into_iter().fold(stack, |stack, it| stack.lacks(it.what, it.why));
        Ok(ThirdParty::stack(stack).expecting_all(&path.to_string_lossy(), file.expected_failure)?)
    }
}

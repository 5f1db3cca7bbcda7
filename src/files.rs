//! Files that a user names: read only if they are regular files, and written so that no reader finds half of
//! one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Opens a regular file to read it. Never waits, as opening a FIFO without a writer would.
///
/// # Errors
/// Those of opening the file; [`io::ErrorKind::InvalidInput`] where it is no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
}

/// Writes a file as a [`Replacement`].
///
/// # Errors
/// Those of creating, writing, syncing and renaming the file, and those of `write`.
pub fn replace<T>(path: &Path, write: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
    let mut replacement = Replacement::begin(path)?;
    let done = write(replacement.file())?;
    replacement.finish()?;
    Ok(done)
}

/// A file on its way into the place of another: written beside it, then synced, then renamed. Dropped before
/// that, it is removed, and the other one stays as it was.
///
/// A link is followed, and permissions are kept. What is no regular file (`/dev/null`, a pipe) is written to
/// directly.
#[derive(Debug)]
pub struct Replacement {
    file: File,
    /// The name beside the place, the place, and what is there; `None` for what is written to directly, and
    /// at the end.
    beside: Option<(PathBuf, PathBuf, Option<fs::Metadata>)>,
}

impl Replacement {
    /// Creates the file.
    ///
    /// # Errors
    /// Those of creating it.
    pub fn begin(path: &Path) -> io::Result<Replacement> {
        let (path, before) = found(path)?;
        if before.as_ref().is_some_and(|before| !before.is_file()) {
            return Ok(Replacement { file: open_special(&path)?, beside: None });
        }
        let beside = beside(&path)?;
        let file = File::options().write(true).create_new(true).open(&beside)?;
        Ok(Replacement { file, beside: Some((beside, path, before)) })
    }

    /// What is written to.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// Those of syncing and renaming it.
    pub fn finish(mut self) -> io::Result<()> {
        let Some((beside, path, before)) = &self.beside else { return Ok(()) };
        if let Some(before) = before {
            self.file.set_permissions(before.permissions())?;
        }
        self.file.sync_all()?;
        fs::rename(beside, path)?;
        self.beside = None;
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some((beside, ..)) = &self.beside {
            // It is of no use to anybody; that it cannot be removed adds nothing to what went wrong before.
            let _ = fs::remove_file(beside);
        }
    }
}

/// Whether [`replace`] can write a file, without touching what is there: worth asking before hours of work.
///
/// # Errors
/// As those of [`replace`].
pub fn can_replace(path: &Path) -> io::Result<()> {
    let (path, before) = found(path)?;
    match before {
        Some(before) if !before.is_file() => open_special(&path).map(drop),
        Some(before) if before.permissions().readonly() => Err(io::ErrorKind::PermissionDenied.into()),
        _ => {
            let beside = beside(&path)?;
            File::options().write(true).create_new(true).open(&beside)?;
            fs::remove_file(&beside)
        }
    }
}

/// Whether both paths lead to the same file, which may not exist yet.
pub fn are_same(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    if let (Ok(one), Ok(other)) = (fs::metadata(one), fs::metadata(other)) {
        use std::os::unix::fs::MetadataExt;
        return (one.dev(), one.ino()) == (other.dev(), other.ino()) && one.is_file();
    }
    match (found(one), found(other)) {
        (Ok((one, _)), Ok((other, _))) => one == other,
        _ => false,
    }
}

/// Where the file really is, and what is there.
fn found(path: &Path) -> io::Result<(PathBuf, Option<fs::Metadata>)> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok((fs::canonicalize(path)?, Some(metadata))),
        // The target of a link such as /dev/stdout may have no path.
        Ok(metadata) => Ok((path.to_owned(), Some(metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let name = path.file_name().ok_or(error)?;
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            Ok((fs::canonicalize(parent.unwrap_or(Path::new(".")))?.join(name), None))
        }
        Err(error) => Err(error),
    }
}

/// A name beside the file that no other thread or process uses.
fn beside(path: &Path) -> io::Result<PathBuf> {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    if path.file_name().is_none() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(path.with_file_name(format!(".faultwire-{}-{serial}.tmp", std::process::id())))
}

/// Opens a special file for writing; a FIFO only if it has a reader.
fn open_special(path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        let mut options = File::options();
        options.write(true);
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK | libc::O_NOCTTY);
        options.open(path)?;
    }
    File::options().write(true).open(path)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// A folder of this test's own, removed at its end.
    struct Home(PathBuf);

    impl Home {
        fn new(name: &str) -> Home {
            let path = std::env::temp_dir().join(format!("faultwire-files-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("a folder");
            Home(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).expect("a folder").flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        }
    }

    impl Drop for Home {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_is_whole_or_as_it_was() {
        let home = Home::new("whole");
        let path = home.0.join("result");
        replace(&path, |file| file.write_all(b"first")).expect("written");
        let failed = replace(&path, |file| {
            file.write_all(b"half of the sec")?;
            Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).expect("it is there"), b"first");
        can_replace(&path).expect("it can");
        assert_eq!(home.names(), ["result"]);
        can_replace(&home.0.join("new")).expect("it can");
        assert_eq!(home.names(), ["result"], "nothing is left of asking");
        can_replace(&home.0.join("no/folder")).unwrap_err();
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_are_kept() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = Home::new("links");
        let (path, link) = (home.0.join("result"), home.0.join("link"));
        fs::write(&path, "first").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("its mode");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        replace(&link, |file| file.write_all(b"second")).expect("written");
        assert_eq!(fs::read(&path).expect("it is there"), b"second");
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).expect("it is there").is_symlink());
        assert!(are_same(&path, &link) && !are_same(&path, &home.0.join("other")));
        assert!(are_same(&home.0.join("new"), &home.0.join("./new")));
    }

    #[cfg(unix)]
    #[test]
    fn a_fifo_is_refused_and_a_device_is_written_to() {
        let home = Home::new("fifo");
        let fifo = home.0.join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo, of POSIX");
        assert!(made.success());
        assert_eq!(open(&fifo).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert!(replace(&fifo, |file| file.write_all(b"nobody reads")).is_err());
        replace(Path::new("/dev/null"), |file| file.write_all(b"gone")).expect("written");
        let path = home.0.join("file");
        fs::write(&path, "text").expect("written");
        let mut text = String::new();
        open(&path).expect("a regular file").read_to_string(&mut text).expect("it is read");
        assert_eq!(text, "text");
    }
}

//! stdout and stderr: results, errors, colors, widths.

use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use faultwire::files;
use faultwire::text::shell_word;

use super::error::{CommandError, usage};
use faultwire_conformance::report::harmless;

/// The width where none is known.
const WIDTH: usize = 80;
/// The least that is used.
const WIDTH_MIN: usize = 40;
/// The widest that is used on a terminal: longer lines do not read well.
const WIDTH_MAX: usize = 110;

static COMMAND: OnceLock<String> = OnceLock::new();

/// How this command is called, for what is to be copied: `faultwire`, or the path of a program that brings
/// its own subjects, with the files of subjects that it was given.
pub(super) fn command() -> &'static str {
    COMMAND.get().map_or("faultwire", String::as_str)
}

/// Sets it. The first call in a process decides.
pub(super) fn set_command(program: &OsStr, subjects: &[PathBuf]) {
    let is_ours = Path::new(program).file_stem().is_none_or(|stem| stem == "faultwire");
    let program = if is_ours { "faultwire".to_owned() } else { shell_word(&program.to_string_lossy()) };
    let subject = |path: &PathBuf| format!(" --third-party {}", shell_word(&path.to_string_lossy()));
    let _ = COMMAND.set(program + &subjects.iter().map(subject).collect::<String>());
}

/// Writes a result to stdout. A reader that has gone away (a closed pipe) has seen enough: that is no error.
pub(super) fn emit(text: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| usage("cannot write the result to stdout").because(error)),
    }
}

/// Writes a line of the result to stdout; what is not text in it is replaced.
pub(super) fn result(line: impl Display) -> Result<(), CommandError> {
    emit(&format!("{}\n", harmless(&line.to_string())))
}

/// Writes a result to a file, or to stdout.
pub(super) fn emit_to(out: Option<&Path>, text: &str) -> Result<(), CommandError> {
    out.map_or_else(|| emit(text), |path| write("the result", path, text))
}

/// Writes a text to a file.
pub(super) fn write(what: &str, path: &Path, text: &str) -> Result<(), CommandError> {
    let written = files::replace(path, |file| file.write_all(text.as_bytes()));
    written.map_err(|error| unwritten(what, path, error))
}

/// The error where something cannot be written to a file.
pub(super) fn unwritten(what: &str, path: &Path, error: io::Error) -> CommandError {
    usage(format!("cannot write {what} to {}", path.display()))
        .because(error)
        .help("give a file in a directory that exists and is yours")
}

/// Whether a file can be written: told before hours of work, not after them.
pub(super) fn check_writable(what: &str, out: Option<&Path>) -> Result<(), CommandError> {
    let Some(path) = out else { return Ok(()) };
    files::can_replace(path).map_err(|error| unwritten(what, path, error))
}

/// Refuses to write over a file that is read, or twice to the same file.
pub(super) fn check_distinct(read: Option<&Path>, written: &[Option<&Path>]) -> Result<(), CommandError> {
    let mut others: Vec<&Path> = read.into_iter().collect();
    for path in written.iter().flatten() {
        if others.iter().any(|other| files::are_same(path, other)) {
            let help = "give each result its own file, other than the plan that is read";
            return Err(usage(format!("{} would be written over", path.display())).help(help));
        }
        others.push(path);
    }
    Ok(())
}

/// Writes a line about the work to stderr, which may have no reader; what is not text in it is replaced.
pub(super) fn tell(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{}", harmless(&line.to_string()));
}

/// Where a browser finds a file: its address; where the system's paths are not such, its path.
pub(super) fn address(path: &Path) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let Some(text) = whole.to_str().filter(|text| text.starts_with('/')) else {
        return path.display().to_string();
    };
    let mut address = "file://".to_owned();
    for byte in text.bytes() {
        // RFC 3986, section 3.3: these stand in a path as they are.
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte) {
            address.push(char::from(byte));
        } else {
            address.push_str(&format!("%{byte:02X}"));
        }
    }
    address
}

/// Reports an error on stderr, with what to do about it; gives the exit code for it.
pub(super) fn complain(error: &CommandError) -> u8 {
    tell(format_args!("error: {}", error.text("\n  help: ")));
    error.fault as u8
}

/// Whether results may be colored: on a terminal, unless NO_COLOR is set (<https://no-color.org>).
pub(super) fn color_on_stdout() -> bool {
    io::stdout().is_terminal() && color_is_welcome()
}

/// Whether logs may be colored: like results, on stderr.
pub(super) fn color_on_stderr() -> bool {
    io::stderr().is_terminal() && color_is_welcome()
}

fn color_is_welcome() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    !refused && !dumb
}

/// The width of the terminal, within reason; else that of COLUMNS; else 80.
pub(super) fn width() -> usize {
    // A terminal that does not know its size says 0.
    let terminal = comfy_table::Table::new().width().map(usize::from);
    let columns = || std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let known = terminal.filter(|width| *width > 0).or_else(columns).filter(|width| *width > 0);
    known.map_or(WIDTH, |width| width.clamp(WIDTH_MIN, WIDTH_MAX))
}

/// Whether stdout is a terminal whose locale has ASCII characters only (or others that are not Unicode).
pub(super) fn is_without_unicode() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    io::stdout().is_terminal() && locale.is_some_and(|locale| !is_unicode(&locale))
}

/// Whether a locale's name is that of one with Unicode: its part behind the dot (locale(7)).
fn is_unicode(locale: &str) -> bool {
    let charset = locale.split('@').next().and_then(|name| name.split_once('.')).map(|(_, charset)| charset);
    charset
        .is_some_and(|charset| charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn an_address_holds_whatever_a_path_holds() {
        assert_eq!(address(Path::new("/a b/ä#?%.html")), "file:///a%20b/%C3%A4%23%3F%25.html");
        let here = address(Path::new("report.html"));
        assert!(here.starts_with("file:///") && here.ends_with("/report.html"), "{here}");
    }

    #[test]
    fn a_locale_says_whether_it_has_unicode() {
        assert!(["C.UTF-8", "de_CH.utf8", "en_US.UTF-8@euro"].into_iter().all(is_unicode));
        assert!(!["C", "POSIX", "en_US", "de_DE@euro", "en_US.ISO-8859-1"].into_iter().any(is_unicode));
    }
}

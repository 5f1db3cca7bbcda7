//! The programs of the lessons as texts: what a learner starts from, and what the mended one looks like.

/// A program in Rust: a file, the modules that it is made with, and what is checked of it.
#[derive(Clone, Copy, Debug)]
pub struct RustSource {
    /// The file.
    pub root: &'static str,
    /// The modules: their names and texts. Each finds the others beside it.
    pub modules: &'static [(&'static str, &'static str)],
    /// The machine, as a type; none where two programs talk over a stream: they are the functions `client`
    /// and `server`.
    pub machine: Option<&'static str>,
}

/// The programs of a lesson, in Rust.
#[derive(Clone, Copy, Debug)]
pub struct RustProgram {
    /// The lesson's slug.
    pub slug: &'static str,
    /// The program that believes.
    pub believed: RustSource,
    /// The mended one.
    pub mended: RustSource,
    /// What the first one lacks, and where it is to be put.
    pub gap: &'static str,
    /// What is in the line below which that is said.
    pub gap_below: &'static str,
}

/// A client and a server in Python.
#[derive(Clone, Copy, Debug)]
pub struct PythonPair {
    /// The side that has the messages.
    pub client: &'static str,
    /// The side that they go to.
    pub server: &'static str,
}

/// The programs of a lesson, in Python.
#[derive(Clone, Copy, Debug)]
pub struct PythonProgram {
    /// The lesson's slug.
    pub slug: &'static str,
    /// The program that believes.
    pub believed: PythonPair,
    /// The mended one.
    pub mended: PythonPair,
    /// What the first one lacks, in the client; empty where that is right.
    pub gap_client: &'static str,
    /// What the first one lacks, in the server; empty where that is right.
    pub gap_server: &'static str,
}

macro_rules! lesson_file {
    ($path:literal) => {
        include_str!(concat!("../../lessons/", $path))
    };
}

mod python;
mod rust;

pub use python::PYTHON;
pub use rust::RUST;

impl super::Lesson {
    /// Its programs in Rust, where it can be done so.
    pub fn in_rust(&self) -> Option<&'static RustProgram> {
        RUST.iter().find(|program| program.slug == self.slug)
    }

    /// Its programs in Python, where there are some.
    pub fn in_python(&self) -> Option<&'static PythonProgram> {
        PYTHON.iter().find(|program| program.slug == self.slug)
    }
}

impl RustProgram {
    /// The file that a learner of lesson `name` starts from, with the gap marked.
    pub fn template(&self, name: &str) -> String {
        let mut out = String::new();
        for line in titled(self.believed.root, "//! ", name).lines() {
            // In a file of the course it says why it is as it is.
            if line.starts_with("#[expect(clippy::") {
                continue;
            }
            out.push_str(line);
            out.push('\n');
            if line.contains(self.gap_below) && !out.contains(MARK) {
                out.push_str(&comment(self.gap, "    // "));
                out.push('\n');
            }
        }
        self.believed.file(&out)
    }

    /// The mended program, as such a file.
    pub fn solution(&self) -> String {
        self.mended.file(self.mended.root)
    }
}

impl RustSource {
    /// All of it in one file of a separate crate, with this root.
    fn file(&self, root: &str) -> String {
        let own = |text: &str| {
            let room = "super::ROOM";
            text.replace("crate::", "faultwire_course::").replace(room, "faultwire_course::transport::ROOM")
        };
        let mut out = own(root).replace("super::", "self::");
        for (name, text) in self.modules {
            out.push_str(&format!("\npub mod {name} {{\n"));
            for line in own(text).lines() {
                out.push_str(format!("    {line}").trim_end());
                out.push('\n');
            }
            out.push_str("}\n");
        }
        if let Some(machine) = self.machine {
            out.push_str("\n/// What is checked: both hosts have one of these.\n");
            out.push_str(&format!("pub type Mine = {machine};\n"));
        }
        out
    }
}

impl PythonProgram {
    /// What a learner of lesson `name` starts from, with the gap marked: the client, the server.
    pub fn template(&self, name: &str) -> [String; 2] {
        let marked = |text: &str, gap: &str| {
            if gap.is_empty() {
                return headed(text, "\"\"\"", &format!("Lesson {name}: "));
            }
            let text = titled(text, "\"\"\"", name);
            match text.split_once("\n\n") {
                Some((head, rest)) => format!("{head}\n\n{}\n{rest}", comment(gap, "# ")),
                None => text,
            }
        };
        [marked(self.believed.client, self.gap_client), marked(self.believed.server, self.gap_server)]
    }
}

/// What a gap is marked with.
pub(crate) const MARK: &str = "THE GAP:";

/// Lines of a comment are at most so wide.
const COMMENT_WIDTH: usize = 100;

fn comment(gap: &str, begin: &str) -> String {
    let mut text = String::new();
    let width = COMMENT_WIDTH - begin.len();
    faultwire_conformance::report::paragraph(&mut text, "", &format!("{MARK} {gap}"), width);
    text.lines().map(|line| format!("{begin}{line}\n")).collect()
}

/// With a title that says what the text is here: `Lesson 0, mended: …` is where lesson 1 begins.
fn titled(text: &str, begin: &str, name: &str) -> String {
    headed(text, begin, &format!("Lesson {name}, to be mended: "))
}

/// With another head in place of what is before the first colon.
fn headed(text: &str, begin: &str, head: &str) -> String {
    let rest = text.strip_prefix(begin).and_then(|text| text.split_once(": "));
    rest.map_or(text.to_owned(), |(_, rest)| format!("{begin}{head}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LESSONS, Lesson, Task};

    #[test]
    fn every_template_marks_its_gap_and_every_lesson_is_one() {
        assert!(LESSONS.iter().all(|lesson| lesson.in_rust().is_some()));
        for program in RUST {
            let lesson = Lesson::named(program.slug).expect("a lesson");
            assert_eq!(program.believed.machine.is_none(), matches!(lesson.task, Task::Stream(_)));
            let (template, solution) = (program.template(lesson.name), program.solution());
            assert!(
                template.starts_with(&format!("//! Lesson {}, to be mended: ", lesson.name)),
                "{template}"
            );
            assert_eq!(template.matches(MARK).count(), 1, "{}", program.slug);
            assert_ne!(template, solution);
            for text in [&template, &solution] {
                assert!(!text.replace("faultwire_course::", "").contains("crate::"), "{text}");
            }
        }
        for program in PYTHON {
            let lesson = Lesson::named(program.slug).expect("a lesson");
            assert!(!(program.gap_client.is_empty() && program.gap_server.is_empty()));
            let gaps = [program.gap_client, program.gap_server];
            for (text, gap) in program.template(lesson.name).iter().zip(gaps) {
                let to_do = if gap.is_empty() { ": " } else { ", to be mended: " };
                assert!(text.starts_with(&format!("\"\"\"Lesson {}{to_do}", lesson.name)), "{text}");
                assert_eq!(text.matches(MARK).count(), usize::from(!gap.is_empty()), "{text}");
                let mut comments = text.lines().filter(|line| line.starts_with("# "));
                assert!(comments.all(|line| line.chars().count() <= COMMENT_WIDTH), "{text}");
            }
        }
    }
}

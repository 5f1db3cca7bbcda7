//! The house: no circles of imports within a crate, documents that name files that exist, and plain words.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files below a folder, except builds and hidden ones.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        if name == "target" || name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Whether it is Rust code, and not of tests.
fn is_source(path: &Path) -> bool {
    let is_test =
        path.components().any(|part| ["tests", "tests.rs"].iter().any(|it| part.as_os_str() == *it));
    path.extension().is_some_and(|it| it == "rs") && !is_test
}

/// A file without its unit tests, which stand at its end.
fn without_tests(text: &str) -> &str {
    let begins_tests = |at: &usize| text[*at..].lines().nth(1).is_some_and(|line| line.ends_with('{'));
    let ends = ["#[cfg(test)]\nmod ", "#[cfg(all(test"].into_iter().flat_map(|it| text.match_indices(it));
    ends.map(|(at, _)| at).filter(begins_tests).min().map_or(text, |end| &text[..end])
}

/// Which other modules of the crate's root each of them names. The root itself may name all of them.
fn imports(src: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = Vec::new();
    files(src, &mut found);
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in found.into_iter().filter(|path| is_source(path.strip_prefix(src).expect("below it"))) {
        let inner = path.strip_prefix(src).expect("below it");
        let first = inner.components().next().expect("a part").as_os_str().to_str().expect("UTF-8");
        let module = first.trim_end_matches(".rs");
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("UTF-8");
        let code = without_tests(&text).lines().filter(|line| !line.trim_start().starts_with("//"));
        let named = imports.entry(module.to_owned()).or_default();
        let code = code.collect::<Vec<_>>().join("\n");
        for after in code.split("crate::").skip(1) {
            named.extend(first_names(after));
        }
    }
    let modules: BTreeSet<String> = imports.keys().cloned().collect();
    for (module, named) in &mut imports {
        named.retain(|name| name != module && modules.contains(name));
    }
    imports
}

/// The first name of a path, or those of a group of paths: `a::{b, c}, d` in braces is `a` and `d`.
fn first_names(path: &str) -> Vec<String> {
    let name = |from: &str| from.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
    let Some(group) = path.strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut begins) = (0, true);
    let mut names = Vec::new();
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            c if begins && !c.is_whitespace() => {
                names.push(name(&group[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

/// What is left when modules that import none of the rest are taken away, again and again: circles, and what
/// leads to them.
fn circles(mut imports: BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    loop {
        let left: BTreeSet<String> = imports.keys().cloned().collect();
        imports.retain(|_, named| !named.is_disjoint(&left));
        if imports.len() == left.len() {
            return imports;
        }
    }
}

#[test]
fn no_modules_import_each_other() {
    for src in ["src", "sim/src", "conformance/src", "conformance/course/src", "conformance/command/src"] {
        let imports = imports(&root().join(src));
        assert!(imports.len() > 5, "{src}: {imports:?}");
        assert_eq!(circles(imports), BTreeMap::new(), "{src}");
    }
}

#[test]
fn a_circle_is_seen() {
    assert_eq!(first_names("engine::verify;"), ["engine"]);
    assert_eq!(first_names("{engine::{a, b}, exit,\n    report};"), ["engine", "exit", "report"]);
    let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let imports = [("a", of(&["b"])), ("b", of(&["c"])), ("c", of(&["b"])), ("d", of(&[]))];
    let imports = imports.map(|(name, named)| (name.to_owned(), named));
    assert_eq!(circles(imports.into()).into_keys().collect::<Vec<_>>(), ["a", "b", "c"]);
}

/// What the document calls by a path from the root of the project is there.
#[test]
fn the_files_of_the_documents_exist() {
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"] {
        let text = fs::read_to_string(root().join(document)).expect(document);
        let quoted = text.split('`').skip(1).step_by(2);
        let is_path = |it: &&str| {
            let first = it.split('/').next().unwrap_or_default();
            let is_plain = it.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            it.contains('/') && is_plain && ["src", "sim", "conformance", "fixtures"].contains(&first)
        };
        // `NN-slug` and `FAMILY` stand for any.
        let paths: BTreeSet<&str> =
            quoted.filter(is_path).filter(|it| !it.contains("NN-slug") && !it.contains("FAMILY")).collect();
        assert!(document != "ARCHITECTURE.md" || paths.len() > 40, "{document}: {paths:?}");
        for path in paths {
            assert!(root().join(path).exists(), "{document} names `{path}`, which is not there");
        }
    }
}

/// Words that readers stumble over, and what to write instead. A plural counts as the word.
const RETIRED: [(&str, &str); 28] = [
    ("nobody", "no host, no program"),
    ("somebody", "another host, a program"),
    ("for ever", "forever"),
    ("to be had", "available"),
    ("goes by", "follows, uses"),
    ("of its own", "its own X, a separate X"),
    ("so many", "the number itself: `count`, at most `count`"),
    ("that many", "this many, `count`"),
    ("nothing is said", "by default"),
    ("nothing else is said", "by default"),
    ("time-out", "timeout"),
    ("storm", "random faults"),
    ("barren", "without a hit"),
    ("inert", "not applied"),
    ("unsteady", "nondeterministic"),
    ("ladder", "shrink steps"),
    ("made anew", "retried"),
    ("made again", "retried"),
    ("is none of", "expected one of"),
    ("/// The same", "like `x`, but"),
    ("//! The same", "like `x`, but"),
    ("fabric", "driver"),
    ("of its lives", "incarnation"),
    ("sign of life", "heartbeat"),
    ("neighbour", "neighbor"),
    ("behaviour", "behavior"),
    ("colour", "color"),
    ("learnt", "learned"),
];

/// A word that may stay in a file: the file, the word, the reason.
const ALLOWED: [(&str, &str, &str); 4] = [
    ("CHANGELOG.md", "storm", "the old name of `RandomFaults`"),
    ("CHANGELOG.md", "barren", "an old field of `Tried`"),
    ("CHANGELOG.md", "inert", "an old field of `Tried`"),
    ("CHANGELOG.md", "unsteady", "an old field of `Tried`"),
];

/// The retired words of a line: a word ends where no letter, digit, `_` or `-` follows.
fn retired(line: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = [line.to_owned(), line.to_lowercase()];
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let holds = move |line: &str, word: &str| {
        line.match_indices(word).any(|(at, _)| {
            let after = &line[at + word.len()..];
            let after = after.strip_prefix('s').unwrap_or(after);
            !line[..at].ends_with(is_part) && !after.starts_with(is_part)
        })
    };
    RETIRED.into_iter().filter(move |(word, _)| lines.iter().any(|line| holds(line, word)))
}

/// The documentation and the string literals of Rust code, by line.
fn prose(code: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut in_string = false;
    for (number, line) in (1..).zip(code.lines()) {
        let start = line.trim_start();
        if !in_string && start.starts_with("//") {
            lines.extend(
                (start.starts_with("///") || start.starts_with("//!")).then(|| (number, start.into())),
            );
            continue;
        }
        let line = line.replace("\\\\", "").replace("\\\"", "").replace("'\"'", "");
        let mut words = String::new();
        for (index, part) in line.split('"').enumerate() {
            in_string ^= index > 0;
            words += if in_string { part } else { " " };
        }
        lines.push((number, words));
    }
    assert!(!in_string, "a string does not end: {:?}", code.lines().next());
    lines
}

#[test]
fn texts_are_plain() {
    let (root, mut all) = (root(), Vec::new());
    files(&root, &mut all);
    let (mut read, mut found) = (0, Vec::new());
    for path in all {
        let inner = path.strip_prefix(&root).expect("below it");
        let name = inner.display().to_string();
        let is_claims = name.starts_with("conformance/claims/");
        if !(is_source(inner) || name.ends_with(".md") || is_claims) {
            continue;
        }
        read += 1;
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let lines = match name.ends_with(".rs") {
            true => prose(without_tests(&text)),
            false => (1..).zip(text.lines().map(str::to_owned)).collect(),
        };
        for (number, line) in lines {
            let is_allowed = |word| ALLOWED.iter().any(|(file, it, _)| *file == name && *it == word);
            let words = retired(&line).filter(|(word, _)| !is_allowed(*word));
            found.extend(words.map(|(word, instead)| format!("{name}:{number}: {word:?}: write {instead}")));
        }
    }
    assert!(read > 400, "{read} files were read");
    assert!(found.is_empty(), "{} retired words:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_retired_word_is_seen() {
    let code = "/// Nobody sees it.\n// nobody\nlet nobody = \"so\\\"\n  many storms\";\n/// The same, but\n";
    let found = |line: &str| retired(line).map(|(word, _)| word).collect::<Vec<_>>();
    let all: Vec<_> = prose(code).into_iter().map(|(number, line)| (number, found(&line))).collect();
    assert_eq!(all, [(1, vec!["nobody"]), (3, vec![]), (4, vec!["storm"]), (5, vec!["/// The same"])]);
    assert!(found("refuses-nobody, colourful, the_storm").is_empty());
}

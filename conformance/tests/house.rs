//! The house: no circles of imports within a crate, and documents that name files that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The Rust files below a folder, those of tests left out.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
}

/// Which other modules of the crate's root each of them names. The root itself may name all of them.
fn imports(src: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut files = Vec::new();
    sources(src, &mut files);
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in files {
        let inner = path.strip_prefix(src).expect("below it");
        let first = inner.components().next().expect("a part").as_os_str().to_str().expect("UTF-8");
        let module = first.trim_end_matches(".rs");
        if ["lib", "main"].contains(&module) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("UTF-8");
        // Unit tests stand at the end of a file.
        let text = text.find("#[cfg(test)]\nmod ").map_or(text.as_str(), |end| &text[..end]);
        let text = text.find("#[cfg(all(test").map_or(text, |end| &text[..end]);
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
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

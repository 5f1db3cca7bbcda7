"""Puts every mutant of a source tree into one build ("mutant schemata").

`cargo mutants --list --json` names the mutants. Each function that has any gets a body that picks one of its
mutated copies, or the original, by the number in the environment variable FAULTWIRE_CARGO_MUTANT. Only a copy
of the tree is changed.
"""

import json
import os
import re
import subprocess
from pathlib import Path

VARIABLE = "FAULTWIRE_CARGO_MUTANT"
# The deliberate bugs and the invariants are part of the tests: a bug in them says nothing about the stack.
NOT_MUTATED = ("src/stack/mutant", "src/tcp/invariants.rs", "src/stack/invariants.rs", "src/stack/testing.rs")

SWITCH = f"""
#[doc(hidden)]
#[allow(missing_docs, reason = "generated")]
pub mod mutation_switch {{
    static ACTIVE: std::sync::OnceLock<u32> = std::sync::OnceLock::new();

    #[inline]
    pub fn active_mutant() -> u32 {{
        let read = || std::env::var("{VARIABLE}").ok().and_then(|it| it.parse().ok());
        *ACTIVE.get_or_init(|| read().unwrap_or(0))
    }}
}}
"""

# A comment, a string, or a character: what may hold a brace that is none.
OPAQUE = re.compile(
    r"""//[^\n]*|/\*(?:[^*]|\*(?!/))*\*/"""
    r"""|b?r(?P<h>\#*)".*?"(?P=h)|b?"(?:\\.|[^"\\])*"|b?'(?:\\'|\\[^']+|[^'\\])'""",
    re.DOTALL,
)


def blank(text):
    """The text with comments and literals blanked out; lengths and lines stay."""
    return OPAQUE.sub(lambda it: re.sub(r"[^\n]", " ", it.group()), text)


class Source:
    """A source file, addressed by the line and column of cargo-mutants."""

    def __init__(self, path):
        self.text = path.read_text()
        self.starts = [0]
        for line in self.text.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.blanked = blank(self.text)

    def at(self, place):
        return self.starts[place["line"] - 1] + place["column"] - 1

    def span(self, span):
        return self.at(span["start"]), self.at(span["end"])

    def line(self, number):
        return self.text[self.starts[number - 1] : self.starts[number]].strip()

    def body(self, function):
        """Where a function's body is, braces included; `None` if it has none."""
        start, end = function
        while end > start and self.text[end - 1] != "}":
            end -= 1
        depth = 0
        for at in range(end - 1, start - 1, -1):
            depth += {"}": 1, "{": -1}.get(self.blanked[at], 0)
            if depth == 0:
                return at, end
        return None


def listed(tree, folders):
    """The mutants of some folders, as cargo-mutants lists them."""
    command = ["cargo", "mutants", "--list", "--json", "--package", "faultwire"]
    for folder in folders:
        command += ["--file", f"{folder}/**/*.rs", "--file", f"{folder}.rs"]
    out = subprocess.run(command, cwd=tree, check=True, capture_output=True, text=True).stdout
    return [it for it in json.loads(out) if not it["file"].startswith(NOT_MUTATED)]


def named(tree, folders):
    """The mutants, with a key that survives moved lines: file, change, function, and which of those it is."""
    sources, seen, mutants = {}, {}, []
    for number, found in enumerate(listed(tree, folders), 1):
        file = found["file"]
        source = sources.setdefault(file, Source(Path(tree, file)))
        name = re.sub(r"^(\S+?):\d+:\d+: ", r"\1: ", found["name"])
        seen[name] = seen.get(name, 0) + 1
        mutants.append({
            "number": number,
            "key": f"{name} #{seen[name]}" if seen[name] > 1 else name,
            "file": file,
            "line": found["span"]["start"]["line"],
            "text": source.line(found["span"]["start"]["line"]),
            "span": source.span(found["span"]),
            "replacement": found["replacement"],
            "function": source.span(found["function"]["span"]) if found["function"] else None,
            "state": "viable",
        })
    return mutants, sources


def groups(mutants, source):
    """The outermost functions with their mutants, and for each where its body is."""
    outer = []
    for function in sorted({tuple(it["function"]) for it in mutants if it["function"]}):
        if not outer or function[0] >= outer[-1][1]:
            outer.append(function)
    for function in outer:
        body = source.body(function)
        inside = [it for it in mutants if it["function"] and function[0] <= it["function"][0] < function[1]]
        yield function, body, inside


def instrument(source, mutants):
    """The file with all its mutants in it, and for each mutant the lines of its copy."""
    text, out, at, lines = source.text, [], 0, {}
    for function, body, inside in groups(mutants, source):
        live = [it for it in inside if it["state"] == "viable"]
        head = source.blanked[function[0] : body[0]] if body else ""
        if body is None or re.search(r"->.*\bimpl\b", head, re.DOTALL):
            for mutant in live:
                mutant["state"] = "skipped"
            continue
        if not live:
            continue
        # What is generated is not called where a constant is needed.
        signature = text[function[0] : body[0]]
        if const := re.search(r"\bconst (?=(unsafe )?fn\b)", head):
            signature = signature[: const.start()] + signature[const.end() :]
        out += [text[at : function[0]], signature, "{ match crate::mutation_switch::active_mutant() {\n"]
        for mutant in live:
            start, end = mutant["span"]
            replacement = mutant["replacement"]
            if start <= body[0] and end >= body[1]:
                copy = "{ " + replacement + " }"
            else:
                copy = text[body[0] : start] + " " + replacement + " " + text[end : body[1]]
            first = sum(piece.count("\n") for piece in out) + 1
            out.append(f"{mutant['number']} => {copy}\n")
            lines[mutant["number"]] = (first, first + out[-1].count("\n") - 1)
        out += ["_ => ", text[body[0] : body[1]], "\n} }"]
        at = body[1]
    out.append(text[at:])
    return "".join(out), lines


def compile_errors(tree, target):
    """The errors of a type check: file and line of each."""
    command = ["cargo", "check", "--package", "faultwire", "--lib",
               "--features", "lab,mutants,pcapng", "--message-format", "json", "--locked"]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    errors = []
    for line in done.stdout.splitlines():
        message = json.loads(line).get("message") or {}
        if message.get("level") != "error" or not message.get("spans"):
            continue
        places = [span for span in message["spans"] if span["is_primary"]]
        errors += [(it["file_name"], it["line_start"], message["message"]) for it in places]
    if done.returncode != 0 and not errors:
        raise SystemExit(done.stderr)
    return errors


def put_in(tree, target, folders, say):
    """Instruments a copy of the tree and leaves out what does not compile. Gives the list of all mutants."""
    mutants, sources = named(tree, folders)
    root = Path(tree, "src/lib.rs")
    root.write_text(root.read_text() + SWITCH)
    while True:
        lines = {}
        for file, source in sources.items():
            text, lines[file] = instrument(source, [it for it in mutants if it["file"] == file])
            Path(tree, file).write_text(text)
        errors = compile_errors(tree, target)
        wrong = set()
        for file, line, message in errors:
            hit = [number for number, (first, last) in lines.get(file, {}).items() if first <= line <= last]
            if not hit and not wrong:
                say(f"an error outside of all mutants: {file}:{line}: {message}")
            wrong.update(hit)
        if not errors:
            break
        if not wrong:
            raise SystemExit("the instrumented tree does not compile, and no mutant is at fault")
        for mutant in mutants:
            if mutant["number"] in wrong:
                mutant["state"] = "unviable"
        say(f"{len(wrong)} mutants do not compile")
    for mutant in mutants:
        if mutant["function"] is None:
            mutant["state"] = "skipped"
        del mutant["span"], mutant["function"], mutant["replacement"]
    return mutants

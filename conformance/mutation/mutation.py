#!/usr/bin/env python3
"""Lets a mutation tool judge the judges: see README.md beside this file."""

import argparse
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path

import schemata

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FOLDERS = ("src/tcp", "src/stack")
EQUIVALENT = HERE / "equivalent.toml"
# A mutant may grow a queue without a bound.
MEMORY_MAX = 6 << 30
# Quick looks first: they see most mutants. The last look is the whole suite.
QUICK = (
    "--cases 0 tcp/listens-and-connects tcp/close-flushes tcp/half-close udp/length-and-sender".split(),
    "tcp/slow-start tcp/reset tcp/half-open tcp/backlog tcp/many-clients tcp/gives-up tcp/time-wait".split(),
)


def say(what):
    print(what, file=sys.stderr, flush=True)


def run(command, **options):
    return subprocess.run(command, check=True, text=True, **options)


# --- build


def lay_out(rev, tree):
    """A copy of a commit, or of the work tree."""
    run(["rm", "-rf", str(tree)])
    tree.mkdir(parents=True)
    archive = tree / "all.tar"
    if rev == "worktree":
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = run(command, cwd=ROOT, stdout=-1)
        names = "".join(it + "\0" for it in listed.stdout.split("\0") if it and (ROOT / it).is_file())
        run(["tar", "-c", "--null", "-T", "-", "-f", str(archive)], cwd=ROOT, input=names)
    else:
        run(["git", "archive", "-o", str(archive), rev], cwd=ROOT)
    # With the time of now: cargo builds again what is newer than the last build.
    run(["tar", "-x", "-m", "-f", "all.tar"], cwd=tree)
    archive.unlink()


def build(args):
    work = Path(args.work).resolve()
    tree = work / "tree"
    lay_out(args.rev, tree)
    commit = run(["git", "rev-parse", "HEAD" if args.rev == "worktree" else args.rev], cwd=ROOT, stdout=-1)
    mutants = schemata.put_in(tree, work / "target", FOLDERS, say)
    environment = {**os.environ, "CARGO_TARGET_DIR": str(work / "target"), "CARGO_PROFILE_RELEASE_DEBUG": "0"}
    options = {"cwd": tree, "env": environment}
    # The checks themselves need no optimization, and take long to optimize.
    run(["cargo", "build", "--release", "--locked", "--bin", "faultwire",
         "--config", "profile.release.package.faultwire-conformance.opt-level=1"], **options)
    run(["cp", str(work / "target/release/faultwire"), str(work / "verify")])
    if args.unit:
        command = ["cargo", "test", "--release", "--no-run", "--locked", "-p", "faultwire", "--lib",
                   "--features", "lab,mutants,pcapng", "--message-format", "json"]
        for check in ("debug-assertions", "overflow-checks"):
            command += ["--config", f"profile.release.package.faultwire.{check}=true"]
        for line in run(command, stdout=-1, **options).stdout.splitlines():
            if executable := json.loads(line).get("executable"):
                run(["cp", executable, str(work / "unit")])
    text = json.dumps({"commit": commit.stdout.strip(), "mutants": mutants}, indent=0)
    Path(work, "mutants.json").write_text(text)
    states = Counter(it["state"] for it in mutants)
    say(f"{len(mutants)} mutants: {states['viable']} viable, {states['unviable']} do not compile, "
        f"{states['skipped']} in functions that cannot be switched")


# --- run


def limited(seconds):
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(19)


def attempt(command, number, folder, timeout):
    """Runs one judge against one mutant: how it ended, and what it printed."""
    environment = {**os.environ, schemata.VARIABLE: str(number), "RUST_BACKTRACE": "0"}
    child = subprocess.Popen(command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, preexec_fn=lambda: limited(timeout),
                             start_new_session=True)
    try:
        # On a busy machine much time passes that is not the judge's.
        output, _ = child.communicate(timeout=20 * timeout)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return "timeout", ""
    if child.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return "timeout", ""
    if child.returncode < 0:
        return f"signal-{-child.returncode}", ""
    return f"exit-{child.returncode}" if child.returncode else "survived", output


def verify(work, mutant, timeout):
    """`faultwire verify` as the judge: how it ended, and which claims reported it."""
    family = [] if mutant["file"].startswith("src/stack") else ["tcp"]
    for claims in (*QUICK, family):
        command = [str(work / "verify"), "verify", "--testbed", "virtual", "--format", "json", *claims]
        end, output = attempt(command, mutant["number"], work / "scratch", timeout)
        if end != "survived":
            break
    try:
        rows = json.loads(output)["results"]
    except (ValueError, KeyError):
        rows = []
    failed = ("broken", "unwitnessed", "unproven", "stalled", "error")
    return end, sorted({it["claim"] for it in rows if it["outcome"] in failed})


def unit(work, mutant, timeout):
    """The library's unit tests as the judge: how it ended, and which tests failed."""
    command = [str(work / "unit"), "tcp::", "stack::", "--test-threads", "1"]
    end, output = attempt(command, mutant["number"], work / "scratch", timeout)
    return end, sorted(set(re.findall(r"^test (\S+) \.\.\. FAILED", output, re.MULTILINE)))


JUDGES = {"verify": verify, "unit": unit}


def chosen(mutants, args):
    """The mutants of this shard: of those asked for, or of a sample drawn by seed."""
    mutants = [it for it in mutants if it["state"] == "viable"]
    if args.only:
        wanted = survivors(Path(args.only))
        mutants = [it for it in mutants if it["key"] in wanted]
    # The order is the sample's, so that a run that ends early has judged a random part.
    random.Random(args.seed).shuffle(mutants)
    if args.sample:
        mutants = mutants[: args.sample]
    index, count = (int(it) for it in args.shard.split("/"))
    return mutants[index::count]


def read(path):
    """The results in a file: a key, how the judge ended, what reported the mutant."""
    if not path.exists():
        return {}
    rows = [line.split("\t") for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {key: (end, by) for end, by, key in rows}


def survivors(path):
    return {key for key, (end, _) in read(path).items() if end == "survived"}


def judge(args):
    work, results = Path(args.work).resolve(), Path(args.results)
    built = json.loads(Path(work, "mutants.json").read_text())
    (work / "scratch").mkdir(exist_ok=True)
    done = read(results)
    if not results.exists():
        results.write_text(f"# {args.judge} at {built['commit'][:12]}, seed {args.seed}\n")
    sound, by = JUDGES[args.judge](work, {"number": 0, "file": "src/stack"}, 600)
    if sound != "survived":
        raise SystemExit(f"without a mutant the judge ends with {sound}: {by}")
    left = [it for it in chosen(built["mutants"], args) if it["key"] not in done]
    for count, mutant in enumerate(left, 1):
        begun = time.monotonic()
        end, by = JUDGES[args.judge](work, mutant, args.timeout)
        with results.open("a") as file:
            file.write(f"{end}\t{','.join(by) or '-'}\t{mutant['key']}\n")
        say(f"{count}/{len(left)} {end} in {time.monotonic() - begun:.1f} s: {mutant['key']}")


# --- report


def known_equivalent():
    if not EQUIVALENT.exists():
        return {}
    return {it["mutant"]: it for it in tomllib.loads(EQUIVALENT.read_text()).get("equivalent", [])}


def report(args):
    """The share that was caught, and what survived."""
    verified = {}
    for path in args.results:
        verified |= read(Path(path))
    united = {}
    for path in args.unit:
        united |= read(Path(path))
    equivalent = known_equivalent()
    for folder in (*FOLDERS, "src/"):
        mine = {key: it for key, it in verified.items() if key.startswith(folder)}
        ends = Counter(end for end, _ in mine.values())
        same = [key for key in mine if key in equivalent]
        rest = len(mine) - len(same)
        caught = sum(end != "survived" for key, (end, _) in mine.items() if key not in equivalent)
        too = sum(united.get(key, ("survived",))[0] != "survived" for key, (end, _) in mine.items()
                  if key not in equivalent and end == "survived")
        share = 100 * caught / rest if rest else 0
        kinds = ", ".join(f"{end} {count}" for end, count in sorted(ends.items()))
        print(f"{folder}: caught {caught} of {rest} ({share:.1f} %), {len(same)} equivalent; {kinds}; "
              f"unit tests catch {too} of the survivors")
    for key, (end, _) in sorted(verified.items()):
        if end == "survived" and key not in equivalent:
            print(f"  {'unit' if united.get(key, ('survived',))[0] != 'survived' else '    '}  {key}")
        if end != "survived" and key in equivalent:
            print(f"  not equivalent, it was caught: {key}")


def show(args):
    """Where the survivors of a result are, in the tree that was built."""
    built = json.loads(Path(args.work, "mutants.json").read_text())
    wanted = survivors(Path(args.results))
    for mutant in built["mutants"]:
        if mutant["key"] in wanted and mutant["key"] not in known_equivalent():
            print(f"{mutant['number']:4} line {mutant['line']}, {mutant['key']}\n       {mutant['text']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--work", default="/tmp/faultwire-mutation", help="a folder outside of the tree")

    it = commands.add_parser("build", parents=[common], help="instrument a copy of the tree and build it")
    it.add_argument("--rev", default="worktree", help="a commit, or `worktree`")
    it.add_argument("--unit", action="store_true", help="build the unit tests too")
    it.set_defaults(act=build)

    it = commands.add_parser("run", parents=[common], help="let a judge look at the mutants")
    it.add_argument("--judge", choices=JUDGES, default="verify")
    it.add_argument("--results", required=True, help="a file to append to; what is in it is not judged again")
    it.add_argument("--shard", default="0/1", metavar="I/N", help="the I-th of N parts, from 0")
    it.add_argument("--sample", type=int, metavar="COUNT", help="so many mutants, drawn by the seed")
    it.add_argument("--seed", type=int, default=0)
    it.add_argument("--only", metavar="RESULTS", help="only the survivors of these results")
    it.add_argument("--timeout", type=int, default=60, metavar="SECONDS", help="CPU time of a judge for one mutant")
    it.set_defaults(act=judge)

    it = commands.add_parser("report", help="the shares caught, and the survivors")
    it.add_argument("results", nargs="+")
    it.add_argument("--unit", metavar="RESULTS", nargs="+", default=[], help="results of the unit tests")
    it.set_defaults(act=report)

    it = commands.add_parser("show", parents=[common], help="the source lines of the survivors")
    it.add_argument("results")
    it.set_defaults(act=show)
    args = parser.parse_args()
    args.act(args)


if __name__ == "__main__":
    main()

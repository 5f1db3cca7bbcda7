//! A search that is ended: nothing of it runs on.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use crate::{Pair, can, scratch, text};

/// Lets real time go by.
fn pause(span: Duration) {
    use faultwire::network::Network as _;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(faultwire::network::os::OsNetwork::new().sleep(span));
}

/// A search that goes on for long, by a word that stands in all of its commands.
fn begin(mark: &str, plan: &str) -> Child {
    Pair::of_echo(mark).search(&["--cases", "100000", "--out", plan]).spawn().expect("it starts")
}

fn kill(how: &str, process: u32) {
    let done = Command::new("sh").args(["-c", &format!("kill -{how} {process}")]).status().expect("sh");
    assert!(done.success());
}

/// All processes, by number: their parents and when they began.
fn processes() -> Vec<(u32, u32, String)> {
    let entries = fs::read_dir("/proc").expect("a table of processes").flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parsed = numbers.filter_map(|number| {
        let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        // Behind the name, which may hold anything: state, parent, …, and the time as the twentieth.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        Some((number, fields.get(1)?.parse().ok()?, (*fields.get(19)?).to_owned()))
    });
    parsed.collect()
}

/// The network namespaces that a process's threads are in.
fn namespaces(process: u32) -> BTreeSet<String> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { return BTreeSet::new() };
    let of = |path: &Path| Some(fs::read_link(path.join("ns/net")).ok()?.display().to_string());
    tasks.flatten().filter_map(|task| of(&task.path())).collect()
}

/// What a process has started: processes, and network namespaces that are not this one's.
fn started_by(process: u32) -> (BTreeSet<(u32, String)>, BTreeSet<String>) {
    let (all, own) = (processes(), namespaces(std::process::id()));
    let mut family = BTreeSet::from([process]);
    while let Some((number, ..)) =
        all.iter().find(|(number, parent, _)| family.contains(parent) && !family.contains(number))
    {
        family.insert(*number);
    }
    family.remove(&process);
    let descendants = all.into_iter().filter(|(number, ..)| family.contains(number));
    let spaces = family.iter().flat_map(|number| namespaces(*number)).filter(|space| !own.contains(space));
    (descendants.map(|(number, _, begun)| (number, begun)).collect(), spaces.collect())
}

/// Whether a process has a word in its command line.
fn is_running(mark: &str) -> bool {
    let lines =
        processes().into_iter().filter_map(|(number, ..)| fs::read(format!("/proc/{number}/cmdline")).ok());
    lines.into_iter().any(|line| text(&line).contains(mark))
}

#[test]
fn nothing_is_left_of_a_search_that_is_killed() {
    let mut most = 0;
    for moment in [50, 400, 1_100, 2_300] {
        if !can(&[]) {
            return;
        }
        let mark = format!("killed-{}-{moment}", std::process::id());
        let (_folder, _, plan) = scratch();
        let mut search = begin(&mark, &plan);
        // No two times at the same point.
        pause(Duration::from_millis(moment + u64::from(std::process::id() % 97)));
        // Stopped, so that it starts nothing between the look and the end.
        kill("STOP", search.id());
        let (processes_of_it, spaces) = started_by(search.id());
        most = processes_of_it.len().max(most);
        kill("KILL", search.id());
        search.wait().expect("it is ours");
        let mut left = (Vec::new(), Vec::new(), true);
        for _ in 0..500 {
            let all = processes();
            let runs_on = |(number, begun): &&(u32, String)| {
                all.iter().any(|(other, _, other_begun)| (other, other_begun) == (number, begun))
            };
            let in_use: BTreeSet<String> = all.iter().flat_map(|(number, ..)| namespaces(*number)).collect();
            left = (
                processes_of_it.iter().filter(runs_on).collect(),
                spaces.intersection(&in_use).cloned().collect::<Vec<_>>(),
                is_running(&mark),
            );
            if left.0.is_empty() && left.1.is_empty() && !left.2 {
                break;
            }
            pause(Duration::from_millis(20));
        }
        assert!(left.0.is_empty() && left.1.is_empty() && !left.2, "{moment} ms: {left:?}");
    }
    // At one of the moments at least there was something to leave behind.
    assert!(most > 0);
}

#[test]
fn a_search_that_is_interrupted_says_how_far_it_came() {
    if !can(&[]) {
        return;
    }
    let mark = format!("interrupted-{}", std::process::id());
    let (_folder, path, plan) = scratch();
    // An echo client gives up on the first loss: this one tries again, so that nothing is found.
    let pair = Pair::of_echo(&mark);
    let again =
        format!("{0} --timeout 0.1 || {0} --timeout 0.1 || {0} --timeout 0.1 || sleep 0.1", pair.client);
    let pair = Pair { client: again, ..pair };
    let search = pair.search(&["--cases", "100000", "--out", &plan]).spawn().expect("it starts");
    pause(Duration::from_millis(2_500));
    kill("INT", search.id());
    let output = search.wait_with_output().expect("it is ours");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{said}\n{}", text(&output.stderr));
    assert!(said.starts_with("stopped "), "{said}");
    assert!(!path.exists() && !is_running(&mark));
}

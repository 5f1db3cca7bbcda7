//! `faultwire impair`: netem's words become a plan that the other commands run.

use faultwire::fault::{Action, Class, FaultPlan};

use super::{all_refused, run, text};

#[test]
fn a_plan_is_drawn_from_netems_words() {
    let output = run(&["impair", "loss 10% delay 20ms 5ms", "--packets", "200", "--seed", "7"]);
    assert_eq!(output.status.code(), Some(0));
    let plan = FaultPlan::parse(&text(output.stdout), "stdout").expect("a plan");
    let lost = plan.faults.iter().filter(|fault| fault.action == Action::Drop).count();
    assert!((20..60).contains(&lost), "{lost}");
    assert_eq!(plan.link.numbers().delay_us, 16_000);
    let told = text(output.stderr);
    assert!(told.starts_with(&format!("{lost} lost, 0 damaged, 0 duplicated, ")), "{told}");
    assert!(told.ends_with(" delayed; the link: 16000 us one way\n"), "{told}");
    // The words need no quotation marks, and may be those of a whole line of tc.
    let words = "impair tc qdisc add dev eth0 root netem loss 10% delay 20ms 5ms --packets 200 --seed 7";
    let again = run(&words.split(' ').collect::<Vec<_>>());
    assert_eq!(FaultPlan::parse(&text(again.stdout), "stdout").expect("a plan"), plan);
}

#[test]
fn some_ways_and_classes_are_drawn_for() {
    let args = ["impair", "loss 50%", "--direction", "b->a", "--direction", "a->b", "--class", "data,syn"];
    let plan = FaultPlan::parse(&text(run(&args).stdout), "stdout").expect("a plan");
    for direction in ["a->b", "b->a"] {
        for class in [Class::Data, Class::Syn] {
            let is = |(way, one): (String, Class)| (way.as_str(), one) == (direction, class);
            let lost =
                plan.faults.iter().filter(|it| is((it.direction.to_string(), it.packet.class))).count();
            assert!((400..600).contains(&lost), "{direction} {class}: {lost}");
        }
    }
}

#[test]
fn a_drawn_plan_is_replayed_in_a_scenario() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("plan.toml");
    let path = path.to_str().expect("UTF-8");
    let draw = ["impair", "loss 30%", "--packets", "4", "--direction", "client->server", "--seed", "3"];
    let output = run(&[&draw[..], &["--scenario", "udp-numbered", "-o", path]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(output.stderr));
    assert_eq!(text(output.stdout), "");
    let output = run(&["replay", path, "--ascii"]);
    let said = text(output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("dropped"), "{said}");
}

#[test]
fn wrong_impairments() {
    insta::assert_snapshot!(all_refused(&[
        &["impair"],
        &["impair", "los 5%"],
        &["impair", "loss 5% delay 1ms reorder 25% limit 5"],
        &["impair", "loss 90%", "--packets", "10000"],
        &["impair", "rate 1mbit", "--class", "data"],
        &["impair", "loss 5%", "--packets", "0"],
        &["impair", "loss 5%", "--direction", "client-server"],
        &["impair", "loss 5%", "--class", "segment"],
    ]));
}

//! The page of a verification: what it holds and what it must not, and, where Chromium is at hand, what one
//! does with it.

#![expect(clippy::print_stderr, reason = "a test prints how long a page takes to open")]

#[path = "html/browser.rs"]
mod browser;
#[path = "html/contrast.rs"]
mod contrast;
#[path = "html/markup.rs"]
mod markup;
#[path = "../../src/require.rs"]
mod require;

use std::sync::LazyLock;
use std::time::Duration;

use faultwire::fault::{Action, Class, Fault, FaultPlan, Packet};
use faultwire::network::{Datagram as _, Network as _};
use faultwire_conformance::claim::{CLAIMS as CLAIMS_ALL, Claim, Modality};
use faultwire_conformance::engine::{VerifyOptions, exhibits, verify};
use faultwire_conformance::progress::Silent;
use faultwire_conformance::report::{Exhibit, Outcome, Reason, Report, Row};
use faultwire_sim::search::Tried;
use faultwire_sim::{BoxError, Net, scenario, testbed};

/// Claims of all kinds: shown by a fault, held under faults, of TCP, with charts, skipped somewhere.
const CLAIMS: [&str; 6] = [
    "udp/may-lose",
    "udp/may-reorder",
    "udp/nothing-altered",
    "udp/no-flow-control",
    "tcp/half-close",
    "tcp/initial-window",
];

/// A small verification and its page.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let options = VerifyOptions {
        cases: Some(1),
        seed: 7,
        ..VerifyOptions::new(
            CLAIMS.iter().filter_map(|id| Claim::of(id)).collect(),
            vec![testbed::VIRTUAL, testbed::TURMOIL_SOCKETS],
        )
    };
    let report = verify(&options, &mut Silent);
    page(&report, &exhibits(&report))
});

fn page(report: &Report, exhibits: &[Exhibit]) -> String {
    let page = report.to_html(exhibits).expect("it can be written");
    markup::check(&page);
    page
}

/// A plan with a title.
fn titled(title: &str) -> FaultPlan {
    let fault = Fault::new(["client", "server"], Packet::nth(Class::Datagram, 1), Action::Drop);
    FaultPlan::new().title(title).faults([fault])
}

#[test]
fn the_page_holds_every_claim_and_needs_nothing_else() {
    for id in CLAIMS {
        let claim = Claim::of(id).expect("a claim");
        let entry = PAGE.split(&format!("id=\"{}\"", id.replace('/', "-"))).nth(1).expect(id);
        let entry = entry.split("<details class=\"entry\"").next().expect(id);
        let said = markup::text(entry);
        for words in [claim.text, claim.why, claim.conditions, claim.source] {
            assert!(said.contains(words), "{id}: {words}");
        }
        let has_chart = entry.contains("class=\"fw-svg chart\"");
        assert_eq!(
            has_chart,
            id == "tcp/initial-window",
            "{id}: a chart where a window bounds what is in flight"
        );
        assert!(entry.contains("<svg") && entry.contains("faultwire replay - --testbed"), "{id}: {entry}");
        assert!(said.contains("--seed 7 <<'PLAN'") && said.contains("format = 1"), "{id}: {said}");
    }
    assert!(PAGE.contains("All as claimed."), "of a verification that went well");
}

#[test]
fn what_others_wrote_is_text_and_nothing_else() {
    let evil = "</pre></script><script>alert(1)</script><img src=x onerror=alert(1)>\"' onclick=\"alert(1)";
    let claim = Claim::of("udp/may-lose").expect("a claim");
    let rows = vec![Row {
        why: Some(evil.to_owned()),
        plan: Some(FaultPlan { scenario: Some("udp-numbered".to_owned()), ..titled(evil) }),
        ..Row::new(claim, testbed::VIRTUAL, Outcome::Witnessed)
    }];
    let report = Report::new(0, rows, Tried::default(), Duration::ZERO);
    let mut shown = exhibits(&report);
    assert_eq!(shown.len(), 1);
    shown[0].how = Some(evil.to_owned());
    shown[0].seen = None;
    let page = page(&report, &shown);
    assert!(markup::text(&page).contains(evil), "it is there to be read");
    assert_eq!(page.matches("<script").count(), 1, "the page's own");
    assert!(!page.contains("<img"), "no element of theirs; attributes are looked at by `page`");
}

#[test]
fn a_failure_is_said_first_and_replays() {
    let claim = Claim::of("udp/never-repeats").expect("a claim");
    let rows = vec![Row {
        why: Some("datagram 1 came twice".to_owned()),
        plan: Some(FaultPlan { scenario: Some("udp-numbered".to_owned()), ..titled("twice") }),
        ..Row::new(claim, testbed::VIRTUAL, Outcome::Broken)
    }];
    let report = Report::new(0, rows, Tried::default(), Duration::ZERO);
    let said = markup::text(&page(&report, &exhibits(&report)));
    assert!(said.contains("1 not as claimed.") && said.contains("broken"), "{said}");
    assert!(said.contains("The smallest plan that breaks it"), "{said}");
    assert!(said.contains("drop client->server datagram 1"), "{said}");
    assert!(said.contains("1 claim; 0 runs"), "{said}");
    let head = said.split("Claims and testbeds").next().expect("text");
    assert!(
        head.contains("Not as claimed") && head.contains("on virtual/faultwire datagram 1 came twice"),
        "{head}"
    );
}

/// All claims on all testbeds, some of them not as claimed in each of the ways there are.
fn all_kinds() -> Report {
    let failures =
        [Outcome::Broken, Outcome::Unwitnessed, Outcome::Unproven, Outcome::Stalled, Outcome::Error];
    let mut rows = Vec::new();
    for (number, claim) in CLAIMS_ALL.iter().enumerate() {
        for (place, testbed) in testbed::ALL.into_iter().enumerate() {
            let outcome = match (number * 5 + place) % 7 {
                0..=2 => Outcome::Skipped,
                _ if claim.modality == Modality::Possible => Outcome::Witnessed,
                _ => Outcome::Held,
            };
            let failed = failures.get(number).filter(|_| place == number);
            let row = Row::new(claim, testbed, *failed.unwrap_or(&outcome));
            rows.push(Row {
                why: Some(format!("the reason {number}.{place}")),
                expected_failure: None,
                ..row
            });
        }
    }
    Report::new(0, rows, Tried::default(), Duration::ZERO)
}

#[test]
fn what_is_not_as_claimed_stands_at_the_head_and_leads_to_its_claim() {
    let report = all_kinds();
    let page = page(&report, &[]);
    let head = page.split("<section aria-labelledby=\"matrix-h\">").next().expect("a head");
    let said = markup::text(head);
    assert!(said.contains("4 not as claimed, 1 could not be settled."), "{said}");
    for (number, (word, bed)) in [
        ("broken", "virtual/faultwire"),
        ("unwitnessed", "turmoil/faultwire"),
        ("unproven", "turmoil/turmoil"),
    ]
    .iter()
    .enumerate()
    {
        let claim = CLAIMS_ALL[number].id;
        let link = format!("<a href=\"#{}\">{claim}</a>", claim.replace('/', "-"));
        assert!(head.contains(&link), "{link}: {head}");
        assert!(said.contains(&format!("{word} on {bed} the reason {number}.{number}")), "{said}");
    }
    assert!(page.contains("<option value=\"failed\">not as claimed</option>"), "one can ask for them all");
    assert!(!PAGE.contains("value=\"failed\"") && !PAGE.contains("Not as claimed"), "where there are none");
    browser::looks(&page);
}

#[test]
fn a_page_that_was_ended_early_says_how_much_is_missing() {
    let claim = Claim::of("udp/may-lose").expect("a claim");
    let rows = vec![
        Row::new(claim, testbed::VIRTUAL, Outcome::Witnessed),
        Row::skipped(claim, testbed::TURMOIL, "interrupted: it was not tried to the end"),
    ];
    let mut report = Report::new(0, rows, Tried::default(), Duration::ZERO);
    report.interrupted = true;
    let said = markup::text(&page(&report, &[]));
    let expected = "Interrupted: what was done by then is as claimed; 1 result is missing.";
    assert!(said.contains(expected), "{said}");
    // What failed by then does not hide that.
    report.results.push(Row::new(claim, testbed::LOOPBACK, Outcome::Unwitnessed));
    let said = markup::text(&page(&report, &[]));
    assert!(said.contains("1 not as claimed; interrupted: 1 result is missing."), "{said}");
    assert!(report.to_line().starts_with("1 FAILED; INTERRUPTED. "), "{}", report.to_line());
}

#[test]
fn a_known_failure_is_called_so_and_stands_behind_how_it_should_be() {
    let claim = Claim::of("udp/length-and-sender").expect("a claim");
    let plan = FaultPlan::new().scenario("udp-lengths");
    let rows = vec![
        Row::new(claim, testbed::VIRTUAL, Outcome::Held),
        Row {
            plan: Some(plan),
            expected_failure: Some("it is listed there"),
            ..Row::new(claim, testbed::TURMOIL_SOCKETS, Outcome::Broken)
        },
    ];
    let report = Report::new(0, rows, Tried::default(), Duration::ZERO);
    let page = page(&report, &exhibits(&report));
    let titles: Vec<&str> = page.split("<h4>").skip(1).filter_map(|rest| rest.split('<').next()).collect();
    let expected = [
        "An example: a run in which its situation occurs",
        "An expected failure: the smallest plan that shows it",
    ];
    assert_eq!(titles, expected);
    // Turmoil's own sockets are seen from outside.
    assert_eq!(page.matches("no packet of this testbed can be seen").count(), 1);
}

#[test]
fn its_colours_can_be_told_apart() {
    contrast::check(&PAGE);
}

/// 50 000 questions and as many answers.
#[test]
fn a_run_of_100_000_packets_is_summed_up() {
    const ROUNDS: usize = 50_000;
    let many = scenario("udp-numbered")
        .client(|net: Net| async move {
            let socket = net.datagram("0.0.0.0:0", &[]).await?;
            socket.connect("server:7000").await?;
            for _ in 0..ROUNDS {
                socket.send(b"question").await?;
                socket.recv_from(&mut [0; 16]).await?;
            }
            Ok(())
        })
        .server(|net: Net| async move {
            let socket = net.datagram("0.0.0.0:7000", &[]).await?;
            loop {
                let from = socket.recv_from(&mut [0; 16]).await?.from;
                socket.send_to(b"answer", from).await?;
            }
            #[expect(unreachable_code, reason = "it says what the server would end with")]
            Ok::<(), BoxError>(())
        });
    let run = many.run(&FaultPlan::default());
    assert!(run.end.is_finished(), "{:?}", run.end);
    assert_eq!(run.trace.packet_count(), 100_000);
    let claim = Claim::of("udp/no-connection").expect("a claim");
    let exhibit = Exhibit {
        claim: claim.id,
        reason: Reason::Example,
        found_on: Vec::new(),
        is_expected: false,
        how: None,
        drawn_on: testbed::VIRTUAL,
        run,
        seen: None,
        moment: None,
        seed: 0,
    };
    let rows = vec![Row::new(claim, testbed::VIRTUAL, Outcome::Held)];
    let report = Report::new(0, rows, Tried::default(), Duration::ZERO);
    let page = page(&report, &[exhibit]);
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    assert!(page.contains("packets left out, until"), "it says so");
    let said = markup::text(&page);
    assert!(said.contains("with 100 000 packets the picture shows the first and the last"), "and beside it");
    assert!(page.contains("data-claim=\"udp-no-connection\" open>"), "the only claim is open");
    browser::opens(&page);
}

#[test]
fn one_can_filter_open_see_and_copy() {
    browser::tries(&PAGE);
}

#[test]
fn filters_add_up_and_stand_in_the_address() {
    browser::filters(&PAGE);
}

#[test]
fn one_can_do_without_a_mouse() {
    browser::by_keyboard(&PAGE);
}

#[test]
fn a_picture_can_be_saved() {
    browser::saves(&PAGE);
}

#[test]
fn nothing_is_covered_cut_off_or_empty() {
    browser::looks(&PAGE);
}

#[test]
fn on_paper_all_is_open_and_whole() {
    browser::prints(&PAGE);
}

//! The page in headless Chromium, over WebDriver. Where there is none, that is said and the test passes.

#[path = "browser/driver.rs"]
mod driver;
#[path = "browser/looks.rs"]
mod looks;

pub(crate) use looks::{looks, prints};

use std::path::Path;

use driver::{Browser, ENTER, ESCAPE, SPACE, TAB};
use serde_json::json;

/// A page as a file, and a browser that shows it.
fn shown(page: &str) -> Option<(tempfile::TempDir, Browser)> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("report.html");
    std::fs::write(&file, page).expect("a file");
    match Browser::start(dir.path()) {
        Ok(browser) => {
            browser.open(&address(&file));
            Some((dir, browser))
        }
        Err(why) => {
            crate::require::skipped(
                "chromium",
                format_args!("{why}: install Debian's packages chromium and chromium-driver"),
            );
            None
        }
    }
}

fn address(file: &Path) -> String {
    format!("file://{}", file.display())
}

/// The claim that was opened by a link and has the focus.
const IS_OPEN: &str = "const entry = document.activeElement.parentElement;
return entry && entry.open ? entry.id : ''";
/// What the tabulator would stop at although it does not scroll.
const STOPS_TOO_MANY: &str =
    "return [...document.querySelectorAll('.scroll[tabindex], .picture[tabindex], pre[tabindex]')]
  .filter(it => !it.closest('details:not([open])'))
  .filter(it => it.scrollWidth <= it.clientWidth + 1 && it.scrollHeight <= it.clientHeight + 1).length";

/// Opens a page and tells how long that took.
pub(crate) fn opens(page: &str) {
    let Some((_dir, browser)) = shown(page) else { return };
    let ms = browser.script("return performance.getEntriesByType('navigation')[0].loadEventEnd", json!([]));
    eprintln!("a page of {} bytes opens in {ms} ms", page.len());
    assert!(browser.text("#found") == "1 of 1 claim", "its script has run");
    browser.no_trouble();
}

/// Does what one does with a page.
pub(crate) fn tries(page: &str) {
    let Some((_dir, browser)) = shown(page) else { return };
    let rows = |browser: &Browser| {
        browser.script(
            "return [...document.querySelectorAll('tr[data-claim]')].filter(r => r.offsetParent).length",
            json!([]),
        )
    };
    assert_eq!(rows(&browser), 6);

    // A filter, by mouse and keyboard; what is found is told to those who listen.
    browser.choose("#f-outcome", "witnessed");
    assert_eq!(browser.text("#found"), "3 of 6 claims");
    assert_eq!(rows(&browser), 3);
    browser.click("#f-reset");
    assert_eq!(browser.text("#found"), "6 of 6 claims");
    browser.type_into("#f-text", "end-of-stream");
    assert_eq!(browser.text("#found"), format!("{} of 6 claims", rows(&browser)));
    browser.click("#f-reset");
    browser.type_into("#f-text", "no claim says this");
    assert_eq!((browser.text("#found").as_str(), browser.is_shown("#none")), ("0 of 6 claims", true));
    browser.click("#f-reset");

    // A claim, from the matrix.
    assert!(!browser.is_shown("#udp-may-reorder .body"));
    browser.click("tr[data-claim=udp-may-reorder] a");
    browser.wait_until(IS_OPEN, &json!("udp-may-reorder"));
    assert!(browser.is_shown("#udp-may-reorder .body"));
    assert!(browser.is_shown("#udp-may-reorder svg.fw-svg"));
    assert!(browser.text("#udp-may-reorder .plan").contains("client->server"));
    let role = "return document.querySelector('#udp-may-reorder .picture svg').getAttribute('role')";
    assert_eq!(browser.script(role, json!([])), "img");

    // The command, copied, and pasted where one can see it.
    let command = browser.text("#udp-may-reorder pre");
    assert!(
        command.starts_with("faultwire replay - --testbed virtual/faultwire --seed 7 <<'PLAN'\nformat = 1"),
        "{command}"
    );
    browser.click("#udp-may-reorder .copy");
    browser.wait_for("#udp-may-reorder .copied", "Copied");
    browser.paste("#f-text");
    let pasted = browser.script("return document.querySelector('#f-text').value", json!([]));
    let first = command.lines().next().expect("a line");
    assert!(pasted.as_str().is_some_and(|pasted| pasted.starts_with(first)), "{pasted}");

    // In a field of one line the ends of lines become blanks; nothing else is lost.
    let whole = command.replace('\n', " ");
    assert_eq!(pasted.as_str(), Some(whole.as_str()), "all of it, with the plan's quotation marks");
    browser.no_trouble();
}

/// Filters that are set together: how many claims each choice leaves, and an address that brings it all back.
pub(crate) fn filters(page: &str) {
    let Some((dir, browser)) = shown(page) else { return };
    let label = |browser: &Browser, choice: &str| {
        let script = "return document.querySelector(arguments[0]).textContent";
        browser.script(script, json!([choice])).as_str().expect("text").to_owned()
    };
    assert_eq!(label(&browser, "#f-outcome option[value=witnessed]"), "◆ witnessed (3)");
    assert_eq!(label(&browser, "#f-modality option:nth-child(2)"), "guaranteed (3)");
    browser.choose("#f-outcome", "witnessed");
    assert_eq!(label(&browser, "#f-modality option:nth-child(2)"), "guaranteed (0)");
    let off = "return document.querySelector('#f-modality option:nth-child(2)').disabled";
    assert_eq!(browser.script(off, json!([])), true, "it would leave nothing");
    browser.type_into("#f-text", "RFC 768 order");
    assert_eq!(browser.text("#found"), "1 of 6 claims");
    browser.click("tr[data-claim=udp-may-reorder] a");
    browser.wait_until(IS_OPEN, &json!("udp-may-reorder"));
    let hash = browser.script("return location.hash", json!([]));
    let hash = hash.as_str().expect("text");
    assert!(hash.starts_with("#udp-may-reorder?") && hash.contains("outcome=witnessed"), "{hash}");

    // Whoever is sent the address sees the same.
    browser.open("data:,");
    browser.open(&(address(&dir.path().join("report.html")) + hash));
    assert_eq!(browser.text("#found"), "1 of 6 claims");
    assert!(browser.is_shown("#udp-may-reorder .body"), "the claim is open");
    assert_eq!(browser.text("#f-outcome option:checked"), "◆ witnessed (1)");
    browser.click("#f-reset");
    assert_eq!(browser.text("#found"), "6 of 6 claims");
    let hash = browser.script("return location.hash", json!([]));
    assert_eq!(hash, "#udp-may-reorder", "the filters are gone from the address");
    browser.no_trouble();
}

/// A picture as a file that needs nothing but itself.
pub(crate) fn saves(page: &str) {
    let Some((dir, browser)) = shown(page) else { return };
    browser.saves_into(dir.path());
    for (claim, button, name) in [
        ("udp-may-lose", ".save", "udp-may-lose.svg"),
        ("tcp-initial-window", ".frame:nth-child(2) .save", "tcp-initial-window-chart.svg"),
    ] {
        browser.script("document.getElementById(arguments[0]).open = true", json!([claim]));
        browser.click(&format!("#{claim} {button}"));
        let file = dir.path().join(name);
        let written = || std::fs::read_to_string(&file).is_ok_and(|text| text.ends_with("</svg>\n"));
        assert!(browser.looks_until(written), "{name}");
        browser.open(&address(&file));
        let shows = "const root = document.documentElement;
            return root.nodeName + ' ' + getComputedStyle(root.querySelector('.bg')).fill";
        assert_eq!(browser.script(shows, json!([])), "svg rgb(255, 253, 249)", "an SVG with its style");
        browser.open(&address(&dir.path().join("report.html")));
    }
}

/// Without a mouse: past the matrix, into a claim, a picture as large as the screen, and out again.
pub(crate) fn by_keyboard(page: &str) {
    let Some((_dir, browser)) = shown(page) else { return };
    let focus = |browser: &Browser| {
        let script = "const it = document.activeElement;\
                      return it.id || it.getAttribute('aria-label') || it.textContent.trim()";
        browser.script(script, json!([])).as_str().expect("text").to_owned()
    };
    browser.wait_until(STOPS_TOO_MANY, &json!(0));
    browser.press(TAB);
    assert_eq!(focus(&browser), "To the claims", "the first stop is the way past the matrix");
    let stops: Vec<String> = (0..8)
        .map(|_| {
            browser.press(TAB);
            focus(&browser)
        })
        .collect();
    let expected = [
        "What the signs say",
        "f-text",
        "f-testbed",
        "f-subject",
        "f-outcome",
        "f-modality",
        "f-reset",
        "may-lose",
    ];
    assert_eq!(stops, expected);
    browser.press(ENTER);
    browser.wait_until(IS_OPEN, &json!("udp-may-lose"));
    browser.wait_until(STOPS_TOO_MANY, &json!(0));
    let ring = "return getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.script(ring, json!([])), "solid", "one sees where one is");
    browser.press(TAB);
    assert_eq!(focus(&browser), "Copy the command that replays udp/may-lose");
    browser.press(ENTER);
    browser.wait_for("#udp-may-lose .copied", "Copied");
    browser.press(TAB);
    // With letters that are wider there is something to scroll in the command.
    if focus(&browser) == "The command that replays it" {
        browser.press(TAB);
    }
    assert_eq!(focus(&browser), "Save this picture as a file");
    browser.press(TAB);
    assert_eq!(focus(&browser), "Enlarge this picture");
    browser.press(ENTER);
    assert!(browser.is_shown("#large svg.fw-svg"));
    browser.press(ESCAPE);
    // It is back in its place.
    browser.wait_until("return document.querySelectorAll('#udp-may-lose .picture svg').length", &json!(1));
    assert_eq!(focus(&browser), "Enlarge this picture", "and so is the focus");
    browser.press(TAB);
    assert_eq!(focus(&browser), "The diagram as text");
    browser.press(SPACE);
    assert!(browser.text("#udp-may-lose .as-text code").contains("◆ the moment of truth"));
    browser.no_trouble();
}

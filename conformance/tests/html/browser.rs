//! The page in headless Chromium, over WebDriver. Where there is none, that is said and the test passes.

#[path = "browser/driver.rs"]
mod driver;

use std::path::Path;

use driver::Browser;
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
            eprintln!("skipped: {why}; Debian's packages `chromium` and `chromium-driver` would allow it");
            None
        }
    }
}

fn address(file: &Path) -> String {
    format!("file://{}", file.display())
}

/// Opens a page and tells how long that took.
pub(crate) fn opens(page: &str) {
    let Some((_dir, browser)) = shown(page) else { return };
    let ms = browser.script("return performance.getEntriesByType('navigation')[0].loadEventEnd", json!([]));
    eprintln!("a page of {} bytes opens in {ms} ms", page.len());
    assert!(browser.text("#found").contains("claims"), "its script has run");
    browser.no_trouble();
}

/// Does what one does with a page.
pub(crate) fn tries(page: &str) {
    let Some((dir, browser)) = shown(page) else { return };
    let rows = |browser: &Browser| {
        browser.script(
            "return [...document.querySelectorAll('tr[data-claim]')].filter(r => r.offsetParent).length",
            json!([]),
        )
    };
    assert_eq!(rows(&browser), 6);

    // A filter, by mouse and keyboard; what is found is told to those who listen.
    browser.choose("#f-outcome", "shown");
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
    assert!(browser.is_shown("#udp-may-reorder .body"));
    assert!(browser.is_shown("#udp-may-reorder svg.fw-svg"));
    assert!(browser.text("#udp-may-reorder .plan").contains("client->server"));
    let role = "return document.querySelector('#udp-may-reorder svg').getAttribute('role')";
    assert_eq!(browser.script(role, json!([])), "img");

    // The command, copied, and pasted where one can see it.
    let command = browser.text("#udp-may-reorder pre");
    assert!(
        command.starts_with("faultwire replay - --testbed virtual/ours --seed 7 <<'PLAN'\nformat = 1"),
        "{command}"
    );
    browser.click("#udp-may-reorder .copy");
    browser.wait_for("#udp-may-reorder .copied", "Copied");
    browser.paste("#f-text");
    let pasted = browser.script("return document.querySelector('#f-text').value", json!([]));
    let first = command.lines().next().expect("a line");
    assert!(pasted.as_str().is_some_and(|pasted| pasted.starts_with(first)), "{pasted}");

    // By keyboard alone: the first stop is the way past the matrix.
    browser.open(&address(&dir.path().join("report.html")));
    assert_eq!(browser.focus_by_tab(), "To the claims");

    // At the width of a telephone nothing but what may is wider than the screen.
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")] {
        browser.be(width, scheme);
        let wide = browser.script("return document.documentElement.scrollWidth", json!([]));
        assert!(wide.as_u64().is_some_and(|wide| wide <= width), "{wide} at {width}");
    }
    browser.no_trouble();
}

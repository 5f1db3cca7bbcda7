//! How a page looks: that nothing covers another, is cut off, or leaves a hole.

use serde_json::json;

use super::shown;

/// Words of the matrix that reach into the next cell; the same of its heads.
const CROWDED: &str =
    "return [...document.querySelectorAll('.matrix td.cell, .matrix th.bed')].filter(cell => {
  const range = document.createRange();
  range.selectNodeContents(cell);
  const words = range.getBoundingClientRect(), own = cell.getBoundingClientRect();
  return words.right > own.right - 2 || words.left < own.left;
}).map(cell => cell.textContent)";

/// Runs whose box is higher than what is in it, pictures that are out of proportion, charts whose words meet,
/// and commands of which something is cut off at the right.
const HOLES: &str = "const wrong = [];
for (const run of document.querySelectorAll('.run')) {
  const within = [...run.children].map(it => it.getBoundingClientRect().bottom);
  const below = run.getBoundingClientRect().bottom - Math.max(...within);
  if (below > 40) wrong.push(below + ' pixels of nothing below a run');
  for (const svg of run.querySelectorAll('.picture svg')) {
    const {width, height} = svg.getBoundingClientRect(), own = svg.viewBox.baseVal;
    const off = Math.abs(height / width - own.height / own.width);
    if (off > 0.02) wrong.push('a picture is ' + width + ' by ' + height);
    const frame = svg.parentElement.getBoundingClientRect();
    if (frame.height > height + 24) wrong.push('a frame of ' + frame.height + ' for ' + height);
  }
  for (const chart of run.querySelectorAll('svg.chart')) {
    const own = chart.getBoundingClientRect();
    const words = [...chart.querySelectorAll('text')].map(it => [it.textContent, it.getBoundingClientRect()]);
    const out = words.filter(([, it]) => it.right > own.right + 1 || it.left < own.left - 1);
    wrong.push(...out.map(([text]) => 'outside of its chart: ' + text));
    words.forEach(([text, one], index) => words.slice(index + 1).forEach(([other, two]) => {
      const meet = one.right > two.left && one.left < two.right
        && one.bottom - 2 > two.top && one.top < two.bottom - 2;
      if (meet) wrong.push(text + ' covers ' + other);
    }));
  }
  for (const over of run.querySelectorAll('.over')) {
    const top = over.getBoundingClientRect();
    const covered = [...over.parentElement.querySelectorAll('.picture text')].filter(text => {
      const words = text.getBoundingClientRect();
      return words.right > top.left && words.left < top.right
        && words.bottom > top.top && words.top < top.bottom;
    });
    wrong.push(...covered.map(text => 'a button covers: ' + text.textContent));
  }
  const pre = run.querySelector('.command pre');
  if (pre.scrollWidth > pre.clientWidth) wrong.push('a command is cut off');
}
return wrong";

/// What makes the page wider than the screen.
const WIDE: &str = "const wide = innerWidth;
if (document.documentElement.scrollWidth <= wide) return [];
return [...document.querySelectorAll('body *')]
  .filter(it => it.getBoundingClientRect().right > wide && !it.closest('.scroll, .picture, pre, .skip'))
  .map(it => it.outerHTML.slice(0, 99))";

/// A page with its claims open at any width, in light and in dark.
pub(crate) fn looks(page: &str) {
    let Some((_dir, browser)) = shown(page) else { return };
    browser
        .script("document.querySelectorAll('details.entry').forEach(it => { it.open = true; })", json!([]));
    for (width, scheme) in
        [(2560, "light"), (1280, "light"), (1280, "dark"), (640, "light"), (390, "dark"), (320, "light")]
    {
        browser.be(width, scheme);
        // At the width of a telephone nothing but what may is wider than the screen.
        let wide = browser.script(WIDE, json!([]));
        assert_eq!(wide, json!([]), "at {width}");
        assert_eq!(browser.script(HOLES, json!([])), json!([]), "at {width}");
        if width >= 1280 {
            assert_eq!(browser.script(CROWDED, json!([])), json!([]), "at {width}");
        }
    }
    browser.no_trouble();
}

/// On paper: what is closed is open, no picture is higher than a sheet but those that are told to break, and
/// what can only be clicked is gone.
pub(crate) fn prints(page: &str) {
    let Some((_dir, browser)) = shown(page) else { return };
    // The width of A4 between its margins, at 96 pixels an inch.
    browser.be_on("print", 688, "dark");
    let closed = "return [...document.querySelectorAll('details.entry')].filter(it => it.open).length";
    assert_eq!(browser.script(closed, json!([])), 0, "nobody opened them");
    let hidden = "return [...document.querySelectorAll('.entry .facts, .entry figcaption, .picture \
                  svg')].filter(it => !it.checkVisibility({contentVisibilityAuto: true}) || \
                  !it.getClientRects().length).length";
    browser.wait_until(hidden, &json!(0));
    let high = "return [...document.querySelectorAll('.picture:not(.tall) svg')]\
                .map(it => it.getBoundingClientRect().height).filter(it => it > 269 / 25.4 * 96)";
    assert_eq!(browser.script(high, json!([])), json!([]));
    for gone in ["#filters", ".copy", ".enlarge", ".as-text", "#open-all"] {
        assert!(!browser.is_shown(gone), "{gone}");
    }
    let paper = "return getComputedStyle(document.body).backgroundColor";
    assert_eq!(browser.script(paper, json!([])), "rgb(255, 255, 255)", "also where the screen is dark");
}

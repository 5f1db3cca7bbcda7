"use strict";
const one = (query, of) => (of || document).querySelector(query);
const all = (query, of) => Array.from((of || document).querySelectorAll(query));
const entries = new Map(all("details.entry").map((entry) => [entry.dataset.claim, entry]));

// What needs a script is shown only where there is one.
all("#filters, #open-all, #close-all, button.copy, button.save, button.enlarge").forEach((it) => { it.hidden = false; });

// The part of the address behind its sign: a claim, and the filters behind a question mark.
const address = () => {
  const [claim, query] = location.hash.slice(1).split("?");
  return { claim: claim || "", query: new URLSearchParams(query || "") };
};

// A link to a claim opens it.
const go = () => {
  const entry = entries.get(address().claim);
  if (!entry) return;
  entry.open = true;
  entry.hidden = false;
  entry.scrollIntoView({ block: "start" });
  one("summary", entry).focus({ preventScroll: true });
};
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link && link.hash === location.hash) go();
});

const open = (value) =>
  entries.forEach((entry) => { if (!entry.hidden) entry.open = value; });
one("#open-all").addEventListener("click", () => open(true));
one("#close-all").addEventListener("click", () => open(false));

// On paper nothing can be opened. What a filter hides is not printed.
let before = [];
window.addEventListener("beforeprint", () => {
  before = all("details.entry").filter((it) => !it.open);
  before.forEach((it) => { it.open = true; });
});
window.addEventListener("afterprint", () => before.forEach((it) => { it.open = false; }));

// The tabulator stops only at what really scrolls.
const scrollers = ".scroll, .picture, pre";
const stop = (it) => {
  const scrolls = it.scrollWidth > it.clientWidth + 1 || it.scrollHeight > it.clientHeight + 1;
  if (scrolls) it.tabIndex = 0; else it.removeAttribute("tabindex");
  it.classList.toggle("scrolls", it.scrollWidth > it.clientWidth + 1);
};
const watch = new ResizeObserver((seen) => seen.forEach(({ target }) => { if (target.clientWidth) stop(target); }));
all(scrollers).forEach((it) => watch.observe(it));
